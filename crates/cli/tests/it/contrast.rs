//! `tokometer compare`: that it finds what differs and nothing else, and what it says to people.
//!
//! Whether verdicts are right is shown on the simulator's model, whose truth is known and which takes no time; the command itself on
//! small runs and on files of other tools.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tokometer_record::{ClientUse, Header, Offset, PointEnd};
use tokometer_report::compare::Verdict;
use tokometer_report::contrast::{Contrast, Keep, Measured, Side, contrast};
use tokometer_sim::StepTime;
use tokometer_sim::forecast::{self, Arrivals, Workload};
use tokometer_sim::hardware::named;

use crate::{Workplace, json as read_json};

/// 400 requests of many lengths, 32 in flight at an engine that has room for 24: a quarter of them wait at any moment.
fn run_of_preset(seed: u64, steps_are_longer: f64) -> Measured {
    let mut deployment = named("h100-llama-3.1-8b").unwrap().deployed("here").unwrap().deployment;
    deployment.engine.max_num_seqs = 24.try_into().unwrap();
    deployment.noise = 0.05;
    let StepTime::Linear(step) = &mut deployment.step else { panic!("it has coefficients") };
    for coefficient in [
        &mut step.base,
        &mut step.per_prefill_token,
        &mut step.per_decode_token,
        &mut step.per_context_token,
        &mut step.per_attention,
    ] {
        *coefficient *= steps_are_longer;
    }
    let lengths = |form: &str| form.parse().unwrap();
    let workload =
        Workload { input: lengths("100-500"), output: lengths("100-300"), prefixes: None };
    let requests = workload.requests(400, deployment.engine.block_size, seed);
    let arrivals = Arrivals::InFlight(32);
    let forecast = forecast::run(&deployment, &requests, &arrivals, seed);
    let mut log = forecast.log(&requests, &arrivals, 0..400);
    log.end = Some(PointEnd {
        index: 0,
        at: Offset::after(forecast.end()),
        complete: true,
        measured_from: None,
        client: ClientUse::default(),
    });
    let header = Header { model: "llama".to_owned(), ..Header::default() };
    Measured::of_log(&header, &log, "virtual", Keep::Figures)
}

