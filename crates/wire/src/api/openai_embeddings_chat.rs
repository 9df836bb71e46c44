//! vLLM's embeddings of conversations: the same path as OpenAI's embeddings, with `messages` in place of `input`.
//!
//! What makes them one prompt is the server's chat template; deliberately none is applied here.

use serde_json::json;

use super::result::{Fields, ResultApi};
use super::{conversation, openai_chat, openai_embeddings};
use crate::Prompt;

/// `/v1/embeddings`, with messages.
pub const OPENAI_EMBEDDINGS_CHAT: ResultApi = ResultApi {
    name: "openai-embeddings-chat",
    fields: messages,
    prompt: openai_chat::messages,
    ..openai_embeddings::OPENAI_EMBEDDINGS
};

fn messages(prompt: &Prompt) -> Option<Fields> {
    Some(vec![("messages", json!(conversation::messages(prompt)?))])
}
