//! Which latencies rules may judge by, and what else is known of each request that may explain its latency.
//!
//! Deliberately finds nothing: it selects, and it tells whether one thing goes with another.

use std::time::Duration;

use tokometer_record::{Offset, Phase, Record, Signal};

use super::{Facts, cache, stalls};
use crate::catalog::{E2E, Metric, TPOT, TTFT};
use crate::{Run, Unsteady};

/// Whether latencies of this point say something of the server at all: not where the client bent them, nor where most requests
/// failed, and those that were spared are no sample of the others.
pub(super) fn are_the_servers(facts: &Facts<'_>) -> bool {
    !facts.summary.verdict.is_client_limited() && most_succeeded(facts)
}

/// Whether at least half of the requests succeeded, and any at all.
pub(super) fn most_succeeded(facts: &Facts<'_>) -> bool {
    let counts = &facts.summary.counts;
    counts.succeeded > 0 && 2 * counts.succeeded >= counts.tried()
}

/// The latencies that nothing else known of the service bends; without streaming those of whole requests. Left out are prompts that wait or
/// are cached in part, and outputs that are preempted or stand still: that is for the rules about those.
pub(super) fn unbent(facts: &Facts<'_>) -> Vec<&'static Metric> {
    if !are_the_servers(facts) {
        return Vec::new();
    }
    let side = &facts.summary.side;
    let waits = side.level(Signal::Waiting).is_some_and(|waiting| waiting.mean >= WAITING);
    let told = facts.run.successes().any(|record| record.prompt_tokens.cached.is_some());
    let partly = |rate: f64| rate.min(1.0 - rate) >= PARTLY;
    let cached = !told && cache::hit_rate(facts).is_some_and(partly);
    let preempted = side.growth(Signal::Preemptions).is_some_and(|grown| grown > 0.0);
    let streamed = facts.summary.distribution(&TTFT).is_some();
    let stand_still =
        || stalls::prefill_stalls(facts).is_some() || stalls::stream_stalls(facts).is_some();
    let metrics: [(&'static Metric, bool); 3] = [
        (&TTFT, streamed && !waits && !cached),
        (&TPOT, streamed && !preempted && !stand_still()),
        (&E2E, !streamed && !waits && !cached && !preempted),
    ];
    metrics.into_iter().filter(|&(_, unbent)| unbent).map(|(metric, _)| metric).collect()
}

/// A success, and what it met with when it started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met<'a> {
    /// The request.
    pub(super) record: &'a Record,
    /// Requests in flight then, those of the warm-up included; of several that start at one moment, each meets those before it.
    pub(super) in_flight: f64,
    /// Of those, requests that still waited for their first output.
    pub(super) ahead: f64,
    /// Whether no queue made it wait: nobody else was in flight before its first output, or one that started later had its own earlier.
    pub(super) out_of_line: bool,
}

impl Met<'_> {
    /// Tokens of its prompt.
    pub(super) fn prompt(&self) -> Option<f64> {
        self.record.prompt_tokens.count().map(f64::from)
    }

    /// Tokens of its output.
    pub(super) fn output(&self) -> Option<f64> {
        self.record.output_tokens.map(|tokens| f64::from(tokens.count))
    }
}

/// Every success, in the order in which they started.
pub(super) fn all<'a>(run: &Run<'a>) -> Vec<Met<'a>> {
    let first = |record: &Record| record.first().unwrap_or(record.end);
    let sorted = |moment: &dyn Fn(&Record) -> Offset| {
        let mut moments: Vec<Offset> = run.all.iter().map(|&record| moment(record)).collect();
        moments.sort_unstable();
        moments
    };
    let (firsts, ends) = (sorted(&first), sorted(&|record| record.end));
    let starts: Vec<Offset> = run.all.iter().map(|record| record.started).collect();
    // For each request the earliest first output of it and of all that started later.
    let mut earliest: Vec<Offset> = run.all.iter().map(|&record| first(record)).collect();
    for index in (1..earliest.len()).rev() {
        earliest[index - 1] = earliest[index - 1].min(earliest[index]);
    }
    let before = |moments: &[Offset], at| moments.partition_point(|&moment| moment <= at);
    let met = |(started, &record): (usize, &&'a Record)| {
        let in_flight = started.saturating_sub(before(&ends, record.started));
        let own = first(record);
        let alone = in_flight == 0 && starts.get(started + 1).is_none_or(|&next| next >= own);
        let later = earliest.get(before(&starts, record.started + AT_ONCE));
        Met {
            record,
            in_flight: in_flight as f64,
            ahead: started.saturating_sub(before(&firsts, record.started)) as f64,
            out_of_line: alone || later.is_some_and(|&first| first + AT_ONCE < own),
        }
    };
    let counts =
        |(_, record): &(usize, &&Record)| record.phase == Phase::Measured && record.succeeded();
    run.all.iter().enumerate().filter(counts).map(met).collect()
}

