//! Whether the figures are the server's or the client's own: the judgement that stands beside every result.
//!
//! A run is *client-limited* when this process was late enough to bend its figures, or did not bring about the load that was
//! asked for although it could have; *valid* when there is evidence that it was not; and *not judged* where evidence is missing.
//! Whether the run came to its end is another matter, told apart from this one, and so is whether the server did well.

mod evidence;
mod reason;

pub use evidence::{Evidence, Held, SHORT_REQUEST, SHORT_ROUNDS};
pub use reason::{Doubt, Reason};

use std::fmt;

use crate::{LoopLag, Stall};

/// The judgement of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The client kept up: the figures are the server's.
    Valid,
    /// The client did not keep up: the figures are partly its own.
    ClientLimited {
        /// Why, at least one.
        reasons: Vec<Reason>,
    },
    /// Whether the client kept up is not known.
    NotJudged {
        /// Why not.
        doubt: Doubt,
    },
}

impl Verdict {
    /// Whether the client kept up, by evidence.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }

    /// Whether the client did not keep up, by evidence.
    pub const fn is_client_limited(&self) -> bool {
        matches!(self, Self::ClientLimited { .. })
    }

    /// Why the client did not keep up: empty unless the verdict is that it did not.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::ClientLimited { reasons } => reasons,
            Self::Valid | Self::NotJudged { .. } => &[],
        }
    }

    /// Why it is not known whether the client kept up. `None` where it is.
    pub const fn doubt(&self) -> Option<Doubt> {
        match self {
            Self::NotJudged { doubt } => Some(*doubt),
            Self::Valid | Self::ClientLimited { .. } => None,
        }
    }

    /// A stable name for machine-readable output.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ClientLimited { .. } => "client_limited",
            Self::NotJudged { .. } => "not_judged",
        }
    }
}

impl fmt::Display for Verdict {
    /// `valid`, `client-limited` or `not judged`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::ClientLimited { .. } => "client-limited",
            Self::NotJudged { .. } => "not judged",
        })
    }
}

/// Judges by the evidence.
pub fn judge(evidence: &Evidence) -> Verdict {
    let reasons: Vec<Reason> = [
        descriptors(evidence),
        late_starts(evidence),
        late_stamps(evidence),
        concurrency(evidence),
        rate(evidence),
        processor(evidence),
    ]
    .into_iter()
    .flatten()
    .collect();
    match doubt(evidence) {
        _ if !reasons.is_empty() => Verdict::ClientLimited { reasons },
        Some(doubt) => Verdict::NotJudged { doubt },
        None => Verdict::Valid,
    }
}

/// Whether a stall is worth a word: longer than ten times what is allowed at p99, while at least one of a hundred requests was in
/// flight. It weighs on maxima and on few requests, so it is no reason of its own.
pub(crate) fn telling(stall: &Stall, evidence: &Evidence) -> bool {
    let long = stall.length > STALL_OF_LIMIT * loop_lag_limit(evidence.gap);
    let touching =
        stall.touched > 0 && stall.touched as f64 >= STALL_OF_REQUESTS * evidence.requests as f64;
    long && touching
}

/// How late requests may be started at p99, in seconds, where the mean TTFT is this.
pub fn lateness_limit(ttft: Option<f64>) -> f64 {
    LATENESS_FLOOR.max(LATENESS_OF_TTFT * ttft.unwrap_or(0.0))
}

/// How late the event loop may be at p99, in seconds, where the mean gap between chunks is this.
pub fn loop_lag_limit(gap: Option<f64>) -> f64 {
    let Some(gap) = gap else { return LOOP_LAG_CEILING };
    let fast_stream = (LOOP_LAG_OF_FAST_GAP * gap).clamp(LOOP_LAG_FLOOR, LOOP_LAG_CEILING);
    fast_stream.max(LOOP_LAG_OF_SLOW_GAP * gap)
}

fn descriptors(evidence: &Evidence) -> Option<Reason> {
    let (failed, of) = (evidence.out_of_descriptors, evidence.requests);
    (failed > 0).then_some(Reason::Descriptors { failed, of })
}

fn late_starts(evidence: &Evidence) -> Option<Reason> {
    let (lateness, limit) = (evidence.lateness?, lateness_limit(evidence.ttft));
    (lateness > limit).then_some(Reason::LateStarts { lateness, limit })
}

