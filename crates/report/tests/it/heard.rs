//! Reports of runs whose service was heard: findings on top, and the service's own side behind the tables.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tokometer_metrics::summary::PointSummary;
use tokometer_record::{
    Gpu, GpuReading, GpuSignal, Histogram, Origin, PointLog, Reading, Remark, RemarkKind, RunLog,
    Signal, Timing,
};
use tokometer_report::explain::{self, Explained};
use tokometer_report::{Style, rebuild};
use unicode_width::UnicodeWidthStr;

use crate::runs::{self, Service, ms};
use crate::{point_text, read, run_text, summaries};

/// A vLLM that runs 4 at once and lets the others wait, with speculation of four tokens: it is heard each half second.
fn full() -> PointLog {
    let serve = |index: u64| Service::of(1_850.0 + 5.0 * (index % 8) as f64, 20.0, 64);
    let mut log = runs::closed(16, 160, serve);
    let end = log.records.iter().map(|record| record.end).max().unwrap().as_secs_f64() * 1e3;
    let readings = (0..).map(|n| 500.0 * f64::from(n)).take_while(|&at| at <= end + 500.0);
    log.telemetry.readings = readings.map(|at| reading(&log, at, end)).collect();
    log.telemetry.gpus = vec![gpus(1_000.0, 0.9), gpus(2_000.0, 0.98)];
    log.telemetry.remarks = vec![Remark {
        at: ms(0.0),
        source: "logs/vllm.log".into(),
        kind: RemarkKind::LogMissing,
        detail: "there is no such file".into(),
    }];
    log
}

/// What the server had counted by then, and how it stood.
fn reading(log: &PointLog, at: f64, end: f64) -> Reading {
    let done = |moment: f64| moment <= at + 1e-6;
    let millis = |offset: tokometer_record::Offset| offset.as_secs_f64() * 1e3;
    let first = |record: &tokometer_record::Record| millis(record.first().unwrap());
    let begun = log.records.iter().filter(|record| done(first(record)));
    let (mut ttft, mut queue, mut generated) = (Histogram::default(), Histogram::default(), 0.0);
    for record in begun {
        ttft.count += 1.0;
        ttft.sum += (first(record) - millis(record.started)) / 1e3 - 0.03;
        queue.count += 1.0;
        queue.sum += 1.4;
        generated += record.chunks.iter().filter(|chunk| done(millis(chunk.at))).count() as f64;
    }
    let on = at < end;
    let values = BTreeMap::from([
        (Signal::Running, if on { 4.0 } else { 0.0 }),
        (Signal::Waiting, if on { 12.0 } else { 0.0 }),
        (Signal::WaitingForCapacity, if on { 12.0 } else { 0.0 }),
        (Signal::KvUsage, if on { 0.31 } else { 0.0 }),
        (Signal::Preemptions, 0.0),
        (Signal::PromptTokens, 1_024.0 * ttft.count),
        (Signal::GenerationTokens, generated),
        (Signal::PrefixQueries, 1_024.0 * ttft.count),
        (Signal::PrefixHits, 0.0),
        (Signal::Drafts, generated / 2.0),
        (Signal::DraftTokens, 2.0 * generated),
        (Signal::AcceptedTokens, generated / 2.0),
    ]);
    Reading {
        at: ms(at),
        origin: Origin::Metrics,
        source: "http://127.0.0.1:8000/metrics".into(),
        server: "vllm".into(),
        engine: None,
        values,
        accepted_by_position: [0.3, 0.15, 0.04, 0.01].map(|share| share * generated).to_vec(),
        timings: BTreeMap::from([(Timing::Ttft, ttft), (Timing::Queue, queue)]),
    }
}

fn gpus(at: f64, busy: f64) -> GpuReading {
    let gpu = Gpu {
        id: "0".into(),
        uuid: String::new(),
        name: "NVIDIA H100 80GB HBM3".into(),
        values: BTreeMap::from([
            (GpuSignal::Utilization, busy),
            (GpuSignal::MemoryUsed, 76e9),
            (GpuSignal::MemoryTotal, 85e9),
            (GpuSignal::Power, 640.0),
        ]),
    };
    GpuReading { at: ms(at), source: "nvidia-smi".into(), gpus: vec![gpu] }
}

