//! Latencies that vary more than anything known of the requests explains: in two modes, or without any.
//!
//! Only requests of the steady part are looked at, or all of a short run. What goes with the length of prompts or outputs, with the requests ahead or in
//! flight, with cached tokens or with time is explained, and silent here: lengths are what was asked for, and queueing is another
//! rule's. A queue may not show in the requests ahead, where many start at once and their order is not known: but nobody who started
//! later gets a first token before the slow ones of a queue. Deliberately no test of normality: no latency is normal, and nobody is
//! misled by that.

use super::figures::{count, percent, time};
use super::latencies::{self, Met};
use super::{Evidence, Facts, Finding, Severity, Sureness, shift, warm_up};
use crate::Unsteady;
use crate::catalog::{Metric, Of, TPOT};
use crate::quantile::{Percentile, linear};

/// Latencies have two modes, and nothing known of the requests tells which of them a request is in.
pub(super) fn bimodal_latencies(facts: &Facts<'_>) -> Option<Finding> {
    let samples = samples(facts);
    let found: Vec<(&Latencies<'_>, Modes)> =
        samples.iter().filter_map(|sample| Some((sample, modes(sample)?))).collect();
    let (sample, worst) =
        found.iter().max_by(|a, b| a.1.times().total_cmp(&b.1.times())).map(|(s, m)| (*s, m))?;
    let told = |(sample, modes): &(&Latencies<'_>, Modes)| {
        format!(
            "{} of {} requests: {} at about {}, {} at about {}, hardly any in between",
            sample.metric.title,
            count(sample.values.len() as u64),
            percent(1.0 - modes.slow_share),
            time(modes.fast),
            percent(modes.slow_share),
            time(modes.slow)
        )
    };
    let mut evidence: Vec<Evidence> = found.iter().map(told).map(Evidence::new).collect();
    evidence.push(Evidence::new(sample.unexplained(worst.border)));
    Some(Finding {
        rule: "bimodal_latencies",
        severity: Severity::Misleading,
        sureness: sample.sureness(),
        what: format!(
            "{} has two modes: {} of the requests take about {}, {} about {}. Its mean is of neither.",
            sample.metric.title,
            percent(1.0 - worst.slow_share),
            time(worst.fast),
            percent(worst.slow_share),
            time(worst.slow)
        ),
        evidence,
        next: format!(
            "Look for {}: the request ids of the slow ones tell in the server's log. Until then read percentiles and no means.",
            match sample.metric.key == TPOT.key {
                true =>
                    "servers of different speed behind the address, or other work on the GPUs of some of them",
                false =>
                    "servers of different speed behind the address, prompts of which only some are cached, or a slow way through a router",
            }
        ),
        points: vec![facts.summary.point.index],
    })
}

/// Latencies vary strongly, without modes, and nothing known of the requests explains it.
pub(super) fn noisy_latencies(facts: &Facts<'_>) -> Option<Finding> {
    let samples = samples(facts);
    if samples.iter().any(|sample| modes(sample).is_some()) {
        return None;
    }
    let found = samples.iter().filter_map(|sample| Some((sample, Noise::of(sample)?)));
    let (sample, noise) = found.max_by(|a, b| a.1.excess.total_cmp(&b.1.excess))?;
    Some(Finding {
        rule: "noisy_latencies",
        severity: Severity::Misleading,
        sureness: sample.sureness(),
        what: format!(
            "{} varies strongly from request to request: one in twenty is below {}, one in twenty above {}, the median is {}.",
            sample.metric.title,
            time(noise.low),
            time(noise.high),
            time(noise.median)
        ),
        evidence: vec![
            Evidence::new(format!(
                "{} of {} requests of the steady part: {} at p5, {} at p50, {} at p95",
                sample.metric.title,
                count(sample.values.len() as u64),
                time(noise.low),
                time(noise.median),
                time(noise.high)
            )),
            Evidence::new(format!(
                "means of its ten tenths, in the order in which they started: from {} to {}",
                time(noise.tenths.0),
                time(noise.tenths.1)
            )),
            Evidence::new(sample.unexplained(noise.slowest)),
        ],
        next: "Look for other work on the server's GPUs and hosts, limits of power and heat, and the network; and repeat the run \
               before its means are compared with another's."
            .to_owned(),
        points: vec![facts.summary.point.index],
    })
}

/// The values of a metric over the steady part.
struct Latencies<'a> {
    metric: &'static Metric,
    values: Vec<(Met<'a>, f64)>,
}

/// The latencies to be looked at: those that nothing else bends, and whose level did not change for good.
fn samples<'a>(facts: &Facts<'a>) -> Vec<Latencies<'a>> {
    let mut metrics = latencies::unbent(facts);
    let shifts = shift::shifts(facts);
    metrics.retain(|metric| shifts.iter().all(|shift| shift.metric.key != metric.key));
    let mut met = latencies::steady(facts);
    let drifts = facts.summary.steady == Err(Unsteady::Drifting);
    // Of a short run all tell more, unless the first ones are told of as that.
    if met.len() < MODES_FAR_APART_NEED && !drifts && warm_up::warm_up(facts).is_none() {
        met = latencies::sampled(latencies::all(facts.run));
    }
    let sample = |metric: &'static Metric| {
        let Of::Request(value) = metric.of else { return None };
        let values = met.iter().filter_map(|&met| Some((met, value(met.record)?))).collect();
        Some(Latencies { metric, values })
    };
    metrics.into_iter().filter_map(sample).collect()
}

