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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokometer_record::{GpuReading, Offset, Reading, Remark, RemarkKind, Scrape};

use crate::conceal::Secrets;
use crate::fetch::Endpoint;
use crate::nvidia_smi;
use crate::server::Detail;

use log::Log;
pub use pace::Patience;
use pace::{Pace, Turn, Yield};
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

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    /// On this machine: a file or a program.
    Here,
}

/// Pages that are silent, which is said once.
#[derive(Debug, Default)]
struct Silent {
    names: BTreeSet<String>,
    /// To be handed out with what is heard next.
    remarks: Vec<Remark>,
}

impl Silent {
    /// Whether that is to be handed out: not that a page is silent of which that was said.
    fn is_news(&mut self, heard: &Heard) -> bool {
        let source = match heard {
            Heard::Scrape(scrape) => &scrape.source,
            Heard::Reading(reading) => &reading.source,
            Heard::Gpus(reading) => &reading.source,
            Heard::Remark(remark) => &remark.source,
        };
        let known = self.names.remove(source);
        !known || !matches!(heard, Heard::Remark(remark) if remark.kind == RemarkKind::Unreachable)
    }
}

/// A watch that goes on until it is dropped.
pub struct Watch {
    pace: Arc<Pace>,
    now: Clock,
    /// Behind a lock, so that one thread may ask for a reading while another takes out what was heard.
    heard: Mutex<Receiver<Heard>>,
    /// Each source's name, and whether it is a page.
    sources: Vec<(String, Kind)>,
    /// Pages that never spoke and are not waited for any longer. Behind a lock for the same reason.
    silent: Mutex<Silent>,
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
        let secrets = secrets(&sources);
        let places = places(sources, every, now());
        let sources = places.iter().map(|place| (place.name.clone(), place.kind)).collect();
        let names = places.iter().map(|place| place.name.clone());
        let pace = Arc::new(Pace::new(names));
        let (sender, heard) = mpsc::channel();
        let begin = |(index, place)| {
            let (pace, now, sender) = (Arc::clone(&pace), Arc::clone(&now), sender.clone());
            let secrets = Arc::clone(&secrets);
            spawn(Watcher { index, pace, now, sender, secrets }, place)
        };
        let threads = places.into_iter().enumerate().map(begin).collect();
        Self { pace, now, heard: Mutex::new(heard), sources, silent: Mutex::default(), threads }
    }

    /// What was heard since this was last asked, in the order of its moments.
    pub fn heard(&self) -> Vec<Heard> {
        let receiver = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut silent = self.silent();
        let mut heard: Vec<_> = receiver.try_iter().filter(|heard| silent.is_news(heard)).collect();
        heard.extend(silent.remarks.drain(..).map(Heard::Remark));
        heard.sort_by_key(Heard::at);
        heard
    }

    /// Reads every source now, whole, and waits until all have answered, or `within` is over. What was heard is handed
    /// out by [`Watch::heard`]; an answer that comes too late is handed out when it comes.
    pub fn read_now(&self, within: Duration) {
        self.pace.ask(within);
    }

    /// Reads every source now, whole, and waits for those that are known to answer, and a little for those that have not been asked
    /// before; a page that did not use that is remarked upon, and not waited for until it has answered. Looks again and again
    /// whether this is still `wanted`.
    pub fn read_those_who_answer(&self, patience: &Patience, wanted: &dyn Fn() -> bool) {
        let given_up = self.pace.ask_those_who_answer(patience, wanted);
        let mut silent = self.silent();
        for (source, _) in given_up.into_iter().map(|index| &self.sources[index]).filter(is_page) {
            let detail = format!(
                "its page did not answer within {:?}, and is not waited for any longer",
                patience.unknown
            );
            let (at, kind) = ((self.now)(), RemarkKind::Unreachable);
            if silent.names.insert(source.clone()) {
                silent.remarks.push(Remark { at, source: source.clone(), kind, detail });
            }
        }
    }

    fn silent(&self) -> MutexGuard<'_, Silent> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
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
    kind: Kind,
    every: Duration,
    source: Box<dyn Source>,
}

fn is_page((_, kind): &&(String, Kind)) -> bool {
    *kind == Kind::Page
}

/// What nothing that is heard may repeat, whichever source says it.
fn secrets(sources: &Sources) -> Arc<Secrets> {
    let pages = sources.metrics.iter().chain(&sources.perhaps).chain(&sources.gpus);
    Arc::new(Secrets::new(pages.flat_map(|endpoint| &endpoint.secrets)))
}

/// The sources, each once.
fn places(sources: Sources, every: Duration, now: Offset) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |name: String, kind, every, source: Box<dyn Source>| {
        places.push(Place { name, kind, every, source });
    };
    let must = sources.metrics.into_iter().map(|endpoint| (endpoint, Expected::Surely));
    let may = sources.perhaps.into_iter().map(|endpoint| (endpoint, Expected::Perhaps));
    let mut seen = BTreeSet::new();
    for (endpoint, expected) in must.chain(may) {
        if seen.insert(endpoint.shown.clone()) {
            let name = endpoint.shown.clone();
            let page = Page::new(endpoint, Subject::Server, expected);
            add(name, Kind::Page, every, Box::new(page));
        }
    }
    seen.clear();
    for endpoint in sources.gpus {
        if seen.insert(endpoint.shown.clone()) {
            let name = endpoint.shown.clone();
            let page = Page::new(endpoint, Subject::Gpus, Expected::Surely);
            add(name, Kind::Page, every, Box::new(page));
        }
    }
    if sources.nvidia_smi {
        let name = nvidia_smi::PROGRAM.to_owned();
        let program = Program::new(nvidia_smi::PROGRAM);
        add(name, Kind::Here, every.max(PROGRAM_EVERY), Box::new(program));
    }
    let mut seen = BTreeSet::new();
    for path in sources.logs {
        if seen.insert(path.clone()) {
            let name = path.display().to_string();
            add(name, Kind::Here, every, Box::new(Log::new(path, now)));
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
    secrets: Arc<Secrets>,
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
            let spoke = heard.iter().any(|heard| !matches!(heard, Heard::Remark(_)));
            let yielded = if spoke { Yield::Figures } else { Yield::Nothing };
            for heard in heard {
                let heard = self.secrets.out_of_heard(heard);
                // Nobody listens any more: the watch is being dropped, and says so in a moment.
                let _: Result<(), mpsc::SendError<_>> = self.sender.send(heard);
            }
            self.pace.done(self.index, turn, ended.since(began), yielded);
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
