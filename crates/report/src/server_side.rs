//! What the service said of itself during a point, as a table: each figure, and beside it what it says.
//!
//! What stands beside a figure is general: what such a figure means wherever it is read. What is wrong with this run is for the
//! findings to say. Nothing was heard: nothing is told, but for what stood in the way.

mod advice;
mod gauges;
mod gpus;
mod json;
mod latencies;
mod over_time;
mod servers;

use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::{ServerSide, server::Level};
use tokometer_record::{Remark, Signal};

use crate::grid::{Column, outline};
use crate::number::{count, fixed, plural};
use crate::prose::{paragraph, quoted, width, wrap};

pub(crate) use json::{brief as brief_json, whole as json};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// What has its place behind a point's own tables.
    Brief,
    /// Everything.
    Full,
}

/// A figure, and what it says.
#[derive(Debug)]
struct Row {
    figure: String,
    value: String,
    says: String,
}

impl Row {
    fn new(figure: impl Into<String>, value: impl Into<String>, says: impl Into<String>) -> Self {
        Self { figure: figure.into(), value: value.into(), says: says.into() }
    }
}

/// The service's own side in short. Where nothing was heard, what stood in the way; empty where nothing did.
pub(crate) fn brief(summary: &PointSummary) -> String {
    let side = &summary.side;
    let rows = rows(side, Depth::Brief);
    if rows.is_empty() {
        return unheard(side);
    }
    let mut text = heading(side) + &table(&rows);
    text.push_str(&remarks(&side.remarks, MOST_REMARKS));
    text
}

/// Everything that was heard of the service's own side.
pub(crate) fn in_full(summary: &PointSummary) -> String {
    let side = &summary.side;
    let rows = rows(side, Depth::Full);
    if rows.is_empty() {
        let why = remarks(&side.remarks, usize::MAX);
        let end = if why.is_empty() { "." } else { ":" };
        return format!("The service's own side was not heard{end}\n{why}");
    }
    let mut text = heading(side) + &table(&rows);
    text.push_str("Times are seconds since the run began.\n");
    for part in [
        began_anew(side),
        servers::each(side),
        latencies::beside(side),
        gauges::by_the_log(side),
        over_time::table(side, summary.point.began),
        remarks(&side.remarks, usize::MAX),
    ] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&part);
        }
    }
    text
}

/// Everything that was heard as rows of a figure, its value, and what it says.
pub(crate) fn told(side: &ServerSide) -> Vec<[String; 3]> {
    let rows = rows(side, Depth::Full).into_iter();
    rows.map(|row| [row.figure.replace('\n', " "), row.value, row.says]).collect()
}

fn rows(side: &ServerSide, depth: Depth) -> Vec<Row> {
    let mut rows = gauges::rows(side, depth);
    rows.extend(latencies::rows(side, depth));
    rows.extend(gauges::endings(side));
    rows.extend(gpus::rows(side, depth));
    rows
}

/// `The service's own side (vllm, 42 readings of its metrics, 12 lines of its log):`.
fn heading(side: &ServerSide) -> String {
    let readings: usize = side.sources.values().sum();
    let servers = side.servers.iter().map(|server| quoted(server, LONGEST_NAME));
    let metrics = (readings > 0)
        .then(|| format!("{} of metrics", plural(readings as u64, "reading", "readings")));
    let log = side
        .log
        .as_ref()
        .map(|log| format!("{} of a log", plural(log.lines as u64, "line", "lines")));
    let heard: Vec<String> = servers.chain(metrics).chain(log).collect();
    match heard.is_empty() {
        true => "The service's own side:\n".to_owned(),
        false => paragraph("", &format!("The service's own side ({}):", heard.join(", "))),
    }
}

/// A table as wide as those of the dialects may be, as far as figures and values let it.
fn table(rows: &[Row]) -> String {
    let [figure, value] = ["Figure", "Value"];
    let widest = |heading: &str, cells: &mut dyn Iterator<Item = &String>| {
        cells.flat_map(|cell| cell.lines()).map(width).fold(width(heading), usize::max)
    };
    let figures = widest(figure, &mut rows.iter().map(|row| &row.figure));
    let values = widest(value, &mut rows.iter().map(|row| &row.value));
    let room = WIDEST.saturating_sub(LINES + figures + values).max(NARROWEST);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| vec![row.figure.clone(), row.value.clone(), wrap(&row.says, room).join("\n")])
        .collect();
    outline(&[Column::left(figure), Column::left(value), Column::left("What it says")], &cells)
}

