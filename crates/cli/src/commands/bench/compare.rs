//! `tokometer bench compare`: two results, or two sets of runs, side by side.
//!
//! What a side is made of is found here; what differs, and how sure that is, is the concern of `tokometer_report::compare`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use tokometer_report::compare::{Comparison, Outcome, Side, compare, read};

use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `compare` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A and B: a result, a folder of run=N.json, a summary.json, or a pattern in quotes ('results/*/run=*.json')
    #[arg(value_name = "RESULT", num_args = 0..)]
    results: Vec<String>,
    /// The runs of side A, where there are several files
    #[arg(long, short, value_name = "RESULT", num_args = 1..)]
    a: Vec<String>,
    /// The runs of side B
    #[arg(long, short, value_name = "RESULT", num_args = 1..)]
    b: Vec<String>,
    /// Print JSON
    #[arg(long, overrides_with = "json")]
    json: bool,
    /// End with exit code 1 if a figure of B is worse by more than so many per cent for certain, however many figures there are
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true, overrides_with = "fail_on_regression")]
    fail_on_regression: Option<f64>,
}

/// Compares B with A.
///
/// # Errors
/// If a side holds no results.
pub(crate) fn compare_results(arguments: &Arguments) -> Result<Exit, Trouble> {
    let [a, b] = arguments.sides()?;
    let screen = Screen::new();
    let sides = [side("A", &a, &screen)?, side("B", &b, &screen)?];
    let comparison = compare(&sides);
    match arguments.json {
        true => screen.print(format!("{:#}\n", comparison.json())),
        false => screen.print(comparison.text(Screen::style())),
    }
    screen.check()?;
    match arguments.fail_on_regression {
        Some(limit) => Ok(judged(&comparison, limit, &screen)),
        None => Ok(Exit::Done),
    }
}

fn judged(comparison: &Comparison, limit: f64, screen: &Screen) -> Exit {
    if comparison.rows.iter().all(|row| row.confidence.is_none()) {
        screen.say("warning: --fail-on-regression: no figure has an interval, so nothing can be called a regression; give at least two runs a side");
    }
    let gate = comparison.gate(limit);
    for found in &gate.regressions {
        screen.say(format!(
            "regression: {} is worse by {:.1} %, by {:.1} % at the least",
            found.figure.title, found.percent, found.at_least
        ));
    }
    if gate.regressions.is_empty() { Exit::Done } else { Exit::Failed }
}

impl Arguments {
    /// What each side is made of.
    fn sides(&self) -> Result<[Vec<String>; 2], Trouble> {
        match (self.results.as_slice(), self.a.is_empty(), self.b.is_empty()) {
            ([a, b], true, true) => Ok([vec![a.clone()], vec![b.clone()]]),
            ([], false, false) => Ok([self.a.clone(), self.b.clone()]),
            ([], true, true) => Err(Trouble::input("there is nothing to compare").with_hint(FORMS)),
            ([], ..) => Err(Trouble::input("--a and --b belong together").with_hint(FORMS)),
            (_, false, _) | (_, _, false) => {
                Err(Trouble::input("give either A and B, or --a … --b …, not both")
                    .with_hint(FORMS))
            }
            ([only], ..) => {
                Err(Trouble::input(format!("there is nothing to compare {only} with"))
                    .with_hint(FORMS))
            }
            (several, ..) => Err(Trouble::input(format!(
                "{} results, and no telling which are A's and which B's",
                several.len()
            ))
            .with_hint(FORMS)),
        }
    }
}

fn side(letter: &str, given: &[String], screen: &Screen) -> Result<Side, Trouble> {
    let mut runs: Vec<Outcome> = Vec::new();
    for path in given {
        let found = files(path)?;
        if !found.passed_over.is_empty() {
            screen.say(format!(
                "warning: side {letter}: of {path} only {} read, and passed over: {}; name the files to have them all",
                if found.files.len() == 1 { "the run=N.json is" } else { "its run=N.json are" },
                names(&found.passed_over)
            ));
        }
        for file in found.files {
            let shown = file.display().to_string();
            let text = fs::read_to_string(&file).map_err(|error| {
                Trouble::input(format!("side {letter}: cannot read {shown}: {error}"))
            })?;
            let read = read(&text, &shown).map_err(|error| {
                Trouble::input(format!("side {letter}: {error}"))
                    .with_hint("give results of bench serve: the JSON that --save-result leaves")
            })?;
            runs.extend(read);
        }
    }
    Ok(Side { name: given.join(" "), runs })
}