/// Those of the part in which the load was steady: at most [`MOST`], evenly chosen. Empty where latencies drift all along.
///
/// Where no steady part was found for another reason, it is what remains without the first and the last of those that are in flight
/// together: the synchronised start, and the end at which places stay empty.
pub(super) fn steady<'a>(facts: &Facts<'a>) -> Vec<Met<'a>> {
    match &facts.summary.steady {
        Err(Unsteady::Drifting) => Vec::new(),
        Err(_) => without_ends(facts),
        Ok(steady) => {
            let mut met = all(facts.run);
            met.drain(..first_wave(facts).min(met.len()));
            met.retain(|met| steady.from <= met.record.started && met.record.started <= steady.to);
            sampled(met)
        }
    }
}

/// Those that are neither among the first that are in flight together nor among the last: at most [`MOST`], evenly chosen.
pub(super) fn without_ends<'a>(facts: &Facts<'a>) -> Vec<Met<'a>> {
    let (mut met, wave) = (all(facts.run), first_wave(facts));
    met.truncate(met.len().saturating_sub(wave));
    met.drain(..wave.min(met.len()));
    sampled(met)
}

/// At most [`MOST`], evenly chosen.
pub(super) fn sampled(met: Vec<Met<'_>>) -> Vec<Met<'_>> {
    let step = met.len().div_ceil(MOST).max(1);
    met.into_iter().step_by(step).collect()
}

/// How many requests the first wave has: as many as may be in flight at once, or without a cap as many as were on average.
pub(super) fn first_wave(facts: &Facts<'_>) -> usize {
    let mean = || facts.run.mean_concurrency().map_or(1, |mean| mean.round() as usize);
    facts.summary.point.concurrency.unwrap_or_else(mean).max(1)
}

/// How surely a value of `high` is above one of `low`: the share of pairs of which that is so, those that are equal counted half
/// (Mann and Whitney 1947, U ÷ n₁n₂). ½ if the two are alike. `None` if either is empty.
pub(super) fn above(low: &[f64], high: &[f64]) -> Option<f64> {
    if low.is_empty() || high.is_empty() {
        return None;
    }
    let pooled: Vec<f64> = high.iter().chain(low).copied().collect();
    let n = high.len() as f64;
    let ranks: f64 = ranks(&pooled)[..high.len()].iter().sum();
    Some((ranks - n * (n + 1.0) / 2.0) / (n * low.len() as f64))
}

/// Spearman's rank correlation of pairs, between −1 and 1. `None` if either does not vary.
pub(super) fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (x, y) = (ranks(&x), ranks(&y));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let sum = |of: &dyn Fn(usize) -> f64| (0..pairs.len()).map(of).sum::<f64>();
    let product = sum(&|i| (x[i] - mean) * (y[i] - mean));
    let squares = sum(&|i| (x[i] - mean).powi(2)) * sum(&|i| (y[i] - mean).powi(2));
    (squares > 0.0).then(|| product / squares.sqrt())
}

/// The ranks of values, from 1 on; equal values share the mean of theirs.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let same = |&place: &usize| values[place] == values[order[from]];
        let to = from + order[from..].iter().take_while(|place| same(place)).count().max(1);
        let rank = (from + 1 + to) as f64 / 2.0;
        order[from..to].iter().for_each(|&place| ranks[place] = rank);
        from = to;
    }
    ranks
}