fn late_stamps(evidence: &Evidence) -> Option<Reason> {
    let limit = loop_lag_limit(evidence.gap);
    match &evidence.loop_lag {
        LoopLag::Unprobed | LoopLag::Lost => None,
        &LoopLag::P99(lag) => (lag > limit).then_some(Reason::LateStamps { lag, limit }),
        LoopLag::Pulses { worst, covered } => {
            // A stall kept the loop later than the limit for what it was longer. There may have been more of them.
            let late: f64 = worst.iter().map(|lag| (lag - limit).max(0.0)).sum();
            let share = 100.0 * late / covered;
            (late > LATE_TIME * covered).then_some(Reason::Stalls { share, limit })
        }
    }
}

fn concurrency(evidence: &Evidence) -> Option<Reason> {
    let Held::Exactly(held) = evidence.held_concurrency? else { return None };
    let asked = evidence.asked_concurrency.filter(|&asked| short_of(asked, held))?;
    Some(match evidence.place_time {
        Some(length) if length < SHORT_REQUEST => Reason::HandOver { asked, held, length },
        _ => Reason::Concurrency { asked, held },
    })
}

fn short_of(asked: u64, held: f64) -> bool {
    held < CONCURRENCY_HELD * asked as f64
}

fn rate(evidence: &Evidence) -> Option<Reason> {
    let (wanted, achieved) = (evidence.wanted_rate?, evidence.achieved_rate?);
    // Of a few requests, one that is late by what any may be bends the rate.
    let gaps = evidence.requests.saturating_sub(1) as f64;
    let overrun = gaps / achieved - gaps / wanted;
    let behind = achieved < RATE_ACHIEVED * wanted && overrun > LATENESS_FLOOR;
    behind.then_some(Reason::Rate { wanted, achieved })
}

fn processor(evidence: &Evidence) -> Option<Reason> {
    let share = evidence.cpu_share.filter(|&share| share > CPU_SHARE)?;
    let LoopLag::P99(lag) = evidence.loop_lag else { return None };
    let lateness = evidence.lateness.unwrap_or(0.0);
    let lagging = lateness > lateness_limit(evidence.ttft) * LAG_UNDER_LOAD
        || lag > loop_lag_limit(evidence.gap) * LAG_UNDER_LOAD;
    lagging.then_some(Reason::Processor { share, lag: lateness.max(lag) })
}

/// Why the client cannot be said to have kept up although nothing speaks against it.
fn doubt(evidence: &Evidence) -> Option<Doubt> {
    if evidence.requests == 0 {
        return Some(Doubt::NoRequests);
    }
    if let (Some(asked), Some(Held::AtLeast(held))) =
        (evidence.asked_concurrency, evidence.held_concurrency)
        && short_of(asked, held)
    {
        return Some(Doubt::Concurrency { asked, held });
    }
    match &evidence.loop_lag {
        LoopLag::P99(_) => None,
        LoopLag::Unprobed => Some(Doubt::NotProbed),
        LoopLag::Lost => Some(Doubt::NoPulse),
        LoopLag::Pulses { worst, .. } => {
            // How many workers there were is not known: a whole core may have been all that the client had.
            let busy = evidence.cpu.is_some_and(|cpu| cpu > CPU_SHARE);
            let limit = loop_lag_limit(evidence.gap) * if busy { LAG_UNDER_LOAD } else { 1.0 };
            let late = worst.iter().filter(|&&lag| lag > limit).count();
            let of = worst.len();
            (late as f64 > LATE_TIME * of as f64).then_some(Doubt::Stalls { late, of, limit })
        }
    }
}

/// Requests may start 5 ms late at p99 whatever the server: below that lies the noise of an ordinary machine's scheduler.
pub const LATENESS_FLOOR: f64 = 0.005;

/// Or a twentieth of the mean TTFT, if that is more: it moves no conclusion.
pub const LATENESS_OF_TTFT: f64 = 0.05;

/// The event loop may be late by a quarter of the mean gap between chunks: beyond that the upper percentiles of the gaps are as
/// much the client's as the server's.
pub const LOOP_LAG_OF_FAST_GAP: f64 = 0.25;

/// But never by more than 5 ms for that reason, for a TTFT is stamped by the same loop.
pub const LOOP_LAG_CEILING: f64 = 0.005;

/// Nor is less than 2 ms held against it: the scheduler of a machine that does anything else is no finer.
pub const LOOP_LAG_FLOOR: f64 = 0.002;

/// A twentieth of the mean gap is allowed in any case.
pub const LOOP_LAG_OF_SLOW_GAP: f64 = 0.05;

