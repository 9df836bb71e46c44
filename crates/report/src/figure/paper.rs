//! Where things stand on the paper: panels in their grid, axes within panels, the legend beside them.
//!
//! All lengths here are points of 1/72 inch, from the top left corner.

use svg::Document;
use svg::node::element::{Group, Rectangle};

use super::axis::{Extent, Tick};
use super::labels::Labels;
use super::legend::Legend;
use super::letters::width;
use super::paint;
use super::text::{Anchor, Text, at};
use super::view::{Frame, View, share};
use super::{Axes, Figure, Panel};

/// What the axes, texts and titles of every panel take around its frame.
#[derive(Clone, Copy, Debug, Default)]
struct Margins {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The figure as SVG.
pub(crate) fn svg(figure: &Figure) -> String {
    let Layout { views, title, margins, width, height } = Layout::of(figure);
    let legend = Legend::of(figure, width, height - margins.top - margins.bottom);
    let total_width = width + legend.as_ref().map_or(0.0, |legend| LEGEND_GAP + legend.width);
    let total_height = title + height;
    let mut content = Group::new().set("font-family", super::letters::FAMILY);
    if title > 0.0 {
        let text = Text::new(&figure.title, width / 2.0, 18.0, Text::HEADING, Anchor::Middle);
        content = content.add(text.painted());
    }
    for view in &views {
        content = content.add(paint::panel(view));
    }
    if let Some(legend) = legend {
        content = content.add(legend.painted(width + LEGEND_GAP, title + margins.top));
    }
    let paper = Rectangle::new()
        .set("width", at(total_width))
        .set("height", at(total_height))
        .set("fill", "#ffffff");
    let document = Document::new()
        .set("width", format!("{}pt", at(total_width)))
        .set("height", format!("{}pt", at(total_height)))
        .set("viewBox", format!("0 0 {} {}", at(total_width), at(total_height)))
        .add(paper)
        .add(content);
    format!("{document}\n")
}

/// How many labels of points have no place.
pub(crate) fn labels_left_out(figure: &Figure) -> usize {
    Layout::of(figure).views.iter().map(|view| Labels::of(view).left_out).sum()
}

/// Panels in their places.
struct Layout<'a> {
    views: Vec<View<'a>>,
    /// How high the title over all panels is.
    title: f64,
    margins: Margins,
    /// The size of all panels together.
    width: f64,
    height: f64,
}

impl<'a> Layout<'a> {
    fn of(figure: &'a Figure) -> Self {
        let (cell_width, cell_height) = (figure.panel.width * INCH, figure.panel.height * INCH);
        let columns = figure.columns.clamp(1, figure.panels.len().max(1));
        let rows = figure.panels.len().div_ceil(columns).max(1);
        let title = match figure.title.lines().count() {
            0 => 0.0,
            lines => 8.0 + lines as f64 * Text::HEADING * Text::LEADING,
        };
        let spans = spans(figure);
        let margins = margins(figure, &spans, cell_height);
        let view = |(index, (panel, span)): (usize, (&'a Panel, Span))| {
            let (column, row) = (index % columns, index / columns);
            let (left, top) = (column as f64 * cell_width, title + row as f64 * cell_height);
            let frame = Frame {
                left: left + margins.left,
                top: top + margins.top,
                right: (left + cell_width - margins.right).max(left + margins.left + 1.0),
                bottom: (top + cell_height - margins.bottom).max(top + margins.top + 1.0),
            };
            let y_ticks = span.y_ticks(panel, frame.bottom - frame.top);
            let x_ticks = span.x_ticks(panel, frame.right - frame.left);
            View { panel, frame, across: span.across, up: span.up, x_ticks, y_ticks }
        };
        Self {
            views: figure.panels.iter().zip(spans).enumerate().map(view).collect(),
            title,
            margins,
            width: cell_width * columns as f64,
            height: cell_height * rows as f64,
        }
    }
}

/// What a panel spans.
#[derive(Clone, Copy, Debug)]
struct Span {
    across: Extent,
    up: Extent,
    /// Whether only whole numbers stand on the axis at the bottom, and on that at the left.
    whole: (bool, bool),
}

/// What each panel spans; one that holds nothing spans what the others do, or 0 to 1.
fn spans(figure: &Figure) -> Vec<Span> {
    let span = |panel: &Panel| {
        let (across, up) = panel.marks.extent(&panel.x, &panel.y)?;
        Some(Span { across, up, whole: panel.marks.whole(&panel.x, &panel.y) })
    };
    let own: Vec<Option<Span>> = figure.panels.iter().map(span).collect();
    let joined = own.iter().flatten().copied().reduce(|a, b| Span {
        across: a.across.joined(b.across),
        up: a.up.joined(b.up),
        whole: (a.whole.0 && b.whole.0, a.whole.1 && b.whole.1),
    });
    let everything = joined.unwrap_or(Span { across: UNIT, up: UNIT, whole: (false, false) });
    let shown = |own: Option<Span>| match figure.axes {
        Axes::Shared => everything,
        Axes::Own => own.unwrap_or(everything),
    };
    own.into_iter().map(shown).collect()
}

/// Margins that suit every panel, so that their frames stand in line.
fn margins(figure: &Figure, spans: &[Span], cell_height: f64) -> Margins {
    let mut margins = Margins { left: 0.0, top: 10.0, right: 14.0, bottom: 44.0 };
    for (panel, span) in figure.panels.iter().zip(spans) {
        let lines = panel.title.lines().count() as f64;
        margins.top = margins.top.max(10.0 + lines * Text::TITLE * Text::LEADING);
        let ticks = span.y_ticks(panel, (cell_height - margins.top - margins.bottom).max(1.0));
        let widest = ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max);
        margins.left = margins.left.max(34.0 + widest);
    }
    margins
}

impl Span {
    /// As many marks at the left as suit an axis of that height.
    fn y_ticks(&self, panel: &Panel, height: f64) -> Vec<Tick> {
        panel.y.scale.ticks(self.up, ((height / 42.0) as usize).clamp(2, 9), self.whole.1)
    }

    /// As many marks at the bottom as their texts leave room for.
    fn x_ticks(&self, panel: &Panel, room: f64) -> Vec<Tick> {
        let scale = panel.x.scale;
        let place =
            |tick: &Tick| room * share(self.across, |value| scale.measure(value), tick.value);
        let apart = |pair: &[Tick]| {
            let widths = width(&pair[0].text, Text::TICK) + width(&pair[1].text, Text::TICK);
            place(&pair[1]) - place(&pair[0]) >= widths / 2.0 + 9.0
        };
        let fits = |ticks: &[Tick]| ticks.windows(2).all(apart);
        let mut fewest = Vec::new();
        for wanted in (2..=10).rev() {
            let ticks = scale.ticks(self.across, wanted, self.whole.0);
            if fits(&ticks) {
                return ticks;
            }
            fewest = ticks;
        }
        fewest
    }
}

const INCH: f64 = 72.0;

const LEGEND_GAP: f64 = 4.0;

const UNIT: Extent = Extent { low: 0.0, high: 1.0 };
