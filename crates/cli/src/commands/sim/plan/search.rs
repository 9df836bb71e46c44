//! The most that still meets: a search on a ladder, the less the nearer the guess.
//!
//! Deliberately knows neither loads nor objectives, only places.

/// What is known before a search: a place that meets and all below it are taken to meet, one that misses and all above it to miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The highest place known to meet.
    pub(super) meets: Option<usize>,
    /// The lowest place known to miss.
    pub(super) misses: Option<usize>,
}

/// The highest of `places` places that meets, where all below it do and none above it does. `None` if not even the lowest does.
///
/// Without a guess it halves; with one it strides away from it, twice as far each time, and halves what it has so enclosed. The
/// place found was asked for, and so was the next one above it.
pub(super) fn most(
    places: usize,
    known: Known,
    guess: Option<usize>,
    meets: &mut dyn FnMut(usize) -> bool,
) -> Option<usize> {
    // All below `low` meet; none from `high` on does.
    let mut low = known.meets.map_or(0, |place| place + 1);
    let mut high = known.misses.unwrap_or(places).min(places);
    let mut stride = 1;
    let mut next = guess.map(|guess| guess.min(places.saturating_sub(1)));
    while low < high {
        let strides = next.filter(|place| low <= *place && *place < high);
        let place = strides.unwrap_or(low + (high - low) / 2);
        if meets(place) {
            low = place + 1;
            next = strides.map(|place| place + stride);
        } else {
            high = place;
            next = strides.and_then(|place| place.checked_sub(stride));
        }
        // Once it has been passed from both sides, halving is the shortest way.
        if next.is_some_and(|next| next < low || high <= next) {
            next = None;
        }
        stride *= 2;
    }
    low.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        places: usize,
        limit: usize,
        known: Known,
        guess: Option<usize>,
    ) -> (Option<usize>, Vec<usize>) {
        let mut asked = Vec::new();
        let found = most(places, known, guess, &mut |place| {
            asked.push(place);
            place < limit
        });
        (found, asked)
    }

    #[test]
    fn every_limit_is_found_from_every_guess_and_its_neighbour_was_asked() {
        for places in 1..40 {
            for limit in 0..=places {
                for guess in (0..places).map(Some).chain([None]) {
                    let (found, asked) = asked(places, limit, Known::default(), guess);
                    assert_eq!(found, limit.checked_sub(1), "{places} {limit} {guess:?}");
                    assert!(limit == 0 || asked.contains(&(limit - 1)));
                    assert!(limit == places || asked.contains(&limit));
                    let mut once = asked.clone();
                    once.sort_unstable();
                    once.dedup();
                    assert_eq!(once.len(), asked.len(), "{asked:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_known_is_not_asked() {
        let known = Known { meets: Some(10), misses: Some(13) };
        let (found, places) = asked(100, 12, known, Some(50));
        assert_eq!(found, Some(11));
        assert!(places.iter().all(|place| [11, 12].contains(place)));
    }

    #[test]
    fn a_near_guess_is_quick_and_no_guess_halves() {
        assert!(asked(1000, 503, Known::default(), Some(500)).1.len() <= 5);
        assert!(asked(1000, 503, Known::default(), None).1.len() <= 10);
        assert!(asked(1000, 3, Known::default(), Some(999)).1.len() <= 20);
    }
}
