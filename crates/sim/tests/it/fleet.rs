//! Requests that share steps, as a client sees them: the server's truth is the forecast's, to the nanosecond.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, sleep_until};
use tokometer_sim::Options;
use tokometer_sim::forecast::{Arrivals, Request, run};

use crate::client::{COMPLETIONS, MILLI, Piped, chat, with};

/// Steps of whole milliseconds, for those are what tokio's virtual time knows.
const ENGINE: &str = "base_us=10000&per_prefill_token_us=1000&max_num_seqs=4&max_num_batched_tokens=32\
                      &num_gpu_blocks=26&block_size=4&max_model_len=90";

fn prompt(tokens: u32) -> Value {
    json!({ "model": "m", "prompt": vec![300; tokens as usize], "stream": true, "ignore_eos": true })
}

/// Asks for all of `asks`: when, with how many tokens of prompt, and for how many. Gives back the simulator once all are answered.
async fn served(query: &str, asks: &[(u64, u32, u32)]) -> Arc<Piped> {
    let sim = Arc::new(Piped::new(query));
    let all = asks.iter().map(|(at, tokens, output)| {
        let (sim, body) =
            (Arc::clone(&sim), with(prompt(*tokens), json!({ "max_tokens": output })));
        let at = sim.start + Duration::from_millis(*at);
        tokio::spawn(async move {
            sleep_until(at).await;
            assert!(sim.ask(COMPLETIONS, &[], &body).await.complete);
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    sim
}

#[tokio::test(start_paused = true)]
async fn every_emission_is_the_forecasts_own_while_requests_queue_stall_and_lose_their_blocks() {
    // No arrival falls upon the end of a step, where order would be a matter of taste.
    let asks = [
        (0, 20, 30),
        (3, 40, 25),
        (33, 9, 40),
        (36, 30, 12),
        (38, 17, 20),
        (401, 5, 33),
        (402, 25, 5),
    ];
    let query = format!("{ENGINE}&no_enable_prefix_caching=true");
    let sim = served(&query, &asks).await;
    let deployment = Options::from_query(&query).unwrap().deployment.unwrap();
    let requests = asks.map(|(_, prompt_tokens, output_tokens)| Request {
        prompt_tokens,
        output_tokens,
        chain: Arc::default(),
    });
    let moments = asks.map(|(at, ..)| MILLI * at as u32).to_vec();
    let forecast = run(&deployment, &requests, &Arrivals::At(moments), 42);
    assert!(forecast.outcomes.iter().any(|outcome| outcome.preemptions > 0), "too easy a load");
    for (served, expected) in sim.truth.served().iter().zip(&forecast.outcomes) {
        let written: Vec<(Duration, u32)> = served
            .emissions
            .iter()
            .map(|emitted| (Duration::from_nanos(emitted.at), emitted.tokens))
            .collect();
        assert_eq!(written, expected.emissions);
        assert_eq!(served.scheduled, expected.scheduled.map(|at| at.as_nanos() as u64));
        assert_eq!(served.preemptions, expected.preemptions);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_streamed_comes_with_the_step_of_its_last_token() {
    let sim = Piped::new(ENGINE);
    let body = with(prompt(10), json!({ "max_tokens": 3, "stream": false }));
    let answer = sim.ask(COMPLETIONS, &[], &body).await;
    assert_eq!(answer.millis(sim.start), [40.0]);
    assert_eq!(answer.json()["usage"]["completion_tokens"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_stall_before_the_first_byte_is_waited_out_once() {
    let sim = Arc::new(Piped::new(&format!(
        "{ENGINE}&no_enable_prefix_caching=true&fault=stall_first&fault_ms=1500"
    )));
    let asks = (0..2).map(|_| {
        let (sim, body) = (Arc::clone(&sim), with(prompt(10), json!({ "max_tokens": 2 })));
        tokio::spawn(async move {
            assert!(sim.ask(COMPLETIONS, &[], &body).await.complete);
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
    for served in sim.truth.served() {
        let written: Vec<u64> = served.emissions.iter().map(|e| e.at / 1_000_000).collect();
        // Two prompts of ten tokens in a step of 30 ms, and a step of 10 ms.
        assert_eq!(written, [1_530, 1_540]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_was_seen_before_is_cached_but_for_its_last_tokens() {
    let sim = Piped::new(&format!(
        "{ENGINE}&enable_prefix_caching=true&enable_prompt_tokens_details=true"
    ));
    let body =
        with(prompt(22), json!({ "max_tokens": 1, "stream_options": { "include_usage": true } }));
    sim.ask(COMPLETIONS, &[], &body).await;
    let again = Instant::now();
    let answer = sim.ask(COMPLETIONS, &[], &body).await;
    // Five blocks of four tokens are full; two tokens are computed.
    assert_eq!(answer.millis(again)[0], 12.0);
    assert!(answer.text().contains("\"cached_tokens\":20"), "{}", answer.text());
    assert_eq!(sim.truth.served()[1].cached, 20);
    sim.ask("POST /reset_prefix_cache", &[], &Value::Null).await;
    sim.ask(COMPLETIONS, &[], &body).await;
    assert_eq!(sim.truth.served()[2].cached, 0);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_goes_on_finds_its_answer_in_the_cache() {
    let sim = Piped::new(
        "base_us=10000&per_prefill_token_us=1000&block_size=4&num_gpu_blocks=100&max_model_len=300",
    );
    let first = sim
        .ask(
            COMPLETIONS,
            &[],
            &json!({ "prompt": " the people", "max_tokens": 30, "ignore_eos": true }),
        )
        .await;
    let said = first.json()["choices"][0]["text"].as_str().unwrap().to_owned();
    let next = json!({ "prompt": format!(" the people{said} and"), "max_tokens": 1 });
    sim.ask(COMPLETIONS, &[], &next).await;
    // 2 + 30 tokens were known, of which the last was never computed: 7 blocks.
    assert_eq!(sim.truth.served()[1].cached, 28);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_its_place_to_others() {
    let sim = Piped::new(&format!("{ENGINE}&no_enable_prefix_caching=true"));
    let mut socket = sim.connect(1 << 16);
    let body = with(prompt(30), json!({ "max_tokens": 60 })).to_string();
    let head = format!("POST /v1/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    sleep(105 * MILLI).await;
    let page = sim.ask("GET /metrics", &[], &Value::Null).await.text();
    assert!(
        page.contains("vllm:num_requests_running{engine=\"0\",model_name=\"simulated\"} 1.0"),
        "{page}"
    );
    drop(socket);
    sleep(100 * MILLI).await;
    let page = sim.ask("GET /metrics", &[], &Value::Null).await.text();
    assert!(page.contains("vllm:num_requests_running{engine=\"0\",model_name=\"simulated\"} 0.0"));
    assert!(page.contains("vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"simulated\"} 0.0"));
    let aborted = "vllm:request_success_total{engine=\"0\",finished_reason=\"abort\",model_name=\"simulated\"} 1.0";
    assert!(page.contains(aborted));
}

#[tokio::test(start_paused = true)]
async fn embeddings_take_the_step_of_their_prompt() {
    let sim = Piped::new(ENGINE);
    let answer = sim
        .ask("POST /v1/embeddings", &[], &json!({ "model": "m", "input": [300, 300, 300] }))
        .await;
    assert_eq!((answer.status, answer.millis(sim.start)), (200, vec![13.0]));
}

#[tokio::test(start_paused = true)]
async fn the_choices_of_a_request_are_sequences_of_one_batch() {
    let sim = Piped::new(&format!("{ENGINE}&no_enable_prefix_caching=true"));
    sim.ask("POST /v1/chat/completions", &[], &with(chat(2), json!({ "n": 2, "max_tokens": 2 })))
        .await;
    let served = &sim.truth.served()[0];
    assert_eq!(served.emissions.iter().map(|emitted| emitted.tokens).sum::<u32>(), 4);
    let moments: Vec<u64> = served.emissions.iter().map(|emitted| emitted.at).collect();
    assert!(moments.is_sorted());
}
