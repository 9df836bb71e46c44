//! Hugging Face's `tokenizer.json`, with the special tokens and the chat template that lie beside it.
//!
//! The files are read as servers read them, save that truncation and padding are taken out: a prompt is as long as it is.
//! Deliberately not read are the older forms (`vocab.json` with `merges.txt`, `tokenizer.model`), which do not say by
//! themselves how text is to be cut.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{ChatTemplate, Tokenizer, TokenizerError, length};

/// A tokenizer read from files.
pub(super) struct HuggingFace {
    inner: tokenizers::Tokenizer,
    plain: Vec<u32>,
    specials: BTreeSet<u32>,
    template: Option<ChatTemplate>,
    label: String,
}

/// Reads the tokenizer in a folder, or the `tokenizer.json` at `path` and what lies beside it.
pub(super) fn open(path: &Path, label: &str) -> Result<HuggingFace, TokenizerError> {
    let file = if path.is_dir() { path.join(TOKENIZER) } else { path.to_owned() };
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let Some(bytes) = read(&file)? else {
        return Err(TokenizerError::NoTokenizerFile { found: others(&folder), folder });
    };
    let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
        .map_err(|error| TokenizerError::File { path: file.clone(), why: error.to_string() })?;
    inner.with_padding(None);
    inner
        .with_truncation(None)
        .map_err(|error| TokenizerError::File { path: file.clone(), why: error.to_string() })?;

    let config = object(&folder.join(CONFIG))?.unwrap_or_default();
    let named = special_tokens(&config);
    let specials = special_ids(&inner, &named);
    let plain = plain_ids(&inner, &specials);
    if plain.is_empty() {
        let why = "it has no tokens but special ones".to_owned();
        return Err(TokenizerError::File { path: file, why });
    }
    let template = match template_source(&folder, &config)? {
        None => None,
        Some((path, source)) => {
            Some(ChatTemplate::parse(&source, named, label, jiff::Zoned::now()).map_err(|why| {
                TokenizerError::File { path, why: format!("its chat template: {why}") }
            })?)
        }
    };
    Ok(HuggingFace { inner, plain, specials, template, label: label.to_owned() })
}

impl Tokenizer for HuggingFace {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding =
            self.inner.encode_fast(text, false).map_err(|error| failed("encode", &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner.decode(ids, false).map_err(|error| failed("decode", &error))
    }

    fn plain(&self) -> &[u32] {
        &self.plain
    }

    fn is_special(&self, id: u32) -> bool {
        self.specials.contains(&id)
    }

    fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    fn count(&self, text: &str) -> Result<u32, TokenizerError> {
        let encoding =
            self.inner.encode_fast(text, true).map_err(|error| failed("encode", &error))?;
        Ok(length(encoding.get_ids()))
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn estimates(&self) -> bool {
        false
    }
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace")
            .field("label", &self.label)
            .field("plain", &self.plain.len())
            .field("template", &self.template.is_some())
            .finish_non_exhaustive()
    }
}

fn failed(action: &'static str, error: &tokenizers::Error) -> TokenizerError {
    TokenizerError::Codec { action, why: error.to_string() }
}

/// The special tokens that the configuration names: `bos_token` and so on. Each is a string, or an object with `content`.
fn special_tokens(config: &Map<String, Value>) -> Map<String, Value> {
    let mut named = Map::new();
    for key in SPECIALS {
        if let Some(token) = config.get(*key).and_then(content) {
            named.insert((*key).to_owned(), token.into());
        }
    }
    if let Some(Value::Array(more)) = config.get(MORE_SPECIALS) {
        let tokens: Vec<Value> = more.iter().filter_map(content).map(Value::from).collect();
        named.insert(MORE_SPECIALS.to_owned(), tokens.into());
    }
    named
}

fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content").and_then(Value::as_str))
}

/// The ids that are special: by the tokenizer's own flag, or because the configuration names them so.
fn special_ids(inner: &tokenizers::Tokenizer, named: &Map<String, Value>) -> BTreeSet<u32> {
    let flagged = inner.get_added_tokens_decoder().into_iter().filter(|(_, token)| token.special);
    let tokens = named.values().flat_map(|value| match value {
        Value::Array(tokens) => tokens.as_slice(),
        token => std::slice::from_ref(token),
    });
    let by_name = tokens.filter_map(|token| inner.token_to_id(token.as_str()?));
    flagged.map(|(id, _)| id).chain(by_name).collect()
}

