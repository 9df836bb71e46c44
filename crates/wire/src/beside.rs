//! What a server says beside its output: log probabilities, the stop string that ended it, the head of a call.
//!
//! Only the writing half of a codec knows it. Deliberately nothing that reading gives: a client that measures has no use for it, and its
//! hot path is spared it.

/// What is said beside the output of one choice, in one event or in a whole body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// Which choice it belongs to, counted from 0.
    pub choice: u32,
    /// Why this choice ended, in a whole body whose choices ended for different reasons. The delta's own reason holds where this is `None`.
    pub finish_reason: Option<&'static str>,
    /// The stop string that ended the choice.
    pub stop_reason: Option<String>,
    /// The tokens of this event or body, if log probabilities were asked for.
    pub logprobs: Option<Vec<Likely>>,
    /// Characters of the choice's text before these tokens.
    pub offset: usize,
    /// The call that the first piece in [`Channel::ToolCall`](crate::Channel::ToolCall) opens. Without one such a piece goes on with
    /// the arguments of a call that was opened before.
    pub call: Option<Head>,
}

/// A token, and how likely it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// Its text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens at its place, this one first, with their logarithms; empty if none were asked for.
    pub top: Vec<(String, f32)>,
}

/// The head of a call: what a server tells with its first arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The call's id.
    pub id: String,
    /// The function that is called.
    pub name: String,
    /// Whether the request left no choice but to call: such answers have an empty content, others none.
    pub forced: bool,
}
