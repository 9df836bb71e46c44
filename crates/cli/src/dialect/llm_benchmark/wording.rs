//! What is said of a setting, in the words of whoever typed the batch: the key of his file with its line and column, or the flag of
//! `tokometer single`.

use tokometer_plan::{PlanError, locate};

use super::config::Config;
use super::grid::{Combination, Shape};
use super::laid_over::says;
use crate::dialect::wording::translated;
use crate::dialect::{evalscope, vllm};
use crate::trouble::Trouble;

/// Where a batch was typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    /// In a file.
    File {
        /// What errors call it.
        name: &'a str,
        /// What stands in it.
        text: &'a str,
    },
    /// On the command line of `tokometer single`.
    Flags,
}

impl Origin<'_> {
    /// The error about a key of the batch, or about a setting of a combination's plan, with its place.
    pub(super) fn place(
        &self,
        error: PlanError,
        config: &Config,
        combination: Option<&Combination>,
    ) -> Trouble {
        let setting = error.setting().map(|setting| match combination {
            Some(combination) => key_of(setting, config, combination),
            None => setting.to_owned(),
        });
        let (hint, whole) = (error.hint().map(str::to_owned), error.to_string());
        let problem = error.setting().and_then(|at| whole.strip_prefix(at)?.strip_prefix(": "));
        let problem = problem.unwrap_or(&whole).to_owned();
        let error = match (self, setting) {
            (Self::File { .. }, Some(key)) => PlanError::at(key, problem),
            (Self::Flags, Some(key)) => {
                let flag = flag_of(&key).map_or(key.clone(), str::to_owned);
                PlanError::at(flag, problem)
            }
            (_, None) => PlanError::new(problem),
        };
        let error = match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        match self {
            Self::File { name, text } => {
                by_keys(&locate(error, text, name).into(), config, combination)
            }
            Self::Flags => by_flags(error.into()),
        }
    }

    /// The trouble that the flags of `bench serve` have with a combination.
    pub(super) fn place_trouble(
        &self,
        trouble: Trouble,
        config: &Config,
        combination: &Combination,
    ) -> Trouble {
        let Self::File { name, text } = self else { return by_flags(trouble) };
        let key = trouble.flag().and_then(|flag| key_of_flag(flag, config, combination));
        let trouble = by_keys(&trouble, config, Some(combination));
        match key {
            Some(key) => {
                let at = locate(PlanError::at(&key, ""), text, name).to_string();
                let at = at.strip_suffix(": ").unwrap_or(&at);
                let place =
                    at.strip_suffix(&key).and_then(|at| at.strip_suffix(": ")).unwrap_or(at);
                trouble.at(place)
            }
            None => trouble.at(name),
        }
    }
}

/// The trouble in terms of the batch's keys, as far as it speaks of flags of `bench serve` or of `perf`.
pub(crate) fn by_keys(
    trouble: &Trouble,
    config: &Config,
    combination: Option<&Combination>,
) -> Trouble {
    let Some(combination) = combination else { return trouble.clone() };
    let words = |text: &str| {
        let mut said = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("--") {
            let (before, from) = rest.split_at(at);
            let in_flag = |c: char| c == '-' || c.is_ascii_alphanumeric();
            let (flag, after) = from.split_at(from.find(|c| !in_flag(c)).unwrap_or(from.len()));
            let key = key_of_flag(flag, config, combination);
            said.extend([before, key.as_deref().unwrap_or(flag)]);
            rest = after;
        }
        said + rest
    };
    trouble.clone().in_words(words)
}

/// The trouble in terms of the flags of `tokometer single`, which are vLLM's.
pub(super) fn by_flags(trouble: Trouble) -> Trouble {
    let trouble = trouble.in_words(|text| vllm::by_flags(text, "random", true));
    trouble.in_words(|text| translated(text, |_| None))
}

