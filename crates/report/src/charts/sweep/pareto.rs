//! What users get against what hardware gives: tokens per second and user over those per second and GPU. A point of the front is one
//! that no other beats on both.
//!
//! What a user gets is the speed at which tokens come once they come: 1000 ÷ mean TPOT. Only where that was not measured it is
//! throughput over the requests in flight on average, and the axis says which. The most requests that were in flight at once are no
//! users, and neither is a request rate. Where the GPUs are not told, throughput is that of the deployment, and the axis says so.

use super::super::curves::{self, Kind};
use super::super::lines::{self, CROSS, LIMITED};
use super::super::notes::{Over, titled};
use super::super::{SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Dash, Errors, Figure, Look, Marks, Panel, Point, Series};
use crate::words::Words;

pub(in super::super) const PARETO: SweepChart = SweepChart {
    key: "pareto",
    title: (
        "Speed for users against throughput of the hardware",
        "用户速度与硬件吞吐量（帕累托前沿）",
    ),
    about: (
        "Up and to the right is better. The line joins the configurations that no other beats on both; those below it are never the best choice.",
        "越靠右上越好。连线上的配置是帕累托最优，没有其他配置能在两方面同时胜过它；连线以下的配置都不是最佳选择。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let kinds = curves::kinds(cases);
    let panels: Vec<Panel> =
        [true, false].into_iter().filter_map(|told| panel(&kinds, told)).collect();
    if panels.is_empty() {
        return None;
    }
    let size = sheet::size(7.2, 5.0);
    let columns = panels.len();
    let title = titled(PARETO.title, &sorted(cases), Over::All, size.width * columns as f64);
    Some(sheet::figure(title, panels, columns, size))
}

/// A case's place.
#[derive(Clone, Copy)]
struct Spot<'a> {
    per_user: f64,
    per_gpu: f64,
    case: &'a Case,
}

/// The cases whose GPUs are told, or those whose are not: each kind of work has a front of its own.
fn panel(kinds: &[Kind<'_>], told: bool) -> Option<Panel> {
    let spots_by = |speed: fn(&Case) -> Option<f64>| -> Vec<Vec<Spot<'_>>> {
        let of_kind = |kind| among_of(kind, told).filter_map(|case| spot(case, speed)).collect();
        kinds.iter().map(of_kind).collect()
    };
    let count = |spots: &[Vec<Spot<'_>>]| spots.iter().flatten().count();
    // One axis, one measure: that which tells of more configurations.
    let (decoding, sharing) = (spots_by(decoding), spots_by(sharing));
    let decodes = count(&decoding) >= count(&sharing);
    let spots = if decodes { decoding } else { sharing };
    let has_throughput = |case: &&Case| positive(case.figure("output_throughput")).is_some();
    let all = kinds.iter().flat_map(|kind| among_of(kind, told)).filter(has_throughput).count();
    let left_out = all - count(&spots);
    let all = || spots.iter().flatten();
    if all().count() < FEWEST {
        return None;
    }
    let first = all().next().and_then(|spot| spot.case.gpus);
    let several = all().any(|spot| spot.case.gpus != first);
    let labelled = |spot: &Spot<'_>| Point {
        label: Some(label(spot.case, several)),
        ..Point::at(spot.per_user, spot.per_gpu)
    };
    let mut beaten: Vec<Point> = Vec::new();
    let mut fronts: Vec<Series> = Vec::new();
    let mut limited: Vec<Series> = Vec::new();
    for (place, (kind, spots)) in kinds.iter().zip(&spots).enumerate() {
        let (crossed, valid): (Vec<Spot<'_>>, Vec<Spot<'_>>) =
            spots.iter().partition(|spot| spot.case.client_limited);
        let front = frontier(&valid);
        let on = |spot: &Spot<'_>| front.iter().any(|best| std::ptr::eq(best.case, spot.case));
        beaten.extend(
            valid
                .iter()
                .filter(|spot| !on(spot))
                .map(|spot| Point::at(spot.per_user, spot.per_gpu)),
        );
        let add = |to: &mut Vec<Series>, name: Words, look: Look, points: Vec<Point>| {
            if !points.is_empty() {
                to.push(Series { name: Some(name), look, points, errors: Errors::Bars });
            }
        };
        let name = match kinds.len() {
            1 => words(("Pareto front", "帕累托前沿")),
            _ => kind.name.clone().into(),
        };
        add(&mut fronts, name, lines::look(place, 0), front.iter().map(labelled).collect());
        let look = Look { dash: Dash::None, marker: CROSS, ..lines::look(place, 0) };
        add(&mut limited, LIMITED, look, crossed.iter().map(labelled).collect());
    }
    let mut series = Vec::new();
    if !beaten.is_empty() {
        let name = words(("beaten on both", "两方面均被超过"));
        series.push(Series {
            name: Some(name),
            look: Look::muted(),
            points: beaten,
            errors: Errors::Bars,
        });
    }
    series.append(&mut fronts);
    series.append(&mut limited);
    let y = match told {
        true => words(("Tokens per second per GPU", "每 GPU 每秒令牌数 (tok/s/GPU)")),
        false => words((
            "Tokens per second per deployment (GPUs not told)",
            "整个部署每秒令牌数 (tok/s，未提供 GPU 数)",
        )),
    };
    let x = match decodes {
        true => words((
            "Tokens per second per user (1000 ÷ mean TPOT in ms)",
            "每用户每秒令牌数 (tok/s/user，1000 ÷ 平均 TPOT)",
        )),
        false => words((
            "Tokens per second per user (throughput ÷ mean requests in flight)",
            "每用户每秒令牌数 (tok/s/user，吞吐量 ÷ 平均并发)",
        )),
    };
    let title = match left_out {
        0 => Words::default(),
        1 => words((
            "1 configuration without this speed is left out",
            "有 1 个配置缺少该速度，未画出",
        )),
        more => Words::both(
            format!("{more} configurations without this speed are left out"),
            format!("有 {more} 个配置缺少该速度，未画出"),
        ),
    };
    Some(sheet::panel(title, Axis::linear(x), Axis::linear(y), Marks::Series(series)))
}

