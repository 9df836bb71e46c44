//! Reading every result of a folder into one table.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::places::{self, Holds, Place};
use super::{Table, batch, evalscope, kept, result};

/// A file or run that was passed over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file, or the run's folder.
    pub path: PathBuf,
    /// What is wrong with it, in words.
    pub why: String,
}

/// Reads every result of a folder: those in vLLM's form that lie in it, or else the runs and results below it. What cannot be read
/// makes no row, and is named.
///
/// # Errors
/// If the folder cannot be read.
pub fn read_results(dir: &Path) -> io::Result<(Table, Vec<Skipped>)> {
    let here = places::of(dir)?;
    let places = match here {
        Some(place) if place.holds != Holds::Results(Vec::new()) => vec![place],
        _ => places::below(dir)?,
    };
    let (mut results, mut skipped) = (Vec::new(), Vec::new());
    for place in &places {
        let shown = shown(dir, &place.folder);
        for read in of_place(place) {
            match read {
                Ok((name, mut result)) => {
                    result.insert("filename".to_owned(), json!(name));
                    result.insert("result_dir".to_owned(), json!(shown));
                    results.push(result);
                }
                Err(passed) => skipped.push(passed),
            }
        }
    }
    Ok((Table::of(results), skipped))
}

type Read = Result<(String, Map<String, Value>), Skipped>;

fn of_place(place: &Place) -> Vec<Read> {
    match &place.holds {
        Holds::Run => of_run(&place.folder),
        Holds::Results(files) => of_results(&place.folder, files),
        Holds::Points(folders) => folders.iter().map(|folder| of_point(folder)).collect(),
    }
}

fn of_results(folder: &Path, files: &[PathBuf]) -> Vec<Read> {
    let mut read: Vec<Read> = files.iter().flat_map(|file| of_file(file)).collect();
    let missing = batch::of(folder, files).unwrap_or_default();
    let failed = missing.failed.into_iter();
    read.extend(failed.map(|(path, why)| {
        Err(Skipped { path, why: format!("the combination failed and has no result: {why}") })
    }));
    read.extend(missing.unrun.map(|(unrun, planned)| {
        let why = format!("{unrun} of its {planned} combinations have no result yet");
        Err(Skipped { path: folder.join(batch::BATCH), why })
    }));
    read
}

fn of_file(path: &Path) -> Vec<Read> {
    let name = name(path);
    match result::read(path) {
        Err(why) => vec![Err(Skipped { path: path.to_owned(), why })],
        Ok(results) => results
            .into_iter()
            .map(|mut result| {
                if let Some((input, output)) = lengths(&name) {
                    result.insert("input_len".to_owned(), json!(input));
                    result.insert("output_len".to_owned(), json!(output));
                }
                Ok((name.clone(), result))
            })
            .collect(),
    }
}

fn of_run(folder: &Path) -> Vec<Read> {
    let read = kept::read(folder).and_then(|kept| match kept.points.is_empty() {
        true => Err("the run ended before its load began".to_owned()),
        false => Ok(kept),
    });
    match read {
        Err(why) => vec![Err(Skipped { path: folder.to_owned(), why })],
        Ok(kept) => {
            // Without its header the lengths that were asked for are not known: then those that were measured are told.
            let header = kept::header(folder).ok();
            let result = |point| kept.result(point, header.as_ref());
            kept.points.iter().map(|point| Ok((point.name.clone(), result(point)))).collect()
        }
    }
}

fn of_point(folder: &Path) -> Read {
    match evalscope::read(folder) {
        Ok(result) => Ok((name(folder), result)),
        Err(why) => Err(Skipped { path: folder.to_owned(), why }),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A folder as it is told in the table: from the one that was given on, without what lies above that.
fn shown(dir: &Path, folder: &Path) -> String {
    // `.` has no name of its own.
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut shown = PathBuf::from(whole.file_name().unwrap_or_default());
    shown.extend(folder.strip_prefix(dir).unwrap_or(folder));
    shown.to_string_lossy().into_owned()
}

/// The lengths in a file's name: `bench_io512x256_mc4_np40.json`.
fn lengths(name: &str) -> Option<(u64, u64)> {
    name.match_indices("io").find_map(|(at, _)| {
        let (input, rest) = number(&name[at + 2..])?;
        let (output, _) = number(rest.strip_prefix('x')?)?;
        Some((input, output))
    })
}

/// The number that a text begins with, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}
