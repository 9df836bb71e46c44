//! Infinity's embeddings: texts, or one image, sound or video by its URL, in; a vector each out.
//!
//! It is OpenAI's API at a path of its own, and for what is not text a `modality` beside the input.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value;

use super::openai_embeddings::Embedding;
use super::{
    Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, conversation, fields, result,
};
use crate::{Delta, Message, Prompt, Request};

/// `/embeddings`.
#[derive(Clone, Copy, Debug)]
pub struct InfinityEmbeddings;

impl Api for InfinityEmbeddings {
    fn name(&self) -> &'static str {
        "infinity-embeddings"
    }

    fn path(&self) -> &'static str {
        "/embeddings"
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    /// A conversation can be sent where it is one text, or holds one image, sound or video: of such a one only that is sent.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let fields = match request.prompt {
            Prompt::Messages(messages) => {
                match (media(messages), conversation::only_text(messages)) {
                    (Some((modality, url)), _) => {
                        vec![("input", url.into()), ("modality", modality.into())]
                    }
                    (None, Some(text)) => vec![("input", text.into())],
                    (None, None) => return fields::unsupported(self.name(), "a conversation"),
                }
            }
            Prompt::Body(_) => Vec::new(),
            prompt => match result::input(prompt) {
                Some(input) => vec![("input", input)],
                None => return fields::unsupported(self.name(), fields::named(prompt)),
            },
        };
        Ok(result::request(request, fields))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        result::parse(body, result::prompt)
    }

    fn id_prefix(&self) -> &'static str {
        "infinity-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write_event(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        let tokens = delta.usage.map(|usage| usage.prompt_tokens.unwrap_or(0));
        let embedded = || Embedded {
            object: "list",
            data: (0..).map(Embedding::new).take(delta.pieces.len()).collect(),
            model: reply.model,
            usage: tokens.map(|tokens| Counted { prompt_tokens: tokens, total_tokens: tokens }),
            id: reply.id,
            created: reply.created,
        };
        result::write(delta, into, embedded);
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
    usage: Option<Counted>,
    id: &'a str,
    created: u64,
}

#[derive(Serialize)]
struct Counted {
    prompt_tokens: u32,
    total_tokens: u32,
}

/// The kinds of parts, as chat completions name them, and what they are called here.
const MODALITIES: [(&str, &str); 3] =
    [("image_url", "image"), ("audio_url", "audio"), ("video_url", "video")];
