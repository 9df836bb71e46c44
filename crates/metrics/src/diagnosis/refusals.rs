//! Load that is refused: by the server's own cap, or by a gateway that counts requests in its name.
//!
//! Deliberately without what never came through: a proxy that is out of connections has a rule of its own.

use std::collections::BTreeMap;

use tokometer_record::{FailureKind, Offset, Record, Signal};

use super::attribution::{Cause, Failed};
use super::cap::Cap;
use super::figures::{figure, percent, plural, time};
use super::telling::{first_to_end, in_flight, of_requests, quoted, requests};
use super::timeouts::severity;
use super::{Evidence, Facts, Finding, Sureness};
use crate::catalog::{E2E, TTFT};

/// The service answers that it has too much to do.
pub(super) fn server_refuses(facts: &Facts<'_>) -> Option<Finding> {
    let failed = Failed::of(facts)?;
    let refused = failed.by(Cause::Refusal)?;
    let first = first_to_end(&refused)?;
    let told = of_requests(refused.len(), facts.summary.counts.tried());
    let statuses = statuses(&refused);
    let by_counter = facts.summary.side.growth(Signal::Rejected).filter(|&rejected| rejected > 0.0);
    let spent = Spent::of(facts, &refused);
    let what = match (failed.refusing, spent) {
        (_, Some(Spent { since, .. })) => format!(
            "The service refuses load from {} of the run on: it answered {told} with {statuses}, and nothing succeeded that started after that.",
            time(since.as_secs_f64())
        ),
        (Some(Cap { places, .. }), None) => {
            format!(
                "The service takes on about {places} requests at once and refused {told} with {statuses}."
            )
        }
        (None, None) => format!("The service refuses load: it answered {told} with {statuses}."),
    };
    let mut evidence = vec![first_refusal(facts, first)];
    let cap = failed.refusing.filter(|_| spent.is_none());
    evidence.extend(cap.map(|cap| of_cap(cap, "refused")));
    evidence.extend(spent.map(|spent| {
        let fact = format!(
            "all {} that started from here on failed, and {} had succeeded before",
            requests(spent.refused),
            requests(spent.before)
        );
        Evidence::at(fact, spent.since)
    }));
    evidence.extend(by_counter.map(|rejected| {
        Evidence::new(format!(
            "the server counted {} requests refused at its door",
            figure(rejected)
        ))
    }));
    evidence.extend(served_well(facts));
    let held = match cap {
        Some(Cap { places, .. }) => format!("hold the load at {} in flight", requests(places)),
        None => "lower the load".into(),
    };
    Some(Finding {
        rule: "server_refuses",
        severity: severity(refused.len(), facts),
        sureness: sureness(cap, by_counter),
        what,
        evidence,
        next: match (spent, statuses.starts_with(BY_RATE)) {
            (Some(_), _) => "A quota is used up, or a limit counts over a longer time: see what the service allows in a minute and a day \
                             (its answer's headers often tell, and when to try again), raise it, or send fewer requests."
                .into(),
            (None, true) => format!(
                "Raise the rate or concurrency limit of the gateway or provider that answers so (vLLM's own cap answers with HTTP 503), or \
                 {held}."
            ),
            (None, false) => format!(
                "Raise the cap if the server has room (vLLM: --max-num-queued-reqs; of a gateway: its rate or concurrency limit), add \
                 replicas, or {held}."
            ),
        },
        points: vec![facts.summary.point.index],
    })
}

/// A service that refuses everything from one moment on, having served before.
#[derive(Clone, Copy, Debug)]
struct Spent {
    /// When the first of those was refused.
    since: Offset,
    /// Requests that were refused from then on.
    refused: usize,
    /// Requests that had succeeded.
    before: usize,
}

