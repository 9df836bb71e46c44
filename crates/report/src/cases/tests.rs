//! Cases of points, of results of both forms, and of rows.

use serde_json::json;
use tokometer_metrics::Run;
use tokometer_metrics::summary::summarize;
use tokometer_record::{Failure, FailureKind, Outcome as Ended, PointLog};

use super::*;
use crate::charts::testing::log;

fn result(value: Value, source: &str) -> Case {
    Case::of_result(&Outcome::of(value, source).unwrap())
}

fn load(case: &Case) -> [Option<f64>; 5] {
    [case.input_len, case.output_len, case.concurrency, case.rate, case.requests]
}

fn header() -> Header {
    Header {
        model: "m".into(),
        plan: "prompts:\n  dataset: random\n  args:\n    input_len: 512\n    output_len: 64\n"
            .into(),
        arguments: json!({
            "metadata": [["tp", "2"], ["price_per_hour", "3.2"], ["currency", "EUR"]],
            "goodput": [["ttft", 100.0]],
        }),
        ..Header::default()
    }
}

#[test]
fn a_point_is_put_under_vllm_s_keys_in_milliseconds() {
    let log = log(20);
    let case = Case::of_point(&header(), &summarize(&log));
    assert_eq!(load(&case), [Some(512.0), Some(64.0), Some(4.0), None, Some(20.0)]);
    assert_eq!((case.gpus, case.price.clone()), (Some(2.0), Some((3.2, "EUR".to_owned()))));
    assert_eq!(case.figure("mean_tpot_ms").map(f64::round), Some(10.0));
    assert_eq!(case.figure("completed"), Some(20.0));
    assert_eq!(case.figure("success_rate"), Some(100.0));
    assert_eq!(case.figure("server_kv_cache_usage_max"), None);
    assert!(!case.client_limited);
}

#[test]
fn a_point_without_a_plan_has_the_lengths_that_were_measured() {
    let log = log(20);
    let case = Case::of_point(&Header::default(), &summarize(&log));
    assert_eq!((case.input_len, case.output_len), (Some(10.0), Some(5.0)));
    assert_eq!((case.gpus, case.price), (None, None));
}

fn planned(plan: &str) -> Case {
    let header = Header { plan: plan.into(), dataset: "random".into(), ..header() };
    Case::of_point(&header, &summarize(&log(20)))
}

#[test]
fn lengths_that_are_drawn_are_called_by_their_range_and_not_by_what_came_of_them() {
    let case = planned(
        "prompts:\n  dataset: random\n  min_length: 100\n  max_length: 300\ngeneration:\n  max_tokens: [20, 60]\n",
    );
    assert_eq!(case.label(), "100–300x20–60_mc4");
    assert_eq!((case.input_len, case.output_len), (Some(200.0), Some(5.0)));
    assert_eq!(case.beside_asked(), [Some(10.0), Some(5.0)]);
    let ratio = planned(
        "prompts:\n  dataset: random\n  args:\n    input_len: 10\n    output_len: 5\n    range_ratio: {input: 0.5, output: 0}\n",
    );
    assert_eq!(ratio.label(), "5–15x5_mc4");
    assert_eq!(ratio.beside_asked(), [None, None]);
}

#[test]
fn prompts_of_a_dataset_are_called_by_its_name() {
    let plan = "prompts:\n  dataset: openqa\n  min_length: 0\n  max_length: 131072\n";
    let case = planned(&format!("{plan}generation:\n  max_tokens: 128\n"));
    assert_eq!(case.label(), "openqa x128_mc4");
    assert_eq!((case.input_len, case.output_len), (Some(10.0), Some(5.0)));
    assert_eq!(planned(plan).label(), "openqa_mc4");
    let other = Header { dataset: "sharegpt".into(), ..Header::default() };
    assert_eq!(Case::of_point(&other, &summarize(&log(20))).label(), "sharegpt_mc4");
}

#[test]
fn outputs_that_may_end_early_are_called_by_their_limit_and_counted_as_they_were() {
    let plan = "prompts:\n  dataset: random\n  min_length: 10\n  max_length: 10\ngeneration:\n  max_tokens: 60\n";
    let case = planned(plan);
    assert_eq!((case.label(), case.output_len), ("10x60_mc4".to_owned(), Some(5.0)));
    assert_eq!(case.beside_asked(), [None, Some(5.0)]);
    let least = planned(&format!("{plan}  min_tokens: 20\n"));
    assert_eq!((least.label(), least.output_len), ("10x20–60_mc4".to_owned(), Some(5.0)));
    let exact = planned(&format!("{plan}  min_tokens: 60\n"));
    assert_eq!((exact.label(), exact.output_len), ("10x60_mc4".to_owned(), Some(60.0)));
    let silent = planned(&format!("target:\n  api: openai-embeddings\n{plan}"));
    assert_eq!(silent.asked.output, None);
}

