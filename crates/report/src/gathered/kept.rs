//! A run as its own `summary.json` tells it, and its points as results under vLLM's keys.
//!
//! Reads only what a table or a history says: not the log, which may be large. Where there is no such file, because the run was killed,
//! it is made of the log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokometer_metrics::catalog::{
    CLIENT_QUEUE_TIME, E2E, FULL_DURATION, FULL_OUTPUT_THROUGHPUT, FULL_REQUEST_THROUGHPUT,
    FULL_TOTAL_THROUGHPUT, ICL, INPUT_TOKENS, Metric, OUTPUT_TOKENS, PEAK_CONCURRENCY,
    PEAK_OUTPUT_THROUGHPUT, PREFIX_CACHE_HIT_RATE, TPOT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{PointSummary, summarize};
use tokometer_record::{Header, Line, LogError, Point, Points};

use super::moment;
use crate::{cases, json};

/// A run.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    pub(super) program: String,
    /// The wall clock at its beginning, RFC 3339 with the local offset.
    pub(super) began: String,
    #[serde(default)]
    pub(super) dialect: String,
    pub(super) model: String,
    #[serde(default)]
    pub(super) api: String,
    #[serde(default)]
    pub(super) tokenizer: String,
    #[serde(default)]
    pub(super) complete: bool,
    #[serde(default)]
    pub(super) findings: Vec<Found>,
    pub(super) points: Vec<KeptPoint>,
}

/// A finding, in short.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    pub(super) what: String,
}

