//! The log as it is read: the whole of it, or point by point.
//!
//! A log that was cut off by a crash is read up to there, and lines that are damaged are passed over and named. Deliberately nothing is made
//! up for what is missing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::{End, Header, Line, Point, PointEnd, Pulse, Scrape, VERSION};
use crate::{Record, Telemetry};

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

/// A log that is read point by point, so that no more than one of them need be in memory.
///
/// It is an iterator over its points, in order. Behind the last one, [`Points::end`] and [`Points::damaged`] tell what else there was.
#[derive(Debug)]
pub struct Points {
    path: PathBuf,
    lines: Lines,
    /// Lines handed out so far.
    number: usize,
    header: Header,
    /// The point whose lines are read next.
    begun: Option<Point>,
    end: Option<End>,
    damaged: Vec<usize>,
}

impl Points {
    /// Opens the log at `path` and reads its header.
    ///
    /// # Errors
    /// If the file cannot be read, is not a log, or is newer than this program.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let lines =
            Lines::open(path).map_err(|source| LogError::Io { path: path.into(), source })?;
        let mut points = Self {
            path: path.into(),
            lines,
            number: 0,
            header: Header::default(),
            begun: None,
            end: None,
            damaged: Vec::new(),
        };
        let first = points.line()?;
        points.header = begins(path, first)?;
        // Up to the first point, or to the end of a run that has none.
        points.point(None)?;
        Ok(points)
    }

    /// The run.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The run's end, once the last point was read; `None` if the program was killed, or still runs.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// Lines so far, before the last one, that could not be read, counted from 1. What they told is missing from the points.
    pub fn damaged(&self) -> &[usize] {
        &self.damaged
    }

    /// The next line. `None` behind the last.
    fn line(&mut self) -> Result<Option<Line>, LogError> {
        let line = self.lines.next();
        let line = line.map_err(|source| LogError::Io { path: self.path.clone(), source })?;
        self.number += usize::from(line.is_some());
        line.transpose().map_err(|source| LogError::Damaged {
            path: self.path.clone(),
            line: self.number,
            source,
        })
    }

    /// The rest of a point, up to where the next one begins or the log ends.
    fn point(&mut self, begun: Option<Point>) -> Result<Option<PointLog>, LogError> {
        let mut log = begun.map(PointLog::begun);
        let mut positions = HashMap::new();
        loop {
            let line = match self.line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(log),
                Err(LogError::Damaged { line, .. }) => {
                    self.damaged.push(line);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match (line, &mut log) {
                (Line::Header(_), _) => {
                    return Err(LogError::NoHeader { path: self.path.clone() });
                }
                (Line::Point(point), _) => {
                    self.begun = Some(point);
                    return Ok(log);
                }
                (Line::End(end), _) => self.end = Some(end),
                (_, None) => {
                    return Err(LogError::Misplaced { path: self.path.clone(), line: self.number });
                }
                (Line::Record(record), Some(log)) => {
                    positions.insert(record.index, log.records.len());
                    log.records.push(record);
                }
                (Line::Count(count), Some(log)) => {
                    if let Some(position) = positions.get(&count.index) {
                        log.records[*position].output_tokens = Some(count.output_tokens);
                    }
                }
                (Line::Pulse(pulse), Some(log)) => log.pulses.push(pulse),
                (Line::PointEnd(end), Some(log)) => log.end = Some(end),
                (line, Some(log)) => log.hear(line),
            }
        }
    }
}

impl Iterator for Points {
    type Item = Result<PointLog, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begun = self.begun.take()?;
        self.point(Some(begun)).transpose()
    }
}

/// Reads what the run was from the log at `path`, and nothing behind it.
///
/// # Errors
/// If the file cannot be read, is not a log, or is newer than this program.
pub fn header(path: &Path) -> Result<Header, LogError> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut first));
    match read.map_err(|source| LogError::Io { path: path.into(), source })? {
        0 => begins(path, None),
        _ => match serde_json::from_slice(&first) {
            Ok(line) => begins(path, Some(line)),
            Err(source) => Err(LogError::Damaged { path: path.into(), line: 1, source }),
        },
    }
}

/// The header, if it is what the log at `path` begins with.
fn begins(path: &Path, first: Option<Line>) -> Result<Header, LogError> {
    match first {
        Some(Line::Header(header)) if header.version > VERSION => {
            Err(LogError::Newer { path: path.into(), found: header.version })
        }
        Some(Line::Header(header)) => Ok(header),
        Some(_) | None => Err(LogError::NoHeader { path: path.into() }),
    }
}

/// Reads the whole log at `path`.
///
/// # Errors
/// If the file cannot be read, is not a log, or is newer than this program. Damaged lines behind the first are passed over and
/// named in [`RunLog::damaged`].
pub fn read(path: &Path) -> Result<RunLog, LogError> {
    let mut points = Points::open(path)?;
    let read = points.by_ref().collect::<Result<Vec<PointLog>, LogError>>()?;
    Ok(RunLog { header: points.header, points: read, end: points.end, damaged: points.damaged })
}
