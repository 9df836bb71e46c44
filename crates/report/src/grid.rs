//! Tables and boxes drawn with line characters: those of `tabulate` and `rich` that the documents of the dialects show.
//!
//! Deliberately small: the cells of an [`outline`] and of a [`heavy`] table may hold several lines, broken by whoever makes them, and
//! [`facts`] wraps.

use crate::Style;
use crate::prose::{centred, pad, pad_left, width, wrap};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'a> {
    /// Its heading, of one line or several.
    pub(crate) heading: &'a str,
    /// The side to which its cells keep.
    pub(crate) side: Side,
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its cells, one a column.
    pub(crate) cells: Vec<String>,
    /// How its content is to be taken.
    pub(crate) tone: Tone,
}

/// How something is to be taken: shown by colour where there is any, and always in words too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As any other.
    Neutral,
    /// All is well.
    Good,
    /// Look here.
    Fair,
    /// Something is wrong.
    Poor,
}

impl<'a> Column<'a> {
    /// A column whose cells keep to the left.
    pub(crate) const fn left(heading: &'a str) -> Self {
        Self { heading, side: Side::Left }
    }

    /// A column whose cells keep to the right.
    pub(crate) const fn right(heading: &'a str) -> Self {
        Self { heading, side: Side::Right }
    }

    fn set(&self, cell: &str, to: usize) -> String {
        match self.side {
            Side::Left => pad(cell, to),
            Side::Right => pad_left(cell, to),
        }
    }
}

