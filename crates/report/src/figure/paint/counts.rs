//! Histograms, and stacked bars of many things.

use svg::node::element::{Group, Rectangle};

use crate::figure::ink::{filled, outline};
use crate::figure::look::Look;
use crate::figure::marks::{Histogram, Layer, bars};
use crate::figure::text::at;
use crate::figure::view::View;

pub(crate) fn histogram(view: &View<'_>, histogram: &Histogram) -> Group {
    let mut group = Group::new();
    for bin in histogram.counted().iter().filter(|bin| bin.count > 0) {
        let (left, right) = (view.across(bin.from), view.across(bin.to));
        let top = view.up(bin.count as f64);
        group = group.add(
            Rectangle::new()
                .set("x", at(left))
                .set("y", at(top))
                .set("width", at((right - left).max(0.5)))
                .set("height", at(view.frame.bottom - top))
                .set("fill", Look::kind(0).colour.css())
                .set("stroke", "#ffffff")
                .set("stroke-width", "0.6"),
        );
    }
    group
}

/// One outline a layer, however many bars there are.
pub(crate) fn stacked(view: &View<'_>, layers: &[Layer]) -> Group {
    let bars = bars(layers);
    let mut below = vec![0.0; bars];
    let mut group = Group::new();
    for layer in layers {
        let above: Vec<f64> = (0..bars).map(|bar| below[bar] + layer.height(bar)).collect();
        let around: Vec<_> = steps(view, &above).chain(steps(view, &below).rev()).collect();
        group = group.add(filled(&outline(&around), layer.look));
        below = above;
    }
    group
}

/// The upper edges of bars of those heights, from left to right.
fn steps<'a>(
    view: &'a View<'_>,
    heights: &'a [f64],
) -> impl DoubleEndedIterator<Item = (f64, f64)> + 'a {
    heights.iter().enumerate().flat_map(|(bar, &height)| {
        let (left, right) = (view.across(bar as f64 - 0.5), view.across(bar as f64 + 0.5));
        let y = view.up(height);
        [(left, y), (right, y)]
    })
}
