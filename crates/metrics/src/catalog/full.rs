//! Metrics of a run from the moment at which its schedule began to the last end of a request: what vLLM's client prints. Beside
//! them waiting in the client, probes, audio and inputs.
//!
//! Deliberately beside those over the shorter [`DURATION`](super::DURATION), and not in their place: each dialect prints its own.

use super::whole::{input_tokens, output_tokens};
use super::{E2E, Metric, Of, Over};
use crate::series::peak_second;
use crate::{Run, Unit};

/// The length of the measurement, from the schedule's beginning.
pub const FULL_DURATION: Metric = Metric {
    key: "full_duration",
    title: "Duration, from the schedule's beginning",
    unit: Unit::Seconds,
    definition: "The last end of a measured request (of its stream; of a failure) − the moment at which the measured schedule began, \
                 the gap before the first request included. Where the log does not tell that moment: − the earliest `scheduled` or \
                 `started`. A request that the user cancelled has no end.",
    over: Over::Measured,
    of: Of::Run(|run| run.full_duration()),
    named: &[("vllm", "Benchmark duration (s)")],
};

/// Completed requests per second, over the full duration.
pub const FULL_REQUEST_THROUGHPUT: Metric = Metric {
    key: "full_request_throughput",
    title: "Request throughput, from the schedule's beginning",
    unit: Unit::RequestsPerSecond,
    definition: "Requests that succeeded ÷ `full_duration`.",
    over: Over::Successes,
    of: Of::Run(|run| Some(run.successes().count() as f64 / run.full_duration()?)),
    named: &[("vllm", "Request throughput (req/s)")],
};

/// Output tokens per second, over the full duration.
pub const FULL_OUTPUT_THROUGHPUT: Metric = Metric {
    key: "full_output_throughput",
    title: "Output throughput, from the schedule's beginning",
    unit: Unit::TokensPerSecond,
    definition: "Σ output tokens ÷ `full_duration`.",
    over: Over::Successes,
    of: Of::Run(|run| Some(output_tokens(run)? / run.full_duration()?)),
    named: &[("vllm", "Output token throughput (tok/s)")],
};

/// Tokens in and out per second, over the full duration.
pub const FULL_TOTAL_THROUGHPUT: Metric = Metric {
    key: "full_total_throughput",
    title: "Total throughput, from the schedule's beginning",
    unit: Unit::TokensPerSecond,
    definition: "Σ (input tokens + output tokens) ÷ `full_duration`; of requests for a result Σ input tokens ÷ `full_duration`.",
    over: Over::Successes,
    of: Of::Run(|run| {
        let generates = run.successes().all(super::generates);
        let output = if generates { output_tokens(run)? } else { 0.0 };
        Some((input_tokens(run)? + output) / run.full_duration()?)
    }),
    named: &[("vllm", "Total token throughput (tok/s)")],
};

/// The inputs of requests that can bear several.
pub const INPUT_SEQUENCES: Metric = Metric {
    key: "input_sequences",
    title: "Input sequences",
    unit: Unit::Inputs,
    definition: "Σ inputs over the requests for a result (texts to embed, documents to rank). A request that does not tell bears one.",
    over: Over::Successes,
    of: Of::Run(inputs),
    named: &[("vllm", "total_input_sequences")],
};

/// Inputs per second.
pub const SEQUENCE_THROUGHPUT: Metric = Metric {
    key: "sequence_throughput",
    title: "Input sequence throughput",
    unit: Unit::InputsPerSecond,
    definition: "Input sequences ÷ `full_duration`.",
    over: Over::Successes,
    of: Of::Run(|run| Some(inputs(run)? / run.full_duration()?)),
    named: &[("vllm", "Input throughput (inputs/s)")],
};

/// The most output tokens in a second.
pub const PEAK_OUTPUT_THROUGHPUT: Metric = Metric {
    key: "peak_output_throughput",
    title: "Peak output throughput",
    unit: Unit::TokensPerSecond,
    definition: "The most output tokens in any of the whole seconds counted from the earliest start of a success. Tokens and not chunks \
                 are counted: a chunk's own where the server tells them, and otherwise the output spread evenly over its chunks. Not \
                 applicable to responses that are not streamed.",
    over: Over::Successes,
    of: Of::Run(peak_second),
    named: &[("vllm", "Peak output token throughput (tok/s)")],
};

