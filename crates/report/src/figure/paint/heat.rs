//! Cells as dark as their values, with the scale of their colours beside them.
//!
//! What was not measured is hatched, and says so where there is room: it is no value, not a small one.

use std::collections::BTreeMap;

use svg::node::element::{Group, LinearGradient, Path, Rectangle, Stop};

use crate::figure::axis::{Extent, Tick};
use crate::figure::fit;
use crate::figure::ink::{boxes, hatched, rule};
use crate::figure::layout::upright_ticks;
use crate::figure::letters::width;
use crate::figure::look::{is_dark, shade, shades};
use crate::figure::marks::Heat;
use crate::figure::text::{Anchor, INK, QUIET, Text, at};
use crate::figure::value::{ABSENT, are_whole, beside, brief};
use crate::figure::view::{Frame, View, share};
use crate::words::Words;

pub(crate) fn painted(view: &View<'_>, heat: &Heat) -> Group {
    let group = Group::new().add(cells(view, heat));
    match heat.extent() {
        Some(extent) => group.add(scale(view, heat, extent)),
        None => group,
    }
}

impl Heat {
    /// From the least to the greatest value that can stand on its scale; wider where these are as good as alike, for noise is not to
    /// take all colours.
    pub(crate) fn extent(&self) -> Option<Extent> {
        let values = self.cells.iter().flatten().filter(|value| self.scale.bears(**value));
        let all = values.copied().map(Extent::at).reduce(Extent::joined)?;
        let wide = all.no_finer_than(ALIKE);
        // Nothing but 0.
        Some(if wide.low < wide.high { wide } else { Extent { high: wide.low + 1.0, ..wide } })
    }

    /// How far between the least and the greatest a value stands.
    fn share(&self, extent: Extent, value: f64) -> f64 {
        share(extent, |value| self.scale.measure(value), value)
    }

    fn ticks(&self, extent: Extent, height: f64) -> Vec<Tick> {
        let ticks = upright_ticks(height, |wanted| {
            let ticks = self.scale.ticks(extent, wanted.min(7), false);
            let share = |tick: &Tick| self.share(extent, tick.value);
            let nearest = ticks.windows(2).map(|pair| share(&pair[1]) - share(&pair[0]));
            (nearest.fold(1.0, f64::min), ticks)
        });
        if ticks.len() < 2 {
            let mut ends = vec![extent.low, extent.high];
            ends.dedup();
            return ends.into_iter().map(|value| Tick { value, text: brief(value) }).collect();
        }
        ticks
    }
}

/// What the scale of colours takes beside the cells.
pub(crate) fn scale_room(heat: &Heat, height: f64) -> f64 {
    let Some(extent) = heat.extent() else { return 0.0 };
    let ticks = heat.ticks(extent, height);
    let widest = ticks.iter().map(|tick| width(&tick.text, Text::TICK)).fold(0.0, f64::max);
    let label = if heat.label.is_empty() { 0.0 } else { 20.0 };
    GAP + BAR + 7.0 + widest.max(14.0) + label
}

fn cells(view: &View<'_>, heat: &Heat) -> Group {
    let (columns, rows) = (heat.columns.len(), heat.rows.len());
    let frame = view.frame;
    let (wide, high) = (frame.width() / columns.max(1) as f64, frame.height() / rows.max(1) as f64);
    let gap = if wide.min(high) >= 9.0 { 0.6 } else { 0.0 };
    let place = |index: usize| {
        let (column, row) = ((index % columns) as f64, (index / columns) as f64);
        Frame {
            left: frame.left + column * wide + gap,
            top: frame.top + row * high + gap,
            right: frame.left + (column + 1.0) * wide - gap,
            bottom: frame.top + (row + 1.0) * high - gap,
        }
    };
    let extent = heat.extent();
    let told = told(heat);
    let size = written_size(heat, &told, wide, high);
    let (mut absent, mut texts) = (Vec::new(), Group::new());
    let mut shaded: BTreeMap<String, Vec<Frame>> = BTreeMap::new();
    for index in 0..columns * rows {
        let spot = place(index);
        let value = heat.cells.get(index).copied().flatten().filter(|value| value.is_finite());
        let share = extent.zip(value.filter(|value| heat.scale.bears(*value)));
        let share = share.map(|(extent, value)| heat.share(extent, value));
        match share {
            Some(share) => shaded.entry(shade(share)).or_default().push(spot),
            None => absent.push(spot),
        }
        let text = told.get(index).map_or(ABSENT, String::as_str);
        let ink = if share.is_some_and(is_dark) { "#ffffff" } else { INK };
        let (x, middle) =
            (f64::midpoint(spot.left, spot.right), f64::midpoint(spot.top, spot.bottom));
        let is_wanted = heat.written || value.is_none();
        if let Some(size) = size.filter(|_| is_wanted) {
            let text = Text::new(text, x, middle + 0.36 * size, size, Anchor::Middle);
            let text =
                if share.is_some() { text.coloured(ink) } else { text.coloured(QUIET).with_halo() };
            texts = texts.add(text.painted());
        }
    }
    // Without gaps, neighbours must meet without a seam.
    let seam = if gap == 0.0 { "crispEdges" } else { "auto" };
    let areas = shaded.iter().fold(Group::new(), |group, (shade, spots)| {
        let area = Path::new().set("d", boxes(spots)).set("fill", shade.as_str());
        group.add(area.set("shape-rendering", seam))
    });
    let absent = if absent.is_empty() { Group::new() } else { hatched(&boxes(&absent)) };
    Group::new().add(absent).add(areas).add(texts)
}

