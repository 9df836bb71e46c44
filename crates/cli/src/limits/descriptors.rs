//! File descriptors: the limit is raised as far as the system lets, and a plan that needs more is refused before it fails.
//!
//! How many connections an open loop needs depends on how long the server takes, which is not known yet: there a plan that
//! could come to need more is run, with a word of warning.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokometer_plan::{Plan, Point, Scheme};

use crate::trouble::Trouble;

/// Raises the limit on open files to the hard limit and refuses a plan that needs more of them. Returns a warning where the
/// plan may come to need more.
///
/// # Errors
/// If the plan needs more connections than this process may open.
pub(crate) fn prepare(plan: &Plan) -> Result<Option<String>, Trouble> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(None) };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    // Over HTTP/2 requests share their connections.
    if plan.target.http2 {
        return Ok(None);
    }
    check(plan, limit)?;
    Ok(doubt(plan, limit))
}

fn check(plan: &Plan, limit: u64) -> Result<(), Trouble> {
    let Some(most) = plan.points.iter().filter_map(Point::at_once).max() else {
        return Ok(());
    };
    let needed = descriptors(plan, most);
    if needed <= limit {
        return Ok(());
    }
    let advice = match limit.saturating_sub(RESERVE) / ends(plan) {
        0 => format!("; {RESERVE} of them are for files, timers and threads"),
        fits => format!(", or ask for at most {fits} at once"),
    };
    Err(Trouble::input(format!(
        "{most} requests in flight need {needed} file descriptors, and this process may have {limit}"
    ))
    .with_hint(format!("raise the limit (ulimit -n {needed}, as root if it must be){advice}")))
}

/// A warning where an open loop against a slow server would come to need more descriptors than there are.
fn doubt(plan: &Plan, limit: u64) -> Option<String> {
    let heaviest = plan.points.iter().filter_map(held_by_a_slow_server).max()?;
    let needed = descriptors(plan, heaviest);
    (needed > limit).then(|| {
        format!(
            "where the server takes {SLOW} s for a request, this rate holds {heaviest} connections, {needed} file descriptors, \
             and this process may have {limit}: requests beyond them would fail; raise the limit (ulimit -n {needed}), or \
             put a cap beside the rate"
        )
    })
}

/// Requests in flight at once, in open loop, should each take [`SLOW`] seconds.
fn held_by_a_slow_server(point: &Point) -> Option<u64> {
    let rate = point.load.arrivals.peak_rate().filter(|_| point.parallel.is_none())?;
    let sending = point.load.stop.after.map_or(SLOW, |after| after.as_secs_f64().min(SLOW));
    Some(((rate * sending).ceil() as u64).min(point.requests()))
}

fn descriptors(plan: &Plan, connections: u64) -> u64 {
    connections.saturating_mul(ends(plan)).saturating_add(RESERVE)
}

/// The simulator's ends of the connections are in this process too.
fn ends(plan: &Plan) -> u64 {
    if plan.target.url.scheme == Scheme::Sim { 2 } else { 1 }
}

/// Descriptors for logs, timers, the terminal and the like.
const RESERVE: u64 = 64;

/// Seconds that an overloaded server may well take for a request.
const SLOW: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::testing::plan;

    #[test]
    fn a_cap_needs_as_many_connections_as_it_allows() {
        let closed =
            plan("http://h/v1", "[{parallel: 900, number: 2000}, {parallel: 10, number: 20}]");
        assert!(check(&closed, 900 + RESERVE).is_ok());
        let error = check(&closed, 500 + RESERVE).unwrap_err().to_string();
        assert!(error.contains("at most 500 at once"), "{error}");
        let error = check(&closed, RESERVE).unwrap_err().to_string();
        assert!(!error.contains("at most"), "none would fit: {error}");
        assert!(check(&plan("sim://", "[{parallel: 900, number: 9}]"), 900 + RESERVE).is_err());
    }

    #[test]
    fn requests_that_nothing_holds_back_are_all_in_flight_at_once() {
        let burst = plan("http://h/v1", "[{rate: inf, number: 900}]");
        assert!(check(&burst, 900 + RESERVE).is_ok());
        assert!(check(&burst, 899 + RESERVE).is_err());
        assert!(doubt(&burst, RESERVE).is_none());
    }

    #[test]
    fn an_open_loop_is_warned_by_what_a_slow_server_would_hold() {
        let open = |number: u64| plan("http://h/v1", &format!("[{{rate: 100, number: {number}}}]"));
        assert!(doubt(&open(10_000), 3_000 + RESERVE).is_none());
        let warning = doubt(&open(10_000), 2_999 + RESERVE).unwrap();
        assert!(warning.contains("holds 3000 connections"), "{warning}");
        assert!(doubt(&open(200), 1024).is_none(), "200 requests never hold more than 200");
        let capped = plan("http://h/v1", "[{rate: 100, parallel: 5, number: 10000}]");
        assert!(doubt(&capped, 1024).is_none());
    }
}
