//! What is missing from a batch's folder: combinations that failed, and those that were not run.
//!
//! Its plan is read for how many there were to be and no more, and leniently: one that cannot be read tells nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::cell::natural;
use super::kept;

/// What is missing from a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Those that failed: where it is written down, and why in a line.
    pub(super) failed: Vec<(PathBuf, String)>,
    /// How many have neither a result nor an explanation, and of how many.
    pub(super) unrun: Option<(usize, usize)>,
    /// When a log of a combination without a result was last written.
    pub(super) written: Option<SystemTime>,
}

/// What is missing from the batch in this folder, which has these results. `None` if there is no batch in it.
pub(super) fn of(folder: &Path, results: &[PathBuf]) -> Option<Missing> {
    let plan = fs::read_to_string(folder.join(BATCH)).ok()?;
    let mut failed = failed(folder);
    failed.retain(|(path, _)| !results.contains(&result_of(path)));
    let planned = serde_saphyr::from_str(&plan).ok().and_then(|plan: Plan| plan.combinations());
    let there = results.len() + failed.len();
    let unrun =
        planned.filter(|planned| *planned > there).map(|planned| (planned - there, planned));
    let written = unrun.and_then(|_| written(folder, results));
    Some(Missing { failed, unrun, written })
}

fn failed(folder: &Path) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut failed: Vec<(PathBuf, String)> = paths
        .filter(|path| path.to_string_lossy().ends_with(ERROR))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let why = text.lines().next().unwrap_or_default().to_owned();
            (path, why)
        })
        .collect();
    failed.sort_by(|(a, _), (b, _)| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    failed
}

/// The result that a combination would have, by the name of its explanation.
fn result_of(error: &Path) -> PathBuf {
    let name = error.file_name().unwrap_or_default().to_string_lossy();
    error.with_file_name(format!("{}.json", name.trim_end_matches(ERROR)))
}

/// When the log of a combination without a result was last written, of the latest.
fn written(folder: &Path, results: &[PathBuf]) -> Option<SystemTime> {
    let runs = fs::read_dir(folder.join("runs")).into_iter().flatten().flatten();
    let open = runs.filter(|entry| {
        let name = entry.file_name();
        let ended = entry.path().join(kept::SUMMARY).is_file();
        !ended && !results.iter().any(|result| result.file_stem() == Some(&name))
    });
    let times =
        open.filter_map(|entry| fs::metadata(entry.path().join(kept::LOG)).ok()?.modified().ok());
    times.max()
}

/// The lists of a batch whose product it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Plan {
    input_output: Option<Vec<IgnoredAny>>,
    concurrency_prompts: Vec<IgnoredAny>,
    rate_prompts: Vec<IgnoredAny>,
    points: Vec<IgnoredAny>,
    repetitions: Option<usize>,
}

impl Plan {
    fn combinations(&self) -> Option<usize> {
        let shapes = self.input_output.as_ref().map_or(1, Vec::len);
        let loads = self.concurrency_prompts.len() + self.rate_prompts.len() + self.points.len();
        shapes.checked_mul(loads)?.checked_mul(self.repetitions.unwrap_or(1))
    }
}

/// What a batch leaves beside its results: its plan.
pub(super) const BATCH: &str = "batch.yaml";

/// What the name of an explanation ends in.
const ERROR: &str = ".error.txt";
