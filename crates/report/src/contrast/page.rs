//! A comparison as a page: the sentence, what must be known, a table a point, and the distributions of both sides laid over each other.

use tokometer_metrics::course::Curve;

use super::gate::Standing;
use super::judge::Row;
use super::terminal::{difference, explanations, interval, tone, verdict_words};
use super::{Contrast, Measured, Pair, words};
use crate::compare::Verdict;
use crate::figure::{
    Axes, Axis, Colour, Dash, Errors, Figure, Look, Marker, Marks, Panel, Point, Series, Size,
};
use crate::grid::Tone;
use crate::html::{Body, Cell, Column, Page, Shown, Table};
use crate::words::Words;

pub(super) fn page(contrast: &Contrast, shown: Shown) -> String {
    let [baseline, candidate] = &contrast.names;
    let verdicts = || contrast.pairs.iter().flat_map(|pair| &pair.rows).map(|row| row.verdict);
    let overall = match () {
        () if verdicts().any(|verdict| verdict == Verdict::Worse) => Tone::Poor,
        () if verdicts().any(|verdict| verdict == Verdict::Better) => Tone::Good,
        () => Tone::Neutral,
    };
    let mut page = Page::new(Words::fixed("Comparison", "对比"))
        .verdict(overall, contrast.headline())
        .about(Words::both(format!("Baseline: {baseline}"), format!("基线：{baseline}")))
        .about(Words::both(format!("Candidate: {candidate}"), format!("候选：{candidate}")))
        .section("known", Words::fixed("What to know first", "须知"), known(contrast))
        .section("conditions", Words::fixed("Conditions", "条件"), conditions(contrast));
    for (place, pair) in contrast.pairs.iter().enumerate() {
        page = page.section(format!("point-{place}"), pair.heading.clone(), of_pair(pair));
    }
    let how = explanations(contrast).into_iter().map(Words::from).collect();
    page.section("how", Words::fixed("How to read it", "如何解读"), Body::new().list(how))
        .written(shown)
}

fn known(contrast: &Contrast) -> Body {
    let mut body = Body::new();
    for objection in &contrast.objections {
        body = body.note(Tone::Poor, format!("not comparable: {}", objection.what));
    }
    let sides = [("baseline", "基线"), ("candidate", "候选")];
    for ((side, chinese), alone) in sides.into_iter().zip(&contrast.alone) {
        if !alone.is_empty() {
            let alone = alone.join("; ");
            body = body.note(
                Tone::Fair,
                Words::both(
                    format!("in the {side} only, and not compared: {alone}"),
                    format!("仅{chinese}有，未对比：{alone}"),
                ),
            );
        }
    }
    body
}

fn conditions(contrast: &Contrast) -> Body {
    let columns = vec![
        Column::left(Words::fixed("Condition", "条件")),
        Column::left(Words::fixed("Result", "结果")),
        Column::left(Words::fixed("What was found", "依据")),
    ];
    let mut table = Table::new("--fail-on", columns);
    for checked in &contrast.checked {
        for (standing, what) in checked.told() {
            let tone = match standing {
                Standing::Met => Tone::Poor,
                Standing::NotMet => Tone::Good,
                Standing::Open | Standing::Unknown => Tone::Fair,
            };
            table = table.row(vec![
                Cell::new(checked.condition.typed.clone()),
                Cell::new(standing.word()).tone(tone),
                Cell::new(what),
            ]);
        }
    }
    Body::new().table(table)
}

