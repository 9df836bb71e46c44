//! The sweep: a line for each point, sorted by number, and the charts over all of them.

use tokometer_metrics::catalog::{
    E2E, ITL, Metric, OUTPUT_THROUGHPUT, REQUEST_THROUGHPUT, TOTAL_THROUGHPUT, TPOT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;

use super::body::Body;
use super::names::{self, Shown};
use super::study_page::Placed;
use super::table::{Cell, Column, Table};
use crate::cases::Case;
use crate::charts::{self, SWEEP_CHARTS};
use crate::grid::Tone;
use crate::number::{compact, count, share};
use crate::words::Words;

/// The table and the charts.
pub(super) fn body(places: &[Placed<'_>], others: &[Case], cases: &[Case]) -> Body {
    let charts = SWEEP_CHARTS.iter().fold(Body::new(), |body, chart| match (chart.draw)(cases) {
        Some(figure) => body.figure(charts::words(chart.title), charts::words(chart.about), figure),
        None => body,
    });
    let table = Body::new().table(table(places, others));
    if charts.is_empty() { table } else { table.part(Words::fixed("Charts", "图表"), charts) }
}

fn table(places: &[Placed<'_>], others: &[Case]) -> Table {
    let about = |name: Words, metric: &Metric| Column::right(name).about(names::definition(metric));
    let columns = vec![
        Column::left(Words::fixed("Load", "负载")),
        Column::right(Words::fixed("Requests", "请求数")),
        Column::right(Words::fixed("Success", "成功率")),
        about("req/s".into(), &REQUEST_THROUGHPUT),
        about(Words::fixed("Output (tok/s)", "输出 (tok/s)"), &OUTPUT_THROUGHPUT),
        about(Words::fixed("Total (tok/s)", "总计 (tok/s)"), &TOTAL_THROUGHPUT),
        about("TTFT (ms)".into(), &TTFT),
        about("P99 TTFT".into(), &TTFT),
        about("TPOT (ms)".into(), &TPOT),
        about("P99 TPOT".into(), &TPOT),
        about("P99 ITL".into(), &ITL),
        about("E2E (s)".into(), &E2E),
        Column::left(Words::fixed("Verdict", "判定")),
    ];
    let caption = Words::fixed(
        "Every load: means, and 99th percentiles where they are named",
        "各负载点：均值，以及标明的 P99",
    );
    Table::new(caption, columns).rows(places.iter().map(measured)).rows(others.iter().map(read))
}

fn measured(placed: &Placed<'_>) -> Vec<Cell> {
    let summary = &placed.point.summary;
    let counts = summary.counts;
    let success = Cell::new(share(counts.succeeded, counts.measured));
    let success = if counts.broken() > 0 { success.tone(Tone::Poor) } else { success };
    let (tone, word) = names::verdict(&summary.verdict);
    let verdict = Cell::new(word).tone(tone);
    let verdict = match names::ending(summary) {
        Some(ending) => verdict.below(ending),
        None => verdict,
    };
    vec![
        Cell::new(&placed.name).to(&placed.id),
        Cell::new(count(counts.measured)),
        success,
        whole(summary, &REQUEST_THROUGHPUT),
        whole(summary, &OUTPUT_THROUGHPUT),
        whole(summary, &TOTAL_THROUGHPUT),
        mean(summary, &TTFT),
        p99(summary, &TTFT),
        mean(summary, &TPOT),
        p99(summary, &TPOT),
        p99(summary, &ITL),
        mean(summary, &E2E),
        verdict,
    ]
}

fn whole(summary: &PointSummary, metric: &Metric) -> Cell {
    summary.figure(metric).map_or_else(Cell::absent, |value| Cell::new(compact(value, 2)))
}

fn mean(summary: &PointSummary, metric: &Metric) -> Cell {
    let mean = summary.mean(metric);
    mean.map_or_else(Cell::absent, |value| Cell::new(Shown::of(metric).text(value)))
}

fn p99(summary: &PointSummary, metric: &Metric) -> Cell {
    let value = summary.distribution(metric).and_then(|of| of.nearest_rank(Percentile::P99));
    value.map_or_else(Cell::absent, |value| Cell::new(Shown::of(metric).text(value)))
}

/// A result without a log: its figures under vLLM's keys, in milliseconds.
fn read(case: &Case) -> Vec<Cell> {
    let figure = |key: &str| {
        case.figure(key).map_or_else(Cell::absent, |value| Cell::new(compact(value, 2)))
    };
    let requests = |key: &str| {
        case.figure(key).map_or_else(Cell::absent, |value| Cell::new(count(value.max(0.0) as u64)))
    };
    let seconds = |key: &str| {
        case.figure(key).map_or_else(Cell::absent, |value| Cell::new(compact(value / 1e3, 3)))
    };
    let success = match (case.figure("completed"), case.figure("failed")) {
        (Some(completed), Some(failed)) => {
            Cell::new(share(completed as u64, (completed + failed) as u64))
        }
        _ => Cell::absent(),
    };
    vec![
        Cell::new(case.label()).below(crate::prose::quoted(&case.source, 80)),
        requests("completed"),
        success,
        figure("request_throughput"),
        figure("output_throughput"),
        figure("total_token_throughput"),
        figure("mean_ttft_ms"),
        figure("p99_ttft_ms"),
        figure("mean_tpot_ms"),
        figure("p99_tpot_ms"),
        figure("p99_itl_ms"),
        seconds("mean_e2el_ms"),
        Cell::new(Words::fixed("no log", "无日志")),
    ]
}