impl Latencies<'_> {
    fn sorted(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.values.iter().map(|&(_, value)| value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// For each of [`EXPLANATIONS`] that is known of requests, what `of` makes of the pairs of it and the latency.
    fn each_explanation(&self, of: impl Fn(&[(f64, f64)]) -> Option<f64>) -> Vec<f64> {
        let pairs = |explanation: &Explanation| -> Vec<(f64, f64)> {
            let pair = |(met, value): &(Met<'_>, f64)| Some((explanation.of(met)?, *value));
            self.values.iter().filter_map(pair).collect()
        };
        EXPLANATIONS.iter().filter_map(|explanation| of(&pairs(explanation))).collect()
    }

    fn knows_prompts(&self) -> bool {
        self.values.iter().all(|(met, _)| met.prompt().is_some())
    }

    fn sureness(&self) -> Sureness {
        if self.knows_prompts() { Sureness::Likely } else { Sureness::Possible }
    }

    /// What was looked at in vain, and how many of those slower than this were in no line.
    fn unexplained(&self, border: f64) -> String {
        let lengths = match self.knows_prompts() {
            true => "neither lengths",
            false => "lengths of prompts are not known; neither those of outputs",
        };
        let share = self.out_of_line(border).filter(|_| self.waits());
        let line = share.map_or_else(String::new, |share| {
            format!("; {} of the slow ones were alone, or overtaken by later ones", percent(share))
        });
        format!("{lengths}, nor requests ahead or in flight, nor time go with it{line}")
    }

    /// Whether it contains the wait for a place.
    fn waits(&self) -> bool {
        self.metric.key != TPOT.key
    }

    /// Of those slower than this, the share for which no queue made them wait.
    fn out_of_line(&self, border: f64) -> Option<f64> {
        let slow = self.values.iter().filter(|(_, value)| *value > border);
        let (all, out) = slow.fold((0_u64, 0_u64), |(all, out), (met, _)| {
            (all + 1, out + u64::from(met.out_of_line))
        });
        (all > 0).then(|| out as f64 / all as f64)
    }

    /// Whether those slower than this may all have waited in one line.
    fn may_queue(&self, border: f64) -> bool {
        self.waits() && self.out_of_line(border).is_none_or(|share| share < OUT_OF_LINE)
    }
}

/// Something that may explain a request's latency.
#[derive(Clone, Copy, Debug)]
enum Explanation {
    Prompt,
    Output,
    Cached,
    Ahead,
    InFlight,
    Time,
}

const EXPLANATIONS: [Explanation; 6] = {
    use Explanation::*;
    [Prompt, Output, Cached, Ahead, InFlight, Time]
};

impl Explanation {
    fn of(self, met: &Met<'_>) -> Option<f64> {
        match self {
            Self::Prompt => met.prompt(),
            Self::Output => met.output(),
            Self::Cached => met.record.prompt_tokens.cached.map(f64::from),
            Self::Ahead => Some(met.ahead),
            Self::InFlight => Some(met.in_flight),
            Self::Time => Some(met.record.started.as_secs_f64()),
        }
    }
}

/// Two modes of a latency.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Modes {
    /// The median of the fast ones, in seconds.
    fast: f64,
    /// The median of the slow ones.
    slow: f64,
    /// Which share the slow ones are.
    slow_share: f64,
    /// What lies between them.
    border: f64,
}

impl Modes {
    fn times(&self) -> f64 {
        self.slow / self.fast
    }
}

/// The modes of latencies, where nothing explains which of them a request is in.
fn modes(sample: &Latencies<'_>) -> Option<Modes> {
    let modes = Modes::of(&sample.sorted())?;
    let tells = |pairs: &[(f64, f64)]| {
        let of = |slow: bool| {
            let these = pairs.iter().filter(|&&(_, value)| (value > modes.border) == slow);
            these.map(|&(explanation, _)| explanation).collect::<Vec<f64>>()
        };
        Some((latencies::above(&of(false), &of(true))? - 0.5).abs())
    };
    let explained = sample.each_explanation(tells).iter().any(|&told| told >= TELLING);
    (!explained && !sample.may_queue(modes.border)).then_some(modes)
}

impl Modes {
    /// By the split of their logarithms that leaves the least variance within its halves (Fisher 1958; Otsu 1979), if those are far apart with
    /// nothing between them, or there is a valley. Any values can be split, a uniform spread too: but around its middle as many lie as
    /// around the medians of its halves, and of a spread with one mode there are more.
    fn of(sorted: &[f64]) -> Option<Self> {
        if sorted.len() < MODES_FAR_APART_NEED || sorted.first().is_none_or(|&least| least <= 0.0) {
            return None;
        }
        let logs: Vec<f64> = sorted.iter().map(|value| value.ln()).collect();
        let (fast, slow) = logs.split_at(split(&logs)?);
        let (low, high) = (linear(fast, Percentile::P50)?, linear(slow, Percentile::P50)?);
        let (fastest, slowest) = (fast.last()?.exp(), slow.first()?.exp());
        let modes = Self {
            fast: low.exp(),
            slow: high.exp(),
            slow_share: slow.len() as f64 / logs.len() as f64,
            border: f64::midpoint(fastest, slowest),
        };
        let few = fast.len().min(slow.len());
        let apart = modes.times() >= APART && modes.slow - modes.fast >= LEAST;
        let both = few as f64 >= LEAST_SHARE * logs.len() as f64;
        let void = modes.times() >= FAR_APART && slowest >= VOID * fastest && few >= LEAST_MODE;
        (apart && both && (void || valley(&logs, low, high))).then_some(modes)
    }
}

/// Whether many ascending values lie around either of two centres, and few around the middle between them.
fn valley(values: &[f64], low: f64, high: f64) -> bool {
    let around = |centre: f64| {
        let reach = (high - low) / 6.0;
        let to = values.partition_point(|&value| value <= centre + reach);
        (to - values.partition_point(|&value| value < centre - reach)) as f64
    };
    let (middle, peak) = (around(f64::midpoint(low, high)), around(low).min(around(high)));
    values.len() >= MODES_NEED && peak >= LEAST_PEAK && middle <= VALLEY * peak
}

/// Where to split ascending values so that the variance between the halves is greatest: how many are in the first. `None` if all are equal.
fn split(values: &[f64]) -> Option<usize> {
    let n = values.len() as f64;
    let total: f64 = values.iter().sum();
    let (mut sum, mut best) = (0.0, (0.0, None));
    for (index, value) in values.iter().enumerate().take(values.len().saturating_sub(1)) {
        sum += value;
        let count = (index + 1) as f64;
        let between = count * (n - count) * (sum / count - (total - sum) / (n - count)).powi(2);
        if between > best.0 && values[index + 1] > *value {
            best = (between, Some(index + 1));
        }
    }
    best.1
}

/// A spread without modes.
struct Noise {
    low: f64,
    median: f64,
    high: f64,
    /// The 90th percentile: what is above it is looked at for a queue.
    slowest: f64,
    /// By how many times it is wider than it may be.
    excess: f64,
    /// The least and the greatest of the means of its tenths.
    tenths: (f64, f64),
}

impl Noise {
    /// `None` where the spread is not wide, or where something explains a good part of it.
    fn of(sample: &Latencies<'_>) -> Option<Self> {
        let sorted = sample.sorted();
        if sorted.len() < NOISE_NEEDS {
            return None;
        }
        let at = |percentile| linear(&sorted, percentile);
        let (low, median, high) = (at(Percentile::P5)?, at(Percentile::P50)?, at(Percentile::P95)?);
        let wide = if sample.metric.key == TPOT.key { WIDE_TPOT } else { WIDE };
        let excess = (high - low) / (wide * median.max(f64::MIN_POSITIVE));
        if excess < 1.0 || high - low < LEAST {
            return None;
        }
        let squared = |pairs: &[(f64, f64)]| latencies::correlation(pairs).map(|rho| rho * rho);
        let explained: f64 = sample.each_explanation(squared).iter().sum();
        // Two modes that something explains are no noise either, and nor is a line of which nobody knows the order.
        let slowest = at(Percentile::P90)?;
        if explained >= EXPLAINED || Modes::of(&sorted).is_some() || sample.may_queue(slowest) {
            return None;
        }
        let tenth = sample.values.len().div_ceil(10);
        let means = sample
            .values
            .chunks(tenth)
            .map(|tenth| tenth.iter().map(|&(_, value)| value).sum::<f64>() / tenth.len() as f64);
        let tenths =
            means.fold((f64::INFINITY, 0.0_f64), |of, mean| (of.0.min(mean), of.1.max(mean)));
        Some(Self { low, median, high, slowest, excess, tenths })
    }
}

/// Modes are this many times apart, median to median: less than that, a step more or less can be.
pub(super) const APART: f64 = 1.5;

/// … and seconds: below that, timers and networks are.
pub(super) const LEAST: f64 = 0.002;

/// The smaller mode has at least this share of the requests: fewer are a tail.
pub(super) const LEAST_SHARE: f64 = 0.1;

/// At least so many requests lie around either median …
pub(super) const LEAST_PEAK: f64 = 10.0;

/// … and around the middle between them at most this share of that. Of a uniform spread it is 1, of a normal one 1.4, of two normal ones
/// that are five deviations apart 0.16.
pub(super) const VALLEY: f64 = 0.2;

/// So many requests, and a uniform spread has ten around either median: it has a valley as deep by chance in fewer than one of a hundred runs.
pub(super) const MODES_NEED: usize = 60;

/// With modes as far apart as this, median to median …
pub(super) const FAR_APART: f64 = 5.0;

/// … and the least of the slow ones this many times the greatest of the fast ones …
pub(super) const VOID: f64 = 4.0;

/// … so many in the smaller mode are enough …
pub(super) const LEAST_MODE: usize = 4;

/// … of so many requests: a spread with a long tail has such a void above its fastest four by chance in fewer than one of a hundred runs.
pub(super) const MODES_FAR_APART_NEED: usize = 20;

/// Something tells the modes apart if in three of four pairs of a slow and a fast request it is greater (or less) of the slow one: by
/// chance it is in two.
pub(super) const TELLING: f64 = 0.25;

/// At least this share of the slow ones were alone or overtaken by later ones: in one line that first come are served first in, nobody is.
const OUT_OF_LINE: f64 = 0.25;

/// From so many medians between p5 and p95 on, latencies are noisy. Of a uniform spread from nothing on it is 1.8, of a log-normal one
/// whose deviation is its mean 3.6.
pub(super) const WIDE: f64 = 2.5;

/// The same for TPOT, which is a mean over a whole output and varies less.
pub(super) const WIDE_TPOT: f64 = 1.0;

/// If rank correlations of a spread with what is known of its requests have squares that sum up to this, a good part of it is explained. The
/// sum counts twice what two of them explain together: it errs to silence.
pub(super) const EXPLAINED: f64 = 0.25;

/// A p5 and a p95 with five requests beyond either.
pub(super) const NOISE_NEEDS: usize = 100;

#[cfg(test)]
mod tests {
    use tokometer_record::{PointLog, Record, Signal};

    use super::*;
    use crate::server::{Cache, Level};
    use crate::summary::testing::{ok, point_log, probed};
    use crate::summary::{PointSummary, summarize};
    use crate::{Run, Unsteady};

    /// Requests one after the other with these TTFTs in milliseconds, each with a second token 10 ms later.
    fn log(ttfts: impl IntoIterator<Item = u64>) -> PointLog {
        let mut at = 0;
        let mut log = point_log((0..).zip(ttfts).map(|(index, ttft)| {
            at += ttft + 10;
            ok(index, at - ttft - 10, &[at - 10, at])
        }));
        log.point.concurrency = Some(1);
        log
    }

    fn found(log: &PointLog, change: impl Fn(&mut PointSummary)) -> Vec<Finding> {
        let mut summary = summarize(log);
        summary.findings.clear();
        summary.steady = Err(Unsteady::TooFew);
        change(&mut summary);
        let run = Run::of(log);
        let facts = Facts { run: &run, summary: &summary };
        [bimodal_latencies(&facts), noisy_latencies(&facts)].into_iter().flatten().collect()
    }

    fn rules(log: &PointLog) -> Vec<&'static str> {
        found(log, |_| {}).iter().map(|finding| finding.rule).collect()
    }

    /// Numbers from 0 to 999 that look drawn, and always are the same.
    fn drawn(index: u64) -> u64 {
        index
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            >> 20
            & 0xffff_ffff
    }

    fn share(index: u64) -> f64 {
        drawn(index) as f64 / f64::from(u32::MAX)
    }

    fn two_modes(n: u64) -> PointLog {
        log((0..n).map(|i| drawn(i + 7_000) % 11 + if share(i) < 0.3 { 550 } else { 50 }))
    }

    #[test]
    fn two_modes_are_told_with_their_shares() {
        let findings = found(&two_modes(300), |_| {});
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.rule, finding.sureness), ("bimodal_latencies", Sureness::Likely));
        assert_eq!(
            finding.what,
            "Time to first token has two modes: 68.8 % of the requests take about 54 ms, 31.2 % about 556 ms. Its mean is of neither."
        );
    }

    #[test]
    fn modes_that_lengths_explain_are_what_was_asked_for() {
        let mut log = two_modes(300);
        for record in &mut log.records {
            let slow = (record.first().unwrap() - record.started).as_millis() > 300;
            record.prompt_tokens.server = Some(if slow { 4_000 } else { 100 });
        }
        assert_eq!(rules(&log), [""; 0]);
    }

    #[test]
    fn without_lengths_two_modes_are_possible() {
        let mut log = two_modes(300);
        log.records.iter_mut().for_each(|record| record.prompt_tokens = Default::default());
        let findings = found(&log, |_| {});
        assert_eq!(findings.iter().map(|f| f.sureness).collect::<Vec<_>>(), [Sureness::Possible]);
    }

    #[test]
    fn a_server_that_became_slower_has_no_modes() {
        assert_eq!(rules(&log((0..300).map(|i| if i < 150 { 50 } else { 550 }))), [""; 0]);
    }

    #[test]
    fn modes_of_a_queue_are_a_queue() {
        // Every 100 ms ten at once, of which five are answered at once and five after those.
        let records: Vec<Record> = (0..300)
            .map(|i| {
                let from = i / 10 * 100;
                let ttft = if i % 10 < 5 { 20 } else { 60 };
                ok(i, from, &[from + ttft, from + ttft + 20])
            })
            .collect();
        let mut log = point_log(records);
        log.point.concurrency = Some(10);
        assert_eq!(rules(&log), [""; 0]);
    }

    #[test]
    fn modes_of_many_who_start_at_once_may_be_a_queue_in_an_order_that_nobody_knows() {
        // As above, but which of ten are first differs each time; then the same with the next ten already there while they wait.
        let records = |every: u64| -> Vec<Record> {
            (0..300)
                .map(|i| {
                    let from = i / 10 * every;
                    let ttft = if (i * 7 + i / 10) % 10 < 5 { 20 } else { 60 };
                    ok(i, from, &[from + ttft, from + ttft + 20])
                })
                .collect()
        };
        let rules_of = |every| {
            let mut log = point_log(records(every));
            log.point.concurrency = Some(10);
            rules(&log)
        };
        assert_eq!(rules_of(100), [""; 0]);
        assert_eq!(rules_of(30), ["bimodal_latencies"]);
    }

    #[test]
    fn a_wide_spread_without_modes_is_noise() {
        // Exponential, by its inverse: −ln(u) · 100 ms.
        let exponential = |n| log((0..n).map(|i| (-share(i).max(1e-9).ln() * 100.0) as u64 + 1));
        let findings = found(&exponential(400), |_| {});
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.rule, "noisy_latencies");
        assert_eq!(finding.evidence.len(), 3);
        assert_eq!(rules(&exponential(101)), [""; 0], "99 requests of the steady part");
    }

    #[test]
    fn a_uniform_spread_is_neither_noise_nor_modes() {
        assert_eq!(rules(&log((0..400).map(|i| (share(i) * 200.0) as u64 + 1))), [""; 0]);
        assert_eq!(rules(&log((0..400).map(|_| 50))), [""; 0]);
    }

    #[test]
    fn what_waits_is_cached_in_part_or_drifts_is_left_to_others() {
        let told = |change: &dyn Fn(&mut PointSummary)| found(&two_modes(300), change).len();
        assert_eq!(told(&|_| {}), 1);
        let waiting = Level { mean: 3.0, ..Level::default() };
        assert_eq!(told(&|summary| summary.side.levels = [(Signal::Waiting, waiting)].into()), 0);
        let cache = |hits| Some(Cache { queries: 100.0, hits, ..Cache::default() });
        assert_eq!(told(&|summary| summary.side.prefix_cache = cache(30.0)), 0);
        assert_eq!(told(&|summary| summary.side.prefix_cache = cache(1.0)), 1);
        assert_eq!(told(&|summary| summary.steady = Err(Unsteady::Drifting)), 0);
        assert_eq!(rules(&probed(two_modes(300), 900_000_000, 900_000_000)), [""; 0]);
    }

    #[test]
    fn a_few_requests_have_no_modes_unless_they_are_far_apart() {
        let near =
            |n| rules(&log((0..n).map(|i| drawn(i) % 11 + if i % 3 == 1 { 200 } else { 50 })));
        assert_eq!(near(61), [""; 0], "59 requests of the steady part");
        assert_eq!(near(62), ["bimodal_latencies"]);
        assert_eq!(rules(&two_modes(0)), [""; 0]);
    }

    #[test]
    fn of_a_short_run_all_requests_tell_and_four_far_apart_are_enough() {
        let far = |n, fifth| rules(&log((0..n).map(|i| if i % 5 == 2 { fifth } else { 50 })));
        assert_eq!(far(60, 1_550), ["bimodal_latencies"]);
        assert_eq!(far(20, 1_550), ["bimodal_latencies"]);
        assert_eq!(far(19, 1_550), [""; 0]);
        assert_eq!(far(20, 240), [""; 0]);
        let three = (0..20).map(|i| if [3, 9, 15].contains(&i) { 1_550 } else { 50 });
        assert_eq!(rules(&log(three)), [""; 0]);
    }

    #[test]
    fn a_long_tail_of_few_requests_is_seldom_two_modes() {
        // Exponential, by its inverse: twenty of them, two thousand times. The numbers are of SplitMix64 (Steele and others, 2014).
        let mut state = 1_u64;
        let mut drawn = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            -(((mixed ^ (mixed >> 31)) >> 11) as f64 + 1.0).log2() + 53.0
        };
        let told = (0..2_000).filter(|_| {
            let mut values: Vec<f64> = (0..20).map(|_| drawn() + 1e-9).collect();
            values.sort_unstable_by(f64::total_cmp);
            Modes::of(&values).is_some()
        });
        let told = told.count();
        assert!(told < 20, "{told} of 2,000");
    }

    #[test]
    fn a_tail_is_no_mode() {
        let late =
            |every: u64| rules(&log((0..240).map(|i| if i % every == 5 { 550 } else { 50 })));
        assert_eq!(late(24), [""; 0]);
        // Fewer than a tenth are a tail, but a strange one.
        assert_eq!(late(12), ["noisy_latencies"]);
        assert_eq!(late(8), ["bimodal_latencies"]);
    }
}
