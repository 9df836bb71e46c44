//! The percentiles of a point with their bounds, its figures as a whole, and its steady part beside the whole.

use tokometer_metrics::catalog::{
    E2E, FULL_OUTPUT_THROUGHPUT, FULL_REQUEST_THROUGHPUT, ICL, ITL, METRICS, Metric,
    OUTPUT_THROUGHPUT, Of, REQUEST_THROUGHPUT, SCHEDULED_E2E, SCHEDULED_TTFT, TPOT, TTFAT, TTFT,
};
use tokometer_metrics::confidence::{
    Bounds, CONFIDENCE_OF_MEANS, CONFIDENCE_OF_PERCENTILES, Unbounded,
};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::{Distribution, Unsteady};

use super::body::Body;
use super::names::{self, Shown};
use super::table::{Cell, Column, Table};
use crate::grid::Tone;
use crate::number::{count, fixed, shortest};
use crate::study::StudiedPoint;
use crate::words::Language::{Chinese, English};
use crate::words::Words;

/// The latencies as a table, and in words what has no bounds; other metrics of requests folded.
pub(super) fn percentiles(summary: &PointSummary) -> Body {
    let latencies = latencies(summary);
    let is_main = |metric: &Metric| latencies.iter().any(|main| main.key == metric.key);
    let others: Vec<&'static Metric> = METRICS
        .iter()
        .copied()
        .filter(|metric| !matches!(metric.of, Of::Run(_)) && !is_main(metric))
        .collect();
    let told = |metrics: Vec<&'static Metric>| -> Vec<(&Metric, &Distribution)> {
        let told = metrics.into_iter();
        told.filter_map(|metric| Some((metric, summary.distribution(metric)?))).collect()
    };
    let (main, others) = (told(latencies.clone()), told(others));
    let caption = Words::both(
        format!(
            "Percentiles by linear interpolation. Below a figure from where to where the true one lies: for means with {} %, each bound of \
             a percentile with {} % confidence",
            percent(CONFIDENCE_OF_MEANS),
            percent(CONFIDENCE_OF_PERCENTILES)
        ),
        format!(
            "百分位数按线性插值计算。数值下方为其区间：均值的置信度为 {} %，百分位数每一侧界限的置信度为 {} %",
            percent(CONFIDENCE_OF_MEANS),
            percent(CONFIDENCE_OF_PERCENTILES)
        ),
    );
    let more = Body::new().table(table("".into(), &others));
    Body::new()
        .table(table(caption, &main))
        .list(refusals(&main, summary.counts.measured))
        .raw(Words::fixed("Further figures of requests", "其他请求级指标"), more)
}

/// The latencies that are told first; the answer's first token only where it is another than the output's.
fn latencies(summary: &PointSummary) -> Vec<&'static Metric> {
    let mut shown: Vec<&'static Metric> = vec![&TTFT, &TTFAT, &TPOT, &ITL, &ICL, &E2E];
    if summary.point.rate.is_some() {
        shown.extend([&SCHEDULED_TTFT, &SCHEDULED_E2E]);
    }
    let figures = |metric| summary.distribution(metric).map(|of| (of.n, of.mean, of.max));
    shown.retain(|metric| metric.key != TTFAT.key || figures(&TTFAT) != figures(&TTFT));
    shown
}

fn table(caption: Words, rows: &[(&Metric, &Distribution)]) -> Table {
    let mut columns = vec![
        Column::left(Words::fixed("Metric", "指标")),
        Column::right(Words::fixed("Count", "样本数")),
        Column::right(Words::fixed("Mean", "均值")),
        Column::right(Words::fixed("Std", "标准差")),
        Column::right(Words::fixed("Min", "最小")),
    ];
    columns.extend(SHOWN.iter().map(|p| Column::right(format!("P{}", p.percent()))));
    columns.push(Column::right(Words::fixed("Max", "最大")));
    let rows = rows.iter().map(|(metric, values)| row(metric, values));
    Table::new(caption, columns).rows(rows)
}

