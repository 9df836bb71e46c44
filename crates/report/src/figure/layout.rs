//! Where things stand on the paper: panels in their grid, axes within panels.
//!
//! Lengths are points of 1/72 inch from the top left corner; of a very wide figure they are enlarged, so that its letters can be read
//! where it is shown as wide as a slide. Deliberately nothing is drawn here.

use super::axis::{Extent, FEWEST, Tick};
use super::fit;
use super::letters::width;
use super::marks::Marks;
use super::names::{Names, Rows, Slots};
use super::paint::heat::scale_room;
use super::text::{Anchor, Text};
use super::view::{Frame, View, share};
use super::{Axes, Figure, On, Panel};
use crate::words::Language;

/// Panels in their places.
pub(crate) struct Layout<'a> {
    pub(crate) views: Vec<View<'a>>,
    /// By how much everything is enlarged.
    pub(crate) zoom: f64,
    /// What stands over all panels.
    pub(crate) title: Text,
    /// Where the frames of the first row begin, and how high the legend beside them may be.
    pub(crate) beside: (f64, f64),
    /// The size of all panels together, with the title.
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl<'a> Layout<'a> {
    pub(crate) fn of(figure: &'a Figure, language: Language) -> Self {
        let columns = figure.columns.clamp(1, figure.panels.len().max(1));
        let rows = figure.panels.len().div_ceil(columns).max(1);
        let inches = (length(figure.panel.width), length(figure.panel.height));
        let zoom = (inches.0 * columns as f64 / UNZOOMED).clamp(1.0, MOST_ZOOM);
        let cell = (inches.0 * INCH / zoom, inches.1 * INCH / zoom);
        let (width, height) = (cell.0 * columns as f64, cell.1 * rows as f64);
        let (title, title_height) = title(figure, width);
        let spans = spans(figure);
        let margins = margins(figure, &spans, cell, columns, language);
        let view = |(index, ((panel, span), margins)): (usize, ((&'a Panel, &Span), &Margins))| {
            let left = (index % columns) as f64 * cell.0;
            let top = title_height + (index / columns) as f64 * cell.1;
            let frame = Frame {
                left: left + margins.left,
                top: top + margins.top,
                right: (left + cell.0 - margins.right).max(left + margins.left + 1.0),
                bottom: (top + cell.1 - margins.bottom).max(top + margins.top + 1.0),
            };
            let below = if panel.x.label.is_empty() { BELOW_UNLABELLED } else { BELOW_NAMES };
            let deepest = (margins.bottom - below).min(DEEPEST * cell.1);
            View {
                panel,
                frame,
                across: span.across,
                up: span.up,
                x_ticks: span.x_ticks(panel, frame.width()),
                y_ticks: span.y_ticks(panel, frame.height()),
                names: names(panel, span, (cell.0, frame.width()), deepest),
                rows: row_names(panel, frame.height(), cell.0),
                edges: (left, left + cell.0),
                language,
            }
        };
        let beside = margins.first().map_or((0.0, height), |margins| {
            (title_height + margins.top, height - margins.top - margins.bottom.min(cell.1 / 2.0))
        });
        let panels = figure.panels.iter().zip(&spans).zip(&margins).enumerate();
        Self {
            views: panels.map(view).collect(),
            zoom,
            title,
            beside,
            width,
            height: title_height + height,
        }
    }
}

/// What stands over all panels, and how much it takes.
fn title(figure: &Figure, width: f64) -> (Text, f64) {
    let (text, size) = heading(&figure.title, &[Text::HEADING, 10.5, 9.0], width - 16.0);
    let height = match text.lines().count() {
        0 => 0.0,
        lines => 8.0 + lines as f64 * Text::HEADING * Text::LEADING,
    };
    let text = Text::new(&text, width / 2.0, 18.0, size, Anchor::Middle).in_full(&figure.title);
    (text, height)
}

/// A title in lines that fit, at the largest of these sizes that takes few.
pub(crate) fn heading(text: &str, sizes: &[f64], room: f64) -> (String, f64) {
    let given = text.lines().count().max(2);
    let at = |size: f64| fit::wrapped(text, size, room);
    let fits =
        |size: &&f64| at(**size).lines().count() <= given && width(&at(**size), **size) <= room;
    if let Some(&size) = sizes.iter().find(fits) {
        return (at(size), size);
    }
    let size = sizes.last().copied().unwrap_or(Text::TICK);
    let short = fit::cut(text, size, room * 2.5);
    let lines: Vec<String> = fit::wrapped(&short, size, room)
        .lines()
        .take(3)
        .map(|line| fit::cut(line, size, room))
        .collect();
    (lines.join("\n"), size)
}

/// What a panel spans.
#[derive(Clone, Copy, Debug)]
struct Span {
    across: Extent,
    up: Extent,
    /// Whether only whole numbers stand on the axis at the bottom, and on that at the left.
    whole: (bool, bool),
}

/// What each panel spans, with its rules; one that holds nothing spans what the others do, or 0 to 1.
fn spans(figure: &Figure) -> Vec<Span> {
    let span = |panel: &Panel| {
        let (mut across, mut up) = panel.marks.extent(&panel.x, &panel.y)?;
        let (has_x, has_y) = panel.marks.scaled();
        for rule in &panel.rules {
            match rule.on {
                On::Across if has_x => across = across.reaching(panel.x.scale, rule.at),
                On::Up if has_y => up = up.reaching(panel.y.scale, rule.at),
                On::Across | On::Up => {}
            }
        }
        Some(Span { across, up, whole: panel.marks.whole(&panel.x, &panel.y) })
    };
    let own: Vec<Option<Span>> = figure.panels.iter().map(span).collect();
    let joined = own.iter().flatten().copied().reduce(|a, b| Span {
        across: a.across.joined(b.across),
        up: a.up.joined(b.up),
        whole: (a.whole.0 && b.whole.0, a.whole.1 && b.whole.1),
    });
    let everything = joined.unwrap_or(Span { across: UNIT, up: UNIT, whole: (false, false) });
    let shown = |(own, panel): (Option<Span>, &Panel)| {
        let span = match figure.axes {
            Axes::Shared
                if panel.x.bears(everything.across.low) && panel.y.bears(everything.up.low) =>
            {
                everything
            }
            // What others reach cannot stand on these axes.
            Axes::Shared => own.unwrap_or(everything),
            Axes::Own => own.unwrap_or(everything),
        };
        match &panel.marks {
            Marks::Heat(heat) => Span { across: Extent::slots(heat.columns.len()), ..span },
            _ => span,
        }
    };
    own.into_iter().zip(&figure.panels).map(shown).collect()
}

/// What the axes, texts and titles of a panel take around its frame.
#[derive(Clone, Copy, Debug, Default)]
struct Margins {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// Margins with which frames stand in line: where axes are shared all are alike, else those of a row or of a column.
fn margins(
    figure: &Figure,
    spans: &[Span],
    cell: (f64, f64),
    columns: usize,
    language: Language,
) -> Vec<Margins> {
    let least = Margins { left: 34.0, top: 10.0, right: RIGHT, bottom: 44.0 };
    let mut margins = vec![least; figure.panels.len()];
    // What names take depends on the frame, which depends on what they take: it settles at once.
    for _ in 0..3 {
        let panels = figure.panels.iter().zip(spans).zip(&margins);
        let wanted: Vec<Margins> = panels
            .map(|((panel, span), given)| wanted(panel, span, cell, *given, language))
            .collect();
        margins = aligned(figure, &wanted, columns);
    }
    margins
}

fn aligned(figure: &Figure, wanted: &[Margins], columns: usize) -> Vec<Margins> {
    let most = |of: fn(&Margins) -> f64, belongs: &dyn Fn(usize) -> bool| {
        let others = wanted.iter().enumerate().filter(|(index, _)| {
            belongs(*index) && !matches!(figure.panels[*index].marks, Marks::Table(_))
        });
        others.map(|(_, margins)| of(margins)).fold(0.0, f64::max)
    };
    let is_shared = figure.axes == Axes::Shared;
    let align = |index: usize| {
        let own = wanted[index];
        let in_row = |other: usize| is_shared || other / columns == index / columns;
        let in_column = |other: usize| is_shared || other % columns == index % columns;
        let top = most(|margins| margins.top, &in_row).max(own.top);
        if matches!(figure.panels[index].marks, Marks::Table(_)) {
            return Margins { top, ..own };
        }
        Margins {
            left: most(|margins| margins.left, &in_column),
            top,
            right: if is_shared { most(|margins| margins.right, &in_column) } else { own.right },
            bottom: match most(|margins| margins.bottom, &in_row) {
                // One panel's long names need not shorten its neighbours.
                most if !is_shared && most > own.bottom + 24.0 => own.bottom,
                most => most,
            },
        }
    };
    (0..wanted.len()).map(align).collect()
}

/// What a panel wants around it, if its frame were what these margins leave.
fn wanted(
    panel: &Panel,
    span: &Span,
    cell: (f64, f64),
    given: Margins,
    language: Language,
) -> Margins {
    let (title, size) = heading(&panel.title, &TITLES, cell.0 - 12.0);
    let top = 10.0 + title.lines().count() as f64 * size.max(Text::TICK) * Text::LEADING;
    if matches!(panel.marks, Marks::Table(_)) {
        return Margins { left: 12.0, top: top + 2.0, right: 12.0, bottom: 10.0 };
    }
    let frame = (
        (cell.0 - given.left - given.right).max(1.0),
        (cell.1 - given.top - given.bottom).max(1.0),
    );
    let beside = |text: &str, note: Option<String>| {
        if text.is_empty() && note.is_none() { 14.0 } else { 34.0 }
    };
    let mut left = match row_names(panel, frame.1, cell.0) {
        Some(rows) => rows.widest + beside(&panel.y.label, rows.note(language)),
        None if !panel.marks.scaled().1 => beside(&panel.y.label, None),
        None => {
            let ticks = span.y_ticks(panel, frame.1);
            34.0 + ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max)
        }
    };
    let bottom = match names(panel, span, (cell.0, frame.0), DEEPEST * cell.1) {
        Some(names) => {
            let overhang = names.overhang(span.slots(frame.0)) + 4.0;
            left = left.max(overhang.min(MOST_LEFT * cell.0));
            let has_text = !panel.x.label.is_empty() || names.note(language).is_some();
            names.depth + if has_text { BELOW_NAMES } else { BELOW_UNLABELLED }
        }
        None if panel.x.label.is_empty() => 26.0,
        None => 44.0,
    };
    let right = match &panel.marks {
        Marks::Heat(heat) => RIGHT + scale_room(heat, frame.1),
        _ => {
            let beyond = |tick: &Tick| {
                let place = span.place(panel, tick.value, frame.0);
                place + width(&tick.text, Text::TICK) / 2.0 - frame.0 + 2.0
            };
            span.x_ticks(panel, frame.0).iter().map(beyond).fold(RIGHT, f64::max)
        }
    };
    Margins { left, top, right, bottom }
}

/// The names along the bottom of a panel of that width that has no scale there.
fn names(panel: &Panel, span: &Span, (wide, room): (f64, f64), deepest: f64) -> Option<Names> {
    let slots = span.slots(room);
    let narrowed = span.slots(wide * (1.0 - MOST_LEFT) - RIGHT).pitch;
    let reach = (MOST_LEFT * wide, deepest);
    match &panel.marks {
        Marks::Bars(bars) => Some(Names::of(&bars.groups, slots, narrowed, reach)),
        Marks::Heat(heat) => Some(Names::of(&heat.columns, slots, narrowed, reach)),
        Marks::Series(_)
        | Marks::Histogram(_)
        | Marks::Stacked(_)
        | Marks::Spans(_)
        | Marks::Table(_) => None,
    }
}

/// The names along the left of a panel that has no scale there.
fn row_names(panel: &Panel, height: f64, wide: f64) -> Option<Rows> {
    let pitch = |rows: usize| height / rows.max(1) as f64;
    match &panel.marks {
        Marks::Heat(heat) => Some(Rows::of(&heat.rows, pitch(heat.rows.len()), 0.34 * wide)),
        Marks::Spans(spans) => {
            let labels: Vec<&str> = spans.rows.iter().map(|row| row.label.as_str()).collect();
            Rows::of_things(&labels, pitch(labels.len()), 0.3 * wide)
        }
        Marks::Series(_)
        | Marks::Histogram(_)
        | Marks::Stacked(_)
        | Marks::Bars(_)
        | Marks::Table(_) => None,
    }
}

impl Span {
    /// As many marks at the left as suit an axis of that height.
    fn y_ticks(&self, panel: &Panel, height: f64) -> Vec<Tick> {
        if !panel.marks.scaled().1 {
            return Vec::new();
        }
        upright_ticks(height, |wanted| {
            let ticks = panel.y.scale.ticks(self.up, wanted, self.whole.1);
            let measure = |value| panel.y.scale.measure(value);
            let nearest = ticks.windows(2).map(|pair| {
                share(self.up, measure, pair[1].value) - share(self.up, measure, pair[0].value)
            });
            (nearest.fold(1.0, f64::min), ticks)
        })
    }

    /// As many marks at the bottom as their texts leave room for.
    fn x_ticks(&self, panel: &Panel, room: f64) -> Vec<Tick> {
        if !panel.marks.scaled().0 {
            return Vec::new();
        }
        let apart = |pair: &[Tick]| {
            let widths = width(&pair[0].text, Text::TICK) + width(&pair[1].text, Text::TICK);
            let place = |tick: &Tick| self.place(panel, tick.value, room);
            place(&pair[1]) - place(&pair[0]) >= widths / 2.0 + 9.0
        };
        let fits = |ticks: &[Tick]| ticks.windows(2).all(apart);
        let mut fewest = Vec::new();
        for wanted in (2..=10).rev() {
            let ticks = panel.x.scale.ticks(self.across, wanted, self.whole.0);
            if fits(&ticks) {
                return ticks;
            }
            fewest = ticks;
        }
        fewest.truncate(1);
        fewest
    }

    /// How far from the left end of an axis of that length a value stands.
    fn place(&self, panel: &Panel, value: f64, room: f64) -> f64 {
        room * share(self.across, |value| panel.x.scale.measure(value), value)
    }

    fn slots(&self, room: f64) -> Slots {
        Slots::along(self.across, room)
    }
}

/// As many marks as suit an upright axis of that height, three where they do not touch: of those that are made for a number, with how
/// far apart the nearest are, as a part of the height.
pub(crate) fn upright_ticks(height: f64, made: impl Fn(usize) -> (f64, Vec<Tick>)) -> Vec<Tick> {
    let wanted = ((height / 36.0) as usize).clamp(FEWEST, 9);
    let (apart, ticks) = made(wanted);
    match apart * height >= Text::TICK * 1.1 {
        true => ticks,
        false => made(2).1,
    }
}

/// A length in inches that can be drawn.
fn length(inches: f64) -> f64 {
    if inches.is_finite() && inches > 0.0 { inches.clamp(0.1, 1_000.0) } else { 1.0 }
}

const INCH: f64 = 72.0;

/// How wide all panels together may be, in inches, before they are enlarged.
const UNZOOMED: f64 = 11.0;

const MOST_ZOOM: f64 = 1.6;

const RIGHT: f64 = 14.0;

/// What the axis with its names, and its label, take beside the names' own depth.
const BELOW_NAMES: f64 = 30.0;

/// What the axis with its names takes where it has no label.
const BELOW_UNLABELLED: f64 = 16.0;

/// Which part of a panel's width slanted names may take at its left.
const MOST_LEFT: f64 = 0.3;

/// Which part of a panel's height names may take.
const DEEPEST: f64 = 0.46;

/// The sizes of the titles of panels.
pub(crate) const TITLES: [f64; 3] = [Text::TITLE, 10.0, 9.0];

const UNIT: Extent = Extent { low: 0.0, high: 1.0 };
