//! Tokenizers: text to token ids and back, and how long a prompt is by the server's own measure.
//!
//! There are three kinds: Hugging Face's `tokenizer.json` (from a folder, a file or a hub), the server's own `/tokenize`, and
//! one that is embedded and only estimates. A tokenizer's answers are pure functions of its files, save the server's. Nothing
//! here measures time or knows what a prompt is for.

mod embedded;
mod hub;
mod huggingface;
mod server;
mod template;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokometer_wire::Message;

pub(crate) use embedded::common_words;
pub(crate) use hub::{DataSet, DataSetFault, Remote, walk};
pub use hub::{Hub, Site, Tell};
pub use template::ChatTemplate;

/// Turns text into token ids and back.
pub trait Tokenizer: Send + Sync + Debug {
    /// The ids of `text`, without the special tokens that a server puts around it. Special tokens that the text spells out
    /// are read as such, as servers do.
    ///
    /// # Errors
    /// If the tokenizer's files cannot encode this text, or the server does not answer.
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError>;

    /// The text of `ids`, special tokens included. Bytes that are no UTF-8 come out as U+FFFD.
    ///
    /// # Errors
    /// If the tokenizer's files cannot decode these ids, or the server does not answer.
    fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError>;

    /// The ids fit for random prompts, ascending: neither special nor added tokens, nor single bytes (`<0xE4>`). Where the
    /// vocabulary is unknown, the ids of common words.
    fn plain(&self) -> &[u32];

    /// Whether `id` is known to be a special token.
    fn is_special(&self, id: u32) -> bool;

    /// The chat template, where the tokenizer has one of its own.
    fn template(&self) -> Option<&ChatTemplate>;

    /// Tokens of `text` as a completion server counts them: special tokens that it puts around the text included.
    ///
    /// # Errors
    /// As for [`Tokenizer::encode`].
    fn count(&self, text: &str) -> Result<u32, TokenizerError>;

    /// Tokens of a conversation as a chat server counts them: the template and the opening of the answer included. `None` if
    /// there is no template, or the messages hold more than text.
    ///
    /// # Errors
    /// If the template refuses these messages, and as for [`Tokenizer::encode`].
    fn count_messages(&self, messages: &[Message]) -> Result<Option<u32>, TokenizerError> {
        let Some(template) = self.template() else { return Ok(None) };
        match template.render(messages, true)? {
            Some(text) => Ok(Some(length(&self.encode(&text)?))),
            None => Ok(None),
        }
    }

    /// What to call it in a log's header: a path, a hub's name, `server`, or `embedded (estimates)`.
    fn label(&self) -> String;

    /// Whether its counts are estimates, being made with another vocabulary than the server's.
    fn estimates(&self) -> bool;
}

/// Asks the service under test about tokens. Whoever holds the connection implements it.
pub trait TokenizeService: Send + Sync + Debug {
    /// Posts `body` as JSON to `path` below the service's root, and returns the JSON it answers.
    ///
    /// # Errors
    /// Why there is no such answer, in words fit for a person.
    fn post(&self, path: &str, body: &serde_json::Value) -> Result<serde_json::Value, String>;
}

/// Opens the tokenizer that `spec` names: a folder with a `tokenizer.json`, such a file itself, or a hub's name,
/// `organisation/model` with an optional `@revision`. `hf:` or `ms:` before the name settles for one of the hubs.
///
/// # Errors
/// If there is no such thing, or its files are not what they should be.
pub fn open(spec: &str, hub: &Hub) -> Result<Arc<dyn Tokenizer>, TokenizerError> {
    let path = Path::new(spec);
    if path.exists() {
        return Ok(Arc::new(huggingface::open(path, spec)?));
    }
    let Some(name) = hub::Name::parse(spec) else {
        return Err(TokenizerError::NoSuchPath { path: path.to_owned() });
    };
    let folder = hub.fetch(&name)?;
    Ok(Arc::new(huggingface::open(&folder, spec)?))
}

/// The embedded tokenizer: common English words and fragments. Its counts are estimates for any real model, but its words
/// are one token each in nearly every vocabulary. It has the ChatML template.
pub fn embedded() -> Arc<dyn Tokenizer> {
    Arc::new(embedded::Embedded::new())
}

/// The tokenizer of the server itself, by `/tokenize` and `/detokenize` as vLLM and SGLang have them. Asks a few questions
/// at once, to learn whether it is there.
///
/// # Errors
/// If the server does not answer them, or answers something else.
pub fn server(
    service: Arc<dyn TokenizeService>,
    model: &str,
) -> Result<Arc<dyn Tokenizer>, TokenizerError> {
    Ok(Arc::new(server::Server::new(service, model)?))
}

/// Why a tokenizer could not be had, or could not do its work.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenizerError {
    /// There is nothing at the path, and it is not a hub's name either.
    #[error(
        "there is no tokenizer at {path}: give a folder with a tokenizer.json, such a file, or a hub's name such as \
         Qwen/Qwen2.5-0.5B-Instruct"
    )]
    NoSuchPath {
        /// As given.
        path: PathBuf,
    },
    /// A folder without a `tokenizer.json`.
    #[error(
        "{folder} has no tokenizer.json{found}: give a folder that has one; transformers writes it with \
         AutoTokenizer.from_pretrained(…).save_pretrained(…)"
    )]
    NoTokenizerFile {
        /// The folder.
        folder: PathBuf,
        /// What it has instead, ready to be read on.
        found: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<std::io::Error>,
    },
    /// A file is not what it should be.
    #[error("{path} is not usable: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The chat template failed on messages.
    #[error(
        "the chat template of {tokenizer} failed: {why}; use a tokenizer whose template takes these messages, or \
         --no-apply-chat-template with a completions URL"
    )]
    Template {
        /// Whose template.
        tokenizer: String,
        /// What it says.
        why: String,
    },
    /// Text could not be encoded or ids not decoded.
    #[error("the tokenizer cannot {action}: {why}")]
    Codec {
        /// What was tried: `encode`, `decode`.
        action: &'static str,
        /// What is wrong.
        why: String,
    },
    /// No hub has it, or none can be reached.
    #[error("cannot get the tokenizer {name}: {}; {hint}", tried.join("; "))]
    Hub {
        /// Its name.
        name: String,
        /// For each place that was asked, what it said.
        tried: Vec<String>,
        /// What to do.
        hint: &'static str,
    },
    /// The server's own tokenizer is not to be had, or answered something else.
    #[error("the server's {path} {why}")]
    Service {
        /// The endpoint.
        path: &'static str,
        /// What went wrong, ready to be read on.
        why: String,
    },
}

impl TokenizerError {
    fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

/// A number of ids as counts are kept. A prompt of four thousand million tokens is beyond any memory.
pub(crate) fn length(ids: &[u32]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}
