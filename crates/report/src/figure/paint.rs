//! Ink: axes, marks and texts as elements of SVG.

use svg::node::element::path::Data;
use svg::node::element::{Circle, Group, Line, Path, Rectangle};

use super::labels::Labels;
use super::letters::width;
use super::look::{Dash, Look, Shape};
use super::marks::{Histogram, Layer, Marks, Point, Series, bars};
use super::text::{Anchor, INK, Text, at};
use super::view::{Frame, View};

/// A panel: grid, marks, axes and texts.
pub(crate) fn panel(view: &View<'_>) -> Group {
    let group = Group::new().add(grid(view)).add(marks(view)).add(axes(view));
    titles(view).iter().fold(group, |group, text| group.add(text.painted()))
}

/// The texts around a frame, each at the middle of its side.
fn titles(view: &View<'_>) -> Vec<Text> {
    let Frame { left, top, right, bottom } = view.frame;
    let (middle, centre) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
    let lines = view.panel.title.lines().count() as f64;
    let first = top - 6.0 - (lines - 1.0).max(0.0) * Text::TITLE * Text::LEADING;
    let widest = view.y_ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max);
    vec![
        Text::new(&view.panel.title, middle, first, Text::TITLE, Anchor::Middle),
        Text::new(&view.panel.x.label, middle, bottom + 34.0, Text::LABEL, Anchor::Middle),
        Text::new(&view.panel.y.label, left - widest - 16.0, centre, Text::LABEL, Anchor::Middle)
            .upwards(),
    ]
}

