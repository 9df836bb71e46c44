//! Our own machine-readable summary of a run, `summary.json`: every figure under the key of the metric catalog, in the catalog's
//! unit, by both percentile rules.
//!
//! Deliberately holds no requests: those are in the log. Its keys are stable; [`VERSION`] rises if one changes its meaning or goes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};
use tokometer_metrics::catalog::{METRICS, Metric};
use tokometer_metrics::diagnosis;
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::verdict::{Reason, Verdict};
use tokometer_metrics::{Distribution, FailureGroup, LengthCheck, Rates, Stall, TokenSources};
use tokometer_record::Header;

use crate::notes::{self, counter};
use crate::{confidence, findings, server_side, steady};

/// The version of the form.
pub const VERSION: u32 = 1;

/// The summary of a run whose plan had so many points, where that is known.
pub fn run(header: &Header, points: &[PointSummary], planned: Option<usize>) -> Value {
    let here = planned.is_none_or(|planned| planned <= points.len());
    let complete = here && points.iter().all(|point| point.ending == Ending::Complete);
    let valid = points.iter().all(|point| point.verdict.is_valid());
    json!({
        "version": VERSION,
        "findings": findings::json(&diagnosis::of_run(points)),
        "program": header.program,
        "began": header.began,
        "dialect": header.dialect,
        "name": header.name,
        "alias": header.alias,
        "model": header.model,
        "api": header.api,
        "url": header.url,
        "dataset": header.dataset,
        "tokenizer": header.tokenizer,
        "tokens_estimated": header.tokens_estimated,
        "complete": complete,
        "valid": valid,
        "failed": points.iter().map(|point| point.counts.failed).sum::<u64>(),
        "cancelled": points.iter().map(|point| point.counts.cancelled).sum::<u64>(),
        "points_planned": planned,
        "points": points.iter().map(|summary| point(header, summary)).collect::<Vec<_>>(),
    })
}

fn point(header: &Header, summary: &PointSummary) -> Value {
    let asked = &summary.point;
    let counts = summary.counts;
    let metrics: Map<String, Value> = METRICS
        .iter()
        .filter_map(|metric| {
            let values = distribution(metric, summary.distribution(metric)?);
            Some((metric.key.to_owned(), values))
        })
        .collect();
    let figures: Map<String, Value> = METRICS
        .iter()
        .filter_map(|metric| Some((metric.key.to_owned(), json!(summary.figure(metric)?))))
        .collect();
    let notes: Vec<String> = notes::of(header, summary).into_iter().map(|note| note.text).collect();
    json!({
        "index": asked.index,
        "name": asked.name,
        "findings": findings::json(&summary.findings),
        "asked": {
            "requests": asked.requests,
            "warmup": asked.warmup,
            "concurrency": asked.concurrency,
            "rate": asked.rate,
            "open_loop": asked.open_loop,
            "duration": asked.duration,
            "seed": asked.seed,
        },
        "ending": ending(summary.ending),
        "verdict": {
            "kind": summary.verdict.key(),
            "valid": summary.verdict.is_valid(),
            "reasons": reasons(&summary.verdict),
            "doubt": doubt(&summary.verdict),
        },
        "counts": {
            "measured": counts.measured,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "cancelled": counts.cancelled,
            "streamed": counts.streamed,
            "warmup": counts.warmup,
            "warmup_failed": counts.warmup_failed,
            "connections_opened": counts.connections_opened,
            "results": counts.results,
            "probes": counts.probes,
            "probes_failed": counts.probes_failed,
        },
        "figures": figures,
        "metrics": metrics,
        "rates": {
            "overall": rates(&summary.timeline.overall),
            "last_window": rates(&summary.timeline.last_window),
            "steady": rates(&summary.timeline.steady),
        },
        "steady": steady::json(&summary.steady),
        "server_side": server_side::json(&summary.side, asked.began),
        "failures": failures(&summary.failures),
        "worst_stall": summary.stall.as_ref().map(stall),
        "tokens": token_sources(&summary.tokens),
        "itl_estimated": summary.itl_estimated,
        "prompt_check": length_check(&summary.prompt_check),
        "output_check": length_check(&summary.output_check),
        "notes": notes,
    })
}

