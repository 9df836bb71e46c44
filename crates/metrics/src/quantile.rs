//! The two ways in which peers take a percentile of a sample: nearest rank (EvalScope) and linear interpolation (numpy, vLLM).
//!
//! Nothing else in tokometer computes a percentile of a finished sample. Ranks are whole-number arithmetic, so that no rounding of
//! `0.999 × n` ever picks a neighbour.

use std::fmt;

/// A percentile, kept in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u16);

impl Percentile {
    /// The 1st percentile.
    pub const P1: Self = Self(100);
    /// The 5th percentile.
    pub const P5: Self = Self(500);
    /// The 10th percentile.
    pub const P10: Self = Self(1_000);
    /// The 25th percentile.
    pub const P25: Self = Self(2_500);
    /// The median.
    pub const P50: Self = Self(5_000);
    /// The 75th percentile.
    pub const P75: Self = Self(7_500);
    /// The 90th percentile.
    pub const P90: Self = Self(9_000);
    /// The 95th percentile.
    pub const P95: Self = Self(9_500);
    /// The 99th percentile.
    pub const P99: Self = Self(9_900);
    /// The 99.9th percentile.
    pub const P99_9: Self = Self(9_990);

    /// The percentiles that every distribution keeps, ascending.
    pub const LADDER: [Self; 10] = [
        Self::P1,
        Self::P5,
        Self::P10,
        Self::P25,
        Self::P50,
        Self::P75,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::P99_9,
    ];

    /// The percentile of that many hundredths of a percent: 9990 is the 99.9th. `None` above 10000.
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths <= WHOLE { Some(Self(hundredths)) } else { None }
    }

    /// In hundredths of a percent: 9990 of the 99.9th.
    pub(crate) const fn hundredths(self) -> u64 {
        self.0 as u64
    }

    /// In per cent: 99.9 for the 99.9th.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// The smallest sample in which this percentile, by nearest rank, is not simply the maximum: 100 for the 99th. 0 if it
    /// always is the maximum.
    pub const fn needs(self) -> u64 {
        match WHOLE - self.0 {
            0 => 0,
            rest => (WHOLE as u64).div_ceil(rest as u64),
        }
    }
}

impl fmt::Display for Percentile {
    /// `99%`, `99.9%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

/// The percentile by nearest rank: the least value of the sample that is not below `percentile` of it. `sorted` ascends.
/// `None` of an empty sample.
///
/// The rank is ⌈n × p⌉, at least 1: EvalScope's rule.
pub fn nearest_rank(sorted: &[f64], percentile: Percentile) -> Option<f64> {
    nearest_place(sorted.len() as u64, percentile)?.among(sorted)
}

/// The percentile by linear interpolation between the two values around position p × (n − 1): numpy's default, and so vLLM's.
/// `sorted` ascends. `None` of an empty sample.
pub fn linear(sorted: &[f64], percentile: Percentile) -> Option<f64> {
    linear_place(sorted.len() as u64, percentile)?.among(sorted)
}

/// As [`linear`], for any percentile: `percent` of 99.9 is the 99.9th. `None` of an empty sample, and outside of 0 to 100.
pub fn linear_at(sorted: &[f64], percent: f64) -> Option<f64> {
    linear_place_at(sorted.len() as u64, percent)?.among(sorted)
}

/// Where a percentile lies in a sample: at the value of a rank, or on the way from it to the next. Ranks are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    below: u64,
    above: u64,
    /// How far from the one to the other, from 0 to 1.
    fraction: f64,
}

impl Place {
    /// The ranks whose values it takes.
    pub(crate) const fn ranks(self) -> [u64; 2] {
        [self.below, self.above]
    }

    /// The percentile, where `value` tells the value of a rank. `None` if it does not.
    pub(crate) fn of(self, value: impl Fn(u64) -> Option<f64>) -> Option<f64> {
        let (low, high) = (value(self.below)?, value(self.above)?);
        let (gap, fraction) = (high - low, self.fraction);
        // From the nearer end, as numpy does, so that the result never leaves the interval.
        Some(if fraction < 0.5 { low + gap * fraction } else { high - gap * (1.0 - fraction) })
    }

    fn among(self, sorted: &[f64]) -> Option<f64> {
        self.of(|rank| sorted.get(usize::try_from(rank).ok()?).copied())
    }
}

/// Where [`nearest_rank`] takes the percentile of `n` values.
pub(crate) fn nearest_place(n: u64, percentile: Percentile) -> Option<Place> {
    let rank = (u128::from(n) * u128::from(percentile.0)).div_ceil(u128::from(WHOLE));
    let rank = u64::try_from(rank).ok()?.saturating_sub(1);
    (n > 0).then_some(Place { below: rank, above: rank, fraction: 0.0 })
}

/// Where [`linear`] takes the percentile of `n` values.
pub(crate) fn linear_place(n: u64, percentile: Percentile) -> Option<Place> {
    let last = n.checked_sub(1)?;
    let position = u128::from(last) * u128::from(percentile.0);
    let below = u64::try_from(position / u128::from(WHOLE)).ok()?;
    let fraction = (position % u128::from(WHOLE)) as f64 / f64::from(WHOLE);
    Some(Place { below, above: (below + 1).min(last), fraction })
}

