//! The APIs, one file each: what the client writes and reads, and what the simulator reads and writes.
//!
//! A new API is its file and its line in [`APIS`].

mod anthropic_messages;
mod infinity_embeddings;
mod openai_audio;
mod openai_chat;
mod openai_completions;
mod openai_embeddings;
mod openai_embeddings_chat;
mod openai_responses;
mod pooling;
mod rerank;
mod sglang_generate;
mod tgi_generate;

mod beside;
mod composed;
mod conversation;
mod fields;
mod multipart;
mod openai_request;
mod openai_response;
mod result;
mod so_far;
mod tools;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use crate::{Delta, Prompt, Request, Usage};

pub use anthropic_messages::AnthropicMessages;
pub use infinity_embeddings::INFINITY_EMBEDDINGS;
pub use openai_audio::OpenAiAudio;
pub use openai_chat::OpenAiChat;
pub use openai_completions::OpenAiCompletions;
pub use openai_embeddings::OPENAI_EMBEDDINGS;
pub use openai_embeddings_chat::OPENAI_EMBEDDINGS_CHAT;
pub use openai_responses::OpenAiResponses;
pub use pooling::POOLING;
pub use rerank::RERANK;
pub use result::ResultApi;
pub use sglang_generate::SglangGenerate;
pub use so_far::SoFar;
pub use tgi_generate::TgiGenerate;
pub use tools::{Tool, ToolChoice};

/// Every API, in the order in which help texts list them.
pub const APIS: &[&dyn Api] = &[
    &OpenAiChat,
    &OpenAiCompletions,
    &OpenAiResponses,
    &OPENAI_EMBEDDINGS,
    &OPENAI_EMBEDDINGS_CHAT,
    &POOLING,
    &RERANK,
    &INFINITY_EMBEDDINGS,
    &OpenAiAudio,
    &AnthropicMessages,
    &SglangGenerate,
    &TgiGenerate,
];

/// The API of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Api> {
    APIS.iter().copied().find(|api| api.name() == name)
}

/// Every API that is served at a path: some share theirs, and only the body tells them apart.
pub fn served_at(path: &str) -> impl Iterator<Item = &'static dyn Api> {
    APIS.iter().copied().filter(move |api| {
        api.path() == path || api.whole_path() == path || api.other_paths().contains(&path)
    })
}

/// A codec: one API of inference servers.
pub trait Api: Sync + std::fmt::Debug {
    /// What plans call it: `openai-chat`.
    fn name(&self) -> &'static str;

    /// The path below a server's root: `/v1/chat/completions`.
    fn path(&self) -> &'static str;

    /// The path of a request whose response is not streamed, where that is another: TGI's `/generate`.
    fn whole_path(&self) -> &'static str {
        self.path()
    }

    /// Further paths at which servers have it.
    fn other_paths(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it answers with.
    fn answers(&self) -> Answers {
        Answers::Output
    }

    /// Whether it may answer with fewer results than there were inputs, where it was asked to: the best of a ranking.
    fn may_leave_out(&self) -> bool {
        false
    }

    /// The `content-type` of its requests.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// Further headers that every request needs, beside the user's own, which win: `anthropic-version`.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

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
    /// If the body is not JSON, or has neither output nor an error.
    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError>;

    /// The simulator's half: what a request asks.
    ///
    /// # Errors
    /// If the body is not JSON, or not what this API takes. The error's text is fit to be sent back.
    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError>;

    /// The simulator's half: what the ids of its responses begin with.
    fn id_prefix(&self) -> &'static str {
        ""
    }

    /// The simulator's half: the most tokens that are generated where a request names no limit. `None`: as many as fit.
    fn usual_limit(&self) -> Option<u32> {
        None
    }

    /// The simulator's half: the body of a refusal, where that is not as OpenAI has it.
    fn refusal(&self, kind: &str, message: &str) -> Option<Value> {
        let _ = (kind, message);
        None
    }

    /// The simulator's half: appends the events (`data: …` and a blank line each) that tell `delta`, as the API's own server
    /// would. `so_far` is what the same stream was told before; it is new for each response.
    ///
    /// A delta that tells nothing, or nothing but a usage that counts no output yet, is the opening of a stream where the API has
    /// one; where it has none, a delta that tells nothing appends nothing. Nothing but usage is the event of usage at the
    /// stream's end, or waits for the event that bears it. A finish reason is given to the choice of the last piece.
    fn event(&self, reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut);

    /// The simulator's half: appends the whole body of a response that is not streamed. Every choice is given the finish reason.
    /// For APIs that answer with a result there is a piece for each input, whose text is the input's.
    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut);
}

/// What an API answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Generated output, token by token.
    Output,
    /// One result for each input: embeddings, scores. They come at once and never as a stream, and no token is generated; what
    /// [`Api::body`] tells of each is a piece in [`Channel::Result`](crate::Channel::Result), without text; and the usage.
    Result,
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
    /// Whether an event of usage follows the output of a stream: vLLM signs the last event only.
    pub usage_follows: bool,
    /// How many choices there are: some APIs open each.
    pub choices: u32,
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
    /// Choices. As it was asked for: also 0.
    pub n: u32,
    /// Strings that end the output.
    pub stop: Vec<String>,
    /// Whether such a string is part of the output.
    pub keep_stop: bool,
    /// Whether to tell how likely each token was, and how many of the likeliest at each place. `u32::MAX` where all were asked for.
    pub logprobs: Option<u32>,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// Which of them is.
    pub tool_choice: ToolChoice,
    /// Every field of the body.
    pub fields: Map<String, Value>,
}

impl Asked {
    /// What a request asks that says nothing but this.
    pub const fn plain(model: Option<String>, prompt: Prompt, fields: Map<String, Value>) -> Self {
        Self {
            model,
            prompt,
            stream: false,
            include_usage: true,
            continuous_usage: false,
            max_tokens: None,
            min_tokens: None,
            ignore_eos: false,
            n: 1,
            stop: Vec::new(),
            keep_stop: false,
            logprobs: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::None,
            fields,
        }
    }

    /// The usage of a finished response.
    pub const fn usage(prompt_tokens: u32, completion_tokens: u32) -> Usage {
        Usage { prompt_tokens: Some(prompt_tokens), completion_tokens, cached_tokens: None }
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
