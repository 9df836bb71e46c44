//! Latencies over the time of the run, each at the moment at which its request started.

use tokometer_metrics::course::{Course, Flown, Track};
use tokometer_metrics::summary::PointSummary;
use tokometer_record::FailureKind;

use super::super::lines::CROSS;
use super::super::{PointChart, sheet, words};
use super::{counted, scattered, time, title, titled};
use crate::figure::{Dash, Errors, Figure, Look, Marks, Panel, Point, Scale, Series};
use crate::number::count;
use crate::words::Words;

pub(in super::super) const OVER_TIME: PointChart = PointChart {
    key: "latency_over_time",
    title: ("Latencies over the time of the run", "延迟随运行时间的变化"),
    about: (
        "Each dot is a request, at the moment at which it started. A rise all along means that requests pile up; a cluster, that something \
         happened then.",
        "每个点是一个请求，横轴为其开始时间。持续上升说明请求在堆积；局部聚集说明当时发生了异常。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    let tracks = course.tracks.iter().filter(|track| !track.points.is_empty());
    let panels: Vec<Panel> = tracks.map(|track| panel(track, &course.flights)).collect();
    if panels.is_empty() {
        return None;
    }
    let size = sheet::size(11.0, 2.9);
    let known = course.flights.iter().filter(|flown| has_failed(flown)).count() as u64;
    let crosses = match known < summary.counts.failed.saturating_sub(summary.counts.cancelled) {
        false => words((
            "a cross stands where one gave up, after so long without an answer",
            "叉号表示请求失败的时刻：到那时为止仍未得到结果",
        )),
        true => Words::both(
            format!(
                "a cross stands where one of {} of them gave up, after so long without an answer",
                count(known)
            ),
            format!("叉号表示其中 {} 个请求失败的时刻：到那时为止仍未得到结果", count(known)),
        ),
    };
    let crosses = (known > 0).then_some(crosses);
    let title = titled(OVER_TIME.title, summary, size.width, crosses.as_ref());
    Some(sheet::figure(title, panels, 1, size))
}

/// What a user waited for in vain: until then the latency had not come to its end, so that it would have been longer.
fn failed(metric: &str, flights: &[Flown]) -> Vec<Point> {
    let is_open = |flown: &&Flown| match metric {
        "e2e" => true,
        "ttft" => flown.first.is_none(),
        _ => false,
    };
    let waited = |flown: &Flown| Point::at(flown.started, (flown.end - flown.started) * 1e3);
    flights.iter().filter(|flown| has_failed(flown)).filter(is_open).map(waited).collect()
}

fn has_failed(flown: &Flown) -> bool {
    flown.failure.is_some_and(|kind| kind != FailureKind::Cancelled)
}

fn panel(track: &Track, flights: &[Flown]) -> Panel {
    let points: Vec<Point> =
        track.points.iter().map(|&(at, seconds)| Point::at(at, seconds * 1e3)).collect();
    let y = sheet::axis(
        words(("Milliseconds", "毫秒 (ms)")),
        points.iter().map(|point| point.y),
        STEEP,
    );
    let (shown, of) = (count(points.len() as u64), count(track.of as u64));
    let title = match points.len() < track.of {
        false => counted(&title(track.metric), &format!("n = {of}"), &format!("n = {of}")),
        true => counted(
            &title(track.metric),
            &format!("{shown} of {of} requests, the slowest of every stretch of time among them"),
            &format!("显示 {of} 个请求中的 {shown} 个，每个时间段最慢的请求均保留"),
        ),
    };
    let mut crosses = failed(track.metric, flights);
    // What failed at once has no place on a logarithmic axis.
    crosses.retain(|point| y.scale == Scale::Linear || point.y > 0.0);
    let mut series = vec![scattered(None::<Words>, 0, points)];
    if !crosses.is_empty() {
        let name = words(("failed, by then without its answer", "失败（到此时仍无结果）"));
        let look = Look { dash: Dash::None, marker: CROSS, ..Look::kind(1) };
        series.push(Series { name: Some(name), look, points: crosses, errors: Errors::Bars });
    }
    sheet::panel(title, time(), y, Marks::Series(series))
}

/// Latencies stand on a logarithmic axis where they span this much.
const STEEP: f64 = 50.0;
