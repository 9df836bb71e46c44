//! Two measurements side by side: what differs, by how much, and how sure that is.
//!
//! It reads results in the form of `vllm bench serve`, whoever wrote them: vLLM's own client, this program, or a sweep's
//! `summary.json`. It looks at figures that both sides have, and never at one alone: a 0 under `not_applicable` is none. The statistics are those of
//! [`tokometer_metrics::compare`]: between runs where both sides have several, between requests where each has one run and kept them,
//! and none where there is nothing to go by, which is said.

mod basis;
mod figures;
mod gate;
mod outcome;
mod over_runs;
mod settings;
mod table;

use serde_json::{Value, json};
use tokometer_metrics::compare::{Interval, LEVEL, Sample, TooFew, bootstrap, welch};

use crate::Style;

pub(crate) use basis::statistic;
pub use figures::{Better, Figure, figure};
pub use gate::{Gate, Regression};
pub use outcome::{Malformed, Outcome, applies, read};
pub use over_runs::{over_runs, overview};
pub use settings::{Setting, is_client_limited};

/// One of the two.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called in the table.
    pub name: String,
    /// Its runs, at least one.
    pub runs: Vec<Outcome>,
}

/// Two sides, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What each side is called.
    pub names: [String; 2],
    /// How many runs each has.
    pub runs: [usize; 2],
    /// What was asked of the two and differs, what matters first.
    pub settings: Vec<Setting>,
    /// What must be known before any figure is believed.
    pub notes: Vec<String>,
    /// The figures that every run has, as they stand in the results.
    pub rows: Vec<Row>,
}

/// A figure of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is.
    pub figure: Figure,
    /// Its value on each side, summed up over the runs.
    pub sides: [Sample; 2],
    /// Where the second's value less the first's lies, if that can be told.
    pub confidence: Option<Confidence>,
    /// What there was too little of to tell, where that is why there is no confidence.
    pub too_few: Option<TooFew>,
    /// What follows.
    pub verdict: Verdict,
}

/// How sure a difference is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// Where the true difference lies, in 95 of 100 cases.
    pub interval: Interval,
    /// How often a difference as large comes about where there is none. Not told by the bootstrap.
    pub p: Option<f64>,
    /// What it was made of.
    pub basis: Basis,
}

/// What an interval was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Several runs a side (Welch's test).
    Runs,
    /// The requests of one run a side (bootstrap). What differs from run to run is not in it.
    Requests,
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The second is better, with confidence.
    Better,
    /// The second is worse, with confidence.
    Worse,
    /// They differ, with confidence, in a figure that is neither good nor bad.
    Differs,
    /// Chance alone makes such a difference too, or there is none.
    NoneShown,
    /// There is nothing to tell chance by.
    Unknown,
}

impl Row {
    /// The second less the first.
    pub fn difference(&self) -> f64 {
        self.sides[1].mean - self.sides[0].mean
    }

    /// The difference in parts of the first. `None` where the first is 0.
    pub fn relative(&self) -> Option<f64> {
        let first = self.sides[0].mean;
        (first != 0.0).then(|| self.difference() / first.abs())
    }

    /// Why it cannot be told: `too few requests for a P99`.
    pub fn why_unknown(&self) -> Option<String> {
        match self.too_few? {
            TooFew::Requests | TooFew::Dependent { .. } => Some("too few requests".to_owned()),
            TooFew::Beyond(percentile) => {
                Some(format!("too few requests for a P{}", percentile.percent()))
            }
        }
    }
}

/// Compares the second side with the first.
pub fn compare(sides: &[Side; 2]) -> Comparison {
    let [a, b] = sides;
    let settings = settings::differing(a, b);
    let rows: Vec<Row> = a.runs.first().map_or_else(Vec::new, |first| {
        first.figures().filter_map(|figure| row(figure, a, b)).collect()
    });
    let notes = settings::notes(sides, &settings);
    Comparison {
        names: [a.name.clone(), b.name.clone()],
        runs: [a.runs.len(), b.runs.len()],
        settings,
        notes,
        rows,
    }
}

