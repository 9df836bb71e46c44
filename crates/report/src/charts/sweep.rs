//! Charts over the points of a sweep.

mod attainment;
mod cost;
mod dashboard;
mod failures;
mod heatmap;
mod latency;
mod latency_throughput;
mod pareto;
mod percentiles;
mod throughput;

pub(super) use attainment::ATTAINMENT;
pub(super) use cost::COST;
pub(super) use dashboard::DASHBOARD;
pub(super) use failures::FAILURES;
pub(super) use heatmap::HEATMAP;
pub(super) use latency::LATENCY;
pub(super) use latency_throughput::LATENCY_THROUGHPUT;
pub(super) use pareto::PARETO;
pub(super) use percentiles::PERCENTILES;
pub(super) use throughput::THROUGHPUT;
