//! A study in Markdown, short enough for a chat or an issue: a headline, the findings, a table of the points, and the verdict.
//!
//! Texts that somebody else chose, such as a model's name or a server's words, are written so that they make neither a table's cell, nor
//! a mention, nor markup.

use std::fmt::Write as _;

use tokometer_metrics::diagnosis::Finding;
use tokometer_metrics::summary::PointSummary;

use crate::cases::{self, Case};
use crate::number::{count, fixed, plural, share};
use crate::study::Study;
use crate::{Style, trust};

/// The study in Markdown, as GitHub reads it.
pub fn markdown(study: &Study) -> String {
    let cases = study.cases();
    let mut text = headline(&cases);
    let findings = findings(study);
    if !findings.is_empty() {
        let _ = write!(text, "\n**Findings**\n\n");
        for found in findings.iter().take(MOST_FINDINGS) {
            let _ = writeln!(text, "- {}", found.told());
        }
        let more = findings.len().saturating_sub(MOST_FINDINGS);
        if more > 0 {
            let _ = writeln!(text, "- and {} more", count(more as u64));
        }
    }
    text.push('\n');
    text.push_str(&table(&cases));
    let verdict = verdict(study);
    if !verdict.is_empty() {
        let _ = write!(text, "\n{verdict}\n");
    }
    text.push_str(&origin(study));
    text
}

/// The model and its best throughput, of the points that the client did not limit.
fn headline(cases: &[Case]) -> String {
    let mut models: Vec<&str> = Vec::new();
    for case in cases {
        if !models.contains(&case.group.as_str()) {
            models.push(&case.group);
        }
    }
    if models.is_empty() {
        return "### Nothing was measured\n".to_owned();
    }
    let models = models.iter().map(|model| code(model)).collect::<Vec<_>>().join(", ");
    let best = cases
        .iter()
        .filter(|case| !case.client_limited)
        .filter_map(|case| Some((case, case.figure("output_throughput")?)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some((case, throughput)) = best else {
        let why = match cases.iter().any(|case| case.client_limited) {
            true => "the client was the limit: no throughput is the server's own",
            false => "no throughput was measured",
        };
        return format!("### {models}: {why}\n");
    };
    let most = match cases.len() {
        1 => "",
        _ => " at most",
    };
    let ttft = case.figure("p99_ttft_ms").map(|ms| format!(", P99 TTFT {}", milliseconds(ms)));
    format!(
        "### {models}: {} output tok/s{most}, {}{}\n",
        figure(throughput),
        load(case),
        ttft.unwrap_or_default()
    )
}

/// A finding, with what it was found of.
struct Found<'s> {
    finding: &'s Finding,
    /// Which of the runs it is of.
    run: usize,
    /// The load, where it is that of one run among several.
    load: Option<String>,
    /// In which runs besides the same rule found something.
    besides: Vec<usize>,
}

impl Found<'_> {
    fn told(&self) -> String {
        let Finding { severity, what, next, .. } = self.finding;
        let load = self.load.as_ref().map_or(String::new(), |load| format!("{load}: "));
        let besides = match self.besides.len() {
            0 => String::new(),
            runs => format!(" (and in {})", plural(runs as u64, "more run", "more runs")),
        };
        format!("**{}**: {load}{}{besides} *Next:* {}", severity.key(), plain(what), plain(next))
    }
}

/// Those of all runs, the worst first. Of several runs each rule speaks once, for the run in which it is worst.
fn findings(study: &Study) -> Vec<Found<'_>> {
    let several = study.runs.len() > 1;
    let mut all: Vec<Found<'_>> = Vec::new();
    for (index, run) in study.runs.iter().enumerate() {
        let load = match run.points.as_slice() {
            [only] if several => Some(load_of(&Case::of_point(&run.header, &only.summary))),
            _ => None,
        };
        let found =
            |finding| Found { finding, run: index, load: load.clone(), besides: Vec::new() };
        all.extend(run.findings.iter().map(found));
    }
    all.sort_by_key(|found| (found.finding.severity, found.finding.sureness));
    let mut told: Vec<Found<'_>> = Vec::new();
    for found in all {
        let same = |known: &&mut Found<'_>| {
            known.finding.rule == found.finding.rule && known.run != found.run
        };
        match told.iter_mut().find(same) {
            Some(known) if known.besides.contains(&found.run) => {}
            Some(known) => known.besides.push(found.run),
            None => told.push(found),
        }
    }
    told
}

/// A load with its lengths: `16 in flight, 512 × 64 tokens`.
fn load_of(case: &Case) -> String {
    let lengths = lengths(case).map(|lengths| format!(", {lengths} tokens"));
    format!("{}{}", load(case), lengths.unwrap_or_default())
}

