//! A latency over the moments at which requests started: at most [`MOST`] points, the least and the worst of every stretch among them.
//!
//! Failed requests have no latency, and are not here.

use tokometer_record::{Offset, Record};

use super::{Track, seconds};
use crate::Run;
use crate::catalog::{Metric, Of, Over};

/// The most points of a track.
pub(super) const MOST: usize = 2_000;

/// The track of a metric of requests. `None` if it has no value.
pub(super) fn of(metric: &Metric, run: &Run<'_>, zero: Offset) -> Option<Track> {
    let Of::Request(value) = metric.of else { return None };
    let counts = |record: &&&Record| metric.over == Over::Measured || record.succeeded();
    let points: Vec<(f64, f64)> = run
        .measured
        .iter()
        .filter(counts)
        .filter_map(|record| Some((seconds(record.started, zero), value(record)?)))
        .filter(|(_, value)| value.is_finite())
        .collect();
    let of = points.len();
    (of > 0).then(|| Track { metric: metric.key, points: thinned(points), of })
}

/// The points themselves where they are few; else, of each of [`STRETCHES`] stretches of time, its least, its greatest, and between
/// them a number that goes by how many there are. They are in the order of time.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return points };
    if points.len() <= MOST {
        return points;
    }
    let length = last.0 - first.0;
    let stretch = |at: f64| {
        let share = if length > 0.0 { (at - first.0) / length } else { 0.0 };
        ((share * STRETCHES as f64) as usize).min(STRETCHES - 1)
    };
    let mut kept = Vec::with_capacity(MOST);
    for part in points.chunk_by(|a, b| stretch(a.0) == stretch(b.0)) {
        let more = (MOST - 2 * STRETCHES) * part.len() / points.len();
        let by_value = |&a: &usize, &b: &usize| part[a].1.total_cmp(&part[b].1);
        let extremes = [(0..part.len()).min_by(by_value), (0..part.len()).max_by(by_value)];
        let evenly = (0..more).map(|i| i * part.len() / more);
        let mut chosen: Vec<usize> = extremes.into_iter().flatten().chain(evenly).collect();
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|index| part[index]));
    }
    kept
}

/// How many stretches of time are looked at by themselves.
const STRETCHES: usize = 250;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_points_stay_as_they_are() {
        let points: Vec<(f64, f64)> = (0..2_000).map(|i| (f64::from(i), 1.0)).collect();
        assert_eq!(thinned(points.clone()), points);
    }

    #[test]
    fn one_slow_request_among_a_hundred_thousand_is_kept() {
        let point = |i: u32| (f64::from(i) * 0.01, if i == 77_777 { 9.0 } else { 0.5 });
        let kept = thinned((0..100_000).map(point).collect());
        assert!(kept.contains(&(777.77, 9.0)));
        assert!((1_500..=MOST).contains(&kept.len()), "{}", kept.len());
    }

    #[test]
    fn requests_that_start_at_once_are_thinned_as_well() {
        let kept = thinned((0..9_000).map(|i| (0.0, f64::from(i))).collect());
        assert!((1_500..=MOST).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.iter().map(|point| point.1).fold(0.0, f64::max), 8_999.0);
    }

    proptest! {
        #[test]
        fn the_extremes_of_every_stretch_are_kept(
            gaps in prop::collection::vec((0.0..2.0_f64, 0.0..9.0_f64), 2_001..6_000),
        ) {
            let points: Vec<(f64, f64)> = gaps
                .iter()
                .scan(0.0, |at, &(gap, value)| { *at += gap; Some((*at, value)) })
                .collect();
            let kept = thinned(points.clone());
            prop_assert!(kept.len() <= MOST);
            prop_assert!(kept.is_sorted_by(|a, b| a.0 <= b.0));
            prop_assert!(kept.iter().all(|point| points.contains(point)));
            let (first, last) = (points[0].0, points[points.len() - 1].0);
            let stretch = |at: f64| (((at - first) / (last - first) * 250.0) as usize).min(249);
            for part in points.chunk_by(|a, b| stretch(a.0) == stretch(b.0)) {
                let worst = part.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                let least = part.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                prop_assert!(kept.contains(&worst) && kept.contains(&least));
            }
        }
    }
}
