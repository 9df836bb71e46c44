//! A comparison for a pull request: the sentence first, then what was shown, and everything else folded away.
//!
//! GitHub's dialect. Names are a stranger's words: what would be markup is escaped.

use super::judge::Row;
use super::terminal::{difference, explanations, interval, verdict_words};
use super::{Contrast, words};
use crate::compare::Verdict;
use crate::prose::quoted;

pub(super) fn text(contrast: &Contrast) -> String {
    let [baseline, candidate] = &contrast.names;
    let mut text = format!("**{}**\n\n", escaped(&contrast.headline()));
    text.push_str(&format!("Baseline `{}`, candidate `{}`\n\n", code(baseline), code(candidate)));
    let mut warnings: Vec<String> = contrast
        .objections
        .iter()
        .map(|objection| format!("not comparable: {}", objection.what))
        .collect();
    for (side, alone) in ["baseline", "candidate"].into_iter().zip(&contrast.alone) {
        if !alone.is_empty() {
            warnings.push(format!("in the {side} only, and not compared: {}", alone.join("; ")));
        }
    }
    for pair in &contrast.pairs {
        warnings.extend(pair.notes.iter().map(|note| format!("{}: {note}", pair.name)));
    }
    if !warnings.is_empty() {
        text.extend(warnings.iter().map(|warning| format!("> ⚠ {}\n", escaped(warning))));
        text.push('\n');
    }
    if !contrast.checked.is_empty() {
        text.push_str("| Condition | Result | |\n|---|---|---|\n");
        for checked in &contrast.checked {
            for (standing, what) in checked.told() {
                let what = escaped(&what);
                text.push_str(&format!(
                    "| `{}` | {} | {what} |\n",
                    code(&checked.condition.typed),
                    standing.word()
                ));
            }
        }
        text.push('\n');
    }
    let differs =
        |row: &Row| matches!(row.verdict, Verdict::Better | Verdict::Worse | Verdict::Differs);
    let shown = table(contrast, differs);
    if let Some(shown) = shown {
        text.push_str(&shown);
        text.push('\n');
    }
    if let Some(all) = table(contrast, |_| true) {
        let figures = contrast.pairs.iter().map(|pair| pair.rows.len()).sum();
        text.push_str(&format!(
            "<details><summary>All {} at {}</summary>\n\n{all}\n</details>\n\n",
            words::counted(figures, "figure"),
            words::counted(contrast.pairs.len(), "point")
        ));
    }
    let lines: Vec<String> = explanations(contrast).iter().map(|line| escaped(line)).collect();
    text.push_str(
        &lines.iter().map(|line| format!("<sub>{line}</sub>")).collect::<Vec<_>>().join("<br>\n"),
    );
    text.push('\n');
    text
}

/// The rows of all points. `None` if there are none.
fn table(contrast: &Contrast, wanted: impl Fn(&Row) -> bool) -> Option<String> {
    let several = contrast.pairs.len() > 1;
    let mut text = String::new();
    for pair in &contrast.pairs {
        for row in pair.rows.iter().filter(|row| wanted(row)) {
            let point = if several { format!("| {} ", escaped(&pair.name)) } else { String::new() };
            let [a, b] = row.values.map(|value| words::valued(&row.figure.key, value));
            let verdict = match row.verdict {
                Verdict::Better | Verdict::Worse => format!("**{}**", verdict_words(row.verdict)),
                _ if row.only_on_its_own() => "no evidence ‡".to_owned(),
                other => verdict_words(other).to_owned(),
            };
            let name = words::called(&row.figure.key);
            text.push_str(&format!(
                "{point}| {name} | {a} | {b} | {} | {} | {verdict} |\n",
                difference(row),
                interval(row)
            ));
        }
    }
    let (head, rule) = if several { ("| Point ", "|---") } else { ("", "") };
    let heading = format!(
        "{head}| Metric | Baseline | Candidate | Difference | 95 % interval | Verdict |\n{rule}|---|--:|--:|--:|---|---|\n"
    );
    (!text.is_empty()).then(|| heading + &text)
}

/// Words in which nothing is markup.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in quoted(words, 800).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// Words between backticks.
fn code(words: &str) -> String {
    quoted(words, 200).replace('`', "'").replace('|', "¦")
}
