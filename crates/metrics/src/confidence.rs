//! How far a figure of a sample can be relied on: an interval around a mean, bounds around a percentile, and how many
//! requests either takes.
//!
//! Both say something of requests sent to this server in this state, as if they were drawn independently. Requests of one
//! run are not quite: what differs from run to run is in neither, and of values that come several a request (the gaps
//! between its chunks) both are narrower than they should be. Runs are compared by [`crate::compare`].

use std::fmt;

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::quantile::Percentile;

/// The two bounds of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// Why there are no bounds: how many values they take, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// How many values it takes.
    pub needs: u64,
    /// How many there are.
    pub has: u64,
}

/// A percentile that a sample cannot bear, in words: `p99 needs 459 requests, there were 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unborne {
    /// The percentile.
    pub percentile: Percentile,
    /// What it takes, and what there is.
    pub too_few: TooFew,
}

impl fmt::Display for TooFew {
    /// `needs 459 requests, there were 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, has } = self;
        match (*needs, *has) {
            (u64::MAX, _) => write!(f, "has no bounds at any number of requests"),
            (needs, 1) => write!(f, "needs {needs} requests, there was 1"),
            (needs, has) => write!(f, "needs {needs} requests, there were {has}"),
        }
    }
}

impl fmt::Display for Unborne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{} {}", self.percentile.percent(), self.too_few)
    }
}

/// Bounds of the mean of a sample by Student's t, mean ± t · sd / √n, at [`CONFIDENCE_OF_MEANS`]. Values that are not finite
/// are no values. It takes the mean to be distributed normally, which it nearly is from [`LEAST`] values on unless a few are
/// far off.
///
/// # Errors
/// If there are fewer than [`LEAST`] values.
pub fn mean(values: &[f64]) -> Result<Bounds, TooFew> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let n = finite().count() as u64;
    let mean = finite().sum::<f64>() / n as f64;
    let squares: f64 = finite().map(|value| (value - mean).powi(2)).sum();
    around(n, mean, (squares / n as f64).sqrt())
}

/// As [`mean`], of a sample of `n` values with this mean, and this standard deviation divided by n.
pub(crate) fn around(n: u64, mean: f64, deviation: f64) -> Result<Bounds, TooFew> {
    let too_few = TooFew { needs: LEAST, has: n };
    if n < LEAST {
        return Err(too_few);
    }
    let freedom = (n - 1) as f64;
    let error = deviation / freedom.sqrt();
    if error == 0.0 {
        return Ok(Bounds { low: mean, high: mean });
    }
    let student = StudentsT::new(0.0, 1.0, freedom).map_err(|_| too_few)?;
    let reach = student.inverse_cdf(f64::midpoint(CONFIDENCE_OF_MEANS, 1.0)) * error;
    Ok(Bounds { low: mean - reach, high: mean + reach })
}

/// Bounds of a percentile by order statistics: each of the two holds with [`CONFIDENCE_OF_PERCENTILES`], whatever the
/// distribution. `sorted` ascends.
///
/// How many of n values lie at or below the true percentile is binomial. The lower bound is the greatest value whose rank so
/// many fall short of with at most 1 %, the upper one the least value whose rank they reach with at most 1 %: exact, without
/// a normal approximation (Hahn and Meeker, Statistical Intervals, 1991, §5.2). [`needed`] follows from it, and is what
/// MLPerf's early stopping asks for with no query over the limit.
///
/// # Errors
/// If the sample is too small for both bounds to lie within it: [`needed`].
pub fn percentile(sorted: &[f64], percentile: Percentile) -> Result<Bounds, TooFew> {
    let n = sorted.len() as u64;
    let too_few = TooFew { needs: needed(percentile), has: n };
    let (low, high) = ranks(n, percentile).ok_or(too_few)?;
    let at = |rank: u64| usize::try_from(rank - 1).ok().and_then(|index| sorted.get(index));
    let bounds = || Some(Bounds { low: *at(low)?, high: *at(high)? });
    bounds().ok_or(too_few)
}

/// How many values a percentile takes for both of its bounds to lie within the sample: 459 for the 99th, 90 for the 95th, 44
/// for the 90th, 7 for the median. The least n with pⁿ ≤ 1 %, and with (1 − p)ⁿ ≤ 1 %. [`u64::MAX`] for the 0th and the
/// 100th, which no sample bears.
pub fn needed(percentile: Percentile) -> u64 {
    let share = percentile.percent() / 100.0;
    let outer = share.max(1.0 - share);
    if outer >= 1.0 {
        return u64::MAX;
    }
    // A cast of floats saturates.
    (MISSED.ln() / outer.ln()).ceil() as u64
}

