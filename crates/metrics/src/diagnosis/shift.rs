//! A level that changed: latencies that rose, or fell, at a moment in mid-run and stayed there.
//!
//! The moment is found by ranks (Pettitt, "A Non-Parametric Approach to the Change-Point Problem", Applied Statistics 28, 1979).
//! Deliberately silent of drifts, which have no moment, of what came and went again, and of what goes with more load or longer prompts. Those
//! that fill the places at the start are left to `warm_up`, and those after whom places stay empty are left out.

use tokometer_record::Offset;

use super::figures::{count, figure, time};
use super::latencies::Met;
use super::telling::median;
use super::{Evidence, Facts, Finding, Severity, Sureness, agreement, latencies, warm_up};
use crate::catalog::{E2E, Metric, Of, TPOT, TTFT};

/// Latencies are of one level before a moment, and of another after it.
pub(super) fn latency_shift(facts: &Facts<'_>) -> Option<Finding> {
    if agreement::server_restarted(facts).is_some() {
        return None;
    }
    let mut shifts = shifts(facts);
    shifts.sort_by(|a, b| b.times().total_cmp(&a.times()));
    let worst = shifts.first()?;
    if !worst.slower() && warm_up::warm_up(facts).is_some() {
        return None;
    }
    let (verb, next) = match worst.slower() {
        true => (
            "rose",
            "Look into the server's log and at its GPUs at that moment: heat or power that throttles them, other work, a replica that was lost, a \
             cache that was full. Until then take each part by itself.",
        ),
        false => (
            "fell",
            "Look into the server's log for what ended at that moment: loading, compiling, other work. If it was the server's start, warm it up \
             for longer; otherwise take each part by itself.",
        ),
    };
    let mut evidence: Vec<Evidence> = shifts.iter().map(Shift::evidence).collect();
    evidence.push(Evidence::new(worst.unchanged()));
    Some(Finding {
        rule: "latency_shift",
        severity: Severity::Misleading,
        sureness: worst.sureness(),
        what: format!(
            "{} {verb} in mid-run, at {}, and stayed there: {} before, {} after. Its mean is of neither.",
            worst.metric.title,
            time(worst.at.as_secs_f64()),
            time(worst.before),
            time(worst.after)
        ),
        evidence,
        next: next.to_owned(),
        points: vec![facts.summary.point.index],
    })
}

/// The metrics whose level changed.
pub(super) fn shifts(facts: &Facts<'_>) -> Vec<Shift> {
    let metrics = latencies::unbent(facts);
    if metrics.is_empty() {
        return Vec::new();
    }
    let met = latencies::without_ends(facts);
    metrics.into_iter().filter_map(|metric| Shift::of(facts, metric, &met)).collect()
}

/// A level that changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    /// Of what.
    pub(super) metric: &'static Metric,
    /// When the first request of the later level started.
    at: Offset,
    /// The median of the earlier requests, in seconds, and how many they are.
    before: f64,
    earlier: usize,
    /// The median of the later ones, and how many they are.
    after: f64,
    later: usize,
    /// Median prompts on either side, in tokens. `None` where they are not known.
    prompts: Option<(f64, f64)>,
    /// What was the same on either side.
    load: Load,
}

/// The load before and after.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// Of a closed loop: how many others requests met when they started, at the median.
    InFlight(f64, f64),
    /// Of a paced one: requests that started in a second.
    Paced(f64, f64),
}

