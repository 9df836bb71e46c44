//! Whose reports are written, and whether what they are told makes sense.

use std::num::NonZeroU64;

use serde_json::{Map, Value};
use tokometer_wire::Answers;

use crate::config;
use crate::error::{PlanError, known_words};
use crate::plan::{Reporting, Save, Target, Vllm};
use crate::secret::names_a_secret;

use super::fit::utf8;

/// Whose reports are written, of so many points.
pub(super) fn resolve(
    config: Option<config::Vllm>,
    target: &Target,
    points: usize,
) -> Result<Reporting, PlanError> {
    let Some(config) = config else { return Ok(Reporting::Evalscope) };
    let api = target.api.0;
    let shown: &[&str] = match api.answers() {
        Answers::Output => &["ttft", "tpot", "itl"],
        Answers::Result => &["e2el"],
    };
    let shown = || shown.iter().map(|&name| name.to_owned()).collect();
    Ok(Reporting::Vllm(Box::new(Vllm {
        backend: config.backend.unwrap_or_else(|| api.name().to_owned()),
        model_id: config.model_id,
        tokenizer_id: config.tokenizer_id.unwrap_or(true),
        num_prompts: prompts(config.num_prompts, points)?,
        label: config.label,
        metadata: metadata(config.metadata)?,
        percentile_metrics: metrics(config.percentile_metrics.unwrap_or_else(shown))?,
        percentiles: percentiles(config.percentiles.unwrap_or_else(|| vec![99.0]))?,
        goodput: goodput(config.goodput)?,
        save: config.save.map(|config| save(config, points)).transpose()?,
        detailed: config.detailed.unwrap_or(false),
        pytorch_format: config.pytorch_format.unwrap_or(false),
        plot_timeline: config.plot_timeline.unwrap_or(false),
        timeline_itl_thresholds: thresholds(config.timeline_itl_thresholds)?,
        plot_dataset_stats: config.plot_dataset_stats.unwrap_or(false),
    })))
}

/// Every result shows them, so that none may be a secret.
fn metadata(entries: Map<String, Value>) -> Result<Vec<(String, Value)>, PlanError> {
    let entry = |(name, value): (String, Value)| {
        let setting = format!("output.vllm.metadata.{name}");
        if names_a_secret(&name) {
            let problem = format!("{name} is what secrets are called, and results show it to all");
            return Err(PlanError::at(setting, problem)
                .with_hint("leave it out; if it is no secret, give it another name"));
        }
        match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok((name, value)),
            _ => Err(PlanError::at(setting, "must be a text, a number, true or false")),
        }
    };
    entries.into_iter().map(entry).collect()
}

/// One number cannot tell of several points.
fn prompts(number: Option<NonZeroU64>, points: usize) -> Result<Option<NonZeroU64>, PlanError> {
    match points {
        0 | 1 => Ok(number),
        _ if number.is_none() => Ok(None),
        _ => Err(PlanError::at(
            "output.vllm.num_prompts",
            format!("is one number for {points} points"),
        )
        .with_hint("leave it out: each point then tells its own number of requests")),
    }
}

fn metrics(names: Vec<String>) -> Result<Vec<String>, PlanError> {
    let setting = "output.vllm.percentile_metrics";
    match names.iter().find(|name| !METRICS.contains(&name.as_str())) {
        Some(unknown) => Err(PlanError::at(setting, format!("there is no metric {unknown}"))
            .with_hint(format!("there are {}", METRICS.join(", ")))),
        None => Ok(names),
    }
}

fn percentiles(percentiles: Vec<f64>) -> Result<Vec<f64>, PlanError> {
    match percentiles.iter().find(|p| !(0.0..=100.0).contains(*p)) {
        Some(p) => Err(PlanError::at(
            "output.vllm.percentiles",
            format!("{p} is no percentile: they go from 0 to 100"),
        )
        .with_hint("for example 50, 90 and 99")),
        None => Ok(percentiles),
    }
}

fn goodput(limits: Map<String, Value>) -> Result<Vec<(String, f64)>, PlanError> {
    let limit = |(name, value): (String, Value)| {
        let setting = format!("output.vllm.goodput.{name}");
        if !LIMITED.contains(&name.as_str()) {
            let known = LIMITED.iter().copied();
            let there_are = format!("there are {}", LIMITED.join(", "));
            let hint = match METRICS.contains(&name.as_str()) {
                true => format!("a request is judged by {}", LIMITED.join(", ")),
                false if known_words(&name, known.clone()).starts_with("known") => there_are,
                false => format!("{} {there_are}", known_words(&name, known)),
            };
            return Err(
                PlanError::at(setting, format!("{name} is no metric of goodput")).with_hint(hint)
            );
        }
        match value.as_f64() {
            Some(ms) if ms >= 0.0 => Ok((name, ms)),
            _ => Err(PlanError::at(setting, "must be a number of milliseconds, not negative")
                .with_hint("for example ttft: 500")),
        }
    };
    limits.into_iter().map(limit).collect()
}

fn save(config: config::Save, points: usize) -> Result<Save, PlanError> {
    let append = config.append.unwrap_or(false);
    if config.filename.as_ref().is_some_and(String::is_empty) {
        return Err(PlanError::at("output.vllm.save.filename", "is empty")
            .with_hint("leave it out for a name made of label, rate, model and time"));
    }
    if let (Some(name), false, 2..) = (&config.filename, append, points) {
        return Err(PlanError::at(
            "output.vllm.save.filename",
            format!("{name} would hold the last of {points} points alone"),
        )
        .with_hint(
            "add append: true for all of them in one file, or leave the name out for a file each",
        ));
    }
    Ok(Save {
        dir: config.dir.map(|dir| utf8(dir, "output.vllm.save.dir")).transpose()?,
        filename: config.filename,
        append,
    })
}

fn thresholds(config: Option<[f64; 2]>) -> Result<[f64; 2], PlanError> {
    let [orange, red] = config.unwrap_or([25.0, 50.0]);
    match 0.0 <= orange && orange <= red && red.is_finite() {
        true => Ok([orange, red]),
        false => Err(PlanError::at(
            "output.vllm.timeline_itl_thresholds",
            "must be two numbers of milliseconds, the smaller one first",
        )
        .with_hint("for example [25, 50]")),
    }
}

/// The metrics that vLLM's reports know.
const METRICS: &[&str] =
    &["ttft", "tpot", "itl", "e2el", "client_queue_time", "e2el_including_client_queue"];

/// The metrics that a single request has, and a good one keeps below a limit.
const LIMITED: &[&str] = &["ttft", "tpot", "e2el"];
