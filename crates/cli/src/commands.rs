//! The commands, a file each.

pub(crate) mod aggregate;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod perf;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sim;
pub(crate) mod single;
pub(crate) mod visualize;
pub(crate) mod watch;

use std::fs::File;
use std::path::Path;

use tokometer_plan::{Plan, PlanError, Resolved};

use crate::exit::Exit;
use crate::screen::Screen;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Refuses a file, named by that flag, that cannot be written.
///
/// # Errors
/// If it cannot.
fn check_writable(flag: &str, path: &Path) -> Result<(), Trouble> {
    let opened = File::options().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| {
        Trouble::failed(format!("{flag}: cannot write {}: {error}", path.display()))
            .with_hint("name a file in a folder that exists and may be written")
    })
}

/// `1 point`, `2 points`.
fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Says what the plan's maker should know before it runs.
fn announce(resolved: &Resolved, surroundings: &Surroundings, screen: &Screen) {
    for note in surroundings.notes().iter().chain(&resolved.advice) {
        screen.say(format!("note: {note}"));
    }
}

/// Shows the plan in place of running it.
///
/// # Errors
/// If it cannot be handed out.
fn show(
    resolved: &Resolved,
    surroundings: &Surroundings,
    screen: &Screen,
) -> Result<Exit, Trouble> {
    let given: Vec<_> = surroundings.given().collect();
    if !given.is_empty() {
        screen.say(format!(
            "note: secrets are not in the plan; set these before it runs: {}",
            given.join(", ")
        ));
    }
    screen.print(as_file(&resolved.plan));
    screen.check().map(|()| Exit::Done)
}

/// The error in terms of the command that was typed: with the flag's name in place of the setting's, as `flag_of` knows it.
fn by_flag(
    error: PlanError,
    command: &str,
    flag_of: impl FnOnce(&str) -> Option<&'static str>,
) -> Trouble {
    let error = match error.hint() {
        Some(_) => error,
        None => error.with_hint(format!("tokometer {command} --help shows every flag")),
    };
    match error.setting().and_then(flag_of) {
        Some(flag) => error.with_place(flag).into(),
        None => error.into(),
    }
}

/// A plan as it is shown to be kept: YAML, with a line on top that says what it is.
fn as_file(plan: &Plan) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "# A plan of tokometer {version}: run it with `tokometer run FILE`; docs/plan.md explains it.\n{}",
        plan.to_yaml()
    )
}