fn row(metric: &Metric, values: &Distribution) -> Vec<Cell> {
    let shown = Shown::of(metric);
    let figure = |value: f64| Cell::new(shown.text(value));
    let bounded = |value: f64, bounds: Option<Bounds>| match bounds {
        Some(Bounds { low, high }) => {
            figure(value).below(format!("{} – {}", shown.text(low), shown.text(high)))
        }
        None => figure(value),
    };
    let mut cells = vec![
        Cell::new(names::short(metric)).about(names::definition(metric)),
        Cell::new(count(values.n)),
        bounded(values.mean, values.mean_bounds().ok()),
        figure(values.std),
        figure(values.min),
    ];
    cells.extend(SHOWN.iter().map(|&percentile| {
        let value = values.linear(percentile).unwrap_or(values.max);
        let cell = bounded(value, values.bounds(percentile).and_then(Result::ok));
        match values.bears(percentile) {
            true => cell,
            false => cell.tone(Tone::Fair).below(Words::fixed("near the maximum", "接近最大值")),
        }
    }));
    cells.push(figure(values.max));
    cells
}

/// What has no bounds, and why: too few requests once a figure, dependence once a latency.
fn refusals(told: &[(&Metric, &Distribution)], sent: u64) -> Vec<Words> {
    let mut few: Vec<(Words, u64, u64)> = Vec::new();
    let mut dependent = Vec::new();
    for (metric, values) in told {
        let mean = values.mean_bounds().err().map(|why| (Words::fixed("the mean", "均值"), why));
        let percentiles = SHOWN.iter().filter_map(|&percentile| {
            Some((format!("P{}", percentile.percent()).into(), values.bounds(percentile)?.err()?))
        });
        let mut lacking: Vec<(Words, u64, u64)> = Vec::new();
        for (what, why) in mean.into_iter().chain(percentiles) {
            match why {
                Unbounded::TooFew { needs, has } => {
                    match few.iter_mut().find(|(known, ..)| *known == what) {
                        Some((_, _, known)) => *known = has.min(*known),
                        None => few.push((what, needs, has)),
                    }
                }
                Unbounded::Dependent { needs, worth, .. } => lacking.push((what, needs, worth)),
                Unbounded::Pooled => {}
            }
        }
        if !lacking.is_empty() {
            dependent.push(hanging_together(metric, values, &lacking));
        }
    }
    let few = (!few.is_empty()).then(|| too_few(&few, sent));
    few.into_iter().chain(dependent).collect()
}

/// `Too few requests for bounds of the mean (30 needed, 6 there), …`.
fn too_few(few: &[(Words, u64, u64)], sent: u64) -> Words {
    let each = |language| {
        let each = few.iter().map(|(what, needs, has)| match language {
            English => {
                format!("{} ({} needed, {} there)", what.told(language), count(*needs), count(*has))
            }
            Chinese => {
                format!("{}（需要 {}，现有 {}）", what.told(language), count(*needs), count(*has))
            }
        });
        each.collect::<Vec<_>>()
    };
    Words::both(
        format!(
            "Without bounds, for want of requests that have such a latency ({} were sent): {}.",
            count(sent),
            each(English).join(", ")
        ),
        format!(
            "具有该延迟的请求太少（共发出 {} 个），无法给出区间：{}。",
            count(sent),
            each(Chinese).join("、")
        ),
    )
}

fn hanging_together(
    metric: &Metric,
    values: &Distribution,
    lacking: &[(Words, u64, u64)],
) -> Words {
    let name = names::short(metric);
    let each = |language| {
        let each = lacking.iter().map(|(what, needs, worth)| {
            format!("{} ({} / {})", what.told(language), count(*worth), count(*needs))
        });
        each.collect::<Vec<_>>()
    };
    Words::both(
        format!(
            "{}: requests that follow each other depend on each other too much for bounds at n = {}. In brackets how many independent \
             ones they are worth, of those that it takes: {}.",
            name.told(English),
            count(values.n),
            each(English).join(", ")
        ),
        format!(
            "{}：相邻请求相互依赖过强，n = {} 时无法给出区间。括号内为相当于多少个独立请求 / 所需个数：{}。",
            name.told(Chinese),
            count(values.n),
            each(Chinese).join("、")
        ),
    )
}

