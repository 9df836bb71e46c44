//! `sim plan`: what deployments carry, in virtual time.

use serde_json::Value;

use crate::{Ended, Workplace};

/// A question that is soon answered.
const SOON: &str = "sim plan --preset h100-llama-3.1-8b --input-tokens 256 --output-tokens 32 --requests 300 --repetitions 1 \
                    --slo ttft:p90:300ms,tpot:p90:30ms";

fn found(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

fn loads(found: &Value) -> Vec<f64> {
    let rows = found["most_load"].as_array().unwrap();
    rows.iter().map(|row| row["all"]["load"].as_f64().unwrap()).collect()
}

#[test]
fn a_plan_tells_what_each_number_of_replicas_carries_and_draws_it() {
    let place = Workplace::new();
    let ended = place.run_to(0, &format!("{SOON} --replicas 1..2 --rate 1..500"));
    for words in [
        "h100-llama-3.1-8b: an estimate by a model, not a measurement",
        "The most load within objectives (req/s)",
        "TTFT p90 ≤ 300 ms, TPOT p90 ≤ 30 ms",
        "The replicas that a load needs",
        "(seed 42)",
    ] {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
    assert!(ended.stderr.contains("of service simulated ("), "{}", ended.stderr);
    for name in ["outputs/plan-h100-llama-3.1-8b.svg", "outputs/plan-h100-llama-3.1-8b.png"] {
        assert!(ended.stderr.contains(&format!("figure: {name}")), "{}", ended.stderr);
        assert!(place.path().join(name).metadata().unwrap().len() > 1_000);
    }
}

#[test]
fn json_holds_every_trial_and_is_the_same_each_time() {
    let place = Workplace::new();
    let line = format!("{SOON} --replicas 1,2 --rate 1..500 --json --figure none");
    let ended = place.run_to(0, &line);
    let json = found(&ended);
    let most = loads(&json);
    assert!(1.0 < most[0] && most[0] < most[1] && most[1] < 500.0, "{most:?}");
    let trials = json["trials"].as_array().unwrap();
    let kept = |trial: &&Value| trial["kept"].as_array().unwrap().iter().all(|kept| kept == true);
    let of_one = trials.iter().filter(|trial| trial["replicas"] == 1).filter(kept);
    let best = of_one.map(|trial| trial["load"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(best, most[0]);
    assert_eq!(json["asked"]["requests"], 300);
    assert!(!place.path().join("outputs").exists());
    assert_eq!(place.run_to(0, &line).stdout, ended.stdout);
    let other = found(&place.run_to(0, &format!("{line} --seed 7")));
    assert_ne!(other["trials"], json["trials"]);
}

#[test]
fn users_and_lists_are_answered_in_their_own_terms() {
    let place = Workplace::new();
    let users =
        found(&place.run_to(0, &format!("{SOON} --concurrency 1..400 --json --figure a.svg")));
    assert_eq!(users["load_unit"], "users");
    assert_eq!(loads(&users)[0].fract(), 0.0);
    assert!(place.path().join("a.svg").exists());
    let list = format!("{SOON} --replicas 1,2 --rate 2,100000 --json --figure none");
    let needs = &found(&place.run_to(0, &list))["replicas_needed"];
    assert_eq!((&needs[0]["load"], &needs[0]["replicas"]), (&2.0.into(), &1.into()));
    assert_eq!((&needs[1]["load"], &needs[1]["replicas"]), (&100_000.0.into(), &Value::Null));
}

#[test]
fn what_cannot_be_planned_is_refused_before_any_trial() {
    let place = Workplace::new();
    for (flags, why) in [
        ("", "error: --preset is missing: there are no engines to plan with"),
        ("--preset nosuch", "nosuch"),
        (
            "--preset h100-llama-3.1-8b --slo ttft",
            "error: --slo: \"ttft\": takes LATENCY:STATISTIC:LIMIT",
        ),
        (
            "--preset h100-llama-3.1-8b --slo ttft:p99:1s,ttft:99",
            "error: --slo: ttft:p99 has two limits",
        ),
        (
            "--preset h100-llama-3.1-8b --slo attainment:99%",
            "error: --slo: attainment needs limits",
        ),
        (
            "--preset h100-llama-3.1-8b --rate 9..1",
            "error: --rate: \"9..1\": goes from 9 down to 1",
        ),
        ("--preset h100-llama-3.1-8b --rate 1 --concurrency 1", "--concurrency"),
        ("--preset h100-llama-3.1-8b --replicas 0", "error: --replicas: \"0\": takes a range"),
        ("--preset h100-llama-3.1-8b --requests 50", "error: --requests: of 50 requests 40 count"),
        (
            "--preset h100-llama-3.1-8b --input-tokens 9-3",
            "error: --input-tokens: \"9-3\": takes a number of tokens",
        ),
        (
            "--preset h100-llama-3.1-8b --output-tokens 9000000",
            "the longest request has 9000512 tokens",
        ),
        (
            "--preset h100-llama-3.1-8b --figure plan.pdf",
            "error: --figure: plan.pdf is neither .svg nor .png",
        ),
        (
            "--preset h100-llama-3.1-8b --figure no/such/place.png",
            "error: --figure: cannot write no/such/place.png",
        ),
        ("--preset h100-llama-3.1-8b --prefixes 3", "--prefix-tokens"),
    ] {
        let ended = place.run(&format!("sim plan {flags}"));
        assert!([1, 2].contains(&ended.code), "{flags}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(why), "{flags}: {}", ended.stderr);
        assert!(!ended.stderr.contains("of service simulated"), "{flags}: {}", ended.stderr);
    }
}