impl Comparison {
    /// The figures in which the second side is worse by more than `percent`, beyond what chance makes of so many figures.
    pub fn gate(&self, percent: f64) -> Gate {
        gate::of(&self.rows, percent)
    }

    /// For people: a table with what must be known above it.
    pub fn text(&self, style: Style) -> String {
        table::text(self, style)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let side = |index: usize| json!({"name": self.names[index], "runs": self.runs[index]});
        let settings: Vec<Value> = self.settings.iter().map(Setting::json).collect();
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({
            "a": side(0),
            "b": side(1),
            "settings": settings,
            "notes": self.notes,
            "figures": rows,
        })
    }
}

impl Row {
    fn json(&self) -> Value {
        let side = |index: usize| {
            let of = self.sides[index];
            json!({"mean": of.mean, "sd": of.sd, "n": of.n})
        };
        let confidence = self.confidence;
        json!({
            "figure": self.figure.key,
            "a": side(0),
            "b": side(1),
            "difference": self.difference(),
            "relative": self.relative(),
            "ci95": confidence.map(|sure| [sure.interval.low, sure.interval.high]),
            "p": confidence.and_then(|sure| sure.p),
            "basis": confidence.map(|sure| match sure.basis {
                Basis::Runs => "runs",
                Basis::Requests => "requests",
            }),
            "verdict": self.verdict.words(),
            "why": self.why_unknown(),
        })
    }
}

impl Verdict {
    /// In words: `no difference shown`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Differs => "differs",
            Self::NoneShown => "no difference shown",
            Self::Unknown => "cannot tell",
        }
    }

    fn of(figure: &Figure, difference: f64, confidence: Option<Confidence>) -> Self {
        match (confidence, figure.better) {
            (None, _) if difference == 0.0 => Self::NoneShown,
            (None, _) => Self::Unknown,
            (Some(sure), _) if sure.interval.holds(0.0) => Self::NoneShown,
            (Some(_), Better::Neither) => Self::Differs,
            (Some(_), Better::Higher) if difference > 0.0 => Self::Better,
            (Some(_), Better::Lower) if difference < 0.0 => Self::Better,
            (Some(_), Better::Higher | Better::Lower) => Self::Worse,
        }
    }
}

/// The figure on both sides, if every run has it.
fn row(figure: Figure, a: &Side, b: &Side) -> Option<Row> {
    let of = |side: &Side| -> Option<Sample> {
        let values: Option<Vec<f64>> =
            side.runs.iter().map(|run| run.number(&figure.key)).collect();
        Sample::of(&values?)
    };
    let sides = [of(a)?, of(b)?];
    let (confidence, too_few) = match between_runs(&sides) {
        Some(sure) => (Some(sure), None),
        None => match between_requests(&figure, a, b) {
            Ok(sure) => (sure, None),
            Err(too_few) => (None, Some(too_few)),
        },
    };
    let verdict = Verdict::of(&figure, sides[1].mean - sides[0].mean, confidence);
    Some(Row { figure, sides, confidence, too_few, verdict })
}

fn between_runs([a, b]: &[Sample; 2]) -> Option<Confidence> {
    let difference = welch(a, b, LEVEL)?;
    Some(Confidence { interval: difference.interval, p: Some(difference.p), basis: Basis::Runs })
}

/// By what was measured of single requests; nothing where a side has several runs, or none kept.
fn between_requests(figure: &Figure, a: &Side, b: &Side) -> Result<Option<Confidence>, TooFew> {
    let ([a], [b]) = (a.runs.as_slice(), b.runs.as_slice()) else { return Ok(None) };
    let kept = |run| basis::requests(run, &figure.key);
    let (Some(statistic), Some(of_a), Some(of_b)) =
        (basis::statistic(&figure.key), kept(a), kept(b))
    else {
        return Ok(None);
    };
    let interval = bootstrap(&of_a, &of_b, statistic)?;
    Ok(Some(Confidence { interval, p: None, basis: Basis::Requests }))
}

#[cfg(test)]
mod tests;
