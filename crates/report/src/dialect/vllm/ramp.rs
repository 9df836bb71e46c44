//! When a rising rate reached each whole number of requests per second.
//!
//! By the formula of the ramp in time, and not by the index of requests as in vLLM, whose rate therefore rises in another shape than
//! its name says.

use serde_json::{Value, json};
use tokometer_metrics::summary::Ending;
use tokometer_record::Offset;

use super::arguments::{RampUp, Strategy};
use super::date;
use super::result::Case;

/// The rate at the beginning and each whole number that it reached, with the moment. `None` without a ramp.
pub(super) fn events(case: &Case<'_>) -> Option<Value> {
    let ramp = case.arguments.ramp_up.as_ref()?;
    let began = case.run.measured_from()?;
    let last = case.run.measured.iter().map(|record| record.started).max()?;
    let header = case.told.header;
    // What was cut short never reached the rates that lay ahead.
    let whole = case.told.summary.ending == Ending::Complete;
    let reached =
        reached(ramp, case.told.log.point.requests).into_iter().filter_map(|(rps, at)| {
            let at = Offset::after(std::time::Duration::try_from_secs_f64(at).ok()?);
            let moment = began + (at - Offset::ZERO);
            let happened = whole || moment <= last;
            happened.then(|| json!({ "rps": rps, "timestamp": date::moment(header, moment) }))
        });
    Some(reached.collect())
}

/// The whole rates of a ramp over so many requests, and the second at which each is reached.
fn reached(ramp: &RampUp, requests: u64) -> Vec<(u64, f64)> {
    let (from, to) = (ramp.start_rps as f64, ramp.end_rps as f64);
    let rates = ramp.start_rps..=ramp.end_rps.max(ramp.start_rps);
    rates
        .map(|rps| {
            (rps, share(ramp, rps as f64) * length(ramp.strategy, from, to, requests as f64))
        })
        .collect()
}

/// The part of the ramp's length after which it is at a rate.
fn share(ramp: &RampUp, rate: f64) -> f64 {
    let (from, to) = (ramp.start_rps as f64, ramp.end_rps as f64);
    if from >= to {
        return 0.0;
    }
    match ramp.strategy {
        Strategy::Linear => (rate - from) / (to - from),
        Strategy::Exponential => (rate / from).ln() / (to / from).ln(),
    }
}

/// The seconds in which the rate's integral is the number of requests.
fn length(strategy: Strategy, from: f64, to: f64, requests: f64) -> f64 {
    match strategy {
        _ if from >= to => requests / from,
        Strategy::Linear => 2.0 * requests / (from + to),
        Strategy::Exponential => requests * (to / from).ln() / (to - from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(strategy: Strategy, start_rps: u64, end_rps: u64) -> RampUp {
        RampUp { strategy, start_rps, end_rps }
    }

    #[test]
    fn a_linear_ramp_is_half_way_up_at_half_its_time() {
        // From 10 to 30 per second, on average 20: 200 requests take 10 s.
        let at = reached(&ramp(Strategy::Linear, 10, 30), 200);
        assert_eq!((at[0], at[10], at[20]), ((10, 0.0), (20, 5.0), (30, 10.0)));
        assert_eq!(at.len(), 21);
    }

    #[test]
    fn an_exponential_ramp_doubles_in_equal_times() {
        let at = reached(&ramp(Strategy::Exponential, 1, 4), 300);
        let second = |rps: usize| at[rps - 1].1;
        assert!((second(2) * 2.0 - second(4)).abs() < 1e-9, "{at:?}");
        // The integral of 4^(t/T) from 0 to T is 3·T ÷ ln 4.
        assert!((3.0 * second(4) / 4_f64.ln() - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_ramp_that_does_not_rise_has_its_beginning_alone() {
        assert_eq!(reached(&ramp(Strategy::Linear, 5, 5), 10), [(5, 0.0)]);
    }
}
