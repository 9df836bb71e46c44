//! Facts about requests, and the log that keeps them.
//!
//! This crate is the waist of tokometer: left of it load is made, right of it facts are read. It holds moments, counts and
//! the server's own words. It deliberately does not judge: no percentiles, no definitions of latency, no formatting.

mod chunks;
mod failure;
mod log;
mod offset;
mod record;
mod telemetry;

pub use chunks::{Channel, Chunk, Chunks};
pub use failure::{Failure, FailureKind, Phase as TimeoutPhase};
pub use log::{
    ClientUse, Count, End, Header, Line, LogError, Point, PointEnd, PointLog, Points, Pulse,
    RunLog, Scrape, VERSION, Writer, header, read,
};
pub use offset::Offset;
pub use record::{Connection, Outcome, OutputTokens, Phase, PromptTokens, Record, TokenSource};
pub use telemetry::{
    Gpu, GpuReading, GpuSignal, Histogram, Origin, Reading, Remark, RemarkKind, Signal, Telemetry,
    Timing,
};
