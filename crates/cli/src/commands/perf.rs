//! `tokometer perf`: the command line of `evalscope perf`.

use tokometer_plan::{PlanError, resolve};

use super::as_file;
use crate::dialect::evalscope::{self, Flags};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::session;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Runs what the flags say, or shows it as a plan.
///
/// # Errors
/// If it cannot be run.
pub(crate) fn perf(flags: Flags) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let dry = flags.dry_run();
    let mut surroundings = Surroundings::default();
    let config = evalscope::settings(flags, &mut surroundings)?;
    let resolved = resolve(config, &surroundings).map_err(by_flag)?;
    for note in surroundings.notes().iter().chain(&resolved.advice) {
        screen.say(format!("note: {note}"));
    }
    if dry {
        let given: Vec<_> = surroundings.given().collect();
        if !given.is_empty() {
            screen.say(format!(
                "note: secrets are not in the plan; set these before it runs: {}",
                given.join(", ")
            ));
        }
        screen.print(as_file(&resolved.plan));
        return screen.check().map(|()| Exit::Done);
    }
    session::run(&resolved, &screen).map(|ended| ended.exit)
}

/// The error, with the flag's name in place of the setting's.
fn by_flag(error: PlanError) -> Trouble {
    let error = match error.hint() {
        Some(_) => error,
        None => error.with_hint("tokometer perf --help shows every flag"),
    };
    match error.setting().and_then(evalscope::flag_of) {
        Some(flag) => error.with_place(flag).into(),
        None => error.into(),
    }
}
