//! `tokometer report`: every report of a run, made again from its log; or one HTML page of several runs.

mod html;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use tokometer_metrics::summary::Ending;
use tokometer_record::RunLog;
use tokometer_report::words::Language;

use crate::exit::Exit;
use crate::screen::Screen;
use crate::session::{LOG, exit_of};
use crate::trouble::{Trouble, chain};

/// What `report` takes.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::TABLE)]
pub(crate) struct Arguments {
    /// The run's folder, or one with a single run somewhere below it; with --html or --markdown any number of them, each with any number of runs
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Write one HTML page of all runs instead: it needs no network, and holds every figure; - is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print a summary in Markdown instead, for a chat or an issue: the best, what was found, a table of the points
    #[arg(long, conflicts_with = "html")]
    markdown: bool,
    /// The language in which the page of --html opens: en (the default) or zh. Its reader can change it
    #[arg(long, value_name = "LANG")]
    lang: Option<Language>,
}

/// Makes the reports. The exit code is the run's own; of several runs, that which says most.
///
/// # Errors
/// If there is no run, or without `--html` several, or a log cannot be read, or a report not be written.
pub(crate) fn report(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    if let Some(file) = &arguments.html {
        let language = arguments.lang.unwrap_or_default();
        return html::write(&arguments.folders, file, language, &screen);
    }
    if arguments.lang.is_some() {
        return Err(Trouble::input("--lang belongs to --html, which is not there")
            .with_hint("add --html FILE: the page has a language, other reports are English"));
    }
    if arguments.markdown {
        return html::markdown(&arguments.folders, &screen);
    }
    let [folder] = arguments.folders.as_slice() else {
        let given = arguments.folders.len();
        return Err(Trouble::input(format!("report takes one folder, and {given} were given"))
            .with_hint(
                "add --html FILE to write one page of all of them, or --markdown to sum them up",
            ));
    };
    let (folder, log) = read_run(folder)?;
    let rebuilt = tokometer_report::rebuild(&folder, &log, Screen::style()).map_err(|error| {
        Trouble::failed(format!("cannot write the reports into {}: {error}", folder.display()))
    })?;
    screen.print(rebuilt.text);
    mention_gaps(&log, &screen);
    let ending = match log.end {
        Some(end) if end.complete => Ending::Complete,
        Some(_) => Ending::Interrupted,
        None => Ending::Unfinished,
    };
    screen.check()?;
    Ok(exit_of(&rebuilt.summaries, ending))
}

/// The run in this folder, or in the one below it that holds one, with its folder.
///
/// # Errors
/// If there is no run, or several, or its log cannot be read or has no load.
pub(crate) fn read_run(given: &Path) -> Result<(PathBuf, RunLog), Trouble> {
    let folder = run_folder(given)?;
    let path = folder.join(LOG);
    let log = tokometer_record::read(&path).map_err(|error| {
        let trouble = Trouble::input(chain(&error));
        match has_no_line(&path) {
            true => trouble.with_hint(
                "the run was killed before it began: there is nothing in its log to tell of",
            ),
            false => trouble,
        }
    })?;
    match log.points.is_empty() {
        false => Ok((folder, log)),
        true => Err(Trouble::input(format!(
            "the run in {} ended before its load began",
            folder.display()
        ))),
    }
}

/// Whether a log has not even its first line in full. One that cannot be read is another matter.
fn has_no_line(log: &Path) -> bool {
    let Ok(file) = File::open(log) else { return false };
    let mut line = Vec::new();
    let read = BufReader::new(file).take(LONGEST_LINE).read_until(b'\n', &mut line);
    let whole = u64::try_from(line.len()).is_ok_and(|length| length == LONGEST_LINE);
    read.is_ok() && !whole && line.last() != Some(&b'\n')
}

/// Says what is missing from a log.
pub(crate) fn mention_gaps(log: &RunLog, screen: &Screen) {
    if log.end.is_none() {
        screen.say("note: the log has no end: the run was killed, or still goes on");
    }
    if !log.damaged.is_empty() {
        let lines: Vec<String> = log.damaged.iter().map(usize::to_string).collect();
        screen.say(format!(
            "note: of the log, line {} cannot be read: what stood there is missing from the reports",
            lines.join(", ")
        ));
    }
}

/// The folder itself if it holds a run, or the one below it that does.
fn run_folder(given: &Path) -> Result<PathBuf, Trouble> {
    let mut runs = runs_below(given)?;
    match runs.len() {
        1 => Ok(runs.swap_remove(0)),
        several => {
            let newest = runs.pop().unwrap_or_default();
            let shown = given.display();
            Err(Trouble::input(format!("there are {several} runs in {shown}"))
                .with_hint(format!("name one of them, such as {}", newest.display())))
        }
    }
}

/// The folder itself if it holds a run, or those below it that do, at least one, in order.
///
/// # Errors
/// If there is no such folder, or no run in it.
pub(crate) fn runs_below(given: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let given = match given.file_name() {
        Some(name) if name == LOG => given.parent().unwrap_or(given),
        _ => given,
    };
    let shown = given.display();
    if !given.is_dir() {
        return Err(Trouble::input(format!("there is no folder {shown}"))
            .with_hint("give the folder of a run, such as outputs/20260102_110437/qwen3-32b"));
    }
    let mut runs = Vec::new();
    find_runs(given, DEPTH, &mut runs);
    runs.sort();
    match runs.is_empty() {
        false => Ok(runs),
        true => Err(Trouble::input(format!("there is no run in {shown}"))
            .with_hint(format!("a run's folder holds {LOG}"))),
    }
}

fn find_runs(folder: &Path, depth: usize, runs: &mut Vec<PathBuf>) {
    if folder.join(LOG).is_file() {
        runs.push(folder.to_owned());
        return;
    }
    if depth == 0 {
        return;
    }
    // A folder that cannot be looked into holds no run that could be read.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_runs(&entry.path(), depth - 1, runs);
        }
    }
}

/// How far below the folder a run is sought: `outputs/<time>/<name>` is two down, and the folder given may lie two above `outputs`.
const DEPTH: usize = 4;

/// A first line is shorter than this; a file that is not is no log.
const LONGEST_LINE: u64 = 1 << 24;
