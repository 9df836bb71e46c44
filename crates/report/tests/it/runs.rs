//! Runs made by hand: a closed or open loop against a server whose every moment is a formula. Nothing is random.

use std::time::Duration;

use serde_json::json;
use tokometer_record::{
    Channel, Chunk, ClientUse, Connection, Failure, FailureKind, Header, Offset, Outcome,
    OutputTokens, Phase, Point, PointEnd, PointLog, PromptTokens, Pulse, Record, RunLog,
    TimeoutPhase, TokenSource,
};

/// A server's behaviour towards one request.
pub(crate) struct Service {
    /// Milliseconds to the first token.
    pub(crate) ttft: f64,
    /// Milliseconds between tokens.
    pub(crate) gap: f64,
    /// Tokens.
    pub(crate) tokens: u32,
    /// After how many milliseconds and of what it fails.
    pub(crate) failure: Option<(f64, Failure)>,
}

impl Service {
    /// A success.
    pub(crate) fn of(ttft: f64, gap: f64, tokens: u32) -> Self {
        Self { ttft, gap, tokens, failure: None }
    }

    /// A failure.
    pub(crate) fn failing(after: f64, kind: FailureKind, message: &str) -> Self {
        Self { failure: Some((after, Failure::new(kind, message))), ..Self::of(0.0, 0.0, 0) }
    }
}

pub(crate) fn ms(moment: f64) -> Offset {
    Offset::after(Duration::from_nanos((moment * 1e6).round() as u64))
}

fn record(index: u64, scheduled: f64, started: f64, service: &Service) -> Record {
    let chunks: Vec<Chunk> = (0..service.tokens)
        .map(|token| started + service.ttft + f64::from(token) * service.gap)
        .map(|at| Chunk { at: ms(at), tokens: 0, channel: Channel::Content })
        .collect();
    let last = chunks.last().map_or(ms(started), |chunk| chunk.at);
    let (end, outcome) = match &service.failure {
        None => (last, Outcome::Ok),
        Some((after, failure)) => (ms(started + after), Outcome::Failed(failure.clone())),
    };
    let succeeded = service.failure.is_none();
    Record {
        index,
        phase: Phase::Measured,
        scheduled: ms(scheduled),
        started: ms(started),
        connection: Connection::Reused,
        connected: Some(ms(started)),
        sent: Some(ms(started)),
        headers: None,
        chunks: chunks.into(),
        end,
        streamed: true,
        outcome,
        status: succeeded.then_some(200),
        prompt_tokens: PromptTokens {
            local: Some(1024),
            server: succeeded.then_some(1024),
            cached: None,
        },
        output_tokens: succeeded
            .then_some(OutputTokens { count: service.tokens, source: TokenSource::Usage }),
        asked_output: Some(service.tokens),
        audio: None,
        inputs: None,
        finish_reason: succeeded.then(|| "length".to_owned()),
        request_id: format!("7f3a-{index:04}"),
        prompt: None,
        output: None,
    }
}

fn client() -> ClientUse {
    ClientUse {
        cpu_user: 90_000_000,
        cpu_system: 60_000_000,
        peak_memory: 48 << 20,
        workers: 1,
        loop_lag_p99: 210_000,
        loop_lag_max: 1_900_000,
        loop_lag_probes: 5_000,
    }
}

fn point_log(point: Point, records: Vec<Record>) -> PointLog {
    let at = records.iter().map(|record| record.end).max().unwrap_or_default();
    let end =
        PointEnd { index: point.index, at, complete: true, measured_from: None, client: client() };
    PointLog { records, end: Some(end), ..PointLog::begun(point) }
}

/// A closed loop: each place takes the next request 0.05 ms after it became free.
pub(crate) fn closed(places: usize, requests: u64, serve: impl Fn(u64) -> Service) -> PointLog {
    let mut free = vec![0.0_f64; places];
    let records = (0..requests).map(|index| {
        let place = (0..places).min_by(|&a, &b| free[a].total_cmp(&free[b])).unwrap();
        let record = record(index, free[place], free[place] + 0.05, &serve(index));
        free[place] = record.end.as_secs_f64() * 1e3;
        record
    });
    let records = records.collect();
    let point = Point {
        name: format!("parallel_{places}_number_{requests}"),
        requests,
        concurrency: Some(places),
        seed: 7,
        arguments: json!({ "model": "qwen3-32b", "parallel": places, "number": requests }),
        ..Point::default()
    };
    point_log(point, records)
}

/// An open loop: requests are wanted in an even pace, and each starts `late` milliseconds after that.
pub(crate) fn open(
    rate: f64,
    requests: u64,
    late: impl Fn(u64) -> f64,
    serve: impl Fn(u64) -> Service,
) -> PointLog {
    let records = (0..requests).map(|index| {
        let wanted = (index + 1) as f64 * 1e3 / rate;
        record(index, wanted, wanted + late(index), &serve(index))
    });
    let records = records.collect();
    let point = Point {
        name: format!("rate_{rate:?}_number_{requests}"),
        requests,
        rate: Some(rate),
        open_loop: true,
        seed: 7,
        arguments: json!({ "model": "qwen3-32b", "parallel": -1, "rate": rate, "number": requests }),
        ..Point::default()
    };
    point_log(point, records)
}