/// The points by number. A column that no point fills is left out.
fn table(cases: &[Case]) -> String {
    let sorted = cases::sorted(cases);
    if sorted.is_empty() {
        return "No point was measured.\n".to_owned();
    }
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| sorted.iter().any(|case| (column.cell)(case).is_some()))
        .collect();
    let several = sorted.iter().any(|case| case.group != sorted[0].group);
    let model = |case: &Case| {
        if several { format!(" {} |", cell(&code(&case.group))) } else { String::new() }
    };
    let mut text = String::from("|");
    if several {
        text.push_str(" model |");
    }
    for column in &columns {
        let _ = write!(text, " {} |", column.heading);
    }
    text.push_str("\n|");
    if several {
        text.push_str("---|");
    }
    for column in &columns {
        text.push_str(if column.heading == "load" || column.heading == "verdict" {
            "---|"
        } else {
            "---:|"
        });
    }
    for case in &sorted {
        let _ = write!(text, "\n|{}", model(case));
        for column in &columns {
            let told = (column.cell)(case).unwrap_or_else(|| "–".to_owned());
            let _ = write!(text, " {} |", cell(&told));
        }
    }
    text.push('\n');
    text
}

struct Column {
    heading: &'static str,
    cell: fn(&Case) -> Option<String>,
}

const COLUMNS: &[Column] = &[
    Column { heading: "load", cell: |case| Some(load(case)) },
    Column { heading: "tokens in × out", cell: lengths },
    Column {
        heading: "requests",
        cell: |case| {
            Some(count(
                case.figure("completed")? as u64 + case.figure("failed").unwrap_or(0.0) as u64,
            ))
        },
    },
    Column { heading: "ok", cell: succeeded },
    Column { heading: "output tok/s", cell: |case| case.figure("output_throughput").map(figure) },
    Column {
        heading: "req/s",
        cell: |case| case.figure("request_throughput").map(|rate| fixed(rate, 2)),
    },
    Column { heading: "TTFT mean", cell: |case| case.figure("mean_ttft_ms").map(milliseconds) },
    Column { heading: "TTFT P99", cell: |case| case.figure("p99_ttft_ms").map(milliseconds) },
    Column { heading: "TPOT mean", cell: |case| case.figure("mean_tpot_ms").map(milliseconds) },
    Column { heading: "ITL P99", cell: |case| case.figure("p99_itl_ms").map(milliseconds) },
    Column { heading: "E2E mean", cell: |case| case.figure("mean_e2el_ms").map(milliseconds) },
    Column { heading: "verdict", cell: verdict_of },
];

fn lengths(case: &Case) -> Option<String> {
    let (input, output) = (case.input_len?, case.output_len?);
    Some(format!("{} × {}", count(input.round() as u64), count(output.round() as u64)))
}

fn succeeded(case: &Case) -> Option<String> {
    let completed = case.figure("completed")? as u64;
    let failed = case.figure("failed")? as u64;
    Some(share(completed, completed + failed))
}

fn verdict_of(case: &Case) -> Option<String> {
    if case.client_limited {
        return Some("**client-limited**".to_owned());
    }
    case.settings
        .get("verdict")
        .or_else(|| case.settings.get("verdict.kind"))?
        .as_str()
        .map(|kind| kind.replace('_', " "))
}

/// The load in words: `16 in flight`, `10 req/s`, `8 in flight at 10 req/s`.
fn load(case: &Case) -> String {
    let rate = |rate: f64| format!("{rate} req/s");
    match (case.concurrency, case.rate) {
        (Some(most), None) => format!("{} in flight", count(most as u64)),
        (Some(most), Some(asked)) => format!("{} in flight at {}", count(most as u64), rate(asked)),
        (None, Some(asked)) => rate(asked),
        (None, None) => "all at once".to_owned(),
    }
}

/// The verdict on the client over all points, as the console tells it.
fn verdict(study: &Study) -> String {
    let points: Vec<&PointSummary> =
        study.runs.iter().flat_map(|run| &run.points).map(|point| &point.summary).collect();
    if points.is_empty() {
        return String::new();
    }
    let told = trust::of_points(&points, Style::Plain);
    // The reasons stand among the findings.
    let told = told.split('•').next().unwrap_or_default();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = told.strip_prefix("Verdict:").unwrap_or(&told).trim();
    format!("**Verdict:** {}", plain(words))
}

/// Where the figures are from.
fn origin(study: &Study) -> String {
    let runs: Vec<String> = study
        .runs
        .iter()
        .map(|run| {
            let unfinished = if run.complete { "" } else { ", not run to its end" };
            format!(
                "{} at {}, tokometer {}{unfinished}",
                code(&run.folder.display().to_string()),
                plain(&run.header.began),
                plain(&run.header.program)
            )
        })
        .collect();
    match runs.as_slice() {
        [] => String::new(),
        runs if runs.len() > MOST_RUNS => format!(
            "\n<sub>{}; and {}</sub>\n",
            runs[..MOST_RUNS].join("; "),
            plural((runs.len() - MOST_RUNS) as u64, "more run", "more runs")
        ),
        runs => format!("\n<sub>{}</sub>\n", runs.join("; ")),
    }
}