/// Every figure of the point as a whole.
pub(super) fn figures(summary: &PointSummary) -> Body {
    let facts = METRICS.iter().filter_map(|metric| {
        let value = names::whole(summary, metric)?;
        let name = Cell::new(names::metric(metric)).about(names::definition(metric));
        Some((name, Cell::new(Shown::with_unit(metric, value))))
    });
    Body::new().facts(facts.collect())
}

/// The steady part beside the whole, or why there is none.
pub(super) fn steady(point: &StudiedPoint) -> Body {
    let summary = &point.summary;
    let steady = match &summary.steady {
        Ok(steady) => steady,
        Err(why) => return Body::new().paragraph(unsteady(*why)),
    };
    let shown = |metric: &Metric, value: Option<f64>| match value {
        Some(value) => Cell::new(Shown::of(metric).text(value)),
        None => Cell::absent(),
    };
    let columns = [
        (&TTFT, &TTFT),
        (&TPOT, &TPOT),
        (&E2E, &E2E),
        (&OUTPUT_THROUGHPUT, &FULL_OUTPUT_THROUGHPUT),
        (&REQUEST_THROUGHPUT, &FULL_REQUEST_THROUGHPUT),
    ]
    .map(|(name, of)| Column::right(names::short(name)).about(names::definition(of)));
    let mut head = vec![
        Column::left(Words::fixed("Means over", "均值范围")),
        Column::right(Words::fixed("Requests", "请求数")),
    ];
    head.extend(columns);
    let [from, to] = [steady.from, steady.to].map(|at| names::moment(at, point.load_began()));
    let part = Words::both(
        format!("{from} to {to} s of the load ({} %)", fixed(100.0 * steady.share, 0)),
        format!("负载的第 {from} 至 {to} 秒（{} %）", fixed(100.0 * steady.share, 0)),
    );
    let table = Table::new("", head)
        .row(vec![
            Cell::new(Words::fixed("the whole", "全程")),
            Cell::new(count(summary.counts.succeeded)),
            shown(&TTFT, summary.mean(&TTFT)),
            shown(&TPOT, summary.mean(&TPOT)),
            shown(&E2E, summary.mean(&E2E)),
            shown(&OUTPUT_THROUGHPUT, names::whole(summary, &FULL_OUTPUT_THROUGHPUT)),
            shown(&REQUEST_THROUGHPUT, summary.figure(&FULL_REQUEST_THROUGHPUT)),
        ])
        .row(vec![
            Cell::new(part),
            Cell::new(count(steady.requests)),
            shown(&TTFT, steady.ttft),
            shown(&TPOT, steady.tpot),
            shown(&E2E, steady.e2e),
            shown(
                &OUTPUT_THROUGHPUT,
                names::has_outputs(summary).then_some(steady.output_throughput),
            ),
            shown(&REQUEST_THROUGHPUT, Some(steady.request_throughput)),
        ]);
    Body::new().table(table)
}

const fn unsteady(why: Unsteady) -> Words {
    match why {
        Unsteady::TooFew => Words::fixed(
            "No part of it was steady: there were too few requests to tell.",
            "没有稳态区段：请求太少，无法判断。",
        ),
        Unsteady::NotHeld => Words::fixed(
            "No part of it was steady: the concurrency was never held for long enough.",
            "没有稳态区段：并发数从未保持足够长的时间。",
        ),
        Unsteady::Drifting => Words::fixed(
            "No part of it was steady: latencies changed in the course of it.",
            "没有稳态区段：延迟在运行过程中发生了变化。",
        ),
    }
}

fn percent(share: f64) -> String {
    shortest(100.0 * share, 1)
}

/// The percentiles of the table.
const SHOWN: [Percentile; 4] = [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99];
