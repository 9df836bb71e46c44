//! What is asked of the server around a load: its metrics before and after, and a profile of itself where one is wanted.
//!
//! A server that tells no metrics is none the worse for it. Deliberately not during the load: here nothing is asked that could disturb it.

use tokometer_engine::Answer;
use tokometer_record::Scrape;
use tokometer_telemetry::scrape;
use tokometer_wire::error_message;

use super::service::Service;
use crate::trouble::Trouble;

/// What the server says of itself now. `None` if it says nothing.
pub(super) fn metrics(service: &Service) -> Option<Scrape> {
    match service.engine.get("/metrics") {
        Ok(Answer { status: 200..=299, body }) => {
            scrape(&String::from_utf8_lossy(&body), service.engine.now())
        }
        _ => None,
    }
}

/// Has the server begin or end a profile of itself.
///
/// # Errors
/// If it will not.
pub(super) fn profile(service: &Service, step: Profile) -> Result<(), Trouble> {
    let path = match step {
        Profile::Start => "/start_profile",
        Profile::Stop => "/stop_profile",
    };
    let why = match service.engine.post(path, b"") {
        Ok(Answer { status: 200..=299, .. }) => return Ok(()),
        Ok(Answer { status, body }) => format!("HTTP {status}: {}", error_message(&body)),
        Err(failure) => format!("{}: {}", failure.kind, failure.message),
    };
    Err(Trouble::failed(format!("the server makes no profile of itself: POST {path}: {why}"))
        .with_hint("start it with a profiler (vLLM: --profiler-config), or leave out --profile"))
}

/// A step of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    Start,
    Stop,
}
