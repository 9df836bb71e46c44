//! Ctrl-C and SIGTERM: the first time the load drains, the second time it ends, the third time the process does.
//!
//! The signals are blocked in every thread and awaited in one, so that no code ever runs inside a signal handler. Before there
//! is a load there is nothing to keep, and the first signal ends the process.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
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
    /// Whether there is a load, and records to keep.
    loaded: AtomicBool,
    signals: AtomicU8,
    /// Wakes whoever waits; a condition variable needs a lock, which guards nothing else.
    lock: Mutex<()>,
    woken: Condvar,
}

impl Interruption {
    /// Begins to listen. To be called before any other thread is started, for threads inherit what is blocked.
    ///
    /// # Errors
    /// If the system refuses to block signals or to start a thread.
    pub(crate) fn listen(screen: &Screen, drain: Duration) -> Result<Self, Trouble> {
        let refused =
            |error: &dyn std::error::Error| Trouble::caused("cannot listen for Ctrl-C", error);
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block().map_err(|error| refused(&error))?;
        let shared = Arc::new(Shared {
            interrupt: Interrupt::default(),
            loaded: AtomicBool::new(false),
            signals: AtomicU8::new(0),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        });
        let (heard, screen) = (Self(Arc::clone(&shared)), screen.clone());
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                while signals.wait().is_ok() {
                    heard.signal(&screen, drain);
                }
            })
            .map_err(|error| refused(&error))?;
        Ok(Self(shared))
    }

    fn signal(&self, screen: &Screen, drain: Duration) {
        let before = self.0.signals.fetch_add(1, Ordering::SeqCst);
        if !self.0.loaded.load(Ordering::SeqCst) {
            screen.say("interrupted");
            std::process::exit(Exit::Interrupted.code().into());
        }
        match before {
            0 => {
                let drain = drain.as_secs_f64();
                screen.say(format!(
                    "interrupted: nothing more is sent, and what is in flight is awaited for up to {drain} s; Ctrl-C again ends at once"
                ));
                self.0.interrupt.raise(Urgency::Drain);
            }
            1 => {
                screen.say("interrupted again: ending now");
                self.0.interrupt.raise(Urgency::Stop);
            }
            _ => std::process::exit(Exit::Interrupted.code().into()),
        }
        let _held = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.woken.notify_all();
    }

    /// From now on there are records to keep.
    pub(crate) fn load_begins(&self) {
        self.0.loaded.store(true, Ordering::SeqCst);
    }

    /// What loads are to be given.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// Whether and how urgently the run is to end.
    pub(crate) fn urgency(&self) -> Urgency {
        self.0.interrupt.urgency()
    }

    /// Waits that long, or until a signal comes.
    pub(crate) fn pause(&self, length: Duration) {
        let held = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let calm = |_: &mut ()| self.urgency() == Urgency::None;
        drop(self.0.woken.wait_timeout_while(held, length, calm));
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
