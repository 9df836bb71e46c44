//! Metrics of a run as a whole: throughputs, rates, concurrency, and what the client itself was doing.

use tokometer_record::Record;

use super::{Metric, Of, Over};
use crate::pulse::{self, worst_lag};
use crate::quantile::Percentile;
use crate::{Distribution, LoopLag, Run, Unit};

/// The length of the measurement.
pub const DURATION: Metric = Metric {
    key: "duration",
    title: "Duration",
    unit: Unit::Seconds,
    definition: "The last completion − the first start of a measured request, failures included. A success is completed with its \
                 last output chunk, a failure when it ends, and a request that the user cancelled never.",
    over: Over::Measured,
    of: Of::Run(|run| run.window().duration()),
    named: &[("evalscope", "Test Duration (s)")],
};

/// Completed requests per second.
pub const REQUEST_THROUGHPUT: Metric = Metric {
    key: "request_throughput",
    title: "Request throughput",
    unit: Unit::RequestsPerSecond,
    definition: "Requests that succeeded ÷ duration.",
    over: Over::Successes,
    of: Of::Run(|run| Some(run.successes().count() as f64 / run.window().duration()?)),
    named: &[("evalscope", "Req Throughput (req/s)")],
};

/// Input tokens per second.
pub const INPUT_THROUGHPUT: Metric = Metric {
    key: "input_throughput",
    title: "Input throughput",
    unit: Unit::TokensPerSecond,
    definition: "Σ input tokens ÷ duration.",
    over: Over::Successes,
    of: Of::Run(|run| Some(input_tokens(run)? / run.window().duration()?)),
    named: &[("evalscope", "Input Throughput (tok/s)")],
};

/// Output tokens per second.
pub const OUTPUT_THROUGHPUT: Metric = Metric {
    key: "output_throughput",
    title: "Output throughput",
    unit: Unit::TokensPerSecond,
    definition: "Σ output tokens ÷ duration.",
    over: Over::Successes,
    of: Of::Run(|run| Some(output_tokens(run)? / run.window().duration()?)),
    named: &[("evalscope", "Output Throughput (tok/s)")],
};

/// Tokens in and out per second.
pub const TOTAL_THROUGHPUT: Metric = Metric {
    key: "total_throughput",
    title: "Total throughput",
    unit: Unit::TokensPerSecond,
    definition: "Σ (input tokens + output tokens) ÷ duration.",
    over: Over::Successes,
    of: Of::Run(|run| Some((input_tokens(run)? + output_tokens(run)?) / run.window().duration()?)),
    named: &[("evalscope", "Total Throughput (tok/s)")],
};

/// The share of requests that succeeded.
pub const SUCCESS_RATE: Metric = Metric {
    key: "success_rate",
    title: "Success rate",
    unit: Unit::Percent,
    definition: "Requests that succeeded ÷ requests measured. A failed request never leaves the denominator, nor does one that the \
                 user cancelled.",
    over: Over::Measured,
    of: Of::Run(|run| percent(run.successes().count() as f64, run.measured.len() as f64)),
    named: &[("evalscope", "Success Rate")],
};

/// The share of prompt tokens that the server had cached.
pub const CACHE_HIT_RATE: Metric = Metric {
    key: "cache_hit_rate",
    title: "Prefix-cache hit rate",
    unit: Unit::Percent,
    definition: "Σ cached prompt tokens ÷ Σ prompt tokens, over the requests for which the server tells its cached tokens. \
                 Nothing is assumed where it does not.",
    over: Over::Successes,
    of: Of::Run(|run| {
        let told = run.successes().filter_map(|record| {
            let prompt = record.prompt_tokens;
            Some((f64::from(prompt.cached?), f64::from(prompt.count()?)))
        });
        let (cached, prompts) = told.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        percent(cached, prompts)
    }),
    named: &[("evalscope", "KV Cache Hit Rate (%)")],
};