/// A run of these points.
pub(crate) fn run(points: Vec<PointLog>) -> RunLog {
    let header = Header {
        version: tokometer_record::VERSION,
        program: "0.1.0".into(),
        began: "2026-01-02T11:04:37+08:00".into(),
        dialect: "evalscope".into(),
        name: "qwen3-32b".into(),
        alias: None,
        model: "qwen3-32b".into(),
        api: "openai".into(),
        url: "http://127.0.0.1:8000/v1/chat/completions".into(),
        dataset: "random".into(),
        tokenizer: "models/Qwen3-32B".into(),
        tokens_estimated: false,
        arguments: json!({ "model": "qwen3-32b" }),
        plan: String::new(),
        ..Header::default()
    };
    let mut log = RunLog { header, points, end: None, damaged: Vec::new() };
    for (index, point) in log.points.iter_mut().enumerate() {
        point.point.index = index;
    }
    let requests: Vec<u64> = log.points.iter().map(|point| point.point.requests).collect();
    log.header.arguments["number"] = json!(requests);
    log
}

/// The client's state at a moment: how late its event loop was since the last, and its processor time so far.
fn pulse(at: f64, lag: f64, cpu: f64) -> Pulse {
    let nanos = |millis: f64| (millis * 1e6).round() as u64;
    Pulse { at: ms(at), in_flight: 8, loop_lag: nanos(lag), cpu: nanos(cpu) }
}

/// A sweep that goes well.
pub(crate) fn good() -> RunLog {
    let serve = |slower: f64| {
        move |index: u64| {
            let jitter = (index * 7 % 13) as f64;
            Service::of(180.0 * slower + 3.0 * jitter, 18.0 * slower + 0.1 * jitter, 64)
        }
    };
    run(vec![closed(1, 10, serve(1.0)), closed(10, 120, serve(1.1)), closed(50, 250, serve(1.6))])
}

/// The mystery of the document: a success rate of 25 % at 200 concurrent requests.
pub(crate) fn mystery() -> RunLog {
    const OVERLOADED: &str = "{\"error\":{\"message\":\"The engine is overloaded: 37 requests are waiting, the limit is 32.\",\
                              \"type\":\"overloaded_error\"}}";
    let fails = |every: u64, served: u64, ttft: f64, gap: f64| {
        move |index: u64| match index % every {
            n if n < served => Service::of(ttft + (index % 10) as f64 * ttft / 9.0, gap, 128),
            n if n % 5 == 4 => {
                Service::failing(2.5, FailureKind::Reset, "Connection reset by peer (os error 104)")
            }
            n if n % 11 == 10 => Service::failing(
                30_000.0,
                FailureKind::Timeout(TimeoutPhase::FirstByte),
                "no byte of the response within 30 s",
            ),
            n => Service::failing(
                4.0,
                FailureKind::Status(503),
                &OVERLOADED.replace("37", &(33 + n % 17).to_string()),
            ),
        }
    };
    run(vec![
        closed(1, 10, fails(1, 1, 200.0, 29.0)),
        closed(10, 20, fails(10, 3, 400.0, 31.0)),
        closed(50, 100, fails(10, 3, 1_800.0, 40.0)),
        closed(200, 400, fails(20, 5, 4_600.0, 67.0)),
    ])
}

/// An open loop that the client could not keep up with at its second point.
pub(crate) fn open_loop() -> RunLog {
    let mut log = run(vec![
        open(10.0, 100, |_| 0.1, |_| Service::of(200.0, 20.0, 16)),
        open(200.0, 1_000, |index| 0.2 + index as f64 * 0.3, |_| Service::of(220.0, 21.0, 16)),
    ]);
    let client = &mut log.points[1].end.as_mut().unwrap().client;
    client.cpu_user = 5_500_000_000;
    client.loop_lag_p99 = 7_400_000;
    log
}

/// Two rates in open loop that a server simply serves, and a third with too few requests to tell.
pub(crate) fn served_rates() -> RunLog {
    let serve = |_| Service::of(20.0, 2.0, 16);
    let few = |index| Service::of(if index == 0 { 9.0 } else { 4.0 }, 0.0, 1);
    run(vec![
        open(10.0, 50, |_| 0.1, serve),
        open(50.0, 100, |_| 0.1, serve),
        open(100.0, 2, |_| 0.1, few),
    ])
}

