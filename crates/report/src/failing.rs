//! Why requests failed: kinds with counts, the server's own words, and what to do about each.
//!
//! Requests that the user cancelled stand apart: nobody failed there, and nothing is to be done about it.

use std::collections::BTreeSet;

use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::{FailureGroup, gist};
use tokometer_record::{FailureKind, Header};

use crate::grid::{Column, Tone, outline, toned};
use crate::number::{count, plural, share};
use crate::prose::{WIDTH, hanging, quoted, width, wrap};
use crate::{Style, advice, label};

/// Why requests of one point failed, and what to do. Empty if none did.
pub(crate) fn of_point(header: &Header, summary: &PointSummary, style: Style) -> String {
    let counts = summary.counts;
    let mut text = String::new();
    if counts.broken() > 0 {
        let of = plural(counts.measured, "request", "requests");
        let heading = format!("Why {} of {of} failed:", count(counts.broken()));
        text.push_str(&(toned(&heading, Tone::Poor, style) + "\n"));
        text.push_str(&table(header, summary, &mut BTreeSet::new()));
    }
    if counts.cancelled > 0 {
        let cancelled = count(counts.cancelled);
        let of = plural(counts.measured, "request", "requests");
        text.push_str(&format!("Cancelled by the user: {cancelled} of {of}, {IN_FLIGHT}.\n"));
    }
    text
}

/// Why requests failed, point by point, and once for each kind what to do. Empty if none did.
pub(crate) fn of_points(header: &Header, points: &[&PointSummary], style: Style) -> String {
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for summary in points.iter().filter(|summary| summary.counts.broken() > 0) {
        let counts = summary.counts;
        if text.is_empty() {
            text.push_str(&(toned("Why requests failed:", Tone::Poor, style) + "\n"));
        }
        text.push_str(&format!(
            "{}: {} of {} failed ({})\n",
            label::capital(&summary.point),
            count(counts.broken()),
            count(counts.measured),
            share(counts.broken(), counts.measured)
        ));
        text.push_str(&table(header, summary, &mut told));
    }
    for summary in points.iter().filter(|summary| summary.counts.cancelled > 0) {
        text.push_str(&format!(
            "{}: cancelled by the user: {} of {}, {IN_FLIGHT}.\n",
            label::capital(&summary.point),
            count(summary.counts.cancelled),
            plural(summary.counts.measured, "request", "requests")
        ));
    }
    text
}

/// The kinds of failure of a point, each with what was said and what to do. That is said in full unless it was `told` before.
fn table(header: &Header, summary: &PointSummary, told: &mut BTreeSet<FailureKind>) -> String {
    let groups = || summary.failures.iter().filter(|group| !group.cancelled());
    let kinds: Vec<String> =
        groups().map(|group| wrap(&group.kind.to_string(), WIDEST_KIND).join("\n")).collect();
    let counts: Vec<String> = groups().map(|group| count(group.count)).collect();
    let widest = |heading: &str, cells: &[String]| {
        cells.iter().flat_map(|cell| cell.lines()).map(width).fold(width(heading), usize::max)
    };
    let [number, cause] = ["Count", "Cause"];
    let room = WIDTH - LINES - widest(number, &counts) - widest(cause, &kinds);
    let messages = groups().map(|group| {
        let mut lines = said(group, room);
        let advice = match told.insert(group.kind) {
            true => advice::on(group.kind, &header.dialect) + ".",
            false => "as above.".to_owned(),
        };
        lines.extend(hanging("→ ", &advice, room));
        lines.join("\n")
    });
    let rows: Vec<Vec<String>> = counts
        .iter()
        .zip(&kinds)
        .zip(messages.collect::<Vec<_>>())
        .map(|((count, kind), message)| vec![count.clone(), kind.clone(), message])
        .collect();
    let columns =
        [Column::right(number), Column::left(cause), Column::left("Message, and what to do")];
    outline(&columns, &rows)
}

/// What was said with failures of one kind: the most frequent messages, each with its first request.
fn said(group: &FailureGroup, room: usize) -> Vec<String> {
    let widest = group.messages.iter().map(|message| count(message.count).len()).max().unwrap_or(0);
    let mut lines: Vec<String> = group
        .messages
        .iter()
        .flat_map(|message| {
            let words = quoted(&gist(&message.message), LONGEST_QUOTE);
            let id = quoted(&message.request_id, LONGEST_ID);
            let text = format!("\"{words}\" (first: request {}, id {id})", message.index);
            let lead = match group.messages.len() {
                1 => String::new(),
                _ => format!("{:>widest$} × ", count(message.count)),
            };
            hanging(&lead, &text, room)
        })
        .collect();
    if group.others > 0 {
        let others = plural(group.others, "failure", "failures");
        lines.extend(hanging("", &format!("and {others} in other words"), room));
    }
    lines
}

const IN_FLIGHT: &str = "in flight when the run was interrupted";

/// The longest quotation of a server's words, in characters, and the longest of a request's id.
const LONGEST_QUOTE: usize = 300;
const LONGEST_ID: usize = 80;

/// A longer kind is wrapped.
const WIDEST_KIND: usize = 20;

/// The columns that the lines of a table of three take, and the blanks beside them.
const LINES: usize = 10;

#[cfg(test)]
mod tests {
    use tokometer_metrics::MessageGroup;

    use super::*;

    #[test]
    fn different_words_are_counted_and_wrapped() {
        let message = |words: &str, count, index| MessageGroup {
            message: words.into(),
            count,
            index,
            request_id: format!("r-{index}"),
        };
        let group = FailureGroup {
            kind: FailureKind::Status(500),
            count: 121,
            messages: vec![message("CUDA out of memory", 112, 3), message("no free slot", 7, 40)],
            others: 2,
        };
        insta::assert_snapshot!(said(&group, 32).join("\n"), @r#"
        112 × "CUDA out of memory"
              (first: request 3, id r-3)
          7 × "no free slot" (first:
              request 40, id r-40)
        and 2 failures in other words
        "#);
    }
}
