//! Folders of results made by hand, and what is gathered from them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A result in vLLM's form.
fn result(input: u64, output: u64, concurrency: u64, model: &str) -> Value {
    let load = concurrency as f64;
    json!({
        "date": "20260102-110437",
        "backend": "vllm",
        "label": null,
        "model_id": model,
        "tokenizer_id": model,
        "num_prompts": concurrency * 10,
        "tp": "2",
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": concurrency,
        "duration": 12.5,
        "completed": concurrency * 10,
        "failed": 0,
        "total_input_tokens": input * concurrency * 10,
        "total_output_tokens": output * concurrency * 10,
        "request_throughput": load * 0.8,
        "request_goodput": null,
        "output_throughput": load * 0.8 * output as f64,
        "total_token_throughput": load * 0.8 * (input + output) as f64,
        "ttfts": [0.1, 0.2],
        "itls": [[0.01, 0.02]],
        "errors": ["", ""],
        "mean_ttft_ms": 20.0 + load,
        "median_ttft_ms": 20.0,
        "std_ttft_ms": 2.5,
        "p90_ttft_ms": 30.0,
        "p99_ttft_ms": 41.25,
        "mean_tpot_ms": 8.0 + load / 4.0,
        "median_tpot_ms": 8.0,
        "std_tpot_ms": 0.0,
        "p99_tpot_ms": 9.5,
        "cancelled": 0,
        "not_applicable": ["std_tpot_ms"],
        "verdict": {"kind": "valid", "valid": true, "reasons": [], "doubt": null},
        "http_status": {"200": concurrency * 10},
        "tokometer_version": "0.1.0",
    })
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `m_20260102_110437` with four combinations, one of them in a model's name that a spreadsheet would run.
fn folder() -> (TempDir, std::path::PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("m_20260102_110437");
    for (input, output, concurrency) in [(1024, 64, 4), (512, 64, 16), (512, 64, 4), (512, 64, 1)] {
        let name = format!("bench_io{input}x{output}_mc{concurrency}_np{}.json", concurrency * 10);
        put(&folder, &name, &result(input, output, concurrency, "=m").to_string());
    }
    (place, folder)
}

fn labels(table: &Table) -> Vec<String> {
    table.cases().unwrap().iter().map(Case::label).collect()
}

#[test]
fn the_table_of_a_folder() {
    let (_place, folder) = folder();
    let (table, skipped) = read_results(&folder).unwrap();
    assert_eq!(skipped, []);
    insta::assert_snapshot!("aggregate_csv", table.to_csv().trim_start_matches('\u{feff}'));
    let json = table.to_json();
    assert_eq!(json[0]["std_tpot_ms"], Value::Null, "what does not apply is no 0");
    assert_eq!(json[0]["input_len"], 512);
    assert_eq!(Table::from_csv(&table.to_csv()).unwrap().table, table);
}

#[test]
fn results_stand_by_number_and_never_by_name() {
    let (_place, folder) = folder();
    let (table, _) = read_results(&folder).unwrap();
    assert_eq!(labels(&table), ["512x64_mc1", "512x64_mc4", "512x64_mc16", "1024x64_mc4"]);
}

#[test]
fn what_cannot_be_read_is_named_and_makes_no_row() {
    let (_place, folder) = folder();
    let whole = result(512, 64, 64, "m").to_string();
    put(&folder, "bench_io512x64_mc64_np640.json", &whole[..whole.len() / 2]);
    put(&folder, "package.json", "{\"name\": \"x\"}");
    put(&folder, "empty.json", "");
    put(&folder, "aggregate_results_20260102.json", "[]");
    put(&folder, "bench_io512x64_mc4_np40.pytorch.json", "[]");
    put(&folder, "notes.txt", "no result");
    let (table, skipped) = read_results(&folder).unwrap();
    assert_eq!(table.rows.len(), 4);
    let told: Vec<String> = skipped
        .iter()
        .map(|passed| format!("{}: {}", passed.path.file_name().unwrap().display(), passed.why))
        .collect();
    assert_eq!(
        told,
        [
            format!(
                "bench_io512x64_mc64_np640.json: it ends in the middle, at line 1, column {}: cut off, or still being written",
                whole.len() / 2
            ),
            "empty.json: there is no result in it".to_owned(),
            "package.json: not the result of a benchmark: it has no number at \"completed\""
                .to_owned(),
        ]
    );
}

#[test]
fn a_combination_of_a_batch_that_failed_or_was_not_run_is_named() {
    let (_place, folder) = folder();
    put(
        &folder,
        "batch.yaml",
        "model: m\nbase_url: http://h\ninput_output: [[512, 64], [1024, 64]]\nconcurrency_prompts: [[1, 10], [4, 40], [16, 160]]\n",
    );
    put(&folder, "bench_io1024x64_mc16_np160.error.txt", "the server answered 500\nmore\n");
    // What failed once and has its result since is no failure.
    put(&folder, "bench_io1024x64_mc4_np40.error.txt", "gone");
    // The logs that the results were made of are no further results.
    put(&folder, "runs/bench_io512x64_mc1_np10/run.jsonl", "{}");
    put(&folder, "earlier/x-1/result.json", &result(1, 1, 1, "m").to_string());
    let (table, skipped) = read_results(&folder).unwrap();
    assert_eq!(table.rows.len(), 4);
    let told: Vec<&str> = skipped.iter().map(|passed| passed.why.as_str()).collect();
    assert_eq!(
        told,
        [
            "the combination failed and has no result: the server answered 500",
            "1 of its 6 combinations have no result yet",
        ]
    );
    let entry = entry(&folder).unwrap().unwrap();
    assert_eq!((entry.kind, entry.points.len(), entry.ours), (Kind::Batch, 4, true));
    assert!(matches!(entry.state, State::Open(_)), "{:?}", entry.state);
    assert_eq!((entry.planned, entry.missing(), entry.not_run.len()), (Some(6), 2, 0));
    assert_eq!(history(folder.parent().unwrap()).unwrap().len(), 1);
}

#[test]
fn a_batch_that_ended_itself_is_known_to_have_ended_and_names_what_was_not_run() {
    let (_place, folder) = folder();
    put(
        &folder,
        "batch.yaml",
        "input_output: [[512, 64]]\nconcurrency_prompts: [[1, 10], [4, 40], [16, 160], [64, 640], [65, 650]]\n",
    );
    put(&folder, "runs/bench_io512x64_mc64_np640/run.jsonl", "{}\n");
    let status = |state: &str| {
        let names =
            "[bench_io512x64_mc4_np40, bench_io512x64_mc64_np640, bench_io512x64_mc65_np650]";
        put(&folder, "status.yaml", &format!("state: {state}\ncombinations: {names}\n"));
        entry(&folder).unwrap().unwrap()
    };
    assert!(matches!(status("running").state, State::Open(Some(_))));
    let entry = status("interrupted");
    assert_eq!(entry.state, State::Open(None));
    assert_eq!(entry.not_run, ["bench_io512x64_mc64_np640", "bench_io512x64_mc65_np650"]);
}

#[test]
fn a_log_that_ends_with_its_end_is_of_a_run_that_ended() {
    let place = tempfile::tempdir().unwrap();
    let log = |end: &str| {
        let header =
            serde_json::to_string(&tokometer_record::Line::Header(Default::default())).unwrap();
        put(place.path(), "run.jsonl", &format!("{header}\n{}{end}", " \n".repeat(600)));
        kept::has_ended(place.path())
    };
    let end = "{\"end\":{\"at\":5,\"complete\":false}}";
    assert!(log(&format!("{end}\n")) && log(end));
    assert!(!log("") && !log(&end[..20]) && !log(&format!("{end}\n{{\"end")));
}

#[test]
fn evalscope_s_own_points_become_rows_under_vllm_s_keys() {
    let place = tempfile::tempdir().unwrap();
    for (parallel, ttft) in [(16, 40.5), (4, -1.0)] {
        let summary = json!({
            "Test Duration (s)": 2.0, "Concurrency": parallel, "Request Rate (req/s)": -1.0, "Total Requests": 10,
            "Success Requests": 10, "Failed Requests": 0, "Req Throughput (req/s)": 5.0, "Avg Latency (s)": 0.5,
            "Output Throughput (tok/s)": 80.0, "Avg TTFT (ms)": ttft, "Avg Input Tokens": 128.0, "Avg Output Tokens": 16.0,
        });
        let at = format!("20260102_110437/qwen/parallel_{parallel}_number_10");
        put(place.path(), &format!("{at}/benchmark_summary.json"), &summary.to_string());
        put(
            place.path(),
            &format!("{at}/benchmark_percentile.json"),
            &json!([{"Percentiles": "99%", "TTFT (ms)": 50.0, "Latency (s)": 0.75}]).to_string(),
        );
        put(
            place.path(),
            &format!("{at}/benchmark_args.json"),
            "{\"model\": \"qwen\", \"api\": \"openai\"}",
        );
    }
    let (table, skipped) = read_results(&place.path().join("20260102_110437")).unwrap();
    assert_eq!(skipped, []);
    assert_eq!(labels(&table), ["128x16_mc4", "128x16_mc16"]);
    let records = table.records();
    assert_eq!(records[0].get("mean_ttft_ms"), None, "-1 stands for nothing");
    assert_eq!(records[1]["mean_ttft_ms"], json!(40.5));
    assert_eq!(records[1]["p99_e2el_ms"], json!(750.0));
    assert_eq!(records[1]["result_dir"], json!("20260102_110437/qwen"));
}

#[test]
fn a_folder_without_results_is_an_empty_table_and_one_that_is_not_there_an_error() {
    let place = tempfile::tempdir().unwrap();
    let (table, skipped) = read_results(place.path()).unwrap();
    assert_eq!((table.rows.len(), skipped.len()), (0, 0));
    assert!(read_results(&place.path().join("none")).is_err());
}

#[test]
fn the_report_names_the_best_and_then_each_by_number() {
    let (_place, folder) = folder();
    let (table, _) = read_results(&folder).unwrap();
    insta::assert_snapshot!(
        "performance_report",
        report::text(&table.cases().unwrap(), "2026-01-02 11:30:00")
    );
}

#[test]
fn a_client_limited_configuration_is_never_the_best() {
    let (_place, folder) = folder();
    let mut cases = read_results(&folder).unwrap().0.cases().unwrap();
    for case in &mut cases {
        case.client_limited = case.concurrency == Some(16.0);
    }
    let text = report::text(&cases, "now");
    let best = text.lines().find(|line| line.starts_with("Highest Throughput")).unwrap();
    assert_eq!(
        best,
        "Highest Throughput: 1024x64_mc4 (3481.6 total tokens/s, prompts included); 512x64_mc16 (7372.8 total tokens/s, prompts included) is not \
         counted, for the client was its limit"
    );
    cases.iter_mut().for_each(|case| case.client_limited = true);
    assert!(
        report::text(&cases, "now").contains("Lowest TTFT: not told: the client was the limit")
    );
}

#[test]
fn a_figure_that_was_not_measured_is_said_to_be_none() {
    let mut case = Case { concurrency: Some(4.0), ..Case::default() };
    case.figures.insert("completed".to_owned(), 3.0);
    case.figures.insert("failed".to_owned(), 1.0);
    let text = report::text(&[case], "now");
    assert!(text.contains("  TTFT: not measured\n"), "{text}");
    assert!(text.contains("  Requests: 3 completed, 1 failed\n"), "{text}");
    assert!(report::text(&[], "now").contains("Highest Throughput: not measured"));
}

#[test]
fn a_configuration_of_which_many_failed_is_best_only_where_that_is_said() {
    let (_place, folder) = folder();
    let mut cases = read_results(&folder).unwrap().0.cases().unwrap();
    let fails = |case: &mut Case| {
        case.figures.insert("completed".to_owned(), 1.0);
        case.figures.insert("failed".to_owned(), 19.0);
    };
    let line = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Highest Generation Throughput"));
        line.unwrap().to_owned()
    };
    let best = |cases: &[Case]| line(&report::text(cases, "now"));
    let fastest = |a: &&mut Case, b: &&mut Case| {
        let of = |case: &Case| case.figure("output_throughput").unwrap_or(0.0);
        of(a).total_cmp(&of(b))
    };
    let before = best(&cases);
    fails(cases.iter_mut().max_by(fastest).unwrap());
    let after = best(&cases);
    assert_ne!(before, after);
    assert!(after.ends_with("is not counted, for 95.0 % of its requests failed"), "{after}");
    cases.iter_mut().for_each(fails);
    assert!(best(&cases).ends_with(", though 95.0 % of its requests failed"));
}