/// What stands in each cell, with its cross; nothing is made of values that are not written.
fn told(heat: &Heat) -> Vec<String> {
    let whole = are_whole(heat.cells.iter().flatten().copied());
    let text = |(place, cell): (usize, &Option<f64>)| match cell.filter(|cell| cell.is_finite()) {
        Some(value) if heat.written => {
            let cross = if heat.crossed.contains(&place) { " ×" } else { "" };
            format!("{}{cross}", beside(value, whole))
        }
        Some(_) => String::new(),
        None => ABSENT.to_owned(),
    };
    heat.cells.iter().enumerate().map(text).collect()
}

/// The largest letters with which every text of the cells fits into its cell.
fn written_size(heat: &Heat, told: &[String], wide: f64, high: f64) -> Option<f64> {
    let texts = told.iter().filter(|_| heat.written);
    let widest = texts.map(|text| width(text, 1.0)).fold(width(ABSENT, 1.0), f64::max);
    let fits = |size: &f64| widest * size + 4.0 <= wide && size + 2.0 <= high;
    [10.0, 9.0, 8.0, 7.0, 6.0].into_iter().find(fits)
}

/// The scale of colours, from the least value at its foot to the greatest.
fn scale(view: &View<'_>, heat: &Heat, extent: Extent) -> Group {
    let Frame { top, right, bottom, .. } = view.frame;
    let left = right + GAP;
    let is_partial = heat.cells.len() < heat.columns.len() * heat.rows.len()
        || heat.cells.iter().any(|cell| !cell.is_some_and(|value| heat.scale.bears(value)));
    let foot = if is_partial && bottom - top > 60.0 { bottom - 18.0 } else { bottom };
    let mut group = Group::new().add(gradient());
    let bar = Rectangle::new()
        .set("x", at(left))
        .set("y", at(top))
        .set("width", at(BAR))
        .set("height", at(foot - top))
        .set("fill", "url(#tokometer-shades)");
    group = group.add(bar);
    let ticks = heat.ticks(extent, foot - top);
    let mut widest: f64 = 0.0;
    for tick in &ticks {
        let y = foot - heat.share(extent, tick.value) * (foot - top);
        let text = Text::new(&tick.text, left + BAR + 6.0, y + 3.4, Text::TICK, Anchor::Start);
        group =
            group.add(rule((left + BAR, y), (left + BAR + 3.5, y), INK, 0.9)).add(text.painted());
        widest = widest.max(width(&tick.text, Text::TICK));
    }
    if foot < bottom {
        let spot = Frame { left, top: bottom - 9.0, right: left + BAR, bottom };
        let none = Words::fixed("none", "无").told(view.language).to_owned();
        let text = Text::new(&none, left + BAR + 4.0, bottom - 1.5, 8.0, Anchor::Start);
        group = group.add(hatched(&boxes([&spot]))).add(text.coloured(QUIET).painted());
    }
    let (label, size) = fit::shrunk(&heat.label, &[Text::LABEL, 9.0, 7.5], bottom - top + 20.0);
    let x = left + BAR + 7.0 + widest.max(14.0) + 13.0;
    let text = Text::new(&label, x, f64::midpoint(top, bottom), size, Anchor::Middle);
    group.add(text.upwards().in_full(&heat.label).painted())
}

/// The colours of the scale, from its foot up.
fn gradient() -> LinearGradient {
    let shades = shades();
    let last = (shades.len() - 1).max(1) as f64;
    let gradient = LinearGradient::new()
        .set("id", "tokometer-shades")
        .set("x1", "0")
        .set("y1", "1")
        .set("x2", "0")
        .set("y2", "0");
    shades.iter().enumerate().fold(gradient, |gradient, (index, shade)| {
        let stop =
            Stop::new().set("offset", at(index as f64 / last)).set("stop-color", shade.as_str());
        gradient.add(stop)
    })
}

/// Values that lie closer together than this part of them have colours that look alike.
const ALIKE: f64 = 0.02;

/// Between the cells and the scale.
const GAP: f64 = 12.0;

/// The width of the scale.
const BAR: f64 = 11.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Scale;

    fn heat(cells: &[f64], scale: Scale) -> Heat {
        Heat {
            columns: cells.iter().map(|cell| cell.to_string().into()).collect(),
            rows: vec!["r".into()],
            cells: cells.iter().copied().map(Some).collect(),
            label: "ms".into(),
            scale,
            written: true,
            crossed: Vec::new(),
        }
    }

    #[test]
    fn cells_that_differ_by_noise_alone_look_alike() {
        for scale in [Scale::Linear, Scale::Log, Scale::Sqrt] {
            let noise = heat(&[10.0, 10.005, 10.01], scale);
            let extent = noise.extent().unwrap();
            let apart = noise.share(extent, 10.01) - noise.share(extent, 10.0);
            assert!(0.0 < apart && apart < 0.06, "{scale:?}: {apart}");
            let real = heat(&[10.0, 20.0], scale);
            let extent = real.extent().unwrap();
            assert_eq!((real.share(extent, 10.0), real.share(extent, 20.0)), (0.0, 1.0));
        }
    }

    #[test]
    fn a_scale_of_colours_has_three_ticks_even_of_one_value_and_of_none_but_0() {
        for cells in [&[7.0][..], &[0.0, 0.0], &[121.0, 1_805.0], &[9.19, 10.9]] {
            for scale in [Scale::Linear, Scale::Log, Scale::Sqrt] {
                let heat = heat(cells, scale);
                let Some(extent) = heat.extent() else { continue };
                let ticks = heat.ticks(extent, 60.0);
                assert!(ticks.len() >= 3, "{scale:?} {cells:?}: {ticks:?}");
            }
        }
    }
}
