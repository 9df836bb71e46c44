//! OpenAI's completions: a text or token ids in, a text out.
//!
//! Deliberately one prompt a request: a list of several, which the API allows, would be several answers to one measurement.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::beside::{self, OfCompletion};
use super::openai_request::Form;
use super::openai_response::{Choice, Chunk, Null, Text, Whole, add, end};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, conversation, fields, openai_request,
    openai_response,
};
use crate::{Channel, Delta, Piece, Prompt, Request};

/// `/v1/completions`.
///
/// It has one channel of output: pieces of every channel are written as text, and read back as [`Channel::Content`].
#[derive(Clone, Copy, Debug)]
pub struct OpenAiCompletions;

impl Api for OpenAiCompletions {
    fn name(&self) -> &'static str {
        "openai-completions"
    }

    fn path(&self) -> &'static str {
        "/v1/completions"
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let prompt = match request.prompt {
            Prompt::Text(text) => Value::from(text.as_str()),
            Prompt::Tokens(ids) => ids.iter().copied().collect(),
            Prompt::Messages(messages) => match conversation::only_text(messages) {
                Some(text) => Value::from(text),
                None => return fields::unsupported(self.name(), "a conversation"),
            },
            Prompt::Body(own) => {
                return Ok(openai_request::complete(own, request, Form::Completions));
            }
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(openai_request::encode(request, ("prompt", prompt), Form::Completions))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        openai_response::delta::<TextChoice<'e>>(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        openai_response::body::<TextChoice<'e>>(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        openai_request::parse(body, prompt)
    }

    fn id_prefix(&self) -> &'static str {
        "cmpl-"
    }

    fn usual_limit(&self) -> Option<u32> {
        Some(16)
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        if openai_response::write_end(delta, into) || *delta == Delta::default() {
            return;
        }
        let told = |piece| StreamedOut::new(piece, delta);
        let mut choices: SmallVec<[_; 1]> = delta.pieces.iter().map(told).collect();
        if choices.is_empty()
            && let Some(beside) = delta.beside.first()
        {
            let nothing = StreamedOut::new(&NOTHING, delta);
            choices.push(StreamedOut { index: beside.choice, ..nothing });
        }
        let ends = delta.finish_reason.is_some();
        if let Some(reason) = &delta.finish_reason {
            let last = choices.pop().unwrap_or_else(|| StreamedOut::new(&NOTHING, delta));
            let beside = beside::of(delta, last.index);
            let stop_reason = beside.and_then(|beside| beside.stop_reason.as_deref());
            choices.push(StreamedOut { finish_reason: Some(reason), stop_reason, ..last });
        }
        let chunk = Chunk::new(reply, OBJECT, &choices, delta.usage);
        if ends { chunk.ending(reply) } else { chunk }.write(into);
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        if let Some(message) = &delta.error {
            return openai_response::write_error(message, into);
        }
        let pieces = if delta.pieces.is_empty() { &[NOTHING][..] } else { &delta.pieces[..] };
        let choices: SmallVec<[_; 1]> =
            pieces.iter().map(|piece| WholeOut::new(piece, delta)).collect();
        Whole::new(reply, OBJECT, &choices, delta.usage).write(into);
    }
}

fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    let Some(prompt) = body.get("prompt") else {
        return Err(DecodeError::Field("prompt: field required".into()));
    };
    match prompt {
        Value::Array(items) if matches!(items[..], [Value::String(_) | Value::Array(_)]) => {
            one_prompt(&items[0])
        }
        Value::Array(items) if matches!(items[..], [Value::String(_) | Value::Array(_), ..]) => {
            let count = items.len();
            Err(DecodeError::Field(format!(
                "prompt: {count} prompts in one request are not served, only one"
            )))
        }
        prompt => one_prompt(prompt),
    }
}

fn one_prompt(prompt: &Value) -> Result<Prompt, DecodeError> {
    match prompt {
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        Value::Array(ids) => fields::token_ids("prompt", ids).map(Prompt::Tokens),
        other => Err(fields::wrong("prompt", "a string or a list of token ids", other)),
    }
}

#[derive(Deserialize)]
struct TextChoice<'e> {
    index: Option<u32>,
    #[serde(borrow)]
    text: Option<Text<'e>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'e>>,
}

impl<'e> Choice<'e> for TextChoice<'e> {
    #[inline]
    fn tell(self, delta: &mut Delta<'e>) {
        add(delta, self.index, Channel::Content, self.text);
        end(delta, self.finish_reason);
    }
}

#[derive(Serialize)]
struct StreamedOut<'d> {
    index: u32,
    text: &'d str,
    logprobs: Option<OfCompletion<'d>>,
    finish_reason: Option<&'d str>,
    stop_reason: Option<&'d str>,
    prompt_token_ids: Null,
    token_ids: Null,
}

impl<'d> StreamedOut<'d> {
    fn new(piece: &'d Piece<'_>, delta: &'d Delta<'_>) -> Self {
        Self {
            index: piece.choice,
            text: &piece.text,
            logprobs: beside::of(delta, piece.choice).and_then(OfCompletion::of),
            finish_reason: None,
            stop_reason: None,
            prompt_token_ids: (),
            token_ids: (),
        }
    }
}

#[derive(Serialize)]
struct WholeOut<'d> {
    index: u32,
    text: &'d str,
    logprobs: Option<OfCompletion<'d>>,
    finish_reason: Option<&'d str>,
    stop_reason: Option<&'d str>,
    token_ids: Null,
    prompt_logprobs: Null,
    prompt_token_ids: Null,
    routed_experts: Null,
}

