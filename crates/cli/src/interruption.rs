//! Ctrl-C and SIGTERM: what is in flight drains at the first one and ends at the second; at the third the process does.
//!
//! The signals are blocked in every thread and awaited in one, so that no code ever runs inside a signal handler. Before there
//! is a run there is nothing to keep, and the first signal ends the process. Between loads nothing is in flight, and the first
//! signal ends the run at once, with what there is: whatever may take long there looks here whether it is still wanted.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::time::{ClockId, clock_gettime};
use tokometer_engine::{Interrupt, Urgency};

use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What the user asked for by signals.
#[derive(Clone, Debug)]
pub(crate) struct Interruption(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    interrupt: Interrupt,
    /// Signals come in a thread of their own, and what they mean depends on what the others are about.
    heard: Mutex<Heard>,
    /// Wakes whoever waits.
    woken: Condvar,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    signals: u32,
    stage: Stage,
}

/// What a signal would break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is no run yet, and nothing to keep.
    Before,
    /// There is a run, and nothing in flight.
    Idle,
    /// Requests are in flight.
    Load,
}

/// Tells the same signal sent twice from two: `timeout` signals its child and then its whole group.
#[derive(Debug, Default)]
struct Echoes(Option<(Signal, Duration)>);

impl Echoes {
    /// Whether this signal, come at that moment of any steady clock, is an echo of the one before.
    fn is_echo(&mut self, signal: Signal, now: Duration) -> bool {
        let echo =
            self.0.is_some_and(|(before, at)| before == signal && now.saturating_sub(at) < ECHO);
        if !echo {
            self.0 = Some((signal, now));
        }
        echo
    }
}

impl Interruption {
    /// Begins to listen. To be called before any other thread is started, for threads inherit what is blocked.
    ///
    /// # Errors
    /// If the system refuses to block signals or to start a thread.
    pub(crate) fn listen(screen: &Screen, drain: Duration) -> Result<Self, Trouble> {
        let signals = block_signals()?;
        let shared = Arc::new(Shared {
            interrupt: Interrupt::default(),
            heard: Mutex::new(Heard { signals: 0, stage: Stage::Before }),
            woken: Condvar::new(),
        });
        let (heard, screen) = (Self(Arc::clone(&shared)), screen.clone());
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut echoes = Echoes::default();
                while let Ok(signal) = signals.wait() {
                    // Where there is no clock, every signal counts.
                    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
                    if !now.is_ok_and(|now| echoes.is_echo(signal, now)) {
                        heard.signal(&screen, drain);
                    }
                }
            })
            .map_err(|error| Trouble::caused("cannot listen for Ctrl-C", &error))?;
        Ok(Self(shared))
    }

    fn signal(&self, screen: &Screen, drain: Duration) {
        let mut heard = self.heard();
        heard.signals += 1;
        match (heard.stage, heard.signals) {
            (Stage::Before, _) | (_, 3..) => {
                screen.say("interrupted");
                std::process::exit(Exit::Interrupted.code().into());
            }
            (Stage::Idle, 1) => {
                screen.say("interrupted: the run ends here, with what there is");
                self.0.interrupt.raise(Urgency::Drain);
            }
            (Stage::Load, 1) => {
                let drain = drain.as_secs_f64();
                screen.say(format!(
                    "interrupted: nothing more is sent, and what is in flight is awaited for up to {drain} s; Ctrl-C again ends at once"
                ));
                self.0.interrupt.raise(Urgency::Drain);
            }
            (Stage::Idle | Stage::Load, _) => {
                screen.say("interrupted again: ending now");
                self.0.interrupt.raise(Urgency::Stop);
            }
        }
        self.0.woken.notify_all();
    }

    /// From now on there is something to keep.
    pub(crate) fn run_begins(&self) {
        self.heard().stage = Stage::Idle;
    }

    /// Does `load`, during which requests are in flight.
    pub(crate) fn during_load<T>(&self, load: impl FnOnce() -> T) -> T {
        self.heard().stage = Stage::Load;
        let done = load();
        self.heard().stage = Stage::Idle;
        done
    }

    /// What loads are to be given.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// Whether and how urgently the run is to end.
    pub(crate) fn urgency(&self) -> Urgency {
        self.0.interrupt.urgency()
    }

    /// How many signals have come.
    pub(crate) fn signals(&self) -> u32 {
        self.heard().signals
    }

    /// Waits that long, or until a signal comes.
    pub(crate) fn pause(&self, length: Duration) {
        let calm = |_: &mut Heard| self.urgency() == Urgency::None;
        drop(self.0.woken.wait_timeout_while(self.heard(), length, calm));
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// If the system refuses to wait for signals.
pub(crate) fn wait_for_signal(signals: &SigSet) -> Result<(), Trouble> {
    signals.wait().map(drop).map_err(|error| Trouble::caused("cannot wait for Ctrl-C", &error))
}

/// Blocks Ctrl-C and SIGTERM in this thread and those that it will start, to be awaited with [`wait_for_signal`].
///
/// # Errors
/// If the system refuses to block signals.
pub(crate) fn block_signals() -> Result<SigSet, Trouble> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().map_err(|error| Trouble::caused("cannot block signals", &error))?;
    Ok(signals)
}

/// Within this time a signal is the same one: quicker than a person means to press twice.
const ECHO: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_doubled_within_half_a_second_counts_once() {
        let at = |millis: u64| Duration::from_millis(60_000 + millis);
        let mut echoes = Echoes::default();
        assert!(!echoes.is_echo(Signal::SIGINT, at(0)));
        assert!(echoes.is_echo(Signal::SIGINT, at(1)));
        assert!(echoes.is_echo(Signal::SIGINT, at(499)));
        assert!(!echoes.is_echo(Signal::SIGTERM, at(499)), "another signal is no echo");
        assert!(!echoes.is_echo(Signal::SIGINT, at(500)));
    }
}
