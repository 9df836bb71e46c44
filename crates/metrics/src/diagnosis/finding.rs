//! A finding: what was found, how sure that is, by which evidence, and what to do next.

use tokometer_record::Offset;

/// Something that a run's facts say.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule that found it, by its stable name.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// How sure it is.
    pub sureness: Sureness,
    /// What was found: one sentence, with the figure that matters most, and a full stop.
    pub what: String,
    /// What it rests on: at least one.
    pub evidence: Vec<Evidence>,
    /// What to do next: one sentence or two.
    pub next: String,
    /// The points of the sweep that it is about, by their index: first the one that the words speak of, then the others in order.
    pub points: Vec<usize>,
}

/// One fact that a finding rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The fact with its figure, as a fragment: `waiting requests: 151 on average, 168 at most`.
    pub fact: String,
    /// The moment that it speaks of, where there is one: that of a maximum, or of the first failure.
    pub at: Option<Offset>,
}

impl Evidence {
    /// A fact of the whole point.
    pub fn new(fact: impl Into<String>) -> Self {
        Self { fact: fact.into(), at: None }
    }

    /// A fact of a moment.
    pub fn at(fact: impl Into<String>, at: Offset) -> Self {
        Self { fact: fact.into(), at: Some(at) }
    }
}

/// How much a finding weighs, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The figures are not the server's, or not of what was asked: do not use them as they stand.
    Invalid,
    /// Users would not be served: requests fail.
    Failing,
    /// This limits the service: the bottleneck.
    Limiting,
    /// The figures are right and can mislead.
    Misleading,
    /// Good to know.
    Notable,
}

impl Severity {
    /// Whether of two findings of this weight the one at the greater load is the worse: what limits a service, or makes it fail.
    pub fn grows_with_load(self) -> bool {
        self <= Self::Limiting
    }

    /// A stable name for machine-readable output.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Failing => "failing",
            Self::Limiting => "limiting",
            Self::Misleading => "misleading",
            Self::Notable => "notable",
        }
    }
}

/// How sure a finding is, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sureness {
    /// The evidence admits of nothing else.
    Certain,
    /// It is the likeliest reading of the evidence, and something else could look the same.
    Likely,
    /// The evidence points that way and is thin.
    Possible,
}

impl Sureness {
    /// A stable name for machine-readable output.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}
