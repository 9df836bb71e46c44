//! What lies in the folders of runs and results, told in short: the history.
//!
//! Made to be quick over hundreds of runs. Of a run it reads `summary.json`, and where there is none the first line of the log; it never
//! reads a whole log. What it cannot tell without doing so, it does not tell.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::civil::DateTime;
use serde_json::{Map, Value};
use tokometer_metrics::catalog::{FULL_OUTPUT_THROUGHPUT, TTFT};
use tokometer_metrics::quantile::Percentile;

use super::batch::{self, Missing};
use super::kept::{self, Kept, KeptPoint};
use super::places::{self, Holds, Place};
use super::{evalscope, moment, result};

/// A run, a batch, or a folder of results.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// When it began, by the wall clock of the place where it ran.
    pub began: Option<DateTime>,
    /// The model that was measured. Empty where that is not told.
    pub model: String,
    /// Whether it came to its end.
    pub state: State,
    /// Its points, as far as they are told without reading a log.
    pub points: Vec<Told>,
    /// What is wrong with it, or limits it: the worst first, a sentence each.
    pub findings: Vec<String>,
    /// Whether this program made it.
    pub ours: bool,
    /// What in it could not be read, or failed: the file's name and why.
    pub unreadable: Vec<(String, String)>,
    /// Of a batch how many combinations there were to be, where that is told.
    pub planned: Option<usize>,
    /// Of a batch the combinations that were not run, where they are told by name.
    pub not_run: Vec<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A run of `perf`, or of a plan in its terms.
    Perf,
    /// A run of `bench serve`.
    BenchServe,
    /// The results of a batch.
    Batch,
    /// The result of a single combination.
    Single,
    /// Other results in vLLM's form.
    Results,
    /// EvalScope's own files.
    EvalScope,
}

/// Whether something came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It did.
    Complete,
    /// It ended before everything was done, or some of it failed.
    CutShort,
    /// Something of it is not there yet: it still runs, was interrupted, or was killed. When its log was last written, where that is
    /// known.
    Open(Option<SystemTime>),
    /// It cannot be read, and why.
    Damaged(String),
}

/// A point in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The name of its folder or file.
    pub name: String,
    /// Requests that ended.
    pub requests: Option<u64>,
    /// Of those, how many succeeded.
    pub succeeded: Option<u64>,
    /// Output tokens per second.
    pub output_throughput: Option<f64>,
    /// The 99th percentile of the time to first token, in milliseconds.
    pub p99_ttft_ms: Option<f64>,
    /// The verdict on its figures, by its stable name: `valid`, `client_limited`, `not_judged`.
    pub verdict: Option<String>,
}

impl Kind {
    /// In a word or two.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::BenchServe => "bench serve",
            Self::Batch => "batch",
            Self::Single => "single",
            Self::Results => "results",
            Self::EvalScope => "EvalScope",
        }
    }
}

impl Entry {
    /// Requests that ended, in all of its points. `None` where no point tells.
    pub fn requests(&self) -> Option<u64> {
        sum(self.points.iter().map(|point| point.requests))
    }

    /// Requests that succeeded. `None` where no point tells.
    pub fn succeeded(&self) -> Option<u64> {
        sum(self.points.iter().map(|point| point.succeeded))
    }

    /// How many combinations of a batch have no result: they failed, or were not run.
    pub fn missing(&self) -> usize {
        self.planned.map_or(0, |planned| planned.saturating_sub(self.points.len()))
    }

    /// The point with the highest output throughput: of those that the client did not limit, if there is one.
    pub fn best(&self) -> Option<&Told> {
        let by = |limited: bool| {
            let points = self
                .points
                .iter()
                .filter(move |point| (point.verdict.as_deref() == Some(LIMITED)) == limited);
            points.filter(|point| point.output_throughput.is_some()).max_by(|a, b| {
                a.output_throughput.unwrap_or(0.0).total_cmp(&b.output_throughput.unwrap_or(0.0))
            })
        };
        by(false).or_else(|| by(true))
    }