/// Where [`linear_at`] takes the percentile of `n` values.
pub(crate) fn linear_place_at(n: u64, percent: f64) -> Option<Place> {
    let last = n.checked_sub(1)?;
    if !(0.0..=100.0).contains(&percent) {
        return None;
    }
    let position = percent / 100.0 * last as f64;
    let below = (position.floor() as u64).min(last);
    Some(Place { below, above: (below + 1).min(last), fraction: position - below as f64 })
}

const WHOLE: u16 = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_by(f64::total_cmp);
        values
    }

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-1e9_f64..1e9, 1..200).prop_map(sorted)
    }

    fn percentile() -> impl Strategy<Value = Percentile> {
        (0..=WHOLE).prop_map(Percentile)
    }

    #[test]
    fn nearest_rank_picks_what_evalscope_picks() {
        let values: Vec<f64> = (1..=16).map(f64::from).collect();
        let picked: Vec<_> =
            Percentile::LADDER.iter().map(|&p| nearest_rank(&values, p).unwrap()).collect();
        // idx = max(0, ceil(16·p/100) − 1), by hand.
        assert_eq!(picked, [1.0, 1.0, 2.0, 4.0, 8.0, 12.0, 15.0, 16.0, 16.0, 16.0]);
    }

    #[test]
    fn linear_gives_what_numpy_gives() {
        let values = [1.0, 2.0, 4.0, 8.0];
        // numpy.percentile([1, 2, 4, 8], [0, 25, 50, 90, 99, 100])
        let expected =
            [(0, 1.0), (2_500, 1.75), (5_000, 3.0), (9_000, 6.8), (9_900, 7.88), (10_000, 8.0)];
        for (hundredths, value) in expected {
            let got = linear(&values, Percentile(hundredths)).unwrap();
            assert!((got - value).abs() < 1e-12, "{hundredths}: {got} for {value}");
        }
    }

    #[test]
    fn an_empty_sample_has_no_percentile() {
        assert_eq!(nearest_rank(&[], Percentile::P50), None);
        assert_eq!(linear(&[], Percentile::P50), None);
    }

    #[test]
    fn outside_of_the_hundred_there_is_no_percentile() {
        assert_eq!(linear_at(&[1.0, 2.0], 33.0).map(|value| (value * 1e6).round()), Some(1.33e6));
        assert_eq!(linear_at(&[1.0], 100.1), None);
        assert_eq!(linear_at(&[1.0], f64::NAN), None);
        assert_eq!(linear_at(&[], 50.0), None);
    }

    #[test]
    fn the_p99_of_fewer_than_100_is_their_maximum() {
        let needs: Vec<_> = [Percentile::P50, Percentile::P95, Percentile::P99, Percentile::P99_9]
            .iter()
            .map(|p| p.needs())
            .collect();
        assert_eq!(needs, [2, 20, 100, 1_000]);
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(nearest_rank(&values[..99], Percentile::P99), Some(98.0));
        assert_eq!(nearest_rank(&values, Percentile::P99), Some(98.0));
    }

    #[test]
    fn labels_drop_needless_zeros() {
        assert_eq!(Percentile::P99_9.to_string(), "99.9%");
        assert_eq!(Percentile::P5.to_string(), "5%");
    }

    proptest! {
        #[test]
        fn both_are_monotone(values in sample(), a in percentile(), b in percentile()) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(nearest_rank(&values, low) <= nearest_rank(&values, high));
            prop_assert!(linear(&values, low).unwrap() <= linear(&values, high).unwrap() + 1e-6);
        }

        #[test]
        fn both_stay_within_the_sample(values in sample(), p in percentile()) {
            let range = values[0]..=values[values.len() - 1];
            prop_assert!(range.contains(&nearest_rank(&values, p).unwrap()));
            prop_assert!(range.contains(&linear(&values, p).unwrap()));
        }

        #[test]
        fn any_percentile_is_that_of_its_hundredths(values in sample(), p in percentile()) {
            let (exact, any) = (linear(&values, p).unwrap(), linear_at(&values, f64::from(p.0) / 100.0).unwrap());
            prop_assert!((exact - any).abs() <= 1e-3, "{} for {}", any, exact);
            prop_assert!((values[0]..=values[values.len() - 1]).contains(&any));
        }

        /// The definition, word for word: the least value such that at least p of the sample is not above it.
        #[test]
        fn nearest_rank_is_the_least_value_that_covers_p(values in sample(), p in percentile()) {
            let covers = |value: f64| {
                let covered = values.iter().filter(|&&v| v <= value).count() as u64;
                covered * u64::from(WHOLE) >= values.len() as u64 * u64::from(p.0)
            };
            let naive = values.iter().copied().find(|&v| covers(v)).unwrap();
            prop_assert_eq!(nearest_rank(&values, p), Some(naive));
        }

        #[test]
        fn a_percentile_is_below_the_maximum_from_the_size_it_needs(p in 0..WHOLE) {
            let p = Percentile(p);
            let needs = p.needs();
            let values: Vec<f64> = (0..needs).map(|v| v as f64).collect();
            prop_assert!(needs == 1 || nearest_rank(&values, p) < values.last().copied());
            let fewer = &values[..values.len() - 1];
            prop_assert_eq!(nearest_rank(fewer, p), fewer.last().copied());
        }
    }
}
