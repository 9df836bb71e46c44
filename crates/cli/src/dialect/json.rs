//! Values of flags that are JSON.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::trouble::Trouble;

/// The object that `text` is, which was given to `flag`. Its text is not repeated in an error: it may hold a secret.
///
/// # Errors
/// If it is none; the hint is `example`.
pub(crate) fn object(
    flag: impl Display,
    text: &str,
    example: &str,
) -> Result<Map<String, Value>, Trouble> {
    let malformed = |why: String| {
        Trouble::input(format!("{flag}: not a JSON object: {why}")).with_hint(format!(
            "{example} (single quotes keep the shell from taking the double ones)"
        ))
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(malformed("it is not in braces".into())),
        Err(error) => Err(malformed(error.to_string())),
    }
}
