//! Anthropic's messages, as Anthropic and vLLM serve them: a conversation in, blocks of text, thinking and calls of tools out.
//!
//! Deliberately no agent: a tool's call is output like any other and is never made. `ignore_eos` is no field of this API: in `extra`
//! it is sent, and servers leave it aside or refuse it.

mod written;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::fields::Setting;
use super::openai_response::{Text, add};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, composed, conversation, fields,
    openai_chat, openai_response,
};
use crate::{Channel, Delta, Message, Prompt, Request, Usage};

/// `/v1/messages`.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicMessages;

impl Api for AnthropicMessages {
    fn name(&self) -> &'static str {
        "anthropic-messages"
    }

    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    /// Messages of the role `system` become the field `system`, where this API has them, and images get its form.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let options = request.options;
        fields::refuse(self.name(), options, WITHOUT)?;
        let has_limit = |fields: &Map<String, Value>| fields.contains_key("max_tokens");
        let limited = options.max_tokens.is_some()
            || has_limit(&options.extra)
            || request.template.is_some_and(has_limit)
            || matches!(request.prompt, Prompt::Body(own) if has_limit(own));
        if !limited {
            return fields::unsupported(self.name(), "a request without max_tokens");
        }
        let (mut system, mut messages) = (None, None);
        match (request.prompt, conversation::messages(request.prompt)) {
            (_, Some(all)) => {
                let (above, others): (Vec<_>, Vec<_>) =
                    all.iter().partition(|message| message.role == "system");
                let text = |message: &&Message| conversation::text_of(&message.content);
                let above: Vec<String> = above.iter().map(text).collect();
                system = (!above.is_empty()).then(|| above.join("\n\n"));
                messages = Some(others.into_iter().map(message).collect::<Value>());
            }
            (Prompt::Body(_), None) => {}
            (other, None) => return fields::unsupported(self.name(), fields::named(other)),
        }
        let fields = [
            composed::given("model", request.model),
            composed::given("system", system),
            composed::given("messages", messages),
            composed::given("max_tokens", options.max_tokens),
            composed::given("temperature", options.temperature),
            composed::given("top_p", options.top_p),
            composed::given("top_k", options.top_k),
            composed::list("stop_sequences", &options.stop),
            composed::given("stream", Some(options.stream)),
        ];
        Ok(composed::body(request, fields.into_iter().flatten(), options.extra.clone()))
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
        let mut delta = Delta::default();
        match event.r#type.as_ref().map_or("", Text::as_str) {
            "content_block_delta" | "message_delta" => {
                if let Some(said) = event.delta {
                    add(&mut delta, None, Channel::Reasoning, said.thinking);
                    add(&mut delta, None, Channel::Content, said.text);
                    add(&mut delta, None, Channel::ToolCall, said.partial_json);
                    delta.finish_reason = Text::some(said.stop_reason).map(openai_word);
                }
                delta.usage = event.usage.and_then(|counts| counts.usage());
            }
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    block.tell(&mut delta);
                }
            }
            "message_start" => {
                let counts = event.message.and_then(|message| message.usage);
                // Some servers have counted a token here already; what they say of output is final at the end only.
                let opening = |usage: Usage| Usage { completion_tokens: 0, ..usage };
                delta.usage = counts.and_then(|counts| counts.usage()).map(opening);
            }
            "message_stop" => delta.done = true,
            // `ping`, `content_block_stop`, and whatever later versions add.
            _ => {}
        }
        Ok(delta)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let body = openai_response::object(body.trim_ascii())?;
        let whole: Whole<'e> = serde_json::from_slice(body)?;
        if let Some(error) = openai_response::error(body)? {
            return Ok(Delta { error: Some(error.into()), ..Delta::default() });
        }
        let Some(blocks) = whole.content else {
            return Err(DecodeError::Field("the response has no content".into()));
        };
        let mut delta = Delta::default();
        for block in blocks {
            block.tell(&mut delta);
        }
        delta.usage = whole.usage.and_then(|counts| counts.usage());
        delta.finish_reason = Text::some(whole.stop_reason).map(openai_word);
        Ok(delta)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let body = fields::object(body)?;
        let Some(max_tokens) = fields::count(&body, "max_tokens")? else {
            return Err(fields::missing("max_tokens"));
        };
        Ok(Asked {
            stream: fields::flag(&body, "stream")?,
            continuous_usage: true,
            max_tokens: Some(max_tokens),
            stop: fields::texts(&body, "stop_sequences")?,
            ..Asked::plain(fields::model(&body)?, prompt(&body)?, body)
        })
    }

    fn id_prefix(&self) -> &'static str {
        "chatcmpl-"
    }

    fn refusal(&self, kind: &str, message: &str) -> Option<Value> {
        Some(json!({ "type": "error", "error": { "type": kind, "message": message } }))
    }

    fn event(&self, reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        written::event(reply, so_far, delta, into);
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        written::whole(reply, delta, into);
    }
}

fn message(message: &Message) -> Value {
    let part = |part: &Value| {
        let url = conversation::image_url(part)?;
        Some(json!({ "type": "image", "source": conversation::image_source(url) }))
    };
    let mut message = message.clone();
    message.content = conversation::with_parts(&message.content, part);
    json!(message)
}

