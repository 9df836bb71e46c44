//! `tokometer sim`: the simulator as a server, and what can be asked of its model without serving.

mod fit;
mod plan;
mod serve;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::trouble::Trouble;

/// What `sim` takes.
#[derive(Debug, Args)]
#[group(skip)]
#[command(args_conflicts_with_subcommands = true, after_long_help = serve::help::text())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how much load deployments carry within objectives, without serving anything
    Plan(Box<plan::Arguments>),
    /// Make a preset of measured runs, with its error stated
    Fit(fit::Arguments),
}

/// The words with vLLM's short names of two letters as the flags that they stand for, if they call the simulator.
pub(crate) fn in_full(words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_none_or(|word| word != "sim") {
        return words;
    }
    let full = |word: OsString| match word.to_str() {
        Some("-tp") => "--tensor-parallel-size".into(),
        Some("-dp") => "--data-parallel-size".into(),
        _ => word,
    };
    words.into_iter().map(full).collect()
}

/// Serves until Ctrl-C, or does what the subcommand says.
///
/// # Errors
/// If that cannot be done.
pub(crate) fn sim(arguments: &Arguments) -> Result<Exit, Trouble> {
    match &arguments.command {
        None => serve::serve(&arguments.serve),
        Some(Command::Plan(arguments)) => plan::plan(arguments),
        Some(Command::Fit(arguments)) => fit::fit(arguments),
    }
}
