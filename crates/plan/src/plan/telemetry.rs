//! Where the service's own side is heard during the load.

use std::path::PathBuf;
use std::time::Duration;

use crate::config;
use crate::secret;
use crate::url::Url;
use crate::written::Span;

pub use crate::config::OwnMetrics;

/// Where the service's own side is heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Pages of servers' metrics besides the target's own.
    pub server_metrics: Vec<Url>,
    /// Whether the target's own are read.
    pub own_metrics: OwnMetrics,
    /// Logs to follow.
    pub server_logs: Vec<PathBuf>,
    /// Pages of GPUs' metrics.
    pub gpu_metrics: Vec<Url>,
    /// Ask `nvidia-smi`, where this machine has it.
    pub nvidia_smi: bool,
    /// How long from one reading to the next.
    pub every: Duration,
}

impl Telemetry {
    /// What no message may repeat.
    pub fn secrets(&self) -> Vec<String> {
        let urls = self.server_metrics.iter().chain(&self.gpu_metrics);
        let found: Vec<String> = urls.flat_map(Url::secrets).collect();
        secret::sought(found.iter().map(String::as_str))
    }

    pub(super) fn to_config(&self) -> config::Telemetry {
        let written = |urls: &[Url]| urls.iter().map(ToString::to_string).collect();
        config::Telemetry {
            server_metrics: written(&self.server_metrics),
            own_metrics: Some(self.own_metrics),
            server_logs: self.server_logs.clone(),
            gpu_metrics: written(&self.gpu_metrics),
            nvidia_smi: Some(self.nvidia_smi),
            every: Some(Span(self.every)),
        }
    }
}
