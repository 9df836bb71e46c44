//! Time limits that passed, and whose: the client's own, or those of something before the server.
//!
//! Deliberately does not say that the server was slow: whether a limit was too short or an answer too late is for the user to judge, by
//! the figures beside it.

use std::collections::BTreeMap;

use tokometer_record::{FailureKind, Offset, Record, Signal, TimeoutPhase};

use super::attribution::{Cause, Failed};
use super::figures::{figure, percent, time};
use super::queueing;
use super::telling::{first_to_end, in_flight, median, of_requests, quoted, requests};
use super::{Evidence, Facts, Finding, Severity, Sureness};
use crate::catalog::E2E;

/// A limit of the client's passed: while the server was at work, or without a sign of life.
pub(super) fn client_timeouts(facts: &Facts<'_>) -> Option<Finding> {
    let late = Failed::of(facts)?.by(Cause::Timeout)?;
    let first = first_to_end(&late)?;
    let told = of_requests(late.len(), facts.summary.counts.tried());
    let phases = phases(&late);
    let (phase, limit) = leading(&phases)?;
    let signs = signs_of_work(facts, &late, first);
    let queue = queueing::any(facts);
    let stall = Stalled::of(facts, &late, phase).filter(|_| queue.is_none());
    let (what, sureness) = match stall {
        Some(stall) => (stall.what(&told), Sureness::Likely),
        None if signs.is_empty() => {
            let what =
                format!("Nothing answered {told} within the client's limit of {}.", time(limit));
            (what, Sureness::Likely)
        }
        None => {
            let what = format!(
                "The client gave up {told} at its own limit of {}, with the server still at work.",
                time(limit)
            );
            (what, Sureness::Certain)
        }
    };
    let mut evidence: Vec<Evidence> = phases
        .iter()
        .map(|(phase, (count, limit))| {
            let name = FailureKind::Timeout(*phase);
            Evidence::new(format!("{name}: {}, after {}", requests(*count), time(*limit)))
        })
        .collect();
    // What is advised rests on the queue, where there is one: it stands in view.
    evidence.extend(queue.iter().flat_map(|queue| queue.evidence.clone()).take(1));
    let flying = in_flight(facts.run, first);
    evidence.push(Evidence::at(
        format!("the first started with {} in flight", requests(flying)),
        first.end,
    ));
    evidence.extend(slowest_success(facts));
    let next = match (&queue, stall) {
        (Some(queue), _) => {
            format!("If users would wait longer, raise {}. {}", flag(phase), queue.next)
        }
        (None, Some(_)) => format!(
            "Look for what became of these requests in the log of the server, and of what stands before it (they are found there by their \
             x-request-id): a stall, and not load; raise {} only if pauses as long as that are meant.",
            flag(phase)
        ),
        (None, None) => next(phase, signs.is_empty()),
    };
    evidence.extend(signs);
    evidence.extend(queue.into_iter().flat_map(|queue| queue.evidence).skip(1));
    Some(Finding {
        rule: "client_timeouts",
        severity: severity(late.len(), facts),
        sureness,
        what,
        evidence,
        next,
        points: vec![facts.summary.point.index],
    })
}

/// Requests for each phase in which a limit passed, and how long they had waited then.
fn phases(late: &[&Record]) -> BTreeMap<TimeoutPhase, (usize, f64)> {
    let mut waited: BTreeMap<TimeoutPhase, Vec<f64>> = BTreeMap::new();
    for record in late {
        if let Some(FailureKind::Timeout(phase)) = record.failure().map(|failure| failure.kind) {
            let since = counted_from(record, phase);
            waited.entry(phase).or_default().push((record.end - since).as_secs_f64());
        }
    }
    let told = waited.into_iter().filter_map(|(phase, waits)| {
        let count = waits.len();
        Some((phase, (count, median(waits)?)))
    });
    told.collect()
}

fn counted_from(record: &Record, phase: TimeoutPhase) -> Offset {
    match phase {
        TimeoutPhase::Connect | TimeoutPhase::Total => record.started,
        TimeoutPhase::FirstByte => record.sent.or(record.connected).unwrap_or(record.started),
        TimeoutPhase::BetweenChunks => {
            record.last().or(record.headers).or(record.sent).unwrap_or(record.started)
        }
    }
}

