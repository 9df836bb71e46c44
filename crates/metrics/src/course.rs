//! The course of a point: what pictures of it show, of a bounded size however many requests it had.
//!
//! Nothing is averaged away that a reader must see: a curve keeps its extremes, a track keeps the worst request of every stretch, and
//! what is left out is counted. Figures are never made from this: they are the summary's.

mod curve;
mod flights;
mod gaps;
mod grid;
mod stretches;
#[cfg(test)]
mod tests;
mod track;

use tokometer_record::{FailureKind, Offset, Record};

use crate::Run;
use crate::catalog::{E2E, TPOT, TTFT};

/// The course of a point. Moments are seconds since [`Run::measured_from`]; those of the warm-up are negative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Seconds from the beginning of the measured schedule to the last end of a request.
    pub length: f64,
    /// Seconds from the point's beginning (`Point::began`), from which the service's own figures count, to moment 0.
    pub origin: f64,
    /// The distributions of TTFT, TPOT, ITL, E2E, where there are any, each with the key of its metric. Whether ITL is an estimate
    /// is told by [`PointSummary::itl_estimated`](crate::summary::PointSummary::itl_estimated).
    pub curves: Vec<Curve>,
    /// Latencies over the moment at which their request started, with the key of their metric: TTFT, TPOT, E2E.
    pub tracks: Vec<Track>,
    /// What was under way, stretch after stretch, all of one length and without a gap, one of which begins at 0: at most 240. The
    /// warm-up is among it. The last reaches beyond the last end as a rule.
    pub stretches: Vec<Stretch>,
    /// How long the gaps between tokens were, over time.
    pub gaps: Option<Gaps>,
    /// Some of the measured requests, in the order in which they started, at most 300: the slowest by TTFT and by end-to-end latency
    /// and the failed (all of them up to 100, evenly chosen ones beyond) always, and others evenly chosen.
    pub flights: Vec<Flown>,
    /// How many measured requests there were, of which the flights are some.
    pub requests: usize,
}

/// A distribution as a curve: values at shares, ascending, both ends included, and more of them towards both ends; about 125 at most.
///
/// Every point is exact: a value that occurred, and the share of all values that are not above it. Of gaps, of which there are too many
/// to sort, the values are chosen within 0.025 % above the percentiles at round shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The key of the metric.
    pub metric: &'static str,
    /// Pairs of a value in seconds, and the share (0 to 1) of all values that are not above it.
    pub points: Vec<(f64, f64)>,
    /// How many values it rests on.
    pub n: u64,
}

/// A latency over time: at most 2,000 points, in the order of time, among them the least and the greatest of every 250th part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The key of the metric.
    pub metric: &'static str,
    /// Pairs of the moment at which the request started and its value in seconds.
    pub points: Vec<(f64, f64)>,
    /// How many requests it was chosen from.
    pub of: usize,
}

/// What was under way in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Requests in flight, the warm-up's included, on average over the stretch.
    pub in_flight: f64,
    /// The most requests in flight at once within it.
    pub most_in_flight: u64,
    /// Output tokens that arrived, per second: those of requests that succeeded, as in every throughput.
    pub output_rate: f64,
    /// Prompt tokens of the requests that succeeded whose first output came, per second.
    pub prompt_rate: f64,
    /// Requests started, per second.
    pub started: f64,
    /// Requests completed, per second.
    pub completed: f64,
    /// Requests failed, per second; those that the user cancelled are not among them.
    pub failed: f64,
}

/// How long gaps between tokens were, over time: counts in cells, at most 120 stretches by 40 lengths. Gaps are those of
/// [`ITL`](crate::catalog::ITL).
#[derive(Clone, Debug, PartialEq)]
pub struct Gaps {
    /// The edges of the stretches of time, ascending: one more than there are columns.
    pub times: Vec<f64>,
    /// The edges of the lengths of gaps in seconds, ascending and at equal ratios: one more than there are rows. None lies outside;
    /// gaps of less than 10 µs, of chunks that came in one read, count as that long.
    pub lengths: Vec<f64>,
    /// How many gaps ended in each stretch with each length: row by row, the shortest lengths' row first, and each in the order of time.
    pub counts: Vec<u64>,
}

/// One request in its phases.
#[derive(Clone, Debug, PartialEq)]
pub struct Flown {
    /// Its index in the point.
    pub index: u64,
    /// When the plan wanted it sent.
    pub scheduled: f64,
    /// When its work began.
    pub started: f64,
    /// When its first output came. `None` if nothing came, or it all came at once and not as a stream.
    pub first: Option<f64>,
    /// When its last output came, or it failed.
    pub end: f64,
    /// Output tokens.
    pub tokens: Option<u32>,
    /// How it failed, if it did.
    pub failure: Option<FailureKind>,
}

impl Course {
    /// The course of a run. Empty if nothing was measured.
    pub fn of(run: &Run<'_>) -> Self {
        let requests = run.measured.len();
        let (Some(zero), Some(last)) = (run.measured_from(), last(&run.all)) else {
            return Self { requests, ..Self::default() };
        };
        let begin =
            |records: &[&Record]| records.first().map_or(zero, |first| first.started.min(zero));
        let (itl, gaps) = gaps::of(run, zero, begin(&run.measured), last);
        let [ttft, tpot, e2e] = [&TTFT, &TPOT, &E2E].map(|metric| curve::of_requests(metric, run));
        Self {
            length: seconds(last, zero).max(0.0),
            origin: seconds(zero, run.point.began),
            curves: [ttft, tpot, itl, e2e].into_iter().flatten().collect(),
            tracks: [&TTFT, &TPOT, &E2E]
                .into_iter()
                .filter_map(|metric| track::of(metric, run, zero))
                .collect(),
            stretches: stretches::of(run, zero, begin(&run.all), last),
            gaps,
            flights: flights::of(run, zero),
            requests,
        }
    }
}

/// The last end of any of these requests.
fn last(records: &[&Record]) -> Option<Offset> {
    records.iter().map(|record| record.end.max(record.last().unwrap_or(record.end))).max()
}

/// Seconds from `zero` to a moment: negative if that is earlier.
fn seconds(moment: Offset, zero: Offset) -> f64 {
    if moment < zero { -(zero - moment).as_secs_f64() } else { (moment - zero).as_secs_f64() }
}
