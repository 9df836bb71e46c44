//! Lengths of time by the server: where a request's time goes there, and how much of the client's is not the server's.
//!
//! A server's percentiles are bounds of its histogram's buckets, and are told as such.

use tokometer_metrics::ServerSide;
use tokometer_metrics::server::{Beside, Counted, Spread};
use tokometer_record::Timing;

use super::{Depth, Row, advice};
use crate::grid::{Column, outline};
use crate::number::{count, shortest};
use crate::prose::{paragraph, wrap};

/// The rows of a point.
pub(super) fn rows(side: &ServerSide, depth: Depth) -> Vec<Row> {
    let step = side.timing(Timing::Itl).map(|spread| spread.mean);
    // vLLM tells the time in the queue of requests that ended, and a TTFT at once: a share of other requests' is none.
    let ttft = |queue: &Spread| {
        let ttft = side.timing(Timing::Ttft).filter(|ttft| queue.is_of_as_many_as(ttft));
        ttft.map(|ttft| ttft.mean)
    };
    let mut rows = Vec::new();
    let mut told = |timing, figure: &str, says: &dyn Fn(&Spread) -> String| {
        let spread = side.timing(timing).filter(|spread| spread.count > 0.0);
        rows.extend(spread.map(|spread| {
            let shown = if is_time(timing) { time } else { tokens };
            Row::new(figure, value(spread, shown, depth), says(spread))
        }));
    };
    told(Timing::Queue, "Queue time", &|spread| advice::queue(spread.mean, ttft(spread), step));
    told(Timing::Prefill, "Prefill time", &|_| "from a request's turn to its first token".into());
    told(Timing::Decode, "Decode time", &|_| "from its first token to its last".into());
    if depth == Depth::Full {
        told(Timing::PromptLength, "Prompt length", &|_| "as the server counts".into());
        told(Timing::OutputLength, "Output length", &|_| "as the server counts".into());
        told(Timing::StepTokens, "Tokens a step", &|_| "prompts' and outputs' together".into());
        return rows;
    }
    rows.extend(side.beside.iter().map(|beside| {
        let value = format!("{}, client {}", time(beside.server), time(beside.client));
        Row::new(format!("{} by the server", name(beside.timing)), value, difference(beside))
    }));
    rows
}

/// The client's latencies beside the server's: a table of its own, or why there is none. Empty where nothing is known of the server's.
pub(super) fn beside(side: &ServerSide) -> String {
    let apart: String =
        side.counted.iter().filter(|counted| !counted.agrees()).map(apart).collect();
    if side.beside.is_empty() {
        return apart;
    }
    let rows: Vec<Vec<String>> = side
        .beside
        .iter()
        .map(|beside| {
            vec![
                name(beside.timing).to_owned(),
                time(beside.server),
                time(beside.client),
                signed(beside.difference()),
                wrap(&difference(beside), ROOM).join("\n"),
            ]
        })
        .collect();
    let columns = [
        Column::left("Mean"),
        Column::right("By the server"),
        Column::right("By the client"),
        Column::right("Difference"),
        Column::left("What it says"),
    ];
    "The client's latencies beside the server's:\n".to_owned()
        + &outline(&columns, &rows)
        + &paragraph("", "Both are of the same requests, the warm-up and probes included.")
        + &apart
}

/// That server and client did not count the same requests.
fn apart(counted: &Counted) -> String {
    let (server, client) = (whole(counted.server), whole(counted.client));
    let why = match counted.server > counted.client {
        true => "others ask it too",
        false => "some were answered elsewhere, or failed on their way",
    };
    let text = format!(
        "The server observed {server} requests' {}, the client {client}: {why}, and the two are not held against each other.",
        name(counted.timing)
    );
    paragraph("! ", &text)
}

/// What a difference says.
fn difference(beside: &Beside) -> String {
    let by = beside.difference();
    let slight = by.abs() <= SLIGHT * beside.client.abs();
    match beside.timing {
        _ if slight => {
            format!("{} apart, under 1 %: nearly all of it is the server's own", time(by.abs()))
        }
        _ if by < 0.0 => {
            format!("{} less at the client: the two do not time quite the same", time(-by))
        }
        Timing::Itl => {
            format!("{} more at the client: chunks of several tokens, or the network", time(by))
        }
        _ => {
            format!("{} more at the client: the network, proxies, and the client itself", time(by))
        }
    }
}

fn value(spread: &Spread, shown: fn(f64) -> String, depth: Depth) -> String {
    let mean = shown(spread.mean);
    if depth == Depth::Brief {
        return mean;
    }
    let between = |(low, high): (f64, f64)| match high.is_finite() {
        true => format!("{} – {}", shown(low), shown(high)),
        false => format!("above {}", shown(low)),
    };
    let percentiles = [("P50", spread.p50), ("P99", spread.p99)];
    let lines = percentiles
        .into_iter()
        .filter_map(|(label, bounds)| Some(format!("{label} {}", between(bounds?))));
    std::iter::once(mean).chain(lines).collect::<Vec<_>>().join("\n")
}

/// What a length of time is called.
const fn name(timing: Timing) -> &'static str {
    match timing {
        Timing::Ttft => "TTFT",
        Timing::Itl => "ITL",
        Timing::E2e => "E2E",
        Timing::Queue => "Queue time",
        Timing::Prefill => "Prefill time",
        Timing::Decode => "Decode time",
        _ => "",
    }
}

const fn is_time(timing: Timing) -> bool {
    !matches!(timing, Timing::PromptLength | Timing::OutputLength | Timing::StepTokens)
}

/// `0.42 ms`, `820 ms`, `1.2 s`.
fn time(seconds: f64) -> String {
    match seconds.abs() {
        length if length >= 1.0 => format!("{} s", shortest(seconds, 2)),
        length if length >= 0.01 => format!("{} ms", shortest(seconds * 1e3, 1)),
        _ => format!("{} ms", shortest(seconds * 1e3, 2)),
    }
}

fn signed(seconds: f64) -> String {
    let sign = match time(seconds.abs()) {
        none if none == time(0.0) => return none,
        _ if seconds < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{}", time(seconds.abs()))
}

fn tokens(number: f64) -> String {
    shortest(number, 1)
}

fn whole(number: f64) -> String {
    count(number.max(0.0).round() as u64)
}

/// The columns in which a difference is explained.
const ROOM: usize = 64;

/// A difference of this part of the client's latency is none.
const SLIGHT: f64 = 0.01;
