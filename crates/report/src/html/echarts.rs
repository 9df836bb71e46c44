//! Figures as options of ECharts: from the same declaration as on paper, by a pure function.
//!
//! A text that differs between languages stands as `{"en": …, "zh": …}`, a colour that differs between themes as
//! `{"light": …, "dark": …}`, and what ECharts wants as a function as `{"call": name}`: the page's script puts in what holds. Values
//! on an axis of roots, and the shades of cells, stand in their scale's own measure. Deliberately no data are left out here but what
//! cannot stand on its axis.

mod bars;
mod cells;
mod colours;
mod legend;
mod series;
mod spans;

use serde_json::{Map, Value, json};

use crate::figure::{Axes, Axis, Extent, Figure, Marks, NOISE, On, Panel, Rule, Scale};
use crate::words::{LANGUAGES, Language, Words};

use colours::Themed;
use legend::Key;

/// A figure: the option of each panel with what its tooltips and table need, and the entries of the legend. Panels that are tables
/// are null.
pub(super) fn figure(figure: &Figure) -> Value {
    let keys = legend::keys(figure);
    let spans = spans_of(figure);
    let panels: Vec<Value> = figure
        .panels
        .iter()
        .zip(spans)
        .map(|(panel, span)| drawn(panel, span, figure.axes, &keys))
        .collect();
    json!({ "panels": panels, "legend": keys.iter().map(Key::value).collect::<Vec<_>>() })
}

/// What a panel spans: from where to where at the bottom, then at the left, and whether each holds only whole numbers.
#[derive(Clone, Copy, Debug)]
struct Span {
    across: (f64, f64),
    up: (f64, f64),
    whole: (bool, bool),
}

fn spans_of(figure: &Figure) -> Vec<Option<Span>> {
    let span = |panel: &Panel| {
        let (across, up) = panel.marks.extent(&panel.x, &panel.y)?;
        Some(Span {
            across: (across.low, across.high),
            up: (up.low, up.high),
            whole: panel.marks.whole(&panel.x, &panel.y),
        })
    };
    let own: Vec<Option<Span>> = figure.panels.iter().map(span).collect();
    if figure.axes == Axes::Own {
        return own;
    }
    let joined = own.iter().flatten().copied().reduce(|a, b| Span {
        across: (a.across.0.min(b.across.0), a.across.1.max(b.across.1)),
        up: (a.up.0.min(b.up.0), a.up.1.max(b.up.1)),
        whole: (a.whole.0 && b.whole.0, a.whole.1 && b.whole.1),
    });
    vec![joined; own.len()]
}

fn drawn(panel: &Panel, span: Option<Span>, axes: Axes, keys: &[Key]) -> Value {
    let fixed = axes == Axes::Shared;
    let parts = match &panel.marks {
        Marks::Series(series) => series::parts(panel, series, span, fixed, keys),
        Marks::Histogram(histogram) => bars::histogram(panel, histogram, span, fixed),
        Marks::Stacked(layers) => bars::stacked(panel, layers, keys),
        Marks::Bars(grouped) => bars::grouped(panel, grouped, keys),
        Marks::Heat(heat) => cells::parts(panel, heat),
        Marks::Spans(spans) => spans::parts(panel, spans, keys),
        Marks::Table(_) => return Value::Null,
    };
    let mut option = json!({
        "animation": false,
        "backgroundColor": "transparent",
        "aria": { "enabled": true, "label": { "description": described(panel, &parts.about) } },
        "grid": { "left": 6, "right": 18, "top": if has_upright(panel) { 26 } else { 12 }, "bottom": 6,
            "outerBoundsMode": "same", "outerBoundsContain": "all" },
        "tooltip": { "trigger": parts.trigger, "confine": true, "formatter": { "call": "told" } },
        "xAxis": parts.x,
        "yAxis": parts.y,
        "series": parts.series,
    });
    if let Value::Object(option) = &mut option {
        option.extend(parts.more);
        if let (Some(rules), Some(Value::Array(series))) = (rules(panel), option.get_mut("series"))
        {
            series.push(rules);
        }
    }
    json!({
        "kind": parts.kind,
        "x": { "label": text(&panel.x.label), "scale": scale(panel.x.scale) },
        "y": { "label": text(&panel.y.label), "scale": scale(panel.y.scale) },
        "names": parts.names,
        "option": option,
    })
}

/// What marks become.
#[derive(Debug)]
struct Parts {
    /// What is drawn, for the tooltips and the table of data.
    kind: &'static str,
    /// What it is in a few words.
    about: Words,
    /// Whether one mark is told of, or all at one place of the axis at the bottom.
    trigger: &'static str,
    x: Value,
    y: Value,
    series: Vec<Value>,
    /// Further parts of the option.
    more: Map<String, Value>,
    /// Names that tooltips and the table need and no axis shows: rows of spans, what cells are.
    names: Value,
}

/// A text in the language that is shown.
fn text(words: &Words) -> Value {
    if words.is_the_same() {
        return json!(&**words);
    }
    let each =
        LANGUAGES.iter().map(|&language| (language.code().to_owned(), json!(words.told(language))));
    Value::Object(each.collect())
}

fn scale(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear => "linear",
        Scale::Log => "log",
        Scale::Sqrt => "sqrt",
    }
}

/// Where a value stands in the option: itself, or its root on an axis of roots. Six digits are more than a screen shows.
fn place(scale: Scale, value: f64) -> f64 {
    let value = if scale == Scale::Sqrt { scale.measure(value) } else { value };
    let short: f64 = format!("{value:.6e}").parse().unwrap_or(value);
    // Whole numbers of any size stay as they are.
    if value.fract() == 0.0 { value } else { short }
}

