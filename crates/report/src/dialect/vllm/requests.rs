//! What is told of single requests: a list a key, each in the order of the requests' indices.
//!
//! A failed request has its place in every list, as in vLLM's file: no latency, no gaps, no tokens, and its error.

use serde_json::{Map, Value, json};
use tokometer_metrics::Run;
use tokometer_metrics::catalog::{E2E, ICL, Metric, Of, TTFT};
use tokometer_record::Record;

/// A list of one value a request.
#[derive(Debug)]
pub(super) struct List {
    key: &'static str,
    /// The fewest lists among which it is.
    among: Lists,
    of: fn(&Run<'_>, &Record) -> Value,
}

/// Which lists are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lists {
    /// None of them.
    None,
    /// Those of every file.
    Short,
    /// Those of the detailed file.
    All,
}

const fn list(key: &'static str, among: Lists, of: fn(&Run<'_>, &Record) -> Value) -> List {
    List { key, among, of }
}

/// vLLM's lists for APIs that generate.
pub(super) const GENERATED: [List; 9] = [
    INPUT_LENS,
    list("output_lens", Lists::All, |_, record| json!(output_len(record))),
    list("ttfts", Lists::All, |_, record| seconds(value(&TTFT, record))),
    list("itls", Lists::All, |_, record| json!(gaps(record))),
    LATENCIES,
    list("start_times", Lists::All, |_, record| json!(record.started.as_secs_f64())),
    QUEUE_TIMES,
    list("generated_texts", Lists::All, |_, record| {
        json!(record.output.as_deref().unwrap_or_default())
    }),
    ERRORS,
];

/// vLLM's lists for APIs that answer with a result.
pub(super) const POOLED: [List; 4] = [INPUT_LENS, LATENCIES, QUEUE_TIMES, ERRORS];

/// Our own lists, in the detailed file alone.
pub(super) const OURS: [List; 2] = [
    list("http_statuses", Lists::All, |_, record| json!(record.status)),
    list("request_error_kinds", Lists::All, |_, record| {
        json!(record.failure().map(|failure| failure.kind.to_string()))
    }),
];

const INPUT_LENS: List = list("input_lens", Lists::All, |_, record| json!(input_len(record)));
const LATENCIES: List = list("latencies", Lists::Short, |_, record| seconds(value(&E2E, record)));
const QUEUE_TIMES: List = list("queue_times", Lists::Short, |run, record| {
    json!((record.started - run.waited_from(record)).as_secs_f64())
});
const ERRORS: List = list("errors", Lists::All, |_, record| {
    json!(record.failure().map_or_else(String::new, |f| format!("{}: {}", f.kind, f.message)))
});

/// Puts those of the lists that are told into a result.
pub(super) fn put(map: &mut Map<String, Value>, run: &Run<'_>, lists: &[List], told: Lists) {
    let records = in_order(run);
    for List { key, of, .. } in lists.iter().filter(|list| list.among <= told) {
        map.insert((*key).to_owned(), records.iter().map(|record| of(run, record)).collect());
    }
}

/// The measured requests by their indices.
pub(super) fn in_order<'a>(run: &Run<'a>) -> Vec<&'a Record> {
    let mut records = run.measured.clone();
    records.sort_by_key(|record| record.index);
    records
}

/// Tokens of the prompt. 0 if nobody counted them.
pub(super) fn input_len(record: &Record) -> u32 {
    record.prompt_tokens.count().unwrap_or(0)
}

/// Tokens of the output of a success. 0 if nobody counted them.
pub(super) fn output_len(record: &Record) -> u32 {
    record.output_tokens.filter(|_| record.succeeded()).map_or(0, |tokens| tokens.count)
}

/// Seconds between the chunks of a success.
pub(super) fn gaps(record: &Record) -> Vec<f64> {
    let mut values = Vec::new();
    if let (Of::Gaps(gaps), true) = (ICL.of, record.succeeded()) {
        gaps(record, &mut values);
    }
    values
}

/// What a success came to. `None` where it has no such value, and of a failure.
pub(super) fn value(metric: &Metric, record: &Record) -> Option<f64> {
    match metric.of {
        Of::Request(value) if record.succeeded() => value(record),
        _ => None,
    }
}

fn seconds(value: Option<f64>) -> Value {
    json!(value.unwrap_or(0.0))
}
