//! A run as it was typed: the native form, and what the flags of every dialect are turned into.
//!
//! The types take what cannot be wrong by itself (no zero concurrency, no negative length); whether the settings agree with
//! each other is for `resolve` to say. Nothing is looked up and no default is applied here. Secrets are only ever named, never
//! held: a key by its environment variable, a header's value by `${VARIABLE}`.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::written::{Amount, Between, Burstiness, Limit, Pace, Rate, Span};

mod telemetry;
mod vllm;

pub use telemetry::{OwnMetrics, Telemetry};
pub use vllm::{Save, Vllm};

/// A run of tokometer. Only `target.url`, `load.points` and a prompt (`prompts.dataset`, `prompts.text` or
/// `prompts.text_file`) must be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The model to name in requests. Without it the server is asked for its only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tokenizer that measures prompts: a folder, a `tokenizer.json`, or the name of a model on a hub. Without it the
    /// server's own is used where it offers one, and otherwise an embedded one, whose counts are estimates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// What the prompts and the moments of arrival are drawn from. Without it a new one is taken, and written into the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Threads that carry the load. Without it as many as the load needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroU32>,
    /// Where requests go, and how.
    pub target: Target,
    /// Where the service's own side is heard.
    #[serde(skip_serializing_if = "is_default")]
    pub telemetry: Telemetry,
    /// How much is asked, and when.
    pub load: Load,
    /// What is asked.
    pub prompts: Prompts,
    /// How the server is to generate.
    pub generation: Generation,
    /// What is written, and where.
    pub output: Output,
}

/// Where requests go, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// The endpoint: `http://127.0.0.1:8000/v1/chat/completions`. A path that ends in no endpoint is completed.
    /// `sim://?ttft_ms=200&itl_ms=20` starts the embedded simulator, and `sim://h100-llama-3.1-8b?max_num_seqs=64` one with the engines
    /// of a preset. The query may hold `${VARIABLE}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The API: its name, or `openai` (the default) to choose by what the URL ends in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The environment variable that holds the API key, sent as `Authorization: Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Further headers. A value may hold `${VARIABLE}`, and must where the header's name speaks of a secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Time limits.
    #[serde(skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// How far the server's certificate is trusted.
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Tls,
    /// Speak HTTP/2 (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// A proxy, `http://host:port`. The environment's proxies are never used by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Send one request before the load to see that it is answered (default: true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_connection: Option<bool>,
    /// Wait so long for the server to answer before the load begins (default: 0s, it must answer at once).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_within: Option<Span>,
    /// Have the server record a profile of itself during the load: `POST /start_profile` before it and `/stop_profile` after
    /// it (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<bool>,
    /// What the `x-request-id` of every request begins with (default: one made for each run).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id_prefix: Option<String>,
}

/// Time limits of a request. `none` for no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For resolving the name, connecting and the TLS handshake (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Limit>,
    /// From the request to the first byte of its response (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Limit>,
    /// From one read of the response to the next (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between_chunks: Option<Limit>,
    /// For the whole request (default: 6h).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Limit>,
}

/// How far the server's certificate is trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Accept any certificate (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
    /// A PEM file of authorities to trust beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
}

/// How much is asked, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// The points of the sweep, one after the other.
    #[schemars(length(min = 1))]
    pub points: Vec<Point>,
    /// Requests of each point that only warm the server up, on top of its `number`: a count, or a share of `number`.
    /// Closed loop: the first of the same stream. Open loop: a phase of their own. (default: 0)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Amount>,
    /// Let the warm-up end before the first measured request is sent, in closed loop too (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_apart: Option<bool>,
    /// No request of a point is sent later than this after its first measured one was sent (in open loop, after the schedule
    /// began); those in flight are awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// The pause between two points (default: 5s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Span>,
    /// How long requests in flight are awaited after an interruption (default: 30s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Span>,
    /// Small requests a second that are sent beside the load, past every cap, to see how it holds up others (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_rate: Option<Rate>,
}

/// A point of the sweep. With `parallel` alone: a closed loop. With pacing (`rate`, `ramp` or `recorded`) alone: an open loop.
/// With both: pacing under a cap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The most requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<NonZeroU32>,
    /// Requests per second, by a Poisson process; `inf` for all of them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Pace>,
    /// How even the gaps between requests are: below 1 they come in bursts, 1 is a Poisson process, `inf` is gaps of the same
    /// length. Gaps follow a gamma distribution of this shape (default: 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burstiness: Option<Burstiness>,
    /// A rate that changes over the point, in place of `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Send at the moments that the dataset recorded, in place of `rate` (default: false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<bool>,
    /// Requests, the warm-up not counted.
    pub number: NonZeroU64,
}

