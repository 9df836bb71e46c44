//! What the service says of itself during a point, as figures: by its metrics, its log and its GPUs.
//!
//! Deliberately without judgement: what the figures mean for the run is for [`crate::diagnosis`] to say. Lengths of time are seconds,
//! shares lie between 0 and 1.

mod counters;
mod side;

pub use counters::{Diffusion, PrefixCache, ServerCounters, Speculation};
pub use side::{
    Beside, Cache, Counted, GpuUse, Level, LogSide, Moment, ServerSide, SourceUse, Speculated,
    Spread, Through, Xid,
};
