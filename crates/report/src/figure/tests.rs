//! Figures, whole: what stands in the SVG, and what a PNG is like.

use super::*;

fn curve(name: &str, kind: usize, points: &[(f64, f64)]) -> Series {
    let points = points.iter().map(|&(x, y)| Point::at(x, y)).collect();
    Series { name: Some(name.to_owned()), look: Look::kind(kind), points }
}

fn one_panel(series: Vec<Series>) -> Figure {
    let panel = Panel {
        title: String::new(),
        x: Axis::linear("x"),
        y: Axis::linear("y"),
        marks: Marks::Series(series),
    };
    Figure {
        title: String::new(),
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
fn a_title_stands_over_the_panels_and_makes_the_figure_higher() {
    let plain = one_panel(vec![]).svg();
    let titled = Figure { title: "tp=2".to_owned(), ..one_panel(vec![]) }.svg();
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
        title: title.to_owned(),
        label: "tokens".to_owned(),
        values: (0..200).map(f64::from).collect(),
        bins: 30,
    };
    let four = ["a", "b", "c", "d"].map(histogram);
    let figure = histograms(&four, Size { width: 10.0, height: 8.0 }, 30);
    assert_eq!(figure.columns, 2);
    assert_eq!(measured(&figure.png().unwrap()).0, 300);
    assert_eq!(figure.svg().matches("<rect").count(), 1 + 4 * 30);
}

/// Writes figures to be looked at, where an environment variable names a folder.
#[test]
fn figures_can_be_looked_at() {
    let Some(folder) = std::env::var_os("FIGURES_TO_LOOK_AT") else { return };
    let folder = Path::new(&folder);
    for (name, figure) in gallery() {
        figure.save(&folder.join(name)).unwrap();
    }
}

fn gallery() -> Vec<(&'static str, Figure)> {
    let with_errors = |name: &str, kind: usize, factor: f64| {
        let mut series = curve(name, kind, &[]);
        series.look.dash = Dash::Kind(kind);
        series.points = (0..8)
            .map(|step| {
                let (x, y) = (
                    f64::from(step) * 800.0 * factor + 150.0,
                    40.0 + f64::from(step * step) * 13.0 / factor,
                );
                Point { x, y, error: Some((y * 0.9, y * 1.12)), label: None }
            })
            .collect();
        series
    };
    let series = vec![
        with_errors("tp=1, max_num_seqs=64", 0, 0.6),
        with_errors("tp=2, max_num_seqs=64", 1, 1.0),
        with_errors("tp=4, max_num_seqs=64", 2, 1.6),
    ];
    let panel = |title: &str, scale: Scale| Panel {
        title: title.to_owned(),
        x: Axis::linear("total_token_throughput"),
        y: Axis { label: "median_ttft_ms".into(), scale },
        marks: Marks::Series(series.clone()),
    };
    let facets = Figure {
        title: "tp=2".into(),
        panels: vec![
            panel("model=a\ndataset=random", Scale::Linear),
            panel("model=b", Scale::Linear),
            panel("model=c", Scale::Linear),
        ],
        columns: 2,
        panel: Size { width: 4.0, height: 3.2 },
        dpi: 110,
        axes: Axes::Shared,
        legend: Some("tp, max_num_seqs".into()),
    };
    let log = Figure {
        panels: vec![panel("", Scale::Log)],
        columns: 1,
        panel: Size { width: 6.4, height: 6.4 },
        ..facets.clone()
    };
    let mut muted = Series { name: Some("All runs".into()), look: Look::muted(), points: vec![] };
    let mut frontier =
        Series { name: Some("Pareto frontier".into()), look: Look::kind(0), points: vec![] };
    for step in 0..9 {
        let (x, y) = (60.0 - f64::from(step) * 6.0, 400.0 + f64::from(step).powf(1.6) * 70.0);
        let label = Some(format!("max_concurrency={}\ngpu_count=2", 1 << step));
        frontier.points.push(Point { x, y, error: None, label });
        muted.points.extend([Point::at(x, y), Point::at(x * 0.8, y * 0.7)]);
    }
    let mut pareto = one_panel(vec![muted, frontier]);
    (pareto.panel, pareto.dpi) = (Size { width: 6.4, height: 4.8 }, 110);
    let lengths = |n: u32, spread: f64| {
        (0..n)
            .map(|i| 500.0 + spread * (f64::from(i) * 0.7).sin() * f64::from(i % 17))
            .collect::<Vec<_>>()
    };
    let histogram = |title: &str, values: Vec<f64>| Histogram {
        title: title.into(),
        label: "Tokens".into(),
        values,
        bins: 30,
    };
    let mut dataset = histograms(
        &[
            histogram("Prompt tokens", lengths(300, 20.0)),
            histogram("Output tokens", lengths(300, 3.0)),
            histogram("Total tokens", lengths(300, 9.0)),
        ],
        Size { width: 10.0, height: 8.0 },
        90,
    );
    let layer = |name: &str, kind: usize, heights: Vec<f64>| Layer {
        name: name.into(),
        look: Look::kind(kind),
        heights,
    };
    dataset.panels.push(Panel {
        title: "Tokens per request".into(),
        x: Axis::linear("Request"),
        y: Axis::linear("Tokens"),
        marks: Marks::Stacked(vec![
            layer("Prompt", 0, lengths(300, 20.0)),
            layer("Output", 1, lengths(300, 3.0)),
        ]),
    });
    vec![
        ("facets.png", facets),
        ("log.png", log),
        ("pareto.png", pareto),
        ("dataset.png", dataset.clone()),
        ("dataset.svg", dataset),
    ]
}
