//! The rows of tables, as cases.

use std::fs;
use std::path::{Path, PathBuf};

use tokometer_report::cases::Case;
use tokometer_report::gathered::Table;

use crate::trouble::Trouble;

/// What tables hold.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Their results.
    pub(super) cases: Vec<Case>,
    /// Rows without one: which, and why.
    pub(super) damaged: Vec<String>,
}

impl Rows {
    /// Reads these tables.
    ///
    /// # Errors
    /// If one cannot be read, or is no table of results.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Trouble> {
        let mut rows = Self::default();
        for file in files {
            rows.take(file)?;
        }
        Ok(rows)
    }

    fn take(&mut self, file: &Path) -> Result<(), Trouble> {
        let shown = file.display();
        let bytes = fs::read(file)
            .map_err(|error| Trouble::input(format!("cannot read {shown}: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            not_ours(&format!("{shown}, line {line}: not UTF-8"))
        })?;
        let read = Table::from_csv(&text)
            .map_err(|malformed| not_ours(&format!("{shown}, {malformed}")))?;
        if read.table.rows.is_empty() && read.damaged.is_empty() {
            return Err(Trouble::input(format!("{shown} holds headings and no result"))
                .with_hint("tokometer aggregate says which results it could not read"));
        }
        let mut damaged: Vec<(u64, String)> =
            read.damaged.into_iter().map(|passed| (passed.line, passed.why)).collect();
        for (record, line) in read.table.records().iter().zip(read.lines) {
            match Case::of_row(record) {
                Ok(case) => self.cases.push(case),
                Err(why) => damaged.push((line, why)),
            }
        }
        damaged.sort();
        let damaged = damaged.into_iter().map(|(line, why)| format!("{shown}, line {line}: {why}"));
        self.damaged.extend(damaged);
        Ok(())
    }
}

fn not_ours(what: &str) -> Trouble {
    Trouble::input(what).with_hint(
        "expected is a table as tokometer aggregate writes it: English headings such as completed, duration and output_throughput in \
         the first line, Chinese ones in the second, then a result a line",
    )
}
