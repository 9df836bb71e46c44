//! Rows of data files: JSON lines, JSON lists, CSV and Parquet, each row as a JSON object.
//!
//! A file is indexed once, and a row is read when it is wanted, so that drawing a hundred rows out of a file of hundreds of
//! megabytes neither holds nor parses the rest. Binary columns come out as base64, which is what requests carry. What a row
//! means is for the datasets to say.

mod csv;
mod json;
mod parquet;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::DatasetError;
use super::file;

/// The columns of a row.
pub(super) type Row = Map<String, Value>;

/// A file of rows. Rows are numbered from 0.
pub(super) trait Table: Send + Debug {
    /// How many rows there are in each block of the file. Reading one row of a block costs about as much as reading them all.
    /// `None` where any row is read as cheaply as its neighbour.
    fn blocks(&self) -> Option<Vec<u64>>;

    /// How many rows there are.
    fn len(&self) -> u64;

    /// Reads a row.
    fn item(&mut self, number: u64) -> Result<Item, DatasetError>;

    /// Lets go of rows that it holds for its next reading.
    fn let_go(&mut self) {}
}

/// A row as it was read, perhaps still to be parsed.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Json(String),
    Row(Row),
}

/// Where a row is, for errors and for files that it names.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: Arc<Path>,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// A line, counted from 1.
    Line(u64),
    /// A row, counted from 1.
    Row(u64),
}

impl Item {
    /// A row, numbered from 0, of this file.
    pub(super) fn of_row(path: &Arc<Path>, number: u64, row: Row) -> Self {
        Self { place: Place::of_row(path, number), content: Content::Row(row) }
    }

    /// The row, or what is wrong with its text.
    pub(super) fn row(self) -> (Place, Result<Row, String>) {
        let row = match self.content {
            Content::Row(row) => Ok(row),
            Content::Json(text) => file::object(&text),
        };
        (self.place, row)
    }
}

impl Place {
    fn of_row(path: &Arc<Path>, number: u64) -> Self {
        Self { path: Arc::clone(path), at: At::Row(number + 1) }
    }

    /// Where in the file it is: `line 3`.
    pub(super) fn within(&self) -> String {
        match self.at {
            At::Line(line) => format!("line {line}"),
            At::Row(row) => format!("row {row}"),
        }
    }

    /// The error for a row that is not what it should be.
    pub(super) fn wrong(&self, why: String, form: &'static str) -> DatasetError {
        let path = self.path.to_path_buf();
        match self.at {
            At::Line(line) => DatasetError::Line { path, line, why, form },
            At::Row(row) => DatasetError::Row { path, row, why, form },
        }
    }

    /// A path that the row names, which is relative to the folder of the row's file.
    pub(super) fn beside(&self, named: &str) -> PathBuf {
        let named = Path::new(named.strip_prefix("file://").unwrap_or(named));
        self.path.parent().map_or_else(|| named.to_owned(), |folder| folder.join(named))
    }
}

/// Opens a file by the ending of its name.
pub(super) fn open(path: &Path) -> Result<Box<dyn Table>, DatasetError> {
    match ending(path).as_str() {
        "parquet" => Ok(Box::new(parquet::Parquet::open(path)?)),
        "csv" => Ok(Box::new(csv::Csv::open(path)?)),
        "jsonl" | "ndjson" | "json" => Ok(Box::new(json::Json::open(path)?)),
        _ => Err(DatasetError::Empty {
            path: path.to_owned(),
            why: "its name should end in .jsonl, .json, .csv or .parquet".to_owned(),
        }),
    }
}

/// Opens a file of JSON, whatever its name: one object a line, or one list of objects.
pub(super) fn open_json(path: &Path) -> Result<Box<dyn Table>, DatasetError> {
    Ok(Box::new(json::Json::open(path)?))
}

/// The ending of a file's name, in small letters.
pub(super) fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}
