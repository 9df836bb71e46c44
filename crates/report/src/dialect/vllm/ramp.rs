//! When a changing rate reached each whole number of requests per second.
//!
//! By the formula of the ramp in time, and not by the index of requests as in vLLM, whose rate therefore rises in another shape than
//! its name says. Of a ramp over very many whole numbers only some are told, evenly spaced.

use serde_json::{Value, json};
use tokometer_metrics::summary::Ending;
use tokometer_record::Offset;

use super::arguments::{RampUp, Strategy};
use super::case::Case;
use super::date;

/// The rate at the beginning and the whole numbers that it reached, each with the moment. `None` without a ramp.
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
            happened.then(|| json!({ "rps": rate(rps), "timestamp": date::moment(header, moment) }))
        });
    Some(reached.collect())
}

/// A rate of a ramp: a whole number, as vLLM takes no other, where it is one.
pub(super) fn rate(value: f64) -> Value {
    let whole = value.fract() == 0.0 && (0.0..EXACT).contains(&value);
    if whole { json!(value as u64) } else { json!(value) }
}

/// The rate at the beginning of a ramp over so many requests and the whole ones behind it, with the second at which each is reached.
fn reached(ramp: &RampUp, requests: u64) -> Vec<(f64, f64)> {
    let length = length(ramp, requests as f64);
    let behind = whole_rates(ramp).map(|rps| (rps, share(ramp, rps) * length));
    std::iter::once((ramp.start_rps, 0.0)).chain(behind).collect()
}

/// The whole rates behind the first, on the way up or down; of more than [`MOST`] each second, or third, and so on.
fn whole_rates(ramp: &RampUp) -> impl Iterator<Item = f64> {
    let (from, to) = (ramp.start_rps, ramp.end_rps);
    let (first, last, towards) = match from <= to {
        true => (from.floor() + 1.0, to.floor(), 1.0),
        false => (from.ceil() - 1.0, to.ceil(), -1.0),
    };
    let count = ((last - first) * towards + 1.0).max(0.0);
    let step = (count / MOST).ceil().max(1.0);
    let told = (count / step).ceil() as u32;
    (0..told).map(move |index| first + towards * step * f64::from(index))
}

/// The part of the ramp's length after which it is at a rate.
fn share(ramp: &RampUp, rate: f64) -> f64 {
    let (from, to) = (ramp.start_rps, ramp.end_rps);
    match ramp.strategy {
        Strategy::Linear => (rate - from) / (to - from),
        Strategy::Exponential => (rate / from).ln() / (to / from).ln(),
    }
}

/// The seconds in which the rate's integral is the number of requests.
fn length(ramp: &RampUp, requests: f64) -> f64 {
    let (from, to) = (ramp.start_rps, ramp.end_rps);
    match ramp.strategy {
        _ if from == to => requests / from,
        Strategy::Linear => 2.0 * requests / (from + to),
        Strategy::Exponential => requests * (to / from).ln() / (to - from),
    }
}

/// The most whole rates that are told.
const MOST: f64 = 1_000.0;

/// Below this every whole number is itself in 64-bit floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(strategy: Strategy, start_rps: f64, end_rps: f64) -> RampUp {
        RampUp { strategy, start_rps, end_rps }
    }

    #[test]
    fn a_linear_ramp_is_half_way_up_at_half_its_time() {
        // From 10 to 30 per second, on average 20: 200 requests take 10 s.
        let at = reached(&ramp(Strategy::Linear, 10.0, 30.0), 200);
        assert_eq!((at[0], at[10], at[20]), ((10.0, 0.0), (20.0, 5.0), (30.0, 10.0)));
        assert_eq!(at.len(), 21);
    }

    #[test]
    fn an_exponential_ramp_doubles_in_equal_times() {
        let at = reached(&ramp(Strategy::Exponential, 1.0, 4.0), 300);
        let second = |rps: usize| at[rps - 1].1;
        assert!((second(2) * 2.0 - second(4)).abs() < 1e-9, "{at:?}");
        // The integral of 4^(t/T) from 0 to T is 3·T ÷ ln 4.
        assert!((3.0 * second(4) / 4_f64.ln() - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_ramp_between_broken_rates_has_its_beginning_and_the_whole_ones_on_its_way() {
        let rates = |strategy, from, to| {
            let at = reached(&ramp(strategy, from, to), 10);
            assert!(at.windows(2).all(|pair| pair[0].1 < pair[1].1), "{at:?}");
            at.into_iter().map(|(rps, _)| rps).collect::<Vec<_>>()
        };
        assert_eq!(rates(Strategy::Exponential, 0.4, 2.5), [0.4, 1.0, 2.0]);
        assert_eq!(rates(Strategy::Linear, 0.0, 0.9), [0.0]);
        assert_eq!(rates(Strategy::Linear, 3.0, 1.0), [3.0, 2.0, 1.0]);
        assert_eq!(rates(Strategy::Exponential, 2.5, 0.4), [2.5, 2.0, 1.0]);
    }

    #[test]
    fn a_ramp_that_does_not_rise_has_its_beginning_alone() {
        assert_eq!(reached(&ramp(Strategy::Linear, 5.0, 5.0), 10), [(5.0, 0.0)]);
    }

    #[test]
    fn of_a_ramp_without_measure_some_rates_are_told() {
        for (from, to) in [(1.0, 4e9), (0.0, 1e300), (4e9, 1.0)] {
            let at = reached(&ramp(Strategy::Linear, from, to), 1_000);
            assert!((900..=1_001).contains(&at.len()), "{}", at.len());
        }
    }
}
