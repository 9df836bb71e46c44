//! What a comparison comes to, in a sentence: `candidate: TPOT worse by 3.1 % (2.4 to 3.8 %) at 16 in flight; nothing else shown`.
//!
//! One latency is told once, by the mean where that is shown, else by what is; what was not shown is not called equal, and what would
//! differ if it had been looked at alone is named as that.

use super::{Contrast, Pair, Row, words};
use crate::compare::Verdict;
use crate::number::fixed;
use crate::words::Language::{Chinese, English};
use crate::words::Words;

/// The sentence.
pub(super) fn of(contrast: &Contrast) -> Words {
    if contrast.pairs.is_empty() {
        return Words::fixed(
            "nothing to compare: no load of both sides",
            "没有可对比的内容：双方没有相同的负载",
        );
    }
    let mut parts = told(contrast, Verdict::Worse);
    parts.extend(told(contrast, Verdict::Better));
    if parts.is_empty() {
        return nothing(contrast);
    }
    let rest = match rows(contrast).all(is_shown_to_differ) {
        true => Words::default(),
        false => Words::fixed("; nothing else shown", "；其他指标均未显示差异"),
    };
    match contrast.pairs.as_slice() {
        [only] => {
            let parts = joined(&parts, ", ", "，");
            Words::both(
                format!("candidate: {parts} at {}{rest}", only.name),
                format!(
                    "候选（{}）：{}{}",
                    only.heading.told(Chinese),
                    parts.told(Chinese),
                    rest.told(Chinese)
                ),
            )
        }
        _ => {
            let parts = joined(&parts, "; ", "；");
            Words::both(
                format!("candidate: {parts}{rest}"),
                format!("候选：{}{}", parts.told(Chinese), rest.told(Chinese)),
            )
        }
    }
}

fn rows(contrast: &Contrast) -> impl Iterator<Item = &Row> {
    contrast.pairs.iter().flat_map(|pair| &pair.rows)
}

fn is_shown_to_differ(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Better | Verdict::Worse)
}

fn joined(parts: &[Words], english: &str, chinese: &str) -> Words {
    let told = |language, between: &str| {
        parts.iter().map(|part| part.told(language)).collect::<Vec<_>>().join(between)
    };
    Words::both(told(English, english), told(Chinese, chinese))
}

/// Each figure or latency of that verdict, and where: the first few.
fn told(contrast: &Contrast, verdict: Verdict) -> Vec<Words> {
    let mut families: Vec<&str> = Vec::new();
    let shown = |row: &&Row| row.shown && row.verdict == verdict;
    for row in rows(contrast).filter(shown) {
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
    let families = families.into_iter().take(MOST_TOLD);
    let mut told: Vec<Words> = families.filter_map(|of| told_of(contrast, verdict, of)).collect();
    if more > 0 {
        told.push(Words::both(
            format!("{more} more {}", verdict.words()),
            format!("另有 {more} 项{}", in_chinese(verdict)),
        ));
    }
    told
}

fn told_of(contrast: &Contrast, verdict: Verdict, of: &str) -> Option<Words> {
    // At each point the first of the family: the mean, where that is shown.
    let first = |pair: &'_ Pair| {
        let row = pair
            .rows
            .iter()
            .find(|row| row.shown && row.verdict == verdict && family(&row.figure.key) == of);
        row.cloned().map(|row| (pair.heading.clone(), row))
    };
    let found: Vec<(Words, Row)> = contrast.pairs.iter().filter_map(first).collect();
    let (point, row) = found.first()?;
    let all_of_mean =
        found.iter().all(|(_, row)| row.figure.key.starts_with("mean_") || of == row.figure.key);
    let name = match all_of_mean {
        true if of != row.figure.key => of.to_uppercase().into(),
        _ => words::called_in_both(&row.figure.key),
    };
    let (word, chinese_word) = (verdict.words(), in_chinese(verdict));
    // Between letters and Chinese stands a space.
    let mut chinese_name = name.told(Chinese).to_owned();
    chinese_name.push_str(if chinese_name.is_ascii() { " " } else { "" });
    if found.len() == 1 {
        let (by, chinese_by) = by(row);
        let (at, chinese_at) = match contrast.pairs.len() {
            1 => Default::default(),
            _ => (format!(" at {point}"), format!("（{}）", point.told(Chinese))),
        };
        return Some(Words::both(
            format!("{name} {word} by {by}{at}"),
            format!("{chinese_name}{chinese_word} {chinese_by}{chinese_at}"),
        ));
    }
    let parts: Vec<f64> =
        found.iter().filter_map(|(_, row)| Some(100.0 * row.part()?.abs())).collect();
    let (low, high) = parts
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), part| (low.min(*part), high.max(*part)));
    let (low, high) = (fixed(low, 1), fixed(high, 1));
    let range = |to: &str| if low == high { low.clone() } else { format!("{low}{to}{high}") };
    let (of, all) = (found.len(), contrast.pairs.len());
    Some(Words::both(
        format!("{name} {word} by {} % at {of} of {all} points", range(" to ")),
        format!("{chinese_name}在 {all} 个负载点中的 {of} 个{chinese_word} {} %", range(" 至 ")),
    ))
}

