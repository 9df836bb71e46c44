//! The charts: each declared once, as a [`Figure`] in both languages, for paper (SVG, PNG) and for the HTML report alike.
//!
//! Adding a chart is its file and its line in [`SWEEP_CHARTS`] or [`POINT_CHARTS`]. A chart whose figures were not measured is not
//! drawn: its function returns `None`. Loads that the client itself limited are marked by a cross, and the title says which they are,
//! and nothing else is dotted; those of which more than 1 % failed bear a dagger. Requests that failed are in no latency, and the title
//! says where there were any.

mod bars;
mod chosen;
mod curves;
mod lines;
mod names;
mod notes;
mod point;
mod sheet;
mod sweep;

use tokometer_metrics::course::Course;
use tokometer_metrics::summary::PointSummary;

use crate::cases::Case;
use crate::figure::Figure;
use crate::words::Words;

/// A chart over the points of one sweep or of several.
#[derive(Clone, Copy, Debug)]
pub struct SweepChart {
    /// Its stable name, and that of its file: `throughput_comparison`.
    pub key: &'static str,
    /// What it is called.
    pub title: Bilingual,
    /// How it is read, in a sentence.
    pub about: Bilingual,
    /// The chart, sorted by number and never by name; `None` where it would show nothing.
    pub draw: fn(&[Case]) -> Option<Figure>,
}

/// A chart of one point.
#[derive(Clone, Copy, Debug)]
pub struct PointChart {
    /// Its stable name.
    pub key: &'static str,
    /// What it is called.
    pub title: Bilingual,
    /// How it is read, in a sentence.
    pub about: Bilingual,
    /// The chart; `None` where it would show nothing.
    pub draw: fn(&PointSummary, &Course) -> Option<Figure>,
}

/// English and Chinese, as a constant.
pub type Bilingual = (&'static str, &'static str);

/// Every chart over a sweep, in the order in which they are shown.
pub const SWEEP_CHARTS: &[SweepChart] = &[
    sweep::THROUGHPUT,
    sweep::LATENCY,
    sweep::HEATMAP,
    sweep::DASHBOARD,
    sweep::LATENCY_THROUGHPUT,
    sweep::PERCENTILES,
    sweep::PARETO,
    sweep::ATTAINMENT,
    sweep::COST,
    sweep::FAILURES,
];

/// The charts of the simple form of a report: the first three.
pub const SIMPLE_CHARTS: &[&str] = &[sweep::THROUGHPUT.key, sweep::LATENCY.key, sweep::HEATMAP.key];

/// Every chart of a point, in the order in which they are shown.
pub const POINT_CHARTS: &[PointChart] = &[
    point::CDF,
    point::OVER_TIME,
    point::IN_FLIGHT,
    point::TIMELINE,
    point::GAPS,
    point::SERVER,
    point::FAILURES,
];

/// Words of a constant.
pub fn words((english, chinese): Bilingual) -> Words {
    Words::fixed(english, chinese)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
