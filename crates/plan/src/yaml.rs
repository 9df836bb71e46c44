//! The native form as YAML: reading it with line and column in every error, and finding where a setting stands. Other documents that
//! hold settings of a plan are read by the same rules.
//!
//! Deliberately shows no excerpt of the file in an error: an excerpt could hold a secret that was typed into the wrong place.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Error, Spanned};

use crate::config::Config;
use crate::error::{PlanError, did_you_mean};

/// A kind of document in YAML: how errors speak of it.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// What it is called: `plan`.
    pub name: &'static str,
    /// The file that explains every setting of it: `docs/plan.md`.
    pub guide: &'static str,
}

/// Reads a plan as it was typed. `file` is what errors call it.
///
/// # Errors
/// If it is not YAML, has a key that plans do not have, or a value of another type; with the line and the column.
pub fn from_yaml(text: &str, file: &str) -> Result<Config, PlanError> {
    read_yaml(text, file, PLAN)
}

/// Reads a document of that kind as it was typed. `file` is what errors call it.
///
/// # Errors
/// If it is not YAML, has a key that such documents do not have, or a value of another type; with the line and the column.
pub fn read_yaml<T: DeserializeOwned>(
    text: &str,
    file: &str,
    document: Document,
) -> Result<T, PlanError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(PlanError::new(format!("the {} is empty", document.name))
            .with_hint(format!("{} shows the smallest one", document.guide))
            .with_place(file));
    }
    serde_saphyr::from_str(text).map_err(|error| explain(&error, text, file, document))
}

/// Names the line and column of `text` at which the setting stands that `error` is about, or the nearest one around it. `file` is what
/// errors call the text.
#[must_use]
pub fn locate(error: PlanError, text: &str, file: &str) -> PlanError {
    let Some(setting) = error.setting() else { return error.with_place(file) };
    let place = match serde_saphyr::from_str::<Spanned<Node>>(text) {
        Ok(root) => {
            let (line, column) = find(&root, setting);
            format!("{file}:{line}:{column}: {setting}")
        }
        Err(_) => format!("{file}: {setting}"),
    };
    error.with_place(place)
}

fn find(root: &Spanned<Node>, setting: &str) -> (u64, u64) {
    let mut at = root;
    for part in setting.split('.') {
        let inner = match &at.value {
            Node::Map(entries) => {
                entries.iter().find(|(key, _)| key.value == part).map(|(_, node)| node)
            }
            Node::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            Node::Leaf => None,
        };
        let Some(inner) = inner else { break };
        at = inner;
    }
    place(at)
}

fn place<T>(node: &Spanned<T>) -> (u64, u64) {
    (node.referenced.line(), node.referenced.column())
}

/// The setting whose value, or whose key, stands at a place; and where its value stands.
fn setting_at(text: &str, at: (u64, u64)) -> Option<(String, (u64, u64))> {
    fn seek(node: &Spanned<Node>, path: &str, at: (u64, u64)) -> Option<(String, (u64, u64))> {
        let below = |part: &str| match path {
            "" => part.to_owned(),
            path => format!("{path}.{part}"),
        };
        let inner = match &node.value {
            Node::Map(entries) => entries.iter().find_map(|(key, value)| {
                let path = below(&key.value);
                let here = place(key) == at;
                let own = here.then(|| (path.clone(), place(value)));
                own.or_else(|| seek(value, &path, at))
            }),
            Node::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| seek(item, &below(&index.to_string()), at)),
            Node::Leaf => None,
        };
        // The first of a list or a map stands where that itself does, and is the nearer one.
        let own = || (place(node) == at && !path.is_empty()).then(|| (path.to_owned(), at));
        inner.or_else(own)
    }
    seek(&serde_saphyr::from_str(text).ok()?, "", at)
}

