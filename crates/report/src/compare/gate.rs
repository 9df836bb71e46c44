//! Regressions: what a gate in front of a change may fail for.
//!
//! A table of twenty figures has one by chance that an interval of 95 % calls worse. A gate must not, so all figures that could fail
//! it share the 5 %: each is judged by an interval of 1 − 5 % / n (Bonferroni), whose end nearer to nothing has to lie beyond what is
//! borne. Where nothing differs, a gate over any number of figures then fails in one comparison of forty at most, however the figures
//! hang together, and far less often where a few per cent are borne.

use tokometer_metrics::compare::{Interval, LEVEL, welch};

use super::{Basis, Better, Figure, Row};

/// What came of looking for regressions.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// How many figures could have been one: those that have a better side and an interval, and are not 0 on both sides.
    pub figures: usize,
    /// How sure the interval of each of them is: 0.9975 of twenty.
    pub level: f64,
    /// Those that are, in the order of the rows.
    pub regressions: Vec<Regression>,
}

/// A figure in which the second side is worse than may be borne.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// What it is.
    pub figure: Figure,
    /// By how many per cent of the first side it is worse; infinite where the first is 0.
    pub percent: f64,
    /// By how many at the least: the nearer end of its interval.
    pub at_least: f64,
}

pub(super) fn of(rows: &[Row], percent: f64) -> Gate {
    let looked_at: Vec<&Row> = rows.iter().filter(|row| can_fail(row)).collect();
    let level = 1.0 - (1.0 - LEVEL) / looked_at.len().max(1) as f64;
    let regressions = looked_at.iter().filter_map(|row| regression(row, level));
    Gate {
        figures: looked_at.len(),
        level,
        regressions: regressions.filter(|found| found.at_least > percent).collect(),
    }
}

fn can_fail(row: &Row) -> bool {
    let is_zero = row.sides.iter().all(|side| side.mean == 0.0);
    row.figure.better != Better::Neither && row.confidence.is_some() && !is_zero
}

/// By how much the second side is worse for certain, if it is.
fn regression(row: &Row, level: f64) -> Option<Regression> {
    let interval = interval(row, level)?;
    let (by, at_least) = match row.figure.better {
        Better::Lower => (row.difference(), interval.low),
        Better::Higher => (-row.difference(), -interval.high),
        Better::Neither => return None,
    };
    let first = row.sides[0].mean.abs();
    let percent = |by: f64| if first == 0.0 { f64::INFINITY } else { 100.0 * by / first };
    (by > 0.0 && at_least > 0.0).then(|| Regression {
        figure: row.figure.clone(),
        percent: percent(by),
        at_least: percent(at_least),
    })
}

fn interval(row: &Row, level: f64) -> Option<Interval> {
    let sure = row.confidence?;
    match sure.basis {
        Basis::Runs => Some(welch(&row.sides[0], &row.sides[1], level)?.interval),
        Basis::Requests => sure.interval.widened(level),
    }
}
