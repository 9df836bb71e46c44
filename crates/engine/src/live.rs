//! What a running load and its spectators say to each other: counters one way, an interruption the other.
//!
//! Both are plain atomics, so that a display may look as often as it likes without the load noticing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counters of the load that runs. All are reset when a load begins.
#[derive(Debug, Default)]
pub struct Live {
    /// Requests begun.
    pub started: AtomicU64,
    /// Requests ended, whatever their outcome.
    pub ended: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    /// Output chunks received.
    pub chunks: AtomicU64,
    /// Sum of the times to the first output, in nanoseconds.
    pub ttft_sum: AtomicU64,
    /// How many times that sum holds.
    pub ttft_count: AtomicU64,
    /// Sum of the gaps between output chunks, in nanoseconds.
    pub gap_sum: AtomicU64,
    /// How many gaps that sum holds.
    pub gap_count: AtomicU64,
}

impl Live {
    /// Sets every counter to zero: a load begins.
    pub(crate) fn reset(&self) {
        let counters = [
            &self.started,
            &self.ended,
            &self.failed,
            &self.chunks,
            &self.ttft_sum,
            &self.ttft_count,
            &self.gap_sum,
            &self.gap_count,
        ];
        for counter in counters {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        let ended = self.ended.load(Ordering::Relaxed);
        self.started.load(Ordering::Relaxed).saturating_sub(ended)
    }
}

/// A way to end a load early. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    urgency: AtomicU8,
    changed: Notify,
}

/// How urgently a load is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all.
    None,
    /// Send nothing more, await what is in flight.
    Drain,
    /// End now.
    Stop,
}

impl Interrupt {
    /// Asks for more urgency. What was asked for already, or less, changes nothing and wakes nobody.
    pub fn raise(&self, urgency: Urgency) {
        if self.0.urgency.fetch_max(urgency as u8, Ordering::SeqCst) < urgency as u8 {
            self.0.changed.notify_waiters();
        }
    }

    /// What has been asked for.
    pub fn urgency(&self) -> Urgency {
        match self.0.urgency.load(Ordering::SeqCst) {
            0 => Urgency::None,
            1 => Urgency::Drain,
            _ => Urgency::Stop,
        }
    }

    /// Returns once at least `urgency` has been asked for.
    pub async fn reached(&self, urgency: Urgency) {
        loop {
            let changed = self.0.changed.notified();
            if self.urgency() >= urgency {
                return;
            }
            changed.await;
        }
    }
}
