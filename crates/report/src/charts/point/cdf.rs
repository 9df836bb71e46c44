//! The whole distribution of each latency, as the share of requests (of gaps) that took no longer.

use tokometer_metrics::course::Course;
use tokometer_metrics::summary::PointSummary;

use super::super::{PointChart, sheet, words};
use super::{counted, line, title, titled};
use crate::figure::{Axis, Figure, Marks, On, Panel, Point, Rule, Scale};
use crate::number::count;
use crate::words::Words;

pub(in super::super) const CDF: PointChart = PointChart {
    key: "cdf",
    title: ("Distributions of latencies", "延迟分布 (CDF)"),
    about: (
        "How many per cent took no longer than so many milliseconds. A step is a group of requests that fared alike; a long tail to the right, \
         a few that fared worse.",
        "不超过给定毫秒数的比例。台阶表示一组情况相近的请求；右侧的长尾表示少数较慢的请求。",
    ),
    draw,
};

fn draw(summary: &PointSummary, course: &Course) -> Option<Figure> {
    let panels: Vec<Panel> = course
        .curves
        .iter()
        .filter(|curve| !curve.points.is_empty())
        .map(|curve| {
            let mut points: Vec<Point> = curve
                .points
                .iter()
                .map(|&(seconds, share)| Point::at(seconds * 1e3, share * 100.0))
                .collect();
            let positive = || points.iter().map(|point| point.x).filter(|ms| *ms > 0.0);
            let x = sheet::axis(words(("Milliseconds", "毫秒 (ms)")), positive(), STEEP);
            // Pieces of output that came in one read lie no time apart, which has no place on a logarithmic axis: the curve then
            // begins at their share.
            if x.scale == Scale::Log {
                points.retain(|point| point.x > 0.0);
            }
            let y = Axis::linear(words(("Took no longer (%)", "累计比例 (%)")));
            let n = count(curve.n);
            let title = counted(&title(curve.metric), &format!("n = {n}"), &format!("n = {n}"));
            let mut series = line(Words::default(), 0, points);
            series.name = None;
            let mut panel = sheet::panel(title, x, y, Marks::Series(vec![series]));
            panel.rules = RUNGS
                .iter()
                .filter(|(_, _, needs)| curve.n >= *needs)
                .map(|(at, label, _)| rule(*at, label))
                .collect();
            panel
        })
        .collect();
    let size = sheet::size(6.0, 3.9);
    let title = titled(CDF.title, summary, 2.0 * size.width, None);
    (!panels.is_empty()).then(|| sheet::figure(title, panels, 2, size))
}

fn rule(at: f64, label: &'static str) -> Rule {
    Rule { on: On::Up, at, within: None, label: label.into() }
}

/// Percentiles that are marked, and how many values each takes to be more than the greatest.
const RUNGS: [(f64, &str, u64); 3] = [(50.0, "P50", 2), (90.0, "P90", 10), (99.0, "P99", 100)];

/// Latencies stand on a logarithmic axis where they span this much.
const STEEP: f64 = 20.0;
