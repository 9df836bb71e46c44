//! CSV with a heading: each record as an object of strings. The file is held as a whole, for such data sets are small.

use std::path::Path;
use std::sync::Arc;

use csv::{Reader, StringRecord};
use serde_json::Value;

use super::super::DatasetError;
use super::super::file::unreadable;
use super::{At, Content, Item, Place, Row, Table};

/// A file of CSV.
#[derive(Debug)]
pub(super) struct Csv {
    path: Arc<Path>,
    heading: StringRecord,
    /// Each with the line it begins in.
    records: Vec<(u64, StringRecord)>,
}

impl Csv {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let wrong = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            match error.into_kind() {
                csv::ErrorKind::Io(error) => unreadable(path, error),
                kind => {
                    let why = told(&kind);
                    DatasetError::Line { path: path.to_owned(), line, why, form: FORM }
                }
            }
        };
        let mut reader = Reader::from_path(path).map_err(wrong)?;
        let heading = reader.headers().map_err(wrong)?.clone();
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            records.push((record.position().map_or(0, csv::Position::line), record));
        }
        Ok(Self { path: path.into(), heading, records })
    }
}

impl Table for Csv {
    fn blocks(&self) -> Option<Vec<u64>> {
        None
    }

    fn len(&self) -> u64 {
        self.records.len() as u64
    }

    fn item(&mut self, number: u64) -> Result<Item, DatasetError> {
        let (line, record) = &self.records[number as usize];
        let fields = self.heading.iter().zip(record);
        let row: Row = fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let place = Place { path: Arc::clone(&self.path), at: At::Line(*line) };
        Ok(Item { place, content: Content::Row(row) })
    }
}

fn told(kind: &csv::ErrorKind) -> String {
    match kind {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the heading has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => "it is not CSV".to_owned(),
    }
}

const FORM: &str = "CSV with a heading";
