//! A panel's axes in their place on the paper: which value stands where.
//!
//! All lengths here are points of 1/72 inch, from the top left corner. Deliberately neither places panels nor draws them.

use super::Panel;
use super::axis::{Extent, Tick};

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

/// How far between the ends of the extent a value stands: 0 to 1.
pub(crate) fn share(extent: Extent, measure: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (low, high) = (measure(extent.low), measure(extent.high));
    if high > low { (measure(value) - low) / (high - low) } else { 0.5 }
}
