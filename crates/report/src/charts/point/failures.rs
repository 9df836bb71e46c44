//! When requests failed. Not drawn where none did.

use tokometer_metrics::course::Course;
use tokometer_metrics::summary::PointSummary;

use super::super::{PointChart, sheet, words};
use super::in_flight::curve;
use super::{line, time};
use crate::chinese;
use crate::figure::{Axis, Dash, Figure, Look, Marker, Marks, Series};
use crate::words::Words;

pub(in super::super) const FAILURES: PointChart = PointChart {
    key: "failures_over_time",
    title: ("Failures over the time of the run", "失败请求随时间的变化"),
    about: (
        "Requests that failed per second, at the moment at which they did, over those that completed.",
        "每秒失败的请求数（按失败时刻统计），与每秒完成的请求数对照。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    if course.stretches.iter().all(|stretch| stretch.failed <= 0.0) {
        return None;
    }
    let completed = Series {
        name: Some(words(("completed", "完成"))),
        look: Look { dash: Dash::Kind(1), marker: Marker::None, ..Look::muted() },
        points: curve(&course.stretches, |stretch| stretch.completed),
        errors: crate::figure::Errors::Bars,
    };
    let failed =
        line(words(("failed", "失败")), 1, curve(&course.stretches, |stretch| stretch.failed));
    let (english, chinese): (Vec<String>, Vec<String>) = summary
        .failures
        .iter()
        .take(MOST_KINDS)
        .map(|group| {
            let kind = chinese::failure(group.kind);
            (format!("{} {}", group.count, group.kind), format!("{} 次{kind}", group.count))
        })
        .unzip();
    let title = Words::both(english.join(", "), chinese.join("，"));
    let y = Axis::linear(words(("Requests per second", "每秒请求数 (req/s)")));
    let panel = sheet::panel(title, time(), y, Marks::Series(vec![completed, failed]));
    Some(sheet::figure(words(FAILURES.title), vec![panel], 1, sheet::size(11.0, 3.2)))
}

/// So many kinds are named.
const MOST_KINDS: usize = 4;
