//! Command lines as words: taken apart, changed flag by flag, shown without their secrets, and run.
//!
//! Deliberately no shell: nothing is expanded, and a `|` is a word like any other.

use std::process::Command;

use serde_json::Value;

use super::secrets::{HIDDEN, hidden, is_json, is_secret};
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
    /// it away. Below a dot (`--a.b`) a truth is written as a value, for there is no `--no-a.b`. Flags of several values take a list
    /// as that.
    pub(crate) fn set(&mut self, key: &str, value: &Value) {
        let name = flag_name(key);
        let mut place = None;
        while let Some(found) = self.0.iter().position(|word| gives(word, &name)) {
            let end = found + 1 + self.values_at(found, &name, value);
            self.0.drain(found..end);
            place = place.or(Some(found));
        }
        let place = place.unwrap_or(self.0.len());
        self.0.splice(place..place, written(&name, value));
    }

    /// How many of the words behind a flag are its own, which now gets that value. The model of a server may stand behind a switch.
    fn values_at(&self, place: usize, name: &str, value: &Value) -> usize {
        let word = &self.0[place];
        if word.contains('=') || !is_flag(word, name) {
            return 0;
        }
        let mut values = self.0[place + 1..].iter().take_while(|word| !looks_like_a_flag(word));
        if LISTS.contains(&name) {
            return values.count();
        }
        let Some(next) = values.next() else { return 0 };
        let is_switch = value.is_boolean() || value.is_null() && looks_like_a_switch(name);
        usize::from(!is_switch || matches!(next.to_lowercase().as_str(), "true" | "false"))
    }

    /// Adds words at the end.
    pub(crate) fn extend<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }

    /// As it could be typed, with secrets hidden.
    pub(crate) fn shown(&self) -> String {
        let mut hides = false;
        let shown = self.0.iter().map(|word| {
            if !looks_like_a_flag(word) {
                return if hides { HIDDEN.to_owned() } else { quoted(&without_secrets(word)) };
            }
            let (name, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let secret = hides_values(name);
            hides = secret && value.is_none();
            match value {
                Some(_) if secret => format!("{name}={HIDDEN}"),
                Some(value) => quoted(&format!("{name}={}", without_secrets(value))),
                None => quoted(&hidden(word)),
            }
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Whether it is this program's own benchmark that runs in the end, whatever starts it: `taskset -c 1 tokometer bench serve`.
    pub(crate) fn runs_our_benchmark(&self) -> bool {
        self.0.windows(3).any(|words| {
            words[0].rsplit('/').next() == Some(env!("CARGO_PKG_NAME"))
                && words[1..] == ["bench", "serve"]
        })
    }

    /// Whether it tells this program's benchmark where its logs go, or takes its flags from a file, which may.
    pub(crate) fn says_where_logs_go(&self) -> bool {
        self.has("config") || self.0.iter().any(|word| word.starts_with("--outputs"))
    }

    /// All of them.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
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

/// Whether the word gives the flag of that name a value, or says that it is off.
fn gives(word: &str, name: &str) -> bool {
    let flag = word.split('=').next().unwrap_or(word);
    is_flag(flag, name) || is_flag(flag, &format!("no-{name}"))
}

/// The words that give the flag of that name a value.
fn written(name: &str, value: &Value) -> Vec<String> {
    let flag = format!("--{name}");
    match value {
        Value::Null => Vec::new(),
        Value::Bool(value) if name.contains('.') => vec![format!("{flag}={value}")],
        Value::Bool(true) => vec![flag],
        Value::Bool(false) => vec![format!("--no-{name}")],
        Value::Array(list) if LISTS.contains(&name) && list.is_empty() => Vec::new(),
        Value::Array(list) if LISTS.contains(&name) => {
            std::iter::once(flag).chain(list.iter().map(word_of)).collect()
        }
        other => vec![flag, word_of(other)],
    }
}

/// A value as one word.
fn word_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether flags that are called so take no value.
fn looks_like_a_switch(name: &str) -> bool {
    SWITCHES.iter().any(|begin| name.split('-').next() == Some(begin))
}

/// What stands in a word, with its secrets hidden; a word may be a whole command line, as a shell takes one.
fn without_secrets(word: &str) -> String {
    let shown = hidden(word);
    if shown != word || !word.contains(char::is_whitespace) || is_json(word) {
        return shown;
    }
    match shlex::split(word).map(Words) {
        Some(inner) if inner.0 != [word] => {
            let inner = inner.shown();
            if inner.contains(HIDDEN) { inner } else { shown }
        }
        _ => shown,
    }
}

fn hides_values(flag: &str) -> bool {
    is_secret(flag) || matches!(flag, "--header" | "--headers" | "-H")
}

/// A word as it could be typed. Quotes stand only where a shell needs them.
fn quoted(word: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_=+,./:@%".contains(sign);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned()),
    }
}

/// The flags of `vllm bench serve` and `vllm serve` that take several values in one go.
const LISTS: &[&str] = &["goodput", "metadata", "header", "lora-modules", "served-model-name"];

/// What the names of switches begin with.
const SWITCHES: &[&str] =
    &["enable", "disable", "enforce", "no", "save", "skip", "trust", "use", "insecure"];

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
        assert_eq!(set("x --b 1 --c --b=2", "b", json!(3)), "x --b 3 --c", "the last one counts");
    }

    #[test]
    fn what_stands_behind_a_switch_stays() {
        let line = "vllm serve --enforce-eager Qwen/X";
        assert_eq!(
            set(line, "enforce_eager", json!(false)),
            "vllm serve --no-enforce-eager Qwen/X"
        );
        assert_eq!(set(line, "enforce_eager", json!(true)), line);
        assert_eq!(set(line, "enforce_eager", Value::Null), "vllm serve Qwen/X");
        assert_eq!(
            set("vllm serve --no-enforce-eager Qwen/X", "enforce_eager", json!("x")),
            "vllm serve --enforce-eager x Qwen/X"
        );
        assert_eq!(set("x --a.b true c", "a.b", json!(false)), "x --a.b=false c");
    }

    #[test]
    fn of_a_list_every_value_is_replaced() {
        let line = "x --goodput ttft:500 tpot:50 --b";
        assert_eq!(set(line, "goodput", json!("ttft:100")), "x --goodput ttft:100 --b");
        assert_eq!(
            set(line, "goodput", json!(["ttft:1", "tpot:2"])),
            "x --goodput ttft:1 tpot:2 --b"
        );
        assert_eq!(set(line, "goodput", Value::Null), "x --b");
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
        let shown = words("env HF_TOKEN=hunter2 vllm --api-key hunter2 --header A=hunter2 B=hunter2 --x-token=hunter2 --base-url http://u:hunter2@h/p --extra-body '{\"api_key\":\"hunter2\"}' --extra-body={\\\"api_key\\\":\\\"hunter2\\\"} -HX-Api-Key:hunter2 --a 'Cookie: hunter2' --b 'vllm serve --api-key hunter2' --base-url http://h/p --seed 1").shown();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.ends_with("--b 'vllm serve --api-key ***' --base-url http://h/p --seed 1"),
            "{shown}"
        );
    }

    #[test]
    fn our_own_benchmark_is_known_behind_whatever_starts_it() {
        for ours in ["tokometer bench serve", "taskset -c 1 /opt/tokometer bench serve --a 1"] {
            assert!(words(ours).runs_our_benchmark(), "{ours}");
        }
        for other in ["vllm bench serve", "tokometer sim", "sh -c 'tokometer bench serve'"] {
            assert!(!words(other).runs_our_benchmark(), "{other}");
        }
        assert!(words("x --outputs_dir=y").says_where_logs_go());
        assert!(!words("x --output-len 3").says_where_logs_go());
    }

    #[test]
    fn what_cannot_be_taken_apart_is_refused() {
        for text in ["a 'b", "", "  "] {
            assert!(Words::split("--bench-cmd", text).is_err(), "{text:?}");
        }
    }
}
