//! Some of the requests, one by one in their phases: the slowest and the failed first of all, and others evenly.
//!
//! Deliberately shows no more than an eye can follow: what is left out is counted by [`Course::requests`](super::Course::requests).

use tokometer_record::{Offset, Record};

use super::{Flown, seconds};
use crate::Run;
use crate::catalog::{E2E, Metric, Of, TTFT};
use crate::window::completed;

/// The most requests that are shown.
pub(super) const MOST: usize = 300;

/// Of them, the most that failed.
pub(super) const MOST_FAILED: usize = 100;

/// How many of the slowest are always among them, by each of TTFT and end-to-end latency.
pub(super) const SLOWEST: usize = 30;

/// The requests to show, in the order in which they started.
pub(super) fn of(run: &Run<'_>, zero: Offset) -> Vec<Flown> {
    let records = &run.measured;
    let chosen = if records.len() <= MOST { (0..records.len()).collect() } else { chosen(records) };
    chosen.into_iter().map(|index| flown(records[index], zero)).collect()
}

/// Which of more than [`MOST`] requests, ascending.
fn chosen(records: &[&Record]) -> Vec<usize> {
    let mut keep = vec![false; records.len()];
    let failed: Vec<usize> = (0..records.len()).filter(|&i| !records[i].succeeded()).collect();
    evenly(&failed, MOST_FAILED).for_each(|index| keep[index] = true);
    for metric in [&TTFT, &E2E] {
        slowest(records, metric).for_each(|index| keep[index] = true);
    }
    let others: Vec<usize> =
        (0..records.len()).filter(|&i| !keep[i] && records[i].succeeded()).collect();
    let room = MOST - keep.iter().filter(|&&kept| kept).count();
    evenly(&others, room).for_each(|index| keep[index] = true);
    (0..records.len()).filter(|&index| keep[index]).collect()
}

/// At most so many of them, at even distances: the first among them.
fn evenly(from: &[usize], most: usize) -> impl Iterator<Item = usize> {
    let many = most.min(from.len());
    (0..many).map(move |i| from[i * from.len() / many])
}

fn slowest(records: &[&Record], metric: &Metric) -> impl Iterator<Item = usize> {
    let value = |record: &Record| match metric.of {
        Of::Request(value) => value(record).filter(|_| record.succeeded()),
        Of::Waiting(_) | Of::Gaps(_) | Of::Run(_) => None,
    };
    let mut by_value: Vec<(f64, usize)> = records
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((value(record)?, index)))
        .collect();
    by_value.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    by_value.into_iter().take(SLOWEST).map(|(_, index)| index)
}

fn flown(record: &Record, zero: Offset) -> Flown {
    let succeeded = completed(record).filter(|_| record.succeeded());
    Flown {
        index: record.index,
        scheduled: seconds(record.scheduled, zero),
        started: seconds(record.started, zero),
        first: record.first().filter(|_| record.streamed).map(|first| seconds(first, zero)),
        end: seconds(succeeded.unwrap_or(record.end), zero),
        tokens: record.output_tokens.map(|tokens| tokens.count),
        failure: record.failure().map(|failure| failure.kind),
    }
}