/// How many times as fast as it plays audio was worked on.
pub const RTFX: Metric = Metric {
    key: "rtfx",
    title: "Inverse real-time factor",
    unit: Unit::Times,
    definition: "Σ length of the prompts' audio ÷ `full_duration`: how many seconds of audio were worked on in a second.",
    over: Over::Successes,
    of: Of::Run(|run| {
        let audio = run.successes().filter_map(|record| record.audio);
        let seconds = audio.map(|length| length.as_secs_f64()).reduce(|sum, more| sum + more)?;
        Some(seconds / run.full_duration()?)
    }),
    named: &[("vllm", "RTFx (Inverse Real-Time Factor)")],
};

/// How long a request waited in the client.
pub const CLIENT_QUEUE_TIME: Metric = Metric {
    key: "client_queue_time",
    title: "Time in the client's queue",
    unit: Unit::Seconds,
    definition: "`started` − the moment from which the request waited: where arrivals are paced, `scheduled`; where none are, all are \
                 wanted at once, and it is the beginning of the measured schedule.",
    over: Over::Successes,
    of: Of::Waiting(|run, record| Some((record.started - run.waited_from(record)).as_secs_f64())),
    named: &[("vllm", "Client Queue Time")],
};

/// End-to-end latency with the wait in the client.
pub const QUEUED_E2E: Metric = Metric {
    key: "queued_e2e",
    title: "End-to-end latency, queue included",
    unit: Unit::Seconds,
    definition: "The last output chunk − the moment from which the request waited in the client: `client_queue_time` + `e2e`.",
    over: Over::Successes,
    of: Of::Waiting(|run, record| Some((record.last()? - run.waited_from(record)).as_secs_f64())),
    named: &[("vllm", "E2EL incl. Client Queue")],
};

/// End-to-end latency of the probes beside the load.
pub const PROBE_E2E: Metric = Metric {
    key: "probe_e2e",
    title: "End-to-end latency of probes",
    unit: Unit::Seconds,
    definition: "As end-to-end latency, of the small requests that were sent beside the load at a steady rate: what a user feels who asks \
                 for next to nothing meanwhile. Those that started before the measured schedule belong to the warm-up, and do not count. \
                 They are in no other figure.",
    over: Over::Probes,
    of: E2E.of,
    named: &[("vllm", "probe E2EL (ms)")],
};

