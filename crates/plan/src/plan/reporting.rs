//! Whose reports are written, and what they are told beside the figures.

use std::num::NonZeroU64;
use std::path::PathBuf;

use serde_json::Value;

use crate::config;

/// Whose reports are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Reporting {
    /// Those of `evalscope perf`.
    Evalscope,
    /// Those of `vllm bench serve`.
    Vllm(Box<Vllm>),
}

/// What reports in the manner of `vllm bench serve` are told beside the figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Vllm {
    /// What they call the backend.
    pub backend: String,
    /// What they call the model, where that is not the name it is asked by.
    pub model_id: Option<String>,
    /// Whether they name a tokenizer.
    pub tokenizer_id: bool,
    /// What they call the number of prompts. `None`: the number of requests.
    pub num_prompts: Option<NonZeroU64>,
    /// A word for this run.
    pub label: Option<String>,
    /// Further entries of the result, in this order.
    pub metadata: Vec<(String, Value)>,
    /// The metrics shown, in this order: names of vLLM's.
    pub percentile_metrics: Vec<String>,
    /// The percentiles shown, from 0 to 100.
    pub percentiles: Vec<f64>,
    /// What a good request keeps: metrics and milliseconds, not negative.
    pub goodput: Vec<(String, f64)>,
    /// Where the result is saved. `None`: only in the run's own folder.
    pub save: Option<Save>,
    /// Whether the result keeps the lists of every request's figures.
    pub detailed: bool,
    /// Whether the result is saved in the PyTorch benchmark format as well.
    pub pytorch_format: bool,
    /// Whether requests are drawn on a line of time.
    pub plot_timeline: bool,
    /// Milliseconds between two chunks from which the timeline shows them orange, and red.
    pub timeline_itl_thresholds: [f64; 2],
    /// Whether the lengths of prompts and outputs are drawn.
    pub plot_dataset_stats: bool,
}

/// The file that a result is saved in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// The folder. `None`: the current one.
    pub dir: Option<PathBuf>,
    /// The file's name. `None`: made of label, rate, model and time.
    pub filename: Option<String>,
    /// Whether the result is added to the file.
    pub append: bool,
}

impl Vllm {
    pub(super) fn to_config(&self) -> config::Vllm {
        let goodput = |(name, limit): &(String, f64)| (name.clone(), Value::from(*limit));
        config::Vllm {
            backend: Some(self.backend.clone()),
            model_id: self.model_id.clone(),
            tokenizer_id: Some(self.tokenizer_id),
            num_prompts: self.num_prompts,
            label: self.label.clone(),
            metadata: self.metadata.iter().cloned().collect(),
            percentile_metrics: Some(self.percentile_metrics.clone()),
            percentiles: Some(self.percentiles.clone()),
            goodput: self.goodput.iter().map(goodput).collect(),
            save: self.save.as_ref().map(|save| config::Save {
                dir: save.dir.clone(),
                filename: save.filename.clone(),
                append: Some(save.append),
            }),
            detailed: Some(self.detailed),
            pytorch_format: Some(self.pytorch_format),
            plot_timeline: Some(self.plot_timeline),
            timeline_itl_thresholds: Some(self.timeline_itl_thresholds),
            plot_dataset_stats: Some(self.plot_dataset_stats),
        }
    }
}
