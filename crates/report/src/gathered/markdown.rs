//! A study in Markdown, short enough for a chat or an issue: a headline, the findings, a table of the points, and the verdict.
//!
//! Texts that somebody else chose, such as a model's name or a server's words, are written so that they make neither a table's cell, nor
//! a mention, nor markup.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tokometer_metrics::diagnosis::Finding;
use tokometer_metrics::summary::PointSummary;
use tokometer_metrics::verdict::Verdict;

use crate::cases::{self, Case};
use crate::number::{count, fixed, plural, share};
use crate::study::{Studied, Study};
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
    /// The run, where there are several, and the points, where it is not of all.
    place: String,
    /// Where else the same rule found something.
    besides: Vec<String>,
}

impl Found<'_> {
    fn told(&self) -> String {
        let Finding { severity, what, next, .. } = self.finding;
        let place = match self.place.is_empty() {
            true => String::new(),
            false => format!("{}: ", self.place),
        };
        let besides = match self.besides.is_empty() {
            true => String::new(),
            false => format!(" (also in {})", some_of(&self.besides, "; ")),
        };
        format!("**{}**: {place}{}{besides} *Next:* {}", severity.key(), plain(what), plain(next))
    }
}

/// Those of all runs, the worst first. Each rule speaks once, for where it is worst, and names where else it found something.
fn findings(study: &Study) -> Vec<Found<'_>> {
    let names = names(study);
    let mut all: Vec<Found<'_>> = Vec::new();
    for (run, name) in study.runs.iter().zip(&names) {
        all.extend(run.findings.iter().map(|finding| {
            let points = points_of(run, finding);
            let place: Vec<&str> =
                [name.as_str(), &points].into_iter().filter(|part| !part.is_empty()).collect();
            Found { finding, place: place.join(" at "), besides: Vec::new() }
        }));
    }
    all.sort_by_key(|found| (found.finding.severity, found.finding.sureness));
    let mut told: Vec<Found<'_>> = Vec::new();
    for found in all {
        match told.iter_mut().find(|known| known.finding.rule == found.finding.rule) {
            Some(known) if known.place == found.place || known.besides.contains(&found.place) => {}
            Some(known) => known.besides.push(found.place),
            None => told.push(found),
        }
    }
    told
}

/// What each run is called beside the others, as code: its folder's name, with as much of the path as tells it from theirs. Nothing
/// where there is only one.
fn names(study: &Study) -> Vec<String> {
    if study.runs.len() < 2 {
        return vec![String::new(); study.runs.len()];
    }
    let end = |folder: &Path, parts: usize| {
        let all: Vec<_> = folder.components().collect();
        all[all.len().saturating_sub(parts)..].iter().collect::<PathBuf>()
    };
    let ends = |parts: usize| -> Vec<PathBuf> {
        study.runs.iter().map(|run| end(&run.folder, parts)).collect()
    };
    let longest = study.runs.iter().map(|run| run.folder.components().count()).max().unwrap_or(1);
    let differ = |names: &Vec<PathBuf>| names.iter().collect::<HashSet<_>>().len() == names.len();
    let names = (1..=longest).map(ends).find(differ).unwrap_or_else(|| ends(longest));
    names.iter().map(|name| code(&name.display().to_string())).collect()
}

/// The points that a finding is of, by their loads. Nothing where they are all that the run has.
fn points_of(run: &Studied, finding: &Finding) -> String {
    let of = |index: &usize| run.points.iter().find(|point| point.summary.point.index == *index);
    let points: Vec<_> = finding.points.iter().filter_map(of).collect();
    if points.len() == run.points.len() {
        return String::new();
    }
    let loads = points.iter().map(|point| load(&Case::of_point(&run.header, &point.summary)));
    some_of(&loads.collect::<Vec<_>>(), ", ")
}

/// A few of them by name, and how many more there are.
fn some_of(names: &[String], between: &str) -> String {
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {} more", count(more as u64)),
    };
    format!("{}{more}", names[..names.len().min(MOST_NAMES)].join(between))
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

