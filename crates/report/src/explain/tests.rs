//! A run explained, and held against another.

use tokometer_metrics::diagnosis::{Evidence, Finding, Severity, Sureness};
use tokometer_metrics::server::Speculated;
use tokometer_metrics::summary::summarize;
use tokometer_metrics::verdict::{Reason, Verdict};
use tokometer_record::{
    Channel, Chunk, ClientUse, Connection, Offset, Outcome, OutputTokens, Phase, Point, PointEnd,
    PointLog, PromptTokens, Record, TokenSource,
};

use super::*;

fn ms(moment: u64) -> Offset {
    Offset::from_nanos(moment * 1_000_000)
}

/// A point of 40 requests at so many at once, each with 8 tokens a `gap` of milliseconds apart.
fn point(index: usize, places: usize, gap: u64) -> PointSummary {
    summarize(&log(index, places, gap))
}

fn log(index: usize, places: usize, gap: u64) -> PointLog {
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
            chunks: chunks.into(),
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
    let point = Point {
        index,
        name: format!("parallel_{places}_number_40"),
        requests: 40,
        concurrency: Some(places),
        ..Point::default()
    };
    PointLog {
        records,
        end: Some(PointEnd { index, at, complete: true, measured_from: None, client }),
        ..PointLog::begun(point)
    }
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

fn not_paying(mut summary: PointSummary) -> PointSummary {
    summary.findings = vec![Finding {
        rule: "speculation_not_paying",
        severity: Severity::Notable,
        sureness: Sureness::Possible,
        what: "Speculation may bring little.".to_owned(),
        evidence: vec![Evidence::new("acceptance length: 1.9 tokens")],
        next: "Turn it off and compare.".to_owned(),
        points: vec![summary.point.index],
    }];
    summary
}

#[test]
fn a_baseline_takes_back_that_speculation_brings_little() {
    let header = header("m");
    let points = [not_paying(speculating(point(0, 4, 10)))];
    let run = Explained { folder: "with", header: &header, points: &points };
    let without = [point(0, 4, 20)];
    let slower = Explained { folder: "without", header: &header, points: &without };
    assert!(text(&run, None, Style::Plain).contains("Speculation may bring little."));
    let beside = text(&run, Some(&slower), Style::Plain);
    assert!(!beside.contains("Speculation may bring little."), "{beside}");
    assert!(beside.contains("It pays at this load"), "{beside}");
    let data = data(&run, Some(&slower));
    assert_eq!(data["baseline"]["points"][0]["speculation_gained"]["pays"], true);
    assert!(!data.to_string().contains("speculation_not_paying"), "{data}");
    // Where it gained nothing, it stands, and so where something else may have been the cause, or the client was.
    let as_fast = [point(0, 4, 10)];
    let as_fast = Explained { folder: "without", header: &header, points: &as_fast };
    assert!(text(&run, Some(&as_fast), Style::Plain).contains("may bring little."));
    let other = self::header("another");
    let other = Explained { header: &other, ..slower };
    assert!(text(&run, Some(&other), Style::Plain).contains("may bring little."));
    let limited = [limited(point(0, 4, 20))];
    let limited = Explained { points: &limited, ..slower };
    assert!(text(&run, Some(&limited), Style::Plain).contains("may bring little."));
}

fn limited(mut summary: PointSummary) -> PointSummary {
    let reasons = vec![Reason::Processor { share: 98.0, lag: 0.4 }];
    summary.verdict = Verdict::ClientLimited { reasons };
    summary
}

#[test]
fn a_client_that_limits_either_is_told_beside_the_ratios() {
    let header = header("m");
    let (points, before) = ([point(0, 4, 10)], [limited(point(0, 4, 20))]);
    let run = Explained { folder: "a", header: &header, points: &points };
    let baseline = Explained { folder: "b", header: &header, points: &before };
    let text = baseline::text(&run, &baseline);
    assert!(text.contains("│ Verdict        │ CLIENT-LIMITED │"), "{text}");
    assert!(
        text.contains(
            "! At concurrency 4 the baseline is limited by the client, which did not keep up"
        ),
        "{text}"
    );
    let verdicts = &data(&run, Some(&baseline))["baseline"]["points"][0]["verdicts"];
    assert_eq!(verdicts["baseline"], "client_limited");
    assert_eq!(verdicts["this"], "valid");
}

/// A point of 500 requests, one after the other, whose first tokens take 100 ms and as long as they hang together.
fn hanging_together(seed: u64) -> PointSummary {
    let mut state = seed;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut level = 0.0;
    let mut log = log(0, 1, 10);
    let patterns = log.records.clone();
    log.records.clear();
    let mut started = 0;
    for request in 0..500 {
        let noise = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        level = 0.9 * level + noise;
        let first = started + (100.0 + 10.0 * level).max(1.0) as u64;
        let mut record = patterns[0].clone();
        record.index = request;
        (record.scheduled, record.started) = (ms(started), ms(started));
        record.chunks.edit(|chunks| {
            chunks.iter_mut().zip(0..).for_each(|(chunk, token)| chunk.at = ms(first + 10 * token));
        });
        record.end = ms(first + 70);
        started = first + 70;
        log.records.push(record);
    }
    summarize(&log)
}

#[test]
fn runs_of_one_server_whose_requests_hang_together_have_bounds_that_overlap() {
    let header = header("m");
    let runs: Vec<[PointSummary; 1]> = (1..=20).map(|seed| [hanging_together(seed)]).collect();
    let told: Vec<bool> = runs
        .chunks(2)
        .filter_map(|pair| {
            let run = Explained { folder: "a", header: &header, points: &pair[0] };
            let baseline = Explained { folder: "b", header: &header, points: &pair[1] };
            let data = data(&run, Some(&baseline));
            data["baseline"]["points"][0]["figures"]["ttft"]["bounds_overlap"].as_bool()
        })
        .collect();
    assert!(told.len() >= 5, "{} of 10 pairs have bounds", told.len());
    assert!(told.iter().all(|&overlap| overlap), "{told:?}");
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
