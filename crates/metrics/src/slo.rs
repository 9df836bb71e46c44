//! Service-level objectives: what a request's latencies may be at most, and how many requests kept to all of it.
//!
//! Deliberately not part of a summary: objectives are the reader's, and may be other ones on the same log tomorrow.

use std::fmt;

use tokometer_record::Record;

use crate::Run;
use crate::catalog::{E2E, Metric, Of, TPOT, TTFT};

/// What one latency of a request may be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Which latency.
    pub target: Target,
    /// Seconds.
    pub at_most: f64,
}

/// A latency of a request that an objective can be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`TTFT`].
    Ttft,
    /// [`TPOT`]. A request without time between tokens keeps to any objective, as in vLLM.
    Tpot,
    /// [`E2E`].
    E2el,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2el];

    /// Its name, as vLLM writes it: `ttft`, `tpot`, `e2el`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::E2el => "e2el",
        }
    }

    /// The target of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// What a success came to. `None` where it has no such latency.
    fn of(self, record: &Record) -> Option<f64> {
        match self {
            Self::Ttft => value(&TTFT, record),
            Self::Tpot => value(&TPOT, record),
            Self::E2el => value(&E2E, record),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Objective {
    /// Whether a success kept to it. Where there is no first token to time, nothing shows that it did.
    fn kept(&self, record: &Record) -> bool {
        match (self.target, self.target.of(record)) {
            (_, Some(value)) => value <= self.at_most,
            (Target::Tpot, None) => record.streamed,
            (Target::Ttft | Target::E2el, None) => false,
        }
    }
}

/// How a run kept to its objectives.
#[derive(Clone, Debug, PartialEq)]
pub struct Attainment {
    /// Requests sent and measured: failures, and what the user cancelled, included.
    pub sent: u64,
    /// How many of them succeeded and kept to every objective.
    pub good: u64,
    /// For each objective, in the order in which they were given, how many succeeded and kept to it.
    pub each: Vec<(Objective, u64)>,
    /// Good requests ÷ duration, by the duration from the schedule's beginning. `None` where that is no time.
    pub goodput: Option<f64>,
}

impl Attainment {
    /// How a run kept to these objectives.
    pub fn of(run: &Run<'_>, objectives: &[Objective]) -> Self {
        let each = objectives.iter().map(|objective| {
            let kept = run.successes().filter(|record| objective.kept(record)).count() as u64;
            (*objective, kept)
        });
        let all = |record: &&Record| objectives.iter().all(|objective| objective.kept(record));
        let good = run.successes().filter(all).count() as u64;
        Self {
            sent: run.measured.len() as u64,
            good,
            each: each.collect(),
            goodput: run.full_duration().map(|seconds| good as f64 / seconds),
        }
    }

    /// Good requests ÷ requests sent, from 0 to 1. `None` if none was sent.
    pub fn share(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.good as f64 / self.sent as f64)
    }
}

fn value(metric: &Metric, record: &Record) -> Option<f64> {
    match metric.of {
        Of::Request(value) => value(record),
        Of::Gaps(_) | Of::Waiting(_) | Of::Run(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::FailureKind;

    use super::*;
    use crate::summary::testing::{Changed, failed, ok, point_log};

    const TTFT_100: Objective = Objective { target: Target::Ttft, at_most: 0.1 };
    const TPOT_50: Objective = Objective { target: Target::Tpot, at_most: 0.05 };

    #[test]
    fn a_good_request_keeps_to_every_objective_and_failures_stay_in_the_denominator() {
        let log = point_log([
            ok(0, 0, &[100, 150]),
            ok(1, 0, &[101, 110]),
            ok(2, 0, &[50, 110]),
            failed(3, FailureKind::Reset, "gone").failing_at(1000),
            ok(4, 0, &[1]).probing(),
        ]);
        let of = Attainment::of(&Run::of(&log), &[TTFT_100, TPOT_50]);
        assert_eq!((of.sent, of.good, of.share()), (4, 1, Some(0.25)));
        assert_eq!(of.each, [(TTFT_100, 2), (TPOT_50, 2)]);
        assert_eq!(of.goodput, Some(1.0));
    }

    #[test]
    fn one_token_has_no_time_between_tokens_to_be_too_long() {
        let log = point_log([ok(0, 0, &[100])]);
        assert_eq!(Attainment::of(&Run::of(&log), &[TPOT_50]).good, 1);
    }

    #[test]
    fn without_streaming_nothing_shows_that_a_first_token_came_in_time() {
        let mut whole = ok(0, 0, &[100]);
        whole.streamed = false;
        let e2e = Objective { target: Target::E2el, at_most: 0.1 };
        let of = Attainment::of(&Run::of(&point_log([whole])), &[TTFT_100, TPOT_50, e2e]);
        assert_eq!(of.each.iter().map(|(_, kept)| *kept).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn names_are_read_back() {
        assert!(Target::ALL.iter().all(|&target| Target::by_name(target.name()) == Some(target)));
        assert_eq!((Target::by_name("latency"), Target::by_name("itl")), (None, None));
    }

    #[test]
    fn nothing_sent_attains_nothing() {
        let of = Attainment::of(&Run::of(&point_log([])), &[TTFT_100]);
        assert_eq!((of.share(), of.goodput, of.good), (None, None, 0));
    }
}
