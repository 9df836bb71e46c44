//! The reference of all metrics, for people, generated from the catalog so that it cannot say anything else.
//!
//! Deliberately writes no file: `docs/metrics.md` is this text, and `cargo xtask` keeps the two equal.

use std::fmt::Write;

use super::{METRICS, Metric, Of, Over};
use crate::Timeline;
use crate::quantile::Percentile;
use crate::slo::Target;
use crate::verdict::{
    CONCURRENCY_HELD, CPU_SHARE, LAG_UNDER_LOAD, LATE_TIME, LATENESS_FLOOR, LATENESS_OF_TTFT,
    LOOP_LAG_CEILING, LOOP_LAG_FLOOR, LOOP_LAG_OF_FAST_GAP, LOOP_LAG_OF_SLOW_GAP, RATE_ACHIEVED,
    SHORT_REQUEST, SHORT_ROUNDS, STALL_OF_LIMIT, STALL_OF_REQUESTS,
};

/// The reference as Markdown: the whole of `docs/metrics.md`.
pub fn markdown() -> String {
    let mut text = String::from(OPENING);
    text.push_str("\n## Metrics of requests\n\n");
    table(&mut text, |of| !matches!(of, Of::Run(_)));
    text.push_str("\n## Metrics of a run\n\n");
    table(&mut text, |of| matches!(of, Of::Run(_)));
    text.push_str(&percentiles());
    text.push_str(&verdict());
    text.push_str(&over_time());
    text.push_str(&objectives());
    text.push_str(DIFFERENCES);
    text.push_str(DIFFERENCES_FROM_VLLM);
    text
}

fn table(text: &mut String, belongs: fn(Of) -> bool) {
    text.push_str(
        "| Key | Metric | Unit | Over | Definition | Elsewhere |\n|---|---|---|---|---|---|\n",
    );
    for metric in METRICS.iter().filter(|metric| belongs(metric.of)) {
        text.push_str(&row(metric));
    }
}

fn row(metric: &Metric) -> String {
    let over = match metric.over {
        Over::Successes => "successes",
        Over::Measured => "all measured",
        Over::Probes => "probes",
    };
    let named: Vec<String> =
        metric.named.iter().map(|(dialect, name)| format!("{dialect}: {name}")).collect();
    let Metric { key, title, definition, .. } = metric;
    let unit = metric.unit.symbol();
    format!("| `{key}` | {title} | {unit} | {over} | {definition} | {} |\n", named.join("; "))
}

fn percentiles() -> String {
    let ladder: Vec<String> = Percentile::LADDER.iter().map(Percentile::to_string).collect();
    format!(
        "
## Percentiles

Every metric of requests is summed up as its number of values, mean, standard deviation (divided by n, as numpy does), minimum,
maximum, and the percentiles {}, by both rules:

- *nearest rank*: the value at rank ⌈n × p⌉ of the sorted sample. EvalScope's rule, used in the reports of its dialect.
- *linear*: interpolated at position p × (n − 1). The rule of numpy, and so of vLLM, in whose dialect any percentile can be asked for.

A percentile needs a sample that bears it. The 99th percentile of fewer than {} values is their maximum, the 99.9th of fewer than
{} as well; reports mark such figures instead of leaving them out.
",
        ladder.join(", "),
        Percentile::P99.needs(),
        Percentile::P99_9.needs(),
    )
}

fn verdict() -> String {
    let mut text = String::from(
        "
## The verdict

Every point of a run is judged: *client-limited*, when the client was late enough to bend its own figures or did not bring about
the load that was asked for; *valid*, when there is evidence that it was not; *not judged*, where evidence is missing. Any one of
these makes it client-limited:

",
    );
    for line in reasons() {
        let _ = writeln!(text, "- {line}");
    }
    text.push_str(
        "
Without streaming the mean end-to-end latency stands in for TTFT and gap. Whether a run is *complete* is told apart from the
verdict: a point that was interrupted can be valid, and is marked incomplete.
",
    );
    text.push_str(&without_an_end());
    text.push_str(&stalls());
    text
}

