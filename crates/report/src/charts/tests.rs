//! Every chart, on what it is made for and on what it is not.

use tokometer_metrics::Run;
use tokometer_metrics::summary::summarize;
use tokometer_record::{Failure, FailureKind, Outcome, PointLog};

use super::testing::{case, log, sweep};
use super::*;
use crate::figure::{Marks, Series};
use crate::words::LANGUAGES;

fn chart(key: &str) -> &'static SweepChart {
    SWEEP_CHARTS.iter().find(|chart| chart.key == key).expect("there is such a chart")
}

fn drawn(key: &str, cases: &[Case]) -> Figure {
    (chart(key).draw)(cases).unwrap_or_else(|| panic!("{key} has something to show"))
}

fn series(figure: &Figure, panel: usize) -> &[Series] {
    match &figure.panels[panel].marks {
        Marks::Series(series) => series,
        other => panic!("{other:?}"),
    }
}

fn groups(figure: &Figure) -> Vec<String> {
    let names = figure.panels.iter().filter_map(|panel| match &panel.marks {
        Marks::Bars(bars) => Some(bars.groups.iter().map(ToString::to_string)),
        _ => None,
    });
    names.flatten().collect()
}

/// Every chart, of every case, in every language: what a reader would see, and that there is no panic on the way.
fn everything(cases: &[Case]) -> Vec<(&'static str, String)> {
    let figures = SWEEP_CHARTS.iter().filter_map(|chart| Some((chart.key, (chart.draw)(cases)?)));
    let all = figures.map(|(key, figure)| {
        (key, LANGUAGES.iter().map(|&language| figure.svg_in(language)).collect::<String>())
    });
    all.collect()
}

fn keys(cases: &[Case]) -> Vec<&'static str> {
    everything(cases).into_iter().map(|(key, _)| key).collect()
}

/// A sweep of which the objectives, the price and the GPUs are told, and in which some requests failed.
fn told() -> Vec<Case> {
    let mut cases = sweep();
    for case in &mut cases {
        let load = case.concurrency.unwrap_or(1.0);
        case.gpus = Some(2.0);
        case.price = Some((8.0, "USD".to_owned()));
        case.figures.insert("slo_attainment".to_owned(), (32.0 / load).min(1.0));
        case.figures.insert("request_goodput".to_owned(), load.min(32.0));
        if load > 64.0 {
            case.figures.insert("failed".to_owned(), 100.0);
            case.figures.insert("error_kinds.HTTP 503".to_owned(), 80.0);
        }
    }
    cases
}

#[test]
fn every_chart_has_a_name_of_its_own_and_speaks_both_languages() {
    let sweep = SWEEP_CHARTS.iter().map(|chart| (chart.key, chart.title, chart.about));
    let point = POINT_CHARTS.iter().map(|chart| (chart.key, chart.title, chart.about));
    let mut keys = Vec::new();
    for (key, title, about) in sweep.chain(point) {
        assert!(!keys.contains(&key), "{key}");
        for (english, chinese) in [title, about] {
            assert!(english.is_ascii() || english.contains(['×', '–', '÷']), "{key}: {english}");
            assert!(
                chinese.chars().any(|sign| ('\u{4e00}'..='\u{9fff}').contains(&sign)),
                "{key}: {chinese}"
            );
        }
        keys.push(key);
    }
}

#[test]
fn a_full_sweep_has_every_chart() {
    assert_eq!(keys(&told()).len(), SWEEP_CHARTS.len());
}

#[test]
fn charts_of_what_was_not_told_are_not_drawn() {
    let drawn = keys(&sweep());
    for absent in ["slo_attainment", "cost", "failures"] {
        assert!(!drawn.contains(&absent), "{absent}");
    }
    assert_eq!(drawn.len(), SWEEP_CHARTS.len() - 3);
}

#[test]
fn nothing_has_no_chart() {
    assert_eq!(keys(&[]), [""; 0]);
    assert_eq!(keys(&[Case::default()]), [""; 0]);
}

#[test]
fn one_case_has_bars_and_no_curve() {
    assert_eq!(
        keys(&[case(512.0, 128.0, 4.0)]),
        [
            "throughput_comparison",
            "latency_comparison",
            "performance_heatmap",
            "comprehensive_dashboard"
        ]
    );
}

