//! A comparison for programs. docs/compare.md tells of every key; [`VERSION`] rises if one changes its meaning or goes.

use serde_json::{Value, json};
use tokometer_metrics::compare::{Estimate, LEVEL};

use super::gate::{Checked, Finding, Limit, Op};
use super::judge::{Basis, Row};
use super::terminal::verdict_words;
use super::{Contrast, Pair, words};

/// The version of the form.
const VERSION: u32 = 1;

/// What is said in place of figures.
pub(super) fn refusal(contrast: &Contrast) -> Value {
    let [baseline, candidate] = &contrast.names;
    json!({
        "version": VERSION,
        "baseline": baseline,
        "candidate": candidate,
        "comparable": false,
        "objections": objections(contrast),
    })
}

fn objections(contrast: &Contrast) -> Vec<Value> {
    let objection =
        |objection: &super::Objection| json!({"kind": objection.kind, "what": objection.what});
    contrast.objections.iter().map(objection).collect()
}

pub(super) fn json(contrast: &Contrast) -> Value {
    let [baseline, candidate] = &contrast.names;
    let objections = objections(contrast);
    json!({
        "version": VERSION,
        "headline": &*contrast.headline(),
        "baseline": baseline,
        "candidate": candidate,
        "comparable": contrast.objections.is_empty(),
        "objections": objections,
        "level": LEVEL,
        "figures_judged": contrast.figures,
        "points": contrast.pairs.iter().map(pair).collect::<Vec<_>>(),
        "only_in_baseline": contrast.alone[0],
        "only_in_candidate": contrast.alone[1],
        "conditions": contrast.checked.iter().map(checked).collect::<Vec<_>>(),
    })
}

fn pair(pair: &Pair) -> Value {
    let first = pair.sides[0].first();
    let of = |of: fn(&super::Measured) -> Option<f64>| json!(first.and_then(of));
    let sources = |side: usize| -> Vec<&str> {
        pair.sides[side].iter().map(|run| run.source.as_str()).collect()
    };
    json!({
        "point": pair.name,
        "concurrency": of(|run| run.case.concurrency),
        "rate": of(|run| run.case.rate),
        "input_len": of(|run| run.case.input_len),
        "output_len": of(|run| run.case.output_len),
        "requests": of(|run| run.case.requests),
        "baseline_runs": sources(0),
        "candidate_runs": sources(1),
        "notes": pair.notes,
        "figures": pair.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let ends = |estimate: Option<Estimate>| {
        let interval = estimate.and_then(|estimate| estimate.interval(LEVEL));
        json!(interval.map(|interval| [interval.low, interval.high]))
    };
    json!({
        "figure": row.figure.key,
        "unit": words::unit(&row.figure.key),
        "baseline": row.values[0],
        "candidate": row.values[1],
        "difference": row.values[1] - row.values[0],
        "difference_ci95": ends(row.difference),
        "relative": row.part(),
        "relative_ci95": ends(row.relative),
        "candidate_ci95": ends(row.candidate),
        "p": row.p,
        "p_adjusted": row.adjusted,
        "basis": row.basis.ok().map(|basis| match basis {
            Basis::Runs => "runs",
            Basis::RunsOfOneSide => "runs of one side",
            Basis::Requests => "requests",
        }),
        "verdict": verdict_words(row.verdict),
        "why": row.basis.err().map(super::Doubt::words),
    })
}

fn checked(checked: &Checked) -> Value {
    let condition = &checked.condition;
    let (limit, kind) = match condition.limit {
        Limit::Part(part) => (part, "relative"),
        Limit::Change(change) => (change, "difference"),
        Limit::Value(value) => (value, "value"),
    };
    let told = checked.told();
    let found: Vec<Value> = checked
        .found
        .iter()
        .zip(&told)
        .map(|((point, finding), (standing, what))| {
            let (measured, end) = match finding {
                Finding::Met { measured, at_least } | Finding::NotMet { measured, at_least, .. } => {
                    (Some(*measured), Some(*at_least))
                }
                Finding::CannotTell(_) => (None, None),
            };
            json!({"point": point, "result": standing.word(), "measured": measured, "near_end": end, "what": what})
        })
        .collect();
    json!({
        "condition": condition.typed,
        "figure": condition.key,
        "op": if condition.op == Op::Above { ">" } else { "<" },
        "limit": limit,
        "limit_of": kind,
        "failed": checked.is_met(),
        "points": found,
    })
}