fn distribution(metric: &Metric, values: &Distribution) -> Value {
    let ladder = |rule: &dyn Fn(Percentile) -> Option<f64>| -> Map<String, Value> {
        let rungs = Percentile::LADDER.iter();
        rungs.map(|&percentile| (percentile.to_string(), json!(rule(percentile)))).collect()
    };
    json!({
        "n": values.n,
        "mean": values.mean,
        "std": values.std,
        "min": values.min,
        "max": values.max,
        "nearest_rank": ladder(&|percentile| values.nearest_rank(percentile)),
        "linear": ladder(&|percentile| values.linear(percentile)),
        "bounds": confidence::json(metric, values),
    })
}

fn rates(rates: &Rates) -> Value {
    json!({
        "output": rates.output,
        "new_prompt": rates.new_prompt,
        "cached_prompt": rates.cached_prompt,
    })
}

/// How a point ended, in a word.
pub(crate) const fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Interrupted => "interrupted",
        Ending::Unfinished => "unfinished",
    }
}

/// Why a point is client-limited.
pub(crate) fn reasons(verdict: &Verdict) -> Value {
    let reason = |reason: &Reason| {
        json!({
            "kind": reason.key(),
            "what": reason.to_string(),
            "advice": reason.advice(),
        })
    };
    verdict.reasons().iter().map(reason).collect()
}

/// Why a point is not judged. Null where it is.
pub(crate) fn doubt(verdict: &Verdict) -> Value {
    json!(verdict.doubt().map(|doubt| doubt.to_string()))
}

fn stall(stall: &Stall) -> Value {
    let (from, to) = stall.between;
    json!({
        "length": stall.length,
        "from": from.as_secs_f64(),
        "to": to.as_secs_f64(),
        "requests_in_flight": stall.at_once,
    })
}

/// Why requests failed.
pub(crate) fn failures(groups: &[FailureGroup]) -> Value {
    let group = |group: &FailureGroup| {
        let messages: Vec<Value> = group
            .messages
            .iter()
            .map(|message| {
                json!({
                    "message": message.message,
                    "count": message.count,
                    "index": message.index,
                    "request_id": message.request_id,
                })
            })
            .collect();
        json!({
            "kind": group.kind.to_string(),
            "count": group.count,
            "message": group.messages.first().map(|message| &message.message),
            "messages": messages,
            "other_messages": group.others,
        })
    };
    groups.iter().map(group).collect()
}

/// Who counted tokens.
pub(crate) fn token_sources(tokens: &TokenSources) -> Value {
    let output: Map<String, Value> = tokens
        .output
        .iter()
        .map(|(&source, &requests)| (counter(source).to_owned(), json!(requests)))
        .collect();
    json!({
        "output": output,
        "output_uncounted": tokens.output_uncounted,
        "prompt_server": tokens.prompt_server,
        "prompt_local": tokens.prompt_local,
        "prompt_uncounted": tokens.prompt_uncounted,
        "mixed": tokens.mixed(),
        "estimated": tokens.estimated(),
    })
}

/// Lengths expected against lengths that came about.
pub(crate) fn length_check(check: &LengthCheck) -> Value {
    let examples: Vec<Value> = check
        .examples
        .iter()
        .map(|example| {
            json!({ "index": example.index, "expected": example.expected, "actual": example.actual })
        })
        .collect();
    json!({
        "compared": check.compared,
        "differing": check.differing,
        "least_difference": check.least,
        "greatest_difference": check.greatest,
        "stopped_early": check.stopped,
        "examples": examples,
    })
}

/// Writes a value as a file of JSON, indented by four as Python's `indent=4`.
pub(crate) fn write(path: &Path, value: &Value) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let formatter = PrettyFormatter::with_indent(b"    ");
    serde::Serialize::serialize(value, &mut Serializer::with_formatter(&mut out, formatter))?;
    out.write_all(b"\n")?;
    out.flush()
}
