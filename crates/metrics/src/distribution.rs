//! What is kept of a sample: its size, mean, spread and percentiles.
//!
//! Deliberately not the sample itself: a run of millions of chunks must not live twice in memory.

mod pool;

pub(crate) use pool::Pool;

use crate::confidence::{self, Bounds, Unbounded};
use crate::quantile::{self, Percentile};

/// A sample, summed up. Never empty, and every figure finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// How many values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, as numpy gives it: divided by n, so that one value has 0.
    pub std: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    mean_bounds: Result<Bounds, Unbounded>,
    ladder: [Rung; Percentile::LADDER.len()],
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rung {
    nearest_rank: f64,
    linear: f64,
    bounds: Result<Bounds, Unbounded>,
}

impl Distribution {
    /// Sums up `values`, one a request, in the order in which requests started: bounds go by how much they depend on each other.
    /// Values that are not finite are left out; `None` if none is left.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let bounds = |percentile| confidence::percentile(&values, &sorted, percentile);
        Self::sorted(&sorted, confidence::mean(&values), bounds)
    }

    /// Sums up values that come several a request, in any order: they have no bounds. `None` if no value is finite.
    pub fn pooled(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        Self::sorted(&values, Err(Unbounded::Pooled), |_| Err(Unbounded::Pooled))
    }

    fn sorted(
        values: &[f64],
        mean_bounds: Result<Bounds, Unbounded>,
        bounds: impl Fn(Percentile) -> Result<Bounds, Unbounded>,
    ) -> Option<Self> {
        let (&min, &max) = (values.first()?, values.last()?);
        let n = values.len() as f64;
        // Rounding must not carry a mean of equal values outside of them.
        let mean = (values.iter().sum::<f64>() / n).clamp(min, max);
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        let ladder = Percentile::LADDER.map(|percentile| Rung {
            nearest_rank: quantile::nearest_rank(values, percentile).unwrap_or(max),
            linear: quantile::linear(values, percentile).unwrap_or(max),
            bounds: bounds(percentile),
        });
        let (n, std) = (values.len() as u64, variance.sqrt());
        Some(Self { n, mean, std, min, max, mean_bounds, ladder })
    }

    /// A percentile of [`Percentile::LADDER`] by nearest rank. `None` for any other.
    pub fn nearest_rank(&self, percentile: Percentile) -> Option<f64> {
        self.rung(percentile).map(|rung| rung.nearest_rank)
    }

    /// A percentile of [`Percentile::LADDER`] by linear interpolation. `None` for any other.
    pub fn linear(&self, percentile: Percentile) -> Option<f64> {
        self.rung(percentile).map(|rung| rung.linear)
    }

    /// Where the true mean lies, at 95 %: [`confidence::mean`].
    ///
    /// # Errors
    /// If there are too few values, they depend on each other too much, or they are [`pooled`](Self::pooled).
    pub const fn mean_bounds(&self) -> Result<Bounds, Unbounded> {
        self.mean_bounds
    }

    /// Between which values a true percentile of [`Percentile::LADDER`] lies, each bound at 99 %: [`confidence::percentile`].
    /// `None` for any other percentile, and the refusal for the reasons for which [`mean_bounds`](Self::mean_bounds) refuses.
    pub fn bounds(&self, percentile: Percentile) -> Option<Result<Bounds, Unbounded>> {
        self.rung(percentile).map(|rung| rung.bounds)
    }

    /// Whether the sample is large enough for the percentile to be anything but its maximum.
    pub const fn bears(&self, percentile: Percentile) -> bool {
        self.n >= percentile.needs()
    }

    fn rung(&self, percentile: Percentile) -> Option<Rung> {
        let at = Percentile::LADDER.iter().position(|&kept| kept == percentile)?;
        Some(self.ladder[at])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_up_a_sample() {
        let of = Distribution::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((of.n, of.mean, of.min, of.max), (4, 2.5, 1.0, 4.0));
        assert_eq!(of.std, 1.25_f64.sqrt());
        assert_eq!(of.nearest_rank(Percentile::P50), Some(2.0));
        assert_eq!(of.linear(Percentile::P50), Some(2.5));
        assert_eq!(of.nearest_rank(Percentile::P99), Some(4.0));
    }

    #[test]
    fn nothing_sums_up_to_nothing() {
        assert_eq!(Distribution::of(Vec::new()), None);
        assert_eq!(Distribution::of(vec![f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn a_p99_of_twenty_is_not_borne() {
        let of = Distribution::of((0..20).map(f64::from).collect()).unwrap();
        assert!(of.bears(Percentile::P95));
        assert!(!of.bears(Percentile::P99));
    }

    /// Values in no order: each once, 0 to 499, or as many as asked for below that.
    fn mixed(n: u64) -> Vec<f64> {
        (0..n).map(|i| (i * i * 31 + i * 7) % 499).map(|value| value as f64).collect()
    }

    #[test]
    fn bounds_are_those_of_the_sample() {
        let values = mixed(499);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let of = Distribution::of(values.clone()).unwrap();
        let bounds = confidence::percentile(&values, &sorted, Percentile::P95);
        assert!(bounds.is_ok());
        assert_eq!(of.bounds(Percentile::P95), Some(bounds));
        assert_eq!(of.mean_bounds(), confidence::mean(&values));
        assert!(of.mean_bounds().is_ok());
    }

    #[test]
    fn what_a_sample_cannot_bear_has_no_bounds() {
        let of = Distribution::of(mixed(20)).unwrap();
        assert_eq!(of.mean_bounds(), Err(Unbounded::TooFew { needs: 30, has: 20 }));
        let p99 = of.bounds(Percentile::P99);
        assert_eq!(p99, Some(Err(Unbounded::TooFew { needs: 459, has: 20 })));
        assert!(of.bounds(Percentile::P50).is_some_and(|bounds| bounds.is_ok()));
    }

    #[test]
    fn values_of_which_a_request_has_many_have_no_bounds() {
        let of = Distribution::pooled(mixed(499)).unwrap();
        assert_eq!(of.mean_bounds(), Err(Unbounded::Pooled));
        assert_eq!(of.bounds(Percentile::P50), Some(Err(Unbounded::Pooled)));
        assert_eq!(Distribution::of(mixed(499)).map(|of| of.mean), Some(of.mean));
    }

    #[test]
    fn percentiles_off_the_ladder_are_not_invented() {
        let of = Distribution::of(vec![1.0]).unwrap();
        assert_eq!(of.nearest_rank(Percentile::from_hundredths(3_333).unwrap()), None);
    }

    proptest! {
        #[test]
        fn every_figure_is_finite_and_in_order(values in prop::collection::vec(0.0_f64..1e6, 1..100)) {
            let of = Distribution::of(values).unwrap();
            prop_assert!(of.std.is_finite() && of.std >= 0.0);
            prop_assert!(of.min <= of.mean && of.mean <= of.max);
            let mut before = of.min;
            for p in Percentile::LADDER {
                let value = of.nearest_rank(p).unwrap();
                prop_assert!(before <= value && value <= of.max);
                before = value;
            }
        }
    }
}
