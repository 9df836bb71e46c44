//! The simplest shapes: lines, and areas with a colour and, beside it, a texture, so that colour alone never has to tell two apart.

use svg::node::element::path::Data;
use svg::node::element::{Definitions, Group, Line, Path, Pattern};

use super::look::{Look, Marker};
use super::text::at;
use super::view::Frame;

/// A straight line.
pub(crate) fn rule((x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str, width: f64) -> Line {
    Line::new()
        .set("x1", at(x1))
        .set("y1", at(y1))
        .set("x2", at(x2))
        .set("y2", at(y2))
        .set("stroke", colour)
        .set("stroke-width", at(width))
}

/// The outline through these places, closed.
pub(crate) fn outline(places: &[(f64, f64)]) -> Data {
    match places {
        [] => Data::new(),
        [first, rest @ ..] => rest
            .iter()
            .fold(Data::new().move_to(rounded(*first)), |data, &to| data.line_to(rounded(to)))
            .close(),
    }
}

/// The outlines of rectangles.
pub(crate) fn boxes<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Data {
    frames.into_iter().fold(Data::new(), |data, frame| {
        data.move_to(rounded((frame.left, frame.top)))
            .line_to(rounded((frame.right, frame.top)))
            .line_to(rounded((frame.right, frame.bottom)))
            .line_to(rounded((frame.left, frame.bottom)))
            .close()
    })
}

/// An area in the colour of a look, and in its texture: that of the n-th marker.
pub(crate) fn filled(data: &Data, look: Look) -> Group {
    let area = |fill: &str| Path::new().set("d", data.clone()).set("fill", fill);
    let group = Group::new();
    if data.is_empty() {
        return group;
    }
    let group = group.add(area(&look.colour.css()));
    match texture(look) {
        0 => group,
        n => group.add(area(&format!("url(#{})", TEXTURES[n - 1].0))),
    }
}

/// An area in the colour of a look alone: too thin for a texture.
pub(crate) fn plain(data: &Data, look: Look) -> Group {
    filled(data, Look { marker: Marker::None, ..look })
}

/// An area that says that there is nothing.
pub(crate) fn hatched(data: &Data) -> Group {
    let area = |fill: &str| Path::new().set("d", data.clone()).set("fill", fill);
    Group::new().add(area("#f7f7f7")).add(area("url(#tokometer-absent)"))
}

/// The textures, to stand in a figure before they are used.
pub(crate) fn textures() -> Definitions {
    let pattern = |name: &str, step: f64, drawing: &str, colour: &str, opacity: &str| {
        Pattern::new()
            .set("id", name)
            .set("patternUnits", "userSpaceOnUse")
            .set("width", at(step))
            .set("height", at(step))
            .add(
                Path::new()
                    .set("d", drawing)
                    .set("fill", "none")
                    .set("stroke", colour)
                    .set("stroke-opacity", opacity)
                    .set("stroke-width", "0.9"),
            )
    };
    let all = TEXTURES.iter().fold(Definitions::new(), |all, (name, drawing)| {
        all.add(pattern(name, 5.0, drawing, "#ffffff", "0.42"))
    });
    all.add(pattern("tokometer-absent", 5.0, TEXTURES[0].1, "#c4c4c4", "1"))
}

fn texture(look: Look) -> usize {
    match look.marker {
        Marker::None => 0,
        Marker::Kind(n) => n % (TEXTURES.len() + 1),
    }
}

pub(crate) fn round(length: f64) -> f32 {
    ((length * 100.0).round() / 100.0) as f32
}

pub(crate) fn rounded((x, y): (f64, f64)) -> (f32, f32) {
    (round(x), round(y))
}

/// Names and drawings of textures; the plain area comes before the first.
const TEXTURES: [(&str, &str); 4] = [
    ("tokometer-rising", "M-1,1 L1,-1 M0,5 L5,0 M4,6 L6,4"),
    ("tokometer-falling", "M-1,4 L1,6 M0,0 L5,5 M4,-1 L6,1"),
    ("tokometer-crossed", "M0,5 L5,0 M0,0 L5,5"),
    ("tokometer-level", "M0,2.5 L5,2.5"),
];
