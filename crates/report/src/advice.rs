//! What to do about each kind of failure, in one sentence, in the terms of the dialect that was spoken.
//!
//! Deliberately knows nothing of the run: advice that fits a kind must fit every failure of that kind.

use tokometer_record::{FailureKind, TimeoutPhase};

/// What a dialect calls the settings that advice names.
#[derive(Debug)]
struct Settings {
    connect_timeout: &'static str,
    first_byte_timeout: &'static str,
    read_timeout: &'static str,
    total_timeout: &'static str,
    key: &'static str,
    authority: &'static str,
    any_certificate: &'static str,
    parallel: &'static str,
}

impl Settings {
    const fn of(dialect: &str) -> &'static Self {
        match dialect.as_bytes() {
            b"evalscope" => &Self::EVALSCOPE,
            b"vllm" => &Self::VLLM,
            _ => &Self::PLAIN,
        }
    }

    const EVALSCOPE: Self = Self {
        connect_timeout: "--connect-timeout",
        first_byte_timeout: "--read-timeout (or --first-byte-timeout, where it is given)",
        read_timeout: "--read-timeout",
        total_timeout: "--total-timeout",
        key: "--api-key",
        authority: "--ca-cert",
        any_certificate: "--insecure",
        parallel: "--parallel",
    };

    const VLLM: Self = Self {
        key: "OPENAI_API_KEY, or the header that --header gives",
        any_certificate: "--insecure",
        parallel: "--max-concurrency",
        ..Self::PLAIN
    };

    const PLAIN: Self = Self {
        connect_timeout: "the connect timeout",
        first_byte_timeout: "the first-byte timeout",
        read_timeout: "the read timeout",
        total_timeout: "the total timeout",
        key: "the API key",
        authority: "a trusted authority",
        any_certificate: "any certificate",
        parallel: "the concurrency",
    };
}

/// What to do about failures of this kind, with the names that this dialect has for its settings.
pub(crate) fn on(kind: FailureKind, dialect: &str) -> String {
    let settings = Settings::of(dialect);
    match kind {
        FailureKind::Timeout(phase) => on_timeout(phase, settings),
        FailureKind::Status(401 | 403) => {
            format!("the server refuses the API key: check {}", settings.key)
        }
        FailureKind::Status(status) => on_status(status).to_owned(),
        FailureKind::Tls => format!(
            "check the server's certificate, or name the authority that signed it ({}); if this is a test setup, accept any ({})",
            settings.authority, settings.any_certificate
        ),
        FailureKind::OutOfDescriptors => format!(
            "this machine ran out of file descriptors: raise the limit (ulimit -n), or lower {}",
            settings.parallel
        ),
        other => on_break(other).to_owned(),
    }
}

fn on_timeout(phase: TimeoutPhase, settings: &Settings) -> String {
    match phase {
        TimeoutPhase::Connect => format!(
            "the server takes up connections too slowly: lower the load, or raise {}",
            settings.connect_timeout
        ),
        TimeoutPhase::FirstByte => format!(
            "requests waited too long for their first byte: lower the load, or raise {}",
            settings.first_byte_timeout
        ),
        TimeoutPhase::BetweenChunks => format!(
            "answers stalled for too long: look for preemption or overload in the server's log, or raise {}",
            settings.read_timeout
        ),
        TimeoutPhase::Total => format!(
            "answers took too long: lower the load, ask for fewer tokens, or raise {}",
            settings.total_timeout
        ),
    }
}

const fn on_status(status: u16) -> &'static str {
    match status {
        404 => "check the URL's path and the model's name: the server does not know one of them",
        400 | 413 | 422 => {
            "the server refuses the request itself, for the reason quoted: often prompt and output together exceed its context"
        }
        429 => {
            "the server limits the rate of requests, or how many it takes at once: lower the load, or raise its limits; where it \
             says after what time to retry, that is the pace it wants"
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

/// On a connection or an answer that broke, for which no setting helps.
const fn on_break(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "check the host in the URL, and this machine's name resolution",
        FailureKind::ConnectRefused => {
            "nothing listens there, or its queue of connections is full: check that the server is up, and at this host and port"
        }
        FailureKind::Connect => {
            "check the route to the server, firewalls, and how many connections it takes"
        }
        FailureKind::Reset => {
            "the server, or something on the way to it, closed the connection: look for a crash or a limit on connections in \
             their logs at that time"
        }
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
        _ => "look the request id up in the server's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_names_of_the_dialect() {
        let total = FailureKind::Timeout(TimeoutPhase::Total);
        let tail = |dialect| on(total, dialect).rsplit(" raise ").next().map(str::to_owned);
        assert_eq!(tail("evalscope").as_deref(), Some("--total-timeout"));
        assert_eq!(tail("another").as_deref(), Some("the total timeout"));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_answered_with_both_flags() {
        let advice = on(FailureKind::Tls, "evalscope");
        assert!(advice.contains("--ca-cert") && advice.contains("--insecure"), "{advice}");
        assert!(!on(FailureKind::Tls, "another").contains("--"));
    }
}
