//! Cells in rows and columns, each as dark as its value, on a dark ground as bright.

use serde_json::{Map, Value, json};

use super::colours::{ink, shades};
use super::{Parts, names, text};
use crate::figure::{Heat, Panel, Scale};
use crate::number::{fixed, shortest};
use crate::words::{Language, Words};

pub(super) fn parts(panel: &Panel, heat: &Heat) -> Parts {
    let columns = heat.columns.len().max(1);
    let measured = heat.cells.iter().enumerate().filter_map(|(at, value)| {
        let value = value.filter(|&value| heat.scale.bears(value))?;
        Some((at % columns, at / columns, value))
    });
    let measured: Vec<(usize, usize, f64)> = measured.collect();
    let extent = heat.extent().map(|of| (heat.scale.measure(of.low), heat.scale.measure(of.high)));
    let (low, high) = extent.filter(|(low, high)| low < high).unwrap_or((0.0, 1.0));
    // Zeros at the end count where not all values are whole numbers: 2.00 beside 2.01.
    let whole = measured.iter().all(|(.., value)| value.fract() == 0.0);
    let cells: Vec<Value> = measured
        .iter()
        .map(|&(column, row, value)| {
            let measure = heat.scale.measure(value);
            let at = json!([column, row, short(measure), short(value)]);
            if !heat.written {
                return at;
            }
            let share = (measure - low) / (high - low);
            let cross = if heat.crossed.contains(&(row * columns + column)) { " ×" } else { "" };
            let name = format!(
                "{}{cross}",
                if whole { three_digits(value) } else { fixed(value, digits(value)) }
            );
            json!({ "value": at, "name": name, "label": { "color": ink(share) } })
        })
        .collect();
    let mut more = Map::new();
    more.insert(
        "visualMap".to_owned(),
        json!({
            "type": "continuous",
            "min": short(low),
            "max": short(high),
            "dimension": 2,
            "calculable": false,
            "orient": "vertical",
            "right": 0,
            "top": 4,
            "itemHeight": 110,
            "itemWidth": 12,
            "padding": [0, 0, 0, 8],
            "formatter": { "call": "shade" },
            "text": [three_digits(heat_value(heat, high)), three_digits(heat_value(heat, low))],
            "inRange": { "color": shades() },
        }),
    );
    let mut y = names(&panel.y, &heat.rows);
    y["inverse"] = json!(true);
    let mut x = names(&panel.x, &heat.columns);
    for axis in [&mut x, &mut y] {
        axis["axisLabel"] = json!({ "hideOverlap": true });
        axis["splitArea"] = json!({ "show": false });
    }
    Parts {
        kind: "heat",
        about: Words::both(
            format!(
                "A heat map of {} rows and {} columns, shaded by {}.",
                heat.rows.len(),
                heat.columns.len(),
                one_line(&heat.label)
            ),
            format!(
                "热力图：{} 行 {} 列，颜色表示{}。",
                heat.rows.len(),
                heat.columns.len(),
                heat.label.told(Language::Chinese)
            ),
        ),
        trigger: "item",
        x,
        y,
        series: vec![json!({
            "type": "heatmap",
            "data": cells,
            "label": { "show": heat.written, "formatter": "{b}", "fontSize": 11 },
            "labelLayout": { "hideOverlap": true },
            "itemStyle": { "borderWidth": if heat.cells.len() > FINE { 0.0 } else { 1.0 } },
            "emphasis": { "itemStyle": { "borderWidth": 2 } },
        })],
        more,
        names: json!({ "value": text(&heat.label) }),
    }
}

/// The value of a measure.
fn heat_value(heat: &Heat, measure: f64) -> f64 {
    match heat.scale {
        Scale::Linear => measure,
        Scale::Log => 10_f64.powf(measure),
        Scale::Sqrt => measure.powi(2),
    }
}

fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// As much of a value as fits into a cell.
fn three_digits(value: f64) -> String {
    shortest(value, digits(value))
}

fn digits(value: f64) -> usize {
    match value.abs() {
        100.0.. => 0,
        10.0..100.0 => 1,
        1.0..10.0 => 2,
        _ => 3,
    }
}

fn one_line(words: &Words) -> String {
    words.replace('\n', " ")
}

/// More cells than this have no lines between them.
const FINE: usize = 400;
