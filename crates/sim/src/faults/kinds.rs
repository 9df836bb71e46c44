//! Which faults there are: their names, and what each does. Deliberately only a list.

use std::time::Duration;

use crate::faults::FaultError;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "KINDS explains each, for help texts")]
pub enum Kind {
    Status400,
    Status401,
    Status404,
    Status429,
    Status500,
    Status503,
    Reset,
    ResetMidStream,
    ResetMidEvent,
    ErrorEvent,
    Truncated,
    NoDone,
    EmptyStream,
    NoUsage,
    WrongUsage,
    ContinuousUsage,
    BadJson,
    NotJson,
    StallFirst,
    StallBetween,
    StallBurst,
    TtftStep,
    Crlf,
    Comments,
    NoSpace,
    SplitBytes,
    Pairs,
    Coalesce,
    RoleFirst,
    Reasoning,
    ToolCall,
    SlowAccept,
}

/// Every kind: its name, and what it does.
pub const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::Status400, "status_400", "answer with status 400 and vLLM's body"),
    (Kind::Status401, "status_401", "answer with status 401 and vLLM's body"),
    (Kind::Status404, "status_404", "answer with status 404 and vLLM's body"),
    (
        Kind::Status429,
        "status_429",
        "answer with status 429 and Retry-After, in seconds: `retry_after`, usually 1",
    ),
    (Kind::Status500, "status_500", "answer with status 500 and vLLM's body"),
    (Kind::Status503, "status_503", "answer with status 503"),
    (Kind::Reset, "reset", "reset the connection before the first byte of a response"),
    (Kind::ResetMidStream, "reset_mid_stream", "reset the connection between two events"),
    (Kind::ResetMidEvent, "reset_mid_event", "reset the connection in the middle of an event"),
    (Kind::ErrorEvent, "error_event", "send an error in the stream, then end it"),
    (Kind::Truncated, "truncated", "end the stream without a finish reason and without [DONE]"),
    (Kind::NoDone, "no_done", "end the stream with its finish reason and without [DONE]"),
    (Kind::EmptyStream, "empty_stream", "send no output, only [DONE]"),
    (Kind::NoUsage, "no_usage", "send no usage, even if it was asked for"),
    (
        Kind::WrongUsage,
        "wrong_usage",
        "count `tokens` too many, usually 4, in the prompt and in the output",
    ),
    (
        Kind::ContinuousUsage,
        "continuous_usage",
        "send usage with every chunk, even if it was not asked for",
    ),
    (Kind::BadJson, "bad_json", "send one event that is not JSON"),
    (Kind::NotJson, "not_json", "answer with status 200 and a page of HTML"),
    (Kind::StallFirst, "stall_first", "wait for `ms` before the first byte of the response"),
    (Kind::StallBetween, "stall_between", "wait for `ms` between two chunks"),
    (
        Kind::StallBurst,
        "stall_burst",
        "hold chunks back for `ms`, usually 1000, then write them together; what follows is in time again",
    ),
    (
        Kind::TtftStep,
        "ttft_step",
        "send all output later by `ms`, usually 1000: with fault_from_ms, a server that gets slower at a moment",
    ),
    (Kind::Crlf, "crlf", "end lines with CR LF"),
    (Kind::Comments, "comments", "put a comment before each event"),
    (Kind::NoSpace, "no_space", "leave out the space after `data:`"),
    (Kind::SplitBytes, "split_bytes", "write each byte of the stream by itself"),
    (Kind::Pairs, "pairs", "write two chunks at once, when the second is due"),
    (
        Kind::Coalesce,
        "coalesce",
        "put `tokens`, usually 4, into one chunk, which is sent when the last of them is due",
    ),
    (
        Kind::RoleFirst,
        "role_first",
        "send the opening, role-only event as soon as the request arrives",
    ),
    (Kind::Reasoning, "reasoning", "send the first half of the chunks as reasoning"),
    (Kind::ToolCall, "tool_call", "send the output as a tool call"),
    (
        Kind::SlowAccept,
        "slow_accept",
        "wait for `ms` before accepting a connection (counted by connection, not by request)",
    ),
];

impl Kind {
    /// What queries, headers and the admin API call it.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// The kind of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, FaultError> {
        let unknown = || FaultError::Unknown { name: name.to_owned() };
        let found = KINDS.iter().find(|(_, known, _)| *known == name);
        found.map(|(kind, ..)| *kind).ok_or_else(unknown)
    }

    /// The status that it answers with, if that is what it does.
    pub(crate) const fn status(self) -> Option<u16> {
        Some(match self {
            Self::Status400 => 400,
            Self::Status401 => 401,
            Self::Status404 => 404,
            Self::Status429 => 429,
            Self::Status500 => 500,
            Self::Status503 => 503,
            _ => return None,
        })
    }

    /// How long it lasts when nothing is said: a stall longer than anybody waits, and what others feel but bear a second.
    pub(super) const fn usual_length(self) -> Duration {
        match self {
            Self::StallBurst | Self::TtftStep => Duration::from_secs(1),
            _ => Duration::from_secs(3600),
        }
    }
}

/// The names of all kinds.
pub(super) fn names() -> String {
    KINDS.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_under_a_name_of_its_own() {
        let mut names: Vec<&str> = KINDS.iter().map(|(_, name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        for (kind, name, _) in KINDS {
            assert_eq!((kind.name(), Kind::named(name)), (*name, Ok(*kind)));
        }
        // Kinds are numbered in the order in which they are declared, and SlowAccept is the last.
        assert_eq!(KINDS.len(), Kind::SlowAccept as usize + 1);
    }

    #[test]
    fn what_is_no_fault_is_refused_by_name() {
        let error = Kind::named("rset").unwrap_err().to_string();
        assert!(
            error.starts_with("no fault is called \"rset\"; there are status_400, "),
            "{error}"
        );
    }
}