/// Whether a whole number stands there.
fn is_whole_number(text: &str, (line, column): (u64, u64)) -> bool {
    let index = |number: u64| usize::try_from(number.saturating_sub(1)).ok();
    let rest = || {
        let line = text.lines().nth(index(line)?)?;
        Some(line.chars().skip(index(column)?))
    };
    let in_value = |c: &char| !c.is_whitespace() && !",]}#".contains(*c);
    let value: String = rest().into_iter().flatten().take_while(in_value).collect();
    let digits = value.strip_prefix('-').unwrap_or(&value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn explain(error: &Error, text: &str, file: &str, document: Document) -> PlanError {
    let at = error.location().map(|at| (at.line(), at.column()));
    // Of a value that is wrong the setting is named, and the place is its own.
    let of_value = matches!(
        error.without_snippet(),
        Error::SerdeInvalidType { .. }
            | Error::SerdeInvalidValue { .. }
            | Error::SerdeInvalidLength { .. }
            | Error::SerdeUnknownVariant { .. }
            | Error::InvalidScalar { .. }
            | Error::InvalidBooleanStrict { .. }
            | Error::NonFiniteFloat { .. }
            | Error::Message { .. }
            | Error::Unexpected { .. }
    );
    let found = at.filter(|_| of_value).and_then(|at| setting_at(text, at));
    let at = found.as_ref().map(|(_, at)| *at).or(at);
    let place = match (at, &found) {
        (Some((line, column)), Some((setting, _))) => format!("{file}:{line}:{column}: {setting}"),
        (Some((line, column)), None) => format!("{file}:{line}:{column}"),
        (None, _) => file.to_owned(),
    };
    let problem = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => {
            let hint = match did_you_mean(field, expected.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("keys that may stand here: {}", expected.join(", ")),
            };
            PlanError::new(format!("unknown key {field}")).with_hint(hint)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            PlanError::new(format!("unknown value {variant}"))
                .with_hint(format!("one of: {}", expected.join(", ")))
        }
        Error::SerdeMissingField { field, .. } => PlanError::new(format!("{field} is missing")),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            PlanError::new(format!("expected {}, found {unexpected}", in_words(expected)))
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            PlanError::new(format!("expected {}, found {len} of them", in_words(expected)))
        }
        Error::InvalidScalar { ty, .. }
            if in_words(ty).contains("whole number")
                && at.is_some_and(|at| is_whole_number(text, at)) =>
        {
            PlanError::new(format!("out of range: expected {}", range(ty)))
        }
        Error::InvalidScalar { ty, .. } => PlanError::new(format!("expected {}", in_words(ty))),
        Error::InvalidBooleanStrict { .. } => PlanError::new("expected true or false"),
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => PlanError::new(format!("{key} stands here twice")),
            None => PlanError::new("a key stands here twice"),
        },
        Error::NonFiniteFloat { .. } => PlanError::new("expected a finite number")
            .with_hint("where a rate or a burstiness has no bound, the word is inf"),
        Error::MultipleDocuments { .. } => {
            PlanError::new(format!("a {} is one YAML document", document.name))
        }
        Error::Message { msg, .. } => PlanError::new(msg.clone()),
        Error::Unexpected { expected, .. } => {
            PlanError::new(format!("expected {}", in_words(expected)))
        }
        other => PlanError::new(format!("not YAML: {}", first_line(other))),
    };
    let advised = match problem.hint() {
        Some(_) => problem,
        None => problem.with_hint(format!("{} tells of every setting", document.guide)),
    };
    advised.with_place(place)
}

fn first_line(error: &Error) -> String {
    let formatter = serde_saphyr::UserMessageFormatter;
    let text = error.render_with_formatter(&formatter);
    text.lines().next().unwrap_or_default().to_owned()
}

/// What a type is called by people.
fn in_words(ty: &str) -> &str {
    match ty {
        "mapping start" => "keys and values",
        "sequence start" => "a list",
        "an array of length 2" | "a tuple of size 2" => "two values",
        "string scalar" | "string" => "a text",
        "a nonzero u32" | "a nonzero u64" => "a whole number of at least 1",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" | "float" => "a number",
        "bool" | "boolean" => "true or false",
        other => other,
    }
}

/// Which whole numbers a type holds.
fn range(ty: &str) -> String {
    let least = if ty.contains("nonzero") { 1 } else { 0 };
    match ty.rsplit(' ').next().unwrap_or_default() {
        "u8" => format!("a whole number from {least} to {}", u8::MAX),
        "u16" => format!("a whole number from {least} to {}", u16::MAX),
        "u32" => format!("a whole number from {least} to {}", u32::MAX),
        "u64" | "usize" => format!("a whole number from {least} to {}", u64::MAX),
        _ => in_words(ty).to_owned(),
    }
}

const PLAN: Document = Document { name: "plan", guide: "docs/plan.md" };

/// A YAML document of any shape, with the place of every node.
#[derive(Debug)]
enum Node {
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
    List(Vec<Spanned<Self>>),
    Leaf,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;

