//! Throughput and latencies over lengths and load at once: a row for each pair of lengths, a column for each load.

use super::super::curves::{self, Load};
use super::super::names::Labels;
use super::super::notes::{Over, titled, under};
use super::super::{Bilingual, SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Figure, Heat, Marks, Panel, Scale};
use crate::number::shortest;
use crate::words::{Language, Words};

pub(in super::super) const HEATMAP: SweepChart = SweepChart {
    key: "performance_heatmap",
    title: ("Performance by lengths and load", "性能热力图（长度 × 负载）"),
    about: (
        "Each cell is a configuration: rows are input × output tokens, columns the load. An empty cell was not measured. A cross marks \
         what rests on client-limited measurements alone; where there are others, only those count.",
        "每个单元格是一种配置：行为输入×输出长度，列为负载。空白单元格表示未测量；× 表示仅有受客户端限制的数据，若有其他有效数据则只统计后者。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let sorted = sorted(cases);
    let grid = Grid::of(cases, &sorted);
    let panels: Vec<Panel> = PANELS.iter().filter_map(|panel| grid.panel(panel)).collect();
    if panels.is_empty() {
        return None;
    }
    let width = (2.9 + 0.62 * grid.columns.len() as f64).clamp(5.2, 16.0);
    let height = (1.5 + 0.36 * grid.rows.len() as f64).clamp(2.8, 14.0);
    let columns = if width <= 6.4 { panels.len() } else { 1 };
    let width_of_all = width * columns as f64;
    let mut title = titled(HEATMAP.title, &sorted, Over::Latencies, width_of_all);
    if let Some(note) = grid.repeated() {
        title = under(&title, &note, width_of_all);
    }
    Some(sheet::figure(title, panels, columns, sheet::size(width, height)))
}

/// Where each case stands.
struct Grid<'a> {
    rows: Vec<Words>,
    columns: Vec<Words>,
    /// The load that all columns are of, where they are of one.
    load: Option<Load>,
    /// The cases of each cell, row after row.
    cells: Vec<Vec<&'a Case>>,
}

