//! A figure with its errors on either side, and what follows from it: intervals at any level, and how well it agrees with a value.
//!
//! One form for all that is compared, whatever its errors rest on, so that a verdict, its interval and a gate can never disagree.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, Sample};

/// A figure, or a difference of two, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// The standard error towards less.
    pub below: f64,
    /// The standard error towards more.
    pub above: f64,
    /// Degrees of freedom: how many independent values the errors rest on, less those that went into the figure itself.
    pub freedom: f64,
}

/// A side of a comparison: a figure and how far it swings.
#[derive(Clone, Debug, PartialEq)]
pub struct Swinging {
    /// What was measured.
    pub value: f64,
    /// What it might have come to as well: draws from its distribution.
    pub draws: Vec<f64>,
    /// Degrees of freedom of its errors.
    pub freedom: f64,
}

impl Estimate {
    /// The interval of this level around it. `None` where that is no number.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let exact = self.below == 0.0 && self.above == 0.0;
        let t = if exact { 0.0 } else { reach(self.freedom, level)? };
        let (low, high) = (self.value - t * self.below, self.value + t * self.above);
        (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
    }

    /// How often a value as far from `from` comes about where that is the truth: two-sided.
    pub fn p(&self, from: f64) -> f64 {
        let away = self.value - from;
        if away.abs() <= ROUNDING * self.value.abs().max(from.abs()) {
            return 1.0;
        }
        let error = if away > 0.0 { self.below } else { self.above };
        if error == 0.0 {
            return 0.0;
        }
        let student = StudentsT::new(0.0, 1.0, self.freedom.max(LEAST_FREEDOM));
        student.map_or(1.0, |student| 2.0 * student.cdf(-(away / error).abs()))
    }

    /// By the means of independent runs, whose error is that of their spread, or of what swings within each run where that is more.
    pub fn of_runs(runs: &Sample, within: Option<f64>) -> Option<Self> {
        let error = variance(runs, within)?.sqrt();
        Some(Self { value: runs.mean, below: error, above: error, freedom: (runs.n - 1) as f64 })
    }
}

impl Swinging {
    /// The figure alone.
    pub fn estimate(&self) -> Option<Estimate> {
        estimate(self.value, self.draws.clone(), self.freedom)
    }

    /// The square of its standard error.
    pub fn variance(&self) -> f64 {
        variance_of(&self.draws)
    }

    /// By how much the second lies above the first.
    pub fn difference(a: &Self, b: &Self) -> Option<Estimate> {
        let draws = a.draws.iter().zip(&b.draws).map(|(a, b)| b - a).collect();
        estimate(b.value - a.value, draws, freedom(a, b, [1.0, 1.0]))
    }

    /// By which part of the first the second lies above it. `None` where the first is, or may well be, 0 or less.
    pub fn relative(a: &Self, b: &Self) -> Option<Estimate> {
        if a.value <= 0.0 || a.draws.iter().any(|&draw| draw <= 0.0) {
            return None;
        }
        let draws = a.draws.iter().zip(&b.draws).map(|(a, b)| b / a - 1.0).collect();
        let scales = [b.value / (a.value * a.value), 1.0 / a.value];
        estimate(b.value / a.value - 1.0, draws, freedom(a, b, scales))
    }
}

/// Welch's comparison (Biometrika 34, 1947) of the means of runs, their variance that within runs where the few of them happen to lie
/// closer. A side of one run is taken to vary from run to run as the other does (Crawford and Howell, The Clinical Neuropsychologist
/// 12, 1998). `None` where neither side has two runs.
pub fn between_runs(sides: [&Sample; 2], within: [Option<f64>; 2]) -> Option<[Estimate; 2]> {
    let [a, b] = sides;
    let own = [variance(a, within[0]), variance(b, within[1])];
    let of_one = |many: f64, runs: &Sample| many * runs.n as f64;
    let (variances, freedom) = match (own, a.n, b.n) {
        ([Some(of_a), Some(of_b)], ..) => {
            let part = |variance: f64, n: usize| variance.powi(2) / (n - 1) as f64;
            let parts = part(of_a, a.n) + part(of_b, b.n);
            let freedom = if parts > 0.0 { (of_a + of_b).powi(2) / parts } else { 1.0 };
            ([of_a, of_b], freedom)
        }
        ([Some(of_a), None], _, 1) => {
            let of_b = of_one(of_a, a).max(within[1].unwrap_or(0.0));
            ([of_a, of_b], (a.n - 1) as f64)
        }
        ([None, Some(of_b)], 1, _) => {
            let of_a = of_one(of_b, b).max(within[0].unwrap_or(0.0));
            ([of_a, of_b], (b.n - 1) as f64)
        }
        _ => return None,
    };
    let error = (variances[0] + variances[1]).sqrt();
    let difference = Estimate { value: b.mean - a.mean, below: error, above: error, freedom };
    let ratio = b.mean / a.mean;
    // The variance of a ratio, by its derivatives.
    let error = (variances[1] + ratio.powi(2) * variances[0]).sqrt() / a.mean.abs();
    Some([difference, Estimate { value: ratio - 1.0, below: error, above: error, freedom }])
}

/// The variance of the mean of runs.
fn variance(runs: &Sample, within: Option<f64>) -> Option<f64> {
    Some(runs.variance()?.max(within.unwrap_or(0.0) / runs.n as f64))
}

