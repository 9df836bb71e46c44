//! The result of a point as `vllm bench serve` writes it: its keys in its order with its types, and ours behind them.
//!
//! A figure that does not apply is 0 under vLLM's key, as it would be there, and named under `not_applicable`: a reader of its files
//! does arithmetic with every value. Deliberately writes no file.

use serde_json::{Map, Value, json};
use tokometer_metrics::catalog::{
    self, FULL_DURATION, FULL_OUTPUT_THROUGHPUT, FULL_REQUEST_THROUGHPUT, FULL_TOTAL_THROUGHPUT,
    INPUT_SEQUENCES, Metric, PEAK_CONCURRENCY, PEAK_OUTPUT_THROUGHPUT, PROBE_E2E, RTFX,
    SEQUENCE_THROUGHPUT,
};
use tokometer_metrics::quantile::Percentile;

use super::case::Case;
use super::requests::{self, Lists};
use super::spreads::SPREADS;
use super::{beyond, date, ramp};

/// As the file has it: of single requests as much as was asked for.
pub(super) fn file(case: &Case<'_>) -> Map<String, Value> {
    let detailed = case.arguments.save_detailed;
    of(case, if detailed { Lists::All } else { Lists::Short })
}

/// The figures alone.
pub(super) fn figures(case: &Case<'_>) -> Map<String, Value> {
    of(case, Lists::None)
}

fn of(case: &Case<'_>, lists: Lists) -> Map<String, Value> {
    let mut result = Result { map: Map::new(), absent: Vec::new(), lists };
    asked(&mut result.map, case);
    if case.pooling() {
        pooled(&mut result, case);
    } else {
        generated(&mut result, case);
    }
    probes(&mut result.map, case);
    if let Some(events) = ramp::events(case) {
        result.put("rps_change_events", events);
    }
    counted(&mut result.map, case);
    for spread in SPREADS.iter().filter(|spread| spread.told(case)) {
        for (key, value) in spread.values(case) {
            result.figure(key, value);
        }
    }
    let mut ours = beyond::of(case, &result.absent);
    requests::put(&mut ours, &case.run, &requests::OURS, lists);
    beyond::put(&mut result.map, ours, case.arguments);
    result.map
}

/// A result in the making.
struct Result {
    map: Map<String, Value>,
    /// The keys whose value is 0 for want of one.
    absent: Vec<String>,
    lists: Lists,
}

impl Result {
    fn put(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.map.insert(key.into(), value.into());
    }

    /// A figure that may not apply.
    fn figure(&mut self, key: impl Into<String>, value: Option<f64>) {
        let key = key.into();
        if value.is_none() {
            self.absent.push(key.clone());
        }
        self.put(key, value.unwrap_or(0.0));
    }
}

fn asked(map: &mut Map<String, Value>, case: &Case<'_>) {
    let asked = case.arguments;
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("date", json!(date::of(case.told.header)));
    put("endpoint_type", json!(asked.endpoint_type));
    put("backend", json!(asked.backend));
    put("label", json!(asked.label));
    put("model_id", json!(asked.model_id));
    put("tokenizer_id", json!(asked.tokenizer_id));
    put("num_prompts", json!(asked.num_prompts));
    for (key, value) in &asked.metadata {
        put(key, json!(value));
    }
    put("request_rate", finite(asked.request_rate.unwrap_or(f64::INFINITY)));
    put("burstiness", finite(asked.burstiness));
    put("max_concurrency", json!(asked.max_concurrency));
    if let Some(asked) = &asked.ramp_up {
        put("ramp_up_strategy", json!(asked.strategy.name()));
        put("ramp_up_start_rps", ramp::rate(asked.start_rps));
        put("ramp_up_end_rps", ramp::rate(asked.end_rps));
    }
}

/// JSON has no infinity: vLLM writes `"inf"`.
pub(super) fn finite(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!("inf") }
}