#[test]
fn a_sweep_of_which_everything_failed_shows_failures_and_no_latency() {
    let failed = |case: Case| Case {
        figures: [("completed", 0.0), ("failed", 400.0), ("error_kinds.connection refused", 400.0)]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        ..case
    };
    let cases: Vec<Case> = sweep().into_iter().map(failed).collect();
    assert_eq!(keys(&cases), ["failures"]);
}

#[test]
fn odd_cases_are_drawn_without_harm() {
    let mut cases = told();
    cases.push(Case { input_len: None, output_len: None, ..case(1.0, 1.0, 3.0) });
    cases.push(Case { concurrency: None, rate: Some(2.5), ..case(512.0, 128.0, 3.0) });
    cases.push(Case { concurrency: None, rate: None, ..case(512.0, 128.0, 3.0) });
    cases.push(Case { group: "另一个模型".to_owned(), gpus: None, ..case(512.0, 128.0, 8.0) });
    cases.push(Case::default());
    let mut odd = case(300.5, 20.25, 4.0);
    for (key, value) in &mut odd.figures {
        *value = if key.len() % 2 == 0 { f64::NAN } else { -1e300 };
    }
    cases.push(odd);
    assert_eq!(everything(&cases).len(), SWEEP_CHARTS.len());
    for from in [8, 14, 15, 16, 17, 18, 19] {
        everything(&cases[from..]);
    }
}

#[test]
fn configurations_stand_by_number_and_never_by_name() {
    let figure = drawn("throughput_comparison", &sweep());
    let expected = [1, 2, 4, 16, 32, 64, 128].map(|load| format!("mc{load}"));
    let of = |lengths: &str| expected.clone().map(|load| format!("{lengths}_{load}"));
    assert_eq!(groups(&figure), [of("512x128"), of("1024x256")].concat());
}

#[test]
fn two_hundred_configurations_keep_their_names_and_none_is_lost() {
    let cases: Vec<Case> = (0..200)
        .map(|n| case(f64::from(n / 20 + 1) * 64.0, 128.0, f64::from(n % 20 + 1)))
        .collect();
    assert_eq!(groups(&drawn("throughput_comparison", &cases)).len(), 200);
    assert_eq!(groups(&drawn("latency_comparison", &cases)).len(), 3 * 200);
    let dashboard = drawn("comprehensive_dashboard", &cases);
    assert!(
        dashboard.panels[0].title.contains("36 of 200, with the extremes"),
        "{}",
        dashboard.panels[0].title
    );
    everything(&cases);
}

#[test]
fn of_very_many_configurations_those_that_failed_stand_alone_and_the_title_says_so() {
    let mut cases: Vec<Case> = (1..=200).map(|load| case(512.0, 128.0, f64::from(load))).collect();
    cases[99].figures.insert("failed".to_owned(), 4.0);
    let figure = drawn("failures", &cases);
    assert_eq!(groups(&figure), ["512x128_mc100"]);
    assert!(figure.title.contains("in 1 of 200 configurations"), "{}", figure.title);
}

#[test]
fn what_the_client_limited_is_crossed_named_and_on_no_line() {
    let mut cases = sweep();
    let limited = cases.iter_mut().find(|case| case.label() == "512x128_mc64").unwrap();
    limited.client_limited = true;
    for (key, svg) in everything(&cases) {
        assert!(svg.contains("client-limited"), "{key}");
        assert!(svg.contains("受压测客户端限制"), "{key}");
    }
    assert!(groups(&drawn("throughput_comparison", &cases)).contains(&"512x128_mc64 ×".to_owned()));
    let figure = drawn("latency_throughput", &cases);
    let growth = series(&figure, 0);
    let line = |name: &str| {
        growth.iter().find(|series| series.name.as_deref().is_some_and(|n| n.starts_with(name)))
    };
    let trusted: Vec<f64> = line("512×128").unwrap().points.iter().map(|point| point.x).collect();
    assert_eq!(trusted, [1.0, 2.0, 4.0, 16.0, 32.0, 128.0]);
    let crossed: Vec<f64> = growth.last().unwrap().points.iter().map(|point| point.x).collect();
    assert_eq!(crossed, [64.0]);
}

