//! TGI's own `/generate_stream`, and `/generate` where nothing is streamed: a text in, a token an event out.
//!
//! TGI has no way to go on past the end of a text: `ignore_eos` is left out, so outputs can be shorter than asked. Greedy decoding is
//! asked for by asking for no temperature, and settings that mean "off" elsewhere (`top_k` of -1, `top_p` of 1) are left out, for
//! TGI refuses them. The prompt's tokens are told by newer versions, at the end of a stream. Tokens that come together in the
//! simulator stand in one event; TGI itself would send one each.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fields::Setting;
use super::openai_response::{Text, write_json};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, composed, conversation, fields,
    openai_response,
};
use crate::{Channel, Delta, Options, Piece, Prompt, Request, Usage};

/// `/generate_stream`.
#[derive(Clone, Copy, Debug)]
pub struct TgiGenerate;

impl Api for TgiGenerate {
    fn name(&self) -> &'static str {
        "tgi-generate"
    }

    fn path(&self) -> &'static str {
        "/generate_stream"
    }

    fn whole_path(&self) -> &'static str {
        "/generate"
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let options = request.options;
        fields::refuse(self.name(), options, WITHOUT)?;
        let inputs = match request.prompt {
            Prompt::Text(text) => Some(text.as_str()),
            Prompt::Messages(messages) => match conversation::only_text(messages) {
                Some(text) => Some(text),
                None => return fields::unsupported(self.name(), "a conversation"),
            },
            Prompt::Body(_) => None,
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        let mut extra = options.extra.clone();
        extra.shift_remove("ignore_eos");
        let fields = [
            composed::given("inputs", inputs),
            Some(("parameters", parameters(options))),
            // Its two paths say whether to stream; only its root looks at this.
            composed::given("stream", Some(options.stream)),
        ];
        Ok(composed::body(request, fields.into_iter().flatten(), extra))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let data = match data.trim_ascii() {
            b"" => return Ok(Delta::default()),
            b"[DONE]" => return Ok(Delta { done: true, ..Delta::default() }),
            data => openai_response::object(data)?,
        };
        let event: Event<'e> = serde_json::from_slice(data)?;
        if event.error.is_some()
            && let Some(error) = openai_response::error(data)?
        {
            return Ok(Delta { error: Some(error.into()), ..Delta::default() });
        }
        // Special tokens are tokens too, but no text: `generated_text` does not hold theirs.
        let token = event.token.filter(|token| !token.special.unwrap_or(false));
        let text = token.and_then(|token| Text::some(token.text));
        let details = event.details;
        Ok(Delta {
            pieces: text.map(piece).into_iter().collect(),
            done: event.generated_text.is_some(),
            usage: details.as_ref().and_then(Details::usage),
            finish_reason: details.and_then(Details::finish_reason),
            ..Delta::default()
        })
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let body = openai_response::object(body.trim_ascii())?;
        let whole: Whole<'e> = serde_json::from_slice(body)?;
        match (openai_response::error(body)?, whole.generated_text) {
            (Some(error), _) => Ok(Delta { error: Some(error.into()), ..Delta::default() }),
            (None, None) => Err(DecodeError::Field("the response has no generated_text".into())),
            (None, text) => Ok(Delta {
                pieces: Text::some(text).map(piece).into_iter().collect(),
                usage: whole.details.as_ref().and_then(Details::usage),
                finish_reason: whole.details.and_then(Details::finish_reason),
                ..Delta::default()
            }),
        }
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let body = fields::object(body)?;
        let inputs = match body.get("inputs") {
            None => return Err(fields::missing("inputs")),
            Some(Value::String(inputs)) => inputs.clone(),
            Some(other) => return Err(fields::wrong("inputs", "a string", other)),
        };
        let none = Map::new();
        let parameters = fields::nested(&body, "parameters")?.unwrap_or(&none);
        Ok(Asked {
            stream: true,
            continuous_usage: true,
            max_tokens: fields::count(parameters, "max_new_tokens")?,
            stop: fields::texts(parameters, "stop")?,
            ..Asked::plain(fields::model(&body)?, Prompt::Text(inputs), body)
        })
    }

    fn usual_limit(&self) -> Option<u32> {
        Some(100)
    }

    fn refusal(&self, kind: &str, message: &str) -> Option<Value> {
        Some(json!({ "error": message, "error_type": kind }))
    }

    fn event(&self, _: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        if let Some(message) = &delta.error {
            return write_event(&Failed::new(message), into);
        }
        if delta.pieces.is_empty() && delta.finish_reason.is_none() {
            return;
        }
        so_far.note(delta);
        let said: String = delta.pieces.iter().map(|piece| &*piece.text).collect();
        if so_far.blocks.is_empty() {
            so_far.blocks.push((Channel::Content, String::new()));
        }
        so_far.blocks[0].1.push_str(&said);
        let ended = delta.finish_reason.as_deref();
        so_far.events += 1;
        let event = EventOut {
            index: so_far.events,
            token: TokenOut { id: 0, text: &said, logprob: 0.0, special: said.is_empty() },
            generated_text: ended.map(|_| so_far.blocks[0].1.as_str()),
            details: ended.map(|reason| StreamDetails {
                finish_reason: word(reason),
                generated_tokens: so_far.usage.map(|usage| usage.completion_tokens),
                seed: (),
                input_length: so_far.usage.and_then(|usage| usage.prompt_tokens),
            }),
        };
        write_event(&event, into);
    }

    fn whole(&self, _: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        if let Some(message) = &delta.error {
            return write_json(&Failed::new(message), into);
        }
        let generated_text: String = delta.pieces.iter().map(|piece| &*piece.text).collect();
        let details = WholeDetails {
            finish_reason: delta.finish_reason.as_deref().map(word),
            generated_tokens: delta.usage.map(|usage| usage.completion_tokens),
            seed: (),
            prefill: [],
            tokens: [],
        };
        write_json(&WholeOut { generated_text, details }, into);
    }
}

