//! vLLM's pooling: inputs in, what the model's pooler makes of them out.
//!
//! What that is depends on the model (a vector, a vector a token); it is counted and never looked at.

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::result::EMBEDDING;
use super::{
    Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, fields, openai_chat, result,
};
use crate::{Delta, Prompt, Request};

/// `/pooling`.
#[derive(Clone, Copy, Debug)]
pub struct Pooling;

impl Api for Pooling {
    fn name(&self) -> &'static str {
        "pooling"
    }

    fn path(&self) -> &'static str {
        "/pooling"
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let prompt = match (request.prompt, result::input(request.prompt)) {
            (_, Some(input)) => Some(("input", input)),
            (Prompt::Messages(messages), None) => Some(("messages", serde_json::json!(messages))),
            (Prompt::Body(_), None) => None,
            (other, None) => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(result::request(request, [result::truncation()].into_iter().chain(prompt)))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        result::parse(body, |body| match body.contains_key("messages") {
            true => openai_chat::messages(body),
            false => result::prompt(body),
        })
    }

    fn id_prefix(&self) -> &'static str {
        "pool-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write_event(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        let pooled = |index| Pooled { index, object: "pooling", data: EMBEDDING };
        result::write(delta, into, || result::List::new(reply, delta, pooled));
    }
}

/// What became of one input, as vLLM writes it.
#[derive(Serialize)]
struct Pooled {
    index: u32,
    object: &'static str,
    data: [f32; EMBEDDING.len()],
}