fn generated(result: &mut Result, case: &Case<'_>) {
    let summary = case.told.summary;
    let figure = |metric: &Metric| summary.figure(metric);
    let [input, output] = totals(case);
    result.figure("duration", figure(&FULL_DURATION));
    result.put("completed", summary.counts.succeeded);
    result.put("failed", summary.counts.failed);
    result.put("total_input_tokens", input);
    result.put("total_output_tokens", output);
    result.figure("request_throughput", figure(&FULL_REQUEST_THROUGHPUT));
    let goodput = case.attainment.as_ref().map(|attainment| attainment.goodput.unwrap_or(0.0));
    result.put("request_goodput", json!(goodput));
    result.figure("output_throughput", figure(&FULL_OUTPUT_THROUGHPUT));
    result.figure("total_token_throughput", figure(&FULL_TOTAL_THROUGHPUT));
    requests::put(&mut result.map, &case.run, &requests::GENERATED, result.lists);
    result.figure("max_output_tokens_per_s", figure(&PEAK_OUTPUT_THROUGHPUT));
    result.put("max_concurrent_requests", figure(&PEAK_CONCURRENCY).unwrap_or(0.0) as u64);
    // Without audio there is nothing to be told: 0 is vLLM's word for it.
    result.put("rtfx", figure(&RTFX).unwrap_or(0.0));
}

fn pooled(result: &mut Result, case: &Case<'_>) {
    let summary = case.told.summary;
    let figure = |metric: &Metric| summary.figure(metric);
    let [input, _] = totals(case);
    result.figure("duration", figure(&FULL_DURATION));
    result.put("completed", summary.counts.succeeded);
    result.put("total_input_tokens", input);
    result.put("total_input_sequences", figure(&INPUT_SEQUENCES).unwrap_or(0.0) as u64);
    result.figure("request_throughput", figure(&FULL_REQUEST_THROUGHPUT));
    result.figure("input_sequence_throughput", figure(&SEQUENCE_THROUGHPUT));
    result.figure("total_token_throughput", figure(&FULL_TOTAL_THROUGHPUT));
    requests::put(&mut result.map, &case.run, &requests::POOLED, result.lists);
}

/// Tokens of the successes: of their prompts, and of their outputs.
fn totals(case: &Case<'_>) -> [u64; 2] {
    let sum = |metric: &Metric| {
        let tokens = metric.values(&case.run);
        tokens.into_iter().sum::<f64>() as u64
    };
    [sum(&catalog::INPUT_TOKENS), sum(&catalog::OUTPUT_TOKENS)]
}

fn probes(map: &mut Map<String, Value>, case: &Case<'_>) {
    let counts = case.told.summary.counts;
    let Some(probes) = case.told.summary.distribution(&PROBE_E2E) else { return };
    let ms = |seconds: Option<f64>| json!(seconds.unwrap_or(0.0) * 1e3);
    map.insert("probe_completed".into(), json!(counts.probes - counts.probes_failed));
    map.insert("probe_failed".into(), json!(counts.probes_failed));
    map.insert("probe_median_e2el_ms".into(), ms(probes.linear(Percentile::P50)));
    map.insert("probe_p99_e2el_ms".into(), ms(probes.linear(Percentile::P99)));
    map.insert("probe_max_e2el_ms".into(), ms(Some(probes.max)));
}

/// What the server's counters told.
fn counted(map: &mut Map<String, Value>, case: &Case<'_>) {
    let summary = case.told.summary;
    if let Some(spec) = &summary.server.speculation {
        let mut put = |key: &str, value| map.insert(format!("spec_decode_{key}"), value);
        put("acceptance_rate", json!(spec.acceptance_rate()));
        put("acceptance_length", json!(spec.acceptance_length()));
        put("num_drafts", json!(spec.drafts));
        put("draft_tokens", json!(spec.draft_tokens));
        put("accepted_tokens", json!(spec.accepted_tokens));
        put("per_position_acceptance_rates", json!(spec.accepted_by_position));
    }
    if let Some(diffusion) = &summary.server.diffusion {
        let mut put = |key: &str, value| map.insert(format!("diffusion_{key}"), value);
        let throughput = summary.figure(&catalog::DIFFUSION_THROUGHPUT);
        put("committed_throughput", json!(throughput.unwrap_or(0.0)));
        put("steps_per_canvas", json!(diffusion.steps_per_canvas));
        put("committed_per_step", json!(diffusion.committed_per_step));
        put("committed_tokens", json!(diffusion.committed_tokens));
        put("denoising_steps", json!(diffusion.denoising_steps as u64));
        put("canvas_positions", json!(diffusion.canvas_positions));
    }
}
