//! The command line: commands, their help, and what is said of a command line that cannot be read.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use tokometer_plan::names_a_secret;

use crate::commands::{
    aggregate, batch, bench, compare, demo, explain, report, run, runs, sim, single, visualize,
    watch,
};
use crate::dialect::{evalscope, vllm};
use crate::exit::{self, Exit};
use crate::refusal::{flag_only, what_is_wrong, word};
use crate::trouble::Trouble;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "tokometer",
    version,
    about = "A load tester for LLM inference services: it measures what users would feel, and says how far the figures can be trusted",
    after_help = START,
    after_long_help = START,
    max_term_width = 110
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put load on a server, by the flags of `evalscope perf`
    #[command(args_override_self = true, before_help = PERF, after_help = format!("{PERF_EXAMPLES}\n\n{}", exit::TABLE))]
    Perf(Box<evalscope::Flags>),
    /// The commands of `vllm bench`: serve puts load on a server by its flags
    #[command(subcommand)]
    Bench(bench::Command),
    /// Run a plan that was written as YAML (`tokometer perf … --dry-run` prints one)
    #[command(after_help = exit::TABLE)]
    Run(run::Arguments),
    /// Rebuild every report of a run from its log
    Report(report::Arguments),
    /// Run a grid of lengths and concurrencies from a YAML file, and gather the results by model and time
    Batch(batch::Arguments),
    /// Run one combination of it: a load of random prompts, by flags
    Single(single::Arguments),
    /// Gather the results of a folder into one table: CSV with English and Chinese headings, Parquet or JSON
    Aggregate(aggregate::Arguments),
    /// Draw the charts of a table of results
    Visualize(visualize::Arguments),
    /// Compare two runs or two sets of runs, point by point, and say what is better, worse, or not shown
    Compare(compare::Arguments),
    /// List the runs and results that are kept, show, tag or remove them
    Runs(runs::Arguments),
    /// Say what is wrong with a run, or limits it, and what that rests on
    Explain(explain::Arguments),
    /// Watch a running server by its own metrics, live, without putting load on it
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::Arguments),
    /// Serve the simulator, an inference server to practise on, until Ctrl-C
    Sim(Box<sim::Arguments>),
    /// See it at work in half a minute: a sweep against the embedded simulator
    Demo(demo::Arguments),
}

/// Reads the command line of this process.
///
/// # Errors
/// The exit code, everything else having been said: of help that was asked for, or of a command line that cannot be read.
pub(crate) fn read() -> Result<Command, Result<Exit, Trouble>> {
    read_words(std::env::args_os().collect())
}

/// Reads a command line that somebody else would type, the program's name first.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse<'w>(
    words: impl Iterator<Item = &'w str>,
) -> Result<Command, Result<Exit, Trouble>> {
    read_words(words.map(OsString::from).collect())
}

fn read_words(words: Vec<OsString>) -> Result<Command, Result<Exit, Trouble>> {
    let words = sim::in_full(words);
    let typed = vllm::typed::plain(words, &CommandLine::command()).map_err(Err)?;
    let mut line =
        CommandLine::try_parse_from(&typed.words).map_err(|error| explain(&error, &typed.words))?;
    if let Command::Bench(bench::Command::Serve(flags)) = &mut line.command {
        flags.stand_at(typed.places);
    }
    Ok(line.command)
}

fn explain(error: &clap::Error, words: &[OsString]) -> Result<Exit, Trouble> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody is left to tell if the help cannot be written.
            let _ = error.print();
            return Ok(Exit::Done);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return Ok(Exit::Input);
        }
        _ => {}
    }
    let typed: Vec<String> = words.iter().map(|word| word.to_string_lossy().into()).collect();
    let called = called(&typed);
    let what = match (called.as_str(), error.kind()) {
        ("tokometer", _) | (_, ErrorKind::InvalidSubcommand) => "command",
        _ => "flag",
    };
    let help = format!("{called} --help shows every {what}");
    if let (ErrorKind::UnknownArgument, Some(stray)) =
        (error.kind(), word(error, ContextKind::InvalidArg).map(flag_only))
        && !stray.starts_with('-')
    {
        return Err(belongs_to_no_flag(stray, &typed, &help));
    }
    let (what, meant) = what_is_wrong(error);
    let hint = meant.map_or(help.clone(), |meant| format!("did you mean {meant}? {help}"));
    Err(Trouble::input(what).with_hint(hint))
}

/// The command that the words call: `tokometer perf`, `tokometer bench sweep plot`.
fn called(typed: &[String]) -> String {
    let mut command = CommandLine::command();
    let mut path = command.get_name().to_owned();
    for word in typed.iter().skip(1) {
        let Some(inner) = command.find_subcommand(word) else { break };
        path = format!("{path} {}", inner.get_name());
        command = inner.clone();
    }
    path
}

