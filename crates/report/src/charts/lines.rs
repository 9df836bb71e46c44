//! Curves drawn: a line through what was measured, with bars where it was measured several times, and a cross for each load that the
//! client limited.

use super::curves::{Curve, Stop, Value};
use crate::figure::{Colour, Dash, Errors, Look, Marker, Point, Series};
use crate::words::Words;

/// What stands where.
pub(super) struct Drawn<'f> {
    /// Where a load stands on the axis at the bottom.
    pub(super) x: &'f dyn Fn(&Stop<'_>) -> Option<f64>,
    /// What stands on the axis at the left.
    pub(super) y: &'f dyn Fn(&Stop<'_>) -> Option<Value>,
    /// Whether loads are written beside their points.
    pub(super) labelled: bool,
}

/// The series of these curves: each its line, and behind all lines the crosses.
pub(super) fn series(curves: &[Curve<'_>], drawn: &Drawn<'_>) -> Vec<Series> {
    let mut series = Vec::new();
    for (place, curve) in curves.iter().enumerate() {
        let (all, trusted) =
            (points(curve, drawn, |_| true), points(curve, drawn, |stop| !stop.limited));
        // A thin dotted line shows how the curve goes on where it cannot be trusted.
        if trusted.len() < all.len()
            && curve.stops.windows(2).all(|pair| pair[0].load < pair[1].load)
        {
            let look =
                Look { dash: Dash::Kind(2), width: 1.0, marker: Marker::None, ..look(place) };
            let points = all.into_iter().map(|point| Point::at(point.x, point.y)).collect();
            series.push(Series { name: None, look, points, errors: Errors::Bars });
        }
    }
    for (place, curve) in curves.iter().enumerate() {
        let points = points(curve, drawn, |stop| !stop.limited);
        if !points.is_empty() {
            let look = look(place);
            series.push(Series {
                name: Some(curve.name.clone()),
                look,
                points,
                errors: Errors::Bars,
            });
        }
    }
    for (place, curve) in curves.iter().enumerate() {
        let points = points(curve, drawn, |stop| stop.limited);
        if !points.is_empty() {
            let look = Look { dash: Dash::None, marker: CROSS, ..look(place) };
            let name = match curves.len() {
                1 => LIMITED,
                _ => Words::both(
                    format!("{} (client-limited)", curve.name),
                    format!("{}（受客户端限制）", curve.name),
                ),
            };
            series.push(Series { name: Some(name), look, points, errors: Errors::Bars });
        }
    }
    series
}

/// The look of the n-th curve: where there are more than colours, dashes tell them apart too.
pub(super) const fn look(place: usize) -> Look {
    Look {
        colour: Colour::Kind(place),
        dash: Dash::Kind(place / COLOURS),
        width: 1.8,
        marker: Marker::Kind(place % SHAPES),
    }
}

fn points(curve: &Curve<'_>, drawn: &Drawn<'_>, among: impl Fn(&Stop<'_>) -> bool) -> Vec<Point> {
    let point = |stop: &Stop<'_>| {
        let (x, value) = ((drawn.x)(stop)?, (drawn.y)(stop)?);
        let label = drawn.labelled.then(|| stop.label.clone());
        Some(Point { x, y: value.mean, error: value.range, label })
    };
    curve.stops.iter().filter(|stop| among(stop)).filter_map(point).collect()
}

/// What the legend calls loads that the client limited.
pub(super) const LIMITED: Words = Words::fixed("client-limited", "受客户端限制");

/// A cross is kept for what the client limited.
pub(super) const CROSS: Marker = Marker::Kind(4);

/// Colours until they come again.
const COLOURS: usize = 7;

/// Shapes of markers without the crosses.
const SHAPES: usize = 4;
