//! `speed_bench`: the prompts of SPEED-Bench, one file a subset in a folder. The first message of each row is asked.
//!
//! The folder is what the data set's own preparing script writes; the data set as the hub has it lacks the texts.

use std::num::NonZero;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::args::{self, Common};
use super::file::{self, kind};
use super::length::Fate;
use super::rows::{self, Row};
use super::sample::{Sample, Taking, Wrong};
use super::spec_bench::of_category;
use super::wording::{Asked, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "speed_bench",
    help: "prompts of SPEED-Bench: a folder with {subset}.jsonl, as its prepare.py writes it",
    file: Some(File { form: FORM, usual: None }),
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
    subset: String,
    category: Option<String>,
    chat_template: Option<bool>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            output_len: const { NonZero::new(4096).expect("4096 is above 0") },
            subset: "qualitative".to_owned(),
            category: None,
            chat_template: None,
        }
    }
}

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    let folder = file::path(&ENTRY, spec)?;
    if own.subset.contains(['/', '\\']) {
        return Err(args::wrong(
            spec,
            "subset",
            "it is the name of a file without its folder and .jsonl",
        ));
    }
    let path = match folder.is_dir() {
        true => folder.join(format!("{}.jsonl", own.subset)),
        false => folder,
    };
    let wording =
        Wording::new(spec, tokenizer, Template::of(own.chat_template, Template::IfThere))?;
    let make = move |row: &Row, _: &_| prompt(row, &wording, &own);
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

fn prompt(row: &Row, wording: &Wording, own: &Own) -> Result<Fate, Wrong> {
    of_category(row, &ENTRY, own.category.as_deref())?;
    let first = match row.get("messages") {
        Some(Value::Array(messages)) => messages.first(),
        Some(other) => {
            return Err(Wrong::Row(format!("field messages is {}, not a list", kind(other))));
        }
        None => return Err(Wrong::Row("field messages is missing".to_owned())),
    };
    let Some(Value::Object(first)) = first else {
        return Err(Wrong::Row("field messages does not begin with an object".to_owned()));
    };
    let text =
        file::field(first, "content").map_err(|why| format!("first of field messages: {why}"))?;
    wording.word(Asked::Text(text.to_owned()), Some(own.output_len.get()))
}

const FORM: &str = r#"a folder with {subset}.jsonl of lines such as {"category": "coding", "messages": [{"role": "user", "content": "…"}]}, as SPEED-Bench's prepare.py writes it"#;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn the_subset_names_the_file_in_the_folder() {
        let folder = tempfile::TempDir::new().unwrap();
        let row =
            json!({ "category": "coding", "messages": [{ "role": "user", "content": "sort it" }] });
        std::fs::write(folder.path().join("qualitative.jsonl"), row.to_string()).unwrap();
        let spec = |args: Value| {
            let Value::Object(args) = args else { panic!("arguments are an object") };
            let path = Some(folder.path().to_owned());
            Spec { name: "speed_bench".to_owned(), path, args, ..Spec::default() }
        };
        let drawn = dataset::open(&spec(json!({})), None).unwrap().draw(0, Seed::new(1)).unwrap();
        assert_eq!(drawn.prompt, Prompt::Messages(vec![crate::fixtures::user("sort it")]));
        assert_eq!(drawn.max_tokens, Some(4096));
        let error = dataset::open(&spec(json!({ "subset": "throughput_1k" })), None).unwrap_err();
        assert!(error.to_string().contains("throughput_1k.jsonl"), "{error}");
        let error = dataset::open(&spec(json!({ "subset": "../x" })), None).unwrap_err();
        assert!(error.to_string().starts_with("prompts.args.subset"), "{error}");
    }
}
