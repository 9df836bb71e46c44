//! What SGLang calls its metrics, where it was started with `--enable-metrics` (names of 0.5).
//!
//! Deliberately left out: `num_requests_total`, which counts aborted requests too; `num_retracted_reqs`, which tells the
//! last round alone; `max_running_requests_under_SLO`, which is no limit; the times of stages, whose names change from
//! version to version.

use tokometer_record::{Signal, Timing};

use super::Server;
use super::figure::Figure::Told;
use super::figure::Which::{All, Only};
use super::figure::{Over, max, mean, sum, sum_of};

/// SGLang. Its schedulers say everything once for each replica (`dp_rank`), and each rank of a replica may repeat it.
pub(super) const SGLANG: Server = Server {
    name: "sglang",
    prefixes: &["sglang:", "sglang_"],
    repeated: &["tp_rank", "pp_rank", "moe_ep_rank"],
    signals: &[
        // Where requests have priorities, each has a series beside that of all of them.
        (Signal::Running, sum_of(Only("priority", &[""]), &["num_running_reqs"])),
        (Signal::Waiting, sum_of(Only("priority", &[""]), &["num_queue_reqs"])),
        (Signal::KvUsage, max(&["token_usage"])),
        (Signal::KvTokens, sum(&["max_total_num_tokens"])),
        (Signal::GenerationThroughput, sum(&["gen_throughput"])),
        (Signal::PrefixHitRate, mean(&["cache_hit_rate"])),
        // Zero without speculation, and where a replica has not drafted yet.
        (Signal::AcceptanceLength, Told(&["spec_accept_length"], All, Over::MeanAboveZero)),
        (Signal::AcceptanceRate, Told(&["spec_accept_rate"], All, Over::MeanAboveZero)),
        (Signal::Preemptions, sum(&["num_retracted_requests"])),
        (Signal::PromptTokens, sum(&["prompt_tokens"])),
        (Signal::CachedPromptTokens, sum(&["cached_tokens"])),
        (Signal::GenerationTokens, sum(&["generation_tokens"])),
        (Signal::Aborted, sum(&["num_aborted_requests"])),
    ],
    accepted: None,
    timings: &[
        (Timing::Ttft, &["time_to_first_token_seconds"]),
        (Timing::Itl, &["inter_token_latency_seconds"]),
        (Timing::E2e, &["e2e_request_latency_seconds"]),
        (Timing::Queue, &["queue_time_seconds"]),
        (Timing::PromptLength, &["prompt_tokens_histogram"]),
        (Timing::OutputLength, &["generation_tokens_histogram"]),
    ],
};

#[cfg(test)]
mod tests {
    use tokometer_record::{Histogram, Offset};

    use super::super::{Detail, reading};
    use super::*;

    const PAGE: &str = include_str!("../testdata/sglang.txt");

    #[test]
    fn replicas_are_added_up_and_ranks_are_not() {
        let reading = reading(PAGE, "", Offset::ZERO, Detail::Whole).unwrap();
        assert_eq!(reading.server, "sglang");
        let expected = [
            (Signal::Running, 12.0),
            (Signal::Waiting, 5.0),
            (Signal::KvUsage, 0.81),
            (Signal::KvTokens, 280_000.0),
            (Signal::GenerationThroughput, 1_250.5),
            (Signal::PrefixHitRate, 0.375),
            (Signal::AcceptanceLength, 2.5),
            (Signal::AcceptanceRate, 0.5),
            (Signal::Preemptions, 7.0),
            (Signal::PromptTokens, 8_228_902.0),
            (Signal::CachedPromptTokens, 1_536.0),
            (Signal::GenerationTokens, 7_558_572.0),
            (Signal::Aborted, 3.0),
        ];
        assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn times_are_added_up_over_streams_and_replicas() {
        let timings = reading(PAGE, "", Offset::ZERO, Detail::Whole).unwrap().timings;
        let ttft = Histogram { sum: 105.5, count: 120.0, buckets: vec![(0.1, 45.0), (0.2, 90.0)] };
        assert_eq!(timings[&Timing::Ttft], ttft);
        let queue =
            Histogram { sum: 6.0, count: 130.0, buckets: vec![(0.0, 50.0), (0.001, 120.0)] };
        assert_eq!(timings[&Timing::Queue], queue, "each of two ranks tells the first replica's");
        assert_eq!(timings.len(), 2);
    }
}
