//! `tokometer runs`: the history of `results/` and `outputs/`: list the runs and results that are kept, show, tag or remove them.
//!
//! What a folder holds is told by `tokometer_report::gathered`; here is which one is meant, and what is done with it. A list reads no
//! log. Nothing that this program did not make is ever removed.

mod found;
mod listed;
mod removed;
mod shown;
mod since;
mod tags;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokometer_report::count;
use tokometer_report::gathered::{Entry, State};

use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `runs` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: listed::Wanted,
    #[command(flatten)]
    places: Places,
}

/// What is done.
#[derive(Debug, Subcommand)]
enum What {
    /// List the runs and results that are kept, the newest first
    List(listed::Wanted),
    /// Show a run: what it was, its points, what was found, its files, and what to do with it
    Show(shown::Arguments),
    /// Give tags to a run, or take them away
    Tag(tags::Arguments),
    /// Remove runs with all their files
    Rm(removed::Arguments),
}

/// Where runs are kept.
#[derive(Debug, Args)]
struct Places {
    /// The folder that folders of results lie in
    #[arg(long, value_name = "DIR", default_value = "results", global = true)]
    results_dir: PathBuf,
    /// The folder that runs lie in
    #[arg(long, value_name = "DIR", default_value = "outputs", global = true)]
    outputs_dir: PathBuf,
}

/// List the runs and results that are kept, show, tag or remove them.
///
/// # Errors
/// If there is no such run, or it cannot be read, tagged or removed.
pub(crate) fn runs(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let places = &arguments.places;
    match &arguments.what {
        None => listed::list(&arguments.list, places, &screen),
        Some(What::List(list)) => listed::list(list, places, &screen),
        Some(What::Show(which)) => shown::show(which, places, &screen),
        Some(What::Tag(what)) => tags::tag(what, places, &screen),
        Some(What::Rm(which)) => removed::remove(which, places, &screen),
    }?;
    screen.check().map(|()| Exit::Done)
}

/// Whether an entry came to its end, in words; nothing where it did.
fn state(entry: &Entry) -> Option<String> {
    match &entry.state {
        State::Complete => None,
        State::CutShort => Some("not whole".to_owned()),
        State::Damaged(_) => Some(DAMAGED.to_owned()),
        State::Open(None) => Some("unfinished".to_owned()),
        State::Open(Some(written)) => {
            let age = written.elapsed().unwrap_or_default();
            Some(if age < STILL_WRITTEN { IN_PROGRESS } else { "unfinished" }.to_owned())
        }
    }
}

/// The same for people, who want to know how much of a batch there is not.
fn told(entry: &Entry) -> Option<String> {
    match (state(entry), entry.missing()) {
        (Some(state), 0) => Some(state),
        (Some(state), _) if state == IN_PROGRESS || state == DAMAGED => Some(state),
        (_, 0) => None,
        (_, missing) => Some(format!("{} missing", count(missing as u64))),
    }
}

const IN_PROGRESS: &str = "in progress";

const DAMAGED: &str = "damaged";

/// A log that goes on is written to several times a second; between points there may be a pause.
const STILL_WRITTEN: std::time::Duration = std::time::Duration::from_secs(30);

/// The verdict's stable name in words.
fn verdict(kind: &str) -> String {
    match kind {
        "client_limited" => "client-limited".to_owned(),
        other => other.replace('_', " "),
    }
}

const EXAMPLES: &str = "\
Examples:
  What there is:
    tokometer runs
  Of one model, from the last week:
    tokometer runs --model qwen3 --since 7d
  What came of one, by the beginning of its id:
    tokometer runs show k3f
  A name to find it by:
    tokometer runs tag k3f baseline
  Away with it:
    tokometer runs rm k3f";
