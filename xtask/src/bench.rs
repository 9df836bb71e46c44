//! `cargo xtask bench`: how true the client's figures are, and what they cost.
//!
//! The release binary serves as both sides, each on a core of its own: `tokometer sim` with a ground-truth file, and `tokometer
//! perf` against it. Every figure is the client's, compared with the server's own moments. Deliberately asserts nothing: machines are
//! noisy, and the table is for reading. Lines to beat stand in docs/performance.md.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokometer_record::{PointLog, Record, RunLog};

use crate::Failed;

/// Runs the benchmark; `arguments` may name the numbers of streams.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failed> {
    let streams: Vec<usize> = match arguments {
        [] => STREAMS.to_vec(),
        given => given.iter().map(|n| n.parse()).collect::<Result<_, _>>()?,
    };
    let binary = build()?;
    let folder = std::env::temp_dir().join(format!("tokometer-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    println!(
        "TTFT 200 ms, ITL 20 ms, 64 tokens; errors are the client's figure less the server's, in ms"
    );
    println!(
        "{:>7} {:>9} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>10} {:>8}",
        "streams",
        "requests",
        "TTFT mean",
        "TTFT p99",
        "ITL mean",
        "ITL p99",
        "µs/chunk",
        "CPU s/1k",
        "memory MB",
        "verdict"
    );
    let mut memory = Vec::new();
    for &n in &streams {
        let shape = Shape { streams: n, requests: (n * 4).max(20), server: WAITING };
        let measured = measure(&binary, &folder, &shape)?;
        memory.push((n, measured.memory));
        println!("{}", measured.row(n));
    }
    if let [(fewest, low), .., (most, high)] = memory[..]
        && most > fewest
    {
        println!("memory per stream: {:.1} KB", (high - low) / (most - fewest) as f64 / 1e3);
    }
    ceiling(&binary, &folder)?;
    open_loop(&binary, &folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// One measurement.
struct Shape {
    streams: usize,
    requests: usize,
    server: &'static str,
}

/// The server's account of a request, as its truth file has it.
#[derive(Deserialize)]
struct Served {
    request_id: String,
    arrival: u64,
    emissions: Vec<(u64, u32, u64)>,
}

/// What a measurement showed.
struct Measured {
    requests: usize,
    ttft_mean: f64,
    ttft_p99: f64,
    itl_mean: f64,
    itl_p99: f64,
    cpu_per_chunk: f64,
    cpu_per_thousand: f64,
    memory: f64,
    chunks_per_second: f64,
    valid: bool,
}

impl Measured {
    fn row(&self, streams: usize) -> String {
        format!(
            "{streams:>7} {:>9} {:>+11.3} {:>+11.3} {:>+11.4} {:>+11.3} {:>11.1} {:>11.3} {:>10.1} {:>8}",
            self.requests,
            self.ttft_mean,
            self.ttft_p99,
            self.itl_mean,
            self.itl_p99,
            self.cpu_per_chunk,
            self.cpu_per_thousand,
            self.memory / 1e6,
            if self.valid { "valid" } else { "limited" }
        )
    }
}

/// How many chunks a second one core of the client can take, the server not waiting at all.
fn ceiling(binary: &Path, folder: &Path) -> Result<(), Failed> {
    let shape = Shape { streams: 200, requests: 4000, server: "--ttft-ms 0 --itl-ms 0" };
    let measured = measure(binary, folder, &shape)?;
    let at_full_core = 1e6 / measured.cpu_per_chunk;
    println!(
        "no waiting, 200 streams: {:.0} chunks/s at {:.1} µs of CPU each, {:.2} s of CPU per million chunks",
        measured.chunks_per_second, measured.cpu_per_chunk, measured.cpu_per_chunk
    );
    println!("streams per core at 50 tokens/s each, by that cost: {:.0}", at_full_core / 50.0);
    Ok(())
}

/// How well an open loop keeps its schedule, and whether what arrives at the server is a Poisson process.
fn open_loop(binary: &Path, folder: &Path) -> Result<(), Failed> {
    let load = ["--open-loop", "--rate", "200", "--number", "3000", "--max-tokens", "8"];
    let (log, truth, _) = observe(binary, folder, "open", WAITING, &load)?;
    let records = &log.points.first().ok_or("the run has no point")?.records;
    let mut late: Vec<f64> = records
        .iter()
        .filter_map(|record| Some(millis((record.sent? - record.scheduled).as_nanos() as u64)))
        .collect();
    let mut arrivals: Vec<f64> = truth.iter().map(|served| served.arrival as f64 / 1e9).collect();
    // The connection's test came before the load.
    arrivals.sort_by(f64::total_cmp);
    let arrivals = &arrivals[arrivals.len() - records.len()..];
    let span = arrivals[arrivals.len() - 1] - arrivals[0];
    let mut counts = vec![0.0; (span / WINDOW) as usize];
    for at in arrivals {
        if let Some(count) = counts.get_mut(((at - arrivals[0]) / WINDOW) as usize) {
            *count += 1.0;
        }
    }
    let per_window = mean(&counts);
    let variance = mean(&counts.iter().map(|n| (n - per_window).powi(2)).collect::<Vec<_>>());
    let rate = (arrivals.len() - 1) as f64 / span;
    let mut gaps: Vec<f64> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distance = gaps
        .iter()
        .enumerate()
        .map(|(i, gap)| ((1.0 - (-rate * gap).exp()) - (i as f64 + 0.5) / n).abs())
        .fold(0.0, f64::max);
    println!(
        "open loop at 200 req/s: sent {:.3} ms after schedule at p99; at the server {rate:.1} req/s, variance/mean of counts in \
         10 ms {:.2}, KS distance from exponential gaps {distance:.3} (5 % point {:.3})",
        p99(&mut late),
        variance / per_window,
        1.36 / n.sqrt()
    );
    Ok(())
}

fn measure(binary: &Path, folder: &Path, shape: &Shape) -> Result<Measured, Failed> {
    let (streams, requests) = (shape.streams.to_string(), shape.requests.to_string());
    let load = ["--parallel", &streams, "--number", &requests, "--max-tokens", "64"];
    let name = format!("{streams}-{requests}");
    let (log, truth, code) = observe(binary, folder, &name, shape.server, &load)?;
    compare(&log, &truth, code)
}

/// Runs the client under `load` against the simulator like `server`: its log, the server's truth, and its exit code.
fn observe(
    binary: &Path,
    folder: &Path,
    name: &str,
    server: &str,
    load: &[&str],
) -> Result<(RunLog, Vec<Served>, i32), Failed> {
    let truth = folder.join(format!("truth-{name}.jsonl"));
    let outputs = folder.join(format!("run-{name}"));
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut simulator = pinned(binary, 1);
    simulator.args(["sim", "--port", &port.to_string(), "--model", "bench", "--truth"]).arg(&truth);
    simulator.args(server.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    let mut simulator = Running(simulator.spawn()?);
    await_port(port)?;
    let mut client = pinned(binary, 0);
    client.args(["perf", "--api", "openai", "--dataset", "random", "--model", "bench"]);
    client.args(["--url", &format!("http://127.0.0.1:{port}/v1/chat/completions")]);
    client.args(["--min-prompt-length", "100", "--max-prompt-length", "100"]).args(load);
    client.args(["--extra-args", r#"{"ignore_eos": true}"#, "--name", "bench", "--no-timestamp"]);
    client.args(["--workers", "1", "--outputs-dir"]).arg(&outputs);
    let output = client.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let Some(code @ (0 | CLIENT_LIMITED)) = output.status.code() else {
        return Err(
            format!("the client failed: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    };
    simulator.stop()?;
    let log = tokometer_record::read(&outputs.join("bench").join("run.jsonl"))?;
    Ok((log, read_truth(&truth)?, code))
}

fn compare(log: &RunLog, truth: &[Served], code: i32) -> Result<Measured, Failed> {
    let point: &PointLog = log.points.first().ok_or("the run has no point")?;
    let end = point.end.as_ref().ok_or("the run did not end")?;
    let truth: std::collections::HashMap<_, _> =
        truth.iter().map(|served| (served.request_id.as_str(), served)).collect();
    let mut theirs = (Vec::new(), Vec::new());
    let mut ours = (Vec::new(), Vec::new());
    let (mut chunks, mut first, mut last) = (0, u64::MAX, 0);
    for record in &point.records {
        let served =
            truth.get(record.request_id.as_str()).ok_or("a request is not in the truth")?;
        let moments: Vec<u64> = record.chunks.iter().map(|chunk| chunk.at.as_nanos()).collect();
        let emitted: Vec<u64> =
            served.emissions.iter().filter(|(_, n, _)| *n > 0).map(|(at, ..)| *at).collect();
        if moments.len() != emitted.len() {
            let (ours, theirs) = (moments.len(), emitted.len());
            return Err(
                format!("{}: {ours} chunks, but {theirs} emissions", record.request_id).into()
            );
        }
        let Some(begin) = moments.first() else { continue };
        ours.0.push(millis(begin - started(record)));
        theirs.0.push(millis(emitted[0] - served.arrival));
        ours.1.extend(moments.windows(2).map(|pair| millis(pair[1] - pair[0])));
        theirs.1.extend(emitted.windows(2).map(|pair| millis(pair[1] - pair[0])));
        chunks += moments.len();
        first = first.min(started(record));
        last = last.max(*moments.last().unwrap_or(begin));
    }
    let cpu = (end.client.cpu_user + end.client.cpu_system) as f64;
    Ok(Measured {
        requests: point.records.len(),
        ttft_mean: mean(&ours.0) - mean(&theirs.0),
        ttft_p99: p99(&mut ours.0) - p99(&mut theirs.0),
        itl_mean: mean(&ours.1) - mean(&theirs.1),
        itl_p99: p99(&mut ours.1) - p99(&mut theirs.1),
        cpu_per_chunk: cpu / chunks as f64 / 1e3,
        cpu_per_thousand: cpu / point.records.len() as f64 / 1e6,
        memory: end.client.peak_memory as f64,
        chunks_per_second: chunks as f64 / ((last - first) as f64 / 1e9),
        valid: code == 0,
    })
}

const fn started(record: &Record) -> u64 {
    record.started.as_nanos()
}

/// Builds the program as it is shipped, and says where it lies.
pub(crate) fn build() -> Result<PathBuf, Failed> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--release", "--package", "tokometer"]).status()?;
    if !built.success() {
        return Err("the release build failed".into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(fs::canonicalize(target.join("release").join("tokometer"))?)
}

/// The program on one core, where the system has a way to say so.
fn pinned(program: &Path, core: usize) -> Command {
    if Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok() {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// A process that does not outlive this one.
pub(crate) struct Running(Child);

impl Running {
    /// That process.
    pub(crate) const fn of(child: Child) -> Self {
        Self(child)
    }

    /// Ends it as a user would, so that it can write what it holds.
    fn stop(&mut self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.0.id().to_string()]).status()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is all that is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until somebody listens there.
pub(crate) fn await_port(port: u16) -> Result<(), Failed> {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the simulator does not answer".into())
}

fn read_truth(path: &Path) -> Result<Vec<Served>, Failed> {
    let lines = BufReader::new(fs::File::open(path)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn p99(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100).max(1) - 1]
}

/// The numbers of streams at which truth is demanded.
const STREAMS: [usize; 5] = [1, 50, 200, 500, 1000];

/// A server whose every moment is known beforehand.
const WAITING: &str = "--ttft-ms 200 --itl-ms 20";

/// The client's exit code where it was the limit itself.
const CLIENT_LIMITED: i32 = 4;

/// The window in which arrivals are counted, in seconds.
const WINDOW: f64 = 0.01;
