//! Charts of one point, from its course. Moments are seconds since the measured schedule began; those of a warm-up are negative.

mod cdf;
mod failures;
mod gaps;
mod in_flight;
mod over_time;
mod server;
mod timeline;

use crate::figure::{Axis, Dash, Errors, Look, Marker, Point, Series};
use crate::words::Words;

pub(super) use cdf::CDF;
pub(super) use failures::FAILURES;
pub(super) use gaps::GAPS;
pub(super) use in_flight::IN_FLIGHT;
pub(super) use over_time::OVER_TIME;
pub(super) use server::SERVER;
pub(super) use timeline::TIMELINE;

/// The axis of moments.
fn time() -> Axis {
    Axis::linear(Words::fixed("Seconds since the load began", "负载开始后的时间（秒）"))
}

/// A line without markers.
fn line(name: Words, kind: usize, points: Vec<Point>) -> Series {
    let look = Look { marker: Marker::None, ..Look::kind(kind) };
    Series { name: Some(name), look, points, errors: Errors::Bars }
}

/// Points without a line.
fn scattered(name: Option<Words>, kind: usize, points: Vec<Point>) -> Series {
    let look = Look { dash: Dash::None, marker: Marker::Kind(0), ..Look::kind(kind) };
    Series { name, look, points, errors: Errors::Bars }
}

/// What a metric of a course is called, by its key.
fn title(metric: &str) -> Words {
    match metric {
        "ttft" => Words::fixed("Time to first token (TTFT)", "首令牌时间 (TTFT)"),
        "tpot" => Words::fixed("Time per output token (TPOT)", "每令牌时间 (TPOT)"),
        "itl" => Words::fixed("Gap between tokens (ITL)", "令牌间延迟 (ITL)"),
        "icl" => {
            Words::fixed("Gap between chunks (ITL as vLLM's)", "数据块间延迟（即 vLLM 的 ITL）")
        }
        "e2e" => Words::fixed("End-to-end latency (E2EL)", "端到端延迟 (E2EL)"),
        other => other.into(),
    }
}

/// A title and behind it how many it rests on.
fn counted(title: &Words, english: &str, chinese: &str) -> Words {
    use crate::words::Language::{Chinese, English};
    Words::both(
        format!("{}\n{english}", title.told(English)),
        format!("{}\n{chinese}", title.told(Chinese)),
    )
}
