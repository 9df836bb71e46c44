//! File descriptors: the limit is raised as far as the system lets, and a plan that needs more is refused before it fails.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokometer_plan::{Plan, Scheme};

use crate::trouble::Trouble;

/// Raises the limit on open files to the hard limit and refuses a plan that needs more of them.
///
/// # Errors
/// If the plan needs more connections than this process may open.
pub(crate) fn prepare(plan: &Plan) -> Result<(), Trouble> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    check(plan, limit)
}

fn check(plan: &Plan, limit: u64) -> Result<(), Trouble> {
    let Some(most) = plan.points.iter().filter_map(|point| point.parallel).max() else {
        return Ok(());
    };
    if plan.target.http2 {
        return Ok(());
    }
    // The simulator's ends of the connections are in this process too.
    let ends = if plan.target.url.scheme == Scheme::Sim { 2 } else { 1 };
    let needed = most.get() as u64 * ends + RESERVE;
    if needed <= limit {
        return Ok(());
    }
    let fits = limit.saturating_sub(RESERVE) / ends;
    Err(Trouble::input(format!(
        "{most} requests in flight need {needed} file descriptors, and this process may have {limit}"
    ))
    .with_hint(format!("raise the limit (ulimit -n {needed}, as root if it must be), or ask for at most {fits} at once")))
}

/// Descriptors for logs, timers, the terminal and the like.
const RESERVE: u64 = 64;
