//! The steady part of a point beside the whole of it.
//!
//! Deliberately in place of nothing: the figures of the whole are what was asked for, and stand in the tables of the dialects.

use serde_json::{Value, json};
use tokometer_metrics::catalog::{E2E, OUTPUT_THROUGHPUT, REQUEST_THROUGHPUT, TPOT, TTFT};
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::{Steady, Unsteady};

use crate::grid::{Column, outline};
use crate::number::{ABSENT, count, fixed, shortest};
use crate::prose::paragraph;

/// Both as a table. Empty where there is no steady part.
pub(crate) fn beside_the_whole(summary: &PointSummary) -> String {
    summary.steady.as_ref().map_or_else(|_| String::new(), |steady| table(summary, steady))
}

/// Both as a table, or why there is none.
pub(crate) fn or_why_not(summary: &PointSummary) -> String {
    match &summary.steady {
        Ok(steady) => table(summary, steady),
        Err(why) => paragraph("", &format!("No part of it was steady: {}.", words(*why))),
    }
}

/// The steady part as data: null where there is none, and then why.
pub(crate) fn json(steady: &Result<Steady, Unsteady>) -> Value {
    match steady {
        Ok(steady) => json!({
            "from": steady.from.as_secs_f64(),
            "to": steady.to.as_secs_f64(),
            "share": steady.share,
            "requests": steady.requests,
            "ttft": steady.ttft,
            "tpot": steady.tpot,
            "e2e": steady.e2e,
            "output_throughput": steady.output_throughput,
            "request_throughput": steady.request_throughput,
            "why_not": null,
        }),
        Err(why) => json!({ "why_not": words(*why) }),
    }
}

fn table(summary: &PointSummary, steady: &Steady) -> String {
    let ms = |seconds: Option<f64>| shown(seconds.map(|seconds| seconds * 1e3), 2);
    let whole = vec![
        "the whole".to_owned(),
        count(summary.counts.succeeded),
        ms(summary.mean(&TTFT)),
        ms(summary.mean(&TPOT)),
        shown(summary.mean(&E2E), 3),
        shown(summary.figure(&OUTPUT_THROUGHPUT), 2),
        shown(summary.figure(&REQUEST_THROUGHPUT), 2),
    ];
    let part = vec![
        format!(
            "{} to {} s ({} %)",
            fixed(steady.from.as_secs_f64(), 1),
            fixed(steady.to.as_secs_f64(), 1),
            fixed(100.0 * steady.share, 0)
        ),
        count(steady.requests),
        ms(steady.ttft),
        ms(steady.tpot),
        shown(steady.e2e, 3),
        shown(Some(steady.output_throughput), 2),
        shown(Some(steady.request_throughput), 2),
    ];
    let columns = [
        Column::left("Means over"),
        Column::right("Requests"),
        Column::right("TTFT (ms)"),
        Column::right("TPOT (ms)"),
        Column::right("E2E (s)"),
        Column::right("Output (tok/s)"),
        Column::right("Requests/s"),
    ];
    "The steady part beside the whole:\n".to_owned() + &outline(&columns, &[whole, part])
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_owned(), |value| shortest(value, digits))
}

/// Why no part was steady.
const fn words(why: Unsteady) -> &'static str {
    match why {
        Unsteady::TooFew => "there were too few requests to tell",
        Unsteady::NotHeld => "the concurrency was never held for long enough",
        Unsteady::Drifting => "latencies changed in the course of it",
    }
}
