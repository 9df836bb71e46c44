//! The tokens of a prompt: how many, and where a prefix cache asks for it, which.
//!
//! Deliberately judges no prompt: whether it fits is for `generate` to say.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokometer_wire::{Input, Message, Prompt};

use crate::said::content;
use crate::server::Server;
use crate::server::refusal::Refusal;

/// A prompt's tokens.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// How many there are.
    pub(crate) tokens: u32,
    /// How many the longest of its inputs has: what must fit into the context.
    pub(crate) longest: u32,
    /// Whether the request gave them itself, and no tokenizer had to find them.
    pub(crate) exact: bool,
    /// Which they are. Empty unless they were asked for.
    pub(crate) ids: Vec<u32>,
}

/// What is to be known of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Count,
    Ids,
}

/// Measures a prompt. A long one is measured on another thread, so that no emission waits for it.
pub(crate) async fn measure(
    server: &Arc<Server>,
    prompt: Prompt,
    want: Want,
    length: usize,
) -> Result<Measured, Refusal> {
    if length <= SHORT {
        return Ok(measured(server, &prompt, want));
    }
    let server = Arc::clone(server);
    spawn_blocking(move || measured(&server, &prompt, want))
        .await
        .map_err(|_| Refusal::internal("the tokenizer failed on this prompt"))
}

fn measured(server: &Server, prompt: &Prompt, want: Want) -> Measured {
    let known = |ids: Vec<u32>, others: usize| {
        let tokens = ids.len() + others;
        let ids = if want == Want::Ids { ids } else { Vec::new() };
        Measured { ids, ..Measured::of([tokens]) }
    };
    let count = |text: &str| server.tokens.count(text);
    let counted = match prompt {
        Prompt::Text(text) if want == Want::Ids => return known(server.tokens.encode(text), 0),
        Prompt::Text(text) => count(text),
        Prompt::Tokens(ids) if want == Want::Ids => {
            return Measured { exact: true, ..known(ids.clone(), 0) };
        }
        Prompt::Tokens(ids) => return Measured { exact: true, ..Measured::of([ids.len()]) },
        Prompt::Messages(messages) => {
            return known(encode_chat(server, messages), pictures(messages));
        }
        Prompt::Batch(inputs) => {
            return Measured::of(inputs.iter().map(|input| match input {
                Input::Text(text) => count(text),
                Input::Tokens(ids) => ids.len(),
            }));
        }
        Prompt::Rerank { query, documents } => {
            let query = count(query);
            return Measured::of(documents.iter().map(|document| query + count(document)));
        }
        // What a server makes of the sound itself is its model's affair.
        Prompt::Audio(audio) => count(&audio.hint),
        Prompt::Body(_) => 0,
    };
    Measured::of([counted])
}

impl Measured {
    /// Inputs of so many tokens each.
    fn of(inputs: impl IntoIterator<Item = usize>) -> Self {
        let mut measured = Self::default();
        for tokens in inputs {
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            measured.tokens = measured.tokens.saturating_add(tokens);
            measured.longest = measured.longest.max(tokens);
        }
        measured
    }
}

/// The tokens of a conversation's texts. Without a chat template: of its texts, one after the other.
pub(crate) fn encode_chat(server: &Server, messages: &[Message]) -> Vec<u32> {
    let flat = content::flattened(messages);
    let texts = || flat.iter().filter_map(|message| message.content.as_str()).collect();
    server.tokens.encode(&server.tokens.chat(&flat).unwrap_or_else(texts))
}

/// How many tokens the images, videos and sounds of a conversation take. They are nowhere among the ids: a cache that goes by ids takes
/// two conversations with the same texts for the same.
fn pictures(messages: &[Message]) -> usize {
    content::PICTURE * content::pictures(messages)
}

/// The length in bytes of a request whose prompt is measured at once: with a tokenizer of Hugging Face, some tenths of a millisecond.
const SHORT: usize = 2048;
