//! What the facts mean: the definition of every figure, and the judgement of how far it can be trusted.
//!
//! Everything here is a pure function over [`tokometer_record`]: no clock, no file, no formatting for people. All lengths of
//! time are seconds as `f64` once they are figures; reports convert to what they print. No figure is ever NaN or infinite:
//! what cannot be computed is `None`.

pub mod catalog;
mod checks;
pub mod compare;
mod concurrency;
pub mod confidence;
pub mod cost;
pub mod counted;
pub mod course;
pub mod diagnosis;
mod distribution;
mod failures;
pub mod knee;
mod pulse;
pub mod quantile;
mod run;
mod series;
pub mod server;
pub mod slo;
mod steady;
pub mod summary;
mod unit;
pub mod verdict;
mod window;

pub use checks::{LengthCheck, LengthExample, TokenSources};
pub use distribution::Distribution;
pub use failures::{FailureGroup, MessageGroup, gist};
pub use pulse::{LoopLag, Stall};
pub use run::Run;
pub use series::{Rates, Timeline, TimelinePoint};
pub use server::{Diffusion, PrefixCache, ServerCounters, ServerSide, Speculation};
pub use steady::{Steady, Unsteady};
pub use unit::Unit;
pub use window::{Window, completed};