impl<'d> WholeOut<'d> {
    fn new(piece: &'d Piece<'_>, delta: &'d Delta<'_>) -> Self {
        let beside = beside::of(delta, piece.choice);
        Self {
            index: piece.choice,
            text: &piece.text,
            logprobs: beside.and_then(OfCompletion::of),
            finish_reason: beside::finish_reason(beside, delta),
            stop_reason: beside.and_then(|beside| beside.stop_reason.as_deref()),
            token_ids: (),
            prompt_logprobs: (),
            prompt_token_ids: (),
            routed_experts: (),
        }
    }
}

/// What a choice says that says nothing.
const NOTHING: Piece<'static> =
    Piece { choice: 0, channel: Channel::Content, text: std::borrow::Cow::Borrowed("") };

const OBJECT: &str = "text_completion";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Options, Usage};

    fn body(prompt: Prompt, options: &Options) -> Result<Value, EncodeError> {
        let request = Request { model: Some("m"), prompt: &prompt, options, template: None };
        OpenAiCompletions.request(&request).map(|body| serde_json::from_slice(&body).unwrap())
    }

    fn asked(body: &str) -> Result<Prompt, String> {
        let asked = OpenAiCompletions.parse(body.as_bytes());
        asked.map(|asked| asked.prompt).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_of_choices_are_content() {
        let event = br#"{"choices":[{"index":0,"text":"a","finish_reason":null},{"index":1,"text":"","finish_reason":"stop"},{"text":"b"}],
            "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
        let delta = OpenAiCompletions.delta(event).unwrap();
        let texts: Vec<_> =
            delta.pieces.iter().map(|piece| (piece.choice, piece.channel, &*piece.text)).collect();
        assert_eq!(texts, [(0, Channel::Content, "a"), (0, Channel::Content, "b")]);
        assert_eq!(delta.finish_reason.as_deref(), Some("stop"));
        assert_eq!(
            delta.usage,
            Some(Usage { prompt_tokens: Some(1), completion_tokens: 2, cached_tokens: None })
        );
    }

    #[test]
    fn texts_and_token_ids_are_sent_as_they_are() {
        let options = Options { logprobs: Some(true), stream: true, ..Options::default() };
        assert_eq!(
            body(Prompt::Text("hi".into()), &options).unwrap(),
            json!({
                "model": "m", "prompt": "hi", "logprobs": 1,
                "stream": true, "stream_options": { "include_usage": true },
            })
        );
        let options = Options { logprobs: Some(false), ..Options::default() };
        assert_eq!(
            body(Prompt::Tokens(vec![1, 2]), &options).unwrap(),
            json!({ "model": "m", "prompt": [1, 2], "stream": false })
        );
    }

    #[test]
    fn only_a_conversation_of_a_single_text_can_be_sent() {
        let messages = |value: Value| Prompt::Messages(serde_json::from_value(value).unwrap());
        let one = json!({ "role": "user", "content": "hi" });
        let options = Options::default();
        assert_eq!(body(messages(json!([one])), &options).unwrap()["prompt"], "hi");
        for unfit in [json!([one, one]), json!([]), json!([{ "role": "user", "content": [] }])] {
            let error = body(messages(unfit), &options).unwrap_err();
            assert_eq!(error.to_string(), "the openai-completions API cannot carry a conversation");
        }
    }

    #[test]
    fn a_template_keeps_all_but_its_prompt() {
        let template = json!({ "prompt": "Q", "echo": true });
        let request = Request {
            model: None,
            prompt: &Prompt::Text("hi".into()),
            options: &Options::default(),
            template: template.as_object(),
        };
        let body = OpenAiCompletions.request(&request).unwrap();
        assert_eq!(body, r#"{"prompt":"hi","echo":true,"stream":false}"#);
    }

    #[test]
    fn prompts_are_understood_as_text_as_ids_and_as_a_list_of_one() {
        assert_eq!(asked(r#"{"prompt":"a"}"#), Ok(Prompt::Text("a".into())));
        assert_eq!(asked(r#"{"prompt":["a"]}"#), Ok(Prompt::Text("a".into())));
        assert_eq!(asked(r#"{"prompt":[1,2]}"#), Ok(Prompt::Tokens(vec![1, 2])));
        assert_eq!(asked(r#"{"prompt":[[1,2]]}"#), Ok(Prompt::Tokens(vec![1, 2])));
        assert_eq!(asked(r#"{"prompt":[7]}"#), Ok(Prompt::Tokens(vec![7])));
    }

    #[test]
    fn prompts_that_are_wrong_are_refused_by_name() {
        let complaint = |body: &str| asked(body).unwrap_err();
        assert_eq!(complaint("{}"), "prompt: field required");
        assert_eq!(
            complaint(r#"{"prompt":["a","b"]}"#),
            "prompt: 2 prompts in one request are not served, only one"
        );
        assert_eq!(
            complaint(r#"{"prompt":{}}"#),
            "prompt: expected a string or a list of token ids, got an object"
        );
        assert_eq!(complaint(r#"{"prompt":[1,-2]}"#), "prompt: expected token ids, got -2");
        assert_eq!(
            complaint(r#"{"prompt":null}"#),
            "prompt: expected a string or a list of token ids, got null"
        );
    }
}