/// What is asked: the conversation, with the field `system` as its first message.
fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    let Prompt::Messages(mut messages) = openai_chat::messages(body)? else {
        return Err(fields::missing("messages"));
    };
    let system = match body.get("system") {
        None | Some(Value::Null) => return Ok(Prompt::Messages(messages)),
        Some(text @ (Value::String(_) | Value::Array(_))) => conversation::text_of(text),
        Some(other) => return Err(fields::wrong("system", "a string or a list of blocks", other)),
    };
    let first = Message { role: "system".into(), content: system.into(), more: Map::new() };
    messages.insert(0, first);
    Ok(Prompt::Messages(messages))
}

/// OpenAI's word for a reason, where both have one.
fn openai_word(reason: std::borrow::Cow<'_, str>) -> std::borrow::Cow<'_, str> {
    match &*reason {
        "max_tokens" => "length".into(),
        "end_turn" | "stop_sequence" => "stop".into(),
        "tool_use" => "tool_calls".into(),
        _ => reason,
    }
}

#[derive(Deserialize)]
struct Event<'e> {
    /// A proxy between may send an error without it.
    #[serde(borrow)]
    r#type: Option<Text<'e>>,
    #[serde(borrow)]
    delta: Option<Said<'e>>,
    #[serde(borrow)]
    content_block: Option<Block<'e>>,
    message: Option<Opening>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Said<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    #[serde(borrow)]
    thinking: Option<Text<'e>>,
    #[serde(borrow)]
    partial_json: Option<Text<'e>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'e>>,
}

/// A block: whole in a body, and as good as empty where a stream opens it.
#[derive(Deserialize)]
struct Block<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    #[serde(borrow)]
    thinking: Option<Text<'e>>,
    #[serde(borrow)]
    name: Option<Text<'e>>,
    input: Option<Value>,
}

impl<'e> Block<'e> {
    fn tell(self, delta: &mut Delta<'e>) {
        add(delta, None, Channel::Reasoning, self.thinking);
        add(delta, None, Channel::Content, self.text);
        add(delta, None, Channel::ToolCall, self.name);
        let arguments = match self.input {
            Some(Value::Object(input)) if !input.is_empty() => Value::Object(input).to_string(),
            Some(Value::String(text)) if !text.is_empty() => text,
            _ => return,
        };
        let text = arguments.into();
        delta.pieces.push(crate::Piece { choice: 0, channel: Channel::ToolCall, text });
    }
}

#[derive(Deserialize)]
struct Opening {
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Whole<'e> {
    #[serde(borrow)]
    content: Option<Vec<Block<'e>>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'e>>,
    usage: Option<Counts>,
}

/// Tokens as this API counts them: those that were in a cache, or are put into one, are not among the input's.
#[derive(Deserialize)]
struct Counts {
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
}

impl Counts {
    fn usage(&self) -> Option<Usage> {
        let cached = self.cache_read_input_tokens;
        let beside =
            cached.unwrap_or(0).saturating_add(self.cache_creation_input_tokens.unwrap_or(0));
        Some(Usage {
            prompt_tokens: self.input_tokens.map(|input| input.saturating_add(beside)),
            completion_tokens: self.output_tokens?,
            cached_tokens: cached,
        })
    }
}

/// What it has no field for.
const WITHOUT: &[Setting] = &[
    Setting::MinTokens,
    Setting::MinP,
    Setting::PresencePenalty,
    Setting::FrequencyPenalty,
    Setting::RepetitionPenalty,
    Setting::Logprobs,
    Setting::Seed,
    Setting::StopTokenIds,
    Setting::Choices,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(event: &str) -> Delta<'_> {
        AnthropicMessages.delta(event.as_bytes()).unwrap()
    }

    #[test]
    fn a_call_of_a_tool_is_its_name_and_its_arguments() {
        let start = delta(
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"x","name":"f","input":{}}}"#,
        );
        let arguments = delta(
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
        );
        let said = |delta: Delta<'_>| -> Vec<(Channel, String)> {
            delta.pieces.into_iter().map(|piece| (piece.channel, piece.text.into())).collect()
        };
        assert_eq!(said(start), [(Channel::ToolCall, "f".into())]);
        assert_eq!(said(arguments), [(Channel::ToolCall, "{\"a\"".into())]);
    }

    #[test]
    fn pings_signatures_and_events_of_later_versions_tell_nothing() {
        for event in [
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"something_new","delta":{"text":"not output"}}"#,
        ] {
            assert_eq!(delta(event), Delta::default(), "{event}");
        }
    }

    #[test]
    fn a_prompts_tokens_are_told_at_the_start_and_its_outputs_at_the_end() {
        let start = delta(
            r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":1}}}"#,
        );
        let end = delta(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#,
        );
        let usage = end.usage.unwrap().after(start.usage);
        let expected =
            Usage { prompt_tokens: Some(10), completion_tokens: 7, cached_tokens: Some(3) };
        assert_eq!(usage, expected);
        assert_eq!(end.finish_reason.as_deref(), Some("stop"));
    }

    #[test]
    fn an_overloaded_server_is_an_error() {
        let event =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(delta(event).error.as_deref(), Some("Overloaded"));
    }

    #[test]
    fn an_error_is_one_without_its_type_too() {
        let event = r#"{"error":{"message":"upstream went away","code":502}}"#;
        assert_eq!(delta(event).error.as_deref(), Some("upstream went away"));
    }

    #[test]
    fn a_request_without_a_limit_is_refused() {
        let error = AnthropicMessages.parse(br#"{"messages":[]}"#).unwrap_err();
        assert_eq!(error.to_string(), "max_tokens: field required");
    }
}
