//! The part of a point in which the load was steady, and its figures beside those of the whole.
//!
//! At its beginning a closed loop sends everything at once, and at its end places stay empty: both bend means. Deliberately no
//! replacement for the figures of the whole, which is what was asked for and what peers print: it stands beside them.
//!
//! A closed loop is steady from when nine of ten of the requests in flight at the moment at which it was first full have
//! ended, for as many whole generations, of as many ends as there are places, as are over by the last start: from then on no
//! place is filled again. Whole generations, for where all places go in step a window that begins with one and ends within
//! another holds tokens of requests that it does not hold the ends of. An open loop, or a rate under a cap, is steady from
//! where MSER-5 ends its beginning, to the last start. MSER-5 leaves out as many batches of five latencies as make the
//! rest's mean the surest (White, Simulation 69, 1997; White, Cobb and Spratt, Winter Simulation Conference 2000, for
//! batches of five). Either way the latencies within must neither drift nor step from one level to another.

use tokometer_record::{Offset, Record};

use crate::Run;
use crate::catalog::{E2E, Metric, Of, TPOT, TTFT};
use crate::concurrency::{self, Flight};
use crate::series::output_between;
use crate::window::completed;

/// The steady part of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// From when …
    pub from: Offset,
    /// … to when.
    pub to: Offset,
    /// How much of the whole duration that is, between 0 and 1.
    pub share: f64,
    /// Successes that started within it.
    pub requests: u64,
    /// Their mean TTFT, in seconds.
    pub ttft: Option<f64>,
    /// Their mean TPOT, in seconds.
    pub tpot: Option<f64>,
    /// Their mean E2E, in seconds.
    pub e2e: Option<f64>,
    /// Output tokens that arrived within it, per second, of whichever success. 0 where nobody counted tokens.
    pub output_throughput: f64,
    /// Successes that completed within it, per second.
    pub request_throughput: f64,
}

/// Why no steady part was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsteady {
    /// Too little happened: fewer than [`Steady::LEAST`] requests succeeded, or started within what would be the steady part.
    TooFew,
    /// The concurrency was never held for long enough: requests came to their end, or places stayed empty.
    NotHeld,
    /// Latencies changed in the course of it: they kept rising, or falling, or stepped to another level and stayed there.
    Drifting,
}

impl Steady {
    /// Fewer requests have no steady part.
    pub const LEAST: usize = 20;

    /// The steady part of a run.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(run: &Run<'_>) -> Result<Self, Unsteady> {
        let successes: Vec<&Record> = run.successes().collect();
        if successes.len() < Self::LEAST {
            return Err(Unsteady::TooFew);
        }
        let closed = run.point.rate.is_none() && !run.point.open_loop;
        let (from, to) = if closed { held(run)? } else { settled(run, &successes)? };
        let started = successes.iter().copied();
        let started: Vec<&Record> =
            started.filter(|record| from <= record.started && record.started <= to).collect();
        if started.len() < Self::LEAST {
            return Err(Unsteady::TooFew);
        }
        let (e2e, ttft) = (values(&E2E, &started), values(&TTFT, &started));
        if drifts(&e2e) || steps(&e2e) || steps(&ttft) {
            return Err(Unsteady::Drifting);
        }
        Ok(Self::between(run, (from, to), &started))
    }

    /// The figures between two moments of the successes that started there. The later moment is the later one.
    fn between(run: &Run<'_>, (from, to): (Offset, Offset), started: &[&Record]) -> Self {
        let seconds = (to - from).as_secs_f64();
        let within = |record: &&Record| completed(record).is_some_and(|at| from < at && at <= to);
        let mean = |metric| {
            let values = values(metric, started);
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self {
            from,
            to,
            share: run.window().duration().map_or(1.0, |whole| (seconds / whole).min(1.0)),
            requests: started.len() as u64,
            ttft: mean(&TTFT),
            tpot: mean(&TPOT),
            e2e: mean(&E2E),
            output_throughput: output_between(run, from, to) as f64 / seconds,
            request_throughput: run.successes().filter(within).count() as f64 / seconds,
        }
    }
}

