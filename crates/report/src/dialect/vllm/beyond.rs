//! What the result has beyond vLLM's keys, behind them: what was found, how it can be trusted, what the service said of itself, why
//! requests failed, and who counted.
//!
//! A key that the user's metadata has taken is not overwritten: ours is then `tokometer_` and its name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokometer_metrics::catalog::{
    ACHIEVED_RATE, CACHE_HIT_RATE, LAG, LATENESS_MAX, LATENESS_P99, PREFIX_CACHE_HIT_RATE,
    SCHEDULED_RATE,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;

use super::Arguments;
use super::case::Case;
use super::notes;
use super::spreads::E2EL;
use crate::json::{doubt, ending, failures, reasons, token_sources};
use crate::{findings, server_side, steady};

/// Puts our keys behind vLLM's.
pub(super) fn put(map: &mut Map<String, Value>, ours: Map<String, Value>, asked: &Arguments) {
    let taken = |key: &str| asked.metadata.iter().any(|(metadata, _)| metadata == key);
    for (key, value) in ours {
        if taken(&key) {
            map.insert(format!("tokometer_{key}"), value);
        } else if !map.contains_key(&key) {
            map.insert(key, value);
        }
    }
}

/// Our keys. `absent` are the keys of vLLM that are 0 for want of a value.
pub(super) fn of(case: &Case<'_>, absent: &[String]) -> Map<String, Value> {
    let mut ours = Map::new();
    latencies(&mut ours, case);
    let summary = case.told.summary;
    let mut put = |key: &str, value: Value| ours.insert(key.to_owned(), value);
    put("findings", findings::json(&summary.findings));
    put("server_side", server_side::brief_json(&summary.side));
    put("steady", steady::json(&summary.steady));
    put("failed", json!(summary.counts.failed));
    put("cancelled", json!(summary.counts.cancelled));
    let counts = summary.counts;
    if counts.probes > 0 {
        put("probe_completed", json!(counts.probes - counts.probes_failed));
        put("probe_failed", json!(counts.probes_failed));
    }
    put("not_applicable", json!(absent));
    put("error_kinds", error_kinds(summary));
    put("error_messages", failures(&summary.failures));
    put("http_status", statuses(case));
    put("token_source", token_sources(&summary.tokens));
    put("prefix_cache_hit_rate", json!(hit_rate(summary)));
    put("server_restarted", json!(summary.server.restarted));
    put("slo_attainment", attainment(case));
    put("schedule_lag_ms", schedule_lag(summary));
    put("scheduled_rate", json!(summary.figure(&SCHEDULED_RATE)));
    put("achieved_rate", json!(summary.figure(&ACHIEVED_RATE)));
    put("ending", json!(ending(summary.ending)));
    put("verdict", verdict(summary));
    put("notes", notes(case));
    put("tokometer_version", json!(case.told.header.program));
    ours
}

/// The share of prompt tokens that the server found in its prefix cache, in per cent: by its counters, or else by its usage.
pub(super) fn hit_rate(summary: &PointSummary) -> Option<f64> {
    summary.figure(&PREFIX_CACHE_HIT_RATE).or_else(|| summary.figure(&CACHE_HIT_RATE))
}

/// End-to-end latency, where vLLM's own keys for it were not asked for.
fn latencies(ours: &mut Map<String, Value>, case: &Case<'_>) {
    if !E2EL.told(case) {
        ours.extend(E2EL.values(case).into_iter().map(|(key, value)| (key, json!(value))));
    }
}

fn error_kinds(summary: &PointSummary) -> Value {
    let kind =
        |group: &tokometer_metrics::FailureGroup| (group.kind.to_string(), json!(group.count));
    Value::Object(summary.failures.iter().map(kind).collect())
}

/// How many requests were answered with each status: `none` where no answer began.
fn statuses(case: &Case<'_>) -> Value {
    let mut counts: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for record in &case.run.measured {
        *counts.entry(record.status).or_default() += 1;
    }
    let key = |status: Option<u16>| status.map_or("none".to_owned(), |status| status.to_string());
    Value::Object(counts.into_iter().map(|(status, n)| (key(status), json!(n))).collect())
}

fn attainment(case: &Case<'_>) -> Value {
    let Some(attainment) = &case.attainment else { return Value::Null };
    let each = attainment.each.iter().map(|(objective, kept)| {
        json!({
            "metric": objective.target.name(),
            "at_most_ms": objective.at_most * 1e3,
            "met": kept,
        })
    });
    json!({
        "share": attainment.share(),
        "met": attainment.good,
        "sent": attainment.sent,
        "each": each.collect::<Vec<_>>(),
    })
}

fn schedule_lag(summary: &PointSummary) -> Value {
    let ms = |seconds: Option<f64>| json!(seconds.map(|seconds| seconds * 1e3));
    let lag = summary.distribution(&LAG);
    json!({
        "mean": ms(lag.map(|lag| lag.mean)),
        "p99": ms(lag.and_then(|lag| lag.linear(Percentile::P99))),
        "max": ms(lag.map(|lag| lag.max)),
        "client_p99": ms(summary.figure(&LATENESS_P99)),
        "client_max": ms(summary.figure(&LATENESS_MAX)),
    })
}

fn verdict(summary: &PointSummary) -> Value {
    json!({
        "kind": summary.verdict.key(),
        "valid": summary.verdict.is_valid(),
        "reasons": reasons(&summary.verdict),
        "doubt": doubt(&summary.verdict),
    })
}

fn notes(case: &Case<'_>) -> Value {
    json!(notes::of(case).into_iter().map(|note| note.text).collect::<Vec<_>>())
}
