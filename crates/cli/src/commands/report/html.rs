//! One HTML page of any number of runs, and of results without a log that lie beside them.
//!
//! Runs are read one after the other, and point by point: the log of one point is the most that is in memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tokometer_metrics::summary::{Ending, PointSummary};
use tokometer_report::cases::Case;
use tokometer_report::count;
use tokometer_report::gathered::{self, read_results};
use tokometer_report::html::{self, Shown};
use tokometer_report::study::{Studied, Study};
use tokometer_report::words::Language;

use super::{DEPTH, runs_below};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::session::{LOG, exit_of};
use crate::trouble::{Trouble, chain};

/// Writes the page, to stdout where the file is `-`. What cannot be read among what can is named and passed over, which the exit code says.
///
/// # Errors
/// If a folder holds nothing that can be read, or the page cannot be written.
pub(super) fn write(
    folders: &[PathBuf],
    file: &Path,
    language: Language,
    screen: &Screen,
) -> Result<Exit, Trouble> {
    let (study, passed) = gather(folders, screen)?;
    let page = html::page(&study, Shown { language });
    if file == Path::new(STDOUT) {
        screen.print(page);
        screen.check()?;
    } else {
        fs::write(file, &page)
            .map_err(|error| Trouble::caused(format!("cannot write {}", file.display()), &error))?;
        let points: usize = study.runs.iter().map(|run| run.points.len()).sum();
        screen.say(format!(
            "wrote {} ({} KB): runs {}, points {points}, results without a log {}",
            file.display(),
            count(page.len() as u64 / 1_000),
            study.runs.len(),
            study.others.len()
        ));
    }
    Ok(if passed > 0 { Exit::Incomplete } else { exit(&study) })
}

/// Hands out a summary in Markdown, of as much as a page would tell of.
///
/// # Errors
/// If a folder holds nothing that can be read.
pub(super) fn markdown(folders: &[PathBuf], screen: &Screen) -> Result<Exit, Trouble> {
    let (study, passed) = gather(folders, screen)?;
    screen.print(gathered::markdown(&study));
    screen.check()?;
    Ok(if passed > 0 { Exit::Incomplete } else { exit(&study) })
}

/// What all of the folders hold, and how much of it could not be read.
fn gather(folders: &[PathBuf], screen: &Screen) -> Result<(Study, usize), Trouble> {
    let mut study = Study { runs: Vec::new(), others: Vec::new() };
    let mut known = BTreeSet::new();
    let mut passed = 0;
    for folder in folders {
        passed += add(folder, &mut study, &mut known, screen)?;
    }
    if study.runs.is_empty() && study.others.is_empty() {
        return Err(Trouble::input("none of these runs can be read, or none came to its load"));
    }
    Ok((study, passed))
}

/// Adds what a folder holds and returns how much of it could not be read.
fn add(
    folder: &Path,
    study: &mut Study,
    known: &mut BTreeSet<PathBuf>,
    screen: &Screen,
) -> Result<usize, Trouble> {
    let (runs, no_run) = match runs_below(folder) {
        Ok(runs) => (runs, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let mut passed = 0;
    for run in &runs {
        // A folder may be given twice, or with one above it.
        if !known.insert(fs::canonicalize(run).unwrap_or_else(|_| run.clone())) {
            continue;
        }
        match Studied::read(run.clone(), &run.join(LOG)) {
            Ok(studied) if studied.points.is_empty() => {
                passed += 1;
                screen
                    .say(format!("note: the run in {} ended before its load began", run.display()));
            }
            Ok(studied) => {
                mention(&studied, screen);
                study.runs.push(studied);
            }
            Err(error) => {
                passed += 1;
                screen.say(format!("note: passed over: {}", chain(&error)));
            }
        }
    }
    if matches!(runs.as_slice(), [only] if only == folder) {
        return Ok(passed);
    }
    let (others, skipped) = match runs.is_empty() {
        true => without_log(folder, screen),
        false => beside(folder, &runs, study, screen),
    };
    match no_run {
        Some(trouble) if others.is_empty() => return Err(trouble),
        _ => study.others.extend(others),
    }
    Ok(passed + skipped)
}

/// Results beside runs, without those that were made of the runs.
fn beside(folder: &Path, runs: &[PathBuf], study: &Study, screen: &Screen) -> (Vec<Case>, usize) {
    let mut folders = Vec::new();
    find_results(folder, DEPTH, runs, &mut folders);
    folders.sort();
    let of_run = |run: &Studied| {
        let points = run.points.iter().map(|point| point.summary.point.name.clone());
        let own = run.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        own.into_iter().chain(points).collect::<Vec<String>>()
    };
    let names: BTreeSet<String> = study.runs.iter().flat_map(of_run).collect();
    let (mut others, mut passed) = (Vec::new(), 0);
    for folder in folders {
        let (cases, skipped) = without_log(&folder, screen);
        let stem =
            |case: &Case| case.source.strip_suffix(".json").unwrap_or(&case.source).to_owned();
        others.extend(cases.into_iter().filter(|case| !names.contains(&stem(case))));
        passed += skipped;
    }
    (others, passed)
}

/// Every result of a folder, and how many could not be read.
fn without_log(folder: &Path, screen: &Screen) -> (Vec<Case>, usize) {
    let Ok((table, skipped)) = read_results(folder) else { return (Vec::new(), 0) };
    for one in &skipped {
        screen.say(format!("note: passed over {}: {}", one.path.display(), one.why));
    }
    match table.cases() {
        Ok(cases) => (cases, skipped.len()),
        Err(error) => {
            let folder = folder.display();
            screen.say(format!("note: the results in {folder} are passed over: {error}"));
            (Vec::new(), skipped.len() + 1)
        }
    }
}

/// Folders that are no run's and may hold results. No run is looked into: its log has been read.
fn find_results(folder: &Path, depth: usize, runs: &[PathBuf], found: &mut Vec<PathBuf>) {
    if runs.iter().any(|run| run == folder) {
        return;
    }
    let mut folders = Vec::new();
    let mut holds = false;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_file() => {
                holds |= path.extension().is_some_and(|end| end == "json")
            }
            Ok(kind) if kind.is_dir() => folders.push(path),
            _ => {}
        }
    }
    let is_point = |path: &PathBuf| !path.join(LOG).is_file() && path.join(OF_EVALSCOPE).is_file();
    if holds || folders.iter().any(is_point) {
        found.push(folder.to_owned());
        folders.retain(|path| !is_point(path));
    }
    if depth > 0 {
        folders.iter().for_each(|path| find_results(path, depth - 1, runs, found));
    }
}

/// Says what is missing from a log.
fn mention(run: &Studied, screen: &Screen) {
    let shown = run.folder.display();
    if !run.complete {
        screen.say(format!("note: the run in {shown} is not complete"));
    }
    if !run.damaged.is_empty() {
        let lines: Vec<String> = run.damaged.iter().map(usize::to_string).collect();
        screen.say(format!(
            "note: of the log in {shown}, line {} cannot be read: what stood there is missing",
            lines.join(", ")
        ));
    }
}

/// What the runs deserve together.
fn exit(study: &Study) -> Exit {
    let points: Vec<PointSummary> =
        study.runs.iter().flat_map(|run| &run.points).map(|point| point.summary.clone()).collect();
    let complete = study.runs.iter().all(|run| run.complete);
    exit_of(&points, if complete { Ending::Complete } else { Ending::Interrupted })
}

/// The file that stands for stdout.
const STDOUT: &str = "-";

/// What EvalScope calls the figures of a point.
const OF_EVALSCOPE: &str = "benchmark_summary.json";
