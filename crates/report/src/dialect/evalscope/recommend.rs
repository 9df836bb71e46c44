//! Which load did best, and what the points of a run together suggest: evalscope's rules.
//!
//! Deliberately recommends nothing that the failures or the verdict speak against.

use std::collections::BTreeMap;

use tokometer_metrics::catalog::{ACHIEVED_RATE, E2E, REQUEST_THROUGHPUT, SCHEDULED_E2E};
use tokometer_metrics::diagnosis::{Finding, Severity, Sureness};
use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_record::FailureKind;

use super::wording::{shown, tone};
use crate::grid::Tone;
use crate::label;
use crate::number::{fixed, share, shortest};
use crate::prose::{centred, pad, paragraph};

/// The points with the highest throughput and with the lowest latency, among those that completed enough requests to tell. Empty if
/// nothing succeeded.
pub(super) fn best(points: &[&PointSummary]) -> String {
    let served = || points.iter().copied().filter(|summary| telling(summary));
    let rps = |summary: &PointSummary| summary.figure(&REQUEST_THROUGHPUT).unwrap_or(0.0);
    let latency = |summary: &PointSummary| headline(summary).unwrap_or(f64::INFINITY);
    let highest = served().reduce(|best, next| if rps(next) > rps(best) { next } else { best });
    let lowest =
        served().reduce(|best, next| if latency(next) < latency(best) { next } else { best });
    let left_out = too_few(points);
    let (Some(highest), Some(lowest)) = (highest, lowest) else { return left_out };
    let but = |summary: &PointSummary| {
        let failed = (tone(summary) != Tone::Good).then(|| format!(", {} failed", failed(summary)));
        let limited = (!summary.verdict.is_valid()).then(|| format!(", {}", summary.verdict));
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
    text + &left_out
}

/// Whether a point completed enough requests to be called the best.
const fn telling(summary: &PointSummary) -> bool {
    summary.counts.succeeded >= FEWEST
}

/// Which points completed some requests, but too few to be called the best. Empty if there are none.
fn too_few(points: &[&PointSummary]) -> String {
    let few: Vec<String> = points
        .iter()
        .filter(|summary| summary.counts.succeeded > 0 && !telling(summary))
        .map(|summary| format!("{} ({})", label::of(&summary.point), summary.counts.succeeded))
        .collect();
    if few.is_empty() {
        return String::new();
    }
    let text = format!(
        "With fewer than {FEWEST} completed requests no load is called the best: so at {}.",
        few.join(", ")
    );
    paragraph("* ", &text)
}

/// The share of a point's requests that failed, by no doing of the user's.
fn failed(summary: &PointSummary) -> String {
    share(summary.counts.broken(), summary.counts.measured)
}

/// The mean latency that users of this load feel: in open loop from the schedule.
fn headline(summary: &PointSummary) -> Option<f64> {
    summary.mean(if summary.point.open_loop { &SCHEDULED_E2E } else { &E2E })
}

/// What the points together suggest. Empty if they suggest nothing.
pub(super) fn recommendations(points: &[&PointSummary]) -> String {
    // A point that broke off, or that served nobody, has no throughput and no latency to compare.
    let comparable: Vec<&PointSummary> = points
        .iter()
        .copied()
        .filter(|summary| summary.counts.succeeded > 0 && summary.ending == Ending::Complete)
        .collect();
    let telling: Vec<&PointSummary> =
        comparable.iter().copied().filter(|summary| telling(summary)).collect();
    let all = [throughput(&telling), success(points), latency(&comparable)];
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
    Some(if tone(best) != Tone::Good {
        format!(
            "Throughput is highest at {at}, but {} of the requests fail there: {}",
            failed(best),
            borne_load(points)
        )
    } else if best.verdict.is_client_limited() {
        format!(
            "Throughput is highest at {at}, but there the client was the limit: give it more before judging the server"
        )
    } else if std::ptr::eq(best, *last) {
        at_the_heaviest(best)
    } else if std::ptr::eq(best, *first) {
        "Consider lowering the load, it may be too high for the system".to_owned()
    } else {
        format!("The optimal configuration appears to be around {at}")
    })
}

/// What to make of a throughput that is highest under the heaviest load. Under a pace it can be no higher than that.
fn at_the_heaviest(summary: &PointSummary) -> String {
    let throughput = summary.figure(&REQUEST_THROUGHPUT).unwrap_or(0.0);
    let sent = summary.figure(&ACHIEVED_RATE).or(summary.point.rate).unwrap_or(0.0);
    match summary.point.rate {
        Some(rate) if throughput >= KEPT_UP * sent => format!(
            "The server kept up with {} req/s, the highest rate tried: try higher rates to find its limit",
            shortest(rate, 2)
        ),
        Some(_) if summary.point.open_loop => format!(
            "At {} the server completed {} req/s: either it does not keep up there, or the point is too short to tell. Send more \
             requests at this rate",
            label::of(&summary.point),
            fixed(throughput, 2)
        ),
        _ if is_limited(summary) => format!(
            "Throughput is highest at {}, and something limits the system there already: see the findings",
            label::of(&summary.point)
        ),
        _ => "The system seems not to have reached its performance bottleneck, try higher concurrency"
            .to_owned(),
    }
}

/// Whether a finding says what the service's limit is.
fn is_limited(summary: &PointSummary) -> bool {
    let limits = |finding: &Finding| {
        finding.severity == Severity::Limiting && finding.sureness != Sureness::Possible
    };
    summary.findings.iter().any(limits)
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
    let failing: Vec<&PointSummary> = points
        .iter()
        .copied()
        .filter(|summary| matches!(tone(summary), Tone::Fair | Tone::Poor))
        .collect();
    let mut kinds: BTreeMap<FailureKind, u64> = BTreeMap::new();
    let groups = failing.iter().flat_map(|summary| &summary.failures);
    for group in groups.filter(|group| !group.cancelled()) {
        *kinds.entry(group.kind).or_default() += group.count;
    }
    let (kind, _) = kinds.into_iter().rev().max_by_key(|&(_, failures)| failures)?;
    let at: Vec<String> = failing
        .iter()
        .map(|summary| {
            let counts = summary.counts;
            let rate = share(counts.succeeded, counts.tried());
            let of = if counts.cancelled > 0 { " of those not cancelled" } else { "" };
            let partial = if summary.ending == Ending::Complete { "" } else { ", incomplete" };
            format!("{} ({rate}{of}{partial})", label::of(&summary.point))
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

/// The width over which the title of the best configuration is centred, and that of its names.
const BEST_WIDTH: usize = 60;
const BEST_NAMES: usize = 20;

/// Of fewer completed requests neither throughput nor mean latency tells one load from another.
const FEWEST: u64 = 10;

/// The share of the rate sent that is completed by a server that keeps up: the last responses come after the last request is sent.
const KEPT_UP: f64 = 0.9;

/// Latency that grows by more than this from the lightest load to the heaviest is worth a word.
const STRESS: f64 = 3.0;
