//! Errors of the network and of HTTP as failures with a kind, free of secrets.

use std::error::Error;
use std::io;

use tokometer_record::{Failure, FailureKind};

use crate::transport::out_of_descriptors;

/// What an error of hyper means for a request of which so many chunks had arrived.
pub(crate) fn of_hyper(error: &hyper::Error, chunks: usize) -> Failure {
    let cause = io_cause(error);
    if let Some(cause) = cause
        && out_of_descriptors(cause)
    {
        return Failure::new(FailureKind::OutOfDescriptors, cause.to_string());
    }
    let broken = cause.is_some_and(is_break)
        || error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed();
    if broken {
        let when = match chunks {
            0 => "before any output".to_owned(),
            1 => "after 1 chunk".to_owned(),
            n => format!("after {n} chunks"),
        };
        return Failure::new(
            FailureKind::Reset,
            format!("connection closed {when}: {}", chain(error)),
        );
    }
    Failure::new(FailureKind::Protocol, chain(error))
}

/// The failure without any of `secrets` in its words.
pub(crate) fn redacted(mut failure: Failure, secrets: &[String]) -> Failure {
    for secret in secrets {
        if failure.message.contains(secret.as_str()) {
            failure.message = failure.message.replace(secret.as_str(), "***");
        }
    }
    failure
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

fn is_break(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
    };
    matches!(
        error.kind(),
        ConnectionReset | BrokenPipe | ConnectionAborted | NotConnected | UnexpectedEof
    )
}

/// The error and its causes, each once.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_the_server_repeats_is_not_kept() {
        let failure = Failure::new(FailureKind::Status(401), "bad key sk-123 given");
        let redacted = redacted(failure, &["sk-123".into()]);
        assert_eq!(redacted.message, "bad key *** given");
    }
}
