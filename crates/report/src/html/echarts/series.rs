//! Curves and scattered points, with their error bars and bands.

use serde_json::{Map, Value, json};

use super::colours::Themed;
use super::legend::{self, Key};
use super::{Parts, Span, numbers, place, text};
use crate::figure::{Errors, Marker, Panel, Point, Scale, Series, Shape};
use crate::words::{Language, Words};

pub(super) fn parts(
    panel: &Panel,
    series: &[Series],
    span: Option<Span>,
    fixed: bool,
    keys: &[Key],
) -> Parts {
    let joined = series.iter().any(|series| series.look.is_joined());
    let whole = span.map_or((false, false), |span| span.whole);
    let mut drawn = Vec::new();
    for one in series {
        drawn.extend(errors(panel, one, keys));
        drawn.push(points(panel, one, keys));
    }
    let mut more = Map::new();
    let far = panel.x.scale == Scale::Linear && panel.rules.is_empty();
    if far && series.iter().any(|series| series.points.len() > MANY) {
        more.insert(
            "dataZoom".to_owned(),
            json!([{ "type": "inside", "xAxisIndex": 0, "zoomOnMouseWheel": "ctrl", "moveOnMouseWheel": false,
                "preventDefaultMouseMove": false, "filterMode": "none" }]),
        );
    }
    let names = |language: Language| {
        let all = series.iter().filter_map(|series| series.name.as_ref());
        all.map(|name| name.told(language).to_owned()).collect::<Vec<_>>()
    };
    Parts {
        kind: "series",
        about: Words::both(
            format!(
                "A chart of {} series ({}).",
                series.len(),
                names(Language::English).join(", ")
            ),
            format!("共 {} 条曲线（{}）。", series.len(), names(Language::Chinese).join("、")),
        ),
        trigger: if joined { "axis" } else { "item" },
        x: numbers(&panel.x, span.map(|span| span.across), whole.0, fixed),
        y: numbers(&panel.y, span.map(|span| span.up), whole.1, fixed),
        series: drawn,
        more,
        names: Value::Null,
    }
}

/// What ECharts calls a shape, or its outline.
pub(super) fn symbol(marker: Marker) -> Option<&'static str> {
    marker.shape().map(|shape| match shape {
        Shape::Disc => "circle",
        Shape::Square => "rect",
        Shape::Triangle => "triangle",
        Shape::Diamond => "diamond",
        Shape::Cross => {
            "path://M-10,-7L-7,-10L0,-3L7,-10L10,-7L3,0L10,7L7,10L0,3L-7,10L-10,7L-3,0Z"
        }
        Shape::Plus => {
            "path://M-2,-10L2,-10L2,-2L10,-2L10,2L2,2L2,10L-2,10L-2,2L-10,2L-10,-2L-2,-2Z"
        }
    })
}

fn points(panel: &Panel, series: &Series, keys: &[Key]) -> Value {
    let look = series.look;
    let shown: Vec<&Point> = standing(panel, series).collect();
    let labelled = shown.iter().any(|point| point.label.is_some());
    let data: Vec<Value> = shown
        .iter()
        .map(|point| {
            let at = json!([place(panel.x.scale, point.x), place(panel.y.scale, point.y)]);
            match &point.label {
                // As a name, for a label's pattern would read braces.
                Some(label) => json!({ "value": at, "name": label, "label": { "show": true } }),
                None => at,
            }
        })
        .collect();
    let colour = Themed::role(look.colour).value();
    let (many, joined) = (shown.len() > MANY, look.is_joined());
    let symbol = symbol(look.marker);
    let mut option = json!({
        "type": if joined { "line" } else { "scatter" },
        "name": series.name.as_ref().map_or(json!(""), text),
        "key": key(series, keys),
        "data": data,
        "itemStyle": { "color": colour, "opacity": if many && !joined { 0.65 } else { 1.0 } },
        "symbol": symbol.unwrap_or("circle"),
        "symbolSize": if many && !joined { 4 } else { 7 },
    });
    let map = option.as_object_mut().expect("it was made as an object");
    if joined {
        let dash = look.dash.lengths();
        let dash: Vec<f64> = dash.iter().map(|length| length * look.width).collect();
        map.insert(
            "lineStyle".to_owned(),
            json!({ "color": colour, "width": look.width + 0.2, "type": if dash.is_empty() { json!("solid") } else { json!(dash) } }),
        );
        map.insert("showSymbol".to_owned(), json!(symbol.is_some() && !many));
        map.insert("showAllSymbol".to_owned(), json!(true));
    }
    if labelled {
        map.insert(
            "label".to_owned(),
            json!({ "show": false, "position": "top", "formatter": "{b}", "fontSize": 11, "minMargin": 4 }),
        );
        // One that is moved would lie on a line or on another's point: the tooltip tells what is hidden.
        map.insert("labelLayout".to_owned(), json!({ "hideOverlap": true }));
    }
    option
}

fn errors(panel: &Panel, series: &Series, keys: &[Key]) -> Option<Value> {
    let data: Vec<Value> = standing(panel, series)
        .filter_map(|point| {
            let (low, high) = point.error?;
            let stands = panel.y.bears(low) && panel.y.bears(high);
            let up = |value| place(panel.y.scale, value);
            stands.then(|| json!([place(panel.x.scale, point.x), up(low), up(high)]))
        })
        .collect();
    if data.is_empty() {
        return None;
    }
    let render = match series.errors {
        Errors::Bars => "errorBar",
        Errors::Band => "band",
    };
    Some(json!({
        "type": "custom",
        "name": series.name.as_ref().map_or(json!(""), text),
        "key": key(series, keys),
        "errors": true,
        "renderItem": { "call": render },
        "encode": { "x": 0, "y": [1, 2] },
        "itemStyle": { "color": Themed::role(series.look.colour).value() },
        "data": data,
        "silent": true,
        "clip": true,
        "z": 1,
    }))
}

fn standing<'a>(panel: &'a Panel, series: &'a Series) -> impl Iterator<Item = &'a Point> {
    series.points.iter().filter(|point| panel.x.bears(point.x) && panel.y.bears(point.y))
}

fn key(series: &Series, keys: &[Key]) -> Option<usize> {
    legend::at(keys, series.name.as_ref()?)
}

/// More points than this are drawn small, and lines of more without a sign at each.
const MANY: usize = 60;
