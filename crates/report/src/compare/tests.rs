//! Whole comparisons.

use super::*;

fn result(fields: Value) -> Outcome {
    let mut whole = json!({"completed": 10, "failed": 0, "duration": 5.0, "model_id": "m", "request_rate": "inf"});
    let (Value::Object(whole_fields), Value::Object(fields)) = (&mut whole, fields) else {
        unreachable!()
    };
    whole_fields.extend(fields);
    read(&whole.to_string(), "x.json").unwrap().remove(0)
}

fn side(name: &str, runs: Vec<Outcome>) -> Side {
    Side { name: name.to_owned(), runs }
}

fn throughputs(name: &str, values: &[f64]) -> Side {
    side(
        name,
        values
            .iter()
            .map(|value| result(json!({"output_throughput": value, "mean_ttft_ms": 1e3 / value})))
            .collect(),
    )
}

fn verdicts(comparison: &Comparison) -> Vec<(&str, Verdict)> {
    comparison.rows.iter().map(|row| (row.figure.key.as_str(), row.verdict)).collect()
}

#[test]
fn runs_far_apart_are_told_better_and_worse() {
    let slow = throughputs("slow", &[100.0, 101.0, 99.0]);
    let fast = throughputs("fast", &[120.0, 121.0, 119.0]);
    let comparison = compare(&[slow.clone(), fast.clone()]);
    assert_eq!(
        verdicts(&comparison)[3..],
        [("output_throughput", Verdict::Better), ("mean_ttft_ms", Verdict::Better)]
    );
    let back = compare(&[fast, slow]);
    assert_eq!(
        verdicts(&back)[3..],
        [("output_throughput", Verdict::Worse), ("mean_ttft_ms", Verdict::Worse)]
    );
    let regression = back.rows[3].regression().unwrap();
    assert!((regression - 100.0 / 6.0).abs() < 1e-9, "{regression}");
}

#[test]
fn runs_that_spread_show_no_difference() {
    let a = throughputs("a", &[100.0, 140.0, 80.0]);
    let b = throughputs("b", &[105.0, 150.0, 90.0]);
    assert!(compare(&[a, b]).rows.iter().all(|row| row.verdict == Verdict::NoneShown));
}

#[test]
fn one_run_each_cannot_tell() {
    let comparison = compare(&[throughputs("a", &[100.0]), throughputs("b", &[200.0])]);
    assert_eq!(
        verdicts(&comparison)[3..],
        [("output_throughput", Verdict::Unknown), ("mean_ttft_ms", Verdict::Unknown)]
    );
    assert!(comparison.text(Style::Plain).contains("no confidence: one run each"));
}

#[test]
fn requests_stand_in_for_runs_where_they_give_the_figure() {
    let run = |shift: f64| {
        let ttfts: Vec<f64> = (0..200).map(|i| 0.2 + shift + f64::from(i % 10) / 1e3).collect();
        let mean = 1e3 * ttfts.iter().sum::<f64>() / 200.0;
        (result(json!({"mean_ttft_ms": mean, "ttfts": ttfts})), mean)
    };
    let ((a, mean), (b, _)) = (run(0.0), run(0.05));
    let comparison = compare(&[side("a", vec![a]), side("b", vec![b.clone()])]);
    let row = comparison.rows.last().unwrap();
    assert_eq!((row.verdict, row.confidence.unwrap().basis), (Verdict::Worse, Basis::Requests));
    assert!(row.confidence.unwrap().interval.holds(50.0));
    // The same figure over requests that do not give it.
    let other = result(json!({"mean_ttft_ms": mean, "ttfts": vec![0.9; 200]}));
    let comparison = compare(&[side("a", vec![other]), side("b", vec![b])]);
    assert_eq!(comparison.rows.last().unwrap().verdict, Verdict::Unknown);
}

#[test]
fn failed_requests_are_not_among_those_compared() {
    let mut ttfts = vec![0.1; 100];
    let mut errors = vec![""; 100];
    (ttfts[7], errors[7]) = (0.0, "refused");
    let with_failure =
        result(json!({"failed": 1, "mean_ttft_ms": 100.0, "ttfts": ttfts, "errors": errors}));
    assert_eq!(basis::requests(&with_failure, "mean_ttft_ms").unwrap().len(), 99);
}

#[test]
fn figures_that_one_run_lacks_are_no_row() {
    let a = side("a", vec![result(json!({"rtfx": 1.0})), result(json!({}))]);
    let b = side("b", vec![result(json!({"rtfx": 1.0}))]);
    assert!(compare(&[a, b]).rows.iter().all(|row| row.figure.key != "rtfx"));
}

#[test]
fn other_loads_client_limits_and_failures_are_noted_loudly() {
    let a = side("a", vec![result(json!({"max_concurrency": 8, "total_input_tokens": 1000}))]);
    let b = side(
        "b",
        vec![result(
            json!({"max_concurrency": 16, "total_input_tokens": 2000, "failed": 3, "verdict": "client-limited"}),
        )],
    );
    let comparison = compare(&[a, b]);
    let keys: Vec<_> = comparison.settings.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, ["max_concurrency", "mean input length"]);
    let notes = comparison.notes.join("\n");
    for part in [
        "not asked the same: max_concurrency, mean input length",
        "b: 1 of 1 runs client-limited",
        "b: 3 of 13 requests failed",
    ] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
}

#[test]
fn a_number_written_otherwise_is_no_other_setting() {
    let a = side("a", vec![result(json!({"burstiness": 1, "date": "x"}))]);
    let b = side("b", vec![result(json!({"burstiness": 1.0, "date": "y"}))]);
    assert_eq!(compare(&[a, b]).settings, []);
}

#[test]
fn the_text_is_a_table_with_its_verdicts() {
    let a = throughputs("slow", &[100.0, 101.0, 99.0]);
    let b = throughputs("fast", &[120.0, 121.0, 119.0]);
    insta::assert_snapshot!(compare(&[a, b]).text(Style::Plain));
}

#[test]
fn the_json_has_every_row_with_its_interval() {
    let a = throughputs("slow", &[100.0, 101.0, 99.0]);
    let b = throughputs("fast", &[120.0, 121.0, 119.0]);
    let json = compare(&[a, b]).json();
    let row = &json["figures"][3];
    assert_eq!(
        (&row["figure"], &row["verdict"], &row["basis"]),
        (&json!("output_throughput"), &json!("better"), &json!("runs"))
    );
    assert_eq!((&row["a"]["mean"], &row["a"]["n"]), (&json!(100.0), &json!(3)));
    assert!(row["ci95"][0].as_f64().unwrap() > 17.0 && row["p"].as_f64().unwrap() < 0.001);
}