const fn in_chinese(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "变好",
        Verdict::Worse => "变差",
        _ => "不同",
    }
}

/// `3.1 % (2.4 to 3.8 %)`, and the same in Chinese.
fn by(row: &Row) -> (String, String) {
    match (row.part(), row.interval()) {
        (Some(part), Some([low, high])) => {
            let (from, to) = if part < 0.0 { (-high, -low) } else { (low, high) };
            let end = |value: f64| fixed(100.0 * value.abs(), 1);
            let sign = if from < 0.0 { "−" } else { "" };
            let (part, from, to) = (fixed(100.0 * part.abs(), 1), end(from), end(to));
            (
                format!("{part} % ({sign}{from} to {to} %)"),
                format!("{part} %（{sign}{from} 至 {to} %）"),
            )
        }
        (Some(part), None) => {
            let part = format!("{} %", fixed(100.0 * part.abs(), 1));
            (part.clone(), part)
        }
        (None, _) => {
            let by = words::valued(&row.figure.key, (row.values[1] - row.values[0]).abs());
            (by.clone(), by)
        }
    }
}

/// Nothing was shown: what would have been if it had been looked at alone, or else how small a difference would have been, as far as
/// that is known.
fn nothing(contrast: &Contrast) -> Words {
    let judged = rows(contrast).filter(|row| row.shown && row.verdict != Verdict::Unknown).count();
    if judged == 0 {
        return Words::fixed(
            "cannot tell: no figure has an interval that says anything; give several runs a side, or results with their requests, and more of them",
            "无法判断：没有任何指标有可用的置信区间；请每侧提供多次运行，或提供含请求明细、请求更多的结果",
        );
    }
    let (untold, chinese_untold) =
        match rows(contrast).filter(|row| row.shown && row.verdict == Verdict::Unknown).count() {
            0 => Default::default(),
            1 => ("; 1 other cannot be told".to_owned(), "；另有 1 项无法判断".to_owned()),
            others => {
                (format!("; {others} others cannot be told"), format!("；另有 {others} 项无法判断"))
            }
        };
    let alone = alone(contrast);
    if !alone.is_empty() {
        let figures = words::counted(contrast.figures, "figure");
        let (number, alone) = (contrast.figures, joined(&alone, ", ", "，"));
        return Words::both(
            format!(
                "nothing that survives the correction for {figures}; looked at alone: {alone}{untold}"
            ),
            format!(
                "没有任何差异经得起 {number} 项指标的多重校正；单独看：{}{chinese_untold}",
                alone.told(Chinese)
            ),
        );
    }
    let all = words::counted(judged, "figure");
    let points = words::counted(contrast.pairs.len(), "point");
    let (so_much, chinese_so_much) = match contrast.pairs.as_slice() {
        [only] => how_little(only).unwrap_or_default(),
        _ => Default::default(),
    };
    Words::both(
        format!("no evidence of any difference: {all} at {points}{so_much}{untold}"),
        format!(
            "没有存在差异的证据：{} 个负载点，{judged} 项指标{chinese_so_much}{chinese_untold}",
            contrast.pairs.len()
        ),
    )
}

/// The figures whose own interval leaves 0 out, the surest first: `median ITL +4.8 % (‡)`.
fn alone(contrast: &Contrast) -> Vec<Words> {
    let each = contrast.pairs.iter().flat_map(|pair| {
        pair.rows
            .iter()
            .filter(|row| row.shown && row.only_on_its_own())
            .map(move |row| (pair, row))
    });
    let mut each: Vec<(&Pair, &Row)> = each.collect();
    each.sort_by(|(_, a), (_, b)| a.p.unwrap_or(1.0).total_cmp(&b.p.unwrap_or(1.0)));
    let more = each.len().saturating_sub(MOST_TOLD);
    let told = |(pair, row): &(&Pair, &Row)| {
        let name = words::called_in_both(&row.figure.key);
        let by = super::terminal::difference(row);
        let (at, chinese_at) = match contrast.pairs.len() {
            1 => Default::default(),
            _ => (format!(" at {}", pair.name), format!("（{}）", pair.heading.told(Chinese))),
        };
        Words::both(
            format!("{name} {by} (‡){at}"),
            format!("{} {by}（‡）{chinese_at}", name.told(Chinese)),
        )
    };
    let mut all: Vec<Words> = each.iter().take(MOST_TOLD).map(told).collect();
    if more > 0 {
        all.push(Words::both(format!("and {more} more"), format!("另有 {more} 项")));
    }
    all
}

/// By how much the mean TPOT differs at most, or else the first figure that has an interval.
fn how_little(pair: &Pair) -> Option<(String, String)> {
    let known = |row: &&Row| row.verdict != Verdict::Unknown && row.interval().is_some();
    let tpot = pair.rows.iter().filter(known).find(|row| row.figure.key == "mean_tpot_ms");
    let row = tpot.or_else(|| pair.rows.iter().find(known))?;
    let [low, high] = row.interval()?.map(words::percent);
    let name = words::called_in_both(&row.figure.key);
    Some((
        format!("; {name} differs by {low} to {high}"),
        format!("；{}相差 {low} 至 {high}", name.told(Chinese)),
    ))
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
