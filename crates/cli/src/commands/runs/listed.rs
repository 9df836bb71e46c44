//! The list: one line a run, or JSON.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Zoned;
use serde_json::{Value, json};
use tokometer_report::count;
use tokometer_report::gathered::{Entry, Side, State, Told, listing};

use super::found::{self, Found, amount};
use super::{Places, since, state, told, verdict};
use crate::screen::Screen;
use crate::trouble::Trouble;

/// Which runs are listed, and how.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Only runs of models whose name holds this, in letters of either case
    #[arg(long, value_name = "TEXT")]
    model: Option<String>,
    /// Only runs since then: a date (2026-01-02), a moment (2026-01-02T11:04), or how long ago (7d, 12h, 30m)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only runs with this tag; again for several
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists runs, the newest first.
///
/// # Errors
/// If a folder cannot be read, or `--since` is no time.
pub(super) fn list(arguments: &Wanted, places: &Places, screen: &Screen) -> Result<(), Trouble> {
    let now = Zoned::now().datetime();
    let since = arguments
        .since
        .as_deref()
        .map(|word| {
            since::moment(word, now).map_err(|why| Trouble::input(format!("--since {word}: {why}")))
        })
        .transpose()?;
    let all = found::all(places)?;
    let total = all.len();
    let model = arguments.model.as_ref().map(|model| model.to_lowercase());
    let wanted = |found: &Found| {
        let of_model =
            model.as_ref().is_none_or(|model| found.entry.model.to_lowercase().contains(model));
        let recent =
            since.is_none_or(|since| found.entry.began.is_some_and(|began| began >= since));
        of_model && recent && arguments.tag.iter().all(|tag| found.tags.contains(tag))
    };
    let found: Vec<Found> = all.into_iter().filter(wanted).collect();
    if arguments.json {
        let list: Vec<Value> = found.iter().map(data).collect();
        screen.print(format!("{:#}\n", Value::Array(list)));
        return Ok(());
    }
    if found.is_empty() {
        screen.say(match total {
            0 => format!(
                "no runs yet in {} and {}; tokometer perf, bench serve and batch leave theirs there",
                places.results_dir.display(),
                places.outputs_dir.display()
            ),
            _ => format!("none of {} runs is such a one", count(total as u64)),
        });
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    screen.print(listing(&HEADINGS, &rows));
    if rows.iter().any(|row| row.iter().any(|cell| cell.ends_with('*'))) {
        screen.say("* the client was the limit: the figure is partly its own, not the server's");
    }
    Ok(())
}

fn row(found: &Found) -> Vec<String> {
    let entry = &found.entry;
    let absent = || "–".to_owned();
    let best = entry.best();
    let limited = best.is_some_and(|point| point.verdict.as_deref() == Some("client_limited"));
    let marked = |text: String| if limited { format!("{text}*") } else { text };
    let figure = |value: Option<f64>, digits: usize| {
        value.map_or_else(absent, |value| marked(number(value, digits)))
    };
    let points = match (&entry.state, entry.points.len()) {
        (_, points) if entry.missing() > 0 => {
            format!("{points} of {}", points + entry.missing())
        }
        (State::Open(_) | State::Damaged(_), 0) => absent(),
        (_, points) => points.to_string(),
    };
    let verdict = match (told(entry), entry.verdict()) {
        (Some(state), Some(kind)) if kind != "valid" => format!("{state}, {}", judged(entry, kind)),
        (Some(state), _) => state,
        (None, Some(kind)) => judged(entry, kind),
        (None, None) => absent(),
    };
    vec![
        found.id.clone(),
        entry.began.map_or_else(absent, |at| at.strftime("%Y-%m-%d %H:%M").to_string()),
        entry.kind.words().to_owned(),
        shortened(&entry.model),
        points,
        entry.requests().map_or_else(absent, count),
        entry.requests().zip(entry.succeeded()).map_or_else(absent, succeeded),
        figure(best.and_then(|point| point.output_throughput), 1),
        figure(best.and_then(|point| point.p99_ttft_ms), 1),
        verdict,
        amount(found::size(&entry.folder)),
        found.tags.join(" "),
    ]
}

/// The worst verdict, and of how many points it is, where it is not of all.
fn judged(entry: &Entry, kind: &str) -> String {
    let all = entry.points.len();
    match entry.points.iter().filter(|point| point.verdict.as_deref() == Some(kind)).count() {
        points if points == all => verdict(kind),
        points => format!("{}: {points} of {all}", verdict(kind)),
    }
}

fn succeeded((requests, succeeded): (u64, u64)) -> String {
    match requests {
        0 => "–".to_owned(),
        _ if succeeded == requests => "100 %".to_owned(),
        // 99.96 % is not all of them.
        _ => format!("{:.1} %", (1000.0 * succeeded as f64 / requests as f64).floor() / 10.0),
    }
}

pub(super) fn number(value: f64, digits: usize) -> String {
    match value {
        _ if value >= 1000.0 => count(value.round() as u64),
        _ => format!("{value:.digits$}"),
    }
}

/// A name that leaves room for the rest of the line: its end tells more than its beginning.
fn shortened(model: &str) -> String {
    let length = model.chars().count();
    match length {
        0 => "–".to_owned(),
        _ if length <= LONGEST_MODEL => model.to_owned(),
        _ => format!("…{}", model.chars().skip(length + 1 - LONGEST_MODEL).collect::<String>()),
    }
}

/// A run for programs.
pub(super) fn data(found: &Found) -> Value {
    let entry = &found.entry;
    let point = |point: &Told| {
        json!({
            "name": point.name,
            "requests": point.requests,
            "succeeded": point.succeeded,
            "output_throughput": point.output_throughput,
            "p99_ttft_ms": point.p99_ttft_ms,
            "verdict": point.verdict,
        })
    };
    let unreadable: BTreeMap<&str, &str> =
        entry.unreadable.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    let why = match &entry.state {
        State::Damaged(why) => Some(why.as_str()),
        _ => None,
    };
    json!({
        "id": found.id,
        "folder": entry.folder,
        "kind": entry.kind.words(),
        "began": entry.began.map(|at| at.to_string()),
        "model": entry.model,
        "state": state(entry).unwrap_or_else(|| "complete".to_owned()),
        "why": why,
        "verdict": entry.verdict(),
        "requests": entry.requests(),
        "succeeded": entry.succeeded(),
        "best": entry.best().map(point),
        "points": entry.points.iter().map(point).collect::<Vec<_>>(),
        "findings": entry.findings,
        "unreadable": unreadable,
        "planned": entry.planned,
        "missing": entry.missing(),
        "not_run": entry.not_run,
        "tags": found.tags,
        "bytes": found::size(&entry.folder),
    })
}

const HEADINGS: [(&str, Side); 12] = [
    ("id", Side::Left),
    ("began", Side::Left),
    ("kind", Side::Left),
    ("model", Side::Left),
    ("points", Side::Right),
    ("requests", Side::Right),
    ("ok", Side::Right),
    ("best out tok/s", Side::Right),
    ("its P99 TTFT ms", Side::Right),
    ("verdict", Side::Left),
    ("size", Side::Right),
    ("tags", Side::Left),
];

const LONGEST_MODEL: usize = 28;

#[cfg(test)]
mod tests {
    use tokometer_report::gathered::Kind;

    use super::*;

    fn found(state: State, points: usize, planned: Option<usize>) -> Found {
        let point = |_| Told {
            name: "a".into(),
            requests: Some(10),
            succeeded: Some(10),
            output_throughput: None,
            p99_ttft_ms: None,
            verdict: Some("valid".into()),
        };
        let entry = Entry {
            folder: "nowhere".into(),
            kind: Kind::Batch,
            began: None,
            model: "m".into(),
            state,
            points: (0..points).map(point).collect(),
            findings: Vec::new(),
            ours: true,
            unreadable: Vec::new(),
            planned,
            not_run: Vec::new(),
        };
        Found { id: "abc".into(), entry, tags: Vec::new(), root: "results".into() }
    }

    #[test]
    fn how_much_of_a_batch_is_missing_is_told() {
        let told = |state, points, planned| {
            let row = row(&found(state, points, planned));
            (row[4].clone(), row[9].clone())
        };
        let pair = |points: &str, verdict: &str| (points.to_owned(), verdict.to_owned());
        assert_eq!(told(State::Open(None), 16, Some(20)), pair("16 of 20", "4 missing"));
        assert_eq!(told(State::CutShort, 16, Some(20)), pair("16 of 20", "4 missing"));
        assert_eq!(told(State::Open(None), 0, Some(20)), pair("0 of 20", "20 missing"));
        assert_eq!(told(State::Complete, 20, Some(20)), pair("20", "valid"));
        assert_eq!(told(State::Open(None), 16, None), pair("16", "unfinished"));
        let now = std::time::SystemTime::now();
        assert_eq!(told(State::Open(Some(now)), 16, Some(20)), pair("16 of 20", "in progress"));
    }

    #[test]
    fn a_share_is_a_hundred_only_if_all_succeeded() {
        assert_eq!(succeeded((100_000, 99_999)), "99.9 %");
        assert_eq!(succeeded((3, 3)), "100 %");
        assert_eq!(succeeded((0, 0)), "–");
    }

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let name = "/data/model/cognitivecomputations/DeepSeek-R1-awq";
        assert_eq!(shortened(name), "…omputations/DeepSeek-R1-awq");
        assert_eq!(shortened(name).chars().count(), LONGEST_MODEL);
        assert_eq!(shortened("Qwen3-32B"), "Qwen3-32B");
    }
}