#[test]
fn the_knee_is_where_throughput_stops_growing() {
    let mut all = sweep();
    for case in &mut all {
        // As many as have a place are served at once, and the more they are the slower is each.
        let served = case.concurrency.unwrap().min(32.0);
        case.figures.insert("output_throughput".to_owned(), served * 1e3 / (8.0 + 0.05 * served));
    }
    let cases: Vec<Case> =
        all.iter().filter(|case| case.input_len == Some(512.0)).cloned().collect();
    let figure = drawn("latency_throughput", &cases);
    let rule = figure.panels[0].rules.first().expect("the curve bends");
    let (low, high) = rule.within.unwrap();
    assert!(16.0 < rule.at && rule.at < 64.0, "{rule:?}");
    assert!(low < rule.at && rule.at < high, "{rule:?}");
    assert!(rule.label.starts_with("knee: "), "{}", rule.label);
    assert!(rule.label.contains(" in flight ("), "{}", rule.label);
    // With several curves there is a knee each, and their legend tells.
    let figure = drawn("latency_throughput", &all);
    assert_eq!(figure.panels[0].rules, []);
    assert!(series(&figure, 0)[0].name.as_deref().unwrap().contains(", knee: "));
}

#[test]
fn a_smooth_curve_that_still_rises_has_no_knee() {
    // Throughput of a service whose time per token grows with its batch: no two lines.
    let mut cases = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0].map(|n| case(512.0, 128.0, n));
    for case in &mut cases {
        let load = case.concurrency.unwrap();
        case.figures.insert("output_throughput".to_owned(), load * 1e3 / (9.0 + 0.225 * load));
    }
    assert_eq!(drawn("latency_throughput", &cases).panels[0].rules, []);
}

/// The sweep of one pair of lengths, and the same in open loop.
fn both_loops() -> Vec<Case> {
    let rate = |rate: f64| Case { concurrency: None, rate: Some(rate), ..case(512.0, 128.0, rate) };
    let other = [case(1024.0, 256.0, 1.0), case(1024.0, 256.0, 4.0)];
    let closed = [case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0)];
    closed.into_iter().chain(other).chain([rate(0.5), rate(2.0)]).collect()
}

#[test]
fn a_configuration_has_one_colour_in_all_panels_and_its_open_loop_a_name() {
    let figure = drawn("latency_throughput", &both_loops());
    for panel in 0..figure.panels.len() {
        for series in series(&figure, panel) {
            let name = series.name.as_deref().expect("every curve is named");
            let colour = if name.starts_with("512×128") { 0 } else { 1 };
            assert_eq!(series.look.colour, crate::figure::Colour::Kind(colour), "{name}");
            let solid = series.look.dash == crate::figure::Dash::Kind(0);
            assert_eq!(solid, !name.contains("open loop"), "{name}");
        }
    }
    let names: Vec<&str> = series(&figure, 2).iter().map(|s| s.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["512×128", "512×128, open loop", "1024×256"]);
}

#[test]
fn what_a_user_gets_is_the_speed_of_decoding_and_never_by_the_peak_in_flight() {
    let mut open = case(512.0, 128.0, 4.0);
    (open.concurrency, open.rate) = (None, Some(4.0));
    open.figures.insert("mean_tpot_ms".to_owned(), 10.0);
    open.figures.insert("max_concurrent_requests".to_owned(), 77.0);
    let cases = [open, case(512.0, 128.0, 1.0)];
    let figure = drawn("pareto", &cases);
    assert!(figure.panels[0].x.label.contains("1000 ÷ mean TPOT"));
    let speeds = |figure: &Figure| -> Vec<f64> {
        series(figure, 0).iter().flat_map(|series| &series.points).map(|p| p.x).collect()
    };
    assert!(speeds(&figure).contains(&100.0));
    let untold = cases.map(|mut case| {
        case.figures.remove("mean_tpot_ms");
        case.figures.insert("mean_concurrency".to_owned(), 2.0);
        case.figures.insert("output_throughput".to_owned(), 50.0);
        case
    });
    let figure = drawn("pareto", &untold);
    assert!(figure.panels[0].x.label.contains("throughput ÷ mean requests in flight"));
    assert!(speeds(&figure).iter().all(|speed| *speed == 25.0));
}

