//! `tokometer explain`: what a run came to, what is wrong with it or limits it, and all that this rests on.
//!
//! Reads the run's log and nothing else: it writes no file and asks no server. The reports themselves are `tokometer report`'s.

use std::path::{Path, PathBuf};

use clap::Args;
use tokometer_metrics::summary::{PointSummary, summarize};
use tokometer_record::RunLog;
use tokometer_report::explain::{self, Explained};

use super::report::{self, read_run};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `explain` takes.
#[derive(Debug, Args)]
#[command(before_help = ABOUT, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The run's folder, or one with a single run somewhere below it
    #[arg(value_name = "RUN_DIR")]
    folder: PathBuf,
    /// Another run to hold it against, such as one of the same server without speculation
    #[arg(long, value_name = "RUN_DIR")]
    baseline: Option<PathBuf>,
    /// Print everything as JSON, in the form of summary.json, every reading over time included
    #[arg(long)]
    json: bool,
}

/// Explains the run. That requests of it failed is no failure of its explanation.
///
/// # Errors
/// If there is no run, or several, or a log cannot be read.
pub(crate) fn explain(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let run = Read::of(&arguments.folder, &screen)?;
    let baseline = arguments
        .baseline
        .as_deref()
        .map(|folder| Read::of(folder, &screen).map_err(|trouble| trouble.at("--baseline")))
        .transpose()?;
    let (told, beside) = (run.explained(), baseline.as_ref().map(Read::explained));
    if arguments.json {
        screen.print(format!("{:#}\n", explain::data(&told, beside.as_ref())));
    } else {
        screen.print(explain::text(&told, beside.as_ref(), Screen::style()));
    }
    screen.check().map(|()| Exit::Done)
}

/// A run that was read.
struct Read {
    folder: String,
    log: RunLog,
    points: Vec<PointSummary>,
}

impl Read {
    fn of(folder: &Path, screen: &Screen) -> Result<Self, Trouble> {
        let (folder, log) = read_run(folder)?;
        report::mention_gaps(&log, screen);
        let points = log.points.iter().map(summarize).collect();
        Ok(Self { folder: folder.display().to_string(), log, points })
    }

    fn explained(&self) -> Explained<'_> {
        Explained { folder: &self.folder, header: &self.log.header, points: &self.points }
    }
}

const ABOUT: &str = "\
Tells what a run came to, what is wrong with it or limits it, and what that rests on: findings with all of their evidence, what the \
service said of itself beside what the client measured, how it went over time, the steady part, and how far each latency can be \
relied on. Everything is read from the run's log: no server is asked, and no file is written.";

pub(crate) const EXAMPLES: &str = "\
How to read it:
  Findings stand first, the worst first. Each has a weight:
    ✗ invalid     the figures are not the server's, or not of what was asked
    ✗ failing     requests fail
    ▲ limiting    what limits the service
    ! misleading  the figures are right and can mislead
    · notable     good to know
  \"likely\" and \"possible\" say that something else could look the same.
  Lines with • are the evidence, and → says what to do next.

Examples:
  tokometer explain outputs/20260102_110437/qwen3-32b
  What did speculative decoding gain?
    tokometer explain outputs/with --baseline outputs/without
  For a script: the gravest finding
    tokometer explain outputs/run --json | jq -r '.findings[0].what'

Exit codes:
  0    the run was explained, whatever became of it
  1    the explanation could not be written
  2    there is no such run, or its log cannot be read";
