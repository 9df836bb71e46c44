//! Reranking, as Jina and Cohere have it and vLLM serves it: a query and documents in, a score for each document out.
//!
//! `top_n` is for the user's `extra`; the simulator ranks all documents and refuses it.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, fields, result};
use crate::{Delta, Prompt, Request, Usage};

/// `/v1/rerank`. vLLM has it at `/rerank` and `/v2/rerank` too.
#[derive(Clone, Copy, Debug)]
pub struct Rerank;

impl Api for Rerank {
    fn name(&self) -> &'static str {
        "rerank"
    }

    fn path(&self) -> &'static str {
        "/v1/rerank"
    }

    fn other_paths(&self) -> &'static [&'static str] {
        &["/rerank", "/v2/rerank"]
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let prompt = match request.prompt {
            Prompt::Rerank { query, documents } => {
                vec![("query", query.as_str().into()), ("documents", documents.clone().into())]
            }
            Prompt::Body(_) => Vec::new(),
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(result::request(request, prompt.into_iter().chain([result::truncation()])))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        result::told(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        result::parse(body, prompt)
    }

    fn id_prefix(&self) -> &'static str {
        "rerank-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        result::write_event(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        let ranked = || Ranked {
            id: reply.id,
            model: reply.model,
            usage: delta.usage.map(Counted::new),
            results: (0..)
                .zip(&delta.pieces)
                .map(|(i, piece)| Score::new(i, &piece.text))
                .collect(),
        };
        result::write(delta, into, ranked);
    }
}

fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    if fields::count(body, "top_n")?.unwrap_or(0) > 0 {
        return Err(DecodeError::Field("top_n: not served, all documents are ranked".into()));
    }
    let query = match body.get("query") {
        None => return Err(fields::missing("query")),
        Some(Value::String(query)) => query.clone(),
        Some(other) => return Err(fields::wrong("query", "a string", other)),
    };
    let documents = match body.get("documents") {
        None => return Err(fields::missing("documents")),
        Some(Value::String(document)) => vec![document.clone()],
        Some(Value::Array(documents)) => {
            documents.iter().map(document).collect::<Result<_, _>>()?
        }
        Some(other) => return Err(fields::wrong("documents", "a list of strings", other)),
    };
    if documents.is_empty() {
        return Err(DecodeError::Field("documents: expected one at least, got none".into()));
    }
    Ok(Prompt::Rerank { query, documents })
}

fn document(document: &Value) -> Result<String, DecodeError> {
    let text = document.as_str().or_else(|| document.get("text")?.as_str());
    text.map(str::to_owned).ok_or_else(|| fields::wrong("documents", "strings", document))
}

/// What a body says, in vLLM's order.
#[derive(Serialize)]
struct Ranked<'a> {
    id: &'a str,
    model: &'a str,
    usage: Option<Counted>,
    results: Vec<Score<'a>>,
}

#[derive(Serialize)]
struct Counted {
    prompt_tokens: u32,
    total_tokens: u32,
}

impl Counted {
    fn new(usage: Usage) -> Self {
        let tokens = usage.prompt_tokens.unwrap_or(0);
        Self { prompt_tokens: tokens, total_tokens: tokens }
    }
}

#[derive(Serialize)]
struct Score<'a> {
    index: u32,
    document: Document<'a>,
    relevance_score: f64,
}

#[derive(Serialize)]
struct Document<'a> {
    text: &'a str,
    multi_modal: (),
}

impl<'a> Score<'a> {
    /// The order of relevance is the order in which the documents came.
    fn new(index: u32, text: &'a str) -> Self {
        let relevance_score = 1.0 / f64::from(index + 1);
        Self { index, document: Document { text, multi_modal: () }, relevance_score }
    }
}
