//! Distributions as curves of a bounded number of points, each of them exact: a value that occurred, and the share of all values that
//! are not above it.
//!
//! Deliberately keeps no values of which a run has very many: those are counted in bins so narrow that no eye tells them apart.

use super::Curve;
use crate::Run;
use crate::catalog::Metric;

/// The curve of a metric that has at most one value a request. `None` if it has none.
pub(super) fn of_requests(metric: &Metric, run: &Run<'_>) -> Option<Curve> {
    let values = metric.values(run);
    let groups = values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64));
    through(metric.key, values.len() as u64, groups)
}

/// The points of `groups` (a value and how many there are, ascending) that first reach each of [`SHARES`].
fn through(
    metric: &'static str,
    n: u64,
    groups: impl Iterator<Item = (f64, u64)>,
) -> Option<Curve> {
    let rank = |share: u64| (u128::from(n) * u128::from(share)).div_ceil(10_000).max(1);
    let mut wanted = shares().map(rank).peekable();
    let mut points = Vec::new();
    let mut so_far = 0;
    for (value, count) in groups {
        so_far += count;
        let mut reached = false;
        while wanted.next_if(|&rank| rank <= u128::from(so_far)).is_some() {
            reached = true;
        }
        if reached {
            points.push((value, so_far as f64 / n as f64));
        }
    }
    (!points.is_empty()).then_some(Curve { metric, points, n })
}

/// The shares, in ten-thousandths, that a curve has points at: denser at both ends, where the worst are.
fn shares() -> impl Iterator<Item = u64> {
    let high = TAIL.iter().rev().map(|share| 10_000 - share);
    TAIL.iter().copied().chain((1..100).map(|percent| percent * 100)).chain(high)
}

const TAIL: [u64; 13] = [0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90];

/// Values counted in bins, of which each keeps its greatest. A bin is at most 1/4096 (0.025 %) wide, relative to its values: that far
/// a point's value can lie above the percentile of the share for which it was chosen. Its own share is exact.
///
/// Bins are of equal width within an octave: they are the leading bits of a number's binary form, which ascends with it. Only
/// octaves in which there are values take room, 64 KiB each.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    octaves: Vec<Vec<Bin>>,
    n: u64,
    least: (f64, u64),
    greatest: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    count: u64,
    greatest: f64,
}

impl Tally {
    /// With nothing in it.
    pub(super) fn new() -> Self {
        let octaves = vec![Vec::new(); OCTAVES];
        Self { octaves, n: 0, least: (f64::INFINITY, 0), greatest: 0.0 }
    }

    /// Counts a value so many times. Values that are negative or not finite are left out.
    pub(super) fn add(&mut self, value: f64, count: u64) {
        if !(value.is_finite() && value >= 0.0) || count == 0 {
            return;
        }
        // Without the sign of −0.
        let bits = value.abs().to_bits();
        let octave = &mut self.octaves[(bits >> MANTISSA) as usize];
        if octave.is_empty() {
            octave.resize(BINS, Bin::default());
        }
        let bin = &mut octave[(bits >> (MANTISSA - BITS)) as usize % BINS];
        bin.count += count;
        bin.greatest = bin.greatest.max(value);
        self.n += count;
        self.greatest = self.greatest.max(value);
        if value < self.least.0 {
            self.least = (value, 0);
        }
        if value <= self.least.0 {
            self.least.1 += count;
        }
    }

    /// The least and the greatest value. `None` if there is none.
    pub(super) fn extremes(&self) -> Option<(f64, f64)> {
        (self.n > 0).then_some((self.least.0, self.greatest))
    }

    /// The curve of what was counted. `None` if that is nothing.
    pub(super) fn curve(&self, metric: &'static str) -> Option<Curve> {
        let bins = self.octaves.iter().flatten().filter(|bin| bin.count > 0);
        // The least value stands by itself, whatever shares its bin.
        let (least, times) = self.least;
        let mut others = bins.map(|bin| (bin.greatest, bin.count)).collect::<Vec<_>>();
        let first = others.first_mut()?;
        first.1 -= times;
        let rest = others.into_iter().filter(|&(_, count)| count > 0);
        through(metric, self.n, std::iter::once((least, times)).chain(rest))
    }
}

/// The bits of a number's fraction.
const MANTISSA: u32 = 52;

