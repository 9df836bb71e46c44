//! A table as Parquet: one row group, columns of one type each, every cell optional.
//!
//! A column of numbers that are not all whole is of doubles, in which infinity has its place; one in which any cell is a word is of
//! UTF-8 texts. Deliberately without Arrow, which is a hundred times this file.

use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use super::Table;
use super::cell::Cell;

/// The file's bytes.
pub(super) fn write(table: &Table) -> Result<Vec<u8>, String> {
    encode(table).map_err(|error| error.to_string())
}

fn encode(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let types: Vec<Kept> = (0..table.columns.len()).map(|place| Kept::of(table, place)).collect();
    let schema = schema(table, &types)?;
    let chinese: Map<String, Value> = table
        .columns
        .iter()
        .map(|column| (column.key.clone(), column.chinese.clone().into()))
        .collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("tokometer ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            CHINESE.to_owned(),
            Value::Object(chinese).to_string(),
        )]))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let mut place = 0;
    while let Some(mut column) = group.next_column()? {
        types[place].put(table, place, &mut column)?;
        column.close()?;
        place += 1;
    }
    group.close()?;
    writer.into_inner()
}

fn schema(table: &Table, types: &[Kept]) -> Result<TypePtr, ParquetError> {
    let fields: Result<Vec<TypePtr>, ParquetError> = table
        .columns
        .iter()
        .zip(types)
        .map(|(column, kept)| {
            let field = Type::primitive_type_builder(&column.key, kept.physical())
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type((*kept == Kept::Text).then_some(LogicalType::String));
            Ok(Arc::new(field.build()?))
        })
        .collect();
    Ok(Arc::new(Type::group_type_builder("results").with_fields(fields?).build()?))
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Truth,
    Integer,
    Number,
    Text,
}

impl Kept {
    /// The narrowest that holds every cell; a text where there is none to tell by.
    fn of(table: &Table, place: usize) -> Self {
        let cells = table.rows.iter().map(|row| &row[place]).filter(|cell| !cell.is_empty());
        let types = cells.map(|cell| match cell {
            Cell::Truth(_) => Self::Truth,
            Cell::Integer(_) => Self::Integer,
            Cell::Number(_) => Self::Number,
            Cell::Text(_) | Cell::Empty => Self::Text,
        });
        let wider = |a: Self, b: Self| match (a, b) {
            _ if a == b => a,
            (Self::Integer | Self::Number, Self::Integer | Self::Number) => Self::Number,
            _ => Self::Text,
        };
        types.reduce(wider).unwrap_or(Self::Text)
    }

    const fn physical(self) -> Physical {
        match self {
            Self::Truth => Physical::BOOLEAN,
            Self::Integer => Physical::INT64,
            Self::Number => Physical::DOUBLE,
            Self::Text => Physical::BYTE_ARRAY,
        }
    }

    fn put(
        self,
        table: &Table,
        place: usize,
        column: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        let cells = table.rows.iter().map(|row| &row[place]);
        match self {
            Self::Truth => put::<BoolType>(column, cells, |cell| match cell {
                Cell::Truth(truth) => Some(*truth),
                _ => None,
            }),
            Self::Integer => put::<Int64Type>(column, cells, |cell| match cell {
                Cell::Integer(whole) => Some(*whole),
                _ => None,
            }),
            Self::Number => put::<DoubleType>(column, cells, Cell::number),
            Self::Text => put::<ByteArrayType>(column, cells, |cell| {
                (!cell.is_empty()).then(|| ByteArray::from(cell.to_string().as_str()))
            }),
        }
    }
}

/// Writes the values that there are, and at which rows there are none.
fn put<'t, T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = &'t Cell>,
    value: impl Fn(&'t Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let all: Vec<Option<T::T>> = cells.map(value).collect();
    let there: Vec<i16> = all.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = all.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

/// Where the file keeps the Chinese headings: an object by key.
const CHINESE: &str = "tokometer.chinese";

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::{Field, Row};

    use super::*;
    use crate::gathered::Column;

    fn table() -> Table {
        Table {
            columns: ["model_id", "tp", "request_rate", "verdict.valid", "note", "p99_ttft_ms"]
                .map(Column::of)
                .to_vec(),
            rows: vec![
                vec![
                    Cell::Text("千问".into()),
                    Cell::Integer(2),
                    Cell::Number(f64::INFINITY),
                    Cell::Truth(true),
                    Cell::Integer(1),
                    Cell::Empty,
                ],
                vec![
                    Cell::Text("m".into()),
                    Cell::Empty,
                    Cell::Integer(4),
                    Cell::Empty,
                    Cell::Text("x".into()),
                    Cell::Empty,
                ],
            ],
        }
    }

    #[test]
    fn cells_come_back_with_their_types_and_what_is_empty_is_null() {
        let reader = SerializedFileReader::new(file(&write(&table()).unwrap())).unwrap();
        let rows: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let at = |row: usize, key: &str| {
            let mut cells = rows[row].get_column_iter();
            cells.find(|(name, _)| *name == key).unwrap().1.clone()
        };
        assert_eq!(rows.len(), 2);
        assert_eq!(at(0, "model_id"), Field::Str("千问".to_owned()));
        assert_eq!((at(0, "tp"), at(1, "tp")), (Field::Long(2), Field::Null));
        assert_eq!(at(0, "request_rate"), Field::Double(f64::INFINITY));
        assert_eq!(at(1, "request_rate"), Field::Double(4.0));
        assert_eq!(
            (at(0, "verdict.valid"), at(1, "verdict.valid")),
            (Field::Bool(true), Field::Null)
        );
        // A column in which one cell is a word is of words.
        assert_eq!(
            (at(0, "note"), at(1, "note")),
            (Field::Str("1".to_owned()), Field::Str("x".to_owned()))
        );
        assert_eq!(at(0, "p99_ttft_ms"), Field::Null);
    }

    #[test]
    fn the_chinese_headings_are_in_the_files_metadata() {
        let reader = SerializedFileReader::new(file(&write(&table()).unwrap())).unwrap();
        let kept = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let chinese = kept.into_iter().find(|pair| pair.key == CHINESE).unwrap().value.unwrap();
        let names: Value = serde_json::from_str(&chinese).unwrap();
        assert_eq!(names["model_id"], "模型ID");
        assert_eq!(names["p99_ttft_ms"], "首令牌时间P99(ms)");
    }

    /// A file on disk with these bytes.
    fn file(bytes: &[u8]) -> std::fs::File {
        use std::io::{Seek as _, Write as _};
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }
}
