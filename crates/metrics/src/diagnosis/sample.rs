//! Too few requests for the percentiles that stand in every report.
//!
//! From 100 requests on a p99 is no longer simply their maximum; for bounds that hold it takes more, and this rule is about those.
//! Deliberately not the bounds themselves: they are [`crate::confidence`]'s.

use super::figures::{count, plural};
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::confidence::{CONFIDENCE_OF_PERCENTILES, needed};
use crate::quantile::Percentile;

/// The sample cannot bear a p99.
pub(super) fn too_few_requests(facts: &Facts<'_>) -> Option<Finding> {
    let has = facts.summary.counts.succeeded;
    if !latencies::are_the_servers(facts) || has >= needed(SHOWN) {
        return None;
    }
    let borne = BORNE.iter().rev().find(|&&percentile| needed(percentile) <= has);
    let requests = plural(has, "request", "requests");
    let bear = if has == 1 { "bears" } else { "bear" };
    let (needs, shown) = (count(needed(SHOWN)), SHOWN.percent());
    let (most, otherwise) = match borne {
        Some(borne) => (
            format!("a p{} at most", borne.percent()),
            format!("read no percentile above p{}", borne.percent()),
        ),
        None => ("no percentile".to_owned(), "read the values themselves".to_owned()),
    };
    let takes = |percentile: &Percentile| {
        format!("p{} takes {}", percentile.percent(), count(needed(*percentile)))
    };
    let ladder: Vec<String> = BORNE.iter().map(takes).collect();
    Some(Finding {
        rule: "too_few_requests",
        severity: Severity::Notable,
        sureness: Sureness::Certain,
        what: format!(
            "{requests} {bear} {most}: a p{shown} takes {needs}, for a bound that holds."
        ),
        evidence: vec![Evidence::new(format!(
            "bounds that hold with {} %: {}",
            100.0 * CONFIDENCE_OF_PERCENTILES,
            ladder.join(", ")
        ))],
        next: format!("Send at least {needs} requests a point, or {otherwise}."),
        points: vec![facts.summary.point.index],
    })
}

/// The percentile that every report shows.
pub(super) const SHOWN: Percentile = Percentile::P99;

/// Those that may be named in its place, ascending.
const BORNE: [Percentile; 5] =
    [Percentile::P50, Percentile::P75, Percentile::P90, Percentile::P95, Percentile::P99];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log, probed};

    fn found(requests: u64) -> Option<Finding> {
        let log = point_log((0..requests).map(|i| ok(i, i * 100, &[i * 100 + 50])));
        let summary = summarize(&log);
        too_few_requests(&Facts { run: &Run::of(&log), summary: &summary })
    }

    #[test]
    fn a_hundred_requests_bear_a_p95_and_no_p99() {
        let finding = found(100).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Notable, Sureness::Certain));
        assert_eq!(
            finding.what,
            "100 requests bear a p95 at most: a p99 takes 459, for a bound that holds."
        );
    }

    #[test]
    fn as_many_as_it_takes_are_enough() {
        assert!(found(needed(SHOWN) - 1).is_some());
        assert_eq!(found(needed(SHOWN)), None);
    }

    #[test]
    fn one_request_bears_nothing() {
        let what = found(1).unwrap().what;
        assert_eq!(what, "1 request bears no percentile: a p99 takes 459, for a bound that holds.");
    }

    #[test]
    fn latencies_that_are_not_the_server_s_have_other_faults() {
        let log = point_log((0..10).map(|i| ok(i, 0, &[]).failing_at(5)));
        let summary = summarize(&log);
        assert_eq!(too_few_requests(&Facts { run: &Run::of(&log), summary: &summary }), None);
        let log = probed(point_log([ok(0, 0, &[10])]), 90_000_000, 90_000_000);
        let summary = summarize(&log);
        assert_eq!(too_few_requests(&Facts { run: &Run::of(&log), summary: &summary }), None);
    }
}