fn leading(phases: &BTreeMap<TimeoutPhase, (usize, f64)>) -> Option<(TimeoutPhase, f64)> {
    phases.iter().max_by_key(|(_, (count, _))| *count).map(|(phase, (_, limit))| (*phase, *limit))
}

/// What tells that the server was at work on requests that were given up, or on others at that time.
fn signs_of_work(facts: &Facts<'_>, late: &[&Record], first: &Record) -> Vec<Evidence> {
    let mut signs = Vec::new();
    let begun = late.iter().filter(|record| !record.chunks.is_empty()).count();
    if begun > 0 {
        let share = percent(begun as f64 / late.len() as f64);
        signs.push(Evidence::new(format!("{begun} of them ({share}) had begun to be answered")));
    }
    let side = &facts.summary.side;
    let busy = |signal| side.level(signal).filter(|level| level.max > 0.0);
    for (signal, what) in [(Signal::Running, "running"), (Signal::Waiting, "waiting")] {
        if let Some(level) = busy(signal) {
            let fact = format!(
                "{what} on the server: {} on average, {} at most",
                figure(level.mean),
                figure(level.max)
            );
            signs.push(Evidence::at(fact, level.max_at));
        }
    }
    if let Some(aborted) = side.growth(Signal::Aborted).filter(|&n| n > 0.0) {
        signs.push(Evidence::new(format!(
            "the server counted {} aborted requests",
            figure(aborted)
        )));
    }
    let meanwhile = facts.run.successes().filter(|r| r.end > first.started).count();
    if meanwhile > 0 {
        let fact = format!("{} succeeded meanwhile", requests(meanwhile));
        signs.push(Evidence::at(fact, first.started));
    }
    signs
}

fn slowest_success(facts: &Facts<'_>) -> Option<Evidence> {
    let e2e = facts.summary.distribution(&E2E)?;
    Some(Evidence::new(format!(
        "requests that succeeded took {} on average, {} at most",
        time(e2e.mean),
        time(e2e.max)
    )))
}

/// Requests that fell silent while others never paused for nearly as long: no load, which makes all of them wait.
#[derive(Clone, Copy, Debug)]
struct Stalled {
    /// Seconds of silence after which they were given up: the median.
    silent: f64,
    /// The longest that a request which succeeded made the client wait for something, in seconds.
    longest: f64,
}

impl Stalled {
    fn of(facts: &Facts<'_>, late: &[&Record], phase: TimeoutPhase) -> Option<Self> {
        // Without any headers nothing tells a request that stalled from one that waits its turn, or from a server that is away.
        if phase == TimeoutPhase::Connect || facts.run.successes().count() < late.len() {
            return None;
        }
        let silences = late.iter().map(|record| (record.end - last_sign(record)).as_secs_f64());
        let silent = median(silences)?;
        let longest = facts.run.successes().map(longest_pause).fold(0.0, f64::max);
        (silent >= FAR_LONGER * longest).then_some(Self { silent, longest })
    }

    fn what(&self, told: &str) -> String {
        format!(
            "{} fell silent and were given up: nothing came from them for {}, while no request that succeeded paused for more than {}.",
            told,
            time(self.silent),
            time(self.longest)
        )
    }
}

fn last_sign(record: &Record) -> Offset {
    record.last().or(record.headers).or(record.sent).unwrap_or(record.started)
}

/// The longest time from one sign of the server's to the next, the first counted from the start.
fn longest_pause(record: &Record) -> f64 {
    let mut signs = vec![record.started];
    signs.extend(record.chunks.iter().map(|chunk| chunk.at));
    signs.push(record.end);
    signs.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).fold(0.0, f64::max)
}

const fn flag(phase: TimeoutPhase) -> &'static str {
    match phase {
        TimeoutPhase::Connect => "--connect-timeout",
        TimeoutPhase::FirstByte => "--read-timeout (or --first-byte-timeout)",
        TimeoutPhase::BetweenChunks => "--read-timeout",
        TimeoutPhase::Total => "--total-timeout",
    }
}

fn next(phase: TimeoutPhase, silent: bool) -> String {
    let flag = flag(phase);
    if silent {
        return format!(
            "See whether the server is up and can be reached from here, and what its log says; if it only needs longer, \
             raise {flag}."
        );
    }
    format!(
        "If users would wait longer, raise {flag}; if not, the service is too slow at this load: lower it, ask for shorter \
         outputs, or see what limits the server."
    )
}

