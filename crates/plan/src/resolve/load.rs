//! How much is asked, and when: the points, their pacing, their warm-up.

use std::time::Duration;

use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

use crate::config::{self, RampShape};
use crate::error::PlanError;
use crate::plan::{Pacing, Point, Ramp};
use crate::written::{Amount, Pace, Span};

use super::fit::to_usize;

/// The points of the sweep; the first begins at `offset` of the dataset.
pub(super) fn points(
    config: &config::Load,
    seed: Seed,
    offset: u64,
) -> Result<Vec<Point>, PlanError> {
    let duration = config.duration.map(|Span(length)| length);
    if duration.is_some_and(|length| length.is_zero()) {
        return Err(PlanError::at("load.duration", "a run of no length sends nothing")
            .with_hint("leave it out to be limited by the number of requests alone"));
    }
    if config.points.is_empty() {
        return Err(PlanError::at("load.points", "there is no point to run")
            .with_hint("for example - {parallel: 10, number: 100}"));
    }
    let mut offset = offset;
    let mut points = Vec::with_capacity(config.points.len());
    for (index, point) in config.points.iter().enumerate() {
        let pacing = pacing(point, &format!("load.points.{index}"))?;
        let load = load(point, pacing, config, duration);
        let seed = seed.at(index as u64);
        let (parallel, number) = (point.parallel.map(to_usize), point.number);
        points.push(Point { load, parallel, pacing, number, seed, offset });
        offset = offset.saturating_add(number.get());
    }
    Ok(points)
}

fn load(
    point: &config::Point,
    pacing: Pacing,
    config: &config::Load,
    duration: Option<Duration>,
) -> Load {
    let apart = config.warmup_apart.unwrap_or(false) || point.parallel.is_none();
    Load {
        arrivals: pacing.arrivals(),
        in_flight: point.parallel.map(to_usize),
        stop: Stop { requests: point.number.get(), after: duration },
        warmup: match config.warmup.unwrap_or(NO_WARMUP).of(point.number.get()) {
            0 => Warmup::None,
            n if apart => Warmup::Separate(n),
            n => Warmup::Leading(n),
        },
    }
}

/// What paces the point that stands at `setting`.
fn pacing(point: &config::Point, setting: &str) -> Result<Pacing, PlanError> {
    let at = |field: &str, problem: &str| PlanError::at(format!("{setting}.{field}"), problem);
    let recorded = point.recorded.unwrap_or(false);
    let pacing = match (point.rate, point.ramp, recorded) {
        (None, None, false) if point.parallel.is_none() => {
            let problem = "has neither parallel nor rate, so nothing limits it";
            return Err(PlanError::at(setting, problem).with_hint(
                "parallel: 10 for ten requests at a time, rate: 5 for five a second, rate: inf for all at once",
            ));
        }
        (None | Some(Pace::AtOnce), None, false) => Pacing::AtOnce,
        (Some(Pace::Rate(rate)), None, false) => {
            Pacing::Rate { rate, burstiness: point.burstiness }
        }
        (None, Some(ramp), false) => Pacing::Ramp(self::ramp(ramp, point, setting)?),
        (None, None, true) => Pacing::Recorded,
        (Some(_), Some(_), _) => {
            return Err(at("ramp", "stands beside a rate").with_hint("leave out one of them"));
        }
        (_, _, true) => {
            return Err(at("recorded", "stands beside a rate, and the dataset's moments are one")
                .with_hint("leave out one of them"));
        }
    };
    match pacing {
        Pacing::AtOnce | Pacing::Recorded if point.burstiness.is_some() => {
            Err(at("burstiness", "shapes the gaps of a rate, and there is none")
                .with_hint("give a rate as well, or leave it out"))
        }
        pacing => Ok(pacing),
    }
}

fn ramp(ramp: config::Ramp, point: &config::Point, setting: &str) -> Result<Ramp, PlanError> {
    let config::Ramp { shape, from, to } = ramp;
    let wrong = |field: &str, problem: &str, hint: &str| {
        Err(PlanError::at(format!("{setting}.ramp.{field}"), problem).with_hint(hint))
    };
    for (field, rate) in [("from", from), ("to", to)] {
        if !rate.is_finite() || rate < 0.0 {
            return wrong(field, "must be a number of requests per second, not negative", EXAMPLE);
        }
        if shape == RampShape::Exponential && rate == 0.0 {
            return wrong(
                field,
                "an exponential ramp never reaches zero, nor leaves it",
                "give a small rate such as 0.1, or a linear ramp",
            );
        }
    }
    if from == 0.0 && to == 0.0 {
        return wrong("to", "a ramp from zero to zero sends nothing", EXAMPLE);
    }
    Ok(Ramp { shape, from, to, burstiness: point.burstiness })
}

/// EvalScope's warning: a warm-up that covers only some of the places lets the rest begin cold, all at once.
pub(super) fn partial_warmup(point: &Point) -> Option<String> {
    let parallel = point.parallel?.get();
    match point.load.warmup {
        Warmup::Leading(n) if n < parallel as u64 => Some(format!(
            "a warm-up of {n} leaves {} of {parallel} places to begin cold with measured requests; \
             one of {parallel} covers them all",
            parallel as u64 - n
        )),
        _ => None,
    }
}

pub(super) const NO_WARMUP: Amount = Amount::Count(0);
const EXAMPLE: &str = "for example {shape: linear, from: 1, to: 50}";
