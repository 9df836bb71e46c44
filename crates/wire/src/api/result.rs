//! The APIs that answer with a result: inputs in; a list of results, and usage, out. They differ in so little that each is a
//! description of that, in a file of its own.
//!
//! What the results are is never looked at. The simulator's are numbers that mean nothing, and the same for every input: only
//! their count and their form are real.

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::openai_response::{self, Text, write_error, write_json};
use super::{Answers, Api, Asked, DecodeError, EncodeError, Reply, SoFar, composed, fields};
use crate::{Channel, Delta, Input, Piece, Prompt, Request, Usage, error_message, sse};

/// An API that answers with a result, by what sets it apart from the others of its kind.
#[derive(Clone, Copy, Debug)]
pub struct ResultApi {
    /// What plans call it.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) other_paths: &'static [&'static str],
    pub(super) id_prefix: &'static str,
    /// Whether every request asks the server to shorten inputs that are too long for its model. vLLM's client always does, for
    /// the models of these APIs have short contexts; servers that do not know the field leave it aside.
    pub(super) truncates: bool,
    pub(super) may_leave_out: bool,
    /// The fields of a request that bear a prompt. `None` if there is no place for such a one.
    pub(super) fields: fn(&Prompt) -> Option<Fields>,
    /// The prompt in the body of a request.
    pub(super) prompt: fn(&Map<String, Value>) -> Result<Prompt, DecodeError>,
    /// Writes the body of an answer.
    pub(super) answer: fn(&Reply<'_>, &Delta<'_>, &mut BytesMut),
}

/// Fields of a body, in their order.
pub(super) type Fields = Vec<(&'static str, Value)>;

impl Api for ResultApi {
    fn name(&self) -> &'static str {
        self.name
    }

    fn path(&self) -> &'static str {
        self.path
    }

    fn other_paths(&self) -> &'static [&'static str] {
        self.other_paths
    }

    fn answers(&self) -> Answers {
        Answers::Result
    }

    fn may_leave_out(&self) -> bool {
        self.may_leave_out
    }

    /// The model, the prompt's fields and `extra`. Settings of generation have no place in it.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let fields = match request.prompt {
            Prompt::Body(_) => Fields::new(),
            prompt => match (self.fields)(prompt) {
                Some(fields) => fields,
                None => return fields::unsupported(self.name, fields::named(prompt)),
            },
        };
        let model = composed::given("model", request.model);
        let shortened = self.truncates.then(|| ("truncate_prompt_tokens", (-1).into()));
        let fields = model.into_iter().chain(fields).chain(shortened);
        Ok(composed::body(request, fields, request.options.extra.clone()))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        told(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        told(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        parse(body, self.prompt)
    }

    fn id_prefix(&self) -> &'static str {
        self.id_prefix
    }

    /// The body as the only event. No server streams these; a simulator that were made to would do so.
    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        sse::write(into, |into| self.whole(reply, delta, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        match &delta.error {
            Some(message) => write_error(message, into),
            None => (self.answer)(reply, delta, into),
        }
    }
}

/// The prompt in the field `input`: a text, token ids, or a list of either.
pub(super) fn input(prompt: &Prompt) -> Option<Fields> {
    let input = match prompt {
        Prompt::Text(text) => Value::from(text.as_str()),
        Prompt::Tokens(ids) => ids.iter().copied().collect(),
        Prompt::Batch(inputs) => inputs
            .iter()
            .map(|input| match input {
                Input::Text(text) => Value::from(text.as_str()),
                Input::Tokens(ids) => ids.iter().copied().collect(),
            })
            .collect(),
        _ => return None,
    };
    Some(vec![(INPUT, input)])
}

/// The prompt in the field `input`.
pub(super) fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    match body.get(INPUT) {
        None => Err(fields::missing(INPUT)),
        Some(Value::String(text)) => Ok(Prompt::Text(text.clone())),
        Some(Value::Array(items)) if items.is_empty() => {
            Err(DecodeError::Field("input: expected one input at least, got an empty list".into()))
        }
        Some(Value::Array(items)) if items[0].is_number() => {
            fields::token_ids(INPUT, items).map(Prompt::Tokens)
        }
        Some(Value::Array(items)) => {
            items.iter().map(one_input).collect::<Result<_, _>>().map(Prompt::Batch)
        }
        Some(other) => Err(fields::wrong(INPUT, FORMS, other)),
    }
}

fn one_input(input: &Value) -> Result<Input, DecodeError> {
    match input {
        Value::String(text) => Ok(Input::Text(text.clone())),
        Value::Array(ids) => fields::token_ids(INPUT, ids).map(Input::Tokens),
        other => Err(fields::wrong(INPUT, FORMS, other)),
    }
}

/// What a request asks whose prompt `prompt` finds.
fn parse(
    body: &[u8],
    prompt: fn(&Map<String, Value>) -> Result<Prompt, DecodeError>,
) -> Result<Asked, DecodeError> {
    let body = fields::object(body)?;
    match body.get("encoding_format") {
        None | Some(Value::Null) => {}
        Some(Value::String(form)) if form == "float" => {}
        Some(other) => return Err(fields::wrong("encoding_format", "\"float\"", other)),
    }
    Ok(Asked::plain(fields::model(&body)?, prompt(&body)?, body))
}

