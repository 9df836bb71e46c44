//! Rows of spans of time: thin ones where there are many.
//!
//! A row that failed ends with a cross, so that more than its colour tells.

use svg::node::element::path::Data;
use svg::node::element::{Group, Path};

use super::row_pitch;
use crate::figure::ink::{boxes, filled, plain, rounded};
use crate::figure::marks::{Spanned, Spans};
use crate::figure::text::{INK, at};
use crate::figure::view::{Frame, View};

pub(crate) fn painted(view: &View<'_>, spans: &Spans) -> Group {
    let pitch = row_pitch(view);
    let high = if pitch > 3.0 { (pitch * 0.74).min(13.0) } else { pitch };
    let middle = |row: usize| view.frame.top + (row as f64 + 0.5) * pitch;
    let mut group = Group::new();
    for (kind, layer) in spans.kinds.iter().enumerate() {
        let place = |(row, of): (usize, &Spanned)| {
            let (from, to) = ends(view, of, kind)?;
            let (top, bottom) = (middle(row) - high / 2.0, middle(row) + high / 2.0);
            // Even the shortest is seen.
            Some(Frame { left: from, top, right: to.max(from + 0.6), bottom })
        };
        let frames: Vec<Frame> = spans.rows.iter().enumerate().filter_map(place).collect();
        let fill = if high >= 4.0 { filled } else { plain };
        group = group.add(fill(&boxes(&frames), layer.look));
    }
    let reach = (pitch * 0.36).clamp(1.5, 3.4);
    let crosses = spans.rows.iter().enumerate().filter(|(_, row)| row.failed);
    let data = crosses.fold(Data::new(), |data, (row, of)| {
        let last = (0..of.parts.len()).filter_map(|kind| ends(view, of, kind)).map(|(_, to)| to);
        let end = last.fold(view.frame.left, f64::max);
        cross(data, (end + reach + 1.5, middle(row)), reach)
    });
    if data.is_empty() { group } else { group.add(struck(&data, reach)) }
}

/// Where a part of a row begins and ends on the paper.
fn ends(view: &View<'_>, row: &Spanned, kind: usize) -> Option<(f64, f64)> {
    let (from, to) = row.parts.get(kind).copied().flatten()?;
    let axis = &view.panel.x;
    (axis.bears(from) && axis.bears(to))
        .then(|| (view.across(from.min(to)), view.across(from.max(to))))
}

/// A cross around a place.
pub(crate) fn cross(data: Data, (x, y): (f64, f64), reach: f64) -> Data {
    let stroke = |data: Data, by: (f64, f64)| {
        data.move_to(rounded((x - by.0, y - by.1))).line_to(rounded((x + by.0, y + by.1)))
    };
    stroke(stroke(data, (reach, reach)), (reach, -reach))
}

/// Crosses, with paper around them.
pub(crate) fn struck(data: &Data, reach: f64) -> Group {
    let stroke = |colour: &str, width: f64| {
        Path::new()
            .set("d", data.clone())
            .set("fill", "none")
            .set("stroke", colour)
            .set("stroke-width", at(width))
    };
    let wide = (reach * 0.45).clamp(0.7, 1.5);
    Group::new().add(stroke("#ffffff", wide + 1.4)).add(stroke(INK, wide))
}
