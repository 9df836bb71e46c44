//! Figures, whole: what stands in the SVG, and what a PNG is like.

mod gallery;
mod golden;
mod strange;

use super::*;

fn curve(name: &str, kind: usize, points: &[(f64, f64)]) -> Series {
    let points = points.iter().map(|&(x, y)| Point::at(x, y)).collect();
    Series {
        name: Some(name.into()),
        look: Look::kind(kind),
        points,
        errors: crate::figure::Errors::default(),
    }
}

fn one_panel(series: Vec<Series>) -> Figure {
    let panel = Panel {
        title: Words::default(),
        x: Axis::linear("x"),
        y: Axis::linear("y"),
        marks: Marks::Series(series),
        rules: Vec::new(),
    };
    Figure {
        title: Words::default(),
        panels: vec![panel],
        columns: 1,
        panel: Size { width: 4.0, height: 3.0 },
        dpi: 50,
        axes: Axes::Shared,
        legend: None,
    }
}

/// Width, height and pixels per metre of a PNG.
fn measured(png: &[u8]) -> (u32, u32, u32) {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let info = reader.info();
    (info.width, info.height, info.pixel_dims.unwrap().xppu)
}

#[test]
fn a_png_has_the_pixels_of_its_size_and_resolution() {
    let mut figure = one_panel(vec![]);
    assert_eq!(measured(&figure.png().unwrap()), (200, 150, 1969));
    figure.dpi = 300;
    assert_eq!(measured(&figure.png().unwrap()), (1200, 900, 11811));
}

#[test]
fn a_legend_widens_the_figure_and_names_each_series_once() {
    let plain = one_panel(vec![]).svg();
    let figure = one_panel(vec![
        curve("a", 0, &[(1.0, 1.0)]),
        curve("a", 0, &[(2.0, 1.0)]),
        curve("b", 1, &[]),
    ]);
    let svg = figure.svg();
    assert!(plain.contains("viewBox=\"0 0 288 216\""), "{plain}");
    assert!(!svg.contains("viewBox=\"0 0 288 216\""));
    assert_eq!((svg.matches("\na\n</text>").count(), svg.matches("\nb\n</text>").count()), (1, 1));
}

#[test]
fn an_axis_that_begins_above_0_has_the_sign_of_a_break_and_others_have_none() {
    let strokes = |points: &[(f64, f64)]| {
        one_panel(vec![curve("a", 0, points)]).svg().matches("<line").count()
    };
    let ticks = |points: &[(f64, f64)]| {
        let figure = one_panel(vec![curve("a", 0, points)]);
        let layout = layout::Layout::of(&figure, Language::English);
        layout.views[0].x_ticks.len() + layout.views[0].y_ticks.len()
    };
    let whole = [(0.0, 0.0), (5.0, 100.0)];
    let late = [(0.0, 90.0), (5.0, 100.0)];
    assert_eq!(strokes(&whole), ticks(&whole));
    assert_eq!(strokes(&late), ticks(&late) + 2);
    let bars = super::Marks::Bars(Bars {
        groups: vec!["a".into()],
        layers: vec![Layer { name: "".into(), look: Look::kind(0), heights: vec![90.0] }],
    });
    let mut figure = one_panel(vec![]);
    figure.panels[0].marks = bars;
    let layout = layout::Layout::of(&figure, Language::English);
    assert_eq!(layout.views[0].up.low, 0.0, "bars begin at 0");
}

#[test]
fn a_title_stands_over_the_panels_and_makes_the_figure_higher() {
    let plain = one_panel(vec![]).svg();
    let titled = Figure { title: "tp=2".into(), ..one_panel(vec![]) }.svg();
    assert!(
        plain.contains("viewBox=\"0 0 288 216\"") && !titled.contains("viewBox=\"0 0 288 216\"")
    );
    assert!(titled.contains("\ntp=2\n</text>"), "{titled}");
}

#[test]
fn texts_of_strangers_cannot_break_the_figure() {
    let figure = one_panel(vec![curve("<script>&\"'", 0, &[(1.0, 1.0), (2.0, 3.0)])]);
    assert!(figure.svg().contains("&lt;script&gt;&amp;"));
    figure.png().unwrap();
}

#[test]
fn points_that_cannot_stand_on_an_axis_are_left_out_and_counted() {
    let mut figure = one_panel(vec![curve(
        "a",
        0,
        &[(0.0, 1.0), (f64::INFINITY, 2.0), (10.0, f64::NAN), (10.0, 4.0)],
    )]);
    assert_eq!(figure.left_out(), 2);
    figure.panels[0].x.scale = Scale::Log;
    assert_eq!(figure.left_out(), 3);
    assert!(!figure.svg().contains("NaN") && !figure.svg().contains("inf"), "{}", figure.svg());
}

#[test]
fn nothing_at_all_can_be_drawn() {
    let empty = Figure { panels: vec![], ..one_panel(vec![]) };
    empty.png().unwrap();
    histograms(&[], Size { width: 1.0, height: 1.0 }, 72).png().unwrap();
    let nothing = Histogram { title: "t".into(), label: "l".into(), values: vec![], bins: 30 };
    histograms(&[nothing], Size { width: 3.0, height: 3.0 }, 72).png().unwrap();
}

#[test]
fn a_figure_without_pixels_or_with_too_many_is_refused() {
    let figure = Figure { dpi: 0, ..one_panel(vec![]) };
    assert_eq!(figure.png(), Err(RasterError::Size { width: 0, height: 0 }));
    let figure = Figure { dpi: 100_000, ..one_panel(vec![]) };
    assert!(matches!(figure.png(), Err(RasterError::Size { .. })));
}

#[test]
fn four_histograms_stand_two_by_two() {
    let histogram = |title: &str| Histogram {
        title: title.into(),
        label: "tokens".into(),
        values: (0..200).map(f64::from).collect(),
        bins: 30,
    };
    let four = ["a", "b", "c", "d"].map(histogram);
    let figure = histograms(&four, Size { width: 10.0, height: 8.0 }, 30);
    assert_eq!(figure.columns, 2);
    assert_eq!(measured(&figure.png().unwrap()).0, 300);
    assert_eq!(figure.svg().matches("<rect").count(), 1 + 4 * 30);
}
