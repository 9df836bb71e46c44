//! Whether the figures are the server's or the client's own: the judgement that stands beside every result.
//!
//! A run is *client-limited* when this process was late enough to bend its figures, or did not bring about the load that was
//! asked for although it could have. Whether the run came to its end is another matter, told apart from this one, and so is
//! whether the server did well.

use std::fmt;

use crate::Run;
use crate::catalog::{
    ACHIEVED_RATE, CLIENT_CPU_SHARE, E2E, HELD_CONCURRENCY, ICL, LATENESS_P99, LOOP_LAG_P99,
    Metric, PEAK_CONCURRENCY, SCHEDULED_RATE, TTFT,
};

/// The judgement of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The client kept up: the figures are the server's.
    Valid,
    /// The client did not keep up: the figures are partly its own.
    ClientLimited {
        /// Why, at least one.
        reasons: Vec<Reason>,
    },
}

impl Verdict {
    /// Whether the client kept up.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }

    /// Why not: empty if the client kept up.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Valid => &[],
            Self::ClientLimited { reasons } => reasons,
        }
    }
}

impl fmt::Display for Verdict {
    /// `valid` or `client-limited`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_valid() { "valid" } else { "client-limited" })
    }
}

/// One way in which the client limited a run. Its `Display` tells what was measured and against which limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// Requests were started late.
    LateStarts {
        /// How late at p99, in seconds.
        lateness: f64,
        /// How late they may be, in seconds.
        limit: f64,
    },
    /// The event loop was late, and so were the stamps of chunks.
    LateStamps {
        /// How late at p99, in seconds.
        lag: f64,
        /// How late it may be, in seconds.
        limit: f64,
    },
    /// Fewer requests were in flight than were asked for although others waited.
    Concurrency {
        /// Asked for.
        asked: u64,
        /// Held.
        held: f64,
    },
    /// Requests were sent more slowly than the schedule wanted.
    Rate {
        /// Wanted, in requests per second.
        wanted: f64,
        /// Achieved, in requests per second.
        achieved: f64,
    },
    /// The workers used nearly all of their cores, and lagged.
    Processor {
        /// The share of the workers' cores, in per cent.
        share: f64,
        /// The greater of the two lags at p99, in seconds.
        lag: f64,
    },
}

impl Reason {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::LateStarts { .. } => {
                "latencies counted from the start hide this wait: read those from the schedule, lower the load, or give the \
                 client more workers"
            }
            Self::LateStamps { .. } => {
                "TTFT and gaps are overstated by up to this much: give the client cores of its own, away from the server \
                 and other work, or lower the load"
            }
            Self::Concurrency { .. } => {
                "the server was under less load than asked for: give the client more workers, or ask for less concurrency"
            }
            Self::Rate { .. } => {
                "the server was under less load than asked for: lower the rate, or spread it over more workers"
            }
            Self::Processor { .. } => {
                "the client is at its own limit: give it more workers and cores"
            }
        }
    }

    /// A stable name for machine-readable output.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::LateStarts { .. } => "late_starts",
            Self::LateStamps { .. } => "late_stamps",
            Self::Concurrency { .. } => "concurrency",
            Self::Rate { .. } => "rate",
            Self::Processor { .. } => "processor",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LateStarts { lateness, limit } => write!(
                f,
                "requests started {:.1} ms late at p99 (limit {:.1} ms)",
                lateness * 1e3,
                limit * 1e3
            ),
            Self::LateStamps { lag, limit } => write!(
                f,
                "the client's event loop was {:.1} ms late at p99 (limit {:.1} ms)",
                lag * 1e3,
                limit * 1e3
            ),
            Self::Concurrency { asked, held } => {
                write!(
                    f,
                    "{held:.1} requests were in flight of {asked} asked for, while others waited"
                )
            }
            Self::Rate { wanted, achieved } => {
                write!(f, "{achieved:.2} requests per second were sent of {wanted:.2} scheduled")
            }
            Self::Processor { share, lag } => write!(
                f,
                "the client's workers used {share:.0} % of their cores and were {:.1} ms late at p99",
                lag * 1e3
            ),
        }
    }
}

