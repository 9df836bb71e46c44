//! The definition of every metric, once: its key, title, unit, formula, population, and what each dialect calls it.
//!
//! [`METRICS`] lists them all; summaries, JSON and the reference table in `docs/` iterate it. Percentile rules and the verdict's
//! thresholds are deliberately not here but in [`crate::quantile`] and [`crate::verdict`].

mod counted;
mod full;
mod reference;
mod request;
mod whole;

pub use counted::*;
pub use full::*;
pub use reference::markdown;
pub use request::*;
pub use whole::*;

use tokometer_record::Record;

use crate::distribution::Pool;
use crate::quantile::linear_at;
use crate::{Distribution, Run, Unit};

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its stable name in machine-readable output.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The formula, in words.
    pub definition: &'static str,
    /// The requests it is taken over.
    pub over: Over,
    /// How it is computed.
    pub of: Of,
    /// What each dialect calls it: pairs of the dialect and its name for it.
    pub named: &'static [(&'static str, &'static str)],
}

/// How a metric is computed.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// One value a request, or none.
    Request(fn(&Record) -> Option<f64>),
    /// One value a request, or none, by what its run was as well.
    Waiting(fn(&Run<'_>, &Record) -> Option<f64>),
    /// Any number of values a request, pooled over all of them.
    Gaps(fn(&Record, &mut Vec<f64>)),
    /// One value a run, or none.
    Run(fn(&Run<'_>) -> Option<f64>),
}

/// The requests that a metric is taken over. Those of the warm-up are never among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Those that succeeded.
    Successes,
    /// All of them, failures included.
    Measured,
    /// Not the load's, but the probes' beside it that succeeded.
    Probes,
}

impl Metric {
    /// The distribution of the metric's values over a run. `None` if it has none, or is a figure of the run as a whole.
    pub fn distribution(&self, run: &Run<'_>) -> Option<Distribution> {
        match self.of {
            Of::Gaps(gaps) => self.pool(run, gaps).distribution(),
            Of::Request(_) | Of::Waiting(_) | Of::Run(_) => Distribution::of(self.sample(run)),
        }
    }

    /// Percentiles of the metric over a run by linear interpolation, for those that a [`Distribution`] does not keep: each as
    /// [`quantile::linear_at`](crate::quantile::linear_at) gives it. `None` for each if the metric has no values.
    pub fn percentiles(&self, run: &Run<'_>, percents: &[f64]) -> Vec<Option<f64>> {
        if let Of::Gaps(gaps) = self.of {
            return self.pool(run, gaps).linear_at(percents);
        }
        let values = self.values(run);
        percents.iter().map(|&percent| linear_at(&values, percent)).collect()
    }

    /// The metric's values over a run, ascending. Empty if it has none. Of gaps that is one value a token, however many there are:
    /// [`Metric::distribution`] and [`Metric::percentiles`] take no such room.
    pub fn values(&self, run: &Run<'_>) -> Vec<f64> {
        let mut values = self.sample(run);
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    /// In the order in which requests started.
    fn sample(&self, run: &Run<'_>) -> Vec<f64> {
        let records = self.records(run);
        match self.of {
            Of::Request(value) => records.filter_map(value).collect(),
            Of::Waiting(value) => records.filter_map(|record| value(run, record)).collect(),
            Of::Gaps(gaps) => self.pool(run, gaps).values(),
            Of::Run(_) => Vec::new(),
        }
    }

    fn pool<'a>(&self, run: &Run<'a>, gaps: fn(&Record, &mut Vec<f64>)) -> Pool<'a> {
        Pool { records: self.records(run).collect(), gaps }
    }

    fn records<'a>(&self, run: &Run<'a>) -> impl Iterator<Item = &'a Record> {
        let among = if self.over == Over::Probes { &run.probes } else { &run.measured };
        let counts = |record: &&Record| self.over == Over::Measured || record.succeeded();
        among.iter().copied().filter(counts)
    }

    /// The metric's one value for a run. `None` if it has none, or is a metric of requests.
    pub fn figure(&self, run: &Run<'_>) -> Option<f64> {
        match self.of {
            Of::Run(value) => value(run).filter(|value| value.is_finite()),
            Of::Request(_) | Of::Waiting(_) | Of::Gaps(_) => None,
        }
    }
}

