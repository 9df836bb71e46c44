//! The case of a result in vLLM's form: a JSON object, or a row of a table whose headings are such an object's keys, flattened.
//!
//! A key within an object is reached by a dot, as in `slo_attainment.share`; in a table an underscore may stand for it. Nothing is
//! taken for a figure that its writer says is none (`not_applicable`), and no latency is 0: vLLM writes that where there is none.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::told::{self, number, positive};
use super::{Asked, Case, Malformed};
use crate::compare::Outcome;
use crate::compare::{figure as known_figure, is_client_limited};

/// The case of a result.
pub(super) fn of(fields: &Map<String, Value>, source: &str) -> Case {
    let flat = flattened(fields);
    let named = lengths_and_load(flat.get("filename").and_then(Value::as_str).unwrap_or(source));
    let mut figures = figures(&flat);
    let lengths =
        [("input_len", "total_input_tokens", 0), ("output_len", "total_output_tokens", 1)];
    let told = lengths.map(|(key, total, place)| {
        let asked = ASKED[place].iter().find_map(|key| positive(&flat, key));
        let mean = || Some(figures.get(total)? / figures.get("completed").filter(|n| **n > 0.0)?);
        (positive(&flat, key).or(named.map(|named| named[place])).or(asked), mean())
    });
    let measured = told.map(|(_, mean)| mean);
    let [input_len, output_len] = told.map(|(length, mean)| length.or(mean));
    // Both are words where there is no limit: "inf", null.
    let concurrency = positive(&flat, "max_concurrency").or(named.map(|named| named[2]));
    let rate = positive(&flat, "request_rate");
    if rate.is_none() {
        figures.remove("achieved_rate");
        figures.remove("scheduled_rate");
    }
    let gpus = told::gpus(&flat);
    let text = |key: &str| flat.get(key).and_then(Value::as_str).map(str::to_owned);
    Case {
        group: ["model_id", "model", "Model"].iter().find_map(|key| text(key)).unwrap_or_default(),
        source: text("filename").unwrap_or_else(|| source.to_owned()),
        asked: asked(&flat, told.iter().any(|(length, _)| length.is_some())),
        input_len,
        output_len,
        measured,
        concurrency,
        rate,
        requests: positive(&flat, "num_prompts").or(named.map(|named| named[3])),
        gpus,
        price: told::price(&flat, gpus),
        client_limited: client_limited(&flat),
        settings: flat.into_iter().filter(|(key, _)| !figures.contains_key(key)).collect(),
        figures,
    }
}

/// The dataset, where no length is told by which its prompts are known.
fn asked(flat: &Map<String, Value>, lengths: bool) -> Asked {
    let dataset = ["dataset", "dataset_name"].iter().find_map(|key| flat.get(*key)?.as_str());
    Asked {
        dataset: dataset.filter(|_| !lengths).and_then(super::asked::named),
        ..Asked::default()
    }
}

/// The case of a row.
pub(super) fn of_row(row: &Map<String, Value>) -> Result<Case, String> {
    match row.get("completed") {
        Some(Value::Number(_)) => {}
        Some(other) => return Err(format!("completed is {other}, and no number")),
        None => return Err("nothing stands under completed".to_owned()),
    }
    // A result of which nothing succeeded may have no duration.
    match row.get("duration") {
        None | Some(Value::Number(_)) => Ok(of(row, "")),
        Some(other) => Err(format!("duration is {other}, and no number")),
    }
}

/// Objects within objects become keys with dots; lists stay what they are.
fn flattened(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in fields {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                for (rest, value) in flattened(inner) {
                    flat.insert(format!("{key}.{rest}"), value);
                }
            }
            other => {
                flat.insert(key.clone(), other.clone());
            }
        }
    }
    flat
}

