//! `custom`: the user's own prompts. Of plain text, one a line, as it stands (EvalScope's); of a file that ends in `.jsonl`, the
//! field `prompt` of each object (vLLM's), with the length of its answer.
//!
//! Empty lines are passed over.

use std::num::NonZero;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::args::{self, Common};
use super::file::{self, Layout};
use super::length::{Fate, Raw};
use super::rows::{self, Row};
use super::sample::{Sample, Taking, Wrong};
use super::wording::{Asked, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "custom",
    help: "your own prompts: plain text with one a line, or a .jsonl file with the field prompt",
    file: Some(File {
        form: "plain text with one prompt a line, or a .jsonl file of objects such as {\"prompt\": \"…\", \"output_tokens\": 100}",
        usual: None,
    }),
    needs_tokenizer: false,
    length_control: false,
    takes_args: true,
    open,
};

/// Its own settings, which apply to a `.jsonl` file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Own {
    pub(super) output_len: OutputLength,
    pub(super) chat_template: Option<bool>,
    pub(super) ensure_client_side_data: bool,
}

/// The most tokens of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OutputLength {
    /// What the row says in `output_tokens`; else what the load says.
    #[default]
    OfRowOrLoad,
    /// What the row says in `output_tokens`, which it must.
    OfRow,
    /// As many for every prompt.
    Each(NonZero<u32>),
}

impl<'de> Deserialize<'de> for OutputLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u32::try_from(number).map(NonZero::new) {
            Ok(Some(number)) => Ok(Self::Each(number)),
            _ if number == -1 => Ok(Self::OfRow),
            _ => Err(serde::de::Error::custom(format!(
                "{number} is no length: give one above 0, or -1 for the output_tokens of each row"
            ))),
        }
    }
}