/// An axis of numbers.
fn numbers(axis: &Axis, range: Option<(f64, f64)>, whole: bool, fixed: bool) -> Value {
    let mut option = named(axis);
    option.insert("type".to_owned(), json!(if axis.scale == Scale::Log { "log" } else { "value" }));
    if whole {
        option.insert("minInterval".to_owned(), json!(1));
    }
    let Some((low, high)) = range else { return Value::Object(option) };
    match axis.scale {
        Scale::Linear => {
            // An axis that begins at 0 tells how large differences are; far from 0 they could not be seen.
            option.insert("scale".to_owned(), json!(low > 0.0 || high < 0.0));
            if is_narrow((low, high), whole) || axis.within.is_some() {
                pin(&mut option, axis.scale, (low, high), whole);
            } else if fixed {
                option.insert("min".to_owned(), json!(place(axis.scale, low)));
                option.insert("max".to_owned(), json!(place(axis.scale, high)));
            }
        }
        Scale::Log | Scale::Sqrt => pin(&mut option, axis.scale, (low, high), whole),
    }
    Value::Object(option)
}

/// Whether the range is as short as one that was widened: left to itself the page would draw noise, or a single value, larger.
fn is_narrow((low, high): (f64, f64), whole: bool) -> bool {
    let length = high - low;
    let middle = (low / 2.0 + high / 2.0).abs();
    length <= 1.3 * NOISE * middle || (whole && length <= 2.6)
}

/// Sets the ends of an axis, and the values that are written along it.
fn pin(option: &mut Map<String, Value>, scale: Scale, (low, high): (f64, f64), whole: bool) {
    let ticks = scale.ticks(Extent { low, high }, TICKS, whole);
    let ticks: Vec<f64> = ticks.iter().map(|tick| place(scale, tick.value)).collect();
    option.insert("min".to_owned(), json!(place(scale, low)));
    option.insert("max".to_owned(), json!(place(scale, high)));
    for part in ["axisLabel", "axisTick"] {
        option.insert(part.to_owned(), json!({ "customValues": ticks }));
    }
}

/// An axis of names.
fn names(axis: &Axis, names: &[Words]) -> Value {
    let mut option = named(axis);
    option.insert("type".to_owned(), json!("category"));
    option.insert("data".to_owned(), names.iter().map(text).collect());
    Value::Object(option)
}

fn named(axis: &Axis) -> Map<String, Value> {
    let mut option = Map::new();
    if !axis.label.is_empty() {
        option.insert("name".to_owned(), text(&axis.label));
        option.insert("nameLocation".to_owned(), json!("middle"));
    }
    option
}

/// The rules as one series that holds nothing else, so that they stay whatever the legend hides.
fn rules(panel: &Panel) -> Option<Value> {
    if panel.rules.is_empty() {
        return None;
    }
    let upright = panel.rules.iter().filter(|rule| rule.on == On::Across).count();
    let line = |rule: &Rule| {
        let (axis, at) = on(panel, rule.on);
        let position = match rule.on {
            On::Across if upright == 1 => "end",
            On::Across => "insideEndTop",
            On::Up => "insideStartTop",
        };
        json!({ axis: at(rule.at), "name": text(&rule.label), "label": { "position": position } })
    };
    let area = |rule: &Rule| {
        let (low, high) = rule.within?;
        let (axis, at) = on(panel, rule.on);
        Some(json!([{ axis: at(low) }, { axis: at(high) }]))
    };
    let colour = Themed::RULE.value();
    Some(json!({
        "type": "line",
        "data": [],
        "silent": true,
        "rule": true,
        "markLine": {
            "silent": true,
            "symbol": "none",
            "animation": false,
            "lineStyle": { "color": colour, "type": [6, 4], "width": 1.4 },
            "label": { "formatter": "{b}", "color": colour, "fontSize": 11 },
            "data": panel.rules.iter().map(line).collect::<Vec<_>>(),
        },
        "markArea": {
            "silent": true,
            "animation": false,
            "itemStyle": { "color": colour, "opacity": 0.12 },
            "data": panel.rules.iter().filter_map(area).collect::<Vec<_>>(),
        },
    }))
}

fn on(panel: &Panel, on: On) -> (&'static str, impl Fn(f64) -> f64) {
    let (name, scale) = match on {
        On::Across => ("xAxis", panel.x.scale),
        On::Up => ("yAxis", panel.y.scale),
    };
    (name, move |value| place(scale, value))
}

fn has_upright(panel: &Panel) -> bool {
    panel.rules.iter().filter(|rule| rule.on == On::Across).count() == 1
}

/// The panel in words, for those who do not see it.
fn described(panel: &Panel, about: &Words) -> Value {
    let of = |language: Language| {
        let told = |words: &Words| words.told(language).replace('\n', " ");
        let title = told(&panel.title);
        let (about, x, y) = (told(about), told(&panel.x.label), told(&panel.y.label));
        let axes = match (language, x.is_empty() || y.is_empty()) {
            (_, true) => String::new(),
            (Language::English, false) => format!(" {y} over {x}."),
            (Language::Chinese, false) => format!("横轴：{x}；纵轴：{y}。"),
        };
        let title = match (language, title.is_empty()) {
            (_, true) => String::new(),
            (Language::English, false) => format!("{title}: "),
            (Language::Chinese, false) => format!("{title}："),
        };
        format!("{title}{about}{axes}")
    };
    text(&Words::both(of(Language::English), of(Language::Chinese)))
}

/// So many values are written along an axis whose places are chosen here.
const TICKS: usize = 7;

#[cfg(test)]
mod tests;
