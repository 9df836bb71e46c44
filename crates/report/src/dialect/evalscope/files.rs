//! Evalscope's files: one folder a point, and the run's summary as text.
//!
//! Always JSON: what does not apply is −1 in the summary, and named there, and absent among the percentiles. The text of the run is
//! made next door.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokometer_metrics::catalog::{
    ACHIEVED_RATE, CLIENT_CPU, CLIENT_MEMORY, E2E, ICL, ITL, LAG, LATENESS_MAX, LATENESS_P99,
    LOOP_LAG_MAX, LOOP_LAG_P99, MEAN_CONCURRENCY, Metric, PEAK_CONCURRENCY, SCHEDULED_E2E,
    SCHEDULED_TTFT, SUCCESS_RATE, TPOT, TTFAT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::{Rates, Timeline};
use tokometer_record::Header;

use super::figures::{Figures, LADDERS, OURS, Rung};
use super::run::{planned, run_text};
use crate::json::{self, failures, length_check, token_sources, write};
use crate::number::rounded;
use crate::{Style, findings, notes};

/// Writes the files of one point into its folder `dir`, which is made if it is missing: `benchmark_args.json`,
/// `benchmark_summary.json`, `benchmark_percentile.json`, `workload_throughput.json` and `workload_timeline.json`.
///
/// # Errors
/// If a file or the folder cannot be written.
pub fn write_point(dir: &Path, header: &Header, summary: &PointSummary) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let arguments = match &summary.point.arguments {
        Value::Null => &header.arguments,
        given => given,
    };
    write(&dir.join("benchmark_args.json"), arguments)?;
    write(&dir.join("benchmark_summary.json"), &benchmark_summary(header, summary))?;
    write(&dir.join("benchmark_percentile.json"), &benchmark_percentile(summary))?;
    write(&dir.join("workload_throughput.json"), &workload_throughput(&summary.timeline))?;
    write(&dir.join("workload_timeline.json"), &workload_timeline(&summary.timeline))
}

/// Writes the files of the whole run into its folder `dir`: `performance_summary.txt`, and our own `summary.json`.
///
/// # Errors
/// If a file or the folder cannot be written.
pub fn write_run(dir: &Path, header: &Header, points: &[PointSummary]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let text = run_text(header, points, &dir.display().to_string(), Style::Plain);
    fs::write(dir.join("performance_summary.txt"), text)?;
    write(&dir.join("summary.json"), &json::run(header, points, planned(header)))
}

fn benchmark_summary(header: &Header, summary: &PointSummary) -> Value {
    let figures = Figures::of(summary);
    let counts = summary.counts;
    let mut inapplicable = Vec::new();
    let mut applied = |key: &'static str, value: Option<f64>| {
        let shown = value.unwrap_or_else(|| {
            inapplicable.push(key);
            -1.0
        });
        (key.to_owned(), json!(shown))
    };
    let concurrency = figures.concurrency.map_or(json!(-1), |places| json!(places));
    let plain = |key: &str, value: Value| (key.to_owned(), value);
    let mut map: Map<String, Value> = Map::from_iter([
        applied("Test Duration (s)", figures.duration),
        plain("Concurrency", concurrency),
        plain("Request Rate (req/s)", json!(figures.rate.unwrap_or(-1.0))),
        plain("Total Requests", json!(counts.measured)),
        plain("Success Requests", json!(counts.succeeded)),
        plain("Failed Requests", json!(counts.failed)),
        plain("Stream Requests", json!(counts.streamed)),
        plain("Non-Stream Requests", json!(counts.measured - counts.streamed)),
        applied("Req Throughput (req/s)", figures.request_throughput),
        applied("Avg Latency (s)", figures.latency),
        applied("Avg Input Tokens", figures.input_tokens),
    ]);
    let generation = [
        applied("Output Throughput (tok/s)", figures.output_throughput),
        applied("Total Throughput (tok/s)", figures.total_throughput),
        applied("Avg TTFT (ms)", figures.ttft_ms),
        applied("Avg TPOT (ms)", figures.tpot_ms),
        applied("Avg ITL (ms)", figures.itl_ms),
        applied("Avg Output Tokens", figures.output_tokens),
        applied("Input Throughput (tok/s)", figures.input_throughput),
    ];
    if !inapplicable.is_empty() {
        map.insert("Not Applicable Metrics".into(), json!(inapplicable));
    }
    map.extend(generation);
    let optional = [
        ("KV Cache Hit Rate (%)", figures.cache_hit_rate),
        ("Avg Decoded Tok/Iter", figures.tokens_per_chunk),
    ];
    map.extend(
        optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))),
    );
    map.extend(our_figures(summary));
    map.extend(our_judgements(header, summary));
    Value::Object(map)
}

