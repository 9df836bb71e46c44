//! Faults: what a server does wrong, and to which requests.
//!
//! A fault is given to a request by its number, by chance, or by the request itself in the header `x-sim-fault`. This file says
//! which faults there are and who gets them; what each does to a response is in `server` and `playback`. It deliberately does
//! nothing by itself.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;

use crate::model::{Purpose, rng};

/// One fault of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// How many chunks of output come before it, for faults in the middle of a stream. An output that is shorter has it in
    /// place of its last chunk.
    pub after: u32,
    /// How long it lasts, for stalls.
    pub length: Duration,
}

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
    EmptyStream,
    NoUsage,
    BadJson,
    NotJson,
    StallFirst,
    StallBetween,
    Crlf,
    Comments,
    NoSpace,
    SplitBytes,
    Pairs,
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
    (Kind::Status429, "status_429", "answer with status 429 and Retry-After: 1"),
    (Kind::Status500, "status_500", "answer with status 500 and vLLM's body"),
    (Kind::Status503, "status_503", "answer with status 503"),
    (Kind::Reset, "reset", "reset the connection before the first byte of a response"),
    (Kind::ResetMidStream, "reset_mid_stream", "reset the connection between two events"),
    (Kind::ResetMidEvent, "reset_mid_event", "reset the connection in the middle of an event"),
    (Kind::ErrorEvent, "error_event", "send an error in the stream, then end it"),
    (Kind::Truncated, "truncated", "end the stream without a finish reason and without [DONE]"),
    (Kind::EmptyStream, "empty_stream", "send no output, only [DONE]"),
    (Kind::NoUsage, "no_usage", "send no usage, even if it was asked for"),
    (Kind::BadJson, "bad_json", "send one event that is not JSON"),
    (Kind::NotJson, "not_json", "answer with status 200 and a page of HTML"),
    (Kind::StallFirst, "stall_first", "wait before the first byte of the response"),
    (Kind::StallBetween, "stall_between", "wait between two chunks"),
    (Kind::Crlf, "crlf", "end lines with CR LF"),
    (Kind::Comments, "comments", "put a comment before each event"),
    (Kind::NoSpace, "no_space", "leave out the space after `data:`"),
    (Kind::SplitBytes, "split_bytes", "write each byte of the stream by itself"),
    (Kind::Pairs, "pairs", "write two chunks at once, when the second is due"),
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
        "wait before accepting a connection (counted by connection, not by request)",
    ),
];

/// Who gets which faults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The rules. A request gets the faults of every rule that applies to it.
    pub rules: Vec<Rule>,
}

/// Faults, and who gets them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The faults, all of which are given together.
    pub faults: Vec<Fault>,
    /// Who gets them.
    pub when: When,
}

/// Who gets a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Every request.
    Always,
    /// This share of the requests, drawn from the server's seed and the request's number.
    Rate(f64),
    /// The requests of these numbers, counted from 0 in order of arrival.
    Requests(Vec<RangeInclusive<u64>>),
}

/// The faults of one response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given(Vec<Fault>);

/// Why a text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no fault of that name.
    #[error("no fault is called {name:?}; there are {}", names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// A setting of a fault is not what it should be.
    #[error("{setting} of a fault is {wanted}, not {value:?}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it was.
        value: String,
    },
}

impl Faults {
    /// The faults of the request of that number.
    pub(crate) fn of_request(&self, seed: u64, number: u64) -> Given {
        let of_request = |fault: &&Fault| fault.kind != Kind::SlowAccept;
        Given(self.drawn(seed, number).filter(of_request).copied().collect())
    }

    /// How long the connection of that number is left waiting before it is accepted.
    pub(crate) fn wait_before_accept(&self, seed: u64, number: u64) -> Option<Duration> {
        self.drawn(seed, number)
            .find(|fault| fault.kind == Kind::SlowAccept)
            .map(|fault| fault.length)
    }

    fn drawn(&self, seed: u64, number: u64) -> impl Iterator<Item = &Fault> {
        let applies = move |(index, rule): &(usize, &Rule)| match &rule.when {
            When::Always => true,
            When::Rate(rate) => {
                rng(seed, Purpose::Fault, number, *index as u32).random::<f64>() < *rate
            }
            When::Requests(ranges) => ranges.iter().any(|range| range.contains(&number)),
        };
        self.rules.iter().enumerate().filter(applies).flat_map(|(_, rule)| &rule.faults)
    }
}

impl Given {
    /// Adds what a request asks for itself, in the form `name, name; after=3; ms=500`.
    pub(crate) fn add(&mut self, asked: &str) -> Result<(), FaultError> {
        let mut parts = asked.split(';');
        let mut faults = parse(parts.next().unwrap_or_default())?;
        for setting in parts {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            match key.trim() {
                "after" => set_after(&mut faults, value.trim())?,
                "ms" => set_length(&mut faults, value.trim())?,
                _ => {
                    let value = setting.trim().to_owned();
                    return Err(FaultError::Setting {
                        setting: "a setting",
                        wanted: "after or ms",
                        value,
                    });
                }
            }
        }
        self.0.extend(faults);
        Ok(())
    }

