//! Warm-up in the figures: the first requests of the measured load found a server that was not warm.
//!
//! A server compiles, captures graphs and fills its caches with its first requests. Deliberately not the synchronised start of a closed
//! loop: all who start together wait for each other's prompts, and so do those who come later, one after the other, in the course
//! of their outputs; over whole requests of like lengths the first ones are no slower by it.

use super::figures::{count, figure, plural, time};
use super::latencies::Met;
use super::{Evidence, Facts, Finding, Severity, Sureness, cache, latencies};
use crate::catalog::{E2E, Metric, Of, TPOT, TTFT};
use crate::quantile::{Percentile, linear, nearest_rank};

/// The first requests were much slower than later ones like them.
pub(super) fn warm_up(facts: &Facts<'_>) -> Option<Finding> {
    // Prompts that the first ones had computed and the later ones found are the cache's doing.
    let cached = cache::hit_rate(facts).is_some_and(|rate| rate > CACHED);
    if cached || !latencies::are_the_servers(facts) {
        return None;
    }
    let wave = latencies::first_wave(facts);
    let met = latencies::all(facts.run);
    let (first, rest) = met.split_at_checked(wave)?;
    // All that start together are slowed by each other's prompts before their first token: alone, nobody is.
    let metrics: &[&Metric] = if wave == 1 { &[&E2E, &TTFT, &TPOT] } else { &[&E2E, &TPOT] };
    let slower = metrics.iter().filter_map(|metric| Slower::of(metric, first, rest));
    let slower = slower.max_by(|a, b| a.times().total_cmp(&b.times()))?;
    let who = match wave {
        1 => "The first request was".to_owned(),
        several => format!("The first {} requests were", count(several as u64)),
    };
    let counts = &facts.summary.counts;
    let (warmed, sureness) = match (counts.warmup, counts.warmup_failed) {
        (0, _) => ("no warm-up was asked for".to_owned(), Sureness::Likely),
        (all, 0) => {
            (format!("the warm-up had {}", plural(all, "request", "requests")), Sureness::Possible)
        }
        (all, failed) => (
            format!(
                "{} of {} of the warm-up failed",
                count(failed),
                plural(all, "request", "requests")
            ),
            Sureness::Likely,
        ),
    };
    Some(Finding {
        rule: "warm_up",
        severity: Severity::Misleading,
        sureness,
        what: format!(
            "{who} {} times as slow as later ones like {}: the server was not warm, and means and tails contain it.",
            figure(slower.times()),
            if wave == 1 { "it" } else { "them" },
        ),
        evidence: vec![
            Evidence::at(
                format!(
                    "{}, median: {} of the first {}, {} of {} later ones (p95 {})",
                    slower.metric.title,
                    time(slower.first),
                    count(wave as u64),
                    time(slower.later),
                    count(slower.peers as u64),
                    time(slower.tail)
                ),
                first.first()?.record.started,
            ),
            Evidence::new(warmed),
        ],
        next: format!(
            "Warm the server up before it is measured, with at least {} that are like the measured ones.",
            plural((wave as u64).max(LEAST_WARM_UP), "request", "requests")
        ),
        points: vec![facts.summary.point.index],
    })
}

/// By how much the first are slower.
struct Slower<'a> {
    metric: &'a Metric,
    /// The median of the first, in seconds.
    first: f64,
    /// The median of the later ones.
    later: f64,
    /// Their 95th percentile.
    tail: f64,
    /// How many of those there are.
    peers: usize,
}

impl<'a> Slower<'a> {
    /// Compared with those that started after the first had ended, met as many others, and have prompts and outputs of about that
    /// length or longer. `None` if there are too few of them, or if the first are not slower by far.
    fn of(metric: &'a Metric, first: &[Met<'_>], rest: &[Met<'_>]) -> Option<Self> {
        let Of::Request(value) = metric.of else { return None };
        let median = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            linear(&values, Percentile::P50)
        };
        let of_first = |figure: &dyn Fn(&Met<'_>) -> Option<f64>| {
            median(first.iter().filter_map(figure).collect())
        };
        let ended = first.iter().map(|met| met.record.end).max()?;
        let (prompt, output) = (of_first(&|met| met.prompt()), of_first(&|met| met.output()));
        let in_flight = of_first(&|met| Some(met.in_flight))?;
        let as_long = |of_first: Option<f64>, of: Option<f64>| match (of_first, of) {
            (Some(first), Some(later)) => later >= ALIKE * first,
            _ => true,
        };
        let peers = rest.iter().filter(|met| {
            met.record.started >= ended
                && met.in_flight >= ALIKE * in_flight
                && as_long(prompt, met.prompt())
                && as_long(output, met.output())
        });
        let mut peers: Vec<f64> = peers.filter_map(|met| value(met.record)).collect();
        peers.sort_unstable_by(f64::total_cmp);
        let of = Self {
            metric,
            first: of_first(&|met| value(met.record))?,
            later: linear(&peers, Percentile::P50)?,
            tail: nearest_rank(&peers, Percentile::P95)?,
            peers: peers.len(),
        };
        let far = of.first >= SLOW * of.later && of.first - of.later >= LEAST;
        (of.peers >= FEWEST && far && of.first > of.tail).then_some(of)
    }

    fn times(&self) -> f64 {
        self.first / self.later.max(f64::MIN_POSITIVE)
    }
}

