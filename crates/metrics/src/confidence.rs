//! How far a figure of a sample can be relied on: an interval around a mean, bounds around a percentile, and how many
//! requests either takes.
//!
//! Both say something of requests sent to this server in this state. Requests of one run are not drawn independently: those that
//! start one after the other meet the same queue. So both go by how much the values depend on each other in the order in which
//! they came about, and where too much, there are none. What differs from run to run is in neither. Runs are compared by
//! [`crate::compare`].

pub(crate) mod dependence;

use std::fmt;

use statrs::distribution::{ContinuousCDF, StudentsT};

use self::dependence::Dependence;
use crate::quantile::{self, Percentile};

/// The two bounds of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// Why there are no bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbounded {
    /// There are too few values.
    TooFew {
        /// How many values it takes.
        needs: u64,
        /// How many there are.
        has: u64,
    },
    /// There are enough of them, but they depend on each other too much.
    Dependent {
        /// How many independent values it takes.
        needs: u64,
        /// How many values there are.
        has: u64,
        /// How many independent ones they are worth: fewer than it takes.
        worth: u64,
    },
    /// Values come several a request, and those of one request are no sample of their own.
    Pooled,
}

/// A percentile that a sample cannot bear, in words: `p99 needs 459 requests, there were 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unborne {
    /// The percentile.
    pub percentile: Percentile,
    /// Why it has no bounds.
    pub why: Unbounded,
}

impl fmt::Display for Unbounded {
    /// `needs 459 requests, there were 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooFew { needs: u64::MAX, .. } | Self::Dependent { needs: u64::MAX, .. } => {
                write!(f, "has no bounds at any number of requests")
            }
            Self::TooFew { needs, has: 1 } => write!(f, "needs {needs} requests, there was 1"),
            Self::TooFew { needs, has } => write!(f, "needs {needs} requests, there were {has}"),
            Self::Dependent { needs, has, worth } => write!(
                f,
                "needs {needs} requests that do not depend on each other, and the {has} there were are worth {worth}"
            ),
            Self::Pooled => write!(f, "has no bounds, for the gaps of a request are no sample"),
        }
    }
}

impl fmt::Display for Unborne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{} {}", self.percentile.percent(), self.why)
    }
}

/// Bounds of the mean of values in the order in which they came about, at [`CONFIDENCE_OF_MEANS`], by the means of batches of
/// neighbours and Student's t (Schmeiser, Operations Research 30, 1982). Values that are not finite are no values.
///
/// Ten batches where neighbours depend on each other, and thirty where they do not show it. Where batches still do, or
/// neighbours more than the batches show, the error is greater by what that comes to. Latencies under a queue are skewed, and so
/// are the bounds (Johnson, JASA 73, 1978, in the form of Hall, Journal of the Royal Statistical Society B 54, 1992). No bound
/// lies below the least value.
///
/// # Errors
/// If there are fewer than [`LEAST`] values, or they are worth fewer than [`LEAST_INDEPENDENT`] independent ones.
pub fn mean(values: &[f64]) -> Result<Bounds, Unbounded> {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let has = finite.len() as u64;
    if has < LEAST {
        return Err(Unbounded::TooFew { needs: LEAST, has });
    }
    let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
    if finite.iter().all(|&value| value == least) {
        return Ok(Bounds { low: least, high: least });
    }
    let dependence = Dependence::of(&finite);
    let worth = dependence.worth_at_most();
    let dependent = Unbounded::Dependent { needs: LEAST_INDEPENDENT, has, worth: worth as u64 };
    if worth < LEAST_INDEPENDENT as f64 {
        return Err(dependent);
    }
    let batches = dependence.batches();
    let freedom = batches.len() as f64 - 1.0;
    let student = StudentsT::new(0.0, 1.0, freedom).map_err(|_| dependent)?;
    let reach = student.inverse_cdf(f64::midpoint(CONFIDENCE_OF_MEANS, 1.0));
    let error = dependence.squared_error().sqrt();
    let mean = finite.iter().sum::<f64>() / has as f64;
    let skewed = skewness(batches) / (6.0 * (batches.len() as f64).sqrt());
    let bound = |t: f64| mean - error * unskewed(t, skewed);
    Ok(Bounds { low: bound(reach).max(least), high: bound(-reach) })
}

