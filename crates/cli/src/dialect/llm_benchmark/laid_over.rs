//! The settings of the native form that stand under `plan:`, laid over what a combination is without them.
//!
//! A setting that the batch says itself, or that is its own affair, is refused by name: of two answers one would be ignored.

use serde_json::Value;
use tokometer_plan::{PlanError, config};

use super::config::Config;

/// Refuses settings of the plan that stand beside the batch's own.
pub(super) fn check(config: &Config) -> Result<(), PlanError> {
    let plan = written(&config.plan);
    let given = |path: &str| at(&plan, path).is_some();
    if let Some((path, instead)) = NEVER.iter().find(|(path, _)| given(path)) {
        let problem = "is the batch's own affair, and not a combination's";
        return Err(PlanError::at(format!("plan.{path}"), problem).with_hint(*instead));
    }
    let twice = TWICE.iter().find(|(path, _, said)| given(path) && said(config));
    if let Some((path, key, _)) = twice {
        return Err(PlanError::at(
            format!("plan.{path}"),
            format!("stands beside {key}, which says the same"),
        )
        .with_hint("leave one of them out"));
    }
    if config.dataset().is_none() && config.input_output.is_some() {
        return Err(PlanError::at(
            "input_output",
            "one text for every request has a length of its own",
        )
        .with_hint(
            "leave it out, and give plan.generation.max_tokens; or leave out plan.prompts.text",
        ));
    }
    Ok(())
}

/// `base` with what stands under `plan:`, which wins where both say something.
///
/// # Errors
/// If the two together are no plan: that would be a mistake of this program's.
pub(super) fn lay_over(
    base: &config::Config,
    plan: &config::Config,
) -> Result<config::Config, PlanError> {
    let mut whole = serde_json::to_value(base).unwrap_or_default();
    merge(&mut whole, written(plan));
    let authorized =
        at(&whole, "target.headers").and_then(Value::as_object).is_some_and(|headers| {
            headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
        });
    if authorized && let Some(target) = whole.get_mut("target").and_then(Value::as_object_mut) {
        target.shift_remove("api_key_env");
    }
    serde_json::from_value(whole)
        .map_err(|error| PlanError::at("plan", format!("cannot be laid over: {error}")))
}

/// Whether the plan says something at that path.
pub(super) fn says(plan: &config::Config, path: &str) -> bool {
    at(&written(plan), path).is_some()
}

/// What of the plan was written: the settings that are empty or not there are left out.
fn written(plan: &config::Config) -> Value {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    super::config::prune(&mut value);
    value
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Settings that a combination does not have of its own, and what there is instead.
const NEVER: &[(&str, &str)] = &[
    ("model", "write model at the top of the batch"),
    ("tokenizer", "write tokenizer at the top of the batch"),
    ("seed", "write seed at the top of the batch"),
    ("target.url", "write base_url at the top of the batch"),
    ("target.api", "write backend at the top of the batch, for example backend: openai-chat"),
    ("target.api_key_env", "write api_key_env at the top of the batch"),
    ("load.points", "write them as points at the top of the batch"),
    (
        "load.pause",
        "write pause at the top of the batch: a combination has one load, and no pause within it",
    ),
    (
        "output.dir",
        "write results_dir at the top of the batch: runs are kept in the folder of their results",
    ),
    ("output.name", "runs are kept under the names of their combinations; results_dir says where"),
    ("output.timestamp", "the folder of the batch bears its time"),
    (
        "output.vllm.save",
        "every combination's result is saved in the folder of the batch; results_dir says where",
    ),
];

type Said = fn(&Config) -> bool;

/// Settings that the batch may say itself, and how it does.
const TWICE: &[(&str, &str, Said)] = &[
    ("load.warmup", "warmup", |config| config.warmup.is_some()),
    ("output.vllm.goodput", "slo", |config| !config.slo.is_empty()),
    ("output.vllm.metadata", "metadata", |config| !config.metadata.is_empty()),
    ("prompts.dataset", "dataset", |config| config.dataset.is_some()),
    ("prompts.path", "dataset_path", |config| config.dataset_path.is_some()),
    ("prompts.text", "dataset", |config| config.dataset.is_some()),
    ("prompts.text_file", "dataset", |config| config.dataset.is_some()),
    ("prompts.args.input_len", "input_output", |config| config.input_output.is_some()),
    ("prompts.args.output_len", "input_output", |config| config.input_output.is_some()),
    ("generation.max_tokens", "input_output", |config| config.input_output.is_some()),
    ("generation.extra", "extra_body", |config| !config.extra_body.is_empty()),
    ("telemetry.server_metrics", "server_metrics", |config| !config.server_metrics.is_empty()),
    ("telemetry.server_logs", "server_log", |config| !config.server_log.is_empty()),
    ("telemetry.gpu_metrics", "gpu_metrics", |config| !config.gpu_metrics.is_empty()),
];
