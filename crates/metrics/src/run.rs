//! One point of a run, as metrics look at it: which requests count, and from when to when.
//!
//! Deliberately decides nothing about figures: it selects and counts, the catalog defines.

use std::time::Duration;

use tokometer_record::{
    ClientUse, FailureKind, Offset, Phase, Point, PointLog, Pulse, Record, Scrape, Telemetry,
};

use crate::concurrency::{self, Flight};
use crate::window::{Window, completed};

/// One point of a run.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// What was asked for.
    pub point: &'a Point,
    /// Every request that ended, the warm-up's included but no probe, in the order in which they started.
    pub all: Vec<&'a Record>,
    /// Every measured request that ended, failures included, in the order in which they started.
    pub measured: Vec<&'a Record>,
    /// Every probe that ended, failures included, in the order in which they started; those that started before the measured
    /// schedule belong to the warm-up, and are not among them. Nothing else of a run knows of them.
    pub probes: Vec<&'a Record>,
    /// What the client used. `None` if the log has no end.
    pub client: Option<&'a ClientUse>,
    /// The client's own state, about once a second.
    pub pulses: &'a [Pulse],
    /// Pages of metrics as they stood: each source's before the load first, and after it last.
    pub scrapes: &'a [Scrape],
    /// What was heard of the service's own side.
    pub telemetry: &'a Telemetry,
    measured_from: Option<Offset>,
    window: Window,
}

impl<'a> Run<'a> {
    /// The point that this log tells of.
    pub fn of(log: &'a PointLog) -> Self {
        let mut all: Vec<&Record> = log.records.iter().collect();
        all.sort_by_key(|record| (record.started, record.index));
        let (mut probes, all): (Vec<&Record>, Vec<&Record>) =
            all.into_iter().partition(|record| record.phase == Phase::Probe);
        let measured: Vec<&Record> =
            all.iter().copied().filter(|record| record.phase == Phase::Measured).collect();
        // A log of before this was noted, or without an end: nothing of the schedule is known that lies further back.
        let earliest = || measured.iter().map(|record| record.scheduled.min(record.started)).min();
        let noted = log.end.as_ref().and_then(|end| end.measured_from);
        let measured_from = noted.or_else(earliest);
        probes.retain(|probe| measured_from.is_some_and(|from| probe.started >= from));
        let client = log.end.as_ref().map(|end| &end.client);
        let window = log.records.iter().collect();
        Self {
            point: &log.point,
            all,
            measured,
            probes,
            client,
            pulses: &log.pulses,
            scrapes: &log.scrapes,
            telemetry: &log.telemetry,
            measured_from,
            window,
        }
    }

