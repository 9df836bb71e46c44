//! Where the client itself was the limit: it did not keep up, or had no descriptors left.
//!
//! Deliberately judges nothing anew: the verdict has, and its words are told.

use super::attribution::{Cause, Failed};
use super::telling::{first_to_end, in_flight, of_requests, quoted, sentence};
use super::{Evidence, Facts, Finding, Severity, Sureness};
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
        evidence: reasons.iter().map(|reason| Evidence::new(reason.to_string())).collect(),
        next: next.join(" "),
        points: vec![facts.summary.point.index],
    })
}

/// Requests failed because this process had no file descriptor left.
pub(super) fn descriptors(facts: &Facts<'_>) -> Option<Finding> {
    let without = Failed::of(facts)?.by(Cause::Descriptors)?;
    let first = first_to_end(&without)?;
    let told = of_requests(without.len(), facts.summary.counts.tried());
    let words = first.failure().map(|failure| quoted(&failure.message)).unwrap_or_default();
    let flying = in_flight(facts.run, first.started);
    Some(Finding {
        rule: "descriptors",
        severity: Severity::Invalid,
        sureness: Sureness::Certain,
        what: format!("The client ran out of file descriptors: {told} never left it."),
        evidence: vec![
            Evidence::at(format!("the first failed with {flying} requests in flight: {words}"), first.end),
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
        assert_eq!(
            found.evidence[0].fact,
            "the client's event loop was 30.0 ms late at p99 (limit 5.0 ms)"
        );
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