/// Of a closed loop: from when the requests that filled it are over, but for one in ten that may be stragglers, to the end of
/// the last whole generation that ended by the last start.
fn held(run: &Run<'_>) -> Result<(Offset, Offset), Unsteady> {
    let [first, .., last] = run.measured[..] else { return Err(Unsteady::TooFew) };
    let flights: Vec<Flight> = run.all.iter().map(|record| (record.started, record.end)).collect();
    let peak = concurrency::peak(&flights, first.started);
    let places = run.point.concurrency.map_or(peak, |cap| peak.min(cap as u64));
    let full = concurrency::first_at(&flights, first.started, places).ok_or(Unsteady::NotHeld)?;
    let aboard = |&&(start, end): &&Flight| start <= full && full < end;
    let mut ends: Vec<Offset> = flights.iter().filter(aboard).map(|&(_, end)| end).collect();
    ends.sort_unstable();
    let over = ends.get((ends.len() * 9).div_ceil(10).saturating_sub(1));
    let from = *over.ok_or(Unsteady::NotHeld)?;
    if last.started <= from {
        return Err(Unsteady::NotHeld);
    }
    let to = generations(&flights, places, from, last.started).ok_or(Unsteady::TooFew)?;
    let mean = concurrency::mean(&flights, from, to).ok_or(Unsteady::NotHeld)?;
    if mean < HELD * places as f64 {
        return Err(Unsteady::NotHeld);
    }
    Ok((from, to))
}

/// The end of as many whole generations as end within `(from, by]`: each is as many ends as there are places. `None` if not one
/// does.
fn generations(flights: &[Flight], places: u64, from: Offset, by: Offset) -> Option<Offset> {
    let ends = flights.iter().map(|&(_, end)| end);
    let mut within: Vec<Offset> = ends.filter(|&end| from < end && end <= by).collect();
    within.sort_unstable();
    let generation = usize::try_from(places).ok().filter(|&places| places > 0)?;
    let whole = within.len() / generation * generation;
    within.get(whole.checked_sub(1)?).copied()
}

/// Of an open loop: from the start of the first request that MSER-5 leaves in, to the last start.
fn settled(run: &Run<'_>, successes: &[&Record]) -> Result<(Offset, Offset), Unsteady> {
    let latencies = values(&E2E, successes);
    if latencies.len() < successes.len() {
        // A success without output has no latency, and nothing tells where it would stand.
        return Err(Unsteady::TooFew);
    }
    let (first, last) = (run.measured.first(), run.measured.last());
    let (Some(first), Some(last)) = (first, last) else { return Err(Unsteady::TooFew) };
    let from = match BATCH * mser(&latencies) {
        0 => first.started,
        left_out => successes[left_out].started,
    };
    if last.started <= from { Err(Unsteady::TooFew) } else { Ok((from, last.started)) }
}

/// How many batches of [`BATCH`] values to leave out at the beginning so that the squared standard error of the rest's mean
/// is least: at most half of them, for of the last few batches it is small by chance.
fn mser(values: &[f64]) -> usize {
    let middle = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let batches: Vec<f64> = values
        .chunks_exact(BATCH)
        .map(|batch| batch.iter().sum::<f64>() / BATCH as f64 - middle)
        .collect();
    // An error this much less is rounding: then more is left in.
    let rounding = 1e-12 * batches.iter().map(|batch| batch * batch).sum::<f64>();
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (left_out, batch) in batches.iter().enumerate().rev() {
        n += 1.0;
        sum += batch;
        squares += batch * batch;
        let error = (squares - sum * sum / n) / (n * n);
        if left_out <= batches.len() / 2 && error <= best.0 + rounding {
            best = (error, left_out);
        }
    }
    best.1
}

