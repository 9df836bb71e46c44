//! What was under way over time: requests in flight, and tokens per second.

use tokometer_metrics::course::{Course, Stretch};
use tokometer_metrics::summary::PointSummary;

use super::super::{Bilingual, PointChart, sheet, words};
use super::{line, time};
use crate::figure::{Axis, Dash, Errors, Figure, Look, Marker, Marks, On, Point, Rule, Series};
use crate::number::shortest;
use crate::words::Words;

pub(in super::super) const IN_FLIGHT: PointChart = PointChart {
    key: "in_flight",
    title: ("Requests in flight and tokens per second", "并发请求数与每秒令牌数"),
    about: (
        "What the service had to do and what it did, stretch of time after stretch: where the second goes down while the first holds, it faltered.",
        "按时间段展示服务承担的请求数与产出的令牌数：如果并发保持不变而产出下降，说明服务出现了停顿。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    let stretches = &course.stretches;
    if stretches.is_empty() {
        return None;
    }
    let mean = mean_in_flight(stretches);
    let most = curve(stretches, |stretch| stretch.most_in_flight as f64);
    let look = Look { dash: Dash::Kind(2), width: 1.2, marker: Marker::None, ..Look::kind(0) };
    let flying = vec![
        Series {
            name: Some(words(("the most at once", "最多同时"))),
            look,
            points: most,
            errors: Errors::Bars,
        },
        line(words(("in flight, mean", "平均并发")), 0, mean),
    ];
    let mut in_flight = sheet::panel(
        words(("Requests in flight", "并发请求数")),
        time(),
        Axis::linear(words(("Requests", "请求数"))),
        Marks::Series(flying),
    );
    in_flight.rules.extend(summary.point.concurrency.map(|places| Rule {
        on: On::Up,
        at: places as f64,
        within: None,
        label: Words::both(format!("cap of {places}"), format!("并发上限 {places}")),
    }));
    let length = stretches.first().map_or(0.0, |stretch| stretch.to - stretch.from);
    let each = shortest(length, 2);
    let tokens = |(english, chinese): Bilingual, kind: usize, of: fn(&Stretch) -> f64| {
        let mut line = line(Words::default(), kind, curve(stretches, of));
        line.name = None;
        let title = Words::both(
            format!("{english} per second, over stretches of {each} s"),
            format!("{chinese}（每 {each} 秒统计一次）"),
        );
        let told = line.points.iter().any(|point| point.y > 0.0);
        let y = Axis::linear(words(("Tokens per second", "每秒令牌数 (tok/s)")));
        told.then(|| sheet::panel(title, time(), y, Marks::Series(vec![line])))
    };
    let mut panels = vec![in_flight];
    panels.extend(tokens(("Output tokens", "每秒输出令牌数"), 1, |stretch| {
        stretch.output_rate
    }));
    panels.extend(tokens(("Prompt tokens read", "每秒处理的输入令牌数"), 2, |stretch| {
        stretch.prompt_rate
    }));
    Some(sheet::figure(words(IN_FLIGHT.title), panels, 1, sheet::size(11.0, 2.8)))
}

/// Requests in flight by the client's count, on average over each stretch.
pub(super) fn mean_in_flight(stretches: &[Stretch]) -> Vec<Point> {
    curve(stretches, |stretch| stretch.in_flight)
}

/// A figure of each stretch, at its middle.
pub(super) fn curve(stretches: &[Stretch], of: impl Fn(&Stretch) -> f64) -> Vec<Point> {
    stretches
        .iter()
        .map(|stretch| Point::at(f64::midpoint(stretch.from, stretch.to), of(stretch)))
        .collect()
}