/// What a verdict rests on. Whatever was not measured is `None` and speaks neither way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Mean TTFT in seconds; without streaming the mean end-to-end latency.
    pub ttft: Option<f64>,
    /// Mean gap between chunks in seconds; without streaming the mean end-to-end latency.
    pub gap: Option<f64>,
    /// Where a schedule paces the load: how late requests were started at p99, in seconds. In a closed loop a request that takes its
    /// place a little late is measured from its start all the same; what is lost then shows in the concurrency held.
    pub lateness: Option<f64>,
    /// How late the event loop was at p99, in seconds.
    pub loop_lag: Option<f64>,
    /// In open loop: sends per second that the schedule wanted.
    pub wanted_rate: Option<f64>,
    /// Sends per second that came about.
    pub achieved_rate: Option<f64>,
    /// In a closed loop without pacing: how many requests could have been in flight at once.
    pub asked_concurrency: Option<u64>,
    /// The mean number in flight while others waited; the peak where none did.
    pub held_concurrency: Option<f64>,
    /// The share of the workers' cores that the client used, in per cent.
    pub cpu_share: Option<f64>,
}

impl Evidence {
    /// What a run gives to judge by.
    pub fn of(run: &Run<'_>) -> Self {
        let mean = |metric: &Metric| metric.distribution(run).map(|values| values.mean);
        Self::with_means(run, mean(&TTFT).or(mean(&E2E)), mean(&ICL).or(mean(&E2E)))
    }

    /// As [`Evidence::of`], with the two means already known.
    pub(crate) fn with_means(run: &Run<'_>, ttft: Option<f64>, gap: Option<f64>) -> Self {
        let successes = run.successes().count();
        // Where most requests fail at once, places stand empty between failures: the server's doing, not the client's.
        let mostly_served = 2 * successes > run.measured.len();
        let asked = run.point.concurrency.filter(|_| run.point.rate.is_none() && mostly_served);
        let asked = asked.map(|places| places.min(run.all.len()));
        let waited = asked.is_some_and(|places| run.measured.len() >= WAITING_ROUNDS * places);
        let held = if waited { &HELD_CONCURRENCY } else { &PEAK_CONCURRENCY };
        Self {
            ttft,
            gap,
            lateness: LATENESS_P99.figure(run).filter(|_| run.point.rate.is_some()),
            loop_lag: LOOP_LAG_P99.figure(run),
            wanted_rate: SCHEDULED_RATE.figure(run).filter(|_| run.point.concurrency.is_none()),
            achieved_rate: ACHIEVED_RATE.figure(run),
            asked_concurrency: asked.map(|places| places as u64),
            held_concurrency: held.figure(run),
            cpu_share: CLIENT_CPU_SHARE.figure(run),
        }
    }
}

/// Judges by the evidence.
pub fn judge(evidence: &Evidence) -> Verdict {
    let reasons: Vec<Reason> = [
        late_starts(evidence),
        late_stamps(evidence),
        concurrency(evidence),
        rate(evidence),
        processor(evidence),
    ]
    .into_iter()
    .flatten()
    .collect();
    if reasons.is_empty() { Verdict::Valid } else { Verdict::ClientLimited { reasons } }
}

/// How late requests may be started at p99, in seconds, where the mean TTFT is this.
pub fn lateness_limit(ttft: Option<f64>) -> f64 {
    LATENESS_FLOOR.max(LATENESS_OF_TTFT * ttft.unwrap_or(0.0))
}

/// How late the event loop may be at p99, in seconds, where the mean gap between chunks is this.
pub fn loop_lag_limit(gap: Option<f64>) -> f64 {
    let Some(gap) = gap else { return LOOP_LAG_CEILING };
    let fast_stream = (LOOP_LAG_OF_FAST_GAP * gap).clamp(LOOP_LAG_FLOOR, LOOP_LAG_CEILING);
    fast_stream.max(LOOP_LAG_OF_SLOW_GAP * gap)
}

