//! Getting to know the service before any load: that it is there, that it takes the key, that it has the model, that it answers.
//!
//! Every way in which this fails has a line and a hint of its own. It fails at once: a server that is still starting is better
//! waited for by whoever started it.

use std::time::Duration;

use serde_json::Value;
use tokometer_engine::{Answer, Engine, Interrupt, redacted};
use tokometer_plan::{Plan, Reporting, Scheme, did_you_mean};
use tokometer_record::{Failure, FailureKind, Outcome, Record, TimeoutPhase};
use tokometer_wire::error_message;
use tokometer_workload::Ask;

use crate::screen::Screen;
use crate::trouble::Trouble;

/// The models of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Models {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// What the first of them was made from, where the service tells: a folder, or a hub's name.
    pub(crate) root: Option<String>,
}

/// The models that the service says it has. `None` if it does not say.
///
/// Where the plan names its model, a service that does not tell of its models, be it that it keeps them from this key, is none
/// the worse for it: whether it answers is for the request that tries it to show.
///
/// # Errors
/// If nothing answers at the target; and where no model is named, if it refuses the key.
pub(crate) fn models(engine: &Engine, plan: &Plan) -> Result<Option<Models>, Trouble> {
    match (engine.get("/v1/models"), &plan.model) {
        (Ok(Answer { status: 200..=299, body }), _) => Ok(listed(&body)),
        (Ok(Answer { status: status @ (401 | 403), body }), None) => {
            let words = redacted(&String::from_utf8_lossy(&body), &plan.target.secrets());
            Err(key_refused(plan, status, &error_message(words.as_bytes())))
        }
        (Ok(_), _) => Ok(None),
        (Err(failure), Some(_)) if was_connected(failure.kind) => Ok(None),
        (Err(failure), _) => Err(unreachable(plan, &failure)),
    }
}

/// Waits for a service that is still starting, as long as the plan says. That it is not there by then is for the next look at
/// it to tell.
pub(crate) fn await_service(
    engine: &Engine,
    plan: &Plan,
    pause: &dyn Fn(Duration),
    screen: &Screen,
) {
    let until = engine.now() + plan.target.ready_within;
    let mut said = false;
    while engine.now() < until {
        // A status of 500 and more is what proxies say for a service that has not come up behind them.
        if matches!(engine.get("/v1/models"), Ok(Answer { status: 0..500, .. })) {
            return;
        }
        if !said {
            screen.say(format!(
                "waiting for {} for up to {} s",
                plan.target.url,
                plan.target.ready_within.as_secs_f64()
            ));
            said = true;
        }
        pause(BETWEEN_LOOKS);
    }
}

/// The model to name: the plan's, or the service's only one.
///
/// # Errors
/// If the plan names none and the service has none or several.
pub(crate) fn choose_model(plan: &Plan, models: Option<&[String]>) -> Result<String, Trouble> {
    if let Some(model) = &plan.model {
        return Ok(model.clone());
    }
    match models {
        Some([only]) => Ok(only.clone()),
        Some([]) | None => Err(Trouble::input(format!(
            "no model is named, and {} does not say which it has",
            plan.target.url
        ))
        .with_hint("name it: --model NAME")),
        // vLLM's client takes the first.
        Some([first, ..]) if matches!(plan.report, Reporting::Vllm(_)) => Ok(first.clone()),
        Some(several) => Err(Trouble::input(format!(
            "no model is named, and {} has {}",
            plan.target.url,
            several.len()
        ))
        .with_hint(format!("name one of them: --model {}", several.join(" | ")))),
    }
}

/// Sends one request as the load would and sees that it is answered.
///
/// # Errors
/// If it is not, with what the service said and what to do.
pub(crate) fn try_one(
    engine: &Engine,
    plan: &Plan,
    models: Option<&[String]>,
    ask: &Ask,
    interrupt: &Interrupt,
) -> Result<Record, Trouble> {
    let record = engine.try_one(ask, interrupt);
    let Outcome::Failed(failure) = &record.outcome else { return Ok(record) };
    Err(match failure.kind {
        FailureKind::Status(status @ (401 | 403)) => key_refused(plan, status, &failure.message),
        FailureKind::Status(status)
            if unknown_model(plan, models) && blames_model(plan, status, &failure.message) =>
        {
            model_refused(plan, models.unwrap_or_default())
        }
        _ => unreachable(plan, failure),
    })
}

