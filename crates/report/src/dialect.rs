//! The reports of other tools, each with that tool's names, order, rounding and percentile rule.

pub mod evalscope;
pub mod vllm;

use std::io;
use std::path::Path;

use tokometer_metrics::summary::PointSummary;
use tokometer_record::{Header, PointLog};

use crate::Style;

/// A point as dialects tell of it: its figures, and its requests for those that list them.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The run.
    pub header: &'a Header,
    /// The point's requests.
    pub log: &'a PointLog,
    /// The point's figures.
    pub summary: &'a PointSummary,
}

/// A dialect's reports.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Its name, as the log's header has it.
    pub name: &'static str,
    /// Writes the files of one point into the folder, which is made if it is missing.
    pub write_point: fn(&Path, &Told<'_>) -> io::Result<()>,
    /// Writes the files of the whole run into its folder.
    pub write_run: fn(&Path, &Header, &[PointSummary]) -> io::Result<()>,
    /// The console's text at the end of a point.
    pub point_text: fn(&Told<'_>, Style) -> String,
    /// The console's text at the end of the run, whose folder is shown as named.
    pub run_text: fn(&Header, &[PointSummary], &str, Style) -> String,
}

/// Every dialect.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "evalscope",
        write_point: |dir, told| evalscope::write_point(dir, told.header, told.summary),
        write_run: evalscope::write_run,
        point_text: |told, style| evalscope::point_text(told.header, told.summary, style),
        run_text: evalscope::run_text,
    },
    Dialect {
        name: "vllm",
        write_point: vllm::write_point,
        write_run: vllm::write_run,
        point_text: vllm::point_text,
        run_text: vllm::run_text,
    },
];

/// The dialect of this name.
///
/// # Errors
/// If there is none: a newer program may know it.
pub fn by_name(name: &str) -> io::Result<&'static Dialect> {
    let known = || DIALECTS.iter().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ");
    DIALECTS.iter().find(|dialect| dialect.name == name).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "the run asks for reports in the dialect {name:?}, but only these are known: {}",
                known()
            ),
        )
    })
}
