//! Readings put in order: by their source, by the moments at which they were heard, and what gauges of several sources come
//! to together.
//!
//! Deliberately nothing of counters, whose growth is each source's own.

use std::collections::BTreeMap;
use std::time::Duration;

use tokometer_record::{Offset, Origin, Reading, Remark, RemarkKind, Signal};

use crate::Run;

/// When the load was on: from the first start of a measured request to the last end of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) begin: Offset,
    pub(super) end: Offset,
}

impl Load {
    /// Where no measured request ended, all that was heard counts: from the point's beginning on. Of a log without an end, the
    /// load was on until nothing more was heard: what was in flight then left no record.
    pub(super) fn of(run: &Run<'_>) -> Self {
        let last = run.measured.iter().map(|record| record.end).max();
        let readings = run.telemetry.readings.iter().map(|reading| reading.at);
        let gpus = run.telemetry.gpus.iter().map(|reading| reading.at);
        let heard = readings.chain(gpus).max();
        match (run.measured.first(), last) {
            (Some(first), Some(end)) => {
                let end = if run.client.is_none() { heard.unwrap_or(end).max(end) } else { end };
                Self { begin: first.started, end }
            }
            _ => {
                let begin = run.measured_from().unwrap_or(run.point.began);
                Self { begin, end: heard.unwrap_or(begin).max(begin) }
            }
        }
    }

    pub(super) fn holds(self, at: Offset) -> bool {
        self.begin <= at && at <= self.end
    }

    /// How far a moment lies outside of it: nothing within.
    pub(super) fn misses(self, at: Offset) -> Duration {
        (self.begin - at) + (at - self.end)
    }
}

/// Where readings come from: a page of metrics, or in a log an engine.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    /// In the order of their moments. Never empty.
    pub(super) readings: Vec<&'a Reading>,
    /// The usual time from one reading to the next: zero of one that was read once.
    gap: Duration,
    /// When nothing answered there, or no page of metrics did: what was heard before is of the past then. In order.
    silences: Vec<Offset>,
}

impl<'a> Source<'a> {
    /// The sources of one origin, in the order in which they were first heard.
    pub(super) fn all(readings: &'a [Reading], remarks: &[Remark], origin: Origin) -> Vec<Self> {
        let mut of: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
        let mut sources: Vec<Self> = Vec::new();
        for reading in readings.iter().filter(|reading| reading.origin == origin) {
            let key = (reading.source.as_str(), reading.engine.as_deref());
            let at = *of.entry(key).or_insert_with(|| {
                let name = reading.source.as_str();
                sources.push(Self {
                    name,
                    readings: Vec::new(),
                    gap: Duration::ZERO,
                    silences: silences(remarks, name),
                });
                sources.len() - 1
            });
            sources[at].readings.push(reading);
        }
        for source in &mut sources {
            source.readings.sort_by_key(|reading| reading.at);
            source.gap = source.usual_gap();
        }
        sources
    }

    /// The median time from one reading to the next.
    fn usual_gap(&self) -> Duration {
        let at: Vec<Offset> = self.readings.iter().map(|reading| reading.at).collect();
        usual_gap(&at).unwrap_or_default()
    }

    /// Whether what was heard of it at one moment still stands for another: until it did not answer, and at most for two
    /// readings that failed to come; or for longer, where it was only slow, and the next did come.
    pub(super) fn stands(&self, heard: Offset, now: Offset) -> bool {
        let patience = SILENT.max(4 * self.gap);
        if now - heard > patience || self.silences.iter().any(|&at| heard < at && at <= now) {
            return false;
        }
        let next = self.readings.partition_point(|reading| reading.at <= now.max(heard));
        let latest = next.checked_sub(1).map_or(heard, |latest| self.readings[latest].at);
        let missed = self.gap.mul_f64(MISSED);
        let slow = self.readings.get(next).is_some_and(|next| {
            let between = |&&at: &&Offset| latest < at && at <= next.at;
            next.at - latest <= patience && !self.silences.iter().any(|at| between(&at))
        });
        slow || now - latest <= if missed.is_zero() { patience } else { missed }
    }
}

/// The median time from one moment to the next, those of one moment taken together. `None` of fewer than two moments.
pub(super) fn usual_gap(at: &[Offset]) -> Option<Duration> {
    let gaps = at.windows(2).map(|pair| pair[1] - pair[0]);
    let mut gaps: Vec<Duration> = gaps.filter(|&gap| gap > AT_ONCE).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}

/// When nothing answered at a source, or no page of metrics did.
fn silences(remarks: &[Remark], source: &str) -> Vec<Offset> {
    let silent = |kind| matches!(kind, RemarkKind::Unreachable | RemarkKind::NoMetrics);
    let of = remarks.iter().filter(|remark| remark.source == source && silent(remark.kind));
    let mut at: Vec<Offset> = of.map(|remark| remark.at).collect();
    at.sort_unstable();
    at
}

