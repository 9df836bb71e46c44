//! Charts of one point, from its course. Moments are seconds since the measured schedule began; those of a warm-up are negative.

mod cdf;
mod failures;
mod gaps;
mod in_flight;
mod over_time;
mod server;
mod timeline;

use tokometer_metrics::summary::PointSummary;

use super::notes::under;
use super::{Bilingual, words};
use crate::figure::{Axis, Dash, Errors, Look, Marker, Point, Series};
use crate::number::count;
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

/// The title of a chart of latencies, `width` inches wide, and under it how many requests have none, since they failed.
fn titled(title: Bilingual, summary: &PointSummary, width: f64, crosses: Option<&Words>) -> Words {
    let counts = summary.counts;
    let title = words(title);
    let failed = counts.failed.saturating_sub(counts.cancelled);
    if failed == 0 {
        return title;
    }
    let (failed, all) = (count(failed), count(failed + counts.succeeded));
    let note = match crosses {
        None => Words::both(
            format!("{failed} of {all} requests failed and are not shown"),
            format!("{all} 个请求中有 {failed} 个失败，图中未计入"),
        ),
        Some(crosses) => Words::both(
            format!("{failed} of {all} requests failed and have no latency; {crosses}"),
            format!(
                "{all} 个请求中有 {failed} 个失败，没有延迟数据；{}",
                crosses.told(crate::words::Language::Chinese)
            ),
        ),
    };
    under(&title, &note, width)
}

/// A title and behind it how many it rests on.
fn counted(title: &Words, english: &str, chinese: &str) -> Words {
    use crate::words::Language::{Chinese, English};
    Words::both(
        format!("{}\n{english}", title.told(English)),
        format!("{}\n{chinese}", title.told(Chinese)),
    )
}