/// Figures that evalscope has no key for. Those that do not apply are left out.
fn our_figures(summary: &PointSummary) -> Map<String, Value> {
    let mean = |metric: &Metric, scale| summary.mean(metric).map(|value| value * scale);
    let std = |metric: &Metric, scale| Some(summary.distribution(metric)?.std * scale);
    let at = |metric: &Metric, percentile, scale| {
        Some(summary.distribution(metric)?.nearest_rank(percentile)? * scale)
    };
    let p99 = |metric: &Metric, scale| at(metric, Percentile::P99, scale);
    let p99_9 = |metric: &Metric, scale| at(metric, Percentile::P99_9, scale);
    let figure = |metric: &Metric| summary.figure(metric);
    let figures = [
        ("Std Latency (s)", std(&E2E, 1.0)),
        ("Std TTFT (ms)", std(&TTFT, 1e3)),
        ("Std TPOT (ms)", std(&TPOT, 1e3)),
        ("Std ITL (ms)", std(&ICL, 1e3)),
        ("P99.9 Latency (s)", p99_9(&E2E, 1.0)),
        ("P99.9 TTFT (ms)", p99_9(&TTFT, 1e3)),
        ("P99.9 TPOT (ms)", p99_9(&TPOT, 1e3)),
        ("P99.9 ITL (ms)", p99_9(&ICL, 1e3)),
        ("Avg TTFAT (ms)", mean(&TTFAT, 1e3)),
        ("Avg ITL per token (ms)", mean(&ITL, 1e3)),
        ("Avg Scheduled Latency (s)", mean(&SCHEDULED_E2E, 1.0)),
        ("P99 Scheduled Latency (s)", p99(&SCHEDULED_E2E, 1.0)),
        ("Avg Scheduled TTFT (ms)", mean(&SCHEDULED_TTFT, 1e3)),
        ("P99 Scheduled TTFT (ms)", p99(&SCHEDULED_TTFT, 1e3)),
        ("Avg Schedule Lag (ms)", mean(&LAG, 1e3)),
        ("P99 Schedule Lag (ms)", p99(&LAG, 1e3)),
        ("Success Rate (%)", figure(&SUCCESS_RATE)),
        ("Achieved Rate (req/s)", figure(&ACHIEVED_RATE).filter(|_| summary.point.rate.is_some())),
        ("Mean Concurrency", figure(&MEAN_CONCURRENCY)),
    ];
    let mut map = numbers(figures);
    let peak = figure(&PEAK_CONCURRENCY).map(|peak| json!(peak as u64));
    map.extend(peak.map(|peak| ("Peak Concurrency".to_owned(), peak)));
    map
}