/// The cases of a kind whose GPUs are told, or those whose are not.
fn among_of<'a>(kind: &Kind<'a>, told: bool) -> impl Iterator<Item = &'a Case> {
    let cases: Vec<&'a Case> = kind.cases.clone();
    cases.into_iter().filter(move |case| case.gpus.is_some() == told)
}

fn spot(case: &Case, speed: fn(&Case) -> Option<f64>) -> Option<Spot<'_>> {
    let throughput = positive(case.figure("output_throughput"))?;
    let per_gpu = throughput / case.gpus.unwrap_or(1.0);
    Some(Spot { per_user: positive(speed(case))?, per_gpu, case })
}

/// The speed at which one user sees tokens come, after the first.
fn decoding(case: &Case) -> Option<f64> {
    Some(1e3 / positive(case.figure("mean_tpot_ms"))?)
}

/// A user's share of the throughput: the requests in flight on average, as measured or by Little's law (arrivals × time in the system).
fn sharing(case: &Case) -> Option<f64> {
    let little = || Some(case.figure("request_throughput")? * case.figure("mean_e2el_ms")? / 1e3);
    let in_flight = positive(case.figure("mean_concurrency")).or_else(|| positive(little()))?;
    Some(case.figure("output_throughput")? / in_flight)
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value > 0.0)
}

/// The points that no other beats on both axes, from left to right.
fn frontier<'a>(spots: &[Spot<'a>]) -> Vec<Spot<'a>> {
    let mut sorted = spots.to_vec();
    sorted.sort_by(|a, b| b.per_user.total_cmp(&a.per_user).then(b.per_gpu.total_cmp(&a.per_gpu)));
    let mut best = f64::NEG_INFINITY;
    sorted.retain(|spot| {
        let on = spot.per_gpu > best;
        best = best.max(spot.per_gpu);
        on
    });
    sorted.reverse();
    sorted
}

/// The load, with a dagger where too many failed, and the GPUs where not all have the same number.
fn label(case: &Case, several: bool) -> String {
    let load = format!("{}{}", curves::load(case), if case.is_failing() { " †" } else { "" });
    match case.gpus.filter(|_| several) {
        Some(gpus) => format!("{load}\n{gpus} GPU"),
        None => load,
    }
}

/// One point is no front.
const FEWEST: usize = 2;
