//! Everything that any report prints of a point, computed once from its log.
//!
//! A summary holds figures and judgements and no requests. How it is printed, and in which units, is not its business.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use tokometer_record::{ClientUse, Connection, Phase, Point, PointLog, Record};

use crate::catalog::{self, E2E, ICL, ITL, METRICS, Metric, TTFT};
use crate::diagnosis::{self, Facts, Finding};
use crate::verdict::{Evidence, Verdict, judge, telling};
use crate::{
    Distribution, FailureGroup, LengthCheck, Run, ServerCounters, ServerSide, Stall, Steady,
    Timeline, TokenSources, Unsteady,
};

/// Everything that any report prints of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSummary {
    /// What was asked for.
    pub point: Point,
    /// How many requests there were.
    pub counts: Counts,
    /// Whether it came to its end.
    pub ending: Ending,
    /// Whether the figures are the server's.
    pub verdict: Verdict,
    /// The client's worst stall, where it was long enough and touched enough requests to be told.
    pub stall: Option<Stall>,
    /// Why requests failed, the most frequent kind first, and last those that the user cancelled.
    pub failures: Vec<FailureGroup>,
    /// Who counted the tokens.
    pub tokens: TokenSources,
    /// Whether the gaps per token rest on an even spread of tokens over chunks for any request.
    pub itl_estimated: bool,
    /// The prompts' lengths: by this program's count against the server's.
    pub prompt_check: LengthCheck,
    /// The outputs' lengths: asked for against counted by the server.
    pub output_check: LengthCheck,
    /// Tokens over time.
    pub timeline: Timeline,
    /// What the client used. `None` if the log has no end.
    pub client: Option<ClientUse>,
    /// What the server's own counters told of the load.
    pub server: ServerCounters,
    /// What the service said of itself.
    pub side: ServerSide,
    /// The part in which the load was steady, or why there is none.
    pub steady: Result<Steady, Unsteady>,
    /// What its facts say is wrong, or limits it: the worst first.
    pub findings: Vec<Finding>,
    distributions: BTreeMap<&'static str, Distribution>,
    figures: BTreeMap<&'static str, f64>,
}

/// How many requests there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests measured: those that ended, failures included, without the warm-up.
    pub measured: u64,
    /// Of those, how many succeeded.
    pub succeeded: u64,
    /// Of those, how many failed.
    pub failed: u64,
    /// Of those that failed, how many the user cancelled.
    pub cancelled: u64,
    /// Of those measured, how many asked for a stream.
    pub streamed: u64,
    /// Of those that succeeded, how many had their output in one piece and not as a stream.
    pub whole: u64,
    /// Requests of the warm-up.
    pub warmup: u64,
    /// Of the warm-up, how many failed.
    pub warmup_failed: u64,
    /// Of those measured, how many had to open a connection.
    pub connections_opened: u64,
    /// Of those measured, how many asked for a result (embeddings, scores) and not for output.
    pub results: u64,
    /// Probes beside the measured load.
    pub probes: u64,
    /// Of the probes, how many failed.
    pub probes_failed: u64,
}

impl Counts {
    /// Requests that failed without the user's doing: the service's failures, or the network's.
    pub const fn broken(&self) -> u64 {
        self.failed - self.cancelled
    }

    /// Requests that succeeded or failed without the user's doing.
    pub const fn tried(&self) -> u64 {
        self.measured - self.cancelled
    }
}

/// Whether a point came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that was asked for was sent and awaited.
    Complete,
    /// It was interrupted: what had ended by then is here.
    Interrupted,
    /// Its log has no end: the program was killed, or still runs.
    Unfinished,
}

impl PointSummary {
    /// The distribution of a metric of requests. `None` if it has no values.
    pub fn distribution(&self, metric: &Metric) -> Option<&Distribution> {
        self.distributions.get(metric.key)
    }

    /// The value of a metric of the run as a whole. `None` if it has none.
    pub fn figure(&self, metric: &Metric) -> Option<f64> {
        self.figures.get(metric.key).copied()
    }

    /// The mean of a metric of requests. `None` if it has no values.
    pub fn mean(&self, metric: &Metric) -> Option<f64> {
        self.distribution(metric).map(|values| values.mean)
    }
}

