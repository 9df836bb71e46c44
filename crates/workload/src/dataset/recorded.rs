//! What traces have in common: rows with a moment and a length each, gone through from a place on and begun anew at their
//! end.
//!
//! What a row says is each trace's own affair, and so is the text of its prompt.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{DatasetError, Entry, Spec};

/// Opens the file that `spec` names: the path, and the file.
pub(super) fn open(entry: &Entry, spec: &Spec) -> Result<(PathBuf, File), DatasetError> {
    let form = entry.file.map_or("a file", |file| file.form);
    let Some(path) = &spec.path else {
        return Err(DatasetError::NoPath { dataset: entry.name, form });
    };
    let path = match entry.file.and_then(|file| file.usual) {
        Some(usual) if path.is_dir() => path.join(usual),
        _ => path.clone(),
    };
    let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
    Ok((path, file))
}

/// The error for a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: std::io::Error) -> DatasetError {
    DatasetError::Read { path: path.to_owned(), source: Arc::new(error) }
}

/// Rows in the order in which they are gone through.
#[derive(Debug)]
pub(super) struct Rows<T> {
    path: PathBuf,
    rows: Vec<T>,
    offset: u64,
    begins_anew: bool,
}

impl<T> Rows<T> {
    /// Rows of that file. `why` says what is missing if there are none.
    pub(super) fn new(
        path: PathBuf,
        rows: Vec<T>,
        spec: &Spec,
        begins_anew: bool,
        why: &str,
    ) -> Result<Self, DatasetError> {
        if rows.is_empty() {
            return Err(DatasetError::Empty { path, why: why.to_owned() });
        }
        Ok(Self { path, rows, offset: spec.offset, begins_anew })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The number that the request with this index has over all rounds through the rows.
    pub(super) fn number(&self, index: u64) -> Result<u64, DatasetError> {
        let number = self.offset.saturating_add(index);
        if number >= self.count() && !self.begins_anew {
            return Err(DatasetError::Exhausted {
                path: self.path.clone(),
                available: self.count().saturating_sub(self.offset),
            });
        }
        Ok(number)
    }

    /// The row at that place.
    pub(super) fn at(&self, place: u64) -> &T {
        &self.rows[(place % self.count()) as usize]
    }

    /// How many of `wanted` requests have rows before they begin anew.
    pub(super) fn available(&self, wanted: u64) -> u64 {
        wanted.min(self.count().saturating_sub(self.offset))
    }

    /// The moments of the first `count` requests, rebased, where `seconds` tells a row's and rows are sorted by it. Where
    /// the rows begin anew, they do so a mean gap behind the last.
    pub(super) fn moments(
        &self,
        count: u64,
        seconds: impl Fn(&T) -> f64,
    ) -> Result<Vec<Duration>, DatasetError> {
        let (first, last) = (seconds(&self.rows[0]), seconds(&self.rows[self.rows.len() - 1]));
        let round = (last - first) * (1.0 + 1.0 / (self.rows.len() - 1).max(1) as f64);
        let at =
            |number: u64| seconds(self.at(number)) - first + (number / self.count()) as f64 * round;
        let begun = at(self.offset);
        (0..count)
            .map(|index| {
                let since = at(self.number(index)?) - begun;
                Ok(Duration::try_from_secs_f64(since.max(0.0)).unwrap_or(Duration::MAX))
            })
            .collect()
    }
}
