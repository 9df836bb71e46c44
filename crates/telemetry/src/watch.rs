//! Watches a service from beside the load: each source on a thread of its own, at a pace of its own.
//!
//! A source that is slow or hangs delays no other. Readings are due at moments that are fixed from the start: one that
//! takes long moves none of those after it, and those that it missed are not made up for. What was heard goes over a
//! channel to whoever owns the watch; nothing is kept, added up or judged here, and a counter that goes down is for
//! `tokometer-metrics` to notice.

mod log;
mod pace;
mod page;
mod program;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokometer_record::{GpuReading, Offset, Reading, Remark, RemarkKind, Scrape};

use crate::fetch::Endpoint;
use crate::nvidia_smi;
use crate::server::Detail;

use log::Log;
use pace::{Pace, Turn};
use page::{Expected, Page, Subject};
use program::Program;

/// What is watched. A source that is named twice is watched once.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Pages of servers' metrics that must be there: a remark tells if they are not.
    pub metrics: Vec<Endpoint>,
    /// Pages that may be there, as the target's own: silence is no matter, until one has answered once. Until then it is
    /// asked once, and again whenever everything is read, lest a service without metrics be asked for them twice a
    /// second.
    pub perhaps: Vec<Endpoint>,
    /// Pages of GPUs' metrics.
    pub gpus: Vec<Endpoint>,
    /// Whether `nvidia-smi` is asked, if this machine has it: every second at most, as each time is a program's start.
    pub nvidia_smi: bool,
    /// Logs to follow from where they end now.
    pub logs: Vec<PathBuf>,
    /// How long from one reading to the next. 500 ms where it is zero.
    pub every: Duration,
}

/// Something that was heard. Its moment is the one just after the last byte of the answer had arrived: what is said of
/// running and waiting requests is never younger than that, and older by no more than the answer took.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A page of metrics as it stood: of a server that is not known at every reading, of others before and after a load.
    Scrape(Scrape),
    /// What a server said.
    Reading(Reading),
    /// What GPUs said.
    Gpus(GpuReading),
    /// Something stood in the way, or does no longer. Said when it changes, not at every reading.
    Remark(Remark),
}

impl Heard {
    /// Its moment.
    pub const fn at(&self) -> Offset {
        match self {
            Self::Scrape(scrape) => scrape.at,
            Self::Reading(reading) => reading.at,
            Self::Gpus(reading) => reading.at,
            Self::Remark(remark) => remark.at,
        }
    }
}

/// What it took to read one source so far. Nearly all of it is waiting for the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The source: an address without credentials, a file's path, or a program's name.
    pub source: String,
    /// How often it was read.
    pub polls: u64,
    /// How long that took in all.
    pub total: Duration,
    /// The longest of them.
    pub longest: Duration,
}

/// The moment now, since the run began.
type Clock = Arc<dyn Fn() -> Offset + Send + Sync>;

/// A source, as its thread reads it.
trait Source: Send {
    /// Reads it once. Breaks if there is nothing to read there, now or later.
    fn read(&mut self, detail: Detail, now: &Clock, heard: &mut Vec<Heard>) -> ControlFlow<()>;
}

/// A watch that goes on until it is dropped.
pub struct Watch {
    pace: Arc<Pace>,
    /// Behind a lock, so that one thread may ask for a reading while another takes out what was heard.
    heard: Mutex<Receiver<Heard>>,
    threads: Vec<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("sources", &self.threads.len()).finish_non_exhaustive()
    }
}

impl Watch {
    /// Begins to watch, by this clock. The first reading is due after [`Sources::every`]: for one at once, see
    /// [`Watch::read_now`].
    pub fn start(sources: Sources, now: Arc<dyn Fn() -> Offset + Send + Sync>) -> Self {
        let every = if sources.every.is_zero() { EVERY } else { sources.every };
        let places = places(sources, every, now());
        let names = places.iter().map(|place| place.name.clone());
        let pace = Arc::new(Pace::new(names));
        let (sender, heard) = mpsc::channel();
        let begin = |(index, place)| {
            let (pace, now, sender) = (Arc::clone(&pace), Arc::clone(&now), sender.clone());
            spawn(Watcher { index, pace, now, sender }, place)
        };
        let threads = places.into_iter().enumerate().map(begin).collect();
        Self { pace, heard: Mutex::new(heard), threads }
    }

    /// What was heard since this was last asked, in the order of its moments.
    pub fn heard(&self) -> Vec<Heard> {
        let receiver = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut heard: Vec<_> = receiver.try_iter().collect();
        heard.sort_by_key(Heard::at);
        heard
    }

    /// Reads every source now, whole, and waits until all have answered, or `within` is over. What was heard is handed
    /// out by [`Watch::heard`]; an answer that comes too late is handed out when it comes.
    pub fn read_now(&self, within: Duration) {
        self.pace.ask(within);
    }

