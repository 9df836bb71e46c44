//! The figures of a point while it runs, for `benchmark.log`: evalscope's running summary, with its keys.
//!
//! Only sums are kept; what is summed is defined in `tokometer_metrics`, as everywhere.

use std::fmt;

use serde_json::{Map, Value, json};
use tokometer_metrics::Window;
use tokometer_metrics::catalog::{E2E, ICL, INPUT_TOKENS, Metric, OUTPUT_TOKENS, Of, TPOT, TTFT};
use tokometer_record::{Phase, Point, Record};

/// The figures so far.
#[derive(Debug)]
pub(super) struct SoFar {
    concurrency: Value,
    rate: Value,
    succeeded: u64,
    failed: u64,
    streamed: u64,
    window: Window,
    sums: Vec<Sum>,
}

/// The sum of a metric's values, and under which key and in which unit evalscope shows their mean.
#[derive(Debug)]
struct Sum {
    key: &'static str,
    metric: &'static Metric,
    scale: f64,
    total: f64,
    values: u64,
}

impl SoFar {
    /// Nothing so far.
    pub(super) fn new(point: &Point) -> Self {
        let sum = |&(key, metric, scale)| Sum { key, metric, scale, total: 0.0, values: 0 };
        Self {
            concurrency: point.concurrency.map_or(json!(-1), |n| json!(n)),
            rate: json!(point.rate.unwrap_or(-1.0)),
            succeeded: 0,
            failed: 0,
            streamed: 0,
            window: Window::default(),
            sums: MEANS.iter().map(sum).collect(),
        }
    }

    /// How many requests it sums up: the warm-up does not count.
    pub(super) const fn requests(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// Adds a request that ended.
    pub(super) fn add(&mut self, record: &Record) {
        if record.phase != Phase::Measured {
            return;
        }
        self.window.add(record);
        self.streamed += u64::from(record.streamed);
        if !record.succeeded() {
            self.failed += 1;
            return;
        }
        self.succeeded += 1;
        for sum in &mut self.sums {
            sum.add(record);
        }
    }

    fn total(&self, metric: &Metric) -> f64 {
        self.sums.iter().find(|sum| sum.metric.key == metric.key).map_or(0.0, |sum| sum.total)
    }
}

impl Sum {
    fn add(&mut self, record: &Record) {
        let mut values = Vec::new();
        match self.metric.of {
            Of::Request(value) => values.extend(value(record)),
            Of::Gaps(gaps) => gaps(record, &mut values),
            Of::Waiting(_) | Of::Run(_) => {}
        }
        self.total += values.iter().sum::<f64>();
        self.values += values.len() as u64;
    }
}

impl fmt::Display for SoFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.window.duration();
        let per_second =
            |total: f64| seconds.map_or(Value::Null, |seconds| rounded(total / seconds));
        let (input, output) = (self.total(&INPUT_TOKENS), self.total(&OUTPUT_TOKENS));
        let mut shown = Map::new();
        shown.insert("Test Duration (s)".into(), rounded(seconds.unwrap_or(0.0)));
        shown.insert("Concurrency".into(), self.concurrency.clone());
        shown.insert("Request Rate (req/s)".into(), self.rate.clone());
        shown.insert("Total Requests".into(), json!(self.requests()));
        shown.insert("Success Requests".into(), json!(self.succeeded));
        shown.insert("Failed Requests".into(), json!(self.failed));
        shown.insert("Stream Requests".into(), json!(self.streamed));
        shown.insert("Non-Stream Requests".into(), json!(self.requests() - self.streamed));
        shown.insert("Req Throughput (req/s)".into(), per_second(self.succeeded as f64));
        shown.insert("Output Throughput (tok/s)".into(), per_second(output));
        shown.insert("Total Throughput (tok/s)".into(), per_second(input + output));
        for sum in self.sums.iter().filter(|sum| sum.values > 0) {
            shown.insert(sum.key.into(), rounded(sum.total / sum.values as f64 * sum.scale));
        }
        f.write_str(&serde_json::to_string_pretty(&shown).map_err(|_| fmt::Error)?)
    }
}

fn rounded(value: f64) -> Value {
    json!((value * 1e4).round() / 1e4)
}

/// What evalscope shows the mean of: its key, the metric, and from seconds to its unit.
const MEANS: &[(&str, &Metric, f64)] = &[
    ("Avg Latency (s)", &E2E, 1.0),
    ("Avg TTFT (ms)", &TTFT, 1e3),
    ("Avg TPOT (ms)", &TPOT, 1e3),
    ("Avg ITL (ms)", &ICL, 1e3),
    ("Avg Input Tokens", &INPUT_TOKENS, 1.0),
    ("Avg Output Tokens", &OUTPUT_TOKENS, 1.0),
];
