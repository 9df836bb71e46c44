//! A batch as it was typed: the document's five keys, and what a batch of ours knows beside them.
//!
//! The types take what cannot be wrong by itself; what concerns more than one value is checked in [`Config::check`] and where a
//! combination becomes a plan. A secret is only ever named, as in a plan.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokometer_plan::config::{self, Point};
use tokometer_plan::{Amount, Document, Pace, PlanError, Span, read_yaml};

use super::{grid, metadata};

/// A batch as it was typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The model to name in requests.
    pub(crate) model: String,
    /// The server, with or without `/v1`.
    pub(crate) base_url: String,
    /// The tokenizer that measures prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokenizer: Option<String>,
    /// Tokens of prompts and of outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input_output: Option<Vec<[NonZeroU32; 2]>>,
    /// The most requests at once, and requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency_prompts: Option<Vec<(NonZeroU32, NonZeroU64)>>,
    /// Requests per second, whatever the server does, and requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate_prompts: Option<Vec<(Pace, NonZeroU64)>>,
    /// Loads as a plan writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) points: Option<Vec<Point>>,
    /// How often each combination is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repetitions: Option<NonZeroU32>,
    /// In which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<Order>,
    /// What prompts, arrivals and a random order are drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// The pause between two combinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pause: Option<Span>,
    /// Requests of each combination that only warm the server up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warmup: Option<Amount>,
    /// What a good request keeps: metrics and milliseconds.
    #[serde(default, alias = "goodput", skip_serializing_if = "Map::is_empty")]
    pub(crate) slo: Map<String, Value>,
    /// What the server speaks, as vLLM's benchmark calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<String>,
    /// The path, where it is not the backend's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    /// Where prompts come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataset: Option<String>,
    /// The dataset's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataset_path: Option<String>,
    /// Pages of the servers' metrics, in place of the target's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_metrics: Vec<String>,
    /// Logs of servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_log: Vec<PathBuf>,
    /// Pages of GPUs' metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gpu_metrics: Vec<String>,
    /// The environment variable that holds the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key_env: Option<String>,
    /// Further fields of every request.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) extra_body: Map<String, Value>,
    /// What results are to say of the deployment.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) metadata: Map<String, Value>,
    /// The folder that holds results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) results_dir: Option<PathBuf>,
    /// Settings of the native form, laid over each combination.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) plan: config::Config,
}

/// In which order combinations are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// As they are written: every length with every load, and all of it again for each repetition.
    #[default]
    AsWritten,
    /// Shuffled by the seed, so that what drifts over time falls on none of them alone.
    Random,
}

/// Reads a batch. `file` is what errors call it.
///
/// # Errors
/// If it is no YAML, or not of this form; with the line and the column.
pub(crate) fn read(text: &str, file: &str) -> Result<Config, PlanError> {
    read_yaml(text, file, DOCUMENT)
}

impl Config {
    /// The document's keys, and nothing else.
    pub(crate) fn new(model: String, base_url: String) -> Self {
        Self {
            model,
            base_url,
            tokenizer: None,
            input_output: None,
            concurrency_prompts: None,
            rate_prompts: None,
            points: None,
            repetitions: None,
            order: None,
            seed: None,
            pause: None,
            warmup: None,
            slo: Map::new(),
            backend: None,
            endpoint: None,
            dataset: None,
            dataset_path: None,
            server_metrics: Vec::new(),
            server_log: Vec::new(),
            gpu_metrics: Vec::new(),
            api_key_env: None,
            extra_body: Map::new(),
            metadata: Map::new(),
            results_dir: None,
            plan: config::Config::default(),
        }
    }

    /// The same with every default of a batch spelt out.
    #[must_use]
    pub(crate) fn spelt_out(self) -> Self {
        Self {
            repetitions: self.repetitions.or(Some(NonZeroU32::MIN)),
            order: Some(self.order.unwrap_or_default()),
            seed: Some(self.seed.unwrap_or(SEED)),
            pause: Some(self.pause.unwrap_or_default()),
            backend: self.backend.or_else(|| Some(BACKEND.to_owned())),
            results_dir: Some(self.results_dir.unwrap_or_else(|| RESULTS.into())),
            ..self
        }
    }

    /// The folder that holds results.
    pub(crate) fn results_dir(&self) -> &Path {
        self.results_dir.as_deref().unwrap_or_else(|| Path::new(RESULTS))
    }

