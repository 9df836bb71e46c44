//! Figures as options of ECharts.

use proptest::prelude::*;

use super::*;
use crate::figure::{
    Bars, Errors, Heat, Histogram, Layer, Look, Point, Series, Size, Spanned, Spans, Table,
};

fn panel(marks: Marks) -> Panel {
    Panel {
        title: Words::fixed("Panel", "面板"),
        x: Axis::linear(Words::fixed("Concurrency", "并发数")),
        y: Axis::linear("TTFT (ms)"),
        marks,
        rules: Vec::new(),
    }
}

fn of(panels: Vec<Panel>) -> Figure {
    Figure {
        title: Words::default(),
        panels,
        columns: 1,
        panel: Size { width: 4.0, height: 3.0 },
        dpi: 100,
        axes: Axes::Own,
        legend: None,
    }
}

fn series(points: Vec<Point>) -> Series {
    Series {
        name: Some(Words::fixed("Mean", "平均")),
        look: Look::kind(0),
        points,
        errors: Errors::Bars,
    }
}

fn option(marks: Marks) -> Value {
    figure(&of(vec![panel(marks)]))["panels"][0]["option"].clone()
}

fn layer(heights: Vec<f64>) -> Layer {
    Layer { name: "Decode".into(), look: Look::kind(1), heights }
}

#[test]
fn texts_that_differ_stand_in_both_languages_and_others_once() {
    let drawn = option(Marks::Series(vec![series(vec![Point::at(1.0, 2.0)])]));
    assert_eq!(drawn["xAxis"]["name"], json!({ "en": "Concurrency", "zh": "并发数" }));
    assert_eq!(drawn["yAxis"]["name"], "TTFT (ms)");
    assert_eq!(drawn["series"][0]["data"], json!([[1.0, 2.0]]));
    assert_eq!(drawn["series"][0]["key"], 0);
}

#[test]
fn error_bars_and_bands_are_series_of_their_own_under_the_same_key() {
    let point = Point { error: Some((1.5, 2.5)), ..Point::at(1.0, 2.0) };
    let banded = Series { errors: Errors::Band, ..series(vec![point.clone()]) };
    let drawn = option(Marks::Series(vec![series(vec![point]), banded]));
    let calls: Vec<&Value> =
        [0, 2].iter().map(|&at: &usize| &drawn["series"][at]["renderItem"]["call"]).collect();
    assert_eq!(calls, ["errorBar", "band"]);
    assert_eq!(drawn["series"][0]["data"], json!([[1.0, 1.5, 2.5]]));
    assert!([0, 1, 2, 3].iter().all(|&at: &usize| drawn["series"][at]["key"] == 0));
}

#[test]
fn what_cannot_stand_on_an_axis_is_not_drawn() {
    let mut of_log = panel(Marks::Series(vec![series(vec![
        Point::at(0.0, 1.0),
        Point::at(10.0, 5.0),
        Point::at(100.0, f64::NAN),
    ])]));
    of_log.x.scale = Scale::Log;
    let drawn = figure(&of(vec![of_log]));
    let option = &drawn["panels"][0]["option"];
    assert_eq!(option["series"][0]["data"], json!([[10.0, 5.0]]));
    assert_eq!(option["xAxis"]["type"], "log");
    assert!(option["xAxis"]["min"].as_f64().unwrap() > 0.0);
}

#[test]
fn values_on_an_axis_of_roots_stand_at_their_roots() {
    let mut rooted =
        panel(Marks::Series(vec![series(vec![Point::at(1.0, 9.0), Point::at(2.0, 16.0)])]));
    rooted.y.scale = Scale::Sqrt;
    let drawn = figure(&of(vec![rooted]));
    assert_eq!(drawn["panels"][0]["option"]["series"][0]["data"], json!([[1.0, 3.0], [2.0, 4.0]]));
    assert_eq!(drawn["panels"][0]["y"]["scale"], "sqrt");
}

