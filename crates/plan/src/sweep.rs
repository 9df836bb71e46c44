//! From the lists of a command line to the points of a sweep.
//!
//! Lists of unequal length are refused and shown side by side, as EvalScope does: a single value is not spread over the other
//! list, for it is more often a slip than a wish.

use std::num::{NonZeroU32, NonZeroU64};

use crate::PlanError;
use crate::config::Point;
use crate::written::{Pace, Rate};

/// The points of a closed loop: so many requests in flight, for so many requests; `rate` paces each of them, if given.
///
/// # Errors
/// If the lists are of unequal length.
pub fn closed(
    parallel: &[NonZeroU32],
    number: &[NonZeroU64],
    rate: Option<Rate>,
) -> Result<Vec<Point>, PlanError> {
    let points = zip("--parallel", parallel, number)?;
    let rate = rate.map(Pace::Rate);
    Ok(points
        .map(|(&parallel, number)| Point { parallel: Some(parallel), rate, ..point(number) })
        .collect())
}

/// The points of an open loop: so many requests a second, for so many requests.
///
/// # Errors
/// If the lists are of unequal length.
pub fn open(rate: &[Rate], number: &[NonZeroU64]) -> Result<Vec<Point>, PlanError> {
    let points = zip("--rate", rate, number)?;
    Ok(points
        .map(|(&rate, number)| Point { rate: Some(Pace::Rate(rate)), ..point(number) })
        .collect())
}

/// So many requests, and nothing said of when.
const fn point(number: NonZeroU64) -> Point {
    Point { parallel: None, rate: None, burstiness: None, ramp: None, recorded: None, number }
}

fn zip<'l, T: Copy + Shown>(
    name: &str,
    levels: &'l [T],
    number: &'l [NonZeroU64],
) -> Result<impl Iterator<Item = (&'l T, NonZeroU64)>, PlanError> {
    if levels.len() != number.len() {
        let problem = format!(
            "{name} has {} ({}) and --number has {} ({}): each point of the sweep needs one of both",
            values(levels.len()),
            levels.iter().map(|level| level.shown()).collect::<Vec<_>>().join(" "),
            values(number.len()),
            number.iter().map(NonZeroU64::to_string).collect::<Vec<_>>().join(" "),
        );
        let wanted: Vec<String> = (0..levels.len())
            .map(|index| number.get(index).or(number.last()))
            .map(|number| number.map_or_else(|| "1000".to_owned(), NonZeroU64::to_string))
            .collect();
        let hint = format!("for example --number {}", wanted.join(" "));
        return Err(PlanError::new(problem).with_hint(hint));
    }
    Ok(levels.iter().zip(number.iter().copied()))
}

fn values(count: usize) -> String {
    match count {
        1 => "1 value".to_owned(),
        n => format!("{n} values"),
    }
}

/// How a level of load is written on a command line.
trait Shown {
    fn shown(self) -> String;
}

impl Shown for NonZeroU32 {
    fn shown(self) -> String {
        self.to_string()
    }
}

impl Shown for Rate {
    fn shown(self) -> String {
        self.per_second().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parallel(levels: &[u32]) -> Vec<NonZeroU32> {
        levels.iter().filter_map(|&level| NonZeroU32::new(level)).collect()
    }

    fn number(counts: &[u64]) -> Vec<NonZeroU64> {
        counts.iter().filter_map(|&count| NonZeroU64::new(count)).collect()
    }

    #[test]
    fn lists_of_equal_length_become_points_in_order() {
        let points = closed(&parallel(&[1, 10]), &number(&[5, 50]), None).unwrap();
        let pairs: Vec<_> =
            points.iter().map(|p| (p.parallel.unwrap().get(), p.number.get())).collect();
        assert_eq!(pairs, [(1, 5), (10, 50)]);
    }

    #[test]
    fn lists_of_unequal_length_are_shown_with_a_way_out() {
        let error = closed(&parallel(&[1, 10, 50]), &number(&[10, 20]), None).unwrap_err();
        insta::assert_snapshot!(error, @"--parallel has 3 values (1 10 50) and --number has 2 values (10 20): each point of the sweep needs one of both");
        assert_eq!(error.hint(), Some("for example --number 10 20 20"));
    }

    #[test]
    fn a_rate_is_shown_as_it_is_typed() {
        let rates: Vec<_> = [0.5, 10.0].into_iter().filter_map(Rate::new).collect();
        let error = open(&rates, &number(&[5])).unwrap_err();
        insta::assert_snapshot!(error, @"--rate has 2 values (0.5 10) and --number has 1 value (5): each point of the sweep needs one of both");
    }
}
