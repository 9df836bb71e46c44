//! The client's watch on itself: how late its event loops are, what it uses, and a pulse each second.
//!
//! A probe on every worker sleeps until an absolute moment and notes how late it was woken: whatever delays the probe delays the
//! stamps of the load by as much. Deliberately judges nothing; the verdict is made in `metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_record::{ClientUse, Offset, Pulse};

use crate::Event;
use crate::live::Live;

/// The watch over one load.
pub(crate) struct Observer {
    probes: Vec<JoinHandle<Probed>>,
    pulse: JoinHandle<()>,
    /// Dropped to end the watch.
    running: watch::Sender<()>,
}

/// What the probe of one worker saw.
struct Probed {
    /// How late each wake-up was, in nanoseconds.
    lags: Vec<u64>,
    cpu_user: u64,
    cpu_system: u64,
}

/// A worker to be watched: its runtime, and the timer that belongs to it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) timer: Timer,
}

impl Observer {
    /// Begins to watch `workers`; pulses go into `events`.
    pub(crate) fn start(
        workers: Vec<Watched>,
        origin: Instant,
        live: &Arc<Live>,
        events: &Sender<Event>,
    ) -> Self {
        let (running, over) = watch::channel(());
        let worst = Arc::new(AtomicU64::new(0));
        let mut pulse = None;
        let probes = workers
            .into_iter()
            .map(|worker| {
                if pulse.is_none() {
                    let pulses = Pulses {
                        origin,
                        live: Arc::clone(live),
                        worst: Arc::clone(&worst),
                        events: events.clone(),
                    };
                    pulse = Some(worker.runtime.spawn(pulses.beat(over.clone())));
                }
                worker.runtime.spawn(probe(worker.timer, Arc::clone(&worst), over.clone()))
            })
            .collect();
        Self { probes, pulse: pulse.expect("an engine has at least one worker"), running }
    }

    /// Ends the watch and tells what was used meanwhile.
    pub(crate) async fn finish(self) -> ClientUse {
        drop(self.running);
        // A task fails only if its runtime is going down; then there is nothing to tell.
        let _ = self.pulse.await;
        let mut lags = Vec::new();
        let mut client = ClientUse { workers: self.probes.len(), ..ClientUse::default() };
        for probe in self.probes {
            let Ok(probed) = probe.await else { continue };
            client.cpu_user += probed.cpu_user;
            client.cpu_system += probed.cpu_system;
            lags.extend(probed.lags);
        }
        lags.sort_unstable();
        client.loop_lag_probes = lags.len() as u64;
        client.loop_lag_max = lags.last().copied().unwrap_or(0);
        client.loop_lag_p99 =
            lags.get((lags.len() * 99).div_ceil(100).max(1) - 1).copied().unwrap_or(0);
        client.peak_memory = usage(UsageWho::RUSAGE_SELF).map_or(0, |usage| peak_memory(&usage));
        client
    }
}

async fn probe(timer: Timer, worst: Arc<AtomicU64>, mut over: watch::Receiver<()>) -> Probed {
    let before = usage(THIS_THREAD);
    let mut lags = Vec::new();
    let mut next = Instant::now() + PROBE_EVERY;
    loop {
        tokio::select! {
            biased;
            _ = over.changed() => break,
            () = timer.sleep_until(next) => {}
        }
        let now = Instant::now();
        let late = u64::try_from((now - next).as_nanos()).unwrap_or(u64::MAX);
        worst.fetch_max(late, Ordering::Relaxed);
        book(late, &mut lags);
        next = (next + PROBE_EVERY).max(now);
    }
    let (user, system) = match (before, usage(THIS_THREAD)) {
        (Some(before), Some(after)) => (
            user(&after).saturating_sub(user(&before)),
            system(&after).saturating_sub(system(&before)),
        ),
        _ => (0, 0),
    };
    Probed { lags, cpu_user: user, cpu_system: system }
}

/// Books a lag, and those of the probes that it swallowed: one that should have fired a while into the stall was late by what was
/// left of it. So a percentile of lags is a share of time, however few stalls there were.
fn book(late: u64, lags: &mut Vec<u64>) {
    let every = u64::try_from(PROBE_EVERY.as_nanos()).unwrap_or(u64::MAX);
    lags.push(late);
    let swallowed = (late / every).min(MOST_SWALLOWED);
    lags.extend((1..=swallowed).map(|n| late - n * every));
}

/// What makes the pulses.
struct Pulses {
    origin: Instant,
    live: Arc<Live>,
    worst: Arc<AtomicU64>,
    events: Sender<Event>,
}

impl Pulses {
    async fn beat(self, mut over: watch::Receiver<()>) {
        let mut beats = tokio::time::interval_at(Instant::now() + PULSE_EVERY, PULSE_EVERY);
        loop {
            tokio::select! {
                biased;
                _ = over.changed() => return,
                _ = beats.tick() => {}
            }
            let cpu = usage(UsageWho::RUSAGE_SELF).map_or(0, |usage| user(&usage) + system(&usage));
            let pulse = Pulse {
                at: Offset::after(self.origin.elapsed()),
                in_flight: self.live.in_flight(),
                loop_lag: self.worst.swap(0, Ordering::Relaxed),
                cpu,
            };
            if self.events.send(Event::Pulse(pulse)).is_err() {
                return;
            }
        }
    }
}

fn usage(who: UsageWho) -> Option<Usage> {
    getrusage(who).ok()
}

fn user(usage: &Usage) -> u64 {
    u64::try_from(usage.user_time().num_nanoseconds()).unwrap_or(0)
}

fn system(usage: &Usage) -> u64 {
    u64::try_from(usage.system_time().num_nanoseconds()).unwrap_or(0)
}

/// Linux counts in kibibytes, macOS in bytes.
fn peak_memory(usage: &Usage) -> u64 {
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0);
    if cfg!(target_os = "macos") { peak } else { peak * 1024 }
}

#[cfg(target_os = "linux")]
const THIS_THREAD: UsageWho = UsageWho::RUSAGE_THREAD;

/// Where threads are not accounted for apart, the process stands for its workers.
#[cfg(not(target_os = "linux"))]
const THIS_THREAD: UsageWho = UsageWho::RUSAGE_SELF;

/// Often enough to see a stall of a few milliseconds and to give a short load a percentile, seldom enough to cost half a per cent
/// of a core.
const PROBE_EVERY: Duration = Duration::from_millis(2);

/// The probes of a hundred seconds: a machine that slept for longer has told enough.
const MOST_SWALLOWED: u64 = 50_000;

const PULSE_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_for_as_long_as_it_lasted() {
        let mut lags = Vec::new();
        book(7_000_000, &mut lags);
        assert_eq!(lags, [7_000_000, 5_000_000, 3_000_000, 1_000_000]);
    }

    #[test]
    fn an_ordinary_wake_up_is_one_lag() {
        let mut lags = Vec::new();
        book(80_000, &mut lags);
        assert_eq!(lags, [80_000]);
    }
}
