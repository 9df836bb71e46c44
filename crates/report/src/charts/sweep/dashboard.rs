//! Everything on one page: throughput, latencies, tokens, requests per second, and the figures as a table.

use super::super::bars::{self, Bar, Shown};
use super::super::chosen::{chosen, ends};
use super::super::names::Labels;
use super::super::notes::{Over, titled, under};
use super::super::{SweepChart, sheet, words};
use super::throughput;
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Colour, Figure, Marks, Panel, Table};
use crate::number::{count, fixed};
use crate::words::Words;

pub(in super::super) const DASHBOARD: SweepChart = SweepChart {
    key: "comprehensive_dashboard",
    title: ("Performance at a glance", "综合性能看板"),
    about: (
        "Throughput, latencies, tokens and requests of each configuration, and the same figures as a table.",
        "各配置的吞吐量、延迟、令牌数与请求吞吐量，并附数据表。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let sorted = sorted(cases);
    let shown = &shown(&sorted, MOST_BARS);
    let all = sorted.len();
    let labels = Labels::of(cases);
    let of_all = |english: &str, chinese: &str| match shown.len() == all {
        true => Words::both(english.to_owned(), chinese.to_owned()),
        false => Words::both(
            format!("{english} ({} of {}, with the extremes)", shown.len(), count(all as u64)),
            format!("{chinese}（{} 个中的 {} 个，含极值）", count(all as u64), shown.len()),
        ),
    };
    let left_out = shown.len() < all;
    let shown: Shown<'_> = (&labels, shown);
    let mut panels: Vec<Panel> = Vec::new();
    panels.extend(throughput::panel(of_all("Throughput", "吞吐量"), shown));
    panels.extend(first_token(of_all("Time to first token (TTFT)", "首令牌时间 (TTFT)"), shown));
    panels.extend(per_token(
        of_all("Time per token (TPOT, ITL)", "每令牌时间 (TPOT) 与令牌间延迟 (ITL)"),
        shown,
    ));
    panels.extend(tokens(of_all("Tokens in all", "令牌总数"), shown));
    panels.extend(requests(of_all("Requests per second", "请求吞吐量"), shown));
    if panels.is_empty() {
        return None;
    }
    panels.push(table(&labels, &sorted));
    let rows = sorted.len().min(MOST_ROWS);
    let width = bars::size(shown.1.len(), 0.0).width.max(8.0);
    let size = sheet::size(width, (1.9 + 0.24 * rows as f64).clamp(3.8, 7.0));
    let mut title = titled(DASHBOARD.title, &sorted, Over::Tails, 2.0 * width);
    if left_out {
        let note = words((
            "The highest and the lowest of every figure are shown, the others at even distances; all are in the charts of throughput and latency",
            "显示各指标的最高与最低配置，其余等间隔选取；全部配置见吞吐量与延迟对比图",
        ));
        title = under(&title, &note, 2.0 * width);
    }
    Some(sheet::figure(title, panels, 2, size))
}

/// As many as there is room for, by number, with the highest and the lowest of every figure among them.
fn shown<'a>(cases: &[&'a Case], most: usize) -> Vec<&'a Case> {
    let ends_of = |key: &&str| ends(cases.iter().map(|case| case.figure(key)));
    let extremes: Vec<usize> = FIGURES.iter().flat_map(ends_of).collect();
    chosen(cases.len(), most, &extremes).into_iter().map(|place| cases[place]).collect()
}

// Every name and every colour stands for one thing on the whole page, for there is one legend.
fn first_token(title: Words, shown: Shown<'_>) -> Option<Panel> {
    let bars = [
        Bar {
            name: words(("Mean TTFT", "平均 TTFT")),
            colour: Colour::Kind(4),
            of: &|case| case.figure("mean_ttft_ms"),
        },
        Bar {
            name: "P99 TTFT".into(),
            colour: Colour::Kind(1),
            of: &|case| case.figure("p99_ttft_ms"),
        },
    ];
    bars::panel(title, words(("Milliseconds", "毫秒 (ms)")), shown, &bars)
}

