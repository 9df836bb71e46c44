//! A panel's axes in their place on the paper: which value stands where.
//!
//! All lengths here are points of 1/72 inch, from the top left corner. Deliberately neither places panels nor draws them.

use super::Panel;
use super::axis::{Extent, Tick};
use super::names::{Names, Rows, Slots};
use crate::words::Language;

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
    /// The names along the bottom, where it has no scale.
    pub(crate) names: Option<Names>,
    /// The names along the left, where it has no scale.
    pub(crate) rows: Option<Rows>,
    /// From where to where on the paper the panel may draw from left to right.
    pub(crate) edges: (f64, f64),
    pub(crate) language: Language,
}

impl Frame {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) const fn around((x, y): (f64, f64), reach: f64) -> Self {
        Self { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }

    pub(crate) fn grown(self, by: f64) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }

    /// The area that both have.
    pub(crate) fn covered(&self, other: Self) -> f64 {
        let wide = self.right.min(other.right) - self.left.max(other.left);
        let high = self.bottom.min(other.bottom) - self.top.max(other.top);
        wide.max(0.0) * high.max(0.0)
    }
}

impl View<'_> {
    /// Where the things of an axis without a scale stand.
    pub(crate) fn slots(&self) -> Slots {
        Slots::along(self.across, self.frame.width())
    }

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

/// How far between the ends of the extent a value stands: 0 to 1.
pub(crate) fn share(extent: Extent, measure: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (low, high) = (measure(extent.low), measure(extent.high));
    // Halves, for the distance of the ends may be more than a number can be.
    let share = (measure(value) / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
    if high > low && share.is_finite() { share } else { 0.5 }
}
