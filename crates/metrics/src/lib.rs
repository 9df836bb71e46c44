//! What the facts mean: the definition of every figure, and the judgement of how far it can be trusted.
//!
//! Everything here is a pure function over [`tokometer_record`]: no clock, no file, no formatting for people. All lengths of
//! time are seconds as `f64` once they are figures; reports convert to what they print. No figure is ever NaN or infinite:
//! what cannot be computed is `None`.

pub mod catalog;
mod checks;
pub mod compare;
mod concurrency;
mod distribution;
mod failures;
mod pulse;
pub mod quantile;
mod run;
mod series;
mod server;
pub mod slo;
pub mod summary;
mod unit;
pub mod verdict;
mod window;

pub use checks::{LengthCheck, LengthExample, TokenSources};
pub use distribution::Distribution;
pub use failures::{FailureGroup, MessageGroup};
pub use pulse::{LoopLag, Stall};
pub use run::Run;
pub use series::{Rates, Timeline, TimelinePoint};
pub use server::{Diffusion, PrefixCache, ServerCounters, Speculation};
pub use unit::Unit;
pub use window::{Window, completed};