fn of_pair(pair: &Pair) -> Body {
    let mut body = Body::new();
    for note in &pair.notes {
        body = body.note(Tone::Fair, note.clone());
    }
    let columns = vec![
        Column::left(Words::fixed("Metric", "指标")),
        // What it comes to first: on a narrow screen the rest is out of sight.
        Column::left(Words::fixed("Verdict", "结论")),
        Column::right(Words::fixed("Difference", "差异")),
        Column::left(Words::fixed("95 % interval", "95% 置信区间")),
        Column::right(Words::fixed("Baseline", "基线")),
        Column::right(Words::fixed("Candidate", "候选")),
    ];
    let table = Table::new(pair.heading.clone(), columns).rows(pair.rows.iter().map(cells));
    body = body.table(table);
    match overlaid(pair) {
        None => body,
        Some(figure) => body.figure(
            Words::fixed("Distributions, one over the other", "分布对比 (CDF)"),
            Words::fixed(
                "How many per cent took no longer than so many milliseconds. The baseline is unbroken, the candidate dashed; each run is a line.",
                "不超过给定毫秒数的比例。实线为基线，虚线为候选；每次运行一条线。",
            ),
            figure,
        ),
    }
}

fn cells(row: &Row) -> Vec<Cell> {
    let [a, b] = row.values.map(|value| words::valued(&row.figure.key, value));
    let word = verdict_words(row.verdict);
    let mark = if row.only_on_its_own() { " ‡" } else { "" };
    let chinese = match row.verdict {
        Verdict::Better => "更好",
        Verdict::Worse => "更差",
        Verdict::Differs => "不同",
        Verdict::NoneShown => "无证据",
        Verdict::Unknown => "无法判断",
    };
    vec![
        Cell::new(words::called_in_both(&row.figure.key)),
        Cell::new(Words::both(format!("{word}{mark}"), format!("{chinese}{mark}")))
            .tone(tone(row.verdict)),
        Cell::new(difference(row)),
        Cell::new(interval(row)),
        Cell::new(a),
        Cell::new(b),
    ]
}

/// The curves of both sides, a panel a latency. `None` where neither side kept any.
fn overlaid(pair: &Pair) -> Option<Figure> {
    let panels: Vec<Panel> = CURVES
        .iter()
        .filter_map(|(metric, name)| {
            let of = |side: usize| series(&pair.sides[side], metric, side);
            let series = [of(0), of(1)].concat();
            (!series.is_empty()).then(|| Panel {
                title: (*name).into(),
                x: Axis::linear(Words::fixed("Milliseconds", "毫秒 (ms)")),
                y: Axis::linear(Words::fixed("Took no longer (%)", "累计比例 (%)")),
                marks: Marks::Series(series),
                rules: Vec::new(),
            })
        })
        .collect();
    (!panels.is_empty()).then(|| Figure {
        title: Words::default(),
        panels,
        columns: 2,
        panel: Size { width: 5.0, height: 3.4 },
        dpi: 100,
        axes: Axes::Own,
        legend: None,
    })
}

fn series(runs: &[Measured], metric: &str, side: usize) -> Vec<Series> {
    let name = [Words::fixed("Baseline", "基线"), Words::fixed("Candidate", "候选")];
    let of = |curve: &Curve| Series {
        name: Some(name[side].clone()),
        look: Look {
            colour: Colour::Kind(side),
            dash: Dash::Kind(side),
            width: 1.6,
            marker: Marker::None,
        },
        points: curve
            .points
            .iter()
            .map(|&(seconds, share)| Point {
                x: seconds * 1e3,
                y: share * 100.0,
                error: None,
                label: None,
            })
            .collect(),
        errors: Errors::Bars,
    };
    let curves = runs.iter().flat_map(|run| &run.curves).filter(|curve| is_of(curve, metric));
    curves.take(MOST_CURVES).map(of).collect()
}

/// Gaps go by the name of the chunk or of the token, whichever a log tells.
fn is_of(curve: &Curve, metric: &str) -> bool {
    curve.metric == metric || (metric == "itl" && curve.metric == "icl")
}

const CURVES: [(&str, &str); 4] =
    [("ttft", "TTFT"), ("tpot", "TPOT"), ("itl", "ITL"), ("e2e", "E2EL")];

/// No more runs of a side are drawn.
const MOST_CURVES: usize = 8;
