//! The console's text at the end of a run, and of `performance_summary.txt`: the report that evalscope's documents show, and why it
//! is as it is.
//!
//! Deliberately finds no words of its own for failures, notes and the verdict: they are the same in every dialect.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tokometer_metrics::catalog::{
    ACHIEVED_RATE, DURATION, E2E, LATENESS_P99, Metric, OUTPUT_THROUGHPUT, OUTPUT_TOKENS,
    REQUEST_THROUGHPUT, SCHEDULED_E2E, SCHEDULED_RATE, SCHEDULED_TTFT, TPOT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::verdict::Verdict;
use tokometer_record::Header;

use super::recommend;
use super::wording::{shown, tone};
use crate::grid::{Column, Row, Tone, facts, heavy, panel};
use crate::notes::{self, About, Note};
use crate::number::{ABSENT, fixed, plural, share, shortest};
use crate::prose::paragraph;
use crate::{Style, failing, findings, label, trust};

/// The console's text at the end of a run, whose folder is shown as `folder`: "Performance Test Summary Report" with what was found,
/// its tables, why requests failed, the best configuration, recommendations, the verdict, and whether points of the plan are missing.
pub fn run_text(header: &Header, points: &[PointSummary], folder: &str, style: Style) -> String {
    let found = match points {
        [only] => findings::in_a_word(only, folder, style),
        _ => findings::of_run(points, folder, style),
    };
    let mut points: Vec<&PointSummary> = points.iter().collect();
    points.sort_by(|a, b| by_load(a, b));
    let measured: Vec<&PointSummary> =
        points.iter().copied().filter(|summary| summary.counts.measured > 0).collect();

    let mut text = panel("Performance Test Summary Report");
    if !found.is_empty() {
        text.push('\n');
        text.push_str(&found);
    }
    text.push_str("\nBasic Information:\n");
    text.push_str(&basic_information(header, &points, folder));
    if measured.is_empty() {
        text.push_str("\nNo request ended: there is nothing to report.\n");
    } else {
        text.push_str("\n\n");
        text.push_str(&overview(&measured, style));
        text.push_str(&from_the_other_moment(&measured, style));
    }
    for block in [
        failing::of_points(header, &points, style),
        recommend::best(&measured),
        recommend::recommendations(&measured),
        notes(header, &points),
        trust::of_points(&points, style),
        missing(header, &points),
    ] {
        if !block.is_empty() {
            text.push('\n');
            text.push_str(&block);
        }
    }
    text
}

fn by_load(a: &PointSummary, b: &PointSummary) -> Ordering {
    let ((places, rate), (other_places, other_rate)) =
        (label::weight(&a.point), label::weight(&b.point));
    places
        .cmp(&other_places)
        .then(rate.total_cmp(&other_rate))
        .then(a.point.index.cmp(&b.point.index))
}

fn basic_information(header: &Header, points: &[&PointSummary], folder: &str) -> String {
    let generated: f64 = points
        .iter()
        .filter_map(|summary| summary.distribution(&OUTPUT_TOKENS))
        .map(|tokens| tokens.mean * tokens.n as f64)
        .sum();
    let seconds: f64 = points.iter().filter_map(|summary| summary.figure(&DURATION)).sum();
    let rate = if seconds > 0.0 {
        format!("{} tokens/sec", fixed(generated / seconds, 2))
    } else {
        ABSENT.to_owned()
    };
    let mut rows = vec![("Model", header.model.clone())];
    rows.extend(header.alias.clone().map(|alias| ("Alias", alias)));
    rows.extend([
        ("Test Dataset", header.dataset.clone()),
        ("API Type", header.api.clone()),
        ("Endpoint", header.url.clone()),
        ("Tokenizer", header.tokenizer.clone()),
        ("Began", header.began.clone()),
        ("Total Generated", plural(generated.round() as u64, "token", "tokens")),
        ("Total Test Time", format!("{} seconds", fixed(seconds, 2))),
        ("Avg Output Rate", rate),
        ("Output Path", folder.to_owned()),
    ]);
    facts(&rows)
}

