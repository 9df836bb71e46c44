//! Figures as text in rows and columns: a name first, then figures at the right edges of their columns.
//!
//! Letters shrink as far as they can be read. What does not fit even so is counted at the foot: no figure is ever cut.

use svg::node::element::Group;

use crate::figure::fit;
use crate::figure::ink::rule;
use crate::figure::letters::width;
use crate::figure::marks::Table;
use crate::figure::text::{Anchor, INK, QUIET, Text};
use crate::figure::view::{Frame, View};
use crate::words::Words;

pub(crate) fn painted(view: &View<'_>, table: &Table) -> Group {
    if table.head.is_empty() && table.rows.is_empty() {
        return Group::new();
    }
    let room = (view.frame.width(), view.frame.height());
    let widest = widest(table);
    let tries = SIZES.into_iter().flat_map(|size| [1, 2, 3].map(|lines| (size, lines)));
    let mut best: Option<Plan> = None;
    for (size, lines) in tries {
        let plan = Plan::of(table, &widest, (size, lines), room);
        let shows = |plan: &Plan| (plan.is_whole, plan.columns.len(), plan.rows);
        if best.as_ref().is_none_or(|best| shows(&plan) > shows(best)) {
            best = Some(plan);
        }
        if best.as_ref().is_some_and(|best| best.is_whole) {
            break;
        }
    }
    best.map_or_else(Group::new, |plan| plan.painted(view, table))
}

/// How a table stands in letters of a size.
struct Plan {
    size: f64,
    head: Vec<String>,
    /// The widths of the columns that fit.
    columns: Vec<f64>,
    /// How many rows fit.
    rows: usize,
    /// Whether everything fits, the names uncut.
    is_whole: bool,
    /// Between columns.
    gap: f64,
}

impl Plan {
    /// In letters of that size, with headings of so many lines, in a room of that width and height.
    fn of(table: &Table, widest: &[f64], (size, lines): (f64, usize), room: (f64, f64)) -> Self {
        let count = widest.len();
        let widest = |column: usize| widest[column] * size;
        let mut head = Vec::with_capacity(count);
        let mut columns = Vec::with_capacity(count);
        for column in 0..count {
            let text = table.head.get(column).map_or("", |words| words);
            let (text, wide) = heading(text, (size, lines), widest(column));
            head.push(text);
            columns.push(wide.max(widest(column)));
        }
        let least = size * 1.1;
        let takes = |columns: &[f64]| {
            columns.iter().sum::<f64>() + least * columns.len().saturating_sub(1) as f64
        };
        // The name may lose its middle; figures stay whole, or are left out and counted.
        let others = takes(&columns) - columns.first().copied().unwrap_or(0.0);
        if let Some(first) = columns.first_mut() {
            *first = first.min((room.0 - others).max(0.22 * room.0));
        }
        while columns.len() > 1 && takes(&columns) > room.0 + 0.01 {
            columns.pop();
        }
        if let [only] = columns.as_mut_slice() {
            *only = only.min(room.0);
        }
        let gaps = columns.len().saturating_sub(1).max(1) as f64;
        let gap = ((room.0 - columns.iter().sum::<f64>()) / gaps).clamp(0.0, 5.0 * size);
        let lines = head.iter().take(columns.len()).map(|text| text.lines().count()).max();
        let left = room.1 - head_height(lines.unwrap_or(0), size) - 0.4 * size;
        let all = ((left / (size * ROW)).floor().max(0.0)) as usize;
        let has_all = all >= table.rows.len() && columns.len() == count;
        // What is left out takes a row to be told.
        let rows = if has_all { all } else { all.saturating_sub(1) }.min(table.rows.len());
        let is_cut = columns.first().is_some_and(|first| widest(0) > first + 0.01);
        Self { size, head, columns, rows, is_whole: has_all && !is_cut, gap }
    }

