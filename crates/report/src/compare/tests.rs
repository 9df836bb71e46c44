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
    let gate = back.gate(5.0);
    let regression = &gate.regressions[0];
    assert!((regression.percent - 100.0 / 6.0).abs() < 1e-9, "{regression:?}");
    // Two figures share 5 %: t(0.9875, 4) = 3.4954 by the tables, and the mean of three runs with a deviation of 1 on both sides.
    let reach = 3.4954 * (2.0_f64 / 3.0).sqrt();
    assert!((regression.at_least - (20.0 - reach) / 1.2).abs() < 1e-3, "{regression:?}");
    assert_eq!((gate.figures, gate.regressions.len()), (2, 2));
    // The 16.7 % of the throughput are 14.3 % at the least, the 20 % of the TTFT more than 15.
    let beyond = back.gate(15.0).regressions;
    assert_eq!(
        beyond.iter().map(|found| found.figure.key.as_str()).collect::<Vec<_>>(),
        ["mean_ttft_ms"]
    );
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
fn a_figure_that_does_not_apply_is_neither_better_nor_worse() {
    let streamed = |ttft| result(json!({"mean_ttft_ms": ttft, "mean_e2el_ms": 300.0}));
    let whole = || {
        result(
            json!({"mean_ttft_ms": 0.0, "mean_e2el_ms": 300.0, "not_applicable": ["mean_ttft_ms"]}),
        )
    };
    let a = side("a", vec![streamed(50.0), streamed(51.0)]);
    let comparison = compare(&[a, side("b", vec![whole(), whole()])]);
    let keys: Vec<_> = comparison.rows.iter().map(|row| row.figure.key.as_str()).collect();
    assert_eq!(keys, ["completed", "failed", "duration", "mean_e2el_ms"]);
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

/// Numbers that look drawn, the same every time (PCG, O'Neill 2014).
struct Drawn(u64);

impl Drawn {
    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (((self.0 >> 18) ^ self.0) >> 27) as u32;
        f64::from(mixed.rotate_right((self.0 >> 59) as u32)) / f64::from(u32::MAX)
    }

    /// Of a normal distribution, near enough: the sum of twelve uniform numbers less 6.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Runs that spread by 3 %, `factor` times as slow as others.
    fn runs(&mut self, runs: usize, factor: f64) -> Side {
        const NAMES: [&str; 4] = ["ttft", "tpot", "itl", "e2el"];
        const STATISTICS: [&str; 5] = ["mean", "median", "p90", "p95", "p99"];
        let run = |_| {
            let mut fields = serde_json::Map::new();
            for (name, statistic) in
                NAMES.iter().flat_map(|name| STATISTICS.map(|statistic| (name, statistic)))
            {
                let value = 100.0 * factor * (1.0 + 0.03 * self.normal());
                fields.insert(format!("{statistic}_{name}_ms"), json!(value));
            }
            result(Value::Object(fields))
        };
        side("x", (0..runs).map(run).collect())
    }
}

#[test]
fn a_gate_over_twenty_figures_is_silent_where_nothing_differs_and_finds_a_tenth() {
    let mut drawn = Drawn(7);
    for (runs, percent, most) in
        [(2, 0.0, 20), (3, 0.0, 20), (5, 0.0, 20), (3, 3.0, 5), (5, 3.0, 2)]
    {
        let pairs = 600;
        let false_alarms = (0..pairs)
            .filter(|_| {
                let gate = compare(&[drawn.runs(runs, 1.0), drawn.runs(runs, 1.0)]).gate(percent);
                assert_eq!(gate.figures, 20);
                !gate.regressions.is_empty()
            })
            .count();
        // At 0 per cent borne one of forty is by definition; the figures here do not even hang together.
        assert!(false_alarms <= most, "{false_alarms} of {pairs}, {runs} runs, {percent} %");
    }
    let found = (0..100)
        .filter(|_| {
            let slower = compare(&[drawn.runs(5, 1.0), drawn.runs(5, 1.1)]);
            !slower.gate(3.0).regressions.is_empty()
        })
        .count();
    assert!(found >= 95, "{found} of 100");
}

#[test]
fn a_gate_over_one_run_each_is_silent_where_nothing_differs_and_finds_what_does() {
    let mut drawn = Drawn(11);
    let mut run = |factor: f64| {
        let ttfts: Vec<f64> =
            (0..60).map(|_| 0.2 * factor * (0.3 * drawn.normal()).exp()).collect();
        let mut requests = tokometer_metrics::compare::Requests::default();
        requests.extend(ttfts.iter().map(|ttft| ttft * 1e3));
        let of = |key: &str| requests.statistic(basis::statistic(key).unwrap()).unwrap();
        let mut fields = json!({"ttfts": ttfts});
        for key in ["mean_ttft_ms", "median_ttft_ms"] {
            fields[key] = json!(of(key));
        }
        side("x", vec![result(fields)])
    };
    let mut alarms = |factor: f64, pairs: usize| {
        (0..pairs)
            .filter(|_| !compare(&[run(1.0), run(factor)]).gate(3.0).regressions.is_empty())
            .count()
    };
    // One of a hundred and fifty in the long run.
    assert!(alarms(1.0, 50) <= 1);
    assert_eq!(alarms(1.5, 10), 10);
}

#[test]
fn a_percentile_of_few_requests_cannot_be_told() {
    let run = |shift: f64| {
        let ttfts: Vec<f64> = (0..50).map(|i| 0.2 + shift + f64::from(i % 10) / 1e3).collect();
        let top = 1e3 * (0.2 + shift + 0.009);
        result(
            json!({"p99_ttft_ms": top, "p90_ttft_ms": top - 1.0, "ttfts": ttfts.iter().enumerate().map(|(i, ttft)| if i == 9 { ttft + 1e-6 } else { *ttft }).collect::<Vec<_>>()}),
        )
    };
    let comparison = compare(&[side("a", vec![run(0.0)]), side("b", vec![run(0.05)])]);
    let of = |key: &str| comparison.rows.iter().find(|row| row.figure.key == key).unwrap();
    assert_eq!(of("p90_ttft_ms").verdict, Verdict::Worse);
    assert_eq!(of("p99_ttft_ms").verdict, Verdict::Unknown);
    assert_eq!(of("p99_ttft_ms").why_unknown().unwrap(), "too few requests for a P99");
    let text = comparison.text(Style::Plain);
    assert!(text.contains("† cannot tell: too few requests for a P99."), "{text}");
}
