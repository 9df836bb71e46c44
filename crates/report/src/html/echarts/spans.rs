//! A row for each of many things, with the spans of time that its parts took.

use serde_json::{Map, Value, json};

use super::colours::Themed;
use super::legend::{self, Key};
use super::{Parts, names, numbers, place, text};
use crate::figure::{Panel, Spanned, Spans};
use crate::words::Words;

pub(super) fn parts(panel: &Panel, spans: &Spans, keys: &[Key]) -> Parts {
    let rows: Vec<Words> = spans.rows.iter().map(|row| row.label.as_str().into()).collect();
    let series = spans.kinds.iter().enumerate().map(|(kind, layer)| {
        let row = |(at, row): (usize, &Spanned)| {
            let (from, to) = row.parts.get(kind).copied().flatten()?;
            let stands = panel.x.bears(from) && panel.x.bears(to);
            stands.then(|| json!([at, place(panel.x.scale, from), place(panel.x.scale, to)]))
        };
        json!({
            "type": "custom",
            "name": text(&layer.name),
            "key": legend::at(keys, &layer.name),
            "renderItem": { "call": "span" },
            "encode": { "x": [1, 2], "y": 0 },
            "itemStyle": { "color": Themed::role(layer.look.colour).value() },
            "data": spans.rows.iter().enumerate().filter_map(row).collect::<Vec<_>>(),
            "clip": true,
        })
    });
    let mut series: Vec<Value> = series.collect();
    let failed = spans.rows.iter().enumerate().filter(|(_, row)| row.failed);
    let ends: Vec<Value> = failed
        .filter_map(|(at, row)| {
            let end = row.parts.iter().flatten().map(|&(_, to)| to).fold(f64::NAN, f64::max);
            panel.x.bears(end).then(|| json!([place(panel.x.scale, end), at]))
        })
        .collect();
    let count = ends.len();
    if count > 0 {
        series.push(json!({
            "type": "scatter",
            "name": text(&Words::fixed("failed", "失败")),
            "failed": true,
            "symbol": super::series::symbol(crate::figure::Marker::Kind(4)),
            "symbolSize": 7,
            "itemStyle": { "color": Themed::RULE.value() },
            "data": ends,
            "z": 5,
        }));
    }
    let ends = spans.rows.iter().flat_map(|row| row.parts.iter().flatten());
    let range = ends.fold(None, |range: Option<(f64, f64)>, &(from, to)| {
        let (low, high) = range.unwrap_or((from, to));
        Some((low.min(from), high.max(to)))
    });
    let mut y = names(&panel.y, &rows);
    y["inverse"] = json!(true);
    let labelled = rows.len() <= LABELLED;
    y["axisLabel"] = json!({ "show": labelled });
    y["axisTick"] = json!({ "show": false });
    y["splitLine"] = json!({ "show": false });
    let mut more = Map::new();
    more.insert(
        "dataZoom".to_owned(),
        json!([{ "type": "inside", "xAxisIndex": 0, "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": false,
            "preventDefaultMouseMove": false, "filterMode": "none" }]),
    );
    Parts {
        kind: "spans",
        about: Words::both(
            format!("A timeline of {} rows, of which {count} are marked as failed.", rows.len()),
            format!("时间线：{} 行，其中 {count} 行标为失败。", rows.len()),
        ),
        trigger: "item",
        x: numbers(&panel.x, range.map(|(low, high)| (low.min(0.0), high)), false, false),
        y,
        series,
        more,
        names: json!({ "rows": spans.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>() }),
    }
}

/// More rows than this are named only where they are pointed at.
const LABELLED: usize = 24;
