//! The console's text at the end of a run, and of `performance_summary.txt`: the report that evalscope's documents show, and why it
//! is as it is.
//!
//! Deliberately recommends nothing that the failures or the verdict speak against.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tokometer_metrics::catalog::{
    ACHIEVED_RATE, DURATION, E2E, LATENESS_P99, Metric, OUTPUT_THROUGHPUT, OUTPUT_TOKENS,
    REQUEST_THROUGHPUT, SCHEDULED_E2E, SCHEDULED_RATE, SCHEDULED_TTFT, TPOT, TTFT,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_record::{FailureKind, Header};

use crate::explain::{self, About, Note};
use crate::grid::{Column, Row, Tone, facts, heavy, panel, toned};
use crate::number::{ABSENT, count, fixed, plural, share, shortest};
use crate::prose::{centred, pad, paragraph};
use crate::{Style, label};

/// The console's text at the end of a run, whose folder is shown as `folder`: "Performance Test Summary Report" with its tables,
/// why requests failed, the best configuration, recommendations, and the verdict.
pub fn run_text(header: &Header, points: &[PointSummary], folder: &str, style: Style) -> String {
    let mut points: Vec<&PointSummary> = points.iter().collect();
    points.sort_by(|a, b| by_load(a, b));
    let measured: Vec<&PointSummary> =
        points.iter().copied().filter(|summary| summary.counts.measured > 0).collect();

    let mut text = panel("Performance Test Summary Report");
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
        failures(&points, style),
        best(&measured),
        recommendations(&measured),
        notes(header, &points),
        verdict(&points, style),
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
        ("Total Generated", format!("{} tokens", count(generated.round() as u64))),
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
            cells.extend(remarked.then(|| remark(summary).to_owned()));
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

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_owned(), |value| fixed(value, digits))
}

fn p99(summary: &PointSummary, metric: &Metric) -> Option<f64> {
    summary.distribution(metric)?.nearest_rank(Percentile::P99)
}

fn tone(summary: &PointSummary) -> Tone {
    let counts = summary.counts;
    match 100 * counts.succeeded {
        succeeded if succeeded >= 95 * counts.measured => Tone::Good,
        succeeded if succeeded >= 80 * counts.measured => Tone::Fair,
        _ => Tone::Poor,
    }
}

/// What speaks most against a point's figures, in a word: the table has little room, and the lines below it tell all.
fn remark(summary: &PointSummary) -> &'static str {
    if !summary.verdict.is_valid() {
        "limited"
    } else if summary.ending != Ending::Complete {
        "partial"
    } else {
        ""
    }
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

/// Why requests failed, point by point, and what to do. Empty if none did.
fn failures(points: &[&PointSummary], style: Style) -> String {
    let failing: Vec<&&PointSummary> = points.iter().filter(|p| !p.failures.is_empty()).collect();
    if failing.is_empty() {
        return String::new();
    }
    let mut text = toned("Why requests failed:", Tone::Poor, style) + "\n";
    for summary in &failing {
        let counts = summary.counts;
        text.push_str(&format!(
            "{}: {} of {} failed ({})\n",
            label::capital(&summary.point),
            count(counts.failed),
            count(counts.measured),
            share(counts.failed, counts.measured)
        ));
        text.push_str(&explain::causes(&summary.failures));
    }
    text.push_str("What to do:\n");
    text + &explain::remedies(failing.iter().flat_map(|summary| &summary.failures))
}

/// The points with the highest throughput and with the lowest latency. Empty if nothing succeeded.
fn best(points: &[&PointSummary]) -> String {
    let served = || points.iter().copied().filter(|summary| summary.counts.succeeded > 0);
    let rps = |summary: &PointSummary| summary.figure(&REQUEST_THROUGHPUT).unwrap_or(0.0);
    let latency = |summary: &PointSummary| headline(summary).unwrap_or(f64::INFINITY);
    let highest = served().reduce(|best, next| if rps(next) > rps(best) { next } else { best });
    let lowest =
        served().reduce(|best, next| if latency(next) < latency(best) { next } else { best });
    let (Some(highest), Some(lowest)) = (highest, lowest) else { return String::new() };
    let but = |summary: &PointSummary| {
        let counts = summary.counts;
        let failed = share(counts.failed, counts.measured);
        let failed = (tone(summary) != Tone::Good).then(|| format!(", {failed} failed"));
        let limited = (!summary.verdict.is_valid()).then(|| ", client-limited".to_owned());
        let partial = (summary.ending != Ending::Complete).then(|| ", incomplete".to_owned());
        [failed, limited, partial].into_iter().flatten().collect::<String>()
    };
    let rows = [
        ("Highest RPS", highest, format!("{} req/sec", shown(Some(rps(highest)), 2))),
        ("Lowest Latency", lowest, format!("{} seconds", shown(headline(lowest), 3))),
    ];
    let title = "Best Performance Configuration";
    let mut text = format!("{}\n", centred(title, BEST_WIDTH));
    for (name, summary, figure) in rows {
        let point = label::capital(&summary.point);
        text.push_str(&format!(" {}{point} ({figure}{})\n", pad(name, BEST_NAMES), but(summary)));
    }
    text
}

/// The mean latency that users of this load feel: in open loop from the schedule.
fn headline(summary: &PointSummary) -> Option<f64> {
    summary.mean(if summary.point.open_loop { &SCHEDULED_E2E } else { &E2E })
}