/// How skewed a few values are: the third moment by the cube of their standard deviation, for n − 1. 0 where they do not spread.
fn skewness(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>();
    let deviation = (moment(2) / (n - 1.0)).sqrt();
    if deviation > 0.0 { n / ((n - 1.0) * (n - 2.0)) * moment(3) / deviation.powi(3) } else { 0.0 }
}

/// By how many standard errors to go in place of t, where skewness ÷ (6 √n) is `skewed`: Hall's transformation, inverted.
fn unskewed(t: f64, skewed: f64) -> f64 {
    if skewed.abs() < NOT_SKEWED {
        return t;
    }
    ((1.0 + 6.0 * skewed * (t - skewed)).cbrt() - 1.0) / (2.0 * skewed)
}

/// Bounds of a percentile by order statistics: each of the two holds with [`CONFIDENCE_OF_PERCENTILES`], whatever the
/// distribution. `values` are in the order in which they came about, and `sorted` are the same ascending.
///
/// How many of n values lie at or below the true percentile is binomial. The lower bound is the greatest value whose rank so
/// many fall short of with at most 1 %, the upper one the least value whose rank they reach with at most 1 %: exact, without
/// a normal approximation (Hahn and Meeker, Statistical Intervals, 1991, §5.2). [`needed`] follows from it, and is what
/// MLPerf's early stopping asks for with no query over the limit.
///
/// Where values on the same side of the percentile come in rows, n is as many as they are worth that do not, and the ranks
/// are the same parts of the whole. Where the values are worth fewer than [`LEAST_INDEPENDENT`], there are no bounds.
///
/// # Errors
/// If the sample is too small for both bounds to lie within it, or is worth too little: [`needed`].
pub fn percentile(
    values: &[f64],
    sorted: &[f64],
    percentile: Percentile,
) -> Result<Bounds, Unbounded> {
    let (needs, has) = (needed(percentile), sorted.len() as u64);
    let too_few = Unbounded::TooFew { needs, has };
    let own = quantile::nearest_rank(sorted, percentile).filter(|_| has >= needs);
    let own = own.ok_or(too_few)?;
    let below: Vec<f64> =
        values.iter().map(|&value| if value <= own { 1.0 } else { 0.0 }).collect();
    let alike = below.iter().all(|&side| side == below[0]);
    let worth = if alike { has } else { Dependence::of(&below).worth() as u64 };
    // Of a few swings no part of the distribution is known, whichever side of it they spent how long on.
    let swings = Dependence::of(values).worth_at_most() as u64;
    if swings < LEAST_INDEPENDENT.min(has) {
        let needs = needs.max(LEAST_INDEPENDENT);
        return Err(Unbounded::Dependent { needs, has, worth: worth.min(swings) });
    }
    let dependent = Unbounded::Dependent { needs, has, worth };
    let (low, high) = ranks(worth, percentile).ok_or(dependent)?;
    // Counted from either end, and outwards where the whole is no multiple.
    let of_all =
        |rank: u64| (u128::from(rank) * u128::from(has)).div_ceil(u128::from(worth)) as u64;
    let (low, high) = (has + 1 - of_all(worth + 1 - low), of_all(high));
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

/// Values that are worth fewer independent ones have none either: of so few even their dependence is not known.
pub const LEAST_INDEPENDENT: u64 = 10;

/// Skewness that makes no difference.
const NOT_SKEWED: f64 = 1e-6;

/// How often a bound of a percentile may be wrong: 1 − [`CONFIDENCE_OF_PERCENTILES`].
const MISSED: f64 = 0.01;

/// A term of a binomial that is nothing beside the greatest.
const NOTHING: f64 = 1e-25;

#[cfg(test)]
pub(crate) mod testing {
    //! Values whose mean, percentiles and dependence are known.

    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// Draws that are the same for the same seed.
    pub(crate) struct Draws(ChaCha8Rng);

    impl Draws {
        pub(crate) fn seeded(seed: u64) -> Self {
            Self(ChaCha8Rng::seed_from_u64(seed))
        }

        /// Between 0 and 1.
        pub(crate) fn uniform(&mut self) -> f64 {
            self.0.random()
        }

        /// Exponential, with the mean 1.
        pub(crate) fn exponential(&mut self) -> f64 {
            -(1.0 - self.uniform()).ln()
        }

        /// Normal, with the mean 0 and the variance 1 (Box and Muller).
        pub(crate) fn normal(&mut self) -> f64 {
            let angle = std::f64::consts::TAU * self.uniform();
            (2.0 * self.exponential()).sqrt() * angle.cos()
        }
    }

    /// A stationary autoregressive sequence of the first order, with the mean 0 and the variance 1.
    pub(crate) fn sequence(draws: &mut Draws, n: usize, correlation: f64) -> Vec<f64> {
        let mut at = draws.normal();
        (0..n)
            .map(|_| {
                at = correlation * at + (1.0 - correlation * correlation).sqrt() * draws.normal();
                at
            })
            .collect()
    }

    /// How long each of n customers waits for one of eight servers that are busy with this share of their time, in mean
    /// services. Begun well before the first of them.
    pub(crate) fn waits(draws: &mut Draws, n: usize, load: f64) -> Vec<f64> {
        let (mut free, mut now) = ([0.0_f64; 8], 0.0);
        let all = (0..n + BEFORE).map(|_| {
            now += draws.exponential() / (load * free.len() as f64);
            let next = free.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
            let starts = next.max(now);
            *next = starts + draws.exponential();
            starts - now
        });
        all.skip(BEFORE).collect()
    }

    const BEFORE: usize = 500;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF};

    use super::testing::{Draws, sequence, waits};
    use super::*;

    /// The bounds of a percentile of values in their order.
    fn bounds_of(values: &[f64], p: Percentile) -> Result<Bounds, Unbounded> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        percentile(values, &sorted, p)
    }

    /// 1, …, 30, in no order.
    fn mixed() -> Vec<f64> {
        (1..=30_u32).map(|i| f64::from(i * 12 % 31)).collect()
    }

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
        let why = bounds_of(&values, Percentile::P99).unwrap_err();
        assert_eq!(why, Unbounded::TooFew { needs: 459, has: 100 });
        let unborne = Unborne { percentile: Percentile::P99, why };
        assert_eq!(unborne.to_string(), "p99 needs 459 requests, there were 100");
        assert_eq!(bounds_of(&[1.0], Percentile::P50).unwrap_err().to_string(), {
            "needs 7 requests, there was 1"
        });
    }

    #[test]
    fn the_whole_sample_bounds_a_median_of_seven() {
        // 0.5⁷ = 0.8 %: the least and the greatest, and nothing closer.
        let values = [4.0, 1.0, 6.0, 2.0, 7.0, 3.0, 5.0];
        assert_eq!(bounds_of(&values, Percentile::P50), Ok(Bounds { low: 1.0, high: 7.0 }));
        assert!(bounds_of(&values[..6], Percentile::P50).is_err());
    }

    #[test]
    fn bounds_of_a_percentile_are_the_textbook_s() {
        // n = 100, p = 0.9: P(X ≤ 81) = 0.46 %, P(X ≤ 82) = 1.0007 %, so l = 82; P(X ≥ 97) = 0.78 %, P(X ≥ 96) = 2.4 %, so u = 97.
        assert_eq!(ranks(100, Percentile::P90), Some((82, 97)));
    }

    #[test]
    fn the_interval_of_a_mean_is_student_s() {
        // 30 values 1, …, 30: mean 15.5, sd √77.5 = 8.803, t(29, 0.975) = 2.0452, so ± 3.2873. They are not skewed.
        let values = mixed();
        let bounds = mean(&values).unwrap();
        let rounded = [bounds.low, bounds.high].map(|bound| (bound * 1e3).round() / 1e3);
        assert_eq!(rounded, [12.213, 18.787]);
        assert_eq!(mean(&values[1..]), Err(Unbounded::TooFew { needs: 30, has: 29 }));
        assert_eq!(mean(&[2.0; 30]), Ok(Bounds { low: 2.0, high: 2.0 }));
    }

    #[test]
    fn values_that_are_all_the_same_have_bounds_that_are() {
        let same = Ok(Bounds { low: 0.02, high: 0.02 });
        assert_eq!(mean(&[0.02; 160]), same);
        assert_eq!(bounds_of(&[0.02; 160], Percentile::P50), same);
        assert_eq!(bounds_of(&[0.02; 160], Percentile::P95), same);
    }

    #[test]
    fn what_is_not_finite_is_no_value() {
        let mut values = mixed();
        let clean = mean(&values);
        values.extend([f64::NAN, f64::INFINITY]);
        assert_eq!(mean(&values), clean);
        assert_eq!(mean(&[f64::NAN; 40]), Err(Unbounded::TooFew { needs: 30, has: 0 }));
    }

    #[test]
    fn requests_that_hang_together_are_refused_in_words() {
        let rising: Vec<f64> = (0..500).map(f64::from).collect();
        let why = mean(&rising).unwrap_err();
        assert!(
            matches!(why, Unbounded::Dependent { needs: 10, has: 500, worth: 0..10 }),
            "{why:?}"
        );
        let p90 = bounds_of(&rising, Percentile::P90).unwrap_err();
        assert!(matches!(p90, Unbounded::Dependent { needs: 44, has: 500, .. }), "{p90:?}");
        let why = Unbounded::Dependent { needs: 44, has: 500, worth: 3 };
        assert_eq!(
            Unborne { percentile: Percentile::P90, why }.to_string(),
            "p90 needs 44 requests that do not depend on each other, and the 500 there were are worth 3"
        );
    }

    #[test]
    fn the_interval_of_a_mean_near_the_least_value_leans_away_from_it() {
        // Nearly all at 0, and a few far off: symmetrical bounds would begin below 0.
        let spike = |i| if [17, 90, 160].contains(&i) { 50.0 } else { 0.0 };
        let bounds = mean(&(0..200).map(spike).collect::<Vec<_>>()).unwrap();
        assert!(0.0 <= bounds.low && bounds.low < 0.75, "{bounds:?}");
        assert!(bounds.high - 0.75 > 0.75 - bounds.low, "{bounds:?}");
    }

    #[test]
    fn ten_million_values_have_bounds() {
        let (low, high) = ranks(10_000_000, Percentile::P50).unwrap();
        // 2.3263 standard deviations of √n ÷ 2 = 1581.1 on either side.
        assert_eq!((5_000_000 - low) / 10, 367);
        assert_eq!((high - 5_000_000) / 10, 367);
    }

    #[test]
    fn each_bound_of_a_percentile_holds_in_99_of_100_samples() {
        let mut draws = Draws::seeded(20_250_101);
        for (p, n) in [(Percentile::P50, 40), (Percentile::P95, 300), (Percentile::P99, 1_000)] {
            let truth = -(1.0 - p.percent() / 100.0).ln();
            let (mut above, mut below, mut refused) = (0, 0, 0);
            for _ in 0..2_000 {
                let values: Vec<f64> = (0..n).map(|_| draws.exponential()).collect();
                match bounds_of(&values, p) {
                    Ok(bounds) => {
                        above += u32::from(bounds.low > truth);
                        below += u32::from(bounds.high < truth);
                    }
                    Err(_) => refused += 1,
                }
            }
            // 1 % of 2000 is 20, and 35 lies more than three standard deviations above.
            assert!(above <= 35 && below <= 35, "{p}: {above} and {below} of 2000 missed");
            assert!(above + below > 0, "{p}: bounds that never miss are too wide");
            assert!(refused <= 100, "{p}: {refused} of 2000 refused");
        }
    }

    #[test]
    fn a_percentile_of_dependent_values_has_bounds_as_wide_as_that_takes() {
        let mut draws = Draws::seeded(20_250_105);
        // Of a normal distribution.
        for (p, truth) in [(Percentile::P50, 0.0), (Percentile::P90, 1.2816)] {
            let (mut missed, mut told) = (0, 0);
            for _ in 0..150 {
                let values = sequence(&mut draws, 2_000, 0.9);
                if let Ok(bounds) = bounds_of(&values, p) {
                    told += 1;
                    missed += u32::from(bounds.low > truth || truth > bounds.high);
                }
            }
            // Both hold in 98 of 100, were their dependence known.
            assert!(told >= 100, "{p}: {told} of 150 told");
            assert!(missed * 100 <= told * 6, "{p}: {missed} of {told} missed");
        }
    }

    #[test]
    fn a_percentile_of_values_that_swing_a_few_times_is_seldom_told() {
        // By simulation, a median wait of 0.433 services.
        let mut draws = Draws::seeded(20_250_111);
        for n in [200, 1_000] {
            let mut wrong = [0, 0];
            for _ in 0..150 {
                let of = |values: &[f64]| bounds_of(values, Percentile::P50).ok();
                let missed = |bounds: Option<Bounds>, truth: f64| {
                    u32::from(bounds.is_some_and(|b| b.low > truth || truth > b.high))
                };
                wrong[0] += missed(of(&sequence(&mut draws, n, 0.98)), 0.0);
                wrong[1] += missed(of(&waits(&mut draws, n, 0.9)), 0.433);
            }
            assert!(wrong.iter().all(|&wrong| wrong <= 150 / 10), "{wrong:?} of 150 at {n}");
        }
    }

    /// How many of so many samples have bounds of their mean, and how many of those hold this one.
    fn held(samples: u32, truth: f64, mut draw: impl FnMut() -> Vec<f64>) -> (u32, u32) {
        let bounds: Vec<Bounds> = (0..samples).filter_map(|_| mean(&draw()).ok()).collect();
        let holds = bounds.iter().filter(|bounds| bounds.low <= truth && truth <= bounds.high);
        (bounds.len() as u32, holds.count() as u32)
    }

    #[test]
    fn the_interval_of_a_mean_holds_in_95_of_100_samples() {
        let mut draws = Draws::seeded(20_250_102);
        let (told, held) = held(2_000, 0.0, || sequence(&mut draws, 40, 0.0));
        assert!(told >= 1_900, "{told} of 2000 told");
        let share = f64::from(held) / f64::from(told);
        assert!((0.93..=0.98).contains(&share), "{held} of {told}");
        let mut draws = Draws::seeded(20_250_106);
        let (told, held) = self::held(500, 1.0, || (0..500).map(|_| draws.exponential()).collect());
        let share = f64::from(held) / f64::from(told);
        assert!(told >= 470 && (0.92..=0.99).contains(&share), "{held} of {told}");
    }

    #[test]
    fn the_interval_of_a_mean_of_dependent_values_holds_too() {
        for (n, correlation, least) in [(400, 0.9, 250), (2_000, 0.9, 270), (60, 0.5, 230)] {
            let mut draws = Draws::seeded(20_250_107);
            let (told, held) = held(300, 0.0, || sequence(&mut draws, n, correlation));
            let share = f64::from(held) / f64::from(told);
            assert!(told >= least, "{n} at {correlation}: {told} of 300 told");
            assert!((0.91..=0.995).contains(&share), "{n} at {correlation}: {held} of {told}");
        }
    }

    #[test]
    fn the_interval_of_a_mean_wait_holds() {
        // By Erlang's C formula, 8 servers that are busy with 70 % of their time: a mean wait of 0.113 services.
        let mut draws = Draws::seeded(20_250_108);
        let (told, held) = held(200, 0.113, || waits(&mut draws, 1_000, 0.7));
        assert!(told >= 150, "{told} of 200 told");
        assert!(held * 100 >= told * 88, "{held} of {told}");
    }

    #[test]
    fn identical_servers_are_seldom_told_apart() {
        let mut draws = Draws::seeded(20_250_109);
        let (mut pairs, mut apart) = (0, 0);
        for _ in 0..150 {
            let [a, b] = [(); 2].map(|()| mean(&waits(&mut draws, 400, 0.9)));
            if let (Ok(a), Ok(b)) = (a, b) {
                pairs += 1;
                apart += u32::from(a.high < b.low || b.high < a.low);
            }
        }
        assert!(apart * 100 <= 150 * 5, "{apart} of {pairs} pairs with bounds");
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
            values in prop::collection::vec(-1e6_f64..1e6, 1..700),
            p in percentiles(),
        ) {
            if let Ok(bounds) = bounds_of(&values, p) {
                let mut sorted = values;
                sorted.sort_by(f64::total_cmp);
                let own = crate::quantile::nearest_rank(&sorted, p).unwrap();
                prop_assert!(bounds.low <= own && own <= bounds.high);
            }
        }

        #[test]
        fn the_interval_moves_and_grows_with_the_sample(
            values in prop::collection::vec(-1e3_f64..1e3, 30..80), by in -1e3_f64..1e3, times in 0.1_f64..10.0,
        ) {
            let moved: Vec<f64> = values.iter().map(|value| value * times + by).collect();
            match (mean(&values), mean(&moved)) {
                (Ok(before), Ok(after)) => {
                    prop_assert!((after.low - (before.low * times + by)).abs() < 1e-6);
                    prop_assert!((after.high - (before.high * times + by)).abs() < 1e-6);
                    let own = values.iter().sum::<f64>() / values.len() as f64;
                    prop_assert!(before.low <= own && own <= before.high);
                    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                    prop_assert!(before.low >= least);
                }
                (before, after) => prop_assert_eq!(before.is_err(), after.is_err()),
            }
        }
    }
}
