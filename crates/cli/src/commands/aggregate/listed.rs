//! The folders that there are to gather, one a line.

use std::fs;
use std::path::Path;

use tokometer_report::gathered::{AGGREGATE, Entry, Side, State, history, listing};

use crate::trouble::Trouble;

/// The folders of results, the newest first.
///
/// # Errors
/// If there is no such folder, or nothing in it.
pub(super) fn folders(results: &Path) -> Result<String, Trouble> {
    let shown = results.display();
    let entries = history(results).map_err(|error| {
        Trouble::input(format!("cannot read the folder {shown}: {error}"))
            .with_hint("tokometer batch makes it; --results-dir names another")
    })?;
    if entries.is_empty() {
        return Err(Trouble::input(format!("there are no results in {shown}"))
            .with_hint("tokometer batch and tokometer single leave theirs there"));
    }
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(entry, results)).collect();
    Ok(listing(&HEADINGS, &rows))
}

fn row(entry: &Entry, results: &Path) -> Vec<String> {
    let name = entry.folder.strip_prefix(results).unwrap_or(&entry.folder);
    let name = if name.as_os_str().is_empty() { results } else { name };
    let began =
        entry.began.map_or("–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string());
    let model = if entry.model.is_empty() { "–".to_owned() } else { entry.model.clone() };
    let results = match entry.missing() {
        0 => entry.points.len().to_string(),
        missing => format!("{} of {}", entry.points.len(), entry.points.len() + missing),
    };
    let read = match (&entry.state, entry.unreadable.len()) {
        (State::Open(_), 0) if entry.points.is_empty() && entry.planned.is_none() => {
            "none yet".to_owned()
        }
        (_, 0) => results,
        (_, lost) => format!("{results}, {lost} failed or unreadable"),
    };
    vec![name.display().to_string(), began, model, read, aggregated(&entry.folder)]
}

/// The table that lies in the folder, the last by its date.
fn aggregated(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(AGGREGATE)).max().unwrap_or_else(|| "no".to_owned())
}

const HEADINGS: [(&str, Side); 5] = [
    ("folder", Side::Left),
    ("began", Side::Left),
    ("model", Side::Left),
    ("results", Side::Right),
    ("aggregated", Side::Left),
];
