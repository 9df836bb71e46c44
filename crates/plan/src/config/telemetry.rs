//! What the service says of itself during the load: where it is heard.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::written::Span;

/// Where the service's own side is heard: its metrics, its log, its GPUs. All of it is read beside the load, and none of it is needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Pages of servers' metrics in place of the target's own: `http://a:8000/metrics`. An address without a path means its `/metrics`. The
    /// query may hold `${VARIABLE}`. The target's credentials go to none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_metrics: Vec<String>,
    /// Whether the target's own `/metrics` is read (default: if_there; never where `server_metrics` names others).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_metrics: Option<OwnMetrics>,
    /// Logs of servers, followed from where they end when the run begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_logs: Vec<PathBuf>,
    /// Pages of GPUs' metrics, such as a DCGM exporter's: `http://a:9400/metrics`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpu_metrics: Vec<String>,
    /// Ask `nvidia-smi`, where this machine has it (default: whether the target is this machine).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nvidia_smi: Option<bool>,
    /// How long from one reading to the next (default: 500ms).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
}

/// Whether the target's own metrics are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnMetrics {
    /// If it has any. That it has none is no matter.
    IfThere,
    /// Yes, and reports say so if it has none.
    Wanted,
    /// No.
    Never,
}
