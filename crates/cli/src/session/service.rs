//! The service under test: where it is, how it is spoken to, and the engine that does so.
//!
//! A `sim://` target is a simulator started here, which lives as long as the service.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use jiff::Zoned;
use serde_json::Value;
use tokometer_engine::{Engine, Proxy, Settings, SettingsError, Target, Timeouts, Tls, redacted};
use tokometer_plan::{Filled, Plan, Point, Scheme};
use tokometer_sim::Running;
use tokometer_workload::tokenizer::{TokenizeService, Tokenizer};

use crate::simulator;
use crate::trouble::{Trouble, chain};

/// The service under test.
pub(crate) struct Service {
    /// Carries loads to it.
    pub(crate) engine: Arc<Engine>,
    /// The wall clock at the beginning of the engine's clock.
    pub(crate) began: Zoned,
    /// The address of its own page of metrics, and how that is shown.
    pub(crate) own_metrics: (String, String),
    /// A simulator, where the target is one.
    _simulator: Option<Running>,
}

impl Service {
    /// Starts what is to be started. `tokenizer` is the one that a simulator counts with.
    pub(crate) fn start(plan: &Plan, tokenizer: &Arc<dyn Tokenizer>) -> Result<Self, Trouble> {
        let url = &plan.target.url;
        let secrets = plan.target.secrets();
        let simulator = match url.scheme {
            Scheme::Http | Scheme::Https => None,
            Scheme::Sim => {
                let query = url.query.as_ref().map_or("", Filled::expose);
                let options = simulator::options_of_url(&url.authority, query, &secrets)?;
                Some(simulator::start_on_loopback(options, Arc::clone(tokenizer))?)
            }
        };
        let address = match &simulator {
            Some(running) if url.path.is_empty() => {
                format!("http://{}{}", running.address(), plan.target.api.0.path())
            }
            Some(running) => format!("http://{}{}", running.address(), url.path),
            None => url.expose(),
        };
        let began = Zoned::now();
        let unusable = |error| unusable(&error, &secrets);
        let target = Target::parse(&address, plan.target.api.0).map_err(unusable)?;
        let own_metrics = own_metrics(&target, simulator.is_some());
        let engine = Engine::start(settings(plan, target, &began)).map_err(unusable)?;
        Ok(Self { engine: Arc::new(engine), began, own_metrics, _simulator: simulator })
    }
}

/// Settings that cannot be used are told by their text, which may hold what the plan only names.
fn unusable(error: &SettingsError, secrets: &[String]) -> Trouble {
    let words = redacted(&chain(error), secrets);
    match error {
        SettingsError::Url { .. } => Trouble::input(format!("--url: {words}"))
            .with_hint("for example http://127.0.0.1:8000/v1/chat/completions"),
        SettingsError::Header { .. } => Trouble::input(format!("--headers: {words}"))
            .with_hint("a header is NAME=VALUE, in characters of ASCII"),
        SettingsError::Certificates { .. } => Trouble::input(format!("--ca-cert: {words}"))
            .with_hint("give a file of certificates in PEM"),
        SettingsError::Worker(_) => Trouble::failed(format!("--workers: {words}"))
            .with_hint("ask for fewer, or raise the limits of this process: ulimit -n, ulimit -u"),
    }
}

fn settings(plan: &Plan, at: Target, began: &Zoned) -> Settings {
    let target = &plan.target;
    Settings {
        target: at,
        api: target.api.0,
        stream: plan.generation.options.stream,
        headers: headers(plan),
        secrets: target.secrets(),
        timeouts: Timeouts {
            connect: target.timeouts.connect,
            first_byte: target.timeouts.first_byte,
            between_chunks: target.timeouts.between_chunks,
            total: target.timeouts.total,
        },
        tls: Tls { insecure: target.insecure, ca_cert: target.ca_cert.clone() },
        http2: target.http2,
        proxy: target.proxy.as_ref().map(|p| Proxy { host: p.host.clone(), port: p.port }),
        workers: workers(plan),
        keep_output: plan.output.outputs,
        keep_prompt: plan.output.prompts,
        request_id_prefix: match &plan.target.request_id_prefix {
            Some(prefix) => prefix.clone(),
            None => format!("tokometer-{}-", began.strftime("%Y%m%d%H%M%S%3f")),
        },
        drain: plan.drain,
    }
}