/// A light load that is served at once, and one under which most wait.
fn sweep() -> RunLog {
    runs::run(vec![runs::closed(2, 40, |_| Service::of(450.0, 20.0, 64)), full()])
}

fn explained(log: &RunLog, points: &[PointSummary]) -> String {
    let run = Explained { folder: "outputs/run", header: &log.header, points };
    explain::text(&run, None, Style::Plain)
}

#[test]
fn findings_stand_on_top_and_the_service_s_own_side_behind_the_tables() {
    let text = point_text(&sweep(), 1);
    let places: Vec<usize> = [
        "Findings",
        "Benchmarking summary:",
        "Percentile results:",
        "The service's own side",
        "Verdict:",
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}")))
    .to_vec();
    assert!(places.is_sorted(), "{text}");
    insta::assert_snapshot!("heard_point", text);
    let text = run_text(&sweep());
    assert!(text.find("Findings").unwrap() < text.find("Basic Information").unwrap());
    insta::assert_snapshot!("heard_run", text);
}

#[test]
fn in_vllm_s_dialect_findings_stand_above_its_block() {
    let mut log = crate::vllm::asking(full(), |_| {});
    log.header.name = "vllm".into();
    let folder = tempfile::tempdir().unwrap();
    let text = rebuild(folder.path(), &log, Style::Plain).unwrap().text;
    let block = text.find(" Serving Benchmark Result ").unwrap();
    assert!(text.find("Findings").unwrap() < block);
    assert!(block < text.find("The service's own side").unwrap());
    assert_eq!(text.matches("Findings").count(), 1, "{text}");
    let result = read(&folder.path().join(&log.points[0].point.name).join("result.json"));
    assert_eq!(result["findings"], read(&folder.path().join("summary.json"))["findings"]);
    assert_eq!(result["server_side"]["levels"]["waiting"]["max"], 12.0);
    assert!(result["server_side"].get("moments").is_none());
}

#[test]
fn a_run_explained_shows_all_of_its_evidence() {
    let log = sweep();
    insta::assert_snapshot!("explained", explained(&log, &summaries(&log)));
}

#[test]
fn no_line_of_an_explanation_is_too_wide_and_none_is_empty_of_meaning() {
    for log in crate::every_run().into_iter().chain([sweep()]) {
        let text = explained(&log, &summaries(&log));
        for line in text.lines() {
            assert!(line.width() <= 120, "{} columns: {line}", line.width());
        }
        assert!(text.contains("Findings"), "{text}");
    }
}

#[test]
fn data_has_findings_first_and_all_that_was_heard() {
    let folder = tempfile::tempdir().unwrap();
    let log = sweep();
    rebuild(folder.path(), &log, Style::Plain).unwrap();
    let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys[..2], ["version", "findings"]);
    let point = &summary["points"][1];
    let side = &point["server_side"];
    assert_eq!(side["servers"], serde_json::json!(["vllm"]));
    assert_eq!(side["levels"]["waiting"]["mean"], 12.0);
    assert_eq!(side["speculation"]["acceptance_rate"], 0.25);
    let heard = log.points[1].telemetry.readings.len();
    assert_eq!(side["moments"].as_array().unwrap().len(), heard);
    assert_eq!(side["remarks"][0]["kind"], "log_missing");
    assert!(summary["points"][0]["server_side"].is_null());
    let bounds = &point["metrics"]["ttft"]["bounds"];
    let too_few = serde_json::json!({ "why": "too_few", "needs": 459, "has": 160 });
    assert_eq!(bounds["percentiles"]["99%"], too_few);
    assert!(bounds["percentiles"]["50%"]["low"].is_f64());
    assert!(point["metrics"]["tpot"]["bounds"]["percentiles"]["50%"]["low"].is_f64());
    assert!(point["metrics"]["icl"]["bounds"].is_null());
}