/// A rate that changes over a point's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// How it changes.
    pub shape: RampShape,
    /// Requests per second at the beginning.
    pub from: f64,
    /// Requests per second at the end.
    pub to: f64,
}

/// How a rate changes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RampShape {
    /// By the same number of requests per second in every second.
    Linear,
    /// By the same factor in every second.
    Exponential,
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prompts {
    /// Where prompts come from: the name of a dataset. docs/plan.md lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The dataset's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The dataset's own settings. docs/plan.md lists those of each dataset.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub args: Map<String, Value>,
    /// Begin a dataset anew that has fewer prompts than are asked for; otherwise only those that it has are sent
    /// (default: true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oversample: Option<bool>,
    /// Where in the dataset, or in the vocabulary, the first point begins (default: 0). Each point begins where the one before
    /// it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The shortest prompt, in tokens; in characters where no tokenizer is given (default: 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The longest prompt, in the same unit (default: 131072).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Tokens of a prefix that prompts share, on top of their length. `random` only (default: 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u32>,
    /// Different prefixes, taken in turn. `random` only (default: 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_count: Option<NonZeroU32>,
    /// Fits the prompts of a text dataset to a length.
    #[serde(skip_serializing_if = "is_default")]
    pub fit: Fit,
    /// One text for every request, instead of a dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A file that holds one text for every request, instead of a dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_file: Option<PathBuf>,
    /// A body to start from: the prompt replaces its prompt, and the settings of `generation` override its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Map<String, Value>>,
    /// A JSON file that holds such a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_file: Option<PathBuf>,
    /// Send prompts as conversations (default: whether the URL ends in `chat/completions`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<bool>,
    /// Send prompts as token ids, to the completions endpoint (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenize: Option<bool>,
}

/// Fits the prompts of a text dataset to a length in tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fit {
    /// The length, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<NonZeroU32>,
    /// What becomes of prompts that are shorter (default: cap).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<FitMode>,
    /// A text file, repeated as needed, that fills shorter prompts up from the front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_file: Option<PathBuf>,
    /// Where that text goes (default: system).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_role: Option<PrefixRole>,
}

/// What becomes of prompts that are shorter than the length they are fitted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FitMode {
    /// They stay as they are.
    #[default]
    Cap,
    /// They are left out.
    Drop,
}

/// Where the text goes that fills a prompt up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrefixRole {
    /// Into a system message of its own.
    #[default]
    System,
    /// Before the first user message.
    User,
}

/// How the server is to generate. What is left out is left to the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// The most tokens to generate: a number, or `[least, most]`, from which each request draws its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Between>,
    /// The most tokens to generate where neither `max_tokens` says nor the dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_tokens: Option<NonZeroU32>,
    /// The fewest tokens to generate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<u32>,
    /// Sampling temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sample among the k likeliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    /// Leave out tokens less likely than this share of the likeliest one's probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Penalty for tokens that occurred at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Penalty for frequent tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty for repeated tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Ask for log-probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens are told at each place, with `logprobs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// What chat completions call `max_tokens` (default: max_tokens).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_name: Option<LimitName>,
    /// Adapters to name in place of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// Choices per request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<NonZeroU32>,
    /// The server's sampling seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Strings that end the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Token ids that end the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_token_ids: Vec<u32>,
    /// Stream the response (default: true). A streamed request also asks for usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Further fields of the body, merged last: `{ignore_eos: true}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// What chat completions call the most tokens to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// `max_tokens`: every server knows it.
    MaxTokens,
    /// `max_completion_tokens`: the newer name.
    MaxCompletionTokens,
}

/// Adapters that requests name in place of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Their names, as the server knows them.
    #[schemars(length(min = 1))]
    pub modules: Vec<String>,
    /// Which request names which.
    #[serde(default)]
    pub assignment: LoraAssignment,
}

/// Which request names which adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoraAssignment {
    /// Each draws its own.
    #[default]
    Random,
    /// They take turns.
    RoundRobin,
}

/// What is written, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// The folder that holds runs (default: outputs).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// The run's folder inside it (default: the model's name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another name for the model, shown beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Put the run's folder into one named after the time of its beginning (default: true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<bool>,
    /// Write the figures so far into `benchmark.log` after every so many requests (default: 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_every: Option<NonZeroU64>,
    /// Keep the prompts in the log (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<bool>,
    /// Keep the outputs in the log (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<bool>,
    /// Write a line for every request into `benchmark.log` (default: false).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<bool>,
    /// Report as `vllm bench serve` does: its console, its result file. Without it reports are those of `evalscope perf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vllm: Option<Vllm>,
}

/// The JSON schema of [`Config`], as published in `docs/plan.schema.json`.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "tokometer plan".into());
    }
    schema
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
