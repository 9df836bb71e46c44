//! What a run in this dialect was asked for, as far as its reports need to know: what the log keeps as the arguments of each point,
//! and in its header as those of the first.
//!
//! Deliberately not every flag: how the load was made stands in the plan, which the header holds as well.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokometer_record::{Header, Point};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arguments {
    /// The backend, under the name that older readers of the file look for.
    pub endpoint_type: String,
    /// `--backend`.
    pub backend: String,
    /// `--label`: stands in the file and in its name.
    pub label: Option<String>,
    /// `--model`: the model's id.
    pub model_id: String,
    /// `--tokenizer`, or the model's id where that is the tokenizer. `None` where there is none.
    pub tokenizer_id: Option<String>,
    /// `--num-prompts`: as it was typed, where a request bears several of them.
    pub num_prompts: u64,
    /// `--metadata`: keys and values that stand in the file as they were given, in their order. By flags all of them are texts.
    pub metadata: Vec<(String, Value)>,
    /// `--request-rate` in requests per second. `None` for `inf`.
    pub request_rate: Option<f64>,
    /// `--burstiness`: the shape of the gaps' gamma distribution; infinite for gaps that are all alike.
    #[serde(with = "burstiness")]
    pub burstiness: f64,
    /// `--max-concurrency`. `None` for no limit.
    pub max_concurrency: Option<u64>,
    /// `--ramp-up-strategy` and its bounds.
    pub ramp_up: Option<RampUp>,
    /// `--percentile-metrics`: the metrics whose distributions are told, by vLLM's names (`ttft`, `tpot`, `itl`, `e2el`,
    /// `client_queue_time`, `e2el_including_client_queue`).
    pub percentile_metrics: Vec<String>,
    /// `--metric-percentiles`, in per cent.
    pub metric_percentiles: Vec<f64>,
    /// `--goodput`: metrics (`ttft`, `tpot`, `e2el`) and what each may be at most, in milliseconds.
    pub goodput: Vec<(String, f64)>,
    /// `--save-result`.
    pub save_result: bool,
    /// `--save-detailed`: what was measured of each request stands in the file as well.
    pub save_detailed: bool,
    /// `--append-result`: the result is added to the file, on a line of its own.
    pub append_result: bool,
    /// `--result-dir`. `None` for the working directory.
    pub result_dir: Option<PathBuf>,
    /// `--result-filename`. `None` for a name made of what was asked for.
    pub result_filename: Option<String>,
    /// Whether the result is written in the form of PyTorch's benchmark database as well.
    pub pytorch_format: bool,
    /// `--plot-timeline`.
    pub plot_timeline: bool,
    /// `--timeline-itl-thresholds`: below the first a gap is good, from the second on it is bad; milliseconds.
    pub timeline_itl_thresholds: [f64; 2],
    /// `--plot-dataset-stats`.
    pub plot_dataset_stats: bool,
    /// Whether the API answers with a result and generates nothing: embeddings, scores.
    pub pooling: bool,
    /// `--probe-request-rate` in requests per second. 0 for none.
    pub probe_request_rate: f64,
}

/// A rate that rises over the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RampUp {
    /// How it rises over time.
    pub strategy: Strategy,
    /// The rate at the beginning, requests per second: finite, not negative.
    pub start_rps: f64,
    /// The rate at the end, requests per second: finite, not negative.
    pub end_rps: f64,
}

/// How a rate rises over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// By the same amount in the same time.
    Linear,
    /// By the same factor in the same time.
    Exponential,
}

impl Strategy {
    /// vLLM's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Exponential => "exponential",
        }
    }
}

/// vLLM's defaults, for a model without a name.
impl Default for Arguments {
    fn default() -> Self {
        Self {
            endpoint_type: "openai".into(),
            backend: "openai".into(),
            label: None,
            model_id: String::new(),
            tokenizer_id: None,
            num_prompts: 1000,
            metadata: Vec::new(),
            request_rate: None,
            burstiness: 1.0,
            max_concurrency: None,
            ramp_up: None,
            percentile_metrics: ["ttft", "tpot", "itl"].map(str::to_owned).to_vec(),
            metric_percentiles: vec![99.0],
            goodput: Vec::new(),
            save_result: false,
            save_detailed: false,
            append_result: false,
            result_dir: None,
            result_filename: None,
            pytorch_format: false,
            plot_timeline: false,
            timeline_itl_thresholds: [25.0, 50.0],
            plot_dataset_stats: false,
            pooling: false,
            probe_request_rate: 0.0,
        }
    }
}

impl Arguments {
    /// The arguments that a log keeps of a point; those of its header, where it keeps none of the point.
    ///
    /// # Errors
    /// If they are not those of this dialect.
    pub fn of(header: &Header, point: &Point) -> io::Result<Self> {
        let kept = if point.arguments.is_null() { &header.arguments } else { &point.arguments };
        serde::Deserialize::deserialize(kept).map_err(|source| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the log does not hold the arguments of `bench serve`: {source}"),
            )
        })
    }

    /// The arguments as a log keeps them.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// JSON has no infinity, which is the burstiness of gaps that are all alike: it is kept as `"inf"`.
mod burstiness {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match value.is_finite() {
            true => serializer.serialize_f64(*value),
            false => serializer.serialize_str("inf"),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Kept {
            Finite(f64),
            #[expect(
                dead_code,
                reason = "whatever the word is, it stands for what JSON cannot write"
            )]
            Word(String),
        }
        match Kept::deserialize(deserializer)? {
            Kept::Finite(value) => Ok(value),
            Kept::Word(_) => Ok(f64::INFINITY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_log_keeps_is_read_back() {
        let asked = Arguments {
            label: Some("a".into()),
            metadata: vec![("tp".into(), "2".into())],
            burstiness: f64::INFINITY,
            ramp_up: Some(RampUp { strategy: Strategy::Linear, start_rps: 0.4, end_rps: 50.0 }),
            goodput: vec![("ttft".into(), 500.0)],
            ..Arguments::default()
        };
        let header = Header { arguments: asked.to_value(), ..Header::default() };
        assert_eq!(Arguments::of(&header, &Point::default()).unwrap(), asked);
        let other = Arguments { max_concurrency: Some(8), ..asked };
        let point = Point { arguments: other.to_value(), ..Point::default() };
        assert_eq!(Arguments::of(&header, &point).unwrap(), other);
    }

    #[test]
    fn arguments_of_another_kind_are_refused() {
        let header =
            Header { arguments: serde_json::json!({ "num_prompts": "x" }), ..Header::default() };
        let error = Arguments::of(&header, &Point::default()).unwrap_err();
        assert!(error.to_string().contains("bench serve"), "{error}");
    }
}
