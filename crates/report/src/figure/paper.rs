//! Where things stand on the paper: panels in their grid, axes within panels, the legend beside them.
//!
//! All lengths here are points of 1/72 inch, from the top left corner.

use svg::Document;
use svg::node::element::{Group, Rectangle};

use super::axis::{Extent, Tick};
use super::letters::width;
use super::look::Look;
use super::marks::Marks;
use super::paint::{self, Anchor, Key, Text};
use super::{Axes, Figure, Panel};

/// A place on the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// The axes of a panel in their place.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    pub(crate) panel: &'a Panel,
    pub(crate) frame: Frame,
    pub(crate) across: Extent,
    pub(crate) up: Extent,
    pub(crate) x_ticks: Vec<Tick>,
    pub(crate) y_ticks: Vec<Tick>,
}

/// What the axes, texts and titles of every panel take around its frame.
#[derive(Clone, Copy, Debug, Default)]
struct Margins {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl View<'_> {
    /// Where a value of the axis at the bottom stands.
    pub(crate) fn across(&self, value: f64) -> f64 {
        let scale = self.panel.x.scale;
        let share = share(self.across, |value| scale.measure(value), value);
        self.frame.left + share * (self.frame.right - self.frame.left)
    }

    /// Where a value of the axis at the left stands.
    pub(crate) fn up(&self, value: f64) -> f64 {
        let scale = self.panel.y.scale;
        let share = share(self.up, |value| scale.measure(value), value);
        self.frame.bottom - share * (self.frame.bottom - self.frame.top)
    }
}

/// The figure as SVG.
pub(crate) fn svg(figure: &Figure) -> String {
    let (cell_width, cell_height) = (figure.panel.width * INCH, figure.panel.height * INCH);
    let columns = figure.columns.clamp(1, figure.panels.len().max(1));
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let keys = keys(figure);
    let legend = legend_width(figure, &keys);
    let (total_width, total_height) =
        (cell_width * columns as f64 + legend, cell_height * rows as f64);

    let extents = extents(figure);
    let margins = margins(figure, &extents, cell_height);
    let mut content = Group::new().set("font-family", super::letters::FAMILY);
    for (index, (panel, (across, up))) in figure.panels.iter().zip(extents).enumerate() {
        let (column, row) = (index % columns, index / columns);
        let (left, top) = (column as f64 * cell_width, row as f64 * cell_height);
        let frame = Frame {
            left: left + margins.left,
            top: top + margins.top,
            right: (left + cell_width - margins.right).max(left + margins.left + 1.0),
            bottom: (top + cell_height - margins.bottom).max(top + margins.top + 1.0),
        };
        let y_ticks = panel.y.scale.ticks(up, wanted_up(frame.bottom - frame.top));
        let x_ticks = x_ticks(panel, across, frame.right - frame.left);
        let view = View { panel, frame, across, up, x_ticks, y_ticks };
        content = content.add(paint::panel(&view));
    }
    if !keys.is_empty() {
        let left = cell_width * columns as f64 + LEGEND_GAP;
        content = content.add(paint::legend(figure.legend.as_deref(), &keys, left, margins.top));
    }
    let paper = Rectangle::new()
        .set("width", paint::at(total_width))
        .set("height", paint::at(total_height))
        .set("fill", "#ffffff");
    let document = Document::new()
        .set("width", format!("{}pt", paint::at(total_width)))
        .set("height", format!("{}pt", paint::at(total_height)))
        .set("viewBox", format!("0 0 {} {}", paint::at(total_width), paint::at(total_height)))
        .add(paper)
        .add(content);
    format!("{document}\n")
}

/// How far between the ends of the extent a value stands: 0 to 1.
fn share(extent: Extent, measure: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (low, high) = (measure(extent.low), measure(extent.high));
    if high > low { (measure(value) - low) / (high - low) } else { 0.5 }
}

