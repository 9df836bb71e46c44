//! Reports in the manner of `vllm bench serve`: what is shown of the figures, and what is saved beside the run's log.

use std::num::NonZeroU64;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What `vllm bench serve` is told of its reports. The console and `result.json` are made without any of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vllm {
    /// What reports call the backend (default: by the API).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// What reports call the model, where that is not the name it is asked by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Whether reports name a tokenizer: the plan's, else the model (default: true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer_id: Option<bool>,
    /// What reports call the number of prompts, where requests bear several: as it was asked for (default: the number of requests).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_prompts: Option<NonZeroU64>,
    /// A word for this run, in the result and in its file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Further entries of the result: names and what they stand for (texts, numbers, true or false), no secrets.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Metrics to show: `ttft`, `tpot`, `itl`, `e2el`, `client_queue_time`, `e2el_including_client_queue` (default: `ttft`,
    /// `tpot` and `itl`; `e2el` where the answer is a result and not output).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile_metrics: Option<Vec<String>>,
    /// Percentiles of each of them, from 0 to 100 (default: 99).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentiles: Option<Vec<f64>>,
    /// Limits in milliseconds that a good request keeps: of `ttft`, `tpot` and `e2el`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub goodput: Map<String, Value>,
    /// Save the result in a file of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save: Option<Save>,
    /// Keep the lists of every request's figures in the result (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed: Option<bool>,
    /// Save the result in the PyTorch benchmark format as well (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pytorch_format: Option<bool>,
    /// Draw every request on a line of time, into an HTML file (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plot_timeline: Option<bool>,
    /// Milliseconds between two chunks from which the timeline shows them orange, and red (default: `[25, 50]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline_itl_thresholds: Option<[f64; 2]>,
    /// Draw the lengths of prompts and outputs (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plot_dataset_stats: Option<bool>,
}

/// The file that a result is saved in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Save {
    /// The folder (default: the current one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// The file's name (default: made of label, rate, model and time). Several points are added to it, with `append`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Add to the file, in place of replacing it (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<bool>,
}
