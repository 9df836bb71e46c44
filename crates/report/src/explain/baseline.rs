//! A run beside another: output throughput, TTFT and TPOT at the loads that both have, and what speculation gained where one of the
//! two has it.
//!
//! One run a side: a difference of latencies is told as one only where their bounds do not meet, and what differs from run to run is
//! in no bound. `bench compare` is for several runs a side.

use serde_json::{Value, json};
use tokometer_metrics::catalog::{
    INPUT_TOKENS, Metric, OUTPUT_THROUGHPUT, OUTPUT_TOKENS, TPOT, TTFT,
};
use tokometer_metrics::summary::PointSummary;

use super::Explained;
use crate::grid::{Column, outline};
use crate::label;
use crate::number::{fixed, shortest};
use crate::prose::{paragraph, quoted, wrap};

/// Both as a table, with what must be known of them.
pub(super) fn text(run: &Explained<'_>, baseline: &Explained<'_>) -> String {
    let (pairs, alone) = matched(run.points, baseline.points);
    let mut text = paragraph("", &format!("Beside the baseline {}:", baseline.folder));
    if pairs.is_empty() {
        text.push_str("The two have no load in common: nothing can be held against each other.\n");
        return text;
    }
    let rows: Vec<Vec<String>> = pairs.iter().flat_map(Pair::rows).collect();
    text.push_str(&outline(
        &[
            Column::left("Load"),
            Column::left("Figure"),
            Column::right("Baseline"),
            Column::right("This run"),
            Column::right("Ratio"),
            Column::left("What it says"),
        ],
        &rows,
    ));
    if !alone.is_empty() {
        let loads = alone.join(", ");
        text.push_str(&paragraph("• ", &format!("Only one of the two has: {loads}.")));
    }
    for difference in differences(run, baseline, &pairs) {
        text.push_str(&paragraph("! ", &format!("The two differ in more: {difference}.")));
    }
    text.push_str(&paragraph(
        "• ",
        "One run a side: what differs from run to run is not in this. Several runs a side are compared by `tokometer bench compare`.",
    ));
    for pair in &pairs {
        text.push_str(&pair.gain().map_or_else(String::new, |gain| gain.text(pair)));
    }
    text
}

/// Both as data.
pub(super) fn data(run: &Explained<'_>, baseline: &Explained<'_>) -> Value {
    let (pairs, alone) = matched(run.points, baseline.points);
    let points: Vec<Value> = pairs
        .iter()
        .map(|pair| {
            let figures: serde_json::Map<String, Value> = FIGURES
                .iter()
                .filter_map(|figure| {
                    let [base, this] = pair.values(figure)?;
                    let both =
                        json!({ "baseline": base, "this": this, "ratio": ratio(base, this) });
                    Some((figure.metric.key.to_owned(), both))
                })
                .collect();
            json!({
                "index": pair.this.point.index,
                "name": pair.this.point.name,
                "baseline_index": pair.base.point.index,
                "baseline_name": pair.base.point.name,
                "figures": figures,
                "speculation_gained": pair.gain().map(|gain| json!({
                    "with_speculation": if gain.here { "this" } else { "baseline" },
                    "output_throughput": gain.throughput,
                    "tpot": gain.tpot,
                })),
            })
        })
        .collect();
    json!({
        "folder": baseline.folder,
        "points": points,
        "unmatched": alone,
        "differences": differences(run, baseline, &pairs),
    })
}

/// The same load in both runs.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    base: &'a PointSummary,
    this: &'a PointSummary,
}

/// A figure that is held against each other.
struct Figure {
    name: &'static str,
    metric: &'static Metric,
    scale: f64,
    of: fn(&PointSummary) -> Option<f64>,
}

const FIGURES: [Figure; 3] = [
    Figure {
        name: "Output (tok/s)",
        metric: &OUTPUT_THROUGHPUT,
        scale: 1.0,
        of: |summary| summary.figure(&OUTPUT_THROUGHPUT),
    },
    Figure { name: "TTFT (ms)", metric: &TTFT, scale: 1e3, of: |summary| summary.mean(&TTFT) },
    Figure { name: "TPOT (ms)", metric: &TPOT, scale: 1e3, of: |summary| summary.mean(&TPOT) },
];

impl Pair<'_> {
    fn rows(&self) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for figure in &FIGURES {
            let Some([base, this]) = self.values(figure) else { continue };
            let load = if rows.is_empty() {
                wrap(&label::of(&self.this.point), LONGEST_LOAD).join("\n")
            } else {
                String::new()
            };
            let ratio = ratio(base, this);
            rows.push(vec![
                load,
                figure.name.to_owned(),
                shortest(base * figure.scale, 2),
                shortest(this * figure.scale, 2),
                ratio.map_or_else(String::new, times),
                self.says(figure, ratio),
            ]);
        }
        rows
    }

    /// The figure in the baseline and in this run.
    fn values(&self, figure: &Figure) -> Option<[f64; 2]> {
        Some([(figure.of)(self.base)?, (figure.of)(self.this)?])
    }

    fn says(&self, figure: &Figure, ratio: Option<f64>) -> String {
        let Some(ratio) = ratio else { return String::new() };
        let percent = 100.0 * (ratio - 1.0);
        let by = match fixed(percent.abs(), 0).as_str() {
            "0" => return "the same".to_owned(),
            shown if percent > 0.0 => format!("{shown} % more"),
            shown => format!("{shown} % less"),
        };
        let bounds =
            |summary: &PointSummary| summary.distribution(figure.metric)?.mean_bounds().ok();
        match (bounds(self.base), bounds(self.this)) {
            (Some(base), Some(this)) if base.low <= this.high && this.low <= base.high => {
                format!("{by}: no difference shown")
            }
            (Some(_), Some(_)) => format!("{by}: more than by chance"),
            _ if figure.metric.key == OUTPUT_THROUGHPUT.key => by,
            _ => format!("{by}: too few requests to tell"),
        }
    }

    /// What speculation gained, if one of the two has it and the other has not.
    fn gain(&self) -> Option<Gain> {
        let here = match (speculates(self.base), speculates(self.this)) {
            (false, true) => true,
            (true, false) => false,
            _ => return None,
        };
        let of = |figure: &Figure| {
            let [base, this] = self.values(figure)?;
            if here { ratio(base, this) } else { ratio(this, base) }
        };
        let [throughput, _, tpot] = &FIGURES;
        Some(Gain { here, throughput: of(throughput), tpot: of(tpot) })
    }
}