/// Pairs of runs with seeds of their own, the second with so much longer steps, compared; two pairs at a time.
fn pairs(steps_are_longer: f64) -> Vec<Contrast> {
    let side = |name: &str, run| Side { name: name.to_owned(), points: vec![run] };
    let pair = |number: u64| {
        let before = side("before", run_of_preset(2 * number, 1.0));
        let after = side("after", run_of_preset(2 * number + 1, steps_are_longer));
        contrast(before, after, &[]).unwrap()
    };
    std::thread::scope(|scope| {
        let halves = [0..50, 50..100]
            .map(|numbers| scope.spawn(move || numbers.map(pair).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

fn verdicts(contrast: &Contrast) -> BTreeSet<(&str, &str)> {
    let rows = contrast.pairs.iter().flat_map(|pair| &pair.rows);
    let shown = rows.filter(|row| matches!(row.verdict, Verdict::Better | Verdict::Worse));
    shown.map(|row| (row.figure.key.as_str(), row.verdict.words())).collect()
}

#[test]
fn two_runs_of_one_preset_are_no_evidence_of_a_difference() {
    let pairs = pairs(1.0);
    let alarms: Vec<_> = pairs.iter().map(verdicts).filter(|found| !found.is_empty()).collect();
    assert!(alarms.len() <= 5, "{alarms:?}");
    // They were compared: nearly every figure has an interval, and what is not comparable does not come about by chance.
    for contrast in &pairs {
        assert!(contrast.figures >= 12, "{} figures", contrast.figures);
        assert!(contrast.objections.is_empty(), "{:?}", contrast.objections);
    }
}

#[test]
fn steps_that_are_three_per_cent_longer_are_found() {
    let pairs = pairs(1.03);
    let found =
        pairs.iter().filter(|contrast| verdicts(contrast).contains(&("mean_tpot_ms", "worse")));
    let found = found.count();
    assert!(found >= 90, "{found} of 100");
    // Never the wrong way round.
    let wrong =
        |contrast: &&Contrast| verdicts(contrast).iter().any(|(_, verdict)| *verdict == "better");
    assert_eq!(pairs.iter().filter(wrong).count(), 0);
}

/// A result that vLLM 0.32.0 wrote with `--save-detailed`, its texts left out.
fn of_vllm() -> Value {
    read_json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/testdata/vllm-bench.json"))
}

fn place(results: &[(&str, Value)]) -> Workplace {
    let place = Workplace::new();
    for (name, result) in results {
        std::fs::create_dir_all(place.path().join(name).parent().unwrap()).unwrap();
        place.write(name, &result.to_string());
    }
    place
}

fn with(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

/// A detailed result in vLLM's form: 160 requests, four at a time, each of ten tokens that take `tpot` seconds each, or a tenth more or less.
fn closed_loop(seed: u64, tpot: f64) -> Value {
    let mut state = seed;
    let mut number = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut free = [0.0_f64; 4];
    let (mut ttfts, mut tpots, mut latencies, mut starts) = (vec![], vec![], vec![], vec![]);
    for _ in 0..160 {
        let place = (0..4).min_by(|&a, &b| free[a].total_cmp(&free[b])).unwrap();
        let (ttft, tpot) = (0.1 + 0.1 * number(), tpot * (0.9 + 0.2 * number()));
        starts.push(free[place]);
        free[place] += ttft + 9.0 * tpot;
        ttfts.push(ttft);
        tpots.push(tpot);
        latencies.push(ttft + 9.0 * tpot);
    }
    let duration = free.into_iter().fold(0.0, f64::max);
    let millis = |values: &[f64]| 1e3 * values.iter().sum::<f64>() / values.len() as f64;
    let p99 = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        1e3 * tokometer_metrics::quantile::linear_at(&sorted, 99.0).unwrap()
    };
    json!({
        "model_id": "tiny-qwen", "endpoint_type": "openai-chat", "max_concurrency": 4, "request_rate": "inf",
        "num_prompts": 160, "completed": 160, "failed": 0, "duration": duration,
        "total_input_tokens": 16_000, "total_output_tokens": 1_600,
        "request_throughput": 160.0 / duration, "output_throughput": 1_600.0 / duration,
        "mean_ttft_ms": millis(&ttfts), "mean_tpot_ms": millis(&tpots), "mean_e2el_ms": millis(&latencies),
        "p99_tpot_ms": p99(&tpots),
        "input_lens": vec![100; 160], "output_lens": vec![10; 160], "errors": vec![""; 160],
        "start_times": starts, "ttfts": ttfts, "latencies": latencies,
    })
}

#[test]
fn a_result_of_vllm_is_compared_with_itself_in_either_order() {
    let place = place(&[
        ("a.json", of_vllm()),
        ("b.json", with(of_vllm(), json!({"mean_tpot_ms": 190.0}))),
    ]);
    let same = place.run_to(0, "compare a.json a.json");
    assert!(same.stdout.starts_with("No evidence of any difference"), "{}", same.stdout);
    assert!(
        !same.stdout.contains("▲ better") && !same.stdout.contains("▼ worse"),
        "{}",
        same.stdout
    );
    assert!(same.stderr.contains("one and the same"), "{}", same.stderr);
    assert!(same.stdout.contains("one run stands on both sides"), "{}", same.stdout);
    // Four waves in lockstep: there is nothing to tell chance by, and it says so.
    let told = place.run_to(0, "compare a.json b.json --json");
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let rows = told["points"][0]["figures"].as_array().unwrap();
    let row = rows.iter().find(|row| row["figure"] == "mean_tpot_ms").unwrap();
    assert_eq!((&row["verdict"], &row["basis"]), (&json!("cannot tell"), &Value::Null));
    assert!(row["why"].as_str().unwrap().contains("fare alike"), "{row}");
}

#[test]
fn what_is_worse_one_way_is_better_the_other() {
    let place = place(&[("a.json", closed_loop(1, 0.02)), ("b.json", closed_loop(2, 0.024))]);
    let worse = place.run_to(0, "compare a.json b.json").stdout;
    assert!(
        worse.starts_with("Candidate: TPOT worse by 20.")
            || worse.starts_with("Candidate: TPOT worse by 19."),
        "{worse}"
    );
    let better = place.run_to(0, "compare b.json a.json").stdout;
    assert!(better.starts_with("Candidate: TPOT better by 1"), "{better}");
}

#[test]
fn a_gate_ends_with_6_only_for_what_is_certain() {
    let place = place(&[("a.json", closed_loop(1, 0.02)), ("b.json", closed_loop(2, 0.024))]);
    let failed = place.run_to(6, "compare a.json b.json --fail-on mean_tpot>+5% --markdown");
    assert!(
        failed.stdout.contains("| `mean_tpot>+5%` | failed | at 4 in flight"),
        "{}",
        failed.stdout
    );
    assert!(failed.stderr.contains("failed: mean_tpot>+5%: at 4 in flight"), "{}", failed.stderr);
    place.run_to(0, "compare a.json b.json --fail-on mean_tpot>+25%");
    place.run_to(0, "compare a.json b.json --fail-on mean_tpot>+30%,output_throughput<-50%");
    place.run_to(6, "compare a.json b.json --fail-on mean_tpot>+30% --fail-on mean_tpot>+2ms");
    // 160 requests have no P99.
    let unknown = place.run_to(0, "compare a.json b.json --fail-on p99_tpot>+5%");
    assert!(unknown.stderr.contains("not failed for that (--strict would)"), "{}", unknown.stderr);
    place.run_to(6, "compare a.json b.json --fail-on p99_tpot>+5% --strict");
    for (condition, part) in [
        ("''", "--fail-on names no condition"),
        ("','", "--fail-on names no condition"),
        ("mean_tpot>+5% --fail-on ''", "--fail-on names no condition"),
        ("p99_tfft>+5%", "did you mean p99_ttft?"),
        ("p99_ttft>5%", "5 % of what?"),
        ("slo_attainment<0.9", "no point of both sides has SLO attainment"),
    ] {
        let refused = place.run_to(2, &format!("compare a.json b.json --fail-on {condition}"));
        assert!(refused.stderr.contains(part), "{condition}: {}", refused.stderr);
    }
}

#[test]
fn copies_of_a_run_are_no_repetitions() {
    let [first, second, third] = [1, 2, 3].map(|seed| closed_loop(seed, 0.02));
    let place = place(&[
        ("copied/x.json", first.clone()),
        ("copied/y.json", first.clone()),
        ("copied/z.json", with(first.clone(), json!({"date": "20261123-180000"}))),
        ("runs/x.json", first),
        ("runs/y.json", second),
        ("runs/z.json", third),
        ("other.json", closed_loop(9, 0.02)),
    ]);
    let runs = |line: &str| -> Value {
        let told = place.run_to(0, &format!("compare {line} other.json --json")).stdout;
        serde_json::from_str::<Value>(&told).unwrap()["points"][0].clone()
    };
    let (copied, repeated) = (runs("copied"), runs("runs"));
    assert_eq!(copied["baseline_runs"].as_array().unwrap().len(), 1);
    let note = copied["notes"][0].as_str().unwrap();
    assert!(note.starts_with("baseline: copies of one run are no repetitions"), "{note}");
    assert!(note.contains("copied/y.json") && note.contains("copied/z.json"), "{note}");
    assert_eq!(repeated["baseline_runs"].as_array().unwrap().len(), 3);
    assert_eq!(repeated["notes"], json!([]));
    assert_eq!(
        (&copied["figures"][0]["basis"], &repeated["figures"][0]["basis"]),
        (&json!("requests"), &json!("runs of one side"))
    );
}

#[test]
fn the_same_figures_without_anything_to_tell_chance_by_are_no_finding() {
    let mut bare = of_vllm();
    for key in ["ttfts", "itls", "latencies", "start_times"] {
        bare.as_object_mut().unwrap().remove(key);
    }
    let place = place(&[("a.json", bare.clone()), ("b.json", bare)]);
    let told = place.run_to(0, "compare a.json b.json").stdout;
    assert!(told.starts_with("Cannot tell: no figure has an interval"), "{told}");
    assert!(!told.contains("no evidence"), "{told}");
    assert!(told.contains("one run a side, and its requests were not kept"), "{told}");
    place.run_to(0, "compare a.json b.json --markdown --html page.html");
    assert!(place.path().join("page.html").is_file());
}

#[test]
fn what_is_not_comparable_ends_with_7_and_says_why() {
    let other = with(of_vllm(), json!({"model_id": "other", "max_concurrency": 32}));
    let place = place(&[("a.json", of_vllm()), ("b.json", other)]);
    let refused = place.run_to(7, "compare a.json b.json");
    assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    for part in [
        "another model: tiny-qwen in the baseline, other in the candidate",
        "another load: 16 in flight in the baseline, 32 in flight in the candidate",
        "hint: --anyway",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let refused: Value =
        serde_json::from_str(&place.run_to(7, "compare a.json b.json --json").stdout).unwrap();
    assert_eq!(
        (&refused["comparable"], &refused["objections"][0]["kind"]),
        (&json!(false), &json!("model"))
    );
    let anyway = place.run_to(0, "compare a.json b.json --anyway").stdout;
    assert!(anyway.contains("! not comparable: another model"), "{anyway}");
}

#[test]
fn a_side_that_is_nothing_is_named() {
    let place =
        place(&[("a.json", of_vllm()), ("empty/notes.txt", json!(1)), ("some/a.json", of_vllm())]);
    place.write("cut.json", "{\"completed\": 1,\n \"duration\": 2");
    place.write("some/cut.json", "{\"completed\"");
    for (line, part) in [
        ("a.json nowhere", "error: candidate: there is no nowhere"),
        ("empty a.json", "error: baseline: empty holds no run and no result"),
        ("a.json cut.json", "error: candidate: cut.json, line 2: not JSON: EOF"),
        ("a.json 'x*.json'", "error: candidate: x*.json fits no file"),
        ("a.json", "CANDIDATE"),
        ("a.json a.json --html nowhere/page.html", "--html: cannot write nowhere/page.html"),
    ] {
        let ended = place.run(&format!("compare {line}"));
        assert!(ended.code != 0 && ended.stderr.contains(part), "{line}: {}", ended.stderr);
    }
    let ended = place.run_to(0, "compare a.json some");
    assert!(
        ended.stderr.contains("warning: candidate: some/cut.json, line 1: not JSON")
            && ended.stderr.contains("passed over"),
        "{}",
        ended.stderr
    );
}

#[test]
fn runs_are_compared_by_their_logs_and_with_a_summary_of_evalscope_s_form() {
    let place = Workplace::new();
    let perf = |folder: &str, seed: u32| {
        let line = format!(
            "perf --model m --url 'sim://?ttft_ms=5&itl_ms=2' --dataset random --min-prompt-length 10 --max-prompt-length 20 \
             --max-tokens 8 --min-tokens 8 --parallel 2 4 --number 24 40 --seed {seed} --outputs-dir {folder}"
        );
        // A busy machine may make the client the bottleneck, which is another matter.
        let ended = place.run(&line);
        assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    };
    perf("before", 1);
    perf("after", 2);
    let ended = place.run("compare before after --json --html page.html --anyway");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let points = told["points"].as_array().unwrap();
    let names: Vec<&str> = points.iter().map(|point| point["point"].as_str().unwrap()).collect();
    assert!(
        names.len() == 2
            && names[0].starts_with("2 in flight")
            && names[1].starts_with("4 in flight"),
        "{names:?}"
    );
    assert!(points[1]["figures"].as_array().unwrap().iter().any(|row| row["basis"] == "requests"));
    let page = std::fs::read_to_string(place.path().join("page.html")).unwrap();
    assert!(page.contains("Took no longer") && page.contains("4 in flight"));
    // Of one side, only one point.
    let alone: Vec<_> = glob::glob(
        &place.path().join("after/**/parallel_4*/benchmark_summary.json").display().to_string(),
    )
    .unwrap()
    .flatten()
    .collect();
    let line = format!("compare before {} --anyway", alone[0].display());
    let ended = place.run_to(0, &line);
    assert!(
        ended.stdout.contains("in the baseline only, and not compared: 2 in flight"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("one run a side, and its requests were not kept"),
        "{}",
        ended.stdout
    );
}
