//! Each fault does what its name says, and the truth tells of it.

use std::io;
use std::num::NonZeroU32;

use serde_json::json;
use tokometer_sim::{Deployment, Engine, Frontend, Linear, Options, Policy, Routing, StepTime};

use crate::client::{Answer, CHAT, MILLI, Piped, chat, with};

const FAST: &str = "ttft_ms=100&itl_ms=10";

fn sim(fault: &str) -> Piped {
    Piped::new(&format!("{FAST}&fault={fault}"))
}

async fn faulty(fault: &str) -> Answer {
    sim(fault).chat(5).await
}

/// How many events bore output.
fn outputs(answer: &Answer) -> usize {
    answer.text().matches("\"content\":\" ").count()
}

#[tokio::test(start_paused = true)]
async fn statuses_come_with_their_bodies() {
    for status in [400, 401, 404, 429, 500, 503] {
        let answer = faulty(&format!("status_{status}")).await;
        assert_eq!(answer.status, status);
        assert!(!answer.json()["error"].is_null(), "{status}");
        assert_eq!(answer.head.contains("retry-after: 1\r\n"), status == 429);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reset_before_the_response() {
    let answer = faulty("reset").await;
    assert_eq!((answer.status, answer.broken), (0, Some(io::ErrorKind::UnexpectedEof)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reset_between_events() {
    let sim = sim("reset_mid_stream&fault_after=2");
    let answer = sim.chat(5).await;
    assert!(answer.broken.is_some() && answer.text().ends_with("\n\n"));
    assert_eq!(outputs(&answer), 2);
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reset_within_an_event() {
    let sim = sim("reset_mid_event&fault_after=2");
    let answer = sim.chat(5).await;
    assert!(answer.broken.is_some() && !answer.text().ends_with("\n\n"));
    assert_eq!((answer.chunks.len(), outputs(&answer)), (3, 2));
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_after_the_last_chunk_comes_in_its_place() {
    let answer = faulty("reset_mid_stream&fault_after=100").await;
    assert!(answer.broken.is_some());
    assert_eq!(outputs(&answer), 4);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_sent_in_the_stream() {
    let answer = faulty("error_event&fault_after=2").await;
    let errors = answer.deltas("openai-chat", |delta| delta.error.is_some());
    assert_eq!(errors, [false, false, false, true, false]);
    assert_eq!(answer.events()[4], "[DONE]");
    assert!(answer.complete);
}

#[tokio::test(start_paused = true)]
async fn a_truncated_stream_ends_cleanly_and_too_early() {
    let answer = faulty("truncated&fault_after=2").await;
    assert!(answer.complete);
    assert!(!answer.text().contains("[DONE]") && !answer.text().contains("\"length\""));
    assert_eq!(outputs(&answer), 2);
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_is_done_at_once() {
    let answer = faulty("empty_stream").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "data: [DONE]\n\n"));
}

#[tokio::test(start_paused = true)]
async fn usage_is_left_out() {
    let answer = faulty("no_usage").await;
    assert!(!answer.text().contains("usage"));
    assert_eq!(outputs(&answer), 5);
    let whole = with(chat(5), json!({ "stream": false, "stream_options": null }));
    assert!(sim("no_usage").ask(CHAT, &[], &whole).await.json()["usage"].is_null());
}

#[tokio::test(start_paused = true)]
async fn one_event_is_not_json_and_the_stream_goes_on() {
    let sim = sim("bad_json&fault_after=2");
    let answer = sim.chat(5).await;
    let readable: Vec<bool> = answer
        .events()
        .iter()
        .map(|event| event == "[DONE]" || serde_json::from_str::<serde_json::Value>(event).is_ok())
        .collect();
    assert_eq!(readable, [true, true, true, false, true, true, true, true]);
    // What cannot be read is no emission.
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1), (130.0, 1), (140.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_page_stands_where_a_response_should() {
    let answer = faulty("not_json").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/html\r\n"));
    assert!(serde_json::from_str::<serde_json::Value>(&answer.text()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stall_before_the_first_byte_puts_everything_off() {
    let sim = sim("stall_first&fault_ms=1000");
    let answer = tokio::time::timeout(999 * MILLI, sim.chat(2)).await;
    assert!(answer.is_err(), "there was a response before the stall was over");
    let sim = self::sim("stall_first&fault_ms=1000");
    sim.chat(2).await;
    assert_eq!(sim.written(), [(1100.0, 1), (1110.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_between_chunks_puts_off_what_follows() {
    let sim = sim("stall_between&fault_after=2&fault_ms=1000");
    sim.chat(4).await;
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1), (1120.0, 1), (1130.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn events_are_written_in_other_ways_that_the_standard_allows() {
    let plain = faulty("no_usage").await.text();
    let same = |text: String| {
        // The id and the time differ from run to run.
        let texts = text
            .split("\"content\":")
            .skip(1)
            .map(|after| after.split('}').next().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    let crlf = faulty("crlf").await.text();
    assert!(crlf.contains("\r\n\r\n") && !crlf.replace("\r\n", "").contains('\n'));
    assert_eq!(same(crlf), same(plain.clone()));
    let comments = faulty("comments").await.text();
    assert!(comments.starts_with(": a comment\ndata: {"));
    assert_eq!(same(comments), same(plain.clone()));
    let no_space = faulty("no_space").await.text();
    assert!(no_space.starts_with("data:{") && !no_space.contains("data: "));
    assert_eq!(same(no_space), same(plain));
}

#[tokio::test(start_paused = true)]
async fn every_byte_is_written_by_itself() {
    let sim = sim("split_bytes");
    let answer = sim.chat(3).await;
    assert!(answer.chunks.iter().all(|(_, bytes)| bytes.len() == 1));
    assert_eq!(outputs(&answer), 3);
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1), (120.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn two_chunks_are_written_at_once() {
    let sim = sim("pairs");
    let answer = sim.chat(5).await;
    assert_eq!(sim.written(), [(110.0, 1), (110.0, 1), (130.0, 1), (130.0, 1), (140.0, 1)]);
    assert_eq!((answer.chunks.len(), outputs(&answer)), (4, 5));
}

#[tokio::test(start_paused = true)]
async fn the_opening_event_comes_before_the_first_token() {
    let sim = sim("role_first");
    let answer = sim.chat(2).await;
    assert_eq!(answer.millis(sim.start), [0.0, 100.0, 110.0, 110.0]);
    assert!(answer.events()[0].contains("\"role\":\"assistant\""));
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_asks_for_a_fault_in_its_header() {
    let sim = Piped::new(FAST);
    let header = [("x-sim-fault", "stall_between; after=1; ms=500")];
    sim.ask(CHAT, &header, &chat(2)).await;
    assert_eq!(sim.written(), [(100.0, 1), (610.0, 1)]);
    assert_eq!(sim.truth.served()[0].faults, ["stall_between"]);
    let answer = sim.ask(CHAT, &[("x-sim-fault", "rset")], &chat(2)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("no fault is called"));
}

#[tokio::test(start_paused = true)]
async fn only_the_requests_that_are_meant_get_a_fault() {
    let sim = sim("status_503&fault_requests=1");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(sim.chat(1).await.status);
    }
    assert_eq!(statuses, [200, 503, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_body_breaks_in_its_own_ways() {
    let whole = with(chat(5), json!({ "stream": false, "stream_options": null }));
    let answer = sim("reset_mid_stream").ask(CHAT, &[], &whole).await;
    assert_eq!((answer.status, answer.complete), (200, false));
    assert!(answer.broken.is_some());
    let answer = sim("truncated").ask(CHAT, &[], &whole).await;
    assert!(answer.complete && serde_json::from_str::<serde_json::Value>(&answer.text()).is_err());
    let answer = sim("error_event").ask(CHAT, &[], &whole).await;
    assert_eq!(answer.status, 500);
    let answer = sim("empty_stream").ask(CHAT, &[], &whole).await;
    assert_eq!(answer.json()["usage"]["completion_tokens"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_finish_reason_and_without_done() {
    let answer = faulty("no_done").await;
    assert!(answer.complete && outputs(&answer) == 5);
    assert!(
        answer.text().contains("\"finish_reason\":\"length\"") && answer.text().contains("usage")
    );
    assert!(!answer.text().contains("[DONE]"));
    let bare = with(chat(5), json!({ "stream_options": null }));
    let answer = sim("no_done").ask(CHAT, &[], &bare).await;
    assert!(answer.complete && outputs(&answer) == 5 && !answer.text().contains("[DONE]"));
}

#[tokio::test(start_paused = true)]
async fn usage_counts_too_many() {
    let answer = faulty("wrong_usage&fault_tokens=7").await;
    let usage = answer.deltas("openai-chat", |delta| delta.usage)[6].unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(18 + 7), 5 + 7));
    let both = sim("wrong_usage,continuous_usage").chat(2).await;
    let counts =
        both.deltas("openai-chat", |delta| delta.usage.map(|usage| usage.completion_tokens));
    assert_eq!(counts, [Some(0), Some(5), Some(6), Some(6), None]);
}

#[tokio::test(start_paused = true)]
async fn usage_comes_with_every_chunk_unasked() {
    let bare = with(chat(3), json!({ "stream_options": null }));
    let answer = sim("continuous_usage").ask(CHAT, &[], &bare).await;
    let counts =
        answer.deltas("openai-chat", |delta| delta.usage.map(|usage| usage.completion_tokens));
    assert_eq!(counts, [Some(0), Some(1), Some(2), Some(3), Some(3), None]);
}

#[tokio::test(start_paused = true)]
async fn chunks_are_held_back_and_written_together_and_what_follows_is_in_time() {
    let sim = sim("stall_burst&fault_after=2&fault_ms=25");
    let answer = sim.chat(7).await;
    // Due at 120, 130 and 140, and written together when the stall that began at 120 is over.
    let written =
        [(100.0, 1), (110.0, 1), (145.0, 1), (145.0, 1), (145.0, 1), (150.0, 1), (160.0, 1)];
    assert_eq!(sim.written(), written);
    assert_eq!(answer.millis(sim.start), [100.0, 110.0, 145.0, 150.0, 160.0, 160.0]);
    assert_eq!(outputs(&answer), 7);
}

#[tokio::test(start_paused = true)]
async fn a_burst_at_the_end_ends_the_response_with_it() {
    let sim = sim("stall_burst&fault_after=2&fault_ms=500");
    let answer = sim.chat(4).await;
    assert_eq!(sim.written(), [(100.0, 1), (110.0, 1), (620.0, 1), (620.0, 1)]);
    assert!(answer.complete && answer.millis(sim.start).last() == Some(&620.0));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_put_together_into_chunks() {
    let sim = sim("coalesce&fault_tokens=3");
    let answer = sim.chat(7).await;
    let chunks: Vec<u32> = sim.written().iter().map(|(_, tokens)| *tokens).collect();
    assert_eq!((chunks, outputs(&answer)), (vec![3, 3, 1], 3));
}

#[tokio::test(start_paused = true)]
async fn the_first_token_comes_later_from_a_moment_on() {
    let sim = sim("ttft_step&fault_from_ms=1000&fault_until_ms=3000&fault_ms=400");
    let mut firsts = Vec::new();
    for _ in 0..4 {
        let asked = tokio::time::Instant::now();
        let answer = sim.chat(1).await;
        firsts.push((answer.chunks[0].0 - asked).as_millis());
        tokio::time::sleep_until(asked + 1000 * MILLI).await;
    }
    // They came at 0, 1, 2 and 3 seconds.
    assert_eq!(firsts, [100, 500, 500, 100]);
}

/// An engine whose steps take ten milliseconds each.
fn engine() -> Deployment {
    let many = |count| NonZeroU32::new(count).unwrap();
    Deployment {
        name: "ten milliseconds".to_owned(),
        engine: Engine {
            max_num_seqs: many(8),
            max_num_batched_tokens: many(2048),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: many(1000),
            block_size: many(16),
            prefix_caching: true,
            speculation: None,
        },
        step: StepTime::Linear(Linear { base: 0.01, ..Linear::default() }),
        frontend: Frontend::default(),
        replicas: NonZeroU32::MIN,
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}

fn sim_of_steps(fault: &str) -> Piped {
    let options = Options::from_query(&format!("fault={fault}")).unwrap();
    Piped::of(Options { deployment: Some(engine()), ..options })
}

#[tokio::test(start_paused = true)]
async fn chunks_of_an_engine_are_held_back_and_put_together_too() {
    let sim = sim_of_steps("stall_burst&fault_after=2&fault_ms=35");
    let answer = sim.chat(7).await;
    // Due at 30, 40, 50 and 60, and written when the stall that began at 30 is over.
    let written = [(10.0, 1), (20.0, 1), (65.0, 1), (65.0, 1), (65.0, 1), (65.0, 1), (70.0, 1)];
    assert_eq!((sim.written(), outputs(&answer)), (written.to_vec(), 7));
    let sim = sim_of_steps("coalesce&fault_tokens=3");
    sim.chat(7).await;
    assert_eq!(sim.written(), [(30.0, 3), (60.0, 3), (70.0, 1)]);
}
