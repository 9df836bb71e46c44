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
    serde_saphyr::from_str(text).map_err(|error| explain(&error, file, document))
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
            Node::Map(entries) => entries.iter().find(|(key, _)| key == part).map(|(_, node)| node),
            Node::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            Node::Leaf => None,
        };
        let Some(inner) = inner else { break };
        at = inner;
    }
    (at.referenced.line(), at.referenced.column())
}

fn explain(error: &Error, file: &str, document: Document) -> PlanError {
    let place = match error.location() {
        Some(at) => format!("{file}:{}:{}", at.line(), at.column()),
        None => file.to_owned(),
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

const PLAN: Document = Document { name: "plan", guide: "docs/plan.md" };

/// A YAML document of any shape, with the place of every node.
#[derive(Debug)]
enum Node {
    Map(Vec<(String, Spanned<Self>)>),
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
        plan.yaml:3:8: expected a whole number of at least 1, found integer `0`
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points:\n    - {parallel: many, number: 5}\n"), @"
        plan.yaml:3:18: expected a whole number, not negative
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points: 3\n"), @"
        plan.yaml:2:11: expected a list
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  points:\n    - parallel: 4\n"), @"
        plan.yaml:3:7: number is missing
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("load:\n  pause: soon\n"), @r#"
        plan.yaml:2:3: expected a length of time such as 500ms, 10s, 2m or 6h, or a number of seconds, found string "soon"
        hint: docs/plan.md tells of every setting
        "#);
        insta::assert_snapshot!(refused("generation:\n  max_tokens: [5, 1]\n"), @"
        plan.yaml:2:15: [5, 1] has the larger number first
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("generation:\n  max_tokens: [1, 2, 3]\n"), @"
        plan.yaml:2:3: expected a number of tokens, or [least, most], found 3 of them
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("target:\n  http2: perhaps\n"), @"
        plan.yaml:2:10: expected true or false
        hint: docs/plan.md tells of every setting
        ");
        insta::assert_snapshot!(refused("prompts:\n  fit: {mode: squeeze}\n"), @"
        plan.yaml:2:15: unknown value squeeze
        hint: one of: cap, drop
        ");
        insta::assert_snapshot!(refused("load:\n  points: [{rate: .inf, number: 5}]\n"), @"
        plan.yaml:2:19: expected a finite number
        hint: where a rate or a burstiness has no bound, the word is inf
        ");
        insta::assert_snapshot!(refused("seed: -4\n"), @"
        plan.yaml:1:7: expected a whole number, not negative
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