/// What is sent with every request to the target, secrets in the clear.
pub(super) fn headers(plan: &Plan) -> Vec<(String, String)> {
    let target = &plan.target;
    let given = target.headers.iter();
    let mut headers: Vec<(String, String)> =
        given.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    if let Some(key) = &target.key {
        headers.push(("Authorization".into(), format!("Bearer {}", key.secret.expose())));
    }
    headers
}

/// The address of the target's own page of metrics, and how it is shown.
fn own_metrics(target: &Target, simulated: bool) -> (String, String) {
    let scheme = if target.tls { "https" } else { "http" };
    let host = match target.host.contains(':') {
        true => format!("[{}]", target.host),
        false => target.host.clone(),
    };
    let url = format!("{scheme}://{host}:{}{}/metrics", target.port, target.root);
    let shown = if simulated { "the simulator's /metrics".into() } else { url.clone() };
    (url, shown)
}

/// As many workers as the heaviest point needs, and no more than there are cores: one thread carries many streams, and two
/// threads on one core only disturb each other.
fn workers(plan: &Plan) -> NonZeroUsize {
    if let Some(workers) = plan.workers {
        return workers;
    }
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let streams = plan.points.iter().filter_map(Point::at_once).max();
    let rate = plan.points.iter().filter_map(|point| point.load.arrivals.peak_rate());
    let by_streams = streams.map_or(1, |streams| streams.div_ceil(STREAMS_PER_WORKER));
    let by_rate = (rate.fold(0.0, f64::max) / RATE_PER_WORKER).ceil() as u64;
    NonZeroUsize::new(by_streams.max(by_rate) as usize).unwrap_or(NonZeroUsize::MIN).min(cores)
}

/// The service's own tokenizer, asked over the engine's connections.
#[derive(Debug)]
pub(crate) struct Tokenizing {
    pub(crate) engine: Arc<Engine>,
    /// What no message may repeat, though an answer does.
    pub(crate) secrets: Vec<String>,
}

impl TokenizeService for Tokenizing {
    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self
            .engine
            .post(path, body.to_string().as_bytes())
            .map_err(|failure| format!("{}: {}", failure.kind, failure.message))?;
        match answer.status {
            200..=299 => {
                let answer = serde_json::from_slice(&answer.body);
                answer.map(|answer| self.presentable(answer)).map_err(|error| error.to_string())
            }
            status => Err(format!("HTTP {status}")),
        }
    }
}

impl Tokenizing {
    /// The answer, of which all that is not asked for may be quoted in an error.
    fn presentable(&self, answer: Value) -> Value {
        let redacted = |value: &Value| Value::from(redacted(&value.to_string(), &self.secrets));
        match answer {
            Value::Object(mut fields) => {
                let foreign = |name: &str| !ASKED_FOR.contains(&name);
                fields
                    .iter_mut()
                    .filter(|(name, _)| foreign(name))
                    .for_each(|(_, value)| *value = redacted(value));
                Value::Object(fields)
            }
            other => redacted(&other),
        }
    }
}

/// What is asked of a tokenizer: numbers, and texts that a short secret must not be cut out of.
const ASKED_FOR: [&str; 4] = ["tokens", "count", "prompt", "text"];

/// Streams that one worker carries with room to spare.
const STREAMS_PER_WORKER: u64 = 500;

/// Requests per second that one worker sends with room to spare.
const RATE_PER_WORKER: f64 = 2_000.0;