/// What was heard of several sources at what counts as one moment.
#[derive(Clone, Debug)]
pub(super) struct Hearing<'a> {
    pub(super) at: Offset,
    /// Readings, each with its source's place among the sources.
    pub(super) readings: Vec<(usize, &'a Reading)>,
}

impl<'a> Hearing<'a> {
    /// Every reading of these sources. Readings within [`AT_ONCE`] are of one moment, unless they tell two values of the same.
    pub(super) fn all(sources: &[Source<'a>]) -> Vec<Self> {
        let of_source = |(place, source): (usize, &Source<'a>)| {
            source.readings.iter().map(|&reading| (place, reading)).collect::<Vec<_>>()
        };
        let mut readings: Vec<(usize, &'a Reading)> =
            sources.iter().enumerate().flat_map(of_source).collect();
        readings.sort_by_key(|(_, reading)| reading.at);
        let mut hearings: Vec<Self> = Vec::new();
        for (place, reading) in readings {
            match hearings.last_mut() {
                Some(last) if last.takes(place, reading) => last.readings.push((place, reading)),
                _ => hearings.push(Self { at: reading.at, readings: vec![(place, reading)] }),
            }
        }
        hearings
    }

    fn takes(&self, place: usize, reading: &Reading) -> bool {
        let tells = |other: &Reading| reading.values.keys().any(|s| other.values.contains_key(s));
        let twice = self.readings.iter().any(|&(known, other)| known == place && tells(other));
        reading.at - self.at <= AT_ONCE && !twice
    }
}

/// The gauges of all sources together at one moment: those that were heard then.
#[derive(Clone, Debug)]
pub(super) struct Gauged {
    pub(super) at: Offset,
    pub(super) values: BTreeMap<Signal, f64>,
}

impl Gauged {
    /// At each hearing, of the latest that each source told and that still stands: the sum of what adds up, of the KV
    /// cache's usage the greatest, of shares and lengths the mean.
    pub(super) fn all(sources: &[Source<'_>], hearings: &[Hearing<'_>]) -> Vec<Self> {
        let mut latest: Vec<BTreeMap<Signal, (Offset, f64)>> = vec![BTreeMap::new(); sources.len()];
        let gauged = hearings.iter().map(|hearing| {
            let mut told = BTreeMap::new();
            for &(place, reading) in &hearing.readings {
                let gauges = reading.values.iter().filter(|(signal, _)| !signal.is_counter());
                // No gauge lies below 0: one that does is no figure.
                for (&signal, &value) in gauges.filter(|(_, v)| v.is_finite() && **v >= 0.0) {
                    latest[place].insert(signal, (reading.at, value));
                    told.insert(signal, 0.0);
                }
            }
            for (&signal, together) in &mut told {
                let known = sources.iter().zip(&latest);
                let standing = known.filter_map(|(source, latest)| {
                    let &(at, value) = latest.get(&signal)?;
                    source.stands(at, hearing.at).then_some(value)
                });
                *together = combined(signal, standing);
            }
            Self { at: hearing.at, values: told }
        });
        gauged.collect()
    }
}

fn combined(signal: Signal, values: impl Iterator<Item = f64>) -> f64 {
    let (sum, max, n) = values.fold((0.0, f64::NEG_INFINITY, 0.0), |(sum, max, n), value| {
        (sum + value, value.max(max), n + 1.0)
    });
    match signal {
        Signal::KvUsage => max,
        Signal::PrefixHitRate
        | Signal::ExternalHitRate
        | Signal::MultimodalHitRate
        | Signal::AcceptanceLength
        | Signal::AcceptanceRate => sum / n,
        _ => sum,
    }
}

/// Readings of several sources this close to each other are of one moment.
const AT_ONCE: Duration = Duration::from_millis(50);

/// A source that is not heard for so long, and for four times its usual gap, is silent, whether it speaks again or not.
const SILENT: Duration = Duration::from_secs(5);

/// One that is not heard again is silent after so many times its usual gap: two readings and a little.
const MISSED: f64 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::side::testing::{metrics, reading};
    use crate::summary::testing::ms;

    fn gauged(readings: &[Reading]) -> Vec<(Offset, BTreeMap<Signal, f64>)> {
        gauged_despite(readings, &[])
    }

    fn gauged_despite(
        readings: &[Reading],
        remarks: &[Remark],
    ) -> Vec<(Offset, BTreeMap<Signal, f64>)> {
        let sources = Source::all(readings, remarks, Origin::Metrics);
        let all = Gauged::all(&sources, &Hearing::all(&sources));
        all.into_iter().map(|gauged| (gauged.at, gauged.values)).collect()
    }

    #[test]
    fn sources_add_up_from_their_first_reading_on() {
        let running = |at, source, value| reading(at, source, &[(Signal::Running, value)]);
        let readings = [
            running(0, "a", 3.0),
            running(500, "a", 4.0),
            running(520, "b", 10.0),
            running(1_000, "b", 20.0),
        ];
        let sums: Vec<_> =
            gauged(&readings).iter().map(|(at, v)| (*at, v[&Signal::Running])).collect();
        assert_eq!(sums, [(ms(0), 3.0), (ms(500), 14.0), (ms(1_000), 24.0)]);
    }

    #[test]
    fn of_the_cache_the_fullest_counts_and_of_shares_the_mean() {
        let of = |source, usage, rate| {
            reading(0, source, &[(Signal::KvUsage, usage), (Signal::PrefixHitRate, rate)])
        };
        let values = &gauged(&[of("a", 0.9, 0.2), of("b", 0.5, 0.6)])[0].1;
        assert_eq!((values[&Signal::KvUsage], values[&Signal::PrefixHitRate]), (0.9, 0.4));
    }

    /// A source that is read each half second up to a moment, beside one that is read to the end, and what both run then.
    fn beside_one_that_ends(last: u64, remarks: &[Remark]) -> impl Fn(u64) -> f64 + use<> {
        let of = |source, running, last: u64| {
            (0..=last / 500).map(move |i| reading(i * 500, source, &[(Signal::Running, running)]))
        };
        let mut readings: Vec<_> = of("here", 1.0, 12_000).collect();
        readings.extend(of("gone", 100.0, last));
        let told = gauged_despite(&readings, remarks);
        move |at| told.iter().find(|(moment, _)| *moment == ms(at)).unwrap().1[&Signal::Running]
    }

    fn unreachable(at: u64) -> Remark {
        Remark {
            at: ms(at),
            source: "gone".to_owned(),
            kind: RemarkKind::Unreachable,
            detail: "connection refused".to_owned(),
        }
    }

    #[test]
    fn a_source_that_misses_two_readings_no_longer_counts() {
        let at = beside_one_that_ends(4_000, &[]);
        assert_eq!((at(4_000), at(5_000), at(5_500)), (101.0, 101.0, 1.0));
    }

    #[test]
    fn a_source_that_refuses_counts_no_longer_from_that_moment() {
        let at = beside_one_that_ends(4_000, &[unreachable(4_200)]);
        assert_eq!((at(4_000), at(4_500)), (101.0, 1.0));
    }

    #[test]
    fn a_source_that_is_only_slow_counts_until_it_answers() {
        let of = |at: u64| reading(at, "gone", &[(Signal::Running, 100.0)]);
        let mut readings: Vec<_> = (0..=4).map(|i| of(i * 500)).collect();
        readings.push(of(6_000));
        let here = |i: u64| reading(i * 500, "here", &[(Signal::Running, 1.0)]);
        readings.extend((0..=12).map(here));
        let at = |remarks: &[Remark]| {
            let told = gauged_despite(&readings, remarks);
            told.iter().find(|(at, _)| *at == ms(5_000)).unwrap().1[&Signal::Running]
        };
        assert_eq!((at(&[]), at(&[unreachable(5_500)])), (101.0, 1.0));
    }

    #[test]
    fn a_gauge_below_nothing_is_no_figure() {
        let told = gauged(&[reading(0, "a", &[(Signal::Running, -1.0), (Signal::Waiting, 0.0)])]);
        assert_eq!(told[0].1.keys().collect::<Vec<_>>(), [&Signal::Waiting]);
    }

    #[test]
    fn of_a_killed_run_the_load_lasts_until_the_last_reading() {
        let mut log =
            crate::summary::testing::point_log([crate::summary::testing::ok(0, 0, &[300])]);
        log.telemetry = metrics([reading(700, "a", &[])]);
        assert_eq!(Load::of(&Run::of(&log)).end, ms(300));
        log.end = None;
        assert_eq!(Load::of(&Run::of(&log)).end, ms(700));
    }

    #[test]
    fn two_values_of_one_source_are_two_moments_however_close() {
        let readings = [
            reading(0, "a", &[(Signal::Running, 1.0)]),
            reading(0, "a", &[(Signal::Running, 2.0)]),
            reading(0, "a", &[(Signal::AcceptanceLength, 3.0)]),
        ];
        let told = gauged(&readings);
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].1.len(), 2);
    }

    #[test]
    fn readings_out_of_order_are_put_in_order() {
        let readings = [reading(500, "a", &[]), reading(0, "a", &[])];
        let sources = Source::all(&readings, &[], Origin::Metrics);
        assert_eq!(sources[0].readings.iter().map(|r| r.at).collect::<Vec<_>>(), [ms(0), ms(500)]);
    }

    #[test]
    fn without_a_measured_request_all_that_was_heard_is_the_load() {
        let mut log = crate::summary::testing::point_log([]);
        log.telemetry = metrics([reading(700, "a", &[])]);
        let load = Load::of(&Run::of(&log));
        assert_eq!((load.begin, load.end), (ms(0), ms(700)));
    }
}