/// The model's own vocabulary without what was added to it, and without single bytes: a byte on its own is no text, so a
/// server would read something else.
fn plain_ids(inner: &tokenizers::Tokenizer, specials: &BTreeSet<u32>) -> Vec<u32> {
    let added = inner.get_added_tokens_decoder();
    let fit = |token: &str, id: u32| {
        !specials.contains(&id) && !added.contains_key(&id) && !is_byte(token)
    };
    let vocabulary = inner.get_vocab(false);
    let mut plain: Vec<u32> =
        vocabulary.iter().filter(|(token, id)| fit(token, **id)).map(|(_, id)| *id).collect();
    plain.sort_unstable();
    plain.dedup();
    plain
}

/// Whether the token is `<0xE4>`.
fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|d| d.is_ascii_hexdigit()))
}

/// The chat template's text and the file it is in. A file of its own wins over the configuration, as in transformers.
fn template_source(
    folder: &Path,
    config: &Map<String, Value>,
) -> Result<Option<(PathBuf, String)>, TokenizerError> {
    let path = folder.join(TEMPLATE);
    if let Some(bytes) = read(&path)? {
        let why = "it is not UTF-8".to_owned();
        let Ok(source) = String::from_utf8(bytes) else {
            return Err(TokenizerError::File { path, why });
        };
        return Ok(Some((path, source)));
    }
    if let Some(source) = config.get("chat_template").and_then(default_template) {
        return Ok(Some((folder.join(CONFIG), source.to_owned())));
    }
    let path = folder.join(TEMPLATE_JSON);
    let found = object(&path)?;
    let source = found.as_ref().and_then(|found| default_template(found.get("chat_template")?));
    Ok(source.map(|source| (path, source.to_owned())))
}

/// A template given by itself, or the one named `default` among several.
fn default_template(given: &Value) -> Option<&str> {
    let Value::Array(named) = given else { return given.as_str() };
    let default =
        named.iter().find(|one| one.get("name").and_then(Value::as_str) == Some("default"));
    default?.get("template")?.as_str()
}

fn object(path: &Path) -> Result<Option<Map<String, Value>>, TokenizerError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed
        .map(Some)
        .map_err(|error| TokenizerError::File { path: path.to_owned(), why: error.to_string() })
}

/// The file's bytes, or `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TokenizerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TokenizerError::io("read", path, error)),
    }
}

/// Which files of older tokenizers a folder has, to be said in an error.
fn others(folder: &Path) -> String {
    let names = ["tokenizer.model", "vocab.json", "merges.txt", "vocab.txt"];
    let found: Vec<&str> = names.into_iter().filter(|name| folder.join(name).exists()).collect();
    if found.is_empty() { String::new() } else { format!(", only {}", found.join(", ")) }
}

pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const CONFIG: &str = "tokenizer_config.json";
pub(super) const TEMPLATE: &str = "chat_template.jinja";
pub(super) const TEMPLATE_JSON: &str = "chat_template.json";

