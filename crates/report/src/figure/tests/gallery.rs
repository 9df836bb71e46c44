//! Figures to be looked at, of every kind of marks: written where an environment variable names a folder.

use super::*;

#[test]
fn figures_can_be_looked_at() {
    let Some(folder) = std::env::var_os("FIGURES_TO_LOOK_AT") else { return };
    let folder = Path::new(&folder);
    for (name, figure) in gallery() {
        figure.save(&folder.join(name)).unwrap();
    }
    for (name, figure) in marks() {
        for language in crate::words::LANGUAGES {
            figure.save_in(&folder.join(format!("{name}_{language}.png")), *language).unwrap();
        }
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
        title: title.into(),
        x: Axis::linear("total_token_throughput"),
        y: Axis { scale, ..Axis::linear("median_ttft_ms") },
        marks: Marks::Series(series.clone()),
        rules: Vec::new(),
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
    let mut muted = Series {
        name: Some("All runs".into()),
        look: Look::muted(),
        points: vec![],
        errors: crate::figure::Errors::default(),
    };
    let mut frontier = Series {
        name: Some("Pareto frontier".into()),
        look: Look::kind(0),
        points: vec![],
        errors: crate::figure::Errors::default(),
    };
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
        rules: Vec::new(),
    });
    vec![
        ("facets.png", facets),
        ("log.png", log),
        ("pareto.png", pareto),
        ("dataset.png", dataset.clone()),
        ("dataset.svg", dataset),
    ]
}

/// One figure for each of the marks in both languages.
fn marks() -> Vec<(&'static str, Figure)> {
    let one = |marks, size| Figure { panel: size, ..figure_of(vec![marks]) };
    let slide = Size { width: 8.0, height: 4.8 };
    let mut dashboard =
        figure_of(vec![bars(6, 3), heat(7, 5), bands(), spans(14), table(7), heat(60, 24)]);
    (dashboard.columns, dashboard.panel) = (3, Size { width: 5.4, height: 4.2 });
    dashboard.title =
        Words::fixed("Overview of Qwen3-32B on 4 × H100", "Qwen3-32B（4 × H100）总览");
    let mut many = figure_of(vec![bars(26, 2)]);
    many.panel = slide;
    let mut long = figure_of(vec![bars(60, 1)]);
    long.panel = slide;
    let mut differences = bars(4, 2);
    if let Marks::Bars(bars) = &mut differences.marks {
        bars.layers[0].heights = vec![3.5, -12.25, 0.0, 7.0];
        bars.layers[1].heights = vec![-3.5, 1.0, -0.4, f64::INFINITY];
    }
    let mut log = bars(7, 3);
    log.y.scale = Scale::Log;
    let mut crowd = figure_of(vec![bars(500, 2)]);
    crowd.panel = slide;
    vec![
        ("bars_differences", one(differences, slide)),
        ("bars_log", one(log, slide)),
        ("bars_crowd", crowd),
        ("bars_one", one(bars(1, 1), slide)),
        ("bars", one(bars(5, 3), slide)),
        ("bars_many", many),
        ("bars_long", long),
        ("heat", one(heat(7, 5), slide)),
        ("heat_fine", one(heat(80, 30), slide)),
        ("bands", one(bands(), slide)),
        ("spans", one(spans(16), slide)),
        ("spans_many", one(spans(300), slide)),
        ("table", one(table(8), slide)),
        ("table_long", one(table(40), slide)),
        ("dashboard", dashboard),
    ]
}

pub(super) fn figure_of(panels: Vec<Panel>) -> Figure {
    Figure {
        title: Words::default(),
        panels,
        columns: 1,
        panel: Size { width: 5.0, height: 3.6 },
        dpi: 110,
        axes: Axes::Own,
        legend: None,
    }
}

fn panel(title: Words, x: Words, y: Words, marks: Marks) -> Panel {
    Panel { title, x: Axis::linear(x), y: Axis::linear(y), marks, rules: Vec::new() }
}

const KINDS: [(&str, &str); 3] = [
    ("Output throughput", "输出吞吐量"),
    ("Total throughput", "总吞吐量"),
    ("Goodput", "有效吞吐量"),
];

pub(super) fn bars(groups: usize, layers: usize) -> Panel {
    let layer = |kind: usize| Layer {
        name: Words::fixed(KINDS[kind].0, KINDS[kind].1),
        look: Look::kind(kind),
        heights: (0..groups)
            .map(|group| match (group, kind) {
                (1, 1) => f64::NAN,
                _ => 420.0 * (kind + 1) as f64 * (1.0 + group as f64).sqrt(),
            })
            .collect(),
    };
    let name = |group: usize| {
        let lengths = 128 << (group % 6);
        match groups {
            0..=8 => Words::both(
                format!("{lengths} × 128, c={}", 4 << group),
                format!("{lengths} × 128，并发 {}", 4 << group),
            ),
            _ => Words::from(format!("Qwen3-32B-Instruct-FP8 in={lengths} out=128 c={group}")),
        }
    };
    panel(
        Words::fixed("Throughput", "吞吐量"),
        Words::fixed("Input × output tokens, concurrency", "输入 × 输出词元，并发数"),
        Words::fixed("Tokens per second", "词元/秒"),
        Marks::Bars(Bars {
            groups: (0..groups).map(name).collect(),
            layers: (0..layers).map(layer).collect(),
        }),
    )
}

