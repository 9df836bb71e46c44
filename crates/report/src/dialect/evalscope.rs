//! The reports of `evalscope perf` 1.14.1: its files with its keys, order, rounding and percentile rule, and its console text in
//! the form that its documents show.
//!
//! What it has no name for stands behind what it has, in keys and lines of our own. Where a figure deliberately differs,
//! `docs/metrics.md` says so. Its SQLite file and its HTML are not written.

mod figures;
mod files;
mod point;
mod recommend;
mod run;
mod wording;

pub use files::{write_point, write_run};
pub use point::point_text;
pub(crate) use run::planned;
pub use run::run_text;
