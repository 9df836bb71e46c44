//! The flags of `vllm bench serve` 0.32 and 0.33, and a few of its own.
//!
//! The doc comments are the help text. Values that cannot be right by themselves are refused here; what a flag means is said in
//! `settings`, and how settings stand to each other in `tokometer_plan`. Names are read by `typed` before they come here: `_` for
//! `-`, abbreviations, files of flags. Of a flag that is given twice the last one counts, as it does there.

pub(super) mod dataset;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use clap::{ArgAction, Args, ValueEnum};

use crate::dialect::telemetry::TelemetryFlags;
use crate::dialect::values::{count, integer, long_natural, natural, number, places, port};
use dataset::DatasetFlags;

/// The flags of `tokometer bench serve`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    #[command(flatten)]
    pub(super) load: LoadFlags,
    #[command(flatten)]
    pub(super) request: RequestFlags,
    #[command(flatten)]
    pub(super) report: ReportFlags,
    #[command(flatten)]
    pub(super) dataset: DatasetFlags,
    #[command(flatten)]
    pub(super) own: OwnFlags,
    #[command(flatten)]
    pub(super) telemetry: TelemetryFlags,
    /// Where the flags stand that came from a file: `bench.yaml:3`.
    #[arg(skip)]
    places: BTreeMap<String, String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct TargetFlags {
    #[arg(long, value_name = "NAME", default_value = "openai", help = super::backends::help())]
    pub(super) backend: String,
    /// The server, in place of --host and --port: `http://gateway:9000`. `sim://?ttft_ms=200&itl_ms=20` starts a simulator, `sim://h100-llama-3.1-8b` one with engines
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// The server's name or address
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Its port
    #[arg(long, default_value = "8000", value_parser = port, allow_negative_numbers = true)]
    pub(super) port: u16,
    /// The path of the API; must be one of the backend's [default: by the backend]
    #[arg(long, value_name = "PATH")]
    pub(super) endpoint: Option<String>,
    /// Further headers; they win over the key of OPENAI_API_KEY
    #[arg(action = ArgAction::Set, long, num_args = 0.., value_name = "KEY=VALUE")]
    pub(super) header: Vec<String>,
    /// Do not check the server's certificate
    #[arg(long)]
    pub(super) insecure: bool,
    /// The model; without it the server is asked. Names the tokenizer too, unless --tokenizer does
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// The name that requests call the model by [default: --model]
    #[arg(long, value_name = "NAME")]
    pub(super) served_model_name: Option<String>,
    /// A tokenizer: a folder, a tokenizer.json, or a model's name on a hub [default: --model's if it is at hand, else the
    /// server's own]
    #[arg(long, value_name = "PATH|NAME")]
    pub(super) tokenizer: Option<String>,
    /// auto or hf: every tokenizer is read from its tokenizer.json
    #[arg(long, value_name = "MODE", hide = true)]
    pub(super) tokenizer_mode: Option<String>,
    /// Read no tokenizer of --model's: the server's own is asked, if anything must be counted
    #[arg(long)]
    pub(super) skip_tokenizer_init: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadFlags {
    /// Requests
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count, allow_negative_numbers = true)]
    pub(super) num_prompts: NonZeroU64,
    /// Requests per second; inf for all at once, or as fast as --max-concurrency lets them
    #[arg(long, value_name = "R", default_value = "inf", value_parser = number, allow_negative_numbers = true)]
    pub(super) request_rate: f64,
    /// How even the gaps between requests are: below 1 bursts, 1 a Poisson process, inf gaps of one length
    #[arg(long, value_name = "B", default_value = "1", value_parser = number, allow_negative_numbers = true)]
    pub(super) burstiness: f64,
    /// The most requests in flight at once [default: no limit]
    #[arg(long, value_name = "N", value_parser = places, allow_negative_numbers = true)]
    pub(super) max_concurrency: Option<NonZeroU32>,
    /// Let the rate rise over the run's time: linear or exponential
    #[arg(long, value_name = "SHAPE", value_enum, hide_possible_values = true)]
    pub(super) ramp_up_strategy: Option<RampUp>,
    /// Requests per second at its beginning
    #[arg(long, value_name = "R", value_parser = natural, allow_negative_numbers = true)]
    pub(super) ramp_up_start_rps: Option<u32>,
    /// Requests per second at its end
    #[arg(long, value_name = "R", value_parser = natural, allow_negative_numbers = true)]
    pub(super) ramp_up_end_rps: Option<u32>,
    /// Send at the moments that the dataset recorded: timed_trace (there the default) and burstgpt
    #[arg(long, overrides_with = "no_self_timed")]
    pub(super) self_timed: bool,
    /// Send timed_trace by --request-rate
    #[arg(long, overrides_with = "self_timed")]
    pub(super) no_self_timed: bool,
    /// Small requests a second sent beside the load, past --max-concurrency; their times are told apart
    #[arg(long, value_name = "R", default_value = "0", value_parser = number, allow_negative_numbers = true)]
    pub(super) probe_request_rate: f64,
    /// Requests that only warm the server up, on top of --num-prompts
    #[arg(long, value_name = "N", default_value = "0", value_parser = long_natural, allow_negative_numbers = true)]
    pub(super) num_warmups: u64,
    /// Seconds to wait for the server to answer
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = natural, allow_negative_numbers = true)]
    pub(super) ready_check_timeout_sec: u32,
    /// What prompts and moments of arrival are drawn from
    #[arg(long, value_name = "N", default_value = "0", value_parser = integer, allow_negative_numbers = true)]
    pub(super) seed: i64,
    /// Have the server record a profile of itself during the load
    #[arg(long)]
    pub(super) profile: bool,
}

