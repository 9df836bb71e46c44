//! Tests of the keys of engines: each sets what it says, and what makes no sense is refused by name.

use std::time::Duration;

use super::*;
use crate::hardware::PRESETS;
use crate::model::{Batch, Deployment, Linear, Policy, Routing, StepTime};

fn options(query: &str) -> Options {
    Options::from_query(query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn deployment(query: &str) -> Deployment {
    options(query).deployment.unwrap()
}

fn error(query: &str) -> String {
    Options::from_query(query).unwrap_err().to_string()
}

#[test]
fn a_preset_brings_its_model_and_its_context_where_nothing_is_said() {
    let options = options("preset=h100-llama-3.1-8b");
    assert_eq!(options.name(), "meta-llama/Llama-3.1-8B-Instruct");
    assert!(options.models.is_empty(), "every name is answered");
    assert_eq!(options.max_model_len, 131_072);
    assert_eq!(options.deployment.unwrap().name, "h100-llama-3.1-8b");
}

#[test]
fn what_is_said_stands_before_the_preset() {
    let options =
        options("max_model_len=4096&served_model_name=m&preset=h100-llama-3.1-8b&max_num_seqs=64");
    assert_eq!((options.name(), options.max_model_len), ("m", 4096));
    assert_eq!(options.deployment.unwrap().engine.max_num_seqs.get(), 64);
}

#[test]
fn every_key_of_an_engine_sets_what_it_says() {
    let deployment = deployment(
        "base_us=10000&per_prefill_token_us=20&per_decode_token_us=3&per_context_token_ns=50&per_attention_ns=0.5\
         &per_request_us=700&per_prompt_token_us=2&max_num_seqs=8&max_num_batched_tokens=512&num_gpu_blocks=100&block_size=32\
         &no_enable_prefix_caching&no_enable_chunked_prefill=false&scheduling_policy=priority\
         &speculative_config=%7B%22method%22:%22mtp%22,%22num_speculative_tokens%22:2%7D&acceptance=0.8,0.5\
         &data_parallel_size=4&routing=round-robin&noise=0.1",
    );
    let StepTime::Linear(linear) = deployment.step else { panic!("not linear") };
    let expected = Linear {
        base: 0.01,
        per_prefill_token: 2e-5,
        per_decode_token: 3e-6,
        per_context_token: 5e-8,
        per_attention: 5e-10,
    };
    let pairs = [
        (linear.base, expected.base),
        (linear.per_prefill_token, expected.per_prefill_token),
        (linear.per_decode_token, expected.per_decode_token),
        (linear.per_context_token, expected.per_context_token),
        (linear.per_attention, expected.per_attention),
    ];
    assert!(pairs.iter().all(|(a, b)| (a / b - 1.0).abs() < 1e-12), "{linear:?}");
    assert_eq!(deployment.frontend.per_request, Duration::from_micros(700));
    assert_eq!(deployment.frontend.per_prompt_token, Duration::from_micros(2));
    let engine = deployment.engine;
    assert_eq!((engine.max_num_seqs.get(), engine.max_num_batched_tokens.get()), (8, 512));
    assert_eq!((engine.blocks.get(), engine.block_size.get()), (100, 32));
    assert!(!engine.prefix_caching && engine.chunked_prefill);
    assert_eq!(engine.policy, Policy::Priority);
    let speculation = engine.speculation.unwrap();
    assert_eq!((speculation.method.as_str(), speculation.tokens.get()), ("mtp", 2));
    assert_eq!(speculation.acceptance, [0.8, 0.5]);
    assert_eq!((deployment.replicas.get(), deployment.routing), (4, Routing::RoundRobin));
    assert_eq!(deployment.noise, 0.1);
}

#[test]
fn a_gpu_and_an_architecture_make_a_deployment() {
    let query = "gpu=h100&architecture=qwen3-8b&tensor_parallel_size=2&gpu_memory_utilization=0.9";
    let options = options(query);
    assert_eq!((options.name(), options.max_model_len), ("Qwen/Qwen3-8B", 40_960));
    let two = options.deployment.unwrap();
    assert_eq!(two.name, "qwen3-8b on 2 x h100");
    let one = deployment("gpu=h100&architecture=qwen3-8b");
    let seconds = |deployment: &Deployment| {
        deployment.step.of(&Batch { requests: 1, decode_tokens: 1, ..Batch::default() })
    };
    assert!(seconds(&two) < seconds(&one));
    assert!(two.engine.blocks > one.engine.blocks);
    let slow = deployment("gpu=h100&architecture=qwen3-8b&bandwidth_efficiency=0.36");
    assert!(seconds(&slow) > seconds(&one).mul_f64(1.8));
    let prompts = |query: &str| {
        let batch = Batch { requests: 1, prefill_tokens: 4096, ..Batch::default() };
        deployment(query).step.of(&batch)
    };
    let base = "gpu=h100&architecture=qwen3-8b";
    assert!(prompts(&format!("{base}&prefill_mfu=0.3")) > prompts(base).mul_f64(1.8));
    let outputs = |query: &str| {
        let batch = Batch { requests: 512, decode_tokens: 512, ..Batch::default() };
        deployment(query).step.of(&batch)
    };
    assert!(outputs(&format!("{base}&decode_mfu=0.2")) > outputs(base).mul_f64(1.8));
}

#[test]
fn an_estimated_preset_can_be_had_with_other_gpus_and_another_model() {
    let deployment = deployment("preset=h100-qwen3-8b&tensor_parallel_size=2");
    assert_eq!(deployment.name, "h100-qwen3-8b");
    let options = options("preset=h100-qwen3-32b&gpu=h200&architecture=qwen3-14b");
    assert_eq!((options.name(), options.max_model_len), ("Qwen/Qwen3-14B", 40_960));
}

#[test]
fn fewer_tokens_in_a_step_make_the_presets_requests_fewer() {
    let engine = deployment("preset=a100-llama-3.1-8b&max_num_batched_tokens=64").engine;
    assert_eq!(engine.max_num_seqs.get(), 64);
    let engine =
        deployment("preset=a100-llama-3.1-8b&no_enable_chunked_prefill&max_model_len=8192").engine;
    assert_eq!(engine.max_num_batched_tokens.get(), 8192);
}

#[test]
fn without_engines_nothing_has_changed() {
    assert_eq!(options("ttft_ms=5").deployment, None);
}

#[test]
fn every_preset_can_be_asked_for() {
    for (name, _) in PRESETS {
        assert_eq!(deployment(&format!("preset={name}")).name, *name);
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (query, why) in [
        (
            "preset=h100-llama-3.1-9b",
            "no preset is called \"h100-llama-3.1-9b\"; did you mean h100-llama-3.1-8b, or ",
        ),
        ("preset=no/such.yaml", "cannot read the preset no/such.yaml: "),
        (
            "preset=h100-qwen3-8b&preset=h100-qwen3-32b",
            "preset is said twice: h100-qwen3-8b and h100-qwen3-32b",
        ),
        (
            "preset=h100-llama-3.1-8b&tensor_parallel_size=2",
            "tensor_parallel_size does not go with coefficients, which are of one model on one set of GPUs: take an estimated preset, or gpu=… \
             and architecture=…",
        ),
        (
            "preset=h100-qwen3-8b&base_us=5",
            "base_us is a coefficient, and the steps of this preset are estimated",
        ),
        (
            "gpu=h100&architecture=qwen3-8b&base_us=5",
            "base_us is a coefficient, and gpu asks for an estimate",
        ),
        ("gpu=h100", "gpu needs architecture beside it"),
        ("architecture=qwen3-8b", "architecture needs gpu beside it"),
        ("gpu=h1000&architecture=qwen3-8b", "no GPU is called \"h1000\"; did you mean h100"),
        (
            "gpu=h100&architecture=qwen3-9b",
            "no architecture is called \"qwen3-9b\"; did you mean qwen3-",
        ),
        (
            "gpu=l4&architecture=qwen3-32b",
            "qwen3-32b on l4 does not fit: its weights take 61.0 GiB",
        ),
        (
            "max_num_seqs=8",
            "max_num_seqs needs preset=NAME, gpu=… and architecture=…, or base_us=… beside it",
        ),
        ("per_decode_token_us=8", "per_decode_token_us needs preset=NAME, "),
        (
            "preset=h100-qwen3-8b&ttft_ms=5",
            "ttft_ms is the pace of a server without engines, and preset asks for some: leave one of them out",
        ),
        (
            "itl_ms=5&base_us=5",
            "itl_ms is the pace of a server without engines, and base_us asks for some",
        ),
        ("base_us=0", "base_us is 0, but every step takes some time"),
        ("base_us=-1", "base_us takes a number from 0 on, not \"-1\""),
        ("base_us=5&block_size=0", "block_size takes a whole number in its range, not \"0\""),
        (
            "base_us=5&max_num_seqs=none",
            "max_num_seqs takes a whole number in its range, not \"none\"",
        ),
        (
            "base_us=5&max_num_seqs=9&max_num_batched_tokens=8",
            "max_num_batched_tokens is 8, less than max_num_seqs, 9",
        ),
        (
            "base_us=5&routing=random",
            "routing takes least-requests, round-robin or prefix, not \"random\"",
        ),
        (
            "base_us=5&routing=prefix&no_enable_prefix_caching",
            "routing is prefix, but without enable_prefix_caching",
        ),
        (
            "base_us=5&scheduling_policy=sjf",
            "scheduling_policy takes fcfs or priority, not \"sjf\"",
        ),
        ("base_us=5&acceptance=1.5", "acceptance takes a share from 0 to 1, not \"1.5\""),
        ("base_us=5&acceptance=0.5", "acceptance needs speculative_config beside it"),
        ("base_us=5&speculative_config={}", "speculative_config is not what vLLM takes, such as "),
        (
            "base_us=5&speculative_config={\"num_speculative_tokens\":2,\"tokens\":3}",
            "speculative_config is not what vLLM takes, such as {\"method\":\"mtp\",\"num_speculative_tokens\":2}: unknown field `tokens`",
        ),
        (
            "base_us=5&speculative_config={\"num_speculative_tokens\":0}",
            "speculative_config is not what vLLM takes",
        ),
        (
            "base_us=5&speculative_config={\"num_speculative_tokens\":2}&acceptance=0.5",
            "acceptance has 1 shares, but a draft has 2 tokens",
        ),
        ("base_us=5&noise=2", "noise takes a share from 0 to 1, not \"2\""),
        ("gpu_memory_utilization=0.5", "gpu_memory_utilization needs gpu beside it"),
        (
            "base_us=5&tensor_parallel_size=2",
            "base_us is a coefficient, and tensor_parallel_size asks for an estimate",
        ),
        (
            "base_us=5&enable_prefix_caching=maybe",
            "enable_prefix_caching takes true or false, not \"maybe\"",
        ),
    ] {
        let error = error(query);
        assert!(error.starts_with(why), "{query}: {error}");
    }
}

#[test]
fn a_context_is_no_longer_than_the_cache() {
    let small = "base_us=1000&num_gpu_blocks=11&block_size=16";
    assert_eq!(Options::from_query(small).unwrap().max_model_len, 160);
    let refused = Options::from_query(&format!("{small}&max_model_len=161")).unwrap_err();
    assert!(refused.to_string().contains("holds 160 tokens"), "{refused}");
}