#[test]
fn a_bar_that_was_not_measured_is_absent_and_not_nought() {
    let bars =
        Bars { groups: vec!["a".into(), "b".into()], layers: vec![layer(vec![1.5, f64::NAN])] };
    assert_eq!(option(Marks::Bars(bars))["series"][0]["data"], json!([1.5, null]));
}

#[test]
fn a_cell_that_was_not_measured_is_absent_and_the_first_row_is_at_the_top() {
    let heat = Heat {
        columns: vec!["1".into(), "8".into()],
        rows: vec!["512×512".into(), "1024×512".into()],
        cells: vec![Some(1.0), Some(100.0), None, Some(10.0)],
        label: "tok/s".into(),
        scale: Scale::Log,
        written: false,
        crossed: Vec::new(),
    };
    let drawn = option(Marks::Heat(heat));
    let cells = json!([[0, 0, 0.0, 1.0], [1, 0, 2.0, 100.0], [1, 1, 1.0, 10.0]]);
    assert_eq!(drawn["series"][0]["data"], cells);
    assert_eq!(
        (&drawn["visualMap"]["min"], &drawn["visualMap"]["max"]),
        (&json!(0.0), &json!(2.0))
    );
    assert_eq!(drawn["yAxis"]["inverse"], true);
}

#[test]
fn spans_are_a_series_a_kind_and_failures_are_marked_at_their_end() {
    let row = |parts, failed| Spanned { label: "request 7".into(), parts, failed };
    let spans = Spans {
        kinds: vec![layer(vec![]), Layer { name: "Queue".into(), ..layer(vec![]) }],
        rows: vec![
            row(vec![Some((0.0, 1.0)), None], false),
            row(vec![Some((0.5, 1.0)), Some((1.0, 2.0))], true),
        ],
    };
    let drawn = option(Marks::Spans(spans));
    assert_eq!(drawn["series"][0]["data"], json!([[0, 0.0, 1.0], [1, 0.5, 1.0]]));
    assert_eq!(drawn["series"][1]["data"], json!([[1, 1.0, 2.0]]));
    assert_eq!(drawn["series"][2]["data"], json!([[2.0, 1]]));
}

#[test]
fn histograms_and_stacked_bars_are_drawn_and_tables_left_to_the_page() {
    let histogram =
        Histogram { title: "h".into(), label: "v".into(), values: vec![1.0, 2.0, 4.0], bins: 3 };
    let drawn = option(Marks::Histogram(histogram));
    assert_eq!(drawn["series"][0]["data"], json!([[1.0, 2.0, 1], [2.0, 3.0, 1], [3.0, 4.0, 1]]));
    let drawn = option(Marks::Stacked(vec![layer(vec![3.0, 4.0])]));
    assert_eq!(
        (&drawn["series"][0]["stack"], &drawn["series"][0]["data"]),
        (&json!("all"), &json!([3.0, 4.0]))
    );
    let table = Table { head: vec!["a".into()], rows: vec![vec!["1".into()]] };
    assert_eq!(figure(&of(vec![panel(Marks::Table(table))]))["panels"][0], Value::Null);
}

#[test]
fn rules_are_lines_with_their_areas_and_stay_whatever_is_hidden() {
    let mut limited = panel(Marks::Series(vec![series(vec![Point::at(1.0, 2.0)])]));
    limited.rules = vec![
        Rule {
            on: On::Across,
            at: 32.0,
            within: Some((24.0, 40.0)),
            label: Words::fixed("knee", "拐点"),
        },
        Rule { on: On::Up, at: 500.0, within: None, label: "SLO".into() },
    ];
    let drawn = figure(&of(vec![limited]));
    let rule = &drawn["panels"][0]["option"]["series"][1];
    assert_eq!(rule["markLine"]["data"][0]["xAxis"], 32.0);
    assert_eq!(rule["markLine"]["data"][0]["name"], json!({ "en": "knee", "zh": "拐点" }));
    assert_eq!(rule["markLine"]["data"][1]["yAxis"], 500.0);
    assert_eq!(rule["markArea"]["data"], json!([[{ "xAxis": 24.0 }, { "xAxis": 40.0 }]]));
    assert!(rule.get("key").is_none());
}

