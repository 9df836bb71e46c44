//! Where the service's own side is heard: flags that every dialect has, though no peer does.

use std::time::Duration;

use clap::{ArgAction, Args};
use tokometer_plan::Span;
use tokometer_plan::config::{self, OwnMetrics};

use super::credentials::hide_parameters;
use super::values::number;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Flags that say where servers, their logs and their GPUs are heard.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server's own side; ours")]
pub(crate) struct TelemetryFlags {
    /// Read the server's metrics beside the load: those at these addresses, or without any the target's own /metrics, which is read
    /// anyway if it is there
    #[arg(action = ArgAction::Append, long, num_args = 0.., value_name = "URL")]
    pub(super) server_metrics: Option<Vec<String>>,
    /// Do not read the server's metrics
    #[arg(long)]
    pub(super) no_server_metrics: bool,
    /// Follow the server's log, a file on this machine, for the figures that it tells (vLLM, SGLang)
    #[arg(action = ArgAction::Append, long, num_args = 1.., value_name = "FILE")]
    pub(super) server_log: Vec<String>,
    /// Read the metrics of GPUs, such as a DCGM exporter's; nvidia-smi is asked anyway if the server is on this machine
    #[arg(action = ArgAction::Append, long, num_args = 1.., value_name = "URL")]
    pub(super) gpu_metrics: Vec<String>,
    /// Seconds from one reading to the next
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = number, allow_negative_numbers = true)]
    pub(super) telemetry_every: f64,
}

/// The native form of these flags. Secrets among them are put into `surroundings`.
///
/// # Errors
/// If a length of time is none, or metrics are asked for and refused in one.
pub(crate) fn telemetry(
    flags: TelemetryFlags,
    surroundings: &mut Surroundings,
) -> Result<config::Telemetry, Trouble> {
    let every = Duration::try_from_secs_f64(flags.telemetry_every).map_err(|_| {
        Trouble::input(format!("--telemetry-every: {} is no length of time", flags.telemetry_every))
            .with_hint("seconds, such as 0.5")
    })?;
    if flags.no_server_metrics && flags.server_metrics.is_some() {
        let problem = "--server-metrics and --no-server-metrics contradict each other";
        return Err(Trouble::input(problem).with_hint("leave one of them out"));
    }
    let own_metrics = match (&flags.server_metrics, flags.no_server_metrics) {
        (_, true) => Some(OwnMetrics::Never),
        (Some(urls), false) if urls.is_empty() => Some(OwnMetrics::Wanted),
        _ => None,
    };
    let mut hidden = |urls: Vec<String>| -> Vec<String> {
        urls.iter().map(|url| hide_parameters(url, surroundings)).collect()
    };
    let server_metrics = hidden(flags.server_metrics.unwrap_or_default());
    let gpu_metrics = hidden(flags.gpu_metrics);
    Ok(config::Telemetry {
        server_metrics,
        own_metrics,
        server_logs: flags.server_log.into_iter().map(Into::into).collect(),
        gpu_metrics,
        nvidia_smi: None,
        every: Some(Span(every)),
    })
}

/// Settings by their paths, and their flags.
pub(crate) const FLAGS: &[(&str, &str)] = &[
    ("telemetry.server_metrics", "--server-metrics"),
    ("telemetry.own_metrics", "--server-metrics"),
    ("telemetry.server_logs", "--server-log"),
    ("telemetry.gpu_metrics", "--gpu-metrics"),
    ("telemetry.every", "--telemetry-every"),
];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::{Command, FromArgMatches as _};

    use super::*;

    /// As the commands take these flags, of which the last one wins otherwise.
    fn typed(line: &str) -> Result<config::Telemetry, Trouble> {
        let command = Command::new("perf").no_binary_name(true).args_override_self(true);
        let command = TelemetryFlags::augment_args(command);
        let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
        let flags = TelemetryFlags::from_arg_matches(&matches).unwrap();
        telemetry(flags, &mut Surroundings::default())
    }

    #[test]
    fn a_flag_that_is_repeated_adds_to_what_there_is() {
        let line = "--server-metrics http://a --server-log a b --gpu-metrics http://g --server-log c \
                    --server-metrics http://b --gpu-metrics http://h";
        let told = typed(line).unwrap();
        assert_eq!(told.server_metrics, ["http://a", "http://b"]);
        assert_eq!(told.server_logs, ["a", "b", "c"].map(PathBuf::from));
        assert_eq!(told.gpu_metrics, ["http://g", "http://h"]);
        assert_eq!(told.own_metrics, None);
    }

    #[test]
    fn without_an_address_the_targets_own_metrics_are_wanted() {
        assert_eq!(typed("--server-metrics").unwrap().own_metrics, Some(OwnMetrics::Wanted));
        assert_eq!(typed("--no-server-metrics").unwrap().own_metrics, Some(OwnMetrics::Never));
        assert_eq!(typed("").unwrap().own_metrics, None);
    }

    #[test]
    fn metrics_that_are_asked_for_and_refused_in_one_are_refused() {
        let bare = "--server-metrics --no-server-metrics";
        for line in [bare, "--no-server-metrics --server-metrics http://a"] {
            assert!(typed(line).unwrap_err().to_string().contains("contradict"), "{line}");
        }
    }
}
