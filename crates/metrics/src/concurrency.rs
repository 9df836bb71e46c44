//! How many requests were in flight: exact sweeps over the moments at which they started and ended.
//!
//! Deliberately takes no samples: a maximum that was held for a microsecond counts.

use tokometer_record::Offset;

/// A stretch of time in flight: from the start, up to but without the end.
pub(crate) type Flight = (Offset, Offset);

/// The most flights at once, at any moment from `since` on. A flight that ends at the moment at which another starts does not
/// overlap it.
pub(crate) fn peak(flights: &[Flight], since: Offset) -> u64 {
    let mut events: Vec<(Offset, i64)> = flights
        .iter()
        .map(|&(start, end)| (start.max(since), end))
        .filter(|(start, end)| start < end)
        .flat_map(|(start, end)| [(start, 1), (end, -1)])
        .collect();
    // On ties ends come before starts: −1 sorts before +1.
    events.sort_unstable();
    let mut now = 0_i64;
    let counts = events.iter().map(|(_, change)| {
        now += change;
        now
    });
    u64::try_from(counts.max().unwrap_or(0)).unwrap_or(0)
}

/// The mean number of flights at once over `[from, to)`. `None` if that is no time at all.
pub(crate) fn mean(flights: &[Flight], from: Offset, to: Offset) -> Option<f64> {
    if to <= from {
        return None;
    }
    let overlaps = flights
        .iter()
        .map(|&(start, end)| (end.clamp(from, to) - start.clamp(from, to)).as_nanos());
    Some(overlaps.sum::<u128>() as f64 / (to - from).as_nanos() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flights(moments: &[(u64, u64)]) -> Vec<Flight> {
        moments.iter().map(|&(s, e)| (Offset::from_nanos(s), Offset::from_nanos(e))).collect()
    }

    #[test]
    fn a_place_that_is_handed_on_counts_once() {
        assert_eq!(peak(&flights(&[(0, 5), (5, 9)]), Offset::ZERO), 1);
        assert_eq!(peak(&flights(&[(0, 5), (4, 9)]), Offset::ZERO), 2);
    }

    #[test]
    fn what_flies_already_when_the_measurement_begins_counts() {
        assert_eq!(peak(&flights(&[(0, 10), (0, 3), (5, 7)]), Offset::from_nanos(4)), 2);
    }

    #[test]
    fn the_mean_is_taken_over_the_window_alone() {
        let two = flights(&[(0, 10), (5, 20)]);
        let mean_of = |from, to| mean(&two, Offset::from_nanos(from), Offset::from_nanos(to));
        assert_eq!(mean_of(0, 10), Some(1.5));
        assert_eq!(mean_of(20, 30), Some(0.0));
        assert_eq!(mean_of(5, 5), None);
    }

    proptest! {
        #[test]
        fn the_sweep_agrees_with_counting(
            moments in prop::collection::vec((0_u64..60, 0_u64..30), 0..40),
            since in 0_u64..80,
        ) {
            let all: Vec<(u64, u64)> = moments.iter().map(|&(s, length)| (s, s + length)).collect();
            let naive = (since..=100)
                .map(|at| all.iter().filter(|&&(s, e)| s <= at && at < e).count() as u64)
                .max();
            prop_assert_eq!(Some(peak(&flights(&all), Offset::from_nanos(since))), naive);
        }
    }
}
