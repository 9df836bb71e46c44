//! Cases and logs by hand.

use std::collections::BTreeMap;

use tokometer_record::{
    Channel, Chunk, ClientUse, Connection, Offset, Outcome, OutputTokens, Phase, Point, PointEnd,
    PointLog, PromptTokens, Record, TokenSource,
};

use crate::cases::Case;

/// A point of so many requests, four at once: 10 prompt tokens, the first token after 50 ms, and four more 10 ms apart.
pub(crate) fn log(requests: u64) -> PointLog {
    let ms = |moment: u64| Offset::from_nanos(moment * 1_000_000);
    let record = |index: u64| {
        let started = index / 4 * 100;
        let chunks: Vec<Chunk> = (0..5)
            .map(|token| ms(started + 50 + index % 3 + token * 10))
            .map(|at| Chunk { at, tokens: 0, channel: Channel::Content })
            .collect();
        Record {
            index,
            phase: Phase::Measured,
            scheduled: ms(started),
            started: ms(started),
            connection: Connection::Reused,
            connected: None,
            sent: None,
            headers: None,
            end: chunks[4].at,
            chunks: chunks.into(),
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens { local: Some(10), server: Some(10), cached: None },
            output_tokens: Some(OutputTokens { count: 5, source: TokenSource::Usage }),
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: None,
            request_id: String::new(),
            prompt: None,
            output: None,
        }
    };
    let records: Vec<Record> = (0..requests).map(record).collect();
    let at = records.iter().map(|record| record.end).max().unwrap_or_default();
    let client = ClientUse { loop_lag_probes: 1_000, ..ClientUse::default() };
    let point = Point {
        name: format!("parallel_4_number_{requests}"),
        requests,
        concurrency: Some(4),
        ..Point::default()
    };
    PointLog {
        records,
        end: Some(PointEnd { index: 0, at, complete: true, measured_from: None, client }),
        ..PointLog::begun(point)
    }
}

/// A configuration of a service that carries 32 requests at once as if each were alone, and no more of them at a time.
pub(crate) fn case(input: f64, output: f64, concurrency: f64) -> Case {
    let carried = concurrency.min(32.0);
    let tpot = 8.0 + 0.1 * carried;
    let ttft = 20.0 + input / 50.0 + 30.0 * (concurrency - carried);
    let e2el = ttft + tpot * output;
    let requests = concurrency * 1e3 / e2el;
    let mut figures = BTreeMap::from(
        [
            ("completed", 400.0),
            ("failed", 0.0),
            ("duration", 400.0 / requests),
            ("request_throughput", requests),
            ("output_throughput", requests * output),
            ("total_token_throughput", requests * (input + output)),
            ("total_input_tokens", 400.0 * input),
            ("total_output_tokens", 400.0 * output),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    for (name, mean) in [("ttft", ttft), ("tpot", tpot), ("itl", tpot), ("e2el", e2el)] {
        for (statistic, factor) in [("mean", 1.0), ("median", 0.95), ("p90", 1.3), ("p99", 2.0)] {
            figures.insert(format!("{statistic}_{name}_ms"), mean * factor);
        }
    }
    Case {
        group: "m".to_owned(),
        input_len: Some(input),
        output_len: Some(output),
        concurrency: Some(concurrency),
        requests: Some(400.0),
        figures,
        ..Case::default()
    }
}

/// A sweep: two pairs of lengths under seven loads each, in no order.
pub(crate) fn sweep() -> Vec<Case> {
    let loads = [16.0, 1.0, 128.0, 4.0, 64.0, 2.0, 32.0];
    let of = |(input, output): (f64, f64)| loads.map(|load| case(input, output, load));
    [(1024.0, 256.0), (512.0, 128.0)].into_iter().flat_map(of).collect()
}
