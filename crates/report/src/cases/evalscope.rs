//! The case of what EvalScope wrote of a point: its figures, put under vLLM's keys and into its units.
//!
//! Its percentiles are by nearest rank and vLLM's by linear interpolation; they are taken as they stand. Throughputs are over the time
//! from the first request sent to the last one completed. A figure of −1 is its word for none.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::malformed;
use super::told::{number, positive};
use super::{Asked, Case, Lengths, Malformed};

pub(super) fn of(
    summary: &Value,
    percentiles: Option<&Value>,
    arguments: Option<&Value>,
    source: &str,
) -> Result<Case, Malformed> {
    let Some(summary) = summary.as_object() else {
        return Err(malformed(source, "a summary of EvalScope is a JSON object"));
    };
    let mut figures: BTreeMap<String, f64> = BTreeMap::new();
    for (key, names, scale) in FIGURES {
        let told = names.iter().find_map(|name| number(summary.get(*name)?));
        let value = told.filter(|value| *value >= 0.0).map(|value| value * scale);
        // A mean latency of 0 is one of nothing.
        let value = value.filter(|value| *value > 0.0 || !key.ends_with("_ms"));
        figures.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    if !["completed", "duration"].iter().all(|key| figures.contains_key(*key)) {
        return Err(malformed(
            source,
            "no summary of EvalScope: it has no number at \"Success Requests\" or at \"Test Duration (s)\"",
        ));
    }
    percentiles.and_then(Value::as_array).into_iter().flatten().for_each(|row| {
        percentile(row, &mut figures);
    });
    let empty = Map::new();
    let asked = arguments.and_then(Value::as_object).unwrap_or(&empty);
    let completed = figures.get("completed").copied().filter(|completed| *completed > 0.0);
    let total = |mean: Option<f64>| mean.zip(completed).map(|(mean, completed)| mean * completed);
    let [input, output] =
        [INPUT, OUTPUT].map(|names| names.iter().find_map(|name| positive(summary, name)));
    figures.extend(total(input).map(|total| ("total_input_tokens".to_owned(), total)));
    figures.extend(total(output).map(|total| ("total_output_tokens".to_owned(), total)));
    let lengths = lengths(asked);
    let exact = |lengths: Option<Lengths>| lengths.filter(|lengths| lengths.is_one());
    let open_loop = asked.get("open_loop").and_then(Value::as_bool) == Some(true);
    let model = ["model", "model_id"].iter().find_map(|key| asked.get(*key)?.as_str());
    Ok(Case {
        group: model.unwrap_or_default().to_owned(),
        source: source.to_owned(),
        input_len: lengths.input.map(Lengths::mean).filter(|_| lengths.dataset.is_none()).or(input),
        output_len: exact(lengths.output)
            .filter(|_| asked.get("min_tokens").and_then(number).is_some())
            .map(Lengths::mean)
            .or(output),
        measured: [input, output],
        asked: lengths,
        concurrency: CONCURRENCY
            .iter()
            .find_map(|name| positive(summary, name))
            .filter(|_| !open_loop),
        rate: positive(summary, "Request Rate (req/s)").or_else(|| positive(asked, "rate")),
        requests: REQUESTS.iter().find_map(|name| positive(summary, name)),
        gpus: None,
        price: None,
        client_limited: summary.get("Verdict").and_then(Value::as_str) == Some("client_limited"),
        figures,
        settings: asked.clone(),
    })
}

/// A row of the percentiles: `{"Percentiles": "99%", "TTFT (ms)": 48.4, …}`.
fn percentile(row: &Value, figures: &mut BTreeMap<String, f64>) {
    let Some(row) = row.as_object() else { return };
    let label = row.get("Percentiles").and_then(Value::as_str).unwrap_or_default();
    let Some((_, statistic)) = RUNGS.iter().find(|(known, _)| *known == label) else { return };
    for (name, value) in row {
        let Some((what, unit)) = name.split_once(" (") else { continue };
        let scale = match unit {
            "s)" => 1e3,
            "ms)" => 1.0,
            _ => continue,
        };
        let Some((_, ours)) = LATENCIES.iter().find(|(known, _)| *known == what) else { continue };
        let value = number(value).filter(|value| *value > 0.0);
        figures.extend(value.map(|value| (format!("{statistic}_{ours}_ms"), value * scale)));
    }
}

/// What was asked for: lengths where random tokens were, else the dataset; and where outputs had to end.
fn lengths(asked: &Map<String, Value>) -> Asked {
    let dataset = asked.get("dataset").and_then(Value::as_str);
    let random = dataset.is_some_and(|dataset| dataset.starts_with("random"));
    let amount = |key: &str| number(asked.get(key)?);
    let drawn = || {
        let range = Value::from(vec![amount("min_prompt_length")?, amount("max_prompt_length")?]);
        Lengths::told(&range)
    };
    let most = asked.get("max_tokens").and_then(Lengths::told);
    Asked {
        dataset: dataset.and_then(super::asked::named),
        input: drawn().filter(|_| random),
        output: Lengths::between(amount("min_tokens"), most),
    }
}

/// Our keys, the names that EvalScope has had for them, and what its figures are multiplied with.
const FIGURES: &[(&str, &[&str], f64)] = &[
    ("duration", &["Test Duration (s)", "Time taken for tests (s)"], 1.0),
    ("completed", &["Success Requests", "Succeed requests"], 1.0),
    ("failed", &["Failed Requests", "Failed requests"], 1.0),
    ("cancelled", &["Cancelled Requests"], 1.0),
    ("request_throughput", &["Req Throughput (req/s)", "Request throughput (req/s)"], 1.0),
    ("output_throughput", &["Output Throughput (tok/s)", "Output token throughput (tok/s)"], 1.0),
    (
        "total_token_throughput",
        &["Total Throughput (tok/s)", "Total token throughput (tok/s)"],
        1.0,
    ),
    ("mean_e2el_ms", &["Avg Latency (s)", "Average latency (s)"], 1e3),
    ("mean_ttft_ms", &["Avg TTFT (ms)"], 1.0),
    ("mean_ttft_ms", &["Average time to first token (s)"], 1e3),
    ("mean_tpot_ms", &["Avg TPOT (ms)"], 1.0),
    ("mean_tpot_ms", &["Average time per output token (s)"], 1e3),
    ("mean_itl_ms", &["Avg ITL (ms)"], 1.0),
    ("mean_itl_ms", &["Average inter-token latency (s)"], 1e3),
    ("std_e2el_ms", &["Std Latency (s)"], 1e3),
    ("std_ttft_ms", &["Std TTFT (ms)"], 1.0),
    ("std_tpot_ms", &["Std TPOT (ms)"], 1.0),
    ("std_itl_ms", &["Std ITL (ms)"], 1.0),
    ("success_rate", &["Success Rate (%)"], 1.0),
    ("achieved_rate", &["Achieved Rate (req/s)"], 1.0),
    ("mean_concurrency", &["Mean Concurrency"], 1.0),
    ("max_concurrent_requests", &["Peak Concurrency"], 1.0),
];

const CONCURRENCY: &[&str] = &["Concurrency", "Number of concurrency"];

const REQUESTS: &[&str] = &["Total Requests", "Total requests"];

const INPUT: &[&str] = &["Avg Input Tokens", "Average input tokens per request"];

const OUTPUT: &[&str] = &["Avg Output Tokens", "Average output tokens per request"];

const RUNGS: [(&str, &str); 4] =
    [("50%", "median"), ("90%", "p90"), ("95%", "p95"), ("99%", "p99")];

const LATENCIES: [(&str, &str); 4] =
    [("Latency", "e2el"), ("TTFT", "ttft"), ("TPOT", "tpot"), ("ITL", "itl")];