fn recommendations(points: &[&PointSummary]) -> String {
    // A point that broke off, or that served nobody, has no throughput and no latency to compare.
    let comparable: Vec<&PointSummary> = points
        .iter()
        .copied()
        .filter(|summary| summary.counts.succeeded > 0 && summary.ending == Ending::Complete)
        .collect();
    let all = [throughput(&comparable), success(points), latency(&comparable)];
    let lines: Vec<String> = all.into_iter().flatten().map(|line| paragraph("• ", &line)).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("Performance Recommendations:\n{}", lines.concat())
}

/// Where the best throughput lies: evalscope's rule, unless requests failed there or the client was the limit.
fn throughput(points: &[&PointSummary]) -> Option<String> {
    let [first, .., last] = points else { return None };
    let rps = |summary: &PointSummary| summary.figure(&REQUEST_THROUGHPUT).unwrap_or(0.0);
    let highest = |best, next| if rps(next) > rps(best) { next } else { best };
    let best = points.iter().copied().reduce(highest)?;
    let at = label::of(&best.point);
    let load = if last.point.open_loop { "a higher rate" } else { "higher concurrency" };
    Some(if tone(best) != Tone::Good {
        let failed = share(best.counts.failed, best.counts.measured);
        format!(
            "Throughput is highest at {at}, but {failed} of the requests fail there: {}",
            borne_load(points)
        )
    } else if !best.verdict.is_valid() {
        format!(
            "Throughput is highest at {at}, but there the client was the limit: give it more before judging the server"
        )
    } else if std::ptr::eq(best, *last) {
        format!("The system seems not to have reached its performance bottleneck, try {load}")
    } else if std::ptr::eq(best, *first) {
        "Consider lowering the load, it may be too high for the system".to_owned()
    } else {
        format!("The optimal configuration appears to be around {at}")
    })
}

/// The heaviest load under which requests did not fail.
fn borne_load(points: &[&PointSummary]) -> String {
    match points.iter().rev().find(|summary| tone(summary) == Tone::Good) {
        Some(summary) => {
            format!("the heaviest load that the server bore is {}", label::of(&summary.point))
        }
        None => "the server bore none of these loads".to_owned(),
    }
}

/// Under which loads requests fail, and what they mostly fail of.
fn success(points: &[&PointSummary]) -> Option<String> {
    let failing: Vec<&PointSummary> =
        points.iter().copied().filter(|summary| tone(summary) != Tone::Good).collect();
    let mut kinds: BTreeMap<FailureKind, u64> = BTreeMap::new();
    for group in failing.iter().flat_map(|summary| &summary.failures) {
        *kinds.entry(group.kind).or_default() += group.count;
    }
    let (kind, _) = kinds.into_iter().rev().max_by_key(|&(_, failures)| failures)?;
    let at: Vec<String> = failing
        .iter()
        .map(|summary| {
            let counts = summary.counts;
            format!("{} ({})", label::of(&summary.point), share(counts.succeeded, counts.measured))
        })
        .collect();
    let at = at.join(", ");
    Some(format!(
        "Success rate is low at {at}, mostly for {kind}: see above what to do, or lower the load"
    ))
}

/// Whether latency grew out of proportion: evalscope's rule.
fn latency(points: &[&PointSummary]) -> Option<String> {
    let [first, .., last] = points else { return None };
    let growth = headline(last)? / headline(first).filter(|&latency| latency > 0.0)?;
    (growth > STRESS).then(|| {
        format!(
            "Latency grew {}× from {} to {}: the system may be under stress there",
            fixed(growth, 1),
            label::of(&first.point),
            label::of(&last.point)
        )
    })
}

/// What to know of the points, each matter told once.
fn notes(header: &Header, points: &[&PointSummary]) -> String {
    let mut matters: BTreeMap<About, Vec<(&PointSummary, Note)>> = BTreeMap::new();
    for summary in points {
        for note in explain::notes(header, summary) {
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

/// Whether the figures are the server's, over all points.
fn verdict(points: &[&PointSummary], style: Style) -> String {
    let measured: Vec<&PointSummary> =
        points.iter().copied().filter(|summary| summary.counts.measured > 0).collect();
    let of = plural(measured.len() as u64, "point", "points");
    match measured.as_slice() {
        [] => return "Verdict: none, for no request ended.\n".to_owned(),
        [only] => return explain::verdict(only, style),
        _ => {}
    }
    let limited: Vec<&PointSummary> =
        measured.iter().copied().filter(|summary| !summary.verdict.is_valid()).collect();
    if limited.is_empty() {
        let unknown = measured.iter().filter(|summary| summary.client.is_none()).count();
        let unknown = match unknown {
            0 => String::new(),
            n => format!(
                " At {n} of them the log has no end, so its event loop and processor are not known."
            ),
        };
        let all = if measured.len() == 2 { "both points".to_owned() } else { format!("all {of}") };
        let valid = toned("valid.", Tone::Good, style);
        return paragraph("Verdict: ", &format!("{valid} The client kept up at {all}.{unknown}"));
    }
    let heading = toned("CLIENT-LIMITED", Tone::Poor, style);
    let mut text = format!(
        "Verdict: {heading} at {} of {of}: figures there are partly the client's own, not the server's.\n",
        limited.len()
    );
    for summary in limited {
        let at = label::capital(&summary.point);
        for reason in summary.verdict.reasons() {
            text.push_str(&paragraph("  • ", &format!("{at}: {reason}: {}.", reason.advice())));
        }
    }
    text
}

/// The width over which the title of the best configuration is centred, and that of its names.
const BEST_WIDTH: usize = 60;
const BEST_NAMES: usize = 20;

/// Latency that grows by more than this from the lightest load to the heaviest is worth a word.
const STRESS: f64 = 3.0;