#[test]
fn a_cell_is_of_valid_measurements_only_where_there_are_any_and_else_crossed() {
    let measured = |load: f64, tokens: f64, limited: bool| {
        let mut case = case(512.0, 128.0, load);
        case.client_limited = limited;
        case.figures.insert("output_throughput".to_owned(), tokens);
        case
    };
    let cases = [
        measured(1.0, 10.0, false),
        measured(1.0, 20.0, false),
        measured(1.0, 900.0, true),
        measured(2.0, 40.0, true),
    ];
    let figure = drawn("performance_heatmap", &cases);
    let Marks::Heat(heat) = &figure.panels[0].marks else { panic!("{figure:?}") };
    assert_eq!(
        (heat.cells.as_slice(), heat.crossed.as_slice()),
        (&[Some(15.0), Some(40.0)][..], &[1][..])
    );
    assert!(figure.svg().contains("40.0 ×") || figure.svg().contains("40 ×"));
    assert!(figure.title.contains("Means of repetitions: 512×128 mc1"), "{}", figure.title);
}

#[test]
fn where_there_is_no_room_for_all_curves_the_extremes_are_shown_and_the_others_named() {
    let mut cases: Vec<Case> = (1..=20_u32)
        .flat_map(|n| [1.0, 4.0].map(|load| case(f64::from(n) * 64.0, 128.0, load)))
        .collect();
    let worst = cases.iter_mut().find(|case| case.input_len == Some(960.0)).unwrap();
    worst.figures.insert("p99_ttft_ms".to_owned(), 1e5);
    let figure = drawn("percentiles_load", &cases);
    assert!(figure.panels.iter().any(|panel| panel.title.starts_with("960×128")));
    assert!(figure.title.contains("of 20 curves"), "{}", figure.title);
    assert!(figure.title.contains("left out: "), "{}", figure.title);
}

#[test]
fn a_share_has_no_more_than_a_hundred_per_cent_on_its_axis() {
    let mut cases = [case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0)];
    for case in &mut cases {
        case.figures.insert("slo_attainment".to_owned(), 1.0);
    }
    let figure = drawn("slo_attainment", &cases);
    assert_eq!(figure.panels[0].y.within, Some((0.0, 100.0)));
}

#[test]
fn configurations_of_which_many_failed_bear_a_dagger_that_is_explained() {
    let names = groups(&drawn("throughput_comparison", &told()));
    assert!(names.contains(&"512x128_mc128 †".to_owned()), "{names:?}");
    assert!(
        drawn("throughput_comparison", &told())
            .title
            .contains("† more than 1 % of requests failed")
    );
}

#[test]
fn nothing_is_dotted_but_what_the_client_limited() {
    let dotted = |key: &str, cases: &[Case]| {
        let figure = drawn(key, cases);
        (0..figure.panels.len())
            .flat_map(|panel| series(&figure, panel).to_vec())
            .filter(|series| series.look.dash == crate::figure::Dash::Kind(2))
            .count()
    };
    let mut cases = sweep();
    for key in ["latency_throughput", "percentiles_load"] {
        assert_eq!(dotted(key, &cases), 0, "{key}");
    }
    cases[0].client_limited = true;
    for key in ["latency_throughput", "percentiles_load"] {
        assert!(dotted(key, &cases) > 0, "{key}");
        assert!(drawn(key, &cases).title.contains("A dotted line leads to client-limited loads"));
    }
}

#[test]
fn a_load_measured_several_times_is_one_point_with_its_range() {
    let mut cases = vec![case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0), case(512.0, 128.0, 4.0)];
    cases[2].figures.insert("output_throughput".to_owned(), 1.0);
    let figure = drawn("latency_throughput", &cases);
    let points = &series(&figure, 0)[0].points;
    assert_eq!(points.len(), 2);
    let (low, high) = points[1].error.unwrap();
    assert_eq!((low, points[1].y), (1.0, f64::midpoint(low, high)));
}

