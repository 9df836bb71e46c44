//! The figure: at the left what each number of replicas carries, where there are several, and at the right how requests fare as the
//! load grows.

use super::table::load_text;
use super::{Capacity, Load, Most, Reach};
use crate::figure::{
    Axes, Axis, Colour, Dash, Figure, Look, Marker, Marks, Panel, Point, Scale, Series, Size,
};

/// Panels side by side, in which the curves of one objective look alike.
pub(crate) fn figure(capacity: &Capacity, dpi: u32) -> Figure {
    let mut panels = vec![course(capacity)];
    if capacity.rows.len() > 1 {
        panels.insert(0, carried(capacity));
    }
    Figure {
        title: format!("{}: an estimate by a model, not a measurement", capacity.deployment).into(),
        columns: panels.len(),
        panels,
        panel: Size { width: 5.0, height: 4.0 },
        dpi,
        axes: Axes::Own,
        legend: Some("Objectives".into()),
    }
}

fn carried(capacity: &Capacity) -> Panel {
    let several = capacity.objectives.len() > 1;
    let mut series: Vec<Series> = Vec::new();
    if several {
        // Below those of single objectives, which it follows: broad, so that they show upon it.
        let found = capacity.rows.iter().map(|row| (row.replicas, &row.all));
        series.push(Series {
            name: Some("all together".into()),
            look: ALL_TOGETHER,
            points: points(found),
            errors: crate::figure::Errors::default(),
        });
    }
    for (place, _) in capacity.objectives.iter().enumerate() {
        let found =
            capacity.rows.iter().filter_map(|row| Some((row.replicas, row.each.get(place)?)));
        series.push(Series {
            name: Some(name(capacity, place).into()),
            look: look(place),
            points: points(found),
            errors: crate::figure::Errors::default(),
        });
    }
    let load = match capacity.load {
        Load::Rate => "Requests per second",
        Load::Users => "Users",
    };
    Panel {
        title: "The most load within each objective".into(),
        x: Axis::linear("Replicas"),
        y: Axis::linear(load),
        marks: Marks::Series(series),
        rules: Vec::new(),
    }
}

/// What all repetitions carried, with a bar up to what they carried at best.
fn points<'m>(found: impl Iterator<Item = (u32, &'m Most)>) -> Vec<Point> {
    let point = |(replicas, most): (u32, &Most)| {
        let least = most.least.load().unwrap_or(0.0);
        let greatest = most.greatest.load().unwrap_or(0.0);
        Point {
            x: f64::from(replicas),
            y: least,
            error: (greatest > least).then_some((least, greatest)),
            label: None,
        }
    };
    found.map(point).collect()
}

fn course(capacity: &Capacity) -> Panel {
    let trials = &capacity.course.trials;
    let mut series: Vec<Series> = Vec::new();
    for (place, objective) in capacity.objectives.iter().enumerate() {
        let taken = trials.iter().filter_map(|trial| {
            let figure = trial.figures.get(place).copied().flatten()?;
            Some(Point::at(trial.load, objective.taken(figure)?))
        });
        // What lies far beyond its limit tells nothing but that.
        let mut points: Vec<Point> = Vec::new();
        for point in taken {
            let beyond = point.y > FAR;
            points.push(Point { y: point.y.min(FAR), ..point });
            if beyond {
                break;
            }
        }
        series.push(Series {
            name: Some(name(capacity, place).into()),
            look: look(place),
            points,
            errors: crate::figure::Errors::default(),
        });
    }
    let piled = trials.iter().filter(|trial| trial.saturated);
    let piled = piled.flat_map(|trial| {
        let drawn = series.iter().flat_map(|series| &series.points);
        drawn.filter(|point| point.x == trial.load).cloned().collect::<Vec<_>>()
    });
    let piled = line("requests pile up", PILED, piled.collect());
    let ends = [trials.first(), trials.last()].map(|trial| trial.map_or(0.0, |trial| trial.load));
    let limit = ends.map(|load| Point::at(load, 1.0)).to_vec();
    let replicas = capacity.course.replicas;
    let row = capacity.rows.iter().find(|row| row.replicas == replicas);
    let mut lines = vec![line("the limit", LIMIT, limit)];
    if let Some(most) = row.and_then(|row| row.all.least.load()) {
        // What takes nothing of its limit has no place on this axis.
        let points = || series.iter().flat_map(|series| &series.points);
        let heights = || points().map(|point| point.y).filter(|height| *height > 0.0);
        let lowest = heights().fold(1.0, f64::min);
        let highest = heights().fold(1.0, f64::max);
        let ends = vec![Point::at(most, lowest), Point::at(most, highest)];
        lines.push(line("the most within all", MOST, ends));
    }
    lines.append(&mut series);
    if !piled.points.is_empty() {
        lines.push(piled);
    }
    let on = if replicas == 1 { "1 replica".to_owned() } else { format!("{replicas} replicas") };
    let within = match row.map(|row| row.all.least) {
        Some(Reach::Upto(load) | Reach::Beyond(load)) => {
            format!("within all up to {} {}", load_text(load), capacity.load.unit())
        }
        Some(Reach::Below(load)) => {
            format!("beyond them from {} {} on", load_text(load), capacity.load.unit())
        }
        None => String::new(),
    };
    Panel {
        title: format!("On {on}: {within}").into(),
        x: Axis::linear(match capacity.load {
            Load::Rate => "Requests per second",
            Load::Users => "Users",
        }),
        y: Axis { scale: Scale::Log, ..Axis::linear("Figure ÷ limit") },
        marks: Marks::Series(lines),
        rules: Vec::new(),
    }
}

/// Its own colour, marker and dashes, so that curves that lie upon each other can all be seen.
const fn look(place: usize) -> Look {
    Look { dash: Dash::Kind(place), ..Look::kind(place) }
}

fn line(name: &str, look: Look, points: Vec<Point>) -> Series {
    Series { name: Some(name.into()), look, points, errors: crate::figure::Errors::default() }
}

fn name(capacity: &Capacity, place: usize) -> String {
    capacity.objectives.get(place).map_or_else(String::new, ToString::to_string)
}

/// So many times its limit is as far as a figure is drawn.
const FAR: f64 = 10.0;

const ALL_TOGETHER: Look =
    Look { colour: Colour::Muted, dash: Dash::Kind(0), width: 5.0, marker: Marker::None };

const LIMIT: Look =
    Look { colour: Colour::Muted, dash: Dash::Kind(0), width: 1.0, marker: Marker::None };

const MOST: Look =
    Look { colour: Colour::Muted, dash: Dash::Kind(2), width: 1.4, marker: Marker::None };

const PILED: Look =
    Look { colour: Colour::Kind(6), dash: Dash::None, width: 1.2, marker: Marker::Kind(4) };