impl<'a> Grid<'a> {
    fn of(cases: &[Case], sorted: &[&'a Case]) -> Self {
        let labels = Labels::of(cases);
        let row = |case: &Case| labels.row(case);
        let mut rows: Vec<String> = Vec::new();
        for case in sorted {
            let row = row(case);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        let mut loads: Vec<Column> = Vec::new();
        for case in sorted {
            let load = Column::of(case);
            if !loads.contains(&load) {
                loads.push(load);
            }
        }
        loads.sort_by(|a, b| {
            a.weight().0.total_cmp(&b.weight().0).then(a.weight().1.total_cmp(&b.weight().1))
        });
        let only = |load: Load| match load {
            Load::Concurrency => {
                loads.iter().all(|column| column.0.is_some() && column.1.is_none())
            }
            Load::Rate => loads.iter().all(|column| column.0.is_none() && column.1.is_some()),
        };
        let load = [Load::Concurrency, Load::Rate].into_iter().find(|load| only(*load));
        let mut cells = vec![Vec::new(); rows.len() * loads.len()];
        for case in sorted {
            let place = |at: Option<usize>| at.unwrap_or(0);
            let at = place(rows.iter().position(|name| *name == row(case))) * loads.len()
                + place(loads.iter().position(|column| *column == Column::of(case)));
            cells[at].push(*case);
        }
        Self {
            rows: rows.into_iter().map(Words::from).collect(),
            columns: loads.iter().map(|column| column.name(load.is_some())).collect(),
            load,
            cells,
        }
    }

    /// Where cells are means of repetitions.
    fn repeated(&self) -> Option<Words> {
        let repeated: Vec<usize> =
            (0..self.cells.len()).filter(|at| valid(&self.cells[*at]).count() > 1).collect();
        let all = self.cells.iter().filter(|cases| !cases.is_empty()).count();
        let which = |language: Language| {
            let name = |at: &usize| {
                let (row, column) = (at / self.columns.len(), at % self.columns.len());
                let case = self.cells[*at].first().map(|case| curves::load(case));
                let load = case.unwrap_or_else(|| self.columns[column].clone());
                format!("{} {}", self.rows[row], load.told(language))
            };
            let names: Vec<String> = repeated.iter().take(MOST_NAMED).map(name).collect();
            names.join(if language == Language::English { ", " } else { "、" })
        };
        let more = repeated.len().saturating_sub(MOST_NAMED);
        match repeated.len() {
            0 => None,
            some if some == all => Some(words((
                "Each cell is the mean of the repetitions of its configuration",
                "每个单元格为该配置各次重复测量的平均值",
            ))),
            _ if more > 0 => Some(Words::both(
                format!("Means of repetitions: {} and {more} more", which(Language::English)),
                format!("重复测量的平均值：{} 等，另有 {more} 个", which(Language::Chinese)),
            )),
            _ => Some(Words::both(
                format!("Means of repetitions: {}", which(Language::English)),
                format!("重复测量的平均值：{}", which(Language::Chinese)),
            )),
        }
    }

    fn panel(&self, &(key, title, unit): &(&str, Bilingual, Bilingual)) -> Option<Panel> {
        let mean = |cases: &Vec<&Case>| {
            let values: Vec<f64> = valid(cases).filter_map(|case| case.figure(key)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let cells: Vec<Option<f64>> = self.cells.iter().map(mean).collect();
        if cells.iter().all(Option::is_none) {
            return None;
        }
        let values = || cells.iter().flatten().copied().filter(|value| *value > 0.0);
        let (most, least) = (values().fold(0.0, f64::max), values().fold(f64::INFINITY, f64::min));
        let spans = most > SPANS * least;
        // Colours go from the least value to the greatest, however near to each other these are.
        let even = values().count() > 1 && most - least < EVEN * most;
        let heat = Heat {
            columns: self.columns.clone(),
            rows: self.rows.clone(),
            label: if even { nearly_even(unit) } else { words(unit) },
            scale: if spans { Scale::Log } else { Scale::Linear },
            written: cells.len() <= MOST_WRITTEN,
            crossed: (0..cells.len()).filter(|at| is_limited(&self.cells[*at])).collect(),
            cells,
        };
        let load = match self.load {
            Some(load) => load.axis(),
            None => words(("Load", "负载")),
        };
        let lengths = words(("Input × output tokens", "输入 × 输出长度"));
        Some(sheet::panel(
            words(title),
            Axis::linear(load),
            Axis::linear(lengths),
            Marks::Heat(heat),
        ))
    }
}

/// The cases that a cell is made of: those that the client did not limit, where there are any.
fn valid<'c, 'a>(cases: &'c [&'a Case]) -> impl Iterator<Item = &'c &'a Case> {
    let limited = is_limited(cases);
    cases.iter().filter(move |case| limited || !case.client_limited)
}

/// Whether all that was measured of a cell was limited by the client.
fn is_limited(cases: &[&Case]) -> bool {
    !cases.is_empty() && cases.iter().all(|case| case.client_limited)
}

/// A load: concurrency and rate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column(Option<f64>, Option<f64>);

impl Column {
    const fn of(case: &Case) -> Self {
        Self(case.concurrency, case.rate)
    }

    /// Concurrencies first, then rates, and last what had no limit at all.
    fn weight(self) -> (f64, f64) {
        let rate = self.1.unwrap_or(if self.0.is_some() { 0.0 } else { f64::INFINITY });
        (self.0.unwrap_or(f64::MAX), rate)
    }

    fn name(self, alone: bool) -> Words {
        let places = self.0.map(|places| shortest(places, 0));
        let rate = self.1.map(|rate| shortest(rate, 2));
        match (places, rate, alone) {
            (Some(load), None, true) | (None, Some(load), true) => load.into(),
            (Some(places), None, false) => format!("mc{places}").into(),
            (Some(places), Some(rate), _) => format!("mc{places} {rate} req/s").into(),
            (None, Some(rate), false) => format!("{rate} req/s").into(),
            (None, None, _) => words(("all at once", "一次性全部发出")),
        }
    }
}

const PANELS: [(&str, Bilingual, Bilingual); 3] = [
    ("output_throughput", ("Generated tokens per second", "生成吞吐量"), ("tok/s", "tok/s")),
    ("mean_ttft_ms", ("Mean time to first token (TTFT)", "平均首令牌时间 (TTFT)"), ("ms", "ms")),
    ("mean_tpot_ms", ("Mean time per output token (TPOT)", "平均每令牌时间 (TPOT)"), ("ms", "ms")),
];

/// The unit, and that colours here tell next to nothing.
fn nearly_even((english, chinese): Bilingual) -> Words {
    Words::both(
        format!("{english}: nearly the same everywhere"),
        format!("{chinese}：各处几乎相同"),
    )
}

/// Values that differ by less than this part are nearly the same.
const EVEN: f64 = 0.01;

/// Colours follow the logarithm where values span more than this.
const SPANS: f64 = 20.0;

/// So many cells are named.
const MOST_NAMED: usize = 6;

/// Of more cells none is large enough for its value.
const MOST_WRITTEN: usize = 240;
