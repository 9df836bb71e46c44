//! How throughput grows with the load and where it stops, and what latency each throughput costs: one curve for each pair of lengths.

use tokometer_metrics::knee::{self, Knee, Sample};

use super::super::curves::{Curve, Load, Stop, Value, curves};
use super::super::lines::{self, Drawn};
use super::super::notes::{Over, titled};
use super::super::{Bilingual, SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Figure, Marks, On, Panel, Rule};
use crate::number::{compact, shortest};
use crate::words::Words;

pub(in super::super) const LATENCY_THROUGHPUT: SweepChart = SweepChart {
    key: "latency_throughput",
    title: ("Latency against throughput", "延迟与吞吐量的关系"),
    about: (
        "Beyond the knee more load buys latency and no throughput. The knee is fitted to all loads of a curve (proportional growth up to \
         it, none beyond), and lies within its interval at 95 %.",
        "越过拐点后，增加负载只会增加延迟，不再提高吞吐量。拐点由曲线上所有负载拟合得到（拐点前按比例增长，之后不再增长），并给出 95% 区间。",
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
    for (curve, knee) in curves.iter_mut().zip(&knees) {
        if let (Some(knee), false) = (knee, alone) {
            curve.name = named(&curve.name, knee);
        }
    }
    let mut panels = growth(&curves, &throughput);
    if let (true, [Some(knee)], Some(panel)) = (alone, knees.as_slice(), panels.first_mut()) {
        panel.rules.push(Rule {
            on: On::Across,
            at: knee.at,
            within: Some(knee.between),
            label: across(knee),
        });
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
    let title = titled(
        LATENCY_THROUGHPUT.title,
        &sorted(cases),
        Over::Latencies,
        size.width * columns as f64,
    );
    Some(sheet::figure(title, panels, columns, size))
}

/// Throughput over load: a panel for each kind of load.
fn growth(curves: &[Curve<'_>], throughput: &dyn Fn(&Stop<'_>) -> Option<Value>) -> Vec<Panel> {
    let panel = |load: Load| {
        // Looks are by place among all curves, so that a curve looks alike in every panel.
        let masked: Vec<Curve<'_>> = curves.iter().map(|curve| curve.only(load)).collect();
        let drawn = Drawn { x: &|stop| Some(stop.load), y: throughput, labelled: false };
        let series = lines::series(&masked, &drawn);
        let loads = series.iter().flat_map(|series| &series.points).map(|point| point.x);
        let x = sheet::axis(load.axis(), loads, MUCH);
        let y = Axis::linear(words(("Generated tokens per second", "生成吞吐量 (tok/s)")));
        let title = words(("Throughput as the load grows", "吞吐量随负载的变化"));
        (!series.is_empty()).then(|| sheet::panel(title, x, y, Marks::Series(series)))
    };
    [Load::Concurrency, Load::Rate].into_iter().filter_map(panel).collect()
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
        labelled: stops().count() <= MOST_LABELLED,
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

/// The knee of what the client did not limit.
fn fitted(curve: &Curve<'_>) -> Option<Knee> {
    let sample = |stop: &Stop<'_>| {
        let each = stop.cases.iter().filter_map(|case| case.figure("output_throughput"));
        each.map(|throughput| Sample { load: stop.load, throughput }).collect::<Vec<_>>()
    };
    let samples: Vec<Sample> =
        curve.stops.iter().filter(|stop| !stop.limited).flat_map(sample).collect();
    knee::knee(&samples)
}

fn named(name: &Words, knee: &Knee) -> Words {
    let (at, from, to) = shown(knee);
    Words::both(
        format!("{name}, knee {at} ({from}–{to})"),
        format!("{name}，拐点 {at} ({from}–{to})"),
    )
}

fn across(knee: &Knee) -> Words {
    let (at, from, to) = shown(knee);
    Words::both(
        format!("knee {at} ({from}–{to} at 95 %)"),
        format!("拐点 {at}（95% 区间 {from}–{to}）"),
    )
}

fn shown(knee: &Knee) -> (String, String, String) {
    let text = |load: f64| shortest(load, usize::from(load < 100.0));
    (text(knee.at), text(knee.between.0), text(knee.between.1))
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

/// Beyond so many points their labels would be all there is to see.
const MOST_LABELLED: usize = 40;
