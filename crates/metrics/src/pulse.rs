//! What the client noted of itself once a second: how late its event loop was, and its processor time.
//!
//! A pulse holds the worst of its second alone. How much of the time the loop was late can therefore only be bounded by pulses;
//! the exact figure stands at the end of the log. Deliberately decides nothing: limits are the verdict's.

use std::time::Duration;

use tokometer_record::{Offset, Pulse, Record};

use crate::Run;
use crate::concurrency::{Flight, peak};

/// What is known of how late the client's event loop was.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LoopLag {
    /// Nothing: the load was over before a probe.
    #[default]
    Unprobed,
    /// Nothing: the log breaks off before its first pulse.
    Lost,
    /// The 99th percentile over all probes, in seconds.
    P99(f64),
    /// Of a log without an end, the worst of each second.
    Pulses {
        /// The worst that each pulse noted, in seconds.
        worst: Vec<f64>,
        /// The time that the pulses cover, in seconds: at least one.
        covered: f64,
    },
}

impl LoopLag {
    pub(crate) fn of(run: &Run<'_>) -> Self {
        match run.client {
            Some(client) if client.loop_lag_probes > 0 => Self::P99(seconds(client.loop_lag_p99)),
            Some(_) => Self::Unprobed,
            None => Self::of_pulses(run),
        }
    }

    fn of_pulses(run: &Run<'_>) -> Self {
        let [first, ..] = run.pulses else { return Self::Lost };
        let last = run.pulses.last().unwrap_or(first);
        let covered = (last.at - first.at + EVERY).as_secs_f64();
        Self::Pulses { worst: run.pulses.iter().map(lag).collect(), covered }
    }
}

/// A stretch in which the client's event loop stood still: nothing that arrived was stamped before it was over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// Its length in seconds.
    pub length: f64,
    /// Between which moments it lies: of the pulse that noted it and of the one before.
    pub between: (Offset, Offset),
    /// How many measured requests were in flight at some time between these moments.
    pub touched: u64,
    /// The most of them in flight at once between these moments: as many as the stall can have touched.
    pub at_once: u64,
}

impl Stall {
    /// The longest stall of a run. `None` where nothing was noted.
    pub(crate) fn worst(run: &Run<'_>) -> Option<Self> {
        let length = worst_lag(run)?;
        let between = second_of_worst(run);
        let (from, to) = between;
        let in_flight = |record: &&&Record| record.started <= to && from <= record.end;
        let flights: Vec<Flight> = run
            .measured
            .iter()
            .filter(in_flight)
            .map(|record| (record.started, record.end))
            .collect();
        let touched = flights.len() as u64;
        // What only ended at the first moment, or only started at the last, was in flight there nevertheless.
        let at_once = peak(&flights, from).max(touched.min(1));
        Some(Self { length, between, touched, at_once })
    }
}

/// The worst lag of the event loop, in seconds: over all probes, or of a log without an end over its pulses.
pub(crate) fn worst_lag(run: &Run<'_>) -> Option<f64> {
    match run.client {
        Some(client) if client.loop_lag_probes > 0 => Some(seconds(client.loop_lag_max)),
        Some(_) => None,
        None => run.pulses.iter().map(lag).reduce(f64::max),
    }
}

/// Processor time of this process, in per cent of one core, from the first pulse to the last. `None` of fewer than two.
pub(crate) fn cpu(run: &Run<'_>) -> Option<f64> {
    let [first, .., last] = run.pulses else { return None };
    let length = (last.at - first.at).as_secs_f64();
    (length > 0.0).then(|| 100.0 * seconds(last.cpu.saturating_sub(first.cpu)) / length)
}

