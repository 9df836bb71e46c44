//! Histograms with fixed buckets, that many may add to at once.
//!
//! Deliberately knows no metric: which family has which buckets is for `engine` and `http` to say.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How often values fell into each bucket, and their sum.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: Cow<'static, [f64]>,
    /// As many as there are bounds, and one for what is above them all.
    buckets: Box<[AtomicU64]>,
    /// In units, so that it is exact, and an addition is one instruction.
    sum: AtomicU64,
    /// How many units are one: numbers are counted in ones, times in billionths of a second.
    units: u64,
}

impl Histogram {
    /// No number observed. A value counts in the first bucket whose bound is not below it; `bounds` go upwards.
    pub(super) fn of_numbers(bounds: impl Into<Cow<'static, [f64]>>) -> Self {
        Self::new(bounds.into(), 1)
    }

    /// No time observed; `bounds` are in seconds.
    pub(super) fn of_times(bounds: impl Into<Cow<'static, [f64]>>) -> Self {
        Self::new(bounds.into(), BILLION)
    }

    fn new(bounds: Cow<'static, [f64]>, units: u64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), units }
    }

    /// Counts a number.
    pub(super) fn observe(&self, value: u64) {
        self.add(value);
    }

    /// Counts a length of time.
    pub(super) fn observe_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Each bound with how many values were not above it, `+Inf` at the end with how many there were.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut so_far = 0;
        bounds.zip(&self.buckets).map(move |(bound, bucket)| {
            so_far += bucket.load(Relaxed);
            (bound, so_far)
        })
    }

    /// The sum of all values.
    pub(super) fn sum(&self) -> f64 {
        self.sum.load(Relaxed) as f64 / self.units as f64
    }

    fn add(&self, units: u64) {
        let value = units as f64 / self.units as f64;
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(units, Relaxed);
    }
}

/// 1, 2, 5, 10, … up to `most`: vLLM's buckets for tokens.
pub(super) fn one_two_five(most: u32) -> Vec<f64> {
    let powers = (0..10).map(|exponent| 10_u64.pow(exponent));
    let bounds = powers.flat_map(|power| [power, 2 * power, 5 * power]);
    bounds.take_while(|bound| *bound <= most.into()).map(|bound| bound as f64).collect()
}

const BILLION: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_every_bucket_whose_bound_is_not_below_it() {
        let histogram = Histogram::of_numbers(&[1.0, 8.0][..]);
        for value in [0, 1, 2, 8, 9] {
            histogram.observe(value);
        }
        let cumulated: Vec<_> = histogram.cumulated().collect();
        assert_eq!(cumulated, [(1.0, 2), (8.0, 4), (f64::INFINITY, 5)]);
        assert_eq!(histogram.sum(), 20.0);
    }

    #[test]
    fn times_are_summed_to_the_nanosecond_and_bounds_are_met_exactly() {
        let histogram = Histogram::of_times(&[0.01, 0.025][..]);
        histogram.observe_time(Duration::from_millis(10));
        histogram.observe_time(Duration::from_nanos(10_000_001));
        let cumulated: Vec<_> = histogram.cumulated().collect();
        assert_eq!(cumulated, [(0.01, 1), (0.025, 2), (f64::INFINITY, 2)]);
        assert_eq!(histogram.sum(), 0.020_000_001);
    }

    #[test]
    fn the_tokens_of_years_can_be_summed() {
        let histogram = Histogram::of_numbers(&[1.0][..]);
        (0..1000).for_each(|_| histogram.observe(1_000_000_000_000));
        assert_eq!(histogram.sum(), 1e15);
    }

    #[test]
    fn buckets_for_tokens_go_up_to_the_context_and_no_further() {
        assert_eq!(one_two_five(0), [0.0; 0]);
        assert_eq!(one_two_five(9), [1.0, 2.0, 5.0]);
        assert_eq!(one_two_five(10), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(one_two_five(4096).last(), Some(&2000.0));
        assert_eq!(one_two_five(u32::MAX).len(), 29);
    }
}