/// An open loop whose second rate is more than the server's 20 requests a second.
pub(crate) fn overrun_rate() -> RunLog {
    let serve = |rate: f64| {
        move |index: u64| {
            let wait = (index as f64 * (50.0 - 1e3 / rate)).max(0.0);
            Service::of(100.0 + wait, 2.0, 16)
        }
    };
    run(vec![open(10.0, 100, |_| 0.1, serve(10.0)), open(40.0, 200, |_| 0.1, serve(40.0))])
}

/// A rate under a cap of concurrency that the server is too slow for, interrupted, by a client that was late: the widest table.
pub(crate) fn rate_under_a_cap() -> RunLog {
    let mut log = run(vec![closed(1_000, 4_000, |_| Service::of(40_000.0, 1_500.0, 64))]);
    let point = &mut log.points[0];
    point.point.rate = Some(1_234.5);
    for record in &mut point.records {
        record.scheduled = ms(record.index as f64 * 1e3 / 1_234.5);
    }
    let end = point.end.as_mut().unwrap();
    end.complete = false;
    end.client.loop_lag_p99 = 123_400_000;
    point.records.truncate(2_500);
    log
}

/// Responses that are not streamed.
pub(crate) fn whole_bodies() -> RunLog {
    let mut log = run(vec![closed(2, 6, |_| Service::of(900.0, 0.0, 1))]);
    for record in &mut log.points[0].records {
        record.streamed = false;
        record.asked_output = Some(64);
        record.output_tokens = Some(OutputTokens { count: 64, source: TokenSource::Usage });
    }
    log
}

/// A run that was interrupted in its first point: what was in flight is cancelled, and two more points are missing.
pub(crate) fn interrupted() -> RunLog {
    let mut log = run(vec![closed(4, 16, |index| match index {
        3 | 7 => {
            Service::failing(2.5, FailureKind::Reset, "Connection reset by peer (os error 104)")
        }
        12.. => Service::failing(30_000.0, FailureKind::Cancelled, "the run was stopped"),
        _ => Service::of(200.0, 20.0, 16),
    })]);
    log.points[0].end.as_mut().unwrap().complete = false;
    log.header.arguments["number"] = json!([16, 40, 80]);
    log
}

/// A run that was killed in its second point, whose pulses leave it open whether the client kept up; of its first point a stall is
/// to be told.
pub(crate) fn killed() -> RunLog {
    let serve = |_| Service::of(200.0, 20.0, 16);
    let mut log = run(vec![closed(8, 40, serve), closed(8, 80, serve), closed(8, 8, serve)]);
    log.points[0].end.as_mut().unwrap().client.loop_lag_max = 83_000_000;
    log.points[0].pulses = vec![pulse(1_000.0, 1.2, 20.0), pulse(2_000.0, 83.0, 40.0)];
    log.points[1].pulses =
        vec![pulse(1_000.0, 1.2, 20.0), pulse(2_000.0, 9.0, 60.0), pulse(3_000.0, 0.8, 90.0)];
    log.points[1].records.truncate(48);
    log.points[1].end = None;
    log.points[2].pulses.clear();
    log.points[2].end = None;
    log
}

/// A run that was killed in its second point, after a first that was interrupted while every request failed.
pub(crate) fn cut_short() -> RunLog {
    let refused =
        |_| Service::failing(0.2, FailureKind::ConnectRefused, "Connection refused (os error 111)");
    let mut log = run(vec![
        closed(4, 8, refused),
        closed(8, 40, |_| Service::of(200.0, 20.0, 16)),
        closed(16, 80, refused),
    ]);
    log.points[0].records.truncate(5);
    log.points[0].end.as_mut().unwrap().complete = false;
    log.points[1].records.truncate(17);
    log.points[1].pulses = vec![pulse(1_000.0, 3.1, 210.0)];
    log.points[1].end = None;
    log.points[2].records.clear();
    log.points[2].end = None;
    log
}

/// A run in which nothing is as it was meant, although nothing fails.
pub(crate) fn oddities() -> RunLog {
    let mut log = run(vec![closed(4, 200, |_| Service::of(150.0, 40.0, 16))]);
    log.header.alias = Some("四号机".into());
    let point = &mut log.points[0];
    point.point.duration = Some(10.0);
    point.point.requests = 500;
    for record in &mut point.records {
        let early = record.index % 4 == 3;
        record.sent = None;
        record.asked_output = Some(64);
        record.prompt_tokens.server = Some(1033);
        record.prompt_tokens.cached = Some(256);
        record.output_tokens = match record.index {
            0..8 => Some(OutputTokens { count: 60, source: TokenSource::LocalTokenizer }),
            8..10 => None,
            _ => Some(OutputTokens {
                count: if early { 40 } else { 64 },
                source: TokenSource::Usage,
            }),
        };
        record.finish_reason = Some(if early { "stop" } else { "length" }.into());
        if record.index % 10 == 0 {
            record.connection = Connection::Opened {
                dns: Duration::ZERO,
                tcp: Duration::from_micros(300 + record.index),
                tls: Duration::from_micros(2_100),
            };
        }
    }
    log
}