/// Something before the server gave requests up: an answer that says so, or connections that break at one and the same age.
pub(super) fn gateway_timeouts(facts: &Facts<'_>) -> Option<Finding> {
    let cut = Failed::of(facts)?.by(Cause::Gateway)?;
    let first = first_to_end(&cut)?;
    let told = of_requests(cut.len(), facts.summary.counts.tried());
    let ages = cut.iter().map(|record| (record.end - record.started).as_secs_f64());
    let limit = median(ages.clone())?;
    let (least, most) =
        ages.fold((f64::INFINITY, 0.0_f64), |(low, high), age| (low.min(age), high.max(age)));
    let says_so = cut.iter().all(|record| matches!(record.status, Some(504 | 408 | 524)));
    let mut evidence = vec![Evidence::new(format!(
        "they ended after {} (from {} to {})",
        time(limit),
        time(least),
        time(most)
    ))];
    if let Some(failure) = first.failure() {
        let flying = in_flight(facts.run, first);
        let fact = format!(
            "the first started with {} in flight: {}, {}",
            requests(flying),
            failure.kind,
            quoted(&failure.message)
        );
        evidence.push(Evidence::at(fact, first.end));
    }
    evidence.extend(slowest_success(facts));
    Some(Finding {
        rule: "gateway_timeouts",
        severity: severity(cut.len(), facts),
        sureness: if says_so { Sureness::Certain } else { Sureness::Likely },
        what: format!(
            "Something between client and server gave up {told} after {}; the limit is not this client's.",
            time(limit)
        ),
        evidence,
        next: "Raise the time limit of the proxy, gateway or load balancer before the server (nginx: proxy_read_timeout, HAProxy: \
               timeout server, Envoy: the route's timeout), or lower the load until answers come sooner."
            .into(),
        points: vec![facts.summary.point.index],
    })
}

/// Failures of so small a share that users would hardly notice are only told.
pub(super) fn severity(failures: usize, facts: &Facts<'_>) -> Severity {
    let share = failures as f64 / facts.summary.counts.tried().max(1) as f64;
    if share >= FAILING { Severity::Failing } else { Severity::Notable }
}

/// Pauses under load differ; one that is half as long again as the longest of all others is of another kind.
const FAR_LONGER: f64 = 1.5;

