//! Figures of what nobody should draw: they must still be figures.

use proptest::prelude::*;
use resvg::usvg::{Options, Tree};

use super::gallery::figure_of;
use super::*;

/// Values of every kind that there is.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e6_f64,
        1 => prop::sample::select(vec![
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1e-300,
        ]),
    ]
}

fn words() -> impl Strategy<Value = Words> {
    let text = || {
        prop_oneof![
            Just(String::new()),
            Just("<&>\"'\u{0}\u{7}\u{1b}[31m\u{fffe}".to_owned()),
            "[a-z 模型]{1,12}",
            "(?s).{0,20}",
            Just("a very long label ".repeat(40)),
        ]
    };
    (text(), text()).prop_map(|(english, chinese)| Words::both(english, chinese))
}

fn few<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(one, 0..5)
}

fn layer() -> impl Strategy<Value = Layer> {
    (words(), 0_usize..9, few(value())).prop_map(|(name, kind, heights)| Layer {
        name,
        look: Look::kind(kind),
        heights,
    })
}

fn scale() -> impl Strategy<Value = Scale> {
    prop::sample::select(vec![Scale::Linear, Scale::Log, Scale::Sqrt])
}

fn point() -> impl Strategy<Value = Point> {
    let error = prop::option::of((value(), value()));
    (value(), value(), error, prop::option::of("\\PC{0,9}"))
        .prop_map(|(x, y, error, label)| Point { x, y, error, label })
}

fn marks() -> impl Strategy<Value = Marks> {
    let series =
        (words(), few(point()), any::<bool>()).prop_map(|(name, points, is_band)| Series {
            name: Some(name),
            look: Look::kind(1),
            points,
            errors: if is_band { Errors::Band } else { Errors::Bars },
        });
    let heat = (few(words()), few(words()), few(prop::option::of(value())), words(), scale())
        .prop_map(|(columns, rows, cells, label, scale)| {
            Marks::Heat(Heat {
                columns,
                rows,
                cells,
                label,
                scale,
                written: true,
                crossed: Vec::new(),
            })
        });
    let spanned = ("\\PC{0,9}", few(prop::option::of((value(), value()))), any::<bool>())
        .prop_map(|(label, parts, failed)| Spanned { label, parts, failed });
    prop_oneof![
        few(series).prop_map(Marks::Series),
        few(layer()).prop_map(Marks::Stacked),
        (few(words()), few(layer()))
            .prop_map(|(groups, layers)| Marks::Bars(Bars { groups, layers })),
        heat,
        (few(layer()), few(spanned)).prop_map(|(kinds, rows)| Marks::Spans(Spans { kinds, rows })),
        (few(words()), few(few("(?s).{0,12}")))
            .prop_map(|(head, rows)| Marks::Table(Table { head, rows })),
        (words(), words(), few(value())).prop_map(|(title, label, values)| {
            Marks::Histogram(Histogram { title, label, values, bins: 5 })
        }),
    ]
}

fn panel() -> impl Strategy<Value = Panel> {
    let rule = (any::<bool>(), value(), prop::option::of((value(), value())), words()).prop_map(
        |(is_across, at, within, label)| Rule {
            on: if is_across { On::Across } else { On::Up },
            at,
            within,
            label,
        },
    );
    let axis = || {
        (words(), scale(), prop::option::of((value(), value())))
            .prop_map(|(label, scale, within)| Axis { label, scale, within })
    };
    (words(), axis(), axis(), marks(), few(rule)).prop_map(|(title, x, y, marks, rules)| Panel {
        title,
        x,
        y,
        marks,
        rules,
    })
}

fn is_svg(figure: &Figure) {
    for &language in crate::words::LANGUAGES {
        let svg = figure.svg_in(language);
        // Without fonts, which reading takes long with: texts are not what is tried here.
        Tree::from_str(&svg, &Options::default()).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("\"inf"), "{svg}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_figure_is_svg(
        title in words(),
        panels in prop::collection::vec(panel(), 0..3),
        columns in 0_usize..4,
        size in (value(), value()),
        is_shared in any::<bool>(),
    ) {
        let figure = Figure {
            title,
            columns,
            panel: Size { width: size.0, height: size.1 },
            axes: if is_shared { Axes::Shared } else { Axes::Own },
            ..figure_of(panels)
        };
        is_svg(&figure);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_names_of_bars_lie_on_the_paper_and_not_on_the_axis_or_its_label(
        names in prop::collection::vec("[a-z0-9 ×模]{1,50}", 1..80),
        wide in 2.0_f64..14.0,
        high in 2.0_f64..8.0,
    ) {
        let layer = Layer { name: "a".into(), look: Look::kind(0), heights: vec![1.0; names.len()] };
        let bars = Bars { groups: names.iter().map(Words::from).collect(), layers: vec![layer] };
        let panel = Panel {
            title: "bars".into(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            marks: Marks::Bars(bars),
            rules: vec![],
        };
        let size = Size { width: wide, height: high };
        let figure = Figure { panel: size, ..figure_of(vec![panel]) };
        let layout = layout::Layout::of(&figure, Language::English);
        let view = &layout.views[0];
        let place = (view.frame.left, view.frame.bottom);
        let texts = view.names.as_ref().unwrap().texts(view.slots(), place, view.edges);
        for text in &texts {
            for (x, y) in text.corners() {
                prop_assert!(-1.0 <= x && x <= layout.width + 1.0, "{x} {text:?}");
                // Above the label of the axis, which stands at the foot of the paper.
                prop_assert!(view.frame.bottom <= y && y <= layout.height - 12.0, "{y} {text:?}");
            }
        }
    }
}

#[test]
fn five_hundred_of_everything_are_drawn() {
    let names: Vec<Words> = (0..500).map(|n| Words::from(format!("a name of thing {n}"))).collect();
    let layer = |kind| Layer {
        name: format!("layer {kind}").into(),
        look: Look::kind(kind),
        heights: (0..500).map(f64::from).collect(),
    };
    let bars = Marks::Bars(Bars { groups: names.clone(), layers: (0..4).map(layer).collect() });
    let heat = Marks::Heat(Heat {
        columns: names.clone(),
        rows: names[..100].to_vec(),
        cells: (0..50_000).map(|n| (n % 7 != 0).then(|| f64::from(n))).collect(),
        label: "value".into(),
        scale: Scale::Sqrt,
        written: true,
        crossed: Vec::new(),
    });
    let row = |n: u32| Spanned {
        label: format!("r{n}"),
        parts: vec![Some((f64::from(n), f64::from(n + 5)))],
        failed: n.is_multiple_of(3),
    };
    let spans = Marks::Spans(Spans { kinds: vec![layer(0)], rows: (0..500).map(row).collect() });
    let table = Marks::Table(Table { head: names, rows: vec![vec!["12.5".to_owned(); 500]; 500] });
    for marks in [bars, heat, spans, table] {
        let panel = Panel {
            title: "500".into(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            marks,
            rules: vec![],
        };
        is_svg(&figure_of(vec![panel]));
    }
}