/// The ranks of both bounds, counted from 1. `None` where one of them lies outside of the sample.
///
/// The binomial's terms are taken relative to its greatest, each from its neighbour, out to where they are nothing beside
/// it: that is exact for any n, and takes as many steps as there are terms that matter.
fn ranks(n: u64, percentile: Percentile) -> Option<(u64, u64)> {
    if n < needed(percentile) {
        return None;
    }
    let share = percentile.percent() / 100.0;
    let odds = share / (1.0 - share);
    let mode = (((n + 1) as f64 * share) as u64).min(n);
    let below = std::iter::successors(Some((mode, 1.0_f64)), |&(k, term)| {
        let before = k.checked_sub(1)?;
        Some((before, term * k as f64 / ((n - before) as f64 * odds)))
    });
    let above = std::iter::successors(Some((mode, 1.0_f64)), |&(k, term)| {
        (k < n).then(|| (k + 1, term * (n - k) as f64 * odds / (k + 1) as f64))
    });
    let matters = |&(_, term): &(u64, f64)| term > NOTHING;
    let below: Vec<(u64, f64)> = below.take_while(matters).collect();
    let above: Vec<(u64, f64)> = above.skip(1).take_while(matters).collect();
    let whole: f64 = below.iter().chain(&above).map(|(_, term)| term).sum();

    let upwards = below.iter().rev().chain(&above);
    let downwards = above.iter().rev().chain(&below);
    // With X of n at or below the percentile: the greatest l with P(X < l) ≤ 1 %, and the least u with P(X ≥ u) ≤ 1 %.
    let low = within(upwards, MISSED * whole).map(|last| last + 1);
    let high = within(downwards, MISSED * whole);
    // What was left out at either end is nothing: where no term fits, the outermost is the bound itself.
    let low = low.or(below.last().map(|&(k, _)| k)).filter(|&low| low > 0)?;
    let high = high.or(above.last().or(below.first()).map(|&(k, _)| k + 1))?;
    (high <= n).then_some((low, high))
}

/// The last of these terms up to which they add up to no more than `most`.
fn within<'a>(terms: impl Iterator<Item = &'a (u64, f64)>, most: f64) -> Option<u64> {
    let sums = terms.scan(0.0, |sum, &(k, term)| {
        *sum += term;
        Some((k, *sum))
    });
    sums.take_while(|&(_, sum)| sum <= most).map(|(k, _)| k).last()
}

/// How sure the interval of a mean is.
pub const CONFIDENCE_OF_MEANS: f64 = 0.95;

/// How sure each bound of a percentile is: MLPerf's.
pub const CONFIDENCE_OF_PERCENTILES: f64 = 0.99;

/// Fewer values have no interval of a mean worth the name.
pub const LEAST: u64 = 30;

/// How often a bound of a percentile may be wrong: 1 − [`CONFIDENCE_OF_PERCENTILES`].
const MISSED: f64 = 0.01;

