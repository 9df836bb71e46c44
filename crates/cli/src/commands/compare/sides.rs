//! What a side of a comparison is made of: the runs or results that a path or a pattern stands for.
//!
//! Logs are read before all else, for they have the requests; a folder with logs is read by its logs alone. Deliberately compares
//! nothing. One run's log is in memory at a time.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokometer_report::cases;
use tokometer_report::compare;
use tokometer_report::contrast::{Keep, Measured, of_result, of_summary};

use crate::commands::report::mention_gaps;
use crate::screen::Screen;
use crate::session::LOG;
use crate::trouble::{Trouble, chain};

/// What was measured of the side called `name`.
///
/// # Errors
/// If there is nothing at `given`, or nothing that can be read.
pub(super) fn read(
    name: &str,
    given: &str,
    keep: Keep,
    screen: &Screen,
) -> Result<Vec<Measured>, Trouble> {
    let about = |trouble: Trouble| trouble.in_words(|words| format!("{name}: {words}"));
    let paths = paths(given)
        .map_err(|error| Trouble::input(format!("{name}: {error}")).with_hint(FORMS))?;
    let mut points = Vec::new();
    let mut skipped: Vec<Trouble> = Vec::new();
    let several = paths.len() > 1;
    for path in &paths {
        let files = files(path);
        let several = several || files.len() > 1;
        if files.is_empty() && !several {
            return Err(Trouble::input(format!(
                "{name}: {} holds no run and no result",
                path.display()
            ))
            .with_hint(FORMS));
        }
        for file in &files {
            match measured(file, keep, screen) {
                Ok(found) => points.extend(found),
                Err(trouble) if several => skipped.push(trouble),
                Err(trouble) => {
                    return Err(
                        Trouble::input(format!("{name}: {}", trouble.what())).with_hint(FORMS)
                    );
                }
            }
        }
    }
    match (points.is_empty(), skipped.is_empty()) {
        (true, true) => {
            Err(Trouble::input(format!("{name}: {given} holds no run and no result"))
                .with_hint(FORMS))
        }
        (true, false) => {
            let first = skipped.swap_remove(0);
            Err(Trouble::input(format!("{name}: nothing in {given} can be read: {}", first.what()))
                .with_hint(FORMS))
        }
        (false, _) => {
            for trouble in skipped {
                screen.say(format!("warning: {}; passed over", about(trouble).what()));
            }
            Ok(points)
        }
    }
}

/// What a word of the command line stands for: a path that is there, or those that a pattern fits.
fn paths(given: &str) -> Result<Vec<PathBuf>, String> {
    let path = Path::new(given);
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    if !given.contains(['*', '?', '[']) {
        return Err(format!("there is no {given}"));
    }
    let matches = glob::glob(given).map_err(|error| format!("{given} is no pattern: {error}"))?;
    let mut paths: Vec<PathBuf> = matches.flatten().collect();
    paths.sort();
    match paths.is_empty() {
        true => Err(format!("{given} fits no file")),
        false => Ok(paths),
    }
}

/// A file that tells of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// A log of ours.
    Log(PathBuf),
    /// EvalScope's summary of a point.
    Evalscope(PathBuf),
    /// JSON: a result in vLLM's form, or our summary.
    Json(PathBuf),
}

/// The files that a path stands for: a file itself, or what is in a folder and below it: logs, else summaries of EvalScope, else JSON.
fn files(path: &Path) -> Vec<Source> {
    if path.is_file() {
        return vec![of_file(path)];
    }
    let mut all = Vec::new();
    below(path, DEPTH, &mut all);
    all.sort();
    let logs: Vec<&PathBuf> = all.iter().filter(|path| is_named(path, LOG)).collect();
    if !logs.is_empty() {
        return logs.into_iter().cloned().map(Source::Log).collect();
    }
    let evalscope: Vec<&PathBuf> = all.iter().filter(|path| is_named(path, EVALSCOPE)).collect();
    if !evalscope.is_empty() {
        return evalscope.into_iter().cloned().map(Source::Evalscope).collect();
    }
    let is_json =
        |path: &&PathBuf| path.extension().is_some_and(|end| end == "json") && !is_beside(path);
    let results: Vec<&PathBuf> = all.iter().filter(is_json).collect();
    // A sweep's summary.json lists the results that lie beside it.
    let others: Vec<&PathBuf> =
        results.iter().copied().filter(|path| !is_named(path, SUMMARY)).collect();
    let chosen = if others.is_empty() { results } else { others };
    chosen.into_iter().cloned().map(Source::Json).collect()
}

/// A file by its name. Our summary stands for the log beside it, which has the requests too.
fn of_file(path: &Path) -> Source {
    let log = path.with_file_name(LOG);
    match () {
        () if is_named(path, LOG) => Source::Log(path.to_owned()),
        () if is_named(path, SUMMARY) && log.is_file() => Source::Log(log),
        () if is_named(path, EVALSCOPE) => Source::Evalscope(path.to_owned()),
        () => Source::Json(path.to_owned()),
    }
}

