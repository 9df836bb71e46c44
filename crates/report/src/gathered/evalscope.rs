//! The files of EvalScope's own runs, as results under vLLM's keys: a case each, put in the order of a table.
//!
//! EvalScope's percentiles are by nearest rank, where vLLM interpolates; they are taken as they stand, and the documents say so.
//! Deliberately reads no database of single requests.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::kept::length;
use crate::cases::{self, Case};

/// The file that tells a point of EvalScope's.
pub(super) const SUMMARY: &str = "benchmark_summary.json";

/// The result in a point's folder.
///
/// # Errors
/// In words, if one of its files cannot be read, or is not what its name says.
pub(super) fn read(folder: &Path) -> Result<Map<String, Value>, String> {
    let cases = cases::read(&folder.join(SUMMARY)).map_err(|error| error.to_string())?;
    cases.first().map(result).ok_or_else(|| format!("its {SUMMARY} is empty"))
}

fn result(case: &Case) -> Map<String, Value> {
    let whole = |number: Option<f64>| json!(number.map(|number| number as u64));
    let setting = |key: &str| case.settings.get(key).cloned().unwrap_or_default();
    let mut result = Map::new();
    let mut put = |key: &str, value: Value| result.insert(key.to_owned(), value);
    put("backend", setting("api"));
    put("model_id", json!(case.group));
    put("tokenizer_id", setting("tokenizer_path"));
    put("num_prompts", whole(case.requests));
    put("request_rate", case.rate.map_or(json!("inf"), |rate| json!(rate)));
    put("max_concurrency", whole(case.concurrency));
    for key in ORDER {
        put(key, json!(case.figure(key)));
    }
    for key in COUNTS {
        put(key, whole(case.figure(key).map(f64::round)));
    }
    for (name, statistic) in NAMES.iter().flat_map(|name| STATISTICS.map(|of| (name, of))) {
        let key = format!("{statistic}_{name}_ms");
        put(&key, json!(case.figure(&key)));
    }
    put("input_len", length(case.input_len));
    put("output_len", length(case.output_len));
    put("cancelled", whole(case.figure("cancelled")));
    if case.client_limited {
        put("verdict", json!({"kind": "client_limited", "valid": false}));
    }
    result
}

const ORDER: [&str; 4] =
    ["duration", "request_throughput", "output_throughput", "total_token_throughput"];

const COUNTS: [&str; 4] = ["completed", "failed", "total_input_tokens", "total_output_tokens"];

const NAMES: [&str; 4] = ["ttft", "tpot", "itl", "e2el"];

const STATISTICS: [&str; 6] = ["mean", "median", "std", "p90", "p95", "p99"];