#[test]
fn measured_lengths_that_scatter_are_one_curve_and_asked_ones_are_not() {
    let scattered = [(380.6, 1.0), (391.2, 4.0), (377.0, 16.0)];
    let cases = scattered.map(|(input, load)| case(input, 128.0, load));
    assert_eq!(series(&drawn("latency_throughput", &cases), 0).len(), 1);
    let asked = [(512.0, 1.0), (520.0, 1.0), (512.0, 4.0), (520.0, 4.0)];
    let cases = asked.map(|(input, load)| case(input, 128.0, load));
    assert_eq!(series(&drawn("latency_throughput", &cases), 0).len(), 2);
}

/// A sweep of which lengths were drawn: what came of them scatters from load to load.
fn drawn_lengths() -> Vec<Case> {
    use crate::cases::{Asked, Lengths};
    let asked = Asked {
        dataset: None,
        input: Some(Lengths { low: 100.0, high: 300.0 }),
        output: Some(Lengths { low: 20.0, high: 60.0 }),
    };
    let measured = [(186.0, 41.0, 16.0), (210.0, 42.0, 4.0), (219.0, 43.0, 1.0)];
    let case = |(input, output, load)| Case {
        asked: asked.clone(),
        measured: [Some(input), Some(output)],
        ..case(input, output, load)
    };
    measured.map(case).to_vec()
}

#[test]
fn lengths_that_were_drawn_are_one_curve_one_row_and_stand_by_load() {
    let cases = drawn_lengths();
    let labels = ["mc1", "mc4", "mc16"].map(|load| format!("100–300x20–60_{load}"));
    assert_eq!(groups(&drawn("throughput_comparison", &cases)), labels);
    let Marks::Heat(heat) = &drawn("performance_heatmap", &cases).panels[0].marks.clone() else {
        panic!("a heat map")
    };
    assert_eq!((heat.rows.len(), heat.cells.iter().flatten().count()), (1, 3));
    for key in ["latency_throughput", "percentiles_load"] {
        let figure = drawn(key, &cases);
        let loads: Vec<f64> = series(&figure, 0)[0].points.iter().map(|point| point.x).collect();
        assert_eq!(loads, [1.0, 4.0, 16.0], "{key}");
    }
    let title = drawn("throughput_comparison", &cases).title;
    let note = "Mean tokens measured, more than 5 % from those asked for: 100–300×20–60 at mc1 219 in and 43 out, mc16 186 in";
    let told = title.split_once('\n').map_or_else(String::new, |(_, note)| note.replace('\n', " "));
    assert!(told.contains(note), "{told}");
}

#[test]
fn what_makes_no_curve_is_named_and_not_dropped() {
    let mut cases = sweep();
    cases.push(case(2048.0, 64.0, 8.0));
    cases.push(Case { concurrency: None, ..case(512.0, 128.0, 8.0) });
    let title = drawn("percentiles_load", &cases).title.replace('\n', " ");
    assert!(
        title.contains("one load makes no curve: 512×128 at all at once; 2048×64 at mc8"),
        "{title}"
    );
}

#[test]
fn cases_of_several_models_bear_their_names() {
    let of = |group: &str, load: f64| Case {
        group: format!("meta/llama-3.1-{group}"),
        ..case(512.0, 128.0, load)
    };
    let cases = [of("8b", 1.0), of("70b", 1.0), of("8b", 4.0), of("70b", 4.0)];
    assert_eq!(
        groups(&drawn("throughput_comparison", &cases)),
        ["8b 512x128_mc1", "70b 512x128_mc1", "8b 512x128_mc4", "70b 512x128_mc4"]
    );
    let figure = drawn("performance_heatmap", &cases);
    let Marks::Heat(heat) = &figure.panels[0].marks else { panic!("{figure:?}") };
    assert_eq!(
        heat.rows.iter().map(|row| &**row).collect::<Vec<_>>(),
        ["8b 512×128", "70b 512×128"]
    );
    let figure = drawn("percentiles_load", &cases);
    assert!(figure.panels[0].title.starts_with("8b"), "{}", figure.panels[0].title);
}

