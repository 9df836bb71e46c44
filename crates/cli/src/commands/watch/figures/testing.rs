//! Readings made by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use tokometer_record::{
    Gpu, GpuReading, GpuSignal, Histogram, Offset, Origin, Reading, Remark, RemarkKind, Signal,
    Timing,
};
use tokometer_telemetry::watch::Heard;

use super::Watched;

pub(in crate::commands::watch) const A: &str = "http://a:8000/metrics";
pub(in crate::commands::watch) const B: &str = "http://b:8000/metrics";

pub(in crate::commands::watch) fn at(millis: u64) -> Offset {
    Offset::after(Duration::from_millis(millis))
}

/// What the page at `source` says.
pub(in crate::commands::watch) fn page(
    source: &str,
    millis: u64,
    values: &[(Signal, f64)],
) -> Heard {
    Heard::Reading(reading(source, Origin::Metrics, millis, values))
}

/// What the page at [`A`] says.
pub(in crate::commands::watch) fn reading_of(millis: u64, values: &[(Signal, f64)]) -> Reading {
    reading(A, Origin::Metrics, millis, values)
}

/// What the log of that engine says.
pub(in crate::commands::watch) fn line(
    engine: &str,
    millis: u64,
    values: &[(Signal, f64)],
) -> Heard {
    let reading = reading("vllm.log", Origin::Log, millis, values);
    Heard::Reading(Reading { engine: Some(engine.to_owned()), ..reading })
}

fn reading(source: &str, origin: Origin, millis: u64, values: &[(Signal, f64)]) -> Reading {
    Reading {
        at: at(millis),
        origin,
        source: source.to_owned(),
        server: "vllm".to_owned(),
        engine: None,
        values: values.iter().copied().collect(),
        accepted_by_position: Vec::new(),
        timings: BTreeMap::new(),
    }
}

pub(in crate::commands::watch) fn remark(
    source: &str,
    millis: u64,
    kind: RemarkKind,
    detail: &str,
) -> Heard {
    Heard::Remark(Remark {
        at: at(millis),
        source: source.to_owned(),
        kind,
        detail: detail.to_owned(),
    })
}

/// A busy vLLM with drafts, watched for a hundred seconds by a reading each second: 64 run, 136 wait, and each second it takes up 9000
/// prompt tokens, of which 3600 are cached, and says 1250 of its own; a request ends every second.
pub(in crate::commands::watch) fn busy() -> Watched {
    let mut watched = Watched::new(vec![A.to_owned()], Duration::from_secs(1));
    for second in 0..=100_u32 {
        let by = f64::from(second);
        let values = [
            (Signal::Running, if second < 50 { by } else { 64.0 }),
            (Signal::Waiting, if second < 50 { 0.0 } else { 136.0 }),
            (Signal::KvUsage, 0.834),
            (Signal::GenerationTokens, 1250.0 * by),
            (Signal::PromptTokens, 9000.0 * by),
            (Signal::CachedPromptTokens, 3600.0 * by),
            (Signal::PrefixQueries, 9000.0 * by),
            (Signal::PrefixHits, 3600.0 * by),
            (Signal::ExternalQueries, 0.0),
            (Signal::ExternalHits, 0.0),
            (Signal::MultimodalQueries, 0.0),
            (Signal::MultimodalHits, 0.0),
            (Signal::Preemptions, if second < 95 { 1.0 } else { 4.0 }),
            (Signal::Drafts, 500.0 * by),
            (Signal::DraftTokens, 2000.0 * by),
            (Signal::AcceptedTokens, 750.0 * by),
        ];
        let histogram = |each: f64, count: f64| Histogram {
            sum: each * count * by,
            count: count * by,
            buckets: Vec::new(),
        };
        let timings = BTreeMap::from([
            (Timing::Ttft, histogram(0.312, 1.0)),
            (Timing::Itl, histogram(0.0213, 500.0)),
            (Timing::Queue, histogram(0.25, 1.0)),
            (Timing::Prefill, histogram(0.062, 1.0)),
            (Timing::Decode, histogram(2.31, 1.0)),
        ]);
        let accepted_by_position = vec![450.0 * by, 200.0 * by, 75.0 * by, 25.0 * by];
        let reading = reading(A, Origin::Metrics, u64::from(second) * 1000, &values);
        watched.hear(Heard::Reading(Reading { accepted_by_position, timings, ..reading }));
        if second % 10 == 0 {
            watched.hear(line(
                "000",
                u64::from(second) * 1000,
                &[
                    (Signal::PromptThroughput, 5400.0),
                    (Signal::GenerationThroughput, 1250.4),
                    (Signal::Running, 64.0),
                    (Signal::Waiting, 136.0),
                    (Signal::KvUsage, 0.834),
                    (Signal::PrefixHitRate, 0.4),
                    (Signal::AcceptanceLength, 2.5),
                ],
            ));
        }
        watched.hear(gpu(u64::from(second) * 1000));
        watched.tick(at(u64::from(second) * 1000));
    }
    watched.hear(remark(
        "vllm.log",
        40_000,
        RemarkKind::LogRotated,
        "the log was replaced by a new one",
    ));
    watched
}

fn gpu(millis: u64) -> Heard {
    let gib = f64::from(1 << 30);
    let values = BTreeMap::from([
        (GpuSignal::Utilization, 0.98),
        (GpuSignal::MemoryUsed, 71.25 * gib),
        (GpuSignal::MemoryTotal, 80.0 * gib),
        (GpuSignal::Power, 652.3),
        (GpuSignal::Temperature, 64.0),
        (GpuSignal::Xid, 0.0),
    ]);
    let gpu = Gpu {
        id: "0".to_owned(),
        uuid: String::new(),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        values,
    };
    Heard::Gpus(GpuReading { at: at(millis), source: "nvidia-smi".to_owned(), gpus: vec![gpu] })
}
