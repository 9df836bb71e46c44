//! Whether two measurements differ: means over runs with their confidence intervals, Welch's test, and bootstraps over requests.
//!
//! Intervals are of 95 % where nothing else is asked for. A run is one draw, however many requests it had: what differs from run to run (a server's warm-up,
//! its neighbours) is not in the spread of one run's requests. So runs are compared with runs by [`welch`], and [`bootstrap`] is for
//! whoever has but one run a side, and says so. Both halves are pure: the bootstrap's draws are addressed by a fixed seed, so that the
//! same figures always give the same interval.
//!
//! [`bootstrap`] draws requests one by one and so holds them for independent; [`resample()`] draws blocks of neighbours, knows
//! throughputs too, and gives an [`Estimate`] whose level can be chosen afterwards. Many figures looked at together share one chance
//! of an error by [`holm`].

mod blocks;
mod estimate;
mod family;
mod kept;
mod resample;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::quantile::Percentile;

pub use estimate::{Estimate, Scale, Swinging, between_runs};
pub use family::holm;
pub use kept::{Heard, Kept, LATENCIES, Latency, Sending};
pub use resample::{Wanted, resample};

/// How sure intervals are: 95 of 100 such intervals hold what they are about.
pub const LEVEL: f64 = 0.95;

/// Independent values of one figure, one a run, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation: divided by n − 1. `None` of a single value.
    pub sd: Option<f64>,
    /// Whether all are whole numbers: counts of things, which are no finer than that.
    whole: bool,
}

/// From where to where a value may well lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How far the second of two lies above the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The second less the first.
    pub by: f64,
    /// Where the true difference lies, with the confidence that was asked for.
    pub interval: Interval,
    /// How often a difference as large comes about where there is none: Welch's two-sided p.
    pub p: f64,
}

/// What the requests of one run took: one value a request or several (the gaps between its chunks), kept by request, for the values
/// of one request are not independent of each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    values: Vec<f64>,
    /// Where the values of each request end.
    ends: Vec<usize>,
}

/// Why there is no bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// A run has fewer than [`FEWEST_REQUESTS`].
    Requests,
    /// Fewer than [`FEWEST_BEYOND`] requests of a run reach the percentile, from above or from below, so that it is hardly more than
    /// its greatest or its least value.
    Beyond(Percentile),
    /// There are enough, but those that follow each other fare so much alike that they are worth only a few: fewer than
    /// [`FEWEST_INDEPENDENT`].
    Dependent {
        /// How many there are.
        requests: usize,
        /// How many independent ones they are worth.
        worth: u64,
    },
}

/// What is made of the values of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Their mean.
    Mean,
    /// Their percentile by linear interpolation.
    Linear(Percentile),
}

impl Sample {
    /// Sums up `values`. `None` where there is none, or one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let whole = values.iter().all(|value| value.fract() == 0.0);
        Some(Self { n, mean, sd, whole }).filter(|sample| sample.mean.is_finite())
    }

    /// Where the true mean lies, by Student's t: mean ± t · sd / √n. `None` of a single value, which tells nothing of its spread.
    pub fn interval(&self) -> Option<Interval> {
        let error = self.sd? / (self.n as f64).sqrt();
        Interval::around(self.mean, error, (self.n - 1) as f64, LEVEL)
    }

    /// The variance of the mean. A few runs may count the same by chance, so counts are taken to spread by their rounding at least:
    /// 1/12, the variance of what lies anywhere within 1.
    fn variance(&self) -> Option<f64> {
        let least = if self.whole { 1.0 / 12.0 } else { 0.0 };
        Some(self.sd?.powi(2).max(least) / self.n as f64)
    }
}

impl Interval {
    /// Whether the value lies in it.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// An interval of [`LEVEL`] as one of `level`: longer on either side by as much of its half as a normal distribution's would be.
    /// For a bootstrap, whose few resamples say little of what lies far out.
    pub fn widened(self, level: f64) -> Option<Self> {
        let normal = Normal::standard();
        let reach = |level: f64| normal.inverse_cdf(f64::midpoint(level, 1.0));
        let by = (reach(level) / reach(LEVEL) - 1.0) * (self.high - self.low) / 2.0;
        by.is_finite().then_some(Self { low: self.low - by, high: self.high + by })
    }

    fn around(middle: f64, error: f64, freedom: f64, level: f64) -> Option<Self> {
        if error == 0.0 {
            return Some(Self { low: middle, high: middle });
        }
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(f64::midpoint(level, 1.0));
        let reach = t * error;
        reach.is_finite().then_some(Self { low: middle - reach, high: middle + reach })
    }
}

