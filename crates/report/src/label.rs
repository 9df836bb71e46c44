//! What a point is called in text: by the load that was asked for.

use tokometer_record::Point;

use crate::number::shortest;
use crate::prose;

/// `concurrency 200`, `rate 10 req/s`, `concurrency 8 at 10 req/s`.
pub(crate) fn of(point: &Point) -> String {
    match (point.concurrency, point.rate) {
        (Some(places), None) => format!("concurrency {places}"),
        (Some(places), Some(rate)) => {
            format!("concurrency {places} at {} req/s", shortest(rate, 2))
        }
        (None, Some(rate)) => format!("rate {} req/s", shortest(rate, 2)),
        (None, None) => point.name.clone(),
    }
}

/// As [`of`], at the beginning of a sentence.
pub(crate) fn capital(point: &Point) -> String {
    prose::capital(&of(point))
}

/// By which points are put in order: light loads first.
pub(crate) fn weight(point: &Point) -> (usize, f64) {
    (point.concurrency.unwrap_or(usize::MAX), point.rate.unwrap_or(f64::INFINITY))
}
