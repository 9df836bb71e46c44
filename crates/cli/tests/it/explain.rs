//! Runs explained from their logs.

use serde_json::Value;

use crate::{QUICK, Workplace, files_below, json};

/// A run of two points. Whether the client was too slow for it is not at stake here.
fn measured(place: &Workplace, outputs: &str, url: &str) {
    let ended = place.run(&format!(
        "perf --parallel 1 2 --number 4 6 --model m --url {url} --prompt hi --max-tokens 8 --sleep-interval 0 \
         --no-test-connection --outputs-dir {outputs}"
    ));
    assert!(matches!(ended.code, 0 | 3 | 4), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_run_is_explained_from_its_log_alone_whatever_became_of_it() {
    let place = Workplace::new();
    measured(&place, "outputs", &format!("{QUICK}&fault=status_503&fault_requests=2"));
    let folder = place.run_folder();
    let log = folder.join("run.jsonl");
    let mut files = Vec::new();
    files_below(&folder, &mut files);
    for file in files.iter().filter(|file| **file != log) {
        std::fs::remove_file(file).unwrap();
    }
    let ended = place.run_to(0, "explain outputs");
    for part in ["Findings", "concurrency 2", "Concurrency 2", "HTTP 503", "How far the latencies"]
    {
        assert!(ended.stdout.contains(part), "{part} is missing:\n{}", ended.stdout);
    }
    let mut left = Vec::new();
    files_below(&folder, &mut left);
    assert_eq!(left, [log]);
}

#[test]
fn as_data_an_explanation_is_the_run_s_summary() {
    let place = Workplace::new();
    measured(&place, "outputs", QUICK);
    let ended = place.run_to(0, "explain outputs --json");
    let explained: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(explained, json(&place.run_folder().join("summary.json")));
}

#[test]
fn a_run_is_held_against_a_baseline_by_its_loads() {
    let place = Workplace::new();
    measured(&place, "before", "sim://?ttft_ms=4&itl_ms=8");
    measured(&place, "after", "sim://?ttft_ms=4&itl_ms=4");
    let ended = place.run_to(0, "explain after --baseline before");
    assert!(ended.stdout.contains("Beside the baseline before/"), "{}", ended.stdout);
    let ended = place.run_to(0, "explain after --baseline before --json");
    let explained: Value = serde_json::from_str(&ended.stdout).unwrap();
    let points = explained["baseline"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    for point in points {
        let ratio = point["figures"]["tpot"]["ratio"].as_f64().unwrap();
        assert!((0.3..0.9).contains(&ratio), "{ratio}");
        assert!(point["speculation_gained"].is_null());
    }
}

#[test]
fn what_cannot_be_explained_is_refused_with_what_to_do() {
    let place = Workplace::new();
    measured(&place, "outputs", QUICK);
    let refused = |line: &str| place.run_to(2, line).stderr;
    insta::assert_snapshot!(refused("explain nowhere"), @"
    error: there is no folder nowhere
    hint: give the folder of a run, such as outputs/20260102_110437/qwen3-32b
    ");
    insta::assert_snapshot!(refused("explain outputs --baseline nowhere"), @"
    error: --baseline: there is no folder nowhere
    hint: give the folder of a run, such as outputs/20260102_110437/qwen3-32b
    ");
}

#[test]
fn a_log_of_less_than_its_first_line_is_of_a_run_that_was_killed_before_it_began() {
    let place = Workplace::new();
    measured(&place, "outputs", QUICK);
    let log = place.run_folder().join("run.jsonl");
    let whole = std::fs::read(&log).unwrap();
    for length in [0, 1, 40] {
        std::fs::write(&log, &whole[..length]).unwrap();
        for command in ["explain", "report"] {
            let ended = place.run_to(2, &format!("{command} outputs"));
            let hint =
                "hint: the run was killed before it began: there is nothing in its log to tell of";
            assert!(ended.stderr.contains(hint), "{length}: {}", ended.stderr);
        }
    }
    std::fs::write(&log, "nonsense\n").unwrap();
    let ended = place.run_to(2, "explain outputs");
    assert!(!ended.stderr.contains("killed"), "{}", ended.stderr);
}
