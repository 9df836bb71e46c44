//! Parquet: two row groups are held at a time, for a row is not to be had without its group, and where one group ends and the
//! next begins several threads want rows of both.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Number, Value};

use super::super::DatasetError;
use super::super::file::unreadable;
use super::{Item, Place, Row, Table};

/// A Parquet file.
pub(super) struct Parquet {
    path: Arc<Path>,
    reader: SerializedFileReader<File>,
    /// Rows of each group.
    groups: Vec<u64>,
    /// The groups that were read last, and their rows.
    held: VecDeque<(usize, Vec<Row>)>,
}

impl Parquet {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let reader = guarded(path, || SerializedFileReader::new(file))?;
        let groups = reader.metadata().row_groups();
        let groups =
            groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect();
        Ok(Self { path: path.into(), reader, groups, held: VecDeque::new() })
    }

    /// The rows of a group.
    fn group(&self, index: usize) -> Result<Vec<Row>, DatasetError> {
        guarded(&self.path, || {
            let group = self.reader.get_row_group(index)?;
            let rows = group.get_row_iter(None)?;
            rows.map(|row| Ok(columns(row?))).collect()
        })
    }
}

impl Table for Parquet {
    fn blocks(&self) -> Option<Vec<u64>> {
        Some(self.groups.clone())
    }

    fn len(&self) -> u64 {
        self.groups.iter().sum()
    }

    fn item(&mut self, number: u64) -> Result<Item, DatasetError> {
        let (mut group, mut within) = (0, number);
        while let Some(rows) = self.groups.get(group).filter(|rows| within >= **rows) {
            within -= rows;
            group += 1;
        }
        let held = match self.held.iter().position(|(held, _)| *held == group) {
            Some(held) => held,
            None => {
                self.held.truncate(HELD - 1);
                let rows = self.group(group)?;
                self.held.push_front((group, rows));
                0
            }
        };
        let row = self.held[held].1.get(within as usize).cloned();
        match row {
            Some(row) => Ok(Item::of_row(&self.path, number, row)),
            None => Err(Place::of_row(&self.path, number).wrong("it is missing".to_owned(), FORM)),
        }
    }

    fn let_go(&mut self) {
        self.held.clear();
    }
}

impl std::fmt::Debug for Parquet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parquet")
            .field("path", &self.path)
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}

/// What `read` gives. The library gives up by a panic on columns of types that it does not know, and on some damage.
fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, DatasetError> {
    let why = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => return Ok(read),
        Ok(Err(ParquetError::External(error))) => error.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it has a column of a type that cannot be read here, or is damaged".to_owned(),
    };
    Err(DatasetError::Empty { path: path.to_owned(), why: format!("as Parquet: {why}") })
}

fn columns(row: parquet::record::Row) -> Row {
    row.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect()
}

/// A field as JSON: bytes as base64, moments as numbers in the file's own unit.
fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => value.into(),
        Field::Long(value)
        | Field::TimeMicros(value)
        | Field::TimestampMillis(value)
        | Field::TimestampMicros(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => number(value.into()),
        Field::Float(value) => number(value.into()),
        Field::Double(value) => number(value),
        Field::Str(text) => text.into(),
        Field::Bytes(bytes) => STANDARD.encode(bytes.data()).into(),
        Field::Group(row) => Value::Object(columns(row)),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().cloned();
            Value::Object(entries.map(|(key, field)| (name(&key), value(field))).collect())
        }
        decimal @ Field::Decimal(_) => decimal.to_string().into(),
    }
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn name(key: &Field) -> String {
    match key {
        Field::Str(name) => name.clone(),
        other => other.to_string(),
    }
}

const FORM: &str = "Parquet";
const HELD: usize = 2;
