//! vLLM's embeddings of conversations: the same path as OpenAI's embeddings, with `messages` in place of `input`.
//!
//! What makes them one prompt is the server's chat template; deliberately none is applied here.

use bytes::{Bytes, BytesMut};
use serde_json::json;

use super::openai_embeddings::Embedding;
use super::{
    Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, conversation, fields, openai_chat,
    result,
};
use crate::{Delta, Prompt, Request};

/// `/v1/embeddings`, with messages.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiEmbeddingsChat;

impl Api for OpenAiEmbeddingsChat {
    fn name(&self) -> &'static str {
        "openai-embeddings-chat"
    }

    fn path(&self) -> &'static str {
        "/v1/embeddings"
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let messages = match (request.prompt, conversation::messages(request.prompt)) {
            (_, Some(messages)) => Some(("messages", json!(messages))),
            (Prompt::Body(_), None) => None,
            (other, None) => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(result::request(request, messages.into_iter().chain([result::truncation()])))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        result::parse(body, openai_chat::messages)
    }

    fn id_prefix(&self) -> &'static str {
        "embd-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write_event(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write(delta, into, || result::List::new(reply, delta, Embedding::new));
    }
}
