//! What Triton's backend for TensorRT-LLM calls its metrics.
//!
//! Triton's other names (`nv_inference_…`) count a request once for each model of a pipeline that it passes, and are
//! deliberately left out. A backend for vLLM speaks under vLLM's names, and is heard as vLLM.

use tokometer_record::{Signal, Timing};

use super::Server;
use super::figure::Figure::{Product, Ratio, Told};
use super::figure::Over;
use super::figure::Which::{self, Only};
use super::figure::{sum, sum_of};

/// Triton. It says everything once for each model, by the label `model`; one name tells several figures, by another label.
pub(super) const TRITON: Server = Server {
    name: "triton",
    prefixes: &["nv_"],
    repeated: &[],
    signals: &[
        (Signal::Running, sum_of(Only("request_type", &["scheduled"]), &[REQUESTS])),
        (Signal::Waiting, sum_of(Only("request_type", &["waiting"]), &[REQUESTS])),
        (Signal::MaxRunning, sum_of(Only("request_type", &["max"]), &[REQUESTS])),
        (Signal::KvUsage, Told(&[BLOCKS], blocks(&["fraction"]), Over::Max)),
        (Signal::KvUsage, Ratio((BLOCKS, blocks(&["used"])), (BLOCKS, blocks(&["max"])))),
        (Signal::KvTokens, Product((BLOCKS, blocks(&["max"])), (BLOCKS, blocks(&["tokens_per"])))),
        // Counted in histograms only, when a request ends.
        (Signal::PromptTokens, sum(&["llm_input_token_len_sum"])),
        (Signal::GenerationTokens, sum(&["llm_output_token_len_sum"])),
    ],
    accepted: None,
    timings: &[
        (Timing::PromptLength, &["llm_input_token_len"]),
        (Timing::OutputLength, &["llm_output_token_len"]),
    ],
};

const REQUESTS: &str = "trt_llm_request_metrics";
const BLOCKS: &str = "trt_llm_kv_cache_block_metrics";

const fn blocks(kind: &'static [&'static str]) -> Which {
    Only("kv_cache_block_type", kind)
}

#[cfg(test)]
mod tests {
    use tokometer_record::Offset;

    use super::super::{Detail, reading};
    use super::*;

    const PAGE: &str = include_str!("../testdata/triton.txt");

    #[test]
    fn one_name_tells_several_figures_and_models_are_paired_with_their_own_blocks() {
        let reading = reading(PAGE, "", Offset::ZERO, Detail::Whole).unwrap();
        assert_eq!(reading.server, "triton");
        let expected = [
            (Signal::Running, 6.0),
            (Signal::Waiting, 3.0),
            (Signal::MaxRunning, 576.0),
            (Signal::KvUsage, 0.6),
            (Signal::KvTokens, 6_239.0 * 64.0 + 1_000.0 * 32.0),
            (Signal::PromptTokens, 4_096.0),
            (Signal::GenerationTokens, 512.0),
        ];
        assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(reading.timings[&Timing::OutputLength].buckets, [(10.0, 1.0), (500.0, 4.0)]);
    }

    #[test]
    fn before_it_told_the_fraction_usage_followed_from_blocks() {
        let older: String = PAGE
            .lines()
            .filter(|line| !line.contains("fraction"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let usage =
            reading(&older, "", Offset::ZERO, Detail::Brief).unwrap().values[&Signal::KvUsage];
        assert_eq!(usage, 0.5, "of two models the fuller one");
    }

    #[test]
    fn triton_without_a_language_model_is_not_heard() {
        let page = "nv_inference_request_success{model=\"resnet\",version=\"1\"} 500\nnv_gpu_utilization{gpu_uuid=\"GPU-a\"} 0.5\n";
        assert_eq!(reading(page, "", Offset::ZERO, Detail::Whole), None);
    }
}
