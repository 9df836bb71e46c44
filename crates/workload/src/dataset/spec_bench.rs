//! `spec_bench`: the questions of Spec-Bench, a benchmark of speculative decoding. Only the first turn of each is asked.

use std::num::NonZero;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::args::{self, Common};
use super::file::{self, kind};
use super::length::Fate;
use super::rows::{self, Row};
use super::sample::{Sample, Skip, Taking, Wrong};
use super::wording::{Asked, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "spec_bench",
    help: "questions of Spec-Bench (its question.jsonl), all or of one category",
    file: Some(File { form: FORM, usual: Some("question.jsonl") }),
    needs_tokenizer: false,
    length_control: false,
    takes_args: true,
    open,
};

/// Its own settings.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    output_len: NonZero<u32>,
    category: Option<String>,
    chat_template: Option<bool>,
}

impl Default for Own {
    fn default() -> Self {
        let output_len = const { NonZero::new(256).expect("256 is above 0") };
        Self { output_len, category: None, chat_template: None }
    }
}

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    let path = file::path(&ENTRY, spec)?;
    let wording =
        Wording::new(spec, tokenizer, Template::of(own.chat_template, Template::IfThere))?;
    let make = move |row: &Row, _: &_| question(row, &wording, &own);
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

fn question(row: &Row, wording: &Wording, own: &Own) -> Result<Fate, Wrong> {
    of_category(row, &ENTRY, own.category.as_deref())?;
    let text = first_of(row, "turns")?;
    wording.word(Asked::Text(text.to_owned()), Some(own.output_len.get()))
}

/// Passes over a row of another category than is wanted, if one is.
pub(super) fn of_category(row: &Row, entry: &Entry, wanted: Option<&str>) -> Result<(), Wrong> {
    let Some(wanted) = wanted else { return Ok(()) };
    match file::field(row, "category")? {
        found if found == wanted => Ok(()),
        found => Err(Wrong::Skip(Skip::Category {
            dataset: entry.name,
            wanted: wanted.to_owned(),
            found: found.to_owned(),
        })),
    }
}

/// The first of a column of texts.
pub(super) fn first_of<'a>(row: &'a Row, name: &str) -> Result<&'a str, String> {
    match row.get(name) {
        Some(Value::Array(texts)) => match texts.first() {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(format!("field {name} holds {}, not strings", kind(other))),
            None => Err(format!("field {name} is an empty list")),
        },
        Some(other) => Err(format!("field {name} is {}, not a list", kind(other))),
        None => Err(format!("field {name} is missing")),
    }
}

const FORM: &str = r#"JSON lines such as {"category": "writing", "turns": ["…", "…"]}, as in Spec-Bench's question.jsonl"#;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::fixtures::{file as in_file, tiny};
    use crate::seed::Seed;

    fn open(content: &str, chat: bool, args: Value) -> Result<Box<dyn Dataset>, DatasetError> {
        let (folder, path) = in_file(content);
        let Value::Object(args) = args else { panic!("arguments are an object") };
        let spec = Spec {
            name: "spec_bench".to_owned(),
            path: Some(path),
            apply_chat_template: chat,
            args,
            ..Spec::default()
        };
        let data = dataset::open(&spec, Some(tiny()))?;
        // Read before the file goes away.
        data.available(u64::MAX)?;
        drop(folder);
        Ok(data)
    }

    const ROWS: &str = "{\"category\": \"math\", \"turns\": [\"add\", \"then\"]}\n{\"category\": \"code\", \"turns\": [\"write\"]}\n";

    #[test]
    fn the_first_turn_is_asked_of_all_or_of_a_category() {
        let data = open(ROWS, true, json!({ "shuffle": false })).unwrap();
        assert_eq!(data.len(), Some(2));
        let drawn = data.draw(0, Seed::new(0)).unwrap();
        assert_eq!(drawn.prompt, Prompt::Messages(vec![crate::fixtures::user("add")]));
        assert_eq!(drawn.max_tokens, Some(256));
        let code = open(ROWS, true, json!({ "category": "code", "output_len": 8 })).unwrap();
        assert_eq!(code.len(), Some(1));
        let drawn = code.draw(5, Seed::new(0)).unwrap();
        assert_eq!(
            (drawn.prompt, drawn.max_tokens),
            (Prompt::Messages(vec![crate::fixtures::user("write")]), Some(8))
        );
    }

    #[test]
    fn on_an_endpoint_without_one_the_template_is_put_around_it() {
        let text = |args| match open(ROWS, false, args).unwrap().prompt(0, Seed::new(0)).unwrap() {
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        };
        assert!(text(json!({ "shuffle": false })).contains("user\nadd<|im_end|>"));
        assert_eq!(text(json!({ "shuffle": false, "chat_template": false })), "add");
    }

    #[test]
    fn a_category_that_there_is_not_is_refused_with_those_there_are() {
        let data = open(ROWS, true, json!({ "category": "poetry" })).unwrap();
        let error = data.draw(0, Seed::new(0)).unwrap_err().to_string();
        assert_eq!(
            error,
            "prompts.args.category of the dataset spec_bench: there is no category poetry; those there are: code, math"
        );
    }

    #[test]
    fn rows_of_another_shape_are_named() {
        let error = open("{\"turns\": []}", true, json!({})).unwrap_err().to_string();
        assert!(error.contains(":1: field turns is an empty list"), "{error}");
        let error =
            open("{\"turns\": [\"a\"]}", true, json!({ "category": "b" })).unwrap_err().to_string();
        assert!(error.contains(":1: field category is missing"), "{error}");
    }
}
