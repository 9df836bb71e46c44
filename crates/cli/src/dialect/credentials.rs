//! Secrets on a command line: headers, parameters of URLs, the key of the environment.
//!
//! What is secret by its name becomes a variable of the surroundings, and the native form refers to it.

use std::collections::BTreeMap;

use tokometer_plan::names_a_secret;

use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Headers typed as `NAME=VALUE`; a value that is secret by its header's name becomes a variable.
///
/// # Errors
/// If one has no `=`. Its text is not repeated: it may be half of a secret with a blank in it.
pub(crate) fn headers(
    flag: &str,
    typed: &[String],
    surroundings: &mut Surroundings,
) -> Result<BTreeMap<String, String>, Trouble> {
    let mut headers = BTreeMap::new();
    for (index, header) in typed.iter().enumerate() {
        let Some((name, value)) = header.split_once('=') else {
            return Err(Trouble::input(format!("{flag}: value {} is not NAME=VALUE", index + 1))
                .with_hint(format!("quote values with blanks: {flag} 'Authorization=Bearer …'")));
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let value = match names_a_secret(&name) && !value.contains("${") {
            true => surroundings.keep_secret(&format!("HEADER_{name}"), value),
            false => value,
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The variable of the key, if it holds one and the headers do not show another.
pub(crate) fn key_beside(
    headers: &BTreeMap<String, String>,
    surroundings: &Surroundings,
) -> Option<String> {
    let authorized = headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    (surroundings.has(API_KEY) && !authorized).then(|| API_KEY.to_owned())
}

/// The URL with the values of its secret parameters put aside.
pub(crate) fn hide_parameters(url: &str, surroundings: &mut Surroundings) -> String {
    let Some((front, query)) = url.split_once('?') else { return url.to_owned() };
    let query = query.split('#').next().unwrap_or_default();
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if names_a_secret(name) && !value.contains("${") => {
                let kept = surroundings.keep_secret(&format!("URL_{name}"), value.to_owned());
                format!("{name}={kept}")
            }
            _ => pair.to_owned(),
        })
        .collect();
    format!("{front}?{}", pairs.join("&"))
}

/// The variable that holds the key.
pub(crate) const API_KEY: &str = "OPENAI_API_KEY";