/// The rate that was asked for.
pub const REQUESTED_RATE: Metric = Metric {
    key: "requested_rate",
    title: "Requested rate",
    unit: Unit::RequestsPerSecond,
    definition: "The mean rate of sends that the plan asks for.",
    over: Over::Measured,
    of: Of::Run(|run| run.point.rate),
    named: &[("evalscope", "Request Rate (req/s)")],
};

/// The rate of the schedule.
pub const SCHEDULED_RATE: Metric = Metric {
    key: "scheduled_rate",
    title: "Scheduled rate",
    unit: Unit::RequestsPerSecond,
    definition: "(requests − 1) ÷ (last `scheduled` − first `scheduled`): what the random gaps of the schedule came to.",
    over: Over::Measured,
    of: Of::Run(|run| run.scheduled_rate()),
    named: &[],
};

/// The rate that came about.
pub const ACHIEVED_RATE: Metric = Metric {
    key: "achieved_rate",
    title: "Achieved rate",
    unit: Unit::RequestsPerSecond,
    definition: "(requests − 1) ÷ (last `started` − first `started`).",
    over: Over::Measured,
    of: Of::Run(|run| run.achieved_rate()),
    named: &[],
};

/// The concurrency that was asked for.
pub const REQUESTED_CONCURRENCY: Metric = Metric {
    key: "requested_concurrency",
    title: "Requested concurrency",
    unit: Unit::Requests,
    definition: "The most requests in flight at once that the plan allows. None in open loop.",
    over: Over::Measured,
    of: Of::Run(|run| run.point.concurrency.map(|requests| requests as f64)),
    named: &[("evalscope", "Concurrency"), ("vllm", "Maximum request concurrency")],
};

/// The concurrency that was held while requests waited.
pub const HELD_CONCURRENCY: Metric = Metric {
    key: "held_concurrency",
    title: "Held concurrency",
    unit: Unit::Requests,
    definition: "The mean number of requests in flight while others still waited: to the last measured start, from the first one, or \
                 under a cap from the start that first took the last place if that is later.",
    over: Over::Measured,
    of: Of::Run(|run| run.held_concurrency()),
    named: &[],
};

/// The mean concurrency.
pub const MEAN_CONCURRENCY: Metric = Metric {
    key: "mean_concurrency",
    title: "Mean concurrency",
    unit: Unit::Requests,
    definition: "The mean number of measured requests in flight over the duration, the last ones' draining included.",
    over: Over::Measured,
    of: Of::Run(|run| run.mean_concurrency()),
    named: &[],
};

/// The peak concurrency.
pub const PEAK_CONCURRENCY: Metric = Metric {
    key: "peak_concurrency",
    title: "Peak concurrency",
    unit: Unit::Requests,
    definition: "The exact maximum of requests in flight, by a sweep over the moments of start and end, ends before starts on ties.",
    over: Over::Measured,
    of: Of::Run(|run| run.peak_concurrency().map(|requests| requests as f64)),
    named: &[("vllm", "Peak concurrent requests")],
};

/// How late the client was to start requests, at p99.
pub const LATENESS_P99: Metric = Metric {
    key: "lateness_p99",
    title: "Client lateness, p99",
    unit: Unit::Seconds,
    definition: "The 99th percentile (nearest rank) of how late requests started: `started` − the later of `scheduled` and, under \
                 a cap of requests in flight, the moment at which a place became free.",
    over: Over::Measured,
    of: Of::Run(|run| lateness(run)?.nearest_rank(Percentile::P99)),
    named: &[],
};

/// How late the client was to start a request at worst.
pub const LATENESS_MAX: Metric = Metric {
    key: "lateness_max",
    title: "Client lateness, worst",
    unit: Unit::Seconds,
    definition: "As the p99, at worst.",
    over: Over::Measured,
    of: Of::Run(|run| lateness(run).map(|lateness| lateness.max)),
    named: &[],
};

