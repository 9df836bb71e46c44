//! How long it takes, and how much memory, to read a large log and to sum it up.
//!
//! ```text
//! cargo run --release -p tokometer-metrics --example large_log -- write DIR 100000 1000
//! cargo run --release -p tokometer-metrics --example large_log -- read DIR
//! ```
//!
//! The log is of a closed loop of a thousand places, whose every gap between chunks is another: nothing about it is easier to keep
//! than of a real one. Deliberately asserts nothing: machines differ, and the figures are for reading.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::disallowed_types, reason = "nothing here runs in virtual time")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokometer_metrics::Run;
use tokometer_metrics::course::Course;
use tokometer_metrics::summary::summarize;
use tokometer_record::{
    Channel, Chunk, ClientUse, Connection, End, Header, Line, Offset, Outcome, OutputTokens, Phase,
    Point, PointEnd, PromptTokens, Record, TokenSource, VERSION, Writer,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["write", folder, requests, tokens] => {
            write(Path::new(folder), requests.parse()?, tokens.parse()?)
        }
        ["read", folder] => read(Path::new(folder)),
        _ => Err("write DIR REQUESTS TOKENS, or read DIR".into()),
    }
}

fn read(folder: &Path) -> Result<(), Box<dyn Error>> {
    let path = folder.join(LOG);
    println!("{:.2} GB of log", fs::metadata(&path)?.len() as f64 / 1e9);
    let log = timed("read", || tokometer_record::read(&path))?;
    for point in &log.points {
        let summary = timed("summarize", || summarize(point));
        println!("{:>8} requests, {} findings", summary.counts.measured, summary.findings.len());
        timed("course", || Course::of(&Run::of(point)));
    }
    Ok(())
}

fn timed<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let (since, spent) = (Instant::now(), processor_time());
    let result = step();
    let (took, spent) = (since.elapsed().as_secs_f64(), processor_time() - spent);
    let peak = peak_memory() / 1_000;
    println!("{what:<10} {took:>6.2} s, {spent:>6.2} s of CPU, {peak:>5} MB at most so far");
    result
}

/// Seconds that the threads of this process have computed so far. 0 where the system does not tell.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold anything: in hundredths of a second, user and system.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most resident memory of this process so far, in kilobytes. 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn write(folder: &Path, requests: u64, tokens: u32) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut writer = Writer::create(&folder.join(LOG))?;
    let header = Header {
        version: VERSION,
        dialect: "evalscope".into(),
        model: "large".into(),
        name: "large".into(),
        arguments: serde_json::json!({}),
        ..Header::default()
    };
    writer.append(&Line::Header(header))?;
    writer.append(&Line::Point(Point {
        name: "parallel_1000".into(),
        requests,
        concurrency: Some(PLACES as usize),
        ..Point::default()
    }))?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut in_flight: BinaryHeap<Reverse<(Offset, u64)>> = BinaryHeap::new();
    let mut pending = std::collections::BTreeMap::new();
    let mut now = Offset::ZERO;
    for index in 0..requests {
        if index >= PLACES {
            now = end_first(&mut in_flight, &mut pending, &mut writer)?;
        }
        let record = record(index, now, tokens, &mut rng);
        in_flight.push(Reverse((record.end, index)));
        pending.insert(index, record);
    }
    while !in_flight.is_empty() {
        now = end_first(&mut in_flight, &mut pending, &mut writer)?;
    }
    let client = ClientUse { workers: 1, loop_lag_probes: 1_000, ..ClientUse::default() };
    let measured_from = Some(Offset::ZERO);
    let end = PointEnd { index: 0, at: now, complete: true, measured_from, client };
    writer.append(&Line::PointEnd(end))?;
    writer.append(&Line::End(End { at: now, complete: true }))?;
    Ok(writer.flush()?)
}

/// Writes the request that ends first, and tells when.
fn end_first(
    in_flight: &mut BinaryHeap<Reverse<(Offset, u64)>>,
    pending: &mut std::collections::BTreeMap<u64, Record>,
    writer: &mut Writer,
) -> Result<Offset, Box<dyn Error>> {
    let Reverse((end, index)) = in_flight.pop().ok_or("nothing is in flight")?;
    let record = pending.remove(&index).ok_or("what is in flight is pending")?;
    writer.append(&Line::Record(record))?;
    Ok(end)
}

fn record(index: u64, started: Offset, tokens: u32, rng: &mut ChaCha8Rng) -> Record {
    let mut at = started.as_nanos() + rng.random_range(100_000_000..400_000_000);
    let chunks = (0..tokens).map(|_| {
        // Around 20 ms, and one in a thousand ten times as long.
        let usual = (0..4).map(|_| rng.random_range(3_000_000..7_000_000_u64)).sum::<u64>();
        at += if rng.random_range(0..1_000) == 0 { 10 * usual } else { usual };
        Chunk { at: Offset::from_nanos(at), tokens: 0, channel: Channel::Content }
    });
    let chunks = chunks.collect();
    let end = Offset::from_nanos(at);
    Record {
        index,
        phase: Phase::Measured,
        scheduled: started,
        started,
        connection: Connection::Reused,
        connected: Some(started),
        sent: Some(started),
        headers: Some(started),
        chunks,
        end,
        streamed: true,
        outcome: Outcome::Ok,
        status: Some(200),
        prompt_tokens: PromptTokens { local: Some(512), server: Some(512), cached: None },
        output_tokens: Some(OutputTokens { count: tokens, source: TokenSource::Usage }),
        asked_output: Some(tokens),
        audio: None,
        inputs: None,
        finish_reason: Some("length".into()),
        request_id: format!("large-{index:08}"),
        prompt: None,
        output: None,
    }
}

/// The log's name in its folder.
const LOG: &str = "run.jsonl";

/// Requests in flight at once.
const PLACES: u64 = 1_000;
