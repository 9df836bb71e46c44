//! `longalpaca`: long instructions, a JSON list of objects as in LongAlpaca-12k, or the same objects one a line.

use super::file::{self, Layout};
use super::length::Raw;
use super::{Entry, File};

pub(super) const ENTRY: Entry = Entry {
    name: "longalpaca",
    help: "long instructions: a JSON list of objects with a field instruction (LongAlpaca-12k.json)",
    file: Some(File {
        form: r#"a JSON list such as [{"instruction": "…"}, …], for example LongAlpaca-12k.json"#,
        usual: Some("LongAlpaca-12k.json"),
    }),
    needs_tokenizer: false,
    length_control: true,
    takes_args: false,
    open: |spec, tokenizer| file::open(&ENTRY, spec, tokenizer, Layout::List, read),
};

fn read(item: &str) -> Result<Option<Raw>, String> {
    if item.trim().is_empty() {
        return Ok(None);
    }
    let item = file::object(item)?;
    Ok(Some(Raw::Text(file::field(&item, "instruction")?.trim().to_owned())))
}