/// Compares two samples whose spreads may differ: Welch's t-test (Biometrika 34, 1947), its degrees of freedom by Satterthwaite.
/// Its interval is one of `level` ([`LEVEL`] where nothing else is wanted). `None` where either has fewer than two values. Where
/// neither spreads at all, the difference is taken as it stands, but that of counts, which are no finer than 1.
pub fn welch(a: &Sample, b: &Sample, level: f64) -> Option<Difference> {
    let (of_a, of_b) = (a.variance()?, b.variance()?);
    let by = b.mean - a.mean;
    let error = (of_a + of_b).sqrt();
    let all_the_same = by == 0.0 && a.sd == Some(0.0) && b.sd == Some(0.0);
    if error == 0.0 || all_the_same {
        let p = if by == 0.0 { 1.0 } else { 0.0 };
        return Some(Difference { by, interval: Interval { low: by, high: by }, p });
    }
    let part = |variance: f64, n: usize| variance.powi(2) / (n - 1) as f64;
    let freedom = (of_a + of_b).powi(2) / (part(of_a, a.n) + part(of_b, b.n));
    let interval = Interval::around(by, error, freedom, level)?;
    let p = 2.0 * StudentsT::new(0.0, 1.0, freedom).ok()?.cdf(-(by / error).abs());
    Some(Difference { by, interval, p })
}

