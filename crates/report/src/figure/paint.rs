//! Ink: axes, marks, texts and the legend's entries as elements of SVG.

use svg::node::element::path::Data;
use svg::node::element::{Circle, Group, Line, Path, Rectangle};

use super::letters::width;
use super::look::{Dash, Look, Shape};
use super::marks::{Histogram, Layer, Marks, Point, Series, bars};
use super::paper::{self, Frame, View};

/// An entry of the legend.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// Whether it stands for an area.
    pub(crate) filled: bool,
}

/// A text in its place: the baseline of its first line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    lines: Vec<String>,
    x: f64,
    y: f64,
    size: f64,
    anchor: Anchor,
    upwards: bool,
    halo: bool,
}

/// Which part of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Text {
    pub(crate) const TICK: f64 = 9.5;
    pub(crate) const LABEL: f64 = 10.5;
    pub(crate) const TITLE: f64 = 11.0;
    pub(crate) const LEGEND: f64 = 10.0;
    pub(crate) const NOTE: f64 = 8.5;
    /// From line to line, in sizes.
    pub(crate) const LEADING: f64 = 1.2;

    pub(crate) fn new(text: &str, x: f64, y: f64, size: f64, anchor: Anchor) -> Self {
        let lines = text.lines().map(str::to_owned).collect();
        Self { lines, x, y, size, anchor, upwards: false, halo: false }
    }

    /// Read from the bottom up.
    pub(crate) fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    fn with_halo(self) -> Self {
        Self { halo: true, ..self }
    }

    fn painted(&self) -> Group {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut group = Group::new();
        for (index, line) in self.lines.iter().enumerate() {
            let y = self.y + index as f64 * self.size * Self::LEADING;
            let mut text = svg::node::element::Text::new(line.as_str())
                .set("x", at(self.x))
                .set("y", at(y))
                .set("font-size", at(self.size))
                .set("text-anchor", anchor)
                .set("fill", INK);
            if self.upwards {
                text = text.set("transform", format!("rotate(-90 {} {})", at(self.x), at(y)));
            }
            if self.halo {
                text = text
                    .set("paint-order", "stroke")
                    .set("stroke", "#ffffff")
                    .set("stroke-width", "2");
            }
            group = group.add(text);
        }
        group
    }
}

/// A panel: grid, marks, axes and texts.
pub(crate) fn panel(view: &View<'_>) -> Group {
    let group = Group::new().add(grid(view)).add(marks(view)).add(axes(view));
    paper::titles(view).iter().fold(group, |group, text| group.add(text.painted()))
}

/// The legend, from its top left corner down.
pub(crate) fn legend(heading: Option<&str>, keys: &[Key], left: f64, top: f64) -> Group {
    let mut group = Group::new();
    let mut baseline = top + Text::LEGEND;
    if let Some(heading) = heading {
        let text = Text::new(heading, left, baseline, Text::LEGEND, Anchor::Start);
        baseline += text.lines.len() as f64 * Text::LEGEND * Text::LEADING + 4.0;
        group = group.add(text.painted());
    }
    for key in keys {
        let text = Text::new(&key.name, left + SWATCH, baseline, Text::LEGEND, Anchor::Start);
        let middle = baseline - 0.35 * Text::LEGEND;
        group = group.add(swatch(key, left, middle)).add(text.painted());
        baseline += text.lines.len() as f64 * Text::LEGEND * Text::LEADING + 4.0;
    }
    group
}

fn swatch(key: &Key, left: f64, middle: f64) -> Group {
    let right = left + SWATCH - 8.0;
    if key.filled {
        let area = Rectangle::new()
            .set("x", at(left + 6.0))
            .set("y", at(middle - 5.0))
            .set("width", at(right - left - 8.0))
            .set("height", at(10.0))
            .set("fill", key.look.colour.css());
        return Group::new().add(area);
    }
    let ends = [(left, middle), (right, middle)];
    let group = Group::new().add(line(&ends, key.look));
    add_marker(group, key.look, (f64::midpoint(left, right), middle))
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
    let mut notes = Notes { frame: view.frame, taken: Vec::new() };
    let drawn = |point: &&Point| view.panel.x.bears(point.x) && view.panel.y.bears(point.y);
    let place = |point: &Point| (view.across(point.x), view.up(point.y));
    for series in all {
        let places: Vec<_> = series.points.iter().filter(drawn).map(place).collect();
        notes.taken.extend(places.iter().map(|&(x, y)| Frame::around(x, y, 3.5)));
        if series.look.dash != Dash::None {
            notes.taken.extend(places.windows(2).flat_map(along));
        }
        group = group.add(line(&places, series.look));
        for point in series.points.iter().filter(drawn) {
            group = add_error_bar(group, view, series.look, point);
        }
        for at in places {
            group = add_marker(group, series.look, at);
        }
    }
    for point in all.iter().flat_map(|series| &series.points).filter(drawn) {
        if let Some(label) = &point.label {
            group = group.add(notes.placed(label, place(point)).painted());
        }
    }
    group
}