fn parameters(options: &Options) -> Value {
    let logprobs = options.logprobs == Some(true);
    composed::object([
        composed::given("max_new_tokens", options.max_tokens),
        composed::given("temperature", options.temperature.filter(|t| *t > 0.0)),
        composed::given("top_p", options.top_p.filter(|p| *p < 1.0)),
        composed::given("top_k", options.top_k.filter(|k| *k > 0)),
        composed::given("frequency_penalty", options.frequency_penalty),
        composed::given("repetition_penalty", options.repetition_penalty),
        composed::given("seed", options.seed),
        composed::list("stop", &options.stop),
        composed::given("top_n_tokens", options.top_logprobs.filter(|_| logprobs)),
        // Without them the end of a stream tells neither its reason nor its tokens.
        composed::given("details", Some(true)),
    ])
}

const fn piece(text: std::borrow::Cow<'_, str>) -> Piece<'_> {
    Piece { choice: 0, channel: Channel::Content, text }
}

#[derive(Deserialize)]
struct Event<'e> {
    #[serde(borrow)]
    token: Option<Token<'e>>,
    generated_text: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    details: Option<Details<'e>>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Token<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    special: Option<bool>,
}

#[derive(Deserialize)]
struct Whole<'e> {
    #[serde(borrow)]
    generated_text: Option<Text<'e>>,
    #[serde(borrow)]
    details: Option<Details<'e>>,
}

#[derive(Deserialize)]
struct Details<'e> {
    #[serde(borrow)]
    finish_reason: Option<Text<'e>>,
    generated_tokens: Option<u32>,
    input_length: Option<u32>,
}

impl<'e> Details<'e> {
    fn usage(&self) -> Option<Usage> {
        Some(Usage {
            prompt_tokens: self.input_length,
            completion_tokens: self.generated_tokens?,
            cached_tokens: None,
        })
    }

    fn finish_reason(self) -> Option<std::borrow::Cow<'e, str>> {
        let reason = Text::some(self.finish_reason)?;
        Some(match &*reason {
            "eos_token" | "stop_sequence" => "stop".into(),
            _ => reason,
        })
    }
}

/// What TGI calls a reason.
fn word(reason: &str) -> &str {
    match reason {
        "stop" => "eos_token",
        other => other,
    }
}

/// What an event says, in TGI's order.
#[derive(Serialize)]
struct EventOut<'a> {
    index: u32,
    token: TokenOut<'a>,
    generated_text: Option<&'a str>,
    details: Option<StreamDetails<'a>>,
}

#[derive(Serialize)]
struct TokenOut<'a> {
    /// The simulator says words, not ids.
    id: u32,
    text: &'a str,
    logprob: f32,
    special: bool,
}

#[derive(Serialize)]
struct StreamDetails<'a> {
    finish_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_tokens: Option<u32>,
    seed: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    input_length: Option<u32>,
}

#[derive(Serialize)]
struct WholeOut<'a> {
    generated_text: String,
    details: WholeDetails<'a>,
}

#[derive(Serialize)]
struct WholeDetails<'a> {
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_tokens: Option<u32>,
    seed: (),
    prefill: [(); 0],
    tokens: [(); 0],
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
    error_type: &'static str,
}

impl<'a> Failed<'a> {
    const fn new(error: &'a str) -> Self {
        Self { error, error_type: "generation" }
    }
}

/// Appends an event the way TGI does: without a space after the colon.
fn write_event(event: &impl Serialize, into: &mut BytesMut) {
    into.extend_from_slice(b"data:");
    write_json(event, into);
    into.extend_from_slice(b"\n\n");
}

/// What it has no parameter for.
const WITHOUT: &[Setting] = &[
    Setting::MinTokens,
    Setting::MinP,
    Setting::PresencePenalty,
    Setting::StopTokenIds,
    Setting::Choices,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_no_text_and_the_last_event_ends_the_stream() {
        let event = r#"{"index":3,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":"a b",
            "details":{"finish_reason":"eos_token","generated_tokens":3,"seed":null,"input_length":9}}"#;
        let expected = Delta {
            usage: Some(Asked::usage(9, 3)),
            finish_reason: Some("stop".into()),
            done: true,
            ..Delta::default()
        };
        assert_eq!(TgiGenerate.delta(event.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn an_older_server_tells_its_tokens_without_the_prompts() {
        let event = r#"{"token":{"text":"a"},"generated_text":"a","details":{"finish_reason":"length","generated_tokens":1}}"#;
        let usage = Usage { prompt_tokens: None, completion_tokens: 1, cached_tokens: None };
        assert_eq!(TgiGenerate.delta(event.as_bytes()).unwrap().usage, Some(usage));
    }

    #[test]
    fn an_error_in_a_stream_is_told_in_the_servers_words() {
        let event = br#"{"error":"Request failed during generation","error_type":"generation"}"#;
        let delta = TgiGenerate.delta(event).unwrap();
        assert_eq!(delta.error.as_deref(), Some("Request failed during generation"));
    }
}
