//! What TensorRT-LLM's own server (`trtllm-serve`) calls its metrics.
//!
//! It tells of its engine where it was started with `enable_iter_perf_stats`, and of requests with `return_perf_metrics`.
//! Deliberately left out: `time_per_output_token_seconds`, one mean a request, which is no time from token to token; what
//! its prefix cache was asked for, which it counts in blocks.

use tokometer_record::{Signal, Timing};

use super::Server;
use super::figure::Figure::{Product, Ratio, Told};
use super::figure::Which::{All, Only};
use super::figure::{Over, max, mean, sum, sum_of};

/// TensorRT-LLM. It says everything once.
pub(super) const TRTLLM: Server = Server {
    name: "trtllm",
    prefixes: &["trtllm_", "trtllm:"],
    repeated: &[],
    signals: &[
        (Signal::Running, sum(&["num_requests_running"])),
        (Signal::Waiting, sum(&["num_requests_waiting"])),
        (Signal::MaxRunning, sum(&["max_num_active_requests"])),
        (Signal::KvUsage, max(&["kv_cache_utilization"])),
        (Signal::KvUsage, Ratio(("kv_cache_used_blocks", All), ("kv_cache_max_blocks", All))),
        (
            Signal::KvTokens,
            Product(("kv_cache_max_blocks", All), ("kv_cache_tokens_per_block", All)),
        ),
        (Signal::PrefixHitRate, mean(&["kv_cache_hit_rate"])),
        // Zero before the first draft: with one, it is 1 at least.
        (
            Signal::AcceptanceLength,
            Told(&["spec_decode_acceptance_length"], All, Over::MeanAboveZero),
        ),
        (Signal::PromptTokens, sum(&["prompt_tokens"])),
        (Signal::CachedPromptTokens, sum(&["prompt_cached_tokens"])),
        (Signal::GenerationTokens, sum(&["generation_tokens"])),
        (Signal::DraftTokens, sum(&["spec_decode_num_draft_tokens"])),
        (Signal::AcceptedTokens, sum(&["spec_decode_num_accepted_tokens"])),
        (
            Signal::Finished,
            sum_of(Only("finished_reason", &["stop", "length"]), &["request_success"]),
        ),
        // It times out when the time is over that the request itself asked for.
        (
            Signal::Aborted,
            sum_of(Only("finished_reason", &["cancelled", "timeout"]), &["request_success"]),
        ),
        (Signal::Errored, sum(&["request_error"])),
    ],
    accepted: Some(("spec_decode_accepted_tokens", "token_position")),
    timings: &[
        (Timing::Ttft, &["time_to_first_token_seconds"]),
        (Timing::E2e, &["e2e_request_latency_seconds"]),
        (Timing::Queue, &["request_queue_time_seconds"]),
        (Timing::Prefill, &["request_prefill_time_seconds"]),
        (Timing::Decode, &["request_decode_time_seconds"]),
    ],
};

#[cfg(test)]
mod tests {
    use tokometer_record::Offset;

    use super::super::{Detail, reading};
    use super::*;

    const PAGE: &str = include_str!("../testdata/trtllm.txt");

    #[test]
    fn the_cache_holds_blocks_times_their_tokens() {
        let reading = reading(PAGE, "", Offset::ZERO, Detail::Brief).unwrap();
        assert_eq!(reading.server, "trtllm");
        let expected = [
            (Signal::Running, 17.0),
            (Signal::Waiting, 3.0),
            (Signal::MaxRunning, 2_048.0),
            (Signal::KvUsage, 0.625),
            (Signal::KvTokens, 204_800.0),
            (Signal::PrefixHitRate, 0.25),
            (Signal::AcceptanceLength, 2.75),
            (Signal::PromptTokens, 90_000.0),
            (Signal::CachedPromptTokens, 22_500.0),
            (Signal::GenerationTokens, 45_000.0),
            (Signal::DraftTokens, 3_000.0),
            (Signal::AcceptedTokens, 1_750.0),
            (Signal::Finished, 190.0),
            (Signal::Aborted, 6.0),
            (Signal::Errored, 11.0),
        ];
        assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(reading.accepted_by_position, [900.0, 600.0, 250.0]);
        assert_eq!(reading.timings[&Timing::Ttft].sum, 12.5);
        assert_eq!(reading.timings.len(), 2);
    }

    #[test]
    fn its_older_prefix_is_known_and_usage_follows_from_blocks_where_it_is_not_told() {
        let page = "trtllm:kv_cache_used_blocks{model_name=\"m\"} 30\ntrtllm:kv_cache_max_blocks{model_name=\"m\"} 40\n";
        let reading = reading(page, "", Offset::ZERO, Detail::Brief).unwrap();
        assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), [(Signal::KvUsage, 0.75)]);
    }
}