/// How late the client's event loop was, at p99.
pub const LOOP_LAG_P99: Metric = Metric {
    key: "loop_lag_p99",
    title: "Client loop lag, p99",
    unit: Unit::Seconds,
    definition: "How late the client's event loop was, at the 99th percentile of time: for 1 % of it the loop was later than that. \
                 Probed every few milliseconds on each worker; a stall counts once for each probe that it swallowed. A chunk's \
                 stamp can be late by as much. None for a log without an end.",
    over: Over::Measured,
    of: Of::Run(|run| match LoopLag::of(run) {
        LoopLag::P99(lag) => Some(lag),
        LoopLag::Pulses { .. } | LoopLag::Unprobed | LoopLag::Lost => None,
    }),
    named: &[],
};

/// How late the client's event loop was at worst.
pub const LOOP_LAG_MAX: Metric = Metric {
    key: "loop_lag_max",
    title: "Client loop lag, worst",
    unit: Unit::Seconds,
    definition: "The longest stall of the client's event loop. For a log without an end, by its pulses.",
    over: Over::Measured,
    of: Of::Run(worst_lag),
    named: &[],
};

/// The client's processor time, in per cent of one core.
pub const CLIENT_CPU: Metric = Metric {
    key: "client_cpu",
    title: "Client CPU, of one core",
    unit: Unit::Percent,
    definition: "Processor time, user and system, of the threads that carried the load (of the process where the system does not \
                 account for threads), ÷ the time from the first start to the last end of any request, where that is 0.1 s at \
                 least. Two busy cores are 200 %. For a log without an end: of the process, from its first pulse to its last.",
    over: Over::Measured,
    of: Of::Run(cpu),
    named: &[],
};

/// The client's processor time, in per cent of its workers' cores.
pub const CLIENT_CPU_SHARE: Metric = Metric {
    key: "client_cpu_share",
    title: "Client CPU, of its workers' cores",
    unit: Unit::Percent,
    definition: "As the client's CPU, ÷ the number of worker threads that carried the load. None for a log without an end.",
    over: Over::Measured,
    of: Of::Run(|run| Some(cpu(run)? / run.client?.workers.max(1) as f64)),
    named: &[],
};

/// The client's memory.
pub const CLIENT_MEMORY: Metric = Metric {
    key: "client_memory",
    title: "Client memory, peak",
    unit: Unit::Bytes,
    definition: "The most resident memory of this process so far.",
    over: Over::Measured,
    of: Of::Run(|run| Some(run.client?.peak_memory as f64).filter(|&bytes| bytes > 0.0)),
    named: &[],
};

pub(super) fn input_tokens(run: &Run<'_>) -> Option<f64> {
    sum(run, |record| record.prompt_tokens.count())
}

pub(super) fn output_tokens(run: &Run<'_>) -> Option<f64> {
    sum(run, |record| record.output_tokens.map(|tokens| tokens.count))
}

/// The sum over the successes that were counted: none if there were successes and nobody counted them.
fn sum(run: &Run<'_>, count: fn(&Record) -> Option<u32>) -> Option<f64> {
    let mut counted = run.successes().map(count).peekable();
    let nothing_to_count = counted.peek().is_none();
    let sum = counted.flatten().map(f64::from).reduce(|sum, count| sum + count);
    sum.or(nothing_to_count.then_some(0.0))
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}

fn lateness(run: &Run<'_>) -> Option<Distribution> {
    Distribution::of(run.lateness().collect())
}

fn cpu(run: &Run<'_>) -> Option<f64> {
    let Some(client) = run.client else { return pulse::cpu(run) };
    let first = run.all.first()?.started;
    let last = run.all.iter().map(|record| record.end).max()?;
    let spent = (client.cpu_user as f64 + client.cpu_system as f64) / 1e9;
    let length = (last - first).as_secs_f64();
    (length >= SHORTEST_LOAD).then(|| 100.0 * spent / length)
}

/// Seconds: of a shorter load the opening of connections before it is most of the processor time.
const SHORTEST_LOAD: f64 = 0.1;
