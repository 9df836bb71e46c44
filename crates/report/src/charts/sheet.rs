//! How the figures are laid out: their sizes and resolution, so that each is legible on a slide.

use crate::figure::{Axes, Axis, Figure, Marks, Panel, Scale, Size};
use crate::words::Words;

/// A figure of panels, each with axes of its own.
pub(super) fn figure(title: Words, panels: Vec<Panel>, columns: usize, panel: Size) -> Figure {
    Figure { title, panels, columns, panel, dpi: DPI, axes: Axes::Own, legend: None }
}

/// A panel without rules.
pub(super) fn panel(title: impl Into<Words>, x: Axis, y: Axis, marks: Marks) -> Panel {
    Panel { title: title.into(), x, y, marks, rules: Vec::new() }
}

/// An axis, logarithmic where its values span so much that the small ones would lie on the ground otherwise.
pub(super) fn axis(label: Words, values: impl Iterator<Item = f64>, much: f64) -> Axis {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        (least, greatest) = (least.min(value), greatest.max(value));
    }
    let scale = if least > 0.0 && greatest >= much * least { Scale::Log } else { Scale::Linear };
    Axis { scale, ..Axis::linear(label) }
}

/// A size in inches.
pub(super) const fn size(width: f64, height: f64) -> Size {
    Size { width, height }
}

/// Pixels per inch: of a figure of two panels, as wide as a slide has.
const DPI: u32 = 160;
