//! When each source is read: at its moments, and whenever everything is asked for at once.
//!
//! One lock for all threads: it is held for a glance, never while anything is read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Cost;

/// Why a source is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its moment has come.
    Due,
    /// Everything is asked for: the how-manieth time.
    Asked(u64),
    /// Not at all: the watch is over.
    Stop,
}

/// What the threads and their owner agree by.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    stopped: bool,
    /// How often everything was asked for.
    asked: u64,
    sources: Vec<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Which time it last answered.
    answered: u64,
    /// Whether it is being read.
    busy: bool,
    /// Whether it will never be read again.
    ended: bool,
    cost: Cost,
}

impl Pace {
    /// For sources of these names.
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        let progress =
            |source| Progress { cost: Cost { source, ..Cost::default() }, ..Progress::default() };
        let state = State { stopped: false, asked: 0, sources: names.map(progress).collect() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until this source is to be read, for this long at most.
    pub(super) fn wait(&self, index: usize, length: Duration) -> Turn {
        let idle =
            |state: &mut State| !state.stopped && state.sources[index].answered == state.asked;
        let waited = self.changed.wait_timeout_while(self.lock(), length, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return Turn::Stop;
        }
        let asked = state.asked;
        let progress = &mut state.sources[index];
        progress.busy = true;
        if progress.answered < asked { Turn::Asked(asked) } else { Turn::Due }
    }

    /// Says that a source was read, and how long that took.
    pub(super) fn done(&self, index: usize, turn: Turn, took: Duration) {
        let mut state = self.lock();
        let progress = &mut state.sources[index];
        progress.busy = false;
        progress.cost.polls += 1;
        progress.cost.total += took;
        progress.cost.longest = progress.cost.longest.max(took);
        if let Turn::Asked(time) = turn {
            progress.answered = time;
            self.changed.notify_all();
        }
    }

    /// Says that a source will never be read again.
    pub(super) fn end(&self, index: usize) {
        self.lock().sources[index].ended = true;
        self.changed.notify_all();
    }

    /// Asks for everything, and waits until all have answered, for this long at most.
    pub(super) fn ask(&self, within: Duration) {
        let mut state = self.lock();
        state.asked += 1;
        let time = state.asked;
        self.changed.notify_all();
        let missing = |state: &mut State| {
            state.sources.iter().any(|progress| !progress.ended && progress.answered < time)
        };
        // Who has not answered by then is not waited for.
        let _ = self.changed.wait_timeout_while(state, within, missing);
    }

    /// Ends the watch. Says which sources are being read at this moment.
    pub(super) fn stop(&self) -> Vec<bool> {
        let mut state = self.lock();
        state.stopped = true;
        self.changed.notify_all();
        state.sources.iter().map(|progress| progress.busy).collect()
    }

    /// What each source took so far.
    pub(super) fn costs(&self) -> Vec<Cost> {
        self.lock().sources.iter().map(|progress| progress.cost.clone()).collect()
    }

    /// A thread that panicked while it held the lock leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
