//! Reranking, as Jina and Cohere have it and vLLM serves it: a query and documents in, a score for each document out. TEI and
//! SGLang answer with the bare list of scores.
//!
//! `top_n` is for the user's `extra`; the simulator ranks all documents and refuses it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::openai_response::write_json;
use super::result::{Fields, ResultApi, Tokens};
use super::{DecodeError, fields};
use crate::Prompt;

/// `/v1/rerank`. vLLM has it at `/rerank` and `/v2/rerank` too.
pub const RERANK: ResultApi = ResultApi {
    name: "rerank",
    path: "/v1/rerank",
    other_paths: &["/rerank", "/v2/rerank"],
    id_prefix: "rerank-",
    truncates: true,
    may_leave_out: true,
    fields: query_and_documents,
    prompt,
    answer: |reply, delta, into| {
        let scores = (0..).zip(&delta.pieces).map(|(i, piece)| Score::new(i, &piece.text));
        let ranked = Ranked {
            id: reply.id,
            model: reply.model,
            usage: delta.usage.map(Tokens::new),
            results: scores.collect(),
        };
        write_json(&ranked, into);
    },
};

fn query_and_documents(prompt: &Prompt) -> Option<Fields> {
    let Prompt::Rerank { query, documents } = prompt else { return None };
    Some(vec![("query", query.as_str().into()), ("documents", documents.clone().into())])
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
    usage: Option<Tokens>,
    results: Vec<Score<'a>>,
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
