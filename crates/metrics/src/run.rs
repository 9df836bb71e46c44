//! One point of a run, as metrics look at it: which requests count, and from when to when.
//!
//! Deliberately decides nothing about figures: it selects and counts, the catalog defines.

use tokometer_record::{ClientUse, Offset, Phase, Point, PointLog, Record};

use crate::concurrency::{self, Flight};

/// One point of a run.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// What was asked for.
    pub point: &'a Point,
    /// Every request that ended, the warm-up's included, in the order in which they started.
    pub all: Vec<&'a Record>,
    /// Every measured request that ended, failures included, in the order in which they started.
    pub measured: Vec<&'a Record>,
    /// What the client used. `None` if the log has no end.
    pub client: Option<&'a ClientUse>,
}

impl<'a> Run<'a> {
    /// The point that this log tells of.
    pub fn of(log: &'a PointLog) -> Self {
        let mut all: Vec<&Record> = log.records.iter().collect();
        all.sort_by_key(|record| (record.started, record.index));
        let measured =
            all.iter().copied().filter(|record| record.phase == Phase::Measured).collect();
        let client = log.end.as_ref().map(|end| &end.client);
        Self { point: &log.point, all, measured, client }
    }

    /// The measured requests that succeeded.
    pub fn successes(&self) -> impl Iterator<Item = &'a Record> {
        self.measured.iter().copied().filter(|record| record.succeeded())
    }

    /// From the first start to the last end of a measured request. `None` if there are none.
    pub fn window(&self) -> Option<(Offset, Offset)> {
        let first = self.measured.first()?.started;
        let last = self.measured.iter().map(|record| record.end).max()?;
        Some((first, last))
    }

    /// The length of [`Run::window`] in seconds. `None` if there is none or it is no time at all.
    pub fn duration(&self) -> Option<f64> {
        let (first, last) = self.window()?;
        Some((last - first).as_secs_f64()).filter(|&length| length > 0.0)
    }

    /// The most requests in flight at once from the first measured start on, those of the warm-up included.
    pub fn peak_concurrency(&self) -> Option<u64> {
        let (first, _) = self.window()?;
        Some(concurrency::peak(&flights(&self.all), first))
    }

    /// The mean number of measured requests in flight over the run's duration.
    pub fn mean_concurrency(&self) -> Option<f64> {
        let (first, last) = self.window()?;
        concurrency::mean(&flights(&self.measured), first, last)
    }

    /// The mean number of requests in flight while further ones still waited for a place: from the first measured start to the
    /// last. `None` if that is no time at all.
    pub fn held_concurrency(&self) -> Option<f64> {
        let (first, _) = self.window()?;
        concurrency::mean(&flights(&self.all), first, self.measured.last()?.started)
    }

    /// For each measured request, by how many seconds the client was late to start it: from the moment at which it was
    /// scheduled and, under a cap of requests in flight, a place was free.
    ///
    /// Under a cap of c the i-th request can start once i − c + 1 have ended. Waiting for that is the plan's doing and not
    /// lateness.
    pub fn lateness(&self) -> impl Iterator<Item = f64> {
        let mut ends: Vec<Offset> = self.all.iter().map(|record| record.end).collect();
        ends.sort_unstable();
        let cap = self.point.concurrency;
        self.all.iter().enumerate().filter(|(_, record)| record.phase == Phase::Measured).map(
            move |(rank, record)| {
                let ended = cap.and_then(|cap| rank.checked_sub(cap));
                let free = ended.and_then(|rank| ends.get(rank)).copied().unwrap_or(Offset::ZERO);
                (record.started - record.scheduled.max(free)).as_secs_f64()
            },
        )
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

fn flights(records: &[&Record]) -> Vec<Flight> {
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
    fn the_window_ends_with_the_last_failure() {
        let log = point_log([ok(0, 10, &[20, 30]), ok(1, 15, &[20]).failing_at(99)]);
        let run = Run::of(&log);
        assert_eq!(run.window(), Some((ms(10), ms(99))));
        assert_eq!(run.duration(), Some(0.089));
    }

    #[test]
    fn warm_up_is_in_flight_but_not_measured() {
        let log = point_log([ok(0, 0, &[50]).warming_up(), ok(1, 10, &[20]), ok(2, 30, &[40])]);
        let run = Run::of(&log);
        assert_eq!(run.measured.len(), 2);
        assert_eq!(run.peak_concurrency(), Some(2));
        assert_eq!(run.window(), Some((ms(10), ms(40))));
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
        assert_eq!(run.window(), None);
        assert_eq!(run.duration(), None);
        assert_eq!(run.peak_concurrency(), None);
        assert_eq!(run.mean_concurrency(), None);
        assert_eq!(run.achieved_rate(), None);
    }
}
