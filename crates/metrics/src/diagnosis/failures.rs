//! What fails for no reason that has a rule of its own, by kind and with the server's words; and at which load of a sweep failures begin.

use tokometer_record::{FailureKind, Record};

use super::attribution::{Cause, Failed};
use super::figures::{figure, percent, plural};
use super::telling::{first_to_end, in_flight, of_requests, quoted, requests};
use super::timeouts::{FAILING, severity};
use super::{Evidence, Facts, Finding, Severity, Sureness};
use crate::FailureGroup;
use crate::summary::PointSummary;

/// Requests failed, and no other rule says why.
pub(super) fn failures(facts: &Facts<'_>) -> Option<Finding> {
    let failed = Failed::of(facts)?.by(Cause::Other)?;
    let first = first_to_end(&failed)?;
    let groups = FailureGroup::of(failed.iter().copied());
    let leading = groups.first()?;
    let told = of_requests(failed.len(), facts.summary.counts.tried());
    let what = if groups.len() == 1 {
        format!("{told} failed: {}.", leading.kind)
    } else {
        let count = plural(leading.count, "request", "requests");
        format!("{told} failed, most often of this: {} ({count}).", leading.kind)
    };
    let mut evidence: Vec<Evidence> =
        groups.iter().take(KINDS).map(|group| of_kind(group, &failed)).collect();
    let flying = in_flight(facts.run, first);
    evidence.push(Evidence::at(
        format!("the first started with {} in flight", requests(flying)),
        first.end,
    ));
    if facts.summary.counts.succeeded == 0 {
        evidence.push(Evidence::new("no request succeeded"));
    }
    Some(Finding {
        rule: "failures",
        severity: severity(failed.len(), facts),
        sureness: Sureness::Certain,
        what,
        evidence,
        next: next(leading.kind, facts.summary.counts.succeeded).into(),
        points: vec![facts.summary.point.index],
    })
}

fn of_kind(group: &FailureGroup, failed: &[&Record]) -> Evidence {
    let count = plural(group.count, "request", "requests");
    let words = group.messages.first().map(|message| format!(": {}", quoted(&message.message)));
    let fact = format!("{}, {count}{}", group.kind, words.unwrap_or_default());
    let of_it: Vec<&Record> = failed
        .iter()
        .copied()
        .filter(|record| record.failure().is_some_and(|failure| failure.kind == group.kind))
        .collect();
    match first_to_end(&of_it) {
        Some(first) => Evidence::at(fact, first.end),
        None => Evidence::new(fact),
    }
}

const fn next(kind: FailureKind, succeeded: u64) -> &'static str {
    match kind {
        FailureKind::Dns => "Check the host's name in --url, and the resolver of this machine.",
        FailureKind::ConnectRefused | FailureKind::Connect if succeeded == 0 => {
            "Nothing serves there: check the address and the port in --url, and whether the server is up."
        }
        FailureKind::ConnectRefused | FailureKind::Connect | FailureKind::Timeout(_) => {
            "The server could not be reached at times: look into its log at these moments, for a crash or a restart."
        }
        FailureKind::Tls => "Check the server's certificate, or trust it with --ca-cert.",
        FailureKind::Reset | FailureKind::TruncatedStream | FailureKind::EmptyStream => {
            "Look into the log of the server, and of what stands before it, at these moments: a worker that crashed or ran out of \
             memory ends connections like this."
        }
        FailureKind::Status(401 | 403) => "Check the API key and what it is allowed to do.",
        FailureKind::Status(404) => "Check the path in --url and the name in --model.",
        FailureKind::Status(413) => "Send shorter prompts, or let the server take larger bodies.",
        FailureKind::Status(400..=499) => {
            "The server does not take such requests: read its words, and change what is asked for."
        }
        FailureKind::Status(_) | FailureKind::ErrorEvent => {
            "Look into the server's log at these moments; requests are found there by their x-request-id."
        }
        FailureKind::BadJson | FailureKind::Protocol => {
            "See what answers at --url: it does not speak this API, or breaks it under load."
        }
        FailureKind::OutOfDescriptors | FailureKind::Cancelled => "Run it again.",
    }
}

/// The load at which requests begin to fail.
pub(super) fn failures_begin(points: &[PointSummary]) -> Option<Finding> {
    let mut by_load = loads(points)?;
    by_load.sort_by(|a, b| a.0.total_cmp(&b.0));
    let failing = |point: &PointSummary| failing_share(point) >= FAILING;
    let begin = by_load.iter().position(|(_, point)| failing(point))?;
    let (last, first) = (by_load.get(begin.checked_sub(1)?)?, by_load.get(begin)?);
    if last.0 == first.0 {
        return None;
    }
    let unit = unit(points);
    let above: Vec<&PointSummary> = by_load[begin..].iter().map(|(_, point)| *point).collect();
    let throughout = above.iter().all(|point| failing(point));
    let mut affected: Vec<usize> =
        above.iter().filter(|point| failing(point)).map(|point| point.point.index).collect();
    affected.sort_unstable();
    let share = |point: &PointSummary| percent(failing_share(point));
    // The loads between which they begin, then those beyond, and then the others below.
    let (below, beyond) = by_load.split_at(begin);
    let told = beyond.iter().take(1).chain(below.iter().rev().take(1));
    let others = beyond.iter().skip(1).chain(below.iter().rev().skip(1));
    Some(Finding {
        rule: "failures_begin",
        severity: Severity::Failing,
        sureness: if throughout { Sureness::Certain } else { Sureness::Likely },
        what: format!(
            "Requests begin to fail between {} and {} {unit}: {} fail at {}.",
            figure(last.0),
            figure(first.0),
            share(first.1),
            figure(first.0)
        ),
        evidence: told
            .chain(others)
            .map(|(load, point)| {
                Evidence::new(format!("{} {unit}: {} failed", figure(*load), share(point)))
            })
            .collect(),
        next: format!(
            "Hold the load at or below {} {unit} until the cause is removed, or try loads in between to find the limit.",
            figure(last.0)
        ),
        points: affected,
    })
}