fn figure(value: f64) -> String {
    match value {
        _ if value >= 1000.0 => count(value.round() as u64),
        _ => fixed(value, 1),
    }
}

fn milliseconds(ms: f64) -> String {
    match ms {
        _ if ms >= 10_000.0 => format!("{} s", fixed(ms / 1e3, 1)),
        _ if ms >= 100.0 => format!("{} ms", count(ms.round() as u64)),
        _ => format!("{} ms", fixed(ms, 1)),
    }
}

/// A text that is shown as it stands, and is neither markup, nor a mention, nor a reference to an issue.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                plain.push('\\');
                plain.push(character);
            }
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '@' => plain.push_str("&#64;"),
            '#' => plain.push_str("&#35;"),
            other => plain.push(other),
        }
    }
    plain
}

/// A text as code: between more backticks than it holds in a row.
fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return "(no name)".to_owned();
    }
    let most = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    match most {
        0 => format!("`{text}`"),
        most => {
            let fence = "`".repeat(most + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

/// A text within a cell of a table, where even code ends at a bar.
fn cell(text: &str) -> String {
    text.replace("\\|", "|").replace('|', "\\|")
}

/// As many findings as are read in a chat.
const MOST_FINDINGS: usize = 5;

/// As many runs as are named below a table.
const MOST_RUNS: usize = 3;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokometer_metrics::diagnosis::{Evidence, Severity, Sureness};
    use tokometer_record::Header;

    use super::*;
    use crate::charts::testing::log;
    use crate::study::{Studied, StudiedPoint};

    fn finding(severity: Severity, what: &str) -> Finding {
        Finding {
            rule: "r",
            severity,
            sureness: Sureness::Certain,
            what: what.to_owned(),
            evidence: vec![Evidence::new("a fact")],
            next: "Do this.".to_owned(),
            points: vec![0],
        }
    }

    fn study() -> Study {
        let header = Header {
            model: "acme/`m`|1".into(),
            began: "2026-01-02T11:04:37+00:00".into(),
            program: "0.1.0".into(),
            ..Header::default()
        };
        let run = Studied {
            folder: PathBuf::from("outputs/20260102_110437/m"),
            points: vec![StudiedPoint::of(&header, &log(20))],
            header,
            findings: vec![
                finding(Severity::Notable, "@everyone <b>see</b> #12 | a_b."),
                finding(Severity::Failing, "5 of 20 requests failed."),
            ],
            complete: true,
            damaged: Vec::new(),
        };
        Study { runs: vec![run], others: Vec::new() }
    }

    #[test]
    fn a_study_in_markdown() {
        insta::assert_snapshot!("markdown", markdown(&study()));
    }

    #[test]
    fn the_worst_findings_come_first_and_five_are_enough() {
        let mut study = study();
        for number in 0..6 {
            study.runs[0].findings.push(finding(Severity::Limiting, &format!("finding {number}.")));
        }
        let text = markdown(&study);
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(told.len(), 6);
        assert!(told[0].starts_with("- **failing**"), "{text}");
        assert_eq!(told[5], "- and 3 more");
    }

    #[test]
    fn of_several_runs_a_rule_speaks_once_for_the_worst_of_them() {
        let mut study = study();
        let mut other = study.runs[0].clone();
        other.findings = vec![Finding { rule: "r", ..finding(Severity::Limiting, "less.") }];
        study.runs.push(other);
        let text = markdown(&study);
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(
            told,
            [
                "- **failing**: 4 in flight, 10 × 5 tokens: 5 of 20 requests failed. (and in 1 more run) *Next:* Do this.",
                "- **notable**: 4 in flight, 10 × 5 tokens: &#64;everyone &lt;b&gt;see&lt;/b&gt; &#35;12 \\| a\\_b. *Next:* Do this.",
            ]
        );
    }

    #[test]
    fn a_client_limited_point_is_no_headline() {
        let mut cases = study().cases();
        cases.iter_mut().for_each(|case| case.client_limited = true);
        assert!(
            headline(&cases)
                .ends_with(": the client was the limit: no throughput is the server's own\n")
        );
    }

    #[test]
    fn words_of_others_make_no_markup() {
        assert_eq!(
            plain("a_b *c* <i> @d #1 `e` [f](g)\n| h"),
            "a\\_b \\*c\\* &lt;i&gt; &#64;d &#35;1 \\`e\\` \\[f\\](g) \\| h"
        );
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(cell("`a|b`"), "`a\\|b`");
    }

    #[test]
    fn a_study_of_nothing_says_so() {
        let text = markdown(&Study { runs: Vec::new(), others: Vec::new() });
        assert!(text.contains("No point was measured."), "{text}");
    }
}
