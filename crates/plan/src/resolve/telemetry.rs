//! Where the service's own side is heard: pages, logs, GPUs.

use std::time::Duration;

use crate::config::{self, OwnMetrics};
use crate::environment::Environment;
use crate::error::PlanError;
use crate::plan::{Target, Telemetry};
use crate::url::{Scheme, Url};
use crate::written::Span;

use super::fit::utf8;

pub(super) fn resolve(
    config: config::Telemetry,
    target: &Target,
    environment: &dyn Environment,
) -> Result<Telemetry, PlanError> {
    let others = pages(&config.server_metrics, "telemetry.server_metrics", environment)?;
    let own_metrics = config.own_metrics.unwrap_or(match others.is_empty() {
        true => OwnMetrics::IfThere,
        false => OwnMetrics::Never,
    });
    let every = config.every.map_or(EVERY, |Span(length)| length);
    if every < LEAST {
        return Err(PlanError::at("telemetry.every", "is too short: reading has its price")
            .with_hint("0.1 s or more; 0.5 s shows what there is to see"));
    }
    if config.server_logs.iter().any(|path| path.as_os_str().is_empty()) {
        return Err(PlanError::at("telemetry.server_logs", "names nothing")
            .with_hint("name a file on this machine, such as ./logs/vllm.log"));
    }
    let logs = config.server_logs.into_iter();
    Ok(Telemetry {
        server_metrics: others,
        own_metrics,
        server_logs: logs
            .map(|path| utf8(path, "telemetry.server_logs"))
            .collect::<Result<_, _>>()?,
        gpu_metrics: pages(&config.gpu_metrics, "telemetry.gpu_metrics", environment)?,
        nvidia_smi: config.nvidia_smi.unwrap_or_else(|| target.url.is_this_machine()),
        every,
    })
}

fn pages(
    written: &[String],
    setting: &str,
    environment: &dyn Environment,
) -> Result<Vec<Url>, PlanError> {
    written.iter().map(|url| page(url, setting, environment)).collect()
}

/// A page of metrics: an address without a path means its `/metrics`.
fn page(written: &str, setting: &str, environment: &dyn Environment) -> Result<Url, PlanError> {
    let mut url = Url::parse_page(written, setting, environment)?;
    if url.scheme == Scheme::Sim {
        return Err(PlanError::at(setting, "a page of metrics is reached by http or https")
            .with_hint("a sim:// target's own metrics are read by themselves"));
    }
    if url.path.is_empty() || url.path == "/" {
        url.path = "/metrics".into();
    }
    Ok(url)
}

const EVERY: Duration = Duration::from_millis(500);
const LEAST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing::Fixed;

    fn url(written: &str) -> Url {
        Url::parse(written, "target.url", &Fixed::default()).unwrap()
    }

    #[test]
    fn an_address_without_a_path_means_its_metrics() {
        let shown = |written: &str| {
            page(written, "telemetry.server_metrics", &Fixed::default()).map(|url| url.to_string())
        };
        assert_eq!(shown("http://a:8000").unwrap(), "http://a:8000/metrics");
        assert_eq!(shown("http://a:8000/").unwrap(), "http://a:8000/metrics");
        assert_eq!(shown("https://a/v1/stats?x=1").unwrap(), "https://a/v1/stats?x=1");
        assert!(shown("sim://").is_err());
        assert!(shown("a:8000").is_err());
    }

    #[test]
    fn advice_on_a_page_can_be_followed() {
        let advice = |written: &str| {
            let error = page(written, "telemetry.gpu_metrics", &Fixed::default()).unwrap_err();
            error.hint().unwrap_or_default().to_owned()
        };
        for written in ["a:8000", "http://", "ftp://a", "http://a b"] {
            assert_eq!(advice(written), "for example http://127.0.0.1:8000/metrics", "{written}");
        }
        let hint = advice("http://bob:hunter2@a:9400");
        assert!(hint.ends_with("or a parameter, ?token=${VARIABLE}"), "{hint}");
        assert!(!hint.contains("hunter2"));
    }

    #[test]
    fn this_machine_is_known_by_its_loopback_names() {
        for here in [
            "http://localhost:8000/v1",
            "http://127.0.0.1:1",
            "http://[::1]:8000",
            "http://0.0.0.0:8000",
        ] {
            assert!(url(here).is_this_machine(), "{here}");
        }
        for elsewhere in ["http://10.0.0.2:8000", "https://localhost.example.com/v1", "sim://"] {
            assert!(!url(elsewhere).is_this_machine(), "{elsewhere}");
        }
    }
}
