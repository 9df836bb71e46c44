//! Figures: curves, points, bars, cells, spans of time and tables, in panels side by side, as SVG and as PNG, in either language.
//!
//! Lengths of paper are in inches, and texts in points of 1/72 inch, so that a figure is the same at every resolution. It draws what
//! it is given: it filters nothing, averages nothing, and what cannot stand on an axis (NaN, infinity, nothing or less on a
//! logarithmic one) is left out and [counted](Figure::left_out), never moved. The letters come with the program, so that a figure
//! looks alike on every machine; only signs that they lack are looked for among the system's fonts.

mod axis;
mod fit;
mod fonts;
mod ink;
mod labels;
mod layout;
mod legend;
mod letters;
mod look;
mod marks;
mod names;
mod paint;
mod paper;
mod raster;
mod rules;
mod text;
mod told;
mod value;
mod view;

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

use crate::words::{Language, Words};

pub use axis::{Axis, Scale};
pub(crate) use axis::{Extent, NOISE};
pub use fonts::{can_write, missing_script};
pub(crate) use look::Shape;
pub use look::{Colour, Dash, Look, Marker};
pub use marks::{
    Bars, Errors, Heat, Histogram, Layer, Marks, Point, Series, Spanned, Spans, Table,
};
pub use raster::RasterError;

/// Panels in rows, with one legend for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What stands over all panels, if anything; it makes the figure higher.
    pub title: Words,
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
    pub legend: Option<Words>,
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
    pub title: Words,
    /// The axis at the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// What is drawn.
    pub marks: Marks,
    /// Values that are marked by a line across: a limit, the knee.
    pub rules: Vec<Rule>,
}

/// A line across a panel at one value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which axis the value stands on.
    pub on: On,
    /// The value.
    pub at: f64,
    /// From where to where the value may lie, drawn as an area, where that is known.
    pub within: Option<(f64, f64)>,
    /// What it is.
    pub label: Words,
}

/// An axis of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The one at the bottom.
    Across,
    /// The one at the left.
    Up,
}

impl Figure {
    /// The figure as SVG, sized in points, in English.
    pub fn svg(&self) -> String {
        self.svg_in(Language::English)
    }

    /// The figure as SVG, sized in points.
    pub fn svg_in(&self, language: Language) -> String {
        let told = match language {
            // What its texts are as they stand.
            Language::English => Cow::Borrowed(self),
            Language::Chinese => Cow::Owned(self.only(language)),
        };
        paper::svg(&told, language)
    }

    /// The figure as PNG in English, at its resolution, which stands in the file too.
    ///
    /// # Errors
    /// If it would have no pixels, or more than [`MOST_PIXELS`].
    pub fn png(&self) -> Result<Vec<u8>, RasterError> {
        self.png_in(Language::English)
    }

    /// The figure as PNG, at its resolution. Signs for which this machine has no font are left out: [`missing_script`] tells whether
    /// there are such, and [`can_write`] of a text.
    ///
    /// # Errors
    /// If it would have no pixels, or more than [`MOST_PIXELS`].
    pub fn png_in(&self, language: Language) -> Result<Vec<u8>, RasterError> {
        raster::png(&self.svg_in(language), self.dpi)
    }

    /// Writes the figure to a file in English: as SVG if its name ends so, else as PNG.
    ///
    /// # Errors
    /// If the file cannot be written, or the figure not be drawn at its resolution.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        self.save_in(path, Language::English)
    }

    /// Writes the figure to a file: as SVG if its name ends so, else as PNG.
    ///
    /// # Errors
    /// If the file cannot be written, or the figure not be drawn at its resolution.
    pub fn save_in(&self, path: &Path, language: Language) -> io::Result<()> {
        let is_svg =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        if is_svg {
            return fs::write(path, self.svg_in(language));
        }
        let png = self.png_in(language);
        fs::write(path, png.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?)
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
        x: Axis::linear(histogram.label.clone()),
        y: Axis::linear("Count"),
        marks: Marks::Histogram(histogram.clone()),
        rules: Vec::new(),
    };
    Figure {
        title: Words::default(),
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
