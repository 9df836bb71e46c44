//! Worker threads, each with an event loop and a timer of its own.
//!
//! A load's exchanges are dealt out over the workers and stay where they were dealt, with their connections: no work is stolen,
//! and one worker never waits for another.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokometer_clock::Timer;

use crate::observer::Watched;

/// A worker thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) runtime: Handle,
    pub(crate) timer: Timer,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start(number: usize) -> io::Result<Self> {
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name(format!("load-{number}")).spawn(move || {
                let made = Builder::new_current_thread().enable_all().build();
                let runtime = match made {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        // Without a listener nobody waits for this worker any more.
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                runtime.block_on(async {
                    let timer = Timer::precise();
                    if ready.send(timer.map(|timer| (Handle::current(), timer))).is_ok() {
                        // An error means that the engine is gone, which is as good as being told to stop.
                        let _ = stopped.await;
                    }
                });
            })?;
        let (runtime, timer) =
            started.recv().map_err(|_| io::Error::other("the worker died at once"))??;
        Ok(Self { runtime, timer, stop: Some(stop), thread: Some(thread) })
    }
}

impl Worker {
    /// What an observer needs of it.
    pub(crate) fn watched(&self) -> Watched {
        Watched { runtime: self.runtime.clone(), timer: self.timer.clone() }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}
