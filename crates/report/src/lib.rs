//! How the figures are told: text for the console, and files, in the form of the tool whose dialect was spoken.
//!
//! Reports read summaries and write text; they need neither network nor clock, so that an old run can be told anew. Units are
//! converted here and only here. No figure is computed here: whatever is printed is defined in `tokometer-metrics`.

mod advice;
pub mod capacity;
pub mod cases;
pub mod charts;
pub mod chinese;
pub mod compare;
mod confidence;
pub mod contrast;
pub mod dialect;
pub mod explain;
mod failing;
pub mod figure;
mod findings;
pub mod gathered;
mod grid;
pub mod html;
pub mod json;
mod label;
mod notes;
mod number;
mod prose;
mod server_side;
mod steady;
pub mod study;
mod trust;
pub mod words;

pub use number::count;

use std::io;
use std::path::{Component, Path};

use dialect::Told;
use tokometer_metrics::summary::{PointSummary, summarize};
use tokometer_record::RunLog;

/// How text is dressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Characters alone.
    Plain,
    /// With colours, by ANSI escapes. Nothing is said by colour alone.
    Colour,
}

/// What became of a run's reports.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The text for the console: each point's, then the run's.
    pub text: String,
    /// What each point was summed up to.
    pub summaries: Vec<PointSummary>,
}

/// Writes every report of a run anew into `run_dir`, in the dialect that the log's header names: the files of each point, also of
/// those that did not come to their end, and those of the run.
///
/// # Errors
/// If a file or folder cannot be written, the dialect is not known, or a point's name is not the name of a folder.
pub fn rebuild(run_dir: &Path, log: &RunLog, style: Style) -> io::Result<Rebuilt> {
    let dialect = dialect::by_name(&log.header.dialect)?;
    let mut summaries = Vec::with_capacity(log.points.len());
    let mut text = String::new();
    for point in &log.points {
        let summary = summarize(point);
        let folder = run_dir.join(folder_name(&point.point.name)?);
        let told = Told { header: &log.header, log: point, summary: &summary };
        (dialect.write_point)(&folder, &told)?;
        text.push_str(&(dialect.point_text)(&told, style));
        text.push('\n');
        summaries.push(summary);
    }
    (dialect.write_run)(run_dir, &log.header, &summaries)?;
    let folder = run_dir.display().to_string();
    text.push_str(&(dialect.run_text)(&log.header, &summaries, &folder, style));
    Ok(Rebuilt { text, summaries })
}

/// The name, if it is one folder's and does not lead elsewhere.
fn folder_name(name: &str) -> io::Result<&str> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{name:?} is not the name of a point's folder"),
        )),
    }
}
