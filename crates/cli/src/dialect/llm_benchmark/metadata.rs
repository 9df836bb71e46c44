//! What results are to say of the deployment: entries under names that tables and charts know, and any others.
//!
//! Entries that a result has by itself are refused: they would be written over.

use serde_json::{Map, Value};
use tokometer_plan::PlanError;

/// Refuses entries that are not what their names say, or that have a name of the result's own.
pub(super) fn check(entries: &Map<String, Value>) -> Result<(), PlanError> {
    for (name, value) in entries {
        let at = |problem: String| PlanError::at(format!("metadata.{name}"), problem);
        if is_of_the_result(name) {
            return Err(at(format!("every result has a {name} of its own"))
                .with_hint("give it another name"));
        }
        let Some((_, wanted, fits)) = KNOWN.iter().find(|(known, ..)| known == name) else {
            continue;
        };
        if !fits(value) {
            return Err(at(format!("must be {wanted}, not {value}"))
                .with_hint("for example metadata: {tp: 8, gpu: H100, gpus: 8, price_per_hour: 24.0, currency: USD}"));
        }
    }
    Ok(())
}

/// Whether vLLM's result, or the table that is made of it, has such an entry.
fn is_of_the_result(name: &str) -> bool {
    OF_THE_RESULT.contains(&name) || name.ends_with("_ms") || name.ends_with("_throughput")
}

fn whole(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| number > 0)
}

fn amount(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.is_finite() && number > 0.0)
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

type Fits = fn(&Value) -> bool;

/// Names that tables and charts know, and what stands under each.
const KNOWN: &[(&str, &str, Fits)] = &[
    ("tp", "a whole number of at least 1", whole),
    ("gpus", "a whole number of at least 1", whole),
    ("batch", "a whole number of at least 1", whole),
    ("price_per_hour", "an amount of money above 0", amount),
    ("currency", "a text", text),
    ("data_type", "a text", text),
    ("gpu", "a text", text),
];

const OF_THE_RESULT: &[&str] = &[
    "date",
    "endpoint_type",
    "backend",
    "label",
    "model_id",
    "tokenizer_id",
    "num_prompts",
    "request_rate",
    "burstiness",
    "max_concurrency",
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_goodput",
    "input_len",
    "output_len",
    "filename",
    "result_dir",
    "repetition",
];
