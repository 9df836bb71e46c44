//! Text that refers to environment variables, so that a secret is named in a plan and never held by it.
//!
//! [`Filled`] keeps both what was written and what it stands for, and shows only the former: in `Debug`, in YAML, in every
//! message. What it stands for is had by [`Filled::expose`] alone. Here too it is decided, once, whose values are secret, and in
//! which forms a server that repeats them may do so.

use std::fmt;

use serde_json::{Map, Value};

use crate::PlanError;
use crate::environment::Environment;

/// A text that may hold `${VARIABLE}`, with its variables looked up. `$${` stands for `${` itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Filled {
    written: String,
    value: String,
    /// What its variables stand for.
    references: Vec<String>,
}

impl Filled {
    /// Looks up the variables of `written`, which stands in the setting of that path.
    ///
    /// # Errors
    /// If a variable is not set, or a `${` is not closed.
    pub fn look_up(
        written: &str,
        setting: &str,
        environment: &dyn Environment,
    ) -> Result<Self, PlanError> {
        let mut value = String::with_capacity(written.len());
        let mut references = Vec::new();
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(literal) = before.strip_suffix('$') {
                value.push_str(literal);
                value.push_str("${");
                rest = &from[2..];
                continue;
            }
            value.push_str(before);
            let Some((name, after)) = from[2..].split_once('}') else {
                return Err(PlanError::at(setting, "a ${ is not closed by a }").with_hint(
                    "write ${NAME} for an environment variable, $${ for the characters",
                ));
            };
            let found = environment.variable(name).ok_or_else(|| not_set(name, setting))?;
            value.push_str(&found);
            references.push(found);
            rest = after;
        }
        value.push_str(rest);
        Ok(Self { written: written.to_owned(), value, references })
    }

    /// The text with its `${VARIABLE}`s, fit to be shown.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What the text stands for: perhaps a secret, never to be shown.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether it refers to any variable, so that something in it is to be kept from sight.
    pub const fn is_reference(&self) -> bool {
        !self.references.is_empty()
    }

    /// What each of its variables stands for; never to be shown.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        self.references.iter().map(String::as_str)
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

/// Whether a header or a parameter of that name holds a secret: `Authorization`, `X-Api-Key`, `access_token`, `Cookie`.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(['-', '_', '.']);
    words.clone().any(|word| SECRET_WORDS.iter().any(|end| word.ends_with(end)))
        || words.next_back() == Some("pass")
}

/// Whether a field of a request's body of that name holds a secret: as [`names_a_secret`] says, but for those that are only called so.
pub fn is_secret_field(name: &str) -> bool {
    names_a_secret(name) && !NO_SECRETS.contains(&name)
}

/// Refuses a body, standing in the setting of that path, that holds a text under a key that names a secret: the plan shows it.
///
/// # Errors
/// If it does; the key is named, and the text is not.
pub(crate) fn refuse_secrets(body: &Map<String, Value>, setting: &str) -> Result<(), PlanError> {
    let Some(key) = secret_key(body) else { return Ok(()) };
    Err(PlanError::at(setting, format!("{key} holds a secret in plain sight")).with_hint(
        "send it as a header, or keep the body in a file of its own: --query-template @FILE, template_file in a plan",
    ))
}

/// The first key, at any depth, that names a secret and holds a text.
fn secret_key(fields: &Map<String, Value>) -> Option<&str> {
    fields.iter().find_map(|(key, value)| match value {
        Value::String(text) => (is_secret_field(key) && !text.is_empty()).then_some(key.as_str()),
        value => within(value),
    })
}

fn within(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => secret_key(fields),
        Value::Array(values) => values.iter().find_map(within),
        _ => None,
    }
}

/// What of a header no message may repeat: what its variables stand for and, where its name speaks of a secret, the whole value,
/// what follows its scheme (`Bearer …`), and each cookie's value.
pub(crate) fn of_header<'v>(name: &str, value: &'v Filled) -> Vec<&'v str> {
    let mut secrets: Vec<&str> = value.references().collect();
    if names_a_secret(name) {
        let whole = value.expose().trim();
        secrets.push(whole);
        secrets.extend(whole.split_once(' ').map(|(_, credentials)| credentials));
    }
    if name.to_lowercase().ends_with("cookie") {
        secrets.extend(value.expose().split(';').filter_map(|pair| Some(pair.split_once('=')?.1)));
    }
    secrets
}

