//! How far the figures of one run would swing, had other requests of their kind been sent to a server in the same state: a block
//! bootstrap over its requests.
//!
//! Requests of a run depend on each other: those that start one after the other meet the same queue. So whole blocks of consecutive
//! starts are drawn (Künsch 1989; in a circle: Politis and Romano 1992), as long as the dependence found asks for
//! ([`blocks`]), all figures from the same draws. Where the means of batches swing more than blocks show, theirs counts.
//!
//! What happens once in a run cannot be drawn again, and is reckoned instead. The requests that fill the places of a closed loop all
//! come at once and wait for each other's prompts: the waits are a random walk, whose steps are known. At its end places stay empty for
//! as long as the last requests take: their rest is drawn from what requests took. What differs from run to run is not in any of it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::estimate::Swinging;
use super::kept::{Cell, Kept, LATENCIES, Latency};
use super::{FEWEST_BEYOND, FEWEST_INDEPENDENT, FEWEST_REQUESTS, Statistic, TooFew, blocks};
use crate::confidence::dependence::Dependence;

/// A figure of a run whose swing can be told from its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A statistic of a latency.
    Latency(Latency, Statistic),
    /// Requests that succeeded ÷ duration.
    Requests,
    /// Output tokens ÷ duration.
    Output,
    /// Tokens of prompts and outputs ÷ duration.
    Tokens,
    /// Requests that succeeded ÷ requests, in per cent.
    Success,
}

/// How each of the figures of a run swings. `stream` keeps the draws of several runs apart; the same gives the same.
pub fn resample(kept: &Kept, wanted: &[Wanted], stream: u64) -> Vec<Result<Swinging, TooFew>> {
    if kept.requests < FEWEST_REQUESTS {
        return wanted.iter().map(|_| Err(TooFew::Requests)).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream(stream);
    let length = block_length(kept);
    let ends = Ends::drawn(kept, &mut rng);
    let whole = vec![1; kept.cells.len()];
    let values: Vec<Option<f64>> =
        wanted.iter().map(|&figure| value(kept, &whole, figure, ends.observed)).collect();
    let mut draws = vec![Vec::with_capacity(RESAMPLES); wanted.len()];
    let mut weights = Vec::with_capacity(kept.cells.len());
    for end in &ends.drawn {
        draw(kept, length, &mut rng, &mut weights);
        for (figure, draws) in wanted.iter().zip(&mut draws) {
            draws.extend(value(kept, &weights, *figure, *end));
        }
    }
    let told = wanted.iter().zip(values).zip(draws);
    told.map(|((figure, value), draws)| {
        let value = value.ok_or(TooFew::Requests)?;
        swinging(kept, *figure, value, draws, length, &mut rng)
    })
    .collect()
}

/// The statistic of a latency where each cell counts as often as its weight says.
pub(super) fn statistic(
    kept: &Kept,
    weights: &[u32],
    latency: Latency,
    statistic: Statistic,
) -> Option<f64> {
    let at = latency as usize;
    let weighted = |of: fn(&Cell, usize) -> f64| -> f64 {
        kept.cells.iter().zip(weights).map(|(cell, w)| f64::from(*w) * of(cell, at)).sum()
    };
    let count = weighted(|cell, at| cell.counts[at]);
    if count < 1.0 {
        return None;
    }
    match statistic {
        Statistic::Mean => Some(weighted(|cell, at| cell.sums[at]) / count),
        Statistic::Linear(percentile) => {
            let place = percentile.hundredths() as f64 / 10_000.0 * (count - 1.0);
            let (below, share) = (place.floor(), place.fract());
            let rungs = &kept.ladders[at].rungs;
            let low = at_rank(rungs, weights, below, count)?;
            if share == 0.0 {
                return Some(low);
            }
            Some(low + (at_rank(rungs, weights, below + 1.0, count)? - low) * share)
        }
    }
}

/// The value of this rank, counted from 0, among so many: sought from the nearer end.
fn at_rank(rungs: &[(f64, u32, u32)], weights: &[u32], rank: f64, count: f64) -> Option<f64> {
    match rank < count / 2.0 {
        true => nth(rungs.iter(), weights, rank as u64),
        false => nth(rungs.iter().rev(), weights, (count - 1.0 - rank).max(0.0) as u64),
    }
}

fn nth<'a>(
    mut rungs: impl Iterator<Item = &'a (f64, u32, u32)>,
    weights: &[u32],
    rank: u64,
) -> Option<f64> {
    let mut seen = 0;
    let found = rungs.find(|(_, cell, times)| {
        seen += u64::from(weights[*cell as usize] * times);
        seen > rank
    });
    found.map(|(value, ..)| *value)
}