/// The verdict on the client over all points, as the console tells it; of several runs also which were not valid, a line each.
fn verdict(study: &Study) -> String {
    let all: Vec<&PointSummary> =
        study.runs.iter().flat_map(|run| &run.points).map(|point| &point.summary).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("**Verdict:** {}", of_points(&all));
    let invalid = |run: &&Studied| {
        run.points.iter().any(|point| !matches!(point.summary.verdict, Verdict::Valid))
    };
    let runs =
        study.runs.iter().zip(names(study)).filter(|(run, name)| !name.is_empty() && invalid(run));
    let lines: Vec<String> = runs
        .map(|(run, name)| {
            let points: Vec<&PointSummary> =
                run.points.iter().map(|point| &point.summary).collect();
            format!("\n- {name}: {}", of_points(&points))
        })
        .collect();
    if !lines.is_empty() {
        text.push('\n');
        text.extend(lines.iter().take(MOST_VERDICTS).cloned());
    }
    let more = lines.len().saturating_sub(MOST_VERDICTS);
    if more > 0 {
        let _ = write!(text, "\n- and {} more", count(more as u64));
    }
    text
}

/// The verdict on these points without its reasons, which stand among the findings.
fn of_points(points: &[&PointSummary]) -> String {
    let told = trust::of_points(points, Style::Plain);
    let told = told.split('•').next().unwrap_or_default();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(told.strip_prefix("Verdict:").unwrap_or(&told).trim())
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

/// As many runs or points as are named where a finding is of more.
const MOST_NAMES: usize = 3;

/// As many runs as have a verdict of their own.
const MOST_VERDICTS: usize = 10;

/// As many runs as are named below a table.
const MOST_RUNS: usize = 3;

#[cfg(test)]
mod tests {
    use tokometer_metrics::diagnosis::{Evidence, Severity, Sureness};
    use tokometer_record::Header;

    use super::*;
    use crate::charts::testing::log;
    use crate::study::StudiedPoint;

    fn finding(rule: &'static str, severity: Severity, what: &str) -> Finding {
        Finding {
            rule,
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
                finding("r", Severity::Notable, "@everyone <b>see</b> #12 | a_b."),
                finding("failures", Severity::Failing, "5 of 20 requests failed."),
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
        for rule in ["a", "b", "c", "d", "e", "f"] {
            study.runs[0].findings.push(finding(rule, Severity::Limiting, "it."));
        }
        let text = markdown(&study);
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(told.len(), 6);
        assert!(told[0].starts_with("- **failing**"), "{text}");
        assert_eq!(told[5], "- and 3 more");
    }

    fn told(study: &Study) -> Vec<String> {
        findings(study).iter().map(Found::told).collect()
    }

    #[test]
    fn of_several_runs_a_rule_speaks_once_and_names_the_others() {
        let mut study = study();
        study.runs[0].findings.truncate(1);
        for moment in 1..6 {
            let mut other = study.runs[0].clone();
            other.folder = PathBuf::from(format!("outputs/2026010{moment}_000000/m"));
            other.findings = vec![finding("r", Severity::Limiting, "less.")];
            study.runs.push(other);
        }
        assert_eq!(
            told(&study),
            [
                "**limiting**: `20260101_000000/m`: less. (also in `20260102_000000/m`; `20260103_000000/m`; `20260104_000000/m` and 2 more) \
                 *Next:* Do this."
            ]
        );
        let runs = verdict(&study);
        assert!(runs.lines().count() <= 1 + 1 + study.runs.len(), "{runs}");
    }

    #[test]
    fn of_one_run_with_several_points_a_rule_speaks_once_and_names_them() {
        let mut study = study();
        let run = &mut study.runs[0];
        for index in 1..3 {
            let mut log = log(20);
            (log.point.index, log.point.concurrency) = (index, Some(4 << index));
            run.points.push(StudiedPoint::of(&run.header, &log));
        }
        let at = |points: &[usize]| Finding {
            points: points.to_vec(),
            ..finding("r", Severity::Limiting, "slow.")
        };
        run.findings = vec![at(&[1]), at(&[2])];
        assert_eq!(
            told(&study),
            ["**limiting**: 8 in flight: slow. (also in 16 in flight) *Next:* Do this."]
        );
        study.runs[0].findings = vec![at(&[0, 1, 2])];
        assert_eq!(told(&study), ["**limiting**: slow. *Next:* Do this."]);
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
