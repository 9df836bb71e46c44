//! What is heard of the service's own side while a point runs: its metrics, its log, its GPUs.
//!
//! Reading is `tokometer_telemetry`'s, on threads of its own beside the load; what it means is `tokometer_metrics`'s. A service that says
//! nothing of itself is none the worse for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokometer_plan::{OwnMetrics, Plan, Url};
use tokometer_record::{Line, Offset, Origin, PointLog, Remark, RemarkKind, Signal};
use tokometer_telemetry::fetch::Endpoint;
use tokometer_telemetry::nvidia_smi;
use tokometer_telemetry::watch::{Heard, Patience, Sources, Watch};

use super::service::Service;

/// Hears the service's own side from the run's beginning to its end.
pub(super) struct Hearing {
    watch: Watch,
    logs: Vec<PathBuf>,
    /// What was heard before a load, for the log of its point, which has not begun yet. Behind a lock, for another thread writes it.
    before: Mutex<Vec<Line>>,
}

impl Hearing {
    /// Begins to listen where the plan says.
    pub(super) fn begin(plan: &Plan, service: &Service) -> Self {
        let telemetry = &plan.telemetry;
        let secrets = [plan.target.secrets(), telemetry.secrets()].concat();
        let elsewhere =
            |url: &Url| endpoint(plan, url.expose(), url.to_string(), Vec::new(), &secrets);
        let mut metrics: Vec<Endpoint> = telemetry.server_metrics.iter().map(elsewhere).collect();
        let own = || {
            let (url, shown) = service.own_metrics.clone();
            endpoint(plan, url, shown, super::service::headers(plan), &secrets)
        };
        let mut perhaps = Vec::new();
        match telemetry.own_metrics {
            OwnMetrics::Wanted => metrics.push(own()),
            OwnMetrics::IfThere => perhaps.push(own()),
            OwnMetrics::Never => {}
        }
        let sources = Sources {
            metrics,
            perhaps,
            gpus: telemetry.gpu_metrics.iter().map(elsewhere).collect(),
            nvidia_smi: telemetry.nvidia_smi,
            logs: telemetry.server_logs.clone(),
            every: telemetry.every,
        };
        let engine = Arc::clone(&service.engine);
        let watch = Watch::start(sources, Arc::new(move || engine.now()));
        Self { watch, logs: telemetry.server_logs.clone(), before: Mutex::default() }
    }

    /// Hears everybody before a load, as long as that is `wanted`, and forgets what figures were told before. Returns what stands in
    /// the way of hearing what was asked for.
    pub(super) fn before_load(&self, wanted: &dyn Fn() -> bool) -> Vec<Remark> {
        let mut lines = self.heard();
        lines.retain(|line| matches!(line, Line::Remark(_)));
        self.watch.read_those_who_answer(&PATIENCE, wanted);
        lines.extend(self.heard());
        let obstacles = lines.iter().filter_map(obstacle).cloned().collect();
        self.before.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        obstacles
    }

    /// What was heard since this was last asked, as lines for the log.
    pub(super) fn heard(&self) -> Vec<Line> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut *before);
        let line = |heard| match heard {
            Heard::Scrape(scrape) => Line::Scrape(scrape),
            Heard::Reading(reading) => Line::Reading(reading),
            Heard::Gpus(reading) => Line::Gpus(reading),
            Heard::Remark(remark) => Line::Remark(remark),
        };
        lines.extend(self.watch.heard().into_iter().map(line));
        lines
    }

    /// Hears everybody after a load. A server counts a request a moment after its last byte has left, so that one which still
    /// speaks of requests is heard again, a few times, as long as that is `wanted`. `pause` waits, unless the user wants no more.
    pub(super) fn after_load(
        &self,
        pause: &dyn Fn(Duration),
        wanted: &dyn Fn() -> bool,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        for attempt in 1..=ATTEMPTS {
            self.watch.read_those_who_answer(&PATIENCE, wanted);
            let heard = self.heard();
            let busy = heard.iter().any(is_busy);
            lines.extend(heard);
            if !busy || attempt == ATTEMPTS || !wanted() {
                break;
            }
            pause(BETWEEN);
        }
        lines
    }

    /// Logs that told no figure in all of a point, which is worth a word.
    pub(super) fn silent<'a>(
        &'a self,
        log: &'a PointLog,
        now: Offset,
    ) -> impl Iterator<Item = Line> + 'a {
        let told = |path: &str| {
            let readings = &log.telemetry.readings;
            let remarks = &log.telemetry.remarks;
            readings.iter().any(|reading| reading.origin == Origin::Log && reading.source == path)
                || remarks.iter().any(|remark| remark.source == path)
        };
        let silent =
            self.logs.iter().map(|path| path.display().to_string()).filter(move |path| !told(path));
        silent.map(move |source| {
            Line::Remark(Remark {
                at: now,
                source,
                kind: RemarkKind::LogSilent,
                detail: "no line with figures came during the point: vLLM writes one every 10 s, and none while it is idle"
                    .into(),
            })
        })
    }
}

/// What stands in the way of hearing what somebody asked for. Nobody asks for nvidia-smi.
fn obstacle(line: &Line) -> Option<&Remark> {
    use RemarkKind::{LogMissing, NoMetrics, Unreachable};
    let Line::Remark(remark) = line else { return None };
    let is_obstacle = matches!(remark.kind, LogMissing | NoMetrics | Unreachable);
    (is_obstacle && remark.source != nvidia_smi::PROGRAM).then_some(remark)
}

/// Whether a server still speaks of requests that it computes.
fn is_busy(line: &Line) -> bool {
    let Line::Reading(reading) = line else { return false };
    let running = reading.values.get(&Signal::Running).copied().unwrap_or(0.0);
    reading.origin == Origin::Metrics && !reading.timings.is_empty() && running > 0.0
}

fn endpoint(
    plan: &Plan,
    url: String,
    shown: String,
    headers: Vec<(String, String)>,
    secrets: &[String],
) -> Endpoint {
    Endpoint {
        url,
        shown,
        headers,
        insecure: plan.target.insecure,
        ca_cert: plan.target.ca_cert.clone(),
        proxy: plan.target.proxy.as_ref().map(ToString::to_string),
        secrets: secrets.to_vec(),
    }
}

/// How long a load is held up for a server, or the next one after it: a server that has answered before may be slow under load, and
/// one that has not may never answer.
const PATIENCE: Patience =
    Patience { known: Duration::from_secs(5), unknown: Duration::from_secs(1) };

/// How often a server is heard after a load, and how long apart.
const ATTEMPTS: usize = 5;
const BETWEEN: Duration = Duration::from_millis(200);
