//! What one event of a response, or a whole body, tells.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::Beside;

/// What one event of a stream tells. It borrows from the event's bytes, for it lives only until it is counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta<'e> {
    /// Pieces of output with at least one character each ([`Channel::Result`] excepted), in the order of their choices. Empty for
    /// role-only, usage-only and empty chunks.
    pub pieces: SmallVec<[Piece<'e>; 1]>,
    /// Whether each piece holds all that its choice has said since the stream began, and not only what is new; unless the stream
    /// shows, by a text that does not go on from the one before, that it is of a server set up to send only what is new.
    pub cumulative: bool,
    /// Token counts, if the event bore them.
    pub usage: Option<Usage>,
    /// Why a choice ended: the first finish reason that the event bore. `length`, `stop` and `tool_calls` are called so whatever
    /// the API's own word is; any other reason stands as it came.
    pub finish_reason: Option<Cow<'e, str>>,
    /// The server's message, if the event is an error: one line, made fit to print. Such an event tells nothing else.
    pub error: Option<Cow<'e, str>>,
    /// Whether the event ends the stream by itself. `[DONE]` tells nothing else; the last event of some APIs bears usage, a finish
    /// reason or output too.
    pub done: bool,
    /// What is said beside the output, for those who write it; reading leaves it empty.
    pub beside: &'e [Beside],
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'e> {
    /// Which choice it belongs to (`n` > 1), counted from 0.
    pub choice: u32,
    /// The kind of output.
    pub channel: Channel,
    /// The text; for a tool call its name or its arguments, each a piece of its own.
    pub text: Cow<'e, str>,
}

/// The kinds of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The answer's text.
    Content,
    /// Reasoning that precedes the answer.
    Reasoning,
    /// A call of a tool.
    ToolCall,
    /// A refusal.
    Refusal,
    /// One of the results of a request that generates nothing: embeddings, scores. Such a piece has no text.
    Result,
}

/// The server's token counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, chat template included. `None` where the server tells only those generated, or told of the prompt in
    /// an earlier event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u32>,
    /// Tokens generated so far, over all choices.
    pub completion_tokens: u32,
    /// Tokens of the prompt that were in the server's prefix cache, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u32>,
}

impl Usage {
    /// What is known once this was told after `earlier`.
    #[inline]
    #[must_use]
    pub fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        Self {
            prompt_tokens: self.prompt_tokens.or(earlier.prompt_tokens),
            cached_tokens: self.cached_tokens.or(earlier.cached_tokens),
            ..self
        }
    }
}
