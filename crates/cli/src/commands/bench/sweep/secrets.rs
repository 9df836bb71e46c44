//! Secrets in the words of a command and in parameters: told by the names beside them, and hidden.
//!
//! Deliberately by name alone: nothing is taken for a key because it looks like one. A text that refers to a variable of the
//! environment, `${NAME}`, holds no secret.

use serde_json::Value;
use tokometer_plan::is_secret_field;

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "***";

/// Whether what has this name is secret: a flag, a parameter with its dots, a header, a field.
pub(crate) fn is_secret(name: &str) -> bool {
    name.trim_start_matches('-').split('.').any(|part| is_secret_field(&part.replace('-', "_")))
}

/// The text with its secrets hidden: in JSON and in `NAME=VALUE` or `NAME:VALUE` what stands behind a name that speaks of one, and
/// what stands before the host of a URL.
pub(crate) fn hidden(text: &str) -> String {
    if let Some(json) = json(text) {
        let mut shown = json.clone();
        hide(&mut shown);
        return if shown == json { text.to_owned() } else { shown.to_string() };
    }
    let text = without_user(text);
    match secret_from(&text) {
        Some(from) => format!("{}{HIDDEN}", &text[..from]),
        None => text,
    }
}

/// Whether the text is JSON of several values.
pub(crate) fn is_json(text: &str) -> bool {
    json(text).is_some()
}

/// Whether a parameter would show a secret: it would stand in the names of folders, and in every result. Numbers and truths are none,
/// whatever the parameter's name.
pub(crate) fn shows_a_secret(key: &str, value: &Value) -> bool {
    let mut hidden = Value::from_iter([(key, value.clone())]);
    hide(&mut hidden);
    hidden[key] != *value
}

fn json(text: &str) -> Option<Value> {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins.then(|| serde_json::from_str(text).ok()).flatten()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if is_secret(key) => conceal(text),
                    Value::Array(list) if is_secret(key) => {
                        list.iter_mut().for_each(|entry| match entry {
                            Value::String(text) => conceal(text),
                            other => hide(other),
                        })
                    }
                    other => hide(other),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::String(text) => *text = hidden(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn conceal(secret: &mut String) {
    if is_plain(secret) {
        HIDDEN.clone_into(secret);
    }
}

/// Whether there is something to hide in what stands where a secret belongs.
fn is_plain(value: &str) -> bool {
    !value.trim().is_empty() && !value.contains("${")
}

/// Where a value begins whose name speaks of a secret.
fn secret_from(text: &str) -> Option<usize> {
    let signs = text.match_indices(['=', ':']);
    signs.map(|(at, _)| (&text[..at], at + 1)).find_map(|(before, from)| {
        let before = before.trim_end_matches([' ', '"', '\'', '\\']);
        let in_name = |sign: char| sign.is_alphanumeric() || "-_.".contains(sign);
        let name = before.rsplit(|sign| !in_name(sign)).next().unwrap_or_default();
        (is_secret(name) && is_plain(&text[from..])).then_some(from)
    })
}

/// A URL without the name and password that may stand before its host.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match host.rsplit_once('@') {
        Some((user, _)) if is_plain(user) => {
            format!("{scheme}://{HIDDEN}@{}", &rest[user.len() + 1..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_behind_the_name_of_a_secret_is_hidden() {
        for (text, shown) in [
            ("OPENAI_API_KEY=sk", "OPENAI_API_KEY=***"),
            ("Authorization: Bearer sk", "Authorization:***"),
            ("{'api_key': 'sk'}", "{'api_key':***"),
            (r#"{"api_key":"sk","n":1}"#, r#"{"api_key":"***","n":1}"#),
            (
                r#"{"a":[{"tokens":{"api-key":["sk",1]}}]}"#,
                r#"{"a":[{"tokens":{"api-key":["***",1]}}]}"#,
            ),
            (r#"["X-Api-Key=sk", "a=1"]"#, r#"["X-Api-Key=***","a=1"]"#),
            ("http://u:sk@h/p", "http://***@h/p"),
            ("http://h/p?key=sk&a=1", "http://h/p?key=***"),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_was_written() {
        for text in [
            "ttft:500",
            "Authorization=Bearer ${TOKEN}",
            "http://h:8000/v1",
            r#"{"n": 1, "prompt_cache_key": "a", "api_key": null}"#,
            "api_key=",
            "user@example.org",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn parameters_show_secrets_by_their_own_name_or_one_within() {
        for (key, value) in [
            ("api_key", json!("sk")),
            ("api-key", json!(["a", "sk"])),
            ("extra_body.api_key", json!("sk")),
            ("header", json!("Authorization=Bearer sk")),
            ("header", json!(["X-Team=blue", "X-Api-Key=sk"])),
            ("extra_body", json!("{\"api_key\": \"sk\"}")),
            ("base_url", json!("http://u:sk@h")),
        ] {
            assert!(shows_a_secret(key, &value), "{key} {value}");
        }
        for (key, value) in [
            ("long_prefill_token_threshold", json!(2048)),
            ("hf_token", json!(true)),
            ("max_num_batched_tokens", json!("2048")),
            ("header", json!("Authorization=Bearer ${TOKEN}")),
            ("extra_body", json!({"prompt_cache_key": "a"})),
            ("base_url", json!("http://h:8000/v1")),
        ] {
            assert!(!shows_a_secret(key, &value), "{key} {value}");
        }
    }
}
