//! How many requests kept to all objectives as the load grows, and how many good ones a second that makes.

use super::super::curves::{Curve, Load, curves, of_load};
use super::super::lines::{self, BARS, Drawn, Labelled, noted};
use super::super::notes::{Over, titled};
use super::super::{Bilingual, SweepChart, sheet, words};
use crate::cases::{Case, sorted};
use crate::figure::{Axis, Figure, Marks, Panel};

pub(in super::super) const ATTAINMENT: SweepChart = SweepChart {
    key: "slo_attainment",
    title: ("Requests within their objectives", "SLO 达成情况"),
    about: (
        "The share of all requests sent that succeeded within every objective, and good requests per second: the load to run at is where \
         the second still grows and the first still holds.",
        "在全部已发送请求中，成功且满足所有目标的比例，以及每秒达标请求数：合适的负载是达标率仍能保持、达标吞吐仍在增长之处。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    if cases.iter().all(|case| case.figure("slo_attainment").is_none()) {
        return None;
    }
    let curves = curves(cases);
    let share = |case: &Case| Some(100.0 * case.figure("slo_attainment")?);
    let goodput =
        |case: &Case| case.figure("slo_attainment").and_then(|_| case.figure("request_goodput"));
    let panels: Vec<Panel> = [Load::Concurrency, Load::Rate]
        .into_iter()
        .flat_map(|load| {
            let shares = panel(&curves, load, SHARE, &share);
            let shares =
                shares.map(|panel| Panel { y: panel.y.clone().within(0.0, 100.0), ..panel });
            [shares, panel(&curves, load, GOODPUT, &goodput)]
        })
        .flatten()
        .collect();
    if panels.is_empty() {
        return None;
    }
    let size = sheet::size(6.4, 4.2);
    let columns = panels.len().min(2);
    let width = size.width * columns as f64;
    let title =
        noted(&titled(ATTAINMENT.title, &sorted(cases), Over::All, width), &curves, &BARS, width);
    Some(sheet::figure(title, panels, columns, size))
}

/// A figure as a load grows. `None` where no curve of that load has it.
pub(super) fn panel(
    curves: &[Curve<'_>],
    load: Load,
    (title, y): (Bilingual, Bilingual),
    of: &dyn Fn(&Case) -> Option<f64>,
) -> Option<Panel> {
    let drawn = Drawn {
        x: &|stop| Some(stop.load),
        y: &|stop| stop.value(of),
        labelled: Labelled::None,
        several: curves.len() > 1,
    };
    let series = lines::series(&of_load(curves, load), &drawn);
    let x = sheet::axis(
        load.axis(),
        series.iter().flat_map(|series| &series.points).map(|point| point.x),
        MUCH,
    );
    let y = Axis::linear(words(y));
    (!series.is_empty()).then(|| sheet::panel(words(title), x, y, Marks::Series(series)))
}

const SHARE: (Bilingual, Bilingual) = (
    ("Share within all objectives", "满足全部目标的比例"),
    ("Of requests sent (%)", "占已发送请求的比例 (%)"),
);

const GOODPUT: (Bilingual, Bilingual) = (
    ("Good requests per second", "达标请求吞吐量 (goodput)"),
    ("Requests per second", "每秒请求数 (req/s)"),
);

const MUCH: f64 = 8.0;