    /// What it took so far to read each source, in the order of their kinds: metrics, GPUs, logs.
    pub fn cost(&self) -> Vec<Cost> {
        self.pace.costs()
    }
}

impl Drop for Watch {
    /// Ends all threads. One that waits for an answer is not waited for: it ends when the answer is there, or its time is
    /// over.
    fn drop(&mut self) {
        let busy = self.pace.stop();
        for (thread, busy) in self.threads.drain(..).zip(busy) {
            if let (Some(thread), false) = (thread, busy) {
                // A thread that panicked has said so itself.
                let _: thread::Result<()> = thread.join();
            }
        }
    }
}

/// A source, and how it is read.
struct Place {
    name: String,
    every: Duration,
    source: Box<dyn Source>,
}

/// The sources, each once.
fn places(sources: Sources, every: Duration, now: Offset) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |name: String, every, source: Box<dyn Source>| {
        places.push(Place { name, every, source });
    };
    let must = sources.metrics.into_iter().map(|endpoint| (endpoint, Expected::Surely));
    let may = sources.perhaps.into_iter().map(|endpoint| (endpoint, Expected::Perhaps));
    let mut seen = BTreeSet::new();
    for (endpoint, expected) in must.chain(may) {
        if seen.insert(endpoint.shown.clone()) {
            let name = endpoint.shown.clone();
            add(name, every, Box::new(Page::new(endpoint, Subject::Server, expected)));
        }
    }
    seen.clear();
    for endpoint in sources.gpus {
        if seen.insert(endpoint.shown.clone()) {
            let name = endpoint.shown.clone();
            add(name, every, Box::new(Page::new(endpoint, Subject::Gpus, Expected::Surely)));
        }
    }
    if sources.nvidia_smi {
        let name = nvidia_smi::PROGRAM.to_owned();
        add(name, every.max(PROGRAM_EVERY), Box::new(Program::new(nvidia_smi::PROGRAM)));
    }
    let mut seen = BTreeSet::new();
    for path in sources.logs {
        if seen.insert(path.clone()) {
            add(path.display().to_string(), every, Box::new(Log::new(path, now)));
        }
    }
    places
}

/// What a thread needs besides its source.
struct Watcher {
    index: usize,
    pace: Arc<Pace>,
    now: Clock,
    sender: Sender<Heard>,
}

impl Drop for Watcher {
    /// Whatever ended it: nobody is to wait for its answers.
    fn drop(&mut self) {
        self.pace.end(self.index);
    }
}

/// Begins a thread that is named for what it watches, as far as the system's names reach.
fn spawn(watcher: Watcher, place: Place) -> Option<JoinHandle<()>> {
    let short = place.name.split_once("://").map_or(place.name.as_str(), |(_, rest)| rest);
    let name = format!("watch {short}").replace('\0', "");
    let (sender, at, source) = (watcher.sender.clone(), (watcher.now)(), place.name.clone());
    let spawned = thread::Builder::new().name(name).spawn(move || watcher.watch(place));
    let why = match spawned {
        Ok(thread) => return Some(thread),
        Err(why) => why,
    };
    let detail = format!("it cannot be watched: no thread can be begun: {why}");
    let remark = Remark { at, source, kind: RemarkKind::Unreachable, detail };
    // Whoever would hear it is only about to be made, and holds the other end.
    let _: Result<(), mpsc::SendError<_>> = sender.send(Heard::Remark(remark));
    None
}

impl Watcher {
    fn watch(self, mut place: Place) {
        let mut due = (self.now)() + place.every;
        loop {
            let turn = self.pace.wait(self.index, due.since((self.now)()));
            let detail = match turn {
                Turn::Stop => return,
                Turn::Due => Detail::Brief,
                Turn::Asked(_) => Detail::Whole,
            };
            let began = (self.now)();
            let mut heard = Vec::new();
            let goes_on = place.source.read(detail, &self.now, &mut heard);
            let ended = (self.now)();
            for heard in heard {
                // Nobody listens any more: the watch is being dropped, and says so in a moment.
                let _: Result<(), mpsc::SendError<_>> = self.sender.send(heard);
            }
            self.pace.done(self.index, turn, ended.since(began));
            if goes_on.is_break() {
                return;
            }
            if turn == Turn::Due || due <= ended {
                due = next(due, place.every, ended);
            }
        }
    }
}

/// The first moment after `now` and after `due` that is due too.
fn next(due: Offset, every: Duration, now: Offset) -> Offset {
    let missed = now.since(due).as_nanos() / every.as_nanos().max(1);
    let nanos = every.as_nanos().saturating_mul(missed + 1);
    Offset::from_nanos(due.as_nanos().saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

const EVERY: Duration = Duration::from_millis(500);
const PROGRAM_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
