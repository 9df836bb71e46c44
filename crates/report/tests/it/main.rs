//! Reports of runs made by hand, as a user sees them.

#![expect(clippy::unwrap_used, reason = "a test that cannot have its own files is to fail")]

mod heard;
mod runs;
mod vllm;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tokometer_metrics::summary::{PointSummary, summarize};
use tokometer_record::RunLog;
use tokometer_report::dialect::evalscope;
use tokometer_report::{Style, rebuild};
use unicode_width::UnicodeWidthStr;

fn summaries(log: &RunLog) -> Vec<PointSummary> {
    log.points.iter().map(summarize).collect()
}

fn run_text(log: &RunLog) -> String {
    let folder = "outputs/20260102_110437/qwen3-32b";
    evalscope::run_text(&log.header, &summaries(log), folder, Style::Plain)
}

fn point_text(log: &RunLog, point: usize) -> String {
    evalscope::point_text(&log.header, &summaries(log)[point], Style::Plain)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn every_run() -> [RunLog; 11] {
    [
        runs::good(),
        runs::mystery(),
        runs::open_loop(),
        runs::served_rates(),
        runs::overrun_rate(),
        runs::rate_under_a_cap(),
        runs::whole_bodies(),
        runs::cut_short(),
        runs::interrupted(),
        runs::killed(),
        runs::oddities(),
    ]
}

#[test]
fn a_good_sweep() {
    let log = runs::good();
    insta::assert_snapshot!("good_point", point_text(&log, 0));
    insta::assert_snapshot!("good_point_of_many", point_text(&log, 1));
    insta::assert_snapshot!("good_run", run_text(&log));
}

#[test]
fn a_success_rate_of_a_quarter_says_why() {
    let log = runs::mystery();
    insta::assert_snapshot!("mystery_point", point_text(&log, 3));
    insta::assert_snapshot!("mystery_run", run_text(&log));
}

#[test]
fn an_open_loop_counts_from_the_schedule() {
    let log = runs::open_loop();
    insta::assert_snapshot!("open_point", point_text(&log, 1));
    insta::assert_snapshot!("open_run", run_text(&log));
}

#[test]
fn a_rate_that_was_simply_served_is_no_throughput_to_boast_of() {
    let text = run_text(&runs::served_rates());
    let best = text.split("Best Performance").nth(1).unwrap();
    insta::assert_snapshot!("served_rates_best", best);
    let text = run_text(&runs::overrun_rate());
    let best = text.split("Best Performance").nth(1).unwrap();
    insta::assert_snapshot!("overrun_rate_best", best);
}

#[test]
fn a_rate_under_a_cap_shows_both() {
    let log = runs::rate_under_a_cap();
    insta::assert_snapshot!("rate_under_a_cap_point", point_text(&log, 0));
    insta::assert_snapshot!("rate_under_a_cap_run", run_text(&log));
}

#[test]
fn without_streaming_there_is_no_first_token() {
    let log = runs::whole_bodies();
    insta::assert_snapshot!("whole_bodies_point", point_text(&log, 0));
    insta::assert_snapshot!("whole_bodies_run", run_text(&log));
}

#[test]
fn a_run_that_was_cut_short_is_told_all_the_same() {
    let log = runs::cut_short();
    insta::assert_snapshot!("cut_short_refused", point_text(&log, 0));
    insta::assert_snapshot!("cut_short_killed", point_text(&log, 1));
    insta::assert_snapshot!("cut_short_empty", point_text(&log, 2));
    insta::assert_snapshot!("cut_short_run", run_text(&log));
}

#[test]
fn what_the_user_cancelled_is_told_apart_and_blamed_on_nobody() {
    insta::assert_snapshot!("interrupted_point", point_text(&runs::interrupted(), 0));
    insta::assert_snapshot!("interrupted_run", run_text(&runs::interrupted()));
}

#[test]
fn a_killed_run_is_called_valid_only_by_evidence() {
    let log = runs::killed();
    insta::assert_snapshot!("killed_point", point_text(&log, 1));
    insta::assert_snapshot!("killed_run", run_text(&log));
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &log, Style::Plain).unwrap();
    let summary = read(&folder.path().join("summary.json"));
    let kinds: Vec<&Value> = summary["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| &point["verdict"]["kind"])
        .collect();
    assert_eq!(kinds, ["valid", "not_judged", "not_judged"]);
    assert_eq!((&summary["valid"], &summary["complete"]), (&false.into(), &false.into()));
    let point = read(&folder.path().join("parallel_8_number_80/benchmark_summary.json"));
    assert_eq!(point["Verdict"], "not_judged");
}

#[test]
fn points_of_the_plan_that_are_missing_are_told_in_the_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = rebuild(folder.path(), &runs::interrupted(), Style::Plain).unwrap().text;
    let saved = fs::read_to_string(folder.path().join("performance_summary.txt")).unwrap();
    let told = "The run did not come to its end. Missing here: 2 of the 3 points of its plan.\n";
    assert!(text.ends_with(told), "{text}");
    assert!(saved.ends_with(told), "{saved}");
    let summary = read(&folder.path().join("summary.json"));
    assert_eq!((&summary["points_planned"], &summary["complete"]), (&3.into(), &false.into()));
}

