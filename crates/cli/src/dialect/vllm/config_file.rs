//! A file of flags, as `--config` takes it: YAML with the flags' names as keys.
//!
//! Each entry becomes the words that would have been typed, and is tried by itself, so that what is wrong with it is said with
//! its line. Deliberately no excerpt of the file is shown: it could hold a secret.

use std::fmt;

use clap::{Arg, ArgAction, Command};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::NonFiniteFloatPolicy;
use tokometer_plan::known_words;

use super::names::Names;
use crate::refusal::what_is_wrong;
use crate::trouble::Trouble;

/// A flag from a file.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// The words that would have been typed, the flag first.
    pub(super) words: Vec<String>,
    /// Where it stands: `bench.yaml:3`.
    pub(super) place: String,
}

impl Entry {
    /// The flag.
    pub(super) fn flag(&self) -> String {
        let flag = self.words.first().map_or("", |word| word.split('=').next().unwrap_or(word));
        flag.to_owned()
    }
}

/// The flags in `file`, in its order; `command` is what takes them.
///
/// # Errors
/// If it cannot be read, is not YAML of flags, or a flag cannot be taken.
pub(super) fn read(file: &str, command: &Command, names: &Names) -> Result<Vec<Entry>, Trouble> {
    if !file.ends_with(".yaml") && !file.ends_with(".yml") {
        return Err(Trouble::input(format!("--config: {file} is no YAML file by its name"))
            .with_hint("the file's name must end in .yaml or .yml"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| {
        Trouble::input(format!("cannot read {file}: {error}")).with_hint("check --config")
    })?;
    parse(&text, file, command, names)
}

fn parse(text: &str, file: &str, command: &Command, names: &Names) -> Result<Vec<Entry>, Trouble> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! {
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    let Entries(entries) = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| unreadable(&error, file))?;
    let mut flags = Vec::with_capacity(entries.len());
    for (key, given) in entries {
        let place = format!("{file}:{}", key.referenced.line());
        let words =
            words(&key.value, given, command, names).map_err(|trouble| trouble.at(&place))?;
        let Some(words) = words else { continue };
        let entry = Entry { words, place };
        check(&entry, command)?;
        flags.push(entry);
    }
    Ok(flags)
}

/// The words for a key and its value. `None` if it is a switch that stays off.
fn words(
    key: &str,
    given: Given,
    command: &Command,
    names: &Names,
) -> Result<Option<Vec<String>>, Trouble> {
    let name = names.meant(key)?;
    if matches!(name.as_str(), "help" | "config") || !names.has(&name) {
        let known = names.all().filter(|name| !matches!(*name, "help" | "config"));
        return Err(Trouble::input(format!("there is no flag {key}")).with_hint(
            match known_words(&name, known) {
                long if long.starts_with("known") => {
                    "tokometer bench serve --help shows every flag".to_owned()
                }
                meant => meant,
            },
        ));
    }
    let flag = format!("--{name}");
    let off = format!("no-{name}");
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name.as_str()));
    let is_switch = arg.is_some_and(|arg| matches!(arg.get_action(), ArgAction::SetTrue));
    if is_switch && !matches!(given, Given::Switch(_) | Given::Nothing) {
        return Err(Trouble::input(format!("{key} is a switch, and takes no other value"))
            .with_hint(format!("write {key}: true, or false, without quotes")));
    }
    Ok(match given {
        Given::Switch(true) => Some(vec![flag]),
        Given::Switch(false) => names.has(&off).then(|| vec![format!("--{off}")]),
        Given::Text(text) => Some(vec![format!("{flag}={text}")]),
        Given::List(texts) if texts.is_empty() => None,
        // Of a flag that takes one word, a list is what stands between its commas.
        Given::List(texts) if !arg.is_some_and(takes_several) => {
            Some(vec![format!("{flag}={}", texts.join(","))])
        }
        Given::List(texts) => Some(std::iter::once(flag).chain(texts).collect()),
        Given::Object(object) => Some(vec![format!("{flag}={}", Value::Object(object))]),
        Given::Nothing => {
            return Err(Trouble::input(format!("{key} has no value"))
                .with_hint("leave it out, or write true for a switch"));
        }
    })
}

/// Whether a flag takes several words in one go.
fn takes_several(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|words| words.max_values() > 1)
}

/// Whether the flag can be taken, by itself.
fn check(entry: &Entry, command: &Command) -> Result<(), Trouble> {
    let words = std::iter::once("bench").chain(entry.words.iter().map(String::as_str));
    let alone = command.clone().no_binary_name(false);
    match alone.try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => {
            let (what, meant) = what_is_wrong(&error);
            let hint = meant.map_or_else(
                || "tokometer bench serve --help shows what it takes".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            Err(Trouble::input(format!("{}: {what}", entry.place)).with_hint(hint))
        }
    }
}

