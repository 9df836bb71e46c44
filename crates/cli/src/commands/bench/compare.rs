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
    #[arg(long)]
    json: bool,
    /// End with exit code 1 if a figure of B is worse by more than so many per cent, with confidence
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    fail_on_regression: Option<f64>,
}

/// Compares B with A.
///
/// # Errors
/// If a side holds no results.
pub(crate) fn compare_results(arguments: &Arguments) -> Result<Exit, Trouble> {
    let [a, b] = arguments.sides()?;
    let sides = [side("A", &a)?, side("B", &b)?];
    let comparison = compare(&sides);
    let screen = Screen::new();
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
    let regressions = comparison.rows.iter().filter_map(|row| Some((row, row.regression()?)));
    let beyond: Vec<String> = regressions
        .filter(|(_, percent)| *percent > limit)
        .map(|(row, percent)| format!("{} is worse by {percent:.1} %", row.figure.title))
        .collect();
    beyond.iter().for_each(|regression| screen.say(format!("regression: {regression}")));
    if beyond.is_empty() { Exit::Done } else { Exit::Failed }
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

fn side(letter: &str, given: &[String]) -> Result<Side, Trouble> {
    let mut runs: Vec<Outcome> = Vec::new();
    for path in given {
        for file in files(path)? {
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

/// The files that a path stands for: itself, those of a folder, or those that a pattern fits.
fn files(given: &str) -> Result<Vec<PathBuf>, Trouble> {
    let path = Path::new(given);
    if path.is_dir() {
        return of_folder(path);
    }
    if path.exists() || !given.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    }
    let matches = glob::glob(given)
        .map_err(|error| Trouble::input(format!("{given} is no pattern: {error}")))?;
    let files: Vec<PathBuf> = matches.flatten().filter(|path| path.is_file()).collect();
    match files.is_empty() {
        true => Err(Trouble::input(format!("{given} fits no file"))),
        false => Ok(files),
    }
}

/// The runs in a folder: those of a sweep's combination, or else every result in it.
fn of_folder(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
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
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_run = |path: &PathBuf| {
        let name = name(path);
        let number = name.strip_prefix("run=").and_then(|rest| rest.strip_suffix(".json"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let runs: Vec<PathBuf> = files.iter().filter(|path| is_run(path)).cloned().collect();
    if !runs.is_empty() {
        return Ok(runs);
    }
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
    match files.is_empty() {
        true => Err(Trouble::input(format!("{} holds no results", folder.display()))
            .with_hint("give the folder of one combination of a sweep, with its run=N.json")),
        false => Ok(files),
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
        let names = |files: Vec<PathBuf>| {
            files
                .iter()
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(of_folder(folder.path()).unwrap()), ["run=10.json", "run=2.json"]);
        let pattern = folder.path().join("run=*.json").display().to_string();
        assert_eq!(
            names(files(&pattern).unwrap()),
            ["run=10.json", "run=2.json", "run=3.failure.json"]
        );
        assert!(files(&folder.path().join("x*").display().to_string()).is_err());
    }
}
