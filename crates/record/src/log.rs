//! The log of a run: one JSON object a line, appended while the run goes on.
//!
//! Its first line is a [`Header`]; a [`Point`] opens each point of a sweep and a [`PointEnd`] closes it; between them stand the
//! [`Record`]s, in the order in which requests ended, a [`Pulse`] each second, and what was heard of the service's own side ([`Telemetry`]). A line that was cut off by a crash is the
//! last one and is passed over. The log never holds a secret: whoever makes the header leaves them out.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{GpuReading, Offset, OutputTokens, Reading, Record, Remark, Telemetry};

/// The version of the log's form. A reader refuses a log with a higher one.
pub const VERSION: u32 = 1;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The run, first.
    Header(Header),
    /// A point of the sweep begins.
    Point(Point),
    /// A request ended.
    Record(Record),
    /// The output of a request that had ended was counted afterwards.
    Count(Count),
    /// The client's own state, about once a second.
    Pulse(Pulse),
    /// A server's page of metrics at one moment, as it stood there.
    Scrape(Scrape),
    /// What a server said of itself at one moment, in words that all servers share.
    Reading(Reading),
    /// What GPUs said at one moment.
    Gpus(GpuReading),
    /// Something stood in the way of hearing more of the service's own side.
    Remark(Remark),
    /// A point of the sweep ended.
    PointEnd(PointEnd),
    /// The run ended.
    End(End),
}

/// What the run was, as far as reports need to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The form of the log: [`VERSION`].
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The wall clock at the run's beginning, RFC 3339 with the local offset.
    pub began: String,
    /// The dialect whose reports the run asked for: `evalscope`, `vllm`, …
    pub dialect: String,
    /// The name of the run's folder inside the output folder.
    pub name: String,
    /// An alias to show beside the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The model asked for.
    pub model: String,
    /// The API, as the dialect names it.
    pub api: String,
    /// The address the requests went to, without credentials.
    pub url: String,
    /// The dataset, as the dialect names it.
    pub dataset: String,
    /// The tokenizer that measured the prompts: a path, a hub name, `server`, or `embedded (estimates)`.
    pub tokenizer: String,
    /// Whether counts by this program's tokenizer are estimates, the server's own tokenizer being unknown.
    pub tokens_estimated: bool,
    /// Every setting of the run in the dialect's own terms, secrets masked: what it calls its arguments.
    pub arguments: serde_json::Value,
    /// The resolved plan, as YAML that can be run again, secrets left out.
    pub plan: String,
}

/// A point of the sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Which point this is, counted from 0.
    pub index: usize,
    /// The name of its folder: `parallel_10_number_20`.
    pub name: String,
    /// When it began.
    pub began: Offset,
    /// Requests asked for, warm-up not counted.
    pub requests: u64,
    /// Requests of the warm-up.
    pub warmup: u64,
    /// The most requests in flight at once. `None` in open loop.
    pub concurrency: Option<usize>,
    /// Requests per second asked for. `None` without pacing.
    pub rate: Option<f64>,
    /// Whether requests are sent by schedule alone, whatever the server does.
    pub open_loop: bool,
    /// Seconds after which no more requests are sent, if so limited.
    pub duration: Option<f64>,
    /// The seed of this point.
    pub seed: u64,
    /// The settings of this point in the dialect's own terms, secrets masked.
    pub arguments: serde_json::Value,
}

/// A count of output that was made after the request's [`Record`] was written, the server having told none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Which request of the point.
    pub index: u64,
    /// The count, which replaces the record's.
    pub output_tokens: OutputTokens,
}

/// The client's state at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// The moment.
    pub at: Offset,
    /// Requests in flight.
    pub in_flight: u64,
    /// The longest that the client's event loop was late since the last pulse, in nanoseconds.
    pub loop_lag: u64,
    /// Processor time used by the process so far, user and system, in nanoseconds.
    pub cpu: u64,
}

