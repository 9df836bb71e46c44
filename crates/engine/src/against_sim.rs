//! The engine against the simulator, in virtual time, over pipes: every moment that the client records must be the server's own,
//! to the nanosecond. What is compared is not the configuration but the simulator's ground truth.

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_record::{
    Connection, Failure, FailureKind, Offset, Phase, Record, TimeoutPhase, TokenSource,
};
use tokometer_sim::{Served, Server, Truth, Words};
use tokometer_wire::{Options, Prompt, Request};
use tokometer_workload::Ask;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

use crate::Event;
use crate::connection::Pool;
use crate::drive::{Crew, Drive};
use crate::exchange::{Carrier, Terms};
use crate::live::{Interrupt, Live, Urgency};
use crate::settings::{Settings, Target, Timeouts, Tls};
use crate::transport::{Connect, Stamped, Stamps, Steps};

/// Pipes to a simulator in the same process.
#[derive(Clone)]
struct Pipes {
    server: Arc<Server>,
    door: Door,
}

/// What becomes of an attempt to connect.
#[derive(Clone, Copy)]
enum Door {
    Open,
    Shut,
    /// Nobody answers.
    Silent,
}

impl Connect for Pipes {
    type Stream = Stamped<DuplexStream>;

    async fn connect(&self, stamps: Arc<Stamps>) -> Result<(Self::Stream, Steps), Failure> {
        match self.door {
            Door::Open => {}
            Door::Shut => return Err(Failure::new(FailureKind::ConnectRefused, "shut")),
            Door::Silent => std::future::pending().await,
        }
        let (client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(tokometer_sim::serve_connection(Arc::clone(&self.server), server));
        Ok((Stamped::new(client, stamps), Steps::default()))
    }
}

/// What to do, and what happened.
struct Scene {
    query: &'static str,
    load: Load,
    timeouts: Timeouts,
    stream: bool,
    door: Door,
    interrupt: Interrupt,
}

struct Outcome {
    records: Vec<Record>,
    truth: HashMap<String, Served>,
    complete: bool,
    live: Arc<Live>,
}

fn closed(in_flight: usize, requests: u64) -> Load {
    Load {
        arrivals: Arrivals::AtOnce,
        in_flight: NonZeroUsize::new(in_flight),
        stop: Stop { requests, after: None },
        warmup: Warmup::None,
    }
}

fn open(rate: f64, requests: u64) -> Load {
    Load { arrivals: Arrivals::Poisson { rate }, in_flight: None, ..closed(1, requests) }
}

fn scene(query: &'static str, load: Load) -> Scene {
    Scene {
        query,
        load,
        timeouts: Timeouts::default(),
        stream: true,
        door: Door::Open,
        interrupt: Interrupt::default(),
    }
}

fn asks(stream: bool) -> Arc<[Ask]> {
    let api = tokometer_wire::by_name("openai-chat").unwrap();
    let mut options = Options { max_tokens: Some(5), stream, ..Options::default() };
    options.extra.insert("ignore_eos".into(), true.into());
    let prompt = Prompt::Text("hello there".into());
    let request = Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
    let body = api.request(&request).unwrap();
    Arc::new([Ask { body, prompt_tokens: Some(2), asked_output: Some(5), prompt: None }])
}

impl Scene {
    async fn run(self) -> Outcome {
        // Nothing but whole milliseconds is exact with tokio's timer, so the clock begins at one.
        let origin = Instant::now();
        let truth = Truth::memory(origin);
        let options = tokometer_sim::Options::from_query(self.query).unwrap();
        let server = Server::new(options, Arc::new(Words), Timer::tokio(), truth.clone());
        let settings = Settings {
            target: Target::parse("http://sim/v1/chat/completions").unwrap(),
            api: tokometer_wire::by_name("openai-chat").unwrap(),
            stream: self.stream,
            headers: Vec::new(),
            secrets: Vec::new(),
            timeouts: self.timeouts,
            tls: Tls::default(),
            http2: false,
            proxy: None,
            workers: NonZeroUsize::MIN,
            keep_output: false,
            keep_prompt: false,
            request_id_prefix: "test-".into(),
            drain: Duration::from_millis(50),
        };
        let live = Arc::<Live>::default();
        let carrier = Carrier {
            pool: Arc::new(Pool::new(Pipes { server, door: self.door }, origin, false)),
            terms: Arc::new(Terms::new(&settings).unwrap()),
            live: Arc::clone(&live),
            origin,
            request_id_prefix: settings.request_id_prefix.clone(),
        };
        let crews =
            [Crew { runtime: tokio::runtime::Handle::current(), carrier: Arc::new(carrier) }];
        let (events, happened) = channel();
        let drive = Drive {
            load: &self.load,
            asks: &asks(self.stream),
            seed: Seed::new(42),
            crews: &crews,
            timer: &Timer::tokio(),
            drain: settings.drain,
            events: &events,
            interrupt: &self.interrupt,
        };
        drive.open_connections().await;
        let complete = drive.run().await;
        // The server hands its truth over as its connections end.
        drop(crews);
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(events);
        let mut records: Vec<Record> = happened
            .iter()
            .filter_map(|event| match event {
                Event::Ended { record, .. } => Some(record),
                Event::Pulse(_) => None,
            })
            .collect();
        records.sort_by_key(|record| record.index);
        let truth =
            truth.served().into_iter().map(|served| (served.request_id.clone(), served)).collect();
        Outcome { records, truth, complete, live }
    }
}

impl Outcome {
    /// Every chunk's moment is the moment at which the server wrote it, and every request arrived when it was sent. A request that
    /// succeeded has every chunk that the server wrote; one that failed may lack the last ones.
    fn assert_moments_are_the_servers(&self) {
        for record in &self.records {
            let served = &self.truth[&record.request_id];
            let read: Vec<u64> = record.chunks.iter().map(|chunk| chunk.at.as_nanos()).collect();
            let written: Vec<u64> = served
                .emissions
                .iter()
                .filter(|emitted| emitted.tokens > 0)
                .map(|emitted| emitted.at)
                .collect();
            if record.succeeded() {
                assert_eq!(read, written, "request {}", record.index);
                let expected = if record.streamed { 5 } else { 1 };
                assert_eq!(read.len(), expected, "request {}", record.index);
            } else {
                assert!(written.starts_with(&read), "{}: {read:?} of {written:?}", record.index);
            }
            assert_eq!(record.sent.unwrap().as_nanos(), served.arrival, "request {}", record.index);
        }
    }

    fn assert_all_succeeded(&self) {
        assert!(self.kinds().iter().all(Option::is_none), "{:?}", self.kinds());
    }

    fn kinds(&self) -> Vec<Option<FailureKind>> {
        self.records.iter().map(|record| record.failure().map(|failure| failure.kind)).collect()
    }
}

fn millis(n: u64) -> Offset {
    Offset::from_nanos(n * 1_000_000)
}

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
}

#[tokio::test(start_paused = true)]
async fn a_separate_warm_up_is_drained_before_the_measurement() {
    let load = Load { warmup: Warmup::Separate(5), ..open(1000.0, 5) };
    let outcome = scene("ttft_ms=300&itl_ms=0", load).run().await;
    outcome.assert_moments_are_the_servers();
    outcome.assert_all_succeeded();
    let drained = outcome.records[..5].iter().map(|record| record.end).max().unwrap();
    assert!(outcome.records[5..].iter().all(|record| record.scheduled >= drained));
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
