//! What users get against what hardware gives: tokens per second and user over those per second and GPU. A point of the front is one
//! that no other beats on both.
//!
//! A user is a place of the concurrency that was asked for; where none was, the most requests that were in flight at once. A request
//! rate is never taken for a number of users. Where the GPUs are not told, throughput is that of the deployment, and the axis says so.

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
    let among = |case: &&&Case| case.gpus.is_some() == told;
    let spots: Vec<Vec<Spot<'_>>> = kinds
        .iter()
        .map(|kind| kind.cases.iter().filter(among).filter_map(|case| spot(case)).collect())
        .collect();
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
        add(&mut fronts, name, lines::look(place), front.iter().map(labelled).collect());
        let look = Look { dash: Dash::None, marker: CROSS, ..lines::look(place) };
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
    let x = words(("Tokens per second per user", "每用户每秒令牌数 (tok/s/user)"));
    Some(sheet::panel(Words::default(), Axis::linear(x), Axis::linear(y), Marks::Series(series)))
}

fn spot(case: &Case) -> Option<Spot<'_>> {
    let positive = |value: Option<f64>| value.filter(|value| *value > 0.0);
    let throughput = positive(case.figure("output_throughput"))?;
    let users =
        positive(case.concurrency).or_else(|| positive(case.figure("max_concurrent_requests")))?;
    Some(Spot {
        per_user: throughput / users,
        per_gpu: throughput / case.gpus.unwrap_or(1.0),
        case,
    })
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

/// The load, and the GPUs where not all have the same number.
fn label(case: &Case, several: bool) -> String {
    let label = case.label();
    let load = label.split_once('_').map_or(label.as_str(), |(_, load)| load);
    match case.gpus.filter(|_| several) {
        Some(gpus) => format!("{load}\n{gpus} GPU"),
        None => load.to_owned(),
    }
}

/// One point is no front.
const FEWEST: usize = 2;
