//! What becomes of requests, and how it is counted.

use super::*;
use crate::model::{
    Batch, Engine, Event, Finish, Fleet as Engines, Frontend, Job, Linear, Policy, Routing,
    Speculation, StepTime,
};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn the_intervals_of_a_request_are_vllms() {
    let counts = Counts::new(captured());
    let mut share = Counts::begin(&counts, asked(100, 50, 10 * SECOND));
    share.scheduled(10 * SECOND + 300 * MILLI, 0, 36);
    share.preempted();
    share.emitted(11 * SECOND, 1);
    share.emitted(11 * SECOND + 20 * MILLI, 3);
    share.emitted(11 * SECOND + 60 * MILLI, 1);
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (0.0, 0.0));
    share.finished(Some(Finish::Length));
    drop(share);
    for (name, expected) in [
        ("time_to_first_token_seconds", (1.0, 1.0)),
        // One for each emission, however many tokens it has.
        ("inter_token_latency_seconds", (2.0, 0.060)),
        ("e2e_request_latency_seconds", (1.0, 1.060)),
        ("request_queue_time_seconds", (1.0, 0.300)),
        ("request_prefill_time_seconds", (1.0, 0.700)),
        ("request_decode_time_seconds", (1.0, 0.060)),
        ("request_inference_time_seconds", (1.0, 0.760)),
        // 60 ms over the four tokens after the first.
        ("request_time_per_output_token_seconds", (1.0, 0.015)),
        ("request_num_preemptions", (1.0, 1.0)),
        ("request_prefill_kv_computed_tokens", (1.0, 64.0)),
        ("request_prompt_tokens", (1.0, 100.0)),
        ("request_generation_tokens", (1.0, 5.0)),
        ("request_max_num_generation_tokens", (1.0, 5.0)),
        ("request_params_max_tokens", (1.0, 50.0)),
        ("request_params_n", (1.0, 1.0)),
    ] {
        assert_eq!(observed(&counts, name), expected, "{name}");
    }
    for (name, expected) in [
        ("num_preemptions_total", 1.0),
        ("prompt_tokens_total", 100.0),
        ("prompt_tokens_cached_total", 36.0),
        ("prefix_cache_queries_total", 100.0),
        ("prefix_cache_hits_total", 36.0),
        ("generation_tokens_total", 5.0),
    ] {
        assert_eq!(value(&counts, name), expected, "{name}");
    }
    let values = values(&counts);
    let by_source = |source: &str| {
        values[&format!(
            "vllm:prompt_tokens_by_source_total{{engine=\"0\",model_name=\"tiny-qwen\",source=\"{source}\"}}"
        )]
    };
    assert_eq!((by_source("local_compute"), by_source("local_cache_hit")), (64.0, 36.0));
}

/// How many requests ended by each reason.
fn ended(counts: &Counts) -> [f64; 4] {
    let values = values(counts);
    ["stop", "length", "abort", "error"].map(|reason| {
        values[&format!(
            "vllm:request_success_total{{engine=\"0\",finished_reason=\"{reason}\",model_name=\"tiny-qwen\"}}"
        )]
    })
}

#[test]
fn a_request_ends_by_its_reason_and_one_that_was_given_up_has_no_latency() {
    let counts = Counts::new(captured());
    let end = |emits: bool, finish: Option<Option<Finish>>| {
        let mut share = Counts::begin(&counts, asked(7, 5, Duration::ZERO));
        if emits {
            share.emitted(SECOND, 1);
        }
        if let Some(finish) = finish {
            share.finished(finish);
        }
    };
    end(true, Some(Some(Finish::Stop)));
    end(true, Some(Some(Finish::Length)));
    // Complete, and never sent.
    end(false, Some(Some(Finish::Length)));
    end(true, None);
    end(false, None);
    end(true, Some(None));
    end(false, Some(None));
    assert_eq!(ended(&counts), [1.0, 1.0, 3.0, 2.0]);
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (3.0, 3.0));
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (4.0, 4.0));
}

#[test]
fn choices_are_sequences_of_their_own_and_one_request() {
    let counts = Counts::new(captured());
    let shares = Counts::begin_all(&counts, Asked { choices: 3, ..asked(10, 9, SECOND) });
    for (share, tokens) in shares.into_iter().zip([2, 9, 4]) {
        let mut share = share;
        share.scheduled(SECOND, 0, 0);
        share.emitted(2 * SECOND, tokens);
        share.finished(Some(Finish::Stop));
    }
    assert_eq!(ended(&counts), [3.0, 0.0, 0.0, 0.0]);
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (3.0, 3.0));
    assert_eq!(observed(&counts, "request_prompt_tokens"), (3.0, 30.0));
    assert_eq!(observed(&counts, "request_params_max_tokens"), (3.0, 27.0));
    assert_eq!(observed(&counts, "request_params_n"), (1.0, 3.0));
    assert_eq!(observed(&counts, "request_max_num_generation_tokens"), (1.0, 9.0));
}

