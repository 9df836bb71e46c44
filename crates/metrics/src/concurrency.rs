//! How many requests were in flight: exact sweeps over the moments at which they started and ended.
//!
//! Deliberately takes no samples: a maximum that was held for a microsecond counts.

use tokometer_record::Offset;

/// A stretch of time in flight: from the start, up to but without the end.
pub(crate) type Flight = (Offset, Offset);

/// The most flights at once, at any moment from `since` on. A flight that ends at the moment at which another starts does not
/// overlap it.
pub(crate) fn peak(flights: &[Flight], since: Offset) -> u64 {
    counts(flights, since).map(|(_, count)| count).max().unwrap_or(0)
}

/// The first moment from `since` on at which so many flights are at once. `None` if there is none.
pub(crate) fn first_at(flights: &[Flight], since: Offset, many: u64) -> Option<Offset> {
    counts(flights, since).find(|&(_, count)| count >= many).map(|(at, _)| at)
}

/// How many flights are at once after each start and each end from `since` on, in order.
pub(crate) fn counts(flights: &[Flight], since: Offset) -> impl Iterator<Item = (Offset, u64)> {
    let mut events: Vec<(Offset, i64)> = flights
        .iter()
        .map(|&(start, end)| (start.max(since), end))
        .filter(|(start, end)| start < end)
        .flat_map(|(start, end)| [(start, 1), (end, -1)])
        .collect();
    // On ties ends come before starts: −1 sorts before +1.
    events.sort_unstable();
    events.into_iter().scan(0_i64, |now, (at, change)| {
        *now += change;
        Some((at, u64::try_from(*now).unwrap_or(0)))
    })
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
    fn a_number_is_reached_when_its_last_flight_starts() {
        let three = flights(&[(0, 9), (2, 3), (3, 8), (4, 5)]);
        let first = |since, many| first_at(&three, Offset::from_nanos(since), many);
        assert_eq!(
            [first(0, 1), first(0, 2), first(0, 3)],
            [0, 2, 4].map(|at| Some(Offset::from_nanos(at)))
        );
        assert_eq!((first(0, 4), first(6, 2)), (None, Some(Offset::from_nanos(6))));
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
