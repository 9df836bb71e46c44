//! Texts on the paper: their sizes, and how they become elements of SVG.

use svg::node::element::{Group, Title};

use super::fit;
#[cfg(test)]
use super::letters::width;
#[cfg(test)]
use super::view::Frame;

/// A text in its place: the baseline of its first line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    lines: Vec<String>,
    x: f64,
    y: f64,
    size: f64,
    anchor: Anchor,
    /// By how many degrees it is turned against the clock, around its place.
    turned: f64,
    halo: bool,
    colour: &'static str,
    /// What it says in full, where it is cut.
    full: Option<String>,
}

/// Which part of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Text {
    pub(crate) const TICK: f64 = 9.5;
    pub(crate) const LABEL: f64 = 10.5;
    pub(crate) const TITLE: f64 = 11.0;
    pub(crate) const LEGEND: f64 = 10.0;
    pub(crate) const HEADING: f64 = 12.0;
    /// From line to line, in sizes.
    pub(crate) const LEADING: f64 = 1.2;

    pub(crate) fn new(text: &str, x: f64, y: f64, size: f64, anchor: Anchor) -> Self {
        Self {
            lines: fit::clean(text).lines().map(str::to_owned).collect(),
            x,
            y,
            size,
            anchor,
            turned: 0.0,
            halo: false,
            colour: INK,
            full: None,
        }
    }

    /// Read from the bottom up.
    pub(crate) fn upwards(self) -> Self {
        self.turned(90.0)
    }

    /// Turned by so many degrees against the clock.
    pub(crate) fn turned(self, degrees: f64) -> Self {
        Self { turned: degrees, ..self }
    }

    /// With paper around its letters, for what it may lie over.
    pub(crate) fn with_halo(self) -> Self {
        Self { halo: true, ..self }
    }

    pub(crate) fn coloured(self, colour: &'static str) -> Self {
        Self { colour, ..self }
    }

    /// With what it says in full, shown where the mouse rests on it.
    pub(crate) fn in_full(self, full: &str) -> Self {
        let full = fit::clean(full);
        let is_cut = self.lines.join(" ") != full.lines().collect::<Vec<_>>().join(" ");
        Self { full: is_cut.then_some(full), ..self }
    }

    pub(crate) fn painted(&self) -> Group {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut group = Group::new();
        if let Some(full) = &self.full {
            group = group.add(Title::new(full.as_str()));
        }
        for (index, line) in self.lines.iter().enumerate() {
            let y = self.y + index as f64 * self.size * Self::LEADING;
            let mut text = svg::node::element::Text::new(line.as_str())
                .set("x", at(self.x))
                .set("y", at(y))
                .set("font-size", at(self.size))
                .set("text-anchor", anchor)
                .set("fill", self.colour);
            if self.turned != 0.0 {
                let by = format!("rotate({} {} {})", at(-self.turned), at(self.x), at(self.y));
                text = text.set("transform", by);
            }
            if self.halo {
                text = text
                    .set("paint-order", "stroke")
                    .set("stroke", "#ffffff")
                    .set("stroke-width", "2");
            }
            group = group.add(text);
        }
        group
    }

    /// The place it takes, of one that begins there.
    #[cfg(test)]
    pub(crate) fn frame(&self) -> Frame {
        let wide = self.lines.iter().map(|line| width(line, self.size)).fold(0.0, f64::max);
        let top = self.y - self.size;
        let bottom = top + self.lines.len() as f64 * self.size * Self::LEADING;
        Frame { left: self.x, top, right: self.x + wide, bottom }
    }

    /// The corners of the place it takes, turned as it is, in their order. Letters reach about a fifth of their size below the line.
    #[cfg(test)]
    pub(crate) fn corners(&self) -> [(f64, f64); 4] {
        let wide = self.lines.iter().map(|line| width(line, self.size)).fold(0.0, f64::max);
        let left = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -wide / 2.0,
            Anchor::End => -wide,
        };
        let below = (self.lines.len().max(1) - 1) as f64 * self.size * Self::LEADING;
        let (top, bottom) = (-0.75 * self.size, below + 0.2 * self.size);
        let (sin, cos) = (-self.turned).to_radians().sin_cos();
        [(left, top), (left + wide, top), (left + wide, bottom), (left, bottom)]
            .map(|(x, y)| (self.x + x * cos - y * sin, self.y + x * sin + y * cos))
    }
}

/// A length with as many digits as can be seen.
pub(crate) fn at(length: f64) -> String {
    if length.is_finite() { crate::number::shortest(length, 2) } else { "0".to_owned() }
}

/// The colour of texts and axes.
pub(crate) const INK: &str = "#262626";

/// The colour of texts beside the matter.
pub(crate) const QUIET: &str = "#6b6b6b";