    /// The measured requests that succeeded.
    pub fn successes(&self) -> impl Iterator<Item = &'a Record> {
        self.measured.iter().copied().filter(|record| record.succeeded())
    }

    /// The measured requests that the user cancelled.
    pub fn cancelled(&self) -> impl Iterator<Item = &'a Record> {
        let kind = |record: &Record| record.failure().map(|failure| failure.kind);
        self.measured.iter().copied().filter(move |r| kind(r) == Some(FailureKind::Cancelled))
    }

    /// From when to when the figures are taken.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// When the measured schedule began, the gap before its first request included; where the log does not tell, the earliest
    /// moment at which a measured request was wanted or started. `None` if there is neither.
    pub const fn measured_from(&self) -> Option<Offset> {
        self.measured_from
    }

    /// Seconds from the beginning of the measured schedule to the last end of a measured request, that of the stream included;
    /// a request that the user cancelled has none. `None` if that is no time at all.
    pub fn full_duration(&self) -> Option<f64> {
        let ended = self.measured.iter().filter(|record| completed(record).is_some());
        let last = ended.map(|record| record.end.max(record.last().unwrap_or(record.end))).max()?;
        Some((last - self.measured_from?).as_secs_f64()).filter(|&length| length > 0.0)
    }

    /// From when a request waited in the client: where arrivals are paced from its scheduled moment, and otherwise, since then all
    /// of them are wanted at once, from the beginning of the measured schedule.
    pub fn waited_from(&self, record: &Record) -> Offset {
        match self.measured_from {
            Some(began) if self.point.rate.is_none() && !self.point.open_loop => began,
            _ => record.scheduled,
        }
    }

    /// The most requests in flight at once from the first measured start on, those of the warm-up included.
    pub fn peak_concurrency(&self) -> Option<u64> {
        let first = self.measured.first()?.started;
        Some(concurrency::peak(&flights(&self.all), first))
    }

    /// The mean number of measured requests in flight over the run's duration.
    pub fn mean_concurrency(&self) -> Option<f64> {
        let (first, last) = self.window.span()?;
        concurrency::mean(&flights(&self.measured), first, last)
    }

    /// The mean number of requests in flight while further ones still waited for a place: from the first measured start, or
    /// under a cap from the start that first took the last place if that is later, to the last measured start. `None` if that is
    /// no time at all.
    pub fn held_concurrency(&self) -> Option<f64> {
        let first = self.measured.first()?.started;
        let last_place = self.point.concurrency.and_then(|places| places.checked_sub(1));
        let filled = last_place.and_then(|place| self.all.get(place)).map(|record| record.started);
        let from = filled.map_or(first, |filled| filled.max(first));
        concurrency::mean(&flights(&self.all), from, self.measured.last()?.started)
    }

    /// How long a measured request takes its place, from its start to its end: the mean in seconds. `None` if there are none.
    pub fn place_time(&self) -> Option<f64> {
        let taken: Duration = self.measured.iter().map(|record| record.end - record.started).sum();
        (!self.measured.is_empty()).then(|| taken.as_secs_f64() / self.measured.len() as f64)
    }

    /// For each measured request, by how many seconds the client was late to start it: from the moment at which it was
    /// scheduled and, under a cap of requests in flight, a place was free.
    ///
    /// Under a cap of c the i-th request can start once i − c + 1 have ended. Waiting for that is the plan's doing and not
    /// lateness. Requests are told by their index: a log without an end lacks those that were in flight then.
    pub fn lateness(&self) -> impl Iterator<Item = f64> {
        let mut ends: Vec<Offset> = self.all.iter().map(|record| record.end).collect();
        ends.sort_unstable();
        let cap = self.point.concurrency;
        self.measured.iter().map(move |record| {
            let index = usize::try_from(record.index).unwrap_or(usize::MAX);
            let ended = cap.and_then(|cap| index.checked_sub(cap));
            let free = ended.and_then(|rank| ends.get(rank)).copied().unwrap_or(Offset::ZERO);
            (record.started - record.scheduled.max(free)).as_secs_f64()
        })
    }

    /// Sends per second that the schedule wanted: requests after the first over the time from the first scheduled moment to
    /// the last. `None` without a schedule.
    pub fn scheduled_rate(&self) -> Option<f64> {
        self.point.rate?;
        rate(self.measured.iter().map(|record| record.scheduled))
    }

    /// Sends per second that came about: requests after the first over the time from the first start to the last.
    pub fn achieved_rate(&self) -> Option<f64> {
        rate(self.measured.iter().map(|record| record.started))
    }
}

/// When each was in flight.
pub(crate) fn flights(records: &[&Record]) -> Vec<Flight> {
    records.iter().map(|record| (record.started, record.end)).collect()
}

