//! The thread that owns the records: it appends them to the log as requests end, and keeps them for the point's summary.
//!
//! What was appended reaches the system several times a second, so that even a killed run loses no more than that. Nothing here
//! is on the way between a request and its stamps.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokometer_engine::{Event, Interrupt, Urgency};
use tokometer_record::{
    Count, Header, Line, Offset, Point, PointEnd, PointLog, Record, TokenSource, Writer,
};

use super::hearing::Hearing;
use super::journal::Journal;
use super::so_far::SoFar;

/// Owns the log of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    writer: Writer,
}

/// What a display may know of the records: how many tokens ended requests had, and in how many chunks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Tokens of output.
    pub(crate) tokens: AtomicU64,
    /// The chunks that they came in.
    pub(crate) chunks: AtomicU64,
}

/// What was recorded of a point.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The point, its records and pulses; not its end yet.
    pub(crate) log: PointLog,
    /// Outputs that nobody has counted: which record, and what it said.
    pub(crate) uncounted: Vec<(usize, String)>,
    /// Why the log could not be written, if it could not.
    pub(crate) trouble: Option<io::Error>,
}

/// What recording needs besides the events.
pub(crate) struct Desk<'a> {
    /// The run's clock.
    pub(crate) now: &'a (dyn Fn() -> Offset + Sync),
    /// The run in words.
    pub(crate) journal: &'a Journal,
    /// After how many requests the figures so far are written there.
    pub(crate) log_every: u64,
    /// What a display may know.
    pub(crate) tally: &'a Tally,
    /// Raised when the log cannot be written: a run that is not recorded is stopped.
    pub(crate) interrupt: &'a Interrupt,
    /// The service's own side.
    pub(crate) hearing: &'a Hearing,
}

impl Recorder {
    /// Begins the log of a run.
    pub(crate) fn create(path: &Path, header: Header) -> io::Result<Self> {
        let mut recorder = Self { writer: Writer::create(path)? };
        recorder.append(&Line::Header(header))?;
        Ok(recorder)
    }

    /// Appends a line and hands it to the system.
    pub(crate) fn append(&mut self, line: &Line) -> io::Result<()> {
        self.writer.append(line)?;
        self.writer.flush()
    }

    /// Appends what happens until nobody is left to tell.
    pub(crate) fn record(
        &mut self,
        point: Point,
        events: &Receiver<Event>,
        desk: &Desk<'_>,
    ) -> Recorded {
        let mut so_far = SoFar::new(&point);
        let began = self.append(&Line::Point(point.clone()));
        let log = PointLog::begun(point);
        let mut recorded = Recorded { log, uncounted: Vec::new(), trouble: began.err() };
        let mut flushed = (desk.now)();
        loop {
            let event = events.recv_timeout(FLUSH);
            let written = match event {
                Ok(Event::Ended { record, output }) => {
                    so_far.add(&record);
                    desk.report(&record, &so_far);
                    recorded.keep(&mut self.writer, record, output)
                }
                Ok(Event::Pulse(pulse)) => {
                    recorded.log.pulses.push(pulse);
                    self.writer.append(&Line::Pulse(pulse))
                }
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let now = (desk.now)();
            let written = match now - flushed >= FLUSH {
                true => {
                    flushed = now;
                    let heard = desk.hearing.heard();
                    written.and_then(|()| self.hear(&mut recorded.log, heard))
                }
                false => written,
            };
            if let Err(error) = written
                && recorded.trouble.is_none()
            {
                recorded.trouble = Some(error);
                desk.interrupt.raise(Urgency::Stop);
            }
        }
        if let Err(error) = self.writer.flush() {
            recorded.trouble.get_or_insert(error);
        }
        recorded
    }

    /// Appends what was heard of the service's own side, and keeps it.
    pub(crate) fn hear(&mut self, log: &mut PointLog, lines: Vec<Line>) -> io::Result<()> {
        for line in lines {
            self.writer.append(&line)?;
            log.hear(line);
        }
        self.writer.flush()
    }

    /// Appends counts that were made after the load, and the point's end.
    pub(crate) fn end_point(&mut self, counts: &[Count], end: PointEnd) -> io::Result<()> {
        for count in counts {
            self.writer.append(&Line::Count(*count))?;
        }
        self.append(&Line::PointEnd(end))
    }
}

impl Desk<'_> {
    /// Says in words what ended.
    fn report(&self, record: &Record, so_far: &SoFar) {
        if let Some(output) = record.output_tokens {
            self.tally.tokens.fetch_add(output.count.into(), Ordering::Relaxed);
            self.tally.chunks.fetch_add(record.chunks.len() as u64, Ordering::Relaxed);
        }
        self.journal.debug(|| match record.failure() {
            None => format!("request {} ({}) ended", record.index, record.request_id),
            Some(failure) => format!(
                "request {} ({}) failed: {}: {}",
                record.index, record.request_id, failure.kind, failure.message
            ),
        });
        if so_far.requests() > 0 && so_far.requests().is_multiple_of(self.log_every) {
            self.journal.info(so_far);
        }
    }
}

impl Recorded {
    fn keep(
        &mut self,
        writer: &mut Writer,
        record: Record,
        output: Option<String>,
    ) -> io::Result<()> {
        let line = Line::Record(record);
        let written = writer.append(&line);
        let Line::Record(record) = line else { return written };
        let counted = record.output_tokens.map(|tokens| tokens.source);
        let told = matches!(counted, Some(TokenSource::Usage | TokenSource::ChunkUsage));
        if let Some(text) = output
            && !told
            && record.succeeded()
        {
            self.uncounted.push((self.log.records.len(), text));
        }
        self.log.records.push(record);
        written
    }
}

/// How long a record may stay in this process at most.
const FLUSH: Duration = Duration::from_millis(200);