/// At least nine tenths of the concurrency asked for must be held while requests wait: handing a place on takes some time, which
/// weighs the more the shorter the responses are.
pub const CONCURRENCY_HELD: f64 = 0.9;

/// At least 98 % of the scheduled rate must be achieved: GuideLLM's line for "achieved ÷ target".
pub const RATE_ACHIEVED: f64 = 0.98;

/// Above nine tenths of the workers' cores, in per cent, a client has nothing in reserve …
pub const CPU_SHARE: f64 = 90.0;

/// … and is held to half of the limits on lag.
pub const LAG_UNDER_LOAD: f64 = 0.5;

/// What lies beyond a 99th percentile: the share of the time in which the event loop may be later than its limit. By the pulses of
/// a log without an end that share lies between two bounds: what the worst stall of each second took beyond the limit, and the
/// seconds that had such a stall.
pub const LATE_TIME: f64 = 0.01;

/// A single stall of more than ten times the limit of the event loop is told …
pub const STALL_OF_LIMIT: f64 = 10.0;

/// … if one in a hundred requests was in flight at the time.
pub const STALL_OF_REQUESTS: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use crate::summary::testing::{Changed, failed, killed, ok, point_log, probed, pulse};
    use tokometer_record::{FailureKind, PointLog};

    fn fine() -> Evidence {
        Evidence {
            requests: 500,
            out_of_descriptors: 0,
            ttft: Some(0.2),
            gap: Some(0.02),
            place_time: Some(1.0),
            lateness: Some(0.001),
            loop_lag: LoopLag::P99(0.001),
            wanted_rate: Some(100.0),
            achieved_rate: Some(99.9),
            asked_concurrency: Some(50),
            held_concurrency: Some(Held::Exactly(49.8)),
            cpu: Some(40.0),
            cpu_share: Some(40.0),
        }
    }

    fn reasons(evidence: &Evidence) -> Vec<&'static str> {
        judge(evidence).reasons().iter().map(Reason::key).collect()
    }

    fn evidence(log: &PointLog) -> Evidence {
        Evidence::of(&Run::of(log))
    }

    /// Requests of so many tenths of a millisecond in a closed loop that takes as long to hand a place on.
    fn short_requests(places: u64, requests: u64, tenths: u64) -> PointLog {
        let mut log = point_log((0..requests).map(|index| {
            let started = (index / places) * 2 * tenths;
            let mut record = ok(index, 0, &[0]);
            let at = |tenths: u64| tokometer_record::Offset::from_nanos(tenths * 100_000);
            (record.scheduled, record.started) = (at(started), at(started));
            record.end = at(started + tenths);
            record.chunks.edit(|chunks| chunks[0].at = record.end);
            record
        }));
        log.point.concurrency = Some(places as usize);
        probed(log, 0, 0)
    }

    #[test]
    fn a_client_that_keeps_up_is_valid() {
        assert_eq!(judge(&fine()), Verdict::Valid);
    }

    #[test]
    fn without_evidence_there_is_no_verdict() {
        let doubt = |evidence: &Evidence| judge(evidence).doubt();
        assert_eq!(doubt(&Evidence::default()), Some(Doubt::NoRequests));
        let unprobed = Evidence { loop_lag: LoopLag::Unprobed, ..fine() };
        assert_eq!(doubt(&unprobed), Some(Doubt::NotProbed));
        assert_eq!(doubt(&Evidence { loop_lag: LoopLag::Lost, ..fine() }), Some(Doubt::NoPulse));
        assert_eq!(doubt(&fine()), None);
    }

    #[test]
    fn what_speaks_against_the_client_needs_no_further_evidence() {
        let late = Evidence { lateness: Some(0.5), loop_lag: LoopLag::Lost, ..fine() };
        assert_eq!(reasons(&late), ["late_starts"]);
    }

    #[test]
    fn late_starts_are_measured_against_the_ttft() {
        let late =
            |lateness, ttft| Evidence { lateness: Some(lateness), ttft: Some(ttft), ..fine() };
        assert_eq!(reasons(&late(0.006, 0.03)), ["late_starts"]);
        assert_eq!(reasons(&late(0.005, 0.03)), [""; 0]);
        assert_eq!(reasons(&late(0.049, 1.0)), [""; 0]);
        assert_eq!(reasons(&late(0.051, 1.0)), ["late_starts"]);
    }

    #[test]
    fn late_stamps_are_measured_against_the_gap() {
        let limits = [0.001, 0.002, 0.008, 0.02, 0.1, 0.4]
            .map(|gap| (loop_lag_limit(Some(gap)) * 1e6).round());
        assert_eq!(limits, [2_000.0, 2_000.0, 2_000.0, 5_000.0, 5_000.0, 20_000.0]);
        assert_eq!(loop_lag_limit(None), 0.005);
        let lagging = |lag| Evidence { loop_lag: LoopLag::P99(lag), ..fine() };
        assert_eq!(reasons(&lagging(0.0051)), ["late_stamps"]);
        assert_eq!(reasons(&lagging(0.0049)), [""; 0]);
    }

    #[test]
    fn pulses_bound_how_much_of_the_time_the_loop_was_late() {
        // The limit is 5 ms. Of 100 seconds so many had a stall of this length.
        let stalled = |seconds: usize, stall: f64| {
            let worst = (0..100).map(|n| if n < seconds { stall } else { 0.001 }).collect();
            judge(&Evidence { loop_lag: LoopLag::Pulses { worst, covered: 100.0 }, ..fine() })
        };
        assert_eq!(stalled(0, 0.0), Verdict::Valid);
        assert_eq!(stalled(1, 0.5), Verdict::Valid);
        let doubt = Doubt::Stalls { late: 40, of: 100, limit: 0.005 };
        assert_eq!(stalled(40, 0.02), Verdict::NotJudged { doubt });
        assert_eq!(stalled(40, 0.05).key(), "client_limited");
        assert_eq!(stalled(1, 1.2).key(), "client_limited");
    }

    #[test]
    fn a_share_of_the_time_is_told_with_its_limit() {
        let loop_lag = LoopLag::Pulses { worst: vec![0.105, 0.0], covered: 2.0 };
        let verdict = judge(&Evidence { loop_lag, ..fine() });
        assert_eq!(
            verdict.reasons()[0].to_string(),
            "the client's event loop was more than 5.0 ms late for at least 5.0 % of the time (limit 1 %)"
        );
    }

    #[test]
    fn a_busy_client_s_pulses_are_held_to_half_the_limit() {
        let loop_lag = LoopLag::Pulses { worst: vec![0.003; 10], covered: 10.0 };
        let idle = Evidence { loop_lag, ..fine() };
        assert_eq!(judge(&idle), Verdict::Valid);
        let doubt = Doubt::Stalls { late: 10, of: 10, limit: 0.0025 };
        let busy = Evidence { cpu: Some(98.0), ..idle };
        assert_eq!(judge(&busy), Verdict::NotJudged { doubt });
    }

    #[test]
    fn a_load_that_did_not_come_about_is_told() {
        let held = |held| Evidence { held_concurrency: Some(held), ..fine() };
        assert_eq!(reasons(&held(Held::Exactly(44.0))), ["concurrency"]);
        let slow = Evidence { achieved_rate: Some(97.9), ..fine() };
        assert_eq!(reasons(&slow), ["rate"]);
        assert_eq!(reasons(&Evidence { requests: 20, ..slow }), [""; 0]);
        let doubt = Doubt::Concurrency { asked: 50, held: 44.0 };
        assert_eq!(judge(&held(Held::AtLeast(44.0))), Verdict::NotJudged { doubt });
        assert_eq!(judge(&held(Held::AtLeast(46.0))), Verdict::Valid);
    }

    #[test]
    fn a_busy_processor_alone_is_no_reason() {
        assert_eq!(reasons(&Evidence { cpu_share: Some(99.0), ..fine() }), [""; 0]);
        let lagging = Evidence { cpu_share: Some(99.0), loop_lag: LoopLag::P99(0.003), ..fine() };
        assert_eq!(reasons(&lagging), ["processor"]);
    }

    #[test]
    fn a_client_out_of_descriptors_is_the_limit_however_few_failed_of_it() {
        let served = (0..19).map(|i| ok(i, i * 100, &[i * 100 + 100]));
        let kind = FailureKind::OutOfDescriptors;
        let log = point_log(served.chain([failed(19, kind, "Too many open files (os error 24)")]));
        let verdict = judge(&evidence(&probed(log.clone(), 0, 0)));
        let reason = Reason::Descriptors { failed: 1, of: 20 };
        assert_eq!(verdict, Verdict::ClientLimited { reasons: vec![reason] });
        assert_eq!(
            reason.to_string(),
            "1 of 20 requests failed because the client was out of file descriptors"
        );
        assert!(reason.advice().contains("ulimit -n"));
        let mut refused = log;
        refused.records[19] = failed(19, FailureKind::ConnectRefused, "refused");
        assert_eq!(judge(&evidence(&probed(refused, 0, 0))), Verdict::Valid);
    }

    #[test]
    fn a_reason_tells_figure_limit_and_advice() {
        let Verdict::ClientLimited { reasons } =
            judge(&Evidence { lateness: Some(0.0234), ..fine() })
        else {
            panic!("23 ms is late")
        };
        assert_eq!(reasons[0].to_string(), "requests started 23.4 ms late at p99 (limit 10.0 ms)");
        assert!(!reasons[0].advice().is_empty());
    }

    #[test]
    fn an_idle_place_while_requests_wait_is_held_against_the_client() {
        // Two places, but the requests went out one after the other.
        let mut log = point_log((0..8).map(|i| ok(i, i * 100, &[i * 100 + 100])));
        log.point.concurrency = Some(2);
        let evidence = evidence(&log);
        assert_eq!(evidence.asked_concurrency, Some(2));
        assert_eq!(evidence.held_concurrency, Some(Held::Exactly(1.0)));
        assert!(reasons(&evidence).contains(&"concurrency"));
    }

    #[test]
    fn a_few_requests_that_are_over_at_once_tell_nothing_of_places() {
        let few = evidence(&short_requests(5, 20, 4));
        assert_eq!(few.asked_concurrency, None);
        assert_eq!(judge(&few), Verdict::Valid);
    }

    #[test]
    fn many_short_requests_tell_of_handing_places_on() {
        let verdict = judge(&evidence(&short_requests(5, 500, 4)));
        assert_eq!(
            verdict.reasons()[0].to_string(),
            "2.5 requests were in flight of 5 asked for (each took its place for 0.40 ms, and handing it on took another 0.40 ms)"
        );
        assert_eq!(reasons(&evidence(&short_requests(5, 500, 4))), ["hand_over"]);
        assert_eq!(reasons(&evidence(&short_requests(5, 500, 60))), ["concurrency"]);
    }

    #[test]
    fn a_place_that_waits_for_the_schedule_is_not() {
        let mut log = point_log((0..8).map(|i| ok(i, i * 100, &[i * 100 + 50])));
        log.point.concurrency = Some(2);
        log.point.rate = Some(10.0);
        let evidence = evidence(&probed(log, 0, 0));
        assert_eq!((evidence.asked_concurrency, evidence.wanted_rate), (None, None));
        assert_eq!(judge(&evidence), Verdict::Valid);
    }

    #[test]
    fn places_emptied_by_quick_failures_are_not() {
        let refused = (0..8).map(|i| ok(i, i * 100, &[]).failing_at(i * 100 + 1));
        let mut log = point_log(refused);
        log.point.concurrency = Some(2);
        assert_eq!(evidence(&log).asked_concurrency, None);
    }

    #[test]
    fn what_the_user_cancelled_is_no_failure_to_serve() {
        let served = (0..2).map(|i| ok(i, i * 100, &[i * 100 + 100]));
        let cancelled = (2..6).map(|i| failed(i, FailureKind::Cancelled, "the run was stopped"));
        let mut log = point_log(served.chain(cancelled));
        log.point.concurrency = Some(2);
        assert_eq!(evidence(&log).asked_concurrency, Some(2));
    }

    #[test]
    fn fewer_requests_than_places_are_judged_by_their_peak() {
        let mut log = point_log((0..3).map(|i| ok(i, i, &[100])));
        log.point.concurrency = Some(10);
        let evidence = evidence(&log);
        assert_eq!(evidence.asked_concurrency, Some(3));
        assert_eq!(evidence.held_concurrency, Some(Held::Exactly(3.0)));
    }

    #[test]
    fn a_log_without_an_end_tells_only_what_was_held_at_least() {
        let mut log = point_log((0..8).map(|i| ok(i, i * 100, &[i * 100 + 100])));
        log.point.concurrency = Some(2);
        let evidence = evidence(&killed(log, [pulse(1_000, 0, 0)]));
        assert_eq!(evidence.held_concurrency, Some(Held::AtLeast(1.0)));
        let doubt = Doubt::Concurrency { asked: 2, held: 1.0 };
        assert_eq!(judge(&evidence), Verdict::NotJudged { doubt });
    }
}
