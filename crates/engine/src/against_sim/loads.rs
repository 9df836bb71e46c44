//! Loads of every kind: when requests leave, and what keeps them.

use tokometer_wire::{APIS, Answers};

use super::*;

#[tokio::test(start_paused = true)]
async fn in_a_closed_loop_every_moment_is_the_servers() {
    let outcome = scene("ttft_ms=200&itl_ms=20", closed(3, 10)).run().await;
    outcome.assert_moments_are_the_servers();
    assert!(outcome.complete);
    assert_eq!(outcome.kinds(), [None; 10]);
    // 200 ms to the first of five tokens, then four gaps of 20 ms: requests end in waves of three.
    let ends: Vec<Offset> = outcome.records.iter().map(|record| record.last().unwrap()).collect();
    assert_eq!(ends, [280, 280, 280, 560, 560, 560, 840, 840, 840, 1120].map(millis));
    assert!(outcome.records.iter().all(|record| record.started == record.scheduled));
    assert_eq!(outcome.live.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_api_that_streams_is_read_as_the_server_wrote_it() {
    let text = Prompt::Text("hello".into());
    let options = Options { max_tokens: Some(5), stream: true, ..Options::default() };
    let request = Request { model: Some("m"), prompt: &text, options: &options, template: None };
    let takes_text =
        |api: &&&dyn Api| api.answers() == Answers::Output && api.request(&request).is_ok();
    let streaming: Vec<_> = APIS.iter().filter(takes_text).collect();
    assert_eq!(streaming.len(), 6);
    for api in streaming {
        let mut scene = scene("ttft_ms=200&itl_ms=20", closed(2, 4));
        scene.api = *api;
        let outcome = scene.run().await;
        assert_eq!(outcome.kinds(), [None; 4], "{}", api.name());
        outcome.assert_moments_are_the_servers();
        let counts = outcome.records.iter().map(|record| record.output_tokens.unwrap().count);
        assert!(counts.into_iter().all(|count| count == 5), "{}", api.name());
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_open_before_the_load_and_used_again() {
    let outcome = scene("ttft_ms=10&itl_ms=1", closed(3, 10)).run().await;
    assert!(outcome.records.iter().all(|record| record.connection == Connection::Reused));
}

#[tokio::test(start_paused = true)]
async fn in_an_open_loop_requests_leave_on_schedule_whatever_the_server_does() {
    let outcome = scene("ttft_ms=5000&itl_ms=20", open(50.0, 100)).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let schedule = Arrivals::Poisson { rate: 50.0 }.schedule(100, Seed::new(42).at(0)).unwrap();
    for (record, due) in outcome.records.iter().zip(schedule) {
        assert_eq!(record.scheduled, Offset::after(due));
        // tokio's virtual timer rounds up to the millisecond.
        assert!(record.started - record.scheduled < Duration::from_millis(1), "{}", record.index);
    }
}

#[tokio::test(start_paused = true)]
async fn without_pace_and_cap_all_leave_at_once() {
    let load = Load { in_flight: None, ..closed(1, 50) };
    let outcome = scene("ttft_ms=200&itl_ms=20", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    assert!(outcome.records.iter().all(|record| record.started == Offset::ZERO));
}

#[tokio::test(start_paused = true)]
async fn even_gaps_are_kept_to_the_millisecond_of_the_timer() {
    let load =
        Load { arrivals: Arrivals::Constant { rate: 50.0 }, in_flight: None, ..closed(1, 20) };
    let outcome = scene("ttft_ms=200&itl_ms=20", load).run().await;
    for (number, record) in (1..).zip(&outcome.records) {
        assert_eq!(record.scheduled, millis(20 * number));
        assert_eq!(record.started, record.scheduled);
    }
}

#[tokio::test(start_paused = true)]
async fn probes_feel_the_pulse_beside_a_load_that_has_taken_every_place() {
    let mut scene = scene("ttft_ms=200&itl_ms=20", closed(1, 4));
    scene.probe_rate = Some(10.0);
    let outcome = scene.run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let (load, probes) = outcome.records.split_at(4);
    assert!(load.iter().all(|record| record.phase == Phase::Measured));
    assert!(probes.iter().all(|record| record.phase == Phase::Probe));
    // Four requests of 280 ms, one after the other: eleven tenths of a second are over when the last one ends.
    let sent: Vec<Offset> = probes.iter().map(|record| record.started).collect();
    assert_eq!(sent, (1..=11).map(|tenth| millis(100 * tenth)).collect::<Vec<_>>());
    assert_eq!(outcome.live.ended.load(std::sync::atomic::Ordering::Relaxed), 4);
    assert!(outcome.complete);
}

#[tokio::test(start_paused = true)]
async fn a_rate_under_a_cap_counts_the_wait_for_a_place() {
    let load = Load { in_flight: NonZeroUsize::new(1), ..open(100.0, 20) };
    let outcome = scene("ttft_ms=100&itl_ms=0", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let last = &outcome.records[19];
    assert!(last.scheduled <= millis(200), "{:?}", last.scheduled);
    assert!(last.started - last.scheduled > Duration::from_millis(1700), "{:?}", last.started);
    let overlap = outcome.records.windows(2).any(|pair| pair[1].started < pair[0].end);
    assert!(!overlap, "the cap was exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_leading_warm_up_has_no_barrier_behind_it() {
    let load = Load { warmup: Warmup::Leading(2), ..closed(2, 3) };
    let outcome = scene("ttft_ms=100&itl_ms=0", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let phases: Vec<Phase> = outcome.records.iter().map(|record| record.phase).collect();
    use Phase::{Measured, Warmup as Warm};
    assert_eq!(phases, [Warm, Warm, Measured, Measured, Measured]);
    assert_eq!(outcome.records[2].started, outcome.records[0].end);
    assert_eq!(outcome.measured_from, outcome.records[2].started);
}

#[tokio::test(start_paused = true)]
async fn the_measured_schedule_begins_behind_the_last_leading_warm_up() {
    let mut load = Load { warmup: Warmup::Leading(8), ..open(100.0, 12) };
    let outcome = scene("ttft_ms=10&itl_ms=0", load.clone()).run().await;
    assert_eq!(outcome.measured_from, outcome.records[7].scheduled);
    assert!(outcome.measured_from > Offset::ZERO);
    load.arrivals = Arrivals::Constant { rate: 50.0 };
    let outcome = scene("ttft_ms=10&itl_ms=0", load.clone()).run().await;
    assert_eq!(outcome.measured_from, millis(160));
    load.warmup = Warmup::None;
    let outcome = scene("ttft_ms=10&itl_ms=0", load).run().await;
    assert_eq!(outcome.measured_from, Offset::ZERO);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_are_all_wanted_from_the_beginning() {
    let load = Load { in_flight: None, ..closed(1, 1000) };
    let outcome = scene("ttft_ms=0&itl_ms=0", load).run().await;
    outcome.assert_all_succeeded();
    assert!(outcome.records.iter().all(|record| record.scheduled == Offset::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_separate_warm_up_is_drained_before_the_measurement() {
    let load = Load { warmup: Warmup::Separate(5), ..open(1000.0, 5) };
    let outcome = scene("ttft_ms=300&itl_ms=0", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let drained = outcome.records[..5].iter().map(|record| record.end).max().unwrap();
    assert!(outcome.records[5..].iter().all(|record| record.scheduled >= drained));
    assert_eq!(outcome.measured_from, drained);
    assert_eq!(outcome.records.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_duration_ends_sending_when_it_says_and_awaits_the_rest() {
    let mut load = closed(4, 1_000_000);
    load.stop.after = Some(Duration::from_millis(2500));
    let outcome = scene("ttft_ms=1000&itl_ms=0", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    assert!(outcome.complete);
    assert_eq!(outcome.records.len(), 12);
    assert!(outcome.records.iter().all(|record| record.started < millis(2500)));
    assert_eq!(outcome.records[11].end, millis(3000));
}

#[tokio::test(start_paused = true)]
async fn under_a_rate_and_a_cap_the_duration_counts_from_the_first_measured_send() {
    let mut load = Load { in_flight: NonZeroUsize::new(1), ..open(100.0, 20) };
    load.warmup = Warmup::Leading(8);
    load.stop.after = Some(Duration::from_secs(3));
    let outcome = scene("ttft_ms=500&itl_ms=0", load).run().await;
    outcome.assert_all_succeeded();
    let measured: Vec<_> =
        outcome.records.iter().filter(|record| record.phase == Phase::Measured).collect();
    let first = measured[0].started;
    assert!(measured.iter().all(|record| record.started - first < Duration::from_secs(3)));
    assert_eq!(measured.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn in_an_open_loop_the_duration_counts_from_the_schedules_beginning() {
    let mut load = open(10.0, 100);
    load.stop.after = Some(Duration::from_secs(1));
    let schedule = load.arrivals.schedule(100, Seed::new(42).at(0)).unwrap();
    let due = schedule.iter().filter(|at| **at < Duration::from_secs(1)).count();
    let outcome = scene("ttft_ms=100&itl_ms=0", load).run().await;
    outcome.assert_all_succeeded();
    assert_eq!(outcome.records.len(), due);
}
