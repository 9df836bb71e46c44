//! Copies of one run, which are no repetitions: three of them would make an interval narrower of which nothing more is known.
//!
//! Two runs are one where every length of time that both tell is the same to its last digit: clocks do not do that twice. Deliberately
//! blind to names and dates of files, which a copy may have changed.

use super::Measured;
use super::matching::same_load;

/// Each run once, with where its copies lie.
pub(super) fn once(points: Vec<Measured>) -> Vec<Measured> {
    let mut kept: Vec<Measured> = Vec::new();
    for point in points {
        match kept.iter_mut().find(|known| is_copy(known, &point)) {
            Some(known) => known.copies.push(point.source),
            None => kept.push(point),
        }
    }
    kept
}

/// Whether the two are one run.
pub(super) fn is_copy(a: &Measured, b: &Measured) -> bool {
    let figure = |measured: &Measured, key: &str| {
        measured.case.figure(key).filter(|value| value.is_finite() && *value != 0.0)
    };
    let mut shared = 0;
    let same = TIMES.iter().all(|key| match (figure(a, key), figure(b, key)) {
        (Some(a), Some(b)) => {
            shared += 1;
            (a - b).abs() <= ROUNDING * a.abs()
        }
        _ => true,
    });
    same && shared >= FEWEST && same_load(a, b)
}

/// What a clock tells of a run.
const TIMES: [&str; 12] = [
    "duration",
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "mean_itl_ms",
    "p99_itl_ms",
    "mean_e2el_ms",
    "median_e2el_ms",
    "p99_e2el_ms",
    "output_throughput",
];

/// Fewer may be the same by chance, as they were rounded.
const FEWEST: usize = 3;

/// What is no greater a part of a figure is its rounding.
const ROUNDING: f64 = 1e-9;
