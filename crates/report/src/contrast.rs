//! Two runs, or two sets of runs, side by side, point by point: what differs, by how much, how sure that is, and whether it may be
//! compared at all.
//!
//! What a side is made of is [`Measured`]: a load and what came of it, by whoever measured it. Loads that are alike are matched
//! ([`matching`]), what forbids to compare them is said ([`Objection`]), and of each pair every figure gets its difference, interval and
//! verdict ([`judge`]). The statistics are those of [`tokometer_metrics::compare`]; docs/compare.md tells of them. Deliberately reads
//! no files, and knows of no exit code.

mod comparable;
mod copies;
mod gate;
mod headline;
mod judge;
mod markdown;
mod matching;
mod measured;
mod page;
mod programs;
mod results;
mod terminal;
mod words;

use crate::Style;
use crate::html::Shown;
use crate::words::Words;

pub use comparable::Objection;
pub use gate::{Checked, Condition, Finding, Limit, Op, Standing, WrongCondition};
pub use judge::{Basis, Doubt, Row};
pub use measured::{Keep, Measured};
pub use results::{of_result, of_summary};

/// One of the two.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called: what was typed.
    pub name: String,
    /// What was measured, in any order.
    pub points: Vec<Measured>,
}

/// A load of both sides.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What it is called: `16 in flight, 512 + 128 tokens`; where the sides differ, `16 in flight, 512 + 128 against 500 + 128 tokens`.
    pub name: String,
    /// The same for headings, in every language.
    pub heading: Words,
    /// What the baseline measured of it, and the candidate: a run each, or several.
    pub sides: [Vec<Measured>; 2],
    /// What must be known before its figures are believed, and forbids nothing.
    pub notes: Vec<String>,
    /// Its figures.
    pub rows: Vec<Row>,
}

/// Two sides, compared.
#[derive(Clone, Debug)]
pub struct Contrast {
    /// What each side is called.
    pub names: [String; 2],
    /// The loads of both, by number.
    pub pairs: Vec<Pair>,
    /// Loads of one side only: which side, and what each is called.
    pub alone: [Vec<String>; 2],
    /// Why they cannot be compared as they stand. Whoever shows figures all the same shows these above them.
    pub objections: Vec<Objection>,
    /// How many figures were held against chance together.
    pub figures: usize,
    /// What became of each condition, in order.
    pub checked: Vec<Checked>,
}

/// Compares the candidate with the baseline, and holds it against conditions.
///
/// # Errors
/// If a condition is on a figure that no point of both sides has.
pub fn contrast(
    baseline: Side,
    candidate: Side,
    conditions: &[Condition],
) -> Result<Contrast, WrongCondition> {
    let names = [baseline.name.clone(), candidate.name.clone()];
    let matched = matching::matched(copies::once(baseline.points), copies::once(candidate.points));
    let objections = comparable::objections(&matched);
    let alone = matched
        .alone
        .map(|points| points.iter().map(|group| matching::name(group).to_string()).collect());
    let extra: Vec<&str> = conditions.iter().map(|condition| condition.key.as_str()).collect();
    let mut pairs: Vec<Pair> = matched
        .pairs
        .into_iter()
        .enumerate()
        .map(|(place, sides)| {
            let heading = matching::name_of_both(&sides);
            Pair {
                name: heading.to_string(),
                heading,
                notes: comparable::notes(&sides),
                rows: judge::rows(&sides, &extra, place as u64),
                sides,
            }
        })
        .collect();
    matching::tell_apart(&mut pairs);
    let figures = judge::settle(&mut pairs);
    let checked = gate::checked(conditions, &pairs)?;
    Ok(Contrast { names, pairs, alone, objections, figures, checked })
}

impl Contrast {
    /// What it comes to, in a sentence.
    pub fn headline(&self) -> Words {
        headline::of(self)
    }

    /// For people at a terminal.
    pub fn text(&self, style: Style) -> String {
        terminal::text(self, style)
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        programs::json(self)
    }

    /// Why there are no figures, for programs.
    pub fn refusal(&self) -> serde_json::Value {
        programs::refusal(self)
    }

    /// As a page, with curves laid over each other where requests were kept.
    pub fn page(&self, shown: Shown) -> String {
        page::page(self, shown)
    }
}

#[cfg(test)]
mod tests;
