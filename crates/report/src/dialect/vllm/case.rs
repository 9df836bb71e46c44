//! A point as the reports of this dialect look at it: what happened, what was asked for, and what was promised.
//!
//! Deliberately nothing is written here, and no figure computed that the metrics do not define.

use tokometer_metrics::Run;
use tokometer_metrics::slo::{Attainment, Objective, Target};

use super::Arguments;
use crate::dialect::Told;

/// A point, what was asked of it, and what it came to.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) told: &'a Told<'a>,
    pub(super) arguments: &'a Arguments,
    pub(super) run: Run<'a>,
    /// How the run kept to its objectives. `None` where none was set.
    pub(super) attainment: Option<Attainment>,
}

impl<'a> Case<'a> {
    pub(super) fn of(told: &'a Told<'a>, arguments: &'a Arguments) -> Self {
        let run = Run::of(told.log);
        let objectives: Vec<Objective> = arguments
            .goodput
            .iter()
            .filter_map(|(name, ms)| {
                Some(Objective { target: Target::by_name(name)?, at_most: ms / 1e3 })
            })
            .collect();
        let attainment = (!objectives.is_empty()).then(|| Attainment::of(&run, &objectives));
        Self { told, arguments, run, attainment }
    }

    /// Whether the API answers with a result and generates nothing.
    pub(super) fn pooling(&self) -> bool {
        self.arguments.pooling || self.told.summary.counts.results > 0
    }
}