/// What the server's `/metrics` said at one moment: samples by name and labels, as they stood there
/// (`vllm:spec_decode_num_drafts_total{engine="0"}`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// The moment.
    pub at: Offset,
    /// The page's address, without credentials. Empty for the target's own, in logs of before this was noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The samples that were kept.
    pub samples: BTreeMap<String, f64>,
}

/// What the client used during a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientUse {
    /// Processor time in user mode, nanoseconds.
    pub cpu_user: u64,
    /// Processor time in the kernel, nanoseconds.
    pub cpu_system: u64,
    /// The most resident memory of the process so far, bytes.
    pub peak_memory: u64,
    /// Threads that carried the load.
    pub workers: usize,
    /// How late the event loop was: the 99th percentile over probes every few milliseconds, nanoseconds.
    pub loop_lag_p99: u64,
    /// How late the event loop was at worst, nanoseconds.
    pub loop_lag_max: u64,
    /// How many probes those two rest on.
    pub loop_lag_probes: u64,
}

/// A point ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointEnd {
    /// Which point.
    pub index: usize,
    /// When.
    pub at: Offset,
    /// Whether everything the plan asked for was sent and awaited. False after an interruption.
    pub complete: bool,
    /// When the schedule of the measured requests began, and none of the warm-up's: before the first gap, where arrivals are
    /// paced; otherwise with the first measured request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_from: Option<Offset>,
    /// What the client used.
    pub client: ClientUse,
}

/// The run ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub at: Offset,
    /// Whether every point of the plan was run to its end.
    pub complete: bool,
}

/// Appends lines to a log. Whoever holds it calls [`Writer::flush`] at least once a second.
#[derive(Debug)]
pub struct Writer {
    out: BufWriter<File>,
    /// Why an earlier line could not be written. Nothing is appended to a line that may be half there.
    broken: Option<io::ErrorKind>,
}

impl Writer {
    /// Creates the log at `path`, which must not exist yet.
    ///
    /// # Errors
    /// If the file exists or cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self { out: BufWriter::with_capacity(1 << 16, file), broken: None })
    }

    /// Appends one line. It reaches the file at the next [`Writer::flush`], or earlier.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, line: &Line) -> io::Result<()> {
        self.whole()?;
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = self.out.write_all(&text);
        self.note(written)
    }

    /// Hands everything appended so far to the operating system, which keeps it even if this process is killed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.whole()?;
        let flushed = self.out.flush();
        self.note(flushed)
    }

    fn whole(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn note(&mut self, written: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &written {
            self.broken = Some(error.kind());
        }
        written
    }
}

/// A log that was read: the run and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct RunLog {
    /// The run.
    pub header: Header,
    /// The points that began, in order, each with what happened in it.
    pub points: Vec<PointLog>,
    /// The run's end; `None` if the program was killed, or still runs.
    pub end: Option<End>,
    /// Lines before the last one that could not be read, counted from 1. What they told is missing from the points.
    pub damaged: Vec<usize>,
}

/// One point of a log that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct PointLog {
    /// The point.
    pub point: Point,
    /// Its requests, in the order in which they ended.
    pub records: Vec<Record>,
    /// The client's state over time.
    pub pulses: Vec<Pulse>,
    /// Pages of metrics as they stood, in order: each source's before the load first, and after it last.
    pub scrapes: Vec<Scrape>,
    /// What was heard of the service's own side.
    pub telemetry: Telemetry,
    /// The point's end; `None` if the program was killed, or still runs.
    pub end: Option<PointEnd>,
}

impl PointLog {
    /// A point that has begun, and of which nothing else is known yet.
    pub fn begun(point: Point) -> Self {
        Self {
            point,
            records: Vec::new(),
            pulses: Vec::new(),
            scrapes: Vec::new(),
            telemetry: Telemetry::default(),
            end: None,
        }
    }

