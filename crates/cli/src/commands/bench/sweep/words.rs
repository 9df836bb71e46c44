//! Command lines as words: taken apart, changed flag by flag, shown without their secrets, and run.
//!
//! Deliberately no shell: nothing is expanded, and a `|` is a word like any other.

use std::process::Command;

use serde_json::Value;
use tokometer_plan::names_a_secret;

use crate::trouble::Trouble;

/// A command line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// Takes the value of `flag` apart as a shell would, quotes and backslashes included.
    ///
    /// # Errors
    /// If a quote is not closed, or there is nothing.
    pub(crate) fn split(flag: &str, text: &str) -> Result<Self, Trouble> {
        match shlex::split(text) {
            None => Err(Trouble::input(format!(
                "{flag}: a quote is not closed, or a backslash stands last"
            ))
            .with_hint("give the command as you would type it, in one pair of quotes")),
            Some(words) if words.is_empty() => Err(Trouble::input(format!("{flag} is empty"))),
            Some(words) => Ok(Self(words)),
        }
    }

    /// The value of `--name`, in whichever form it was given. `name` has hyphens.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut words = self.0.iter().peekable();
        let mut found = None;
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some((flag, value)) if is_flag(flag, name) => found = Some(value),
                None if is_flag(word, name) => {
                    found = words.peek().map(|next| next.as_str()).or(found)
                }
                _ => {}
            }
        }
        found
    }

    /// The word after a flag of one letter: `-p`.
    pub(crate) fn value_of_short(&self, flag: &str) -> Option<&str> {
        let place = self.0.iter().position(|word| word == flag)?;
        self.0.get(place + 1).map(String::as_str)
    }

    /// Whether `--name` is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| is_flag(word.split('=').next().unwrap_or(word), name))
    }

    /// Gives a flag another value, or adds it: `true` gives `--key`, `false` `--no-key`, an object or a list its JSON, and null takes
    /// it away. Below a dot (`--a.b`) a truth is written as a value, for there is no `--no-a.b`.
    pub(crate) fn set(&mut self, key: &str, value: &Value) {
        let name = flag_name(key);
        let words = match value {
            Value::Null => Vec::new(),
            Value::Bool(value) if key.contains('.') => vec![format!("--{name}={value}")],
            Value::Bool(true) => vec![format!("--{name}")],
            Value::Bool(false) => vec![format!("--no-{name}")],
            Value::String(text) => vec![format!("--{name}"), text.clone()],
            other => vec![format!("--{name}"), other.to_string()],
        };
        let opposite = format!("no-{name}");
        let place = self.0.iter().position(|word| {
            let flag = word.split('=').next().unwrap_or(word);
            is_flag(flag, &name) || is_flag(flag, &opposite)
        });
        match place {
            None => self.0.extend(words),
            Some(place) => {
                let takes_next = !self.0[place].contains('=')
                    && self.0.get(place + 1).is_some_and(|next| !looks_like_a_flag(next));
                let end = place + 1 + usize::from(takes_next);
                self.0.splice(place..end, words);
            }
        }
    }

    /// Adds words at the end.
    pub(crate) fn extend<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }

    /// As it could be typed, with secrets hidden.
    pub(crate) fn shown(&self) -> String {
        let mut hides = false;
        let shown = self.0.iter().map(|word| {
            let is_flag = looks_like_a_flag(word);
            let (name, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let secret = is_flag && hides_values(name)
                || !is_flag && value.is_some() && names_a_secret(name);
            if is_flag {
                hides = secret && value.is_none();
            }
            match value {
                Some(_) if secret => format!("{name}={HIDDEN}"),
                _ if hides && !is_flag => HIDDEN.to_owned(),
                _ => quoted(&without_user(word)),
            }
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Whether it is this program that the first word names.
    pub(crate) fn is_ours(&self) -> bool {
        self.program().rsplit('/').next() == Some(env!("CARGO_PKG_NAME"))
    }

    /// The first word.
    pub(crate) fn program(&self) -> &str {
        &self.0[0]
    }

    /// As a command. A first word `tokometer` is this very program, wherever it lies.
    pub(crate) fn command(&self) -> Command {
        let own = (self.program() == env!("CARGO_PKG_NAME")).then(std::env::current_exe);
        let mut command = match own {
            Some(Ok(path)) => Command::new(path),
            _ => Command::new(self.program()),
        };
        command.args(&self.0[1..]);
        command
    }
}

/// The name of a flag for a key of a JSON file: with hyphens, but as it stands below a dot, for that belongs to what it configures.
fn flag_name(key: &str) -> String {
    match key.split_once('.') {
        Some((flag, within)) => format!("{}.{within}", flag.replace('_', "-")),
        None => key.replace('_', "-"),
    }
}

fn is_flag(word: &str, name: &str) -> bool {
    word.strip_prefix("--").is_some_and(|flag| flag_name(flag) == name)
}

/// `-1` is a value, `-p` and `--port` are flags.
fn looks_like_a_flag(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|first: char| first == '-' || first.is_alphabetic()))
}

fn hides_values(flag: &str) -> bool {
    names_a_secret(flag.trim_start_matches('-')) || matches!(flag, "--header" | "--headers" | "-H")
}

/// A URL without the name and password that may stand before its host.
fn without_user(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let host = rest.split('/').next().unwrap_or(rest);
    match host.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://{HIDDEN}@{}", &rest[user.len() + 1..]),
        None => word.to_owned(),
    }
}

