//! Names along an axis that has no scale: of groups of bars and of columns at the bottom, of rows at the left.
//!
//! None ever lies over another: they are broken into lines, made smaller, turned, and at last only every so many of them is written,
//! which is then said. One that is too long for its room loses its middle.

use super::axis::Extent;
use super::fit::{clean, cut, wrapped};
use super::letters::width;
use super::text::{Anchor, Text};
use crate::words::{Language, Words};

/// Names at the bottom.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Names {
    /// What is written for each.
    written: Vec<String>,
    full: Vec<String>,
    size: f64,
    turn: Turn,
    /// Each how-many-th is written.
    every: usize,
    /// Whether they are values, of which nobody expects each to be written.
    are_values: bool,
    /// How far below the axis they reach.
    pub(crate) depth: f64,
}

/// Where the names of an axis stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slots {
    /// How far right of the beginning of the axis the middle of the first stands.
    pub(crate) first: f64,
    /// From middle to middle.
    pub(crate) pitch: f64,
}

impl Slots {
    /// Of an axis that spans numbers of things and is so long.
    pub(crate) fn along(across: Extent, long: f64) -> Self {
        let length = across.high - across.low;
        let pitch = long / if length > 0.0 { length } else { 1.0 };
        Self { first: -across.low * pitch, pitch }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Level,
    Slanted,
    Upright,
}

impl Names {
    /// Names in slots of that width, reaching at most so deep, and so far left of the axis. Slanted names widen the margin, which leaves
    /// slots at least as wide as `narrowed`. Names are turned further before they lose their middle.
    pub(crate) fn of(
        names: &[Words],
        slots: Slots,
        narrowed: f64,
        (leftmost, deepest): (f64, f64),
    ) -> Self {
        let full: Vec<String> = names.iter().map(|name| clean(name)).collect();
        let are_values = !full.is_empty() && full.iter().all(|name| is_value(name));
        let pitch = slots.pitch;
        let fitting = [9.5, 8.5].into_iter().find_map(|size| level(&full, size, pitch - 5.0));
        // How far left slanted names may reach, so that those of the first slots keep their middle.
        let left = leftmost + slots.first - slots.pitch / 2.0 + narrowed / 2.0;
        let slanted = slanted_size(narrowed.min(pitch));
        let longest = |size| full.iter().map(|name| width(&one(name), size)).fold(0.0, f64::max);
        let slants_whole = |size: f64| {
            longest(size) <= deepest / SLANT.sin() - size
                && full.iter().enumerate().all(|(index, name)| {
                    let reach = width(&one(name), size) * SLANT.cos() + size;
                    reach <= left + index as f64 * narrowed.min(pitch)
                })
        };
        let stands_whole = |size: &f64| pitch >= size * 1.15 && longest(*size) <= deepest;
        let upright = UPRIGHT.into_iter().find(stands_whole);
        let (written, size, turn, every) = if let Some((written, size)) = fitting {
            (written, size, Turn::Level, 1)
        } else if let Some(size) =
            slanted.filter(|&size| slants_whole(size) || (upright.is_none() && !are_values))
        {
            (one_line(&full, size, deepest / SLANT.sin() - size), size, Turn::Slanted, 1)
        } else if let Some(size) = upright.filter(|_| !are_values) {
            (one_line(&full, size, deepest), size, Turn::Upright, 1)
        } else if are_values {
            let widest = full.iter().map(|name| width(name, 8.5)).fold(0.0, f64::max);
            (full.clone(), 8.5, Turn::Level, every(widest + 8.0, pitch))
        } else {
            let size = UPRIGHT.into_iter().find(|size| pitch >= size * 1.15).unwrap_or(SMALLEST);
            let every = every(size * 1.15, pitch);
            (one_line(&full, size, deepest), size, Turn::Upright, every)
        };
        let depth = depth(&written, size, turn);
        Self { written, full, size, turn, every, are_values, depth }
    }

    /// How far left of the beginning of the axis they reach.
    pub(crate) fn overhang(&self, slots: Slots) -> f64 {
        if self.turn != Turn::Slanted {
            return 0.0;
        }
        let reach = |(index, name): (usize, &String)| {
            width(name, self.size) * SLANT.cos() + self.size
                - slots.first
                - index as f64 * slots.pitch
        };
        self.written.iter().enumerate().map(reach).fold(0.0, f64::max)
    }

    /// What is to be said of those that are not written.
    pub(crate) fn note(&self, language: Language) -> Option<String> {
        (self.every > 1 && !self.are_values).then(|| thinned(self.every, language))
    }