    /// Keeps a line that tells of the service's own side. Any other is none of this.
    pub fn hear(&mut self, line: Line) {
        match line {
            Line::Scrape(scrape) => self.scrapes.push(scrape),
            Line::Reading(reading) => self.telemetry.readings.push(reading),
            Line::Gpus(reading) => self.telemetry.gpus.push(reading),
            Line::Remark(remark) => self.telemetry.remarks.push(remark),
            _ => {}
        }
    }
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file could not be opened or read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A line that is not the last one is damaged.
    #[error("{path}, line {line}: not a line of a tokometer log")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The log does not begin as one.
    #[error("{path}: the first line is not the header of a tokometer log")]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// A line stands where it cannot.
    #[error("{path}, line {line}: belongs to a point, but none has begun")]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The log was written by a newer program.
    #[error(
        "{path}: log version {found} is newer than this program reads ({VERSION}); use a newer tokometer"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The log's version.
        found: u32,
    },
}

/// Reads a log line by line, passing over a last line that was cut off.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    number: usize,
    pending: Option<Vec<u8>>,
}

impl Reader {
    /// Opens the log at `path`.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let file = File::open(path).map_err(|source| LogError::Io { path: path.into(), source })?;
        let file = BufReader::with_capacity(1 << 16, file);
        let mut reader = Self { path: path.into(), file, number: 0, pending: None };
        reader.pending = reader.raw()?;
        Ok(reader)
    }

    /// The next line's bytes: a cut one may end inside a character.
    fn raw(&mut self) -> Result<Option<Vec<u8>>, LogError> {
        let mut line = Vec::new();
        let read = self.file.read_until(b'\n', &mut line);
        let length = read.map_err(|source| LogError::Io { path: self.path.clone(), source })?;
        Ok((length > 0).then_some(line))
    }
}

impl Iterator for Reader {
    type Item = Result<Line, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.pending.take()?;
        self.number += 1;
        self.pending = match self.raw() {
            Ok(following) => following,
            Err(error) => return Some(Err(error)),
        };
        match serde_json::from_slice(&text) {
            Ok(line) => Some(Ok(line)),
            Err(_) if self.pending.is_none() && self.number > 1 => None,
            Err(source) => {
                Some(Err(LogError::Damaged { path: self.path.clone(), line: self.number, source }))
            }
        }
    }
}