pub(super) fn heat(columns: usize, rows: usize) -> Panel {
    let value = |index: usize| {
        let (column, row) = (index % columns, index / columns);
        let is_absent = (column + 2 * row) % 11 == 9;
        (!is_absent).then(|| 35.0 * (1.0 + column as f64).powf(1.4) / (1.0 + 0.3 * row as f64))
    };
    let rows_named = |row: usize| match rows {
        0..=8 => Words::from(format!("{} × 128", 128 << row)),
        _ => Words::from(format!("{}", row * 5)),
    };
    panel(
        Words::fixed("Output throughput", "输出吞吐量"),
        Words::fixed("Concurrency", "并发数"),
        Words::fixed("Input × output", "输入 × 输出"),
        Marks::Heat(Heat {
            columns: (0..columns).map(|column| Words::from((column + 1).to_string())).collect(),
            rows: (0..rows).map(rows_named).collect(),
            cells: (0..columns * rows).map(value).collect(),
            label: Words::fixed("Output tokens per second", "每秒输出词元"),
            scale: Scale::Linear,
            written: true,
            crossed: Vec::new(),
        }),
    )
}

pub(super) fn bands() -> Panel {
    let series = |kind: usize| {
        let point = |step: u32| {
            let x = f64::from(1 << step);
            let y = (20.0 + x * 1.5) * (1.0 + kind as f64 * 0.6);
            Point {
                error: (step != 4).then_some((y * 0.85, y * 1.3)),
                label: (kind == 0 && step.is_multiple_of(2)).then(|| format!("c={x}")),
                ..Point::at(x, y)
            }
        };
        Series {
            name: Some(Words::fixed(["p50", "p99"][kind], ["第 50 百分位", "第 99 百分位"][kind])),
            look: Look { dash: Dash::Kind(kind), ..Look::kind(kind) },
            points: (0..8).map(point).collect(),
            errors: Errors::Band,
        }
    };
    let rule = |on, at, within, label: (&'static str, &'static str)| Rule {
        on,
        at,
        within,
        label: Words::fixed(label.0, label.1),
    };
    Panel {
        rules: vec![
            rule(On::Up, 200.0, None, ("TTFT p99 ≤ 200 ms", "TTFT p99 ≤ 200 毫秒")),
            rule(On::Across, 40.0, Some((32.0, 52.0)), ("knee", "拐点")),
            rule(On::Up, 9_000.0, None, ("timeout 9 s", "超时 9 秒")),
        ],
        ..panel(
            Words::fixed("TTFT against load", "TTFT 与负载"),
            Words::fixed("Concurrency", "并发数"),
            Words::fixed("TTFT (ms)", "TTFT（毫秒）"),
            Marks::Series((0..2).map(series).collect()),
        )
    }
}

pub(super) fn spans(rows: usize) -> Panel {
    let kinds = [("Queue", "排队"), ("Prefill", "预填充"), ("Decode", "解码")];
    let row = |index: usize| {
        let from = index as f64 * 0.31;
        let wait = 0.1 + 0.02 * (index % 7) as f64;
        let first = from + wait + 0.35;
        let failed = index % 9 == 5;
        Spanned {
            label: format!("request {index}"),
            parts: vec![
                Some((from, from + wait)),
                Some((from + wait, first)),
                (!failed).then_some((first, first + 1.2 + 0.1 * (index % 5) as f64)),
            ],
            failed,
        }
    };
    let layer = |(kind, (english, chinese)): (usize, &(&'static str, &'static str))| Layer {
        name: Words::fixed(english, chinese),
        look: Look::kind(kind),
        heights: vec![],
    };
    panel(
        Words::fixed("Requests", "请求时间线"),
        Words::fixed("Time (s)", "时间（秒）"),
        Words::fixed("Request", "请求"),
        Marks::Spans(Spans {
            kinds: kinds.iter().enumerate().map(layer).collect(),
            rows: (0..rows).map(row).collect(),
        }),
    )
}

pub(super) fn table(rows: usize) -> Panel {
    let row = |index: usize| {
        let value = |of: f64| format!("{:.1}", of * (1.0 + index as f64));
        vec![
            format!("{} × 128, c={}", 128 << (index % 6), index),
            value(52.25),
            value(1_204.0),
            value(7.3),
            value(0.2),
        ]
    };
    let head = [
        ("Point", "测试点"),
        ("Requests per second", "每秒请求数"),
        ("Output tokens per second", "每秒输出词元"),
        ("TPOT p99 (ms)", "TPOT p99（毫秒）"),
        ("Errors (%)", "错误率（%）"),
    ];
    panel(
        Words::fixed("Summary", "汇总"),
        Words::default(),
        Words::default(),
        Marks::Table(Table {
            head: head.iter().map(|&(english, chinese)| Words::fixed(english, chinese)).collect(),
            rows: (0..rows).map(row).collect(),
        }),
    )
}