    /// The verdict on all of its points: the worst of theirs, by its stable name. `None` where no point tells.
    pub fn verdict(&self) -> Option<&str> {
        let told = || self.points.iter().filter_map(|point| point.verdict.as_deref());
        [LIMITED, "not_judged", "valid"]
            .into_iter()
            .find(|kind| told().any(|verdict| verdict == *kind))
    }
}

fn sum(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.flatten().reduce(|total, value| total + value)
}

/// Everything that lies in a folder and below it, the newest first.
///
/// # Errors
/// If the folder cannot be read.
pub fn history(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = places::below(root)?.iter().map(entry_of).collect();
    entries.sort_by(|a, b| b.began.cmp(&a.began).then_with(|| b.folder.cmp(&a.folder)));
    Ok(entries)
}

/// What lies in a folder itself. `None` where that is nothing of the kind.
///
/// # Errors
/// If the folder cannot be read.
pub fn entry(folder: &Path) -> io::Result<Option<Entry>> {
    Ok(places::of(folder)?.as_ref().map(entry_of))
}

/// The entry with all its points, also where its log has to be read for them.
pub fn in_full(entry: Entry) -> Entry {
    match (&entry.state, kept::read(&entry.folder)) {
        (State::Open(_), Ok(kept)) => {
            let points = kept.points.iter().map(of_kept).collect();
            let findings = kept.findings.into_iter().map(|found| found.what).collect();
            Entry { points, findings, ..entry }
        }
        _ => entry,
    }
}

fn entry_of(place: &Place) -> Entry {
    let blank = Entry {
        folder: place.folder.clone(),
        kind: Kind::Results,
        began: in_path(&place.folder),
        model: String::new(),
        state: State::Complete,
        points: Vec::new(),
        findings: Vec::new(),
        ours: false,
        unreadable: Vec::new(),
        planned: None,
        not_run: Vec::new(),
    };
    match &place.holds {
        Holds::Run => of_run(blank),
        Holds::Results(files) => of_results(blank, files),
        Holds::Points(folders) => {
            let read =
                folders.iter().map(|folder| (folder, evalscope::read(folder).map(|one| vec![one])));
            with_results(Entry { kind: Kind::EvalScope, ..blank }, read)
        }
    }
}

/// The moment in the name of a folder, or of the one above it: `outputs/20260102_110437/qwen3-32b`.
fn in_path(folder: &Path) -> Option<DateTime> {
    let named = |path: Option<&Path>| moment::in_name(&path?.file_name()?.to_string_lossy());
    named(Some(folder)).or_else(|| named(folder.parent()))
}

fn of_run(blank: Entry) -> Entry {
    let kind = |dialect: &str| if dialect == "vllm" { Kind::BenchServe } else { Kind::Perf };
    let open = |blank: Entry| match kept::header(&blank.folder) {
        Ok(header) => Entry {
            kind: kind(&header.dialect),
            began: moment::of(&header.began).or(blank.began),
            model: header.model,
            // A run that ended without a summary still says so in its log.
            state: State::Open(match kept::has_ended(&blank.folder) {
                true => None,
                false => written(&blank.folder),
            }),
            ours: true,
            ..blank
        },
        Err(why) => Entry { kind: Kind::Perf, state: State::Damaged(why), ..blank },
    };
    match kept::read_summary(&blank.folder) {
        None => open(blank),
        Some(Ok(kept)) => Entry {
            kind: kind(&kept.dialect),
            began: moment::of(&kept.began).or(blank.began),
            state: if kept.complete { State::Complete } else { State::CutShort },
            points: kept.points.iter().map(of_kept).collect(),
            ours: true,
            findings: what(&kept),
            model: kept.model,
            ..blank
        },
        Some(Err(why)) => {
            let known = open(blank);
            Entry { state: State::Damaged(why), ..known }
        }
    }
}

fn what(kept: &Kept) -> Vec<String> {
    kept.findings.iter().map(|found| found.what.clone()).collect()
}