    /// What everything is drawn from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(SEED)
    }

    /// The backend.
    pub(crate) fn backend(&self) -> &str {
        self.backend.as_deref().unwrap_or(BACKEND)
    }

    /// The dataset: that of the batch or of its plan. `None` where all requests have one text.
    pub(crate) fn dataset(&self) -> Option<&str> {
        let prompts = &self.plan.prompts;
        let named = self.dataset.as_deref().or(prompts.dataset.as_deref());
        let text = prompts.text.is_some() || prompts.text_file.is_some();
        named.or((!text).then_some(DATASET))
    }

    /// Refuses what is no batch.
    ///
    /// # Errors
    /// If a list is empty, an entry stands twice, nothing says how much load, or metadata are not what they are called.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        for (key, text) in [("model", &self.model), ("base_url", &self.base_url)] {
            if text.trim().is_empty() {
                return Err(PlanError::at(key, "is empty").with_hint(MINIMAL));
            }
        }
        let lists = [
            ("input_output", self.input_output.as_ref().map(Vec::len), "[[512, 512]]"),
            ("concurrency_prompts", self.concurrency_prompts.as_ref().map(Vec::len), "[[4, 40]]"),
            ("rate_prompts", self.rate_prompts.as_ref().map(Vec::len), "[[2.5, 100]]"),
            ("points", self.points.as_ref().map(Vec::len), "[{parallel: 4, number: 40}]"),
        ];
        if let Some((key, _, example)) = lists.iter().find(|(_, length, _)| *length == Some(0)) {
            return Err(PlanError::at(*key, "is an empty list: there is nothing to run")
                .with_hint(format!("for example {key}: {example}")));
        }
        if lists[1..].iter().all(|(_, length, _)| length.is_none()) {
            return Err(PlanError::at("concurrency_prompts", "is missing: nothing says how much load")
                .with_hint(
                    "for example concurrency_prompts: [[1, 10], [4, 40]], the most at once and requests; or rate_prompts, or points",
                ));
        }
        self.check_number()?;
        self.check_twins()?;
        metadata::check(&self.metadata)
    }

    /// Refuses more combinations than anybody means: each is a plan, and all of them are checked before the first is run.
    fn check_number(&self) -> Result<(), PlanError> {
        let repetitions = self.repetitions.map_or(1, NonZeroU32::get);
        let once = grid::number(self);
        let number = once.saturating_mul(repetitions as usize);
        let key = match once > MOST {
            true if self.input_output.is_some() => "input_output",
            true => "concurrency_prompts",
            false => "repetitions",
        };
        match number > MOST {
            true => Err(PlanError::at(
                key,
                format!("makes {number} combinations, and a batch has at most {MOST}"),
            )
            .with_hint("run fewer of them, or several batches one after the other")),
            false => Ok(()),
        }
    }

    /// Refuses what stands twice: its results would be written over each other.
    fn check_twins(&self) -> Result<(), PlanError> {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (place, name) in grid::entries(self) {
            if let Some(before) = seen.get(&name) {
                return Err(PlanError::at(place, format!("is the same as {before}")).with_hint(
                    "leave one of them out; repetitions: 3 runs every combination three times",
                ));
            }
            seen.insert(name, place);
        }
        Ok(())
    }

    /// The batch as YAML, to be read by people and by `tokometer batch`.
    pub(crate) fn to_yaml(&self) -> String {
        let mut value = serde_json::to_value(self).expect("keys are texts, and numbers finite");
        if let Some(plan) = value.get_mut("plan") {
            prune(plan);
        }
        let options = serde_saphyr::ser_options! { compact_list_indent: false };
        let yaml = serde_saphyr::to_string_with_options(&value, options)
            .expect("what JSON can hold YAML can");
        yaml.trim_end_matches('\n').to_owned() + "\n"
    }
}

/// Takes out what holds nothing.
pub(super) fn prune(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.values_mut().for_each(prune);
        let empty = |value: &Value| match value {
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            other => other.is_null(),
        };
        fields.retain(|_, value| !empty(value));
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const DOCUMENT: Document = Document { name: "batch", guide: "docs/batch.md" };

/// The smallest batch, in one line.
pub(crate) const MINIMAL: &str = "a batch needs model: NAME, base_url: http://localhost:8000, input_output: [[512, 512]] and concurrency_prompts: [[4, 40]]";

/// The most combinations of a batch.
const MOST: usize = 10_000;

/// vLLM's.
const SEED: u64 = 0;
const BACKEND: &str = "vllm";
const DATASET: &str = "random";
const RESULTS: &str = "results";
