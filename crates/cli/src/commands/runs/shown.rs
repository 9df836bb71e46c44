//! One run: what it was, its points, what was found, its files, and what can be done with it.

use std::fs;
use std::path::Path;

use clap::Args;
use tokometer_report::count;
use tokometer_report::gathered::{Kind, Side, State, Told, in_full, listing};

use super::found::{self, Found, amount, size};
use super::listed::{data, number};
use super::{Places, state, verdict};
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `runs show` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run: the beginning of its id, its folder, or a tag of its own
    #[arg(value_name = "ID")]
    run: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows a run.
///
/// # Errors
/// If there is no such run.
pub(super) fn show(arguments: &Arguments, places: &Places, screen: &Screen) -> Result<(), Trouble> {
    let found = found::one(&arguments.run, places)?;
    // One log may be read, where a list would read them all.
    let found = Found { entry: in_full(found.entry), ..found };
    match arguments.json {
        true => screen.print(format!("{:#}\n", data(&found))),
        false => screen.print(text(&found)),
    }
    Ok(())
}

fn text(found: &Found) -> String {
    let entry = &found.entry;
    let mut facts = vec![
        ("run", format!("{} ({})", found.id, entry.kind.words())),
        ("folder", entry.folder.display().to_string()),
    ];
    if let Some(at) = entry.began {
        facts.push(("began", at.strftime("%Y-%m-%d %H:%M:%S").to_string()));
    }
    if !entry.model.is_empty() {
        facts.push(("model", entry.model.clone()));
    }
    if let Some(state) = state(entry) {
        facts.push((
            "state",
            match &entry.state {
                State::Damaged(why) => format!("{state}: {why}"),
                // A log that ends, and a batch that says so, go on no more.
                State::Open(None) => format!("{state}: it was interrupted or killed"),
                State::Open(Some(_)) => {
                    format!("{state}: it still runs, was interrupted, or was killed")
                }
                _ => state,
            },
        ));
    }
    if entry.missing() > 0 {
        let (missing, planned) = (entry.missing(), entry.points.len() + entry.missing());
        facts.push(("missing", format!("{missing} of {planned} combinations have no result")));
    }
    if let Some(kind) = entry.verdict() {
        facts.push(("verdict", verdict(kind)));
    }
    if !found.tags.is_empty() {
        facts.push(("tags", found.tags.join(", ")));
    }
    facts.push(("size", amount(size(&entry.folder))));
    let mut text: String = facts.iter().map(|(name, fact)| format!("{name:<8} {fact}\n")).collect();
    if !entry.points.is_empty() {
        let rows: Vec<Vec<String>> = entry.points.iter().map(row).collect();
        text.push('\n');
        text.push_str(&listing(&HEADINGS, &rows));
    }
    if !entry.unreadable.is_empty() {
        text.push_str("\nfailed or unreadable\n");
        for (name, why) in &entry.unreadable {
            text.push_str(&format!("  {name}: {why}\n"));
        }
    }
    if !entry.not_run.is_empty() {
        text.push_str("\nnot run, or not to the end\n");
        for name in entry.not_run.iter().take(MOST_FILES) {
            text.push_str(&format!("  {name}\n"));
        }
        let more = entry.not_run.len().saturating_sub(MOST_FILES);
        if more > 0 {
            text.push_str(&format!("  and {} more\n", count(more as u64)));
        }
    }
    if !entry.findings.is_empty() {
        text.push_str("\nfindings, the worst first\n");
        for finding in &entry.findings {
            text.push_str(&format!("  • {finding}\n"));
        }
    }
    text.push_str("\nfiles\n");
    text.push_str(&files(&entry.folder));
    text.push_str("\nnext\n");
    for next in nexts(found) {
        text.push_str(&format!("  {next}\n"));
    }
    text
}

fn row(point: &Told) -> Vec<String> {
    let absent = || "–".to_owned();
    let figure = |value: Option<f64>| value.map_or_else(absent, |value| number(value, 1));
    vec![
        point.name.clone(),
        point.requests.map_or_else(absent, count),
        point.succeeded.map_or_else(absent, count),
        figure(point.output_throughput),
        figure(point.p99_ttft_ms),
        point.verdict.as_deref().map_or_else(absent, verdict),
    ]
}

/// What lies in the folder, with its size; of folders what is in them.
fn files(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<(String, u64)> = entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some(match about.is_dir() {
                true => (format!("{name}/"), size(&entry.path())),
                false => (name, about.len()),
            })
        })
        .collect();
    files.sort();
    let more = files.len().saturating_sub(MOST_FILES);
    let shown = files.into_iter().take(MOST_FILES);
    let mut text: String =
        shown.map(|(name, bytes)| format!("  {:>7}  {name}\n", amount(bytes))).collect();
    if more > 0 {
        text.push_str(&format!("  and {} more\n", count(more as u64)));
    }
    text
}

/// What can be done with it.
fn nexts(found: &Found) -> Vec<String> {
    let folder = super::super::aggregate::quoted(&found.entry.folder);
    let mut nexts = match found.entry.kind {
        Kind::Perf | Kind::BenchServe => vec![
            format!("tokometer report {folder} --html report.html"),
            format!("tokometer explain {folder}"),
            format!("tokometer aggregate --dir {folder}"),
        ],
        Kind::Batch if found.entry.missing() > 0 => vec![
            format!("tokometer batch --config {folder}/batch.yaml --resume {folder}"),
            format!("tokometer aggregate --dir {folder}"),
            format!("tokometer report {folder} --html report.html"),
        ],
        Kind::Batch | Kind::Single => vec![
            format!("tokometer aggregate --dir {folder}"),
            format!("tokometer report {folder} --html report.html"),
        ],
        Kind::Results | Kind::EvalScope => vec![format!("tokometer aggregate --dir {folder}")],
    };
    nexts.push(format!("tokometer compare {folder} OTHER"));
    nexts
}

const HEADINGS: [(&str, Side); 6] = [
    ("point", Side::Left),
    ("requests", Side::Right),
    ("succeeded", Side::Right),
    ("output tok/s", Side::Right),
    ("P99 TTFT ms", Side::Right),
    ("verdict", Side::Left),
];

const MOST_FILES: usize = 20;