    /// The fault of that kind, if it was given.
    pub(crate) fn get(&self, kind: Kind) -> Option<&Fault> {
        self.0.iter().find(|fault| fault.kind == kind)
    }

    /// Whether a fault of that kind was given.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.get(kind).is_some()
    }

    /// The faults of those kinds.
    pub(crate) fn all_of(&self, kinds: &[Kind]) -> impl Iterator<Item = Fault> {
        self.0.iter().filter(|fault| kinds.contains(&fault.kind)).copied()
    }

    /// The status to answer with, if one was given.
    pub(crate) fn status(&self) -> Option<u16> {
        self.0.iter().find_map(|fault| fault.kind.status())
    }

    /// The names of all that were given.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|fault| fault.kind.name().to_owned()).collect()
    }
}

impl Kind {
    /// What queries and headers call it.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// The status that it answers with, if that is what it does.
    const fn status(self) -> Option<u16> {
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
}

/// Reads names of faults with commas between them, each with the settings that it has when none are given.
pub(crate) fn parse(names: &str) -> Result<Vec<Fault>, FaultError> {
    names.split(',').map(str::trim).map(named).collect()
}

fn named(name: &str) -> Result<Fault, FaultError> {
    let unknown = || FaultError::Unknown { name: name.to_owned() };
    let (kind, ..) = KINDS.iter().find(|(_, known, _)| *known == name).ok_or_else(unknown)?;
    Ok(Fault { kind: *kind, after: AFTER, length: LENGTH })
}

/// Sets how many chunks come before the faults.
pub(crate) fn set_after(faults: &mut [Fault], value: &str) -> Result<(), FaultError> {
    let wanted = "a number of chunks";
    let wrong = |_| FaultError::Setting { setting: "after", wanted, value: value.to_owned() };
    let after = value.parse().map_err(wrong)?;
    faults.iter_mut().for_each(|fault| fault.after = after);
    Ok(())
}

/// Sets how long the faults last.
pub(crate) fn set_length(faults: &mut [Fault], value: &str) -> Result<(), FaultError> {
    let length = crate::delay::millis(value).ok_or_else(|| FaultError::Setting {
        setting: "ms",
        wanted: "a number of milliseconds",
        value: value.to_owned(),
    })?;
    faults.iter_mut().for_each(|fault| fault.length = length);
    Ok(())
}

fn names() -> String {
    KINDS.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// How many chunks come before a fault in the middle of a stream when nothing is said.
const AFTER: u32 = 3;

/// How long a stall lasts when nothing is said: longer than anybody waits.
const LENGTH: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(when: When) -> Faults {
        Faults { rules: vec![Rule { faults: parse("reset").unwrap(), when }] }
    }

    #[test]
    fn every_kind_is_listed_once_under_a_name_of_its_own() {
        let mut names: Vec<&str> = KINDS.iter().map(|(_, name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|(kind, name, _)| kind.name() == *name));
        // Kinds are numbered in the order in which they are declared, and SlowAccept is the last.
        assert_eq!(KINDS.len(), Kind::SlowAccept as usize + 1);
    }

    #[test]
    fn a_rate_is_met_on_average_and_the_same_each_time() {
        let faults = faults(When::Rate(0.1));
        let hit =
            |seed| (0..10_000).filter(|i| faults.of_request(seed, *i).has(Kind::Reset)).count();
        assert!((900..1100).contains(&hit(1)), "{} of 10,000", hit(1));
        assert_eq!(hit(1), hit(1));
    }

    #[test]
    fn requests_are_picked_by_their_numbers() {
        let faults = faults(When::Requests(vec![3..=3, 7..=8]));
        let hit: Vec<u64> = (0..10).filter(|i| faults.of_request(1, *i).has(Kind::Reset)).collect();
        assert_eq!(hit, [3, 7, 8]);
    }

    #[test]
    fn a_header_names_faults_and_their_settings() {
        let mut given = Given::default();
        given.add("stall_between, crlf; after=2; ms=1.5").unwrap();
        let stall = given.get(Kind::StallBetween).unwrap();
        assert_eq!((stall.after, stall.length), (2, Duration::from_micros(1500)));
        assert_eq!(given.names(), ["stall_between", "crlf"]);
    }

    #[test]
    fn what_is_no_fault_is_refused_by_name() {
        let error = |asked| Given::default().add(asked).unwrap_err().to_string();
        assert!(error("rset").starts_with("no fault is called \"rset\"; there are status_400, "));
        assert_eq!(error("reset; ms=-1"), "ms of a fault is a number of milliseconds, not \"-1\"");
        assert_eq!(error("reset; for=3"), "a setting of a fault is after or ms, not \"for=3\"");
    }
}
