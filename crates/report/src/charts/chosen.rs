//! Which of many are drawn, where there is no room for all: the extremes first of all, for nobody looks at a chart to miss them.

/// The places, ascending, of `most` among `all`: those of the extremes, and others at even distances.
pub(super) fn chosen(all: usize, most: usize, extremes: &[usize]) -> Vec<usize> {
    if all <= most {
        return (0..all).collect();
    }
    let mut places: Vec<usize> = Vec::with_capacity(most);
    let evenly = (0..most).map(|n| n * (all - 1) / most.saturating_sub(1).max(1));
    // Where extremes stand on even places, what is near them takes the rest.
    for place in extremes.iter().copied().chain(evenly).chain(0..all) {
        if places.len() < most && place < all && !places.contains(&place) {
            places.push(place);
        }
    }
    places.sort_unstable();
    places
}

/// Where the greatest and the least of these values stand, the first of equals.
pub(super) fn ends(values: impl Iterator<Item = Option<f64>>) -> Vec<usize> {
    let mut told = values.enumerate().filter_map(|(place, value)| {
        value.filter(|value| value.is_finite()).map(|value| (place, value))
    });
    let Some(first) = told.next() else { return Vec::new() };
    let (mut greatest, mut least) = (first, first);
    for one in told {
        greatest = if one.1 > greatest.1 { one } else { greatest };
        least = if one.1 < least.1 { one } else { least };
    }
    vec![greatest.0, least.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_never_left_out_and_as_many_are_chosen_as_have_room() {
        let chosen = chosen(64, 6, &[63, 62, 7]);
        assert_eq!(chosen.len(), 6);
        assert!([63, 62, 7, 0].iter().all(|place| chosen.contains(place)), "{chosen:?}");
        assert!(chosen.is_sorted());
    }

    #[test]
    fn few_are_all_chosen() {
        assert_eq!(chosen(3, 6, &[1]), [0, 1, 2]);
        assert_eq!(chosen(9, 1, &[4, 5]), [4]);
        assert_eq!(chosen(0, 6, &[]), [0; 0]);
    }

    #[test]
    fn the_ends_are_the_greatest_and_the_least_of_what_was_measured() {
        let values = [None, Some(2.0), Some(9.0), Some(f64::NAN), Some(1.0), Some(9.0)];
        assert_eq!(ends(values.into_iter()), [2, 4]);
        assert_eq!(ends([None].into_iter()), [0; 0]);
    }
}