#[test]
fn a_point_of_which_nothing_succeeded_has_no_latency_and_no_zero_for_it() {
    let mut log: PointLog = log(3);
    for record in &mut log.records {
        record.outcome = Ended::Failed(Failure::new(FailureKind::Reset, "gone"));
    }
    let case = Case::of_point(&header(), &summarize(&log));
    assert_eq!(case.figures.keys().filter(|key| key.ends_with("_ms")).count(), 0);
    assert_eq!((case.figure("completed"), case.figure("failed")), (Some(0.0), Some(3.0)));
    assert_eq!(case.figure("error_kinds.connection reset"), Some(3.0));
    assert_eq!(case.failed_share(), Some(1.0));
}

#[test]
fn attainment_is_that_of_the_objectives_that_were_set() {
    let log = log(20);
    let summary = summarize(&log);
    let attained = attainment(&header(), &log.point, &Run::of(&log)).unwrap();
    let case = Case::of_point(&header(), &summary).with_attainment(&attained);
    assert_eq!(case.figure("slo_attainment"), Some(1.0));
    assert!(case.figure("request_goodput").is_some());
    assert!(attainment(&Header::default(), &log.point, &Run::of(&log)).is_none());
}

#[test]
fn a_result_of_vllm_takes_its_lengths_from_the_name_of_its_file() {
    let value = json!({
        "completed": 40, "duration": 2.0, "total_input_tokens": 20_000, "num_prompts": 40, "model_id": "a/b",
        "max_concurrency": 4, "request_rate": "inf", "mean_ttft_ms": 12.5, "p99_ttft_ms": 20.0, "ttfts": [0.1],
    });
    let case = result(value, "bench_io512x64_mc4_np40.json");
    assert_eq!(load(&case), [Some(512.0), Some(64.0), Some(4.0), None, Some(40.0)]);
    assert_eq!(case.label(), "512x64_mc4");
    assert_eq!((case.figure("p99_ttft_ms"), case.figure("mean_tpot_ms")), (Some(20.0), None));
}

#[test]
fn a_result_without_told_lengths_has_the_means_of_what_it_completed() {
    let value = json!({"completed": 4, "duration": 2.0, "total_input_tokens": 42, "total_output_tokens": 8, "request_rate": 3.5});
    let case = result(value, "openai-inf.json");
    assert_eq!(load(&case), [Some(10.5), Some(2.0), None, Some(3.5), None]);
}

#[test]
fn zeros_that_stand_for_nothing_are_nothing() {
    let ours = json!({"completed": 0, "failed": 4, "duration": 0.0, "mean_ttft_ms": 0.0, "not_applicable": ["duration", "mean_ttft_ms"]});
    let case = result(ours, "a");
    assert_eq!((case.figure("duration"), case.figure("mean_ttft_ms")), (None, None));
    let theirs = json!({"completed": 4, "duration": 1.0, "mean_tpot_ms": 0.0, "std_tpot_ms": 0.0, "mean_ttft_ms": 3.0, "std_ttft_ms": 0.0});
    let case = result(theirs, "a");
    assert_eq!((case.figure("std_tpot_ms"), case.figure("std_ttft_ms")), (None, Some(0.0)));
}

#[test]
fn what_stands_deeper_in_a_result_is_found_in_an_object_and_in_a_row() {
    let value = json!({
        "completed": 3, "failed": 1, "duration": 2.0,
        "slo_attainment": {"share": 0.5}, "verdict": {"kind": "client_limited"},
        "server_side": {"levels": {"kv_usage": {"max": 0.9}}}, "error_kinds": {"HTTP 503": 1},
        "tp": "2", "price_per_hour": "4",
    });
    let case = result(value, "a");
    let row = json!({
        "completed": 3, "failed": 1, "duration": 2.0, "slo_attainment.share": 0.5, "verdict.kind": "client_limited",
        "server_side_levels_kv_usage_max": 0.9, "error_kinds.HTTP 503": 1, "tp": 2, "price_per_hour": 4,
    });
    let row = Case::of_row(row.as_object().unwrap()).unwrap();
    for case in [&case, &row] {
        assert!(case.client_limited);
        assert_eq!(case.figure("slo_attainment"), Some(0.5));
        assert_eq!(case.figure("server_kv_cache_usage_max"), Some(0.9));
        assert_eq!(case.figure("error_kinds.HTTP 503"), Some(1.0));
        assert_eq!(case.figure("success_rate"), Some(75.0));
        assert_eq!((case.gpus, case.price.clone()), (Some(2.0), Some((4.0, String::new()))));
    }
}

#[test]
fn goodput_tells_the_share_that_kept_to_its_objectives() {
    let value = json!({"completed": 8, "failed": 2, "duration": 4.0, "request_goodput": 1.5});
    assert_eq!(result(value, "a").figure("slo_attainment"), Some(0.6));
    let none = json!({"completed": 8, "failed": 2, "duration": 4.0, "request_goodput": null});
    assert_eq!(result(none, "a").figure("slo_attainment"), None);
}

