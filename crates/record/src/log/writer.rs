//! The log as it is written: line by line, behind what is there.
//!
//! Deliberately never a line behind one that may be half there: what an earlier write left is not known.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Line;

/// Appends lines to a log. Whoever holds it calls [`Writer::flush`] at least once a second.
#[derive(Debug)]
pub struct Writer {
    out: BufWriter<File>,
    /// Why an earlier line could not be written. Nothing is appended to a line that may be half there.
    broken: Option<io::ErrorKind>,
}

impl Writer {
    /// Creates the log at `path`, which must not exist yet.
    ///
    /// # Errors
    /// If the file exists or cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self { out: BufWriter::with_capacity(1 << 16, file), broken: None })
    }

    /// Appends one line. It reaches the file at the next [`Writer::flush`], or earlier.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, line: &Line) -> io::Result<()> {
        self.whole()?;
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = self.out.write_all(&text);
        self.note(written)
    }

    /// Hands everything appended so far to the operating system, which keeps it even if this process is killed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.whole()?;
        let flushed = self.out.flush();
        self.note(flushed)
    }

    fn whole(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn note(&mut self, written: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &written {
            self.broken = Some(error.kind());
        }
        written
    }
}
