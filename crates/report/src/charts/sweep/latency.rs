//! Latencies of each configuration: TTFT, TPOT and ITL, each in a panel of its own, for they differ by orders of magnitude.

use super::super::bars::{self, Bar, Shown};
use super::super::names::Labels;
use super::super::notes::{Over, titled};
use super::super::{Bilingual, SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Colour, Figure, Panel};
use crate::words::Words;

pub(in super::super) const LATENCY: SweepChart = SweepChart {
    key: "latency_comparison",
    title: ("Latency of each configuration", "各配置延迟对比"),
    about: (
        "Mean and 99th percentile of the time to the first token, of the time per output token, and of the gap between tokens. Less is better.",
        "首令牌时间、每令牌时间与令牌间延迟的平均值和 P99。越低越好。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let cases = sorted(cases);
    let few = cases.len() <= FEW;
    let size = if few { bars::size(cases.len(), 3.6) } else { bars::size(cases.len(), 3.7) };
    let labels = Labels::of(cases.iter().copied());
    let mut panels: Vec<Panel> = Vec::new();
    for (row, cases_of_row) in bars::rows(&cases).enumerate() {
        let panel = |(key, title): &(&str, Bilingual)| {
            panel(bars::title(&words(*title), &cases, row), key, (&labels, cases_of_row))
        };
        panels.extend(LATENCIES.iter().filter_map(panel));
    }
    if panels.is_empty() {
        return None;
    }
    let columns = if few { panels.len().min(LATENCIES.len()) } else { 1 };
    let title = titled(LATENCY.title, &cases, Over::Tails, size.width * columns as f64);
    Some(sheet::figure(title, panels, columns, size))
}

/// Mean and P99 of one latency.
pub(super) fn panel(title: Words, key: &str, shown: Shown<'_>) -> Option<Panel> {
    let (mean, p99) = (format!("mean_{key}_ms"), format!("p99_{key}_ms"));
    let bars = [
        Bar {
            name: words(("Mean", "平均")),
            colour: Colour::Kind(0),
            of: &|case| case.figure(&mean),
        },
        Bar { name: "P99".into(), colour: Colour::Kind(4), of: &|case| case.figure(&p99) },
    ];
    bars::panel(title, words(("Milliseconds", "毫秒 (ms)")), shown, &bars)
}

/// The latencies by vLLM's names, and what they are called.
pub(super) const LATENCIES: [(&str, Bilingual); 3] = [
    ("ttft", ("Time to first token (TTFT)", "首令牌时间 (TTFT)")),
    ("tpot", ("Time per output token (TPOT)", "每令牌时间 (TPOT)")),
    ("itl", ("Gap between tokens (ITL)", "令牌间延迟 (ITL)")),
];

/// Up to so many configurations the panels stand side by side.
const FEW: usize = 8;
