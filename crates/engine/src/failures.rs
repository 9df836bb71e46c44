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

/// `words` without any of `secrets`.
pub fn redacted(words: &str, secrets: &[String]) -> String {
    let mut words = words.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if words.contains(secret.as_str()) {
            words = words.replace(secret.as_str(), "***");
        }
    }
    words
}

/// The failure in words fit to be kept: free of `secrets`, and only then shortened.
pub(crate) fn presentable(failure: Failure, secrets: &[String]) -> Failure {
    let words = redacted(&failure.message, secrets);
    let shown = match words.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    };
    Failure { message: shown, ..failure }
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

/// How many characters of a failure's words are kept.
const LONGEST_WORDS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_the_server_repeats_is_not_kept_however_short() {
        let failure = Failure::new(FailureKind::Status(401), "bad key sk-1 given");
        assert_eq!(presentable(failure, &["sk-1".into()]).message, "bad key *** given");
    }

    #[test]
    fn a_secret_across_the_cut_leaves_no_part_of_itself() {
        let words = format!("{}sk-secret", "x".repeat(LONGEST_WORDS - 4));
        let failure = Failure::new(FailureKind::BadJson, words);
        let kept = presentable(failure, &["sk-secret".into()]).message;
        assert!(kept.ends_with("x***"), "{kept}");
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let failure = Failure::new(FailureKind::BadJson, "é".repeat(LONGEST_WORDS + 1));
        assert_eq!(presentable(failure, &[]).message, "é".repeat(LONGEST_WORDS) + "…");
    }
}
