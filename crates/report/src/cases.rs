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
use crate::number::shortest;

pub use asked::{Asked, Lengths, objectives};
pub(crate) use asked::{lengths, metadata};
pub use read::{Unreadable, read};

/// A load and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What it belongs to: cases of one group are points of one curve. The model, where nothing else tells groups apart.
    pub group: String,
    /// Where it was read: the name of a file, or of a point's folder.
    pub source: String,
    /// What was asked of prompts and outputs, as far as that is told.
    pub asked: Asked,
    /// Mean tokens of a prompt: as asked for where that is known, else as measured.
    pub input_len: Option<f64>,
    /// Mean tokens of an output: as asked for where outputs were to be of that length exactly, else as measured.
    pub output_len: Option<f64>,
    /// Mean tokens of a prompt and of an output as they were measured, over the requests that succeeded.
    pub measured: [Option<f64>; 2],
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

    /// Its short name beside others: `512x512_mc4`, `100–300x20–60_mc4`, `openqa x128_mc4`.
    pub fn label(&self) -> String {
        format!("{}_{}", self.lengths("x"), self.load())
    }

    /// Its load in short: `mc4`, `2.5rps`.
    pub fn load(&self) -> String {
        match (self.concurrency, self.rate) {
            (Some(most), _) => format!("mc{most:.0}"),
            (None, Some(rate)) => format!("{rate}rps"),
            (None, None) => "all at once".to_owned(),
        }
    }

    /// Its lengths, as they were asked for: `512×64`, `100–300×20–60`, with the dataset before them where they are not all there is
    /// to know of prompts; measured means only where nothing was asked.
    pub fn lengths(&self, times: &str) -> String {
        self.lengths_or(times, [self.input_len, self.output_len])
    }

    /// As [`Case::lengths`], with these instead where nothing was asked.
    pub(crate) fn lengths_or(&self, times: &str, [input, output]: [Option<f64>; 2]) -> String {
        let measured = |length: Option<f64>| length.map_or("?".to_owned(), |n| shortest(n, 0));
        let Asked { dataset, input: asked_input, output: asked_output } = &self.asked;
        let input = asked_input.map(Lengths::shown).or_else(|| match dataset {
            Some(_) => None,
            None => Some(measured(input)),
        });
        let output = asked_output.map(Lengths::shown).or_else(|| match dataset {
            Some(_) => None,
            None => Some(measured(output)),
        });
        let output = output.map(|output| format!("{times}{output}"));
        let lengths = [input, output].into_iter().flatten().collect::<String>();
        let parts = [dataset.as_deref().unwrap_or_default(), &lengths];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether this is of the same lengths as another: asked for alike, or, where nothing was asked, measured about alike.
    ///
    /// Measured mean lengths scatter from load to load: where one is no whole number, they are taken for one another within a tenth.
    pub fn has_lengths_of(&self, other: &Self) -> bool {
        let measured =
            || alike(self.input_len, other.input_len) && alike(self.output_len, other.output_len);
        self.asked == other.asked && (self.asked != Asked::default() || measured())
    }

    /// The measured mean lengths, of prompts and of outputs, where they are further than 5 % from what was asked for.
    pub fn beside_asked(&self) -> [Option<f64>; 2] {
        let exact = |length: Option<f64>| length.map(Lengths::exactly);
        let unnamed = self.asked.dataset.is_none();
        let told = |asked: Option<Lengths>, length: Option<f64>| {
            asked.or_else(|| exact(length).filter(|_| unnamed))
        };
        let asked =
            [told(self.asked.input, self.input_len), told(self.asked.output, self.output_len)];
        [0, 1].map(|which| {
            let (asked, measured) = asked[which].zip(self.measured[which])?;
            ((measured - asked.mean()).abs() > BESIDE * asked.mean()).then_some(measured)
        })
    }

    /// Whether some of its requests failed, and what share of those that were tried, 0 to 1.
    pub fn failed_share(&self) -> Option<f64> {
        let failed = self.figure("failed")?;
        let sent = failed + self.figure("completed")?;
        (failed > 0.0 && sent > 0.0).then(|| failed / sent)
    }

    /// Whether so many of its requests failed ([`MOST_FAILED`]) that its figures cannot be set beside others' without saying so.
    pub fn is_failing(&self) -> bool {
        self.failed_share().is_some_and(|share| share > MOST_FAILED)
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

    /// By its lengths: those that were asked for, and else those that were measured. Random tokens stand before datasets with names.
    fn by_lengths(&self, other: &Self) -> Ordering {
        let input = |case: &Self| {
            let named = case.asked.dataset.is_some();
            case.asked.input.map(Lengths::mean).or(case.input_len.filter(|_| !named))
        };
        let output = |case: &Self| {
            let named = case.asked.dataset.is_some();
            case.asked.output.map(Lengths::mean).or(case.output_len.filter(|_| !named))
        };
        let low = |case: &Self| {
            let low = |lengths: Option<Lengths>| lengths.map_or(0.0, |lengths| lengths.low);
            (low(case.asked.input), low(case.asked.output))
        };
        let ((input_low, output_low), (other_input, other_output)) = (low(self), low(other));
        self.asked
            .dataset
            .cmp(&other.asked.dataset)
            .then(number(input(self), input(other)))
            .then(number(output(self), output(other)))
            .then(input_low.total_cmp(&other_input))
            .then(output_low.total_cmp(&other_output))
    }

    /// By its load, and then by how many requests there were.
    fn by_load(&self, other: &Self) -> Ordering {
        let by = |of: fn(&Self) -> Option<f64>| number(of(self), of(other));
        by(|case| case.concurrency).then(by(|case| case.rate)).then(by(|case| case.requests))
    }
}

/// The cases by what they are, in the order in which people look for it: lengths, then concurrency, rate, and how many requests. Those
/// that are alike stay in their order.
pub fn sorted(cases: &[Case]) -> Vec<&Case> {
    by_lengths(cases).into_iter().flatten().collect()
}

/// The cases of each pair of lengths, the shortest prompts first, and those of each by their load.
pub fn by_lengths<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Vec<Vec<&'a Case>> {
    let mut sorted: Vec<&Case> = cases.into_iter().collect();
    sorted.sort_by(|a, b| a.by_lengths(b));
    let mut together: Vec<Vec<&Case>> = Vec::new();
    for case in sorted {
        match together.iter_mut().find(|cases| cases[0].has_lengths_of(case)) {
            Some(cases) => cases.push(case),
            None => together.push(vec![case]),
        }
    }
    for cases in &mut together {
        cases.sort_by(|a, b| a.by_load(b));
    }
    together
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

/// Whether two lengths are of the same kind: equal, or not both whole and nearly so.
fn alike(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            let measured = a.fract() != 0.0 || b.fract() != 0.0;
            a == b || (measured && (a - b).abs() <= NEARLY * a.max(b))
        }
        (None, None) => true,
        _ => false,
    }
}

/// How far measured mean lengths of one dataset scatter.
const NEARLY: f64 = 0.1;

/// A mean length that is further than this part of it from what was asked for is told.
const BESIDE: f64 = 0.05;

/// A case of which a greater share failed is nowhere the best without its being said.
pub const MOST_FAILED: f64 = 0.01;

#[cfg(test)]
mod tests;