/// A figure where each cell counts as often as its weight says, and what the run's end came to.
fn value(kept: &Kept, weights: &[u32], figure: Wanted, end: Option<f64>) -> Option<f64> {
    let sum = |of: fn(&Cell) -> f64| -> f64 {
        kept.cells.iter().zip(weights).map(|(cell, w)| f64::from(*w) * of(cell)).sum()
    };
    let per_time = |amount: f64| {
        let through = if holds_its_places(kept) {
            (sum(|cell| cell.stay) + end?) / kept.sending.most? as f64
        } else {
            sum(|cell| cell.gap) + end?
        };
        (through > 0.0).then(|| amount / through)
    };
    match figure {
        Wanted::Latency(latency, of) => statistic(kept, weights, latency, of),
        Wanted::Requests => per_time(sum(|cell| cell.successes)),
        Wanted::Output => per_time(sum(|cell| cell.output)),
        Wanted::Tokens => per_time(sum(|cell| cell.input + cell.output)),
        Wanted::Success => Some(100.0 * sum(|cell| cell.successes) / sum(|cell| cell.requests)),
    }
}

/// Draws cells anew: those of the burst one by one, the others in blocks, in a circle.
fn draw(kept: &Kept, length: usize, rng: &mut ChaCha8Rng, weights: &mut Vec<u32>) {
    weights.clear();
    weights.resize(kept.cells.len(), 0);
    for _ in 0..kept.burst {
        weights[rng.random_range(0..kept.burst)] += 1;
    }
    let steady = kept.cells.len() - kept.burst;
    let mut left = steady;
    while left > 0 {
        let from = rng.random_range(0..steady);
        let take = length.min(left);
        (from..from + take).for_each(|cell| weights[kept.burst + cell % steady] += 1);
        left -= take;
    }
}

/// The longest blocks that any of the latencies asks for.
fn block_length(kept: &Kept) -> usize {
    let each = LATENCIES.iter().map(|&latency| {
        let at = latency as usize;
        let series = kept.steady().iter().filter(|cell| cell.counts[at] > 0.0);
        let series: Vec<f64> = series.map(|cell| cell.sums[at] / cell.counts[at]).collect();
        blocks::length(&series)
    });
    each.max().unwrap_or(1)
}

/// Whether the places of a closed loop were always taken, so that its duration is how long all requests took, by its places.
fn holds_its_places(kept: &Kept) -> bool {
    let (Some(most), Some(duration)) = (kept.sending.most, kept.sending.duration) else {
        return false;
    };
    let taken: f64 = kept.cells.iter().map(|cell| cell.stay).sum();
    !kept.sending.paced || taken > FULL * most as f64 * duration
}

/// What the end of the run came to: in a closed loop the time of all places together at which nothing was in them, else the time
/// from the last start to the last end.
struct Ends {
    /// As it was. `None` if the duration is not known.
    observed: Option<f64>,
    /// As it might have been, one a resample.
    drawn: Vec<Option<f64>>,
}

