//! Results gathered from where they lie: as one table with English and Chinese headings, as a report in plain text, and as a summary
//! in Markdown.
//!
//! A table is what `tokometer aggregate` writes (CSV, Parquet, JSON) and what charts are drawn from again. Its keys are vLLM's, flat;
//! what was not measured is an empty cell and never 0. Deliberately holds nothing of single requests: their lists are passed over
//! while a result is read, however long they are.

mod batch;
mod cell;
mod columns;
mod csv;
mod evalscope;
mod flat;
mod folder;
mod history;
mod kept;
mod listing;
mod markdown;
mod moment;
mod parquet;
mod places;
pub mod report;
mod result;
mod sorted;

pub use cell::Cell;
pub use columns::Column;
pub use csv::ReadBack;
pub use folder::{Skipped, read_results};
pub use history::{Entry, Kind, State, Told, entry, history, in_full};
pub use listing::{Side, listing};
pub use markdown::markdown;

use std::fmt;

use serde_json::{Map, Value};

use crate::cases::Case;

/// Results, one a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What stands in each place of a row.
    pub columns: Vec<Column>,
    /// The results, by number: input and output length, concurrency, rate, requests, repetition. Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// Why a text is no table of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Malformed {}

impl Table {
    /// The table of results that were read, each by vLLM's keys with all that stands below them: flat, sorted, without lists.
    pub fn of(results: Vec<Map<String, Value>>) -> Self {
        let mut rows: Vec<Vec<(String, Cell)>> = results.iter().map(flat::flat).collect();
        rows.sort_by(|a, b| sorted::by_number(a, b));
        let columns = columns::of(&rows);
        let place = |row: &Vec<(String, Cell)>| -> Vec<Cell> {
            let at = |column: &Column| row.iter().find(|(key, _)| *key == column.key);
            columns
                .iter()
                .map(|column| at(column).map_or(Cell::Empty, |(_, cell)| cell.clone()))
                .collect()
        };
        let rows = rows.iter().map(place).collect();
        Self { columns, rows }
    }

    /// Its rows as objects, without the empty cells: what a case is made of again.
    pub fn records(&self) -> Vec<Map<String, Value>> {
        let record = |row: &Vec<Cell>| {
            let cells = self.columns.iter().zip(row);
            cells
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(column, cell)| (column.key.clone(), cell.to_json()))
                .collect()
        };
        self.rows.iter().map(record).collect()
    }

    /// Its rows as cases: what charts are drawn from and reports made of.
    ///
    /// # Errors
    /// If a row holds no result. The line is the row's in a file that has both headings.
    pub fn cases(&self) -> Result<Vec<Case>, Malformed> {
        let case = |(index, record): (usize, &Map<String, Value>)| {
            Case::of_row(record).map_err(|why| Malformed { line: index as u64 + FIRST_LINE, why })
        };
        self.records().iter().enumerate().map(case).collect()
    }

    /// As a file for spreadsheets and pandas: row 1 English, row 2 Chinese, one result a row from row 3 on. UTF-8 with a byte order
    /// mark, without which Excel takes Chinese for noise. A text that a spreadsheet would take for a formula stands behind an
    /// apostrophe, which [`Table::from_csv`] takes away again.
    pub fn to_csv(&self) -> String {
        csv::write(self)
    }

    /// As a list of objects, in the order of the columns, with null for what is empty.
    pub fn to_json(&self) -> Value {
        let row = |row: &Vec<Cell>| -> Value {
            let cells = self.columns.iter().zip(row);
            Value::Object(
                cells.map(|(column, cell)| (column.key.clone(), cell.to_json())).collect(),
            )
        };
        self.rows.iter().map(row).collect()
    }

    /// As a Parquet file: each column of the one type that its cells have, and the Chinese headings in the file's metadata, under
    /// `tokometer.chinese` as an object by key.
    ///
    /// # Errors
    /// If it cannot be encoded, in words.
    pub fn to_parquet(&self) -> Result<Vec<u8>, String> {
        parquet::write(self)
    }

    /// Reads a table that [`Table::to_csv`] wrote, or the tool whose form it has: with or without the Chinese row, and with or
    /// without a byte order mark.
    ///
    /// A row that has more or fewer fields than the heading, or a text where a number belongs, is passed over and named.
    ///
    /// # Errors
    /// If the text is not such a table.
    pub fn from_csv(text: &str) -> Result<ReadBack, Malformed> {
        csv::read(text)
    }
}

/// What the names of the files begin with that hold such a table.
pub const AGGREGATE: &str = "aggregate_results_";

/// Where the first result stands, behind both headings.
const FIRST_LINE: u64 = 3;

#[cfg(test)]
mod tests;
