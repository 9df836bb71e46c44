//! Latencies over the time of the run, each at the moment at which its request started.

use tokometer_metrics::course::{Course, Track};
use tokometer_metrics::summary::PointSummary;

use super::super::{PointChart, sheet, words};
use super::{counted, scattered, time, title};
use crate::figure::{Figure, Marks, Panel, Point};
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

fn draw(_summary: &PointSummary, course: &Course) -> Option<Figure> {
    let panels: Vec<Panel> =
        course.tracks.iter().filter(|track| !track.points.is_empty()).map(panel).collect();
    let size = sheet::size(11.0, 2.9);
    (!panels.is_empty()).then(|| sheet::figure(words(OVER_TIME.title), panels, 1, size))
}

fn panel(track: &Track) -> Panel {
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
    sheet::panel(title, time(), y, Marks::Series(vec![scattered(None::<Words>, 0, points)]))
}

/// Latencies stand on a logarithmic axis where they span this much.
const STEEP: f64 = 50.0;
