//! The APIs, one file each: what the client writes and reads, and what the simulator reads and writes.
//!
//! A new API is its file and its line in [`APIS`].

mod openai_chat;
mod openai_completions;
mod openai_request;
mod openai_response;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use crate::{Delta, Prompt, Request, Usage};

pub use openai_chat::OpenAiChat;
pub use openai_completions::OpenAiCompletions;

/// Every API, in the order in which help texts list them.
pub const APIS: &[&dyn Api] = &[&OpenAiChat, &OpenAiCompletions];

/// The API of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Api> {
    APIS.iter().copied().find(|api| api.name() == name)
}

/// A codec: one API of inference servers.
pub trait Api: Sync + std::fmt::Debug {
    /// What plans call it: `openai-chat`.
    fn name(&self) -> &'static str;

    /// The path below a server's root: `/v1/chat/completions`.
    fn path(&self) -> &'static str;

    /// The client's half: the body of a request.
    ///
    /// # Errors
    /// If this API cannot carry such a prompt.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError>;

    /// The client's half: what one event's data of a stream tells. `[DONE]` is an event like any other, and one without data
    /// tells nothing.
    ///
    /// # Errors
    /// If the data is not JSON, or not what this API sends.
    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError>;

    /// The client's half: what a whole body that was not streamed tells. Here a piece is the whole output of a choice in a
    /// channel; calls of tools are pieces as in a stream.
    ///
    /// # Errors
    /// If the body is not JSON, or has neither choices nor an error.
    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError>;

    /// The simulator's half: what a request asks.
    ///
    /// # Errors
    /// If the body is not JSON, or not what this API takes. The error's text is fit to be sent back.
    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError>;

    /// The simulator's half: appends one event (`data: …` and its blank line) that tells `delta`, as vLLM would.
    ///
    /// A delta that tells nothing, or nothing but a usage that counts no output yet, is the opening event of a stream (role
    /// only) where the API has one; where it has none, a delta that tells nothing appends nothing. Nothing but usage is the event
    /// of usage at the stream's end. A finish reason is given to the choice of the last piece.
    fn event(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut);

    /// The simulator's half: appends the whole body of a response that is not streamed. Every choice is given the finish reason.
    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut);
}

/// What every event of one response says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The response's id.
    pub id: &'a str,
    /// The model that answers.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
}

/// What a request asks, as a server understands it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The model named, if one is.
    pub model: Option<String>,
    /// The prompt: text, token ids or messages.
    pub prompt: Prompt,
    /// Whether to stream.
    pub stream: bool,
    /// Whether to send usage at the stream's end (`stream_options.include_usage`).
    pub include_usage: bool,
    /// Whether to send usage with every chunk (`stream_options.continuous_usage_stats`).
    pub continuous_usage: bool,
    /// The most tokens to generate (`max_tokens` or `max_completion_tokens`).
    pub max_tokens: Option<u32>,
    /// The fewest tokens to generate.
    pub min_tokens: Option<u32>,
    /// Whether to go on to `max_tokens` whatever comes.
    pub ignore_eos: bool,
    /// Choices.
    pub n: u32,
    /// Every field of the body.
    pub fields: Map<String, Value>,
}

impl Asked {
    /// The usage of a finished response.
    pub const fn usage(prompt_tokens: u32, completion_tokens: u32) -> Usage {
        Usage { prompt_tokens, completion_tokens, cached_tokens: None }
    }
}

/// Why a request could not be given this API's form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The API has no place for such a prompt.
    #[error("the {api} API cannot carry {what}")]
    Unsupported {
        /// The API.
        api: &'static str,
        /// What it cannot carry.
        what: &'static str,
    },
}

/// Why bytes could not be read as what this API says.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or JSON of another shape.
    #[error("not JSON of the form expected: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing or out of range.
    #[error("{0}")]
    Field(String),
}