fn unreadable(error: &serde_saphyr::Error, file: &str) -> Trouble {
    let place = match error.location() {
        Some(at) => format!("{file}:{}:{}", at.line(), at.column()),
        None => file.to_owned(),
    };
    let formatter = serde_saphyr::UserMessageFormatter;
    let text = error.without_snippet().render_with_formatter(&formatter);
    let why = text.lines().next().unwrap_or_default().to_owned();
    Trouble::input(format!("{place}: not a YAML file of flags: {why}"))
        .with_hint("write flags as keys, such as num-prompts: 100")
}

/// What stands behind a key.
#[derive(Debug, PartialEq)]
enum Given {
    Nothing,
    Switch(bool),
    Text(String),
    List(Vec<String>),
    Object(Map<String, Value>),
}

impl Given {
    /// As one word of a list.
    fn word(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Switch(value) => value.to_string(),
            Self::Text(text) => text,
            Self::List(texts) => Value::from(texts).to_string(),
            Self::Object(object) => Value::Object(object).to_string(),
        }
    }
}

/// Keys with their places, and what stands behind them.
struct Entries(Vec<(Spanned<String>, Given)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Flags;

        impl<'de> Visitor<'de> for Flags {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("flags and their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Flags)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list, or keys and values")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Given, E> {
                Ok(Given::Switch(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Given, E> {
                Ok(Given::Text(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Given, E> {
                Ok(Given::Text(value.to_string()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Given, E> {
                Ok(Given::Text(value.to_string()))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Given, E> {
                Ok(Given::Text(value.to_owned()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Given, E> {
                Ok(Given::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                let mut words = Vec::new();
                while let Some(given) = seq.next_element::<Given>()? {
                    words.push(given.word());
                }
                Ok(Given::List(words))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    object.insert(key, value);
                }
                Ok(Given::Object(object))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::super::flags::Flags;
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, Trouble> {
        let command = Flags::augment_args(Command::new("serve").args_override_self(true));
        parse(text, "bench.yaml", &command, &Names::of(&command))
    }

    fn words(text: &str) -> Vec<String> {
        read(text).unwrap().into_iter().flat_map(|entry| entry.words).collect()
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn every_form_of_a_value_becomes_words() {
        let text = "\
# flags
backend: openai-chat
num_prompts: 500
request-rate: .inf
save-result: true
save-detailed: false
self-timed: false
goodput:
  - ttft:500
  - tpot:50
extra-body: {top_k: 5, nested: {a: [1, true]}}
metadata: []
percentile-metrics: [ttft, e2el]
metric_percentiles: [50, 99.9]
";
        assert_eq!(
            words(text),
            [
                "--backend=openai-chat",
                "--num-prompts=500",
                "--request-rate=inf",
                "--save-result",
                "--no-self-timed",
                "--goodput",
                "ttft:500",
                "tpot:50",
                "--extra-body={\"top_k\":5,\"nested\":{\"a\":[1,true]}}",
                "--percentile-metrics=ttft,e2el",
                "--metric-percentiles=50,99.9",
            ]
        );
        assert_eq!(words("# nothing\n"), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        insta::assert_snapshot!(refused("backend: openai\nnum_promts: 5\n"), @"
        error: bench.yaml:2: there is no flag num_promts
        hint: did you mean num-prompts?
        ");
        insta::assert_snapshot!(refused("\nport: many\n"), @"
        error: bench.yaml:2: --port takes a whole number, not many
        hint: tokometer bench serve --help shows what it takes
        ");
        insta::assert_snapshot!(refused("save-result: \"yes\"\n"), @"
        error: bench.yaml:1: save-result is a switch, and takes no other value
        hint: write save-result: true, or false, without quotes
        ");
        insta::assert_snapshot!(refused("model:\n"), @"
        error: bench.yaml:1: model has no value
        hint: leave it out, or write true for a switch
        ");
        insta::assert_snapshot!(refused("random-mm: 5\n").lines().next().unwrap(), @"error: bench.yaml:1: --random-mm could be --random-mm-base-items-per-request, --random-mm-num-mm-items-range-ratio, --random-mm-limit-mm-per-prompt, --random-mm-bucket-config");
        assert!(refused("- a\n").starts_with("error: bench.yaml:1:1: not a YAML file of flags"));
        assert!(refused("model: [a\n").starts_with("error: bench.yaml:"));
    }
}
