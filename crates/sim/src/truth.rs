//! What really happened: the moment of each arrival and of each emission, to compare a client's figures with.
//!
//! An arrival is stamped where the request's last bytes are read from the socket, an emission right before its bytes are written to
//! it. Both are kept with the request while it lasts and handed over when it ends, so that nothing is written, and no lock taken,
//! between an emission's deadline and its write. This file deliberately judges nothing.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::counts::{Asked, Counts, Share};
use crate::model::Finish;
use crate::server::Busy;
use crate::server::conductor::Course;

/// What happened to one request, in nanoseconds since the origin of its [`Truth`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The request's `x-request-id`, or the one that the server gave it.
    pub request_id: String,
    /// Which request of the server it was, counted from 0 in order of arrival.
    pub number: u64,
    /// When its last bytes were read from the socket.
    pub arrival: u64,
    /// The status of the response. 0 if there was none.
    pub status: u16,
    /// When which tokens were written to the socket. For a response that is not streamed: one emission, the whole body.
    pub emissions: Vec<Emitted>,
    /// When the first step with it began, where requests share steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<u64>,
    /// Tokens of its prompt that were in the prefix cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u32,
    /// How often it lost its blocks of the KV cache to others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub preemptions: u32,
    /// The faults that it was given, as [`crate::Faults`] names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// Tokens that were written to the socket together. In the file: `[at, tokens, due]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u32, u64)", into = "(u64, u32, u64)")]
pub struct Emitted {
    /// The moment right before the write, in nanoseconds since the origin. Over HTTP/2, where streams share writes: the moment at
    /// which the bytes were handed to the connection.
    pub at: u64,
    /// How many tokens.
    pub tokens: u32,
    /// The moment that the model and the faults gave them.
    pub due: u64,
}

/// Where the truth goes. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Truth {
    origin: Instant,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    None,
    // Shared, for a test reads it while the server's tasks write it, once per request.
    Memory(Arc<Mutex<Vec<Served>>>),
    File(Arc<Writer>),
}

impl Truth {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self { origin: Instant::now(), sink: Sink::None }
    }

    /// Keeps everything, to be read with [`Truth::served`]. Moments are counted from `origin`.
    pub fn memory(origin: Instant) -> Self {
        Self { origin, sink: Sink::Memory(Arc::default()) }
    }

    /// Writes one line of JSON per request to the file at `path`, as requests end; the file is up to date within a second. A
    /// thread of its own does the writing, and ends after the last clone is dropped. Moments are counted from `origin`.
    ///
    /// # Errors
    /// If the file cannot be created, or the thread not be had.
    pub fn file(path: &Path, origin: Instant) -> io::Result<Self> {
        let writer = Writer::start(File::create(path)?)?;
        Ok(Self { origin, sink: Sink::File(Arc::new(writer)) })
    }

    /// The requests that have ended so far, in order of arrival. Empty unless this is [`Truth::memory`].
    pub fn served(&self) -> Vec<Served> {
        let Sink::Memory(kept) = &self.sink else { return Vec::new() };
        let mut served = lock(kept).clone();
        served.sort_by_key(|served| served.number);
        served
    }

    /// Nanoseconds from the origin to `moment`.
    pub(crate) fn nanos(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Begins the entry of a request. It is handed over when it is dropped.
    pub(crate) fn entry(&self, served: Served) -> Entry {
        Entry { truth: self.clone(), served, share: None, busy: None }
    }

    fn keep(&self, served: Served) {
        match &self.sink {
            Sink::None => {}
            Sink::Memory(kept) => lock(kept).push(served),
            Sink::File(writer) => writer.send(served),
        }
    }
}

/// The truth of a request that is under way.
#[derive(Debug)]
pub(crate) struct Entry {
    truth: Truth,
    served: Served,
    share: Option<Share>,
    busy: Option<Busy>,
}

impl Entry {
    pub(crate) fn answered(&mut self, status: u16) {
        self.served.status = status;
    }

    /// Says that the request is being answered at a pace of its own, and is counted from here on. In a fleet the conductor counts.
    pub(crate) fn begun(&mut self, counts: &Arc<Counts>, asked: Asked) {
        let at = Duration::from_nanos(self.served.arrival);
        self.share = Some(Counts::begin(counts, Asked { at, ..asked }));
    }

    /// Says that the response is complete, and why its output ended; `None` if an error ended it.
    pub(crate) fn finished(&mut self, finish: Option<Finish>) {
        if let Some(share) = &mut self.share {
            share.finished(finish);
        }
    }