#[test]
fn panels_with_shared_axes_span_the_same() {
    let shared =
        |y| panel(Marks::Series(vec![series(vec![Point::at(1.0, y), Point::at(2.0, y + 1.0)])]));
    let mut both = of(vec![shared(0.0), shared(50.0)]);
    both.axes = Axes::Shared;
    let drawn = figure(&both);
    let range = |at: usize| {
        let axis = &drawn["panels"][at]["option"]["yAxis"];
        (axis["min"].clone(), axis["max"].clone())
    };
    assert_eq!(range(0), range(1));
    assert!(range(0).1.as_f64().unwrap() >= 51.0);
}

#[test]
fn noise_is_no_larger_on_the_page_than_on_paper() {
    let points = [100.0, 100.05, 100.1].map(|y| Point::at(y - 99.0, y));
    let drawn = option(Marks::Series(vec![series(points.to_vec())]));
    let end = |name: &str| drawn["yAxis"][name].as_f64().unwrap();
    assert!(end("min") < 98.0 && end("max") > 102.0, "{}", drawn["yAxis"]);
    assert!(drawn["yAxis"]["axisLabel"]["customValues"].as_array().unwrap().len() >= 3);
    // What rises is left to the page.
    let points = [60.0, 80.0, 100.0].map(|y| Point::at(y, y));
    assert!(option(Marks::Series(vec![series(points.to_vec())]))["yAxis"].get("min").is_none());
}

#[test]
fn an_axis_of_shares_ends_at_100_on_the_page_too() {
    let mut shares =
        panel(Marks::Series(vec![series(vec![Point::at(1.0, 40.0), Point::at(9.0, 100.0)])]));
    shares.y = Axis::linear("%").within(0.0, 100.0);
    let drawn = figure(&of(vec![shares]));
    assert_eq!(drawn["panels"][0]["option"]["yAxis"]["max"], 100.0);
}

#[test]
fn cells_that_are_alike_span_few_colours() {
    let heat = Heat {
        columns: vec!["1".into(), "8".into()],
        rows: vec!["a".into()],
        cells: vec![Some(10.0), Some(10.01)],
        label: "ms".into(),
        scale: Scale::Linear,
        written: true,
        crossed: Vec::new(),
    };
    let colours = option(Marks::Heat(heat))["visualMap"].clone();
    let length = colours["max"].as_f64().unwrap() - colours["min"].as_f64().unwrap();
    assert!(length > 0.15, "{colours}");
}

#[test]
fn a_chart_is_described_in_words() {
    let drawn = option(Marks::Series(vec![series(vec![Point::at(1.0, 2.0)])]));
    let described = &drawn["aria"]["label"]["description"];
    assert_eq!(described["en"], "Panel: A chart of 1 series (Mean). TTFT (ms) over Concurrency.");
    assert_eq!(described["zh"], "面板：共 1 条曲线（平均）。横轴：并发数；纵轴：TTFT (ms)。");
}

proptest! {
    #[test]
    fn no_figure_has_a_number_that_json_lacks(
        points in prop::collection::vec((any::<f64>(), any::<f64>(), prop::option::of((any::<f64>(), any::<f64>()))), 0..8),
        log in any::<bool>(),
    ) {
        let points = points.into_iter().map(|(x, y, error)| Point { error, ..Point::at(x, y) });
        let mut drawn = panel(Marks::Series(vec![series(points.collect())]));
        drawn.x.scale = if log { Scale::Log } else { Scale::Linear };
        let value = figure(&of(vec![drawn]));
        for one in value["panels"][0]["option"]["series"].as_array().unwrap() {
            for datum in one["data"].as_array().unwrap() {
                prop_assert!(datum.as_array().unwrap().iter().all(Value::is_number), "{datum}");
            }
        }
    }
}
