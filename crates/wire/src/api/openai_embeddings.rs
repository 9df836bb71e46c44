//! OpenAI's embeddings: inputs in, a vector each out.
//!
//! Vectors are read as JSON, of numbers or of text (`encoding_format: base64`). vLLM's binary forms are no JSON and are refused.

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::result::EMBEDDING;
use super::{Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, fields, result};
use crate::{Delta, Prompt, Request};

/// `/v1/embeddings`, with texts or token ids.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiEmbeddings;

impl Api for OpenAiEmbeddings {
    fn name(&self) -> &'static str {
        "openai-embeddings"
    }

    fn path(&self) -> &'static str {
        "/v1/embeddings"
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let input = match (request.prompt, result::input(request.prompt)) {
            (_, Some(input)) => Some(("input", input)),
            (Prompt::Body(_), None) => None,
            (other, None) => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(result::request(request, input.into_iter().chain([result::truncation()])))
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
        "embd-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write_event(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write(delta, into, || result::List::new(reply, delta, Embedding::new));
    }
}

/// One vector, as vLLM writes it.
#[derive(Serialize)]
pub(super) struct Embedding {
    index: u32,
    object: &'static str,
    embedding: [f32; EMBEDDING.len()],
}

impl Embedding {
    pub(super) const fn new(index: u32) -> Self {
        Self { index, object: "embedding", embedding: EMBEDDING }
    }
}
