//! Connections that are not let through: by a proxy, a gateway or the system before the server.
//!
//! Deliberately not a server that is down: where nobody is served at the time, that is a failure of another kind.

use std::collections::BTreeSet;

use tokometer_record::{Record, Signal};

use super::attribution::{Cause, Failed, is_of_a_proxy};
use super::cap::Cap;
use super::figures::figure;
use super::refusals::{first_refusal, of_cap, served_well};
use super::telling::{first_to_end, of_requests};
use super::timeouts::severity;
use super::{Evidence, Facts, Finding, Sureness};
use crate::concurrency::peak;
use crate::run::flights;

/// Something lets only so many connections through.
pub(super) fn connection_limit(facts: &Facts<'_>) -> Option<Finding> {
    let failed = Failed::of(facts)?;
    let turned_away = failed.by(Cause::Connection)?;
    let first = first_to_end(&turned_away)?;
    let told = of_requests(turned_away.len(), facts.summary.counts.tried());
    let kinds = kinds(&turned_away);
    let served = most_at_once(facts);
    let what = match failed.connecting {
        Some(Cap { places, .. }) => format!(
            "Something between client and server lets about {places} connections through: {told} were turned away ({kinds})."
        ),
        None => format!(
            "Something between client and server has no room for more connections: {told} were turned away ({kinds})."
        ),
    };
    let mut evidence = vec![first_refusal(facts, first)];
    evidence.extend(failed.connecting.map(|cap| of_cap(cap, "turned away")));
    evidence.push(Evidence::new(format!(
        "at most {served} requests that succeeded were in flight at once"
    )));
    if facts.summary.side.was_heard() {
        evidence.push(Evidence::new(
            "reading the server's metrics holds one more connection, if it goes the same way",
        ));
    }
    evidence.extend(counted_by_the_server(facts));
    evidence.extend(served_well(facts));
    let known = failed.connecting.is_some() || turned_away.iter().any(|r| is_of_a_proxy(r));
    Some(Finding {
        rule: "connection_limit",
        severity: severity(turned_away.len(), facts),
        sureness: if known { Sureness::Likely } else { Sureness::Possible },
        what,
        evidence,
        next: "Raise the connection limit of what stands before the server (nginx: worker_connections and limit_conn, HAProxy: maxconn, \
               Envoy: the cluster's circuit breakers, a service mesh or load balancer: its quota), or hold the load below it."
            .into(),
        points: vec![facts.summary.point.index],
    })
}

fn kinds(turned_away: &[&Record]) -> String {
    let kinds: BTreeSet<_> =
        turned_away.iter().filter_map(|record| record.failure()).map(|f| f.kind).collect();
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn most_at_once(facts: &Facts<'_>) -> u64 {
    let served: Vec<&Record> = facts.run.successes().collect();
    let since = served.iter().map(|record| record.started).min().unwrap_or_default();
    peak(&flights(&served), since)
}

/// That the server never had them.
fn counted_by_the_server(facts: &Facts<'_>) -> Option<Evidence> {
    let side = &facts.summary.side;
    let ended = [Signal::Finished, Signal::Aborted, Signal::Errored, Signal::Rejected];
    let known: Vec<f64> = ended.iter().filter_map(|&signal| side.growth(signal)).collect();
    side.growth(Signal::Finished)?;
    let sent = facts.run.all.len() + facts.run.probes.len();
    let counted: f64 = known.iter().sum();
    Some(Evidence::new(format!(
        "the server counted {} requests of the {sent} that were sent",
        figure(counted)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::Severity;
    use crate::diagnosis::failures::failures;
    use crate::diagnosis::refusals::server_refuses;
    use crate::diagnosis::testing::{finding, silent};
    use crate::summary::testing::{failed, ms, ok, point_log};
    use tokometer_record::{FailureKind, PointLog};

    /// Ten connections are let through, of twenty that are tried.
    fn limited(kind: FailureKind, words: &str) -> PointLog {
        let mut log = point_log((0..80).map(|index| match index {
            0..10 => ok(index, index, &[500 + index, 10_000]),
            _ => {
                let mut record = failed(index, kind, words);
                (record.scheduled, record.started) = (ms(10 * index), ms(10 * index));
                record.end = ms(10 * index + 1);
                record
            }
        }));
        log.point.concurrency = Some(20);
        log
    }

    #[test]
    fn connections_beyond_a_limit_are_told_with_it() {
        let mut side = ServerSide::default();
        side.grown.insert(Signal::Finished, 10.0);
        let log = limited(FailureKind::Reset, "connection closed before any output");
        let found = finding(connection_limit, &log, side);
        assert_eq!(
            found.what,
            "Something between client and server lets about 10 connections through: 70 of 80 requests (87.5 %) were turned away \
             (connection reset)."
        );
        let facts: Vec<_> = found.evidence.iter().map(|evidence| evidence.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "the first came with 11 requests in flight: \"connection closed before any output\"",
                "100 % of the requests that were turned away found 10 or more others let in, and 0 % of those that were let in did",
                "at most 10 requests that succeeded were in flight at once",
                "the server counted 10 requests of the 80 that were sent",
                "10 requests succeeded: 10 s on average, TTFT 500 ms",
            ]
        );
        assert_eq!((found.severity, found.sureness), (Severity::Failing, Sureness::Likely));
    }

    #[test]
    fn the_reader_of_metrics_is_one_of_those_connected() {
        let side = ServerSide {
            sources: [("http://a:8000/metrics".to_owned(), 9)].into(),
            ..ServerSide::default()
        };
        let log = limited(FailureKind::Reset, "connection closed before any output");
        let found = finding(connection_limit, &log, side);
        let told = |e: &Evidence| e.fact.starts_with("reading the server's metrics holds one more");
        assert!(found.evidence.iter().any(told), "{found:?}");
    }

    #[test]
    fn refused_and_unopened_connections_count_as_well() {
        for kind in [FailureKind::ConnectRefused, FailureKind::Connect, FailureKind::Status(502)] {
            let log = limited(kind, "no");
            finding(connection_limit, &log, ServerSide::default());
            silent(failures, &log, ServerSide::default());
        }
    }

    #[test]
    fn a_server_that_is_down_is_another_failure() {
        let mut log = limited(FailureKind::ConnectRefused, "Connection refused (os error 111)");
        log.records.retain(|record| !record.succeeded());
        silent(connection_limit, &log, ServerSide::default());
        let found = finding(failures, &log, ServerSide::default());
        assert!(found.next.starts_with("Nothing serves there"), "{}", found.next);
    }

    #[test]
    fn a_server_that_went_down_is_another_failure() {
        let mut log = limited(FailureKind::ConnectRefused, "Connection refused (os error 111)");
        for record in log.records.iter_mut().filter(|record| !record.succeeded()) {
            (record.started, record.end) = (record.started + GONE, record.end + GONE);
        }
        silent(connection_limit, &log, ServerSide::default());
        finding(failures, &log, ServerSide::default());
    }

    #[test]
    fn a_proxys_words_are_enough_while_others_are_served() {
        let log =
            limited(FailureKind::Status(503), "upstream connect error. reset reason: overflow");
        finding(connection_limit, &log, ServerSide::default());
        silent(server_refuses, &log, ServerSide::default());
        let mut few = log;
        few.records.truncate(12);
        let found = finding(connection_limit, &few, ServerSide::default());
        assert!(found.what.contains("has no room for more connections"), "{}", found.what);
    }

    const GONE: std::time::Duration = std::time::Duration::from_secs(60);
}