/// From so many waiting requests on average, by the server's own gauge, TTFT is a matter of queueing.
pub(super) const WAITING: f64 = 0.5;

/// With a hit rate from this share to as much below all, and answers that do not tell which prompts were cached, two modes of TTFT or a
/// wide spread of it are taken to be the cache's doing.
pub(super) const PARTLY: f64 = 0.05;

/// More requests than this say nothing new of how latencies are spread.
pub(super) const MOST: usize = 20_000;

/// What starts, or has its first output, within this time of another does so together with it: in which order is the network's doing.
const AT_ONCE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log};

    #[test]
    fn each_request_meets_those_before_it() {
        // Three at once, whose first tokens come at 10, 20 and 30 ms; a fourth at 20 ms, when the first has ended.
        let log = point_log([
            ok(0, 0, &[10, 15]),
            ok(1, 0, &[20, 90]),
            ok(2, 0, &[30, 90]),
            ok(3, 20, &[40, 90]),
        ]);
        let met: Vec<(f64, f64)> =
            all(&Run::of(&log)).iter().map(|met| (met.in_flight, met.ahead)).collect();
        assert_eq!(met, [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (2.0, 1.0)]);
    }

    #[test]
    fn who_is_overtaken_or_alone_waits_in_no_line() {
        let log = point_log([
            ok(0, 0, &[90]),
            ok(1, 10, &[50]),
            ok(2, 100, &[150]),
            ok(3, 200, &[210, 300]),
            ok(4, 250, &[310]),
        ]);
        // The first is overtaken by the second; the third is alone; the fourth too, until its first output; the fifth is not.
        let out: Vec<bool> = all(&Run::of(&log)).iter().map(|met| met.out_of_line).collect();
        assert_eq!(out, [true, false, true, true, false]);
    }

    #[test]
    fn the_first_wave_and_the_last_are_not_steady() {
        let mut log = point_log((0..10).map(|i| ok(i, i * 10, &[i * 10 + 20])));
        log.point.concurrency = Some(2);
        let mut summary = summarize(&log);
        summary.steady = Err(Unsteady::TooFew);
        let run = Run::of(&log);
        let indices: Vec<u64> = steady(&Facts { run: &run, summary: &summary })
            .iter()
            .map(|met| met.record.index)
            .collect();
        assert_eq!(indices, [2, 3, 4, 5, 6, 7]);
        summary.steady = Err(Unsteady::Drifting);
        assert!(steady(&Facts { run: &run, summary: &summary }).is_empty());
    }

    #[test]
    fn latencies_of_the_few_that_were_spared_are_not_judged() {
        let told = |failing: u64| {
            let log = point_log((0..4).map(|i| match i < failing {
                true => ok(i, 0, &[]).failing_at(5),
                false => ok(i, 0, &[10]),
            }));
            let summary = summarize(&log);
            most_succeeded(&Facts { run: &Run::of(&log), summary: &summary })
        };
        assert_eq!([told(0), told(2), told(3), told(4)], [true, true, false, false]);
    }

    #[test]
    fn pairs_are_counted_and_ties_half() {
        assert_eq!(above(&[1.0, 2.0], &[3.0, 4.0]), Some(1.0));
        assert_eq!(above(&[1.0, 3.0], &[2.0, 4.0]), Some(0.75));
        assert_eq!(above(&[1.0, 1.0], &[1.0]), Some(0.5));
        assert_eq!(above(&[], &[1.0]), None);
    }

    #[test]
    fn a_correlation_of_ranks_needs_no_straight_line() {
        let squares: Vec<(f64, f64)> = (1..9).map(|i| (f64::from(i), f64::from(i * i))).collect();
        assert_eq!(correlation(&squares), Some(1.0));
        let falling: Vec<(f64, f64)> = squares.iter().map(|&(x, y)| (x, -y)).collect();
        assert_eq!(correlation(&falling), Some(-1.0));
        assert_eq!(correlation(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(correlation(&[]), None);
    }
}
