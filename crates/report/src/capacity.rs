//! How much load deployments carry within objectives, as a model forecasts it: a table, a figure, and all of it as JSON.
//!
//! Nothing is forecast or judged here, and no figure computed: whoever searched hands in what was found. Deliberately no word of any
//! of it is a measurement's, and each of the three forms says so.

mod chart;
mod facts;
mod table;

use std::fmt;

use serde_json::Value;

use crate::Style;
use crate::figure::Figure;

/// What was asked, and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// What the deployment is called.
    pub deployment: String,
    /// What was modelled and how, for people: names and what they stand for, as they are to be shown.
    pub facts: Vec<(&'static str, String)>,
    /// The same for machines.
    pub asked: Value,
    /// What load is counted in.
    pub load: Load,
    /// What was to be kept to.
    pub objectives: Vec<Objective>,
    /// For each number of replicas what it carries, ascending.
    pub rows: Vec<Row>,
    /// For each of some loads the replicas that it needs, ascending.
    pub needs: Vec<Need>,
    /// What happens to requests as the load grows, on so many replicas.
    pub course: Course,
    /// What must be known of the figures.
    pub notes: Vec<String>,
    /// Every trial, by replicas, load and repetition.
    pub trials: Vec<Trial>,
}

/// What load is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Requests that arrive in a second, whatever the service does.
    Rate,
    /// Users who each send a request as soon as the last was answered.
    Users,
}

/// What was to be kept to.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// As it was asked for: `ttft:p99`.
    pub key: String,
    /// For people: `TTFT p99`.
    pub name: String,
    /// Whether figures must not be above the limit, or not below it.
    pub side: Side,
    /// In the unit of its figures.
    pub limit: f64,
    /// The unit of its figures.
    pub unit: Unit,
}

/// On which side of its limit an objective is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At the limit or below it.
    AtMost,
    /// At the limit or above it.
    AtLeast,
}

/// The unit of an objective's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A share, from 0 to 1.
    Share,
}

/// What a number of replicas carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The replicas.
    pub replicas: u32,
    /// The most load within each objective, in their order.
    pub each: Vec<Most>,
    /// The most load within all of them.
    pub all: Most,
    /// What stood in the way of more. Empty where nothing did.
    pub limited_by: Vec<Limit>,
    /// What it was like at the most load within all objectives. `None` where there is no such load.
    pub there: Option<There>,
}

/// What stands in the way of more load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The objective of that place in the list is missed.
    Objective(usize),
    /// More arrive than can be served, so that ever more wait.
    Throughput,
    /// Some requests find no room at all.
    Room,
}

/// The most load within an objective: what all repetitions carried, and what they carried at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Most {
    /// The least of what the repetitions carried.
    pub least: Reach,
    /// The most of what they carried.
    pub greatest: Reach,
    /// Whether any repetition missed the objective at less than what it carried, or kept it at more: the limit is blurred.
    pub wavers: bool,
}

/// How far load may grow.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Reach {
    /// The least load that was tried is too much.
    Below(f64),
    /// Up to there.
    Upto(f64),
    /// At least to there, the most load that was tried.
    Beyond(f64),
}

/// What it is like at a load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct There {
    /// Requests in flight, on average.
    pub in_flight: f64,
    /// Requests served a second.
    pub request_rate: f64,
    /// Output tokens a second.
    pub output_rate: f64,
    /// The share of prompt tokens that the prefix cache had.
    pub cached: f64,
    /// How often requests lost their blocks, for each request.
    pub preemptions: f64,
}

/// How many replicas a load needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// The load.
    pub load: f64,
    /// The fewest replicas that carry it within all objectives, and how much load they carry. `None` if none of those tried does.
    pub replicas: Option<(u32, Reach)>,
}

/// What happens to requests as the load grows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// On so many replicas.
    pub replicas: u32,
    /// Trials, by load.
    pub trials: Vec<Trial>,
}

/// What came of one load on one deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The replicas.
    pub replicas: u32,
    /// The load.
    pub load: f64,
    /// Which repetition, from 0: each has draws of its own, the same at every load and on every deployment.
    pub repetition: u32,
    /// Requests in all.
    pub requests: u64,
    /// Requests that count.
    pub measured: u64,
    /// Of those, how many were never served, or cut short, because no engine has room for them.
    pub failed: u64,
    /// The figure of each objective. `None` where there is none.
    pub figures: Vec<Option<f64>>,
    /// Whether each objective was kept. None is where requests pile up or fail.
    pub kept: Vec<bool>,
    /// Whether requests piled up.
    pub saturated: bool,
    /// Whether it was too short for a steady state: less than ten times as long as a request takes.
    pub short: bool,
    /// What it was like.
    pub there: There,
    /// How long it lasted, in seconds of the service's time.
    pub lasted: f64,
}

impl Capacity {
    /// For people, on a terminal.
    pub fn text(&self, style: Style) -> String {
        table::text(self, style)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        facts::json(self)
    }

    /// What each number of replicas carries, and how requests fare on the way there.
    pub fn figure(&self, dpi: u32) -> Figure {
        chart::figure(self, dpi)
    }
}

impl Load {
    /// Its unit, as it is printed.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Rate => "req/s",
            Self::Users => "users",
        }
    }
}

impl Reach {
    /// Where it ends, as far as was tried. `None` if the least load is too much.
    pub const fn load(self) -> Option<f64> {
        match self {
            Self::Below(_) => None,
            Self::Upto(load) | Self::Beyond(load) => Some(load),
        }
    }

    /// A place in order: what is below all is 0.
    fn place(self) -> f64 {
        self.load().unwrap_or(0.0)
    }

    /// The lesser of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.place() < self.place() { other } else { self }
    }

    /// The greater of two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.place() > self.place() { other } else { self }
    }

    /// Whether that load is within it.
    pub fn covers(self, load: f64) -> bool {
        self.load().is_some_and(|most| load <= most)
    }
}

/// `TTFT p99 ≤ 500 ms`.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, table::limit(self))
    }
}

impl Objective {
    /// Whether a figure keeps to it.
    pub fn keeps(&self, figure: f64) -> bool {
        match self.side {
            Side::AtMost => figure <= self.limit,
            Side::AtLeast => figure >= self.limit,
        }
    }

    /// How much of what it allows a figure takes: 1 at the limit, more beyond it. Of shares, those that miss are set against those that
    /// may. `None` where nothing is allowed at all.
    pub fn taken(&self, figure: f64) -> Option<f64> {
        let (taken, allowed) = match self.side {
            Side::AtMost => (figure, self.limit),
            Side::AtLeast => (1.0 - figure, 1.0 - self.limit),
        };
        (allowed > 0.0).then(|| taken / allowed)
    }
}

#[cfg(test)]
mod tests;
