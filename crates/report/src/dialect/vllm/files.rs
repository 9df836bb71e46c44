//! The files: the result in the run's own folder, and where `--save-result` asks for it, under vLLM's name for it.
//!
//! As vLLM, an earlier file of a name that was given is overwritten, or appended to with `--append-result`. A name that is made here
//! is never that of a file that is there already: points of one run that are asked the same differ in nothing else.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::case::Case;
use super::result;
use super::{Arguments, date, line, pytorch, stats, timeline};
use crate::dialect::Told;

/// Writes a point's own files into its folder, which is made if it is missing: `result.json`, and the figures that were asked for.
///
/// # Errors
/// If a file or the folder cannot be written, or the log does not hold this dialect's arguments.
pub fn write_point(dir: &Path, told: &Told<'_>) -> io::Result<()> {
    let arguments = Arguments::of(told.header, &told.log.point)?;
    let case = Case::of(told, &arguments);
    fs::create_dir_all(dir)?;
    let path = dir.join("result.json");
    write(&path, &result::file(&case), Mode::Anew)?;
    draw(&path, &case)
}

/// Writes the result where `--save-result` or `--append-result` asks for it, and the figures that were asked for beside it. Returns
/// the result's path; `None` where neither was asked for.
///
/// # Errors
/// If a file or the folder cannot be written, or the log does not hold this dialect's arguments. The error names the file.
pub fn save(told: &Told<'_>) -> io::Result<Option<PathBuf>> {
    let arguments = Arguments::of(told.header, &told.log.point)?;
    let asked = arguments.save_result || arguments.append_result;
    if !(asked || arguments.plot_timeline || arguments.plot_dataset_stats) {
        return Ok(None);
    }
    let case = Case::of(told, &arguments);
    let folder = arguments.result_dir.clone().unwrap_or_default();
    let was_given = given(&arguments).is_some();
    let path = folder.join(file_name(&arguments, &date::of(told.header)));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| named(error, parent))?;
    }
    let (path, beside, mode) = match (arguments.append_result, was_given) {
        (true, _) => (path.clone(), numbered(&path, told.log.point.index + 1), Mode::Append),
        (false, true) => (path.clone(), path, Mode::Anew),
        (false, false) => {
            let free = free(&path);
            (free.clone(), free, Mode::Anew)
        }
    };
    if asked {
        let result = result::file(&case);
        write(&path, &result, mode)?;
        if arguments.pytorch_format {
            let records = pytorch::records(&arguments, &result);
            if !records.is_empty() {
                write(&beside.with_extension(PYTORCH), &records, Mode::Anew)?;
            }
        }
    }
    draw(&beside, &case)?;
    Ok(asked.then_some(path))
}

/// The path, or the first of its numbered ones at which there is neither a result nor anything that stands beside one.
fn free(path: &Path) -> PathBuf {
    let taken = |path: &Path| {
        path.exists()
            || [PYTORCH, TIMELINE, STATS].iter().any(|end| path.with_extension(end).exists())
    };
    let mut number = 1;
    while taken(&numbered(path, number)) {
        number += 1;
    }
    numbered(path, number)
}

/// `result-2.json` as the second `result.json`, and so on; the first is itself.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number <= 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Whether an earlier file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Anew,
    Append,
}

/// vLLM's name for a result.
fn file_name(arguments: &Arguments, date: &str) -> PathBuf {
    if let Some(given) = given(arguments) {
        return given.into();
    }
    let label = arguments.label.as_ref().filter(|label| !label.is_empty());
    let label = label.unwrap_or(&arguments.backend);
    let model = arguments.model_id.rsplit('/').next().unwrap_or_default();
    let places = arguments.max_concurrency.map_or(String::new(), |n| format!("-concurrency{n}"));
    let rate = match &arguments.ramp_up {
        Some(ramp) => {
            let (start, end) = (ramp.start_rps, ramp.end_rps);
            format!("ramp-up-{}-{start}qps-{end}qps", ramp.strategy.name())
        }
        None => match arguments.request_rate {
            Some(rate) => format!("{rate:?}qps"),
            None => "infqps".to_owned(),
        },
    };
    format!("{label}-{rate}{places}-{model}-{date}.json").into()
}

/// The name that was given for it.
fn given(arguments: &Arguments) -> Option<&str> {
    arguments.result_filename.as_deref().filter(|name| !name.is_empty())
}

fn draw(result: &Path, case: &Case<'_>) -> io::Result<()> {
    if case.arguments.plot_timeline {
        let path = result.with_extension(TIMELINE);
        fs::write(&path, timeline::page(case)).map_err(|error| named(error, &path))?;
    }
    if case.arguments.plot_dataset_stats {
        let path = result.with_extension(STATS);
        stats::draw(case, &path).map_err(|error| named(error, &path))?;
    }
    Ok(())
}

fn write(path: &Path, value: &impl Serialize, mode: Mode) -> io::Result<()> {
    let write = || {
        let mut file = match mode {
            Mode::Anew => File::create(path)?,
            Mode::Append => File::options().append(true).create(true).open(path)?,
        };
        let behind = mode == Mode::Append && file.seek(io::SeekFrom::End(0))? > 0;
        let mut out = BufWriter::new(file);
        if behind {
            out.write_all(b"\n")?;
        }
        line::write(&mut out, value)?;
        out.flush()
    };
    write().map_err(|error| named(error, path))
}

/// The error, with the file that it is about.
fn named(error: io::Error, path: &Path) -> io::Error {
    let name: &OsStr = path.as_os_str();
    io::Error::new(error.kind(), format!("cannot write {}: {error}", name.display()))
}

/// What stands beside a result ends in one of these.
const PYTORCH: &str = "pytorch.json";
const TIMELINE: &str = "timeline.html";
const STATS: &str = "dataset_stats.png";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::vllm::{RampUp, Strategy};

    fn asked() -> Arguments {
        Arguments {
            model_id: "Qwen/Qwen2.5-0.5B".into(),
            backend: "vllm".into(),
            ..Arguments::default()
        }
    }

    #[test]
    fn a_file_is_named_by_what_was_asked() {
        let name =
            |arguments: &Arguments| file_name(arguments, "20261122-102421").display().to_string();
        assert_eq!(name(&asked()), "vllm-infqps-Qwen2.5-0.5B-20261122-102421.json");
        let rate = Arguments { request_rate: Some(10.0), max_concurrency: Some(8), ..asked() };
        assert_eq!(name(&rate), "vllm-10.0qps-concurrency8-Qwen2.5-0.5B-20261122-102421.json");
        let ramp = RampUp { strategy: Strategy::Exponential, start_rps: 1.0, end_rps: 50.0 };
        let ramp = Arguments { ramp_up: Some(ramp), label: Some("a".into()), ..asked() };
        assert_eq!(
            name(&ramp),
            "a-ramp-up-exponential-1qps-50qps-Qwen2.5-0.5B-20261122-102421.json"
        );
        let given = Arguments { result_filename: Some("r.json".into()), ..asked() };
        assert_eq!(name(&given), "r.json");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a-Qwen2.5.json");
        assert_eq!(free(&path), path);
        fs::write(&path, "").unwrap();
        let second = folder.path().join("a-Qwen2.5-2.json");
        assert_eq!(free(&path), second);
        fs::write(second.with_extension(TIMELINE), "").unwrap();
        assert_eq!(free(&path), folder.path().join("a-Qwen2.5-3.json"));
    }
}
