//! What is reported, and where: the report's flags, and the files that they ask for.

use std::num::NonZeroU64;

use serde_json::{Map, json};
use tokometer_plan::config;

use super::super::backends::Backend;
use super::super::flags::{Flags, ReportFlags};
use super::super::written;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// What the reports are told.
///
/// # Errors
/// If a value has not its form, or an objective cannot be judged with the backend.
pub(super) fn output(
    flags: &Flags,
    backend: &Backend,
    model_id: Option<String>,
    requests: NonZeroU64,
    surroundings: &mut Surroundings,
) -> Result<config::Output, Trouble> {
    let prompts = flags.load.num_prompts;
    let report = &flags.report;
    let saved = report.save_result || report.append_result;
    let thresholds = written::numbers(
        "--timeline-itl-thresholds",
        &report.timeline_itl_thresholds,
        THRESHOLDS_EXAMPLE,
    )?;
    let [orange, red] = thresholds[..] else {
        return Err(Trouble::input(format!(
            "--timeline-itl-thresholds takes two numbers, not {}",
            thresholds.len()
        ))
        .with_hint(THRESHOLDS_EXAMPLE));
    };
    let percentiles = written::numbers(
        "--metric-percentiles",
        &report.metric_percentiles,
        "for example --metric-percentiles 25,50,99",
    )?;
    let metric = report.percentile_metrics.as_deref().map(written::list);
    let entries = report.metadata.iter().enumerate().map(|(index, text)| {
        let (key, value) = written::pair("--metadata", index, text, "--metadata 'note=two words'")?;
        Ok((key, json!(value)))
    });
    let goodput: Map<_, _> =
        report.goodput.iter().map(|text| written::goodput(text)).collect::<Result<_, Trouble>>()?;
    if backend.pools() {
        let of_tokens = |name: &&String| OF_TOKENS.contains(&name.as_str());
        if let Some(name) = goodput.keys().find(of_tokens) {
            return Err(Trouble::input(format!(
                "--goodput: with --backend {} there is no {name}: nothing is generated",
                backend.name
            ))
            .with_hint("for example --goodput e2el:500"));
        }
        let names: Vec<&str> =
            metric.iter().flatten().filter(of_tokens).map(String::as_str).collect();
        if !names.is_empty() {
            surroundings.note(format!(
                "--percentile-metrics: nothing is shown for {}: {} generates nothing",
                names.join(", "),
                backend.name
            ));
        }
    }
    let told = config::Vllm {
        backend: Some(backend.name.to_owned()),
        model_id,
        tokenizer_id: Some(!flags.target.skip_tokenizer_init),
        num_prompts: (prompts != requests).then_some(prompts),
        label: report.label.clone(),
        metadata: entries.collect::<Result<Map<_, _>, Trouble>>()?,
        percentile_metrics: metric.filter(|names| !names.is_empty()),
        percentiles: Some(percentiles),
        goodput,
        save: saved.then(|| save(report)),
        detailed: Some(report.save_detailed),
        pytorch_format: Some(std::env::var_os(PYTORCH).is_some_and(|value| !value.is_empty())),
        plot_timeline: Some(report.plot_timeline),
        timeline_itl_thresholds: Some([orange, red]),
        plot_dataset_stats: Some(report.plot_dataset_stats),
    };
    Ok(config::Output {
        dir: Some(flags.own.outputs_dir.clone().into()),
        // What was answered stands in a detailed result.
        outputs: Some(saved && report.save_detailed),
        vllm: Some(told),
        ..config::Output::default()
    })
}

fn save(flags: &ReportFlags) -> config::Save {
    config::Save {
        dir: flags.result_dir.clone().map(Into::into),
        filename: flags.result_filename.clone(),
        append: Some(flags.append_result),
    }
}

const PYTORCH: &str = "SAVE_TO_PYTORCH_BENCHMARK_FORMAT";
const THRESHOLDS_EXAMPLE: &str = "for example --timeline-itl-thresholds 25,50";

/// Metrics of what is generated, token by token.
const OF_TOKENS: &[&str] = &["ttft", "tpot", "itl"];
