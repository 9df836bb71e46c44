//! `tokometer run`: a plan that was written as YAML.

use std::path::PathBuf;

use clap::Args;
use tokometer_plan::{Environment, load};

use super::{announce, show};
use crate::dialect::wording::translated;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::session;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// What `run` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The plan; docs/plan.md tells what may stand in it
    #[arg(value_name = "PLAN.yaml")]
    plan: PathBuf,
    /// Print the plan with every default spelt out, and do nothing else
    #[arg(long)]
    dry_run: bool,
}

/// Runs the plan.
///
/// # Errors
/// If it cannot be read or run.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let surroundings = Surroundings::default();
    let file = arguments.plan.display().to_string();
    let text = surroundings.read(&arguments.plan).map_err(|error| {
        Trouble::input(format!("cannot read {file}: {error}"))
            .with_hint("tokometer perf … --dry-run > plan.yaml makes one")
    })?;
    let resolved = load(&text, &file, &surroundings)?;
    announce(&resolved, &surroundings, &screen);
    if arguments.dry_run {
        return show(&resolved, &surroundings, &screen);
    }
    let ended = session::run(&resolved, &screen);
    // Whoever wrote a plan knows its settings, and no flags.
    let as_settings = |text: &str| translated(text, |setting| Some(setting.to_owned()));
    ended.map(|ended| ended.exit).map_err(|trouble| trouble.in_words(as_settings))
}
