//! `tokometer perf`: the command line of `evalscope perf`.

use tokometer_plan::resolve;

use super::{announce, by_flag, show};
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
    let resolved = resolve(config, &surroundings)
        .map_err(|error| by_flag(error, "perf", evalscope::flag_of))?;
    announce(&resolved, &surroundings, &screen);
    if dry {
        return show(&resolved, &surroundings, &screen);
    }
    session::run(&resolved, &screen).map(|ended| ended.exit)
}
