//! What the APIs that answer with a result have in common: inputs, a list of results, usage.
//!
//! What the results are is never looked at. The simulator's are numbers that mean nothing, and the same for every input: only
//! their count and their form are real.

use bytes::BytesMut;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smallvec::smallvec;

use super::openai_response::{Text, write_error, write_json};
use super::{Asked, DecodeError, Reply, composed, fields};
use crate::{Channel, Delta, Input, Piece, Prompt, Request, Usage, error_message, sse};

/// The body of a request of this form: the model, these fields and `extra`. Settings of generation have no place in it.
pub(super) fn request(
    request: &Request<'_>,
    fields: impl IntoIterator<Item = (&'static str, Value)>,
) -> bytes::Bytes {
    let model = composed::given("model", request.model);
    composed::body(request, model.into_iter().chain(fields), request.options.extra.clone())
}

/// The field by which every request asks a server to shorten inputs that are too long for its model. vLLM's client always sends
/// it, for the models of these APIs have short contexts; servers that do not know it leave it aside.
pub(super) fn truncation() -> (&'static str, Value) {
    ("truncate_prompt_tokens", (-1).into())
}

/// The prompt as the field `input` has it: a text, token ids, or a list of either.
pub(super) fn input(prompt: &Prompt) -> Option<Value> {
    Some(match prompt {
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
    })
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
pub(super) fn parse(
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

/// What a whole body tells: one piece without text, and the usage.
pub(super) fn told(body: &[u8]) -> Result<Delta<'_>, DecodeError> {
    let body = body.trim_ascii();
    if body.first() != Some(&b'{') {
        return Err(DecodeError::Field("expected a JSON object".into()));
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if (answer.error.is_some() || answer.object.is_some_and(|object| object.is("error")))
        && let Some(error) = error_message::told(&serde_json::from_slice(body)?)
    {
        return Ok(Delta { error: Some(error.into()), ..Delta::default() });
    }
    match answer.data.or(answer.results) {
        None => Err(DecodeError::Field("the response has no results".into())),
        Some(results) if results.is_empty() => {
            Err(DecodeError::Field("the response's list of results is empty".into()))
        }
        Some(_) => Ok(Delta {
            pieces: smallvec![Piece { choice: 0, channel: Channel::Result, text: "".into() }],
            usage: answer.usage.and_then(|usage| usage.usage()),
            ..Delta::default()
        }),
    }
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

/// Writes a body: an error, or what `body` makes of it.
pub(super) fn write<T: Serialize>(
    delta: &Delta<'_>,
    into: &mut BytesMut,
    body: impl FnOnce() -> T,
) {
    match &delta.error {
        Some(message) => write_error(message, into),
        None => write_json(&body(), into),
    }
}

/// Writes a body as the only event of a stream. No server streams these; a simulator that were made to would do so.
pub(super) fn write_event(into: &mut BytesMut, whole: impl FnOnce(&mut BytesMut)) {
    sse::write(into, whole);
}

/// A list of results, in vLLM's order.
#[derive(Serialize)]
pub(super) struct List<'a, T> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    data: Vec<T>,
    usage: Option<Counted>,
}

impl<'a, T> List<'a, T> {
    /// One item for each piece.
    pub(super) fn new(reply: &Reply<'a>, delta: &Delta<'_>, item: fn(u32) -> T) -> Self {
        Self {
            id: reply.id,
            object: "list",
            created: reply.created,
            model: reply.model,
            data: (0..).map(item).take(delta.pieces.len()).collect(),
            usage: delta.usage.map(Counted::new),
        }
    }
}

#[derive(Serialize)]
struct Counted {
    prompt_tokens: u32,
    total_tokens: u32,
    completion_tokens: u32,
    prompt_tokens_details: (),
    completion_tokens_details: (),
}

impl Counted {
    fn new(usage: Usage) -> Self {
        let prompt_tokens = usage.prompt_tokens.unwrap_or(0);
        Self {
            prompt_tokens,
            total_tokens: prompt_tokens,
            completion_tokens: 0,
            prompt_tokens_details: (),
            completion_tokens_details: (),
        }
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
        assert_eq!(complaint("[]"), "expected a JSON object");
    }

    #[test]
    fn results_may_be_text_and_usage_may_be_missing() {
        let delta = told(br#"{"data":[{"embedding":"AAAA"}]}"#).unwrap();
        assert_eq!((delta.pieces.len(), delta.pieces[0].channel), (1, Channel::Result));
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