/// What each panel spans; one that holds nothing spans what the others do, or 0 to 1.
fn extents(figure: &Figure) -> Vec<(Extent, Extent)> {
    let own: Vec<_> =
        figure.panels.iter().map(|panel| panel.marks.extent(&panel.x, &panel.y)).collect();
    let joined = own.iter().flatten().copied().reduce(|(a, b), (c, d)| (a.joined(c), b.joined(d)));
    let everything = joined.unwrap_or((UNIT, UNIT));
    let shown = |own: Option<(Extent, Extent)>| match figure.axes {
        Axes::Shared => everything,
        Axes::Own => own.unwrap_or(everything),
    };
    own.into_iter().map(shown).collect()
}

/// Margins that suit every panel, so that their frames stand in line.
fn margins(figure: &Figure, extents: &[(Extent, Extent)], cell_height: f64) -> Margins {
    let mut margins = Margins { left: 0.0, top: 10.0, right: 14.0, bottom: 44.0 };
    for (panel, (_, up)) in figure.panels.iter().zip(extents) {
        let lines = panel.title.lines().count() as f64;
        margins.top = margins.top.max(10.0 + lines * Text::TITLE * Text::LEADING);
        let height = (cell_height - margins.top - margins.bottom).max(1.0);
        let ticks = panel.y.scale.ticks(*up, wanted_up(height));
        let widest = ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max);
        margins.left = margins.left.max(34.0 + widest);
    }
    margins
}

/// How many marks an axis of that height takes.
fn wanted_up(height: f64) -> usize {
    ((height / 42.0) as usize).clamp(2, 9)
}

/// As many marks at the bottom as their texts leave room for.
fn x_ticks(panel: &Panel, across: Extent, room: f64) -> Vec<Tick> {
    let scale = panel.x.scale;
    let place = |tick: &Tick| room * share(across, |value| scale.measure(value), tick.value);
    let apart = |pair: &[Tick]| {
        let widths = width(&pair[0].text, Text::TICK) + width(&pair[1].text, Text::TICK);
        place(&pair[1]) - place(&pair[0]) >= widths / 2.0 + 9.0
    };
    let fits = |ticks: &[Tick]| ticks.windows(2).all(apart);
    let choices = (2..=10).rev().map(|wanted| panel.x.scale.ticks(across, wanted));
    let mut fewest = Vec::new();
    for ticks in choices {
        if fits(&ticks) {
            return ticks;
        }
        fewest = ticks;
    }
    fewest
}

/// The entries of the legend, each name once, as they first come.
fn keys(figure: &Figure) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut add = |name: &str, look: Look, filled: bool| {
        if !keys.iter().any(|key| key.name == name) {
            keys.push(Key { name: name.to_owned(), look, filled });
        }
    };
    for panel in &figure.panels {
        match &panel.marks {
            Marks::Series(series) => series
                .iter()
                .filter_map(|series| Some((series.name.as_ref()?, series.look)))
                .for_each(|(name, look)| add(name, look, false)),
            Marks::Stacked(layers) => {
                layers.iter().for_each(|layer| add(&layer.name, layer.look, true));
            }
            Marks::Histogram(_) => {}
        }
    }
    keys
}

fn legend_width(figure: &Figure, keys: &[Key]) -> f64 {
    if keys.is_empty() {
        return 0.0;
    }
    let texts = keys
        .iter()
        .map(|key| key.name.as_str())
        .map(|name| paint::SWATCH + width(name, Text::LEGEND));
    let heading = figure.legend.as_deref().map_or(0.0, |heading| width(heading, Text::LEGEND));
    LEGEND_GAP + texts.fold(heading, f64::max) + 14.0
}

/// Texts that anchor to the middle of a frame.
pub(crate) fn titles(view: &View<'_>) -> Vec<Text> {
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

const INCH: f64 = 72.0;

const LEGEND_GAP: f64 = 4.0;

const UNIT: Extent = Extent { low: 0.0, high: 1.0 };
