//! From a batch to the plans of its combinations.
//!
//! Each is what `vllm bench serve` would be told (backend, dataset, lengths, percentiles of `ttft,tpot,itl,e2el`), so that its rules
//! stand in one place; the native settings come on top.

use std::num::NonZeroU64;
use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};
use tokometer_plan::config::{self, Config as Native};
use tokometer_plan::{PlanError, Reporting, Resolved, Url};
use tokometer_workload::dataset::DATASETS;

use super::config::Config;
use super::grid::{Combination, Shape, combinations};
use super::laid_over;
use super::wording::Origin;
use crate::dialect::vllm;
use crate::refusal::what_is_wrong;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// A batch, with nothing left to find out but what the service says.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What was typed, with every default spelt out.
    pub(crate) config: Config,
    /// What is run, in its order: at least one combination.
    pub(crate) planned: Vec<Planned>,
    /// What is to be said before it runs, each thing once.
    pub(crate) notes: Vec<String>,
}

/// A combination and its plan.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The combination.
    pub(crate) combination: Combination,
    /// Its plan: a single point.
    pub(crate) resolved: Resolved,
}

impl Planned {
    /// Adds an entry to what the result says, unless it is there already.
    pub(crate) fn tell(&mut self, name: &str, value: Value) {
        let Reporting::Vllm(report) = &mut self.resolved.plan.report else { return };
        if report.metadata.iter().all(|(known, _)| known != name) {
            report.metadata.push((name.to_owned(), value));
        }
    }
}

/// Makes the plans of a batch that was typed at `origin`; `at_hand` tells whether the tokenizer of a model can be had without asking
/// anybody.
///
/// # Errors
/// If it is no batch, or a combination no plan: with the place where the user wrote it.
pub(crate) fn resolve(
    config: Config,
    origin: &Origin<'_>,
    surroundings: &mut Surroundings,
    at_hand: &dyn Fn(&str) -> bool,
) -> Result<Batch, Trouble> {
    let config = config.spelt_out();
    let placed = |error: PlanError| origin.place(error, &config, None);
    config.check().map_err(placed)?;
    laid_over::check(&config).map_err(placed)?;
    check_base_url(&config.base_url, surroundings).map_err(placed)?;
    let mut notes: Vec<String> = Vec::new();
    let tokenizer = tokenizer(&config, &mut notes);
    let mut planned = Vec::new();
    for combination in combinations(&config) {
        let with_place = |error: PlanError| origin.place(error, &config, Some(&combination));
        let base = base(&config, tokenizer, &combination, surroundings, at_hand)
            .map_err(|trouble| origin.place_trouble(trouble, &config, &combination))?;
        check_lengths(&base, &combination).map_err(with_place)?;
        let native = laid_over::lay_over(&base, &config.plan).map_err(with_place)?;
        let resolved = tokometer_plan::resolve(native, surroundings).map_err(with_place)?;
        let never_full = never_full(&combination);
        let said = resolved.advice.iter().chain(surroundings.notes()).chain(&never_full);
        for note in said {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        planned
            .push(Planned { combination, resolved: Resolved { advice: Vec::new(), ..resolved } });
    }
    Ok(Batch { config, planned, notes })
}

/// Refuses what is no server's address. Here and not later, for the flags of `bench serve` would put a secret in it aside, and a file
/// keeps it.
fn check_base_url(base_url: &str, surroundings: &Surroundings) -> Result<(), PlanError> {
    let url =
        Url::parse(base_url, "base_url", surroundings).map_err(|error| match error.hint() {
            Some(hint) if hint.ends_with("/v1/chat/completions") => error.with_hint(BASE_URL),
            _ => error,
        })?;
    match url.path.trim_end_matches('/').ends_with("/completions") {
        true => Err(PlanError::at("base_url", format!("ends in an endpoint: {}", url.path))
            .with_hint("give the server alone; its endpoint follows from backend (vllm, openai-chat, …), or stands in endpoint")),
        false => Ok(()),
    }
}

/// The tokenizer that is to be opened. A path that is not on this machine is one on the server's.
fn tokenizer<'c>(config: &'c Config, notes: &mut Vec<String>) -> Option<&'c str> {
    let named = config.tokenizer.as_deref().filter(|name| !name.is_empty())?;
    let is_path = named.starts_with(['/', '.', '~']);
    if !is_path || Path::new(named).exists() {
        return Some(named);
    }
    notes.push(format!(
        "tokenizer: {named} is not on this machine: prompts are measured by the server's own tokenizer where it offers one, and by \
         estimates where it does not"
    ));
    None
}

