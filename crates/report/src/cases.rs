//! Loads and what came of them, as rows under one set of keys, whoever measured them: what tables, charts and comparisons of a sweep
//! are made of.
//!
//! The keys of figures are those of vLLM's result file (`mean_ttft_ms`, `output_throughput`), in its units, for that is the form that
//! most results in the world have; where a result of another form is read, its figures are put under these keys. What was not measured
//! has no entry: there is no 0 that stands for nothing. Beyond vLLM's keys there are:
//!
//! | key | what it is |
//! |---|---|
//! | `success_rate` | requests that succeeded ÷ requests that succeeded or failed, in per cent |
//! | `slo_attainment` | requests that kept to every objective ÷ requests sent, 0 to 1; only where objectives were set |
//! | `achieved_rate`, `scheduled_rate` | requests per second, sent and planned; only in a load that is paced |
//! | `mean_concurrency` | requests in flight on average |
//! | `error_kinds.<kind>` | failed requests of a kind |
//! | `server_running_mean`, `server_waiting_mean`, `server_waiting_max` | requests, by the service's own gauges |
//! | `server_kv_cache_usage_mean`, `server_kv_cache_usage_max` | the share of the KV cache in use, 0 to 1 |
//! | `server_preemptions`, `server_prefix_cache_hit_rate` | how often requests lost their place; hits, 0 to 1 |

mod asked;
mod evalscope;
mod fields;
mod point;
mod read;
mod told;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokometer_metrics::slo::{Attainment, Objective};
use tokometer_metrics::summary::PointSummary;
use tokometer_record::{Header, Point};

use crate::compare::{Malformed, Outcome};

pub use asked::objectives;
pub(crate) use asked::{lengths, metadata};
pub use read::{Unreadable, read};

/// A load and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What it belongs to: cases of one group are points of one curve. The model, where nothing else tells groups apart.
    pub group: String,
    /// Where it was read: the name of a file, or of a point's folder.
    pub source: String,
    /// Mean tokens of a prompt: as asked for where that is known, else as measured.
    pub input_len: Option<f64>,
    /// Mean tokens of an output: as asked for where that is known, else as measured.
    pub output_len: Option<f64>,
    /// The most requests in flight at once; `None` in open loop.
    pub concurrency: Option<f64>,
    /// Requests per second asked for; `None` without pacing.
    pub rate: Option<f64>,
    /// Requests asked for.
    pub requests: Option<f64>,
    /// GPUs that served it, where that is told (`tp`, or what was given with the run).
    pub gpus: Option<f64>,
    /// What an hour of the whole deployment costs, where that is told, with its currency.
    pub price: Option<(f64, String)>,
    /// Whether the client was the bottleneck.
    pub client_limited: bool,
    /// Figures by vLLM's keys and in its units.
    pub figures: BTreeMap<String, f64>,
    /// Everything else that the result holds, by its own keys: settings and metadata.
    pub settings: Map<String, Value>,
}

impl Case {
    /// A figure by vLLM's key.
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.figures.get(key).copied()
    }

    /// Its short name beside others: `512x512_mc4`.
    pub fn label(&self) -> String {
        let length = |length: Option<f64>| length.map_or("?".to_owned(), |n| format!("{n:.0}"));
        let load = match (self.concurrency, self.rate) {
            (Some(most), _) => format!("mc{most:.0}"),
            (None, Some(rate)) => format!("{rate}rps"),
            (None, None) => "all at once".to_owned(),
        };
        format!("{}x{}_{load}", length(self.input_len), length(self.output_len))
    }

    /// Whether some of its requests failed, and what share of those that were tried, 0 to 1.
    pub fn failed_share(&self) -> Option<f64> {
        let failed = self.figure("failed")?;
        let sent = failed + self.figure("completed")?;
        (failed > 0.0 && sent > 0.0).then(|| failed / sent)
    }

    /// The case of a point that this program measured.
    ///
    /// Lengths are those asked for where the run's plan tells them (the `random` dataset), else the means that were measured. How it
    /// kept to objectives does not stand in a summary: see [`Case::with_attainment`].
    pub fn of_point(header: &Header, summary: &PointSummary) -> Self {
        point::of(header, summary)
    }

    /// With how it kept to its [`objectives`].
    #[must_use]
    pub fn with_attainment(mut self, attainment: &Attainment) -> Self {
        self.figures.extend(attainment.share().map(|share| ("slo_attainment".to_owned(), share)));
        let goodput = attainment.goodput.map(|goodput| ("request_goodput".to_owned(), goodput));
        self.figures.extend(goodput);
        self
    }

    /// The case of a result in vLLM's form, by whoever wrote it. Where the result does not tell its lengths, the name of its file may:
    /// `bench_io512x512_mc4_np40.json`.
    pub fn of_result(outcome: &Outcome) -> Self {
        fields::of(outcome.fields(), &outcome.source)
    }

    /// The case of what EvalScope wrote of a point: its `benchmark_summary.json`, and of the same folder `benchmark_percentile.json`
    /// and `benchmark_args.json`, as far as they are there. `source` is the name of the folder.
    ///
    /// # Errors
    /// If the summary is none.
    pub fn of_evalscope(
        summary: &Value,
        percentiles: Option<&Value>,
        arguments: Option<&Value>,
        source: &str,
    ) -> Result<Self, Malformed> {
        evalscope::of(summary, percentiles, arguments, source)
    }

    /// The case of a row of a gathered table: what stands in each of its columns, by key, without its empty cells
    /// ([`Table::records`](crate::gathered::Table::records)).
    ///
    /// # Errors
    /// If the row holds no result: says what is wrong with it.
    pub fn of_row(row: &Map<String, Value>) -> Result<Self, String> {
        fields::of_row(row)
    }

    /// By what it is, in the order in which people look for it: lengths, then load, then how many requests. Names have no say.
    fn weight(&self, other: &Self) -> Ordering {
        let by = |of: fn(&Self) -> Option<f64>| number(of(self), of(other));
        by(|case| case.input_len)
            .then(by(|case| case.output_len))
            .then(by(|case| case.concurrency))
            .then(by(|case| case.rate))
            .then(by(|case| case.requests))
    }
}

/// The cases by number: prompts' length, outputs' length, concurrency, rate. Those that are alike stay in their order.
pub fn sorted(cases: &[Case]) -> Vec<&Case> {
    let mut sorted: Vec<&Case> = cases.iter().collect();
    sorted.sort_by(|a, b| a.weight(b));
    sorted
}

/// How a point of this run kept to the objectives that were set for it. `None` where none were.
pub fn attainment(
    header: &Header,
    point: &Point,
    run: &tokometer_metrics::Run<'_>,
) -> Option<Attainment> {
    let objectives: Vec<Objective> = objectives(header, point);
    (!objectives.is_empty()).then(|| Attainment::of(run, &objectives))
}

/// Ascending; what is not known comes last.
fn number(a: Option<f64>, b: Option<f64>) -> Ordering {
    let last = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
    last(a).total_cmp(&last(b))
}

#[cfg(test)]
mod tests;
