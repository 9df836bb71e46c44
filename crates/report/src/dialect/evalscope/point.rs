//! The console's text at the end of a point: what was found, evalscope's two tables, then what they leave out.
//!
//! Deliberately no wider than 120 columns, the width that evalscope takes.

use tokometer_metrics::catalog::{
    ACHIEVED_RATE, CLIENT_CPU, CLIENT_MEMORY, LATENESS_P99, LOOP_LAG_MAX, LOOP_LAG_P99,
    PEAK_CONCURRENCY, SCHEDULED_E2E, SCHEDULED_TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_record::Header;

use super::figures::{Figures, LADDERS, Ladder, Rung, SCHEDULED};
use crate::grid::{Column, outline};
use crate::number::{ABSENT, compact, count, plural, shortest};
use crate::prose::paragraph;
use crate::{Style, failing, findings, notes, server_side, steady, trust};

/// The console's text at the end of a point: what was found, "Benchmarking summary", "Percentile results", the steady part, the
/// service's own side, why requests failed, what else to know, and the verdict.
pub fn point_text(header: &Header, summary: &PointSummary, style: Style) -> String {
    let mut text = findings::of_point(summary, style);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str("Benchmarking summary:\n");
    text.push_str(&outline(
        &[Column::left("Metric"), Column::right("Value")],
        &summary_rows(summary),
    ));
    if summary.counts.succeeded > 0 {
        text.push_str("\nPercentile results:\n");
        text.push_str(&percentiles(summary));
        text.push_str(&unborne(summary));
    }
    for block in [
        steady::beside_the_whole(summary),
        server_side::brief(summary),
        failing::of_point(header, summary, style),
        notes(header, summary),
        trust::of_point(summary, style),
    ] {
        if !block.is_empty() {
            text.push('\n');
            text.push_str(&block);
        }
    }
    text
}

fn summary_rows(summary: &PointSummary) -> Vec<Vec<String>> {
    let figures = Figures::of(summary);
    let counts = summary.counts;
    let ms = |metric| summary.figure(metric).map(|seconds| seconds * 1e3);
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let shown =
        |value: Option<f64>, digits| value.map_or(ABSENT.to_owned(), |v| shortest(v, digits));

    row("── General ──", String::new());
    row("Test Duration (s)", shown(figures.duration, 2));
    row("Concurrency", figures.concurrency.map_or("-".to_owned(), |places| places.to_string()));
    row("Request Rate (req/s)", figures.rate.map_or("-".to_owned(), |rate| shortest(rate, 2)));
    let [total, succeeded, failed] = [counts.measured, counts.succeeded, counts.failed].map(count);
    row("Total / Success / Failed", format!("{total} / {succeeded} / {failed}"));
    if summary.ending != Ending::Complete {
        row(
            "Incomplete: ended / asked for",
            format!("{} / {}", count(counts.tried()), count(summary.point.requests)),
        );
    }
    if counts.cancelled > 0 {
        row("Failed: cancelled by the user", count(counts.cancelled));
    }
    let whole = counts.measured - counts.streamed;
    if whole > 0 && counts.streamed > 0 {
        row("Stream / Non-Stream", format!("{} / {}", count(counts.streamed), count(whole)));
    }
    row("Req Throughput (req/s)", shown(figures.request_throughput, 2));

    row("── Latency ──", String::new());
    if summary.point.rate.is_some() {
        row("Avg Scheduled Latency (s)", shown(summary.mean(&SCHEDULED_E2E), 3));
        row("Avg Scheduled TTFT (ms)", shown(summary.mean(&SCHEDULED_TTFT).map(|s| s * 1e3), 2));
    }
    row("Avg Latency (s)", shown(figures.latency, 3));
    row("Avg TTFT (ms)", shown(figures.ttft_ms, 2));
    row("Avg TPOT (ms)", shown(figures.tpot_ms, 2));
    row("Avg ITL (ms)", shown(figures.itl_ms, 2));

    row("── Tokens ──", String::new());
    row("Avg Input Tokens", shown(figures.input_tokens, 1));
    row("Avg Output Tokens", shown(figures.output_tokens, 1));
    row("Output Throughput (tok/s)", shown(figures.output_throughput, 2));
    row("Total Throughput (tok/s)", shown(figures.total_throughput, 2));
    if counts.succeeded > 0 {
        row("Steady Output, drop 20% (tok/s)", shortest(summary.timeline.steady.output, 2));
    }
    if let Some(rate) = figures.cache_hit_rate {
        row("KV Cache Hit Rate (%)", shortest(rate, 1));
    }
    if let Some(tokens) = figures.tokens_per_chunk {
        row("Avg Decoded Tok/Iter", shortest(tokens, 2));
    }

    row("── Client ──", String::new());
    row("Peak Concurrency", shown(summary.figure(&PEAK_CONCURRENCY), 0));
    if summary.point.rate.is_some() {
        row("Achieved Rate (req/s)", shown(summary.figure(&ACHIEVED_RATE), 2));
    }
    row("Late Start p99 (ms)", shown(ms(&LATENESS_P99), 2));
    match ms(&LOOP_LAG_P99) {
        None if summary.client.is_none() => row("Loop Lag max (ms)", shown(ms(&LOOP_LAG_MAX), 2)),
        p99 => row("Loop Lag p99 (ms)", shown(p99, 2)),
    }
    row("CPU (% of one core)", shown(summary.figure(&CLIENT_CPU), 0));
    row("Peak Memory (MiB)", shown(summary.figure(&CLIENT_MEMORY).map(|b| b / MEBIBYTE), 0));
    rows
}

fn percentiles(summary: &PointSummary) -> String {
    let headings: Vec<String> = Rung::console()
        .map(|rung| match rung {
            Rung::At(percentile) if !borne(summary, percentile) => format!("{}*", rung.label()),
            _ => rung.label(),
        })
        .collect();
    let columns: Vec<Column<'_>> = std::iter::once(Column::left("Metric"))
        .chain(headings.iter().map(|heading| Column::right(heading)))
        .collect();
    let scheduled = if summary.point.rate.is_some() { SCHEDULED.as_slice() } else { &[] };
    let rows: Vec<Vec<String>> =
        scheduled.iter().chain(&LADDERS).map(|ladder| percentile_row(ladder, summary)).collect();
    outline(&columns, &rows)
}

fn percentile_row(ladder: &Ladder, summary: &PointSummary) -> Vec<String> {
    let values = Rung::console().map(|rung| {
        let decimals = if rung == Rung::Std { ladder.decimals.max(1) } else { ladder.decimals };
        let value = ladder.at(rung, summary);
        value.map_or(ABSENT.to_owned(), |value| compact(value, decimals))
    });
    std::iter::once(ladder.name.to_owned()).chain(values).collect()
}

/// Whether there are enough successes for the percentile of one value each.
fn borne(summary: &PointSummary, percentile: Percentile) -> bool {
    summary.counts.succeeded >= percentile.needs()
}

/// The footnote on percentiles that the number of requests does not bear. Empty if it bears all.
fn unborne(summary: &PointSummary) -> String {
    let marked: Vec<Percentile> = Rung::console()
        .filter_map(|rung| match rung {
            Rung::At(percentile) => Some(percentile),
            Rung::Min | Rung::Max | Rung::Std => None,
        })
        .filter(|&percentile| !borne(summary, percentile))
        .collect();
    if marked.is_empty() {
        return String::new();
    }
    let needs: Vec<String> = marked
        .iter()
        .map(|percentile| format!("{percentile} takes {}", count(percentile.needs())))
        .collect();
    let successes = plural(summary.counts.succeeded, "request", "requests");
    paragraph("* ", &format!("Of {successes} this is simply the maximum: {}.", needs.join(", ")))
}

fn notes(header: &Header, summary: &PointSummary) -> String {
    let notes = notes::of(header, summary);
    notes.iter().map(|note| paragraph("• ", &note.text)).collect()
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;