/// What the combination is without the settings under `plan:`.
fn base(
    config: &Config,
    tokenizer: Option<&str>,
    combination: &Combination,
    surroundings: &mut Surroundings,
    at_hand: &dyn Fn(&str) -> bool,
) -> Result<Native, Trouble> {
    let words = words(config, tokenizer, &combination.shape);
    let line =
        Line::try_parse_from(words).map_err(|error| Trouble::input(what_is_wrong(&error).0))?;
    let mut native = vllm::settings(line.flags, surroundings, at_hand)?;
    native.seed = Some(combination.seed);
    native.load.points = vec![combination.point.clone()];
    native.load.warmup = config.warmup;
    native.telemetry.server_metrics.clone_from(&config.server_metrics);
    native.telemetry.server_logs.clone_from(&config.server_log);
    native.telemetry.gpu_metrics.clone_from(&config.gpu_metrics);
    if let Some(variable) = &config.api_key_env {
        native.target.api_key_env = Some(variable.clone());
    }
    if combination.shape == Shape::Text {
        native.prompts = config::Prompts::default();
    }
    if let Some(report) = &mut native.output.vllm {
        report.goodput.clone_from(&config.slo);
        report.metadata.clone_from(&config.metadata);
        if config.repetitions.is_some_and(|times| times.get() > 1) {
            report.metadata.insert("repetition".into(), json!(combination.repetition));
        }
    }
    Ok(native)
}

/// The flags of `vllm bench serve`, of which a value is one word with its flag: it may begin with a dash.
fn words(config: &Config, tokenizer: Option<&str>, shape: &Shape) -> Vec<String> {
    let prompts = &config.plan.prompts;
    let path = prompts.path.as_ref().map(|path| path.display().to_string());
    let body = (!config.extra_body.is_empty())
        .then(|| Value::Object(config.extra_body.clone()).to_string());
    let (input, output) = match shape {
        Shape::Lengths { input, output } => (Some(input.to_string()), Some(output.to_string())),
        Shape::Dataset(_) | Shape::Text => (None, None),
    };
    let flags = [
        ("--backend", Some(config.backend().to_owned())),
        ("--base-url", Some(config.base_url.clone())),
        ("--endpoint", config.endpoint.clone()),
        ("--model", Some(config.model.clone())),
        ("--tokenizer", tokenizer.map(str::to_owned)),
        ("--dataset-name", config.dataset().map(str::to_owned)),
        ("--dataset-path", config.dataset_path.clone().or(path)),
        ("--input-len", input),
        ("--output-len", output),
        ("--extra-body", body),
        ("--percentile-metrics", Some(METRICS.to_owned())),
    ];
    let given = flags.into_iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value?)));
    given.collect()
}

/// Refuses lengths for a dataset that has its own, and none for one that draws them.
fn check_lengths(base: &Native, combination: &Combination) -> Result<(), PlanError> {
    let Some(dataset) = &base.prompts.dataset else { return Ok(()) };
    let takes = |length: &str| base.prompts.args.contains_key(length);
    match combination.shape {
        Shape::Lengths { .. } if is_known(dataset) && !(takes("input_len") && takes("output_len")) => {
            Err(PlanError::at("input_output", format!("the prompts of {dataset} have lengths of their own"))
                .with_hint("leave it out: combinations are then the loads alone; plan.prompts.args holds what the dataset can be told"))
        }
        Shape::Dataset(_) if dataset == "random" => {
            Err(PlanError::at("input_output", "is missing: nothing says how long prompts and outputs are")
                .with_hint("for example input_output: [[512, 512], [1024, 1024]], tokens of prompts and of outputs"))
        }
        _ => Ok(()),
    }
}

/// Whether there is such a dataset: if not, the plan says which there are.
fn is_known(dataset: &str) -> bool {
    DATASETS.iter().any(|entry| entry.name == dataset)
}

/// A load that cannot come to what it is called.
fn never_full(combination: &Combination) -> Option<String> {
    let (parallel, number) = (combination.point.parallel?, combination.point.number);
    (number < NonZeroU64::from(parallel)).then(|| {
        format!("{}: {number} requests are never {parallel} at a time", combination.load_at)
    })
}

/// The command line of a combination.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Line {
    #[command(flatten)]
    flags: vllm::Flags,
}

const BASE_URL: &str =
    "for example http://localhost:8000, or sim://h100-llama-3.1-8b for a simulator";

/// What the document's tool asks vLLM's benchmark to tell.
const METRICS: &str = "ttft,tpot,itl,e2el";
