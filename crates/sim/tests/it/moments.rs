//! In virtual time, over a pipe: what the client reads when, and what the truth says of it.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};
use tokometer_sim::{Delay, Length, Lengths, Pace, Work};

use crate::client::{Answer, CHAT, MILLI, Piped, ask, chat, with};

/// Milliseconds since the arrival at which chunks that tell output came.
fn output(answer: &Answer, start: Instant) -> Vec<f64> {
    let told = |(_, bytes): &(Instant, Vec<u8>)| {
        str::from_utf8(bytes).unwrap().contains("\"content\":\" ")
    };
    let came = answer.millis(start);
    came.iter().zip(&answer.chunks).filter(|(_, chunk)| told(chunk)).map(|(at, _)| *at).collect()
}

#[tokio::test(start_paused = true)]
async fn every_token_is_written_at_its_deadline() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let answer = sim.chat(5).await;
    assert_eq!(output(&answer, sim.start), [200.0, 220.0, 240.0, 260.0, 280.0]);
    assert_eq!(sim.written(), [200.0, 220.0, 240.0, 260.0, 280.0].map(|at| (at, 1)));
    assert_eq!(
        answer.millis(sim.start).last(),
        Some(&280.0),
        "the end follows the last token at once"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_drifts_over_a_long_output() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let expected: Vec<f64> = (0..2000).map(|i| 200.0 + 20.0 * f64::from(i)).collect();
    assert_eq!(output(&sim.chat(2000).await, sim.start), expected);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_come_together_are_one_chunk() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20&tokens_per_chunk=2");
    sim.chat(5).await;
    assert_eq!(sim.written(), [(200.0, 2), (240.0, 2), (260.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn drawn_delays_are_the_models_own() {
    let sim = Piped::new("ttft_ms=100&ttft_dist=exponential&itl_ms=10&itl_spread_ms=4&seed=7");
    sim.chat(20).await;
    let model = Pace {
        ttft: Delay::Exponential { mean: 100 * MILLI },
        itl: Delay::Normal { mean: 10 * MILLI, deviation: 4 * MILLI },
        tokens_per_chunk: NonZeroU32::MIN,
        lengths: Lengths { output: Length::Fixed(128), context: 131_072 },
        seed: 7,
    };
    let work = Work { max_tokens: Some(20), ignore_eos: true, ..Work::default() };
    // tokio's virtual timer rounds up to the millisecond.
    let ceiled = |at: Duration| (at.as_secs_f64() * 1e3).ceil();
    let expected: Vec<(f64, u32)> =
        model.generate(&work).map(|emission| (ceiled(emission.at), emission.tokens)).collect();
    assert_eq!(sim.written(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_streamed_comes_whole_with_its_last_token() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let body = with(chat(5), json!({ "stream": false, "stream_options": null }));
    let answer = sim.ask(CHAT, &[], &body).await;
    assert_eq!(answer.millis(sim.start), [280.0]);
    assert_eq!(sim.written(), [(280.0, 5)]);
}

#[tokio::test(start_paused = true)]
async fn moments_count_from_the_last_byte_of_the_request() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let mut socket = sim.connect(1 << 16);
    socket
        .write_all(b"POST /v1/chat/completions HTTP/1.1\r\nx-request-id: slow\r\n")
        .await
        .unwrap();
    sleep(30 * MILLI).await;
    let body = chat(1).to_string();
    let rest = format!("content-length: {}\r\n\r\n", body.len());
    socket.write_all(rest.as_bytes()).await.unwrap();
    sleep(30 * MILLI).await;
    socket.write_all(body.as_bytes()).await.unwrap();
    sleep(1000 * MILLI).await;
    let served = sim.truth.served();
    assert_eq!((served[0].request_id.as_str(), served[0].arrival), ("slow", 60_000_000));
    assert_eq!(served[0].emissions[0].at, 260_000_000);
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_connection_follow_each_other() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let mut socket = sim.connect(1 << 16);
    for id in ["a", "b"] {
        let answer = ask(&mut socket, CHAT, &[("x-request-id", id)], &chat(2).to_string()).await;
        assert!(answer.complete);
    }
    let served = sim.truth.served();
    let told: Vec<(&str, u64, u64)> = served
        .iter()
        .map(|one| (one.request_id.as_str(), one.number, one.arrival / 1_000_000))
        .collect();
    assert_eq!(told, [("a", 0, 0), ("b", 1, 220)]);
    assert_eq!(served[1].emissions[0].at, 420_000_000);
}

#[tokio::test(start_paused = true)]
async fn choices_share_the_moments_of_a_constant_model() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    sim.ask(CHAT, &[], &with(chat(2), json!({ "n": 2 }))).await;
    assert_eq!(sim.written(), [(200.0, 1), (200.0, 1), (220.0, 1), (220.0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_does_not_take_is_emitted_when_it_does() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let mut socket = sim.connect(700);
    let body = chat(5).to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    sleep(1000 * MILLI).await;
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        tokio::io::AsyncReadExt::read_buf(&mut socket, &mut rest).await.unwrap();
    }
    let written = sim.written();
    // The head and the first chunk, with the opening event before it, fill the pipe. The second has to wait.
    assert_eq!((written.len(), written[0].0), (5, 200.0));
    assert!(written[1..].iter().all(|(at, _)| *at == 1000.0), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_ends_its_response() {
    let sim = Piped::new("ttft_ms=200&itl_ms=20");
    let mut socket = sim.connect(1 << 16);
    let body = chat(100).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    sleep(230 * MILLI).await;
    drop(socket);
    sleep(1000 * MILLI).await;
    assert_eq!(sim.written(), [(200.0, 1), (220.0, 1)]);
}
