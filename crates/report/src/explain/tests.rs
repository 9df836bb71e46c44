//! A run explained, and held against another.

use tokometer_metrics::server::Speculated;
use tokometer_metrics::summary::summarize;
use tokometer_record::{
    Channel, Chunk, ClientUse, Connection, Offset, Outcome, OutputTokens, Phase, Point, PointEnd,
    PointLog, PromptTokens, Record, Telemetry, TokenSource,
};

use super::*;

fn ms(moment: u64) -> Offset {
    Offset::from_nanos(moment * 1_000_000)
}

/// A point of 40 requests at so many at once, each with 8 tokens a `gap` of milliseconds apart.
fn point(index: usize, places: usize, gap: u64) -> PointSummary {
    let record = |request: u64| {
        let started = request / places as u64 * (100 + 7 * gap);
        let chunks: Vec<Chunk> = (0..8)
            .map(|token| ms(started + 100 + request % 3 + token * gap))
            .map(|at| Chunk { at, tokens: 0, channel: Channel::Content })
            .collect();
        Record {
            index: request,
            phase: Phase::Measured,
            scheduled: ms(started),
            started: ms(started),
            connection: Connection::Reused,
            connected: None,
            sent: None,
            headers: None,
            end: chunks[7].at,
            chunks,
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens { local: Some(16), server: Some(16), cached: None },
            output_tokens: Some(OutputTokens { count: 8, source: TokenSource::Usage }),
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: None,
            request_id: String::new(),
            prompt: None,
            output: None,
        }
    };
    let records: Vec<Record> = (0..40).map(record).collect();
    let client = ClientUse { loop_lag_probes: 1_000, ..ClientUse::default() };
    let at = records.iter().map(|record| record.end).max().unwrap();
    let log = PointLog {
        point: Point {
            index,
            name: format!("parallel_{places}_number_40"),
            requests: 40,
            concurrency: Some(places),
            ..Point::default()
        },
        records,
        pulses: Vec::new(),
        scrapes: Vec::new(),
        telemetry: Telemetry::default(),
        end: Some(PointEnd { index, at, complete: true, measured_from: None, client }),
    };
    summarize(&log)
}

fn speculating(mut summary: PointSummary) -> PointSummary {
    summary.side.speculation = Some(Speculated {
        acceptance_length: 2.6,
        acceptance_rate: Some(0.53),
        ..Speculated::default()
    });
    summary
}

fn header(model: &str) -> Header {
    Header {
        model: model.into(),
        url: "http://127.0.0.1:8000/v1/chat/completions".into(),
        began: "2026-01-02T11:04:37+08:00".into(),
        dataset: "random".into(),
        ..Header::default()
    }
}

#[test]
fn a_run_beside_one_without_speculation_says_what_it_gained() {
    let (here, there) = (header("qwen3-32b"), header("qwen3-32b"));
    let points = [speculating(point(0, 4, 10)), speculating(point(1, 8, 10))];
    let before = [point(0, 4, 20), point(1, 16, 20)];
    let run = Explained { folder: "outputs/with", header: &here, points: &points };
    let baseline = Explained { folder: "outputs/without", header: &there, points: &before };
    insta::assert_snapshot!(baseline::text(&run, &baseline));
    let data = data(&run, Some(&baseline));
    let beside = &data["baseline"]["points"][0];
    assert_eq!(beside["speculation_gained"]["with_speculation"], "this");
    assert_eq!(beside["figures"]["tpot"]["ratio"], 0.5);
    assert_eq!(
        data["baseline"]["unmatched"],
        serde_json::json!(["concurrency 8 (this run)", "concurrency 16 (the baseline)"])
    );
    // From the other side, it is the baseline that has it, and the gain is the same.
    let turned = self::data(&baseline, Some(&run));
    let gained = &turned["baseline"]["points"][0]["speculation_gained"];
    assert_eq!(gained["with_speculation"], "baseline");
    assert_eq!(gained["tpot"], beside["speculation_gained"]["tpot"]);
}

#[test]
fn what_else_differs_is_said_before_a_ratio_is_believed() {
    let (here, there) = (header("qwen3-32b"), header("qwen3-8b"));
    let points = [point(0, 4, 10)];
    let run = Explained { folder: "a", header: &here, points: &points };
    let baseline = Explained { folder: "b", header: &there, points: &points };
    let text = baseline::text(&run, &baseline);
    assert!(
        text.contains("! The two differ in more: model: qwen3-8b there, qwen3-32b here."),
        "{text}"
    );
    assert!(text.contains("│ the same "), "{text}");
    assert!(!text.contains("speculation"), "{text}");
}

#[test]
fn runs_without_a_load_in_common_are_not_compared() {
    let header = header("m");
    let (points, others) = ([point(0, 4, 10)], [point(0, 8, 10)]);
    let run = Explained { folder: "a", header: &header, points: &points };
    let baseline = Explained { folder: "b", header: &header, points: &others };
    assert!(baseline::text(&run, &baseline).contains("no load in common"));
}