/// The table of the points. In open loop its latencies run from the schedule.
fn overview(points: &[&PointSummary], style: Style) -> String {
    let from_schedule = points.iter().any(|summary| summary.point.open_loop);
    let (latency, ttft) =
        if from_schedule { (&SCHEDULED_E2E, &SCHEDULED_TTFT) } else { (&E2E, &TTFT) };
    let title = if from_schedule {
        "Detailed Performance Metrics (latency and TTFT from schedule)"
    } else {
        "Detailed Performance Metrics"
    };
    let remarked = points.iter().any(|summary| !remark(summary).is_empty());
    let mut columns = load_columns(points);
    columns.extend(
        [
            "RPS",
            "Avg\nLat.(s)",
            "P99\nLat.(s)",
            "Gen.\ntoks/s",
            "Avg\nTTFT(s)",
            "P99\nTTFT(s)",
            "Avg\nTPOT(s)",
            "P99\nTPOT(s)",
            "Success\nRate",
        ]
        .map(Column::right),
    );
    columns.extend(remarked.then(|| Column::left("Note")));
    let rows: Vec<Row> = points
        .iter()
        .map(|summary| {
            let mut cells = load_cells(points, summary);
            cells.extend([
                shown(summary.figure(&REQUEST_THROUGHPUT), 2),
                shown(summary.mean(latency), 3),
                shown(p99(summary, latency), 3),
                shown(summary.figure(&OUTPUT_THROUGHPUT), 2),
                shown(summary.mean(ttft), 3),
                shown(p99(summary, ttft), 3),
                shown(summary.mean(&TPOT), 3),
                shown(p99(summary, &TPOT), 3),
                share(summary.counts.succeeded, summary.counts.measured),
            ]);
            cells.extend(remarked.then(|| remark(summary)));
            Row { cells, tone: tone(summary) }
        })
        .collect();
    heavy(title, &columns, &rows, style) + &unborne(points)
}

/// Where requests were paced: latencies from the moment that the table above does not start from, and how well the pace was kept.
fn from_the_other_moment(points: &[&PointSummary], style: Style) -> String {
    if points.iter().all(|summary| summary.point.rate.is_none()) {
        return String::new();
    }
    let from_start = points.iter().any(|summary| summary.point.open_loop);
    let (title, latency, ttft) = if from_start {
        ("The same from each request's own start, and how well the schedule was kept", &E2E, &TTFT)
    } else {
        (
            "The same from schedule, and how well the schedule was kept",
            &SCHEDULED_E2E,
            &SCHEDULED_TTFT,
        )
    };
    let mut columns = load_columns(points);
    columns.extend(
        [
            "Avg\nLat.(s)",
            "P99\nLat.(s)",
            "Avg\nTTFT(s)",
            "P99\nTTFT(s)",
            "Scheduled\nreq/s",
            "Achieved\nreq/s",
            "Late start\nP99(ms)",
        ]
        .map(Column::right),
    );
    let rows: Vec<Row> = points
        .iter()
        .map(|summary| {
            let mut cells = load_cells(points, summary);
            cells.extend([
                shown(summary.mean(latency), 3),
                shown(p99(summary, latency), 3),
                shown(summary.mean(ttft), 3),
                shown(p99(summary, ttft), 3),
                shown(summary.figure(&SCHEDULED_RATE), 2),
                shown(summary.figure(&ACHIEVED_RATE), 2),
                shown(summary.figure(&LATENESS_P99).map(|seconds| seconds * 1e3), 2),
            ]);
            Row { cells, tone: Tone::Neutral }
        })
        .collect();
    format!("\n{}", heavy(title, &columns, &rows, style))
}

fn load_columns(points: &[&PointSummary]) -> Vec<Column<'static>> {
    let (capped, paced) = (capped(points), paced(points));
    let mut columns = Vec::new();
    columns.extend((capped || !paced).then(|| Column::right("Conc.")));
    columns.extend(paced.then(|| Column::right("Rate")));
    columns
}

