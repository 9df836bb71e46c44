//! What to ask, and when: datasets, tokenizers, lengths, arrivals, seeds.
//!
//! Everything is prepared before the load starts, so that between sending and stamping nothing is left to do. This crate
//! deliberately opens no connection to the server under test; where a tokenizer needs one, it is handed in.

pub mod arrivals;
pub mod dataset;
#[cfg(test)]
mod fixtures;
mod lengths;
pub mod load;
pub mod prepare;
pub mod seed;
pub mod tokenizer;

use std::time::Duration;

use bytes::Bytes;

/// One request, ready to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The body.
    pub body: Bytes,
    /// Tokens of the prompt by this program's count, chat template included where one applies.
    pub prompt_tokens: Option<u32>,
    /// Tokens of output that the request insists on (`ignore_eos`, or `min_tokens` equal to `max_tokens`).
    pub asked_output: Option<u32>,
    /// How long the prompt's audio plays, if it has any.
    pub audio: Option<Duration>,
    /// How many inputs it bears, where it is of a kind that can bear several: texts to embed, documents to rank.
    pub inputs: Option<u32>,
    /// The prompt's text, kept only where the plan asks for it.
    pub prompt: Option<String>,
}