/// Whether values rise or fall, in their order: by a trend that is there with 99 % (Mann, Econometrica 13, 1945; Kendall's
/// variance with ties) and that makes out a quarter of their median from the first to the last (the slope is Sen's, JASA 63,
/// 1968). Of many values, a hundred means of neighbours are tested: neighbours share the server's state, and are not drawn
/// independently.
fn drifts(values: &[f64]) -> bool {
    let means = tested(values);
    let n = means.len() as f64;
    if n < 3.0 {
        return false;
    }
    let pairs = || (0..means.len()).flat_map(|i| (i + 1..means.len()).map(move |j| (i, j)));
    let rises: f64 = pairs().map(|(i, j)| means[j].total_cmp(&means[i]) as i8).map(f64::from).sum();
    let mut sorted = means.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tie| spread(tie.len() as f64)).sum();
    let deviation = ((spread(n) - ties) / 18.0).sqrt();
    if deviation <= 0.0 || (rises.abs() - 1.0) / deviation < TREND {
        return false;
    }
    let mut slopes: Vec<f64> =
        pairs().map(|(i, j)| (means[j] - means[i]) / (j - i) as f64).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let drift = slopes[slopes.len() / 2] * (n - 1.0);
    drift.abs() > STRONG * sorted[sorted.len() / 2].abs()
}

/// Whether values step from one level to another, in their order, and stay there: by Pettitt's test (Applied Statistics 28, 1979) with
/// 99 %, where the medians on either side are a quarter of the median of all apart. As for a drift, many values are tested by the
/// means of neighbours. Neighbours that are alike beyond the step make it less sure, by as much as they are.
fn steps(values: &[f64]) -> bool {
    let means = tested(values);
    let n = means.len();
    let fewest = (n / SHORTEST_LEVEL).max(FEWEST_OF_A_LEVEL);
    if n < 2 * fewest {
        return false;
    }
    let rises = |i: usize| -> f64 {
        means.iter().map(|other| f64::from(other.total_cmp(&means[i]) as i8)).sum()
    };
    let sums = (0..n).scan(0.0_f64, |sum, i| {
        *sum += rises(i);
        Some(*sum)
    });
    let within = sums.enumerate().map(|(i, sum)| (i + 1, sum.abs()));
    let within = within.filter(|(at, _)| fewest <= *at && *at <= n - fewest);
    let Some((at, furthest)) = within.max_by(|(_, a), (_, b)| a.total_cmp(b)) else { return false };
    let (before, after) = means.split_at(at);
    let apart = (median(after) - median(before)).abs();
    if apart <= STRONG * median(&means).abs() {
        return false;
    }
    let alike = beside_a_step(before, after).clamp(0.0, 1.0);
    let n = n as f64;
    let squared = furthest * furthest * (1.0 - alike) / (1.0 + alike);
    2.0 * (-6.0 * squared / (n.powi(3) + n.powi(2))).exp() < BY_CHANCE
}

/// The correlation of neighbours on either side of a step, each taken from its own side's mean.
fn beside_a_step(before: &[f64], after: &[f64]) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for side in [before, after] {
        let middle = side.iter().sum::<f64>() / side.len() as f64;
        squares += side.iter().map(|value| (value - middle).powi(2)).sum::<f64>();
        products +=
            side.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum::<f64>();
    }
    if squares > 0.0 { products / squares } else { 0.0 }
}

/// The values as they are tested: of many, the means of neighbours.
fn tested(values: &[f64]) -> Vec<f64> {
    let per_mean = values.len().div_ceil(MOST_TESTED).max(1);
    let mean = |chunk: &[f64]| chunk.iter().sum::<f64>() / chunk.len() as f64;
    values.chunks(per_mean).map(mean).collect()
}

/// The upper one of two in the middle. 0 of nothing.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn values(metric: &Metric, records: &[&Record]) -> Vec<f64> {
    match metric.of {
        Of::Request(value) => records.iter().filter_map(|record| value(record)).collect(),
        Of::Waiting(_) | Of::Gaps(_) | Of::Run(_) => Vec::new(),
    }
}