/// Every metric, in the order in which the reference tells of them.
pub const METRICS: &[&Metric] = &[
    &TTFT,
    &TTFAT,
    &E2E,
    &TPOT,
    &ICL,
    &ITL,
    &SCHEDULED_TTFT,
    &SCHEDULED_E2E,
    &LAG,
    &CLIENT_QUEUE_TIME,
    &QUEUED_E2E,
    &DNS_TIME,
    &TCP_TIME,
    &TLS_TIME,
    &INPUT_TOKENS,
    &OUTPUT_TOKENS,
    &CHUNKS,
    &TOKENS_PER_CHUNK,
    &DECODE_RATE,
    &OUTPUT_RATE,
    &TOTAL_RATE,
    &PROBE_E2E,
    &DURATION,
    &REQUEST_THROUGHPUT,
    &INPUT_THROUGHPUT,
    &OUTPUT_THROUGHPUT,
    &TOTAL_THROUGHPUT,
    &FULL_DURATION,
    &FULL_REQUEST_THROUGHPUT,
    &FULL_OUTPUT_THROUGHPUT,
    &FULL_TOTAL_THROUGHPUT,
    &INPUT_SEQUENCES,
    &SEQUENCE_THROUGHPUT,
    &PEAK_OUTPUT_THROUGHPUT,
    &RTFX,
    &SUCCESS_RATE,
    &CACHE_HIT_RATE,
    &PREFIX_CACHE_HIT_RATE,
    &SPEC_ACCEPTANCE_RATE,
    &SPEC_ACCEPTANCE_LENGTH,
    &DIFFUSION_THROUGHPUT,
    &DIFFUSION_STEPS,
    &DIFFUSION_TOKENS_PER_STEP,
    &REQUESTED_RATE,
    &SCHEDULED_RATE,
    &ACHIEVED_RATE,
    &REQUESTED_CONCURRENCY,
    &HELD_CONCURRENCY,
    &MEAN_CONCURRENCY,
    &PEAK_CONCURRENCY,
    &LATENESS_P99,
    &LATENESS_MAX,
    &LOOP_LAG_P99,
    &LOOP_LAG_MAX,
    &CLIENT_CPU,
    &CLIENT_CPU_SHARE,
    &CLIENT_MEMORY,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use tokometer_record::{Channel, Chunk, OutputTokens, TokenSource};

    use super::*;
    use crate::summary::testing::{Changed, failed, ms, ok, point_log};

    fn of(metric: &Metric, record: &Record) -> Option<f64> {
        match metric.of {
            Of::Request(value) => value(record),
            _ => panic!("{} is no metric of a request", metric.key),
        }
    }

    fn gaps(metric: &Metric, record: &Record) -> Vec<f64> {
        let mut values = Vec::new();
        match metric.of {
            Of::Gaps(gaps) => gaps(record, &mut values),
            _ => panic!("{} has no gaps", metric.key),
        }
        values
    }

    #[test]
    fn keys_and_titles_are_unique() {
        let keys: BTreeSet<_> = METRICS.iter().map(|metric| metric.key).collect();
        let titles: BTreeSet<_> = METRICS.iter().map(|metric| metric.title).collect();
        assert_eq!((keys.len(), titles.len()), (METRICS.len(), METRICS.len()));
    }

    #[test]
    fn latencies_run_from_the_start_and_from_the_schedule() {
        // Wanted at 100 ms, started at 110 ms, output at 310, 330 and 350 ms.
        let record = ok(0, 110, &[310, 330, 350]).scheduled_at(100);
        assert_eq!(of(&TTFT, &record), Some(0.200));
        assert_eq!(of(&E2E, &record), Some(0.240));
        assert_eq!(of(&TPOT, &record), Some(0.020));
        assert_eq!(of(&SCHEDULED_TTFT, &record), Some(0.210));
        assert_eq!(of(&SCHEDULED_E2E, &record), Some(0.250));
        assert_eq!(of(&LAG, &record), Some(0.010));
        assert_eq!(of(&DECODE_RATE, &record), Some(50.0));
        assert_eq!(of(&OUTPUT_RATE, &record), Some(3.0 / 0.240));
        assert_eq!(of(&TOTAL_RATE, &record), Some(13.0 / 0.240));
        assert_eq!(gaps(&ICL, &record), [0.020, 0.020]);
    }

    #[test]
    fn the_first_answer_comes_after_the_reasoning() {
        let mut record = ok(0, 0, &[100, 200, 300]);
        record.chunks.edit(|chunks| {
            chunks[0].channel = Channel::Reasoning;
            chunks[1].channel = Channel::ToolCall;
        });
        assert_eq!(of(&TTFT, &record), Some(0.1));
        assert_eq!(of(&TTFAT, &record), Some(0.2));
        record.chunks.edit(|chunks| chunks.truncate(1));
        assert_eq!(of(&TTFAT, &record), None);
    }

    #[test]
    fn without_streaming_there_is_no_first_token() {
        let mut record = ok(0, 0, &[100]);
        record.streamed = false;
        record.output_tokens = Some(OutputTokens { count: 64, source: TokenSource::Usage });
        assert_eq!(of(&E2E, &record), Some(0.1));
        for metric in [&TTFT, &TTFAT, &TPOT, &SCHEDULED_TTFT, &DECODE_RATE, &TOKENS_PER_CHUNK] {
            assert_eq!(of(metric, &record), None, "{}", metric.key);
        }
        assert_eq!(gaps(&ICL, &record), [0.0; 0]);
    }

    #[test]
    fn one_token_and_one_chunk_have_no_time_per_token() {
        let one_token = ok(0, 0, &[100]);
        assert_eq!(of(&TPOT, &one_token), None);
        let mut one_chunk = one_token;
        one_chunk.output_tokens = Some(OutputTokens { count: 9, source: TokenSource::Usage });
        assert_eq!(of(&TPOT, &one_chunk), None);
        assert_eq!(of(&TOKENS_PER_CHUNK, &one_chunk), None);
    }

    #[test]
    fn a_chunk_of_four_tokens_is_four_gaps() {
        let mut record = ok(0, 0, &[100, 140, 150]);
        record.chunks.edit(|chunks| {
            chunks.iter_mut().zip([1, 4, 1]).for_each(|(chunk, tokens)| chunk.tokens = tokens);
        });
        assert_eq!(gaps(&ICL, &record), [0.040, 0.010]);
        assert_eq!(gaps(&ITL, &record), [0.010; 5]);
        assert!(!itl_is_estimated(&record));
    }

    #[test]
    fn unknown_chunks_share_the_tokens_evenly() {
        let mut record = ok(0, 0, &[100, 140, 180]);
        record.output_tokens = Some(OutputTokens { count: 9, source: TokenSource::Usage });
        assert_eq!(gaps(&ITL, &record), [0.010, 0.010]);
        assert_eq!(of(&TOKENS_PER_CHUNK, &record), Some(4.0));
        assert!(itl_is_estimated(&record));
    }

    #[test]
    fn a_count_that_may_hold_the_first_chunks_tokens_is_of_no_one_chunk() {
        let mut record = ok(0, 0, &[100, 140]);
        record.chunks.edit(|chunks| chunks[1].tokens = 2);
        record.output_tokens = Some(OutputTokens { count: 2, source: TokenSource::Usage });
        assert_eq!(gaps(&ITL, &record), [0.040]);
        assert!(itl_is_estimated(&record));
    }

    #[test]
    fn an_absurd_count_of_a_chunk_is_not_believed() {
        let mut record = ok(0, 0, &[100, 140]);
        record.chunks.edit(|chunks| chunks[1].tokens = u32::MAX);
        assert_eq!(gaps(&ITL, &record), [0.040]);
        assert!(itl_is_estimated(&record));
    }

    #[test]
    fn figures_of_the_run_count_only_the_tokens_of_successes() {
        let log = point_log([
            ok(0, 0, &[100, 200]),
            ok(1, 0, &[400, 500]),
            failed(2, tokometer_record::FailureKind::Reset, "gone"),
            ok(3, 0, &[1000]).failing_at(1000),
        ]);
        let run = Run::of(&log);
        let figure = |metric: &Metric| metric.figure(&run).unwrap();
        assert_eq!(figure(&DURATION), 1.0);
        assert_eq!(figure(&REQUEST_THROUGHPUT), 2.0);
        assert_eq!(figure(&OUTPUT_THROUGHPUT), 4.0);
        assert_eq!(figure(&INPUT_THROUGHPUT), 20.0);
        assert_eq!(figure(&TOTAL_THROUGHPUT), 24.0);
        assert_eq!(figure(&SUCCESS_RATE), 50.0);
        assert_eq!(CACHE_HIT_RATE.figure(&run), None);
    }

    #[test]
    fn the_client_s_share_is_of_its_workers_cores() {
        let mut log = point_log([ok(0, 0, &[1000])]);
        let client = &mut log.end.as_mut().unwrap().client;
        client.cpu_user = 1_500_000_000;
        client.cpu_system = 300_000_000;
        client.workers = 2;
        let run = Run::of(&log);
        assert_eq!(CLIENT_CPU.figure(&run), Some(180.0));
        assert_eq!(CLIENT_CPU_SHARE.figure(&run), Some(90.0));
        assert_eq!(LOOP_LAG_P99.figure(&run), None);
    }

    #[test]
    fn cached_prompt_tokens_are_a_share_of_the_prompts_that_tell_of_them() {
        let mut told = ok(0, 0, &[10]);
        told.prompt_tokens.cached = Some(5);
        let log = point_log([told, ok(1, 0, &[10])]);
        assert_eq!(CACHE_HIT_RATE.figure(&Run::of(&log)), Some(50.0));
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let chunk = (0_u64..50, 0_u32..5);
        (0_u64..100, 0_u64..50, prop::collection::vec(chunk, 0..8), any::<bool>(), 0_u32..9)
            .prop_map(|(scheduled, lag, chunks, streamed, tokens)| {
                let started = scheduled + lag;
                let mut at = started;
                let mut record = ok(0, started, &[]).scheduled_at(scheduled);
                for (gap, tokens) in chunks {
                    at += gap;
                    record.chunks.push(Chunk { at: ms(at), tokens, channel: Channel::Content });
                }
                record.end = ms(at);
                record.streamed = streamed;
                record.output_tokens =
                    Some(OutputTokens { count: tokens, source: TokenSource::Usage });
                record
            })
    }

    proptest! {
        #[test]
        fn no_metric_is_ever_nan_infinite_or_negative(
            records in prop::collection::vec(any_record(), 0..5),
        ) {
            let log = point_log(records);
            let run = Run::of(&log);
            for metric in METRICS {
                let figure = metric.figure(&run).into_iter();
                let least = metric.distribution(&run).map(|d| [d.min, d.max, d.mean, d.std]);
                for value in figure.chain(least.into_iter().flatten()) {
                    prop_assert!(value.is_finite() && value >= 0.0, "{} is {value}", metric.key);
                }
            }
        }

        #[test]
        fn known_gaps_per_token_add_up_to_the_time_between_first_and_last(
            mut record in any_record(),
        ) {
            record.streamed = true;
            record.chunks.edit(|chunks| chunks.iter_mut().for_each(|chunk| chunk.tokens += 1));
            let total: f64 = gaps(&ITL, &record).iter().sum();
            let span = record.last().zip(record.first()).map(|(last, first)| last - first);
            prop_assert!((total - span.unwrap_or_default().as_secs_f64()).abs() < 1e-9);
            prop_assert!(!itl_is_estimated(&record));
        }
    }
}