fn late_starts(evidence: &Evidence) -> Option<Reason> {
    let (lateness, limit) = (evidence.lateness?, lateness_limit(evidence.ttft));
    (lateness > limit).then_some(Reason::LateStarts { lateness, limit })
}

fn late_stamps(evidence: &Evidence) -> Option<Reason> {
    let (lag, limit) = (evidence.loop_lag?, loop_lag_limit(evidence.gap));
    (lag > limit).then_some(Reason::LateStamps { lag, limit })
}

fn concurrency(evidence: &Evidence) -> Option<Reason> {
    let (asked, held) = (evidence.asked_concurrency?, evidence.held_concurrency?);
    (held < CONCURRENCY_HELD * asked as f64).then_some(Reason::Concurrency { asked, held })
}

fn rate(evidence: &Evidence) -> Option<Reason> {
    let (wanted, achieved) = (evidence.wanted_rate?, evidence.achieved_rate?);
    (achieved < RATE_ACHIEVED * wanted).then_some(Reason::Rate { wanted, achieved })
}

fn processor(evidence: &Evidence) -> Option<Reason> {
    let share = evidence.cpu_share.filter(|&share| share > CPU_SHARE)?;
    let (lateness, lag) = (evidence.lateness.unwrap_or(0.0), evidence.loop_lag.unwrap_or(0.0));
    let lagging = lateness > lateness_limit(evidence.ttft) * LAG_UNDER_LOAD
        || lag > loop_lag_limit(evidence.gap) * LAG_UNDER_LOAD;
    lagging.then_some(Reason::Processor { share, lag: lateness.max(lag) })
}

/// Requests may start 5 ms late at p99 whatever the server: below that lies the noise of an ordinary machine's scheduler.
pub const LATENESS_FLOOR: f64 = 0.005;

/// Or a twentieth of the mean TTFT, if that is more: it moves no conclusion.
pub const LATENESS_OF_TTFT: f64 = 0.05;

/// The event loop may be late by a quarter of the mean gap between chunks: beyond that the upper percentiles of the gaps are as
/// much the client's as the server's.
pub const LOOP_LAG_OF_FAST_GAP: f64 = 0.25;

/// But never by more than 5 ms for that reason, for a TTFT is stamped by the same loop.
pub const LOOP_LAG_CEILING: f64 = 0.005;

/// Nor is less than 2 ms held against it: the scheduler of a machine that does anything else is no finer.
pub const LOOP_LAG_FLOOR: f64 = 0.002;

/// A twentieth of the mean gap is allowed in any case.
pub const LOOP_LAG_OF_SLOW_GAP: f64 = 0.05;

/// At least nine tenths of the concurrency asked for must be held while requests wait: handing a place on takes some time, which
/// weighs the more the shorter the responses are.
pub const CONCURRENCY_HELD: f64 = 0.9;

/// Whether requests waited is told by their number: twice as many as places. With fewer the peak is judged instead of the mean.
const WAITING_ROUNDS: usize = 2;

/// At least 98 % of the scheduled rate must be achieved: GuideLLM's line for "achieved ÷ target".
pub const RATE_ACHIEVED: f64 = 0.98;

/// Above nine tenths of the workers' cores, in per cent, a client has nothing in reserve …
pub const CPU_SHARE: f64 = 90.0;