/// So many times the median of the later ones: less than that, a server under load does by itself.
pub(super) const SLOW: f64 = 2.0;

/// … and so many seconds more: below that, timers and networks do.
pub(super) const LEAST: f64 = 0.005;

/// With fewer to compare with there is no telling what is usual.
pub(super) const FEWEST: usize = 5;

/// A request is like another if its prompt, its output and the number of others that it met are at least this share of the other's.
pub(super) const ALIKE: f64 = 0.9;

/// Above this hit rate of the prefix cache, first ones are slower because nothing was cached for them.
pub(super) const CACHED: f64 = 0.1;

/// A warm-up of fewer is not worth proposing.
const LEAST_WARM_UP: u64 = 3;

#[cfg(test)]
mod tests {
    use tokometer_record::{PointLog, Record};

    use super::*;
    use crate::Run;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log, probed};

    /// Requests one after the other, with such latencies: each first token after half of it, the last at its end.
    fn one_by_one(latencies: impl IntoIterator<Item = u64>) -> PointLog {
        let mut at = 0;
        let mut log = point_log((0..).zip(latencies).map(|(index, latency)| {
            at += latency;
            ok(index, at - latency, &[at - latency / 2, at])
        }));
        log.point.concurrency = Some(1);
        log
    }

    fn found(log: &PointLog) -> Option<Finding> {
        let mut summary = summarize(log);
        summary.findings.clear();
        warm_up(&Facts { run: &Run::of(log), summary: &summary })
    }

    fn first(latency: u64) -> impl Iterator<Item = u64> {
        std::iter::once(latency).chain(std::iter::repeat_n(100, 9))
    }

    #[test]
    fn a_first_request_that_took_far_longer_was_not_warm() {
        let finding = found(&one_by_one(first(900))).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Misleading, Sureness::Likely));
        assert_eq!(
            finding.what,
            "The first request was 9 times as slow as later ones like it: the server was not warm, and means and tails contain it."
        );
        assert_eq!(finding.evidence[1].fact, "no warm-up was asked for");
    }

    #[test]
    fn twice_as_slow_is_the_line() {
        assert!(found(&one_by_one(first(200))).is_some());
        assert_eq!(found(&one_by_one(first(198))), None);
    }

    #[test]
    fn a_server_that_is_now_and_then_as_slow_was_as_warm_as_ever() {
        let often = [300, 100, 100, 100, 320, 100, 100, 100, 100, 100];
        assert_eq!(found(&one_by_one(often)), None);
    }

    #[test]
    fn a_longer_prompt_is_no_want_of_warmth() {
        let mut log = one_by_one(first(900));
        log.records[0].prompt_tokens.server = Some(4_000);
        assert_eq!(found(&log), None);
    }

    /// Places that are handed on, in waves of `latency`; the first wave takes `cold` longer.
    fn waves(places: u64, cold: u64) -> PointLog {
        let records: Vec<Record> = (0..places * 6)
            .map(|i| {
                let wave = i / places;
                let from = wave * 200 + if wave > 0 { cold } else { 0 };
                let end = from + 200 + if wave == 0 { cold } else { 0 };
                ok(i, from, &[from + 50, end])
            })
            .collect();
        let mut log = point_log(records);
        log.point.concurrency = Some(places as usize);
        log
    }

    #[test]
    fn a_first_wave_is_compared_with_later_ones_as_a_whole() {
        let finding = found(&waves(8, 600)).unwrap();
        assert!(finding.what.starts_with("The first 8 requests were"), "{}", finding.what);
        assert!(finding.next.contains("at least 8 requests"), "{}", finding.next);
        assert_eq!(found(&waves(8, 0)), None);
    }

    #[test]
    fn a_synchronised_start_is_no_want_of_warmth() {
        // Eight start together and have their first tokens one after the other, each 100 ms later; those that follow find one place
        // free after the other and wait for nobody.
        let first = (0..8).map(|i| ok(i, 0, &[(i + 1) * 100, 900]));
        let later = (8..60)
            .map(|i| ok(i, 900 + (i - 8) * 110, &[1_000 + (i - 8) * 110, 1_780 + (i - 8) * 110]));
        let mut log = point_log(first.chain(later));
        log.point.concurrency = Some(8);
        assert_eq!(found(&log), None);
    }

    #[test]
    fn a_warm_up_that_failed_is_named() {
        let mut log = one_by_one(first(900));
        log.records.push(ok(90, 0, &[]).failing_at(0).warming_up());
        let finding = found(&log).unwrap();
        assert_eq!(finding.evidence[1].fact, "1 of 1 request of the warm-up failed");
    }

    #[test]
    fn too_few_to_compare_with_and_lagging_clients_say_nothing() {
        assert_eq!(found(&one_by_one([900, 100, 100, 100, 100])), None);
        assert_eq!(found(&probed(one_by_one(first(900)), 90_000_000, 90_000_000)), None);
    }

    #[test]
    fn what_the_cache_explains_is_left_to_the_cache() {
        let mut log = one_by_one(first(900));
        log.records.iter_mut().skip(1).for_each(|record| record.prompt_tokens.cached = Some(8));
        assert_eq!(found(&log), None);
    }
}