/// What speculation gained.
#[derive(Clone, Copy, Debug)]
struct Gain {
    /// Whether it is this run that has it, and not the baseline.
    here: bool,
    /// Output throughput with ÷ without.
    throughput: Option<f64>,
    /// TPOT with ÷ without.
    tpot: Option<f64>,
}

impl Gain {
    fn text(&self, pair: &Pair<'_>) -> String {
        let with = if self.here { pair.this } else { pair.base };
        let ratios: Vec<String> = [("output throughput", self.throughput), ("TPOT", self.tpot)]
            .into_iter()
            .filter_map(|(name, ratio)| Some(format!("{name} {}", times(ratio?))))
            .collect();
        let side = &with.side.speculation;
        let how = side.as_ref().map_or_else(String::new, |side| {
            let rate = side.acceptance_rate.map_or_else(String::new, |rate| {
                format!(", {} % of the drafted accepted", fixed(100.0 * rate, 0))
            });
            format!(" ({} tokens a step{rate})", shortest(side.acceptance_length, 2))
        });
        let verdict = match (with.point.open_loop, self.throughput) {
            (true, _) => {
                "At a rate that is simply served throughput is the same either way: TPOT tells."
            }
            (false, Some(ratio)) if ratio < 1.0 => "It cost throughput at this load.",
            _ => "",
        };
        let whose = if self.here { "" } else { " (which the baseline has)" };
        let at = label::of(&pair.this.point);
        let ratios = ratios.join(", ");
        paragraph("", &format!("What speculation gained{whose} at {at}: {ratios}{how}. {verdict}"))
    }
}

fn speculates(summary: &PointSummary) -> bool {
    summary.side.speculation.is_some() || summary.server.speculation.is_some()
}

/// The loads that both have, each once and in this run's order, and what only one has.
fn matched<'a>(this: &'a [PointSummary], base: &'a [PointSummary]) -> (Vec<Pair<'a>>, Vec<String>) {
    let mut left: Vec<&PointSummary> = base.iter().collect();
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for this in this {
        match left.iter().position(|base| same_load(base, this)) {
            Some(at) => pairs.push(Pair { base: left.remove(at), this }),
            None => alone.push(format!("{} (this run)", label::of(&this.point))),
        }
    }
    alone.extend(left.iter().map(|base| format!("{} (the baseline)", label::of(&base.point))));
    (pairs, alone)
}

fn same_load(a: &PointSummary, b: &PointSummary) -> bool {
    let (a, b) = (&a.point, &b.point);
    a.concurrency == b.concurrency && a.rate == b.rate && a.open_loop == b.open_loop
}

/// In what else the two differ, so that the ratios are not of one cause alone.
fn differences(run: &Explained<'_>, baseline: &Explained<'_>, pairs: &[Pair<'_>]) -> Vec<String> {
    let (this, base) = (run.header, baseline.header);
    let settings = [
        ("model", &base.model, &this.model),
        ("dataset", &base.dataset, &this.dataset),
        ("API", &base.api, &this.api),
    ];
    let mut differ: Vec<String> = settings
        .into_iter()
        .filter(|(_, base, this)| base != this)
        .map(|(what, base, this)| {
            format!("{what}: {} there, {} here", quoted(base, LONGEST), quoted(this, LONGEST))
        })
        .collect();
    for (what, metric) in [("input tokens", &INPUT_TOKENS), ("output tokens", &OUTPUT_TOKENS)] {
        let apart = pairs.iter().find_map(|pair| {
            let (base, this) = (pair.base.mean(metric)?, pair.this.mean(metric)?);
            let ratio = ratio(base, this)?;
            ((ratio - 1.0).abs() > ALIKE).then(|| {
                let load = label::of(&pair.this.point);
                let (base, this) = (shortest(base, 1), shortest(this, 1));
                format!("mean {what} at {load}: {base} there, {this} here")
            })
        });
        differ.extend(apart);
    }
    differ
}

fn ratio(base: f64, this: f64) -> Option<f64> {
    (base > 0.0).then(|| this / base)
}

fn times(ratio: f64) -> String {
    format!("{}×", fixed(ratio, 2))
}

/// Mean lengths are alike up to this part.
const ALIKE: f64 = 0.02;

/// The longest name in a difference, in characters.
const LONGEST: usize = 80;

/// A longer load is wrapped.
const LONGEST_LOAD: usize = 20;
