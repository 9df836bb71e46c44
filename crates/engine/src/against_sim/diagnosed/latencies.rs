//! What bends latencies, or makes them look better than they are: stalls, noise, modes, shifts, want of warmth, caches, speculation.

use tokometer_workload::arrivals::{Ramp, Shape};

use super::*;

/// Prompts of 4,000 tokens, of which steps take up to `budget`; outputs of several lengths, so that places do not march in step.
fn long_prompts(budget: u32) -> Case {
    let query = format!(
        "base_us=20000&per_prefill_token_us=50&max_num_seqs=64&max_num_batched_tokens={budget}"
    );
    case(&query, closed(4, 600)).prompts(&[4000]).outputs(&[70, 90, 110])
}

#[tokio::test(start_paused = true)]
async fn long_prompts_in_one_step_stall_the_outputs_of_others() {
    assert_found(&long_prompts(8192), &["prefill_stalls"]).await;
    // No word of the server is needed to see it.
    assert_found(&long_prompts(8192).unscraped(), &["prefill_stalls"]).await;
}

#[tokio::test(start_paused = true)]
async fn long_prompts_in_small_pieces_stall_nobody() {
    assert_found(&long_prompts(512), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn stalls_of_the_server_s_own_are_not_put_down_to_prompts() {
    // Everybody stands still for 300 ms in the middle of an output, and nobody's prompt is to blame.
    let query = "ttft_ms=100&itl_ms=20&fault=stall_between&fault_ms=300&fault_after=30";
    assert_found(&case(query, open(4.0, 600)).outputs(&[60]), &["stream_stalls"]).await;
    // For 80 ms: no more than a full step takes.
    let query = "ttft_ms=100&itl_ms=20&fault=stall_between&fault_ms=80&fault_after=30";
    assert_found(&case(query, open(4.0, 600)).outputs(&[60]), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn one_long_gap_in_every_fifth_stream_is_no_second_mode_of_the_time_per_token() {
    let query = "base_us=9000&max_num_seqs=64&fault=stall_between&fault_rate=0.2&fault_ms=1500&fault_after=20";
    let few = case(query, closed(4, 60)).outputs(&[40]);
    assert_found(&few, &["stream_stalls", "too_few_requests"]).await;
    assert_found(&Case { load: closed(4, 600), ..few }, &["stream_stalls"]).await;
}

/// A server that takes 800 ms longer from a moment on, or until then.
fn changing(when: &str) -> String {
    format!("ttft_ms=60&itl_ms=10&fault=ttft_step&fault_ms=800&{when}")
}

#[tokio::test(start_paused = true)]
async fn a_server_that_becomes_slower_in_mid_run_is_told_with_the_moment() {
    let query = changing("fault_from_ms=6000");
    let few = case(&query, closed(4, 140));
    let log = assert_found(&few, &["latency_shift", "too_few_requests"]).await;
    let summary = summarize(&log);
    let moment = summary.findings[0].evidence[0].at.unwrap();
    assert!((6.0..6.5).contains(&moment.as_secs_f64()), "{moment:?}");
    assert_found(&case(&query, closed(4, 600)), &["latency_shift"]).await;
    let query = changing("fault_from_ms=40000");
    assert_found(&case(&query, open(8.0, 600)), &["latency_shift"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_recovers_in_mid_run_is_told_too() {
    assert_found(&case(&changing("fault_until_ms=40000"), closed(4, 600)), &["latency_shift"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn load_that_rises_is_no_server_that_becomes_slower() {
    // Sixteen places on the server, and requests that come faster and faster: from some moment on they wait.
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=16";
    let ramp = Ramp { shape: Shape::Linear, from: 10.0, to: 60.0, burstiness: 1.0 };
    let ramp = Load { arrivals: Arrivals::Ramp(ramp), ..open(10.0, 600) };
    let log = observe(&case(query, ramp).unscraped()).await;
    assert!(!found(&log).contains(&"latency_shift"), "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_knows_prompts_flatters() {
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";
    let shared = case(query, closed(4, 600)).prompts(&[320]).sharing(160).outputs(&[15, 20, 25]);
    assert_found(&shared, &["prefix_cache"]).await;
    let own = Case { query: format!("{query}&enable_prefix_caching=false"), ..shared.clone() };
    assert_found(&own, &[]).await;
    assert_found(&shared.sharing(0), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_tell_of_cached_tokens_are_enough() {
    let query = "base_us=20000&per_prefill_token_us=10&enable_prompt_tokens_details=true";
    let again = case(query, closed(1, 500)).prompts(&[320]).distinct(1).unscraped();
    assert_found(&again, &["prefix_cache"]).await;
}

/// A server that takes two seconds longer for what comes in its first second.
const COLD: &str = "ttft_ms=60&itl_ms=10&fault=ttft_step&fault_ms=2000&fault_until_ms=1000";

#[tokio::test(start_paused = true)]
async fn a_cold_server_shows_in_the_first_requests() {
    assert_found(&case(COLD, closed(1, 500)), &["warm_up"]).await;
    assert_found(&case(COLD, closed(16, 640)), &["warm_up"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_warmed_up_shows_nothing() {
    for (places, requests) in [(1, 500), (16, 640)] {
        let load = Load { warmup: Warmup::Leading(16), ..closed(places, requests) };
        assert_found(&case(COLD, load), &[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_synchronised_start_is_no_want_of_warmth() {
    // Sixteen prompts of 1,000 tokens at once: the first tokens come after up to 1.6 s.
    let query = "base_us=20000&per_prefill_token_us=20&max_num_seqs=64&max_num_batched_tokens=2048";
    let load = case(query, closed(16, 640)).prompts(&[1000]).outputs(&[50, 100, 150]);
    assert_found(&load, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_are_too_few_for_a_p99() {
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";
    assert_found(&case(query, closed(8, 100)), &["too_few_requests"]).await;
    assert_found(&case(query, closed(8, 459)), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn latencies_without_rhyme_or_reason_are_noisy() {
    let query = "ttft_ms=100&ttft_dist=exponential&itl_ms=10";
    assert_found(&case(query, closed(4, 600)), &["noisy_latencies"]).await;
    // An engine whose steps take now this long, now that.
    let query = "base_us=20000&noise=1&max_num_seqs=64";
    assert_found(&case(query, closed(1, 600)).outputs(&[40]), &["noisy_latencies"]).await;
}

#[tokio::test(start_paused = true)]
async fn latencies_that_vary_a_little_are_not_noisy() {
    let query = "ttft_ms=100&ttft_dist=uniform&ttft_spread_ms=90&itl_ms=10&itl_spread_ms=3";
    assert_found(&case(query, closed(4, 600)), &[]).await;
    let query = "base_us=20000&noise=0.3&max_num_seqs=64";
    assert_found(&case(query, closed(1, 600)).outputs(&[40]), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_few_requests_far_from_the_others_are_a_second_mode() {
    let query = "ttft_ms=50&itl_ms=5&fault=stall_first&fault_rate=0.2&fault_ms=1500";
    assert_found(&case(query, closed(4, 60)), &["bimodal_latencies", "too_few_requests"]).await;
    assert_found(&case(query, closed(4, 24)), &["bimodal_latencies", "too_few_requests"]).await;
    let engine = "base_us=9000&max_num_seqs=64&fault=stall_first&fault_rate=0.2&fault_ms=1500";
    let log = observe(&case(engine, closed(4, 60))).await;
    assert!(found(&log).contains(&"bimodal_latencies"), "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn two_modes_of_latency_are_told_apart() {
    let query = "ttft_ms=100&itl_ms=10&fault=ttft_step&fault_ms=500&fault_rate=0.3";
    assert_found(&case(query, closed(4, 600)), &["bimodal_latencies"]).await;
    assert_found(&case(query, open(8.0, 600)), &["bimodal_latencies"]).await;
}

#[tokio::test(start_paused = true)]
async fn prompts_of_two_lengths_have_latencies_of_two_lengths() {
    let query = "base_us=20000&per_prefill_token_us=50&max_num_seqs=64";
    assert_found(&case(query, closed(1, 600)).prompts(&[100, 6000]).outputs(&[20, 30, 40]), &[])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_of_which_the_server_says_nothing_is_neither_noise_nor_modes() {
    // 24 places of the client's for 16 of the server's, in step: half of the requests wait for a whole output, half do not wait.
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=16";
    assert_found(&case(query, closed(24, 600)).unscraped(), &[]).await;
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=32&noise=0.3&max_num_batched_tokens=512";
    assert_found(&case(query, closed(34, 600)).unscraped(), &[]).await;
}

/// Four drafted tokens a step, which are accepted so often.
fn speculating(acceptance: &str) -> Case {
    let config = r#"{"method":"ngram","num_speculative_tokens":4}"#;
    let query = format!(
        "base_us=20000&max_num_seqs=64&speculative_config={config}&acceptance={acceptance}"
    );
    case(&query, closed(4, 600)).outputs(&[60])
}

#[tokio::test(start_paused = true)]
async fn drafts_that_are_thrown_away_do_not_pay() {
    assert_found(&speculating("0.3,0.2,0.1,0.1"), &["speculation_not_paying"]).await;
}

#[tokio::test(start_paused = true)]
async fn drafts_that_are_kept_pay() {
    assert_found(&speculating("0.95,0.9,0.85,0.8"), &[]).await;
}
