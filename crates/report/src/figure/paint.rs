//! Ink: a panel's grid, axes and texts, and its marks in between.
//!
//! Each kind of marks has a file of its own; where things stand is decided in the layout.

pub(crate) mod bars;
mod counts;
pub(crate) mod heat;
mod rules;
pub(crate) mod series;
pub(crate) mod spans;
mod table;

use svg::node::element::path::Data;
use svg::node::element::{Group, Path};

use super::axis::Scale;
use super::fit;
use super::ink::{outline, round, rule};
use super::layout::{TITLES, heading};
use super::letters::width;
use super::marks::Marks;
use super::text::{Anchor, INK, Text};
use super::view::{Frame, View};

/// A panel: grid, marks, axes and texts.
pub(crate) fn panel(view: &View<'_>) -> Group {
    if let Marks::Table(table) = &view.panel.marks {
        return Group::new().add(title(view).painted()).add(table::painted(view, table));
    }
    let group = Group::new()
        .add(grid(view))
        .add(rules::bands(view))
        .add(marks(view))
        .add(axes(view))
        .add(rules::lines(view));
    texts(view).iter().fold(group, |group, text| group.add(text.painted()))
}

fn title(view: &View<'_>) -> Text {
    let Frame { left, top, right, .. } = view.frame;
    let (low, high) = view.edges;
    let (text, size) = heading(&view.panel.title, &TITLES, high - low - 12.0);
    // Over the middle of the frame, unless it would lie beyond the panel there.
    let half = width(&text, size) / 2.0;
    let middle = f64::midpoint(left, right).min(high - half - 4.0).max(low + half + 4.0);
    let lines = text.lines().count() as f64;
    let first = top - 6.0 - (lines - 1.0).max(0.0) * size * Text::LEADING;
    Text::new(&text, middle, first, size, Anchor::Middle).in_full(&view.panel.title)
}

/// The texts around a frame: each at the middle of its side, and the names along axes without a scale.
fn texts(view: &View<'_>) -> Vec<Text> {
    let Frame { left, top, right, bottom } = view.frame;
    let (middle, centre) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
    let mut texts = vec![title(view)];
    let with_note = |label: &str, note: Option<String>| match note {
        None => label.to_owned(),
        Some(note) if label.is_empty() => note,
        Some(note) => format!("{label} ({note})"),
    };
    let mut below = 34.0;
    let mut note = None;
    if let Some(names) = &view.names {
        texts.extend(names.texts(view.slots(), (left, bottom), view.edges));
        (below, note) = (22.0 + names.depth, names.note(view.language));
    }
    let label = with_note(&view.panel.x.label, note);
    let room = 2.0 * (middle - view.edges.0).min(view.edges.1 - middle) - 4.0;
    let (text, size) = fit::shrunk(&label, &LABELS, room);
    texts.push(Text::new(&text, middle, bottom + below, size, Anchor::Middle).in_full(&label));

    let mut note = None;
    let mut widest =
        view.y_ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max);
    if let Some(rows) = &view.rows {
        texts.extend(rows.texts((left, top), row_pitch(view)));
        (widest, note) = (rows.widest, rows.note(view.language));
    }
    let label = with_note(&view.panel.y.label, note);
    let (text, size) = fit::shrunk(&label, &LABELS, bottom - top + 30.0);
    let lines = text.lines().count().max(1) - 1;
    let x = left - widest - 16.0 - lines as f64 * size * Text::LEADING;
    texts.push(Text::new(&text, x, centre, size, Anchor::Middle).upwards().in_full(&label));
    texts
}

/// How high a row is, of marks that stand in rows.
fn row_pitch(view: &View<'_>) -> f64 {
    let rows = match &view.panel.marks {
        Marks::Heat(heat) => heat.rows.len(),
        Marks::Spans(spans) => spans.rows.len(),
        _ => 1,
    };
    view.frame.height() / rows.max(1) as f64
}

fn grid(view: &View<'_>) -> Group {
    let Frame { left, top, right, bottom } = view.frame;
    let mut group = Group::new();
    let panel = view.panel;
    let (has_x, has_y) = panel.marks.scaled();
    let fine = |is_scaled: bool, values: Vec<f64>| if is_scaled { values } else { Vec::new() };
    for value in fine(has_x, panel.x.scale.between(view.across)) {
        let x = view.across(value);
        group = group.add(rule((x, top), (x, bottom), FAINT, 0.7));
    }
    for value in fine(has_y, panel.y.scale.between(view.up)) {
        let y = view.up(value);
        group = group.add(rule((left, y), (right, y), FAINT, 0.7));
    }
    for tick in &view.x_ticks {
        let x = view.across(tick.value);
        group = group.add(rule((x, top), (x, bottom), GRID, 0.7));
    }
    for tick in &view.y_ticks {
        let y = view.up(tick.value);
        group = group.add(rule((left, y), (right, y), GRID, 0.7));
    }
    group
}

fn axes(view: &View<'_>) -> Group {
    let Frame { left, top, right, bottom } = view.frame;
    if matches!(view.panel.marks, Marks::Heat(_)) {
        return Group::new();
    }
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
    let group = group.add(path);
    breaks(view).into_iter().fold(group, Group::add)
}

/// The signs of axes that do not begin at 0 although their values are all above it: two strokes across the axis, with paper between.
fn breaks(view: &View<'_>) -> Vec<Group> {
    if !matches!(view.panel.marks, Marks::Series(_)) {
        return Vec::new();
    }
    let Frame { left, right, top, bottom } = view.frame;
    let begins_late = |scale: Scale, low: f64| scale == Scale::Linear && low > 0.0;
    let mut signs = Vec::new();
    let mut add = |ends: [((f64, f64), (f64, f64)); 2], paper: [(f64, f64); 4]| {
        let paper = Path::new().set("d", outline(&paper)).set("fill", "#ffffff");
        let strokes = ends.map(|(from, to)| rule(from, to, INK, 0.9));
        signs.push(strokes.into_iter().fold(Group::new().add(paper), Group::add));
    };
    let (out, apart) = (3.5, 3.0);
    if begins_late(view.panel.y.scale, view.up.low) && bottom - top > MOST_BROKEN {
        let at = |y: f64| ((left - out, y + 1.5), (left + out, y - 1.5));
        let (lower, upper) = (at(bottom - 6.0), at(bottom - 6.0 - apart));
        add([lower, upper], [lower.0, lower.1, upper.1, upper.0]);
    }
    if begins_late(view.panel.x.scale, view.across.low) && right - left > MOST_BROKEN {
        let at = |x: f64| ((x - 1.5, bottom + out), (x + 1.5, bottom - out));
        let (first, second) = (at(left + 6.0), at(left + 6.0 + apart));
        add([first, second], [first.0, first.1, second.1, second.0]);
    }
    signs
}

fn marks(view: &View<'_>) -> Group {
    match &view.panel.marks {
        Marks::Series(series) => series::all(view, series),
        Marks::Histogram(histogram) => counts::histogram(view, histogram),
        Marks::Stacked(layers) => counts::stacked(view, layers),
        Marks::Bars(bars) => bars::painted(view, bars),
        Marks::Heat(heat) => heat::painted(view, heat),
        Marks::Spans(spans) => spans::painted(view, spans),
        Marks::Table(table) => table::painted(view, table),
    }
}

/// An axis that is no longer than this has no room for the sign of a break.
const MOST_BROKEN: f64 = 40.0;

const LABELS: [f64; 4] = [Text::LABEL, 9.0, 7.5, 6.5];

const GRID: &str = "#dedede";

const FAINT: &str = "#f0f0f0";
