//! What was asked of two sides and differs, and what makes their figures hard to compare.

use serde_json::{Value, json};

use super::Side;
use super::figures::figure;
use super::outcome::Outcome;

/// A setting in which the two sides differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the results, or what it is.
    pub key: String,
    /// Its values on each side, each once.
    pub values: [String; 2],
    /// Whether figures taken under the two cannot be compared as they stand.
    pub matters: bool,
}

impl Setting {
    pub(crate) fn json(&self) -> Value {
        json!({"setting": self.key, "a": self.values[0], "b": self.values[1], "matters": self.matters})
    }
}

/// What differs between the sides, what matters first.
pub(crate) fn differing(a: &Side, b: &Side) -> Vec<Setting> {
    let mut keys: Vec<&str> = Vec::new();
    let runs = a.runs.iter().chain(&b.runs);
    for key in runs.flat_map(|run| run.keys().filter(|key| is_setting(run, key))) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut settings: Vec<Setting> = keys
        .into_iter()
        .map(|key| Setting {
            key: key.to_owned(),
            values: [values(a, key), values(b, key)],
            matters: MATTERS.contains(&key),
        })
        .chain(lengths(a, b))
        .filter(|setting| setting.values[0] != setting.values[1])
        .collect();
    settings.sort_by_key(|setting| !setting.matters);
    settings
}

/// What must be known before any figure is believed.
pub(crate) fn notes(sides: &[Side; 2], settings: &[Setting]) -> Vec<String> {
    let mut notes = Vec::new();
    let matter: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.matters)
        .map(|setting| setting.key.as_str())
        .collect();
    if !matter.is_empty() {
        notes.push(format!(
            "the two were not asked the same: {} differ, so the figures tell of that as well",
            matter.join(", ")
        ));
    }
    for side in sides {
        let limited = side.runs.iter().filter(|run| is_client_limited(run)).count();
        if limited > 0 {
            notes.push(format!(
                "{}: {} of {} runs client-limited: its figures are partly the client's own",
                side.name,
                limited,
                side.runs.len()
            ));
        }
        let broken = side.runs.iter().filter(|run| !ended_whole(run)).count();
        if broken > 0 {
            notes.push(format!(
                "{}: {broken} of {} runs did not come to their end",
                side.name,
                side.runs.len()
            ));
        }
        let sum = |key| side.runs.iter().filter_map(|run| run.number(key)).sum::<f64>();
        let (failed, completed) = (sum("failed"), sum("completed"));
        if failed > 0.0 {
            notes.push(format!(
                "{}: {failed} of {} requests failed; latencies are those of the others alone",
                side.name,
                failed + completed
            ));
        }
    }
    match (sides[0].runs.len(), sides[1].runs.len()) {
        (1, 1) => notes.push(
            "one run each: what differs from run to run is in no interval here; give several runs a side \
             to have it told from chance"
                .to_owned(),
        ),
        (a, b) if a.min(b) == 1 => notes.push(
            "no confidence: one side has one run only; give both at least two".to_owned(),
        ),
        _ => {}
    }
    notes
}

/// Whether the client that measured was too slow, by its own verdict. Only results of this program have one.
pub fn is_client_limited(run: &Outcome) -> bool {
    let verdict = run.field("verdict");
    let told =
        verdict.and_then(|verdict| verdict.as_str().or_else(|| verdict.get("kind")?.as_str()));
    told.is_some_and(|told| told.replace(['_', ' '], "-").contains("client-limited"))
}

/// Whether a run was not broken off, as far as it says.
fn ended_whole(run: &Outcome) -> bool {
    run.field("ending").and_then(Value::as_str).is_none_or(|ending| ending == "complete")
}

fn is_setting(run: &Outcome, key: &str) -> bool {
    let plain = |value: &Value| !value.is_array() && !value.is_object();
    figure(key).is_none()
        && !key.contains("over_runs")
        && !INCIDENTAL.contains(&key)
        && run.field(key).is_some_and(plain)
}

/// The values of a setting on a side, each once.
fn values(side: &Side, key: &str) -> String {
    let mut values: Vec<String> = Vec::new();
    for run in &side.runs {
        let value = match run.field(key) {
            None => "–".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // A whole number may be written with or without its point.
            Some(Value::Number(number)) => {
                number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
            }
            Some(other) => other.to_string(),
        };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(", ")
}

/// Mean lengths of prompts and outputs, where they are more than 1 % apart.
fn lengths(a: &Side, b: &Side) -> impl Iterator<Item = Setting> {
    let mean = |side: &Side, key: &str| {
        let sum = |key| side.runs.iter().filter_map(|run| run.number(key)).sum::<f64>();
        let completed = sum("completed");
        (completed > 0.0).then(|| sum(key) / completed)
    };
    let of = |(name, key): (&str, &str)| {
        let (first, second) = (mean(a, key)?, mean(b, key)?);
        let apart = (second - first).abs() > 0.01 * first.max(second);
        let text = |length| crate::number::shortest(length, 1);
        apart.then(|| Setting {
            key: name.to_owned(),
            values: [text(first), text(second)],
            matters: true,
        })
    };
    let both = [
        ("mean input length", "total_input_tokens"),
        ("mean output length", "total_output_tokens"),
    ];
    both.map(of).into_iter().flatten()
}

/// Settings under which figures are no longer those of the same load.
const MATTERS: &[&str] = &[
    "model_id",
    "endpoint_type",
    "num_prompts",
    "request_rate",
    "burstiness",
    "max_concurrency",
    "ramp_up_strategy",
    "ramp_up_start_rps",
    "ramp_up_end_rps",
    "dataset_name",
    "dataset",
];

/// What differs between any two runs, and means nothing.
const INCIDENTAL: &[&str] = &[
    "date",
    "label",
    "run_number",
    "_benchmark_name",
    "backend",
    "request_id_prefix",
    "verdict",
    "ending",
    "server_restarted",
    "scheduled_rate",
];
