//! Every way in which a request or a load can end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_shut_door_refuses_every_request_at_once() {
    let outcome = Scene { door: Door::Shut, ..scene("", closed(2, 4)) }.run().await;
    assert_eq!(outcome.kinds(), [Some(FailureKind::ConnectRefused); 4]);
    assert!(outcome.records.iter().all(|record| record.connection == Connection::None));
    assert!(outcome.complete);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_answers_times_out_while_connecting() {
    let timeouts = Timeouts { connect: Some(Duration::from_millis(70)), ..no_limit() };
    let outcome = Scene { door: Door::Silent, timeouts, ..scene("", closed(1, 2)) }.run().await;
    assert_eq!(outcome.kinds(), [Some(FailureKind::Timeout(TimeoutPhase::Connect)); 2]);
    let waits = outcome.records.iter().map(|record| record.end - record.started);
    assert_eq!(waits.collect::<Vec<_>>(), [Duration::from_millis(70); 2]);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_streamed_is_one_chunk_without_a_first_token() {
    let outcome =
        Scene { stream: false, ..scene("ttft_ms=100&itl_ms=10", closed(1, 2)) }.run().await;
    outcome.assert_moments_are_the_servers();
    let record = &outcome.records[0];
    assert_eq!(
        (record.streamed, record.chunks.len(), record.last()),
        (false, 1, Some(millis(140)))
    );
    assert_eq!(record.output_tokens.unwrap().count, 5);
}

/// What one request of a simulator with this fault ends as.
async fn failure_of(query: &'static str, timeouts: Timeouts) -> (Record, FailureKind) {
    let outcome = Scene { timeouts, ..scene(query, closed(1, 2)) }.run().await;
    outcome.assert_moments_are_the_servers();
    assert!(outcome.complete, "a failed request never ends a run");
    let record = outcome.records.into_iter().next().unwrap();
    let kind = record.failure().unwrap().kind;
    assert_eq!(outcome.live.failed.load(std::sync::atomic::Ordering::Relaxed), 2);
    (record, kind)
}

fn expects(expected: FailureKind, chunks: usize) -> impl Fn((Record, FailureKind)) {
    move |(record, kind)| assert_eq!((kind, record.chunks.len()), (expected, chunks), "{record:?}")
}

fn no_limit() -> Timeouts {
    Timeouts::default()
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_the_failure_that_it_looks_like() {
    use FailureKind::{BadJson, EmptyStream, ErrorEvent, Reset, Status, TruncatedStream};
    expects(Status(429), 0)(failure_of("fault=status_429", no_limit()).await);
    expects(Status(401), 0)(failure_of("fault=status_401", no_limit()).await);
    expects(Status(500), 0)(failure_of("fault=status_500", no_limit()).await);
    expects(Status(503), 0)(failure_of("fault=status_503", no_limit()).await);
    expects(Reset, 0)(failure_of("fault=reset", no_limit()).await);
    expects(Reset, 2)(failure_of("fault=reset_mid_stream&fault_after=2", no_limit()).await);
    expects(Reset, 2)(failure_of("fault=reset_mid_event&fault_after=2", no_limit()).await);
    expects(ErrorEvent, 2)(failure_of("fault=error_event&fault_after=2", no_limit()).await);
    expects(TruncatedStream, 2)(failure_of("fault=truncated&fault_after=2", no_limit()).await);
    expects(EmptyStream, 0)(failure_of("fault=empty_stream", no_limit()).await);
    expects(BadJson, 0)(failure_of("fault=not_json", no_limit()).await);
    expects(BadJson, 4)(failure_of("fault=bad_json&fault_after=2", no_limit()).await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_the_servers_words_and_its_advice() {
    let (record, _) = failure_of("fault=status_429", no_limit()).await;
    assert_eq!(record.status, Some(429));
    let words = &record.failure().unwrap().message;
    assert!(words.ends_with("(retry after 1 s)"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_stall_before_the_first_byte_is_told_from_one_between_chunks() {
    let first = Timeouts { first_byte: Some(Duration::from_millis(500)), ..no_limit() };
    let (record, kind) = failure_of("ttft_ms=100&fault=stall_first&fault_ms=60000", first).await;
    assert_eq!((kind, record.end), (FailureKind::Timeout(TimeoutPhase::FirstByte), millis(500)));
    let between = Timeouts { between_chunks: Some(Duration::from_millis(500)), ..no_limit() };
    let query = "ttft_ms=100&itl_ms=10&fault=stall_between&fault_after=2&fault_ms=60000";
    let (record, kind) = failure_of(query, between).await;
    assert_eq!(
        (kind, record.end),
        (FailureKind::Timeout(TimeoutPhase::BetweenChunks), millis(610))
    );
    assert_eq!(record.chunks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_ends_a_lively_stream() {
    let total = Timeouts { total: Some(Duration::from_millis(120)), ..no_limit() };
    let (record, kind) = failure_of("ttft_ms=100&itl_ms=10", total).await;
    assert_eq!((kind, record.end), (FailureKind::Timeout(TimeoutPhase::Total), millis(120)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_broke_is_not_used_again() {
    let outcome = scene("fault=reset_mid_stream&fault_requests=0", closed(1, 3)).run().await;
    assert_eq!(outcome.kinds(), [Some(FailureKind::Reset), None, None]);
    assert!(matches!(outcome.records[1].connection, Connection::Opened { .. }));
    assert_eq!(outcome.records[2].connection, Connection::Reused);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_write_a_stream_reads_the_same() {
    for fault in ["crlf", "comments", "no_space", "split_bytes", "reasoning", "tool_call"] {
        let query: &'static str = format!("ttft_ms=100&itl_ms=10&fault={fault}").leak();
        let outcome = scene(query, closed(1, 1)).run().await;
        assert_eq!(outcome.kinds(), [None], "{fault}");
        let moments: Vec<Offset> = outcome.records[0].chunks.iter().map(|chunk| chunk.at).collect();
        assert_eq!(moments, [100, 110, 120, 130, 140].map(millis), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_opening_event_is_not_the_first_token() {
    let outcome = scene("ttft_ms=100&itl_ms=10&fault=role_first", closed(1, 1)).run().await;
    outcome.assert_moments_are_the_servers();
    assert_eq!(outcome.records[0].first(), Some(millis(100)));
    assert!(outcome.records[0].headers < Some(millis(100)));
}

#[tokio::test(start_paused = true)]
async fn without_usage_the_count_is_labelled_an_estimate() {
    let outcome = scene("ttft_ms=100&fault=no_usage", closed(1, 1)).run().await;
    let counted = outcome.records[0].output_tokens.unwrap();
    assert_eq!((counted.count, counted.source), (5, TokenSource::ChunkCount));
}

/// Raises each urgency at its moment.
fn user(steps: &'static [(u64, Urgency)]) -> (Interrupt, impl Future<Output = ()>) {
    let interrupt = Interrupt::default();
    let hand = interrupt.clone();
    let acts = async move {
        let begun = Instant::now();
        for (at, urgency) in steps {
            tokio::time::sleep_until(begun + Duration::from_millis(*at)).await;
            hand.raise(*urgency);
        }
    };
    (interrupt, acts)
}

#[tokio::test(start_paused = true)]
async fn the_first_interruption_awaits_what_is_in_flight() {
    let (interrupt, acts) = user(&[(150, Urgency::Drain)]);
    tokio::spawn(acts);
    let outcome =
        Scene { interrupt, ..scene("ttft_ms=100&itl_ms=10", closed(2, 1000)) }.run().await;
    outcome.assert_moments_are_the_servers();
    assert!(!outcome.complete);
    // The second wave began at 140 ms and is over at 280 ms, beyond the patience of 50 ms.
    assert_eq!(outcome.kinds()[..2], [None, None]);
    assert_eq!(outcome.kinds()[2..], [Some(FailureKind::Cancelled); 2]);
    assert_eq!(outcome.records[2].end, millis(200));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_interruption_no_probe_is_sent() {
    let (interrupt, acts) = user(&[(150, Urgency::Drain)]);
    tokio::spawn(acts);
    let probe_rate = Some(50.0);
    let load = closed(1, 1000);
    let outcome =
        Scene { interrupt, probe_rate, ..scene("ttft_ms=40&itl_ms=20", load) }.run().await;
    let probes = outcome.records.iter().filter(|record| record.phase == Phase::Probe);
    let sent: Vec<Offset> = probes.map(|record| record.started).collect();
    assert_eq!(sent, [20, 40, 60, 80, 100, 120, 140].map(millis));
}

#[tokio::test(start_paused = true)]
async fn the_second_interruption_ends_a_probe_that_hangs_though_the_load_has_ended() {
    let (interrupt, acts) = user(&[(300, Urgency::Drain), (400, Urgency::Stop)]);
    tokio::spawn(acts);
    // The first request is the load's, which is over at 100 ms. The second is a probe, and is never answered.
    let query = "ttft_ms=100&itl_ms=0&fault=stall_first&fault_ms=60000&fault_requests=1";
    let outcome =
        Scene { interrupt, probe_rate: Some(20.0), ..scene(query, closed(1, 1)) }.run().await;
    assert!(outcome.complete, "the load itself was");
    assert_eq!(outcome.kinds()[..2], [None, Some(FailureKind::Cancelled)]);
    assert_eq!(outcome.over, millis(400));
}

#[tokio::test(start_paused = true)]
async fn an_interruption_is_heard_however_far_behind_the_schedule_is() {
    let interrupt = Interrupt::default();
    let hand = interrupt.clone();
    // Its first turn comes when the driver lets others have one.
    tokio::spawn(async move { hand.raise(Urgency::Stop) });
    let arrivals = Arrivals::Trace(vec![Duration::ZERO; 2].into());
    let load = Load { arrivals, in_flight: None, ..closed(1, 100_000) };
    let outcome = Scene { interrupt, ..scene("ttft_ms=100", load) }.run().await;
    assert!(!outcome.complete);
    assert!(outcome.records.len() < 1_000, "{}", outcome.records.len());
}

#[tokio::test(start_paused = true)]
async fn a_rate_too_low_for_any_clock_waits_and_can_be_interrupted() {
    let (interrupt, acts) = user(&[(150, Urgency::Drain)]);
    tokio::spawn(acts);
    let load =
        Load { arrivals: Arrivals::Constant { rate: 1e-20 }, in_flight: None, ..closed(1, 2) };
    let outcome = Scene { interrupt, ..scene("ttft_ms=100", load) }.run().await;
    assert_eq!((outcome.records.len(), outcome.over), (0, millis(150)));
}

#[tokio::test(start_paused = true)]
async fn the_second_interruption_ends_at_once() {
    let (interrupt, acts) = user(&[(110, Urgency::Drain), (120, Urgency::Stop)]);
    tokio::spawn(acts);
    let outcome =
        Scene { interrupt, ..scene("ttft_ms=100&itl_ms=10", closed(2, 1000)) }.run().await;
    assert!(!outcome.complete);
    assert_eq!(outcome.kinds(), [Some(FailureKind::Cancelled); 2]);
    assert_eq!(outcome.records[0].end, millis(120));
    assert!(!outcome.records[0].chunks.is_empty(), "what had arrived is kept");
}