#[test]
fn a_row_without_a_result_says_why_it_is_none() {
    let refused = |row: Value| Case::of_row(row.as_object().unwrap()).unwrap_err();
    assert_eq!(refused(json!({"completed": "abc"})), "completed is \"abc\", and no number");
    assert_eq!(
        refused(json!({"completed": 3, "duration": "x"})),
        "duration is \"x\", and no number"
    );
    assert_eq!(refused(json!({"filename": "a.json"})), "nothing stands under completed");
}

#[test]
fn evalscope_s_figures_come_under_vllm_s_keys_and_its_percentiles_with_them() {
    let summary = json!({
        "Test Duration (s)": 2.0, "Concurrency": 4, "Request Rate (req/s)": -1.0, "Total Requests": 20, "Success Requests": 10,
        "Failed Requests": 10, "Avg Latency (s)": 0.5, "Avg TTFT (ms)": 30.0, "Avg TPOT (ms)": -1.0, "Avg Input Tokens": 380.5,
        "Avg Output Tokens": 64.0, "Output Throughput (tok/s)": 320.0, "Verdict": "client_limited",
    });
    let percentiles = json!([
        {"Percentiles": "50%", "TTFT (ms)": 29.0, "Latency (s)": 0.4},
        {"Percentiles": "99%", "TTFT (ms)": 60.0, "Latency (s)": 0.9},
        {"Percentiles": "max", "TTFT (ms)": 99.0},
    ]);
    let arguments = json!({"model": "m", "dataset": "random", "min_prompt_length": 256, "max_prompt_length": 512, "min_tokens": 64, "max_tokens": 64});
    let case =
        Case::of_evalscope(&summary, Some(&percentiles), Some(&arguments), "parallel_4_number_20")
            .unwrap();
    assert_eq!(load(&case), [Some(384.0), Some(64.0), Some(4.0), None, Some(20.0)]);
    assert!(case.client_limited);
    let shown =
        ["mean_e2el_ms", "mean_tpot_ms", "median_ttft_ms", "p99_e2el_ms", "total_output_tokens"]
            .map(|key| case.figure(key));
    assert_eq!(shown, [Some(500.0), None, Some(29.0), Some(900.0), Some(640.0)]);
    let refused = Case::of_evalscope(&json!({"a": 1}), None, None, "x").unwrap_err();
    assert!(refused.to_string().starts_with("x: no summary of EvalScope"), "{refused}");
}

#[test]
fn an_older_evalscope_s_seconds_are_seconds() {
    let summary = json!({
        "Time taken for tests (s)": 2.0, "Number of concurrency": 4, "Succeed requests": 10, "Failed requests": 0,
        "Average time to first token (s)": 0.03,
    });
    let case = Case::of_evalscope(&summary, None, None, "x").unwrap();
    assert_eq!((case.figure("mean_ttft_ms"), case.concurrency), (Some(30.0), Some(4.0)));
}

#[test]
fn cases_are_sorted_by_number_and_never_by_name() {
    let case = |input: f64, concurrency: f64| Case {
        input_len: Some(input),
        output_len: Some(1.0),
        concurrency: Some(concurrency),
        ..Case::default()
    };
    let cases = [
        case(1024.0, 4.0),
        case(512.0, 16.0),
        case(512.0, 4.0),
        Case::default(),
        case(512.0, 128.0),
    ];
    let labels: Vec<String> = sorted(&cases).iter().map(|case| case.label()).collect();
    assert_eq!(labels, ["512x1_mc4", "512x1_mc16", "512x1_mc128", "1024x1_mc4", "?x?_all at once"]);
}

#[test]
fn measured_lengths_that_scatter_do_not_put_loads_out_of_order() {
    let case = |input: f64, concurrency: f64| Case {
        input_len: Some(input),
        output_len: Some(64.0),
        concurrency: Some(concurrency),
        ..Case::default()
    };
    let cases = [case(380.6, 16.0), case(391.2, 4.0), case(398.4, 1.0), case(512.0, 1.0)];
    let loads: Vec<String> = sorted(&cases).iter().map(|case| case.load()).collect();
    assert_eq!(loads, ["mc1", "mc4", "mc16", "mc1"]);
    assert_eq!(by_lengths(&cases).len(), 2);
    // What was asked for is told apart exactly.
    assert!(!case(512.0, 1.0).has_lengths_of(&case(520.0, 1.0)));
}

#[test]
fn files_of_both_forms_are_read_and_others_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = write("bench_io8x4_mc2_np3.json", r#"{"completed": 3, "duration": 1.0}"#);
    assert_eq!(read(&ours).unwrap()[0].label(), "8x4_mc2");
    let theirs = write(
        "benchmark_summary.json",
        r#"{"Test Duration (s)": 1.0, "Success Requests": 3, "Concurrency": 2}"#,
    );
    assert_eq!(read(&theirs).unwrap()[0].concurrency, Some(2.0));
    let cut = write("cut.json", "{\"completed\": 3,\n \"dura");
    assert!(read(&cut).unwrap_err().to_string().contains("cut.json, line 2: not JSON"));
    write("benchmark_percentile.json", "[");
    assert!(
        read(&theirs)
            .unwrap_err()
            .to_string()
            .contains("benchmark_percentile.json, line 1: not JSON")
    );
}
