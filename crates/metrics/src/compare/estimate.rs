//! A figure with its errors on either side, and what follows from it: intervals at any level, and how well it agrees with a value.
//!
//! One form for all that is compared, whatever its errors rest on, so that a verdict, its interval and a gate can never disagree.
//! What is positive is told on the scale of ratios, so that no interval reaches where nothing can be: no latency below 0, no change
//! below −100 %.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, Sample};

/// A figure, or a difference of two, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// The standard error towards less, on the scale.
    pub below: f64,
    /// The standard error towards more, on the scale.
    pub above: f64,
    /// Degrees of freedom: how many independent values the errors rest on, less those that went into the figure itself.
    pub freedom: f64,
    /// What the errors are errors of.
    pub scale: Scale,
}

/// What the errors of an estimate are errors of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// The value itself, which lies between these two whatever the errors say.
    Plain {
        /// No interval reaches below.
        least: f64,
        /// No interval reaches above.
        most: f64,
    },
    /// The logarithm of how far the value lies above this: a ratio, of which −1 is the floor where it is told as a change in parts.
    Above(f64),
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
        let (down, up) = (t * self.below, t * self.above);
        let (low, high) = match self.scale {
            Scale::Plain { least, most } => {
                ((self.value - down).max(least), (self.value + up).min(most))
            }
            Scale::Above(floor) => {
                let over = self.value - floor;
                (floor + over * (-down).exp(), floor + over * up.exp())
            }
        };
        (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
    }

    /// How often a value as far from `from` comes about where that is the truth: two-sided.
    pub fn p(&self, from: f64) -> f64 {
        let apart = self.value - from;
        if apart.abs() <= ROUNDING * self.value.abs().max(from.abs()) {
            return 1.0;
        }
        let away = match self.scale {
            Scale::Plain { .. } => apart,
            Scale::Above(floor) if from > floor => ((self.value - floor) / (from - floor)).ln(),
            Scale::Above(_) => return 0.0,
        };
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
        let freedom = (runs.n - 1) as f64;
        Some(match runs.mean > 0.0 {
            true => Self::even(runs.mean, error / runs.mean, freedom, Scale::Above(0.0)),
            false => Self::even(runs.mean, error, freedom, ANYWHERE),
        })
    }

    /// Kept within these bounds: what cannot be is no part of an interval.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        // By the derivative of the logarithm, an error in parts is one of the value by as many times the value.
        let Scale::Above(floor) = self.scale else {
            return Self { scale: Scale::Plain { least, most }, ..self };
        };
        let over = self.value - floor;
        let scale = Scale::Plain { least, most };
        Self { below: over * self.below, above: over * self.above, scale, ..self }
    }

    const fn even(value: f64, error: f64, freedom: f64, scale: Scale) -> Self {
        Self { value, below: error, above: error, freedom, scale }
    }
}

