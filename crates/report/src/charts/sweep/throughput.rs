//! Throughput of each configuration: tokens in and out together, and output alone.

use super::super::bars::{self, Bar, Shown};
use super::super::names::Labels;
use super::super::notes::{Over, titled};
use super::super::{SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axes, Colour, Figure};
use crate::words::Words;

pub(in super::super) const THROUGHPUT: SweepChart = SweepChart {
    key: "throughput_comparison",
    title: ("Throughput of each configuration", "各配置吞吐量对比"),
    about: (
        "Tokens per second over the whole run: prompts and outputs together, and outputs alone. More is better.",
        "整个测试期间每秒的令牌数：总吞吐量（输入加输出）与生成吞吐量。越高越好。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let cases = sorted(cases);
    let size = bars::size(cases.len(), 3.9);
    let name = Words::default();
    let labels = Labels::of(cases.iter().copied());
    let panel = |(row, cases_of_row): (usize, &[&Case])| {
        panel(bars::title(&name, &cases, row), (&labels, cases_of_row))
    };
    let panels: Vec<_> = bars::rows(&cases).enumerate().filter_map(panel).collect();
    if panels.is_empty() {
        return None;
    }
    let title = titled(THROUGHPUT.title, &cases, Over::All, size.width);
    Some(Figure { axes: Axes::Shared, ..sheet::figure(title, panels, 1, size) })
}

/// Both throughputs of these cases.
pub(super) fn panel(title: Words, shown: Shown<'_>) -> Option<crate::figure::Panel> {
    let bars = [
        Bar {
            name: words(("Total", "总计")),
            colour: Colour::Kind(5),
            of: &|case| case.figure("total_token_throughput"),
        },
        Bar {
            name: words(("Generated", "生成")),
            colour: Colour::Kind(0),
            of: &|case| case.figure("output_throughput"),
        },
    ];
    bars::panel(title, words(("Tokens per second", "每秒令牌数 (tok/s)")), shown, &bars)
}
