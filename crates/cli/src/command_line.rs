//! The command line: commands, their help, and what is said of a command line that cannot be read.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use tokometer_plan::names_a_secret;

use crate::commands::{bench, demo, report, run, sim};
use crate::dialect::values::Unfit;
use crate::dialect::{evalscope, vllm};
use crate::exit::{self, Exit};
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
    /// Serve the simulator, an inference server to practise on, until Ctrl-C
    Sim(sim::Arguments),
    /// See it at work in half a minute: a sweep against the embedded simulator
    Demo(demo::Arguments),
}

/// Reads the command line of this process.
///
/// # Errors
/// The exit code, everything else having been said: of help that was asked for, or of a command line that cannot be read.
pub(crate) fn read() -> Result<Command, Result<Exit, Trouble>> {
    let typed = vllm::typed::plain(std::env::args_os().collect(), &CommandLine::command());
    let typed = typed.map_err(Err)?;
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
    let help = match (called(&typed), error.kind()) {
        ("", _) => "tokometer --help shows every command".to_owned(),
        ("bench", ErrorKind::InvalidSubcommand) => {
            "tokometer bench --help shows every command".to_owned()
        }
        (_, ErrorKind::InvalidSubcommand) => "tokometer --help shows every command".to_owned(),
        (command, _) => format!("tokometer {command} --help shows every flag"),
    };
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

/// The command that the words call: `perf`, `bench serve`. Empty if they call none.
fn called(typed: &[String]) -> &str {
    let command = |index: usize| typed.get(index).filter(|word| !word.starts_with('-'));
    match (command(1).map(String::as_str), command(2).map(String::as_str)) {
        (Some("bench"), Some("serve")) => "bench serve",
        (Some(command), _) => command,
        (None, _) => "",
    }
}

/// What is wrong with a command line, in a line, and the flag or command that was meant, if one is near.
pub(crate) fn what_is_wrong(error: &clap::Error) -> (String, Option<String>) {
    let word = |kind| word(error, kind);
    let meant = word(ContextKind::SuggestedArg).or(word(ContextKind::SuggestedSubcommand));
    let flag = word(ContextKind::InvalidArg).map(flag_only);
    let what = match (error.kind(), flag) {
        (ErrorKind::UnknownArgument, Some(flag)) => format!("there is no flag {flag}"),
        (ErrorKind::InvalidSubcommand, _) => {
            let name = word(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("there is no command {name}")
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(flag)) => {
            let value = word(ContextKind::InvalidValue).unwrap_or_default();
            let why = std::error::Error::source(error);
            match why {
                Some(why) if why.is::<Unfit>() => format!("{flag}{why}"),
                Some(why) => format!("{flag}: {value:?}: {why}"),
                None if value.is_empty() => format!("{flag} needs a value"),
                None => match valid_values(error) {
                    Some(values) => format!("{flag}: {value:?} is none of {values}"),
                    None => format!("{flag}: {value:?} is not a value for it"),
                },
            }
        }
        (ErrorKind::MissingRequiredArgument, Some(missing)) => format!("{missing} is missing"),
        _ => first_line(error),
    };
    (what, meant.map(str::to_owned))
}

fn word(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        Some(ContextValue::Strings(words)) => words.first().map(String::as_str),
        _ => None,
    }
}

/// The values that a flag of a few has.
fn valid_values(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    }
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

/// clap shows a flag with its value names: `--parallel <PARALLEL>...`.
fn flag_only(shown: &str) -> &str {
    if shown.starts_with('-') { shown.split(' ').next().unwrap_or(shown) } else { shown }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
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
        for line in START.lines().chain(PERF_EXAMPLES.lines()).chain(bench::SERVE_EXAMPLES.lines())
        {
            assert!(line.chars().count() <= 80, "a terminal of 80 columns breaks: {line}");
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
