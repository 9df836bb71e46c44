//! What the service said of itself, under what the client saw of it.

use tokometer_metrics::course::Course;
use tokometer_metrics::server::Moment;
use tokometer_metrics::summary::PointSummary;

use super::super::{Bilingual, PointChart, sheet, words};
use super::in_flight::{curve, mean_in_flight};
use super::{line, time};
use crate::figure::{Axis, Dash, Figure, Look, Marker, Marks, Panel, Point, Series};

pub(in super::super) const SERVER: PointChart = PointChart {
    key: "server_telemetry",
    title: ("The service's own figures under the client's", "服务端指标与客户端对照"),
    about: (
        "By the service's own metrics (or its log): requests it computes and lets wait, its KV cache, its tokens per second; beside them what the \
         client counted. Requests that wait while the cache is full wait for room.",
        "来自服务端自身的指标（或日志）：运行与排队的请求、KV 缓存占用、每秒令牌数，并与客户端统计对照。缓存占满时排队的请求是在等待空间。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    let gauge = |of: fn(&Moment) -> Option<f64>| points(summary, course, At::Reading, of);
    let since = |of: fn(&Moment) -> Option<f64>| points(summary, course, At::Between, of);
    let mut panels: Vec<Panel> = Vec::new();
    let requests = [
        named(("running, by the service", "服务端：运行中"), 0, gauge(|moment| moment.running)),
        named(("waiting, by the service", "服务端：排队中"), 1, gauge(|moment| moment.waiting)),
    ];
    panels.extend(panel(
        ("Requests", "请求数"),
        ("Requests", "请求数"),
        requests.into_iter().flatten().collect(),
        Some((("in flight, by the client", "客户端：并发"), mean_in_flight(&course.stretches))),
    ));
    let usage = gauge(|moment| Some(100.0 * moment.kv_usage?));
    panels.extend(panel(
        ("KV cache in use", "KV 缓存占用"),
        ("Per cent", "百分比 (%)"),
        named(("KV cache", "KV 缓存"), 2, usage).into_iter().collect(),
        None,
    ));
    let output = since(|moment| moment.generation_throughput);
    let seen = curve(&course.stretches, |stretch| stretch.output_rate);
    panels.extend(panel(
        ("Output tokens per second", "每秒输出令牌数"),
        ("Tokens per second", "每秒令牌数 (tok/s)"),
        named(("tokens, by the service", "服务端：令牌"), 5, output).into_iter().collect(),
        Some((("tokens, by the client", "客户端：令牌"), seen)),
    ));
    let preempted = since(|moment| moment.preemptions);
    if preempted.iter().any(|point| point.y > 0.0) {
        panels.extend(panel(
            ("Preemptions", "抢占次数"),
            ("Since the reading before", "自上次读数以来"),
            named(("preempted", "被抢占"), 3, preempted).into_iter().collect(),
            None,
        ));
    }
    (!panels.is_empty())
        .then(|| sheet::figure(words(SERVER.title), panels, 1, sheet::size(11.0, 2.7)))
}

/// The service's curves, and under them the client's own, where the service tells any.
fn panel(
    title: Bilingual,
    y: Bilingual,
    told: Vec<Series>,
    client: Option<(Bilingual, Vec<Point>)>,
) -> Option<Panel> {
    if told.is_empty() {
        return None;
    }
    let client = client.filter(|(_, points)| !points.is_empty()).map(|(name, points)| {
        let look = Look { dash: Dash::Kind(1), marker: Marker::None, ..Look::muted() };
        Series { name: Some(words(name)), look, points, errors: crate::figure::Errors::Bars }
    });
    let series = client.into_iter().chain(told).collect();
    Some(sheet::panel(words(title), time(), Axis::linear(words(y)), Marks::Series(series)))
}

fn named(name: Bilingual, kind: usize, points: Vec<Point>) -> Option<Series> {
    (!points.is_empty()).then(|| line(words(name), kind, points))
}

/// Where a figure of a reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the reading: it is of that moment.
    Reading,
    /// Half way from the reading before: it is of the time between the two.
    Between,
}

/// What the service told while the load was on, at the moments of the course: its readings count from the point's beginning, and a
/// course from where the measured schedule began, before which a warm-up may lie.
fn points(
    summary: &PointSummary,
    course: &Course,
    at: At,
    of: impl Fn(&Moment) -> Option<f64>,
) -> Vec<Point> {
    let from = course.stretches.first().map_or(0.0, |stretch| stretch.from);
    let to = course.stretches.last().map_or(course.length, |stretch| stretch.to);
    let mut before = None;
    let mut points = Vec::new();
    for moment in &summary.side.moments {
        let read = moment.at - course.origin;
        let place = match (at, before.replace(read)) {
            (At::Between, Some(before)) => f64::midpoint(before, read),
            _ => read,
        };
        if let Some(value) = of(moment).filter(|_| from <= place && place <= to) {
            points.push(Point::at(place, value));
        }
    }
    points
}