#[test]
fn bars_of_one_group_are_told_apart_without_colour() {
    let figure = drawn("comprehensive_dashboard", &sweep());
    for panel in &figure.panels {
        let Marks::Bars(bars) = &panel.marks else { continue };
        let markers: Vec<_> = bars.layers.iter().map(|layer| layer.look.marker).collect();
        for (place, marker) in markers.iter().enumerate() {
            assert!(!markers[..place].contains(marker), "{}: {markers:?}", panel.title);
        }
    }
}

#[test]
fn a_heat_map_of_nearly_equal_values_says_so() {
    let mut cases = [case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0)];
    for (place, case) in cases.iter_mut().enumerate() {
        case.figures.insert("mean_tpot_ms".to_owned(), 2.0 + 0.01 * place as f64);
    }
    let figure = drawn("performance_heatmap", &cases);
    let labels: Vec<&str> = figure
        .panels
        .iter()
        .filter_map(|panel| match &panel.marks {
            Marks::Heat(heat) => Some(&*heat.label),
            _ => None,
        })
        .collect();
    // The time to the first token is that of the prompt alone, and the same in both.
    let alike = "ms: nearly the same everywhere";
    assert_eq!(labels, ["tok/s", alike, alike]);
}

#[test]
fn concurrency_and_rate_have_axes_of_their_own() {
    let paced =
        |rate: f64| Case { concurrency: None, rate: Some(rate), ..case(512.0, 128.0, rate) };
    let cases = [case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0), paced(0.5), paced(2.0)];
    let figure = drawn("latency_throughput", &cases);
    let axes: Vec<&str> = figure.panels[..2].iter().map(|panel| &*panel.x.label).collect();
    assert_eq!(axes, ["Concurrency (requests in flight)", "Request rate (req/s)"]);
}

#[test]
fn gpus_that_are_not_told_are_not_taken_for_one() {
    let figure = drawn("pareto", &sweep());
    assert!(figure.panels[0].y.label.contains("GPUs not told"));
    let figure = drawn("pareto", &told());
    assert_eq!(&*figure.panels[0].y.label, "Tokens per second per GPU");
    let one = &series(&figure, 0)[0].points;
    let alone = case(512.0, 128.0, 1.0).figure("output_throughput").unwrap();
    assert!(
        one.iter()
            .chain(&series(&figure, 0)[1].points)
            .any(|point| (point.y - alone / 2.0).abs() < 1e-9)
    );
}

#[test]
fn a_million_tokens_cost_what_an_hour_costs_over_what_it_brings() {
    let mut cases = [case(512.0, 128.0, 1.0), case(512.0, 128.0, 4.0)];
    for case in &mut cases {
        case.price = Some((3.6, "EUR".to_owned()));
        case.figures.insert("output_throughput".to_owned(), 100.0);
    }
    let figure = drawn("cost", &cases);
    // 360,000 tokens for 3.60: 10 for a million.
    assert_eq!(series(&figure, 0)[0].points[0].y, 10.0);
    assert!(figure.panels[0].y.label.contains("EUR"));
}

#[test]
fn failures_are_told_beside_latencies_that_flatter() {
    let svg =
        everything(&told()).into_iter().find(|(key, _)| *key == "latency_comparison").unwrap().1;
    assert!(svg.contains("of successful requests only"), "the title tells");
    let figure = drawn("failures", &told());
    let Marks::Bars(bars) = &figure.panels[0].marks else { panic!("{figure:?}") };
    let names: Vec<&str> = bars.layers.iter().map(|layer| &*layer.name).collect();
    assert_eq!(names, ["HTTP 503", "other failures"]);
    assert_eq!((bars.layers[0].heights[6], bars.layers[1].heights[6]), (16.0, 4.0));
}

#[test]
fn charts_look_the_same_each_time() {
    let cases = told();
    for key in
        ["throughput_comparison", "performance_heatmap", "latency_throughput", "percentiles_load"]
    {
        insta::assert_snapshot!(key, drawn(key, &cases).svg());
    }
    insta::assert_snapshot!(
        "pareto_in_chinese",
        drawn("pareto", &cases).svg_in(crate::words::Language::Chinese)
    );
}

