//! Comparisons of results, vLLM's own among them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Workplace, json as read_json};

/// A result that vLLM 0.32.0 wrote with `--save-detailed`, its texts left out.
fn of_vllm() -> Value {
    read_json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/testdata/vllm-bench.json"))
}

/// The same server with its first tokens so many times later.
fn slower(mut result: Value, factor: f64) -> Value {
    let scaled = |value: &Value| json!(value.as_f64().unwrap() * factor);
    let ttfts: Vec<Value> = result["ttfts"].as_array().unwrap().iter().map(scaled).collect();
    result["ttfts"] = json!(ttfts);
    for key in ["mean_ttft_ms", "median_ttft_ms", "std_ttft_ms", "p99_ttft_ms"] {
        result[key] = scaled(&result[key]);
    }
    result
}

fn place(results: &[(&str, Value)]) -> Workplace {
    let place = Workplace::new();
    for (name, result) in results {
        fs::create_dir_all(place.path().join(name).parent().unwrap()).unwrap();
        place.write(name, &result.to_string());
    }
    place
}

fn verdict<'a>(comparison: &'a Value, figure: &str) -> &'a str {
    let rows = comparison["figures"].as_array().unwrap();
    let row = rows.iter().find(|row| row["figure"] == figure).unwrap();
    row["verdict"].as_str().unwrap()
}

#[test]
fn one_run_of_vllm_s_against_another_is_compared_by_its_requests() {
    let place = place(&[("a.json", of_vllm()), ("b.json", slower(of_vllm(), 1.5))]);
    let comparison: Value =
        serde_json::from_str(&place.run_to(0, "bench compare a.json b.json --json").stdout)
            .unwrap();
    assert_eq!(verdict(&comparison, "mean_ttft_ms"), "worse");
    assert_eq!(verdict(&comparison, "mean_itl_ms"), "no difference shown");
    assert_eq!(verdict(&comparison, "request_throughput"), "no difference shown");
    let row = comparison["figures"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["figure"] == "mean_ttft_ms")
        .unwrap();
    assert_eq!(row["basis"], "requests");
    // The mean of 64 requests with a deviation of 250 ms, and of 375 ms: 251.6 ± 1.96 · √(250² + 375²) / 8.
    let (low, high) = (row["ci95"][0].as_f64().unwrap(), row["ci95"][1].as_f64().unwrap());
    assert!((low - 141.0).abs() < 15.0 && (high - 362.0).abs() < 15.0, "{low} {high}");
    let text = place.run_to(0, "bench compare a.json b.json").stdout;
    assert!(
        text.contains("! one run each")
            && text.contains("▼ worse")
            && text.contains("by a bootstrap over the requests"),
        "{text}"
    );
    // 64 requests have no P99 to speak of.
    assert_eq!(verdict(&comparison, "p99_ttft_ms"), "cannot tell");
    assert!(text.contains("† cannot tell: too few requests for a P99."), "{text}");
}

#[test]
fn without_requests_and_without_runs_there_is_no_confidence() {
    let mut bare = of_vllm();
    for key in ["ttfts", "itls", "latencies", "errors", "input_lens", "output_lens"] {
        bare.as_object_mut().unwrap().remove(key);
    }
    let place = place(&[("a.json", bare.clone()), ("b.json", slower(bare_with_ttfts(bare), 2.0))]);
    let ended = place.run_to(0, "bench compare a.json b.json --fail-on-regression 1");
    assert!(
        ended.stdout.contains("no confidence: one run each")
            && ended.stdout.contains("cannot tell"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("nothing can be called a regression"), "{}", ended.stderr);
}

fn bare_with_ttfts(mut bare: Value) -> Value {
    bare["ttfts"] = json!([]);
    bare
}

#[test]
fn several_runs_a_side_are_compared_by_runs_and_a_regression_ends_with_1() {
    let runs = |folder: &str, factor: f64| -> Vec<(String, Value)> {
        let run = |number: u32| {
            (
                format!("{folder}/run={number}.json"),
                slower(of_vllm(), factor + f64::from(number) / 100.0),
            )
        };
        (0..3).map(run).collect()
    };
    let all = [runs("before", 1.0), runs("after", 1.4)].concat();
    let all: Vec<(&str, Value)> =
        all.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let place = place(&all);
    place.write("before/summary.json", "[]");
    let by_folder = place.run_to(0, "bench compare before after --json").stdout;
    let by_file = place.run_to(0, "bench compare --json --a before/run=0.json before/run=1.json before/run=2.json --b 'after/run=*.json'").stdout;
    let (by_folder, by_file): (Value, Value) =
        (serde_json::from_str(&by_folder).unwrap(), serde_json::from_str(&by_file).unwrap());
    assert_eq!(by_folder["figures"], by_file["figures"]);
    assert_eq!(
        (verdict(&by_folder, "mean_ttft_ms"), &by_folder["a"]["runs"]),
        ("worse", &json!(3))
    );
    let ended = place.run_to(1, "bench compare before after --fail-on-regression 10");
    assert!(
        ended.stderr.contains("regression: Mean TTFT (ms) is worse by 39.6 %"),
        "{}",
        ended.stderr
    );
    // What is held against the limit is the least that it may be, which is less than what was measured.
    place.run_to(0, "bench compare before after --fail-on-regression 39");
    place.run_to(0, "bench compare before after --fail-on-regression 60");
    place.run_to(0, "bench compare before after --fail-on-regression 1 --fail-on-regression 60");
    place.run_to(0, "bench compare after before --fail-on-regression 10");
}

#[test]
fn other_results_beside_the_runs_of_a_sweep_are_not_passed_over_in_silence() {
    let place = place(&[
        ("x/run=0.json", of_vllm()),
        ("x/loose.json", of_vllm()),
        ("x/other.json", of_vllm()),
        ("y.json", of_vllm()),
    ]);
    place.write("x/summary.json", "[]");
    let ended = place.run_to(0, "bench compare x y.json");
    let said = "warning: side A: of x only the run=N.json is read, and passed over: loose.json, other.json;";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn sides_that_were_asked_otherwise_are_told_loudly() {
    let mut other = of_vllm();
    other["max_concurrency"] = json!(32);
    other["failed"] = json!(4);
    let place = place(&[("a.json", of_vllm()), ("b.json", other)]);
    let text = place.run_to(0, "bench compare a.json b.json").stdout;
    for part in [
        "│ max_concurrency │ 16 │ 32 │ ! matters │",
        "! the two were not asked the same: max_concurrency",
        "! b.json: 4 of 68 requests failed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_no_result_is_refused_with_its_side_and_place() {
    let place = place(&[("a.json", of_vllm()), ("b.json", json!({"model": "m"}))]);
    place.write("c.json", "{\n\"completed\": oops");
    for (line, part) in [
        ("a.json", "there is nothing to compare a.json with"),
        (
            "a.json b.json",
            "side B: b.json: no result of a benchmark: it has no number at \"completed\"",
        ),
        ("c.json a.json", "side A: c.json, line 2: not JSON"),
        ("a.json nowhere.json", "side B: cannot read nowhere.json"),
        ("a.json . --fail-on-regression -1", "--fail-on-regression"),
        ("a.json --nosuch", "tokometer bench compare --help shows every flag"),
        ("a.json a.json a.json", "3 results, and no telling which"),
    ] {
        let ended = place.run_to(2, &format!("bench compare {line}"));
        assert!(ended.stderr.contains(part), "{line}: {}", ended.stderr);
    }
}
