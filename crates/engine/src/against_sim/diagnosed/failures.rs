//! Failures and their causes: time limits, refusals, connections, descriptors, and what is left. Each is found where it is so, and only it.
//!
//! Deliberately without the riddle, in which causes look alike.

use super::super::proxy::{Beyond, HAPROXY, Proxy};
use super::*;

/// Serves each request in 400 ms, however many there are.
const ROOMY: &str = "base_us=20000&per_prefill_token_us=10&max_num_seqs=256";

/// About eight requests in flight, for long enough for a p99.
fn steady() -> Case {
    case(ROOMY, open(20.0, 600))
}

fn with_fault(fault: &str) -> Case {
    case(&format!("{ROOMY}&{fault}"), open(20.0, 600))
}

#[tokio::test(start_paused = true)]
async fn a_limit_amid_answers_is_the_clients_and_a_longer_one_is_none() {
    let total =
        |seconds| Timeouts { total: Some(Duration::from_secs(seconds)), ..Timeouts::default() };
    // Every fifth output takes 4 s.
    let uneven = steady().outputs(&[20, 20, 20, 20, 200]);
    let log = observe(&uneven.clone().timeouts(total(2))).await;
    let findings = only(&log, "client_timeouts");
    assert!(findings.what.contains("at its own limit of 2 s, with the server still at work"));
    assert!(findings.next.contains("--total-timeout"), "{}", findings.next);
    nothing(&observe(&uneven.timeouts(total(20))).await);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nobody_hears_of_is_not_at_work() {
    let connect = Some(Duration::from_secs(1));
    let limits = Timeouts { connect, ..Timeouts::default() };
    let log = observe(&steady().door(Door::Silent).unscraped().timeouts(limits)).await;
    let found = only(&log, "client_timeouts");
    assert!(found.what.starts_with("Nothing answered 600 of 600 requests"), "{}", found.what);
}

#[tokio::test(start_paused = true)]
async fn a_stall_beyond_the_limit_is_told_with_its_flag() {
    let between = Some(Duration::from_secs(1));
    let limits = Timeouts { between_chunks: between, ..Timeouts::default() };
    let stalled = "fault=stall_between&fault_ms=5000&fault_rate=0.1";
    let log = observe(&with_fault(stalled).timeouts(limits)).await;
    let found = only(&log, "client_timeouts");
    assert!(found.what.contains("fell silent and were given up"), "{}", found.what);
    assert!(found.next.contains("a stall, and not load; raise --read-timeout"), "{}", found.next);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_is_told_with_its_moment() {
    let log = observe(&with_fault("fault=status_429&fault_from_ms=15000")).await;
    let found = only(&log, "server_refuses");
    assert!(found.what.contains("nothing succeeded that started after that"), "{}", found.what);
    assert!(!found.next.contains("--max-num-queued-reqs"), "{}", found.next);
}

#[tokio::test(start_paused = true)]
async fn a_servers_cap_is_told_with_its_height_and_a_higher_one_is_none() {
    let capped =
        |cap: usize| case(&format!("{ROOMY}&max_num_queued_reqs={cap}"), open(100.0, 1000));
    let log = observe(&capped(30)).await;
    let found = only(&log, "server_refuses");
    assert!(
        found.what.starts_with("The service takes on about 30 requests at once"),
        "{}",
        found.what
    );
    nothing(&observe(&capped(200)).await);
}

#[tokio::test(start_paused = true)]
async fn a_proxys_limit_is_told_with_its_height_and_a_higher_one_is_none() {
    let through = |connections| {
        let proxy = Proxy { connections, beyond: Beyond::Closed };
        case(ROOMY, open(100.0, 1000)).door(Door::Proxy(proxy))
    };
    let log = observe(&through(30)).await;
    let found = only(&log, "connection_limit");
    assert!(found.what.contains("lets about 30 connections through"), "{}", found.what);
    nothing(&observe(&through(300)).await);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_gives_up_after_a_while_is_a_connection_limit_where_it_has_no_place() {
    let page = Beyond::Answered { after: Duration::from_secs(6), page: HAPROXY };
    let proxy = Proxy { connections: 20, beyond: page };
    let log =
        observe(&case(ROOMY, closed(200, 800)).outputs(&[200]).door(Door::Proxy(proxy))).await;
    only(&log, "connection_limit");
}

#[tokio::test(start_paused = true)]
async fn connections_that_break_at_one_age_have_a_limit_of_their_own() {
    // 300 chunks of 20 ms each are six seconds.
    let cut = with_fault("fault=reset_mid_stream&fault_after=300&fault_rate=0.2").outputs(&[350]);
    let log = observe(&cut).await;
    assert!(only(&log, "gateway_timeouts").what.contains("after 6."), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shut_door_is_no_limit() {
    let log = observe(&steady().door(Door::Shut).unscraped()).await;
    assert!(only(&log, "failures").next.starts_with("Nothing serves there"));
}

#[tokio::test(start_paused = true)]
async fn errors_by_chance_are_failures_by_kind() {
    for (fault, words) in [
        ("fault=status_500&fault_rate=0.1", "HTTP 500"),
        ("fault=reset&fault_rate=0.1", "connection reset"),
        ("fault=error_event&fault_rate=0.1", "error in the stream"),
        ("fault=truncated&fault_rate=0.1", "truncated stream"),
    ] {
        let log = observe(&with_fault(fault)).await;
        let found = only(&log, "failures");
        assert!(found.what.contains(words), "{}", found.what);
        // The first of them has a moment.
        assert!(found.evidence[0].at.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn resets_by_chance_in_a_closed_loop_are_no_limit() {
    let query = format!("{ROOMY}&fault=reset&fault_rate=0.1&fault_from_ms=3000");
    let log = observe(&case(&query, closed(64, 1200))).await;
    only(&log, "failures");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_lags_is_the_limit_and_one_in_health_is_not() {
    let log = observe(&steady().lagging(Duration::from_millis(30))).await;
    only(&log, "client_limited");
    nothing(&observe(&steady()).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_descriptors_is_told_by_itself() {
    // Virtual connections take no descriptors: what opening one would have said is written into the log.
    let mut log = observe(&steady()).await;
    for record in log.records.iter_mut().step_by(10) {
        let words = "Too many open files (os error 24)";
        let failure = Failure::new(FailureKind::OutOfDescriptors, words);
        record.outcome = tokometer_record::Outcome::Failed(failure);
        record.chunks = tokometer_record::Chunks::default();
        record.end = record.started;
    }
    only(&log, "descriptors");
}

#[tokio::test(start_paused = true)]
async fn failures_begin_at_the_load_that_is_beyond_the_cap() {
    let query = format!("{ROOMY}&max_num_queued_reqs=40");
    let loads = [10, 30, 60, 120].map(|users| case(&query, closed(users, 800)));
    let logs = observe_all(&loads).await;
    let points: Vec<_> = logs.iter().map(summarize).collect();
    let found = diagnosis::of_run(&points);
    let begin = found.iter().find(|finding| finding.rule == "failures_begin").unwrap();
    assert!(begin.what.contains("between 30 and 60 requests in flight"), "{}", begin.what);
    assert_eq!(begin.points, [2, 3]);
    let healthy = observe_all(&loads[..2]).await;
    assert!(!found_in_sweep(&healthy).contains(&"failures_begin"));
}

/// The one finding of a log, which must be by this rule.
fn only(log: &PointLog, rule: &str) -> diagnosis::Finding {
    let mut findings = summarize(log).findings;
    assert_eq!(found(log), [rule], "{findings:#?}");
    findings.remove(0)
}

fn nothing(log: &PointLog) {
    assert_eq!(found(log), [""; 0], "{:#?}", summarize(log).findings);
}
