//! The reports of `vllm bench serve` 0.32: its console block and its result file, with its names, order, formats and percentile
//! rule.
//!
//! What it has no name for stands behind what it has. Where a figure deliberately differs, `docs/differences-from-vllm.md` says so.
//! Nothing is written outside the run's own folder but what [`save`] is asked for.

mod arguments;
mod beyond;
mod case;
mod console;
mod date;
mod files;
mod line;
mod notes;
mod pytorch;
mod ramp;
mod requests;
mod result;
mod spreads;
mod stats;
mod timeline;

use std::fs;
use std::io;
use std::path::Path;

use tokometer_metrics::summary::PointSummary;
use tokometer_record::Header;

pub use arguments::{Arguments, RampUp, Strategy};
pub use files::{save, write_point};

use crate::dialect::Told;
use crate::prose::paragraph;
use crate::{Style, findings, json};

/// The console's text at the end of a point: vLLM's block, and behind it what it leaves out. Where the log does not hold this
/// dialect's arguments, the figures are told as if nothing but vLLM's defaults had been asked for.
pub fn point_text(told: &Told<'_>, style: Style) -> String {
    let arguments = Arguments::of(told.header, &told.log.point).unwrap_or_default();
    console::point_text(&case::Case::of(told, &arguments), style)
}

/// Writes the file of the whole run into its folder: our own `summary.json`.
///
/// # Errors
/// If the file or the folder cannot be written.
pub fn write_run(dir: &Path, header: &Header, points: &[PointSummary]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    json::write(&dir.join("summary.json"), &json::run(header, points, None))
}

/// The console's text at the end of a run: what was found, where it has several points and that of each is told with it, and where
/// the log is.
pub fn run_text(_header: &Header, points: &[PointSummary], folder: &str, style: Style) -> String {
    let found = match points {
        [_] => String::new(),
        several => findings::of_run(several, folder, style),
    };
    let gap = if found.is_empty() { "" } else { "\n" };
    let folder = folder.trim_end_matches('/');
    let results = match points {
        [only] => format!(", the result in {folder}/{}/result.json", only.point.name),
        _ => String::new(),
    };
    found + gap + &paragraph("", &format!("The log is {folder}/run.jsonl{results}."))
}