/// Sums up one point.
pub fn summarize(log: &PointLog) -> PointSummary {
    let run = Run::of(log);
    // Each goes through every chunk, and of a large log that takes its time.
    let (distributions, figures, timeline, steady) = thread::scope(|scope| {
        let over_time = scope.spawn(|| (Timeline::of(&run), Steady::of(&run)));
        let (distributions, figures) = (distributions(&run), figures(&run));
        let (timeline, steady) = over_time.join().unwrap_or_else(|panic| resume_unwind(panic));
        (distributions, figures, timeline, steady)
    });
    let mean = |metric: &Metric| distributions.get(metric.key).map(|values| values.mean);
    let evidence =
        Evidence::with_means(&run, mean(&TTFT).or(mean(&E2E)), mean(&ICL).or(mean(&E2E)));
    let mut summary = PointSummary {
        point: log.point.clone(),
        counts: counts(&run),
        ending: ending(log),
        verdict: judge(&evidence),
        stall: Stall::worst(&run).filter(|stall| telling(stall, &evidence)),
        failures: FailureGroup::of(run.measured.iter().copied()),
        tokens: TokenSources::of(run.successes()),
        itl_estimated: run.successes().any(catalog::itl_is_estimated),
        prompt_check: LengthCheck::prompts(run.successes()),
        output_check: LengthCheck::outputs(run.successes()),
        timeline,
        client: run.client.copied(),
        server: ServerCounters::between(run.scrapes),
        side: ServerSide::of(&run),
        steady,
        findings: Vec::new(),
        distributions,
        figures,
    };
    summary.findings = diagnosis::of_point(&Facts { run: &run, summary: &summary });
    summary
}

