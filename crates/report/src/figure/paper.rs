//! The figure as one document: paper, title, panels, and the legend beside them.

use svg::Document;
use svg::node::element::{Group, Rectangle};

use super::labels::Labels;
use super::layout::Layout;
use super::legend::Legend;
use super::text::at;
use super::{Figure, Marks, ink, paint};
use crate::words::Language;

/// The figure as SVG, its texts as they stand in it; those that are added are in that language.
pub(crate) fn svg(figure: &Figure, language: Language) -> String {
    let layout = Layout::of(figure, language);
    let legend = Legend::of(figure, language, layout.width, layout.beside.1);
    let width = layout.width + legend.as_ref().map_or(0.0, |legend| LEGEND_GAP + legend.width);
    let height = layout.height;
    let mut content = Group::new().set("font-family", super::letters::FAMILY);
    if figure.panels.iter().any(|panel| has_areas(&panel.marks)) {
        content = content.add(ink::textures());
    }
    content = content.add(layout.title.painted());
    for view in &layout.views {
        content = content.add(paint::panel(view));
    }
    if let Some(legend) = legend {
        content = content.add(legend.painted(layout.width + LEGEND_GAP, layout.beside.0));
    }
    let paper =
        Rectangle::new().set("width", at(width)).set("height", at(height)).set("fill", "#ffffff");
    let document = Document::new()
        .set("width", format!("{}pt", at(width * layout.zoom)))
        .set("height", format!("{}pt", at(height * layout.zoom)))
        .set("viewBox", format!("0 0 {} {}", at(width), at(height)))
        .add(paper)
        .add(content);
    format!("{document}\n")
}

/// How many labels of points have no place.
pub(crate) fn labels_left_out(figure: &Figure) -> usize {
    let layout = Layout::of(figure, Language::English);
    layout.views.iter().map(|view| Labels::of(view).left_out).sum()
}

/// Whether areas are drawn that may have a texture.
fn has_areas(marks: &Marks) -> bool {
    match marks {
        Marks::Stacked(_) | Marks::Bars(_) | Marks::Heat(_) | Marks::Spans(_) => true,
        Marks::Series(_) | Marks::Histogram(_) | Marks::Table(_) => false,
    }
}

const LEGEND_GAP: f64 = 4.0;
