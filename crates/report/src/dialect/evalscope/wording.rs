//! How a figure is written in the report of a run, and in which tone a point is told of: the same in its tables and its advice.

use tokometer_metrics::summary::PointSummary;

use crate::grid::Tone;
use crate::number::{ABSENT, fixed};

/// A figure with so many digits behind its point.
pub(super) fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_owned(), |value| fixed(value, digits))
}

/// How well requests fared: those that the user cancelled speak neither way.
pub(super) fn tone(summary: &PointSummary) -> Tone {
    let counts = summary.counts;
    match 100 * counts.succeeded {
        _ if counts.tried() == 0 => Tone::Neutral,
        succeeded if succeeded >= 95 * counts.tried() => Tone::Good,
        succeeded if succeeded >= 80 * counts.tried() => Tone::Fair,
        _ => Tone::Poor,
    }
}
