//! What is asked of the server around a load: a profile of itself, where one is wanted.

use tokometer_engine::Answer;
use tokometer_wire::error_message;

use super::service::Service;
use crate::trouble::Trouble;

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