fn reasons() -> [String; 7] {
    [
        "`descriptors`: a request failed because this process had no file descriptor left: the server never saw it.".to_owned(),
        format!(
            "`late_starts`: where a schedule paces the load, requests started late (`lateness_p99`) by more than {} ms and more \
             than {} % of the mean TTFT.",
            ms(LATENESS_FLOOR),
            percent(LATENESS_OF_TTFT)
        ),
        format!(
            "`late_stamps`: for more than {} % of the time (`loop_lag_p99`) the event loop was late by more than its limit: {} % of \
             the mean gap between chunks, taken as at least {} ms and at most {} ms, or {} % of that gap if it is more.",
            percent(LATE_TIME),
            percent(LOOP_LAG_OF_FAST_GAP),
            ms(LOOP_LAG_FLOOR),
            ms(LOOP_LAG_CEILING),
            percent(LOOP_LAG_OF_SLOW_GAP)
        ),
        format!(
            "`concurrency`: in a closed loop without pacing, fewer than {} % of the places asked for were taken while requests waited \
             (`held_concurrency`; with fewer than two requests a place, `peak_concurrency`). Not judged where most requests fail, \
             since failures empty places.",
            percent(CONCURRENCY_HELD)
        ),
        format!(
            "`hand_over`: the same for requests that take their place for less than {} ms, so that handing it on takes a good part \
             of their time. Judged from {SHORT_ROUNDS} requests a place on: fewer are over before they tell anything.",
            ms(SHORT_REQUEST)
        ),
        format!(
            "`rate`: in open loop, `achieved_rate` is below {} % of `scheduled_rate`, and the schedule was overrun by more than {} ms.",
            percent(RATE_ACHIEVED),
            ms(LATENESS_FLOOR)
        ),
        format!(
            "`processor`: the client used more than {CPU_SHARE} % of its workers' cores and one of the two latenesses is above {} % of \
             its limit.",
            percent(LAG_UNDER_LOAD)
        ),
    ]
}

fn without_an_end() -> String {
    format!(
        "
The log of a program that was killed has no end, and with it lacks the exact loop lag. Its pulses, one a second with the worst lag
of that second, still give two bounds. The loop was certainly too late for as long as these worst stalls went beyond the limit: if
that is more than {limit} % of the time, the point is client-limited (`late_stamps`). It was too late in no other seconds than those that
had such a stall: if these are no more than {limit} %, the point is valid. Between the two it is not judged, nor before the first pulse,
nor where requests that the log lacks could have taken the places that seem idle. A process that used more than {CPU_SHARE} % of a core
is held to {} % of the limit there.

A point in which no request ended, or that was over before the event loop was probed, is not judged either.
",
        percent(LAG_UNDER_LOAD),
        limit = percent(LATE_TIME),
    )
}

fn stalls() -> String {
    format!(
        "
A single stall does not make a client limited, but it makes maxima: one of more than {STALL_OF_LIMIT} times the limit is told in a note
if at least {} % of the requests were in flight in its second.
",
        percent(STALL_OF_REQUESTS)
    )
}

fn objectives() -> String {
    let targets: Vec<String> =
        Target::ALL.iter().map(|target| format!("`{}`", target.name())).collect();
    format!(
        "
## Objectives

An objective is what a latency of a request ({}) may be at most. *Goodput* is the requests that succeeded
and kept to every objective ÷ `full_duration`; *attainment* is the same requests ÷ all that were sent and measured, failures
included. A stream without time between tokens keeps to any objective for `tpot`; a response that is not streamed shows no first
token and keeps to none but `e2el`.
",
        targets.join(", ")
    )
}

fn ms(seconds: f64) -> f64 {
    seconds * 1e3
}

fn percent(share: f64) -> f64 {
    (share * 100.0).round()
}

