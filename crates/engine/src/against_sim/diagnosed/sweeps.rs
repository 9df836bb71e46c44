//! Sweeps over loads: that ended too early, found the knee, or went past it.

use super::*;

/// A step takes 20 ms and one more for each request in it: throughput bends at some twenty requests in flight, and nobody queues.
const SOFT: &str = "base_us=20000&per_decode_token_us=1000&max_num_seqs=1024";

/// Points of a closed loop with so many places each.
fn closed_sweep(query: &str, places: &[usize]) -> Vec<Case> {
    let load = |&places: &usize| closed(places, (5 * places as u64).max(480));
    places.iter().map(|places| case(query, load(places)).prompts(&[10])).collect()
}

async fn assert_sweep(cases: &[Case], rules: &[&str]) -> Vec<PointLog> {
    let logs = observe_all(cases).await;
    let points: Vec<_> = logs.iter().map(summarize).collect();
    assert_eq!(found_in_sweep(&logs), rules, "{:#?}", diagnosis::of_run(&points));
    logs
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_ends_before_the_knee_is_not_saturated() {
    assert_sweep(&closed_sweep(SOFT, &[1, 2, 4, 8]), &["not_saturated"]).await;
    let rates = [5.0, 10.0, 20.0].map(|rate| case(SOFT, open(rate, 480)).prompts(&[10]));
    assert_sweep(&rates, &["not_saturated"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_on_both_sides_of_the_knee_finds_it() {
    assert_sweep(&closed_sweep(SOFT, &[1, 4, 16, 64, 256]), &["knee"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_beyond_the_knee_is_past_it() {
    assert_sweep(&closed_sweep(SOFT, &[100, 200]), &["past_knee"]).await;
}

#[tokio::test(start_paused = true)]
async fn one_load_says_nothing_of_others() {
    assert_sweep(&closed_sweep(SOFT, &[8]), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn rates_beyond_what_is_carried_tell_how_much_that_is() {
    // Four at a time, 400 ms each: ten a second.
    let query = "base_us=20000&max_num_seqs=4";
    let rates = |rates: &[f64]| -> Vec<Case> {
        rates.iter().map(|&rate| case(query, open(rate, 480)).prompts(&[10])).collect()
    };
    let both = ["knee", "queueing_by_max_num_seqs"];
    let logs = assert_sweep(&rates(&[2.0, 5.0, 20.0, 40.0]), &both).await;
    let findings = diagnosis::of_run(&logs.iter().map(summarize).collect::<Vec<_>>());
    let knee = findings.iter().find(|finding| finding.rule == "knee").unwrap();
    assert_eq!(knee.points, [2, 3]);
    assert!(knee.what.starts_with("From 20 requests per second on"), "{}", knee.what);
    let carried = knee.next.strip_prefix("Stay below ").and_then(|rest| rest.split(' ').next());
    let carried: f64 = carried.unwrap().parse().unwrap();
    assert!((9.5..=10.1).contains(&carried), "{}", knee.next);
    let beyond = ["past_knee", "queueing_by_max_num_seqs"];
    assert_sweep(&rates(&[20.0, 40.0]), &beyond).await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_queues_beyond_its_places_has_its_knee_there_and_its_cause_beside_it() {
    let query = "base_us=20000&max_num_seqs=16";
    let logs = assert_sweep(
        &closed_sweep(query, &[2, 4, 8, 32, 64]),
        &["queueing_by_max_num_seqs", "knee"],
    )
    .await;
    let points: Vec<_> = logs.iter().map(summarize).collect();
    let findings = diagnosis::of_run(&points);
    let [queueing, knee] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!([&queueing.points, &knee.points], [&[4, 3], &[3, 4]]);
    assert_eq!(
        knee.what,
        "Throughput stops growing at about 16 requests in flight, at about 800 output tok/s."
    );
}