impl OutputLength {
    /// The most tokens of the answer to this row. `None` leaves them to the load.
    pub(super) fn of(self, row: &Row) -> Result<Option<u32>, String> {
        let given = match (self, row.get("output_tokens")) {
            (Self::Each(number), _) => return Ok(Some(number.get())),
            (Self::OfRowOrLoad, None | Some(Value::Null)) => return Ok(None),
            (Self::OfRow, None) => {
                return Err("field output_tokens is missing, and output_len is -1".to_owned());
            }
            (_, Some(given)) => given,
        };
        let number = match given {
            Value::Number(number) => number.as_u64().or_else(|| {
                number.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as u64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| *number > 0) {
            None => Err(format!("field output_tokens is {given}, not a number above 0")),
            number => Ok(number),
        }
    }
}

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let path = file::path(&ENTRY, spec)?;
    if !matches!(rows::ending(&path).as_str(), "jsonl" | "ndjson") {
        return match spec.args.keys().next() {
            None => file::open(&ENTRY, spec, tokenizer, Layout::Lines, line),
            Some(name) => {
                Err(args::wrong(spec, name, "it applies to a file that ends in .jsonl only"))
            }
        };
    }
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    if own.ensure_client_side_data {
        return Err(args::wrong(
            spec,
            "ensure_client_side_data",
            "it applies to custom_image only",
        ));
    }
    let wording = Wording::new(spec, tokenizer, Template::of(own.chat_template, Template::Leave))?;
    let make = move |row: &Row, _: &_| prompt(row, &wording, own.output_len);
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

fn prompt(row: &Row, wording: &Wording, output: OutputLength) -> Result<Fate, Wrong> {
    let text = file::field(row, "prompt")?;
    wording.word(Asked::Text(text.to_owned()), output.of(row)?)
}

#[expect(clippy::unnecessary_wraps, reason = "every dataset's reader has this form")]
fn line(line: &str) -> Result<Option<Raw>, String> {
    let line = line.trim();
    Ok((!line.is_empty()).then(|| Raw::Text(line.to_owned())))
}

const FORM: &str = r#"JSON lines such as {"prompt": "…", "output_tokens": 100}"#;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;
    use tempfile::TempDir;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::fixtures::{spec_of, tiny};
    use crate::seed::Seed;

    fn jsonl(content: &str) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("own.jsonl");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn spec(path: PathBuf, chat: bool, args: Value) -> Spec {
        Spec { path: Some(path), apply_chat_template: chat, ..spec_of("custom", args) }
    }

    #[test]
    fn an_answer_is_as_long_as_is_said_for_all_or_by_its_row() {
        let (_folder, path) = jsonl(
            "{\"prompt\": \"a\", \"output_tokens\": 3}\n\n{\"prompt\": \"b\", \"output_tokens\": \"4\"}\n",
        );
        let lengths = |args: Value| {
            let data = dataset::open(&spec(path.clone(), true, args), None).unwrap();
            [0, 1].map(|index| data.draw(index, Seed::new(1)).unwrap().max_tokens)
        };
        assert_eq!(lengths(json!({ "shuffle": false })), [Some(3), Some(4)]);
        assert_eq!(lengths(json!({ "shuffle": false, "output_len": 9 })), [Some(9), Some(9)]);
        assert_eq!(lengths(json!({ "shuffle": false, "output_len": -1 })), [Some(3), Some(4)]);
    }

    #[test]
    fn an_answer_of_which_neither_settings_nor_row_speak_is_left_to_the_load() {
        let (_folder, path) =
            jsonl("{\"prompt\": \"a\"}\n{\"prompt\": \"b\", \"output_tokens\": null}\n");
        let data = dataset::open(&spec(path, true, json!({})), None).unwrap();
        assert_eq!(
            [0, 1].map(|index| data.draw(index, Seed::new(1)).unwrap().max_tokens),
            [None; 2]
        );
        let (_folder, path) = jsonl("{\"prompt\": \"a\", \"output_tokens\": 0}");
        let data = dataset::open(&spec(path, true, json!({})), None).unwrap();
        let error = data.draw(0, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains(":1: field output_tokens is 0, not a number above 0"), "{error}");
    }

    #[test]
    fn a_row_without_the_length_that_is_wanted_of_it_is_named() {
        let (_folder, path) =
            jsonl("{\"prompt\": \"a\", \"output_tokens\": 3}\n{\"prompt\": \"b\"}\n");
        let data = dataset::open(
            &spec(path.clone(), true, json!({ "shuffle": false, "output_len": -1 })),
            None,
        );
        let error = data.unwrap().draw(1, Seed::new(1)).unwrap_err().to_string();
        let expected =
            format!("{}:2: field output_tokens is missing, and output_len is -1;", path.display());
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn the_template_is_put_around_text_only_where_asked_for_and_never_in_a_chat() {
        let (_folder, path) = jsonl("{\"prompt\": \"hello\"}");
        let prompt = |chat, args| {
            let data = dataset::open(&spec(path.clone(), chat, args), Some(tiny())).unwrap();
            data.prompt(0, Seed::new(1)).unwrap()
        };
        assert_eq!(prompt(false, json!({})), Prompt::Text("hello".to_owned()));
        let templated = prompt(false, json!({ "chat_template": true }));
        let Prompt::Text(text) = templated else { panic!("it is a text") };
        assert!(text.contains("<|im_start|>user\nhello<|im_end|>"), "{text}");
        assert_eq!(
            prompt(true, json!({ "chat_template": true })),
            Prompt::Messages(vec![crate::fixtures::user("hello")])
        );
        let error = dataset::open(&spec(path, false, json!({ "chat_template": true })), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("prompts.args.chat_template") && error.contains("needs a tokenizer"),
            "{error}"
        );
    }

    #[test]
    fn settings_are_not_for_plain_text() {
        let (_folder, path) = crate::fixtures::file("a\nb");
        let error = dataset::open(&spec(path, true, json!({ "output_len": 3 })), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("prompts.args.output_len") && error.contains(".jsonl"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_field() {
        for (content, why) in [
            ("{\"prompt\": 1}", ":1: field prompt is a number, not a string"),
            ("{\"promt\": \"a\"}", ":1: field prompt is missing"),
            ("\n[1]", ":2: it is a number, not an object"),
            ("\n{\"prompt\": }", ":2: it is not JSON"),
        ] {
            let (_folder, path) = jsonl(content);
            let error = dataset::open(&spec(path, true, json!({})), None)
                .and_then(|data| data.draw(0, Seed::new(1)))
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{error}");
        }
        let (_folder, path) = jsonl("{\"prompt\": \"a\"}");
        let error = dataset::open(&spec(path, true, json!({ "output_len": -2 })), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("prompts.args.output_len") && error.contains("-2 is no length"),
            "{error}"
        );
    }
}