/// A term of a binomial that is nothing beside the greatest.
const NOTHING: f64 = 1e-25;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use statrs::distribution::{Binomial, DiscreteCDF};

    use super::*;

    #[test]
    fn percentiles_need_what_mlperf_s_early_stopping_asks_for() {
        let ladder = [Percentile::P99, Percentile::P95, Percentile::P90, Percentile::P50];
        assert_eq!(ladder.map(needed), [459, 90, 44, 7]);
        assert_eq!(needed(Percentile::P1), 459);
        assert_eq!(needed(Percentile::P99_9), 4_603);
        assert_eq!(needed(Percentile::from_hundredths(10_000).unwrap()), u64::MAX);
    }

    #[test]
    fn a_p99_of_a_hundred_is_refused_in_words() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let too_few = percentile(&values, Percentile::P99).unwrap_err();
        assert_eq!(too_few, TooFew { needs: 459, has: 100 });
        let unborne = Unborne { percentile: Percentile::P99, too_few };
        assert_eq!(unborne.to_string(), "p99 needs 459 requests, there were 100");
        assert_eq!(percentile(&[1.0], Percentile::P50).unwrap_err().to_string(), {
            "needs 7 requests, there was 1"
        });
    }

    #[test]
    fn the_whole_sample_bounds_a_median_of_seven() {
        // 0.5⁷ = 0.8 %: the least and the greatest, and nothing closer.
        let values: Vec<f64> = (1..=7).map(f64::from).collect();
        assert_eq!(percentile(&values, Percentile::P50), Ok(Bounds { low: 1.0, high: 7.0 }));
        assert!(percentile(&values[..6], Percentile::P50).is_err());
    }

    #[test]
    fn bounds_of_a_percentile_are_the_textbook_s() {
        // n = 100, p = 0.9: P(X ≤ 81) = 0.46 %, P(X ≤ 82) = 1.0007 %, so l = 82; P(X ≥ 97) = 0.78 %, P(X ≥ 96) = 2.4 %, so u = 97.
        assert_eq!(ranks(100, Percentile::P90), Some((82, 97)));
    }

    #[test]
    fn the_interval_of_a_mean_is_student_s() {
        // 30 values 1, …, 30: mean 15.5, sd √77.5 = 8.803, t(29, 0.975) = 2.0452, so ± 3.2873.
        let values: Vec<f64> = (1..=30).map(f64::from).collect();
        let bounds = mean(&values).unwrap();
        let rounded = [bounds.low, bounds.high].map(|bound| (bound * 1e3).round() / 1e3);
        assert_eq!(rounded, [12.213, 18.787]);
        assert_eq!(mean(&values[1..]), Err(TooFew { needs: 30, has: 29 }));
        assert_eq!(mean(&[2.0; 30]), Ok(Bounds { low: 2.0, high: 2.0 }));
    }

    #[test]
    fn what_is_not_finite_is_no_value() {
        let mut values: Vec<f64> = (1..=30).map(f64::from).collect();
        let clean = mean(&values);
        values.extend([f64::NAN, f64::INFINITY]);
        assert_eq!(mean(&values), clean);
        assert_eq!(mean(&[f64::NAN; 40]), Err(TooFew { needs: 30, has: 0 }));
    }

    #[test]
    fn ten_million_values_have_bounds() {
        let (low, high) = ranks(10_000_000, Percentile::P50).unwrap();
        // 2.3263 standard deviations of √n ÷ 2 = 1581.1 on either side.
        assert_eq!((5_000_000 - low) / 10, 367);
        assert_eq!((high - 5_000_000) / 10, 367);
    }

    /// Draws of an exponential distribution with the mean 1.
    fn draws(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
        (0..n).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect()
    }

    #[test]
    fn each_bound_of_a_percentile_holds_in_99_of_100_samples() {
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_101);
        for (p, n) in [(Percentile::P50, 40), (Percentile::P95, 300), (Percentile::P99, 500)] {
            let truth = -(1.0 - p.percent() / 100.0).ln();
            let (mut above, mut below) = (0, 0);
            for _ in 0..2_000 {
                let mut values = draws(&mut rng, n);
                values.sort_by(f64::total_cmp);
                let bounds = percentile(&values, p).unwrap();
                above += u32::from(bounds.low > truth);
                below += u32::from(bounds.high < truth);
            }
            // 1 % of 2000 is 20, and 35 lies more than three standard deviations above.
            assert!(above <= 35 && below <= 35, "{p}: {above} and {below} of 2000 missed");
            assert!(above + below > 0, "{p}: bounds that never miss are too wide");
        }
    }

    #[test]
    fn the_interval_of_a_mean_holds_in_95_of_100_samples() {
        let mut rng = ChaCha8Rng::seed_from_u64(20_250_102);
        let held = (0..2_000)
            .filter(|_| {
                // Twelve uniform draws less 6 are nearly normal, with the mean 0.
                let normal = |_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                let bounds = mean(&(0..40).map(normal).collect::<Vec<_>>()).unwrap();
                bounds.low <= 0.0 && 0.0 <= bounds.high
            })
            .count();
        assert!((1_865..=1_935).contains(&held), "{held} of 2000");
    }

    fn percentiles() -> impl Strategy<Value = Percentile> {
        (1_u16..10_000).prop_map(|hundredths| Percentile::from_hundredths(hundredths).unwrap())
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_the_binomial(n in 1_u64..600, p in percentiles()) {
            let share = p.percent() / 100.0;
            let binomial = Binomial::new(share, n).unwrap();
            let Some((low, high)) = ranks(n, p) else {
                prop_assert!(n < needed(p));
                return Ok(());
            };
            let fewer_than = |k: u64| k.checked_sub(1).map_or(0.0, |k| binomial.cdf(k));
            let slack = 1e-9;
            prop_assert!(fewer_than(low) <= MISSED + slack && fewer_than(low + 1) > MISSED - slack);
            let reach = |k: u64| 1.0 - fewer_than(k);
            prop_assert!(reach(high) <= MISSED + slack && reach(high - 1) > MISSED - slack);
        }

        #[test]
        fn needed_is_the_least_that_is_borne(p in percentiles()) {
            let needed = needed(p);
            prop_assert!(ranks(needed, p).is_some());
            prop_assert!(ranks(needed - 1, p).is_none());
        }

        #[test]
        fn bounds_hold_the_sample_s_own_percentile(
            mut values in prop::collection::vec(-1e6_f64..1e6, 1..700),
            p in percentiles(),
        ) {
            values.sort_by(f64::total_cmp);
            if let Ok(bounds) = percentile(&values, p) {
                let own = crate::quantile::nearest_rank(&values, p).unwrap();
                prop_assert!(bounds.low <= own && own <= bounds.high);
            }
        }

        #[test]
        fn the_interval_moves_and_grows_with_the_sample(
            values in prop::collection::vec(-1e3_f64..1e3, 30..80), by in -1e3_f64..1e3, times in 0.1_f64..10.0,
        ) {
            let before = mean(&values).unwrap();
            let moved: Vec<f64> = values.iter().map(|value| value * times + by).collect();
            let after = mean(&moved).unwrap();
            prop_assert!((after.low - (before.low * times + by)).abs() < 1e-6);
            prop_assert!((after.high - (before.high * times + by)).abs() < 1e-6);
        }
    }
}