impl Shift {
    fn of(facts: &Facts<'_>, metric: &'static Metric, met: &[Met<'_>]) -> Option<Self> {
        let Of::Request(value) = metric.of else { return None };
        let known: Vec<(Met<'_>, f64)> =
            met.iter().filter_map(|&met| Some((met, value(met.record)?))).collect();
        let values: Vec<f64> = known.iter().map(|&(_, value)| value).collect();
        let change = change_point(&values, side(facts, values.len()))?;
        let sides = Sides { known: &known, change };
        let (low, high) = values.split_at(change);
        let (before, after) = (median(low.iter().copied())?, median(high.iter().copied())?);
        let step = after - before;
        let least = if metric.key == TPOT.key { LEAST_TPOT } else { LEAST };
        let far = before.max(after) >= TIMES * before.min(after) && step.abs() >= least;
        let apart = (latencies::above(low, high)? - 0.5).abs() >= APART - 0.5;
        if !far
            || !apart
            || !flat(low, step)?
            || !flat(high, step)?
            || !abrupt(&values, before, step)
        {
            return None;
        }
        let (load, prompts) = (sides.load(facts)?, sides.medians(|met| met.prompt()));
        let shift = Self {
            metric,
            at: known.get(change)?.0.record.started,
            before,
            earlier: low.len(),
            after,
            later: high.len(),
            prompts,
            load,
        };
        (!sides.explain(&shift) && sides.bear_out(facts, &shift)).then_some(shift)
    }

    /// By how many times it changed, either way.
    fn times(&self) -> f64 {
        self.before.max(self.after) / self.before.min(self.after).max(f64::MIN_POSITIVE)
    }

    fn slower(&self) -> bool {
        self.after > self.before
    }

    /// That there are two levels, the ranks leave no doubt of. Where nobody holds the load, a queue that grew for another reason may look the
    /// same.
    const fn sureness(&self) -> Sureness {
        match (self.prompts, self.load) {
            (None, _) => Sureness::Possible,
            (Some(_), Load::Paced(..)) => Sureness::Likely,
            (Some(_), Load::InFlight(..)) => Sureness::Certain,
        }
    }

    fn evidence(&self) -> Evidence {
        let fact = format!(
            "{}, median: {} of {} requests before, {} of {} after",
            self.metric.title,
            time(self.before),
            count(self.earlier as u64),
            time(self.after),
            count(self.later as u64)
        );
        Evidence::at(fact, self.at)
    }

    /// What might have explained it, and did not.
    fn unchanged(&self) -> String {
        let load = match self.load {
            Load::InFlight(before, after) => {
                format!("requests met {} others before, {} after", figure(before), figure(after))
            }
            Load::Paced(before, after) => {
                format!("{} requests a second before, {} after", figure(before), figure(after))
            }
        };
        match self.prompts {
            Some((before, after)) => {
                format!(
                    "prompts of {} tokens before, {} after; {load}",
                    figure(before),
                    figure(after)
                )
            }
            None => format!("{load}; lengths of prompts are not known"),
        }
    }
}

/// The requests on either side of a moment, in the order in which they started.
struct Sides<'a> {
    known: &'a [(Met<'a>, f64)],
    change: usize,
}