/// From the quantiles of draws: a standard error on either side of their median, neither much less than their spread has it.
fn estimate(value: f64, mut draws: Vec<f64>, freedom: f64) -> Option<Estimate> {
    if draws.len() < 2 || draws.iter().any(|draw| !draw.is_finite()) || !value.is_finite() {
        return None;
    }
    let least = LEAST_SIDE * variance_of(&draws).sqrt();
    draws.sort_unstable_by(f64::total_cmp);
    let at = |percent| crate::quantile::linear_at(&draws, percent);
    let (low, middle, high) = (at(2.5)?, at(50.0)?, at(97.5)?);
    let side = |length: f64| (length / NORMAL).max(least);
    Some(Estimate { value, below: side(middle - low), above: side(high - middle), freedom })
}

/// Satterthwaite's degrees of freedom for the two together, each scaled as it goes into the result.
fn freedom(a: &Swinging, b: &Swinging, scales: [f64; 2]) -> f64 {
    let [of_a, of_b] = [a.variance() * scales[0].powi(2), b.variance() * scales[1].powi(2)];
    let parts = of_a.powi(2) / a.freedom + of_b.powi(2) / b.freedom;
    if parts > 0.0 { (of_a + of_b).powi(2) / parts } else { a.freedom.min(b.freedom) }
}

fn variance_of(draws: &[f64]) -> f64 {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
}

/// How many standard errors an interval of this level reaches to either side, by Student's t.
fn reach(freedom: f64, level: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom.max(LEAST_FREEDOM)).ok()?;
    Some(student.inverse_cdf(f64::midpoint(level, 1.0))).filter(|reach| reach.is_finite())
}

/// 97.5 % of a normal distribution lie below so many deviations.
const NORMAL: f64 = 1.959_963_985;

/// Neither side's error is less than this part of the spread of all draws.
const LEAST_SIDE: f64 = 0.6;

/// With less than one degree of freedom there is no distribution.
const LEAST_FREEDOM: f64 = 1.0;

/// What is no greater a part of a figure is its rounding.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::super::{LEVEL, welch};
    use super::*;
    use crate::confidence::testing::Draws;

    fn sample(values: &[f64]) -> Sample {
        Sample::of(values).unwrap()
    }

    #[test]
    fn runs_on_both_sides_are_compared_by_welch() {
        let (a, b) = (sample(&[27.5, 21.0, 19.1, 23.6, 17.2]), sample(&[27.1, 22.3, 30.8, 27.6]));
        let [difference, relative] = between_runs([&a, &b], [None; 2]).unwrap();
        let expected = welch(&a, &b, LEVEL).unwrap();
        let interval = difference.interval(LEVEL).unwrap();
        assert!((interval.low - expected.interval.low).abs() < 1e-9);
        assert!((interval.high - expected.interval.high).abs() < 1e-9);
        assert!((difference.p(0.0) - expected.p).abs() < 1e-9);
        assert!((relative.value - (b.mean / a.mean - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn runs_that_lie_close_by_chance_are_no_surer_than_their_requests() {
        let (a, b) = (sample(&[10.0, 10.0001]), sample(&[10.1, 10.1001]));
        let p = |within| between_runs([&a, &b], [within; 2]).unwrap()[0].p(0.0);
        assert!(p(None) < 1e-3);
        assert!(p(Some(0.04)) > 0.5);
    }

    #[test]
    fn a_single_run_varies_as_the_runs_of_the_other_side_do() {
        // t = (14 − 10) ÷ (1 · √(1 + 1/3)) with 2 degrees of freedom.
        let (many, one) = (sample(&[9.0, 10.0, 11.0]), sample(&[14.0]));
        let [difference, _] = between_runs([&many, &one], [None; 2]).unwrap();
        assert!((difference.above - (4.0_f64 / 3.0).sqrt()).abs() < 1e-2, "{difference:?}");
        assert_eq!(difference.freedom, 2.0);
        let [mirrored, _] = between_runs([&one, &many], [None; 2]).unwrap();
        assert_eq!((mirrored.value, mirrored.above), (-difference.value, difference.above));
        assert_eq!(between_runs([&one, &one], [None; 2]), None);
    }

    #[test]
    fn an_interval_leaves_nothing_out_exactly_where_chance_explains_it() {
        let mut draws = Draws::seeded(3);
        for _ in 0..200 {
            let [value, below, above] = [draws.normal(), draws.uniform(), draws.uniform()];
            let freedom = 1.0 + 30.0 * draws.uniform();
            let estimate = Estimate { value: 3.0 * value, below, above, freedom };
            let holds = estimate.interval(LEVEL).unwrap().holds(0.0);
            assert_eq!(holds, estimate.p(0.0) >= 1.0 - LEVEL, "{estimate:?}");
        }
    }

    #[test]
    fn draws_give_the_errors_of_their_distribution() {
        let mut source = Draws::seeded(4);
        let mut side = |mean: f64| Swinging {
            value: mean,
            draws: (0..4_000).map(|_| mean + source.normal()).collect(),
            freedom: 1e6,
        };
        let (a, b) = (side(100.0), side(103.0));
        let difference = Swinging::difference(&a, &b).unwrap();
        assert!((difference.below - 2_f64.sqrt()).abs() < 0.08, "{difference:?}");
        let relative = Swinging::relative(&a, &b).unwrap();
        assert!((relative.value - 0.03).abs() < 1e-9 && (relative.above - 0.0143).abs() < 1e-3);
        assert_eq!(Swinging::relative(&Swinging { value: 0.0, ..a }, &b), None);
    }

    #[test]
    fn what_is_the_same_but_for_its_rounding_does_not_differ() {
        let same = Estimate { value: 1e-17, below: 0.0, above: 0.0, freedom: 9.0 };
        assert_eq!(Estimate { value: 0.0, ..same }.p(0.0), 1.0);
        assert_eq!(Estimate { value: 2.0, ..same }.p(0.0), 0.0);
        assert_eq!(Estimate { value: 2.0, ..same }.interval(0.99).unwrap().low, 2.0);
    }
}
