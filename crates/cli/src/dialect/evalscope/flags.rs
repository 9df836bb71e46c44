//! The flags of `evalscope perf` 1.14.1 that this program obeys, and a few of its own.
//!
//! The doc comments are the help text. Values that cannot be right by themselves are refused here; how flags stand to each
//! other is for `tokometer_plan` to say. Of a flag that is given twice the last one counts, as it does there.

use std::num::{NonZeroU32, NonZeroU64};

use clap::{ArgAction, Args};
use tokometer_plan::Limit;
use tokometer_workload::dataset::DATASETS;

use super::later::{Idle, Later};
use crate::dialect::telemetry::TelemetryFlags;
use crate::dialect::values::{count, integer, limit, long_natural, natural, number, places};

/// The flags of `tokometer perf`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    #[command(flatten)]
    pub(super) load: LoadFlags,
    #[command(flatten)]
    pub(super) prompts: PromptFlags,
    #[command(flatten)]
    pub(super) generation: GenerationFlags,
    #[command(flatten)]
    pub(super) output: OutputFlags,
    #[command(flatten)]
    pub(super) telemetry: TelemetryFlags,
    #[command(flatten)]
    pub(super) idle: Idle,
    #[command(flatten)]
    pub(super) later: Later,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetFlags {
    /// The endpoint. A path that ends in no endpoint is completed. `sim://?ttft_ms=200&itl_ms=20` starts a simulator, `sim://h100-llama-3.1-8b` one with engines
    #[arg(long, default_value = "http://127.0.0.1:8877/v1/chat/completions")]
    pub(super) url: String,
    /// The model to name in requests; without it the server is asked
    #[arg(long)]
    pub(super) model: Option<String>,
    #[arg(long, default_value = "openai", help = apis())]
    pub(super) api: String,
    /// The key, sent as `Authorization: Bearer …` [env: OPENAI_API_KEY]
    #[arg(long, value_name = "KEY")]
    pub(super) api_key: Option<String>,
    /// Further headers
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "NAME=VALUE")]
    pub(super) headers: Vec<String>,
    /// A tokenizer: a folder, a tokenizer.json, or a model's name on Hugging Face or ModelScope; without it the server's own,
    /// or else an embedded one whose counts are estimates
    #[arg(long, value_name = "PATH|NAME")]
    pub(super) tokenizer_path: Option<String>,
    /// Seconds for resolving, connecting and the TLS handshake [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = limit, allow_negative_numbers = true)]
    pub(super) connect_timeout: Option<Limit>,
    /// Seconds from one read of a response to the next [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = limit, allow_negative_numbers = true)]
    pub(super) read_timeout: Option<Limit>,
    /// Seconds for a whole request
    #[arg(long, value_name = "SECONDS", value_parser = limit, default_value = "21600", allow_negative_numbers = true)]
    pub(super) total_timeout: Limit,
    /// Seconds from a request to the first byte of its response; ours [default: as --read-timeout]
    #[arg(long, value_name = "SECONDS", value_parser = limit, allow_negative_numbers = true)]
    pub(super) first_byte_timeout: Option<Limit>,
    /// Do not send one request before the load to see that it is answered
    #[arg(long)]
    pub(super) no_test_connection: bool,
    /// Accept any certificate of the server; ours
    #[arg(long)]
    pub(super) insecure: bool,
    /// A PEM file of authorities to trust beside the system's; ours
    #[arg(long, value_name = "FILE")]
    pub(super) ca_cert: Option<String>,
    /// Speak HTTP/2; ours
    #[arg(long)]
    pub(super) http2: bool,
    /// A proxy, http://host:port; ours. The environment's proxies are not used by themselves
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadFlags {
    /// Requests of each point of the sweep: as many values as --parallel, or in open loop as --rate
    #[arg(action = ArgAction::Set, long, short = 'n', num_args = 1.., default_value = "1000", value_parser = count, allow_negative_numbers = true)]
    pub(super) number: Vec<NonZeroU64>,
    /// Requests in flight at once: a value for each point
    #[arg(action = ArgAction::Set, long, num_args = 1.., default_value = "1", value_parser = places, allow_negative_numbers = true)]
    pub(super) parallel: Vec<NonZeroU32>,
    /// Requests per second, by a Poisson process, or -1 for no pacing. In open loop a value for each point; otherwise the
    /// first value paces every point under its --parallel
    #[arg(action = ArgAction::Set, long, num_args = 1.., default_value = "-1", allow_negative_numbers = true, value_parser = number)]
    pub(super) rate: Vec<f64>,
    /// Send by the schedule of --rate alone, however many requests are in flight
    #[arg(long)]
    pub(super) open_loop: bool,
    /// Requests that only warm the server up: a count, or below 1 a share of --number
    #[arg(long, default_value = "0", value_name = "COUNT|SHARE", allow_negative_numbers = true, value_parser = number)]
    pub(super) warmup_num: f64,
    /// Seconds after which a point sends no more; requests in flight are awaited
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = number)]
    pub(super) duration: Option<f64>,
    /// Seconds between two points
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = natural, allow_negative_numbers = true)]
    pub(super) sleep_interval: u32,
    /// Threads that carry the load; ours [default: as many as it needs]
    #[arg(long, value_parser = places, allow_negative_numbers = true)]
    pub(super) workers: Option<NonZeroU32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts")]
