//! Which table is the newest: by when it was written, never by its name.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::trouble::Trouble;

/// The newest `aggregate_results_*.csv` in the folder of results, or in one of its folders.
///
/// # Errors
/// If there is none.
pub(super) fn table(results: &Path) -> Result<PathBuf, Trouble> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for pattern in ["aggregate_results_*.csv", "*/aggregate_results_*.csv"] {
        let pattern =
            format!("{}/{pattern}", glob::Pattern::escape(&results.display().to_string()));
        let paths = glob::glob(&pattern).into_iter().flatten().filter_map(Result::ok);
        found.extend(paths.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))));
    }
    // Of two from the same moment the last by path, so that it is the same one each time.
    found.sort();
    found.pop().map(|(_, path)| path).ok_or_else(|| {
        Trouble::input(format!("there is no {}/*/aggregate_results_*.csv", results.display()))
            .with_hint("run tokometer aggregate first, or name a table with --csv FILE")
    })
}