/// When the log was last written.
fn written(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder.join(kept::LOG)).ok()?.modified().ok()
}

fn of_results(blank: Entry, files: &[PathBuf]) -> Entry {
    let missing = batch::of(&blank.folder, files);
    let single = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SINGLE))
    };
    let kind = match () {
        () if missing.is_some() => Kind::Batch,
        () if files.iter().all(single) => Kind::Single,
        () => Kind::Results,
    };
    let read = files.iter().map(|file| (file, result::read(file)));
    let entry = with_results(Entry { kind, ..blank }, read);
    match missing {
        None => entry,
        Some(missing) => with_missing(entry, missing),
    }
}

/// A batch, with what it lacks.
fn with_missing(mut entry: Entry, missing: Missing) -> Entry {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    entry.ours = true;
    entry.unreadable.extend(missing.failed.iter().map(|(path, why)| (name(path), why.clone())));
    entry.planned = missing.planned;
    entry.not_run = missing.names;
    if missing.unrun.is_some() {
        entry.state = State::Open(missing.written);
    } else if !missing.failed.is_empty() {
        entry.state = State::CutShort;
    }
    entry
}

type Results = Result<Vec<Map<String, Value>>, String>;

fn with_results<'p>(mut entry: Entry, read: impl Iterator<Item = (&'p PathBuf, Results)>) -> Entry {
    let mut dates = Vec::new();
    for (path, results) in read {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let results = match results {
            Ok(results) => results,
            Err(why) => {
                entry.unreadable.push((name, why));
                continue;
            }
        };
        for result in results {
            let text = |key: &str| result.get(key).and_then(Value::as_str);
            if let Some(model) = text("model_id").filter(|_| entry.model.is_empty()) {
                entry.model = model.to_owned();
            }
            dates.extend(text("date").and_then(moment::of));
            entry.ours |= result.contains_key("tokometer_version");
            entry.points.push(of_result(name.clone(), &result));
        }
    }
    entry.began = entry.began.or(dates.into_iter().min());
    if entry.points.is_empty() {
        // Every file of it is damaged, or none is there yet.
        entry.state = match entry.unreadable.first() {
            Some((name, why)) => State::Damaged(format!("{name}: {why}")),
            None => State::Open(None),
        };
    } else if !entry.unreadable.is_empty()
        || entry.points.iter().any(|point| point.requests.is_none())
    {
        entry.state = State::CutShort;
    }
    entry
}

fn of_kept(point: &KeptPoint) -> Told {
    Told {
        name: point.name.clone(),
        requests: Some(point.counts.measured),
        succeeded: Some(point.counts.succeeded),
        output_throughput: point.figure(&FULL_OUTPUT_THROUGHPUT),
        p99_ttft_ms: point.at(&TTFT, Percentile::P99).map(|seconds| seconds * 1e3),
        verdict: Some(point.verdict.kind.clone()),
    }
}

fn of_result(name: String, result: &Map<String, Value>) -> Told {
    let applies = |key: &str| crate::compare::applies(result, key);
    let figure = |key: &str| result.get(key).and_then(Value::as_f64).filter(|_| applies(key));
    let count = |key: &str| result.get(key).and_then(Value::as_u64);
    let succeeded = count("completed");
    // Older clients do not tell their failures: then what was asked for is all that is known.
    let failed = count("failed");
    let requests = match (succeeded, failed) {
        (Some(succeeded), Some(failed)) => Some(succeeded + failed),
        _ => count("num_prompts"),
    };
    Told {
        name,
        requests,
        succeeded,
        output_throughput: figure("output_throughput"),
        p99_ttft_ms: figure("p99_ttft_ms"),
        verdict: result
            .get("verdict")
            .and_then(|verdict| verdict.get("kind"))
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

/// The verdict on figures that are partly the client's own.
const LIMITED: &str = "client_limited";

/// What the name of a single combination's result begins with.
const SINGLE: &str = "single_bench_";
