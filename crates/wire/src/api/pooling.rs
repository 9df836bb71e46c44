//! vLLM's pooling: inputs in, what the model's pooler makes of them out.
//!
//! What that is depends on the model (a vector, a vector a token); it is counted and never looked at.

use serde::Serialize;
use serde_json::json;

use super::openai_chat;
use super::result::{self, EMBEDDING, Fields, ResultApi};
use crate::Prompt;

/// `/pooling`.
pub const POOLING: ResultApi = ResultApi {
    name: "pooling",
    path: "/pooling",
    other_paths: &[],
    id_prefix: "pool-",
    truncates: true,
    may_leave_out: false,
    fields: input_or_messages,
    prompt: |body| match body.contains_key("messages") {
        true => openai_chat::messages(body),
        false => result::prompt(body),
    },
    answer: |reply, delta, into| {
        let pooled = |index| Pooled { index, object: "pooling", data: EMBEDDING };
        result::write_list(reply, delta, pooled, into);
    },
};

fn input_or_messages(prompt: &Prompt) -> Option<Fields> {
    match prompt {
        Prompt::Messages(messages) => Some(vec![("messages", json!(messages))]),
        other => result::input(other),
    }
}

/// What became of one input, as vLLM writes it.
#[derive(Serialize)]
struct Pooled {
    index: u32,
    object: &'static str,
    data: [f32; EMBEDDING.len()],
}
