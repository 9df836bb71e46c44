//! What a run came to: a line for each point.
//!
//! Deliberately few figures: the run's own reports have the rest.

use tokometer_metrics::catalog::{E2E, OUTPUT_THROUGHPUT, REQUEST_THROUGHPUT, TPOT, TTFT};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_metrics::verdict::Verdict;

use crate::grid::{Column, outline};
use crate::label;
use crate::number::{ABSENT, count, share, shortest};
use crate::prose::wrap;

/// A line for each point.
pub(super) fn table(points: &[PointSummary]) -> String {
    let columns = [
        Column::left("Load"),
        Column::right("Requests"),
        Column::right("Success"),
        Column::right("Requests/s"),
        Column::right("Output\n(tok/s)"),
        Column::right("TTFT\n(ms)"),
        Column::right("P99 TTFT\n(ms)"),
        Column::right("TPOT\n(ms)"),
        Column::right("E2E\n(s)"),
        Column::left("Verdict"),
    ];
    let rows: Vec<Vec<String>> = points.iter().map(row).collect();
    outline(&columns, &rows)
}

fn row(summary: &PointSummary) -> Vec<String> {
    let counts = summary.counts;
    let ms = |seconds: Option<f64>| shown(seconds.map(|seconds| seconds * 1e3), 1);
    let p99 = summary.distribution(&TTFT).and_then(|ttft| ttft.nearest_rank(Percentile::P99));
    vec![
        wrap(&label::of(&summary.point), LONGEST_LOAD).join("\n"),
        count(counts.measured),
        share(counts.succeeded, counts.measured),
        shown(summary.figure(&REQUEST_THROUGHPUT), 2),
        shown(summary.figure(&OUTPUT_THROUGHPUT), 1),
        ms(summary.mean(&TTFT)),
        ms(p99),
        ms(summary.mean(&TPOT)),
        shown(summary.mean(&E2E), 3),
        verdict(summary),
    ]
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_owned(), |value| shortest(value, digits))
}

/// The verdict on the client in a word, and on another line whether the point came to its end.
pub(super) fn verdict(summary: &PointSummary) -> String {
    let verdict = match &summary.verdict {
        Verdict::Valid => "valid",
        Verdict::ClientLimited { .. } => "CLIENT-LIMITED",
        Verdict::NotJudged { .. } => "not judged",
    };
    let ending = if summary.ending == Ending::Complete { "" } else { "\nincomplete" };
    format!("{verdict}{ending}")
}

/// A longer load is wrapped.
const LONGEST_LOAD: usize = 20;
