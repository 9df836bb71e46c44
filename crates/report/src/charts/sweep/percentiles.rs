//! Latencies as the load grows: median, P90 and P99, with the area from the median to the P99.

use super::super::curves::{Curve, Stop, curves};
use super::super::lines::{CROSS, LIMITED};
use super::super::notes::{Over, with};
use super::super::{Bilingual, SweepChart, sheet, words};
use super::latency::LATENCIES;
use crate::cases::{Case, sorted};
use crate::figure::{Colour, Dash, Errors, Figure, Look, Marker, Marks, Panel, Point, Series};
use crate::words::Words;

pub(in super::super) const PERCENTILES: SweepChart = SweepChart {
    key: "percentiles_load",
    title: ("Latency percentiles as the load grows", "延迟分位数随负载的变化"),
    about: (
        "Half of the requests are faster than the median, and one in a hundred is slower than the P99. The area between them widens where \
         requests begin to wait for each other.",
        "一半请求快于中位数，百分之一的请求慢于 P99。两者之间的区域变宽，说明请求开始相互等待。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let curves = curves(cases);
    let several = curves.len() > 1;
    let mut panels: Vec<Panel> = Vec::new();
    let mut rows = 0;
    let mut left = 0;
    for curve in curves.iter().filter(|curve| curve.stops.len() >= FEWEST) {
        let row: Vec<Panel> =
            LATENCIES.iter().map(|(key, title)| panel(curve, key, *title, several)).collect();
        if row.iter().all(is_empty) {
            continue;
        }
        match rows < MOST_ROWS {
            true => panels.extend(row),
            false => left += 1,
        }
        rows += 1;
    }
    if panels.is_empty() {
        return None;
    }
    let title = match left {
        0 => words(PERCENTILES.title),
        left => Words::both(
            format!("{} (the first {MOST_ROWS} of {})", PERCENTILES.title.0, MOST_ROWS + left),
            format!("{}（前 {MOST_ROWS} 组，共 {} 组）", PERCENTILES.title.1, MOST_ROWS + left),
        ),
    };
    // A latency that nothing tells of has no column.
    let told: Vec<bool> = (0..LATENCIES.len())
        .map(|column| {
            panels.iter().skip(column).step_by(LATENCIES.len()).any(|panel| !is_empty(panel))
        })
        .collect();
    let columns = told.iter().filter(|told| **told).count();
    let panels = panels.into_iter().enumerate();
    let panels =
        panels.filter(|(place, _)| told[place % LATENCIES.len()]).map(|(_, panel)| panel).collect();
    let size = sheet::size(5.0, if several { 3.6 } else { 4.2 });
    let title = with(title, &sorted(cases), Over::Tails, size.width * columns as f64);
    Some(sheet::figure(title, panels, columns, size))
}

fn panel(curve: &Curve<'_>, key: &str, title: Bilingual, several: bool) -> Panel {
    let mut series: Vec<Series> = Vec::new();
    let mut limited: Vec<Series> = Vec::new();
    for (place, (statistic, name)) in STATISTICS.iter().enumerate() {
        let look = Look {
            colour: Colour::Kind(COLOURS[place]),
            dash: Dash::Kind(place),
            width: 1.8,
            marker: Marker::Kind(place),
        };
        let key = format!("{statistic}_{key}_ms");
        let median = (*statistic == "p99").then(|| key.replace("p99_", "median_"));
        let points = points(curve, &key, median.as_deref(), false);
        if !points.is_empty() {
            series.push(Series { name: Some(words(*name)), look, points, errors: Errors::Band });
        }
        let points = self::points(curve, &key, None, true);
        if !points.is_empty() {
            let look = Look { dash: Dash::None, marker: CROSS, ..look };
            limited.push(Series { name: Some(LIMITED), look, points, errors: Errors::Bars });
        }
    }
    series.append(&mut limited);
    let values = || series.iter().flat_map(|series| &series.points);
    let x = sheet::axis(curve.load.axis(), values().map(|point| point.x), MUCH);
    let y = sheet::axis(words(("Milliseconds", "毫秒 (ms)")), values().map(|point| point.y), STEEP);
    let title = match several {
        false => words(title),
        true => Words::both(
            format!("{}: {}", curve.name, title.0),
            format!("{}：{}", curve.name, title.1),
        ),
    };
    sheet::panel(title, x, y, Marks::Series(series))
}

/// The figure at each load that was limited by the client, or was not; with an area from another one to it.
fn points(curve: &Curve<'_>, key: &str, from: Option<&str>, limited: bool) -> Vec<Point> {
    let point = |stop: &Stop<'_>| {
        let mean = |key: &str| Some(stop.value(|case| case.figure(key))?.mean);
        let y = mean(key)?;
        let error = from.and_then(mean).map(|from| (from, y));
        Some(Point { x: stop.load, y, error, label: None })
    };
    curve.stops.iter().filter(|stop| stop.limited == limited).filter_map(point).collect()
}

fn is_empty(panel: &Panel) -> bool {
    matches!(&panel.marks, Marks::Series(series) if series.is_empty())
}

const STATISTICS: [(&str, Bilingual); 3] =
    [("median", ("Median", "中位数")), ("p90", ("P90", "P90")), ("p99", ("P99", "P99"))];

/// Blue, orange, vermilion: the further out, the warmer.
const COLOURS: [usize; 3] = [0, 4, 1];

/// One load is no curve.
const FEWEST: usize = 2;

/// So many curves have a row each.
const MOST_ROWS: usize = 6;

const MUCH: f64 = 8.0;

const STEEP: f64 = 20.0;
