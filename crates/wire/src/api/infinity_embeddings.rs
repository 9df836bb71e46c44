//! Infinity's embeddings: texts, or one image, sound or video by its URL, in; a vector each out.
//!
//! It is OpenAI's API at a path of its own, and for what is not text a `modality` beside the input.

use serde::Serialize;
use serde_json::Value;

use super::conversation;
use super::openai_response::write_json;
use super::result::{self, Embedding, Fields, ResultApi, Tokens};
use crate::{Message, Prompt};

/// `/embeddings`.
pub const INFINITY_EMBEDDINGS: ResultApi = ResultApi {
    name: "infinity-embeddings",
    path: "/embeddings",
    other_paths: &[],
    id_prefix: "infinity-",
    truncates: false,
    may_leave_out: false,
    fields,
    prompt: result::prompt,
    answer: |reply, delta, into| {
        let embedded = Embedded {
            object: "list",
            data: (0..).map(Embedding::new).take(delta.pieces.len()).collect(),
            model: reply.model,
            usage: delta.usage.map(Tokens::new),
            id: reply.id,
            created: reply.created,
        };
        write_json(&embedded, into);
    },
};

/// A conversation can be sent where it is one text, or holds one image, sound or video: of such a one only that is sent.
fn fields(prompt: &Prompt) -> Option<Fields> {
    let Prompt::Messages(messages) = prompt else { return result::input(prompt) };
    match media(messages) {
        Some((modality, url)) => Some(vec![("input", url.into()), ("modality", modality.into())]),
        None => Some(vec![("input", conversation::only_text(messages)?.into())]),
    }
}

/// The only part of a conversation that is an image, a sound or a video: what it is, and its URL.
fn media(messages: &[Message]) -> Option<(&'static str, &str)> {
    let parts = messages.iter().filter_map(|message| message.content.as_array()).flatten();
    let mut found = parts.filter_map(|part| {
        MODALITIES.iter().find_map(|(kind, modality)| {
            let media = part.get(*kind)?;
            Some((*modality, media.as_str().or_else(|| media.get("url").and_then(Value::as_str))?))
        })
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// What a body says, in Infinity's order.
#[derive(Serialize)]
struct Embedded<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: Option<Tokens>,
    id: &'a str,
    created: u64,
}

/// The kinds of parts, as chat completions name them, and what they are called here.
const MODALITIES: [(&str, &str); 3] =
    [("image_url", "image"), ("audio_url", "audio"), ("video_url", "video")];
