//! What servers, their logs and their GPUs said while a point ran, in words that all of them share.
//!
//! Facts alone: what was said, when, and by whom. A counter is kept as it stood, and what it grew by is for `metrics` to say;
//! whoever made the reading has only put the server's own names and units into these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Offset;

/// Everything that was heard of the service's own side during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// What servers said, by their metrics and their logs, in the order in which it was heard.
    pub readings: Vec<Reading>,
    /// What GPUs said, in the order in which it was heard.
    pub gpus: Vec<GpuReading>,
    /// What stood in the way of hearing more.
    pub remarks: Vec<Remark>,
}

/// What a server said of itself at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The moment at which it was heard; of a line in a log, when the line was found there.
    pub at: Offset,
    /// What it was read from.
    pub origin: Origin,
    /// Where exactly: an address without credentials, or a file's path.
    pub source: String,
    /// The server that it was recognised as: `vllm`, `sglang`, `tgi`, `trtllm`, `triton`.
    pub server: String,
    /// The engine that a line of a log speaks of, where it names one (`000`). Metrics are added up over engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Gauges and counters.
    pub values: BTreeMap<Signal, f64>,
    /// For each position of a draft, from 0 on: of metrics, how many tokens were accepted there since the server began; of a log,
    /// which share of drafts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_by_position: Vec<f64>,
    /// Histograms, counted since the server began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timings: BTreeMap<Timing, Histogram>,
}

/// What a reading was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A page of metrics.
    Metrics,
    /// A log.
    Log,
}

/// A figure that servers tell. Shares are between 0 and 1, throughputs in tokens per second; those that only logs or some servers
/// tell as figures of their own making (a hit rate over the last thousand requests, a throughput over the last ten seconds) are kept
/// apart from counters, from which a point's own figures follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// Gauge: requests that are being computed.
    Running,
    /// Gauge: requests that wait for their turn.
    Waiting,
    /// Gauge: of those waiting, how many wait for nothing but their turn (vLLM: `reason="capacity"`, which is not only room in the KV cache).
    WaitingForCapacity,
    /// Gauge: of those waiting, how many for something else, such as a transfer (vLLM: `reason="deferred"`).
    WaitingDeferred,
    /// Gauge: the most requests that may run at once, where the server tells.
    MaxRunning,
    /// Gauge: the share of the KV cache in use.
    KvUsage,
    /// Gauge: tokens that the KV cache holds at most.
    KvTokens,
    /// Gauge: prompt tokens computed per second, by the server's own reckoning.
    PromptThroughput,
    /// Gauge: tokens generated per second, by the server's own reckoning.
    GenerationThroughput,
    /// Gauge: the prefix cache's share of hits, over a time of the server's choosing.
    PrefixHitRate,
    /// Gauge: the same of an external cache.
    ExternalHitRate,
    /// Gauge: the same of the cache of images, sounds and videos.
    MultimodalHitRate,
    /// Gauge: tokens that one step with a draft brings, on average (1 + accepted ÷ drafts), by the server's own reckoning.
    AcceptanceLength,
    /// Gauge: accepted ÷ drafted tokens, by the server's own reckoning.
    AcceptanceRate,
    /// Gauge: accepted tokens per second, by the server's own reckoning.
    AcceptedThroughput,
    /// Gauge: drafted tokens per second, by the server's own reckoning.
    DraftedThroughput,
    /// Counter: requests that had to give their place and cache up and be computed anew (SGLang: retracted).
    Preemptions,
    /// Counter: prompt tokens of requests taken up, cached ones included.
    PromptTokens,
    /// Counter: of those, tokens that a cache knew.
    CachedPromptTokens,
    /// Counter: tokens generated.
    GenerationTokens,
    /// Counter: prompt tokens looked up in the prefix cache.
    PrefixQueries,
    /// Counter: of those, tokens found.
    PrefixHits,
    /// Counter: prompt tokens looked up in an external cache.
    ExternalQueries,
    /// Counter: of those, tokens found.
    ExternalHits,
    /// Counter: items looked up in the multimodal cache.
    MultimodalQueries,
    /// Counter: of those, items found.
    MultimodalHits,
    /// Counter: drafts written.
    Drafts,
    /// Counter: tokens drafted.
    DraftTokens,
    /// Counter: of those, tokens accepted.
    AcceptedTokens,
    /// Counter: requests that ended in a complete output.
    Finished,
    /// Counter: requests that ended because the client went away or gave up.
    Aborted,
    /// Counter: requests that ended in an error.
    Errored,
    /// Counter: requests refused at the door because too many waited.
    Rejected,
}

