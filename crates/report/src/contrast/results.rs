//! Sides from files of results: vLLM's own form with or without its lists of requests, and our `summary.json`.
//!
//! EvalScope's is read by [`crate::cases`]. What is not in a file is not known: a result without lists has no requests, and its figures
//! no intervals of their own.

use serde_json::Value;
use tokometer_metrics::catalog::{ICL, METRICS};
use tokometer_metrics::compare::{Heard, Kept, Sample, Sending};
use tokometer_metrics::course::Curve;

use super::measured::{Keep, Measured};
use super::words;
use crate::cases::Case;
use crate::compare::Outcome;

/// A result in vLLM's form.
pub fn of_result(outcome: &Outcome, keep: Keep) -> Measured {
    let case = Case::of_result(outcome);
    let text = |key: &str| outcome.field(key).and_then(Value::as_str);
    let requests = heard(outcome);
    let sending = Sending {
        most: case.concurrency.map(|most| most as usize),
        paced: case.rate.is_some(),
        duration: outcome.number("duration"),
    };
    let lengths = ["input_lens", "output_lens"].map(|key| Sample::of(&succeeded(outcome, key)?));
    let curves = match (keep, &requests) {
        (Keep::Curves, Some(requests)) => curves(requests),
        _ => Vec::new(),
    };
    Measured {
        source: outcome.source.clone(),
        copies: Vec::new(),
        api: ["endpoint_type", "backend"].iter().find_map(|key| text(key)).and_then(words::api),
        dataset: ["dataset", "dataset_name"].iter().find_map(|key| text(key)).map(str::to_owned),
        open_loop: case.concurrency.is_none() && case.rate.is_some(),
        broken_off: text("ending").filter(|ending| *ending != "complete").map(
            |ending| match ending {
                "interrupted" => "it was interrupted".to_owned(),
                _ => "its log has no end".to_owned(),
            },
        ),
        kept: requests.map(|requests| Kept::from_requests(requests, sending)),
        lengths,
        curves,
        case,
    }
}

/// The points of a `summary.json` of this program, if it is one.
pub fn of_summary(value: &Value, source: &str) -> Option<Vec<Measured>> {
    let points = value.get("points")?.as_array()?;
    value.get("program")?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let point = |point: &Value| {
        let asked = point.get("asked")?;
        let number = |key: &str| asked.get(key).and_then(Value::as_f64);
        let figures = figures(point);
        let completed = figures.get("completed").copied().filter(|completed| *completed > 0.0);
        let mean = |metric: &str| point.get("metrics")?.get(metric)?.get("mean")?.as_f64();
        let sample = |_: &str| None;
        let kind = point.get("verdict").and_then(|verdict| verdict.get("kind")?.as_str());
        let ending = point.get("ending").and_then(Value::as_str).unwrap_or("complete");
        let name = point.get("name").and_then(Value::as_str).unwrap_or_default();
        Some(Measured {
            source: format!("{source} ({name})"),
            copies: Vec::new(),
            api: text("url")
                .and_then(words::api_of_address)
                .or_else(|| text("api").and_then(words::api)),
            dataset: text("dataset").map(str::to_owned),
            open_loop: asked.get("open_loop").and_then(Value::as_bool) == Some(true),
            broken_off: (ending != "complete").then(|| format!("it is {ending}")),
            kept: None,
            lengths: [sample("input_tokens"), sample("output_tokens")],
            curves: Vec::new(),
            case: Case {
                group: text("model").unwrap_or_default().to_owned(),
                source: name.to_owned(),
                input_len: mean("input_tokens").filter(|_| completed.is_some()),
                output_len: mean("output_tokens").filter(|_| completed.is_some()),
                concurrency: number("concurrency"),
                rate: number("rate"),
                requests: number("requests"),
                client_limited: kind == Some("client_limited"),
                figures,
                ..Case::default()
            },
        })
    };
    Some(points.iter().filter_map(point).collect())
}

