//! A run beside another: output throughput, TTFT and TPOT at the loads that both have, and what speculation gained where one of the
//! two has it.
//!
//! One run a side: of latencies it is told whether their bounds meet, and what differs from run to run is in no bound. So no
//! difference is ever called one. `bench compare` is for several runs a side.

use serde_json::{Value, json};
use tokometer_metrics::catalog::{
    INPUT_TOKENS, Metric, OUTPUT_THROUGHPUT, OUTPUT_TOKENS, TPOT, TTFT,
};
use tokometer_metrics::summary::PointSummary;

use super::{Explained, headline};
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
    for doubt in pairs.iter().filter_map(Pair::doubt) {
        text.push_str(&paragraph("! ", &doubt));
    }
    for difference in differences(run, baseline, &pairs) {
        text.push_str(&paragraph("! ", &format!("The two differ in more: {difference}.")));
    }
    text.push_str(&paragraph(
        "• ",
        "One run a side: what differs from run to run is not in the bounds, and two runs of one server differ, too. Several runs a side \
         are compared by `tokometer bench compare`.",
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
                    let both = json!({
                        "baseline": base,
                        "this": this,
                        "ratio": ratio(base, this),
                        "bounds_overlap": pair.bounds_overlap(figure),
                    });
                    Some((figure.metric.key.to_owned(), both))
                })
                .collect();
            json!({
                "index": pair.this.point.index,
                "name": pair.this.point.name,
                "baseline_index": pair.base.point.index,
                "baseline_name": pair.base.point.name,
                "verdicts": {
                    "baseline": pair.base.verdict.key(),
                    "this": pair.this.verdict.key(),
                },
                "figures": figures,
                "speculation_gained": pair.gain().map(|gain| json!({
                    "with_speculation": if gain.here { "this" } else { "baseline" },
                    "output_throughput": gain.throughput,
                    "tpot": gain.tpot,
                    "pays": gain.pays(),
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

/// The points of a run without the findings that the baseline proves wrong: that speculation brings little, where its throughput is
/// that much higher than without, and nothing else is known to differ.
pub(super) fn borne_out(run: &Explained<'_>, baseline: &Explained<'_>) -> Vec<PointSummary> {
    let (pairs, _) = matched(run.points, baseline.points);
    let alike = differences(run, baseline, &pairs).is_empty();
    let pays = |summary: &PointSummary| {
        pairs.iter().filter(|pair| pair.this.point.index == summary.point.index).any(|pair| {
            alike && pair.gain().is_some_and(|gain| gain.here && gain.pays() == Some(true))
        })
    };
    let mut points = run.points.to_vec();
    for summary in points.iter_mut().filter(|summary| pays(summary)) {
        summary.findings.retain(|finding| finding.rule != "speculation_not_paying");
    }
    points
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
        let verdict = |summary| headline::verdict(summary).replace('\n', ", ");
        if !rows.is_empty() {
            let says = if self.is_limited() { "not the servers' alone" } else { "" };
            rows.push(vec![
                String::new(),
                "Verdict".to_owned(),
                verdict(self.base),
                verdict(self.this),
                String::new(),
                says.to_owned(),
            ]);
        }
        rows
    }

    /// Whether the client did not keep up in either.
    fn is_limited(&self) -> bool {
        self.base.verdict.is_client_limited() || self.this.verdict.is_client_limited()
    }

    /// What speaks against holding the two against each other at all.
    fn doubt(&self) -> Option<String> {
        let limited = |summary: &PointSummary| summary.verdict.is_client_limited();
        let whose = match (limited(self.base), limited(self.this)) {
            (false, false) => return None,
            (true, false) => "the baseline is",
            (false, true) => "this run is",
            (true, true) => "both are",
        };
        let at = label::of(&self.this.point);
        Some(format!(
            "At {at} {whose} limited by the client, which did not keep up: these ratios say little of the servers."
        ))
    }

    /// Whether the bounds of a mean latency meet. `None` where either has none.
    fn bounds_overlap(&self, figure: &Figure) -> Option<bool> {
        let bounds =
            |summary: &PointSummary| summary.distribution(figure.metric)?.mean_bounds().ok();
        let (base, this) = (bounds(self.base)?, bounds(self.this)?);
        Some(base.low <= this.high && this.low <= base.high)
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
        match self.bounds_overlap(figure) {
            Some(true) => format!("{by}: bounds overlap"),
            Some(false) => format!("{by}: bounds do not overlap"),
            None if figure.metric.key == OUTPUT_THROUGHPUT.key => by,
            None => format!("{by}: no bounds to go by"),
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
        let judged = !self.is_limited() && !self.this.point.open_loop;
        Some(Gain { here, judged, throughput: of(throughput), tpot: of(tpot) })
    }
}

/// What speculation gained.
#[derive(Clone, Copy, Debug)]
struct Gain {
    /// Whether it is this run that has it, and not the baseline.
    here: bool,
    /// Whether throughput tells: of a closed loop, and where the client kept up in both.
    judged: bool,
    /// Output throughput with ÷ without.
    throughput: Option<f64>,
    /// TPOT with ÷ without.
    tpot: Option<f64>,
}

impl Gain {
    /// Whether throughput with it is higher by more than next to nothing. `None` where throughput does not tell.
    fn pays(&self) -> Option<bool> {
        self.throughput.filter(|_| self.judged).map(|ratio| ratio >= PAYS)
    }

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
        let verdict = match (with.point.open_loop, self.pays(), self.throughput) {
            (true, ..) => {
                "At a rate that is simply served throughput is the same either way: TPOT tells."
            }
            (false, Some(true), _) => {
                "It pays at this load, whatever share of the drafts is accepted."
            }
            (false, Some(false), Some(ratio)) if ratio < 1.0 => "It cost throughput at this load.",
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

/// Throughput with speculation ÷ without, from which on it pays.
const PAYS: f64 = 1.05;

/// Mean lengths are alike up to this part.
const ALIKE: f64 = 0.02;

/// The longest name in a difference, in characters.
const LONGEST: usize = 80;

/// A longer load is wrapped.
const LONGEST_LOAD: usize = 20;