fn key_of_flag(flag: &str, config: &Config, combination: &Combination) -> Option<String> {
    let own = FLAGS.iter().find(|(own, _)| *own == flag).map(|(_, key)| (*key).to_owned());
    own.or_else(|| evalscope::setting_of(flag).map(|setting| key_of(setting, config, combination)))
}

/// The key of the batch that a setting of a combination's plan comes from.
fn key_of(setting: &str, config: &Config, combination: &Combination) -> String {
    if says(&config.plan, setting) {
        return format!("plan.{setting}");
    }
    let lengths = combination
        .lengths_at
        .as_deref()
        .filter(|_| matches!(combination.shape, Shape::Lengths { .. }));
    match (setting, lengths) {
        ("prompts.args.input_len", Some(at)) => return format!("{at}.0"),
        ("prompts.args.output_len", Some(at)) => return format!("{at}.1"),
        _ => {}
    }
    if let Some(rest) = setting.strip_prefix("load.points") {
        let rest = rest.strip_prefix(".0").unwrap_or(rest);
        return match combination.load_at.starts_with("points.") {
            true => format!("{}{rest}", combination.load_at),
            false => combination.load_at.clone(),
        };
    }
    let own = SETTINGS.iter().find_map(|(known, key)| {
        let rest = setting.strip_prefix(known)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{key}{rest}"))
    });
    own.unwrap_or_else(|| match KEYS.contains(&setting.split('.').next().unwrap_or_default()) {
        true => setting.to_owned(),
        false => format!("plan.{setting}"),
    })
}

/// The flag of `single` that a key of the batch comes from.
fn flag_of(key: &str) -> Option<&'static str> {
    let first = key.split('.').next().unwrap_or_default();
    match (first, key.rsplit('.').next()) {
        ("model", _) => Some("--model"),
        ("base_url", _) => Some("--base-url"),
        ("tokenizer", _) => Some("--tokenizer"),
        ("results_dir", _) => Some("--results-dir"),
        ("input_output", Some("1")) => Some("--random-output-len"),
        ("input_output", _) => Some("--random-input-len"),
        ("concurrency_prompts", _) => Some("--max-concurrency"),
        _ => None,
    }
}

/// Settings of a plan, and the keys of a batch that say them.
const SETTINGS: &[(&str, &str)] = &[
    ("target.url", "base_url"),
    ("target.api_key_env", "api_key_env"),
    ("target.api", "backend"),
    ("load.warmup", "warmup"),
    ("load.pause", "pause"),
    ("prompts.dataset", "dataset"),
    ("prompts.path", "dataset_path"),
    ("output.vllm.goodput", "slo"),
    ("output.vllm.metadata", "metadata"),
    ("output.dir", "results_dir"),
    ("generation.extra", "extra_body"),
    ("telemetry.server_metrics", "server_metrics"),
    ("telemetry.server_logs", "server_log"),
    ("telemetry.gpu_metrics", "gpu_metrics"),
];

/// Keys that a batch and a plan have in common, and those that errors about a batch name themselves.
const KEYS: &[&str] = &["model", "tokenizer", "seed", "base_url", "input_output", "plan"];

/// Flags of `bench serve`, and the keys of a batch that say them.
const FLAGS: &[(&str, &str)] = &[
    ("--backend", "backend"),
    ("--base-url", "base_url"),
    ("--endpoint", "endpoint"),
    ("--model", "model"),
    ("--tokenizer", "tokenizer"),
    ("--dataset-name", "dataset"),
    ("--dataset-path", "dataset_path"),
    ("--input-len", "input_output"),
    ("--output-len", "input_output"),
    ("--random-input-len", "input_output"),
    ("--random-output-len", "input_output"),
    ("--num-prompts", "concurrency_prompts"),
    ("--max-concurrency", "concurrency_prompts"),
    ("--request-rate", "rate_prompts"),
    ("--extra-body", "extra_body"),
    ("--goodput", "slo"),
    ("--metadata", "metadata"),
    ("--result-dir", "results_dir"),
    ("--outputs-dir", "results_dir"),
];
