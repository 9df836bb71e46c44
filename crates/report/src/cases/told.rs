//! What a run says of its hardware and its price: metadata that whoever measured gave with it.
//!
//! Deliberately guesses nothing: a price is one only with its sum, and GPUs are counted only where somebody counted them.

use serde_json::{Map, Value};

/// GPUs that served: told as such, or as the product of the sizes of all kinds of parallelism.
pub(super) fn gpus(settings: &Map<String, Value>) -> Option<f64> {
    let told = GPUS.iter().find_map(|key| positive(settings, key));
    told.or_else(|| {
        let sizes =
            SIZES.iter().filter_map(|names| names.iter().find_map(|key| positive(settings, key)));
        sizes.reduce(|product, size| product * size)
    })
}

/// What an hour of the whole deployment costs: told as such, or per GPU where GPUs are known.
pub(super) fn price(settings: &Map<String, Value>, gpus: Option<f64>) -> Option<(f64, String)> {
    let whole = PRICE.iter().find_map(|key| positive(settings, key));
    let each = || Some(PRICE_EACH.iter().find_map(|key| positive(settings, key))? * gpus?);
    let currency = settings.get("currency").and_then(Value::as_str).unwrap_or(CURRENCY);
    Some((whole.or_else(each)?, currency.to_owned()))
}

/// A number above 0, also as text: metadata is text in vLLM's files.
pub(super) fn positive(fields: &Map<String, Value>, key: &str) -> Option<f64> {
    number(fields.get(key)?).filter(|number| *number > 0.0)
}

/// A finite number, also as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

const GPUS: [&str; 3] = ["gpus", "num_gpus", "gpu_count"];

/// Sizes of parallelism, whose product is the number of GPUs, each by its names.
const SIZES: [[&str; 3]; 3] = [
    ["tp", "tensor_parallel_size", "tensor-parallel-size"],
    ["pp", "pipeline_parallel_size", "pipeline-parallel-size"],
    ["dp", "data_parallel_size", "data-parallel-size"],
];

const PRICE: [&str; 2] = ["price_per_hour", "cost_per_hour"];

const PRICE_EACH: [&str; 2] = ["price_per_gpu_hour", "gpu_price_per_hour"];

/// What a sum without a currency is shown in: none.
const CURRENCY: &str = "";
