//! Texts on the paper: their sizes, and how they become elements of SVG.

use svg::node::element::Group;

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
    upwards: bool,
    halo: bool,
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
        let lines = text.lines().map(str::to_owned).collect();
        Self { lines, x, y, size, anchor, upwards: false, halo: false }
    }

    /// Read from the bottom up.
    pub(crate) fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    /// With paper around its letters, for what it may lie over.
    pub(crate) fn with_halo(self) -> Self {
        Self { halo: true, ..self }
    }

    pub(crate) fn painted(&self) -> Group {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut group = Group::new();
        for (index, line) in self.lines.iter().enumerate() {
            let y = self.y + index as f64 * self.size * Self::LEADING;
            let mut text = svg::node::element::Text::new(line.as_str())
                .set("x", at(self.x))
                .set("y", at(y))
                .set("font-size", at(self.size))
                .set("text-anchor", anchor)
                .set("fill", INK);
            if self.upwards {
                text = text.set("transform", format!("rotate(-90 {} {})", at(self.x), at(y)));
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
}

/// A length with as many digits as can be seen.
pub(crate) fn at(length: f64) -> String {
    crate::number::shortest(length, 2)
}

/// The colour of texts and axes.
pub(crate) const INK: &str = "#262626";
