//! Faults: what a server does wrong, to which requests, and when.
//!
//! A fault is given to a request by its number, by chance, for a time, or by the request itself in the header `x-sim-fault`. This file
//! says who gets them; which there are is in `kinds`, what a request was given in `given`, their form as JSON in `written`. What each
//! does to a response is in `server` and `said`. Deliberately does nothing by itself, and knows no clock: moments are handed in, counted
//! from the server's start.

mod given;
mod kinds;
mod written;

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;

use crate::model::{Purpose, rng};

pub(crate) use given::Given;
pub use kinds::{KINDS, Kind};
pub use written::FaultsError;

/// What goes wrong, and for whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The rules. A request gets the faults of every rule that applies to it.
    pub rules: Vec<Rule>,
    /// The most connections at once, if there is a limit. Further ones are accepted and reset at once.
    pub connections: Option<u32>,
}

/// Faults, and who gets them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The faults, all of which are given together.
    pub kinds: Vec<Kind>,
    /// How they are.
    pub settings: Settings,
    /// Who gets them.
    pub when: When,
}

/// How the faults of a rule are. What is not said is as usual for the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How many chunks of output come before them.
    pub after: Option<u32>,
    /// How long they last.
    pub length: Option<Duration>,
    /// How many tokens they are about.
    pub tokens: Option<u32>,
    /// After how many seconds a client is told to try again.
    pub retry_after: Option<u32>,
}

/// Who gets the faults of a rule: whoever meets all that is said here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// This share of the requests, drawn from the server's seed and the request's number.
    pub rate: Option<f64>,
    /// The requests of these numbers, counted from 0 in order of arrival; of any number if there are none.
    pub requests: Vec<RangeInclusive<u64>>,
    /// Those that arrive from this moment on, counted from the server's start.
    pub from: Duration,
    /// Those that arrive before this moment.
    pub until: Option<Duration>,
}

/// One fault of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// How many chunks of output come before it, for faults in the middle of a stream. An output that is shorter has it in
    /// place of its last chunk.
    pub after: u32,
    /// How long it lasts, for stalls; how much is added, for a step.
    pub length: Duration,
    /// How many tokens it is about: of a chunk, or too many in the usage.
    pub tokens: u32,
    /// After how many seconds a client is told to try again.
    pub retry_after: u32,
}

/// Why a text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no fault of that name.
    #[error("no fault is called {name:?}; there are {}", kinds::names())]
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
    /// The faults of the request of that number, which arrived so long after the server's start.
    pub(crate) fn of_request(&self, seed: u64, number: u64, since: Duration) -> Given {
        self.drawn(seed, number, since).filter(|fault| fault.kind != Kind::SlowAccept).collect()
    }

    /// How long the connection of that number is left waiting before it is accepted, so long after the server's start.
    pub(crate) fn wait_before_accept(
        &self,
        seed: u64,
        number: u64,
        since: Duration,
    ) -> Option<Duration> {
        self.drawn(seed, number, since)
            .find(|fault| fault.kind == Kind::SlowAccept)
            .map(|fault| fault.length)
    }

    fn drawn(&self, seed: u64, number: u64, since: Duration) -> impl Iterator<Item = Fault> {
        let applies = move |(index, rule): &(usize, &Rule)| {
            rule.when
                .meets(number, since, || rng(seed, Purpose::Fault, number, *index as u32).random())
        };
        self.rules.iter().enumerate().filter(applies).flat_map(|(_, rule)| rule.faults())
    }
}

impl Rule {
    /// The rule by which every request gets these faults.
    pub fn always(kinds: Vec<Kind>) -> Self {
        Self { kinds, settings: Settings::default(), when: When::default() }
    }

    fn faults(&self) -> impl Iterator<Item = Fault> {
        self.kinds.iter().map(|kind| self.settings.of(*kind))
    }
}

impl When {
    fn meets(&self, number: u64, since: Duration, draw: impl FnOnce() -> f64) -> bool {
        let numbered = || self.requests.iter().any(|range| range.contains(&number));
        self.from <= since
            && self.until.is_none_or(|until| since < until)
            && (self.requests.is_empty() || numbered())
            && self.rate.is_none_or(|rate| draw() < rate)
    }
}

impl Settings {
    /// The fault of that kind with these settings.
    pub(crate) fn of(&self, kind: Kind) -> Fault {
        Fault {
            kind,
            after: self.after.unwrap_or(AFTER),
            length: self.length.unwrap_or(kind.usual_length()),
            tokens: self.tokens.unwrap_or(TOKENS),
            retry_after: self.retry_after.unwrap_or(RETRY_AFTER),
        }
    }