pub(super) struct PromptFlags {
    #[arg(long, default_value = "openqa", help = datasets())]
    pub(super) dataset: String,
    /// The dataset's file
    #[arg(long, value_name = "FILE")]
    pub(super) dataset_path: Option<String>,
    /// Where in the dataset, or in the vocabulary, the first point begins
    #[arg(long, value_name = "N", default_value = "0", value_parser = long_natural, allow_negative_numbers = true)]
    pub(super) dataset_offset: u64,
    /// Fits prompts to a length: '{"target_input_len": 2048, "input_len_mode": "cap"}'
    #[arg(long, value_name = "JSON")]
    pub(super) dataset_args: Option<String>,
    /// Whence datasets come: only local files so far
    #[arg(long, value_name = "SOURCE")]
    pub(super) data_source: Option<String>,
    /// The shortest prompt in tokens; without --tokenizer-path, and for other datasets than random, in characters
    #[arg(long, value_name = "N", default_value = "0", value_parser = natural, allow_negative_numbers = true)]
    pub(super) min_prompt_length: u32,
    /// The longest prompt, likewise
    #[arg(long, value_name = "N", default_value = "131072", value_parser = natural, allow_negative_numbers = true)]
    pub(super) max_prompt_length: u32,
    /// Tokens of a shared prefix, on top of the length; random only
    #[arg(long, value_name = "N", default_value = "0", value_parser = natural, allow_negative_numbers = true)]
    pub(super) prefix_length: u32,
    /// Different prefixes, taken in turn; random only
    #[arg(long, value_name = "N", default_value = "1", value_parser = places, allow_negative_numbers = true)]
    pub(super) prefix_count: NonZeroU32,
    /// One text for every request, or @FILE
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(super) prompt: Option<String>,
    /// A body to start from, as JSON or @FILE; prompt and generation settings override it
    #[arg(long, value_name = "JSON|@FILE")]
    pub(super) query_template: Option<String>,
    /// Send prompts as conversations [default: whether the URL ends in chat/completions]
    #[arg(long, overrides_with = "no_apply_chat_template")]
    pub(super) apply_chat_template: bool,
    /// Send prompts as they are
    #[arg(long, overrides_with = "apply_chat_template")]
    pub(super) no_apply_chat_template: bool,
    /// Send prompts as token ids, to the completions endpoint; needs --tokenizer-path
    #[arg(long)]
    pub(super) tokenize_prompt: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Generation")]
pub(super) struct GenerationFlags {
    /// The most tokens to generate: one value, or the least and the most, from which each request draws its own
    /// [default: 2048, or what the dataset knows of each prompt]
    #[arg(action = ArgAction::Set, long, num_args = 1..=2, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(super) max_tokens: Vec<u32>,
    /// The fewest tokens to generate
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(super) min_tokens: Option<u32>,
    /// Sampling temperature; always sent
    #[arg(long, value_name = "T", default_value = "0.0", allow_negative_numbers = true, value_parser = number)]
    pub(super) temperature: f64,
    /// Nucleus sampling
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = number)]
    pub(super) top_p: Option<f64>,
    /// Sample among the k likeliest
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = integer)]
    pub(super) top_k: Option<i64>,
    /// Penalty for frequent tokens
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = number)]
    pub(super) frequency_penalty: Option<f64>,
    /// Penalty for repeated tokens
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = number)]
    pub(super) repetition_penalty: Option<f64>,
    /// Ask for log-probabilities
    #[arg(long)]
    pub(super) logprobs: bool,
    /// Choices per request
    #[arg(long, value_name = "N", value_parser = places, allow_negative_numbers = true)]
    pub(super) n_choices: Option<NonZeroU32>,
    /// Sent to the server, and what prompts and arrivals are drawn from [default: not sent; a new one for each run]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = integer)]
    pub(super) seed: Option<i64>,
    /// Strings that end the output
    #[arg(action = ArgAction::Set, long, num_args = 0.., value_name = "TEXT")]
    pub(super) stop: Vec<String>,
    /// Token ids that end the output
    #[arg(action = ArgAction::Set, long, num_args = 0.., value_name = "ID", value_parser = natural, allow_negative_numbers = true)]
    pub(super) stop_token_ids: Vec<u32>,
    /// Stream responses (the default)
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "no_stream")]
    pub(super) stream: bool,
    /// Do not stream responses
    #[arg(long, overrides_with = "stream")]
    pub(super) no_stream: bool,
    /// Further fields of the body, merged last: '{"ignore_eos": true}'
    #[arg(long, value_name = "JSON")]
    pub(super) extra_args: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputFlags {
    /// The run's folder [default: the model's name]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Another name for the model, shown beside it
    #[arg(long)]
    pub(super) alias: Option<String>,
    /// The folder that holds runs
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) outputs_dir: String,
    /// Do not put the run's folder into one named after the time
    #[arg(long)]
    pub(super) no_timestamp: bool,
    /// Write the figures so far into benchmark.log after every N requests
    #[arg(long, value_name = "N", default_value = "100", value_parser = long_natural, allow_negative_numbers = true)]
    pub(super) log_every_n_query: u64,
    /// Keep the prompts in the run's log; ours
    #[arg(long)]
    pub(super) log_prompts: bool,
    /// Keep the outputs in the run's log; ours
    #[arg(long)]
    pub(super) log_outputs: bool,
    /// Write a line for every request into benchmark.log
    #[arg(long)]
    pub(super) debug: bool,
    /// Print the plan as YAML, which `tokometer run` runs, and do nothing else; ours
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Flags {
    /// Whether the plan is to be shown, not run.
    pub(crate) const fn dry_run(&self) -> bool {
        self.output.dry_run
    }
}

fn apis() -> String {
    let names: Vec<_> = tokometer_wire::APIS.iter().map(|api| api.name()).collect();
    format!("The API: openai for what the URL ends in, or by name {}", names.join(", "))
}

fn datasets() -> String {
    let names: Vec<_> = DATASETS.iter().map(|entry| entry.name).collect();
    format!("Where prompts come from: {}", names.join(", "))
}
