//! Why a request failed: a kind to count by, and the words that explain it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What ended a request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, to count by.
    pub kind: FailureKind,
    /// The server's own words, or the operating system's: shortened, never empty, free of secrets.
    pub message: String,
}

impl Failure {
    /// A failure of this kind, explained by `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of failure, each with a cause of its own and a remedy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The server's name could not be resolved.
    Dns,
    /// Nothing accepts connections at the address.
    ConnectRefused,
    /// The connection could not be opened for another reason.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// A time limit passed, in this phase of the exchange.
    Timeout(Phase),
    /// The connection broke after it was open, before the response was complete.
    Reset,
    /// The server answered with an HTTP status that is not a success.
    Status(u16),
    /// The server sent an error inside a response that had begun as a success.
    ErrorEvent,
    /// The stream ended without `[DONE]` and without a finish reason.
    TruncatedStream,
    /// The response was a success without any output.
    EmptyStream,
    /// A body or an event could not be read as what the API promises.
    BadJson,
    /// The response broke HTTP itself.
    Protocol,
    /// This process had no file descriptor left.
    OutOfDescriptors,
    /// This program ended the request: the run was interrupted.
    Cancelled,
}

/// The part of an exchange in which a time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Resolving, connecting and the TLS handshake.
    Connect,
    /// From the request to the first byte of the response.
    FirstByte,
    /// From one read of the response to the next.
    BetweenChunks,
    /// The whole request.
    Total,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns => f.write_str("name not resolved"),
            Self::ConnectRefused => f.write_str("connection refused"),
            Self::Connect => f.write_str("connection not opened"),
            Self::Tls => f.write_str("TLS handshake failed"),
            Self::Timeout(Phase::Connect) => f.write_str("timeout while connecting"),
            Self::Timeout(Phase::FirstByte) => f.write_str("timeout before the first byte"),
            Self::Timeout(Phase::BetweenChunks) => f.write_str("timeout between chunks"),
            Self::Timeout(Phase::Total) => f.write_str("timeout of the whole request"),
            Self::Reset => f.write_str("connection reset"),
            Self::Status(code) => write!(f, "HTTP {code}"),
            Self::ErrorEvent => f.write_str("error in the stream"),
            Self::TruncatedStream => f.write_str("truncated stream"),
            Self::EmptyStream => f.write_str("empty stream"),
            Self::BadJson => f.write_str("unreadable response"),
            Self::Protocol => f.write_str("HTTP protocol error"),
            Self::OutOfDescriptors => f.write_str("out of file descriptors"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}
