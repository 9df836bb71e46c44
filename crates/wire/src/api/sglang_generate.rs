//! SGLang's own `/generate`: a text or token ids in, a text out that grows with every event.
//!
//! Every event of its streams holds all that was said so far, and the server's counts so far, so each chunk's tokens are known. A
//! server started with `--incremental-streaming-output` sends only what is new, and nothing in an event tells so: whoever reads the
//! stream finds it out from its texts. The model is not named, for a server has one. One choice a request: of several each counts
//! for itself.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use smallvec::smallvec;

use super::fields::Setting;
use super::openai_response::{Text, write_json};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, composed, conversation, fields,
    openai_response,
};
use crate::{Channel, Delta, Options, Piece, Prompt, Request, Usage, sse};

/// `/generate`, as SGLang has it.
#[derive(Clone, Copy, Debug)]
pub struct SglangGenerate;

impl Api for SglangGenerate {
    fn name(&self) -> &'static str {
        "sglang-generate"
    }

    fn path(&self) -> &'static str {
        "/generate"
    }

    /// `ignore_eos` of the extra fields belongs to the sampling parameters, and is put there.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let options = request.options;
        fields::refuse(self.name(), options, &[Setting::Choices])?;
        let prompt = match request.prompt {
            Prompt::Text(text) => Some(("text", Value::from(text.as_str()))),
            Prompt::Tokens(ids) => Some(("input_ids", ids.iter().copied().collect())),
            Prompt::Messages(messages) => match conversation::only_text(messages) {
                Some(text) => Some(("text", text.into())),
                None => return fields::unsupported(self.name(), "a conversation"),
            },
            Prompt::Body(_) => None,
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        let mut extra = options.extra.clone();
        let ignore_eos = extra.shift_remove("ignore_eos");
        let logprobs = options.logprobs == Some(true);
        let fields = [
            prompt,
            Some(("sampling_params", sampling(options, ignore_eos))),
            composed::given("stream", Some(options.stream)),
            composed::given("return_logprob", logprobs.then_some(true)),
            composed::given("top_logprobs_num", options.top_logprobs.filter(|_| logprobs)),
        ];
        Ok(composed::body(request, fields.into_iter().flatten(), extra))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        match data.trim_ascii() {
            b"" => Ok(Delta::default()),
            b"[DONE]" => Ok(Delta { done: true, ..Delta::default() }),
            data => {
                let delta = read(data)?;
                Ok(Delta { cumulative: delta.error.is_none(), ..delta })
            }
        }
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let delta = read(body.trim_ascii())?;
        if delta == Delta::default() {
            return Err(DecodeError::Field("the response has neither text nor meta_info".into()));
        }
        Ok(delta)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let body = fields::object(body)?;
        let none = Map::new();
        let sampling = fields::nested(&body, "sampling_params")?.unwrap_or(&none);
        if fields::count(sampling, "n")?.is_some_and(|n| n != 1) {
            return Err(DecodeError::Field("n: only one choice is served".into()));
        }
        Ok(Asked {
            stream: fields::flag(&body, "stream")?,
            continuous_usage: true,
            max_tokens: fields::count(sampling, "max_new_tokens")?,
            min_tokens: fields::count(sampling, "min_new_tokens")?,
            ignore_eos: fields::flag(sampling, "ignore_eos")?,
            stop: fields::texts(sampling, "stop")?,
            ..Asked::plain(fields::model(&body)?, prompt(&body)?, body)
        })
    }

    fn usual_limit(&self) -> Option<u32> {
        Some(128)
    }

    fn refusal(&self, _: &str, message: &str) -> Option<Value> {
        Some(json!({ "error": { "message": message } }))
    }

    fn event(&self, reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        if delta.done {
            return sse::write(into, |into| into.extend_from_slice(b"[DONE]"));
        }
        if let Some(message) = &delta.error {
            return sse::write(into, |into| write_error(message, into));
        }
        so_far.note(delta);
        if delta.pieces.is_empty() && delta.finish_reason.is_none() {
            return;
        }
        if so_far.blocks.is_empty() {
            so_far.blocks.push((Channel::Content, String::new()));
        }
        let text = &mut so_far.blocks[0].1;
        for piece in &delta.pieces {
            if delta.cumulative {
                text.clear();
            }
            text.push_str(&piece.text);
        }
        let said = Said::new(reply, text, delta.finish_reason.as_deref(), so_far.usage);
        sse::write(into, |into| write_json(&said, into));
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        if let Some(message) = &delta.error {
            return write_error(message, into);
        }
        let text: String = delta.pieces.iter().map(|piece| &*piece.text).collect();
        write_json(&Said::new(reply, &text, delta.finish_reason.as_deref(), delta.usage), into);
    }
}

fn sampling(options: &Options, ignore_eos: Option<Value>) -> Value {
    composed::object([
        composed::given("max_new_tokens", options.max_tokens),
        composed::given("min_new_tokens", options.min_tokens),
        composed::given("temperature", options.temperature),
        composed::given("top_p", options.top_p),
        composed::given("top_k", options.top_k),
        composed::given("min_p", options.min_p),
        composed::given("presence_penalty", options.presence_penalty),
        composed::given("frequency_penalty", options.frequency_penalty),
        composed::given("repetition_penalty", options.repetition_penalty),
        composed::given("sampling_seed", options.seed),
        composed::list("stop", &options.stop),
        composed::list("stop_token_ids", &options.stop_token_ids),
        composed::given("ignore_eos", ignore_eos),
    ])
}

fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    match (body.get("text"), body.get("input_ids")) {
        (Some(Value::String(text)), None | Some(Value::Null)) => Ok(Prompt::Text(text.clone())),
        (None | Some(Value::Null), Some(Value::Array(ids))) => {
            fields::token_ids("input_ids", ids).map(Prompt::Tokens)
        }
        (None | Some(Value::Null), None | Some(Value::Null)) => {
            Err(DecodeError::Field("text: either text or input_ids is required".into()))
        }
        (Some(_), Some(_)) => {
            Err(DecodeError::Field("text: only one of text and input_ids can be given".into()))
        }
        (Some(other), None) => Err(fields::wrong("text", "a string", other)),
        (None, Some(other)) => Err(fields::wrong("input_ids", "a list of token ids", other)),
    }
}

/// What an event, or a whole body, tells: all of the text so far.
fn read(json: &[u8]) -> Result<Delta<'_>, DecodeError> {
    let told: Told<'_> = serde_json::from_slice(openai_response::object(json)?)?;
    if told.error.is_some()
        && let Some(error) = openai_response::error(json)?
    {
        return Ok(Delta { error: Some(error.into()), ..Delta::default() });
    }
    let mut delta = Delta::default();
    let choice = told.index.unwrap_or(0);
    if let Some(text) = Text::some(told.text) {
        delta.pieces = smallvec![Piece { choice, channel: Channel::Content, text }];
    }
    let Some(meta) = told.meta_info else { return Ok(delta) };
    match meta.finish_reason {
        Some(Finish::Told { r#type, message }) if r#type.is("abort") => {
            let message = Text::some(message).unwrap_or("the server aborted the request".into());
            let error = crate::error_message(message.as_bytes());
            return Ok(Delta { error: Some(error.into()), ..Delta::default() });
        }
        Some(Finish::Told { r#type, .. } | Finish::Word(r#type)) => {
            delta.finish_reason = Text::some(Some(r#type));
        }
        None => {}
    }
    if let Some(completion_tokens) = meta.completion_tokens {
        let (prompt_tokens, cached_tokens) = (meta.prompt_tokens, meta.cached_tokens);
        delta.usage = Some(Usage { prompt_tokens, completion_tokens, cached_tokens });
    }
    Ok(delta)
}

#[derive(Deserialize)]
struct Told<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    index: Option<u32>,
    #[serde(borrow)]
    meta_info: Option<Meta<'e>>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Meta<'e> {
    #[serde(borrow)]
    finish_reason: Option<Finish<'e>>,
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    cached_tokens: Option<u32>,
}

/// Why it ended: an object, and a word in old versions.
#[derive(Deserialize)]
#[serde(untagged)]
enum Finish<'e> {
    Told {
        #[serde(borrow)]
        r#type: Text<'e>,
        #[serde(borrow)]
        message: Option<Text<'e>>,
    },
    Word(#[serde(borrow)] Text<'e>),
}

/// What an event says, in SGLang's order.
#[derive(Serialize)]
struct Said<'a> {
    text: &'a str,
    meta_info: MetaOut<'a>,
}

#[derive(Serialize)]
struct MetaOut<'a> {
    id: &'a str,
    finish_reason: Option<FinishOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<u32>,
}

#[derive(Serialize)]
struct FinishOut<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u32>,
}

impl<'a> Said<'a> {
    fn new(
        reply: &Reply<'a>,
        text: &'a str,
        reason: Option<&'a str>,
        usage: Option<Usage>,
    ) -> Self {
        let completion_tokens = usage.map(|usage| usage.completion_tokens);
        let finish_reason = reason.map(|reason| FinishOut {
            r#type: reason,
            length: completion_tokens.filter(|_| reason == "length"),
        });
        Self {
            text,
            meta_info: MetaOut {
                id: reply.id,
                finish_reason,
                prompt_tokens: usage.and_then(|usage| usage.prompt_tokens),
                completion_tokens,
                cached_tokens: usage.and_then(|usage| usage.cached_tokens),
            },
        }
    }
}

fn write_error(message: &str, into: &mut BytesMut) {
    write_json(&json!({ "error": { "message": message } }), into);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_request_is_an_error_with_the_servers_words() {
        let event = r#"{"text":"a","meta_info":{"finish_reason":{"type":"abort","message":"out of memory","status_code":500}}}"#;
        let delta = SglangGenerate.delta(event.as_bytes()).unwrap();
        assert_eq!(delta.error.as_deref(), Some("out of memory"));
        assert!(delta.pieces.is_empty());
    }

    #[test]
    fn old_versions_name_their_reason_by_a_word() {
        let event = r#"{"text":"a","meta_info":{"finish_reason":"length","completion_tokens":1}}"#;
        let delta = SglangGenerate.delta(event.as_bytes()).unwrap();
        assert_eq!(delta.finish_reason.as_deref(), Some("length"));
        assert!(delta.cumulative);
    }

    #[test]
    fn a_prompt_is_a_text_or_ids_and_not_both() {
        let complaint = |body: &str| SglangGenerate.parse(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(complaint("{}"), "text: either text or input_ids is required");
        assert_eq!(
            complaint(r#"{"text":"a","input_ids":[1]}"#),
            "text: only one of text and input_ids can be given"
        );
        assert_eq!(complaint(r#"{"text":1}"#), "text: expected a string, got 1");
    }
}