fn of_point(log: &PointLog) -> Vec<&'static str> {
    let (summary, course) = (summarize(log), Course::of(&Run::of(log)));
    let figures =
        POINT_CHARTS.iter().filter_map(|chart| Some((chart.key, (chart.draw)(&summary, &course)?)));
    let all = figures.map(|(key, figure)| {
        LANGUAGES.iter().for_each(|&language| assert!(!figure.svg_in(language).is_empty()));
        key
    });
    all.collect()
}

#[test]
fn a_point_has_the_charts_of_what_was_measured() {
    assert_eq!(
        of_point(&log(40)),
        ["cdf", "latency_over_time", "in_flight", "request_timeline", "itl_heatmap"]
    );
}

#[test]
fn latencies_of_a_point_say_how_many_requests_failed_and_mark_them() {
    let mut failing = log(40);
    for record in &mut failing.records[..4] {
        record.outcome = Outcome::Failed(Failure::new(FailureKind::Reset, "gone"));
        record.chunks = Vec::new().into();
    }
    let (summary, course) = (summarize(&failing), Course::of(&Run::of(&failing)));
    let point = |key: &str| {
        let chart = POINT_CHARTS.iter().find(|chart| chart.key == key).expect("there is one");
        (chart.draw)(&summary, &course).expect("it has something to show")
    };
    for key in ["cdf", "itl_heatmap"] {
        let title = point(key).title;
        assert!(title.contains("4 of 40 requests failed and are not shown"), "{key}: {title}");
    }
    let figure = point("latency_over_time");
    assert!(figure.title.contains("4 of 40 requests failed"), "{}", figure.title);
    let crosses = |panel: usize| series(&figure, panel).get(1).map(|crosses| crosses.points.len());
    // Of TTFT and of the whole latency, but of no time per token.
    assert_eq!([0, 1, 2].map(crosses), [Some(4), None, Some(4)]);
    let failures = point("failures_over_time");
    let title = &failures.panels[0].title;
    assert_eq!(title.told(crate::words::Language::Chinese), "4 次连接被重置");
}

#[test]
fn odd_points_are_drawn_without_harm() {
    assert_eq!(of_point(&log(0)), [""; 0]);
    of_point(&log(1));
    let mut failing = log(8);
    for record in &mut failing.records[..4] {
        record.outcome = Outcome::Failed(Failure::new(FailureKind::Status(503), "busy"));
    }
    assert!(of_point(&failing).contains(&"failures_over_time"));
    for record in &mut failing.records {
        record.outcome = Outcome::Failed(Failure::new(FailureKind::Status(503), "busy"));
        record.chunks = Vec::new().into();
    }
    let drawn = of_point(&failing);
    assert!(drawn.contains(&"request_timeline") && !drawn.contains(&"cdf"), "{drawn:?}");
    let mut unfinished = log(8);
    unfinished.end = None;
    of_point(&unfinished);
}

#[test]
fn the_service_s_readings_stand_at_the_moments_of_the_course() {
    use tokometer_metrics::server::Moment;

    let log = log(40);
    let (mut summary, mut course) = (summarize(&log), Course::of(&Run::of(&log)));
    let moment = |at: f64| Moment {
        at,
        running: Some(4.0),
        generation_throughput: Some(200.0),
        ..Moment::default()
    };
    // A warm-up of two seconds, whose readings are no part of the course.
    summary.side.moments = [1.0, 2.2, 2.6].map(moment).to_vec();
    course.origin = 2.0;
    let chart = POINT_CHARTS.iter().find(|chart| chart.key == "server_telemetry").unwrap();
    let figure = (chart.draw)(&summary, &course).unwrap();
    let at = |panel: usize| -> Vec<f64> {
        let points = &series(&figure, panel).last().unwrap().points;
        points.iter().map(|point| (point.x * 10.0).round() / 10.0).collect()
    };
    assert_eq!(at(0), [0.2, 0.6]);
    // A rate is of the time since the reading before: the first one's reaches back before the load.
    assert_eq!(at(1), [0.4]);
}
