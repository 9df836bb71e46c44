//! The case of a point that this program measured: its summary under vLLM's keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokometer_metrics::catalog::{
    ACHIEVED_RATE, E2E, FULL_DURATION, FULL_OUTPUT_THROUGHPUT, FULL_REQUEST_THROUGHPUT,
    FULL_TOTAL_THROUGHPUT, ICL, INPUT_TOKENS, MEAN_CONCURRENCY, Metric, OUTPUT_TOKENS,
    PEAK_CONCURRENCY, PEAK_OUTPUT_THROUGHPUT, SCHEDULED_RATE, SUCCESS_RATE, TPOT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;
use tokometer_record::{Header, Signal};

use super::{Case, asked, told};

pub(super) fn of(header: &Header, summary: &PointSummary) -> Case {
    let point = &summary.point;
    let (asked, [input, output]) = asked::of(header);
    let measured = [summary.mean(&INPUT_TOKENS), summary.mean(&OUTPUT_TOKENS)];
    let mut settings = asked::metadata(header, point);
    let gpus = told::gpus(&settings);
    let price = told::price(&settings, gpus);
    for (key, value) in [
        ("model_id", json!(header.model)),
        ("dataset", json!(header.dataset)),
        ("api", json!(header.api)),
        ("date", json!(header.began)),
        ("verdict", json!(summary.verdict.key())),
    ] {
        settings.entry(key).or_insert(value);
    }
    if let Some(alias) = &header.alias {
        settings.entry("alias").or_insert(Value::from(alias.as_str()));
    }
    Case {
        group: header.model.clone(),
        source: point.name.clone(),
        asked,
        input_len: input.or(measured[0]),
        output_len: output.or(measured[1]),
        measured,
        concurrency: point.concurrency.map(|places| places as f64),
        rate: point.rate,
        requests: Some(point.requests as f64),
        gpus,
        price,
        client_limited: summary.verdict.is_client_limited(),
        figures: figures(summary),
        settings,
    }
}

fn figures(summary: &PointSummary) -> BTreeMap<String, f64> {
    let counts = summary.counts;
    let mut figures = BTreeMap::from([
        ("completed".to_owned(), counts.succeeded as f64),
        ("failed".to_owned(), counts.failed as f64),
        ("cancelled".to_owned(), counts.cancelled as f64),
    ]);
    let mut put = |key: &str, value: Option<f64>| {
        figures.extend(value.map(|value| (key.to_owned(), value)));
    };
    for (key, metric) in WHOLE {
        put(key, summary.figure(metric));
    }
    let paced = summary.point.rate.is_some();
    put("achieved_rate", summary.figure(&ACHIEVED_RATE).filter(|_| paced));
    put("scheduled_rate", summary.figure(&SCHEDULED_RATE).filter(|_| paced));
    let total = |metric: &Metric| {
        let tokens = summary.distribution(metric)?;
        Some((tokens.mean * tokens.n as f64).round())
    };
    put("total_input_tokens", total(&INPUT_TOKENS));
    put("total_output_tokens", total(&OUTPUT_TOKENS));
    for group in &summary.failures {
        put(&format!("error_kinds.{}", group.kind), Some(group.count as f64));
    }
    server(summary, &mut put);
    for (name, metric) in LATENCIES {
        let Some(values) = summary.distribution(metric) else { continue };
        let mut put = |what: &str, seconds: Option<f64>| {
            put(&format!("{what}_{name}_ms"), seconds.map(|s| s * 1e3))
        };
        put("mean", Some(values.mean));
        put("median", values.linear(Percentile::P50));
        put("std", Some(values.std));
        put("p90", values.linear(Percentile::P90));
        put("p95", values.linear(Percentile::P95));
        put("p99", values.linear(Percentile::P99));
    }
    figures
}

/// What the service said of itself.
fn server(summary: &PointSummary, put: &mut impl FnMut(&str, Option<f64>)) {
    let side = &summary.side;
    // What was read only before or after the load says nothing of it.
    let level = |signal| side.level(signal).filter(|level| level.readings > 0);
    put("server_running_mean", level(Signal::Running).map(|level| level.mean));
    put("server_waiting_mean", level(Signal::Waiting).map(|level| level.mean));
    put("server_waiting_max", level(Signal::Waiting).map(|level| level.max));
    put("server_kv_cache_usage_mean", level(Signal::KvUsage).map(|level| level.mean));
    put("server_kv_cache_usage_max", level(Signal::KvUsage).map(|level| level.max));
    put("server_preemptions", side.growth(Signal::Preemptions));
    put("server_prefix_cache_hit_rate", side.prefix_cache.and_then(|cache| cache.hit_rate()));
}

/// Figures of the whole run, by vLLM's definitions: over the duration from the schedule's beginning.
const WHOLE: [(&str, &Metric); 8] = [
    ("duration", &FULL_DURATION),
    ("request_throughput", &FULL_REQUEST_THROUGHPUT),
    ("output_throughput", &FULL_OUTPUT_THROUGHPUT),
    ("total_token_throughput", &FULL_TOTAL_THROUGHPUT),
    ("max_output_tokens_per_s", &PEAK_OUTPUT_THROUGHPUT),
    ("max_concurrent_requests", &PEAK_CONCURRENCY),
    ("mean_concurrency", &MEAN_CONCURRENCY),
    ("success_rate", &SUCCESS_RATE),
];

/// Latencies by vLLM's names: its ITL is the gap from chunk to chunk.
const LATENCIES: [(&str, &Metric); 4] =
    [("ttft", &TTFT), ("tpot", &TPOT), ("itl", &ICL), ("e2el", &E2E)];
