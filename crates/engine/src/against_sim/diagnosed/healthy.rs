//! A healthy run of a sound size: nothing is found in it.

use tokometer_metrics::catalog::TTFT;

use super::*;

/// Eight of 64 places are taken on average, for long enough for a p99.
fn healthy() -> Case {
    case("base_us=20000&per_prefill_token_us=10&max_num_seqs=64", open(20.0, 600))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found() {
    let log = observe(&healthy()).await;
    assert_eq!(log.records.len(), 600);
    assert!(log.records.iter().all(Record::succeeded));
    assert_eq!(found(&log), [""; 0], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_without_a_word_of_the_server() {
    let log = observe(&healthy().unscraped()).await;
    assert!(log.telemetry.readings.is_empty() && log.scrapes.is_empty());
    assert_eq!(found(&log), [""; 0], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_in_a_closed_loop_that_leaves_places_free() {
    let query = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";
    let log = observe(&case(query, closed(32, 960))).await;
    assert_eq!(found(&log), [""; 0], "{:#?}", summarize(&log).findings);
}

#[tokio::test(start_paused = true)]
async fn the_server_never_runs_more_than_it_may_and_is_never_slower_than_the_client_feels() {
    let log =
        observe(&case("base_us=20000&per_prefill_token_us=10&max_num_seqs=64", closed(200, 600)))
            .await;
    let running = readings(&log).filter_map(|reading| reading.values.get(&Signal::Running));
    let most = running.copied().fold(0.0, f64::max);
    assert_eq!(most, 64.0);
    let server = mean(&log, Timing::Ttft);
    let client = summarize(&log).mean(&TTFT).unwrap();
    // The model's moments are rounded up to the whole milliseconds of the timer.
    assert!(server <= client && client < server + 0.001, "{server} against {client}");
}

/// The mean that the server's histogram tells of the load.
fn mean(log: &PointLog, timing: Timing) -> f64 {
    let (sum, count) = growth_of(log, timing);
    sum / count
}