        impl<'de> Visitor<'de> for AnyNode {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Leaf)
            }
        }

        deserializer.deserialize_any(AnyNode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = from_yaml(text, "plan.yaml").unwrap_err();
        match error.hint() {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn an_unknown_key_is_shown_with_what_was_meant() {
        insta::assert_snapshot!(refused("load:\n  points:\n    - {paralel: 1, number: 5}\n"), @"
        plan.yaml:3:8: unknown key paralel
        hint: did you mean parallel?
        ");
        insta::assert_snapshot!(refused("target:\n  api_key: s3cret\n"), @"
        plan.yaml:2:3: unknown key api_key
        hint: did you mean api_key_env?
        ");
        insta::assert_snapshot!(refused("zzz: 1\n"), @"
        plan.yaml:1:1: unknown key zzz
        hint: keys that may stand here: model, tokenizer, seed, workers, target, telemetry, load, prompts, generation, output
        ");
    }

    #[test]
    fn a_wrong_type_is_shown_with_what_was_expected() {
        insta::assert_snapshot!(refused("load:\n  points:\n    - {parallel: 0, number: 5}\n"), @"
        plan.yaml:3:18: load.points.0.parallel: expected a whole number of at least 1, found integer `0`
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points:\n    - {parallel: many, number: 5}\n"), @"
        plan.yaml:3:18: load.points.0.parallel: expected a whole number, not negative
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points: 3\n"), @"
        plan.yaml:2:11: load.points: expected a list
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points:\n    - parallel: 4\n"), @"
        plan.yaml:3:7: number is missing
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  pause: soon\n"), @r#"
        plan.yaml:2:10: load.pause: expected a length of time such as 500ms, 10s, 2m or 6h, or a number of seconds, found string "soon"
        hint: docs/plan.md tells of every setting
        "#);
        insta::assert_snapshot!(refused("generation:\n  max_tokens: [5, 1]\n"), @"
        plan.yaml:2:15: generation.max_tokens: [5, 1] has the larger number first
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("generation:\n  max_tokens: [1, 2, 3]\n"), @"
        plan.yaml:2:15: generation.max_tokens: expected a number of tokens, or [least, most], found 3 of them
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("target:\n  http2: perhaps\n"), @"
        plan.yaml:2:10: target.http2: expected true or false
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("prompts:\n  fit: {mode: squeeze}\n"), @"
        plan.yaml:2:15: prompts.fit.mode: unknown value squeeze
        hint: one of: cap, drop
        ");
        insta::assert_snapshot!(refused("load:\n  points: [{rate: .inf, number: 5}]\n"), @"
        plan.yaml:2:19: expected a finite number
        hint: where a rate or a burstiness has no bound, the word is inf
        ");
        insta::assert_snapshot!(refused("seed: 99999999999999999999\n"), @"
        plan.yaml:1:7: seed: out of range: expected a whole number from 0 to 18446744073709551615
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("workers: 5000000000\n"), @"
        plan.yaml:1:10: workers: out of range: expected a whole number from 0 to 4294967295
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("seed: -4\n"), @"
        plan.yaml:1:7: seed: out of range: expected a whole number from 0 to 18446744073709551615
        hint: docs/plan.md tells of every setting
        ");
    }

    #[test]
    fn what_is_no_yaml_is_shown_with_its_place() {
        insta::assert_snapshot!(refused("load: [1, 2\n"), @"
        plan.yaml:1:7: expected keys and values
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("model: a\nmodel: b\n"), @"
        plan.yaml:2:1: model stands here twice
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("model: a\n---\nmodel: b\n"), @"
        plan.yaml:3:1: a plan is one YAML document
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("\n# nothing\n"), @"
        plan.yaml: the plan is empty
        hint: docs/plan.md shows the smallest one
        ");
        insta::assert_snapshot!(refused("just words\n"), @"
        plan.yaml:1:1: expected keys and values
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("model: &a [*a]\n"), @"
        plan.yaml:1:11: expected a text
        hint: docs/plan.md tells of every setting
        ");
    }

    #[test]
    fn a_setting_is_found_where_it_stands_or_where_it_would() {
        let text = "target:\n  url: http://h\nload:\n  points:\n    - {rate: 5, number: 3}\n";
        let place = |setting: &str| locate(PlanError::at(setting, "x"), text, "p.yaml").to_string();
        assert_eq!(place("target.url"), "p.yaml:2:8: target.url: x");
        assert_eq!(place("load.points.0.rate"), "p.yaml:5:14: load.points.0.rate: x");
        assert_eq!(place("load.points.0.parallel"), "p.yaml:5:7: load.points.0.parallel: x");
        assert_eq!(place("prompts.dataset"), "p.yaml:1:1: prompts.dataset: x");
    }
}
