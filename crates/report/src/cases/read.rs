//! Results in files, by what they hold: vLLM's own form in one object, a list, or one a line; or EvalScope's summary of a point with
//! what stands beside it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Case;
use crate::compare::{self, Malformed, Outcome};

/// Why a file tells of no case.
#[derive(Debug)]
pub enum Unreadable {
    /// The file could not be read.
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// What stands in it is no result.
    Malformed(Malformed),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The cases of a file of results: vLLM's, or EvalScope's `benchmark_summary.json`.
///
/// # Errors
/// If it cannot be read, is no JSON, or holds anything but results; says which line where it is one.
pub fn read(path: &Path) -> Result<Vec<Case>, Unreadable> {
    let text = whole(path)?;
    let named =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let shown = path.display().to_string();
    if named == SUMMARY {
        let summary = json(&text, &shown)?;
        let beside = |name: &str| -> Result<Option<Value>, Unreadable> {
            let path = path.with_file_name(name);
            let shown = path.display().to_string();
            if path.is_file() { json(&whole(&path)?, &shown).map(Some) } else { Ok(None) }
        };
        let (percentiles, arguments) = (beside(PERCENTILES)?, beside(ARGUMENTS)?);
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
        let source = folder.map_or_else(|| shown.clone(), |name| name.into_owned());
        let case = Case::of_evalscope(&summary, percentiles.as_ref(), arguments.as_ref(), &source);
        return case
            .map(|case| vec![case])
            .map_err(|malformed| Unreadable::Malformed(Malformed { place: shown, ..malformed }));
    }
    let outcomes = compare::read(&text, &shown).map_err(Unreadable::Malformed)?;
    let case = |outcome: &Outcome| Case { source: named.clone(), ..Case::of_result(outcome) };
    Ok(outcomes.iter().map(case).collect())
}

fn whole(path: &Path) -> Result<String, Unreadable> {
    fs::read_to_string(path).map_err(|source| Unreadable::Io { path: path.to_owned(), source })
}

fn json(text: &str, place: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        Unreadable::Malformed(Malformed {
            place: format!("{place}, line {}", error.line()),
            why: format!("not JSON: {error}"),
        })
    })
}

const SUMMARY: &str = "benchmark_summary.json";

const PERCENTILES: &str = "benchmark_percentile.json";

const ARGUMENTS: &str = "benchmark_args.json";
