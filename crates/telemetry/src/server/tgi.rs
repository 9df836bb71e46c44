//! What Hugging Face's Text Generation Inference calls its metrics.
//!
//! It tells nothing of first tokens and of its KV cache. Deliberately left out: `request_mean_time_per_token_duration`, one
//! mean a request, which is no time from token to token; `request_inference_duration`, prefill and decode in one;
//! `request_skipped_tokens`, which is told without speculation too.

use tokometer_record::{Signal, Timing};

use super::Server;
use super::figure::Which::{Except, Only};
use super::figure::{sum, sum_of};

/// TGI. It says everything once.
pub(super) const TGI: Server = Server {
    name: "tgi",
    prefixes: &["tgi_"],
    repeated: &[],
    signals: &[
        (Signal::Running, sum(&["batch_current_size"])),
        (Signal::Waiting, sum(&["queue_size"])),
        // Counted in histograms only: prompts when they are found valid, outputs when they end.
        (Signal::PromptTokens, sum(&["request_input_length_sum"])),
        (Signal::GenerationTokens, sum(&["request_generated_tokens_sum"])),
        (Signal::Finished, sum(&["request_success"])),
        (Signal::Aborted, sum_of(Only("err", &["cancelled", "dropped"]), &["request_failure"])),
        (
            Signal::Errored,
            sum_of(Except("err", &["cancelled", "dropped", "overloaded"]), &["request_failure"]),
        ),
        (Signal::Rejected, sum_of(Only("err", &["overloaded"]), &["request_failure"])),
    ],
    accepted: None,
    timings: &[
        (Timing::E2e, &["request_duration"]),
        (Timing::Queue, &["request_queue_duration"]),
        (Timing::PromptLength, &["request_input_length"]),
        (Timing::OutputLength, &["request_generated_tokens"]),
    ],
};

#[cfg(test)]
mod tests {
    use tokometer_record::{Histogram, Offset};

    use super::super::{Detail, reading};
    use super::*;

    const PAGE: &str = include_str!("../testdata/tgi.txt");

    #[test]
    fn failures_are_told_apart_by_their_cause() {
        let reading = reading(PAGE, "", Offset::ZERO, Detail::Whole).unwrap();
        assert_eq!(reading.server, "tgi");
        let expected = [
            (Signal::Running, 4.0),
            (Signal::Waiting, 7.0),
            (Signal::PromptTokens, 5_000.0),
            (Signal::GenerationTokens, 8_123.0),
            (Signal::Finished, 44.0),
            (Signal::Aborted, 5.0),
            (Signal::Errored, 10.0),
            (Signal::Rejected, 31.0),
        ];
        assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn its_times_are_those_of_whole_requests() {
        let timings = reading(PAGE, "", Offset::ZERO, Detail::Whole).unwrap().timings;
        let queue = Histogram { sum: 1.25, count: 44.0, buckets: vec![(0.1, 40.0), (0.15, 43.0)] };
        assert_eq!(timings[&Timing::Queue], queue);
        assert_eq!(
            timings[&Timing::E2e],
            Histogram { sum: 60.5, count: 44.0, buckets: Vec::new() }
        );
        let told = [Timing::E2e, Timing::Queue, Timing::PromptLength, Timing::OutputLength];
        assert_eq!(timings.into_keys().collect::<Vec<_>>(), told);
    }
}