impl Swinging {
    /// The figure alone: on the scale of ratios where it is positive in every draw, else never below 0 if it is not itself.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.is_positive() {
            let logarithms = self.draws.iter().map(|draw| draw.ln()).collect();
            return estimate(self.value, logarithms, self.freedom, Scale::Above(0.0));
        }
        let least = if self.value >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let scale = Scale::Plain { least, most: f64::INFINITY };
        estimate(self.value, self.draws.clone(), self.freedom, scale)
    }

    fn is_positive(&self) -> bool {
        self.value > 0.0 && self.draws.iter().all(|&draw| draw > 0.0)
    }

    /// The square of its standard error.
    pub fn variance(&self) -> f64 {
        variance_of(&self.draws)
    }

    /// By how much the second lies above the first. Where [`Swinging::relative`] can be told, that part of the first as it was
    /// measured, so that the two say the same.
    pub fn difference(a: &Self, b: &Self) -> Option<Estimate> {
        if let Some(relative) = Self::relative(a, b) {
            return Some(times(relative, a.value, b.value));
        }
        let draws = a.draws.iter().zip(&b.draws).map(|(a, b)| b - a).collect();
        // Neither was below 0, so no more than all of the first can have gone.
        let counts = a.value >= 0.0 && b.value >= 0.0;
        let least = if counts { -a.value } else { f64::NEG_INFINITY };
        let scale = Scale::Plain { least, most: f64::INFINITY };
        estimate(b.value - a.value, draws, freedom(a, b, [1.0, 1.0]), scale)
    }

    /// By which part of the first the second lies above it. `None` where the first is, or may well be, 0 or less.
    pub fn relative(a: &Self, b: &Self) -> Option<Estimate> {
        if !a.is_positive() {
            return None;
        }
        let value = b.value / a.value - 1.0;
        if b.is_positive() {
            let draws = a.draws.iter().zip(&b.draws).map(|(a, b)| (b / a).ln()).collect();
            let scales = [1.0 / a.value, 1.0 / b.value];
            return estimate(value, draws, freedom(a, b, scales), Scale::Above(-1.0));
        }
        let draws = a.draws.iter().zip(&b.draws).map(|(a, b)| b / a - 1.0).collect();
        let scales = [b.value / (a.value * a.value), 1.0 / a.value];
        let least = if b.value >= 0.0 { -1.0 } else { f64::NEG_INFINITY };
        let scale = Scale::Plain { least, most: f64::INFINITY };
        estimate(value, draws, freedom(a, b, scales), scale)
    }
}

/// A change in parts of `a` as one in its unit, to `b`.
fn times(relative: Estimate, a: f64, b: f64) -> Estimate {
    match relative.scale {
        Scale::Above(_) => Estimate { value: b - a, scale: Scale::Above(-a), ..relative },
        Scale::Plain { least, most } => Estimate {
            value: b - a,
            below: relative.below * a,
            above: relative.above * a,
            scale: Scale::Plain { least: least * a, most: most * a },
            ..relative
        },
    }
}

/// Welch's comparison (Biometrika 34, 1947) of the means of runs, their variance that within runs where the few of them happen to lie
/// closer: the difference, and the same in parts of the first. Of positive means it is their ratio that is judged (by the derivative of
/// its logarithm), and the difference is that part of the first mean. A side of one run is taken to vary from run to run as the other
/// does (Crawford and Howell, The Clinical Neuropsychologist 12, 1998), in parts of its mean. `None` where neither side has two runs.
pub fn between_runs(sides: [&Sample; 2], within: [Option<f64>; 2]) -> Option<[Estimate; 2]> {
    let [a, b] = sides;
    let positive = a.mean > 0.0 && b.mean > 0.0;
    // In parts of each mean, where it is ratios that are judged.
    let unit = |runs: &Sample| if positive { runs.mean.powi(2) } else { 1.0 };
    let own = [
        variance(a, within[0]).map(|variance| variance / unit(a)),
        variance(b, within[1]).map(|variance| variance / unit(b)),
    ];
    let inside = [within[0].unwrap_or(0.0) / unit(a), within[1].unwrap_or(0.0) / unit(b)];
    let of_one = |many: f64, runs: &Sample| many * runs.n as f64;
    let (variance, freedom) = match (own, a.n, b.n) {
        ([Some(of_a), Some(of_b)], ..) => {
            let part = |variance: f64, n: usize| variance.powi(2) / (n - 1) as f64;
            let parts = part(of_a, a.n) + part(of_b, b.n);
            let freedom = if parts > 0.0 { (of_a + of_b).powi(2) / parts } else { 1.0 };
            (of_a + of_b, freedom)
        }
        ([Some(of_a), None], _, 1) => (of_a + of_one(of_a, a).max(inside[1]), (a.n - 1) as f64),
        ([None, Some(of_b)], 1, _) => (of_b + of_one(of_b, b).max(inside[0]), (b.n - 1) as f64),
        _ => return None,
    };
    let error = variance.sqrt();
    let ratio = b.mean / a.mean;
    if positive {
        let relative = Estimate::even(ratio - 1.0, error, freedom, Scale::Above(-1.0));
        return Some([times(relative, a.mean, b.mean), relative]);
    }
    let difference = Estimate::even(b.mean - a.mean, error, freedom, ANYWHERE);
    let in_parts = error / a.mean.abs();
    Some([difference, Estimate::even(ratio - 1.0, in_parts, freedom, ANYWHERE)])
}

