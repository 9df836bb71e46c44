//! JSON lines and JSON lists: where each element lies is noted in one pass, and an element is read when it is wanted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::super::DatasetError;
use super::super::file::{Items, Layout, Trouble, unreadable};
use super::{At, Content, Item, Place, Table};

/// A file of JSON objects.
#[derive(Debug)]
pub(super) struct Json {
    path: Arc<Path>,
    file: File,
    elements: Vec<Element>,
}

/// Where an element lies.
#[derive(Clone, Copy, Debug)]
struct Element {
    /// Its first byte.
    at: u64,
    /// How many bytes it has.
    size: u32,
    /// The line that it begins in, counted from 1.
    line: u32,
}

impl Json {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let opened = || File::open(path).map_err(|error| unreadable(path, error));
        let (file, read) = (opened()?, opened()?);
        let mut items = Items::new(read, Layout::List).map_err(|error| unreadable(path, error))?;
        let mut elements = Vec::new();
        loop {
            match items.next() {
                Ok(None) => break,
                Ok(Some((_, text))) if text.trim().is_empty() => {}
                Ok(Some((line, text))) => {
                    let wrong = |_| beyond(path, line);
                    elements.push(Element {
                        at: items.began(),
                        size: u32::try_from(text.len()).map_err(wrong)?,
                        line: u32::try_from(line).map_err(wrong)?,
                    });
                }
                Err((line, Trouble::Form(why))) => {
                    let path = path.to_owned();
                    return Err(DatasetError::Line { path, line, why, form: FORM });
                }
                Err((_, Trouble::Io(error))) => return Err(unreadable(path, error)),
            }
        }
        Ok(Self { path: path.into(), file, elements })
    }
}

impl Table for Json {
    fn blocks(&self) -> Option<Vec<u64>> {
        None
    }

    fn len(&self) -> u64 {
        self.elements.len() as u64
    }

    fn item(&mut self, number: u64) -> Result<Item, DatasetError> {
        let Element { at, size, line } = self.elements[number as usize];
        let mut bytes = vec![0; size as usize];
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| unreadable(&self.path, error))?;
        let place = Place { path: Arc::clone(&self.path), at: At::Line(line.into()) };
        let text = String::from_utf8(bytes)
            .map_err(|_| place.wrong("it is not UTF-8".to_owned(), FORM))?;
        Ok(Item { place, content: Content::Json(text) })
    }
}

/// An element of 4 GB, or a line beyond four thousand million.
fn beyond(path: &Path, line: u64) -> DatasetError {
    let why = "it is too large".to_owned();
    DatasetError::Line { path: path.to_owned(), line, why, form: FORM }
}

const FORM: &str = "JSON objects one a line, or one list of them";
