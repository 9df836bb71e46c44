//! Ctrl-C and SIGTERM while other programs run on behalf of this one.
//!
//! A sweep must outlive its first Ctrl-C, for it has a server to stop. The signals are taken by a handler and not blocked, as a load
//! of this program's own has them: what is blocked is inherited, and a server that cannot hear SIGTERM could not be stopped.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Stream;

use crate::screen::Screen;
use crate::trouble::Trouble;

/// The signals that have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: Mutex<u32>,
    came: Condvar,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses a handler or a thread.
    pub(crate) fn listen(screen: &Screen) -> Result<Self, Trouble> {
        let cannot = |error: std::io::Error| Trouble::caused("cannot listen for Ctrl-C", &error);
        let mut stream = Stream::new([SIGINT, SIGTERM]).map_err(cannot)?;
        let signals = Self::default();
        let (shared, screen) = (Arc::clone(&signals.0), screen.clone());
        let count = move || {
            for _ in stream.forever() {
                screen.say("interrupted: what runs is asked to end, and the server stopped; at the third Ctrl-C they are killed");
                *shared.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                shared.came.notify_all();
            }
        };
        thread::Builder::new().name("signals".into()).spawn(count).map_err(cannot)?;
        Ok(signals)
    }

    /// How many have come.
    pub(crate) fn count(&self) -> u32 {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits that long, or until another than the first `known` comes.
    pub(crate) fn pause(&self, length: Duration, known: u32) {
        let count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.came.wait_timeout_while(count, length, |count| *count <= known));
    }
}
