//! What lies in a folder: runs of this program, results in vLLM's form, points of EvalScope's. Found by the names of their files, without
//! opening any.
//!
//! Follows no link: what a link leads to is found where it lies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cell::natural;
use super::{batch, evalscope, kept};

/// A folder that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) holds: Holds,
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The log of a run.
    Run,
    /// Files that should be results in vLLM's form, by number; none, where a batch has only begun.
    Results(Vec<PathBuf>),
    /// Points of EvalScope's, each in its own folder.
    Points(Vec<PathBuf>),
}

/// What lies in a folder and below it, by number. Below results nothing more is sought in `runs`, which holds the logs that they were
/// made of.
///
/// # Errors
/// If the folder itself cannot be read. What cannot be looked into below it holds nothing that could be read.
pub(super) fn below(folder: &Path) -> io::Result<Vec<Place>> {
    let mut found = Vec::new();
    seek(folder, DEPTH, &mut found)?;
    Ok(found)
}

/// What a folder itself holds.
pub(super) fn of(folder: &Path) -> io::Result<Option<Place>> {
    let mut found = Vec::new();
    seek(folder, 0, &mut found)?;
    Ok(found.pop())
}

fn seek(folder: &Path, depth: usize, found: &mut Vec<Place>) -> io::Result<()> {
    let mut put = |holds| found.push(Place { folder: folder.to_owned(), holds });
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_file() => files.push(path),
            Ok(kind) if kind.is_dir() => folders.push(path),
            _ => {}
        }
    }
    let called =
        |name: &str| files.iter().any(|path| path.file_name().is_some_and(|file| file == name));
    if called(kept::LOG) {
        put(Holds::Run);
        return Ok(());
    }
    folders.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    let points: Vec<PathBuf> = folders
        .iter()
        .filter(|folder| folder.join(evalscope::SUMMARY).is_file())
        .cloned()
        .collect();
    if !points.is_empty() {
        put(Holds::Points(points));
        return Ok(());
    }
    let begun = called(batch::BATCH);
    files.retain(|path| may_be_result(path));
    if files.len() > 1 {
        // A sweep's list of the results that stand beside it.
        files.retain(|path| path.file_name().is_none_or(|name| name != "summary.json"));
    }
    files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    let holds_results = begun || !files.is_empty();
    if holds_results {
        put(Holds::Results(files));
        folders.retain(|folder| folder.file_name().is_none_or(|name| name != RUNS));
    }
    if begun {
        // What a batch keeps beside its results, runs and earlier attempts, belongs to them.
        return Ok(());
    }
    if depth > 0 {
        for folder in folders {
            // What cannot be looked into holds nothing that could be read.
            drop(seek(&folder, depth - 1, found));
        }
    }
    Ok(())
}

/// Whether a file's name is that of a result, and not of what is made from results.
fn may_be_result(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    name.ends_with(".json")
        && !name.ends_with(".pytorch.json")
        && !name.starts_with('.')
        && !name.starts_with(super::AGGREGATE)
}

/// The folder beside a batch's results that holds the logs of its runs.
const RUNS: &str = "runs";

/// How far down is looked: `outputs/<time>/<name>` is two, a sweep's `results/<name>/<combination>` as well, and a folder above those
/// may be given.
const DEPTH: usize = 4;
