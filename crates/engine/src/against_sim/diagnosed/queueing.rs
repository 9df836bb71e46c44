//! Waiting on the server, and what for: places, room in the cache, tokens of a step. Each is found where it is so, and only it; and where
//! the server's own account and the client's differ.

use super::*;

fn nothing(log: &PointLog) {
    assert_eq!(found(log), [""; 0], "{:#?}", summarize(log).findings);
}

#[tokio::test(start_paused = true)]
async fn too_few_places_are_told_with_their_number_and_more_are_none() {
    let places = |most: usize| {
        let query = format!("base_us=20000&per_prefill_token_us=10&max_num_seqs={most}");
        case(&query, closed(96, 1200)).outputs(&[20, 33, 47, 61])
    };
    let log = observe(&places(32)).await;
    assert_eq!(found(&log), ["queueing_by_max_num_seqs"], "{:#?}", summarize(&log).findings);
    let what = &summarize(&log).findings[0].what;
    assert!(what.starts_with("Requests wait for one of 32 places"), "{what}");
    nothing(&observe(&places(128)).await);
}

#[tokio::test(start_paused = true)]
async fn the_log_alone_tells_of_too_few_places() {
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=32";
    let case = case(query, closed(96, 1200)).outputs(&[20, 33, 47, 61]);
    let log = observe(&case.unscraped().logged(Duration::from_secs(1))).await;
    assert_eq!(found(&log), ["queueing_by_max_num_seqs"], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn a_small_cache_is_told_and_a_larger_one_is_none() {
    // Prompts of 38 to 40 blocks, in whose last one the output has room: about 25 fit, and none outgrows its blocks.
    let blocks = |blocks: usize| {
        let query = format!(
            "base_us=20000&per_prefill_token_us=1&max_num_seqs=256&max_num_batched_tokens=16384&num_gpu_blocks={blocks}"
        );
        case(&query, closed(60, 900)).prompts(&[600, 616, 632]).outputs(&[8])
    };
    let log = observe(&blocks(1000)).await;
    assert_eq!(found(&log), ["queueing_by_kv_space"], "{:#?}", summarize(&log).findings);
    nothing(&observe(&blocks(4000)).await);
}

#[tokio::test(start_paused = true)]
async fn outputs_that_outgrow_the_cache_thrash_and_in_a_larger_one_they_do_not() {
    let blocks = |blocks: usize| {
        let query = format!(
            "base_us=20000&per_prefill_token_us=1&max_num_seqs=256&num_gpu_blocks={blocks}"
        );
        case(&query, closed(60, 600)).prompts(&[30, 40, 50]).outputs(&[150, 200, 250])
    };
    let log = observe(&blocks(400)).await;
    assert_eq!(found(&log), ["preemption_thrash"], "{:#?}", summarize(&log).findings);
    nothing(&observe(&blocks(4000)).await);
}

#[tokio::test(start_paused = true)]
async fn steps_full_of_prompts_are_told_and_larger_ones_are_none() {
    let budget = |tokens: usize| {
        let query = format!(
            "base_us=20000&per_prefill_token_us=1&max_num_seqs=256&max_num_batched_tokens={tokens}"
        );
        case(&query, closed(100, 1500)).prompts(&[20, 60, 120, 250, 900]).outputs(&[3, 10, 30, 100])
    };
    let log = observe(&budget(256)).await;
    assert_eq!(found(&log), ["queueing_by_token_budget"], "{:#?}", summarize(&log).findings);
    nothing(&observe(&budget(8192)).await);
}

#[tokio::test(start_paused = true)]
async fn a_queue_whose_cause_stays_open_is_told_as_that() {
    // As many run at any time, and steps are full: places or tokens, from outside.
    let budget = |tokens: usize| {
        let query = format!(
            "base_us=20000&per_prefill_token_us=1&max_num_seqs=256&max_num_batched_tokens={tokens}"
        );
        case(&query, closed(100, 1500)).prompts(&[800])
    };
    let log = observe(&budget(1024)).await;
    assert_eq!(found(&log), ["queueing"], "{:#?}", summarize(&log).findings);
    nothing(&observe(&budget(16384)).await);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_next_step_alone_is_no_queue() {
    let log = observe(&case("base_us=100000&max_num_seqs=256", open(20.0, 800))).await;
    nothing(&log);
}

#[tokio::test(start_paused = true)]
async fn output_that_is_late_on_its_way_is_told_and_what_is_not_is_none() {
    let healthy = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";
    let held_back = format!("{healthy}&fault=ttft_step&fault_ms=500");
    let log = observe(&case(&held_back, open(20.0, 600))).await;
    assert_eq!(found(&log), ["server_disagrees"], "{:#?}", summarize(&log).findings);
    let log = observe(&case(healthy, open(20.0, 600))).await;
    nothing(&log);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_the_client_must_guess_are_told_where_the_server_counts_others() {
    let healthy = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";
    let query = format!("{healthy}&fault=no_usage,coalesce&fault_tokens=4");
    let log = observe(&case(&query, open(20.0, 600))).await;
    assert_eq!(found(&log), ["server_disagrees"], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_begins_anew_is_told() {
    // Two servers are one that was restarted, to whoever reads its counters: the second half of the load meets another one.
    let healthy = case("base_us=20000&per_prefill_token_us=10&max_num_seqs=64", open(20.0, 600));
    let (mut log, second) = (observe(&healthy).await, observe(&healthy).await);
    let half = Offset::from_nanos(log.end.as_ref().unwrap().at.as_nanos() / 2);
    log.telemetry.readings.retain(|reading| reading.at <= half);
    let anew = second.telemetry.readings.into_iter().filter(|reading| reading.at <= half);
    log.telemetry.readings.extend(
        anew.skip(1)
            .map(|reading| Reading { at: half + reading.at.since(Offset::ZERO), ..reading }),
    );
    assert_eq!(found(&log), ["server_restarted"], "{:#?}", summarize(&log).findings);
}