const SPECIALS: &[&str] =
    &["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const MORE_SPECIALS: &str = "additional_special_tokens";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{tiny, tiny_changed, tiny_folder, user};

    fn config(change: Value) -> tempfile::TempDir {
        tiny_changed(|name, text| {
            let mut parsed: Map<String, Value> = serde_json::from_str(&text).unwrap();
            if name == CONFIG {
                parsed.extend(change.as_object().unwrap().clone());
            }
            Some(serde_json::to_string(&parsed).unwrap())
        })
    }

    fn tokenizer(change: Value) -> tempfile::TempDir {
        tiny_changed(|name, text| {
            let mut parsed: Map<String, Value> = serde_json::from_str(&text).unwrap();
            if name == TOKENIZER {
                parsed.extend(change.as_object().unwrap().clone());
            }
            Some(serde_json::to_string(&parsed).unwrap())
        })
    }

    fn rendered(folder: &Path) -> Option<String> {
        let opened = open(folder, "tiny").unwrap();
        opened.template().map(|template| template.render(&[user("hi")], true).unwrap().unwrap())
    }

    #[test]
    fn a_folder_and_its_file_are_the_same_tokenizer() {
        let by_file = open(&tiny_folder().join(TOKENIZER), "tiny").unwrap();
        let text = "the people work 你好世界 tokometer\n";
        assert_eq!(by_file.encode(text).unwrap(), tiny().encode(text).unwrap());
        assert_eq!(by_file.decode(&by_file.encode(text).unwrap()).unwrap(), text);
        assert!(by_file.template().is_some());
    }

    #[test]
    fn special_and_added_tokens_are_not_plain() {
        let tiny = tiny();
        // Three special tokens and <think> stand behind the vocabulary's 1,400.
        assert_eq!(tiny.plain(), (0..1400).collect::<Vec<u32>>());
        assert!((1400..1403).all(|id| tiny.is_special(id)));
        assert!(!tiny.is_special(1403));
    }

    #[test]
    fn what_the_configuration_calls_special_is_special() {
        let folder =
            config(json!({ "bos_token": { "content": "b" }, "additional_special_tokens": ["a"] }));
        let opened = open(folder.path(), "tiny").unwrap();
        let b = opened.inner.token_to_id("b").unwrap();
        let a = opened.inner.token_to_id("a").unwrap();
        assert!(opened.is_special(b) && opened.is_special(a));
        assert!(!opened.plain().contains(&b) && !opened.plain().contains(&a));
    }

    #[test]
    fn single_bytes_are_not_plain() {
        let model = json!({ "type": "BPE", "vocab": { "a": 0, "<0xE4>": 1, "<0x0G>": 2, "b": 3 }, "merges": [] });
        let folder = tokenizer(json!({ "model": model, "added_tokens": [] }));
        assert_eq!(open(folder.path(), "tiny").unwrap().plain(), [0, 2, 3]);
    }

    #[test]
    fn a_special_token_spelt_out_is_one_token() {
        assert_eq!(tiny().encode("<|im_end|>").unwrap(), [1402]);
    }

    #[test]
    fn a_count_has_the_template_around_it() {
        let content = tiny().encode("hi").unwrap().len() as u32;
        let around = tiny().count_messages(&[user("")]).unwrap().unwrap();
        assert_eq!(tiny().count_messages(&[user("hi")]).unwrap(), Some(content + around));
    }

    #[test]
    fn a_count_has_the_special_tokens_around_a_text() {
        let single = json!([{ "SpecialToken": { "id": "<|endoftext|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
        let special_tokens = json!({ "<|endoftext|>": { "id": "<|endoftext|>", "ids": [1400], "tokens": ["<|endoftext|>"] } });
        let processor = json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": special_tokens });
        let folder = tokenizer(json!({ "post_processor": processor }));
        let opened = open(folder.path(), "tiny").unwrap();
        assert_eq!(
            opened.count("the people").unwrap() as usize,
            opened.encode("the people").unwrap().len() + 1
        );
    }

    #[test]
    fn truncation_and_padding_are_left_out() {
        let truncation = json!({ "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 });
        let folder = tokenizer(json!({ "truncation": truncation }));
        assert_eq!(open(folder.path(), "tiny").unwrap().encode("a b c d").unwrap().len(), 4);
    }

    #[test]
    fn the_default_of_several_templates_is_taken() {
        let named = json!([{ "name": "tool_use", "template": "tools" }, { "name": "default", "template": "default" }]);
        assert_eq!(
            rendered(config(json!({ "chat_template": named })).path()).as_deref(),
            Some("default")
        );
    }

    #[test]
    fn a_template_in_its_own_file_wins() {
        let folder = tiny_changed(|_, text| Some(text));
        fs::write(folder.path().join(TEMPLATE), "own").unwrap();
        assert_eq!(rendered(folder.path()).as_deref(), Some("own"));
    }

    #[test]
    fn a_template_in_json_is_found() {
        let folder = config(json!({ "chat_template": null }));
        fs::write(folder.path().join(TEMPLATE_JSON), r#"{"chat_template": "in json"}"#).unwrap();
        assert_eq!(rendered(folder.path()).as_deref(), Some("in json"));
    }

    #[test]
    fn without_a_template_messages_are_not_counted() {
        let folder = tiny_changed(|name, text| (name == TOKENIZER).then_some(text));
        let opened = open(folder.path(), "tiny").unwrap();
        assert!(opened.template().is_none());
        assert_eq!(opened.count_messages(&[user("hi")]).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_not_json_is_named() {
        let folder =
            tiny_changed(|name, text| Some(if name == CONFIG { "{".to_owned() } else { text }));
        let error = open(folder.path(), "tiny").unwrap_err().to_string();
        let expected = format!("{} is not usable: EOF", folder.path().join(CONFIG).display());
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn a_folder_of_an_older_tokenizer_is_refused_with_what_it_has() {
        let folder = tempfile::TempDir::new().unwrap();
        fs::write(folder.path().join("vocab.json"), "{}").unwrap();
        fs::write(folder.path().join("merges.txt"), "").unwrap();
        let error = open(folder.path(), "tiny").unwrap_err().to_string();
        let expected = format!(
            "{} has no tokenizer.json, only vocab.json, merges.txt:",
            folder.path().display()
        );
        assert!(error.starts_with(&expected), "{error}");
    }
}
