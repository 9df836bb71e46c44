//! Curves and scattered points with their error bars, bands, markers and labels.

use svg::node::element::path::Data;
use svg::node::element::{Circle, Group, Path};

use crate::figure::ink::{outline, round, rounded, rule};
use crate::figure::labels::Labels;
use crate::figure::look::{Dash, Look, Shape};
use crate::figure::marks::{Errors, Point, Series};
use crate::figure::text::at;
use crate::figure::view::View;

pub(crate) fn all(view: &View<'_>, all: &[Series]) -> Group {
    let mut group = Group::new();
    let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
    let place = |point: &Point| (view.across(point.x), view.up(point.y));
    for series in all.iter().filter(|series| series.errors == Errors::Band) {
        group = bands(view, series).iter().fold(group, |group, data| {
            group.add(
                Path::new()
                    .set("d", data.clone())
                    .set("fill", series.look.colour.css())
                    .set("fill-opacity", "0.16"),
            )
        });
    }
    for series in all {
        let places: Vec<_> = series.points.iter().filter(drawn).map(place).collect();
        group = group.add(line(&places, series.look));
        for point in series.points.iter().filter(drawn).filter(|_| series.errors == Errors::Bars) {
            group = add_error_bar(group, view, series.look, point);
        }
        for at in places {
            group = add_marker(group, series.look, at);
        }
    }
    let labels = Labels::of(view).placed;
    let leaders = labels.iter().filter_map(|label| label.leader);
    let group = leaders.fold(group, |group, [from, to]| group.add(rule(from, to, LEADER, 0.6)));
    labels.iter().fold(group, |group, label| group.add(label.text.painted()))
}

/// The areas between the ends of the error bars, one for each stretch of points that have such ends.
fn bands(view: &View<'_>, series: &Series) -> Vec<Data> {
    let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
    let ends = |point: &Point| {
        let (low, high) = point.error.filter(|(low, high)| !low.is_nan() && !high.is_nan())?;
        Some((view.across(point.x), end(view, low), end(view, high)))
    };
    let all: Vec<_> = series.points.iter().filter(drawn).map(ends).collect();
    let stretches = all.split(Option::is_none).filter(|stretch| stretch.len() > 1);
    let area = |stretch: &[Option<(f64, f64, f64)>]| {
        let upper = stretch.iter().flatten().map(|&(x, _, high)| (x, high));
        let lower = stretch.iter().flatten().rev().map(|&(x, low, _)| (x, low));
        outline(&upper.chain(lower).collect::<Vec<_>>())
    };
    stretches.map(area).collect()
}

/// Where an end of an error bar stands: at the edge of the frame if the axis does not bear it.
fn end(view: &View<'_>, value: f64) -> f64 {
    match value {
        value if view.panel.y.bears(value) => view.up(value),
        f64::INFINITY => view.frame.top,
        _ => view.frame.bottom,
    }
}

fn add_error_bar(group: Group, view: &View<'_>, look: Look, point: &Point) -> Group {
    let Some((low, high)) = point.error else { return group };
    let (from, to) = (round(end(view, low)), round(end(view, high)));
    let x = round(view.across(point.x));
    let bar = Data::new()
        .move_to((x, from))
        .line_to((x, to))
        .move_to((x - 3.0, from))
        .line_to((x + 3.0, from))
        .move_to((x - 3.0, to))
        .line_to((x + 3.0, to));
    let path = Path::new()
        .set("d", bar)
        .set("fill", "none")
        .set("stroke", look.colour.css())
        .set("stroke-width", "1.1");
    group.add(path)
}

pub(crate) fn line(places: &[(f64, f64)], look: Look) -> Group {
    let group = Group::new();
    let (Dash::Kind(_), [first, rest @ ..]) = (look.dash, places) else { return group };
    let data = rest
        .iter()
        .fold(Data::new().move_to(rounded(*first)), |data, &to| data.line_to(rounded(to)));
    let mut path = Path::new()
        .set("d", data)
        .set("fill", "none")
        .set("stroke", look.colour.css())
        .set("stroke-width", at(look.width))
        .set("stroke-linejoin", "round");
    let lengths = look.dash.lengths();
    if !lengths.is_empty() {
        let lengths: Vec<String> = lengths.iter().map(|length| at(length * look.width)).collect();
        path = path.set("stroke-dasharray", lengths.join(" "));
    }
    group.add(path)
}

pub(crate) fn add_marker(group: Group, look: Look, (x, y): (f64, f64)) -> Group {
    let Some(shape) = look.marker.shape() else { return group };
    let colour = look.colour.css();
    let area = |corners: &[(f64, f64)]| {
        let place = |&(right, down): &(f64, f64)| rounded((x + right, y + down));
        let mut places = corners.iter().map(place);
        let first = places.next().unwrap_or_default();
        let data = places.fold(Data::new().move_to(first), |data, to| data.line_to(to)).close();
        Path::new()
            .set("d", data)
            .set("fill", colour.as_str())
            .set("stroke", "#ffffff")
            .set("stroke-width", "0.7")
    };
    let strokes = |data: Data| {
        Path::new()
            .set("d", data)
            .set("fill", "none")
            .set("stroke", colour.as_str())
            .set("stroke-width", "1.8")
    };
    let stroke = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| {
        Data::new().move_to(rounded((x + ax, y + ay))).line_to(rounded((x + bx, y + by)))
    };
    let both = |a: Data, b: Data| Group::new().add(strokes(a)).add(strokes(b));
    match shape {
        Shape::Disc => group.add(
            Circle::new()
                .set("cx", at(x))
                .set("cy", at(y))
                .set("r", "3.2")
                .set("fill", colour.as_str())
                .set("stroke", "#ffffff")
                .set("stroke-width", "0.7"),
        ),
        Shape::Square => group.add(area(&[(-2.9, -2.9), (2.9, -2.9), (2.9, 2.9), (-2.9, 2.9)])),
        Shape::Triangle => group.add(area(&[(0.0, -3.9), (3.7, 2.6), (-3.7, 2.6)])),
        Shape::Diamond => group.add(area(&[(0.0, -4.2), (3.8, 0.0), (0.0, 4.2), (-3.8, 0.0)])),
        Shape::Cross => {
            group.add(both(stroke((-2.8, -2.8), (2.8, 2.8)), stroke((-2.8, 2.8), (2.8, -2.8))))
        }
        Shape::Plus => {
            group.add(both(stroke((-3.6, 0.0), (3.6, 0.0)), stroke((0.0, -3.6), (0.0, 3.6))))
        }
    }
}

const LEADER: &str = "#7a7a7a";