/// A word that no flag takes is named, unless it may be the second half of a secret that holds a blank.
fn belongs_to_no_flag(stray: &str, typed: &[String], help: &str) -> Trouble {
    let place = typed.iter().position(|word| word == stray).unwrap_or_default();
    let before = typed[..place].iter().rev().find(|word| word.starts_with('-'));
    let secret = before.is_some_and(|flag| {
        let flag = flag.split('=').next().unwrap_or(flag);
        names_a_secret(flag) || MAY_HOLD_SECRETS.contains(&flag)
    });
    let word = if secret { format!("argument {place}") } else { stray.to_owned() };
    Trouble::input(format!("{word} belongs to no flag"))
        .with_hint(format!("put values that hold blanks into quotes; {help}"))
}

/// Flags whose values may hold a secret though their names do not say so.
const MAY_HOLD_SECRETS: &[&str] = &[
    "--headers",
    "--extra-args",
    "--query-template",
    "--url",
    "--proxy",
    "--options",
    "--header",
    "--extra-body",
    "--base-url",
];

const START: &str = "\
Start here:
  See it at work, no server needed:
    tokometer demo
  A sweep over a server of your own:
    tokometer perf --model NAME \\
      --url http://127.0.0.1:8000/v1/chat/completions \\
      --dataset random --min-prompt-length 1024 --max-prompt-length 1024 \\
      --max-tokens 256 --parallel 1 10 50 --number 10 50 200";

const PERF: &str = "\
Puts load on an inference server and measures what its users would feel. The flags are those of evalscope perf 1.14.1; \
those marked \"ours\" are not. Each value of --parallel (or, with --open-loop, of --rate) is a point of a sweep, run one after \
the other with its own --number of requests. Everything is checked before any load is sent.";

const PERF_EXAMPLES: &str = "\
Examples:
  A sweep over concurrency, prompts and outputs of exactly 1024 tokens:
    tokometer perf --parallel 1 10 50 --number 10 20 100 --model qwen3-32b \\
      --url http://127.0.0.1:8000/v1/chat/completions --dataset random \\
      --min-prompt-length 1024 --max-prompt-length 1024 \\
      --max-tokens 1024 --min-tokens 1024 \\
      --tokenizer-path /models/Qwen3-32B --extra-args '{\"ignore_eos\": true}'
  What users feel at 5 and 10 requests per second, whatever the server does:
    tokometer perf --open-loop --rate 5 10 --number 300 600 \\
      --url … --dataset random …
  Your own prompts, one a line, for one minute:
    tokometer perf --dataset line_by_line --dataset-path prompts.txt \\
      --parallel 20 --number 100000 --duration 60 …
  No server at all:
    tokometer perf --url 'sim://?ttft_ms=200&itl_ms=20' --dataset random \\
      --parallel 10 --number 100 --max-tokens 64
  The plan as a file, to keep, change and run again:
    tokometer perf … --dry-run > plan.yaml && tokometer run plan.yaml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_never_broken_where_it_has_no_backslash() {
        for line in START
            .lines()
            .chain(PERF_EXAMPLES.lines())
            .chain(bench::SERVE_EXAMPLES.lines())
            .chain(explain::EXAMPLES.lines())
            .chain(watch::EXAMPLES.lines())
        {
            assert!(line.chars().count() <= 80, "a terminal of 80 columns breaks: {line}");
        }
    }

    #[test]
    fn a_command_is_named_with_those_it_stands_under() {
        let called = |line: &str| called(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (line, expected) in [
            ("t", "tokometer"),
            ("t nosuch", "tokometer"),
            ("t perf --model m", "tokometer perf"),
            ("t bench sweep nosuch", "tokometer bench sweep"),
            ("t bench sweep plot-pareto x", "tokometer bench sweep plot_pareto"),
            ("t bench compare a b", "tokometer bench compare"),
        ] {
            assert_eq!(called(line), expected);
        }
    }

    #[test]
    fn a_stray_word_is_named_unless_it_may_be_half_of_a_secret() {
        let said = |line: &str, stray: &str| {
            let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
            belongs_to_no_flag(stray, &typed, "").to_string()
        };
        assert!(said("t perf --max-tokens 5 10 15", "15").starts_with("error: 15 belongs"));
        assert!(said("t run a b", "b").starts_with("error: b belongs"));
        for flag in ["--api-key", "--extra-args", "--wandb-api-key"] {
            let said = said(&format!("t perf {flag} Bearer s3cret"), "s3cret");
            assert!(said.starts_with("error: argument 4 belongs"), "{said}");
        }
    }
}