fn per_token(title: Words, shown: Shown<'_>) -> Option<Panel> {
    let bars = [
        Bar {
            name: words(("Mean TPOT", "平均 TPOT")),
            colour: Colour::Kind(2),
            of: &|case| case.figure("mean_tpot_ms"),
        },
        Bar {
            name: words(("Mean ITL", "平均 ITL")),
            colour: Colour::Kind(3),
            of: &|case| case.figure("mean_itl_ms"),
        },
    ];
    bars::panel(title, words(("Milliseconds", "毫秒 (ms)")), shown, &bars)
}

fn tokens(title: Words, shown: Shown<'_>) -> Option<Panel> {
    let bars = [
        Bar {
            name: words(("Prompts", "输入")),
            colour: Colour::Muted,
            of: &|case| case.figure("total_input_tokens"),
        },
        Bar {
            name: words(("Generated", "生成")),
            colour: Colour::Kind(0),
            of: &|case| case.figure("total_output_tokens"),
        },
    ];
    bars::panel(title, words(("Tokens", "令牌数")), shown, &bars)
}

fn requests(title: Words, shown: Shown<'_>) -> Option<Panel> {
    let bars = [Bar {
        name: words(("Completed requests", "完成的请求")),
        colour: Colour::Kind(6),
        of: &|case| case.figure("request_throughput"),
    }];
    bars::panel(title, words(("Requests per second", "每秒请求数 (req/s)")), shown, &bars)
}

fn table(labels: &Labels<'_>, cases: &[&Case]) -> Panel {
    let rows = shown(cases, MOST_ROWS);
    let row = |case: &&Case| {
        let figure = |key: &str, decimals| {
            case.figure(key).map_or(ABSENT.to_owned(), |value| fixed(value, decimals))
        };
        vec![
            bars::label(labels, case).to_string(),
            figure("total_token_throughput", 1),
            figure("output_throughput", 1),
            figure("mean_ttft_ms", 1),
            figure("mean_tpot_ms", 2),
            figure("mean_itl_ms", 2),
            figure("request_throughput", 2),
        ]
    };
    let title = match rows.len() == cases.len() {
        true => words(("Figures, latencies as means", "数据表（延迟为平均值）")),
        false => Words::both(
            format!(
                "Figures, {} of {} with the extremes: all of them are in the report as text",
                rows.len(),
                count(cases.len() as u64)
            ),
            format!(
                "数据表（{} 个中的 {} 个，含极值，完整数据见文本报告）",
                count(cases.len() as u64),
                rows.len()
            ),
        ),
    };
    let marks = Marks::Table(Table {
        head: HEAD.map(words).to_vec(),
        rows: rows.iter().map(row).collect(),
    });
    sheet::panel(title, Axis::linear(Words::default()), Axis::linear(Words::default()), marks)
}

const HEAD: [super::super::Bilingual; 7] = [
    ("Config", "配置"),
    ("Total Tput (tok/s)", "总吞吐量 (tok/s)"),
    ("Gen Tput (tok/s)", "生成吞吐量 (tok/s)"),
    ("TTFT (ms)", "TTFT (ms)"),
    ("TPOT (ms)", "TPOT (ms)"),
    ("ITL (ms)", "ITL (ms)"),
    ("Req Tput (req/s)", "请求吞吐量 (req/s)"),
];

/// What has extremes, those that matter most first.
const FIGURES: [&str; 7] = [
    "total_token_throughput",
    "output_throughput",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "mean_ttft_ms",
    "mean_itl_ms",
    "request_throughput",
];

/// A figure that is not there.
const ABSENT: &str = "–";

/// So many groups of bars have room.
const MOST_BARS: usize = 36;

/// So many rows the table has room for.
const MOST_ROWS: usize = 20;
