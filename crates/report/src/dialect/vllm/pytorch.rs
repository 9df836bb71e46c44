//! A result in the form of PyTorch's benchmark database: one record a metric, as vLLM writes it for the database's readers.
//!
//! Deliberately only what vLLM puts there: the names of the form are its readers' to choose.

use serde_json::{Map, Value, json};

use super::Arguments;
use super::result::finite;

/// The records of a result. Empty if it has none of the metrics.
pub(super) fn records(arguments: &Arguments, result: &Map<String, Value>) -> Vec<Value> {
    let about: Map<String, Value> = result
        .iter()
        .filter(|(key, _)| !METRICS.contains(&key.as_str()) && !LEFT_OUT.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let given = |key: &str| about.get(key).cloned().unwrap_or_else(|| json!(""));
    let mode = given("compilation_config.mode");
    let eager = arguments.result_filename.as_ref().is_some_and(|name| name.contains("eager"));
    let benchmark = json!({
        "name": "vLLM benchmark",
        "extra_info": {
            "args": args(arguments, &about),
            "compilation_config.mode": mode,
            "optimization_level": given("optimization_level"),
            "use_compile": mode != "0" && !eager,
        },
    });
    let record = |name: &str, value: &Value| {
        json!({
            "benchmark": benchmark,
            "model": { "name": arguments.model_id },
            "metric": { "name": name, "benchmark_values": [value], "extra_info": about },
        })
    };
    METRICS.iter().filter_map(|name| Some(record(name, result.get(*name)?))).collect()
}

/// What was asked for, under the names of vLLM's flags.
fn args(arguments: &Arguments, about: &Map<String, Value>) -> Value {
    let mut args = arguments.to_value();
    args["model"] = json!(arguments.model_id);
    args["tokenizer"] = json!(arguments.tokenizer_id);
    args["request_rate"] = finite(arguments.request_rate.unwrap_or(f64::INFINITY));
    if let Some(degree) = about.get("tensor_parallel_size") {
        args["tensor_parallel_size"] = degree.clone();
    }
    args
}

/// The metrics that have a record, in vLLM's order.
const METRICS: [&str; 12] = [
    "median_ttft_ms",
    "mean_ttft_ms",
    "std_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "std_tpot_ms",
    "p99_tpot_ms",
    "median_itl_ms",
    "mean_itl_ms",
    "std_itl_ms",
    "p99_itl_ms",
];

/// What is too big to stand in every record.
const LEFT_OUT: [&str; 4] = ["ttfts", "itls", "generated_texts", "errors"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_its_record_with_all_else_beside_it() {
        let result = json!({ "date": "d", "itls": [[1.0]], "mean_ttft_ms": 5.0, "tensor_parallel_size": "2" });
        let arguments = Arguments { model_id: "m".into(), ..Arguments::default() };
        let records = records(&arguments, result.as_object().unwrap());
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record["metric"]["name"], "mean_ttft_ms");
        assert_eq!(record["metric"]["benchmark_values"], json!([5.0]));
        assert_eq!(
            record["metric"]["extra_info"],
            json!({ "date": "d", "tensor_parallel_size": "2" })
        );
        assert_eq!(record["model"]["name"], "m");
        let info = &record["benchmark"]["extra_info"];
        assert_eq!(
            (&info["use_compile"], &info["args"]["tensor_parallel_size"]),
            (&json!(true), &json!("2"))
        );
        assert_eq!(info["args"]["request_rate"], "inf");
    }
}
