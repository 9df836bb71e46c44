//! All of it for machines. Keys are stable; [`VERSION`] rises if one changes its meaning or goes.

use serde_json::{Value, json};

use super::{Capacity, Limit, Load, Most, Objective, Reach, Side, There, Trial, Unit};

/// The version of the form.
const VERSION: u32 = 1;

/// Everything that was asked, found and tried. Lengths of time are in seconds.
pub(crate) fn json(capacity: &Capacity) -> Value {
    let rows = capacity.rows.iter().map(|row| {
        let each = row.each.iter().zip(&capacity.objectives);
        let each: Vec<Value> = each.map(|(found, objective)| most(&objective.key, found)).collect();
        json!({
            "replicas": row.replicas,
            "objectives": each,
            "all": most("all", &row.all),
            "limited_by": row.limited_by.iter().map(|limit| named(capacity, limit)).collect::<Vec<_>>(),
            "there": row.there.as_ref().map(there),
        })
    });
    let needs = capacity.needs.iter().map(|need| {
        json!({
            "load": need.load,
            "replicas": need.replicas.map(|(replicas, _)| replicas),
            "they_carry": need.replicas.and_then(|(_, carried)| carried.load()),
        })
    });
    json!({
        "version": VERSION,
        "estimate": true,
        "deployment": capacity.deployment,
        "asked": capacity.asked,
        "load_unit": match capacity.load {
            Load::Rate => "requests_per_second",
            Load::Users => "users",
        },
        "objectives": capacity.objectives.iter().map(objective).collect::<Vec<_>>(),
        "most_load": rows.collect::<Vec<_>>(),
        "replicas_needed": needs.collect::<Vec<_>>(),
        "notes": capacity.notes,
        "trials": capacity.trials.iter().map(trial).collect::<Vec<_>>(),
        "course": capacity.course.trials.iter().map(trial).collect::<Vec<_>>(),
    })
}

fn objective(objective: &Objective) -> Value {
    json!({
        "objective": objective.key,
        "name": objective.name,
        "side": match objective.side {
            Side::AtMost => "at_most",
            Side::AtLeast => "at_least",
        },
        "limit": objective.limit,
        "unit": match objective.unit {
            Unit::Seconds => "seconds",
            Unit::Share => "share",
        },
    })
}

fn most(key: &str, most: &Most) -> Value {
    json!({
        "objective": key,
        "load": most.least.load(),
        "load_at_best": most.greatest.load(),
        "range_ends_there": matches!(most.least, Reach::Beyond(_)),
        "wavers": most.wavers,
    })
}

fn named<'c>(capacity: &'c Capacity, limit: &Limit) -> &'c str {
    match limit {
        Limit::Objective(place) => {
            capacity.objectives.get(*place).map_or("", |objective| objective.key.as_str())
        }
        Limit::Throughput => "throughput",
        Limit::Room => "room",
    }
}

fn trial(trial: &Trial) -> Value {
    json!({
        "replicas": trial.replicas,
        "load": trial.load,
        "repetition": trial.repetition,
        "requests": trial.requests,
        "measured": trial.measured,
        "failed": trial.failed,
        "figures": trial.figures,
        "kept": trial.kept,
        "saturated": trial.saturated,
        "short": trial.short,
        "lasted": trial.lasted,
        "there": there(&trial.there),
    })
}

fn there(there: &There) -> Value {
    json!({
        "requests_in_flight": there.in_flight,
        "requests_per_second": there.request_rate,
        "output_tokens_per_second": there.output_rate,
        "prompt_tokens_cached": there.cached,
        "preemptions_per_request": there.preemptions,
    })
}
