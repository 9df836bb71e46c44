//! What a verdict rests on, taken from a run.
//!
//! Deliberately judges nothing: it leaves out only what could not be held against the client whatever it showed.

use tokometer_record::FailureKind;

use crate::catalog::{
    ACHIEVED_RATE, CLIENT_CPU, CLIENT_CPU_SHARE, E2E, HELD_CONCURRENCY, ICL, LATENESS_P99, Metric,
    PEAK_CONCURRENCY, SCHEDULED_RATE, TTFT,
};
use crate::{LoopLag, Run};

/// What a verdict rests on. Whatever was not measured is `None` and speaks neither way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Measured requests that ended.
    pub requests: usize,
    /// Of those, how many failed because this process had no file descriptor left.
    pub out_of_descriptors: usize,
    /// Mean TTFT in seconds; without streaming the mean end-to-end latency.
    pub ttft: Option<f64>,
    /// Mean gap between chunks in seconds; without streaming the mean end-to-end latency.
    pub gap: Option<f64>,
    /// How long a request takes its place, on average, in seconds.
    pub place_time: Option<f64>,
    /// Where a schedule paces the load: how late requests were started at p99, in seconds. In a closed loop a request that takes its
    /// place a little late is measured from its start all the same; what is lost then shows in the concurrency held.
    pub lateness: Option<f64>,
    /// How late the event loop was.
    pub loop_lag: LoopLag,
    /// In open loop: sends per second that the schedule wanted.
    pub wanted_rate: Option<f64>,
    /// Sends per second that came about.
    pub achieved_rate: Option<f64>,
    /// In a closed loop without pacing: how many requests could have been in flight at once.
    pub asked_concurrency: Option<u64>,
    /// The mean number in flight while others waited; the peak where none did.
    pub held_concurrency: Option<Held>,
    /// Processor time of the client, in per cent of one core.
    pub cpu: Option<f64>,
    /// The share of the workers' cores that the client used, in per cent.
    pub cpu_share: Option<f64>,
}

/// How many requests were in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// So many.
    Exactly(f64),
    /// So many and those that a log without an end lacks.
    AtLeast(f64),
}

impl Evidence {
    /// What a run gives to judge by.
    pub fn of(run: &Run<'_>) -> Self {
        let mean = |metric: &Metric| metric.distribution(run).map(|values| values.mean);
        Self::with_means(run, mean(&TTFT).or(mean(&E2E)), mean(&ICL).or(mean(&E2E)))
    }

    /// As [`Evidence::of`], with the two means already known.
    pub(crate) fn with_means(run: &Run<'_>, ttft: Option<f64>, gap: Option<f64>) -> Self {
        let asked = asked(run);
        Self {
            requests: run.measured.len(),
            out_of_descriptors: out_of_descriptors(run),
            ttft,
            gap,
            place_time: run.place_time(),
            lateness: LATENESS_P99.figure(run).filter(|_| run.point.rate.is_some()),
            loop_lag: LoopLag::of(run),
            wanted_rate: SCHEDULED_RATE.figure(run).filter(|_| run.point.concurrency.is_none()),
            achieved_rate: ACHIEVED_RATE.figure(run),
            asked_concurrency: asked.map(|places| places as u64),
            held_concurrency: asked.and_then(|places| held(run, places)),
            cpu: CLIENT_CPU.figure(run),
            cpu_share: CLIENT_CPU_SHARE.figure(run),
        }
    }
}

fn out_of_descriptors(run: &Run<'_>) -> usize {
    let kinds =
        run.measured.iter().filter_map(|record| record.failure()).map(|failure| failure.kind);
    kinds.filter(|&kind| kind == FailureKind::OutOfDescriptors).count()
}

/// How many places the client should have kept taken. `None` where that is not for it to say.
fn asked(run: &Run<'_>) -> Option<usize> {
    let places = run.point.concurrency.filter(|_| run.point.rate.is_none())?;
    // Where most requests fail at once, places stand empty between failures: the server's doing, not the client's.
    let tried = run.measured.len() - run.cancelled().count();
    if 2 * run.successes().count() <= tried {
        return None;
    }
    // A few short requests are gone before their places have settled: they tell nothing of handing places on.
    let short = run.place_time()? < SHORT_REQUEST;
    let rounds = if short { SHORT_ROUNDS } else { 0 };
    (run.measured.len() >= rounds * places).then(|| places.min(run.all.len()))
}

fn held(run: &Run<'_>, places: usize) -> Option<Held> {
    let waited = run.measured.len() >= WAITING_ROUNDS * places;
    let figure = if waited { &HELD_CONCURRENCY } else { &PEAK_CONCURRENCY };
    let exact = run.client.is_some();
    figure.figure(run).map(if exact { Held::Exactly } else { Held::AtLeast })
}

/// Whether requests waited is told by their number: twice as many as places. With fewer the peak is judged instead of the mean.
const WAITING_ROUNDS: usize = 2;

/// Seconds: handing a place on takes a fraction of a millisecond, which tells only of requests shorter than this …
pub const SHORT_REQUEST: f64 = 0.005;

/// … and is held against the client only after so many requests a place.
pub const SHORT_ROUNDS: usize = 20;
