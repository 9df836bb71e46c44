//! Names of flags as vLLM takes them: `_` for `-`, abbreviations, keys behind a dot, a file of flags.
//!
//! Everything is brought into one plain form before the command line is parsed, so that nothing behind it knows of these ways to
//! write. Deliberately nothing here knows what a flag means.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::Command;
use serde_json::{Map, Value};

use super::config_file;
use super::names::Names;
use crate::trouble::Trouble;

/// A command line in its plain form.
#[derive(Debug, PartialEq)]
pub(crate) struct Typed {
    /// The words, the program's name first.
    pub(crate) words: Vec<OsString>,
    /// Where the flags stand that came from a file and were not typed as well: `bench.yaml:3`.
    pub(crate) places: BTreeMap<String, String>,
}

/// Brings the words of `tokometer bench …` into their plain form; `program` is what parses them. Others stay as they are.
///
/// # Errors
/// If an abbreviation could mean several flags, or a file of flags cannot be used.
pub(crate) fn plain(words: Vec<OsString>, program: &Command) -> Result<Typed, Trouble> {
    if words.get(1).is_none_or(|word| word != "bench") {
        return Ok(Typed { words, places: BTreeMap::new() });
    }
    let (command, depth) = called(&words, program);
    let names = Names::of(command);
    let mut head = words;
    let typed = head.split_off(depth);
    let typed = in_full(typed, &names)?;
    let (typed, file) = match names.has("config") {
        true => without_config(typed)?,
        false => (typed, None),
    };
    let mut places = BTreeMap::new();
    if let Some(file) = file {
        for entry in config_file::read(&file, command, &names)? {
            let flag = entry.flag();
            // What is typed counts instead, and not beside it, also of a flag that may be repeated.
            if typed.iter().any(|word| names_flag(word, &flag)) {
                continue;
            }
            places.insert(flag, entry.place.clone());
            head.extend(entry.words.into_iter().map(OsString::from));
        }
    }
    head.extend(typed);
    Ok(Typed { words: head, places })
}

/// The innermost command that the words call, and how many words that takes.
fn called<'c>(words: &[OsString], program: &'c Command) -> (&'c Command, usize) {
    let mut command = program;
    for (depth, word) in words.iter().enumerate().skip(1) {
        let Some(inner) = word.to_str().and_then(|word| command.find_subcommand(word)) else {
            return (command, depth);
        };
        command = inner;
    }
    (command, words.len())
}

fn names_flag(word: &OsString, flag: &str) -> bool {
    let word = word.to_string_lossy();
    word.split('=').next() == Some(flag)
}

/// Takes `--config FILE` out of the words.
fn without_config(words: Vec<OsString>) -> Result<(Vec<OsString>, Option<String>), Trouble> {
    let mut file: Option<String> = None;
    let mut rest = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if !names_flag(&word, "--config") {
            rest.push(word);
            continue;
        }
        let given = match word.to_string_lossy().split_once('=') {
            Some((_, value)) => Some(value.to_owned()),
            None => words.next().map(|value| value.to_string_lossy().into_owned()),
        };
        let Some(given) = given.filter(|given| !given.is_empty() && !given.starts_with("--"))
        else {
            return Err(Trouble::input("--config needs a value")
                .with_hint("a YAML file with flags as keys: --config bench.yaml"));
        };
        if file.is_some() {
            return Err(Trouble::input("--config is given twice")
                .with_hint("put the flags of both into one file"));
        }
        file = Some(given);
    }
    Ok((rest, file))
}

