//! What a comparison comes to, in a sentence: `candidate: TPOT worse by 3.1 % (2.4 to 3.8 %) at 16 in flight; nothing else shown`.
//!
//! One latency is told once, by the mean where that is shown, else by what is; what was not shown is not called equal.

use super::{Contrast, Row, words};
use crate::compare::Verdict;
use crate::number::fixed;

/// The sentence.
pub(super) fn of(contrast: &Contrast) -> String {
    if contrast.pairs.is_empty() {
        return "nothing to compare: no load of both sides".to_owned();
    }
    let worse = told(contrast, Verdict::Worse);
    let better = told(contrast, Verdict::Better);
    if worse.is_empty() && better.is_empty() {
        return nothing(contrast);
    }
    let mut parts = worse;
    parts.extend(better);
    let rest = match contrast.pairs.iter().flat_map(|pair| &pair.rows).all(is_shown_to_differ) {
        true => "",
        false => "; nothing else shown",
    };
    match contrast.pairs.as_slice() {
        [only] => format!("candidate: {} at {}{rest}", parts.join(", "), only.name),
        _ => format!("candidate: {}{rest}", parts.join("; ")),
    }
}

fn is_shown_to_differ(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Better | Verdict::Worse)
}

/// Each figure or latency of that verdict, and where: the first few.
fn told(contrast: &Contrast, verdict: Verdict) -> Vec<String> {
    let mut families: Vec<&str> = Vec::new();
    let shown = |row: &&Row| row.shown && row.verdict == verdict;
    for row in contrast.pairs.iter().flat_map(|pair| &pair.rows).filter(shown) {
        let family = family(&row.figure.key);
        if !families.contains(&family) {
            families.push(family);
        }
    }
    // What says the same twice: gaps are what times per token are made of, and so are the throughputs.
    for (of, same) in SAME {
        if families.contains(of) {
            families.retain(|family| !same.contains(family));
        }
    }
    let more = families.len().saturating_sub(MOST_TOLD);
    let mut told: Vec<String> =
        families.into_iter().take(MOST_TOLD).map(|of| told_of(contrast, verdict, of)).collect();
    if more > 0 {
        told.push(format!("{more} more {}", verdict.words()));
    }
    told
}

fn told_of(contrast: &Contrast, verdict: Verdict, of: &str) -> String {
    // At each point the first of the family: the mean, where that is shown.
    let first = |pair: &super::Pair| {
        let row = pair
            .rows
            .iter()
            .find(|row| row.shown && row.verdict == verdict && family(&row.figure.key) == of);
        row.cloned().map(|row| (pair.name.clone(), row))
    };
    let found: Vec<(String, Row)> = contrast.pairs.iter().filter_map(first).collect();
    let Some((point, row)) = found.first() else { return String::new() };
    let all_of_mean =
        found.iter().all(|(_, row)| row.figure.key.starts_with("mean_") || of == row.figure.key);
    let name = match all_of_mean {
        true if of == row.figure.key => words::called(of),
        true => of.to_uppercase(),
        false => words::called(&row.figure.key),
    };
    let word = verdict.words();
    if found.len() == 1 {
        let place = match contrast.pairs.len() {
            1 => String::new(),
            _ => format!(" at {point}"),
        };
        return format!("{name} {word} by {}{place}", by(row));
    }
    let parts: Vec<f64> =
        found.iter().filter_map(|(_, row)| Some(100.0 * row.part()?.abs())).collect();
    let (low, high) = parts
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), part| (low.min(*part), high.max(*part)));
    format!(
        "{name} {word} by {} to {} % at {} of {} points",
        fixed(low, 1),
        fixed(high, 1),
        found.len(),
        contrast.pairs.len()
    )
}

/// `3.1 % (2.4 to 3.8 %)`.
fn by(row: &Row) -> String {
    match (row.part(), row.interval()) {
        (Some(part), Some([low, high])) => {
            let (from, to) = if part < 0.0 { (-high, -low) } else { (low, high) };
            let end = |value: f64| fixed(100.0 * value.abs(), 1);
            let sign = if from < 0.0 { "−" } else { "" };
            format!("{} % ({sign}{} to {} %)", fixed(100.0 * part.abs(), 1), end(from), end(to))
        }
        (Some(part), None) => format!("{} %", fixed(100.0 * part.abs(), 1)),
        (None, _) => words::valued(&row.figure.key, (row.values[1] - row.values[0]).abs()),
    }
}

/// Nothing was shown: how small a difference would have been, as far as that is known.
fn nothing(contrast: &Contrast) -> String {
    if contrast.figures == 0 {
        return "cannot tell: no figure has an interval; give several runs a side, or results with their requests".to_owned();
    }
    let all = words::counted(contrast.figures, "figure");
    let points = words::counted(contrast.pairs.len(), "point");
    let told = match contrast.pairs.as_slice() {
        [only] => {
            let row = only
                .rows
                .iter()
                .find(|row| row.figure.key == "mean_tpot_ms" && row.interval().is_some());
            let row = row.or_else(|| only.rows.iter().find(|row| row.interval().is_some()));
            row.and_then(|row| {
                let [low, high] = row.interval()?;
                Some(format!(
                    "; {} differs by {} to {}",
                    words::called(&row.figure.key),
                    words::percent(low),
                    words::percent(high)
                ))
            })
        }
        _ => None,
    };
    let rows = contrast.pairs.iter().flat_map(|pair| &pair.rows);
    let untold = match rows.filter(|row| row.shown && row.difference.is_none()).count() {
        0 => String::new(),
        1 => "; 1 other cannot be told".to_owned(),
        others => format!("; {others} others cannot be told"),
    };
    format!("no evidence of any difference: {all} at {points}{}{untold}", told.unwrap_or_default())
}

/// No more figures are named of each verdict.
const MOST_TOLD: usize = 3;

/// A figure, and those that say the same.
const SAME: &[(&str, &[&str])] = &[
    ("tpot", &["itl"]),
    ("output_throughput", &["request_throughput", "total_token_throughput"]),
    ("request_throughput", &["total_token_throughput"]),
];

/// The latency that a figure is of, or the figure itself.
fn family(key: &str) -> &str {
    let latency = key.strip_suffix("_ms").and_then(|key| Some(key.split_once('_')?.1));
    latency.unwrap_or(key)
}