fn grid(view: &View<'_>) -> Group {
    let Frame { left, top, right, bottom } = view.frame;
    let rule = |(x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str| {
        Line::new()
            .set("x1", at(x1))
            .set("y1", at(y1))
            .set("x2", at(x2))
            .set("y2", at(y2))
            .set("stroke", colour)
            .set("stroke-width", "0.7")
    };
    let mut group = Group::new();
    let panel = view.panel;
    for value in panel.x.scale.between(view.across) {
        group = group.add(rule((view.across(value), top), (view.across(value), bottom), FAINT));
    }
    for value in panel.y.scale.between(view.up) {
        group = group.add(rule((left, view.up(value)), (right, view.up(value)), FAINT));
    }
    for tick in &view.x_ticks {
        let x = view.across(tick.value);
        group = group.add(rule((x, top), (x, bottom), GRID));
    }
    for tick in &view.y_ticks {
        let y = view.up(tick.value);
        group = group.add(rule((left, y), (right, y), GRID));
    }
    group
}

fn axes(view: &View<'_>) -> Group {
    let Frame { left, top, right, bottom } = view.frame;
    let mut lines = Data::new()
        .move_to((round(left), round(top)))
        .line_to((round(left), round(bottom)))
        .line_to((round(right), round(bottom)));
    let mut group = Group::new();
    for tick in &view.x_ticks {
        let x = view.across(tick.value);
        lines = lines.move_to((round(x), round(bottom))).line_to((round(x), round(bottom + 4.0)));
        group = group
            .add(Text::new(&tick.text, x, bottom + 15.5, Text::TICK, Anchor::Middle).painted());
    }
    for tick in &view.y_ticks {
        let y = view.up(tick.value);
        lines = lines.move_to((round(left - 4.0), round(y))).line_to((round(left), round(y)));
        group = group
            .add(Text::new(&tick.text, left - 7.0, y + 3.4, Text::TICK, Anchor::End).painted());
    }
    let path = Path::new()
        .set("d", lines)
        .set("fill", "none")
        .set("stroke", INK)
        .set("stroke-width", "0.9");
    group.add(path)
}

fn marks(view: &View<'_>) -> Group {
    match &view.panel.marks {
        Marks::Series(series) => all_series(view, series),
        Marks::Histogram(histogram) => histogram_bars(view, histogram),
        Marks::Stacked(layers) => stacked(view, layers),
    }
}

fn all_series(view: &View<'_>, all: &[Series]) -> Group {
    let mut group = Group::new();
    let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
    let place = |point: &Point| (view.across(point.x), view.up(point.y));
    for series in all {
        let places: Vec<_> = series.points.iter().filter(drawn).map(place).collect();
        group = group.add(line(&places, series.look));
        for point in series.points.iter().filter(drawn) {
            group = add_error_bar(group, view, series.look, point);
        }
        for at in places {
            group = add_marker(group, series.look, at);
        }
    }
    let labels = Labels::of(view).placed;
    let leaders = labels.iter().filter_map(|label| label.leader);
    let group = leaders.fold(group, |group, ends| group.add(leader(ends)));
    labels.iter().fold(group, |group, label| group.add(label.text.painted()))
}

/// From a point to its label.
fn leader([(x1, y1), (x2, y2)]: [(f64, f64); 2]) -> Line {
    Line::new()
        .set("x1", at(x1))
        .set("y1", at(y1))
        .set("x2", at(x2))
        .set("y2", at(y2))
        .set("stroke", LEADER)
        .set("stroke-width", "0.6")
}

fn add_error_bar(group: Group, view: &View<'_>, look: Look, point: &Point) -> Group {
    let Some((low, high)) = point.error else { return group };
    let within = |value: f64| if view.panel.y.bears(value) { value } else { view.up.low };
    let (x, from, to) =
        (round(view.across(point.x)), round(view.up(within(low))), round(view.up(within(high))));
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

pub(super) fn line(places: &[(f64, f64)], look: Look) -> Group {
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

pub(super) fn add_marker(group: Group, look: Look, (x, y): (f64, f64)) -> Group {
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

fn histogram_bars(view: &View<'_>, histogram: &Histogram) -> Group {
    let mut group = Group::new();
    for bin in histogram.counted().iter().filter(|bin| bin.count > 0) {
        let (left, right) = (view.across(bin.from), view.across(bin.to));
        let top = view.up(bin.count as f64);
        group = group.add(
            Rectangle::new()
                .set("x", at(left))
                .set("y", at(top))
                .set("width", at((right - left).max(0.5)))
                .set("height", at(view.frame.bottom - top))
                .set("fill", Look::kind(0).colour.css())
                .set("stroke", "#ffffff")
                .set("stroke-width", "0.6"),
        );
    }
    group
}

/// One outline a layer, however many bars there are.
fn stacked(view: &View<'_>, layers: &[Layer]) -> Group {
    let bars = bars(layers);
    let mut below = vec![0.0; bars];
    let mut group = Group::new();
    for layer in layers {
        let above: Vec<f64> = (0..bars).map(|bar| below[bar] + layer.height(bar)).collect();
        let outline: Vec<_> =
            steps(view, &above).chain(steps(view, &below).rev()).map(rounded).collect();
        if let [first, rest @ ..] = outline.as_slice() {
            let data =
                rest.iter().fold(Data::new().move_to(*first), |data, &to| data.line_to(to)).close();
            group = group.add(Path::new().set("d", data).set("fill", layer.look.colour.css()));
        }
        below = above;
    }
    group
}

/// The upper edges of bars of those heights, from left to right.
fn steps<'a>(
    view: &'a View<'_>,
    heights: &'a [f64],
) -> impl DoubleEndedIterator<Item = (f64, f64)> + 'a {
    heights.iter().enumerate().flat_map(|(bar, &height)| {
        let (left, right) = (view.across(bar as f64 - 0.5), view.across(bar as f64 + 0.5));
        let y = view.up(height);
        [(left, y), (right, y)]
    })
}

fn round(length: f64) -> f32 {
    ((length * 100.0).round() / 100.0) as f32
}

fn rounded((x, y): (f64, f64)) -> (f32, f32) {
    (round(x), round(y))
}

const LEADER: &str = "#7a7a7a";

const GRID: &str = "#dedede";

const FAINT: &str = "#f0f0f0";