/// Reads the whole log at `path`.
///
/// # Errors
/// If the file cannot be read, is not a log, or is newer than this program. Damaged lines behind the first are passed over and
/// named in [`RunLog::damaged`].
pub fn read(path: &Path) -> Result<RunLog, LogError> {
    let mut reader = Reader::open(path)?;
    let Some(Line::Header(header)) = reader.next().transpose()? else {
        return Err(LogError::NoHeader { path: path.into() });
    };
    if header.version > VERSION {
        return Err(LogError::Newer { path: path.into(), found: header.version });
    }
    let mut log = RunLog { header, points: Vec::new(), end: None, damaged: Vec::new() };
    let mut positions = HashMap::new();
    while let Some(line) = reader.next() {
        let line = match line {
            Err(LogError::Damaged { line, .. }) => {
                log.damaged.push(line);
                continue;
            }
            read => read?,
        };
        let misplaced = || LogError::Misplaced { path: path.into(), line: reader.number };
        match line {
            Line::Header(_) => return Err(LogError::NoHeader { path: path.into() }),
            Line::Point(point) => {
                positions.clear();
                log.points.push(PointLog::begun(point));
            }
            Line::Record(record) => {
                let records = &mut log.points.last_mut().ok_or_else(misplaced)?.records;
                positions.insert(record.index, records.len());
                records.push(record);
            }
            Line::Count(count) => {
                let records = &mut log.points.last_mut().ok_or_else(misplaced)?.records;
                if let Some(position) = positions.get(&count.index) {
                    records[*position].output_tokens = Some(count.output_tokens);
                }
            }
            Line::Pulse(pulse) => log.points.last_mut().ok_or_else(misplaced)?.pulses.push(pulse),
            Line::Scrape(_) | Line::Reading(_) | Line::Gpus(_) | Line::Remark(_) => {
                log.points.last_mut().ok_or_else(misplaced)?.hear(line);
            }
            Line::PointEnd(end) => log.points.last_mut().ok_or_else(misplaced)?.end = Some(end),
            Line::End(end) => log.end = Some(end),
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, Chunk, Connection, Outcome, Phase, PromptTokens, TokenSource};

    fn header() -> Header {
        Header { version: VERSION, model: "m".into(), ..Header::default() }
    }

    fn record(index: u64) -> Record {
        Record {
            index,
            phase: Phase::Measured,
            scheduled: Offset::ZERO,
            started: Offset::from_nanos(1),
            connection: Connection::Reused,
            connected: Some(Offset::from_nanos(1)),
            sent: Some(Offset::from_nanos(2)),
            headers: Some(Offset::from_nanos(3)),
            chunks: vec![Chunk { at: Offset::from_nanos(4), tokens: 1, channel: Channel::Content }],
            end: Offset::from_nanos(5),
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens { local: Some(7), server: None, cached: None },
            output_tokens: Some(OutputTokens { count: 1, source: TokenSource::ChunkCount }),
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: Some("stop".into()),
            request_id: format!("r-{index}"),
            prompt: None,
            output: None,
        }
    }

    /// A log with these bytes behind a header and the beginning of a point.
    fn log_of(lines: &[Line], tail: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        for line in [Line::Header(header()), Line::Point(Point::default())].iter().chain(lines) {
            writer.append(line).unwrap();
        }
        writer.flush().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(tail.as_bytes()).unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_folder, path) = log_of(&[Line::Record(record(0)), Line::Record(record(1))], "");
        let log = read(&path).unwrap();
        assert_eq!(log.header, header());
        assert_eq!(log.points[0].records, [record(0), record(1)]);
        assert_eq!(log.end, None);
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_passed_over() {
        let (_folder, path) = log_of(&[Line::Record(record(0))], "{\"record\":{\"index\":1,\"pha");
        assert_eq!(read(&path).unwrap().points[0].records, [record(0)]);
    }

    #[test]
    fn a_line_cut_inside_a_character_is_passed_over() {
        let (_folder, path) = log_of(&[Line::Record(record(0))], "");
        let mut file = File::options().append(true).open(&path).unwrap();
        let whole = "{\"record\":{\"output\":\"é";
        file.write_all(&whole.as_bytes()[..whole.len() - 1]).unwrap();
        assert_eq!(read(&path).unwrap().points[0].records, [record(0)]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_passed_over_and_named() {
        let (_folder, path) = log_of(&[], "nonsense\n{\"end\":{\"at\":1,\"complete\":true}}\n");
        let log = read(&path).unwrap();
        assert_eq!((log.damaged, log.end.is_some()), (vec![3], true));
    }

    #[test]
    fn a_count_made_afterwards_replaces_the_estimate() {
        let counted = OutputTokens { count: 9, source: TokenSource::LocalTokenizer };
        let count = Line::Count(Count { index: 0, output_tokens: counted });
        let (_folder, path) = log_of(&[Line::Record(record(0)), count], "");
        assert_eq!(read(&path).unwrap().points[0].records[0].output_tokens, Some(counted));
    }

    #[test]
    fn a_newer_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        writer.append(&Line::Header(Header { version: VERSION + 1, ..header() })).unwrap();
        writer.flush().unwrap();
        assert!(matches!(read(&path), Err(LogError::Newer { found, .. }) if found == VERSION + 1));
    }

    #[test]
    fn a_log_is_never_overwritten() {
        let (_folder, path) = log_of(&[], "");
        assert_eq!(Writer::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_empty_file_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        File::create(&path).unwrap();
        assert!(matches!(read(&path), Err(LogError::NoHeader { .. })));
    }

    #[test]
    fn a_chunk_is_written_short() {
        let chunk = Chunk { at: Offset::from_nanos(4), tokens: 1, channel: Channel::Reasoning };
        assert_eq!(serde_json::to_string(&chunk).unwrap(), r#"[4,1,"r"]"#);
    }
}