/// From one request in a hundred on, a service fails: the least that any common objective of availability allows.
pub(super) const FAILING: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::testing::{finding, silent};
    use crate::server::Level;
    use crate::summary::testing::{failed, ok, point_log};
    use tokometer_record::{Failure, Outcome, PointLog};

    /// Requests that all start at once; those of an odd index are given up at 10 s, with as many chunks.
    fn given_up(phase: TimeoutPhase, chunks: &[u64]) -> PointLog {
        let mut log = point_log((0..20).map(|index| match index % 2 {
            0 => ok(index, 0, &[2_000, 8_000]),
            _ => {
                let mut record = ok(index, 0, chunks);
                record.end = crate::summary::testing::ms(10_000);
                let words = "timeout of the whole request after 10s";
                record.outcome = Outcome::Failed(Failure::new(FailureKind::Timeout(phase), words));
                record
            }
        }));
        log.point.concurrency = Some(20);
        log
    }

    #[test]
    fn a_limit_that_passes_amid_an_answer_is_the_clients() {
        let log = given_up(TimeoutPhase::Total, &[3_000, 9_000]);
        let found = finding(client_timeouts, &log, ServerSide::default());
        assert_eq!(
            found.what,
            "The client gave up 10 of 20 requests (50 %) at its own limit of 10 s, with the server still at work."
        );
        let facts: Vec<_> = found.evidence.iter().map(|evidence| evidence.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "timeout of the whole request: 10 requests, after 10 s",
                "the first started with 20 requests in flight",
                "requests that succeeded took 8 s on average, 8 s at most",
                "10 of them (100 %) had begun to be answered",
                "10 requests succeeded meanwhile",
            ]
        );
        assert_eq!((found.severity, found.sureness), (Severity::Failing, Sureness::Certain));
        assert!(found.next.contains("--total-timeout"));
    }

    #[test]
    fn a_server_that_never_answers_is_told_apart() {
        let mut log = given_up(TimeoutPhase::FirstByte, &[]);
        log.records.retain(|record| !record.succeeded());
        let found = finding(client_timeouts, &log, ServerSide::default());
        assert_eq!(
            found.what,
            "Nothing answered 10 of 10 requests (100 %) within the client's limit of 10 s."
        );
        assert_eq!(found.sureness, Sureness::Likely);
        assert!(found.next.contains("--first-byte-timeout"));
        let mut side = ServerSide::default();
        let level = Level { mean: 9.0, max: 10.0, ..Level::default() };
        side.levels.insert(Signal::Running, level);
        let found = finding(client_timeouts, &log, side);
        assert_eq!(found.sureness, Sureness::Certain);
    }

    #[test]
    fn a_stream_that_falls_silent_among_others_in_time_is_a_stall() {
        let log = |chunks: [u64; 2]| {
            let mut log = given_up(TimeoutPhase::BetweenChunks, &[3_000, 4_000]);
            let others = log.records.iter().filter(|record| record.succeeded());
            let others: Vec<Record> = others.map(|record| ok(record.index, 0, &chunks)).collect();
            for other in others {
                let index = other.index as usize;
                log.records[index] = other;
            }
            log
        };
        let found = finding(client_timeouts, &log([2_000, 6_000]), ServerSide::default());
        assert_eq!(
            found.what,
            "10 of 20 requests (50 %) fell silent and were given up: nothing came from them for 6 s, while no request that succeeded paused for \
             more than 4 s."
        );
        assert!(found.next.contains("a stall, and not load"), "{}", found.next);
        assert!(found.next.contains("--read-timeout"), "{}", found.next);
        let found = finding(client_timeouts, &log([2_000, 6_500]), ServerSide::default());
        assert!(found.what.starts_with("The client gave up"), "{}", found.what);
    }

    #[test]
    fn each_phase_counts_from_its_own_beginning() {
        let log = given_up(TimeoutPhase::BetweenChunks, &[3_000, 4_000]);
        let found = finding(client_timeouts, &log, ServerSide::default());
        assert!(found.evidence[0].fact.ends_with("after 6 s"), "{}", found.evidence[0].fact);
    }

    #[test]
    fn without_timeouts_there_is_nothing_to_say() {
        let log = point_log([ok(0, 0, &[10]), failed(1, FailureKind::Status(500), "no")]);
        silent(client_timeouts, &log, ServerSide::default());
        silent(gateway_timeouts, &log, ServerSide::default());
    }

    #[test]
    fn one_late_request_of_a_thousand_is_only_told() {
        let mut log = point_log((0..999).map(|index| ok(index, 0, &[10])));
        let mut late = failed(999, FailureKind::Timeout(TimeoutPhase::Total), "late");
        late.end = crate::summary::testing::ms(10_000);
        log.records.push(late);
        let found = finding(client_timeouts, &log, ServerSide::default());
        assert_eq!(found.severity, Severity::Notable);
    }

    #[test]
    fn a_gateways_limit_is_not_the_clients() {
        let mut log = given_up(TimeoutPhase::Total, &[]);
        for record in log.records.iter_mut().filter(|record| !record.succeeded()) {
            record.status = Some(504);
            let failure = Failure::new(FailureKind::Status(504), "upstream request timeout");
            record.outcome = Outcome::Failed(failure);
        }
        silent(client_timeouts, &log, ServerSide::default());
        let found = finding(gateway_timeouts, &log, ServerSide::default());
        assert_eq!(found.sureness, Sureness::Certain);
        assert!(found.what.contains("after 10 s"), "{}", found.what);
    }

    #[test]
    fn connections_that_break_at_one_age_are_a_gateways_limit_too() {
        let broken = |spread: u64| {
            let mut log = given_up(TimeoutPhase::Total, &[3_000]);
            for record in log.records.iter_mut().filter(|record| !record.succeeded()) {
                record.end = crate::summary::testing::ms(10_000 + record.index * spread);
                let failure = Failure::new(FailureKind::Reset, "connection closed");
                record.outcome = Outcome::Failed(failure);
            }
            log
        };
        let found = finding(gateway_timeouts, &broken(1), ServerSide::default());
        assert_eq!(found.sureness, Sureness::Likely);
        silent(gateway_timeouts, &broken(100), ServerSide::default());
    }
}
