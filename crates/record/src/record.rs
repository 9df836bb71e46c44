//! What happened to one request: moments and counts, as measured.
//!
//! Deliberately holds no derived figure. TTFT, TPOT and their kin are defined over these facts in `metrics`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Chunks, Failure, Offset};

/// The facts of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which request of its point this is, counted from 0.
    pub index: u64,
    /// Whether the request counts.
    pub phase: Phase,
    /// When the plan wanted it sent. In a closed loop: when a place became free.
    pub scheduled: Offset,
    /// When its own work began, the opening of a connection included.
    pub started: Offset,
    /// How it came by its connection.
    pub connection: Connection,
    /// When it held an open connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<Offset>,
    /// When the last byte of the request was handed to the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Offset>,
    /// When the head of the response had been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Offset>,
    /// The output as it came, in order. For a response that is not streamed: one chunk, the whole body.
    pub chunks: Chunks,
    /// When nothing more was to be expected: end of stream, or the failure.
    pub end: Offset,
    /// Whether the response was streamed. Without streaming there is no first token to time.
    pub streamed: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, where a response came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Tokens of the prompt.
    pub prompt_tokens: PromptTokens,
    /// Tokens of the output. `None` where they could not be counted at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<OutputTokens>,
    /// Tokens that the plan asked for, where it asked for an exact number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_output: Option<u32>,
    /// How long the audio of the prompt plays, where it has any (nanoseconds in the log).
    #[serde(default, with = "maybe_nanos", skip_serializing_if = "Option::is_none")]
    pub audio: Option<Duration>,
    /// How many inputs it bore, where it is of a kind that can bear several: texts to embed, documents to rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<u32>,
    /// The server's reason for ending the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The `x-request-id` sent with it, to find it in the server's log.
    pub request_id: String,
    /// The prompt, kept only where the plan asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The output, kept only where the plan asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl Record {
    /// The moment of the first output. `None` if nothing arrived.
    pub fn first(&self) -> Option<Offset> {
        self.chunks.first().map(|chunk| chunk.at)
    }

    /// The moment of the last output. `None` if nothing arrived.
    pub fn last(&self) -> Option<Offset> {
        self.chunks.last().map(|chunk| chunk.at)
    }

    /// Whether the request succeeded.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Ok)
    }

    /// Why it failed. `None` if it succeeded.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Ok => None,
            Outcome::Failed(failure) => Some(failure),
        }
    }
}

/// Whether a request is part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Sent to warm the server up; kept in the log, left out of every figure.
    Warmup,
    /// Measured.
    Measured,
    /// Sent beside the load to feel the service's pulse; kept in the log, and in figures of its own alone.
    Probe,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete response with output.
    Ok,
    /// Anything else.
    Failed(Failure),
}

/// How a request came by its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// It was open already: opened before the load, or used by an earlier request.
    Reused,
    /// The request had to open it; this long each step took (nanoseconds in the log).
    Opened {
        /// Resolving the name.
        #[serde(with = "nanos")]
        dns: Duration,
        /// The TCP handshake.
        #[serde(with = "nanos")]
        tcp: Duration,
        /// The TLS handshake; zero without TLS.
        #[serde(with = "nanos")]
        tls: Duration,
    },
    /// None was had: the request failed before.
    None,
}

/// The length of a prompt, by each party's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTokens {
    /// By this program's tokenizer, chat template included where one applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<u32>,
    /// By the server's `usage.prompt_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u32>,
    /// How many of them the server had cached (`prompt_tokens_details.cached_tokens`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u32>,
}

impl PromptTokens {
    /// The count to reckon with: the server's, or else this program's own.
    pub fn count(&self) -> Option<u32> {
        self.server.or(self.local)
    }
}

/// The length of an output and who counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTokens {
    /// The count.
    pub count: u32,
    /// Who counted.
    pub source: TokenSource,
}

/// Who counted the tokens of an output, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server's final `usage`.
    Usage,
    /// The last of the server's running counts (`continuous_usage_stats`).
    ChunkUsage,
    /// This program's tokenizer, over the text received: an estimate.
    LocalTokenizer,
    /// One token a chunk: an estimate.
    ChunkCount,
}

mod nanos {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        length: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

mod maybe_nanos {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the form that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        length: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => super::nanos::serialize(length, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}
