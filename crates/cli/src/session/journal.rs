//! `benchmark.log`: the run in words, line by line with the time, as evalscope writes it.
//!
//! Only for reading: no report is made from it, so that a line that cannot be written is no reason to stop a run.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use jiff::Zoned;

/// The run in words.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    detail: Detail,
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What every reader may want to know.
    Usual,
    /// The smallest things too.
    Debug,
}

impl Journal {
    /// Opens the file at `path`, to be appended to.
    pub(crate) fn open(path: &Path, detail: Detail) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file, detail })
    }

    /// Something that every reader may want to know.
    pub(crate) fn info(&self, text: impl Display) {
        self.write("INFO", &text);
    }

    /// Something that looks wrong.
    pub(crate) fn warning(&self, text: impl Display) {
        self.write("WARNING", &text);
    }

    /// Something for whoever looks for a fault.
    pub(crate) fn debug(&self, text: impl FnOnce() -> String) {
        if self.detail == Detail::Debug {
            self.write("DEBUG", &text());
        }
    }

    fn write(&self, level: &str, text: &dyn Display) {
        let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S");
        // One call of the system for each entry, so that entries of several threads do not mix.
        let entry = format!("{now} - tokometer - {level}: {text}\n");
        drop((&self.file).write_all(entry.as_bytes()));
    }
}
