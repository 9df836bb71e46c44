//! A comparison for people.

use tokometer_metrics::compare::{FEWEST_BEYOND, FEWEST_REQUESTS};

use super::{Basis, Comparison, Row, Verdict};
use crate::Style;
use crate::grid::{Column, Tone, outline, toned};
use crate::number::{ABSENT, compact};
use crate::prose::{paragraph, quoted};

/// The sides, what differs in what was asked, what must be known, and the figures.
pub(crate) fn text(comparison: &Comparison, style: Style) -> String {
    let mut text = String::new();
    for (letter, (name, runs)) in
        ["A", "B"].iter().zip(comparison.names.iter().zip(comparison.runs))
    {
        let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
        text.push_str(&format!("{letter}: {} ({runs})\n", quoted(name, 200)));
    }
    text.push('\n');
    if !comparison.settings.is_empty() {
        text.push_str(&settings(comparison));
    }
    for note in &comparison.notes {
        let note = paragraph("! ", &quoted(note, 600));
        text.push_str(&toned(note.trim_end(), Tone::Fair, style));
        text.push('\n');
    }
    if comparison.rows.is_empty() {
        text.push_str("The two have no figure in common.\n");
        return text;
    }
    let columns = [
        Column::left("Figure"),
        Column::right("A"),
        Column::right("B"),
        Column::right("B − A"),
        Column::right("Relative"),
        Column::right("95 % confidence"),
        Column::left("Verdict on B"),
    ];
    let shown: Vec<&Row> = comparison.rows.iter().filter(|row| says_something(row)).collect();
    let rows: Vec<Vec<String>> = shown.iter().map(|row| cells(row)).collect();
    let table = outline(&columns, &rows);
    text.push_str(&in_colour(&table, &shown, style));
    text.push_str(&explanation(comparison));
    text
}

fn settings(comparison: &Comparison) -> String {
    let columns =
        [Column::left("Setting"), Column::right("A"), Column::right("B"), Column::left("")];
    let row = |setting: &super::Setting| {
        let mark = if setting.matters { "! matters" } else { "" };
        let [a, b] = &setting.values;
        vec![quoted(&setting.key, 40), quoted(a, 40), quoted(b, 40), mark.to_owned()]
    };
    outline(&columns, &comparison.settings.iter().map(row).collect::<Vec<_>>())
}

/// Whether there is anything in it: nothing on both sides says something of failures alone.
fn says_something(row: &Row) -> bool {
    row.figure.key == "failed" || row.sides.iter().any(|side| side.mean != 0.0)
}

fn cells(row: &Row) -> Vec<String> {
    let side = |index: usize| {
        let sample = row.sides[index];
        match sample.sd {
            None => compact(sample.mean, 3),
            Some(sd) => format!("{} ± {}", compact(sample.mean, 3), compact(sd, 3)),
        }
    };
    let interval = match row.confidence {
        None => ABSENT.to_owned(),
        Some(sure) => {
            let basis = if sure.basis == Basis::Requests { " *" } else { "" };
            format!("{} … {}{basis}", signed(sure.interval.low, 3), signed(sure.interval.high, 3))
        }
    };
    let relative =
        row.relative().map_or_else(|| ABSENT.to_owned(), |part| signed(100.0 * part, 1) + " %");
    let verdict = match row.verdict {
        Verdict::Better => "▲ better",
        Verdict::Worse => "▼ worse",
        Verdict::Differs => "≠ differs",
        Verdict::NoneShown => "no difference shown",
        Verdict::Unknown if row.too_few.is_some() => "cannot tell †",
        Verdict::Unknown => "cannot tell",
    };
    vec![
        row.figure.title.clone(),
        side(0),
        side(1),
        signed(row.difference(), 3),
        relative,
        interval,
        verdict.to_owned(),
    ]
}

/// With its sign, also of what is more.
fn signed(value: f64, digits: usize) -> String {
    let size = compact(value.abs(), digits);
    match () {
        () if size == "0" => size,
        () if value < 0.0 => format!("−{size}"),
        () => format!("+{size}"),
    }
}

/// The lines of figures in the colour of their verdict: three lines of a table stand above the first.
fn in_colour(table: &str, rows: &[&Row], style: Style) -> String {
    let tone = |line: usize| match line.checked_sub(3).and_then(|row| rows.get(row)) {
        Some(Row { verdict: Verdict::Better, .. }) => Tone::Good,
        Some(Row { verdict: Verdict::Worse, .. }) => Tone::Poor,
        _ => Tone::Neutral,
    };
    let lines = table.lines().enumerate();
    lines.map(|(index, line)| toned(line, tone(index), style) + "\n").collect()
}

fn explanation(comparison: &Comparison) -> String {
    let basis = |basis| {
        comparison.rows.iter().any(|row| row.confidence.is_some_and(|sure| sure.basis == basis))
    };
    let mut text = String::new();
    if basis(Basis::Runs) {
        text.push_str(&paragraph(
            "",
            "A and B are means over runs ± their standard deviation; the interval is Welch's, for B − A. Of twenty figures that do not \
             differ, one is called better or worse by chance.",
        ));
    }
    if basis(Basis::Requests) {
        text.push_str(&paragraph(
            "* ",
            "by a bootstrap over the requests of one run each: chance within a run, not from run to run, so the interval is too narrow \
             rather than too wide.",
        ));
    }
    let mut reasons: Vec<String> = Vec::new();
    for reason in comparison.rows.iter().filter_map(Row::why_unknown) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if !reasons.is_empty() {
        text.push_str(&paragraph(
            "† ",
            &format!(
                "cannot tell: {}. A bootstrap takes {FEWEST_REQUESTS} requests a side, of which {FEWEST_BEYOND} reach the percentile.",
                reasons.join(", ")
            ),
        ));
    }
    if reasons.is_empty() && comparison.rows.iter().all(|row| row.confidence.is_none()) {
        let both_single = comparison.runs == [1, 1];
        text.push_str(match both_single {
            true => {
                "no confidence: one run each, and no requests kept (--save-detailed keeps them)\n"
            }
            false => "",
        });
    }
    text
}