    /// The names in their places: below the axis that begins at `left`, within the paper from `edges.0` to `edges.1`.
    pub(crate) fn texts(
        &self,
        slots: Slots,
        (left, bottom): (f64, f64),
        edges: (f64, f64),
    ) -> Vec<Text> {
        let mut texts = Vec::new();
        for index in (0..self.written.len()).step_by(self.every) {
            let (name, full) = (&self.written[index], &self.full[index]);
            if name.is_empty() {
                continue;
            }
            let x = left + slots.first + index as f64 * slots.pitch;
            let size = self.size;
            let text = match self.turn {
                Turn::Level => {
                    let half = width(name, size) / 2.0;
                    if x - half < edges.0 || edges.1 < x + half {
                        continue;
                    }
                    Text::new(name, x, bottom + 6.0 + size, size, Anchor::Middle)
                }
                Turn::Slanted => {
                    let right = x + 0.35 * size;
                    let room = (right - edges.0) / SLANT.cos() - size;
                    let down = bottom + 5.0 + 0.75 * size * SLANT.cos();
                    Text::new(&cut(name, size, room), right, down, size, Anchor::End)
                        .turned(SLANT.to_degrees())
                }
                Turn::Upright => {
                    Text::new(name, x + 0.35 * size, bottom + 7.0, size, Anchor::End).upwards()
                }
            };
            texts.push(text.in_full(full));
        }
        texts
    }
}

/// Names at the left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    written: Vec<String>,
    full: Vec<String>,
    size: f64,
    every: usize,
    are_values: bool,
    /// The width of the widest.
    pub(crate) widest: f64,
}

impl Rows {
    /// Names of rows of that height, no wider than there is room. Where they do not all fit, every so many is written.
    pub(crate) fn of(names: &[Words], pitch: f64, room: f64) -> Self {
        let full: Vec<String> = names.iter().map(|name| clean(name)).collect();
        let are_values = !full.is_empty() && full.iter().all(|name| is_value(name));
        let size = row_size(pitch).unwrap_or(SMALLEST + 1.0);
        let every = every(size * 1.1, pitch);
        Self { are_values, every, ..Self::written(full, size, room) }
    }

    /// Names of rows of that height; none where they do not all fit.
    pub(crate) fn of_things(names: &[&str], pitch: f64, room: f64) -> Option<Self> {
        let full: Vec<String> = names.iter().map(|name| clean(name)).collect();
        let is_worth_it = full.iter().any(|name| !name.is_empty());
        row_size(pitch).filter(|_| is_worth_it).map(|size| Self::written(full, size, room))
    }

    fn written(full: Vec<String>, size: f64, room: f64) -> Self {
        let written = one_line(&full, size, room);
        let widest = written.iter().map(|name| width(name, size)).fold(0.0, f64::max);
        Self { written, full, size, every: 1, are_values: false, widest }
    }

    /// What is to be said of those that are not written.
    pub(crate) fn note(&self, language: Language) -> Option<String> {
        (self.every > 1 && !self.are_values).then(|| thinned(self.every, language))
    }

    /// The names in their places: left of the axis that begins at the top, at rows of that height.
    pub(crate) fn texts(&self, (left, top): (f64, f64), pitch: f64) -> Vec<Text> {
        let place = |index: usize| {
            let y = top + (index as f64 + 0.5) * pitch + 0.36 * self.size;
            let text = Text::new(&self.written[index], left - 7.0, y, self.size, Anchor::End);
            text.in_full(&self.full[index])
        };
        (0..self.written.len()).step_by(self.every).map(place).collect()
    }
}

/// The names side by side, in up to two lines more than they have, if each fits.
fn level(names: &[String], size: f64, room: f64) -> Option<(Vec<String>, f64)> {
    let broken = |name: &String| {
        let lines = name.lines().count().max(1);
        let broken =
            if width(name, size) <= room { name.clone() } else { wrapped(name, size, room) };
        (width(&broken, size) <= room && broken.lines().count() <= lines.max(2)).then_some(broken)
    };
    names.iter().map(broken).collect::<Option<Vec<_>>>().map(|names| (names, size))
}

fn slanted_size(pitch: f64) -> Option<f64> {
    [9.5, 8.5].into_iter().find(|size| pitch * SLANT.sin() >= size * 1.2)
}

/// A name in one line.
fn one(name: &str) -> String {
    cut(name, 1.0, f64::INFINITY)
}

fn one_line(names: &[String], size: f64, room: f64) -> Vec<String> {
    names.iter().map(|name| cut(name, size, room)).collect()
}

fn depth(names: &[String], size: f64, turn: Turn) -> f64 {
    let widest = names.iter().map(|name| width(name, size)).fold(0.0, f64::max);
    let lines = names.iter().map(|name| name.lines().count()).max().unwrap_or(0);
    match turn {
        Turn::Level => lines as f64 * size * Text::LEADING,
        Turn::Slanted => widest * SLANT.sin() + size,
        Turn::Upright => widest,
    }
}

/// Each how-many-th has room, if one takes so much.
fn every(taken: f64, pitch: f64) -> usize {
    if pitch > 0.0 { (taken / pitch).ceil().clamp(1.0, 1e9) as usize } else { 1_000_000_000 }
}

fn row_size(pitch: f64) -> Option<f64> {
    [9.5, 8.5, 7.5, SMALLEST].into_iter().find(|size| pitch >= size * 1.1)
}

fn thinned(every: usize, language: Language) -> String {
    Words::both(format!("1 in {every} named"), format!("每 {every} 项标注一项"))
        .told(language)
        .to_owned()
}

