//! Curves drawn: a line through what was measured, with bars where it was measured several times, and a cross for each load that the
//! client limited.

use super::curves::{Curve, Stop, Value};
use super::notes::under;
use super::words;
use crate::figure::{Colour, Dash, Errors, Look, Marker, Point, Series};
use crate::words::{Language, Words};

/// What stands where.
pub(super) struct Drawn<'f> {
    /// Where a load stands on the axis at the bottom.
    pub(super) x: &'f dyn Fn(&Stop<'_>) -> Option<f64>,
    /// What stands on the axis at the left.
    pub(super) y: &'f dyn Fn(&Stop<'_>) -> Option<Value>,
    /// Which loads are written beside their points.
    pub(super) labelled: Labelled,
    /// Whether there are several curves in the figure, so that each is named.
    pub(super) several: bool,
}

/// Which loads are written beside their points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labelled {
    /// Every load.
    All,
    /// The least and the greatest of each curve.
    Ends,
    /// None.
    None,
}

/// The series of these curves: each its line, and behind all lines the crosses.
pub(super) fn series(curves: &[Curve<'_>], drawn: &Drawn<'_>) -> Vec<Series> {
    let mut series = Vec::new();
    for curve in curves {
        let (all, trusted) = (
            points(curve, drawn, |stop| curve.is_alone(stop)),
            points(curve, drawn, |stop| !stop.limited),
        );
        // A thin dotted line shows how the curve goes on where it cannot be trusted.
        if trusted.len() < all.len() {
            let look = dotted(look(curve.kind, curve.variant));
            let points = all.into_iter().map(|point| Point::at(point.x, point.y)).collect();
            series.push(Series { name: None, look, points, errors: Errors::Bars });
        }
    }
    for curve in curves {
        let points = points(curve, drawn, |stop| !stop.limited);
        if !points.is_empty() {
            let look = look(curve.kind, curve.variant);
            series.push(Series {
                name: Some(curve.name.clone()),
                look,
                points,
                errors: Errors::Bars,
            });
        }
    }
    for curve in curves {
        let points = points(curve, drawn, |stop| stop.limited);
        if !points.is_empty() {
            let look = Look { dash: Dash::None, marker: CROSS, ..look(curve.kind, curve.variant) };
            let name = match drawn.several {
                false => LIMITED,
                true => Words::both(
                    format!("{} (client-limited)", curve.name),
                    format!("{}（受客户端限制）", curve.name.told(Language::Chinese)),
                ),
            };
            series.push(Series { name: Some(name), look, points, errors: Errors::Bars });
        }
    }
    series
}

/// The look of a curve: its configuration's colour, and dashes that tell the curves of one configuration apart, and configurations too
/// where there are more than colours.
pub(super) const fn look(kind: usize, variant: usize) -> Look {
    Look {
        colour: Colour::Kind(kind),
        dash: Dash::Kind(DASHES[(variant + 2 * (kind / COLOURS)) % DASHES.len()]),
        width: 1.8,
        marker: Marker::Kind((kind + variant) % SHAPES),
    }
}

/// A title, and under it what must be known of these curves beside what [`notes`](super::notes) tell: what is dotted, and `repeated`
/// where a load was measured several times.
pub(super) fn noted(title: &Words, curves: &[Curve<'_>], repeated: &Words, width: f64) -> Words {
    let stops = || curves.iter().flat_map(|curve| &curve.stops);
    let bent = |curve: &Curve<'_>| {
        curve.stops.len() > 1 && curve.stops.iter().any(|stop| stop.limited && curve.is_alone(stop))
    };
    let mut title = title.clone();
    if curves.iter().any(bent) {
        let note = words((
            "A dotted line leads to client-limited loads and from them",
            "虚点线表示通向受客户端限制之测试点的部分",
        ));
        title = under(&title, &note, width);
    }
    if stops().any(|stop| stop.cases.len() > 1) {
        title = under(&title, repeated, width);
    }
    title
}

/// What is said where points are means, with bars.
pub(super) const BARS: Words = Words::fixed(
    "What was measured several times is shown as the mean of its repetitions; bars reach from the least to the greatest",
    "重复测量的点取各次的平均值，误差线为最小值到最大值",
);

/// What is said where points are means and nothing shows how far they scatter.
pub(super) const MEANS: Words = Words::fixed(
    "What was measured several times is shown as the mean of its repetitions, of their P99s too",
    "重复测量的点取各次的平均值，P99 亦为各次 P99 的平均",
);

/// The look of a curve where it rests on what the client limited: nothing else is dotted.
pub(super) const fn dotted(look: Look) -> Look {
    Look { dash: Dash::Kind(2), width: 1.0, marker: Marker::None, ..look }
}

fn points(curve: &Curve<'_>, drawn: &Drawn<'_>, among: impl Fn(&Stop<'_>) -> bool) -> Vec<Point> {
    let ends = [curve.stops.first(), curve.stops.last()].map(|stop| stop.map(|stop| stop.load));
    let point = |stop: &Stop<'_>| {
        let (x, value) = ((drawn.x)(stop)?, (drawn.y)(stop)?);
        let labelled = match drawn.labelled {
            Labelled::All => true,
            Labelled::Ends => ends.contains(&Some(stop.load)),
            Labelled::None => false,
        };
        // Where a load was measured both ways, what the client did not limit bears its name.
        let label = (labelled && curve.is_alone(stop)).then(|| stop.label.clone());
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

/// Kinds of dashes without the dotted one.
const DASHES: [usize; 4] = [0, 1, 3, 4];
