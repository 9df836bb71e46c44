//! Bars: those of a histogram, stacked ones, and groups side by side.

use serde_json::{Map, Value, json};

use super::colours::Themed;
use super::legend::{self, Key};
use super::{Parts, Span, names, numbers, place, text};
use crate::figure::{Axis, Bars, Colour, Histogram, Layer, Panel, Scale};
use crate::words::Words;

pub(super) fn histogram(panel: &Panel, of: &Histogram, span: Option<Span>, fixed: bool) -> Parts {
    let bins: Vec<Value> = of
        .counted()
        .iter()
        .map(|bin| json!([place(panel.x.scale, bin.from), place(panel.x.scale, bin.to), bin.count]))
        .collect();
    let values = of.values.len();
    let whole = span.map_or((false, true), |span| span.whole);
    Parts {
        kind: "histogram",
        about: Words::both(
            format!("A histogram of {values} values in {} ranges.", bins.len()),
            format!("{values} 个值的直方图，分为 {} 个区间。", bins.len()),
        ),
        trigger: "item",
        x: numbers(&panel.x, span.map(|span| span.across), whole.0, fixed),
        y: numbers(&panel.y, span.map(|span| span.up), true, fixed),
        series: vec![json!({
            "type": "custom",
            "renderItem": { "call": "bin" },
            "encode": { "x": [0, 1], "y": 2 },
            "itemStyle": { "color": Themed::role(Colour::Kind(0)).value() },
            "data": bins,
            "clip": true,
        })],
        more: Map::new(),
        names: Value::Null,
    }
}

pub(super) fn stacked(panel: &Panel, layers: &[Layer], keys: &[Key]) -> Parts {
    let bars = layers.iter().map(|layer| layer.heights.len()).max().unwrap_or(0);
    let numbered: Vec<Words> = (0..bars).map(|bar| bar.to_string().into()).collect();
    let series = layers.iter().map(|layer| {
        let heights: Vec<f64> = (0..bars).map(|bar| layer.height(bar)).collect();
        let mut series = bar(layer, json!(heights), keys);
        series["stack"] = json!("all");
        series["barCategoryGap"] = json!(if bars > 60 { "0%" } else { "20%" });
        series
    });
    Parts {
        kind: "stacked",
        about: Words::both(
            format!("Stacked bars of {} parts for each of {bars} things.", layers.len()),
            format!("{bars} 个堆叠柱，每个由 {} 部分组成。", layers.len()),
        ),
        trigger: "axis",
        x: names(&panel.x, &numbered),
        y: numbers(&Axis::linear(panel.y.label.clone()), None, false, false),
        series: series.collect(),
        more: Map::new(),
        names: Value::Null,
    }
}

pub(super) fn grouped(panel: &Panel, bars: &Bars, keys: &[Key]) -> Parts {
    let series = bars.layers.iter().map(|layer| {
        let height = |group: usize| {
            let height = layer.heights.get(group).copied().filter(|&height| panel.y.bears(height));
            height.map(|height| place(panel.y.scale, height))
        };
        let heights: Vec<Option<f64>> = (0..bars.groups.len()).map(height).collect();
        let mut series = bar(layer, json!(heights), keys);
        series["barCategoryGap"] = json!("28%");
        series["barGap"] = json!("8%");
        series["barMaxWidth"] = json!(48);
        series
    });
    Parts {
        kind: "bars",
        about: Words::both(
            format!(
                "Bars of {} kinds for each of {} things.",
                bars.layers.len(),
                bars.groups.len()
            ),
            format!("{} 组柱形，每组 {} 种。", bars.groups.len(), bars.layers.len()),
        ),
        trigger: "axis",
        x: names(&panel.x, &bars.groups),
        y: upwards(panel, bars),
        series: series.collect(),
        more: Map::new(),
        names: Value::Null,
    }
}

/// The axis at the left: from 0, but on a logarithmic one, where bars begin below the least.
fn upwards(panel: &Panel, bars: &Bars) -> Value {
    let heights = bars.layers.iter().flat_map(|layer| &layer.heights);
    let standing = heights.copied().filter(|&height| panel.y.bears(height));
    let range = standing.fold(None, |range: Option<(f64, f64)>, height| {
        let (low, high) = range.unwrap_or((height, height));
        Some((low.min(height), high.max(height)))
    });
    let range = match panel.y.scale {
        Scale::Log => range.map(|(low, high)| (low / 2.0, high * 1.3)),
        _ => range.map(|(_, high)| (0.0, high * 1.06)),
    };
    numbers(&panel.y, range, false, false)
}

fn bar(layer: &Layer, data: Value, keys: &[Key]) -> Value {
    json!({
        "type": "bar",
        "name": text(&layer.name),
        "key": legend::at(keys, &layer.name),
        "itemStyle": { "color": Themed::role(layer.look.colour).value() },
        "data": data,
    })
}