/// How many of them tell bins apart.
const BITS: u32 = 12;

const BINS: usize = 1 << BITS;

/// The exponents that a number can have.
const OCTAVES: usize = 1 << 11;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tallied(values: impl IntoIterator<Item = f64>) -> Option<Curve> {
        let mut tally = Tally::new();
        values.into_iter().for_each(|value| tally.add(value, 1));
        tally.curve("itl")
    }

    fn of(mut values: Vec<f64>) -> Option<Curve> {
        values.sort_unstable_by(f64::total_cmp);
        let groups = values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64));
        through("e2e", values.len() as u64, groups)
    }

    #[test]
    fn few_values_are_all_there() {
        let curve = of(vec![4.0, 1.0, 2.0, 2.0]).unwrap();
        assert_eq!(curve.points, [(1.0, 0.25), (2.0, 0.75), (4.0, 1.0)]);
        assert_eq!(curve.n, 4);
        assert_eq!(tallied([4.0, 1.0, 2.0, 2.0]).unwrap().points, curve.points);
    }

    #[test]
    fn nothing_has_no_curve() {
        assert_eq!((of(Vec::new()), tallied([])), (None, None));
        assert_eq!(tallied([f64::NAN, f64::INFINITY, -1.0]), None);
    }

    #[test]
    fn of_many_values_the_ends_are_dense() {
        let curve = of((0..1_000_000).map(f64::from).collect()).unwrap();
        assert_eq!(curve.points.len(), 125);
        assert_eq!(curve.points[..3], [(0.0, 1e-6), (99.0, 1e-4), (199.0, 2e-4)]);
        assert_eq!(curve.points[124], (999_999.0, 1.0));
        assert_eq!(curve.points[123], (999_899.0, 0.9999));
        assert!(curve.points.contains(&(499_999.0, 0.5)));
    }

    #[test]
    fn a_value_counts_as_often_as_it_is_told() {
        let mut tally = Tally::new();
        tally.add(0.01, 3);
        tally.add(0.02, 1);
        tally.add(0.05, 0);
        let curve = tally.curve("itl").unwrap();
        assert_eq!((curve.points.as_slice(), curve.n), (&[(0.01, 0.75), (0.02, 1.0)][..], 4));
        assert_eq!(tally.extremes(), Some((0.01, 0.02)));
    }

    #[test]
    fn the_least_value_stands_by_itself_in_a_bin_of_several() {
        let (a, b) = (1.0, 1.000_01);
        assert_eq!(tallied([b, a, b, b]).unwrap().points, [(a, 0.25), (b, 1.0)]);
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![Just(0.0), Just(0.02), 0.019..0.021_f64, 0.0..1e3_f64];
        prop::collection::vec(value, 1..600)
    }

    proptest! {
        #[test]
        fn points_are_exact_ascend_and_keep_both_ends(values in values()) {
            for curve in [of(values.clone()), tallied(values.iter().copied())] {
                let curve = curve.unwrap();
                prop_assert!(curve.points.len() <= 125);
                prop_assert!(curve.points.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
                for &(value, share) in &curve.points {
                    prop_assert!(values.contains(&value));
                    let not_above = values.iter().filter(|&&other| other <= value).count();
                    prop_assert_eq!(share, not_above as f64 / values.len() as f64);
                }
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let greatest = values.iter().copied().fold(0.0, f64::max);
                prop_assert_eq!(curve.points[0].0, least);
                prop_assert_eq!(curve.points.last(), Some(&(greatest, 1.0)));
            }
        }

        #[test]
        fn counted_and_sorted_curves_lie_a_bin_apart_at_most(values in values()) {
            let tallied = tallied(values.iter().copied()).unwrap();
            let mut sorted = values;
            sorted.sort_unstable_by(f64::total_cmp);
            for share in shares() {
                let rank = (sorted.len() as u64 * share).div_ceil(10_000).max(1);
                let exact = sorted[rank as usize - 1];
                let near = tallied.points.iter().find(|(_, reached)| {
                    reached * sorted.len() as f64 + 1e-6 >= rank as f64
                });
                let near = near.unwrap().0;
                prop_assert!(exact <= near && near <= exact * (1.0 + 1.0 / 4096.0), "{} {}", exact, near);
            }
        }
    }
}