/// Small places along the line from the one to the other, for labels to keep clear of.
fn along(ends: &[(f64, f64)]) -> Vec<Frame> {
    let [(x1, y1), (x2, y2)] = [ends[0], ends[1]];
    let steps = ((x2 - x1).hypot(y2 - y1) / 5.0).ceil().clamp(1.0, 400.0) as usize;
    let part = |step: usize| step as f64 / steps as f64;
    let place = |part: f64| Frame::around(x1 + (x2 - x1) * part, y1 + (y2 - y1) * part, 2.0);
    (1..steps).map(|step| place(part(step))).collect()
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

fn line(places: &[(f64, f64)], look: Look) -> Group {
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

fn add_marker(group: Group, look: Look, (x, y): (f64, f64)) -> Group {
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

/// Labels of points, each put where it covers least.
struct Notes {
    frame: Frame,
    /// What is there already.
    taken: Vec<Frame>,
}

impl Notes {
    fn placed(&mut self, label: &str, (x, y): (f64, f64)) -> Text {
        let wide = width(label, Text::NOTE);
        let lines = label.lines().count().max(1) as f64;
        let high = lines * Text::NOTE * Text::LEADING;
        let mut best: Option<(f64, Frame)> = None;
        for (step, distance) in [4.0, 10.0, 18.0, 28.0].into_iter().enumerate() {
            for (turn, (right, down)) in DIRECTIONS.into_iter().enumerate() {
                let (left, top) = (
                    x + right * distance + (right - 1.0) * wide / 2.0,
                    y + down * distance + (down - 1.0) * high / 2.0,
                );
                let spot = Frame { left, top, right: left + wide, bottom: top + high };
                let covered: f64 = self.taken.iter().map(|taken| taken.covered(spot)).sum();
                let outside = wide * high - self.frame.covered(spot);
                // Nearer places, and those tried earlier, win where nothing is covered.
                let cost = covered + 4.0 * outside + 25.0 * step as f64 + turn as f64;
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, spot));
                }
            }
        }
        let spot = best.map_or(Frame::around(x, y, 0.0), |(_, spot)| spot);
        self.taken.push(spot);
        Text::new(label, spot.left, spot.top + Text::NOTE, Text::NOTE, Anchor::Start).with_halo()
    }
}

impl Frame {
    const fn around(x: f64, y: f64, reach: f64) -> Self {
        Self { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }

    /// The area that both have.
    fn covered(&self, other: Self) -> f64 {
        let wide = self.right.min(other.right) - self.left.max(other.left);
        let high = self.bottom.min(other.bottom) - self.top.max(other.top);
        wide.max(0.0) * high.max(0.0)
    }
}

/// A length with as many digits as can be seen.
pub(crate) fn at(length: f64) -> String {
    crate::number::shortest(length, 2)
}

fn round(length: f64) -> f32 {
    ((length * 100.0).round() / 100.0) as f32
}

fn rounded((x, y): (f64, f64)) -> (f32, f32) {
    (round(x), round(y))
}

/// Where a label may stand beside its point: to the right and down, in the order in which they are tried.
const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, -1.0),
    (1.0, 1.0),
    (-1.0, -1.0),
    (-1.0, 1.0),
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
];

/// What the sample of an entry of the legend takes, with the gap behind it.
pub(crate) const SWATCH: f64 = 34.0;

const INK: &str = "#262626";

const GRID: &str = "#dedede";

const FAINT: &str = "#f0f0f0";