fn distributions(run: &Run<'_>) -> BTreeMap<&'static str, Distribution> {
    let mut all = BTreeMap::new();
    for metric in METRICS {
        // The gaps are by far the most values, and mostly those of one metric are the other's.
        let alike = metric.key == ITL.key && run.successes().all(catalog::chunks_are_tokens);
        let of = if alike { all.get(ICL.key).cloned() } else { metric.distribution(run) };
        all.extend(of.map(|of| (metric.key, of)));
    }
    all
}

fn figures(run: &Run<'_>) -> BTreeMap<&'static str, f64> {
    METRICS.iter().filter_map(|metric| Some((metric.key, metric.figure(run)?))).collect()
}

fn counts(run: &Run<'_>) -> Counts {
    let measured = run.measured.len() as u64;
    let whole = |record: &&Record| !record.streamed && catalog::generates(record);
    let succeeded = run.successes().count() as u64;
    let warmup = run.all.iter().filter(|record| record.phase == Phase::Warmup);
    let opened =
        run.measured.iter().filter(|record| matches!(record.connection, Connection::Opened { .. }));
    Counts {
        measured,
        succeeded,
        failed: measured - succeeded,
        cancelled: run.cancelled().count() as u64,
        streamed: run.measured.iter().filter(|record| record.streamed).count() as u64,
        whole: run.successes().filter(whole).count() as u64,
        warmup: warmup.clone().count() as u64,
        warmup_failed: warmup.filter(|record| !record.succeeded()).count() as u64,
        connections_opened: opened.count() as u64,
        results: results(run),
        probes: run.probes.len() as u64,
        probes_failed: run.probes.iter().filter(|record| !record.succeeded()).count() as u64,
    }
}

/// Requests for a result. A run has one API: what failed before a result came asked for one as well, if any other did.
fn results(run: &Run<'_>) -> u64 {
    let asks_for_results = run.measured.iter().any(|record| !catalog::generates(record));
    if asks_for_results { run.measured.len() as u64 } else { 0 }
}

fn ending(log: &PointLog) -> Ending {
    match &log.end {
        Some(end) if end.complete => Ending::Complete,
        Some(_) => Ending::Interrupted,
        None => Ending::Unfinished,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Records and logs by hand: moments in milliseconds, one token a chunk, ten tokens a prompt.

    use tokometer_record::{
        Channel, Chunk, ClientUse, Connection, Failure, FailureKind, Offset, Outcome, OutputTokens,
        Phase, Point, PointEnd, PointLog, PromptTokens, Pulse, Record, TokenSource,
    };

    pub(crate) fn ms(moment: u64) -> Offset {
        Offset::from_nanos(moment * 1_000_000)
    }

    /// A success that started at `started` and whose chunks came at these moments.
    pub(crate) fn ok(index: u64, started: u64, chunks: &[u64]) -> Record {
        Record {
            index,
            phase: Phase::Measured,
            scheduled: ms(started),
            started: ms(started),
            connection: Connection::Reused,
            connected: Some(ms(started)),
            sent: Some(ms(started)),
            headers: None,
            chunks: chunks
                .iter()
                .map(|&at| Chunk { at: ms(at), tokens: 0, channel: Channel::Content })
                .collect(),
            end: ms(chunks.last().copied().unwrap_or(started)),
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens { local: Some(10), server: Some(10), cached: None },
            output_tokens: Some(OutputTokens {
                count: chunks.len() as u32,
                source: TokenSource::Usage,
            }),
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: Some("length".into()),
            request_id: format!("r-{index}"),
            prompt: None,
            output: None,
        }
    }

    /// Changes to a record that stand where it is made.
    pub(crate) trait Changed {
        /// Wanted at another moment than the one at which it started.
        fn scheduled_at(self, moment: u64) -> Self;
        /// Failed at this moment.
        fn failing_at(self, moment: u64) -> Self;
        /// Part of the warm-up.
        fn warming_up(self) -> Self;
        /// A probe beside the load.
        fn probing(self) -> Self;
    }

    impl Changed for Record {
        fn scheduled_at(mut self, moment: u64) -> Self {
            self.scheduled = ms(moment);
            self
        }

        fn failing_at(mut self, moment: u64) -> Self {
            self.end = ms(moment);
            self.outcome = Outcome::Failed(Failure::new(FailureKind::Reset, "connection reset"));
            self
        }

        fn warming_up(mut self) -> Self {
            self.phase = Phase::Warmup;
            self
        }

        fn probing(mut self) -> Self {
            self.phase = Phase::Probe;
            self
        }
    }

    /// A request that failed at once.
    pub(crate) fn failed(index: u64, kind: FailureKind, message: &str) -> Record {
        let mut record = ok(index, 0, &[]);
        record.outcome = Outcome::Failed(Failure::new(kind, message));
        record.output_tokens = None;
        record
    }

    /// A complete point of these records, without a cap or a rate, by a client that used nothing.
    pub(crate) fn point_log(records: impl IntoIterator<Item = Record>) -> PointLog {
        let records: Vec<Record> = records.into_iter().collect();
        let end = PointEnd {
            index: 0,
            at: ms(0),
            complete: true,
            measured_from: None,
            client: ClientUse::default(),
        };
        let point = Point { requests: records.len() as u64, ..Point::default() };
        PointLog { records, end: Some(end), ..PointLog::begun(point) }
    }

    /// The log with a client whose event loop was late by so many nanoseconds, at p99 and at worst.
    pub(crate) fn probed(mut log: PointLog, p99: u64, worst: u64) -> PointLog {
        let client = &mut log.end.as_mut().unwrap().client;
        (client.loop_lag_p99, client.loop_lag_max, client.loop_lag_probes) = (p99, worst, 1_000);
        log
    }

    /// The log of a program that was killed after these pulses.
    pub(crate) fn killed<const N: usize>(mut log: PointLog, pulses: [Pulse; N]) -> PointLog {
        log.pulses = pulses.to_vec();
        log.end = None;
        log
    }

    /// A pulse at a moment, whose second had this lag at worst, and until which so much processor time was used.
    pub(crate) fn pulse(at: u64, lag: u64, cpu: u64) -> Pulse {
        let [loop_lag, cpu] = [lag, cpu].map(|millis| millis * 1_000_000);
        Pulse { at: ms(at), in_flight: 0, loop_lag, cpu }
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::{FailureKind, OutputTokens, TokenSource};

    use super::testing::{Changed, failed, killed, ok, point_log, probed, pulse};
    use super::*;
    use crate::catalog::{DURATION, LAG, OUTPUT_TOKENS, SUCCESS_RATE, TPOT};
    use crate::quantile::Percentile;

    #[test]
    fn a_point_is_summed_up() {
        let log = point_log([
            ok(0, 0, &[100, 110, 120]),
            ok(1, 0, &[300, 320, 340]).scheduled_at(0),
            failed(2, FailureKind::Status(503), "overloaded"),
            ok(3, 0, &[5]).warming_up(),
        ]);
        let summary = summarize(&probed(log, 100_000, 300_000));
        let counts = Counts {
            measured: 3,
            succeeded: 2,
            failed: 1,
            cancelled: 0,
            streamed: 3,
            whole: 0,
            warmup: 1,
            warmup_failed: 0,
            connections_opened: 0,
            results: 0,
            probes: 0,
            probes_failed: 0,
        };
        assert_eq!(summary.counts, counts);
        assert_eq!(summary.ending, Ending::Complete);
        assert_eq!(summary.mean(&TTFT), Some(0.2));
        assert_eq!(summary.mean(&TPOT), Some(0.015));
        assert_eq!(summary.mean(&E2E), Some(0.23));
        assert_eq!(summary.figure(&DURATION), Some(0.34));
        assert_eq!(summary.figure(&SUCCESS_RATE), Some(200.0 / 3.0));
        assert_eq!(summary.distribution(&LAG).unwrap().n, 3);
        let ttft = summary.distribution(&TTFT).unwrap();
        assert_eq!((ttft.n, (ttft.std * 1e9).round()), (2, 1e8));
        assert_eq!(ttft.nearest_rank(Percentile::P50), Some(0.1));
        assert_eq!(ttft.linear(Percentile::P50), Some(0.2));
        assert_eq!(summary.failures[0].count, 1);
        assert!(summary.verdict.is_valid());
    }

    #[test]
    fn gaps_per_token_are_those_between_chunks_only_where_each_is_a_token() {
        let (one, mut told, mut several) =
            (ok(0, 0, &[100, 110, 130]), ok(1, 0, &[100, 150]), ok(2, 0, &[100, 140]));
        told.chunks.edit(|chunks| chunks.iter_mut().for_each(|chunk| chunk.tokens = 1));
        several.output_tokens = Some(OutputTokens { count: 5, source: TokenSource::Usage });
        for (records, alike) in [(vec![one.clone(), told], true), (vec![one, several], false)] {
            let log = point_log(records);
            let summary = summarize(&log);
            let [icl, itl] = [&ICL, &ITL].map(|metric| summary.distribution(metric));
            assert_eq!(itl, ITL.distribution(&Run::of(&log)).as_ref());
            assert_eq!(icl == itl, alike);
        }
    }

    #[test]
    fn a_point_without_successes_has_counts_and_no_latencies() {
        let summary = summarize(&point_log([failed(0, FailureKind::ConnectRefused, "refused")]));
        assert_eq!((summary.counts.measured, summary.counts.failed), (1, 1));
        assert_eq!(summary.mean(&TTFT), None);
        assert_eq!(summary.mean(&E2E), None);
        assert_eq!(summary.figure(&SUCCESS_RATE), Some(0.0));
    }

    #[test]
    fn requests_that_the_user_cancelled_stay_in_the_denominator() {
        let cancelled = |index| failed(index, FailureKind::Cancelled, "the run was stopped");
        let log =
            point_log([ok(0, 0, &[10]), cancelled(1), cancelled(2), ok(3, 0, &[]).failing_at(5)]);
        let summary = summarize(&log);
        let counts = summary.counts;
        assert_eq!((counts.failed, counts.cancelled), (3, 2));
        assert_eq!((counts.broken(), counts.tried()), (1, 2));
        assert_eq!(summary.figure(&SUCCESS_RATE), Some(25.0));
    }

    #[test]
    fn a_long_stall_is_told_if_it_touched_enough_requests() {
        // Requests of 100 ms, one after the other: a second touches eleven or so of 200.
        let log = point_log((0..200).map(|i| ok(i, i * 100, &[i * 100 + 100])));
        let stalled = |worst| {
            let mut log = probed(log.clone(), 100_000, worst);
            log.pulses = vec![pulse(1_000, 1, 0), pulse(2_000, worst / 1_000_000, 0)];
            summarize(&log)
        };
        assert_eq!(stalled(49_000_000).stall, None);
        let told = stalled(60_000_000);
        assert_eq!(told.stall.map(|stall| (stall.length, stall.touched)), Some((0.06, 12)));
        assert!(told.verdict.is_valid());
    }

    #[test]
    fn a_stall_between_requests_is_not_told() {
        let mut log = probed(point_log([ok(0, 0, &[100]), ok(1, 9_000, &[9_100])]), 0, 90_000_000);
        log.pulses = vec![pulse(1_000, 1, 0), pulse(2_000, 90, 0), pulse(9_000, 1, 0)];
        assert_eq!(summarize(&log).stall, None);
    }

    #[test]
    fn a_killed_run_is_not_valid_without_evidence() {
        let log = point_log((0..20).map(|i| ok(i, i * 100, &[i * 100 + 100])));
        assert_eq!(summarize(&killed(log.clone(), [])).verdict.key(), "not_judged");
        let calm = killed(log, [pulse(1_000, 1, 0), pulse(2_000, 2, 100)]);
        assert_eq!(summarize(&calm).verdict, Verdict::Valid);
        assert_eq!(summarize(&calm).figure(&catalog::CLIENT_CPU), Some(10.0));
        assert_eq!(summarize(&calm).figure(&catalog::LOOP_LAG_P99), None);
        assert_eq!(summarize(&calm).figure(&catalog::LOOP_LAG_MAX), Some(0.002));
    }

    #[test]
    fn an_interrupted_point_and_a_lost_one_are_told_apart() {
        let mut log = point_log([ok(0, 0, &[10])]);
        log.end.as_mut().unwrap().complete = false;
        assert_eq!(summarize(&log).ending, Ending::Interrupted);
        log.end = None;
        assert_eq!(summarize(&log).ending, Ending::Unfinished);
        assert_eq!(summarize(&log).client, None);
    }

    #[test]
    fn outputs_that_nobody_counted_have_no_throughput() {
        let mut uncounted = ok(0, 0, &[10, 20]);
        uncounted.output_tokens = None;
        let summary = summarize(&point_log([uncounted.clone()]));
        assert_eq!(summary.figure(&catalog::OUTPUT_THROUGHPUT), None);
        assert_eq!(summary.mean(&OUTPUT_TOKENS), None);
        uncounted.output_tokens = Some(OutputTokens { count: 2, source: TokenSource::ChunkCount });
        assert!(summarize(&point_log([uncounted])).tokens.estimated());
    }
}