/// What stands beside the figures: how far they can be trusted, and why requests failed.
fn our_judgements(header: &Header, summary: &PointSummary) -> Map<String, Value> {
    let ms = |metric| summary.figure(metric).map(|seconds| seconds * 1e3);
    let mut client = numbers([
        (
            "CPU (s)",
            summary.client.map(|client| (client.cpu_user + client.cpu_system) as f64 / 1e9),
        ),
        ("CPU (% of one core)", summary.figure(&CLIENT_CPU)),
        ("Peak Memory (MiB)", summary.figure(&CLIENT_MEMORY).map(|bytes| bytes / MEBIBYTE)),
        ("P99 Loop Lag (ms)", ms(&LOOP_LAG_P99)),
        ("Max Loop Lag (ms)", ms(&LOOP_LAG_MAX)),
        ("P99 Late Start (ms)", ms(&LATENESS_P99)),
        ("Max Late Start (ms)", ms(&LATENESS_MAX)),
    ]);
    let workers = summary.client.map(|client| json!(client.workers));
    client.extend(workers.map(|workers| ("Workers".to_owned(), workers)));
    let notes: Vec<String> = notes::of(header, summary).into_iter().map(|note| note.text).collect();
    Map::from_iter([
        ("Findings".to_owned(), findings::json(&summary.findings)),
        ("Verdict".to_owned(), json!(summary.verdict.key())),
        ("Verdict Reasons".to_owned(), json::reasons(&summary.verdict)),
        ("Verdict Doubt".to_owned(), json::doubt(&summary.verdict)),
        ("Ending".to_owned(), json!(json::ending(summary.ending))),
        ("Cancelled Requests".to_owned(), json!(summary.counts.cancelled)),
        ("Failures".to_owned(), failures(&summary.failures)),
        ("Token Source".to_owned(), token_sources(&summary.tokens)),
        (
            "ITL per token".to_owned(),
            json!(if summary.itl_estimated { "estimated" } else { "measured" }),
        ),
        ("Prompt Length Check".to_owned(), length_check(&summary.prompt_check)),
        ("Output Length Check".to_owned(), length_check(&summary.output_check)),
        ("Connections Opened".to_owned(), json!(summary.counts.connections_opened)),
        ("Client".to_owned(), Value::Object(client)),
        ("Notes".to_owned(), json!(notes)),
    ])
}

/// The figures that are there, rounded as evalscope rounds.
fn numbers<const N: usize>(figures: [(&str, Option<f64>); N]) -> Map<String, Value> {
    figures
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(rounded(value?, 4)))))
        .collect()
}

fn benchmark_percentile(summary: &PointSummary) -> Value {
    let row = |rung: Rung| {
        let label = ("Percentiles".to_owned(), json!(rung.label()));
        let values = LADDERS
            .iter()
            .chain(&OURS)
            .filter_map(|ladder| Some((ladder.name.to_owned(), json!(ladder.at(rung, summary)?))));
        Value::Object(std::iter::once(label).chain(values).collect())
    };
    Rung::FILE.map(row).into_iter().collect()
}

fn workload_throughput(timeline: &Timeline) -> Value {
    let row = |metric: &str, rate: fn(&Rates) -> f64| {
        json!({
            "metric": metric,
            "overall": rate(&timeline.overall),
            "last_window": rate(&timeline.last_window),
            "steady_state": rate(&timeline.steady),
        })
    };
    json!({
        "n_samples": timeline.points.len(),
        "wall_time_s": rounded(timeline.length, 4),
        "last_window_s": Timeline::LAST_SECONDS,
        "warmup_frac": Timeline::RAMP,
        "rows": [
            row("Total Prompt tok/s", Rates::total_prompt),
            row("New Prompt tok/s", |rates| rates.new_prompt),
            row("Cached Prompt tok/s", |rates| rates.cached_prompt),
            row("Completion tok/s", |rates| rates.output),
        ],
    })
}

fn workload_timeline(timeline: &Timeline) -> Value {
    let points: Vec<Value> = timeline
        .points
        .iter()
        .map(|point| {
            json!({
                "t": rounded(point.at, 6),
                "cum_completion": point.output,
                "cum_new_prompt": point.new_prompt,
                "cum_cached_prompt": point.cached_prompt,
            })
        })
        .collect();
    json!({ "wall_start": timeline.begin.as_secs_f64(), "points": points })
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;
