//! The tables for a terminal.

use super::{Capacity, Limit, Load, Most, Need, Objective, Reach, Row, Side, Unit};
use crate::Style;
use crate::grid::{Column, Tone, facts, outline, toned};
use crate::number::{compact, shortest};
use crate::prose::paragraph;

/// What was asked, what each number of replicas carries, what each load needs, and what must be known of it.
pub(crate) fn text(capacity: &Capacity, style: Style) -> String {
    let mut text = format!("{}: an estimate by a model, not a measurement\n", capacity.deployment);
    text.push_str(&facts(&capacity.facts));
    text.push_str(&format!("\nThe most load within objectives ({})\n", capacity.load.unit()));
    text.push_str(&carried(capacity, style));
    if !capacity.needs.is_empty() {
        text.push_str("\nThe replicas that a load needs within all objectives\n");
        text.push_str(&needed(capacity));
    }
    text.push('\n');
    for note in &capacity.notes {
        text.push_str(&paragraph("• ", note));
    }
    text
}

fn carried(capacity: &Capacity, style: Style) -> String {
    let several = capacity.objectives.len() > 1;
    let headings: Vec<String> = capacity.objectives.iter().map(heading).collect();
    let mut columns = vec![Column::right("Replicas")];
    columns.extend(headings.iter().map(|heading| Column::right(heading)));
    if several {
        columns.push(Column::right("All\ntogether"));
    }
    columns.push(Column::right("A replica\ncarries"));
    columns.push(Column::right(match capacity.load {
        Load::Rate => "Requests\nin flight",
        Load::Users => "Requests\nper second",
    }));
    columns.push(Column::right("Output\ntok/s"));
    let preempts = capacity.rows.iter().any(|row| row.there.is_some_and(|at| at.preemptions > 0.0));
    let caches = capacity.rows.iter().any(|row| row.there.is_some_and(|at| at.cached > 0.0));
    if caches {
        columns.push(Column::right("Prompts\ncached"));
    }
    if preempts {
        columns.push(Column::right("Preemptions\nper request"));
    }
    columns.push(Column::left("Limited by"));
    let cells = |row: &Row| {
        let mut cells = vec![row.replicas.to_string()];
        cells.extend(row.each.iter().map(most));
        if several {
            cells.push(most(&row.all));
        }
        let sign = if matches!(row.all.least, Reach::Beyond(_)) { "≥ " } else { "" };
        let each = row.all.least.load().map(|load| load / f64::from(row.replicas));
        cells.push(
            each.map_or_else(|| NOTHING.to_owned(), |load| sign.to_owned() + &compact(load, 2)),
        );
        let at = |figure: Option<String>| figure.unwrap_or_else(|| NOTHING.to_owned());
        cells.push(at(row.there.map(|there| match capacity.load {
            Load::Rate => compact(there.in_flight, 1),
            Load::Users => compact(there.request_rate, 2),
        })));
        cells.push(at(row.there.map(|there| compact(there.output_rate, 0))));
        if caches {
            cells.push(at(row.there.map(|there| shortest(100.0 * there.cached, 1) + " %")));
        }
        if preempts {
            cells.push(at(row.there.map(|there| shortest(there.preemptions, 2))));
        }
        cells.push(limits(capacity, row));
        cells
    };
    let rows: Vec<Vec<String>> = capacity.rows.iter().map(cells).collect();
    let table = outline(&columns, &rows);
    let none = |row: &Row| row.all.least.load().is_none();
    // The lines of rows follow a rule, the headings and a rule.
    let head = table.lines().count() - rows.len() - 1;
    let line = |(index, line): (usize, &str)| {
        let row = index.checked_sub(head).and_then(|row| capacity.rows.get(row));
        let tone = if row.is_some_and(none) { Tone::Poor } else { Tone::Neutral };
        toned(line, tone, style) + "\n"
    };
    table.lines().enumerate().map(line).collect()
}

fn heading(objective: &Objective) -> String {
    format!("{}\n{}", objective.name, limit(objective))
}

/// `≤ 500 ms`, `≥ 99 %`.
pub(crate) fn limit(objective: &Objective) -> String {
    let sign = match objective.side {
        Side::AtMost => "≤",
        Side::AtLeast => "≥",
    };
    format!("{sign} {}", amount(objective.limit, objective.unit))
}

fn amount(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => format!("{} ms", shortest(1e3 * figure, 3)),
        Unit::Share => format!("{} %", shortest(100.0 * figure, 4)),
    }
}

/// `12.3`, `12.3 … 12.6` where repetitions differ, `none`, `≥ 200`; with a sign where the limit is blurred.
fn most(most: &Most) -> String {
    let text = match (reach(most.least), reach(most.greatest)) {
        (least, greatest) if least == greatest => least,
        (least, greatest) => format!("{least} … {greatest}"),
    };
    if most.wavers { text + " ~" } else { text }
}

fn reach(reach: Reach) -> String {
    match reach {
        Reach::Below(_) => "none".to_owned(),
        Reach::Upto(load) => load_text(load),
        Reach::Beyond(load) => format!("≥ {}", load_text(load)),
    }
}

/// A load in three figures, or as whole as it is.
pub(crate) fn load_text(load: f64) -> String {
    shortest(load, 3)
}

fn limits(capacity: &Capacity, row: &Row) -> String {
    let name = |limit: &Limit| match limit {
        Limit::Objective(index) => {
            capacity.objectives.get(*index).map_or("", |objective| objective.name.as_str())
        }
        Limit::Throughput => "throughput",
        Limit::Room => "no room",
    };
    match row.limited_by.as_slice() {
        [] => "the range".to_owned(),
        limits => limits.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

fn needed(capacity: &Capacity) -> String {
    let heading = format!("Load\n({})", capacity.load.unit());
    let columns = [
        Column::right(&heading),
        Column::right("Replicas"),
        Column::right("They\ncarry"),
        Column::right("Load\ntaken"),
    ];
    let tried = capacity.rows.last().map_or(0, |row| row.replicas);
    let cells = |need: &Need| {
        let load = load_text(need.load);
        match need.replicas {
            Some((replicas, carried)) => {
                let taken = carried.load().map(|most| 100.0 * need.load / most);
                let sign = if matches!(carried, Reach::Beyond(_)) { "≤ " } else { "" };
                let taken = taken.map_or_else(String::new, |percent| {
                    format!("{sign}{} %", shortest(percent, 0))
                });
                vec![load, replicas.to_string(), reach(carried), taken]
            }
            None => vec![load, format!("> {tried}"), NOTHING.to_owned(), NOTHING.to_owned()],
        }
    };
    outline(&columns, &capacity.needs.iter().map(cells).collect::<Vec<_>>())
}

const NOTHING: &str = "–";