/// The first few names of files, and how many there are more.
fn names(files: &[PathBuf]) -> String {
    let shown = files.iter().take(MOST_NAMED).map(|path| name(path)).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(MOST_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Results, and what might be taken for some.
#[derive(Debug, Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Other results beside those of a sweep.
    passed_over: Vec<PathBuf>,
}

/// The files that a path stands for: itself, those of a folder, or those that a pattern fits.
fn files(given: &str) -> Result<Found, Trouble> {
    let path = Path::new(given);
    if path.is_dir() {
        return of_folder(path);
    }
    if path.exists() || !given.contains(['*', '?', '[']) {
        return Ok(Found { files: vec![path.to_owned()], ..Found::default() });
    }
    let matches = glob::glob(given)
        .map_err(|error| Trouble::input(format!("{given} is no pattern: {error}")))?;
    let files: Vec<PathBuf> = matches.flatten().filter(|path| path.is_file()).collect();
    match files.is_empty() {
        true => Err(Trouble::input(format!("{given} fits no file"))),
        false => Ok(Found { files, ..Found::default() }),
    }
}

/// The runs in a folder: those of a sweep's combination, or else every result in it.
fn of_folder(folder: &Path) -> Result<Found, Trouble> {
    let cannot = |error: std::io::Error| {
        Trouble::input(format!("cannot read {}: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let is_run = |path: &PathBuf| {
        let name = name(path);
        let number = name.strip_prefix("run=").and_then(|rest| rest.strip_suffix(".json"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let is_result = |path: &PathBuf| {
        let name = name(path);
        let aside = ["summary.json", "warmup.json"].contains(&name.as_str());
        let aside = aside
            || [".failure.json", ".partial.json", ".pytorch.json"]
                .iter()
                .any(|end| name.ends_with(end));
        name.ends_with(".json") && !aside
    };
    files.retain(is_result);
    let (runs, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(is_run);
    if !runs.is_empty() {
        return Ok(Found { files: runs, passed_over: others });
    }
    match others.is_empty() {
        true => Err(Trouble::input(format!("{} holds no results", folder.display()))
            .with_hint("give the folder of one combination of a sweep, with its run=N.json")),
        false => Ok(Found { files: others, ..Found::default() }),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text
        .trim_end_matches('%')
        .trim()
        .parse()
        .map_err(|_| "takes a number of per cent".to_owned())?;
    match percent.is_finite() && percent >= 0.0 {
        true => Ok(percent),
        false => Err("must be at least 0".to_owned()),
    }
}

/// How many files are named in a warning.
const MOST_NAMED: usize = 4;

const FORMS: &str = "tokometer bench compare A.json B.json, or --a A1.json A2.json --b B1.json B2.json, or two folders";

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(results: &[&str], a: &[&str], b: &[&str]) -> Arguments {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Arguments {
            results: owned(results),
            a: owned(a),
            b: owned(b),
            json: false,
            fail_on_regression: None,
        }
    }

    #[test]
    fn the_two_sides_are_two_words_or_two_lists() {
        assert_eq!(arguments(&["x", "y"], &[], &[]).sides().unwrap(), [["x"], ["y"]]);
        assert_eq!(arguments(&[], &["x", "y"], &["z"]).sides().unwrap()[0], ["x", "y"]);
        for (results, a, b) in [
            (&[][..], &[][..], &[][..]),
            (&["x"], &[], &[]),
            (&["x", "y", "z"], &[], &[]),
            (&["x", "y"], &["z"], &[]),
            (&[], &["z"], &[]),
        ] {
            assert!(arguments(results, a, b).sides().is_err());
        }
    }

    #[test]
    fn a_folder_of_a_sweep_gives_its_runs_and_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "run=10.json",
            "run=2.json",
            "summary.json",
            "run=3.failure.json",
            "warmup.json",
            "run=2.log",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |files: &[PathBuf]| files.iter().map(|path| name(path)).collect::<Vec<_>>();
        let found = of_folder(folder.path()).unwrap();
        assert_eq!(names(&found.files), ["run=10.json", "run=2.json"]);
        assert!(found.passed_over.is_empty(), "{found:?}");
        let pattern = folder.path().join("run=*.json").display().to_string();
        assert_eq!(
            names(&files(&pattern).unwrap().files),
            ["run=10.json", "run=2.json", "run=3.failure.json"]
        );
        assert!(files(&folder.path().join("x*").display().to_string()).is_err());
        fs::write(folder.path().join("loose.json"), "").unwrap();
        assert_eq!(names(&of_folder(folder.path()).unwrap().passed_over), ["loose.json"]);
    }
}
