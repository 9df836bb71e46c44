//! `custom`: one prompt a line, as it stands. Empty lines are passed over.

use super::file::{self, Layout};
use super::length::Raw;
use super::{Entry, File};

pub(super) const ENTRY: Entry = Entry {
    name: "custom",
    help: "plain text: one prompt a line",
    file: Some(File { form: "plain text with one prompt a line", usual: None }),
    needs_tokenizer: false,
    length_control: false,
    open: |spec, tokenizer| file::open(&ENTRY, spec, tokenizer, Layout::Lines, read),
};

#[expect(clippy::unnecessary_wraps, reason = "every dataset's reader has this form")]
fn read(line: &str) -> Result<Option<Raw>, String> {
    let line = line.trim();
    Ok((!line.is_empty()).then(|| Raw::Text(line.to_owned())))
}