fn measured(source: &Source, keep: Keep, screen: &Screen) -> Result<Vec<Measured>, Trouble> {
    match source {
        Source::Log(path) => of_log(path, keep, screen),
        Source::Evalscope(path) => {
            let shown = path.display().to_string();
            let cases = cases::read(path).map_err(|error| Trouble::input(error.to_string()))?;
            Ok(cases.into_iter().map(|case| Measured::of_evalscope(case, &shown)).collect())
        }
        Source::Json(path) => of_json(path, keep),
    }
}

fn of_log(path: &Path, keep: Keep, screen: &Screen) -> Result<Vec<Measured>, Trouble> {
    let shown = path.parent().unwrap_or(path).display().to_string();
    let log = tokometer_record::read(path).map_err(|error| Trouble::input(chain(&error)))?;
    if log.points.is_empty() {
        return Err(Trouble::input(format!("the run in {shown} ended before its load began")));
    }
    mention_gaps(&log, screen);
    let points = log.points.iter();
    Ok(points.map(|point| Measured::of_log(&log.header, point, &shown, keep)).collect())
}

fn of_json(path: &Path, keep: Keep) -> Result<Vec<Measured>, Trouble> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Trouble::input(format!("cannot read {shown}: {error}")))?;
    if let Ok(value) = serde_json::from_str::<Value>(&text)
        && let Some(points) = of_summary(&value, &shown)
    {
        return match points.is_empty() {
            true => Err(Trouble::input(format!("{shown}: a summary without points"))),
            false => Ok(points),
        };
    }
    let outcomes =
        compare::read(&text, &shown).map_err(|error| Trouble::input(error.to_string()))?;
    Ok(outcomes.iter().map(|outcome| of_result(outcome, keep)).collect())
}

fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    // A folder that cannot be looked into holds nothing that could be read.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => below(&path, depth - 1, files),
            Ok(kind) if kind.is_dir() => {}
            _ => files.push(path),
        }
    }
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|own| own == name)
}

/// What lies beside results and is none.
fn is_beside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".failure.json", ".partial.json", ".pytorch.json"];
    name == "warmup.json" || ends.iter().any(|end| name.ends_with(end))
}

const EVALSCOPE: &str = "benchmark_summary.json";

const SUMMARY: &str = "summary.json";

/// So far below a folder runs are sought: a batch's lie three down.
const DEPTH: usize = 5;

const FORMS: &str = "give a run's folder, one with runs below it, a result of vLLM or EvalScope, or a pattern in quotes ('results/*/run.jsonl')";

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
    }

    fn names(folder: &Path, sources: &[Source]) -> Vec<String> {
        let path = |source: &Source| match source {
            Source::Log(path) | Source::Evalscope(path) | Source::Json(path) => {
                path.strip_prefix(folder).unwrap().display().to_string()
            }
        };
        sources.iter().map(path).collect()
    }

    #[test]
    fn a_folder_with_logs_is_read_by_its_logs_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            &[
                "m/bench_io1x1_mc1_np1.json",
                "m/runs/bench_io1x1_mc1_np1/run.jsonl",
                "m/runs/x/summary.json",
            ],
        );
        assert_eq!(names(root, &files(root)), ["m/runs/bench_io1x1_mc1_np1/run.jsonl"]);
    }

    #[test]
    fn without_logs_it_is_read_by_evalscope_s_summaries_and_else_by_results() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            &[
                "a/run=1.json",
                "a/run=2.json",
                "a/summary.json",
                "a/warmup.json",
                "a/run=3.failure.json",
            ],
        );
        assert_eq!(names(root, &files(root)), ["a/run=1.json", "a/run=2.json"]);
        write(
            root,
            &[
                "b/parallel_1_number_2/benchmark_summary.json",
                "b/parallel_1_number_2/benchmark_args.json",
            ],
        );
        assert_eq!(names(root, &files(root)), ["b/parallel_1_number_2/benchmark_summary.json"]);
    }

    #[test]
    fn a_summary_stands_for_the_log_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, &["a/summary.json", "b/summary.json", "b/run.jsonl"]);
        assert_eq!(
            of_file(&root.join("a/summary.json")),
            Source::Json(root.join("a/summary.json"))
        );
        assert_eq!(of_file(&root.join("b/summary.json")), Source::Log(root.join("b/run.jsonl")));
    }

    #[test]
    fn a_pattern_stands_for_what_it_fits() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["run=2.json", "run=1.json", "other.json"]);
        let pattern = folder.path().join("run=*.json").display().to_string();
        assert_eq!(paths(&pattern).unwrap().len(), 2);
        assert!(paths(&folder.path().join("x*").display().to_string()).is_err());
        assert_eq!(paths("nowhere"), Err("there is no nowhere".to_owned()));
    }
}