/// … and is held to half of the limits on lag.
pub const LAG_UNDER_LOAD: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::{Changed, ok, point_log};

    fn fine() -> Evidence {
        Evidence {
            ttft: Some(0.2),
            gap: Some(0.02),
            lateness: Some(0.001),
            loop_lag: Some(0.001),
            wanted_rate: Some(100.0),
            achieved_rate: Some(99.9),
            asked_concurrency: Some(50),
            held_concurrency: Some(49.8),
            cpu_share: Some(40.0),
        }
    }

    fn reasons(evidence: Evidence) -> Vec<&'static str> {
        judge(&evidence).reasons().iter().map(Reason::key).collect()
    }

    #[test]
    fn a_client_that_keeps_up_is_valid() {
        assert_eq!(judge(&fine()), Verdict::Valid);
        assert_eq!(judge(&Evidence::default()), Verdict::Valid);
    }

    #[test]
    fn late_starts_are_measured_against_the_ttft() {
        let late =
            |lateness, ttft| Evidence { lateness: Some(lateness), ttft: Some(ttft), ..fine() };
        assert_eq!(reasons(late(0.006, 0.03)), ["late_starts"]);
        assert_eq!(reasons(late(0.005, 0.03)), [""; 0]);
        assert_eq!(reasons(late(0.049, 1.0)), [""; 0]);
        assert_eq!(reasons(late(0.051, 1.0)), ["late_starts"]);
    }

    #[test]
    fn late_stamps_are_measured_against_the_gap() {
        let limits = [0.001, 0.002, 0.008, 0.02, 0.1, 0.4]
            .map(|gap| (loop_lag_limit(Some(gap)) * 1e6).round());
        assert_eq!(limits, [2_000.0, 2_000.0, 2_000.0, 5_000.0, 5_000.0, 20_000.0]);
        assert_eq!(loop_lag_limit(None), 0.005);
        assert_eq!(reasons(Evidence { loop_lag: Some(0.0051), ..fine() }), ["late_stamps"]);
        assert_eq!(reasons(Evidence { loop_lag: Some(0.0049), ..fine() }), [""; 0]);
    }

    #[test]
    fn a_load_that_did_not_come_about_is_told() {
        assert_eq!(reasons(Evidence { held_concurrency: Some(44.0), ..fine() }), ["concurrency"]);
        assert_eq!(reasons(Evidence { achieved_rate: Some(97.9), ..fine() }), ["rate"]);
    }

    #[test]
    fn a_busy_processor_alone_is_no_reason() {
        assert_eq!(reasons(Evidence { cpu_share: Some(99.0), ..fine() }), [""; 0]);
        let lagging = Evidence { cpu_share: Some(99.0), loop_lag: Some(0.003), ..fine() };
        assert_eq!(reasons(lagging), ["processor"]);
    }

    #[test]
    fn a_reason_tells_figure_limit_and_advice() {
        let Verdict::ClientLimited { reasons } =
            judge(&Evidence { lateness: Some(0.0234), ..fine() })
        else {
            panic!("23 ms is late")
        };
        assert_eq!(reasons[0].to_string(), "requests started 23.4 ms late at p99 (limit 10.0 ms)");
        assert!(!reasons[0].advice().is_empty());
    }

    #[test]
    fn an_idle_place_while_requests_wait_is_held_against_the_client() {
        // Two places, but the requests went out one after the other.
        let mut log = point_log((0..8).map(|i| ok(i, i * 100, &[i * 100 + 100])));
        log.point.concurrency = Some(2);
        let evidence = Evidence::of(&Run::of(&log));
        assert_eq!((evidence.asked_concurrency, evidence.held_concurrency), (Some(2), Some(1.0)));
        assert!(reasons(evidence).contains(&"concurrency"));
    }

    #[test]
    fn a_place_that_waits_for_the_schedule_is_not() {
        let mut log = point_log((0..8).map(|i| ok(i, i * 100, &[i * 100 + 50])));
        log.point.concurrency = Some(2);
        log.point.rate = Some(10.0);
        let evidence = Evidence::of(&Run::of(&log));
        assert_eq!((evidence.asked_concurrency, evidence.wanted_rate), (None, None));
        assert_eq!(judge(&evidence), Verdict::Valid);
    }

    #[test]
    fn places_emptied_by_quick_failures_are_not() {
        let refused = (0..8).map(|i| ok(i, i * 100, &[]).failing_at(i * 100 + 1));
        let mut log = point_log(refused);
        log.point.concurrency = Some(2);
        assert_eq!(Evidence::of(&Run::of(&log)).asked_concurrency, None);
    }

    #[test]
    fn fewer_requests_than_places_are_judged_by_their_peak() {
        let mut log = point_log((0..3).map(|i| ok(i, i, &[100])));
        log.point.concurrency = Some(10);
        let evidence = Evidence::of(&Run::of(&log));
        assert_eq!((evidence.asked_concurrency, evidence.held_concurrency), (Some(3), Some(3.0)));
    }
}
