//! Figures: curves, scattered points, histograms and stacked bars, in panels side by side, as SVG and as PNG.
//!
//! Lengths of paper are in inches, and texts in points of 1/72 inch, so that a figure is the same at every resolution. It draws what
//! it is given: it filters nothing, averages nothing, and what cannot stand on an axis (NaN, infinity, nothing or less on a
//! logarithmic one) is left out and [counted](Figure::left_out), never moved. The letters come with the program, so that a figure
//! looks alike on every machine; only signs that they lack are looked for among the system's fonts.

mod axis;
mod labels;
mod legend;
mod letters;
mod look;
mod marks;
mod paint;
mod paper;
mod raster;
mod text;
mod view;

use std::fs;
use std::io;
use std::path::Path;

pub use axis::{Axis, Scale};
pub use look::{Colour, Dash, Look, Marker};
pub use marks::{Histogram, Layer, Marks, Point, Series};
pub use raster::RasterError;

/// Panels in rows, with one legend for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What stands over all panels, if anything; it makes the figure higher.
    pub title: String,
    /// The panels, row after row.
    pub panels: Vec<Panel>,
    /// How many stand in a row; 0 is taken as 1.
    pub columns: usize,
    /// The size of one panel with its labels. The legend stands to the right of them all and widens the figure.
    pub panel: Size,
    /// Pixels per inch of a PNG. What cannot be (0, or more than [`MOST_PIXELS`] in all) is refused by [`Figure::png`].
    pub dpi: u32,
    /// Whether panels are drawn to one scale.
    pub axes: Axes,
    /// What stands over the legend, if anything. There is a legend where a series or a layer has a name.
    pub legend: Option<String>,
}

/// Whether panels can be compared at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// All panels span the same ranges.
    Shared,
    /// Each panel spans what it holds.
    Own,
}

/// A size on paper, in inches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// One pair of axes and what is drawn between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What stands above it; may have several lines, or none.
    pub title: String,
    /// The axis at the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// What is drawn.
    pub marks: Marks,
}

impl Figure {
    /// The figure as SVG, sized in points.
    pub fn svg(&self) -> String {
        paper::svg(self)
    }

    /// The figure as PNG, at its resolution, which stands in the file too.
    ///
    /// # Errors
    /// If it would have no pixels, or more than [`MOST_PIXELS`].
    pub fn png(&self) -> Result<Vec<u8>, RasterError> {
        raster::png(&self.svg(), self.dpi)
    }

    /// Writes the figure to a file: as SVG if its name ends so, else as PNG.
    ///
    /// # Errors
    /// If the file cannot be written, or the figure not be drawn at its resolution.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let is_svg =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        if is_svg {
            return fs::write(path, self.svg());
        }
        fs::write(
            path,
            self.png().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
        )
    }

    /// How many points cannot stand on the axes of their panel and are not drawn.
    pub fn left_out(&self) -> usize {
        self.panels.iter().map(|panel| panel.marks.left_out(&panel.x, &panel.y)).sum()
    }

    /// How many points stand in it.
    pub fn points(&self) -> usize {
        self.panels.iter().map(|panel| panel.marks.drawn(&panel.x, &panel.y)).sum()
    }

    /// How many labels of points are left out, for want of a place where they would cover nothing.
    pub fn labels_left_out(&self) -> usize {
        paper::labels_left_out(self)
    }
}

/// Histograms, two in a row: the shape of a dataset at a glance. `size` is that of the whole figure.
///
/// Further panels may be pushed to what is returned; those of a dataset's lengths are three histograms and [`Marks::Stacked`].
pub fn histograms(histograms: &[Histogram], size: Size, dpi: u32) -> Figure {
    let columns = histograms.len().clamp(1, 2);
    let rows = histograms.len().div_ceil(columns).max(1);
    let panel = |histogram: &Histogram| Panel {
        title: histogram.title.clone(),
        x: Axis::linear(&histogram.label),
        y: Axis::linear("Count"),
        marks: Marks::Histogram(histogram.clone()),
    };
    Figure {
        title: String::new(),
        panels: histograms.iter().map(panel).collect(),
        columns,
        panel: Size { width: size.width / columns as f64, height: size.height / rows as f64 },
        dpi,
        axes: Axes::Own,
        legend: None,
    }
}

/// The most pixels that a PNG may have: 100 megapixels, 400 MB while it is drawn.
pub const MOST_PIXELS: u64 = 100_000_000;

#[cfg(test)]
mod tests;
