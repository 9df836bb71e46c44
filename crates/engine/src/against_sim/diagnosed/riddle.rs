//! The riddle of a document: 200 users, a quarter of the requests succeed, and the throughput is below its peak: what is the bottleneck?
//! Several causes look the same from outside. Each must be found, and only it.

use super::super::proxy::{Beyond, ENVOY, HAPROXY, NGINX, Page};
use super::*;

/// Serves each request in two seconds, however many there are.
const ROOMY: &str = "base_us=100000&max_num_seqs=256";

/// Users who wait for their answers: each asks again as soon as the last request is over.
fn users() -> Load {
    closed(200, 800)
}

/// Up to 200 users who come at a rate of their own: where failing takes no time, those of [`users`] would ask all they have in no time.
fn visitors() -> Load {
    Load { in_flight: NonZeroUsize::new(200), ..open(100.0, 800) }
}

fn riddle(query: &str, load: Load) -> Case {
    case(query, load).outputs(&[20])
}

fn proxied(load: Load, beyond: Beyond) -> Case {
    riddle(ROOMY, load).door(Door::Proxy(Proxy { connections: 50, beyond }))
}

/// Asserts that about a quarter of the requests succeeded, that only this was found, and that it names the cause with its number.
fn assert_solved(log: &PointLog, rule: &str, cause: &str) {
    let succeeded = log.records.iter().filter(|record| record.succeeded()).count();
    let share = succeeded as f64 / log.records.len() as f64;
    assert!((0.2..=0.3).contains(&share), "{share}");
    let findings = summarize(log).findings;
    assert_eq!(found(log), [rule], "{findings:#?}");
    let failed = log.records.len() - succeeded;
    let what = &findings[0].what;
    assert!(what.contains(cause) && what.contains(&format!("{failed} of 800")), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_more_than_so_many_refuses() {
    let case = riddle(&format!("{ROOMY}&max_num_queued_reqs=50"), visitors());
    let log = observe(&case).await;
    assert_solved(&log, "server_refuses", "takes on about 50 requests at once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_limits_rates_refuses() {
    let case = riddle(&format!("{ROOMY}&fault=status_429&fault_rate=0.75"), visitors());
    assert_solved(&observe(&case).await, "server_refuses", "with HTTP 429");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_before_its_turn_comes() {
    // 40 places of two seconds for 200 users: whoever comes last waits for eight.
    // (The head of a stream comes at once, as vLLM's does: what is waited for is the first chunk.)
    let patience = Some(Duration::from_secs(2));
    let patient = Timeouts { between_chunks: patience, ..Timeouts::default() };
    let case = riddle("base_us=100000&max_num_seqs=40", visitors()).timeouts(patient);
    assert_solved(&observe(&case).await, "client_timeouts", "at its own limit of 2 s");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_before_its_answer_is_complete() {
    // Nobody waits at the server, but three of four answers take four seconds.
    let total = Timeouts { total: Some(Duration::from_secs(3)), ..Timeouts::default() };
    let case = riddle(ROOMY, users()).outputs(&[20, 40, 40, 40]).timeouts(total);
    let log = observe(&case).await;
    assert_solved(&log, "client_timeouts", "at its own limit of 3 s");
    // All of them start at once.
    let told = summarize(&log).findings[0].evidence.clone();
    let fact = "the first started with 200 requests in flight";
    assert!(told.iter().any(|evidence| evidence.fact == fact), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_connections_beyond_its_limit() {
    let log = observe(&proxied(visitors(), Beyond::Refused)).await;
    assert_solved(&log, "connection_limit", "about 50 connections");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_closes_connections_beyond_its_limit() {
    let log = observe(&proxied(visitors(), Beyond::Closed)).await;
    assert_solved(&log, "connection_limit", "about 50 connections");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_answers_connections_beyond_its_limit_itself() {
    let answered = |after, page: Page| Beyond::Answered { after, page };
    let at_once = Duration::ZERO;
    for page in [ENVOY, NGINX] {
        let log = observe(&proxied(visitors(), answered(at_once, page))).await;
        assert_solved(&log, "connection_limit", "about 50 connections");
    }
    // HAProxy lets them wait for as long as an answer takes.
    let log = observe(&proxied(users(), answered(Duration::from_secs(2), HAPROXY))).await;
    assert_solved(&log, "connection_limit", "about 50 connections");
}
