//! A run explained: what it came to, what is wrong or limits it, and all that this rests on.
//!
//! Reads summaries and writes text, or the same as data. Deliberately writes no file, and repeats no table of the dialects: those are
//! in the run's own reports.

mod baseline;
mod headline;

use serde_json::Value;
use tokometer_metrics::summary::PointSummary;
use tokometer_record::Header;

use crate::prose::{paragraph, quoted};
use crate::{Style, confidence, findings, json, label, server_side, steady};

/// A run to explain, or one to hold it against.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'a> {
    /// Where it is, as it is to be shown.
    pub folder: &'a str,
    /// The run.
    pub header: &'a Header,
    /// The figures of its points, in the order in which they ran.
    pub points: &'a [PointSummary],
}

/// Everything about a run, in words: its headline, its findings with all of their evidence, and for each point the service's own
/// side, the steady part, and how far figures can be relied on; and beside a baseline, where one is given. A finding that the
/// baseline proves wrong is not told.
pub fn text(run: &Explained<'_>, baseline: Option<&Explained<'_>>, style: Style) -> String {
    let header = run.header;
    let borne_out = baseline.map(|baseline| baseline::borne_out(run, baseline));
    let what = format!(
        "{} at {}, begun {}: {}",
        quoted(&header.model, LONGEST_NAME),
        quoted(&header.url, LONGEST_NAME),
        header.began,
        run.folder
    );
    let mut blocks = vec![
        paragraph("", &what) + &headline::table(run.points),
        findings::in_full(borne_out.as_deref().unwrap_or(run.points), style),
    ];
    blocks.extend(baseline.map(|baseline| baseline::text(run, baseline)));
    blocks.extend(run.points.iter().map(|summary| point(summary, run.points.len())));
    blocks.join("\n")
}

/// The same as data: `summary.json`, and under `baseline` what stands beside another run.
pub fn data(run: &Explained<'_>, baseline: Option<&Explained<'_>>) -> Value {
    let planned = crate::dialect::evalscope::planned(run.header);
    let borne_out = baseline.map(|baseline| baseline::borne_out(run, baseline));
    let mut value = json::run(run.header, borne_out.as_deref().unwrap_or(run.points), planned);
    if let (Some(baseline), Value::Object(map)) = (baseline, &mut value) {
        map.insert("baseline".to_owned(), baseline::data(run, baseline));
    }
    value
}

fn point(summary: &PointSummary, points: usize) -> String {
    let parts =
        [server_side::in_full(summary), steady::or_why_not(summary), confidence::of_point(summary)];
    let told: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let title = match points {
        1 => String::new(),
        _ => format!("── {} ──\n\n", label::capital(&summary.point)),
    };
    title + &told.join("\n")
}

/// The longest name of a model, or address, in characters.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests;
