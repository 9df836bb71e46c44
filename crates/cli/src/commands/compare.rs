//! `tokometer compare`: two runs, or two sets of runs, point by point: what is better, what is worse, and how sure that is.
//!
//! What the words of the command line stand for is found in `sides`; what differs is the concern of `tokometer_report::contrast`.

mod sides;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use tokometer_report::contrast::{
    Condition, Contrast, Keep, Side, Standing, WrongCondition, contrast,
};
use tokometer_report::html::Shown;

use crate::commands::check_writable;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `compare` takes.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::exit::TABLE))]
pub(crate) struct Arguments {
    /// What it was before: a run's folder, one with several runs below it, a result file (vLLM's, EvalScope's, summary.json), or a pattern in quotes
    #[arg(value_name = "BASELINE")]
    baseline: String,
    /// What it is now: the same
    #[arg(value_name = "CANDIDATE")]
    candidate: String,
    /// End with exit code 6 if this is met for certain at any point: p99_ttft>+5%, output_throughput<-3%, mean_tpot>+2ms, p99_e2el>2s
    #[arg(long, value_name = "CONDITION", num_args = 1)]
    fail_on: Vec<String>,
    /// Also end with exit code 6 where a condition of --fail-on cannot be told: too few requests, or none kept
    #[arg(long, overrides_with = "strict", requires = "fail_on")]
    strict: bool,
    /// Compare also what is not comparable; the reasons then stand above the figures
    #[arg(long, overrides_with = "anyway")]
    anyway: bool,
    /// Print Markdown for a pull request
    #[arg(long, conflicts_with = "json", overrides_with = "markdown")]
    markdown: bool,
    /// Print JSON
    #[arg(long, overrides_with = "json")]
    json: bool,
    /// Write a page with curves laid over each other
    #[arg(long, value_name = "FILE", overrides_with = "html")]
    html: Option<PathBuf>,
}

/// Compares the candidate with the baseline.
///
/// # Errors
/// If a side cannot be read, or a condition not be held against anything.
pub(crate) fn compare(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let conditions = conditions(&arguments.fail_on)?;
    if let Some(page) = &arguments.html {
        check_writable("--html", page)?;
    }
    if arguments.baseline == arguments.candidate {
        screen.say("note: baseline and candidate are one and the same");
    }
    let keep = if arguments.html.is_some() { Keep::Curves } else { Keep::Figures };
    let side = |name: &str, given: &str| -> Result<Side, Trouble> {
        Ok(Side { name: given.to_owned(), points: sides::read(name, given, keep, &screen)? })
    };
    let baseline = side("baseline", &arguments.baseline)?;
    let candidate = side("candidate", &arguments.candidate)?;
    let contrast = contrast(baseline, candidate, &conditions).map_err(refused)?;
    if let Some(exit) = objected(&contrast, arguments, &screen)? {
        return Ok(exit);
    }
    match (arguments.json, arguments.markdown) {
        (true, _) => screen.print(format!("{:#}\n", contrast.json())),
        (_, true) => screen.print(contrast.markdown()),
        _ => screen.print(contrast.text(Screen::style())),
    }
    screen.check()?;
    if let Some(path) = &arguments.html {
        fs::write(path, contrast.page(Shown::default())).map_err(|error| {
            Trouble::failed(format!("--html: cannot write {}: {error}", path.display()))
        })?;
        screen.say(format!("the page is {}", path.display()));
    }
    Ok(gated(&contrast, arguments.strict, &screen))
}

/// What --fail-on names: one condition or several, with commas between. One that names none is no gate that anybody meant: a variable
/// of a script was empty.
fn conditions(typed: &[String]) -> Result<Vec<Condition>, Trouble> {
    let mut conditions = Vec::new();
    for typed in typed {
        let each = typed.split(',').map(str::trim).filter(|typed| !typed.is_empty());
        let before = conditions.len();
        for condition in each {
            conditions.push(condition.parse().map_err(refused)?);
        }
        if conditions.len() == before {
            return Err(Trouble::input("--fail-on names no condition")
                .with_hint("write one, such as 'p99_ttft>+5%', or leave --fail-on out"));
        }
    }
    Ok(conditions)
}

fn refused(wrong: WrongCondition) -> Trouble {
    let trouble = Trouble::input(format!("--fail-on: {}", wrong.what));
    match wrong.hint {
        Some(hint) => trouble.with_hint(hint),
        None => trouble,
    }
}

/// Says why the sides cannot be compared, if they cannot; the exit, if they then are not.
fn objected(
    contrast: &Contrast,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<Option<Exit>, Trouble> {
    let nothing = contrast.pairs.is_empty();
    if contrast.objections.is_empty() || (arguments.anyway && !nothing) {
        return Ok(None);
    }
    if arguments.json {
        screen.print(format!("{:#}\n", contrast.refusal()));
        screen.check()?;
    }
    screen.say("error: the two cannot be compared as they stand:");
    for objection in &contrast.objections {
        screen.say(format!("  - {objection}"));
    }
    screen.say(match nothing {
        true => "hint: name runs that have a load in common",
        false => "hint: --anyway compares them all the same, with these reasons above the figures",
    });
    Ok(Some(Exit::Incomparable))
}

/// What the conditions make of it.
fn gated(contrast: &Contrast, strict: bool, screen: &Screen) -> Exit {
    let mut exit = Exit::Done;
    for checked in &contrast.checked {
        for (standing, what) in checked.told() {
            let condition = &checked.condition;
            match standing {
                Standing::Met => screen.say(format!("failed: {condition}: {what}")),
                Standing::Open => screen.say(format!("note: {condition}: {what}")),
                Standing::Unknown if strict => {
                    screen.say(format!("failed: {condition}: {what} (--strict)"))
                }
                Standing::Unknown => screen.say(format!(
                    "warning: {condition}: {what}; not failed for that (--strict would)"
                )),
                Standing::NotMet => {}
            }
        }
        if checked.is_met() || (strict && checked.is_in_doubt()) {
            exit = Exit::Regressed;
        }
    }
    exit
}

/// Examples for the help.
pub(crate) const EXAMPLES: &str = "\
Examples:
  Two runs:
    tokometer compare outputs/monday/qwen3-32b outputs/tuesday/qwen3-32b
  In CI, with a comment for the pull request:
    tokometer compare main/ pr/ --fail-on 'p99_ttft>+5%,mean_tpot>+3%' \\
      --markdown > comment.md
  Several runs a side, so that what differs from run to run is known:
    tokometer compare 'before/run*.json' 'after/run*.json' --html diff.html";