fn figures(flat: &Map<String, Value>) -> BTreeMap<String, f64> {
    let absent = absent(flat);
    let is_absent = |key: &str| absent.iter().any(|absent| absent == key);
    let mut figures: BTreeMap<String, f64> = flat
        .iter()
        .filter(|(key, _)| known_figure(key).is_some() || key.starts_with("error_kinds."))
        .filter(|(key, _)| !is_absent(key))
        .filter_map(|(key, value)| Some((key.clone(), number(value)?)))
        .collect();
    for (key, places) in NESTED {
        let dotted = places.iter().find_map(|place| find(flat, place));
        figures.extend(dotted.map(|value| ((*key).to_owned(), value)));
    }
    let nothing = figures.get("completed") == Some(&0.0);
    for name in ["ttft", "tpot", "itl", "e2el"] {
        let mean = format!("mean_{name}_ms");
        if nothing || figures.get(&mean) == Some(&0.0) {
            figures.retain(|key, _| !key.ends_with(&format!("_{name}_ms")));
        }
    }
    let whole = ["completed", "failed"].map(|key| figures.get(key).copied());
    if let [Some(completed), Some(failed)] = whole
        && completed + failed > 0.0
    {
        figures.insert("success_rate".to_owned(), 100.0 * completed / (completed + failed));
    }
    attainment(&mut figures);
    figures
}

/// The share that kept to its objectives, where only the rate of such requests is told, as by vLLM.
fn attainment(figures: &mut BTreeMap<String, f64>) {
    let of = |key: &str| figures.get(key).copied();
    let share = || {
        let sent = of("completed")? + of("failed")?;
        (sent > 0.0).then_some((of("request_goodput")? * of("duration")? / sent).min(1.0))
    };
    if of("slo_attainment").is_none()
        && let Some(share) = share()
    {
        figures.insert("slo_attainment".to_owned(), share);
    }
}

/// A number under a key with dots, or with an underscore for each.
fn find(flat: &Map<String, Value>, place: &str) -> Option<f64> {
    number(flat.get(place).or_else(|| flat.get(&place.replace('.', "_")))?)
}

/// The keys whose 0 stands for nothing: a list, or in a table their names with commas or semicolons.
fn absent(flat: &Map<String, Value>) -> Vec<String> {
    match flat.get("not_applicable") {
        Some(Value::Array(keys)) => {
            keys.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(keys)) => keys
            .split([',', ';', ' '])
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn client_limited(flat: &Map<String, Value>) -> bool {
    let verdict = ["verdict.kind", "verdict_kind", "verdict"].iter().find_map(|key| flat.get(*key));
    let Some(verdict) = verdict else { return false };
    // The rule is the comparison's.
    let told = serde_json::json!({ "completed": 0, "duration": 0, "verdict": verdict });
    Outcome::of(told, "").is_ok_and(|outcome| is_client_limited(&outcome))
}

/// Lengths, concurrency and requests, of a name such as `bench_io512x512_mc4_np40.json`.
fn lengths_and_load(name: &str) -> Option<[f64; 4]> {
    let name = name.rsplit(['/', '\\']).next()?;
    let (_, rest) = name.split_once("_io").or_else(|| Some(("", name.strip_prefix("io")?)))?;
    let mut parts = [0.0; 4];
    let mut rest = rest;
    for (part, until) in parts.iter_mut().zip(["x", "_mc", "_np", ""]) {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        *part = rest[..end].parse().ok()?;
        rest = rest[end..].strip_prefix(until)?;
    }
    Some(parts)
}

/// That a text is no result.
pub(super) fn malformed(source: &str, why: impl Into<String>) -> Malformed {
    Malformed { place: source.to_owned(), why: why.into() }
}

/// What vLLM's own flags call the lengths that were asked for, of prompts and of outputs, where somebody wrote them down.
const ASKED: [[&str; 3]; 2] = [
    ["random_input_len", "random-input-len", "prompt_tokens"],
    ["random_output_len", "random-output-len", "completion_tokens"],
];

/// Figures that stand within objects, and where.
const NESTED: &[(&str, &[&str])] = &[
    ("slo_attainment", &["slo_attainment.share"]),
    ("server_running_mean", &["server_side.levels.running.mean"]),
    ("server_waiting_mean", &["server_side.levels.waiting.mean"]),
    ("server_waiting_max", &["server_side.levels.waiting.max"]),
    ("server_kv_cache_usage_mean", &["server_side.levels.kv_usage.mean"]),
    ("server_kv_cache_usage_max", &["server_side.levels.kv_usage.max"]),
    ("server_preemptions", &["server_side.preemptions"]),
    ("server_prefix_cache_hit_rate", &["server_side.prefix_hit_rate"]),
];
