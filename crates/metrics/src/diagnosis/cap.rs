//! Whether requests fail because others are in flight: a cap shows in how many were, when one was turned away and when one was let in.
//!
//! Deliberately does not ask whose cap it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokometer_record::{Offset, Record};

/// A cap on requests at once, as it shows from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cap {
    /// Requests that were turned away found so many others let in, or more; those let in found fewer.
    pub(super) places: usize,
    /// The share of those turned away that found so many or more.
    pub(super) of_refused: f64,
    /// The share of those let in that did.
    pub(super) of_accepted: f64,
}

impl Cap {
    /// The level that best tells those turned away from those let in, by how many requests each found let in when it started. `None`
    /// if there are too few, or none tells them apart well enough.
    pub(super) fn between(mut refused: Vec<usize>, mut accepted: Vec<usize>) -> Option<Self> {
        if refused.len() < LEAST_REFUSED || accepted.is_empty() {
            return None;
        }
        refused.sort_unstable();
        accepted.sort_unstable();
        let reaching = |sorted: &[usize], level: usize| {
            let below = sorted.partition_point(|&found| found < level);
            (sorted.len() - below) as f64 / sorted.len() as f64
        };
        let mut levels = refused.clone();
        levels.dedup();
        let candidates = levels.into_iter().filter(|&level| level > 0).map(|places| Self {
            places,
            of_refused: reaching(&refused, places),
            of_accepted: reaching(&accepted, places),
        });
        let best = candidates.max_by(|a, b| a.sharpness().total_cmp(&b.sharpness()))?;
        let (refused, accepted) = (refused.len() as f64, accepted.len() as f64);
        let weight = best.sharpness().powi(2) * refused * accepted / (refused + accepted);
        (best.sharpness() >= SHARP && weight >= BEYOND_CHANCE).then_some(best)
    }

    /// How well it tells those turned away from those let in: 1 for a cap that never fails.
    fn sharpness(&self) -> f64 {
        self.of_refused - self.of_accepted
    }
}

/// For each request, in the order of their starts, how many of those `let_in` were in flight when it started.
pub(super) fn levels(all: &[&Record], let_in: impl Fn(&Record) -> bool) -> Vec<usize> {
    let mut ends: BinaryHeap<Reverse<Offset>> = BinaryHeap::new();
    let level = |record: &&Record| {
        while ends.peek().is_some_and(|&Reverse(end)| end <= record.started) {
            ends.pop();
        }
        let level = ends.len();
        if let_in(record) {
            ends.push(Reverse(record.end));
        }
        level
    };
    all.iter().map(level).collect()
}

/// A handful of failures has no shape.
const LEAST_REFUSED: usize = 5;

/// What fails at random finds as many others in flight as what does not. A cap brings the difference near 1; half of it is no cap that
/// a user would run into again and again.
const SHARP: f64 = 0.5;

/// The difference is the statistic D of Smirnov's two-sample test. By chance D²·nm/(n+m) comes to this once in 10,000 times (the
/// one-sided limit exp(−2·D²·nm/(n+m))).
const BEYOND_CHANCE: f64 = 4.605;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::ok;

    #[test]
    fn levels_count_those_let_in_and_still_in_flight() {
        let records = [ok(0, 0, &[40]), ok(1, 10, &[20]), ok(2, 15, &[60]), ok(3, 40, &[50])];
        let all: Vec<&Record> = records.iter().collect();
        assert_eq!(levels(&all, |_| true), [0, 1, 2, 1]);
        assert_eq!(levels(&all, |record| record.index != 2), [0, 1, 2, 0]);
    }

    #[test]
    fn a_cap_is_where_the_refused_begin() {
        let cap = Cap::between(vec![50; 300], (0..50).chain([49; 50]).collect()).unwrap();
        assert_eq!((cap.places, cap.sharpness()), (50, 1.0));
    }

    #[test]
    fn failures_by_chance_have_no_cap() {
        let levels: Vec<usize> = (0..200).chain([199; 300]).collect();
        let refused = levels.iter().copied().step_by(7).collect();
        assert_eq!(Cap::between(refused, levels), None);
    }

    #[test]
    fn a_service_that_is_away_has_no_cap() {
        assert_eq!(Cap::between(vec![0; 100], (0..100).collect()), None);
    }

    #[test]
    fn four_failures_are_too_few() {
        assert_eq!(Cap::between(vec![50; 4], vec![10; 100]), None);
        assert!(Cap::between(vec![50; 5], vec![10; 100]).is_some());
    }
}
