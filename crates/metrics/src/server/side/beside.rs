//! The server's TTFT, ITL and E2E beside the client's: the same observations, by the moment at which they were made.
//!
//! A server counts whatever reaches it: the warm-up, probes, requests that fail later, and anyone else's requests. So the
//! client's mean is taken over all of its own requests whose observation (first output, gap, last output) came between the
//! two readings between which the server's histogram grew, of whatever phase and outcome. Where both did not count alike,
//! their means are not of the same requests, and are not put beside each other.
//!
//! What is compared with what, by the servers' sources:
//! - TTFT and E2E: vLLM's run from the moment at which its frontend took the request up, before it was tokenized, to the moment at which
//!   the frontend handled the engine's output (`arrival_time` to `iteration_timestamp`, v1/metrics/stats.py of 0.32). What comes before and
//!   after, the network, HTTP and the client, is the difference. E2E is of requests that came to their end.
//! - ITL: vLLM observes one gap each output of the engine, however many tokens that brought (with speculation several): the client's gap
//!   between chunks. SGLang shares each gap among its tokens: the client's gap per token. TensorRT-LLM and TGI tell one mean a request, TGI
//!   with the prefill in it: no gaps.

use tokometer_record::{Offset, Record, Timing};

use super::growth::{Growth, Observed};
use super::{Beside, Counted};
use crate::Run;
use crate::catalog::{E2E, ICL, ITL, Metric, Of, TTFT, generates};

/// How many observations both made, and their means where that is alike for each of them. Nothing of a log without an end:
/// what was in flight when the program was killed left no record, and the server had counted it.
pub(super) fn compare(
    run: &Run<'_>,
    growth: &Growth,
    servers: &[String],
) -> (Vec<Counted>, Vec<Beside>) {
    let whole = growth.resets.is_empty() && run.client.is_some();
    let Some(between) = growth.between.filter(|_| whole) else {
        return (Vec::new(), Vec::new());
    };
    let (mut counted, mut beside) = (Vec::new(), Vec::new());
    for (timing, metric) in
        [(Timing::Ttft, Some(&TTFT)), (Timing::Itl, gap(servers)), (Timing::E2e, Some(&E2E))]
    {
        let (Some(&server), Some(metric)) = (growth.timings.get(&timing), metric) else { continue };
        let Some(client) = observed(run, metric, between) else { continue };
        let count = Counted { timing, server: server.count, client: client.count };
        if count.agrees() && server.count > 0.0 && client.count > 0.0 {
            let mean = |of: Observed| of.sum / of.count;
            let metric = metric.key;
            beside.push(Beside { timing, server: mean(server), client: mean(client), metric });
        }
        // Chunks are merged on their way, so that gaps may differ in number without anybody's doing.
        if timing != Timing::Itl {
            counted.push(count);
        }
    }
    // Where one count differs, the server saw other requests, and an equal count of another kind is chance.
    if !counted.iter().all(Counted::agrees) {
        beside.clear();
    }
    (counted, beside)
}

/// What the client knows of the server's gap between tokens. `None` where nothing is like it, or servers of several kinds
/// differ.
fn gap(servers: &[String]) -> Option<&'static Metric> {
    let of = |server: &String| match server.as_str() {
        "vllm" => Some(&ICL),
        "sglang" => Some(&ITL),
        _ => None,
    };
    let first = of(servers.first()?)?;
    servers
        .iter()
        .all(|server| of(server).is_some_and(|other| other.key == first.key))
        .then_some(first)
}

/// What the client observed between two moments. `None` where it does not see that at all of some request.
fn observed(run: &Run<'_>, metric: &Metric, between: (Offset, Offset)) -> Option<Observed> {
    let within = |at: Offset| between.0 < at && at <= between.1;
    let mut all = Observed::default();
    let arrived = run.all.iter().chain(&run.probes).filter(|record| !record.chunks.is_empty());
    for record in arrived {
        let at = if metric.key == TTFT.key { record.first() } else { record.last() };
        let in_time = at.is_some_and(within);
        let blind = !(record.streamed && generates(record)) && metric.key != E2E.key;
        match metric.key {
            _ if in_time && blind => return None,
            "icl" => chunk_gaps(record, within, &mut all),
            "itl" if in_time => token_gaps(record, &mut all),
            "e2e" if !record.succeeded() => {}
            _ if in_time => all.add(value(metric, record)),
            _ => {}
        }
    }
    Some(all)
}

impl Observed {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.count += 1.0;
            self.sum += value;
        }
    }
}

fn value(metric: &Metric, record: &Record) -> Option<f64> {
    match metric.of {
        Of::Request(value) => value(record),
        Of::Waiting(_) | Of::Gaps(_) | Of::Run(_) => None,
    }
}

/// The gaps that ended within these moments.
fn chunk_gaps(record: &Record, within: impl Fn(Offset) -> bool, all: &mut Observed) {
    for (_, gap) in record.chunks.gaps().filter(|(chunk, _)| within(chunk.at)) {
        all.add(Some(gap.as_secs_f64()));
    }
}

/// The gaps of a request per token after its first: together they last from its first output to its last.
fn token_gaps(record: &Record, all: &mut Observed) {
    let tokens = record.output_tokens.map_or(0, |tokens| tokens.count.saturating_sub(1));
    if let (Some(first), Some(last)) = (record.first(), record.last()) {
        all.count += f64::from(tokens);
        all.sum += (last - first).as_secs_f64();
    }
}
