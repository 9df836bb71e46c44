//! What to do about each kind of failure, in one sentence.
//!
//! Deliberately names no flag: each dialect has its own.

use tokometer_record::{FailureKind, TimeoutPhase};

/// What to do about failures of this kind.
pub(crate) const fn on(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "check the host in the URL, and this machine's name resolution",
        FailureKind::ConnectRefused => {
            "nothing listens there, or its queue of connections is full: check that the server is up, and at this host and port"
        }
        FailureKind::Connect => {
            "check the route to the server, firewalls, and how many connections it takes"
        }
        FailureKind::Tls => {
            "check the server's certificate, or name the authority that signed it; if this is a test setup, accept any"
        }
        FailureKind::Timeout(phase) => on_timeout(phase),
        FailureKind::Reset => {
            "the server, or something on the way to it, closed the connection: look for a crash or a limit on connections in \
             their logs at that time"
        }
        FailureKind::Status(status) => on_status(status),
        FailureKind::ErrorEvent => {
            "the server gave up in the middle of its answer: look the request id up in its log"
        }
        FailureKind::TruncatedStream => {
            "the answer was cut off: look for a crash of the server, or the time limit of a proxy before it"
        }
        FailureKind::EmptyStream => {
            "the server answered without any output: look the request id up in its log, and check the limits on output length"
        }
        FailureKind::BadJson => {
            "what answers there does not speak this API: check the URL, and what the message quotes"
        }
        FailureKind::Protocol => {
            "what answers there does not speak HTTP as it should: check the URL and its port"
        }
        FailureKind::OutOfDescriptors => {
            "this machine ran out of file descriptors: raise the limit (ulimit -n), or lower the concurrency"
        }
        FailureKind::Cancelled => "they were in flight when the run was interrupted",
    }
}

const fn on_timeout(phase: TimeoutPhase) -> &'static str {
    match phase {
        TimeoutPhase::Connect => {
            "the server takes up connections too slowly: lower the load, or raise the connect timeout"
        }
        TimeoutPhase::FirstByte => {
            "requests waited longer for their first byte than allowed: lower the load, or raise the read timeout"
        }
        TimeoutPhase::BetweenChunks => {
            "answers stalled for longer than allowed: look for preemption or overload in the server's log, or raise the read \
             timeout"
        }
        TimeoutPhase::Total => {
            "answers took longer than allowed: lower the load, ask for fewer tokens, or raise the total timeout"
        }
    }
}

const fn on_status(status: u16) -> &'static str {
    match status {
        401 | 403 => "the server refuses the API key: check that it is given and right",
        404 => "check the URL's path and the model's name: the server knows one of them not",
        400 | 413 | 422 => {
            "the server refuses the request itself, for the reason quoted: often prompt and output together exceed its context"
        }
        429 => {
            "the server limits how much it takes: lower the load, or raise its limits on rate, concurrency or queue"
        }
        408 | 504 => {
            "a gateway gave up waiting for the server: lower the load, or raise the gateway's time limit"
        }
        502 | 503 => {
            "the server, or those behind its gateway, had no room or were down: check their health and queues, or lower the load"
        }
        _ => "look the request id up in the server's log",
    }
}