fn inputs(run: &Run<'_>) -> Option<f64> {
    let results = || run.successes().filter(|record| !super::generates(record));
    results().next()?;
    Some(results().map(|record| f64::from(record.inputs.unwrap_or(1))).sum())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokometer_record::{Channel, PointLog, Record};

    use super::*;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ms, ok, point_log};

    fn result(index: u64, started: u64, at: u64, inputs: Option<u32>) -> Record {
        let mut record = ok(index, started, &[at]);
        record.chunks.edit(|chunks| chunks[0].channel = Channel::Result);
        record.streamed = false;
        record.output_tokens = None;
        record.inputs = inputs;
        record
    }

    #[test]
    fn throughputs_are_over_the_whole_schedule() {
        let mut log = point_log([ok(0, 1_000, &[1_500, 2_000]), ok(1, 500, &[700])]);
        log.end.as_mut().unwrap().measured_from = Some(ms(0));
        let run = Run::of(&log);
        let figure = |metric: &Metric| metric.figure(&run).unwrap();
        assert_eq!(figure(&FULL_DURATION), 2.0);
        assert_eq!(figure(&FULL_REQUEST_THROUGHPUT), 1.0);
        assert_eq!(figure(&FULL_OUTPUT_THROUGHPUT), 1.5);
        assert_eq!(figure(&FULL_TOTAL_THROUGHPUT), 11.5);
        assert_eq!(RTFX.figure(&run), None);
        assert_eq!(INPUT_SEQUENCES.figure(&run), None);
    }

    #[test]
    fn requests_for_a_result_have_an_end_and_no_first_token() {
        let summary = summarize(&point_log([result(0, 0, 100, Some(3)), result(1, 0, 500, None)]));
        assert_eq!(summary.figure(&INPUT_SEQUENCES), Some(4.0));
        assert_eq!(summary.figure(&SEQUENCE_THROUGHPUT), Some(8.0));
        assert_eq!(summary.figure(&FULL_TOTAL_THROUGHPUT), Some(40.0));
        assert_eq!(summary.mean(&E2E), Some(0.3));
        for metric in
            [&super::super::TTFT, &super::super::TPOT, &super::super::ICL, &super::super::ITL]
        {
            assert_eq!(summary.mean(metric), None, "{}", metric.key);
        }
        assert_eq!((summary.counts.results, summary.tokens.output_uncounted), (2, 0));
        assert_eq!(summary.figure(&PEAK_OUTPUT_THROUGHPUT), None);
    }

    #[test]
    fn the_peak_counts_the_tokens_of_a_second() {
        let mut coalesced = ok(0, 0, &[100, 200, 1_100]);
        coalesced.chunks.edit(|chunks| {
            chunks.iter_mut().zip([1, 4, 2]).for_each(|(chunk, tokens)| chunk.tokens = tokens);
        });
        coalesced.output_tokens = coalesced.output_tokens.map(|mut tokens| {
            tokens.count = 7;
            tokens
        });
        let log = point_log([coalesced, ok(1, 500, &[900, 1_200, 1_300])]);
        assert_eq!(PEAK_OUTPUT_THROUGHPUT.figure(&Run::of(&log)), Some(6.0));
    }

    #[test]
    fn audio_is_worked_on_so_many_times_as_fast_as_it_plays() {
        let mut heard = ok(0, 0, &[2_000]);
        heard.audio = Some(Duration::from_secs(30));
        let failed = ok(1, 0, &[2_000]).failing_at(2_000);
        assert_eq!(RTFX.figure(&Run::of(&point_log([heard, failed]))), Some(15.0));
    }

    #[test]
    fn waiting_in_the_client_is_part_of_what_a_user_feels() {
        let mut log = point_log([ok(0, 400, &[900]).scheduled_at(100)]);
        log.point.rate = Some(1.0);
        let mean = |log: &PointLog, metric: &Metric| summarize(log).mean(metric);
        assert_eq!(mean(&log, &CLIENT_QUEUE_TIME), Some(0.3));
        assert_eq!(mean(&log, &QUEUED_E2E), Some(0.8));
        log.point.rate = None;
        log.end.as_mut().unwrap().measured_from = Some(ms(50));
        assert_eq!(mean(&log, &CLIENT_QUEUE_TIME), Some(0.35));
    }

    #[test]
    fn probes_are_in_figures_of_their_own_alone() {
        let load = [ok(0, 0, &[100, 200]), ok(1, 50, &[300]).failing_at(300)];
        let mut pestered = point_log(load.clone());
        let mut probe = ok(1 << 48, 0, &[9_000]).probing();
        probe.connection = tokometer_record::Connection::None;
        pestered.records.push(probe);
        let broken = tokometer_record::FailureKind::OutOfDescriptors;
        pestered.records.push(crate::summary::testing::failed(7, broken, "none left").probing());
        let (mut with, without) = (summarize(&pestered), summarize(&point_log(load)));
        assert_eq!(
            with.distribution(&PROBE_E2E).map(|probes| (probes.n, probes.max)),
            Some((1, 9.0))
        );
        assert_eq!((with.counts.probes, with.counts.probes_failed), (2, 1));
        with.counts = without.counts;
        for metric in super::super::METRICS.iter().filter(|metric| metric.over != Over::Probes) {
            assert_eq!(with.distribution(metric), without.distribution(metric), "{}", metric.key);
            assert_eq!(with.figure(metric), without.figure(metric), "{}", metric.key);
        }
        assert_eq!((&with.verdict, &with.failures), (&without.verdict, &without.failures));
        assert_eq!((&with.timeline, with.stall), (&without.timeline, without.stall));
        assert_eq!((&with.tokens, &with.prompt_check), (&without.tokens, &without.prompt_check));
    }
}