fn rate(moments: impl Iterator<Item = Offset> + Clone) -> Option<f64> {
    let gaps = moments.clone().count().checked_sub(1)?;
    let length = (moments.clone().max()? - moments.min()?).as_secs_f64();
    (length > 0.0).then(|| gaps as f64 / length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::{Changed, ms, ok, point_log};

    #[test]
    fn warm_up_is_in_flight_but_not_measured() {
        let log = point_log([ok(0, 0, &[50]).warming_up(), ok(1, 10, &[20]), ok(2, 30, &[40])]);
        let run = Run::of(&log);
        assert_eq!(run.measured.len(), 2);
        assert_eq!(run.peak_concurrency(), Some(2));
        assert_eq!(run.window().span(), Some((ms(10), ms(40))));
    }

    #[test]
    fn probes_are_in_flight_for_nobody() {
        let log = point_log([ok(0, 10, &[40]), ok(1, 15, &[90]).probing(), ok(2, 20, &[30])]);
        let run = Run::of(&log);
        assert_eq!((run.all.len(), run.measured.len(), run.probes.len()), (2, 2, 1));
        assert_eq!(run.peak_concurrency(), Some(2));
        assert_eq!(run.window().span(), Some((ms(10), ms(40))));
    }

    #[test]
    fn probes_of_the_warm_up_do_not_count() {
        let load = [ok(0, 0, &[30]).warming_up(), ok(1, 50, &[80])];
        let probes = [ok(2, 10, &[60]).probing(), ok(3, 40, &[45]).probing()];
        let mut log = point_log(load.into_iter().chain(probes));
        assert!(Run::of(&log).probes.is_empty());
        log.end.as_mut().unwrap().measured_from = Some(ms(40));
        assert_eq!(Run::of(&log).probes.iter().map(|probe| probe.index).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn the_full_duration_begins_with_the_schedule_and_ends_with_the_last_stream() {
        let mut late = ok(0, 300, &[400]).scheduled_at(250);
        late.end = ms(450);
        let mut log = point_log([late, ok(1, 0, &[]).warming_up()]);
        assert_eq!(Run::of(&log).full_duration(), Some(0.2));
        log.end.as_mut().unwrap().measured_from = Some(ms(50));
        assert_eq!(Run::of(&log).full_duration(), Some(0.4));
    }

    #[test]
    fn without_pacing_every_request_waits_from_the_beginning() {
        let mut log = point_log([ok(0, 0, &[40]), ok(1, 42, &[60]).scheduled_at(41)]);
        log.point.concurrency = Some(1);
        let waited = |log: &PointLog| {
            let run = Run::of(log);
            run.measured.iter().map(|r| (r.started - run.waited_from(r)).as_millis()).collect()
        };
        let unpaced: Vec<u128> = waited(&log);
        assert_eq!(unpaced, [0, 42]);
        log.point.rate = Some(1.0);
        let paced: Vec<u128> = waited(&log);
        assert_eq!(paced, [0, 1]);
    }

    #[test]
    fn waiting_for_a_place_is_not_lateness() {
        // One place: request 1 was wanted at 10 ms, the place was free at 40 ms, and it was taken at 42 ms.
        let mut log = point_log([ok(0, 0, &[40]), ok(1, 42, &[60]).scheduled_at(10)]);
        log.point.concurrency = Some(1);
        assert_eq!(Run::of(&log).lateness().collect::<Vec<_>>(), [0.0, 0.002]);
    }

    #[test]
    fn in_open_loop_all_lag_is_lateness() {
        let mut log = point_log([ok(0, 0, &[40]), ok(1, 42, &[60]).scheduled_at(10)]);
        log.point.concurrency = None;
        assert_eq!(Run::of(&log).lateness().collect::<Vec<_>>(), [0.0, 0.032]);
    }

    #[test]
    fn rates_count_the_gaps() {
        let mut log = point_log([
            ok(0, 0, &[40]),
            ok(1, 500, &[600]).scheduled_at(400),
            ok(2, 1000, &[1100]).scheduled_at(800),
        ]);
        log.point.rate = Some(2.0);
        let run = Run::of(&log);
        assert_eq!(run.achieved_rate(), Some(2.0));
        assert_eq!(run.scheduled_rate(), Some(2.5));
    }

    #[test]
    fn an_empty_point_has_no_figures() {
        let log = point_log([]);
        let run = Run::of(&log);
        assert_eq!(run.window().duration(), None);
        assert_eq!(run.peak_concurrency(), None);
        assert_eq!(run.mean_concurrency(), None);
        assert_eq!(run.achieved_rate(), None);
        assert_eq!((run.held_concurrency(), run.place_time()), (None, None));
    }

    #[test]
    fn places_that_are_still_being_filled_are_not_idle() {
        // Three places, filled at 0, 10 and 20 ms, and each handed on without a gap.
        let starts = [(0, 40), (10, 60), (20, 80), (40, 90), (60, 100), (80, 110)];
        let mut log = point_log((0..).zip(starts).map(|(i, (start, end))| ok(i, start, &[end])));
        log.point.concurrency = Some(3);
        let run = Run::of(&log);
        assert_eq!(run.held_concurrency(), Some(3.0));
        assert_eq!(run.place_time().map(|seconds| (seconds * 1e6).round()), Some(45_000.0));
    }

    #[test]
    fn a_request_that_the_log_lacks_still_has_its_place() {
        // Two places; request 0 holds one of them for good, and the others follow each other in the second.
        let mut log = point_log((1..5).map(|i| ok(i, i * 10, &[i * 10 + 10]).scheduled_at(10)));
        log.point.concurrency = Some(2);
        assert!(Run::of(&log).lateness().all(|late| late == 0.0));
    }
}