fn failing_share(point: &PointSummary) -> f64 {
    point.counts.broken() as f64 / point.counts.tried().max(1) as f64
}

/// What each point asked of the service, in one unit: requests in flight where that is what varies, else requests per second. `None` if
/// the points are of different kinds.
fn loads(points: &[PointSummary]) -> Option<Vec<(f64, &PointSummary)>> {
    let tried = points.iter().filter(|point| point.counts.tried() > 0);
    let by_concurrency = varies(points);
    let load = |point: &PointSummary| match by_concurrency {
        true => point.point.concurrency.map(|places| places as f64),
        false => point.point.rate,
    };
    tried.map(|point| Some((load(point)?, point))).collect()
}

fn varies(points: &[PointSummary]) -> bool {
    let mut places = points.iter().map(|point| point.point.concurrency);
    let first = places.next().flatten();
    first.is_some() && places.any(|next| next != first)
}

fn unit(points: &[PointSummary]) -> &'static str {
    if varies(points) { "requests in flight" } else { "requests per second" }
}

/// Kinds of failure that are told, the most frequent first.
const KINDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::testing::{finding, silent};
    use crate::summary::summarize;
    use crate::summary::testing::{failed, ok, point_log};

    fn of_a_hundred(broken: u64, kind: FailureKind, words: &str) -> tokometer_record::PointLog {
        point_log((0..100).map(|index| match index < broken {
            true => failed(index, kind, words),
            false => ok(index, index * 10, &[index * 10 + 10]),
        }))
    }

    fn point(index: usize, concurrency: usize, broken: u64) -> PointSummary {
        let mut log = of_a_hundred(broken, FailureKind::Status(500), "no");
        (log.point.index, log.point.concurrency) = (index, Some(concurrency));
        summarize(&log)
    }

    #[test]
    fn failures_are_told_by_kind_with_the_servers_words() {
        let mut log = of_a_hundred(3, FailureKind::Status(500), "EngineCore encountered an issue");
        log.records.push(failed(100, FailureKind::TruncatedStream, "no [DONE]"));
        let found = finding(failures, &log, ServerSide::default());
        assert_eq!(
            found.what,
            "4 of 101 requests (4 %) failed, most often of this: HTTP 500 (3 requests)."
        );
        assert_eq!(
            found.evidence[0].fact,
            "HTTP 500, 3 requests: \"EngineCore encountered an issue\""
        );
        assert!(found.evidence[0].at.is_some());
        assert_eq!(found.evidence[1].fact, "truncated stream, 1 request: \"no [DONE]\"");
    }

    #[test]
    fn a_run_that_succeeds_or_is_stopped_has_no_failures() {
        silent(failures, &of_a_hundred(0, FailureKind::Dns, ""), ServerSide::default());
        silent(
            failures,
            &of_a_hundred(9, FailureKind::Cancelled, "stopped"),
            ServerSide::default(),
        );
    }

    #[test]
    fn one_request_in_a_hundred_is_failing_and_fewer_are_notable() {
        let severity = |log| finding(failures, &log, ServerSide::default()).severity;
        let log = of_a_hundred(1, FailureKind::Dns, "no such host");
        assert_eq!(severity(log.clone()), Severity::Failing);
        let mut long = log;
        long.records.push(ok(100, 5_000, &[5_010]));
        assert_eq!(severity(long), Severity::Notable);
    }

    #[test]
    fn failures_begin_between_the_last_load_without_and_the_first_with() {
        let points = [point(0, 10, 0), point(1, 50, 0), point(2, 200, 75), point(3, 100, 40)];
        let found = failures_begin(&points).unwrap();
        assert_eq!(
            found.what,
            "Requests begin to fail between 50 and 100 requests in flight: 40 % fail at 100."
        );
        assert_eq!((found.points, found.sureness), (vec![2, 3], Sureness::Certain));
        let told: Vec<_> = found.evidence.iter().map(|evidence| evidence.fact.as_str()).collect();
        assert_eq!(
            told,
            [
                "100 requests in flight: 40 % failed",
                "50 requests in flight: 0 % failed",
                "200 requests in flight: 75 % failed",
                "10 requests in flight: 0 % failed",
            ]
        );
    }

    #[test]
    fn failures_that_end_again_are_less_sure() {
        let points = [point(0, 10, 0), point(1, 50, 30), point(2, 100, 0)];
        let found = failures_begin(&points).unwrap();
        assert_eq!((found.points, found.sureness), (vec![1], Sureness::Likely));
    }

    #[test]
    fn failures_at_every_load_or_at_none_do_not_begin() {
        assert_eq!(failures_begin(&[point(0, 10, 5), point(1, 50, 30)]), None);
        assert_eq!(failures_begin(&[point(0, 10, 0), point(1, 50, 0)]), None);
        assert_eq!(failures_begin(&[point(0, 10, 0), point(1, 10, 40)]), None);
        assert_eq!(failures_begin(&[]), None);
    }

    #[test]
    fn a_sweep_of_rates_is_told_in_rates() {
        let paced = |index, rate, broken| {
            let mut point = point(index, 10, broken);
            (point.point.rate, point.point.concurrency) = (Some(rate), None);
            point
        };
        let found = failures_begin(&[paced(0, 1.5, 0), paced(1, 3.0, 20)]).unwrap();
        assert_eq!(
            found.what,
            "Requests begin to fail between 1.5 and 3 requests per second: 20 % fail at 3."
        );
    }
}