/// The words with every flag's name in full, and keys behind dots gathered into one JSON object a flag.
fn in_full(words: Vec<OsString>, names: &Names) -> Result<Vec<OsString>, Trouble> {
    let mut plain: Vec<OsString> = Vec::with_capacity(words.len());
    let mut objects: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(typed) = word.to_str().and_then(|word| word.strip_prefix("--")) else {
            plain.push(word);
            continue;
        };
        let (name, value) = match typed.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (typed, None),
        };
        let Some((name, path)) = name.split_once('.') else {
            let name = if name.is_empty() { name.to_owned() } else { names.meant(name)? };
            plain.push(match value {
                Some(value) => format!("--{name}={value}").into(),
                None => format!("--{name}").into(),
            });
            continue;
        };
        let name = names.meant(name)?;
        let value = match value {
            Some(value) => value,
            None => words.next().and_then(|value| value.into_string().ok()).ok_or_else(|| {
                Trouble::input(format!("--{name}.{path} needs a value"))
                    .with_hint(format!("for example --{name}.{path} true"))
            })?,
        };
        let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
        put(objects.entry(name).or_default(), path, value);
    }
    for (name, keys) in objects {
        let whole = match take_object(&mut plain, &name) {
            Some(mut given) => {
                merge(&mut given, keys);
                given
            }
            None => keys,
        };
        plain.push(format!("--{name}={}", Value::Object(whole)).into());
    }
    Ok(plain)
}

/// Puts a value behind a path of keys with dots between them.
fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(object.insert(path.to_owned(), value)),
        Some((key, rest)) => {
            let inner = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// Takes the last JSON object that was given to the flag as a whole out of the words.
fn take_object(words: &mut Vec<OsString>, name: &str) -> Option<Map<String, Value>> {
    let flag = format!("--{name}");
    let at = words.iter().rposition(|word| names_flag(word, &flag))?;
    let word = words[at].to_str()?.to_owned();
    let (text, taken) = match word.split_once('=') {
        Some((_, text)) => (text.to_owned(), 1),
        None => (words.get(at + 1)?.to_str()?.to_owned(), 2),
    };
    let object = serde_json::from_str(&text).ok()?;
    words.drain(at..at + taken);
    Some(object)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn program() -> Command {
        let value = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
        let serve = Command::new("serve").args([
            value("num-prompts"),
            value("num-warmups"),
            value("model"),
            value("model-other"),
            value("extra-body"),
            value("config"),
        ]);
        Command::new("t")
            .subcommand(Command::new("perf").arg(value("num-prompts")))
            .subcommand(Command::new("bench").subcommand(serve))
    }

    fn read(line: &str) -> Result<Vec<String>, Trouble> {
        let words = line.split(' ').map(OsString::from).collect();
        let typed = plain(words, &program())?;
        Ok(typed.words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn underscores_and_abbreviations_become_the_flag() {
        assert_eq!(
            read("t bench serve --num_prompts 5 --num-w=_3 --model a_b").unwrap().join(" "),
            "t bench serve --num-prompts 5 --num-warmups=_3 --model a_b"
        );
    }

    #[test]
    fn an_abbreviation_of_several_flags_is_refused_with_all_of_them() {
        insta::assert_snapshot!(read("t bench serve --num 5").unwrap_err(), @"
        error: --num could be --num-prompts, --num-warmups
        hint: write as much of it as tells them apart
        ");
    }

    #[test]
    fn what_is_no_flag_is_left_to_the_parser() {
        assert_eq!(read("t bench serve --zzz_a x").unwrap().join(" "), "t bench serve --zzz-a x");
        assert_eq!(read("t perf --num_prompts 5").unwrap().join(" "), "t perf --num_prompts 5");
    }

    #[test]
    fn keys_behind_dots_become_one_object() {
        assert_eq!(
            read("t bench serve --extra_body.a.b_c 5 --extra-body.d=x --model m")
                .unwrap()
                .join(" "),
            "t bench serve --model m --extra-body={\"a\":{\"b_c\":5},\"d\":\"x\"}"
        );
        assert_eq!(
            read("t bench serve --extra-body {\"a\":{\"z\":1}} --extra-body.a.b 2")
                .unwrap()
                .join(" "),
            "t bench serve --extra-body={\"a\":{\"z\":1,\"b\":2}}"
        );
    }

    #[test]
    fn a_file_of_flags_must_be_named_once() {
        let said = |line: &str| read(line).unwrap_err().to_string();
        assert!(said("t bench serve --config").contains("--config needs a value"));
        assert!(said("t bench serve --config a.yaml --config b.yaml").contains("twice"));
    }
}
