//! Bars side by side in named groups.
//!
//! A bar's length tells its value, so it begins at 0, or at the end of an axis that has no 0. Values stand above the bars only where
//! every one of the panel has room.

use svg::node::element::Group;

use crate::figure::ink::{boxes, filled, plain, rule};
use crate::figure::letters::width;
use crate::figure::marks::Bars;
use crate::figure::text::{Anchor, INK, QUIET, Text};
use crate::figure::value::{ABSENT, briefs};
use crate::figure::view::{Frame, View};

/// A bar in its place, or where it would stand.
#[derive(Clone, Copy, Debug)]
struct Bar {
    layer: usize,
    value: f64,
    left: f64,
    right: f64,
    /// From where to where it reaches; `None` for a value that cannot be drawn.
    ends: Option<(f64, f64)>,
}

pub(crate) fn painted(view: &View<'_>, bars: &Bars) -> Group {
    let all = placed(view, bars);
    let mut group = Group::new();
    for (index, layer) in bars.layers.iter().enumerate() {
        let frames: Vec<Frame> =
            all.iter().filter(|bar| bar.layer == index).filter_map(Bar::frame).collect();
        let is_thin = all.first().is_some_and(|bar| bar.right - bar.left < 3.0);
        let fill = if is_thin { plain } else { filled };
        group = group.add(fill(&boxes(&frames), layer.look));
    }
    if view.up.low < 0.0 {
        let zero = base(view);
        group = group.add(rule((view.frame.left, zero), (view.frame.right, zero), INK, 0.7));
    }
    values(view, &all).iter().fold(group, |group, text| group.add(text.painted()))
}

/// The places of the bars, with those of the values above them.
pub(crate) fn frames(view: &View<'_>, bars: &Bars) -> Vec<Frame> {
    let frames = placed(view, bars).into_iter().filter_map(|bar| bar.frame());
    frames.map(|frame| Frame { top: frame.top - 11.0, ..frame }).collect()
}

impl Bar {
    /// Whether it hangs below 0.
    fn hangs(&self) -> bool {
        self.ends.is_some_and(|(from, to)| to > from)
    }

    fn frame(&self) -> Option<Frame> {
        let (from, to) = self.ends?;
        let gap = ((self.right - self.left - 6.0) / 12.0).clamp(0.0, 1.0);
        let (top, bottom) = (from.min(to), from.max(to));
        (bottom > top).then_some(Frame {
            left: self.left + gap,
            top,
            right: self.right - gap,
            bottom,
        })
    }
}

fn placed(view: &View<'_>, bars: &Bars) -> Vec<Bar> {
    let slots = view.slots();
    let count = bars.layers.len().max(1) as f64;
    let wide = (slots.pitch * if count > 1.0 { 0.84 } else { 0.64 } / count).min(WIDEST);
    let mut placed = Vec::new();
    for group in 0..bars.groups.len() {
        let middle = view.frame.left + slots.first + group as f64 * slots.pitch;
        for (layer, of) in bars.layers.iter().enumerate() {
            let left = middle + (layer as f64 - count / 2.0) * wide;
            let value = of.heights.get(group).copied().unwrap_or(f64::NAN);
            let ends = view.panel.y.bears(value).then(|| (base(view), view.up(value)));
            placed.push(Bar { layer, value, left, right: left + wide, ends });
        }
    }
    placed
}

/// Where bars begin.
fn base(view: &View<'_>) -> f64 {
    let is_on_axis = view.panel.y.bears(0.0) && view.up.holds(0.0);
    if is_on_axis { view.up(0.0) } else { view.frame.bottom }
}

/// What is written at the bars: that there is no value where there is none, and the values where they have room.
fn values(view: &View<'_>, all: &[Bar]) -> Vec<Text> {
    let pitch = all.first().map_or(0.0, |bar| bar.right - bar.left);
    let absent = |bar: &Bar| {
        let size = (pitch / width(ABSENT, 1.0)).min(Text::TICK);
        let middle = f64::midpoint(bar.left, bar.right);
        let y = base(view) - 2.0;
        Text::new(ABSENT, middle, y, size, Anchor::Middle).coloured(QUIET)
    };
    // A value that is there but cannot stand on the axis is told as it is: it is not absent.
    let mut texts: Vec<Text> =
        all.iter().filter(|bar| !bar.value.is_finite()).map(absent).collect();
    let told: Vec<&Bar> = all.iter().filter(|bar| bar.value.is_finite()).collect();
    let texts_told = briefs(&told.iter().map(|bar| bar.value).collect::<Vec<f64>>());
    let told: Vec<(&Bar, String)> = told.into_iter().zip(texts_told).collect();
    let widest = |size| told.iter().map(|(_, text)| width(text, size)).fold(0.0, f64::max);
    let level = [9.0, 8.0, 7.0].into_iter().find(|&size| widest(size) + 2.0 <= pitch.min(WIDEST));
    let top = |bar: &Bar| bar.ends.map_or_else(|| base(view), |(_, to)| to);
    // Upright values stand above the bars or not at all: within them they could not be read.
    let fits_upright = |size: &f64| {
        let has_room = |(bar, text): &(&Bar, String)| {
            !bar.hangs() && top(bar) - 4.0 - width(text, *size) >= view.frame.top - 3.0
        };
        pitch >= size * 1.25 && told.iter().all(has_room)
    };
    let upright = [8.0, 7.0].into_iter().find(fits_upright);
    let place = |(bar, text): &(&Bar, String)| {
        let middle = f64::midpoint(bar.left, bar.right);
        let to = top(bar);
        match (level, upright) {
            (Some(size), _) => {
                let y = if bar.hangs() { to + size } else { to - 3.0 };
                Some(Text::new(text, middle, y, size, Anchor::Middle))
            }
            (None, Some(size)) => {
                let x = middle + 0.36 * size;
                Some(Text::new(text, x, to - 4.0, size, Anchor::Start).upwards())
            }
            (None, None) => None,
        }
    };
    texts.extend(told.iter().filter_map(place));
    texts
}

/// No bar is wider.
const WIDEST: f64 = 46.0;