    /// Takes a setting by its name.
    ///
    /// # Errors
    /// If there is none of that name, or its value is not what it takes.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), FaultError> {
        let wrong =
            |setting, wanted| FaultError::Setting { setting, wanted, value: value.to_owned() };
        match name {
            "after" => {
                let after = value.parse().map_err(|_| wrong("after", "a number of chunks"))?;
                self.after = Some(after);
            }
            "ms" => {
                let length = crate::model::millis(value);
                let length = length.ok_or_else(|| wrong("ms", "a number of milliseconds"))?;
                self.length = Some(length);
            }
            "tokens" => {
                let tokens = value.parse().ok().filter(|tokens| *tokens > 0);
                let tokens =
                    tokens.ok_or_else(|| wrong("tokens", "a number of tokens, at least 1"))?;
                self.tokens = Some(tokens);
            }
            "retry_after" => {
                let seconds =
                    value.parse().map_err(|_| wrong("retry_after", "a number of seconds"))?;
                self.retry_after = Some(seconds);
            }
            _ => {
                return Err(FaultError::Setting {
                    setting: "a setting",
                    wanted: "after, ms, tokens or retry_after",
                    value: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Reads names of faults with commas between them.
pub(crate) fn parse(names: &str) -> Result<Vec<Kind>, FaultError> {
    names.split(',').map(str::trim).map(Kind::named).collect()
}

/// How many chunks come before a fault in the middle of a stream when nothing is said.
const AFTER: u32 = 3;

/// How many tokens a fault is about when nothing is said.
const TOKENS: u32 = 4;

/// After how many seconds a client is told to try again when nothing is said.
const RETRY_AFTER: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn faults(when: When) -> Faults {
        let rule = Rule { when, ..Rule::always(vec![Kind::Reset]) };
        Faults { rules: vec![rule], connections: None }
    }

    fn hit(faults: &Faults, numbers: std::ops::Range<u64>, since: Duration) -> Vec<u64> {
        numbers.filter(|number| faults.of_request(1, *number, since).has(Kind::Reset)).collect()
    }

    #[test]
    fn a_rate_is_met_on_average_and_the_same_each_time() {
        let faults = faults(When { rate: Some(0.1), ..When::default() });
        let hit = || hit(&faults, 0..10_000, Duration::ZERO);
        assert!((900..1100).contains(&hit().len()), "{} of 10,000", hit().len());
        assert_eq!(hit(), hit());
    }

    #[test]
    fn requests_are_picked_by_their_numbers() {
        let faults = faults(When { requests: vec![3..=3, 7..=8], ..When::default() });
        assert_eq!(hit(&faults, 0..10, Duration::ZERO), [3, 7, 8]);
    }

    #[test]
    fn a_window_begins_with_its_first_moment_and_ends_before_its_last() {
        let faults = faults(When { from: SECOND, until: Some(3 * SECOND), ..When::default() });
        let at = |since| hit(&faults, 0..1, since).len();
        let moments = [Duration::ZERO, SECOND, 2 * SECOND, 3 * SECOND];
        assert_eq!(moments.map(at), [0, 1, 1, 0]);
    }

    #[test]
    fn whatever_is_said_of_a_rule_must_all_be_met() {
        let rate = When { rate: Some(0.5), ..When::default() };
        let all = When { requests: vec![0..=99], from: SECOND, ..rate.clone() };
        let (alone, all) = (faults(rate), faults(all));
        assert_eq!(hit(&all, 0..1000, SECOND), hit(&alone, 0..100, SECOND));
        assert!(hit(&all, 0..1000, Duration::ZERO).is_empty());
    }

    #[test]
    fn what_is_not_said_of_a_fault_is_as_usual_for_its_kind() {
        let none = Settings::default();
        assert_eq!(none.of(Kind::StallBetween).length, 3600 * SECOND);
        assert_eq!(none.of(Kind::TtftStep).length, SECOND);
        let fault = Settings { after: Some(7), ..none }.of(Kind::StallBetween);
        assert_eq!((fault.after, fault.tokens, fault.retry_after), (7, TOKENS, RETRY_AFTER));
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let set = |name, value| Settings::default().set(name, value).unwrap_err().to_string();
        assert_eq!(set("ms", "-1"), "ms of a fault is a number of milliseconds, not \"-1\"");
        assert_eq!(
            set("tokens", "0"),
            "tokens of a fault is a number of tokens, at least 1, not \"0\""
        );
        assert_eq!(set("after", "x"), "after of a fault is a number of chunks, not \"x\"");
        assert_eq!(
            set("retry_after", ""),
            "retry_after of a fault is a number of seconds, not \"\""
        );
    }
}