fn over_time() -> String {
    format!(
        "
## Tokens over time

An output token is booked at the moment its chunk arrived, a prompt token at the moment of the first output. Rates are given over
the whole length, over the last {} seconds, and without the first {} % (\"steady\").
",
        Timeline::LAST_SECONDS,
        (Timeline::RAMP * 100.0).round()
    )
}

const OPENING: &str = "# Metrics

<!-- Generated from crates/metrics/src/catalog.rs: change that file, then run `cargo xtask docs`. -->

What every figure means. A record keeps the moments of a request in nanoseconds since the run began: `scheduled` (when the plan wanted
it sent; in a closed loop, when a place became free), `started` (its own work began, the opening of a connection included), each
output chunk as its bytes left the socket, and `end`. All metrics are defined over these.

Requests of the warm-up are in no figure, and probes beside the load in none but their own. Latencies and tokens are taken over the
requests that succeeded; a request that failed stays in every denominator. Lengths of time are held in seconds; reports print some of
them in milliseconds. A figure that cannot be computed is absent (in EvalScope's files: −1, and named under \"Not Applicable
Metrics\"; in vLLM's: 0, and named under `not_applicable`), and of itself never zero, NaN or infinite.
";

const DIFFERENCES: &str = "
## Where the figures differ from EvalScope's, on purpose

The reports of the `evalscope` dialect have EvalScope 1.14.1's keys, order, rounding and percentile rule. These figures differ:

| Figure | EvalScope 1.14.1 | Here |
|---|---|---|
| Every moment | taken after the event's JSON is parsed | taken as the bytes leave the socket |
| Latency | to the last `data:` event, the usage event included | to the last output chunk |
| Test Duration (s) | to the last `data:` event of the last request | to the last output chunk of a success, the end of a failure |
| TTFT, TPOT, ITL without streaming | the whole latency, 0, 0 | not applicable |
| TTFT of a chunk with a refusal | not counted as output | output |
| TPOT of an output in one chunk | 0, in the average | not applicable |
| Requests without any output | success with a TTFT of 0 | failure: empty stream |
| Streams that break off | success if tokens can be counted | failure: truncated stream |
| Input Throughput (tok/s) | 0 for generation | Σ input tokens ÷ duration |
| Avg Decoded Tok/Iter | mean over requests above 1 | mean over all requests with more than one chunk, shown if above 1.05 |
| Spec. Accept Rate | derived from tokens per chunk | left out: chunks of several tokens are no proof of speculation |
| KV Cache Hit Rate (%) | over prompts with a report | the same; never assumed |
| Workload throughput | tokens booked at completion, windows cut at completions | tokens booked as they arrive, windows cut exactly |
| workload_timeline.json `wall_start` | an arbitrary monotonic clock | seconds since the run began |
| Percentile files | NaN where there is no value | the key is left out |
| Percentile files | up to 99 % | also 99.9 % and `std` |
| `--rate` in open loop | latencies from the send alone | from the send under EvalScope's names, and from the schedule beside them |
";

const DIFFERENCES_FROM_VLLM: &str = "
## Where the figures differ from vLLM's, on purpose

The reports of the `vllm` dialect have the names, order and percentile rule of `vllm bench serve` 0.32. These figures differ:

| Figure | vLLM 0.32 | Here |
|---|---|---|
| Every moment | taken when the event loop came to it, for completions after the event's JSON is parsed | taken as the bytes leave the socket |
| First token | also a chunk of empty content without a role; not `reasoning_content` | the first chunk with output on any channel |
| TPOT of an output in one chunk | 0, in the average | not applicable |
| TTFT, TPOT, ITL where there is none | 0 | `n/a` on the console; in the file 0, and named under `not_applicable` |
| Peak output token throughput | chunks in a second | tokens in a second |
| Peak concurrent requests | requests that touch a second | the exact maximum of requests in flight |
| Client queue time | from when the request's task was made | where arrivals are paced, from the scheduled moment |
| Queue-inclusive latency | left out for ramps and traces | told wherever a cap meets paced arrivals |
| Probes | the next is sent a while after the last one's reply | an open loop: also while the server stalls; those of the warm-up do not count |
| `rps_change_events` | by the index of the request, each whole rate | by the ramp in time; of more than 1000 whole rates some, evenly spaced |
| Streams that break off, requests without any output | success | failure |
| Goodput | the requests per second that kept to their objectives | the same, and beside it the attainment over all that were sent |
| Counters of a server that was restarted | subtracted all the same | left out, and told |
| End-to-end latency | in the file if asked for | always in the file |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_row() {
        let text = markdown();
        for metric in METRICS {
            assert_eq!(
                text.matches(&format!("\n| `{}` |", metric.key)).count(),
                1,
                "{}",
                metric.key
            );
        }
    }

    #[test]
    fn no_definition_breaks_its_table() {
        for metric in METRICS {
            assert!(!metric.definition.contains(['|', '\n']), "{}", metric.key);
        }
    }
}