impl Sides<'_> {
    /// A figure of the requests on either side, as far as it is known.
    fn each(&self, figure: impl Fn(&Met<'_>) -> Option<f64>) -> (Vec<f64>, Vec<f64>) {
        let (low, high) = self.known.split_at(self.change);
        let of = |side: &[(Met<'_>, f64)]| side.iter().filter_map(|(met, _)| figure(met)).collect();
        (of(low), of(high))
    }

    fn medians(&self, figure: impl Fn(&Met<'_>) -> Option<f64>) -> Option<(f64, f64)> {
        let (low, high) = self.each(figure);
        Some((median(low)?, median(high)?))
    }

    /// `None` where either side is no time at all.
    fn load(&self, facts: &Facts<'_>) -> Option<Load> {
        let point = &facts.run.point;
        if point.rate.is_none() && !point.open_loop {
            return self
                .medians(|met| Some(met.in_flight))
                .map(|(before, after)| Load::InFlight(before, after));
        }
        let start = |index: usize| Some(self.known.get(index)?.0.record.started);
        let (first, at) = (start(0)?, start(self.change)?);
        let last = start(self.known.len().checked_sub(1)?)?;
        let started = |moment| facts.run.all.partition_point(|record| record.started < moment);
        let rate = |from: Offset, to: Offset| {
            let seconds = (to - from).as_secs_f64();
            (seconds > 0.0).then(|| (started(to) - started(from)) as f64 / seconds)
        };
        Some(Load::Paced(rate(first, at)?, rate(at, last)?))
    }

    /// Whether something known of the requests changed at that moment too, in the way that explains it.
    fn explain(&self, shift: &Shift) -> bool {
        let towards = if shift.slower() { 1.0 } else { -1.0 };
        let goes_with = |(low, high): (Vec<f64>, Vec<f64>)| {
            latencies::above(&low, &high).is_some_and(|above| towards * (above - 0.5) >= TELLING)
        };
        let load = match shift.load {
            Load::InFlight(..) => goes_with(self.each(|met| Some(met.in_flight))),
            Load::Paced(before, after) if shift.slower() => after >= MORE_LOAD * before,
            Load::Paced(before, after) => before >= MORE_LOAD * after,
        };
        // What was cached is not computed: fewer cached tokens are slower.
        let computed =
            |met: &Met<'_>| met.record.prompt_tokens.cached.map(|cached| -f64::from(cached));
        load || goes_with(self.each(|met| met.prompt()))
            || goes_with(self.each(computed))
            || (shift.metric.key == E2E.key && goes_with(self.each(|met| met.output())))
    }

    /// Whether requests as a whole became slower by it. Places of a closed loop that march in step wait for each other's prompts, and out of
    /// step they do not: then outputs take the longer for it. Where outputs are of many lengths, nothing marches in step.
    fn bear_out(&self, facts: &Facts<'_>, shift: &Shift) -> bool {
        let (Of::Request(whole), true) = (E2E.of, shift.metric.key == TTFT.key) else {
            return true;
        };
        let several = facts.run.point.concurrency != Some(1);
        let mut outputs: Vec<f64> = self.known.iter().filter_map(|(met, _)| met.output()).collect();
        outputs.sort_unstable_by(f64::total_cmp);
        let at = |tenth: usize| outputs.get(outputs.len() * tenth / 10).copied();
        let varied = at(1).zip(at(9)).is_some_and(|(short, long)| long > VARIED * short);
        if !several || varied {
            return true;
        }
        let step = shift.after - shift.before;
        self.medians(|met| whole(met.record)).is_some_and(|(before, after)| {
            (after - before) * step.signum() >= step.abs() * BORNE_OUT
        })
    }
}

/// How many of so many requests either side must have: of a closed loop also those of some waves, for the first march in step.
fn side(facts: &Facts<'_>, looked_at: usize) -> usize {
    let share = looked_at as f64 / (facts.summary.counts.succeeded as f64).max(1.0);
    SIDE.max((WAVES * latencies::first_wave(facts) as f64 * share) as usize)
}

/// Before which value a level changes most: how many are of the earlier one. `None` if none of so many values in no order at all would
/// leave it as likely, or if either side has too few.
fn change_point(values: &[f64], side: usize) -> Option<usize> {
    if values.len() < 2 * side {
        return None;
    }
    let n = values.len() as f64;
    let (mut sum, mut best) = (0.0, (0.0_f64, 0));
    for (index, rank) in latencies::ranks(values).into_iter().enumerate() {
        sum += 2.0 * rank - (n + 1.0);
        if sum.abs() > best.0 {
            best = (sum.abs(), index + 1);
        }
    }
    let chance = 2.0 * (-6.0 * best.0 * best.0 / (n.powi(3) + n.powi(2))).exp();
    let enough = best.1.min(values.len() - best.1) >= side;
    (chance <= BY_CHANCE && enough).then_some(best.1)
}

/// Whether a side stays on its level: its halves differ by little beside the step.
fn flat(side: &[f64], step: f64) -> Option<bool> {
    let (first, second) = side.split_at(side.len() / 2);
    let apart = median(second.iter().copied())? - median(first.iter().copied())?;
    Some(apart.abs() <= FLAT * step.abs())
}

/// Whether few values lie between the levels: a queue that builds up, and a drift, pass through.
fn abrupt(values: &[f64], before: f64, step: f64) -> bool {
    let between = |&&value: &&f64| {
        let way = (value - before) / step;
        0.25 < way && way < 0.75
    };
    values.iter().filter(between).count() as f64 <= BETWEEN * values.len() as f64
}

/// The least requests on either side: a median of fewer is an accident.
pub(super) const SIDE: usize = 10;

/// … and those of so many waves of places, the first wave not counted.
pub(super) const WAVES: f64 = 2.0;

/// A change as great in values without any order comes about once in a hundred runs (Pettitt's approximation). Latencies have some order:
/// the other conditions are for that.
pub(super) const BY_CHANCE: f64 = 0.01;

/// Levels are this many times apart, median to median.
pub(super) const TIMES: f64 = 1.5;

/// … and so many seconds: below that, timers and networks are …
pub(super) const LEAST: f64 = 0.005;

/// … of which a time per output token has fewer, being a mean.
pub(super) const LEAST_TPOT: f64 = 0.002;

/// In nine of ten pairs of an earlier and a later request the later one is slower (or faster): half would be chance.
pub(super) const APART: f64 = 0.9;

/// The halves of a side differ by at most this share of the step. Of an even drift it is a half.
pub(super) const FLAT: f64 = 0.25;

/// At most this share of the values lies in the middle half between the levels. Of an even drift it is a quarter.
pub(super) const BETWEEN: f64 = 0.2;

/// Something goes with the change if in three of four pairs it is greater of the slower request: by chance it is in two.
pub(super) const TELLING: f64 = 0.25;

/// A quarter more requests a second are another load.
pub(super) const MORE_LOAD: f64 = 1.25;

/// Nine in ten outputs may be up to this many times as long as one in ten is at most, and places still march in step.
const VARIED: f64 = 2.0;

/// Whole requests became slower by at least this share of what first tokens did.
const BORNE_OUT: f64 = 0.5;

#[cfg(test)]
mod tests {
    use tokometer_record::{PointLog, Record};

    use super::*;
    use crate::diagnosis::testing::{finding, found, second, silent};
    use crate::summary::testing::{ok, point_log, probed};
    use crate::{Run, ServerSide};

    /// One request after the other with these TTFTs in milliseconds; each has a second token 50 ms later.
    fn log(ttfts: impl IntoIterator<Item = u64>) -> PointLog {
        let mut at = 0;
        let mut log = point_log((0..).zip(ttfts).map(|(index, ttft)| {
            at += ttft + 50;
            ok(index, at - ttft - 50, &[at - 50, at])
        }));
        log.point.concurrency = Some(1);
        probed(log, 100_000, 200_000)
    }

    fn stepping(from: u64, to: u64) -> PointLog {
        log((0..60).map(|i| i % 3 + if i < 25 { from } else { to }))
    }

    fn quiet(log: &PointLog) {
        silent(latency_shift, log, ServerSide::default());
    }

    #[test]
    fn a_level_that_rises_and_stays_is_told_with_its_moment() {
        let found = finding(latency_shift, &stepping(50, 500), ServerSide::default());
        assert_eq!((found.severity, found.sureness), (Severity::Misleading, Sureness::Certain));
        assert_eq!(
            found.what,
            "Time to first token rose in mid-run, at 2.52 s, and stayed there: 51 ms before, 501 ms after. Its mean is of neither."
        );
        assert_eq!(
            found.evidence,
            [
                Evidence::at(
                    "Time to first token, median: 51 ms of 24 requests before, 501 ms of 34 after",
                    second(2.524)
                ),
                Evidence::new(
                    "prompts of 10 tokens before, 10 after; requests met 0 others before, 0 after"
                ),
            ]
        );
    }

    #[test]
    fn a_level_that_falls_is_told_as_that() {
        let found = finding(latency_shift, &stepping(500, 50), ServerSide::default());
        assert!(found.what.starts_with("Time to first token fell in mid-run"), "{}", found.what);
    }

    #[test]
    fn a_small_change_is_none() {
        finding(latency_shift, &stepping(50, 78), ServerSide::default());
        quiet(&stepping(50, 74));
        quiet(&log((0..60).map(|i| if i < 30 { 4 } else { 8 })));
    }

    #[test]
    fn both_sides_need_ten_requests() {
        // One request each at the beginning and at the end is left out.
        let with = |early: u64| log((0..60).map(|i| if i < early { 50 } else { 500 }));
        finding(latency_shift, &with(11), ServerSide::default());
        quiet(&with(10));
        quiet(&with(50));
        finding(latency_shift, &with(49), ServerSide::default());
    }

    #[test]
    fn both_sides_need_two_waves_besides_the_first() {
        // Sixteen places, each handed on as its request ends: after so many waves requests take 700 ms and no longer 400 ms.
        let with = |early: u64| {
            let mut log = point_log((0..160).map(|i| {
                let (wave, place) = (i / 16, i % 16);
                let from = wave.min(early) * 400 + wave.saturating_sub(early) * 700 + place * 20;
                let first = from + if wave < early { 50 } else { 350 };
                ok(i, from, &[first, first + 350])
            }));
            log.point.concurrency = Some(16);
            probed(log, 100_000, 200_000)
        };
        finding(latency_shift, &with(3), ServerSide::default());
        quiet(&with(2));
    }

    #[test]
    fn a_drift_and_what_comes_and_goes_have_no_moment() {
        quiet(&log((0..80).map(|i| 50 + i * 10)));
        quiet(&log((0..90).map(|i| if (30..60).contains(&i) { 500 } else { 50 })));
        quiet(&log((0..90).map(|i| if i % 2 == 0 { 500 } else { 50 })));
    }

    #[test]
    fn longer_prompts_from_then_on_explain_it_and_shorter_ones_do_not() {
        let with = |early: u32, late: u32| {
            let mut log = stepping(50, 500);
            for record in &mut log.records {
                record.prompt_tokens.server = Some(if record.index < 25 { early } else { late });
            }
            log
        };
        quiet(&with(100, 1_000));
        finding(latency_shift, &with(1_000, 100), ServerSide::default());
    }

    #[test]
    fn prompts_that_are_cached_from_then_on_explain_that_it_falls() {
        let mut log = stepping(500, 50);
        for record in &mut log.records {
            record.prompt_tokens.cached = Some(if record.index < 25 { 0 } else { 9 });
        }
        quiet(&log);
    }

    #[test]
    fn without_lengths_it_is_possible() {
        let mut log = stepping(50, 500);
        log.records.iter_mut().for_each(|record| record.prompt_tokens = Default::default());
        let found = finding(latency_shift, &log, ServerSide::default());
        assert_eq!(found.sureness, Sureness::Possible);
    }

    /// Requests by schedule: such an interval and such a TTFT before the fortieth, and after it.
    fn paced(intervals: (u64, u64), ttfts: (u64, u64)) -> PointLog {
        let mut at = 0;
        let records: Vec<Record> = (0..80)
            .map(|i| {
                let (interval, ttft) =
                    if i < 40 { (intervals.0, ttfts.0) } else { (intervals.1, ttfts.1) };
                at += interval;
                ok(i, at, &[at + ttft, at + ttft + 100])
            })
            .collect();
        let mut log = point_log(records);
        log.point.open_loop = true;
        probed(log, 100_000, 200_000)
    }

    #[test]
    fn more_load_from_then_on_explains_it() {
        let found = finding(latency_shift, &paced((200, 200), (50, 500)), ServerSide::default());
        assert_eq!(found.sureness, Sureness::Likely);
        assert!(found.evidence[1].fact.ends_with("; 5 requests a second before, 5 after"));
        quiet(&paced((200, 100), (50, 500)));
    }

    #[test]
    fn places_that_fall_out_of_step_are_no_change() {
        // Ten places: while they march in step, each waits for the prompts of those before it, and has its output the sooner for it.
        let records = (0..200).map(|i| {
            let (wave, place) = (i / 10, i % 10);
            let from = wave * 1_000 + if wave < 10 { 0 } else { place * 100 };
            let first = from + if wave < 10 { 300 + place } else { 30 };
            ok(i, from, &[first, from + 999])
        });
        let mut log = point_log(records);
        log.point.concurrency = Some(10);
        quiet(&log);
    }

    #[test]
    fn a_client_that_was_late_and_a_server_that_restarted_have_other_reasons() {
        quiet(&probed(stepping(50, 500), 900_000_000, 900_000_000));
        let side = ServerSide { resets: vec![second(2.5)], ..ServerSide::default() };
        silent(latency_shift, &stepping(50, 500), side);
    }

    #[test]
    fn times_per_output_token_shift_too() {
        let mut at = 0;
        let records: Vec<Record> = (0..60)
            .map(|i| {
                let (from, gap) = (at, if i < 30 { 10 } else { 25 });
                let chunks: Vec<u64> = (0..20).map(|chunk| from + 40 + chunk * gap).collect();
                at = from + 40 + 19 * gap;
                ok(i, from, &chunks)
            })
            .collect();
        let mut log = probed(point_log(records), 100_000, 200_000);
        log.point.concurrency = Some(1);
        let found = found(latency_shift, &log, ServerSide::default()).unwrap();
        assert!(found.what.contains("10 ms before, 25 ms after"), "{}", found.what);
        let mut summary = crate::summary::summarize(&log);
        summary.findings.clear();
        let shifts = shifts(&Facts { run: &Run::of(&log), summary: &summary });
        assert_eq!(shifts.iter().map(|shift| shift.metric.key).collect::<Vec<_>>(), [TPOT.key]);
    }

    #[test]
    fn a_hundred_thousand_requests_are_looked_at_by_a_sample() {
        let log = log((0..100_000).map(|i| if i < 40_000 { 50 } else { 500 }));
        let found = finding(latency_shift, &log, ServerSide::default());
        assert!(
            found.evidence[0].fact.contains("of 8,000 requests before"),
            "{}",
            found.evidence[0].fact
        );
    }
}