/// Where the difference between a statistic of the second run's requests and the first's lies, had other requests of their kind been
/// sent to servers in the same state: the percentile bootstrap (Efron 1979) over requests. It knows nothing of what differs from run
/// to run, so its interval, of [`LEVEL`], is the narrowest that can be right.
///
/// # Errors
/// If either has too few requests for it.
pub fn bootstrap(a: &Requests, b: &Requests, statistic: Statistic) -> Result<Interval, TooFew> {
    if a.len().min(b.len()) < FEWEST_REQUESTS {
        return Err(TooFew::Requests);
    }
    if let Statistic::Linear(percentile) = statistic {
        let enough = |run: &Requests| run.beyond(percentile) >= FEWEST_BEYOND;
        if !(enough(a) && enough(b)) {
            return Err(TooFew::Beyond(percentile));
        }
    }
    let values = (a.values.len() + b.values.len()).max(1);
    let resamples = (VALUES_DRAWN / values).clamp(FEWEST_RESAMPLES, MOST_RESAMPLES);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut drawn = Vec::with_capacity(a.values.len().max(b.values.len()));
    let mut differences: Vec<f64> = (0..resamples)
        .filter_map(|_| {
            a.resample(&mut rng, &mut drawn);
            let of_a = statistic.of(&mut drawn)?;
            b.resample(&mut rng, &mut drawn);
            Some(statistic.of(&mut drawn)? - of_a)
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let end = |hundredths| {
        crate::quantile::linear(&differences, Percentile::from_hundredths(hundredths)?)
    };
    let interval = || Some(Interval { low: end(250)?, high: end(9_750)? });
    interval().ok_or(TooFew::Requests)
}

impl Requests {
    /// Adds a request with its values. Those that are not finite are left out, and a request without any is none.
    pub fn push(&mut self, values: impl IntoIterator<Item = f64>) {
        let before = self.values.len();
        self.values.extend(values.into_iter().filter(|value| value.is_finite()));
        if self.values.len() > before {
            self.ends.push(self.values.len());
        }
    }

    /// How many requests.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The statistic of what was measured. `None` where there is nothing.
    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        statistic.of(&mut self.values.clone())
    }

    /// How many requests hold a value that is not below the percentile, or one that is not above it: the fewer of the two.
    fn beyond(&self, percentile: Percentile) -> usize {
        let Some(at) = self.statistic(Statistic::Linear(percentile)) else { return 0 };
        let (mut above, mut below, mut from) = (0, 0, 0);
        for &end in &self.ends {
            let values = &self.values[from..end];
            above += usize::from(values.iter().any(|value| *value >= at));
            below += usize::from(values.iter().any(|value| *value <= at));
            from = end;
        }
        above.min(below)
    }

    /// As many requests, each drawn from all of them.
    fn resample(&self, rng: &mut ChaCha8Rng, drawn: &mut Vec<f64>) {
        drawn.clear();
        for _ in 0..self.len() {
            let request = rng.random_range(0..self.len());
            let from = if request == 0 { 0 } else { self.ends[request - 1] };
            drawn.extend_from_slice(&self.values[from..self.ends[request]]);
        }
    }
}

impl Extend<f64> for Requests {
    /// Adds requests of one value each.
    fn extend<T: IntoIterator<Item = f64>>(&mut self, values: T) {
        values.into_iter().for_each(|value| self.push([value]));
    }
}

impl Statistic {
    /// Of values in any order, which it may put into another.
    fn of(self, values: &mut [f64]) -> Option<f64> {
        match self {
            Self::Mean if values.is_empty() => None,
            Self::Mean => Some(values.iter().sum::<f64>() / values.len() as f64),
            Self::Linear(percentile) => {
                // Only the two values around the percentile need stand in their place.
                let last = values.len().checked_sub(1)?;
                let place = percentile.hundredths() * last as u64 / 10_000;
                let below = usize::try_from(place).ok()?;
                let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
                let low = *low;
                let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
                let share = (percentile.hundredths() * last as u64 % 10_000) as f64 / 10_000.0;
                Some(low + (high - low) * share)
            }
        }
    }
}

/// With fewer requests the bootstrap's intervals are too narrow to be called anything.
pub const FEWEST_REQUESTS: usize = 20;

/// With fewer requests beyond a percentile its resamples are hardly ever anything but the few greatest values, and one interval in
/// seven leaves the truth out instead of one in twenty. For a P99 it takes some 200 requests.
pub const FEWEST_BEYOND: usize = 3;

/// Requests that are worth fewer independent ones tell nothing of how far their figures swing.
pub const FEWEST_INDEPENDENT: f64 = 5.0;

/// How many values all resamples may hold: some seconds of work at most.
const VALUES_DRAWN: usize = 40_000_000;

const FEWEST_RESAMPLES: usize = 200;

const MOST_RESAMPLES: usize = 2_000;

const SEED: u64 = 0x5eed;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9 * expected.abs().max(1e-3), "{got} for {expected}");
    }

    fn sample(values: &[f64]) -> Sample {
        Sample::of(values).unwrap()
    }

    #[test]
    fn a_sample_has_the_interval_of_student() {
        let three = sample(&[10.0, 12.0, 14.0]);
        assert_eq!((three.n, three.mean, three.sd), (3, 12.0, Some(2.0)));
        // t(0.975, 2) = 4.302652729696142 by the tables; 12 ± t · 2 / √3.
        let interval = three.interval().unwrap();
        near(interval.low, 12.0 - 4.302652729696142 * 2.0 / 3_f64.sqrt());
        near(interval.high, 12.0 + 4.302652729696142 * 2.0 / 3_f64.sqrt());
    }

    #[test]
    fn a_single_run_has_no_interval() {
        let one = sample(&[5.0]);
        assert_eq!((one.sd, one.interval()), (None, None));
        assert_eq!(welch(&one, &sample(&[1.0, 2.0]), LEVEL), None);
        assert_eq!(Sample::of(&[]), None);
        assert_eq!(Sample::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn welch_gives_what_scipy_gives() {
        // scipy.stats.ttest_ind(b, a, equal_var=False), its p and confidence_interval(0.95).
        let a = sample(&A);
        let b = sample(&B);
        let difference = welch(&a, &b, LEVEL).unwrap();
        near(difference.by, BY);
        near(difference.p, P);
        near(difference.interval.low, LOW);
        near(difference.interval.high, HIGH);
    }

    const A: [f64; 5] = [27.5, 21.0, 19.0, 23.6, 17.0];
    const B: [f64; 4] = [27.1, 22.0, 30.8, 27.6];
    const BY: f64 = 5.255000000000003;
    const P: f64 = 0.08205005935188472;
    const LOW: f64 = -0.8740795526493992;
    const HIGH: f64 = 11.384079552649403;

    #[test]
    fn figures_that_never_vary_differ_as_they_stand() {
        let welch = |a: f64, b: f64| welch(&sample(&[a, a]), &sample(&[b, b]), LEVEL).unwrap();
        let same = welch(3.5, 3.5);
        assert_eq!((same.by, same.p, same.interval.holds(0.0)), (0.0, 1.0, true));
        let other = welch(3.5, 4.5);
        assert_eq!((other.by, other.p, other.interval.holds(0.0)), (1.0, 0.0, false));
    }

    #[test]
    fn counts_that_are_the_same_by_chance_are_no_finer_than_one() {
        let welch = |a: f64, b: f64| welch(&sample(&[a, a]), &sample(&[b, b]), LEVEL).unwrap();
        assert_eq!(welch(2.0, 2.0).interval, Interval { low: 0.0, high: 0.0 });
        assert!(welch(0.0, 1.0).interval.holds(0.0));
        assert!(!welch(0.0, 5.0).interval.holds(0.0));
        assert_eq!(sample(&[3.0, 3.0]).interval(), Some(Interval { low: 3.0, high: 3.0 }));
    }

    #[test]
    fn a_surer_interval_is_wider() {
        let (a, b) = (sample(&A), sample(&B));
        let wide = welch(&a, &b, 0.999).unwrap().interval;
        assert!(wide.low < LOW && HIGH < wide.high, "{wide:?}");
        // 1.959964 and 2.575829 deviations of a normal.
        let wide = Interval { low: 0.0, high: 2.0 * 1.959_964 }.widened(0.99).unwrap();
        assert!((wide.low + 0.615_865).abs() < 1e-5, "{wide:?}");
    }

    fn requests(values: impl IntoIterator<Item = f64>) -> Requests {
        let mut requests = Requests::default();
        requests.extend(values);
        requests
    }

    #[test]
    fn the_bootstrap_of_a_mean_is_about_as_wide_as_theory_has_it() {
        let even = |shift: f64| requests((0..400).map(|i| f64::from(i) / 400.0 + shift));
        let interval = bootstrap(&even(0.0), &even(0.2), Statistic::Mean).unwrap();
        // The variance of a uniform is 1/12: ±1.96 · √(2 / 12 / 400).
        let reach = 1.96 * (2.0_f64 / 12.0 / 400.0).sqrt();
        assert!((interval.low - (0.2 - reach)).abs() < 0.005, "{interval:?}");
        assert!((interval.high - (0.2 + reach)).abs() < 0.005, "{interval:?}");
    }

    #[test]
    fn the_bootstrap_is_the_same_every_time() {
        let (a, b) = (requests((0..50).map(f64::from)), requests((0..60).map(f64::from)));
        let median = Statistic::Linear(Percentile::P50);
        assert_eq!(bootstrap(&a, &b, median), bootstrap(&a, &b, median));
    }

    #[test]
    fn a_handful_of_requests_is_not_bootstrapped() {
        let few = requests((0..19).map(f64::from));
        let many = requests((0..90).map(f64::from));
        assert_eq!(bootstrap(&few, &many, Statistic::Mean), Err(TooFew::Requests));
    }

    #[test]
    fn a_percentile_that_few_requests_reach_is_not_bootstrapped() {
        let p99 = Percentile::from_hundredths(9_900).unwrap();
        let told = |n: u32| {
            let run = requests((0..n).map(f64::from));
            bootstrap(&run, &run, Statistic::Linear(p99)).map(|_| ())
        };
        assert_eq!((told(100), told(300)), (Err(TooFew::Beyond(p99)), Ok(())));
        // Hundreds of gaps, all those that are long in one request.
        let mut run = requests(vec![1.0; 400]);
        run.push(vec![9.0; 100]);
        assert_eq!(run.beyond(p99), 1);
    }

    #[test]
    fn a_request_of_many_gaps_is_drawn_as_one() {
        // One slow request among twenty: its thousand gaps come or go together, so the mean's interval is wide.
        let mut lumpy = Requests::default();
        lumpy.push(vec![1.0; 1_000]);
        (1..20).for_each(|_| lumpy.push([0.0]));
        let steady = requests(vec![0.0; 20]);
        let interval = bootstrap(&steady, &lumpy, Statistic::Mean).unwrap();
        assert!(interval.low == 0.0 && interval.high > 0.9, "{interval:?}");
    }

    proptest! {
        #[test]
        fn a_percentile_without_sorting_is_that_of_the_sorted(
            values in prop::collection::vec(-1e6_f64..1e6, 1..60), hundredths in 0_u16..=10_000,
        ) {
            let percentile = Percentile::from_hundredths(hundredths).unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let expected = crate::quantile::linear(&sorted, percentile).unwrap();
            let got = Statistic::Linear(percentile).of(&mut values.clone()).unwrap();
            prop_assert!((got - expected).abs() <= 1e-6, "{} for {}", got, expected);
        }

        #[test]
        fn welch_is_the_same_from_either_side(
            a in prop::collection::vec(0.0_f64..1e3, 2..8), b in prop::collection::vec(0.0_f64..1e3, 2..8),
        ) {
            let (a, b) = (sample(&a), sample(&b));
            let (one, other) = (welch(&a, &b, LEVEL).unwrap(), welch(&b, &a, LEVEL).unwrap());
            prop_assert!((one.by + other.by).abs() < 1e-9);
            prop_assert!((one.p - other.p).abs() < 1e-12);
            prop_assert_eq!(one.interval.holds(0.0), one.p >= 1.0 - LEVEL);
        }
    }
}
