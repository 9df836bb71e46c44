//! Latencies as the load grows: median, P90 and P99, with the area from the median to the P99.

use super::super::chosen::{chosen, ends};
use super::super::curves::{Curve, Stop, curves, on_none};
use super::super::lines::{self, CROSS, LIMITED, MEANS, noted};
use super::super::notes::{Over, on_no_curve, under, with};
use super::super::{Bilingual, SweepChart, sheet, words};
use super::latency::LATENCIES;
use crate::cases::{Case, sorted};
use crate::figure::{Colour, Dash, Errors, Figure, Look, Marker, Marks, Panel, Point, Series};
use crate::words::{Language, Words};

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
    let row = |curve: &Curve<'_>| -> Vec<Panel> {
        LATENCIES.iter().map(|(key, title)| panel(curve, key, *title, several)).collect()
    };
    let rows: Vec<(&Curve<'_>, Vec<Panel>)> = curves
        .iter()
        .filter(|curve| curve.stops.len() >= FEWEST)
        .map(|curve| (curve, row(curve)))
        .filter(|(_, row)| !row.iter().all(is_empty))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let shown = chosen(rows.len(), MOST_ROWS, &extremes(&rows));
    let left: Vec<&Words> = (0..rows.len())
        .filter(|place| !shown.contains(place))
        .map(|place| &rows[place].0.name)
        .collect();
    let left_out = (!left.is_empty()).then(|| {
        let list = |language: Language| {
            let names: Vec<&str> = left.iter().map(|name| name.told(language)).collect();
            names.join(if language == Language::English { ", " } else { "、" })
        };
        let (some, all) = (shown.len(), rows.len());
        Words::both(
            format!(
                "{some} of {all} curves, the extremes among them; left out: {}",
                list(Language::English)
            ),
            format!("{all} 条曲线中的 {some} 条（含极值）；未画出：{}", list(Language::Chinese)),
        )
    });
    let drawn: Vec<Curve<'_>> = shown.iter().map(|place| rows[*place].0.clone()).collect();
    let rows = rows.into_iter().enumerate().filter(|(place, _)| shown.contains(place));
    let panels: Vec<Panel> = rows.flat_map(|(_, (_, row))| row).collect();
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
    let width = size.width * columns as f64;
    let mut title = words(PERCENTILES.title);
    let alone = on_no_curve(&on_none(cases, &curves, FEWEST), &sorted(cases));
    for note in left_out.iter().chain(&alone) {
        title = under(&title, note, width);
    }
    let title = noted(&with(title, &sorted(cases), Over::Tails, width), &drawn, &MEANS, width);
    Some(sheet::figure(title, panels, columns, size))
}

/// The curves that must not be missed: of the highest throughput, and of the worst of each latency.
fn extremes(rows: &[(&Curve<'_>, Vec<Panel>)]) -> Vec<usize> {
    let keys = ["output_throughput", "p99_ttft_ms", "p99_tpot_ms", "p99_itl_ms", "median_ttft_ms"];
    let greatest = |key: &str| {
        let of_curve = |curve: &Curve<'_>| {
            let values = curve.stops.iter().filter_map(|stop| stop.value(|case| case.figure(key)));
            values.map(|value| value.mean).reduce(f64::max)
        };
        ends(rows.iter().map(|(curve, _)| of_curve(curve))).first().copied()
    };
    keys.into_iter().filter_map(greatest).collect()
}

fn panel(curve: &Curve<'_>, key: &str, title: Bilingual, several: bool) -> Panel {
    let mut series: Vec<Series> = Vec::new();
    let mut limited: Vec<Series> = Vec::new();
    let mut dotted: Vec<Series> = Vec::new();
    for (place, (statistic, name)) in STATISTICS.iter().enumerate() {
        let look = Look {
            colour: Colour::Kind(COLOURS[place]),
            dash: Dash::Kind(DASHES[place]),
            width: 1.8,
            marker: Marker::Kind(place),
        };
        let key = format!("{statistic}_{key}_ms");
        let median = (*statistic == "p99").then(|| key.replace("p99_", "median_"));
        let all = points(curve, &key, None, |stop| curve.is_alone(stop));
        let points = |among: &dyn Fn(&Stop<'_>) -> bool, from| points(curve, &key, from, among);
        let trusted = points(&|stop| !stop.limited, median.as_deref());
        if trusted.len() < all.len() {
            let look = lines::dotted(look);
            dotted.push(Series { name: None, look, points: all, errors: Errors::Bars });
        }
        if !trusted.is_empty() {
            let (name, points) = (Some(words(*name)), trusted);
            series.push(Series { name, look, points, errors: Errors::Band });
        }
        let points = points(&|stop| stop.limited, None);
        if !points.is_empty() {
            let look = Look { dash: Dash::None, marker: CROSS, ..look };
            limited.push(Series { name: Some(LIMITED), look, points, errors: Errors::Bars });
        }
    }
    dotted.append(&mut series);
    dotted.append(&mut limited);
    let series = dotted;
    let values = || series.iter().flat_map(|series| &series.points);
    let x = sheet::axis(curve.load.axis(), values().map(|point| point.x), MUCH);
    let y = sheet::axis(words(("Milliseconds", "毫秒 (ms)")), values().map(|point| point.y), STEEP);
    let title = match several {
        false => words(title),
        true => Words::both(
            format!("{}: {}", curve.name, title.0),
            format!("{}：{}", curve.name.told(Language::Chinese), title.1),
        ),
    };
    sheet::panel(title, x, y, Marks::Series(series))
}

/// The figure at each of these loads, with an area from another one to it.
fn points(
    curve: &Curve<'_>,
    key: &str,
    from: Option<&str>,
    among: impl Fn(&Stop<'_>) -> bool,
) -> Vec<Point> {
    let point = |stop: &Stop<'_>| {
        let mean = |key: &str| Some(stop.value(|case| case.figure(key))?.mean);
        let y = mean(key)?;
        let error = from.and_then(mean).map(|from| (from, y));
        Some(Point { x: stop.load, y, error, label: None })
    };
    curve.stops.iter().filter(|stop| among(stop)).filter_map(point).collect()
}

fn is_empty(panel: &Panel) -> bool {
    matches!(&panel.marks, Marks::Series(series) if series.is_empty())
}

const STATISTICS: [(&str, Bilingual); 3] =
    [("median", ("Median", "中位数")), ("p90", ("P90", "P90")), ("p99", ("P99", "P99"))];

/// No dots: those are kept for what the client limited.
const DASHES: [usize; 3] = [0, 1, 3];

/// Blue, orange, vermilion: the further out, the warmer.
const COLOURS: [usize; 3] = [0, 4, 1];

/// One load is no curve.
const FEWEST: usize = 2;

/// So many curves have a row each.
const MOST_ROWS: usize = 6;

const MUCH: f64 = 8.0;

const STEEP: f64 = 20.0;