impl Signal {
    /// Whether it only grows while a server lives, so that its growth over a point is the point's.
    pub const fn is_counter(self) -> bool {
        matches!(
            self,
            Self::Preemptions
                | Self::PromptTokens
                | Self::CachedPromptTokens
                | Self::GenerationTokens
                | Self::PrefixQueries
                | Self::PrefixHits
                | Self::ExternalQueries
                | Self::ExternalHits
                | Self::MultimodalQueries
                | Self::MultimodalHits
                | Self::Drafts
                | Self::DraftTokens
                | Self::AcceptedTokens
                | Self::Finished
                | Self::Aborted
                | Self::Errored
                | Self::Rejected
        )
    }
}

/// What servers keep histograms of: lengths of time in seconds, or tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Timing {
    /// Seconds from a request's arrival to its first token, as the server reckons it.
    Ttft,
    /// Seconds from one token of a request to the next.
    Itl,
    /// Seconds from a request's arrival to its last token.
    E2e,
    /// Seconds that a request waited for its turn.
    Queue,
    /// Seconds from a request's turn to its first token.
    Prefill,
    /// Seconds from a request's first token to its last.
    Decode,
    /// Tokens of a prompt.
    PromptLength,
    /// Tokens of an output.
    OutputLength,
    /// Tokens that one step of the engine computed, prompts' and outputs'.
    StepTokens,
}

/// A histogram as a server keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The sum of what was observed.
    pub sum: f64,
    /// How many observations there were.
    pub count: f64,
    /// Upper bounds, ascending, and how many observations lay at or below each; the one without bound is [`Histogram::count`]. Kept before
    /// and after a load, and left out of the readings in between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<(f64, f64)>,
}

/// What GPUs said at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GpuReading {
    /// The moment.
    pub at: Offset,
    /// Where it was read: an exporter's address without credentials, or `nvidia-smi`.
    pub source: String,
    /// Each GPU.
    pub gpus: Vec<Gpu>,
}

/// One GPU at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Which one: its number, or what else tells it from the others of its source.
    pub id: String,
    /// What tells it from every other in the world, where that is told, whoever speaks of it: of a part (MIG) with the part's number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uuid: String,
    /// Its model, where that is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it said.
    pub values: BTreeMap<GpuSignal, f64>,
}

/// A figure that GPUs tell. Shares are between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GpuSignal {
    /// The share of time in which any kernel ran.
    Utilization,
    /// Memory in use, in bytes.
    MemoryUsed,
    /// Memory that there is, in bytes.
    MemoryTotal,
    /// Power drawn, in watts.
    Power,
    /// Degrees Celsius.
    Temperature,
    /// The clock of the multiprocessors, in hertz.
    Clock,
    /// The share of time in which the memory's interface was busy.
    MemoryActive,
    /// The share of time in which the tensor cores were busy.
    TensorActive,
    /// The share of time in which the multiprocessors had work.
    SmActive,
    /// The last XID error's code; 0 for none.
    Xid,
}

/// Something that stood in the way of hearing what the service says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The moment.
    pub at: Offset,
    /// Where: an address without credentials, or a file's path.
    pub source: String,
    /// What kind of thing.
    pub kind: RemarkKind,
    /// In words: a fragment without a full stop, free of secrets.
    pub detail: String,
}

/// The kinds of what can stand in the way of hearing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RemarkKind {
    /// Nothing answers there, or not in time.
    Unreachable,
    /// What answers there is no page of metrics: another status, another form.
    NoMetrics,
    /// The page has metrics, but none of a server that is known: its samples are kept as they stand.
    UnknownServer,
    /// It answered again after it had not.
    Recovered,
    /// A counter went down: the server, or its metrics, began anew.
    Reset,
    /// There is no such log, or it cannot be read.
    LogMissing,
    /// The log was there and is gone.
    LogVanished,
    /// The log was replaced by a new one, which is read from its beginning.
    LogRotated,
    /// The log was cut short, and is read from its new beginning.
    LogTruncated,
    /// Lines of the log looked like figures and could not be read as such.
    LogUnreadable,
    /// The log said nothing that is known during the point.
    LogSilent,
}
