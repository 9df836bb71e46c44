//! What is missing from a batch's folder: combinations that failed, and those that were not run.
//!
//! Which there were to be stands in its status, and in those that have none, its plan tells how many. Both are read leniently: what
//! cannot be read tells nothing.

use std::collections::HashSet;
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
    /// How many there were to be, where that is told.
    pub(super) planned: Option<usize>,
    /// How many have neither a result nor an explanation, and of how many.
    pub(super) unrun: Option<(usize, usize)>,
    /// The names of those, where they are told.
    pub(super) names: Vec<String>,
    /// When a log of a combination without a result was last written. `None` where the batch is known to have ended.
    pub(super) written: Option<SystemTime>,
}

/// What is missing from the batch in this folder, which has these results. `None` if there is no batch in it.
pub(super) fn of(folder: &Path, results: &[PathBuf]) -> Option<Missing> {
    let plan = fs::read_to_string(folder.join(BATCH)).ok()?;
    let mut failed = failed(folder);
    failed.retain(|(path, _)| !results.contains(&result_of(path)));
    let status = status(folder).unwrap_or_default();
    let counted = || serde_saphyr::from_str(&plan).ok().and_then(|plan: Plan| plan.combinations());
    let (planned, names, unrun) = match status.combinations.as_slice() {
        [] => {
            let planned = counted();
            let there = results.len() + failed.len();
            (planned, Vec::new(), planned.map_or(0, |planned| planned.saturating_sub(there)))
        }
        all => {
            let there: HashSet<PathBuf> =
                failed.iter().map(|(path, _)| result_of(path)).chain(results.to_vec()).collect();
            let is_there = |name: &str| there.contains(&folder.join(format!("{name}.json")));
            let names: Vec<String> = all.iter().filter(|name| !is_there(name)).cloned().collect();
            let unrun = names.len();
            (Some(all.len()), names, unrun)
        }
    };
    let unrun = planned.filter(|_| unrun > 0).map(|planned| (unrun, planned));
    let goes_on = unrun.is_some() && !ENDED.contains(&status.state.as_str());
    let written = goes_on.then(|| written(folder, results)).flatten();
    Some(Missing { failed, planned, unrun, names, written })
}

/// What a batch says of itself.
fn status(folder: &Path) -> Option<Status> {
    serde_saphyr::from_str(&fs::read_to_string(folder.join(STATUS)).ok()?).ok()
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

/// What a batch says of itself: how far it came, and what there was to be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    state: String,
    combinations: Vec<String>,
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

/// What a batch says of itself.
const STATUS: &str = "status.yaml";

/// States in which nothing more is to come by itself.
const ENDED: [&str; 2] = ["ended", "interrupted"];

/// What the name of an explanation ends in.
const ERROR: &str = ".error.txt";