impl Spent {
    /// `None` if anything succeeded that started after the first refusal, or too few followed to tell that from chance.
    fn of(facts: &Facts<'_>, refused: &[&Record]) -> Option<Self> {
        let first = first_to_end(refused)?;
        let after: Vec<&Record> =
            facts.run.measured.iter().copied().filter(|r| r.started > first.end).collect();
        let before = facts.run.successes().count();
        let all_failed = after.iter().all(|record| !record.succeeded());
        let told = all_failed && after.len() >= LEAST_AFTER && before > 0;
        told.then_some(Self { since: first.end, refused: after.len(), before })
    }
}

const fn sureness(cap: Option<Cap>, by_counter: Option<f64>) -> Sureness {
    match (cap, by_counter) {
        (_, Some(_)) | (Some(_), _) => Sureness::Certain,
        (None, None) => Sureness::Likely,
    }
}

/// `HTTP 503`, or `HTTP 429 and HTTP 503`: the most frequent first.
fn statuses(refused: &[&Record]) -> String {
    let mut counts: BTreeMap<FailureKind, usize> = BTreeMap::new();
    for failure in refused.iter().filter_map(|record| record.failure()) {
        *counts.entry(failure.kind).or_default() += 1;
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kinds.iter().map(|(kind, _)| kind.to_string()).collect::<Vec<_>>().join(" and ")
}

/// How many were in flight at the first failure of this cause, and its words.
pub(super) fn first_refusal(facts: &Facts<'_>, first: &Record) -> Evidence {
    let flying = in_flight(facts.run, first);
    let words = first.failure().map(|failure| quoted(&failure.message)).unwrap_or_default();
    Evidence::at(format!("the first came with {} in flight: {words}", requests(flying)), first.end)
}

/// What shows a cap.
pub(super) fn of_cap(cap: Cap, turned_away: &str) -> Evidence {
    Evidence::new(format!(
        "{} of the requests that were {turned_away} found {} or more others let in, and {} of those that were let in did",
        percent(cap.of_refused),
        cap.places,
        percent(cap.of_accepted)
    ))
}

/// That those who were served were served well.
pub(super) fn served_well(facts: &Facts<'_>) -> Option<Evidence> {
    let summary = facts.summary;
    let e2e = summary.mean(&E2E)?;
    let served = plural(summary.counts.succeeded, "request", "requests");
    let ttft = summary.mean(&TTFT).map(|ttft| format!(", TTFT {}", time(ttft))).unwrap_or_default();
    Some(Evidence::new(format!("{served} succeeded: {} on average{ttft}", time(e2e))))
}

/// How the words for statuses begin where most are those of a rate, which vLLM never answers for its own cap.
const BY_RATE: &str = "HTTP 429";

/// After a refusal by chance, so many others would not all fail.
const LEAST_AFTER: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::Severity;
    use crate::diagnosis::failures::failures;
    use crate::diagnosis::testing::{finding, silent};
    use crate::summary::testing::{failed, ms, ok, point_log};
    use tokometer_record::{Failure, Outcome, PointLog};

    /// A service of ten places, twenty users and a second a request: every 100 ms ten refusals and one success begin.
    fn capped(status: u16, words: &str) -> PointLog {
        let mut records: Vec<Record> = (0..10).map(|i| ok(i, i, &[500, 1_000 + i * 100])).collect();
        for round in 0..20 {
            let now = 1_000 + round * 100;
            let index = 10 + round * 6;
            records.push(ok(index, now, &[now + 400, now + 1_000]));
            for refused in 1..6 {
                let at = now + 10 * refused;
                let mut record = failed(index + refused, FailureKind::Status(status), words);
                (record.scheduled, record.started, record.end) = (ms(at), ms(at), ms(at + 1));
                records.push(record);
            }
        }
        let mut log = point_log(records);
        log.point.concurrency = Some(20);
        log
    }

    /// The same failures, one request in flight at a time.
    fn at_random(status: u16, words: &str) -> PointLog {
        point_log((0..100).map(|index| {
            let mut record = ok(index, index * 100, &[index * 100 + 50]);
            if index % 3 == 0 {
                let failure = Failure::new(FailureKind::Status(status), words);
                record.outcome = Outcome::Failed(failure);
            }
            record
        }))
    }

    #[test]
    fn a_cap_is_told_with_its_height() {
        let found = finding(server_refuses, &capped(503, "no"), ServerSide::default());
        assert_eq!(
            found.what,
            "The service takes on about 10 requests at once and refused 100 of 130 requests (76.9 %) with HTTP 503."
        );
        let facts: Vec<_> = found.evidence.iter().map(|evidence| evidence.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "the first came with 11 requests in flight: \"no\"",
                "100 % of the requests that were refused found 10 or more others let in, and 0 % of those that were let in did",
                "30 requests succeeded: 1.15 s on average, TTFT 432 ms",
            ]
        );
        assert_eq!((found.severity, found.sureness), (Severity::Failing, Sureness::Certain));
        assert!(found.next.contains("10 requests in flight"), "{}", found.next);
    }

    #[test]
    fn errors_that_do_not_depend_on_the_load_are_other_failures() {
        let log = at_random(503, "the model is being loaded");
        silent(server_refuses, &log, ServerSide::default());
        finding(failures, &log, ServerSide::default());
        silent(failures, &capped(503, "no"), ServerSide::default());
    }

    #[test]
    fn a_server_that_says_it_is_busy_refuses_without_a_cap_to_be_seen() {
        let log = at_random(503, "The engine is currently busy and cannot accept new requests.");
        let found = finding(server_refuses, &log, ServerSide::default());
        assert_eq!(found.sureness, Sureness::Likely);
        silent(failures, &log, ServerSide::default());
    }

    #[test]
    fn too_many_requests_is_a_refusal_whatever_its_words() {
        let found = finding(server_refuses, &at_random(429, "slow down"), ServerSide::default());
        assert_eq!(
            found.what,
            "The service refuses load: it answered 34 of 100 requests (34 %) with HTTP 429."
        );
    }

    #[test]
    fn a_limit_of_rates_is_not_the_servers_queue() {
        let found = finding(server_refuses, &at_random(429, "slow down"), ServerSide::default());
        assert!(!found.next.contains("--max-num-queued-reqs"), "{}", found.next);
        let found = finding(server_refuses, &capped(503, "no"), ServerSide::default());
        assert!(found.next.contains("--max-num-queued-reqs"), "{}", found.next);
    }

    #[test]
    fn refusals_of_everything_from_a_moment_on_are_a_quota() {
        let spent = |upto: u64| {
            point_log((0..100).map(|index| {
                let mut record = ok(index, index * 100, &[index * 100 + 50]);
                if index >= upto {
                    let failure = Failure::new(FailureKind::Status(429), "quota exceeded");
                    record.outcome = Outcome::Failed(failure);
                }
                record
            }))
        };
        let found = finding(server_refuses, &spent(60), ServerSide::default());
        assert_eq!(
            found.what,
            "The service refuses load from 6.05 s of the run on: it answered 40 of 100 requests (40 %) with HTTP 429, and nothing succeeded \
             that started after that."
        );
        assert_eq!(
            found.evidence[1].fact,
            "all 39 requests that started from here on failed, and 60 requests had succeeded before"
        );
        assert!(found.next.starts_with("A quota is used up"), "{}", found.next);
        let found = finding(server_refuses, &spent(90), ServerSide::default());
        assert!(found.what.starts_with("The service refuses load: "), "{}", found.what);
    }

    #[test]
    fn the_servers_own_count_settles_it() {
        let mut side = ServerSide::default();
        side.grown.insert(Signal::Rejected, 34.0);
        let found = finding(server_refuses, &at_random(503, "no"), side);
        assert_eq!(found.sureness, Sureness::Certain);
        let fact = "the server counted 34 requests refused at its door";
        assert!(found.evidence.iter().any(|evidence| evidence.fact == fact), "{found:?}");
    }
}
