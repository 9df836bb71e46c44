//! `openqa`: questions, one JSON object a line, as in HC3-Chinese. The answers are not looked at.

use super::file::{self, Layout};
use super::length::Raw;
use super::{Entry, File};

pub(super) const ENTRY: Entry = Entry {
    name: "openqa",
    help: "questions: JSON lines with a field question (HC3-Chinese's open_qa.jsonl)",
    file: Some(File {
        form: r#"JSON lines such as {"question": "…"}, for example open_qa.jsonl of HC3-Chinese"#,
        usual: Some("open_qa.jsonl"),
    }),
    needs_tokenizer: false,
    length_control: true,
    takes_args: false,
    open: |spec, tokenizer| file::open(&ENTRY, spec, tokenizer, Layout::Lines, read),
};

fn read(line: &str) -> Result<Option<Raw>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let item = file::object(line)?;
    Ok(Some(Raw::Text(file::field(&item, "question")?.trim().to_owned())))
}