    /// Keeps what counts the request as being answered for as long as it is.
    pub(crate) fn holds(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    /// Makes room for that many emissions.
    pub(crate) fn expect(&mut self, emissions: usize) {
        if !matches!(self.truth.sink, Sink::None) {
            self.served.emissions.reserve_exact(emissions.min(MOST_EXPECTED));
        }
    }

    /// Notes what became of the request in the fleet.
    pub(crate) fn went(&mut self, course: &Course) {
        self.served.scheduled = course.scheduled.map(|moment| self.truth.nanos(moment));
        (self.served.cached, self.served.preemptions) = (course.cached, course.preemptions);
    }

    /// Notes that chunks of that many tokens each, which were due at `due`, were written at `moment`.
    pub(crate) fn emitted(&mut self, moment: Instant, due: Instant, chunks: &[u32]) {
        if let Some(share) = &mut self.share {
            share.emitted(Duration::from_nanos(self.truth.nanos(due)), chunks.iter().sum());
        }
        if !matches!(self.truth.sink, Sink::None) {
            let (at, due) = (self.truth.nanos(moment), self.truth.nanos(due));
            let emitted = |tokens: &u32| Emitted { at, tokens: *tokens, due };
            self.served.emissions.extend(chunks.iter().map(emitted));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.truth.keep(std::mem::take(&mut self.served));
    }
}

/// The thread that writes the file.
#[derive(Debug)]
struct Writer {
    lines: Option<Sender<Served>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(file: File) -> io::Result<Self> {
        let (lines, received) = channel();
        let thread = thread::Builder::new().name("truth".to_owned()).spawn(move || {
            // Nobody waits for the truth: a full disk ends it, and the file shows where.
            let _ = write(&received, BufWriter::new(file));
        })?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    fn send(&self, served: Served) {
        if let Some(lines) = &self.lines {
            // Fails once the writer has ended, which it does when it cannot write.
            let _ = lines.send(served);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes what is received until nobody can send any more, and flushes whenever a second brings nothing or has passed.
fn write(received: &Receiver<Served>, mut file: impl Write) -> io::Result<()> {
    let mut flush_at = Instant::now() + FLUSH;
    loop {
        match received.recv_timeout(flush_at.saturating_duration_since(Instant::now())) {
            Ok(served) => {
                serde_json::to_writer(&mut file, &served)?;
                file.write_all(b"\n")?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
        if flush_at <= Instant::now() {
            file.flush()?;
            flush_at = Instant::now() + FLUSH;
        }
    }
}

fn lock(kept: &Mutex<Vec<Served>>) -> MutexGuard<'_, Vec<Served>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<(u64, u32, u64)> for Emitted {
    fn from((at, tokens, due): (u64, u32, u64)) -> Self {
        Self { at, tokens, due }
    }
}

impl From<Emitted> for (u64, u32, u64) {
    fn from(emitted: Emitted) -> Self {
        (emitted.at, emitted.tokens, emitted.due)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// For how many emissions room is made beforehand. Few outputs are longer, and many end before their limit.
const MOST_EXPECTED: usize = 4096;

/// How long the file may lag behind.
const FLUSH: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn served(number: u64) -> Served {
        Served {
            request_id: format!("r-{number}"),
            number,
            arrival: 5,
            status: 200,
            ..Served::default()
        }
    }

    #[test]
    fn memory_holds_the_requests_that_ended_in_order_of_arrival() {
        let origin = Instant::now();
        let truth = Truth::memory(origin);
        let mut first = truth.entry(served(0));
        drop(truth.entry(served(1)));
        first.emitted(origin + Duration::from_nanos(7), origin, &[2]);
        assert_eq!(truth.served(), [served(1)]);
        drop(first);
        assert_eq!(truth.served()[0].emissions, [Emitted { at: 7, tokens: 2, due: 0 }]);
        assert_eq!(truth.served()[1], served(1));
    }

    #[test]
    fn a_file_holds_a_line_per_request_once_the_last_clone_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.jsonl");
        let origin = Instant::now();
        let truth = Truth::file(&path, origin).unwrap();
        let mut entry = truth.entry(served(3));
        entry.emitted(origin + Duration::from_nanos(9), origin, &[1]);
        drop((entry, truth));
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "{\"request_id\":\"r-3\",\"number\":3,\"arrival\":5,\"status\":200,\"emissions\":[[9,1,0]]}\n"
        );
    }

    #[test]
    fn a_line_reads_back_as_it_was() {
        let mut one = served(1);
        one.emissions = vec![Emitted { at: 1, tokens: 2, due: 0 }];
        one.faults = vec!["reset".to_owned()];
        let line = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Served>(&line).unwrap(), one);
    }
}