fn load_cells(points: &[&PointSummary], summary: &PointSummary) -> Vec<String> {
    let (capped, paced) = (capped(points), paced(points));
    let (concurrency, rate) = (summary.point.concurrency, summary.point.rate);
    let mut cells = Vec::new();
    cells.extend((capped || !paced).then(|| concurrency.map_or("-".into(), |c| c.to_string())));
    cells.extend(paced.then(|| rate.map_or("-".into(), |rate| shortest(rate, 2))));
    cells
}

fn capped(points: &[&PointSummary]) -> bool {
    points.iter().any(|summary| summary.point.concurrency.is_some())
}

fn paced(points: &[&PointSummary]) -> bool {
    points.iter().any(|summary| summary.point.rate.is_some())
}

fn p99(summary: &PointSummary, metric: &Metric) -> Option<f64> {
    summary.distribution(metric)?.nearest_rank(Percentile::P99)
}

/// What speaks against a point's figures, a word a line: the table has little room, and the lines below it tell all.
fn remark(summary: &PointSummary) -> String {
    let verdict = match &summary.verdict {
        Verdict::Valid => None,
        Verdict::ClientLimited { .. } => Some("limited"),
        Verdict::NotJudged { .. } => Some("unjudged"),
    };
    let ending = (summary.ending != Ending::Complete).then_some("partial");
    verdict.into_iter().chain(ending).collect::<Vec<_>>().join("\n")
}

/// The footnote on P99s that are maxima. Empty if there are none.
fn unborne(points: &[&PointSummary]) -> String {
    let needs = Percentile::P99.needs();
    let small: Vec<String> = points
        .iter()
        .filter(|summary| 0 < summary.counts.succeeded && summary.counts.succeeded < needs)
        .map(|summary| format!("{} ({})", label::of(&summary.point), summary.counts.succeeded))
        .collect();
    if small.is_empty() {
        return String::new();
    }
    let text = format!(
        "A P99 of fewer than {needs} successful requests is simply their maximum: so at {}.",
        small.join(", ")
    );
    paragraph("* ", &text)
}

/// That points of the plan are not here. Empty if all are.
fn missing(header: &Header, points: &[&PointSummary]) -> String {
    let cut = points.iter().any(|summary| summary.ending != Ending::Complete);
    match planned(header) {
        Some(planned) if points.len() < planned => format!(
            "The run did not come to its end. Missing here: {}.\n",
            match planned {
                1 => "the one point of its plan".to_owned(),
                _ => format!("{} of the {planned} points of its plan", planned - points.len()),
            }
        ),
        None if cut || points.is_empty() => {
            "The run did not come to its end: points of its plan may be missing here.\n".to_owned()
        }
        _ => String::new(),
    }
}

/// How many points the plan had: in evalscope's arguments of a run, each has its number of requests. `None` if they do not say.
pub(crate) fn planned(header: &Header) -> Option<usize> {
    Some(header.arguments.get("number")?.as_array()?.len())
}

/// What to know of the points, each matter told once.
fn notes(header: &Header, points: &[&PointSummary]) -> String {
    let mut matters: BTreeMap<About, Vec<(&PointSummary, Note)>> = BTreeMap::new();
    for summary in points {
        for note in notes::of(header, summary) {
            matters.entry(note.about).or_default().push((summary, note));
        }
    }
    if matters.is_empty() {
        return String::new();
    }
    let mut text = String::from("Notes:\n");
    for (_, told) in matters {
        let Some((first, note)) = told.first() else { continue };
        let at = label::capital(&first.point);
        let others = &told[1..];
        let everywhere = told.len() == points.len();
        let alike = others.iter().all(|(_, other)| other.text == note.text);
        let also: Vec<String> = others.iter().map(|(other, _)| label::of(&other.point)).collect();
        text.push_str(&paragraph(
            "• ",
            &match (everywhere && alike, also.is_empty()) {
                (true, _) => note.text.clone(),
                (false, true) => format!("{at}: {}", note.text),
                (false, false) => format!("{at}: {} (Likewise at {}.)", note.text, also.join(", ")),
            },
        ));
    }
    text
}
