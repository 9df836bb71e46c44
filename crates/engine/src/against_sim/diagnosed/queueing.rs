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
async fn prompts_of_one_length_that_are_cut_by_full_steps_tell_of_the_budget() {
    // As many run at any time: only that a prompt takes two steps tells that steps are full.
    let budget = |tokens: usize| {
        let query = format!(
            "base_us=20000&per_prefill_token_us=1&max_num_seqs=256&max_num_batched_tokens={tokens}"
        );
        case(&query, closed(100, 1500)).prompts(&[800])
    };
    let log = observe(&budget(1024)).await;
    assert_eq!(found(&log), ["queueing_by_token_budget"], "{:#?}", summarize(&log).findings);
    nothing(&observe(&budget(16384)).await);
}

/// An H100 with the simulator's own engine, in which a step takes the longer the more tokens it has.
fn h100(query: &str, load: Load) -> Case {
    case(&format!("preset=h100-llama-3.1-8b&{query}"), load).outputs(&[8])
}

/// The one rule that tells of a queue.
fn queue(log: &PointLog) -> Vec<&'static str> {
    found(log).into_iter().filter(|rule| rule.starts_with("queueing")).collect()
}

#[tokio::test(start_paused = true)]
async fn long_prompts_that_wait_for_tokens_of_a_step_do_not_wait_for_places() {
    for (query, load, prompt) in [
        ("max_num_batched_tokens=256", closed(16, 320), 2_000),
        ("max_num_batched_tokens=512", closed(16, 320), 1_000),
        ("max_num_batched_tokens=8192", closed(16, 160), 8_000),
        ("max_num_batched_tokens=2048", open(12.0, 240), 4_000),
    ] {
        let log = observe(&h100(query, load).prompts(&[prompt])).await;
        let findings = summarize(&log).findings;
        assert_eq!(queue(&log), ["queueing_by_token_budget"], "{query}: {findings:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn few_places_for_long_prompts_are_no_budget() {
    for (places, prompt, outputs) in
        [(4, 1_000, &[8][..]), (2, 8_000, &[8]), (1, 2_000, &[8]), (8, 1_000, &[5, 8, 13])]
    {
        let query = format!("max_num_seqs={places}&max_num_batched_tokens=16384");
        let log = observe(&h100(&query, closed(16, 320)).prompts(&[prompt]).outputs(outputs)).await;
        let findings = summarize(&log).findings;
        assert!(!queue(&log).contains(&"queueing_by_token_budget"), "{query}: {findings:#?}");
        assert!(!queue(&log).contains(&"queueing_by_kv_space"), "{query}: {findings:#?}");
        assert_eq!(queue(&log).len(), 1, "{query}: {findings:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_in_lockstep_that_wait_for_a_place_are_no_budget() {
    // Outputs of one length: all places are taken and left together, so that no output ever meets the long step of the prompts.
    for (places, prompts, outputs) in [
        (8, &[200, 230, 260, 290][..], 40),
        (8, &[250], 40),
        (8, &[250], 200),
        (3, &[250], 40),
        (4, &[300], 20),
        (16, &[500], 100),
        (1, &[2_000], 40),
    ] {
        let load = h100(&format!("max_num_seqs={places}"), closed(32, 320));
        let log = observe(&load.prompts(prompts).outputs(&[outputs])).await;
        let findings = summarize(&log).findings;
        let place = format!("{places} places, prompts of {prompts:?}, outputs of {outputs}");
        assert_eq!(queue(&log), ["queueing_by_max_num_seqs"], "{place}: {findings:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_has_no_room_for_the_next_prompt_is_full_at_less_than_nine_tenths() {
    // 300 blocks hold four prompts and a piece of a fifth: 84 % at most are ever in use.
    let log = observe(&h100("num_gpu_blocks=300", closed(16, 320)).prompts(&[1_000])).await;
    assert_eq!(queue(&log), ["queueing_by_kv_space"], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn a_queue_of_somebody_else_is_told_as_theirs() {
    // All that the server tells is of sixteen users, and this client is but two of them.
    let case = h100("max_num_seqs=3", closed(16, 480)).prompts(&[1_000]);
    let mut log = observe(&case).await;
    log.records.retain(|record| record.index % 8 == 0);
    log.point.concurrency = Some(2);
    log.point.requests = log.records.len() as u64;
    let findings = summarize(&log).findings;
    assert_eq!(findings[0].rule, "server_disagrees", "{findings:#?}");
    let told = findings.iter().find(|finding| finding.rule.starts_with("queueing")).unwrap();
    assert!(told.next.starts_with("This queue is not this client's alone"), "{}", told.next);
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