/// Values that MSER-5 takes together.
const BATCH: usize = 5;

/// The share of its places that a closed loop fills on average, at least, to be held.
const HELD: f64 = 0.9;

/// Standard deviations of a trend that is there with 99 %, on either side.
const TREND: f64 = 2.576;

/// A drift of this share of the median is strong.
const STRONG: f64 = 0.25;

/// How often a step is found where there is none.
const BY_CHANCE: f64 = 0.01;

/// Either level holds for at least this part of the whole: one tenth …
const SHORTEST_LEVEL: usize = 10;

/// … and this many values.
const FEWEST_OF_A_LEVEL: usize = 5;

/// More values are tested for a trend by their neighbours' means.
const MOST_TESTED: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tokometer_record::PointLog;

    use super::*;
    use crate::summary::testing::{Changed, ms, ok, point_log};

    /// A closed loop of so many places: each request of one token at once and one at its end, its length by its index.
    fn closed(places: usize, requests: u64, length: impl Fn(u64) -> u64) -> PointLog {
        let mut free = vec![0_u64; places];
        let records = (0..requests).map(|i| {
            let place = (0..places).min_by_key(|&place| free[place]).unwrap();
            let start = free[place];
            free[place] = start + length(i);
            ok(i, start, &[start + length(i) / 2, start + length(i)])
        });
        let mut log = point_log(records.collect::<Vec<_>>());
        log.point.concurrency = Some(places);
        log
    }

    /// An open loop of a request every 100 ms, each as long as it says.
    fn open(lengths: impl IntoIterator<Item = u64>) -> PointLog {
        let request = |(i, length): (u64, u64)| ok(i, i * 100, &[i * 100 + length]);
        let mut log = point_log((0..).zip(lengths).map(request));
        log.point.rate = Some(10.0);
        log.point.open_loop = true;
        log
    }

    fn steady(log: &PointLog) -> Result<Steady, Unsteady> {
        Steady::of(&Run::of(log))
    }

    #[test]
    fn a_closed_loop_is_steady_from_the_second_generation_to_the_last_start() {
        // Four places. The first four requests take a second, the other 40 take 200 ms: ten rounds, of which the last starts at 2.8 s.
        let steady = steady(&closed(4, 44, |i| if i < 4 { 1_000 } else { 200 })).unwrap();
        assert_eq!((steady.from, steady.to, steady.requests), (ms(1_000), ms(2_800), 40));
        let means =
            [steady.e2e, steady.ttft, steady.tpot].map(|mean| (mean.unwrap() * 1e6).round());
        assert_eq!(means, [200_000.0, 100_000.0, 100_000.0]);
        assert!((steady.share - 0.6).abs() < 1e-9);
        // Nine rounds end after 1 s and up to 2.8 s, and of the tenth the first tokens are still to come: 72 tokens in 1.8 s.
        assert!((steady.request_throughput - 20.0).abs() < 1e-9);
        assert!((steady.output_throughput - 40.0).abs() < 1e-9);
    }

    #[test]
    fn throughputs_of_a_loop_in_step_agree() {
        // 32 places, three to six generations of about 2 s that stay in step, 64 tokens each after a prefill of a quarter.
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_105);
        for generations in 3..=6 {
            for extra in [0, 7, 16, 31] {
                let requests = 32 * generations + extra;
                let mut free = vec![0_u64; 32];
                let records = (0..requests).map(|i| {
                    let place = (0..32).min_by_key(|&place| free[place]).unwrap();
                    let (start, length) = (free[place], rng.random_range(1_900..2_100_u64));
                    free[place] = start + length;
                    let (first, rest) = (length / 4, length - length / 4);
                    let chunks: Vec<u64> =
                        (0..64).map(|token| start + first + rest * token / 63).collect();
                    ok(i, start, &chunks)
                });
                let mut log = point_log(records.collect::<Vec<_>>());
                log.point.concurrency = Some(32);
                let steady = steady(&log).unwrap();
                let by_requests = 64.0 * steady.request_throughput;
                let apart = (steady.output_throughput / by_requests - 1.0).abs();
                assert!(apart < 0.04, "{generations} and {extra}: {steady:?}");
                // 32 places of 64 tokens each 2 s.
                assert!((steady.output_throughput / 1_024.0 - 1.0).abs() < 0.06, "{steady:?}");
            }
        }
    }

    #[test]
    fn a_straggler_of_the_first_generation_is_not_waited_for() {
        let log = closed(10, 200, |i| if i == 0 { 3_000 } else { 200 });
        assert_eq!(steady(&log).unwrap().from, ms(200));
    }

    #[test]
    fn few_requests_have_no_steady_part() {
        assert_eq!(steady(&closed(2, 19, |_| 100)), Err(Unsteady::TooFew));
        assert_eq!(steady(&point_log([])), Err(Unsteady::TooFew));
        // 30 requests, of which 15 start after the first generation.
        assert_eq!(steady(&closed(15, 30, |i| 100 + i)), Err(Unsteady::TooFew));
    }

    #[test]
    fn one_generation_holds_nothing() {
        assert_eq!(steady(&closed(40, 40, |_| 100)), Err(Unsteady::NotHeld));
    }

    #[test]
    fn places_that_stay_empty_are_not_held() {
        // Ten at once, and then one after the other.
        let first = (0..10).map(|i| ok(i, 0, &[100]));
        let then = (10..60).map(|i| ok(i, i * 100, &[i * 100 + 100]));
        let mut log = point_log(first.chain(then));
        log.point.concurrency = Some(10);
        assert_eq!(steady(&log), Err(Unsteady::NotHeld));
    }

    #[test]
    fn the_warm_up_fills_places_and_is_not_counted() {
        let mut log = closed(4, 44, |_| 200);
        log.records.iter_mut().take(8).for_each(|record| *record = record.clone().warming_up());
        let steady = steady(&log).unwrap();
        assert_eq!((steady.from, steady.requests), (ms(600), 32));
    }

    #[test]
    fn an_open_loop_is_steady_once_its_beginning_is_over() {
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_103);
        // Over 50 requests latencies come down from 2 s to about half a second.
        let length = |i: u64| 450 + rng.random_range(0..100) + 30 * 50_u64.saturating_sub(i);
        let steady = steady(&open((0..400).map(length))).unwrap();
        let left_out = steady.from.as_secs_f64() / 0.1;
        // Beyond its end the error hardly changes with what is left out.
        assert!((40.0..=100.0).contains(&left_out), "{left_out}");
        assert_eq!(steady.to, ms(39_900));
        assert!((steady.e2e.unwrap() - 0.5).abs() < 0.02);
        assert!((steady.request_throughput - 10.0).abs() < 0.3);
    }

    #[test]
    fn an_open_loop_without_a_beginning_is_steady_throughout() {
        let steady = steady(&open((0..100).map(|_| 500))).unwrap();
        assert_eq!((steady.from, steady.to, steady.requests), (ms(0), ms(9_900), 100));
    }

    #[test]
    fn a_server_that_falls_behind_drifts() {
        assert_eq!(steady(&open((0..200).map(|i| 500 + 20 * i))), Err(Unsteady::Drifting));
    }

    #[test]
    fn a_closed_loop_whose_latencies_climb_drifts() {
        assert_eq!(steady(&closed(4, 200, |i| 200 + 4 * i)), Err(Unsteady::Drifting));
    }

    #[test]
    fn a_drift_that_is_sure_and_small_is_let_pass() {
        assert!(steady(&closed(4, 200, |i| 2_000 + i)).is_ok());
    }

    #[test]
    fn noise_is_seldom_taken_for_a_drift() {
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_104);
        let alarms = (0..500)
            .filter(|_| {
                // Exponential: as noisy as latencies of outputs of any length get.
                let draw = |_| 0.1 - (1.0 - rng.random::<f64>()).ln();
                let values: Vec<f64> = (0..60).map(draw).collect();
                drifts(&values) || steps(&values)
            })
            .count();
        assert!(alarms <= 12, "{alarms} of 500");
    }

    #[test]
    fn latencies_that_step_to_another_level_are_not_steady() {
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_105);
        let mut noise = || rng.random_range(0..100);
        // The first tokens after 0.6 s, and from the middle on after 1.4 s, of requests of ten seconds.
        let request = |i: u64, first: u64| ok(i, i * 100, &[i * 100 + first, i * 100 + 10_000]);
        let mut log =
            point_log((0..300).map(|i| request(i, if i < 150 { 600 } else { 1_400 } + noise())));
        log.point.rate = Some(10.0);
        log.point.open_loop = true;
        assert_eq!(steady(&log), Err(Unsteady::Drifting));
        let level = |i| if i < 100 { 1_000 } else { 1_400 };
        assert_eq!(steady(&closed(4, 200, level)), Err(Unsteady::Drifting));
    }

    #[test]
    fn a_step_that_is_sure_and_small_is_let_pass() {
        assert!(steady(&closed(4, 200, |i| if i < 100 { 1_000 } else { 1_200 })).is_ok());
    }

    #[test]
    fn a_short_spell_is_no_other_level() {
        let spell: Vec<f64> =
            (0..100).map(|i| if (40..45).contains(&i) { 3.0 } else { 1.0 }).collect();
        assert!(!steps(&spell));
        let alternating: Vec<f64> = (0..100).map(|i| f64::from(1 + i % 2)).collect();
        assert!(!steps(&alternating));
    }

    #[test]
    fn values_that_wander_are_seldom_taken_for_a_step() {
        let mut draws = crate::confidence::testing::Draws::seeded(20_250_110);
        let alarms = (0..300)
            .filter(|_| {
                let wandering = crate::confidence::testing::sequence(&mut draws, 100, 0.7);
                steps(&wandering.iter().map(|value| 2.0 + value / 2.0).collect::<Vec<_>>())
            })
            .count();
        assert!(alarms <= 12, "{alarms} of 300");
    }

    #[test]
    fn mser_leaves_out_what_is_far_off_and_nothing_of_what_is_level() {
        let level = vec![1.0; 50];
        assert_eq!(mser(&level), 0);
        let begun = [vec![9.0; 10], level].concat();
        assert_eq!(mser(&begun), 2);
        assert_eq!(mser(&[]), 0);
    }

    proptest! {
        #[test]
        fn a_steady_part_lies_within_the_run(
            lengths in prop::collection::vec(1_u64..2_000, 1..150), places in 1_usize..12, paced in any::<bool>(),
        ) {
            let log = if paced { open(lengths) } else { closed(places, lengths.len() as u64, |i| lengths[i as usize]) };
            let run = Run::of(&log);
            if let Ok(steady) = Steady::of(&run) {
                let (first, last) = run.window().span().unwrap();
                prop_assert!(first <= steady.from && steady.from < steady.to && steady.to <= last);
                prop_assert!(steady.share > 0.0 && steady.share <= 1.0);
                prop_assert!(steady.requests as usize >= Steady::LEAST);
                prop_assert!(steady.output_throughput.is_finite() && steady.request_throughput.is_finite());
                prop_assert!(steady.e2e.is_some_and(f64::is_finite));
            }
        }

        #[test]
        fn a_trend_is_the_same_upwards_and_downwards(values in prop::collection::vec(0.1_f64..9.0, 3..90), slope in 0.0_f64..1.0) {
            let rising: Vec<f64> = values.iter().enumerate().map(|(i, v)| v + slope * i as f64).collect();
            let falling: Vec<f64> = rising.iter().rev().copied().collect();
            prop_assert_eq!(drifts(&rising), drifts(&falling));
        }
    }
}