/// A word as it could be typed. Quotes stand only where a shell needs them.
fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_=+,./:@%".contains(sign);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned()),
    }
}

const HIDDEN: &str = "***";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(text: &str) -> Words {
        Words::split("--bench-cmd", text).unwrap()
    }

    fn set(text: &str, key: &str, value: Value) -> String {
        let mut words = words(text);
        words.set(key, &value);
        words.shown()
    }

    #[test]
    fn a_flag_is_found_in_whichever_form_it_was_given() {
        let words = words("vllm serve --num_prompts 5 --port=80 --host=a --host b");
        assert_eq!(words.value("num-prompts"), Some("5"));
        assert_eq!(words.value("port"), Some("80"));
        assert_eq!(words.value("host"), Some("b"), "the last one counts");
        assert_eq!(words.value("seed"), None);
    }

    #[test]
    fn a_parameter_takes_the_place_of_its_flag_or_stands_last() {
        assert_eq!(set("x --num_prompts 5 --b", "num-prompts", json!(7)), "x --num-prompts 7 --b");
        assert_eq!(set("x --num-prompts=5 --b", "num_prompts", json!(7)), "x --num-prompts 7 --b");
        assert_eq!(set("x --b", "num_prompts", json!(7)), "x --b --num-prompts 7");
        assert_eq!(set("x --b -1 --c", "b", json!(-2)), "x --b -2 --c");
    }

    #[test]
    fn truths_objects_and_nothing_are_written_as_flags_take_them() {
        assert_eq!(set("x", "enable_x", json!(true)), "x --enable-x");
        assert_eq!(set("x --enable-x --b", "enable_x", json!(false)), "x --no-enable-x --b");
        assert_eq!(set("x --no-enable-x", "enable_x", json!(true)), "x --enable-x");
        assert_eq!(set("x", "a_b.c_d", json!(false)), "x --a-b.c_d=false");
        assert_eq!(set("x", "extra", json!({"a": 1})), "x --extra '{\"a\":1}'");
        assert_eq!(set("x --b 2 --c", "b", Value::Null), "x --c");
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = words("env HF_TOKEN=hunter2 vllm --api-key hunter2 --header A=hunter2 B=hunter2 --x-token=hunter2 --base-url http://u:hunter2@h/p --seed 1").shown();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.ends_with("'http://***@h/p' --seed 1"), "{shown}");
    }

    #[test]
    fn what_cannot_be_taken_apart_is_refused() {
        for text in ["a 'b", "", "  "] {
            assert!(Words::split("--bench-cmd", text).is_err(), "{text:?}");
        }
    }
}
