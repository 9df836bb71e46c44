//! Which folder is meant.

use std::fs;
use std::path::{Path, PathBuf};

use tokometer_report::gathered::{Kind, history};

use crate::trouble::Trouble;

/// The folder of this name in the folder of results, or at this path; else the newest that holds results.
///
/// # Errors
/// If there is none.
pub(super) fn folder(given: Option<&Path>, results: &Path) -> Result<PathBuf, Trouble> {
    match given {
        Some(given) => named(given, results),
        None => newest(results),
    }
}

fn named(given: &Path, results: &Path) -> Result<PathBuf, Trouble> {
    let inside = results.join(given);
    let found = [inside.as_path(), given].into_iter().find(|path| path.is_dir());
    if let Some(found) = found {
        return Ok(found.to_owned());
    }
    let shown = given.display();
    if inside.is_file() || given.is_file() {
        return Err(Trouble::input(format!("--dir: {shown} is a file"))
            .with_hint("give the folder that it lies in"));
    }
    let there_are = names(results);
    let hint = match there_are.as_slice() {
        [] => format!("there is no folder in {} either", results.display()),
        names => format!("there are: {}", names.join(", ")),
    };
    let missing =
        format!("--dir: there is no folder {shown}, neither in {} nor here", results.display());
    Err(Trouble::input(missing).with_hint(hint))
}

/// Of the folders in `results/` the one that began last; or `results/` itself, where the results lie in it.
fn newest(results: &Path) -> Result<PathBuf, Trouble> {
    let shown = results.display();
    if !results.is_dir() {
        return Err(Trouble::input(format!("there is no folder {shown}")).with_hint(
            "tokometer batch makes it; --dir names another folder, such as outputs/20260102_110437",
        ));
    }
    let entries = history(results)
        .map_err(|error| Trouble::failed(format!("cannot read the folder {shown}: {error}")))?;
    // What lies deeper belongs to the folder in `results/` that it lies in.
    let top = entries.iter().filter(|entry| entry.kind != Kind::EvalScope).find_map(|entry| {
        let below = entry.folder.strip_prefix(results).ok()?;
        Some(match below.components().next() {
            Some(first) => results.join(first),
            None => results.to_owned(),
        })
    });
    top.ok_or_else(|| {
        Trouble::input(format!("there are no results in {shown}")).with_hint(
            "tokometer batch and tokometer single leave theirs there; --dir names another folder, such as outputs/20260102_110437",
        )
    })
}

/// The names of some folders in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.truncate(MOST);
    names
}

/// As many names as help.
const MOST: usize = 8;