impl Ends {
    fn drawn(kept: &Kept, rng: &mut ChaCha8Rng) -> Self {
        let sum = |of: fn(&Cell) -> f64| kept.cells.iter().map(of).sum::<f64>();
        let closed = holds_its_places(kept);
        let observed = kept.sending.duration.map(|duration| match closed {
            true => duration * kept.sending.most.unwrap_or(1) as f64 - sum(|cell| cell.stay),
            false => duration - sum(|cell| cell.gap),
        });
        let Some(observed) = observed.filter(|_| !kept.stays.is_empty()) else {
            return Self { observed: None, drawn: vec![None; RESAMPLES] };
        };
        let in_flight = match (closed, kept.sending.most, kept.sending.duration) {
            (true, Some(most), _) => most.min(kept.requests),
            (_, _, Some(duration)) if duration > 0.0 => (sum(|cell| cell.stay) / duration) as usize,
            _ => 1,
        };
        let lengths: Vec<f64> = kept
            .stays
            .iter()
            .scan(0.0, |sum, stay| {
                *sum += stay;
                Some(*sum)
            })
            .collect();
        let whole = lengths.last().copied().unwrap_or_default();
        let number = in_flight.clamp(1, MOST_RESTS);
        // What is under way at a moment is the likelier to be long, and any part of it may be over.
        let mut rest = || {
            let at = rng.random::<f64>() * whole;
            let place = lengths.partition_point(|upto| *upto < at).min(kept.stays.len() - 1);
            kept.stays[place] * rng.random::<f64>()
        };
        let ends: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let (mut longest, mut all) = (0.0_f64, 0.0);
                for _ in 0..number {
                    let rest = rest();
                    longest = longest.max(rest);
                    all += rest;
                }
                if closed {
                    (longest * number as f64 - all) * in_flight as f64 / number as f64
                } else {
                    longest
                }
            })
            .collect();
        let mean = ends.iter().sum::<f64>() / ends.len() as f64;
        Self {
            observed: Some(observed),
            drawn: ends.into_iter().map(|end| Some(observed + end - mean)).collect(),
        }
    }
}