/// The variance of the mean of runs.
fn variance(runs: &Sample, within: Option<f64>) -> Option<f64> {
    Some(runs.variance()?.max(within.unwrap_or(0.0) / runs.n as f64))
}

/// From the quantiles of draws, which are on the scale: a standard error on either side of their median, neither much less than their
/// spread has it.
fn estimate(value: f64, mut draws: Vec<f64>, freedom: f64, scale: Scale) -> Option<Estimate> {
    if draws.len() < 2 || draws.iter().any(|draw| !draw.is_finite()) || !value.is_finite() {
        return None;
    }
    let least = LEAST_SIDE * variance_of(&draws).sqrt();
    draws.sort_unstable_by(f64::total_cmp);
    let at = |percent| crate::quantile::linear_at(&draws, percent);
    let (low, middle, high) = (at(2.5)?, at(50.0)?, at(97.5)?);
    let side = |length: f64| (length / NORMAL).max(least);
    Some(Estimate { value, below: side(middle - low), above: side(high - middle), freedom, scale })
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

/// Where nothing forbids any value.
const ANYWHERE: Scale = Scale::Plain { least: f64::NEG_INFINITY, most: f64::INFINITY };

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
        // Welch's comparison does not mind where 0 lies; what is not positive has no ratio and is compared by its difference.
        let below_zero =
            |values: &[f64]| sample(&values.iter().map(|value| value - 100.0).collect::<Vec<_>>());
        let (a, b) = (&[27.5, 21.0, 19.1, 23.6, 17.2], &[27.1, 22.3, 30.8, 27.6]);
        let [difference, _] = between_runs([&below_zero(a), &below_zero(b)], [None; 2]).unwrap();
        let expected = welch(&sample(a), &sample(b), LEVEL).unwrap();
        let interval = difference.interval(LEVEL).unwrap();
        assert!((interval.low - expected.interval.low).abs() < 1e-9);
        assert!((interval.high - expected.interval.high).abs() < 1e-9);
        assert!((difference.p(0.0) - expected.p).abs() < 1e-9);
        let (a, b) = (sample(a), sample(b));
        let [difference, relative] = between_runs([&a, &b], [None; 2]).unwrap();
        assert!((relative.value - (b.mean / a.mean - 1.0)).abs() < 1e-12);
        // The error of ln(b ÷ a): √(s²ₐ ÷ (nₐ a²) + s²ᵦ ÷ (nᵦ b²)).
        let part = |runs: &Sample| (runs.sd.unwrap() / runs.mean).powi(2) / runs.n as f64;
        assert!((relative.above - (part(&a) + part(&b)).sqrt()).abs() < 1e-12);
        assert_eq!(relative.p(0.0), difference.p(0.0));
        // Near each other, the logarithm hardly matters.
        assert!((difference.p(0.0) - expected.p).abs() < 0.05, "{difference:?} {expected:?}");
    }

    #[test]
    fn no_interval_reaches_where_nothing_can_be() {
        // Two runs a side, far apart: by Welch's difference the interval of the change would begin at −470 %.
        let (a, b) = (sample(&[10.0, 50.0]), sample(&[20.0, 90.0]));
        let [difference, relative] = between_runs([&a, &b], [None; 2]).unwrap();
        let [of_difference, of_relative] =
            [difference, relative].map(|estimate| estimate.interval(LEVEL).unwrap());
        assert!(of_relative.low > -1.0 && of_relative.high > 3.0, "{of_relative:?}");
        assert!((of_difference.low - a.mean * of_relative.low).abs() < 1e-6);
        let own = Estimate::of_runs(&b, None).unwrap().interval(LEVEL).unwrap();
        assert!(own.low > 0.0 && own.holds(b.mean), "{own:?}");
        let wide = |value: f64| Swinging {
            value,
            draws: (1..=99).map(|i| value * f64::from(i) / 50.0).collect(),
            freedom: 2.0,
        };
        let (a, b) = (wide(30.0), wide(40.0));
        assert!(Swinging::relative(&a, &b).unwrap().interval(0.999).unwrap().low > -1.0);
        assert!(Swinging::difference(&a, &b).unwrap().interval(0.999).unwrap().low > -30.0);
        assert!(b.estimate().unwrap().interval(0.999).unwrap().low > 0.0);
        // What may be 0 is told on its own scale, and still not below it.
        let may_be_none = Swinging {
            value: 1.0,
            draws: (-40..=60).map(|i| f64::from(i) / 10.0).collect(),
            freedom: 9.0,
        };
        assert_eq!(may_be_none.estimate().unwrap().interval(LEVEL).unwrap().low, 0.0);
        let share = Estimate::even(0.99, 0.01, 30.0, Scale::Above(0.0)).within(0.0, 1.0);
        assert_eq!(share.interval(LEVEL).unwrap().high, 1.0);
    }

    #[test]
    fn a_difference_and_its_part_of_the_baseline_always_agree() {
        let mut source = Draws::seeded(6);
        for _ in 0..200 {
            let mut side = |mean: f64| Swinging {
                value: mean,
                draws: (0..200).map(|_| mean + 0.3 * source.normal()).collect(),
                freedom: 12.0,
            };
            let (a, b) = (side(4.0), side(4.4));
            let (difference, relative) =
                (Swinging::difference(&a, &b).unwrap(), Swinging::relative(&a, &b).unwrap());
            assert_eq!(difference.p(0.0), relative.p(0.0));
            let [of_difference, of_relative] =
                [difference, relative].map(|estimate| estimate.interval(LEVEL).unwrap());
            assert!((of_difference.low / a.value - of_relative.low).abs() < 1e-9);
            assert!((of_difference.high / a.value - of_relative.high).abs() < 1e-9);
        }
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
        // The runs vary by a tenth of their mean: √(0.1² + 0.1² ÷ 3), with 2 degrees of freedom.
        let (many, one) = (sample(&[9.0, 10.0, 11.0]), sample(&[14.0]));
        let [difference, _] = between_runs([&many, &one], [None; 2]).unwrap();
        // Of whole numbers, a variance of a mean is that of their rounding at least, which is less here.
        assert!((difference.above - 0.1 * (4.0_f64 / 3.0).sqrt()).abs() < 1e-9, "{difference:?}");
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
            let plain = Estimate { value: 3.0 * value, below, above, freedom, scale: ANYWHERE };
            let ratio = Estimate { value: value.exp() - 1.0, scale: Scale::Above(-1.0), ..plain };
            for estimate in [plain, ratio] {
                let holds = estimate.interval(LEVEL).unwrap().holds(0.0);
                assert_eq!(holds, estimate.p(0.0) >= 1.0 - LEVEL, "{estimate:?}");
            }
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
        // Of ln(103 ÷ 100), each known to one part in a hundred.
        assert!((difference.below - 0.014).abs() < 8e-4, "{difference:?}");
        let relative = Swinging::relative(&a, &b).unwrap();
        assert!((relative.value - 0.03).abs() < 1e-9 && (relative.above - 0.014).abs() < 8e-4);
        assert_eq!(Swinging::relative(&Swinging { value: 0.0, ..a }, &b), None);
    }

    #[test]
    fn what_is_the_same_but_for_its_rounding_does_not_differ() {
        let same = Estimate { value: 1e-17, below: 0.0, above: 0.0, freedom: 9.0, scale: ANYWHERE };
        assert_eq!(Estimate { value: 0.0, ..same }.p(0.0), 1.0);
        assert_eq!(Estimate { value: 2.0, ..same }.p(0.0), 0.0);
        assert_eq!(Estimate { value: 2.0, ..same }.interval(0.99).unwrap().low, 2.0);
    }
}
