//! What the parser of command lines refuses, said in a line of our own.
//!
//! Deliberately nothing here knows which command it was, or what its flags mean.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::dialect::values::Unfit;

/// What is wrong with a command line, in a line, and the flag or command that was meant, if one is near.
pub(crate) fn what_is_wrong(error: &clap::Error) -> (String, Option<String>) {
    let word = |kind| word(error, kind);
    let meant = word(ContextKind::SuggestedArg).or(word(ContextKind::SuggestedSubcommand));
    let flag = word(ContextKind::InvalidArg).map(flag_only);
    let what = match (error.kind(), flag) {
        (ErrorKind::UnknownArgument, Some(flag)) => format!("there is no flag {flag}"),
        (ErrorKind::InvalidSubcommand, _) => {
            let name = word(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("there is no command {name}")
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(flag)) => {
            let value = word(ContextKind::InvalidValue).unwrap_or_default();
            let why = std::error::Error::source(error);
            match why {
                Some(why) if why.is::<Unfit>() => format!("{flag}{why}"),
                Some(why) => format!("{flag}: {value:?}: {why}"),
                None if value.is_empty() => format!("{flag} needs a value"),
                None => match valid_values(error) {
                    Some(values) => format!("{flag}: {value:?} is none of {values}"),
                    None => format!("{flag}: {value:?} is not a value for it"),
                },
            }
        }
        (ErrorKind::MissingRequiredArgument, Some(missing)) => format!("{missing} is missing"),
        _ => first_line(error),
    };
    (what, meant.map(str::to_owned))
}

/// A word that the error tells of.
pub(crate) fn word(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        Some(ContextValue::Strings(words)) => words.first().map(String::as_str),
        _ => None,
    }
}

/// The values that a flag of a few has.
fn valid_values(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    }
}

/// The flag alone: clap shows it with its value names, `--parallel <PARALLEL>...`.
pub(crate) fn flag_only(shown: &str) -> &str {
    if shown.starts_with('-') { shown.split(' ').next().unwrap_or(shown) } else { shown }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