#[test]
fn a_server_without_engines_counts_who_is_answered_and_tells_of_no_cache() {
    let counts = Counts::new(About { fleet: None, ..captured() });
    let mut share = Counts::begin(&counts, asked(7, 5, SECOND));
    let other = Counts::begin(&counts, asked(7, 5, SECOND));
    assert_eq!(value(&counts, "num_requests_running"), 2.0);
    drop(other);
    share.emitted(3 * SECOND, 5);
    share.finished(Some(Finish::Stop));
    drop(share);
    assert_eq!(value(&counts, "num_requests_running"), 0.0);
    // Nobody waits, and no prompt is looked for.
    assert_eq!(observed(&counts, "request_queue_time_seconds"), (1.0, 0.0));
    assert_eq!(observed(&counts, "request_prefill_time_seconds"), (1.0, 2.0));
    assert_eq!(value(&counts, "prefix_cache_queries_total"), 0.0);
    assert!(!counts.page(SECOND).contains("cache_config_info"));
}

/// Steps of 10 ms; 8 tokens in one, of prompts in parts.
fn deployment(speculation: Option<Speculation>) -> Deployment {
    Deployment {
        name: "test".to_owned(),
        engine: Engine {
            max_num_seqs: number(8),
            max_num_batched_tokens: number(8),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: number(101),
            block_size: number(4),
            prefix_caching: false,
            speculation,
        },
        step: StepTime::Linear(Linear { base: 0.010, ..Linear::default() }),
        frontend: Frontend::default(),
        replicas: number(1),
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}

/// Lets engines do their work and counts it, as the server does. What was computed in each step.
fn run(deployment: &Deployment, jobs: &[(u32, u32)], counts: &Arc<Counts>) -> Vec<Batch> {
    let mut engines = Engines::new(deployment.clone(), 1);
    let mut shares = BTreeMap::new();
    for (request, (prompt_tokens, output_tokens)) in (0..).zip(jobs.iter().copied()) {
        let ticket = engines.submit(
            Duration::ZERO,
            Job {
                request,
                choice: 0,
                prompt_tokens,
                output_tokens,
                finish: Finish::Length,
                priority: 0,
                chain: Arc::default(),
            },
        );
        shares.insert(
            ticket,
            Counts::begin(counts, asked(prompt_tokens, output_tokens, Duration::ZERO)),
        );
    }
    let mut steps = Vec::new();
    while let Some(next) = engines.next() {
        engines.advance(next, &mut |event| match event {
            Event::Scheduled { ticket, at, replica, cached } => {
                shares.get_mut(&ticket).unwrap().scheduled(at, replica, cached);
            }
            Event::Emitted { ticket, emission } => {
                let share = shares.get_mut(&ticket).unwrap();
                share.emitted(emission.at, emission.tokens);
                if emission.finish.is_some() {
                    share.finished(emission.finish);
                    shares.remove(&ticket);
                }
            }
            Event::Preempted { ticket, .. } => shares.get_mut(&ticket).unwrap().preempted(),
            Event::Stepped { replica, at, batch, speculated, .. } => {
                counts.stepped(replica, at, &speculated);
                steps.push(batch);
            }
        });
        counts.occupied(&engines.occupancy());
    }
    steps
}

#[test]
fn a_prompt_in_parts_counts_in_the_step_of_its_last_part() {
    let deployment = deployment(None);
    let options = Options { deployment: Some(deployment.clone()), ..Options::default() };
    let counts =
        Counts::new(About { model: "tiny-qwen".to_owned(), ..About::of(&options, Duration::ZERO) });
    // 20 tokens take three steps, of which only the third emits; then two more emit one token each.
    let steps = run(&deployment, &[(20, 3)], &counts);
    let prefilled: Vec<_> = steps.iter().map(|step| step.prefill_tokens).collect();
    assert_eq!(prefilled, [8, 8, 4, 0, 0]);
    assert_eq!(observed(&counts, "iteration_tokens_total"), (3.0, 20.0 + 3.0));
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (1.0, 0.030));
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (1.0, 0.050));
    assert_eq!(observed(&counts, "inter_token_latency_seconds"), (2.0, 0.020));
    assert_eq!(ended(&counts), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(value(&counts, "num_requests_running"), 0.0);
    assert_eq!(value(&counts, "prefix_cache_queries_total"), 0.0);
}

#[test]
fn what_speculation_did_is_told_and_agrees_with_the_tokens() {
    let speculation =
        Speculation { method: "mtp".to_owned(), tokens: number(2), acceptance: vec![1.0, 0.0] };
    let deployment = deployment(Some(speculation));
    let options = Options { deployment: Some(deployment.clone()), ..Options::default() };
    let counts =
        Counts::new(About { model: "tiny-qwen".to_owned(), ..About::of(&options, Duration::ZERO) });
    // One token with the prompt, then two a step: 1 + 4 · 2.
    run(&deployment, &[(4, 9)], &counts);
    assert_eq!(value(&counts, "generation_tokens_total"), 9.0);
    assert_eq!(value(&counts, "spec_decode_num_drafts_total"), 4.0);
    assert_eq!(value(&counts, "spec_decode_num_accepted_tokens_total"), 4.0);
    let values = values(&counts);
    let at = |position: u32| {
        values[&format!(
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{{engine=\"0\",model_name=\"tiny-qwen\",position=\"{position}\"}}"
        )]
    };
    assert_eq!((at(0), at(1)), (4.0, 0.0));
    assert_eq!(observed(&counts, "inter_token_latency_seconds").0, 4.0);
}
