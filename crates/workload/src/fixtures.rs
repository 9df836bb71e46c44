//! What tests of this crate share: a small tokenizer of real make, and files that go away by themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokometer_wire::Message;

use crate::tokenizer::{self, Hub, Tokenizer};

/// The folder with the small tokenizer: byte-level BPE of 1,404 tokens with Qwen's pre-tokenizer and ChatML, trained for
/// these tests on text made up for them.
pub(crate) fn tiny_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiny")
}

/// The small tokenizer.
pub(crate) fn tiny() -> Arc<dyn Tokenizer> {
    tokenizer::open(tiny_folder().to_str().unwrap(), &Hub::from_variables(|_| None)).unwrap()
}

/// A folder with the small tokenizer's files, each changed by `change` or, given none by it, left out.
pub(crate) fn tiny_changed(change: impl Fn(&str, String) -> Option<String>) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let text = std::fs::read_to_string(tiny_folder().join(name)).unwrap();
        if let Some(text) = change(name, text) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    folder
}

/// The tokenizer in a folder.
pub(crate) fn open(folder: &TempDir) -> Arc<dyn Tokenizer> {
    tokenizer::open(folder.path().to_str().unwrap(), &Hub::from_variables(|_| None)).unwrap()
}

/// A file of that content in a folder of its own.
pub(crate) fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// A message of the user.
pub(crate) fn user(text: &str) -> Message {
    Message { role: "user".into(), content: text.into(), more: serde_json::Map::new() }
}