/// Whether it is a number, perhaps with a sign of its unit.
fn is_value(name: &str) -> bool {
    let signs = "0123456789.,+-−–e %";
    let digits = name.trim_end_matches(['k', 'M', 'G', 's', 'm', 'µ']);
    digits.starts_with(|sign: char| sign.is_ascii_digit() || "+-−.<≥".contains(sign))
        && digits.chars().skip(1).all(|sign| signs.contains(sign))
}

/// How far names are slanted, in radians: 35 degrees.
const SLANT: f64 = 35.0 * std::f64::consts::PI / 180.0;

const SMALLEST: f64 = 6.5;

/// The sizes of names that stand upright.
const UPRIGHT: [f64; 4] = [9.5, 8.5, 7.5, SMALLEST];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(names: &[String]) -> Vec<Words> {
        names.iter().map(Words::from).collect()
    }

    /// Whether a line separates the two (convex) shapes.
    fn are_apart(one: &[(f64, f64); 4], other: &[(f64, f64); 4]) -> bool {
        [one, other].into_iter().any(|shape| {
            (0..4).any(|n| {
                let (from, to) = (shape[n], shape[(n + 1) % 4]);
                let across = (to.1 - from.1, from.0 - to.0);
                let reach = |of: &[(f64, f64); 4]| {
                    of.iter()
                        .map(|at| at.0 * across.0 + at.1 * across.1)
                        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
                            (least.min(value), most.max(value))
                        })
                };
                let (a, b) = (reach(one), reach(other));
                a.1 <= b.0 + 1e-6 || b.1 <= a.0 + 1e-6
            })
        })
    }

    #[test]
    fn names_are_turned_only_as_far_as_it_takes() {
        let names = |text: &str, n: usize| words(&vec![text.to_owned(); n]);
        let turn = |text: &str, n: usize| {
            let slots = Slots { first: 200.0 / n as f64, pitch: 400.0 / n as f64 };
            let names = Names::of(&names(text, n), slots, slots.pitch, (90.0, 90.0));
            (names.turn, names.every)
        };
        assert_eq!(turn("c=16", 8), (Turn::Level, 1));
        assert_eq!(turn("512 × 128 tokens", 8), (Turn::Level, 1));
        assert_eq!(turn("Qwen3-32B-Instruct", 8), (Turn::Slanted, 1));
        assert_eq!(turn("Qwen3-32B-Instruct", 40), (Turn::Upright, 1));
        assert_eq!(turn("Qwen3-32B-Instruct", 400), (Turn::Upright, 8));
        assert_eq!(turn("1,024", 100), (Turn::Level, 8));
    }

    #[test]
    fn a_name_is_turned_upright_before_it_loses_its_middle() {
        let names = words(&vec!["1024x1024_mc16".to_owned(); 12]);
        let slots = Slots { first: 14.0, pitch: 28.0 };
        // Slanted, that of the first would reach beyond the paper.
        let narrow = Names::of(&names, slots, slots.pitch, (20.0, 90.0));
        assert_eq!((narrow.turn, narrow.every), (Turn::Upright, 1));
        assert!(narrow.written.iter().all(|name| name == "1024x1024_mc16"), "{narrow:?}");
        let roomy = Names::of(&names, slots, slots.pitch, (90.0, 90.0));
        assert_eq!(roomy.turn, Turn::Slanted);
    }

    #[test]
    fn names_left_out_are_told_unless_they_are_values() {
        let slots = Slots { first: 1.0, pitch: 2.0 };
        let of = |text: &str| {
            Names::of(&words(&vec![text.to_owned(); 200]), slots, slots.pitch, (90.0, 90.0))
        };
        assert_eq!(of("512×128").note(Language::English).unwrap(), "1 in 4 named");
        assert_eq!(of("512×128").note(Language::Chinese).unwrap(), "每 4 项标注一项");
        assert_eq!(of("0.25").note(Language::English), None);
    }

    proptest! {
        #[test]
        fn names_never_overlap_and_lie_within_their_room(
            names in proptest::collection::vec("[a-z0-9×\\- 模\n]{0,60}", 1..60),
            wide in 40.0_f64..900.0,
            deepest in 20.0_f64..150.0,
        ) {
            let slots = Slots { first: wide / names.len() as f64 / 2.0, pitch: wide / names.len() as f64 };
            let names = Names::of(&words(&names), slots, slots.pitch, (50.0, deepest));
            let edges = (0.0, 50.0 + wide + 14.0);
            let texts = names.texts(slots, (50.0, 0.0), edges);
            let corners: Vec<_> = texts.iter().map(Text::corners).collect();
            for (n, one) in corners.iter().enumerate() {
                for (x, y) in one {
                    prop_assert!(edges.0 - 1.0 <= *x && *x <= edges.1 + 1.0, "{x} {:?}", texts[n]);
                    prop_assert!(0.0 <= *y && *y <= names.depth + 12.0, "{y} {:?}", texts[n]);
                }
                for (m, other) in corners.iter().enumerate().skip(n + 1) {
                    prop_assert!(are_apart(one, other), "{:?} {:?}", texts[n], texts[m]);
                }
            }
        }
    }
}
