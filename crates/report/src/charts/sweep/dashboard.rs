//! Everything on one page: throughput, latencies, tokens, requests per second, and the figures as a table.

use super::super::bars::{self, Bar};
use super::super::notes::{Over, titled};
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
    let shown = &sorted[..sorted.len().min(MOST_BARS)];
    let all = sorted.len();
    let of_all = |english: &str, chinese: &str| match shown.len() == all {
        true => Words::both(english.to_owned(), chinese.to_owned()),
        false => Words::both(
            format!("{english} (the first {} of {})", shown.len(), count(all as u64)),
            format!("{chinese}（前 {} 个，共 {} 个）", shown.len(), count(all as u64)),
        ),
    };
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
    panels.push(table(&sorted));
    let rows = sorted.len().min(MOST_ROWS);
    let width = bars::size(shown.len(), 0.0).width.max(8.0);
    let size = sheet::size(width, (1.9 + 0.24 * rows as f64).clamp(3.8, 7.0));
    let title = titled(DASHBOARD.title, &sorted, Over::Tails, 2.0 * width);
    Some(sheet::figure(title, panels, 2, size))
}

// Every name and every colour stands for one thing on the whole page, for there is one legend.
fn first_token(title: Words, cases: &[&Case]) -> Option<Panel> {
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
    bars::panel(title, words(("Milliseconds", "毫秒 (ms)")), cases, &bars)
}

fn per_token(title: Words, cases: &[&Case]) -> Option<Panel> {
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
    bars::panel(title, words(("Milliseconds", "毫秒 (ms)")), cases, &bars)
}

fn tokens(title: Words, cases: &[&Case]) -> Option<Panel> {
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
    bars::panel(title, words(("Tokens", "令牌数")), cases, &bars)
}

fn requests(title: Words, cases: &[&Case]) -> Option<Panel> {
    let bars = [Bar {
        name: words(("Completed requests", "完成的请求")),
        colour: Colour::Kind(6),
        of: &|case| case.figure("request_throughput"),
    }];
    bars::panel(title, words(("Requests per second", "每秒请求数 (req/s)")), cases, &bars)
}

fn table(cases: &[&Case]) -> Panel {
    let shown = cases.len().min(MOST_ROWS);
    let row = |case: &&Case| {
        let figure = |key: &str, decimals| {
            case.figure(key).map_or(ABSENT.to_owned(), |value| fixed(value, decimals))
        };
        let mark = if case.client_limited { " ×" } else { "" };
        vec![
            format!("{}{mark}", case.label()),
            figure("total_token_throughput", 1),
            figure("output_throughput", 1),
            figure("mean_ttft_ms", 1),
            figure("mean_tpot_ms", 2),
            figure("mean_itl_ms", 2),
            figure("request_throughput", 2),
        ]
    };
    let title = match shown == cases.len() {
        true => words(("Figures, latencies as means", "数据表（延迟为平均值）")),
        false => Words::both(
            format!(
                "Figures, the first {shown} of {}: all of them are in the report as text",
                count(cases.len() as u64)
            ),
            format!(
                "数据表（前 {shown} 个，共 {} 个，完整数据见文本报告）",
                count(cases.len() as u64)
            ),
        ),
    };
    let marks = Marks::Table(Table {
        head: HEAD.map(words).to_vec(),
        rows: cases[..shown].iter().map(row).collect(),
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

/// A figure that is not there.
const ABSENT: &str = "–";

/// So many groups of bars have room.
const MOST_BARS: usize = 36;

/// So many rows the table has room for.
const MOST_ROWS: usize = 20;