/// What a whole body tells: a piece without text for each result, and the usage.
fn told(body: &[u8]) -> Result<Delta<'_>, DecodeError> {
    let body = body.trim_ascii();
    if body.first() == Some(&b'[') {
        let scores: Vec<Scored> = serde_json::from_slice(body)?;
        return results(scores.len(), None);
    }
    let answer: Answer<'_> = serde_json::from_slice(openai_response::object(body)?)?;
    if (answer.error.is_some() || answer.object.is_some_and(|object| object.is("error")))
        && let Some(error) = error_message::told(&serde_json::from_slice(body)?)
    {
        return Ok(Delta { error: Some(error.into()), ..Delta::default() });
    }
    match answer.data.or(answer.results) {
        None => Err(DecodeError::Field("the response has no results".into())),
        Some(list) => results(list.len(), answer.usage.and_then(|usage| usage.usage())),
    }
}

/// So many results.
fn results<'e>(count: usize, usage: Option<Usage>) -> Result<Delta<'e>, DecodeError> {
    if count == 0 {
        return Err(DecodeError::Field("the response's list of results is empty".into()));
    }
    let one = Piece { choice: 0, channel: Channel::Result, text: "".into() };
    Ok(Delta { pieces: smallvec::smallvec![one; count], usage, ..Delta::default() })
}

#[derive(Deserialize)]
struct Answer<'e> {
    /// They take no room: nothing of them is kept but how many they are.
    data: Option<Vec<IgnoredAny>>,
    results: Option<Vec<IgnoredAny>>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Option<Text<'e>>,
}

/// What stands in a list that has nothing around it, as TEI and SGLang write the scores of documents.
#[derive(Deserialize)]
struct Scored {
    #[serde(rename = "score", alias = "relevance_score")]
    _score: f64,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u32>,
    total_tokens: Option<u32>,
}

impl Counts {
    fn usage(&self) -> Option<Usage> {
        let prompt_tokens = self.prompt_tokens.or(self.total_tokens)?;
        Some(Asked::usage(prompt_tokens, 0))
    }
}

/// A list of results, in vLLM's order.
#[derive(Serialize)]
struct List<'a, T> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    data: Vec<T>,
    usage: Option<DetailedTokens>,
}

/// Writes a list with one item for each piece.
pub(super) fn write_list<T: Serialize>(
    reply: &Reply<'_>,
    delta: &Delta<'_>,
    item: fn(u32) -> T,
    into: &mut BytesMut,
) {
    let list = List {
        id: reply.id,
        object: "list",
        created: reply.created,
        model: reply.model,
        data: (0..).map(item).take(delta.pieces.len()).collect(),
        usage: delta.usage.map(DetailedTokens::new),
    };
    write_json(&list, into);
}

#[derive(Serialize)]
struct DetailedTokens {
    prompt_tokens: u32,
    total_tokens: u32,
    completion_tokens: u32,
    prompt_tokens_details: (),
    completion_tokens_details: (),
}

impl DetailedTokens {
    fn new(usage: Usage) -> Self {
        let Tokens { prompt_tokens, total_tokens } = Tokens::new(usage);
        Self {
            prompt_tokens,
            total_tokens,
            completion_tokens: 0,
            prompt_tokens_details: (),
            completion_tokens_details: (),
        }
    }
}

/// Usage in short, as rerankers and Infinity write it.
#[derive(Serialize)]
pub(super) struct Tokens {
    prompt_tokens: u32,
    total_tokens: u32,
}

impl Tokens {
    pub(super) fn new(usage: Usage) -> Self {
        let tokens = usage.prompt_tokens.unwrap_or(0);
        Self { prompt_tokens: tokens, total_tokens: tokens }
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

/// The embedding of every input: a vector of length one.
pub(super) const EMBEDDING: [f32; 8] = [0.5, -0.5, 0.25, 0.25, -0.25, 0.25, 0.5, 0.0];

const INPUT: &str = "input";
const FORMS: &str = "a string, token ids or a list of either";

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(body: &str) -> String {
        told(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_body_without_results_is_no_result() {
        assert_eq!(complaint("{}"), "the response has no results");
        assert_eq!(complaint(r#"{"data":[]}"#), "the response's list of results is empty");
        assert_eq!(complaint(r#"{"results":[]}"#), "the response's list of results is empty");
        assert_eq!(complaint("[]"), "the response's list of results is empty");
        assert_eq!(complaint("\"x\""), "expected a JSON object");
    }

    #[test]
    fn scores_may_stand_in_a_list_with_nothing_around_it() {
        let tei = br#"[{"index":1,"score":0.9},{"index":0,"score":-2}]"#;
        let sglang = br#"[{"score":0.9,"document":"a","index":0,"meta_info":{"id":"x"}}]"#;
        assert_eq!(told(tei).unwrap().pieces.len(), 2);
        assert_eq!(told(sglang).unwrap().pieces.len(), 1);
        for other in [r#"["overloaded"]"#, r#"[{"error":"overloaded"}]"#] {
            assert!(told(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn results_may_be_text_and_usage_may_be_missing() {
        let delta = told(br#"{"data":[{"embedding":"AAAA"},{"embedding":"AAAA"}]}"#).unwrap();
        assert_eq!((delta.pieces.len(), delta.pieces[0].channel), (2, Channel::Result));
        assert_eq!(delta.usage, None);
    }

    #[test]
    fn inputs_that_are_wrong_are_refused_by_name() {
        let complaint = |body: &str| parse(body.as_bytes(), prompt).unwrap_err().to_string();
        assert_eq!(complaint("{}"), "input: field required");
        assert_eq!(
            complaint(r#"{"input":[]}"#),
            "input: expected one input at least, got an empty list"
        );
        assert_eq!(complaint(r#"{"input":[1,"a"]}"#), "input: expected token ids, got a string");
        assert_eq!(
            complaint(r#"{"input":{}}"#),
            "input: expected a string, token ids or a list of either, got an object"
        );
        assert_eq!(
            complaint(r#"{"input":"a","encoding_format":"base64"}"#),
            "encoding_format: expected \"float\", got a string"
        );
    }
}
