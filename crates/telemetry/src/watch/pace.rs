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

/// How long sources are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One that has spoken before: under load it may be slow.
    pub known: Duration,
    /// One that never has.
    pub unknown: Duration,
}

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yield {
    Figures,
    Nothing,
}

#[derive(Debug, Default)]
struct Progress {
    /// Which time it last answered.
    answered: u64,
    /// Whether it is being read.
    busy: bool,
    /// Whether it will never be read again.
    ended: bool,
    /// Whether a reading of it ever brought something.
    has_spoken: bool,
    /// Whether it was waited for in vain, and has not answered since.
    given_up: bool,
    cost: Cost,
}

impl Progress {
    /// Whether it is to be waited for, having been asked for the time that is named.
    const fn is_awaited(&self, time: u64) -> bool {
        !self.ended && !self.given_up && self.answered < time
    }

    const fn allowance(&self, patience: &Patience) -> Duration {
        if self.has_spoken { patience.known } else { patience.unknown }
    }
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

    /// Says that a source was read, how long that took, and what came of it.
    pub(super) fn done(&self, index: usize, turn: Turn, took: Duration, yielded: Yield) {
        let mut state = self.lock();
        let progress = &mut state.sources[index];
        progress.busy = false;
        progress.has_spoken |= yielded == Yield::Figures;
        // A refusal that comes at once holds nobody up.
        let at_once = matches!(turn, Turn::Asked(_)) && took < AT_ONCE;
        progress.given_up &= yielded == Yield::Nothing && !at_once;
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

    /// Asks for everything, and waits for whoever answers: until all of those have, or their time is over, or nothing is `wanted` any
    /// more. Returns the sources that never spoke and are not waited for from now on.
    pub(super) fn ask_those_who_answer(
        &self,
        patience: &Patience,
        wanted: &dyn Fn() -> bool,
    ) -> Vec<usize> {
        let mut state = self.lock();
        state.asked += 1;
        let time = state.asked;
        self.changed.notify_all();
        let mut given_up = Vec::new();
        let mut waited = Duration::ZERO;
        while wanted() && state.sources.iter().any(|progress| progress.is_awaited(time)) {
            let missing =
                |state: &mut State| state.sources.iter().any(|progress| progress.is_awaited(time));
            let glance = self.changed.wait_timeout_while(state, GLANCE, missing);
            (state, _) = glance.unwrap_or_else(PoisonError::into_inner);
            waited += GLANCE;
            for (index, progress) in state.sources.iter_mut().enumerate() {
                if progress.is_awaited(time) && progress.allowance(patience) <= waited {
                    progress.given_up = true;
                    given_up.extend((!progress.has_spoken).then_some(index));
                }
            }
        }
        given_up
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

/// How long at most until whoever waits looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(20);
/// Whoever answers within this time holds nobody up.
const AT_ONCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { known: Duration::from_secs(3600), unknown: Duration::from_millis(40) };
    const LONG: Duration = Duration::from_secs(5);

    fn pace(names: &[&str]) -> Pace {
        Pace::new(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn who_never_answers_is_waited_for_once() {
        let pace = pace(&["a"]);
        assert_eq!(pace.ask_those_who_answer(&PATIENCE, &|| true), [0]);
        assert_eq!(pace.ask_those_who_answer(&PATIENCE, &|| true), [0; 0]);
        pace.done(0, Turn::Asked(1), LONG, Yield::Nothing);
        pace.done(0, Turn::Due, Duration::ZERO, Yield::Nothing);
        let forever = Patience { unknown: PATIENCE.known, ..PATIENCE };
        assert_eq!(pace.ask_those_who_answer(&forever, &|| true), [0; 0]);
    }

    #[test]
    fn who_answers_after_all_is_waited_for_again() {
        let pace = pace(&["a"]);
        assert_eq!(pace.ask_those_who_answer(&PATIENCE, &|| true), [0]);
        pace.done(0, Turn::Asked(1), LONG, Yield::Figures);
        let known = Patience { known: PATIENCE.unknown, unknown: PATIENCE.known };
        assert_eq!(pace.ask_those_who_answer(&known, &|| true), [0; 0], "the page says so itself");
        assert!(pace.lock().sources[0].given_up);
    }

    #[test]
    fn a_wait_that_is_not_wanted_any_more_ends_and_gives_nobody_up() {
        let pace = pace(&["a"]);
        let glances = std::cell::Cell::new(0);
        let wanted = || glances.replace(glances.get() + 1) < 2;
        let patience = Patience { unknown: PATIENCE.known, ..PATIENCE };
        assert_eq!(pace.ask_those_who_answer(&patience, &wanted), [0; 0]);
        assert!(!pace.lock().sources[0].given_up);
    }
}