/// The text in the colour of its tone.
pub(crate) fn toned(text: &str, tone: Tone, style: Style) -> String {
    let code = match (style, tone) {
        (Style::Plain, _) | (Style::Colour, Tone::Neutral) => return text.to_owned(),
        (Style::Colour, Tone::Good) => 32,
        (Style::Colour, Tone::Fair) => 33,
        (Style::Colour, Tone::Poor) => 31,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A table in light lines, as `tabulate` draws its `simple_outline`. A cell of several lines makes its row as high.
pub(crate) fn outline(columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let widths = widths(columns, rows.iter().map(Vec::as_slice));
    let headings: Vec<String> = columns.iter().map(|column| column.heading.to_owned()).collect();
    let ruled = |left: &str, cross: &str, right: &str| {
        let dashes: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", dashes.join(cross))
    };
    let line = |cells: &[String]| -> String {
        let lines = lines(cells).into_iter();
        lines.map(|cells| format!("│ {} │\n", set(columns, &cells, &widths).join(" │ "))).collect()
    };
    let mut table = ruled("┌", "┬", "┐") + &line(&headings) + &ruled("├", "┼", "┤");
    rows.iter().for_each(|cells| table.push_str(&line(cells)));
    table + &ruled("└", "┴", "┘")
}

/// A titled table with a heavy head, as `rich` draws it without padding at its edges. A cell of several lines makes its row as high.
pub(crate) fn heavy(title: &str, columns: &[Column<'_>], rows: &[Row], style: Style) -> String {
    let widths = widths(columns, rows.iter().map(|row| row.cells.as_slice()));
    let last = widths.len().saturating_sub(1);
    let spans: Vec<usize> = widths
        .iter()
        .enumerate()
        .map(|(index, width)| width + usize::from(index > 0) + usize::from(index < last))
        .collect();
    let ruled = |dash: &str, [left, cross, right]: [&str; 3]| {
        let dashes: Vec<String> = spans.iter().map(|span| dash.repeat(*span)).collect();
        format!("{left}{}{right}\n", dashes.join(cross))
    };
    let total = spans.iter().sum::<usize>() + spans.len() + 1;
    let mut table = centred(title, total) + "\n" + &ruled("━", ["┏", "┳", "┓"]);
    for cells in heading_lines(columns) {
        table.push_str(&format!("┃{}┃\n", set(columns, &cells, &widths).join(" ┃ ")));
    }
    table.push_str(&ruled("━", ["┡", "╇", "┩"]));
    for row in rows {
        for cells in lines(&row.cells) {
            let cells: Vec<String> = set(columns, &cells, &widths)
                .iter()
                .map(|cell| toned(cell, row.tone, style))
                .collect();
            table.push_str(&format!("│{}│\n", cells.join(" │ ")));
        }
    }
    table + &ruled("─", ["└", "┴", "┘"])
}

/// Names and what they stand for, in a box of 80 columns; what is too long is wrapped.
pub(crate) fn facts(facts: &[(&str, String)]) -> String {
    let (left, right) = (NAMES_WIDTH - 2, BOX_WIDTH - 3 - NAMES_WIDTH - 2);
    let ruled = |[start, cross, end]: [&str; 3]| {
        let (names, values) = ("─".repeat(left + 2), "─".repeat(right + 2));
        format!("{start}{names}{cross}{values}{end}\n")
    };
    let mut table = ruled(["┌", "┬", "┐"]);
    for (name, value) in facts {
        for (index, line) in wrap(value, right).iter().enumerate() {
            let name = if index == 0 { *name } else { "" };
            table.push_str(&format!("│ {} │ {} │\n", pad(name, left), pad(line, right)));
        }
    }
    table + &ruled(["└", "┴", "┘"])
}

/// A title in a rounded box of 80 columns.
pub(crate) fn panel(title: &str) -> String {
    let edge = "─".repeat(BOX_WIDTH - 2);
    format!("╭{edge}╮\n│ {} │\n╰{edge}╯\n", pad(title, BOX_WIDTH - 4))
}

fn set(columns: &[Column<'_>], cells: &[String], widths: &[usize]) -> Vec<String> {
    columns
        .iter()
        .zip(cells)
        .zip(widths)
        .map(|((column, cell), &to)| column.set(cell, to))
        .collect()
}

fn widths<'a>(columns: &[Column<'_>], rows: impl Iterator<Item = &'a [String]>) -> Vec<usize> {
    let mut widths: Vec<usize> =
        columns.iter().map(|column| column.heading.lines().map(width).max().unwrap_or(0)).collect();
    for cells in rows {
        for (widest, cell) in widths.iter_mut().zip(cells) {
            *widest = cell.lines().map(width).fold(*widest, usize::max);
        }
    }
    widths
}

/// The lines of a row, each cell beginning on the first of them.
fn lines(cells: &[String]) -> Vec<Vec<String>> {
    let height = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
    let line = |cell: &String, index| cell.lines().nth(index).unwrap_or_default().to_owned();
    (0..height).map(|index| cells.iter().map(|cell| line(cell, index)).collect()).collect()
}

/// The lines of the headings, each heading standing on the last of them.
fn heading_lines(columns: &[Column<'_>]) -> Vec<Vec<String>> {
    let height = columns.iter().map(|column| column.heading.lines().count()).max().unwrap_or(0);
    let line = |column: &Column<'_>, index: usize| {
        let lines: Vec<&str> = column.heading.lines().collect();
        let above = height - lines.len();
        index.checked_sub(above).map_or_else(String::new, |own| lines[own].to_owned())
    };
    (0..height).map(|index| columns.iter().map(|column| line(column, index)).collect()).collect()
}

const BOX_WIDTH: usize = 80;
const NAMES_WIDTH: usize = 23;

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn an_outline_is_tabulate_s() {
        let columns = [Column::left("Metric"), Column::right("Value")];
        let rows = [cells(&["── General ──", ""]), cells(&["Concurrency", "8"])];
        insta::assert_snapshot!(outline(&columns, &rows), @r"
        ┌───────────────┬───────┐
        │ Metric        │ Value │
        ├───────────────┼───────┤
        │ ── General ── │       │
        │ Concurrency   │     8 │
        └───────────────┴───────┘
        ");
    }

    #[test]
    fn a_cell_of_several_lines_makes_its_row_as_high() {
        let columns = [Column::right("Count"), Column::left("Message")];
        let rows = [cells(&["12", "queue is full\n→ lower the load"]), cells(&["3", ""])];
        insta::assert_snapshot!(outline(&columns, &rows), @r"
        ┌───────┬──────────────────┐
        │ Count │ Message          │
        ├───────┼──────────────────┤
        │    12 │ queue is full    │
        │       │ → lower the load │
        │     3 │                  │
        └───────┴──────────────────┘
        ");
    }

    #[test]
    fn a_heavy_head_is_rich_s() {
        let columns =
            [Column::right("Conc."), Column::right("Avg\nLat.(s)"), Column::right("Success\nRate")];
        let row = Row { cells: cells(&["200", "77.558", "25.2%"]), tone: Tone::Poor };
        insta::assert_snapshot!(heavy("Metrics", &columns, &[row], Style::Plain), @r"
                  Metrics
        ┏━━━━━━┳━━━━━━━━━┳━━━━━━━━┓
        ┃      ┃     Avg ┃ Success┃
        ┃Conc. ┃ Lat.(s) ┃    Rate┃
        ┡━━━━━━╇━━━━━━━━━╇━━━━━━━━┩
        │  200 │  77.558 │   25.2%│
        └──────┴─────────┴────────┘
        ");
    }

    #[test]
    fn facts_are_wrapped_in_their_box() {
        let long = "outputs/20260102_110437/".repeat(3);
        insta::assert_snapshot!(facts(&[("Model", "模型".into()), ("Output Path", long)]), @r"
        ┌───────────────────────┬──────────────────────────────────────────────────────┐
        │ Model                 │ 模型                                                 │
        │ Output Path           │ outputs/20260102_110437/outputs/20260102_110437/outp │
        │                       │ uts/20260102_110437/                                 │
        └───────────────────────┴──────────────────────────────────────────────────────┘
        ");
    }

    #[test]
    fn colour_surrounds_a_cell_and_changes_no_width() {
        let columns = [Column::right("A"), Column::right("B")];
        let row = Row { cells: cells(&["1", "2"]), tone: Tone::Good };
        let table = heavy("T", &columns, &[row], Style::Colour);
        assert!(table.contains("│\u{1b}[32m1\u{1b}[0m │ \u{1b}[32m2\u{1b}[0m│"), "{table}");
    }

    #[test]
    fn the_panel_is_eighty_columns_wide() {
        assert!(panel("Performance Test Summary Report").lines().all(|line| width(line) == 80));
    }
}
