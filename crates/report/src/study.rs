//! Runs told together: what a page, a summary or a comparison is made of, all of it of a bounded size.
//!
//! A study holds no requests. It is made run by run and point by point, so that the log of one point is the most that is in memory.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use tokometer_metrics::Run;
use tokometer_metrics::course::Course;
use tokometer_metrics::diagnosis::{self, Finding};
use tokometer_metrics::slo::Attainment;
use tokometer_metrics::summary::{PointSummary, summarize};
use tokometer_record::{End, Header, LogError, PointLog, Points, RunLog};

use crate::cases::{self, Case};

/// Runs told together.
#[derive(Clone, Debug)]
pub struct Study {
    /// Its runs, in the order in which they are shown: by what they were, not by name.
    pub runs: Vec<Studied>,
    /// Results without a log that belong to it: vLLM's and EvalScope's own files.
    pub others: Vec<Case>,
}

/// A run of a study.
#[derive(Clone, Debug)]
pub struct Studied {
    /// Where it is.
    pub folder: PathBuf,
    /// What it was.
    pub header: Header,
    /// Its points, in the order in which they ran.
    pub points: Vec<StudiedPoint>,
    /// What is wrong with it, or limits it: the worst first.
    pub findings: Vec<Finding>,
    /// Whether its log has an end, and every point of its plan came to its own.
    pub complete: bool,
    /// Lines of its log that could not be read, counted from 1. What they told is missing.
    pub damaged: Vec<usize>,
}

/// A point of a run.
#[derive(Clone, Debug)]
pub struct StudiedPoint {
    /// Its figures.
    pub summary: PointSummary,
    /// Its course.
    pub course: Course,
    /// How it kept to the objectives that were set for it. `None` where none were.
    pub attainment: Option<Attainment>,
}

impl Studied {
    /// A run from its log.
    pub fn of(folder: PathBuf, log: &RunLog) -> Self {
        let points = log.points.iter().map(|point| StudiedPoint::of(&log.header, point)).collect();
        Self::made(folder, log.header.clone(), points, log.end, log.damaged.clone())
    }

    /// A run from its log at `path`, of which no more than one point is in memory at once.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn read(folder: PathBuf, path: &Path) -> Result<Self, LogError> {
        let mut log = Points::open(path)?;
        let header = log.header().clone();
        let points: Result<Vec<StudiedPoint>, LogError> =
            log.by_ref().map(|point| Ok(StudiedPoint::of(&header, &point?))).collect();
        Ok(Self::made(folder, header, points?, log.end(), log.damaged().to_vec()))
    }

    fn made(
        folder: PathBuf,
        header: Header,
        points: Vec<StudiedPoint>,
        end: Option<End>,
        damaged: Vec<usize>,
    ) -> Self {
        let summaries: Vec<PointSummary> =
            points.iter().map(|point| point.summary.clone()).collect();
        let findings = diagnosis::of_run(&summaries);
        let complete = end.is_some_and(|end| end.complete);
        Self { folder, header, points, findings, complete, damaged }
    }
}

impl StudiedPoint {
    /// When its measured load began, in seconds since its run began: what moments of its course count from.
    pub fn load_began(&self) -> f64 {
        self.summary.point.began.as_secs_f64() + self.course.origin
    }

    /// A point of a run from its log.
    pub fn of(header: &Header, log: &PointLog) -> Self {
        let run = Run::of(log);
        // Both go through every chunk, which takes its time for large logs, and neither needs the other.
        let (summary, course) = thread::scope(|scope| {
            let course = scope.spawn(|| Course::of(&run));
            let summary = summarize(log);
            (summary, course.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        Self { summary, course, attainment: cases::attainment(header, &log.point, &run) }
    }
}

impl Study {
    /// Its points as cases, and the results without a log behind them.
    pub fn cases(&self) -> Vec<Case> {
        let case = |header: &Header, point: &StudiedPoint| {
            let case = Case::of_point(header, &point.summary);
            point.attainment.iter().fold(case, Case::with_attainment)
        };
        let of_runs = self
            .runs
            .iter()
            .flat_map(|run| run.points.iter().map(move |point| case(&run.header, point)));
        of_runs.chain(self.others.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::{Line, Offset, Point, Writer};

    use super::*;

    #[test]
    fn a_run_read_point_by_point_is_the_run_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut log = Writer::create(&path).unwrap();
        let header =
            Header { version: tokometer_record::VERSION, model: "m".into(), ..Header::default() };
        log.append(&Line::Header(header)).unwrap();
        for index in 0..2 {
            log.append(&Line::Point(Point { index, concurrency: Some(4), ..Point::default() }))
                .unwrap();
        }
        log.append(&Line::End(End { at: Offset::ZERO, complete: true })).unwrap();
        log.flush().unwrap();
        let read = Studied::read("run".into(), &path).unwrap();
        let whole = Studied::of("run".into(), &tokometer_record::read(&path).unwrap());
        assert_eq!(read.points.len(), 2);
        assert!(read.complete && whole.complete);
        let summaries = |run: &Studied| -> Vec<PointSummary> {
            run.points.iter().map(|point| point.summary.clone()).collect()
        };
        assert_eq!(summaries(&read), summaries(&whole));
        assert_eq!(
            (read.header, read.findings, read.damaged),
            (whole.header, whole.findings, whole.damaged)
        );
    }
}
