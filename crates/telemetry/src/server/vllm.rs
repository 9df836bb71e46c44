//! What vLLM calls its metrics: the names of its V1 engine (seen in 0.32), and behind them those of older versions.
//!
//! Deliberately left out: `request_time_per_output_token_seconds`, one mean a request, which is no time from token to token.

use tokometer_record::{Signal, Timing};

use super::Server;
use super::figure::Figure::InLabels;
use super::figure::Which::Only;
use super::figure::{max, mean, sum, sum_of};

/// vLLM. It says everything once for each engine, by the label `engine`.
pub(super) const VLLM: Server = Server {
    name: "vllm",
    // Some collectors allow no colon.
    prefixes: &["vllm:", "vllm_"],
    repeated: &[],
    signals: &[
        (Signal::Running, sum(&["num_requests_running"])),
        (Signal::Waiting, sum(&["num_requests_waiting"])),
        (
            Signal::WaitingForCapacity,
            sum_of(Only("reason", &["capacity"]), &["num_requests_waiting_by_reason"]),
        ),
        (
            Signal::WaitingDeferred,
            sum_of(Only("reason", &["deferred"]), &["num_requests_waiting_by_reason"]),
        ),
        // A share, whatever its name says.
        (Signal::KvUsage, max(&["kv_cache_usage_perc", "gpu_cache_usage_perc"])),
        // Where layers of several kinds share the blocks, blocks times their size is not what the cache holds.
        (
            Signal::KvTokens,
            InLabels(
                "cache_config_info",
                &[&["kv_cache_size_tokens"], &["block_size", "num_gpu_blocks"]],
            ),
        ),
        (Signal::PromptThroughput, sum(&["avg_prompt_throughput_toks_per_s"])),
        (Signal::GenerationThroughput, sum(&["avg_generation_throughput_toks_per_s"])),
        (Signal::PrefixHitRate, mean(&["gpu_prefix_cache_hit_rate"])),
        (Signal::AcceptanceRate, mean(&["spec_decode_draft_acceptance_rate"])),
        (Signal::Preemptions, sum(&["num_preemptions"])),
        (Signal::PromptTokens, sum(&["prompt_tokens"])),
        (Signal::CachedPromptTokens, sum(&["prompt_tokens_cached"])),
        (Signal::GenerationTokens, sum(&["generation_tokens"])),
        (Signal::PrefixQueries, sum(&["prefix_cache_queries", "gpu_prefix_cache_queries"])),
        (Signal::PrefixHits, sum(&["prefix_cache_hits", "gpu_prefix_cache_hits"])),
        (Signal::ExternalQueries, sum(&["external_prefix_cache_queries"])),
        (Signal::ExternalHits, sum(&["external_prefix_cache_hits"])),
        (Signal::MultimodalQueries, sum(&["mm_cache_queries"])),
        (Signal::MultimodalHits, sum(&["mm_cache_hits"])),
        (Signal::Drafts, sum(&["spec_decode_num_drafts"])),
        (Signal::DraftTokens, sum(&["spec_decode_num_draft_tokens"])),
        (Signal::AcceptedTokens, sum(&["spec_decode_num_accepted_tokens"])),
        (
            Signal::Finished,
            sum_of(
                Only("finished_reason", &["stop", "length", "repetition"]),
                &["request_success"],
            ),
        ),
        (Signal::Aborted, sum_of(Only("finished_reason", &["abort"]), &["request_success"])),
        (Signal::Errored, sum_of(Only("finished_reason", &["error"]), &["request_success"])),
        (Signal::Rejected, sum(&["admission_rejections"])),
    ],
    accepted: Some(("spec_decode_num_accepted_tokens_per_pos", "position")),
    timings: &[
        (Timing::Ttft, &["time_to_first_token_seconds"]),
        (Timing::Itl, &["inter_token_latency_seconds", "time_per_output_token_seconds"]),
        (Timing::E2e, &["e2e_request_latency_seconds"]),
        (Timing::Queue, &["request_queue_time_seconds"]),
        (Timing::Prefill, &["request_prefill_time_seconds"]),
        (Timing::Decode, &["request_decode_time_seconds"]),
        (Timing::PromptLength, &["request_prompt_tokens"]),
        (Timing::OutputLength, &["request_generation_tokens"]),
        (Timing::StepTokens, &["iteration_tokens_total"]),
    ],
};