    fn painted(&self, view: &View<'_>, table: &Table) -> Group {
        let size = self.size;
        let wide = self.columns.iter().sum::<f64>()
            + self.gap * self.columns.len().saturating_sub(1) as f64;
        let Frame { left, top, right, .. } = view.frame;
        let left = left.max(f64::midpoint(left, right) - wide / 2.0);
        let right = left + wide;
        let mut group = Group::new().add(rule((left, top), (right, top), INK, 1.1));
        let heads = self.head.iter().take(self.columns.len());
        let lines = heads.map(|text| text.lines().count()).max().unwrap_or(0);
        let mut y = top + head_height(lines, size);
        for (column, text) in self.head.iter().take(self.columns.len()).enumerate() {
            // Headings stand on one foot, however many lines they have.
            let above = (text.lines().count().max(1) - 1) as f64 * size * Text::LEADING;
            let head = self.text(text, column, left, y - 0.5 * size - above);
            let full = table.head.get(column).map_or("", |words| words);
            group = group.add(head.in_full(full).painted());
        }
        group = group.add(rule((left, y), (right, y), INK, 0.7));
        for (index, row) in table.rows.iter().take(self.rows).enumerate() {
            for (column, cell) in row.iter().take(self.columns.len()).enumerate() {
                let line = one_line(cell);
                let text = if column == 0 { fit::cut(&line, size, self.columns[0]) } else { line };
                let text = self.text(&text, column, left, y + 0.68 * size * ROW);
                group = group.add(text.in_full(cell).painted());
            }
            y += size * ROW;
            let is_last = index + 1 == self.rows;
            let (colour, wide) = if is_last { (INK, 1.1) } else { ("#e4e4e4", 0.6) };
            group = group.add(rule((left, y), (right, y), colour, wide));
        }
        match self.left_out(view, table) {
            Some(note) => {
                let note = Text::new(&note, left, y + 0.68 * size * ROW, size, Anchor::Start);
                group.add(note.coloured(QUIET).painted())
            }
            None => group,
        }
    }

    /// A text in its column.
    fn text(&self, text: &str, column: usize, left: f64, y: f64) -> Text {
        let before: f64 = self.columns.iter().take(column).map(|wide| wide + self.gap).sum();
        let (x, anchor) = match column {
            0 => (left, Anchor::Start),
            _ => (left + before + self.columns[column], Anchor::End),
        };
        Text::new(text, x, y, self.size, anchor)
    }

    /// What is said of the rows and columns that have no room.
    fn left_out(&self, view: &View<'_>, table: &Table) -> Option<String> {
        let rows = table.rows.len() - self.rows;
        let columns = self.head.len() - self.columns.len();
        let words = match (rows, columns) {
            (0, 0) => return None,
            (rows, 0) => Words::both(format!("… {rows} more"), format!("… 另有 {rows} 行")),
            (0, columns) => {
                let noun = if columns == 1 { "column" } else { "columns" };
                Words::both(format!("… {columns} more {noun}"), format!("… 另有 {columns} 列"))
            }
            (rows, columns) => Words::both(
                format!("… {rows} more rows and {columns} more columns"),
                format!("… 另有 {rows} 行、{columns} 列"),
            ),
        };
        Some(words.told(view.language).to_owned())
    }
}

/// The widths of the widest cells of each column, in letters of size 1.
fn widest(table: &Table) -> Vec<f64> {
    let count = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.head.len());
    let mut widest = vec![0.0_f64; count];
    for row in &table.rows {
        for (widest, cell) in widest.iter_mut().zip(row) {
            *widest = widest.max(width(&one_line(cell), 1.0));
        }
    }
    widest
}

/// A heading in at most so many lines, about as wide as the cells below it if it can be, and its width.
fn heading(text: &str, (size, lines): (f64, usize), cells: f64) -> (String, f64) {
    let mut room = cells.max(3.0 * size);
    loop {
        let broken = fit::wrapped(text, size, room);
        let wide = width(&broken, size);
        let is_done = broken.lines().count() <= lines.max(text.lines().count());
        if is_done || wide >= width(text, size) {
            return (broken, wide);
        }
        room *= 1.15;
    }
}

fn head_height(lines: usize, size: f64) -> f64 {
    if lines == 0 { 0.0 } else { size * (lines as f64 * Text::LEADING + 0.7) }
}

fn one_line(cell: &str) -> String {
    fit::cut(cell, 1.0, f64::INFINITY)
}

/// The sizes of letters that are tried.
const SIZES: [f64; 5] = [10.0, 9.5, 9.0, 8.5, 7.5];

/// The height of a row, in sizes of its letters.
const ROW: f64 = 1.62;
