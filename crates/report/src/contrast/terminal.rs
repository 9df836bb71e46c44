//! A comparison for people at a terminal: the sentence, what must be known, a table a point, conditions, and what the intervals rest on.

use super::gate::Standing;
use super::judge::{Basis, Row};
use super::{Contrast, Pair, words};
use crate::Style;
use crate::compare::Verdict;
use crate::grid::{Column, Tone, outline, toned};
use crate::number::{ABSENT, compact};
use crate::prose::{capital, paragraph, quoted};

pub(super) fn text(contrast: &Contrast, style: Style) -> String {
    let [baseline, candidate] = &contrast.names;
    let mut text = paragraph("", &capital(&contrast.headline()));
    text.push('\n');
    text.push_str(&format!(
        "baseline:  {}\ncandidate: {}\n",
        quoted(baseline, 200),
        quoted(candidate, 200)
    ));
    let mut warn = |what: &str| {
        let warning = paragraph("! ", &quoted(what, 600));
        text.push_str(&toned(warning.trim_end(), Tone::Fair, style));
        text.push('\n');
    };
    for objection in &contrast.objections {
        warn(&format!("not comparable: {}", objection.what));
    }
    for (side, alone) in ["baseline", "candidate"].into_iter().zip(&contrast.alone) {
        if !alone.is_empty() {
            warn(&format!("in the {side} only, and not compared: {}", alone.join("; ")));
        }
    }
    for pair in &contrast.pairs {
        text.push('\n');
        text.push_str(&of_pair(pair, style));
    }
    if !contrast.checked.is_empty() {
        text.push_str("\n--fail-on:\n");
        for checked in &contrast.checked {
            for (standing, what) in checked.told() {
                let tone = match standing {
                    Standing::Met => Tone::Poor,
                    Standing::NotMet => Tone::Neutral,
                    Standing::Open | Standing::Unknown => Tone::Fair,
                };
                let line =
                    paragraph("  ", &format!("{}: {}: {what}", checked.condition, standing.word()));
                text.push_str(&toned(line.trim_end(), tone, style));
                text.push('\n');
            }
        }
    }
    text.push('\n');
    for line in explanations(contrast) {
        text.push_str(&paragraph("", &line));
    }
    text
}

fn of_pair(pair: &Pair, style: Style) -> String {
    let runs = |side: usize| pair.sides[side].len();
    let runs = match (runs(0), runs(1)) {
        (1, 1) => "1 run a side".to_owned(),
        (a, b) if a == b => format!("{a} runs a side"),
        (a, b) => format!("{} against {b}", words::counted(a, "run")),
    };
    let mut text = format!("{} ({runs})\n", pair.name);
    for note in &pair.notes {
        text.push_str(&toned(paragraph("• ", note).trim_end(), Tone::Fair, style));
        text.push('\n');
    }
    let rows: Vec<&Row> = pair.rows.iter().collect();
    if rows.is_empty() {
        text.push_str("The two have no figure in common.\n");
        return text;
    }
    let columns = [
        Column::left("Metric"),
        Column::right("Baseline"),
        Column::right("Candidate"),
        Column::right("Difference"),
        Column::left("95 % interval"),
        Column::left("Verdict"),
    ];
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
    let table = outline(&columns, &cells);
    let tone = |line: usize| match line.checked_sub(3).and_then(|row| rows.get(row)) {
        Some(row) => tone(row.verdict),
        None => Tone::Neutral,
    };
    let lines = table.lines().enumerate();
    text.extend(lines.map(|(index, line)| toned(line, tone(index), style) + "\n"));
    text
}

fn cells(row: &Row) -> Vec<String> {
    let digits = if words::unit(&row.figure.key) == "ms" { 2 } else { 3 };
    let verdict = match row.verdict {
        Verdict::Better => "▲ better".to_owned(),
        Verdict::Worse => "▼ worse".to_owned(),
        Verdict::Unknown => "cannot tell".to_owned(),
        _ if row.only_on_its_own() => "no evidence ‡".to_owned(),
        other => verdict_words(other).to_owned(),
    };
    vec![
        row.figure.title.clone(),
        compact(row.values[0], digits),
        compact(row.values[1], digits),
        difference(row),
        interval(row),
        verdict,
    ]
}

/// In parts of the baseline where that is possible.
pub(super) fn difference(row: &Row) -> String {
    match row.part() {
        Some(part) => words::percent(part),
        None => words::signed(row.values[1] - row.values[0], 3),
    }
}

/// The interval as it is shown in tables. One that says nothing is not: `−100 … +34097 %` would only look like a figure.
pub(super) fn interval(row: &Row) -> String {
    if row.basis.is_err() {
        return ABSENT.to_owned();
    }
    if let Some([low, high]) = row.interval() {
        let low = words::percent(low);
        return format!("{} … {}", low.trim_end_matches(" %"), words::percent(high));
    }
    let absolute = row.difference.and_then(|estimate| estimate.interval(0.95));
    absolute.map_or_else(
        || ABSENT.to_owned(),
        |interval| {
            let (low, high) = (words::signed(interval.low, 2), words::signed(interval.high, 2));
            format!("{low} … {high} {}", words::unit(&row.figure.key)).trim_end().to_owned()
        },
    )
}

/// A verdict in words.
pub(super) const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoneShown => "no evidence",
        other => other.words(),
    }
}

/// How a verdict is to be taken.
pub(super) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Better => Tone::Good,
        Verdict::Worse => Tone::Poor,
        _ => Tone::Neutral,
    }
}

/// What the intervals and verdicts rest on, and what they cannot know.
pub(super) fn explanations(contrast: &Contrast) -> Vec<String> {
    let rows = || contrast.pairs.iter().flat_map(|pair| &pair.rows);
    let has = |basis: Basis| rows().any(|row| row.basis == Ok(basis) && row.difference.is_some());
    let mut lines = Vec::new();
    if has(Basis::Requests) {
        lines.push(
            "Intervals rest on the requests of one run a side, drawn anew in blocks of neighbours. What differs from run to run (a restart, \
             other neighbours on the machine) is in none of them: give several runs a side to have that told from chance."
                .to_owned(),
        );
    }
    if has(Basis::Runs) {
        lines.push(
            "Intervals rest on the spread between runs (Welch), or on that of the requests within them where it is greater.".to_owned(),
        );
    }
    if has(Basis::RunsOfOneSide) {
        lines.push(
            "Where one side has a single run, it is taken to vary from run to run as the other side does.".to_owned(),
        );
    }
    if contrast.figures > 0 {
        lines.push(format!(
            "Verdicts hold for {} together: where nothing differs, one comparison in twenty at most calls anything better or worse (Holm).",
            words::counted(contrast.figures, "figure")
        ));
    }
    if rows().any(Row::only_on_its_own) {
        lines.push("‡ Its own interval leaves 0 out, but among so many figures one that does is no evidence.".to_owned());
    }
    let mut doubts: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows().filter(|row| row.verdict == Verdict::Unknown) {
        let Err(doubt) = row.basis else { continue };
        let (why, name) = (doubt.words(), words::called(&row.figure.key));
        match doubts.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => doubts.push((why, vec![name])),
        }
    }
    lines.extend(
        doubts.into_iter().map(|(why, names)| format!("Cannot tell: {why} ({}).", few(&names))),
    );
    lines
}

fn few(names: &[String]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        more => format!("{} and {} more", names[..3].join(", "), more - 3),
    }
}