#[test]
fn nothing_that_misleads_goes_unsaid() {
    insta::assert_snapshot!("oddities_point", point_text(&runs::oddities(), 0));
    insta::assert_snapshot!("oddities_run", run_text(&runs::oddities()));
}

#[test]
fn a_run_without_points_is_no_error() {
    let log = runs::run(Vec::new());
    insta::assert_snapshot!("no_points", run_text(&log));
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &log, Style::Plain).unwrap();
}

#[test]
fn evalscope_s_files_have_its_keys_and_ours_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &runs::mystery(), Style::Plain).unwrap();
    let point = folder.path().join("parallel_10_number_20");
    let file = |name: &str| fs::read_to_string(point.join(name)).unwrap();
    insta::assert_snapshot!("benchmark_args", file("benchmark_args.json"));
    insta::assert_snapshot!("benchmark_summary", file("benchmark_summary.json"));
    insta::assert_snapshot!("benchmark_percentile", file("benchmark_percentile.json"));
    insta::assert_snapshot!("workload_throughput", file("workload_throughput.json"));
    insta::assert_snapshot!("workload_timeline", file("workload_timeline.json"));
}

#[test]
fn what_does_not_apply_is_minus_one_and_named() {
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &runs::whole_bodies(), Style::Plain).unwrap();
    let summary = read(&folder.path().join("parallel_2_number_6/benchmark_summary.json"));
    for key in ["Avg TTFT (ms)", "Avg TPOT (ms)", "Avg ITL (ms)"] {
        assert_eq!(summary[key], -1.0, "{key}");
        assert!(summary["Not Applicable Metrics"].as_array().unwrap().contains(&key.into()));
    }
    let percentiles = read(&folder.path().join("parallel_2_number_6/benchmark_percentile.json"));
    assert_eq!(percentiles[0].get("TTFT (ms)"), None);
    assert_eq!(percentiles[0]["Latency (s)"], 0.9);
}

#[test]
fn the_machine_readable_summary_has_every_figure() {
    let folder = tempfile::tempdir().unwrap();
    rebuild(folder.path(), &runs::open_loop(), Style::Plain).unwrap();
    let summary = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    insta::assert_snapshot!("summary_json", summary);
}

#[test]
fn every_file_is_json_and_every_line_fits() {
    for log in every_run() {
        let folder = tempfile::tempdir().unwrap();
        let text = rebuild(folder.path(), &log, Style::Plain).unwrap().text;
        for line in text.lines() {
            assert!(line.width() <= 120, "{} columns: {line}", line.width());
        }
        let mut files = 0;
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                for file in fs::read_dir(&path).unwrap() {
                    read(&file.unwrap().path());
                    files += 1;
                }
            }
        }
        assert_eq!(files, 5 * log.points.len());
        read(&folder.path().join("summary.json"));
        assert!(folder.path().join("performance_summary.txt").is_file());
    }
}

#[test]
fn colour_says_nothing_that_characters_do_not() {
    for log in every_run() {
        let folder = tempfile::tempdir().unwrap();
        let plain = rebuild(folder.path(), &log, Style::Plain).unwrap().text;
        let mut coloured = rebuild(folder.path(), &log, Style::Colour).unwrap().text;
        for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
            coloured = coloured.replace(code, "");
        }
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&coloured), words(&plain));
        let saved = fs::read_to_string(folder.path().join("performance_summary.txt")).unwrap();
        assert!(!saved.contains('\u{1b}'));
    }
}

#[test]
fn a_point_cannot_be_written_outside_its_run() {
    for name in ["../elsewhere", "/elsewhere", "a/b", "..", ""] {
        let mut log = runs::good();
        log.points[0].point.name = name.into();
        let folder = tempfile::tempdir().unwrap();
        let error = rebuild(folder.path(), &log, Style::Plain).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{name:?}");
    }
}

#[test]
fn an_unknown_dialect_is_named() {
    let mut log = runs::good();
    log.header.dialect = "klingon".into();
    let folder = tempfile::tempdir().unwrap();
    let error = rebuild(folder.path(), &log, Style::Plain).unwrap_err();
    insta::assert_snapshot!(error, @r#"the run asks for reports in the dialect "klingon", but only these are known: evalscope, vllm"#);
}