/// The figures of a point of our summary, by vLLM's keys and in its units.
fn figures(point: &Value) -> std::collections::BTreeMap<String, f64> {
    let mut figures = std::collections::BTreeMap::new();
    let within = |object: &str, key: &str| point.get(object)?.get(key)?.as_f64();
    let mut put = |key: &str, value: Option<f64>| {
        figures.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("completed", within("counts", "succeeded"));
    put("failed", within("counts", "failed"));
    put("cancelled", within("counts", "cancelled"));
    for (metric, key) in
        [("input_tokens", "total_input_tokens"), ("output_tokens", "total_output_tokens")]
    {
        let values = point.get("metrics").and_then(|metrics| metrics.get(metric));
        let number = |key: &str| values?.get(key)?.as_f64();
        put(key, number("mean").zip(number("n")).map(|(mean, n)| mean * n));
    }
    for (ours, key) in [
        ("full_duration", "duration"),
        ("full_request_throughput", "request_throughput"),
        ("full_output_throughput", "output_throughput"),
        ("full_total_throughput", "total_token_throughput"),
        ("success_rate", "success_rate"),
    ] {
        put(key, within("figures", ours));
    }
    for (metric, name) in [("ttft", "ttft"), ("tpot", "tpot"), (ICL.key, "itl"), ("e2e", "e2el")] {
        debug_assert!(METRICS.iter().any(|known| known.key == metric));
        let Some(values) = point.get("metrics").and_then(|metrics| metrics.get(metric)) else {
            continue;
        };
        let linear = |percent: &str| values.get("linear")?.get(percent)?.as_f64();
        for (what, seconds) in [
            ("mean", values.get("mean").and_then(Value::as_f64)),
            ("std", values.get("std").and_then(Value::as_f64)),
            ("median", linear("50%")),
            ("p90", linear("90%")),
            ("p95", linear("95%")),
            ("p99", linear("99%")),
        ] {
            put(&format!("{what}_{name}_ms"), seconds.map(|seconds| seconds * 1e3));
        }
    }
    figures
}

/// The requests of a detailed result, in the order of its lists. `None` where it has none, or does not tell which failed.
fn heard(outcome: &Outcome) -> Option<Vec<Heard>> {
    let latencies = outcome.list("latencies")?;
    let well = well(outcome, latencies.len())?;
    let list = |key: &str| outcome.list(key).filter(|list| list.len() == latencies.len());
    let (ttfts, starts) = (list("ttfts"), list("start_times"));
    let (inputs, outputs) = (list("input_lens"), list("output_lens"));
    let gaps = outcome
        .field("itls")
        .and_then(Value::as_array)
        .filter(|gaps| gaps.len() == latencies.len());
    let at = |list: &Option<Vec<f64>>, place: usize| {
        list.as_ref().map(|list| list[place]).filter(|value| value.is_finite())
    };
    let request = |place: usize| {
        let (ttft, output) = (at(&ttfts, place), at(&outputs, place));
        let e2e = Some(latencies[place]).filter(|latency| latency.is_finite());
        let several = output.filter(|tokens| *tokens > 1.0);
        let tpot = || Some((e2e? - ttft?) / (several? - 1.0));
        let own = gaps.and_then(|gaps| gaps[place].as_array()).into_iter().flatten();
        Heard {
            succeeded: well[place],
            started: at(&starts, place),
            // Of a failed request vLLM does not tell how long it took.
            stay: e2e.filter(|_| well[place]),
            ttft: ttft.filter(|ttft| *ttft > 0.0),
            tpot: tpot(),
            e2e,
            gaps: own.filter_map(Value::as_f64).collect(),
            input: at(&inputs, place),
            output,
        }
    };
    Some((0..latencies.len()).map(request).collect())
}

/// Which requests succeeded: by the errors kept; without them, only of a run in which none failed.
fn well(outcome: &Outcome, number: usize) -> Option<Vec<bool>> {
    match outcome.field("errors").and_then(Value::as_array) {
        Some(errors) if errors.len() == number => {
            Some(errors.iter().map(|error| error.as_str() == Some("")).collect())
        }
        Some(_) => None,
        None => (outcome.number("failed") == Some(0.0)).then(|| vec![true; number]),
    }
}

/// The lengths of those that succeeded.
fn succeeded(outcome: &Outcome, key: &str) -> Option<Vec<f64>> {
    let all = outcome.list(key)?;
    let well = well(outcome, all.len())?;
    Some(all.into_iter().zip(well).filter(|(_, well)| *well).map(|(length, _)| length).collect())
}

/// The distributions of requests, as those of a log.
fn curves(requests: &[Heard]) -> Vec<Curve> {
    type Of = fn(&Heard) -> Vec<f64>;
    let latencies: [(&'static str, Of); 4] = [
        ("ttft", |request| request.ttft.into_iter().collect()),
        ("tpot", |request| request.tpot.into_iter().collect()),
        (ICL.key, |request| request.gaps.clone()),
        ("e2e", |request| request.e2e.into_iter().collect()),
    ];
    let curve = |(metric, of): (&'static str, Of)| {
        let mut values: Vec<f64> =
            requests.iter().filter(|request| request.succeeded).flat_map(of).collect();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let step = n.div_ceil(MOST_POINTS).max(1);
        let places = (0..n).filter(|place| place % step == 0 || place + 1 == n);
        let points = places.map(|place| (values[place], (place + 1) as f64 / n as f64)).collect();
        (n > 0).then_some(Curve { metric, points, n: n as u64 })
    };
    latencies.into_iter().filter_map(curve).collect()
}

/// A curve has hardly more points than this.
const MOST_POINTS: usize = 200;

/// A result that a test makes by hand.
#[cfg(test)]
pub(super) fn result(value: Value) -> Measured {
    let outcome = Outcome::of(value, "by hand").expect("a test's own result");
    of_result(&outcome, Keep::Curves)
}