/// Whether somebody was there, whatever he then did.
const fn was_connected(kind: FailureKind) -> bool {
    use FailureKind::{Connect, ConnectRefused, Dns, Timeout, Tls};
    !matches!(kind, Connect | ConnectRefused | Dns | Tls | Timeout(TimeoutPhase::Connect))
}

fn listed(body: &[u8]) -> Option<Models> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let models = body.get("data")?.as_array()?;
    let text = |model: &Value, field: &str| Some(model.get(field)?.as_str()?.to_owned());
    let names = models.iter().filter_map(|model| text(model, "id")).collect();
    Some(Models { names, root: models.first().and_then(|model| text(model, "root")) })
}

fn unknown_model(plan: &Plan, models: Option<&[String]>) -> bool {
    match (&plan.model, models) {
        (Some(model), Some(models)) => !models.is_empty() && !models.contains(model),
        _ => false,
    }
}

/// Whether it was for its model that a request was refused: some say so by the status, others in words that name it. A service may
/// well take a model that it does not list, and refuse a request for something else.
fn blames_model(plan: &Plan, status: u16, words: &str) -> bool {
    let names_it = |model: &str| {
        let named = |bound: [char; 2]| words.contains(&format!("{}{model}{}", bound[0], bound[1]));
        [['`', '`'], ['\'', '\''], ['"', '"']].into_iter().any(named)
            || (model.chars().count() >= TELLING_NAME && words.contains(model))
    };
    match status {
        404 => true,
        400 | 422 => plan.model.as_deref().is_some_and(names_it),
        _ => false,
    }
}

fn model_refused(plan: &Plan, models: &[String]) -> Trouble {
    let model = plan.model.as_deref().unwrap_or_default();
    let meant = did_you_mean(model, models.iter().map(String::as_str));
    let known = models.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if models.len() > LISTED { ", …" } else { "" };
    Trouble::failed(format!("{} has no model {model}", plan.target.url)).with_hint(match meant {
        Some(meant) => format!("did you mean {meant}? it has {known}{more}"),
        None => format!("it has {known}{more}"),
    })
}

fn key_refused(plan: &Plan, status: u16, words: &str) -> Trouble {
    let (what, hint) = match &plan.target.key {
        Some(key) => (
            format!("{} refuses the key", plan.target.url),
            format!("check it: it was taken from {}, or given as --api-key", key.variable),
        ),
        None => (
            format!("{} wants a key, and none was given", plan.target.url),
            "give it as --api-key, or better in the environment: export OPENAI_API_KEY=…"
                .to_owned(),
        ),
    };
    Trouble::failed(format!("{what} (HTTP {status}{})", quoted(plan, words))).with_hint(hint)
}

