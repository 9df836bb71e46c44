//! How throughput grows with the load and where it stops, and what latency each throughput costs: one curve for each pair of lengths.

use tokometer_metrics::knee::{self, Knee, Sample};

use super::super::curves::{Curve, Load, Stop, Value, curves, of_load, on_none};
use super::super::lines::{self, BARS, Drawn, Labelled, noted};
use super::super::notes::{Over, on_no_curve, titled, under};
use super::super::{Bilingual, SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Figure, Marks, On, Panel, Rule};
use crate::number::{compact, shortest};
use crate::words::{Language, Words};

pub(in super::super) const LATENCY_THROUGHPUT: SweepChart = SweepChart {
    key: "latency_throughput",
    title: ("Latency against throughput", "延迟与吞吐量的关系"),
    about: (
        "Beyond the knee more load buys latency and no throughput. The knee is fitted to all loads of a curve (proportional growth up to \
         it, none beyond), and lies within its interval at 95 %. It is told only where that form fits and throughput hardly grows beyond.",
        "越过拐点后，增加负载只会增加延迟，不再提高吞吐量。拐点由曲线上所有负载拟合得到（拐点前按比例增长，之后不再增长），并给出 95% 区间；\
         仅当该形式拟合良好且拐点之后吞吐量几乎不再增长时才给出。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let curves = curves(cases);
    let throughput = |stop: &Stop<'_>| stop.value(|case| case.figure("output_throughput"));
    let mut curves: Vec<Curve<'_>> = curves
        .into_iter()
        .filter(|curve| curve.stops.iter().any(|stop| throughput(stop).is_some()))
        .collect();
    if curves.iter().map(|curve| curve.stops.len()).max()? < FEWEST {
        return None;
    }
    let knees: Vec<Option<Knee>> = curves.iter().map(fitted).collect();
    let alone = curves.len() == 1;
    let alone_of = [Load::Concurrency, Load::Rate].map(|load| of_load(&curves, load).len() == 1);
    for (curve, knee) in curves.iter_mut().zip(&knees) {
        // Where a curve has a panel of its own, its knee stands in there.
        if let (Some(knee), false) = (knee, alone_of[usize::from(curve.load == Load::Rate)]) {
            curve.name = named(curve, knee);
        }
    }
    let mut panels: Vec<Panel> = Vec::new();
    for load in [Load::Concurrency, Load::Rate] {
        let Some(mut panel) = growth(&curves, load, &throughput) else { continue };
        let mut own = curves.iter().zip(&knees).filter(|(curve, _)| curve.load == load);
        if let (Some((_, Some(knee))), None) = (own.next(), own.next()) {
            let (on, within) = (On::Across, Some(knee.between));
            panel.rules.push(Rule { on, at: knee.at, within, label: knee_words(load, knee) });
        }
        panels.push(panel);
    }
    for (name, title) in LATENCIES {
        let Some(mut panel) = costs(&curves, &throughput, name, title) else { continue };
        if let (true, [Some(knee)]) = (alone, knees.as_slice()) {
            let ceiling = compact(knee.ceiling, usize::from(knee.ceiling < 100.0));
            let label = Words::both(
                format!("fitted ceiling {ceiling} tok/s"),
                format!("拟合上限 {ceiling} tok/s"),
            );
            panel.rules.push(Rule { on: On::Across, at: knee.ceiling, within: None, label });
        }
        panels.push(panel);
    }
    let size = sheet::size(6.4, 4.4);
    let columns = if panels.len() == 1 { 1 } else { 2 };
    let width = size.width * columns as f64;
    let title = titled(LATENCY_THROUGHPUT.title, &sorted(cases), Over::Latencies, width);
    let mut title = noted(&title, &curves, &BARS, width);
    let mut left = on_none(cases, &curves, 1);
    left.retain(|case| case.figure("output_throughput").is_some());
    if let Some(note) = on_no_curve(&left, &sorted(cases)) {
        title = under(&title, &note, width);
    }
    if labelled(&curves) == Labelled::Ends {
        let note = words((
            "Of so many loads only the least and the greatest of each curve are written beside their points",
            "测试点较多，每条曲线仅标注最小与最大负载",
        ));
        title = under(&title, &note, width);
    }
    Some(sheet::figure(title, panels, columns, size))
}

/// Throughput over one kind of load. `None` where there is none of it.
fn growth(
    curves: &[Curve<'_>],
    load: Load,
    throughput: &dyn Fn(&Stop<'_>) -> Option<Value>,
) -> Option<Panel> {
    let drawn = Drawn {
        x: &|stop| Some(stop.load),
        y: throughput,
        labelled: Labelled::None,
        several: curves.len() > 1,
    };
    let series = lines::series(&of_load(curves, load), &drawn);
    let loads = series.iter().flat_map(|series| &series.points).map(|point| point.x);
    let x = sheet::axis(load.axis(), loads, MUCH);
    let y = Axis::linear(words(("Generated tokens per second", "生成吞吐量 (tok/s)")));
    let title = words(("Throughput as the load grows", "吞吐量随负载的变化"));
    (!series.is_empty()).then(|| sheet::panel(title, x, y, Marks::Series(series)))
}

/// Which loads are written: of so many that they would be all there is to see, the ends.
fn labelled(curves: &[Curve<'_>]) -> Labelled {
    match curves.iter().map(|curve| curve.stops.len()).sum::<usize>() <= MOST_LABELLED {
        true => Labelled::All,
        false => Labelled::Ends,
    }
}

/// A latency over throughput: its median, or where that is not told its mean.
fn costs(
    curves: &[Curve<'_>],
    throughput: &dyn Fn(&Stop<'_>) -> Option<Value>,
    name: &str,
    (english, chinese): Bilingual,
) -> Option<Panel> {
    let stops = || curves.iter().flat_map(|curve| &curve.stops);
    let has = |statistic: &str| {
        let key = format!("{statistic}_{name}_ms");
        stops().filter(|stop| stop.value(|case| case.figure(&key)).is_some()).count()
    };
    let (medians, means) = (has("median"), has("mean"));
    let (statistic, told) = match medians >= means {
        true => ("median", ("Median", "中位")),
        false => ("mean", ("Mean", "平均")),
    };
    let key = format!("{statistic}_{name}_ms");
    let drawn = Drawn {
        x: &|stop| throughput(stop).map(|value| value.mean),
        y: &|stop| stop.value(|case| case.figure(&key)),
        labelled: labelled(curves),
        several: curves.len() > 1,
    };
    let series = lines::series(curves, &drawn);
    let heights = series.iter().flat_map(|series| &series.points).map(|point| point.y);
    let x = Axis::linear(words(("Generated tokens per second", "生成吞吐量 (tok/s)")));
    let y = sheet::axis(
        Words::both(format!("{} {english} (ms)", told.0), format!("{}{chinese} (ms)", told.1)),
        heights,
        STEEP,
    );
    let title = Words::both(format!("{english} against throughput"), format!("{chinese}与吞吐量"));
    (!series.is_empty()).then(|| sheet::panel(title, x, y, Marks::Series(series)))
}

/// The knee of what the client did not limit, where its two lines are what was measured: they deviate by little of what throughput
/// spans, and beyond the interval it grows no more to speak of. A smooth curve has a best fit too, but no knee.
fn fitted(curve: &Curve<'_>) -> Option<Knee> {
    let sample = |stop: &Stop<'_>| {
        let each = stop.cases.iter().filter_map(|case| case.figure("output_throughput"));
        each.map(|throughput| Sample { load: stop.load, throughput }).collect::<Vec<_>>()
    };
    let samples: Vec<Sample> =
        curve.stops.iter().filter(|stop| !stop.limited).flat_map(sample).collect();
    let knee = knee::knee(&samples)?;
    let (least, greatest) = samples
        .iter()
        .map(|sample| sample.throughput)
        .filter(|throughput| *throughput > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(least, greatest), throughput| {
            (least.min(throughput), greatest.max(throughput))
        });
    let fits = knee.residual <= MOST_RESIDUAL * (greatest / least).ln();
    (fits && growth_beyond(curve, &knee)? <= MOST_GROWTH).then_some(knee)
}

/// By what share throughput is above the ceiling somewhere beyond the knee, or still grows from the first load beyond its interval on.
/// None where nothing was measured there.
fn growth_beyond(curve: &Curve<'_>, knee: &Knee) -> Option<f64> {
    let stops = curve.stops.iter().filter(|stop| !stop.limited && stop.load >= knee.between.1);
    let value = |stop: &Stop<'_>| Some(stop.value(|case| case.figure("output_throughput"))?.mean);
    let beyond: Vec<f64> = stops.filter_map(value).filter(|value| *value > 0.0).collect();
    let greatest = beyond.iter().copied().fold(0.0, f64::max);
    Some(greatest / beyond.first()?.min(knee.ceiling) - 1.0)
}

fn named(curve: &Curve<'_>, knee: &Knee) -> Words {
    let words = knee_words(curve.load, knee);
    Words::both(
        format!("{}, {words}", curve.name),
        format!("{}，{}", curve.name.told(Language::Chinese), words.told(Language::Chinese)),
    )
}

/// `knee: 27 in flight (20–48)`.
fn knee_words(load: Load, knee: &Knee) -> Words {
    let text = |load: f64| shortest(load, usize::from(load < 10.0));
    let (at, from, to) = (text(knee.at), text(knee.between.0), text(knee.between.1));
    let (english, chinese) = match load {
        Load::Concurrency => ("in flight", "个并发"),
        Load::Rate => ("req/s", "req/s"),
    };
    Words::both(
        format!("knee: {at} {english} ({from}–{to})"),
        format!("拐点：{at} {chinese} ({from}–{to})"),
    )
}

const LATENCIES: [(&str, Bilingual); 3] = [
    ("ttft", ("TTFT", "首令牌时间 TTFT")),
    ("tpot", ("TPOT", "每令牌时间 TPOT")),
    ("e2el", ("E2EL", "端到端延迟 E2EL")),
];

/// One load is no curve.
const FEWEST: usize = 2;

/// Loads grow by factors: they stand on a logarithmic axis where they span this much.
const MUCH: f64 = 8.0;

/// Latencies stand on one where they span this much.
const STEEP: f64 = 12.0;

/// The two lines may deviate by so much of what throughput spans, in its logarithm.
const MOST_RESIDUAL: f64 = 0.05;

/// Beyond a knee throughput may grow by so much, as a share.
const MOST_GROWTH: f64 = 0.1;

/// Beyond so many points their labels would be all there is to see.
const MOST_LABELLED: usize = 40;
