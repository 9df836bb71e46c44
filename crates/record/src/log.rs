//! The log of a run: one JSON object a line, appended while the run goes on.
//!
//! Its first line is a [`Header`]; a [`Point`] opens each point of a sweep and a [`PointEnd`] closes it; between them stand the
//! [`Record`]s, in the order in which requests ended, a [`Pulse`] each second, and what was heard of the service's own side ([`Telemetry`]). A line that was cut off by a crash is the
//! last one and is passed over. The log never holds a secret: whoever makes the header leaves them out.

mod lines;
mod reader;
mod writer;

pub use reader::{LogError, PointLog, Points, RunLog, header, read};
pub use writer::Writer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GpuReading, Offset, OutputTokens, Reading, Record, Remark};

/// The version of the log's form. A reader refuses a log with a higher one, and reads every lower one: since version 2 rows of
/// [`Chunks`](crate::Chunks) may have gaps.
pub const VERSION: u32 = 2;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The run, first.
    Header(Header),
    /// A point of the sweep begins.
    Point(Point),
    /// A request ended.
    Record(Record),
    /// The output of a request that had ended was counted afterwards.
    Count(Count),
    /// The client's own state, about once a second.
    Pulse(Pulse),
    /// A server's page of metrics at one moment, as it stood there.
    Scrape(Scrape),
    /// What a server said of itself at one moment, in words that all servers share.
    Reading(Reading),
    /// What GPUs said at one moment.
    Gpus(GpuReading),
    /// Something stood in the way of hearing more of the service's own side.
    Remark(Remark),
    /// A point of the sweep ended.
    PointEnd(PointEnd),
    /// The run ended.
    End(End),
}

/// What the run was, as far as reports need to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The form of the log: [`VERSION`].
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The wall clock at the run's beginning, RFC 3339 with the local offset.
    pub began: String,
    /// The dialect whose reports the run asked for: `evalscope`, `vllm`, …
    pub dialect: String,
    /// The name of the run's folder inside the output folder.
    pub name: String,
    /// An alias to show beside the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The model asked for.
    pub model: String,
    /// The API, as the dialect names it.
    pub api: String,
    /// The address the requests went to, without credentials.
    pub url: String,
    /// The dataset, as the dialect names it.
    pub dataset: String,
    /// The tokenizer that measured the prompts: a path, a hub name, `server`, or `embedded (estimates)`.
    pub tokenizer: String,
    /// Whether counts by this program's tokenizer are estimates, the server's own tokenizer being unknown.
    pub tokens_estimated: bool,
    /// Every setting of the run in the dialect's own terms, secrets masked: what it calls its arguments.
    pub arguments: serde_json::Value,
    /// The resolved plan, as YAML that can be run again, secrets left out.
    pub plan: String,
    /// Where the load came from, as far as it is known: `host`, `system`, `kernel`, `processors`. Empty in logs of before this was
    /// noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// A point of the sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Which point this is, counted from 0.
    pub index: usize,
    /// The name of its folder: `parallel_10_number_20`.
    pub name: String,
    /// When it began.
    pub began: Offset,
    /// Requests asked for, warm-up not counted.
    pub requests: u64,
    /// Requests of the warm-up.
    pub warmup: u64,
    /// The most requests in flight at once. `None` in open loop.
    pub concurrency: Option<usize>,
    /// Requests per second asked for. `None` without pacing.
    pub rate: Option<f64>,
    /// Whether requests are sent by schedule alone, whatever the server does.
    pub open_loop: bool,
    /// Seconds after which no more requests are sent, if so limited.
    pub duration: Option<f64>,
    /// The seed of this point.
    pub seed: u64,
    /// The settings of this point in the dialect's own terms, secrets masked.
    pub arguments: serde_json::Value,
}

/// A count of output that was made after the request's [`Record`] was written, the server having told none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Which request of the point.
    pub index: u64,
    /// The count, which replaces the record's.
    pub output_tokens: OutputTokens,
}

/// The client's state at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// The moment.
    pub at: Offset,
    /// Requests in flight.
    pub in_flight: u64,
    /// The longest that the client's event loop was late since the last pulse, in nanoseconds.
    pub loop_lag: u64,
    /// Processor time used by the process so far, user and system, in nanoseconds.
    pub cpu: u64,
}

/// What the server's `/metrics` said at one moment: samples by name and labels, as they stood there
/// (`vllm:spec_decode_num_drafts_total{engine="0"}`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// The moment.
    pub at: Offset,
    /// The page's address, without credentials. Empty for the target's own, in logs of before this was noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The samples that were kept.
    pub samples: BTreeMap<String, f64>,
}

/// What the client used during a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientUse {
    /// Processor time in user mode, nanoseconds.
    pub cpu_user: u64,
    /// Processor time in the kernel, nanoseconds.
    pub cpu_system: u64,
    /// The most resident memory of the process so far, bytes.
    pub peak_memory: u64,
    /// Threads that carried the load.
    pub workers: usize,
    /// How late the event loop was: the 99th percentile over probes every few milliseconds, nanoseconds.
    pub loop_lag_p99: u64,
    /// How late the event loop was at worst, nanoseconds.
    pub loop_lag_max: u64,
    /// How many probes those two rest on.
    pub loop_lag_probes: u64,
}

/// A point ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointEnd {
    /// Which point.
    pub index: usize,
    /// When.
    pub at: Offset,
    /// Whether everything the plan asked for was sent and awaited. False after an interruption.
    pub complete: bool,
    /// When the schedule of the measured requests began, and none of the warm-up's: before the first gap, where arrivals are
    /// paced; otherwise with the first measured request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_from: Option<Offset>,
    /// What the client used.
    pub client: ClientUse,
}

/// The run ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub at: Offset,
    /// Whether every point of the plan was run to its end.
    pub complete: bool,
}

#[cfg(test)]
mod tests;