/// A point of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct KeptPoint {
    pub(super) name: String,
    pub(super) asked: Asked,
    pub(super) ending: String,
    pub(super) verdict: Judged,
    pub(super) counts: Counted,
    figures: BTreeMap<String, Option<f64>>,
    metrics: BTreeMap<String, Spread>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Asked {
    requests: u64,
    concurrency: Option<u64>,
    rate: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Judged {
    pub(super) kind: String,
    valid: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Counted {
    pub(super) measured: u64,
    pub(super) succeeded: u64,
    failed: u64,
    cancelled: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Spread {
    n: u64,
    mean: Option<f64>,
    std: Option<f64>,
    linear: BTreeMap<String, Option<f64>>,
}

/// The run in a folder.
///
/// # Errors
/// In words, if neither its `summary.json` nor its log can be read.
pub(super) fn read(folder: &Path) -> Result<Kept, String> {
    match File::open(folder.join(SUMMARY)) {
        Ok(file) => from(BufReader::new(file)),
        Err(_) => of_log(folder),
    }
}

/// The run as its `summary.json` tells it, and nothing where there is none: what is quick however large the log is.
pub(super) fn read_summary(folder: &Path) -> Option<Result<Kept, String>> {
    let file = File::open(folder.join(SUMMARY)).ok()?;
    Some(from(BufReader::new(file)))
}

fn from(text: impl Read) -> Result<Kept, String> {
    serde_json::from_reader(text).map_err(|error| format!("its {SUMMARY} cannot be read: {error}"))
}

fn of_log(folder: &Path) -> Result<Kept, String> {
    let words = |error: LogError| error.to_string();
    let mut points = Points::open(&folder.join(LOG)).map_err(words)?;
    let summaries = points.by_ref().map(|point| Ok(summarize(&point?)));
    let summaries: Vec<PointSummary> = summaries.collect::<Result<_, _>>().map_err(words)?;
    // How many points there were to be is not needed here: a run without an end is not complete whatever it has.
    let value = json::run(points.header(), &summaries, None);
    let mut kept: Kept = serde_json::from_value(value).map_err(|error| error.to_string())?;
    kept.complete = points.end().is_some_and(|end| end.complete);
    Ok(kept)
}

/// The first line of a run's log: what it was.
///
/// # Errors
/// In words, if there is none that can be read.
pub(super) fn header(folder: &Path) -> Result<Header, String> {
    tokometer_record::header(&folder.join(LOG)).map_err(|error| error.to_string())
}

/// Whether the last line of a run's log says that the run has ended. Reads no more than the log's last bytes.
pub(super) fn has_ended(folder: &Path) -> bool {
    let Ok(mut file) = File::open(folder.join(LOG)) else { return false };
    let Ok(length) = file.seek(SeekFrom::End(0)) else { return false };
    let mut tail = Vec::new();
    let read = file
        .seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .and_then(|_| file.read_to_end(&mut tail));
    let mut lines = tail.trim_ascii_end().rsplit(|byte| *byte == b'\n');
    let last = lines.next().unwrap_or_default();
    read.is_ok() && matches!(serde_json::from_slice(last), Ok(Line::End(_)))
}

impl Kept {
    /// The result of a point under vLLM's keys, in vLLM's order. Lengths are those that were asked for where the run's header tells
    /// them, else the means that were measured.
    pub(super) fn result(&self, point: &KeptPoint, header: Option<&Header>) -> Map<String, Value> {
        let [input, output] = header.map_or([None; 2], cases::lengths);
        let metadata = header.map(|header| cases::metadata(header, &Point::default()));
        let mut result = Map::new();
        let mut put = |key: &str, value: Value| result.insert(key.to_owned(), value);
        let figure = |metric: &Metric| json!(point.figure(metric));
        let counts = point.counts;
        put("date", json!(date(&self.began)));
        put("backend", json!(self.api));
        put("model_id", json!(self.model));
        put("tokenizer_id", json!(self.tokenizer));
        put("num_prompts", json!(point.asked.requests));
        for (key, value) in metadata.into_iter().flatten() {
            put(&key, value);
        }
        put("request_rate", point.asked.rate.map_or(json!("inf"), |rate| json!(rate)));
        put("max_concurrency", json!(point.asked.concurrency));
        put("duration", figure(&FULL_DURATION));
        put("completed", json!(counts.succeeded));
        put("failed", json!(counts.failed));
        put("total_input_tokens", json!(point.sum(&INPUT_TOKENS)));
        put("total_output_tokens", json!(point.sum(&OUTPUT_TOKENS)));
        put("request_throughput", figure(&FULL_REQUEST_THROUGHPUT));
        put("output_throughput", figure(&FULL_OUTPUT_THROUGHPUT));
        put("total_token_throughput", figure(&FULL_TOTAL_THROUGHPUT));
        put("max_output_tokens_per_s", figure(&PEAK_OUTPUT_THROUGHPUT));
        put(
            "max_concurrent_requests",
            json!(point.figure(&PEAK_CONCURRENCY).map(|peak| peak.round() as u64)),
        );
        for (name, metric) in SPREADS {
            let Some(spread) = point.metrics.get(metric.key) else { continue };
            let ms = |seconds: Option<f64>| json!(seconds.map(|seconds| seconds * 1e3));
            put(&format!("mean_{name}_ms"), ms(spread.mean));
            put(&format!("median_{name}_ms"), ms(spread.at(Percentile::P50)));
            put(&format!("std_{name}_ms"), ms(spread.std));
            for percentile in [Percentile::P90, Percentile::P95, Percentile::P99] {
                let key = format!("p{}_{name}_ms", percentile.percent());
                put(&key, ms(spread.at(percentile)));
            }
        }
        put("input_len", length(input.or_else(|| point.mean(&INPUT_TOKENS))));
        put("output_len", length(output.or_else(|| point.mean(&OUTPUT_TOKENS))));
        put("cancelled", json!(counts.cancelled));
        put("prefix_cache_hit_rate", figure(&PREFIX_CACHE_HIT_RATE));
        put("ending", json!(point.ending));
        put("verdict", json!({"kind": point.verdict.kind, "valid": point.verdict.valid}));
        put("tokometer_version", json!(self.program));
        result
    }
}

impl KeptPoint {
    pub(super) fn figure(&self, metric: &Metric) -> Option<f64> {
        self.figures.get(metric.key).copied().flatten()
    }

    pub(super) fn at(&self, metric: &Metric, percentile: Percentile) -> Option<f64> {
        self.metrics.get(metric.key)?.at(percentile)
    }

    fn mean(&self, metric: &Metric) -> Option<f64> {
        self.metrics.get(metric.key)?.mean
    }

    /// The sum of a metric that counts: its mean is that sum over `n`.
    fn sum(&self, metric: &Metric) -> Option<u64> {
        let spread = self.metrics.get(metric.key)?;
        Some((spread.mean? * spread.n as f64).round() as u64)
    }
}

impl Spread {
    fn at(&self, percentile: Percentile) -> Option<f64> {
        self.linear.get(&percentile.to_string()).copied().flatten()
    }
}

/// A length in tokens, without a point where it is whole.
pub(super) fn length(tokens: Option<f64>) -> Value {
    match tokens {
        Some(tokens) if tokens.fract() == 0.0 => json!(tokens as u64),
        tokens => json!(tokens),
    }
}

/// A moment as vLLM writes it: `20261122-102421`. What stands there, where that is no moment.
fn date(began: &str) -> String {
    match moment::of(began) {
        Some(moment) => moment.strftime("%Y%m%d-%H%M%S").to_string(),
        None => began.to_owned(),
    }
}

/// The latencies that vLLM tells, by its names.
const SPREADS: [(&str, &Metric); 5] = [
    ("ttft", &TTFT),
    ("tpot", &TPOT),
    ("itl", &ICL),
    ("e2el", &E2E),
    ("client_queue_time", &CLIENT_QUEUE_TIME),
];

/// More bytes than the line that ends a log has.
const TAIL: u64 = 512;

/// The name of a run's own summary.
pub(super) const SUMMARY: &str = "summary.json";

/// The name of a run's log.
pub(super) const LOG: &str = "run.jsonl";