/// That counters cannot be followed all the way, or are left out.
fn began_anew(side: &ServerSide) -> String {
    let mut text = String::new();
    for (name, other) in &side.same {
        let [name, other] = [name, other].map(|source| quoted(source, LONGEST_SOURCE));
        text.push_str(&paragraph(
            "",
            &format!("{name} is the same server as {other}: it counts once."),
        ));
    }
    if let Some(&first) = side.resets.first() {
        let times = match side.resets.len() {
            1 => String::new(),
            several => format!(", and {} times in all", count(several as u64)),
        };
        text.push_str(&paragraph(
            "! ",
            &format!(
                "Counters began anew at {} s{times}: what they counted just before is lost.",
                seconds(first)
            ),
        ));
    }
    for source in &side.in_turn {
        let source = quoted(source, LONGEST_SOURCE);
        text.push_str(&paragraph(
            "! ",
            &format!(
                "{source} is answered by several servers in turn, as behind a load balancer: its counters are left out. Name each server's own \
                 address."
            ),
        ));
    }
    text
}

/// That nothing was heard, where something stood in the way of it.
fn unheard(side: &ServerSide) -> String {
    let Some(first) = side.remarks.first() else { return String::new() };
    let others = match side.remarks.len() - 1 {
        0 => String::new(),
        others => format!("; {}", plural(others as u64, "more remark", "more remarks")),
    };
    paragraph("The service's own side was not heard: ", &format!("{}{others}.", remark(first)))
}

/// What stood in the way of hearing more: the same of one source once.
fn remarks(remarks: &[Remark], most: usize) -> String {
    let mut told: Vec<(&Remark, usize)> = Vec::new();
    for remark in remarks {
        let same = |known: &&Remark| known.source == remark.source && known.kind == remark.kind;
        match told.iter_mut().find(|(known, _)| same(known)) {
            Some((_, times)) => *times += 1,
            None => told.push((remark, 1)),
        }
    }
    let mut text = String::new();
    for (first, times) in told.iter().take(most) {
        let times = match times {
            1 => String::new(),
            times => format!(" ({} times)", count(*times as u64)),
        };
        text.push_str(&paragraph("• ", &format!("{}{times}.", remark(first))));
    }
    let left = told.len().saturating_sub(most);
    if left > 0 {
        text.push_str(&format!(
            "• and {}.\n",
            plural(left as u64, "other remark", "other remarks")
        ));
    }
    text
}

/// `http://a:8000/metrics at 1.2 s of the run: connection refused`.
fn remark(remark: &Remark) -> String {
    let source = quoted(&remark.source, LONGEST_SOURCE);
    let detail = quoted(&remark.detail, LONGEST_DETAIL);
    format!("{source} at {} s of the run: {detail}", seconds(remark.at))
}

fn seconds(at: tokometer_record::Offset) -> String {
    fixed(at.as_secs_f64(), 1)
}

/// A gauge over the point, by the server's metrics or else by its log; and whether it is the log's.
fn gauge(side: &ServerSide, signal: Signal) -> Option<(&Level, bool)> {
    let log = || side.log.as_ref()?.levels.get(&signal);
    let scraped = side.levels.get(&signal).map(|level| (level, false));
    scraped.or_else(|| log().map(|level| (level, true)))
}

/// The columns that evalscope takes for a table.
const WIDEST: usize = 120;

/// The columns that the lines of a table of three take, and the blanks beside them.
const LINES: usize = 10;

/// What a figure says has this room at least.
const NARROWEST: usize = 24;

/// Why there is no figure of a load that was shorter than the time from one reading to the next.
const NO_READING: &str = "no reading fell into the load";

/// So many remarks are told in short.
const MOST_REMARKS: usize = 3;

/// The longest name of a server or a GPU, source and detail of a remark, in characters.
const LONGEST_NAME: usize = 40;
const LONGEST_SOURCE: usize = 120;
const LONGEST_DETAIL: usize = 300;

#[cfg(test)]
mod tests;