/// The secrets as they are to be sought for: each once, none empty, longer ones first so that none is found in part, and also as
/// JSON writes them.
pub(crate) fn sought<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Vec<String> {
    let trimmed = secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty());
    let mut sought: Vec<String> =
        trimmed.flat_map(|secret| [secret.to_owned(), in_json(secret)]).collect();
    sought.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    sought.dedup();
    sought
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A name is repeated only if it looks like one: a key put where its variable's name belongs is not.
fn not_set(name: &str, setting: &str) -> PlanError {
    let conventional = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let error = |problem: &str| PlanError::at(setting, problem.to_owned());
    match name.chars().all(conventional) {
        true => error(&format!("the environment variable {name} is not set"))
            .with_hint(format!("set it first: export {name}=…")),
        false => error("the environment variable that it names is not set")
            .with_hint("set it first: export NAME=…, and write its name here, not its value"),
    }
}

/// Fields of the API that are called like secrets and are none.
const NO_SECRETS: &[&str] =
    &["prompt_cache_key", "eos_token", "bos_token", "pad_token", "stop_token"];

/// How words end that name secrets.
const SECRET_WORDS: &[&str] = &[
    "authorization",
    "auth",
    "key",
    "token",
    "secret",
    "cookie",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "sig",
    "signature",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::testing::Fixed;

    fn fill(written: &str) -> Result<Filled, PlanError> {
        let environment = Fixed::with([("TOKEN", "s3cret"), ("EMPTY", "")]);
        Filled::look_up(written, "target.headers.X-Test", &environment)
    }

    #[test]
    fn variables_are_looked_up_wherever_they_stand() {
        assert_eq!(fill("Bearer ${TOKEN}/${EMPTY}!").unwrap().expose(), "Bearer s3cret/!");
    }

    #[test]
    fn a_doubled_dollar_is_a_dollar() {
        assert_eq!(fill("a$${TOKEN}").unwrap().expose(), "a${TOKEN}");
    }

    #[test]
    fn what_a_reference_stands_for_is_not_shown() {
        assert_eq!(format!("{:?}", fill("Bearer ${TOKEN}").unwrap()), "\"Bearer ${TOKEN}\"");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = fill("${NOWHERE}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "target.headers.X-Test: the environment variable NOWHERE is not set"
        );
    }

    #[test]
    fn an_open_reference_is_refused() {
        assert!(fill("${TOKEN").is_err());
    }

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "Authorization",
            "X-Api-Key",
            "apikey",
            "access_token",
            "Cookie",
            "X-Auth",
            "X-Amz-Credential",
            "client_credentials",
            "sig",
            "X-Amz-Signature",
            "pwd",
            "dbpasswd",
            "pass",
            "user-pass",
            "jwt",
            "Bearer",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "X-Max-Tokens",
            "Accept",
            "X-Team",
            "keyboard",
            "User-Agent",
            "X-Design",
            "pass_through",
            "bypass",
            "X-Session-Id",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn a_secret_anywhere_in_a_body_is_refused_and_not_repeated() {
        let refused = |text: &str| {
            let body: Map<String, Value> = serde_json::from_str(text).unwrap();
            refuse_secrets(&body, "generation.extra").err().map(|error| format!("{error}"))
        };
        let secret = Some("generation.extra: api_key holds a secret in plain sight".to_owned());
        assert_eq!(refused(r#"{"api_key": "s3cret"}"#), secret);
        assert_eq!(refused(r#"{"a": [{"b": {"api_key": "s3cret"}}]}"#), secret);
        for harmless in [
            r#"{"ignore_eos": true}"#,
            r#"{"allowed_token_ids": [1, 2], "return_token_ids": true}"#,
            r#"{"prompt_cache_key": "a"}"#,
            r#"{"tools": [{"parameters": {"properties": {"token": {"type": "string"}}}}]}"#,
        ] {
            assert_eq!(refused(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn of_a_secret_header_its_parts_are_secret_too() {
        let secrets = |name, written| of_header(name, &fill(written).unwrap()).join("|");
        assert_eq!(secrets("Authorization", "Basic ${TOKEN}"), "s3cret|Basic s3cret|s3cret");
        assert_eq!(secrets("Cookie", "a=${TOKEN}; b=x"), "s3cret|a=s3cret; b=x|b=x|s3cret|x");
        assert_eq!(secrets("X-Team", "${TOKEN} blue"), "s3cret");
        assert_eq!(secrets("X-Team", "blue"), "");
    }

    #[test]
    fn longer_secrets_are_sought_first_and_none_twice_or_empty() {
        assert_eq!(sought(["k", "", "Bearer k", " k "]), ["Bearer k", "k"]);
        assert_eq!(sought(["a\"b"]), ["a\\\"b", "a\"b"]);
    }

    #[test]
    fn a_key_put_where_a_name_belongs_is_not_repeated() {
        let error = fill("${sk_live_123}").unwrap_err();
        assert!(!format!("{error:?}").contains("sk_live_123"), "{error:?}");
    }
}
