//! What a request asks, before an API gives it its form.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// A text. Chat APIs send it as one user message.
    Text(String),
    /// Token ids, for completion APIs.
    Tokens(Vec<u32>),
    /// A conversation.
    Messages(Vec<Message>),
    /// Several inputs in one request, for APIs that encode: each a text or token ids.
    Batch(Vec<Input>),
    /// A query, and the documents to be ranked by it.
    Rerank {
        /// The query.
        query: String,
        /// The documents.
        documents: Vec<String>,
    },
    /// Audio to be transcribed or translated.
    Audio(Audio),
    /// A complete body of the API. Its own settings win over [`Options`].
    Body(Map<String, Value>),
}

/// One input of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Token ids.
    Tokens(Vec<u32>),
}

/// A file of audio, as it is uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Audio {
    /// The file's bytes.
    pub bytes: Bytes,
    /// The file's name, whose ending tells the form: `0.wav`.
    pub name: String,
    /// What the server is told beforehand: names, spellings. Empty for nothing.
    pub hint: String,
}

// Bytes of audio tell a reader nothing.
impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audio({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, …
    pub role: String,
    /// The text, or the content parts as the API takes them. Null where a message has none, as one that only calls a tool.
    #[serde(default)]
    pub content: Value,
    /// Further fields, kept as they came.
    #[serde(flatten, default, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

/// How the output is to be generated. `None` leaves a setting to the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The most tokens to generate.
    pub max_tokens: Option<u32>,
    /// The fewest tokens to generate.
    pub min_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sample among the k likeliest.
    pub top_k: Option<i64>,
    /// Leave out tokens less likely than this share of the likeliest one's probability.
    pub min_p: Option<f64>,
    /// Penalty for tokens that occurred at all.
    pub presence_penalty: Option<f64>,
    /// Penalty for frequent tokens.
    pub frequency_penalty: Option<f64>,
    /// Penalty for repeated tokens.
    pub repetition_penalty: Option<f64>,
    /// Ask for log-probabilities.
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens are told at each place, with [`Options::logprobs`].
    pub top_logprobs: Option<u32>,
    /// What chat completions call [`Options::max_tokens`]. Other APIs have one name only.
    pub limit: LimitName,
    /// Choices per request.
    pub n: Option<u32>,
    /// The server's sampling seed.
    pub seed: Option<i64>,
    /// Strings that end the output.
    pub stop: Vec<String>,
    /// Token ids that end the output.
    pub stop_token_ids: Vec<u32>,
    /// Whether the response is streamed. A streamed request also asks for usage.
    pub stream: bool,
    /// Further fields of the body, merged last.
    pub extra: Map<String, Value>,
}

/// What chat completions call the most tokens to generate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitName {
    /// `max_tokens`: every server knows it.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: what OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

/// Everything that makes a body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The model to name. `None` leaves the field out.
    pub model: Option<&'a str>,
    /// What to ask.
    pub prompt: &'a Prompt,
    /// How to generate.
    pub options: &'a Options,
    /// A body to start from; the prompt replaces its prompt, options override its options. Beside a complete body
    /// ([`Prompt::Body`]) it only fills in what neither that nor the options say.
    pub template: Option<&'a Map<String, Value>>,
}