/// How a rate rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RampUp {
    /// By the same amount in the same time.
    Linear,
    /// By the same factor in the same time.
    Exponential,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub(super) struct RequestFlags {
    /// Have the server generate up to the limit; always so for random prompts and traces
    #[arg(long)]
    pub(super) ignore_eos: bool,
    /// Ask for the log-probabilities of so many tokens at each place; completions only
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(super) logprobs: Option<u32>,
    /// Sampling temperature [default: the server's]
    #[arg(long, value_name = "T", value_parser = number, allow_negative_numbers = true)]
    pub(super) temperature: Option<f64>,
    /// Nucleus sampling
    #[arg(long, value_name = "P", value_parser = number, allow_negative_numbers = true)]
    pub(super) top_p: Option<f64>,
    /// Sample among the k likeliest
    #[arg(long, value_name = "K", value_parser = integer, allow_negative_numbers = true)]
    pub(super) top_k: Option<i64>,
    /// Leave out tokens less likely than this share of the likeliest one's probability
    #[arg(long, value_name = "P", value_parser = number, allow_negative_numbers = true)]
    pub(super) min_p: Option<f64>,
    /// Penalty for frequent tokens
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(super) frequency_penalty: Option<f64>,
    /// Penalty for tokens that occurred at all
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(super) presence_penalty: Option<f64>,
    /// Penalty for repeated tokens
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(super) repetition_penalty: Option<f64>,
    /// Further fields of the body; they win over the flags above
    #[arg(long, value_name = "JSON")]
    pub(super) extra_body: Option<String>,
    /// What the chat template is given; chat only, where the server applies it: '{"enable_thinking": false}'
    #[arg(long, value_name = "JSON")]
    pub(super) chat_template_kwargs: Option<String>,
    /// Adapters to name in place of the model
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "NAME")]
    pub(super) lora_modules: Vec<String>,
    /// Which request names which: random or round-robin
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value = "random",
        hide_possible_values = true
    )]
    pub(super) lora_assignment: Assignment,
    /// What the x-request-id of every request begins with [default: one made for each run]
    #[arg(long, value_name = "TEXT")]
    pub(super) request_id_prefix: Option<String>,
    #[arg(long, hide = true)]
    pub(super) use_beam_search: bool,
}

/// Which request names which adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Assignment {
    /// Each draws its own.
    Random,
    /// They take turns.
    RoundRobin,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct ReportFlags {
    /// Metrics to show: ttft,tpot,itl,e2el,client_queue_time,e2el_including_client_queue [default: ttft,tpot,itl; e2el where
    /// the answer is no generated output]
    #[arg(long, value_name = "NAMES")]
    pub(super) percentile_metrics: Option<String>,
    /// Percentiles of each: 25,50,99.9
    #[arg(long, value_name = "LIST", default_value = "99")]
    pub(super) metric_percentiles: String,
    /// Milliseconds that a good request keeps: ttft:500 tpot:50 e2el:10000
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "METRIC:MS")]
    pub(super) goodput: Vec<String>,
    /// Save the result as JSON
    #[arg(long)]
    pub(super) save_result: bool,
    /// With the figures of every request, and what it was answered
    #[arg(long)]
    pub(super) save_detailed: bool,
    /// Add the result to the file, in place of replacing it
    #[arg(long)]
    pub(super) append_result: bool,
    /// The folder of the result's file [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(super) result_dir: Option<String>,
    /// Its name [default: made of label, rate, model and time]
    #[arg(long, value_name = "FILE")]
    pub(super) result_filename: Option<String>,
    /// A word for this run, in the result and its file's name
    #[arg(long, value_name = "TEXT")]
    pub(super) label: Option<String>,
    /// Further entries of the result
    #[arg(action = ArgAction::Set, long, num_args = 0.., value_name = "KEY=VALUE")]
    pub(super) metadata: Vec<String>,
    /// Draw every request on a line of time, into an HTML file
    #[arg(long)]
    pub(super) plot_timeline: bool,
    /// Milliseconds between two chunks from which it shows them orange, and red
    #[arg(long, value_name = "MS,MS", default_value = "25,50")]
    pub(super) timeline_itl_thresholds: String,
    /// Draw the lengths of prompts and outputs
    #[arg(long)]
    pub(super) plot_dataset_stats: bool,
    /// Show no progress
    #[arg(long)]
    pub(super) disable_tqdm: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Not of vLLM's")]
pub(super) struct OwnFlags {
    /// Take flags from a file: their names as keys. Flags that are typed win
    #[arg(long, value_name = "FILE.yaml")]
    pub(super) config: Option<String>,
    /// Print the plan as YAML, which `tokometer run` runs, and do nothing else
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The folder that holds runs: each keeps its log there
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) outputs_dir: String,
    /// Threads that carry the load [default: as many as it needs]
    #[arg(long, value_name = "N", value_parser = places, allow_negative_numbers = true)]
    pub(super) workers: Option<NonZeroU32>,
}

impl Flags {
    /// Whether the plan is to be shown, not run.
    pub(crate) const fn dry_run(&self) -> bool {
        self.own.dry_run
    }

    /// Whether the server is named by `--base-url`, and not by host and port.
    pub(crate) const fn names_base_url(&self) -> bool {
        self.target.base_url.is_some()
    }

    /// Whether progress is to be shown.
    pub(crate) const fn shows_progress(&self) -> bool {
        !self.report.disable_tqdm
    }

    /// Where the flags stand that came from a file.
    pub(crate) fn stand_at(&mut self, places: BTreeMap<String, String>) {
        self.places = places;
    }

    /// Where the flags stand that came from a file: `bench.yaml:3`.
    pub(crate) const fn places(&self) -> &BTreeMap<String, String> {
        &self.places
    }
}