/// What the draws say, with what they cannot show.
fn swinging(
    kept: &Kept,
    figure: Wanted,
    value: f64,
    mut draws: Vec<f64>,
    length: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Swinging, TooFew> {
    if draws.len() < RESAMPLES {
        return Err(TooFew::Requests);
    }
    let mut freedom = kept.steady().len() as f64 / length as f64;
    let normal = Normal::standard();
    let mut chance = |error: f64| error * normal.inverse_cdf(rng.random_range(1e-9..1.0 - 1e-9));
    match figure {
        Wanted::Latency(latency, of) => {
            let influence = influence(kept, latency, of, value);
            freedom = freedom.min(independent(kept, latency, &influence)?);
            if let Statistic::Linear(percentile) = of {
                let beyond = beyond(kept, latency, value);
                if beyond < FEWEST_BEYOND {
                    return Err(TooFew::Beyond(percentile));
                }
                freedom = freedom.min(beyond as f64 * worth(&influence));
            }
            let factor = shortfall(&influence, length).sqrt();
            let walk = walk(kept, latency, of, value);
            // In parts of the value where that is possible: a length of time that swings further is still none below 0.
            let in_parts = value > 0.0 && draws.iter().all(|draw| *draw > 0.0);
            let told = |draw: f64| if in_parts { (draw / value).ln() } else { draw };
            let middle = draws.iter().copied().map(told).sum::<f64>() / draws.len() as f64;
            for draw in &mut draws {
                let swung = middle + factor * (told(*draw) - middle);
                *draw = match in_parts {
                    true => value * (swung + chance(walk / value)).exp(),
                    false => swung + chance(walk),
                };
            }
        }
        Wanted::Success => {
            // One more that succeeded and one more that failed (Agresti and Caffo, The American Statistician 54, 2000): without a
            // single failure the draws would be sure of 100 %.
            let n = kept.requests as f64 + 2.0;
            let share = (value / 100.0 * kept.requests as f64 + 1.0) / n;
            let successes: Vec<f64> =
                kept.cells.iter().map(|cell| cell.successes / cell.requests).collect();
            let alone = share * (1.0 - share) / n;
            let worth = worth(&successes).max(1.0 / n);
            let error = 100.0 * (alone / worth).sqrt();
            draws.iter_mut().for_each(|draw| *draw = value + chance(error));
        }
        Wanted::Requests | Wanted::Output | Wanted::Tokens => {
            let of = |cell: &Cell| if holds_its_places(kept) { cell.stay } else { cell.gap };
            let series: Vec<f64> = kept.steady().iter().map(of).collect();
            freedom = freedom.min(worth_enough(&series)?);
        }
    }
    Ok(Swinging { value, draws, freedom: (freedom - 1.0).max(1.0) })
}

/// How many independent values those behind the burst are worth, of the statistic and of the latency itself.
fn independent(kept: &Kept, latency: Latency, influence: &[f64]) -> Result<f64, TooFew> {
    let values = self::influence(kept, latency, Statistic::Mean, 0.0);
    Ok(worth_enough(influence)?.min(worth_enough(&values)?))
}

/// How many independent values a series is worth, if it is enough to tell how far they swing.
fn worth_enough(series: &[f64]) -> Result<f64, TooFew> {
    let requests = series.len();
    if requests < FEWEST_REQUESTS {
        return Err(TooFew::Requests);
    }
    let worth = match series.iter().all(|value| *value == series[0]) {
        true => requests as f64,
        false => Dependence::of(series).worth_by_neighbours(),
    };
    match worth < FEWEST_INDEPENDENT {
        true => Err(TooFew::Dependent { requests, worth: worth.max(1.0) as u64 }),
        false => Ok(worth),
    }
}

/// What each cell behind the burst adds to the statistic: its values less the mean, or the share of them that lies above the
/// percentile.
fn influence(kept: &Kept, latency: Latency, of: Statistic, value: f64) -> Vec<f64> {
    let at = latency as usize;
    let mut above = vec![0.0; kept.cells.len()];
    if let Statistic::Linear(_) = of {
        for &(rung, cell, count) in &kept.ladders[at].rungs {
            above[cell as usize] += if rung > value { f64::from(count) } else { 0.0 };
        }
    }
    let cells = kept.cells.iter().zip(above).skip(kept.burst);
    let with_values = cells.filter(|(cell, _)| cell.counts[at] > 0.0);
    with_values
        .map(|(cell, above)| match of {
            Statistic::Mean => cell.sums[at] - value * cell.counts[at],
            Statistic::Linear(_) => above,
        })
        .collect()
}

/// How many times greater the variance of the mean is by batches of neighbours than by the blocks that are drawn; 1 where it is not.
fn shortfall(influence: &[f64], length: usize) -> f64 {
    let n = influence.len();
    if n < FEWEST_REQUESTS || influence.iter().all(|value| *value == influence[0]) {
        return 1.0;
    }
    let mean = influence.iter().sum::<f64>() / n as f64;
    let length = length.min(n);
    let mut block: f64 = influence[..length].iter().sum();
    let mut squares = 0.0;
    for from in 0..n {
        squares += (block / length as f64 - mean).powi(2);
        block += influence[(from + length) % n] - influence[from];
    }
    let by_blocks = squares / n as f64 * length as f64 / n as f64;
    let ratio = Dependence::of(influence).squared_error() / by_blocks;
    if ratio.is_finite() { ratio.clamp(1.0, MOST_SHORTFALL) } else { 1.0 }
}

/// How many independent values one of them is worth, 1 at most.
fn worth(influence: &[f64]) -> f64 {
    let n = influence.len();
    if n < FEWEST_REQUESTS || influence.iter().all(|value| *value == influence[0]) {
        return 1.0;
    }
    (Dependence::of(influence).worth_by_neighbours() / n as f64).clamp(0.0, 1.0)
}

/// How many requests hold a value beyond the percentile, on the side on which there are fewer; neighbours kept together are counted
/// by their share.
fn beyond(kept: &Kept, latency: Latency, value: f64) -> usize {
    let at = latency as usize;
    let mut reach = vec![(false, false); kept.cells.len()];
    let mut values = vec![[0.0_f64; 2]; kept.cells.len()];
    for &(rung, cell, count) in &kept.ladders[at].rungs {
        let cell = cell as usize;
        reach[cell].0 |= rung >= value;
        reach[cell].1 |= rung <= value;
        values[cell][0] += if rung >= value { f64::from(count) } else { 0.0 };
        values[cell][1] += if rung <= value { f64::from(count) } else { 0.0 };
    }
    // Of a latency with one value a request the values are counted, else the cells.
    let single = latency != Latency::Gaps;
    let count = |side: usize| -> f64 {
        let cells = reach.iter().zip(&values);
        cells
            .map(|(reach, values)| match (single, side, reach) {
                (true, ..) => values[side],
                (false, 0, (true, _)) | (false, 1, (_, true)) => 1.0,
                _ => 0.0,
            })
            .sum()
    };
    count(0).min(count(1)) as usize
}

/// The standard error that the burst's waiting adds to a statistic of TTFT or E2E. Those that come at once are served one after the
/// other, so that the k-th waits for k prompts, each as long as it happens to be: a random walk. Where prompts vary by the share v of
/// their mean, the k-th wait w varies by w · v ÷ √k, and the mean of c waits by its own size times v · 2 ÷ √(3 c).
fn walk(kept: &Kept, latency: Latency, of: Statistic, value: f64) -> f64 {
    let waits = &kept.first_tokens;
    let burst = waits.len() as f64;
    if !matches!(latency, Latency::Ttft | Latency::E2e) || waits.is_empty() {
        return 0.0;
    }
    let share_of_all = burst / kept.requests as f64;
    let mean = waits.iter().sum::<f64>() / burst;
    match of {
        Statistic::Mean => share_of_all * mean * kept.prompts_vary * 2.0 / (3.0 * burst).sqrt(),
        // An E2E is hardly more often that of the burst than any other.
        Statistic::Linear(_) if latency == Latency::E2e => {
            share_of_all * mean * kept.prompts_vary * 2.0 / (3.0 * burst).sqrt()
        }
        Statistic::Linear(_) => {
            let rungs = &kept.ladders[latency as usize].rungs;
            let place = rungs.partition_point(|(rung, ..)| *rung < value);
            let near = (rungs.len() / 50).max(3);
            let (from, to) = (place.saturating_sub(near), (place + near).min(rungs.len()));
            let own = rungs[from..to].iter().filter(|(_, cell, _)| (*cell as usize) < kept.burst);
            let share = own.count() as f64 / (to - from).max(1) as f64;
            let steps = waits.partition_point(|wait| *wait <= value).max(1) as f64;
            share * value * kept.prompts_vary / steps.sqrt()
        }
    }
}

/// How many times requests are drawn anew.
const RESAMPLES: usize = 1_000;

/// Few batches say little of how much they depend on each other, and by chance far too much: no variance is raised by more.
const MOST_SHORTFALL: f64 = 10.0;

/// The rests of no more requests than this are drawn.
const MOST_RESTS: usize = 256;

/// A paced load whose places are taken for more than this share of the time is held up by them.
const FULL: f64 = 0.95;

const SEED: u64 = 0x5eed_b10c;

#[cfg(test)]
mod tests {
    use super::super::kept::{Heard, Sending};
    use super::super::{LEVEL, holm};
    use super::*;
    use crate::confidence::testing::{Draws, sequence, waits};
    use crate::quantile::Percentile;

    /// 0, …, n − 1, in no order.
    fn mixed(n: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from(i * 37 % n)).collect()
    }

    const MEAN_E2E: Wanted = Wanted::Latency(Latency::E2e, Statistic::Mean);

    /// A run of an open loop whose requests took these times.
    fn run(e2e: Vec<f64>) -> Kept {
        let heard = e2e.into_iter().enumerate().map(|(i, e2e)| Heard {
            succeeded: true,
            started: Some(i as f64),
            stay: Some(e2e),
            e2e: Some(e2e),
            ..Heard::default()
        });
        Kept::from_requests(heard, Sending { paced: true, ..Sending::default() })
    }

    fn difference(a: &Kept, b: &Kept, wanted: Wanted) -> Option<super::super::Estimate> {
        let of = |kept, stream| resample(kept, &[wanted], stream).remove(0).ok();
        Swinging::difference(&of(a, 0)?, &of(b, 1)?)
    }

    /// How many of a hundred pairs of the same kind differ at 5 %, and of how many it can be told.
    fn false_alarms(wanted: Wanted, mut values: impl FnMut() -> Vec<f64>) -> (usize, usize) {
        let pairs: Vec<f64> = (0..100)
            .filter_map(|_| Some(difference(&run(values()), &run(values()), wanted)?.p(0.0)))
            .collect();
        (pairs.iter().filter(|p| **p < 0.05).count(), pairs.len())
    }

    #[test]
    fn independent_requests_give_the_error_of_theory() {
        let mut draws = Draws::seeded(1);
        let mut kept = || run((0..400).map(|_| 10.0 + draws.normal()).collect());
        let difference = difference(&kept(), &kept(), MEAN_E2E).unwrap();
        // √(2/400), in parts of the mean of ten.
        assert!((difference.above / 0.00707 - 1.0).abs() < 0.25, "{difference:?}");
    }

    #[test]
    fn requests_that_follow_each_other_raise_no_more_alarms_than_independent_ones() {
        let mut draws = Draws::seeded(2);
        let dependent = |draws: &mut Draws| -> Vec<f64> {
            sequence(draws, 400, 0.7).iter().map(|value| 10.0 + value).collect()
        };
        let by_blocks = false_alarms(MEAN_E2E, || dependent(&mut draws));
        assert!(by_blocks.0 <= 11 && by_blocks.1 >= 95, "{by_blocks:?}");
        // One by one, which takes them for independent, half of the pairs differ.
        let single = |values: Vec<f64>| {
            let mut requests = super::super::Requests::default();
            requests.extend(values);
            requests
        };
        let naive = (0..50)
            .filter(|_| {
                let [a, b] = [dependent(&mut draws), dependent(&mut draws)].map(single);
                !super::super::bootstrap(&a, &b, Statistic::Mean).unwrap().holds(0.0)
            })
            .count();
        assert!(naive >= 10, "{naive} of 50");
    }

    #[test]
    fn waits_in_a_busy_queue_raise_few_alarms() {
        let mut draws = Draws::seeded(3);
        let mut values = || waits(&mut draws, 400, 0.8).iter().map(|wait| wait + 1.0).collect();
        let mean = false_alarms(MEAN_E2E, &mut values);
        let p95 = Wanted::Latency(Latency::E2e, Statistic::Linear(Percentile::P95));
        let p95 = false_alarms(p95, &mut values);
        assert!(mean.0 <= 11 && p95.0 <= 11, "{mean:?} {p95:?}");
    }

    #[test]
    fn a_shift_of_half_a_deviation_is_found() {
        let mut draws = Draws::seeded(4);
        let mut kept = |shift: f64| run((0..400).map(|_| shift + draws.normal()).collect());
        let mut p: Vec<f64> = (0..50)
            .map(|_| {
                let difference = difference(&kept(10.0), &kept(10.5), MEAN_E2E).unwrap();
                holm(&[difference.p(0.0), 0.5, 0.5, 0.5])[0]
            })
            .collect();
        p.sort_by(f64::total_cmp);
        assert!(p[45] < 1.0 - LEVEL, "{p:?}");
    }

    #[test]
    fn without_a_failure_a_hundred_per_cent_are_not_certain() {
        let kept = run(vec![1.0; 100]);
        let success = resample(&kept, &[Wanted::Success], 0).remove(0).unwrap();
        let estimate = success.estimate().unwrap();
        assert_eq!(success.value, 100.0);
        // In parts of a hundred.
        assert!(estimate.below > 0.005 && estimate.below < 0.02, "{estimate:?}");
    }

    #[test]
    fn the_throughput_of_a_closed_loop_swings_as_its_requests_do() {
        let mut draws = Draws::seeded(6);
        let mut closed = || {
            let (mut free, mut heard) = ([0.0_f64; 8], Vec::new());
            for _ in 0..400 {
                let place = (0..8).min_by(|&a, &b| free[a].total_cmp(&free[b])).unwrap();
                let (started, stay) = (free[place], 0.5 + draws.uniform());
                free[place] += stay;
                heard.push(Heard {
                    succeeded: true,
                    started: Some(started),
                    stay: Some(stay),
                    output: Some(100.0),
                    ..Heard::default()
                });
            }
            let duration = free.iter().copied().reduce(f64::max);
            let sending = Sending { most: Some(8), paced: false, duration };
            (Kept::from_requests(heard, sending), 400.0 / duration.unwrap())
        };
        let runs: Vec<(Kept, f64)> = (0..60).map(|_| closed()).collect();
        let told: Vec<Swinging> = runs
            .iter()
            .map(|(kept, _)| resample(kept, &[Wanted::Requests], 0).remove(0).unwrap())
            .collect();
        for (swinging, (_, throughput)) in told.iter().zip(&runs) {
            assert!((swinging.value - throughput).abs() < 1e-9);
        }
        let truth = super::super::Sample::of(&runs.iter().map(|run| run.1).collect::<Vec<_>>());
        let errors = told.iter().map(|swinging| swinging.variance().sqrt()).sum::<f64>() / 60.0;
        let ratio = errors / truth.unwrap().sd.unwrap();
        assert!((0.8..1.8).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_same_draws_give_the_same_and_other_streams_others() {
        let kept = run(mixed(50));
        let of = |stream| resample(&kept, &[MEAN_E2E], stream).remove(0).unwrap().draws;
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn too_few_requests_and_thin_tails_are_refused() {
        let few = run(mixed(19));
        assert_eq!(resample(&few, &[MEAN_E2E], 0), [Err(TooFew::Requests)]);
        let some = run(mixed(100));
        let p99 = Wanted::Latency(Latency::E2e, Statistic::Linear(Percentile::P99));
        assert_eq!(resample(&some, &[p99], 0), [Err(TooFew::Beyond(Percentile::P99))]);
    }

    #[test]
    fn waves_in_which_all_fare_alike_are_worth_a_few() {
        // Four waves of sixteen: what a wave meets, all of it meets.
        let waves = [9.0, 5.0, 7.0, 6.0]
            .iter()
            .flat_map(|wave| (0..16).map(move |i| wave + 0.001 * f64::from(i)));
        let told = resample(&run(waves.collect()), &[MEAN_E2E], 0).remove(0);
        assert!(matches!(told, Err(TooFew::Dependent { requests: 64, worth: 1..=4 })), "{told:?}");
    }

    #[test]
    fn a_percentile_of_what_is_kept_is_that_of_the_values() {
        let kept = run((0..101).map(f64::from).collect());
        for (percentile, expected) in
            [(Percentile::P50, 50.0), (Percentile::P99, 99.0), (Percentile::P1, 1.0)]
        {
            assert_eq!(kept.statistic(Latency::E2e, Statistic::Linear(percentile)), Some(expected));
        }
    }
}
