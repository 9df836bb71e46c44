//! Where the client itself was the limit: it did not keep up, or had no descriptors left.
//!
//! Deliberately judges nothing anew: the verdict has, and its words are told.

use super::attribution::{Cause, Failed};
use super::figures::{figure, time};
use super::telling::{first_to_end, in_flight, of_requests, quoted, requests, sentence};
use super::{Evidence, Facts, Finding, Severity, Sureness};
use crate::catalog::{CLIENT_CPU, LATENESS_MAX, LOOP_LAG_MAX};
use crate::verdict::Reason;

/// The client did not keep up. Where it only lacked descriptors, that is another finding.
pub(super) fn client_limited(facts: &Facts<'_>) -> Option<Finding> {
    let reasons = facts.summary.verdict.reasons().iter();
    let reasons: Vec<&Reason> =
        reasons.filter(|reason| !matches!(reason, Reason::Descriptors { .. })).collect();
    let first = reasons.first()?;
    let mut next: Vec<String> = reasons.iter().map(|reason| sentence(reason.advice())).collect();
    next.dedup();
    Some(Finding {
        rule: "client_limited",
        severity: Severity::Invalid,
        sureness: Sureness::Certain,
        what: format!("The client did not keep up, so the figures are partly its own: {first}."),
        evidence: reasons
            .iter()
            .skip(1)
            .map(|reason| Evidence::new(reason.to_string()))
            .chain(how_it_went(facts))
            .collect(),
        next: next.join(" "),
        points: vec![facts.summary.point.index],
    })
}

/// How the client fared, beside what the verdict rests on.
fn how_it_went(facts: &Facts<'_>) -> impl Iterator<Item = Evidence> {
    let figures = [
        (&LOOP_LAG_MAX, "its event loop was late by", " at most"),
        (&LATENESS_MAX, "requests started late by", " at most"),
        (&CLIENT_CPU, "it used", " of one core"),
    ];
    figures.into_iter().filter_map(|(metric, before, after)| {
        let value = facts.summary.figure(metric)?;
        let shown = match metric.key == CLIENT_CPU.key {
            true => format!("{} %", figure(value)),
            false => time(value),
        };
        Some(Evidence::new(format!("{before} {shown}{after}")))
    })
}

/// Requests failed because this process had no file descriptor left.
pub(super) fn descriptors(facts: &Facts<'_>) -> Option<Finding> {
    let without = Failed::of(facts)?.by(Cause::Descriptors)?;
    let first = first_to_end(&without)?;
    let told = of_requests(without.len(), facts.summary.counts.tried());
    let words = first.failure().map(|failure| quoted(&failure.message)).unwrap_or_default();
    let flying = in_flight(facts.run, first);
    Some(Finding {
        rule: "descriptors",
        severity: Severity::Invalid,
        sureness: Sureness::Certain,
        what: format!("The client ran out of file descriptors: {told} never left it."),
        evidence: vec![
            Evidence::at(format!("the first failed with {} in flight: {words}", requests(flying)), first.end),
        ],
        next: "Raise the limit of open files for the client (ulimit -n), or lower the concurrency; the server \
               never saw these requests."
            .into(),
        points: vec![facts.summary.point.index],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::testing::{finding, silent};
    use crate::summary::testing::{failed, ok, point_log, probed};
    use tokometer_record::{FailureKind, PointLog};

    fn served(requests: u64) -> PointLog {
        point_log((0..requests).map(|i| ok(i, i * 100, &[i * 100 + 50, i * 100 + 100])))
    }

    #[test]
    fn a_late_client_is_the_limit_with_the_verdicts_words() {
        let log = probed(served(100), 30_000_000, 40_000_000);
        let found = finding(client_limited, &log, ServerSide::default());
        assert_eq!((found.severity, found.sureness), (Severity::Invalid, Sureness::Certain));
        let told = "the client's event loop was 30.0 ms late at p99 (limit 5.0 ms)";
        assert!(found.what.contains(told), "{}", found.what);
        // The sentence says it already.
        assert!(found.evidence.iter().all(|evidence| !evidence.fact.contains("at p99")));
        assert_eq!(found.evidence[0].fact, "its event loop was late by 40 ms at most");
        assert!(found.next.starts_with("TTFT and gaps are overstated"), "{}", found.next);
    }

    #[test]
    fn a_client_that_keeps_up_is_not() {
        let log = probed(served(100), 100_000, 300_000);
        silent(client_limited, &log, ServerSide::default());
        silent(descriptors, &log, ServerSide::default());
    }

    #[test]
    fn a_verdict_that_was_not_given_is_no_finding() {
        silent(client_limited, &served(100), ServerSide::default());
    }

    #[test]
    fn a_client_without_descriptors_has_a_finding_of_its_own() {
        let mut log = probed(served(99), 100_000, 300_000);
        let kind = FailureKind::OutOfDescriptors;
        log.records.push(failed(99, kind, "Too many open files (os error 24)"));
        silent(client_limited, &log, ServerSide::default());
        let found = finding(descriptors, &log, ServerSide::default());
        assert_eq!(
            found.what,
            "The client ran out of file descriptors: 1 of 100 requests (1 %) never left it."
        );
        assert!(found.next.contains("ulimit -n"));
    }
}