fn unreachable(plan: &Plan, failure: &Failure) -> Trouble {
    let url = &plan.target.url;
    if let Some(proxy) = plan.target.proxy.as_ref().filter(|_| at_the_proxy(failure)) {
        let words = quoted(plan, &failure.message);
        return Trouble::failed(format!(
            "the proxy {proxy} leads nowhere: {}{words}",
            failure.kind
        ))
        .with_hint("check the host and the port of --proxy, or leave it out");
    }
    let hint = match failure.kind {
        FailureKind::ConnectRefused => {
            "nothing listens there: start the server, or check the host and the port of --url".to_owned()
        }
        FailureKind::Dns => "check the host of --url".to_owned(),
        FailureKind::Tls => {
            "for a certificate of your own authority give --ca-cert FILE; --insecure accepts any; a server without TLS wants http://"
                .to_owned()
        }
        FailureKind::Timeout(phase) => time_hint(plan, phase),
        FailureKind::Connect | FailureKind::Protocol | FailureKind::Reset if plan.target.http2 => {
            "the server may not speak HTTP/2: leave out --http2".to_owned()
        }
        FailureKind::Protocol if url.scheme == Scheme::Http => {
            "what answers there does not speak HTTP: try https://, or check the port of --url".to_owned()
        }
        FailureKind::Connect => {
            "check that the server is up and can be reached from here".to_owned()
        }
        FailureKind::Status(404 | 405) => not_found(plan),
        FailureKind::Status(400 | 422) => {
            "the server does not take such a request: check the generation settings and --extra-args".to_owned()
        }
        FailureKind::Status(429 | 500..=599) => {
            "the server is there and cannot answer now: look into its log, or try again later".to_owned()
        }
        FailureKind::Reset if url.scheme == Scheme::Http => {
            "it closed the connection: look into its log, or try https:// if it speaks TLS there".to_owned()
        }
        FailureKind::EmptyStream | FailureKind::TruncatedStream => {
            "the server answered without a whole output: look into its log".to_owned()
        }
        FailureKind::BadJson | FailureKind::Protocol => {
            "what answers there does not speak this API: check --url".to_owned()
        }
        _ => "look into the server's log".to_owned(),
    };
    let kind = failure.kind.to_string();
    // The words of a timeout begin with its kind, and tell how long it was.
    let told = failure.message.strip_prefix(&kind).map_or_else(
        || quoted(plan, &failure.message),
        |rest| redacted(rest, &plan.target.secrets()),
    );
    let what = match failure.kind {
        FailureKind::Status(_) => format!("{url} answered {kind}{told}"),
        FailureKind::ErrorEvent
        | FailureKind::TruncatedStream
        | FailureKind::EmptyStream
        | FailureKind::BadJson => format!("{url} does not answer as it should: {kind}{told}"),
        _ => format!("{url} does not answer: {kind}{told}"),
    };
    Trouble::failed(what).with_hint(hint)
}

/// The limit that passed, if it is one that was set.
fn time_hint(plan: &Plan, phase: TimeoutPhase) -> String {
    let limits = &plan.target.timeouts;
    let (flag, set) = match phase {
        TimeoutPhase::Connect => ("--connect-timeout", limits.connect),
        TimeoutPhase::FirstByte if limits.first_byte == limits.between_chunks => {
            ("--read-timeout, or --first-byte-timeout for the first byte alone", limits.first_byte)
        }
        TimeoutPhase::FirstByte => ("--first-byte-timeout", limits.first_byte),
        TimeoutPhase::BetweenChunks => ("--read-timeout", limits.between_chunks),
        TimeoutPhase::Total => ("--total-timeout", limits.total),
    };
    match set {
        Some(_) => format!("if the server needs longer, raise {flag}; else see whether it is up"),
        None => "check that the server is up and can be reached from here".to_owned(),
    }
}

/// Whether it was the way to a proxy that failed.
fn at_the_proxy(failure: &Failure) -> bool {
    use FailureKind::{Connect, ConnectRefused, Dns, Timeout};
    let opening =
        matches!(failure.kind, Connect | ConnectRefused | Dns | Timeout(TimeoutPhase::Connect));
    opening && !failure.message.starts_with("HTTP handshake")
}

fn not_found(plan: &Plan) -> String {
    let url = &plan.target.url;
    if url.path.contains("/v1") {
        return "check the path of --url, and --model".to_owned();
    }
    let mut with_version = url.clone();
    with_version.path = format!("/v1{}", url.path);
    format!("there is no such path; did you mean {with_version}?")
}

/// The service's words, without secrets should it have repeated any, and then shortened.
fn quoted(plan: &Plan, words: &str) -> String {
    let words = redacted(words, &plan.target.secrets());
    let words: String = words.trim().chars().take(QUOTED).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

/// How long a service that is not there yet is left alone.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A shorter name may stand in words that do not speak of it.
const TELLING_NAME: usize = 4;

/// Models that are named in a hint.
const LISTED: usize = 10;

/// Characters of a service's words that are shown.
const QUOTED: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_read_from_the_list_and_nothing_else() {
        let list = br#"{"object": "list", "data": [{"id": "a"}, {"id": "b", "root": "x"}, {"name": "c"}]}"#;
        let models = listed(list).unwrap();
        assert_eq!((models.names, models.root), (vec!["a".to_owned(), "b".to_owned()], None));
        let rooted = br#"{"data": [{"id": "a", "root": "org/a"}]}"#;
        assert_eq!(listed(rooted).unwrap().root.as_deref(), Some("org/a"));
        assert_eq!(listed(b"<html>"), None);
        assert_eq!(listed(br#"{"data": {}}"#), None);
    }
}