fn second_of_worst(run: &Run<'_>) -> (Offset, Offset) {
    let began = run.all.first().map_or(run.point.began, |record| record.started);
    let end = run.all.iter().map(|record| record.end).max().unwrap_or(began);
    let noted = run.pulses.iter().enumerate().max_by_key(|(_, pulse)| pulse.loop_lag);
    let after_all = run.client.map_or(0, |client| client.loop_lag_max);
    match noted {
        Some((index, pulse)) if pulse.loop_lag >= after_all => {
            let before = index.checked_sub(1).map(|before| run.pulses[before].at);
            let second = pulse.at.as_nanos().saturating_sub(EVERY.as_nanos() as u64);
            (before.unwrap_or(Offset::from_nanos(second)), pulse.at)
        }
        // No pulse noted it: it lies behind the last one.
        _ => (run.pulses.last().map_or(began, |last| last.at), end),
    }
}

/// The log has a pulse each second.
const EVERY: Duration = Duration::from_secs(1);

fn lag(pulse: &Pulse) -> f64 {
    seconds(pulse.loop_lag)
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use tokometer_record::PointLog;

    use super::*;
    use crate::summary::testing::{killed, ms, ok, point_log, probed, pulse};

    fn two_in_turn() -> PointLog {
        point_log([ok(0, 0, &[900]), ok(1, 1_100, &[2_900])])
    }

    #[test]
    fn a_whole_log_tells_the_percentile() {
        let log = probed(two_in_turn(), 1_500_000, 40_000_000);
        assert_eq!(LoopLag::of(&Run::of(&log)), LoopLag::P99(0.0015));
        assert_eq!(worst_lag(&Run::of(&log)), Some(0.04));
    }

    #[test]
    fn a_log_without_an_end_tells_the_worst_of_each_second() {
        let log = killed(two_in_turn(), [pulse(1_000, 2, 500), pulse(2_000, 30, 1_250)]);
        let run = Run::of(&log);
        let pulses = LoopLag::Pulses { worst: vec![0.002, 0.03], covered: 2.0 };
        assert_eq!(LoopLag::of(&run), pulses);
        assert_eq!(worst_lag(&run), Some(0.03));
        assert_eq!(cpu(&run), Some(75.0));
    }

    #[test]
    fn without_a_pulse_nothing_is_known() {
        let log = killed(two_in_turn(), []);
        let run = Run::of(&log);
        assert_eq!((LoopLag::of(&run), worst_lag(&run), cpu(&run)), (LoopLag::Lost, None, None));
        assert_eq!(LoopLag::of(&Run::of(&two_in_turn())), LoopLag::Unprobed);
    }

    #[test]
    fn a_stall_touches_what_was_in_flight_in_its_second() {
        let mut log = probed(two_in_turn(), 0, 30_000_000);
        log.pulses = vec![pulse(1_000, 2, 0), pulse(2_000, 30, 0), pulse(3_000, 1, 0)];
        let stall = Stall::worst(&Run::of(&log)).unwrap();
        let between = (ms(1_000), ms(2_000));
        assert_eq!(stall, Stall { length: 0.03, between, touched: 1, at_once: 1 });
    }

    #[test]
    fn no_more_requests_are_in_flight_at_once_than_there_were_places() {
        // Two places, whose requests take 100 ms each.
        let requests = (0..40).map(|i| ok(i, i / 2 * 100, &[i / 2 * 100 + 100]));
        let mut log = probed(point_log(requests), 0, 30_000_000);
        log.pulses = vec![pulse(1_000, 30, 0), pulse(2_000, 1, 0)];
        let stall = Stall::worst(&Run::of(&log)).unwrap();
        assert_eq!((stall.touched, stall.at_once), (22, 2));
    }

    #[test]
    fn a_stall_that_no_pulse_noted_lies_behind_the_last() {
        let mut log = probed(two_in_turn(), 0, 70_000_000);
        log.pulses = vec![pulse(1_000, 2, 0), pulse(2_000, 30, 0)];
        let stall = Stall::worst(&Run::of(&log)).unwrap();
        assert_eq!(stall.between, (ms(2_000), ms(2_900)));
        log.pulses.clear();
        assert_eq!(Stall::worst(&Run::of(&log)).unwrap().between, (ms(0), ms(2_900)));
    }
}
