//! OpenAI's responses, as vLLM serves them: an input in, items of output out, each opened, filled and closed by events of its own.
//!
//! Deliberately no agent: a tool's call is output like any other and is never made. Nothing is asked to be stored, for a server
//! that keeps every response of a benchmark grows with it.

mod written;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::fields::Setting;
use super::openai_response::{Text, add};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, composed, conversation, fields,
    openai_response,
};
use crate::{Channel, Delta, Message, Prompt, Request, Usage};

/// `/v1/responses`.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiResponses;

impl Api for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai-responses"
    }

    fn path(&self) -> &'static str {
        "/v1/responses"
    }

    /// A text is sent as it is; of a conversation the parts get the names that they have here.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let options = request.options;
        fields::refuse(self.name(), options, &[Setting::MinTokens, Setting::Choices])?;
        let input = match request.prompt {
            Prompt::Text(text) => Some(Value::from(text.as_str())),
            Prompt::Messages(messages) => Some(messages.iter().map(message).collect()),
            Prompt::Body(_) => None,
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        let logprobs = options.logprobs == Some(true);
        let fields = [
            composed::given("model", request.model),
            composed::given("input", input),
            composed::given("max_output_tokens", options.max_tokens),
            composed::given("temperature", options.temperature),
            composed::given("top_p", options.top_p),
            composed::given("top_k", options.top_k),
            composed::given("min_p", options.min_p),
            composed::given("presence_penalty", options.presence_penalty),
            composed::given("frequency_penalty", options.frequency_penalty),
            composed::given("repetition_penalty", options.repetition_penalty),
            composed::given("include", logprobs.then(|| json!(["message.output_text.logprobs"]))),
            composed::given("top_logprobs", options.top_logprobs.filter(|_| logprobs)),
            composed::given("seed", options.seed),
            composed::list("stop", &options.stop),
            composed::list("stop_token_ids", &options.stop_token_ids),
            composed::given("stream", Some(options.stream)),
            composed::given("store", Some(false)),
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
        let mut delta = Delta::default();
        let kind = event.r#type.as_ref().map_or("", Text::as_str);
        match kind {
            "response.output_text.delta" => {
                add(&mut delta, None, Channel::Content, event.delta);
            }
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                add(&mut delta, None, Channel::Reasoning, event.delta);
            }
            "response.refusal.delta" => add(&mut delta, None, Channel::Refusal, event.delta),
            "response.function_call_arguments.delta"
            | "response.custom_tool_call_input.delta"
            | "response.mcp_call_arguments.delta" => {
                add(&mut delta, None, Channel::ToolCall, event.delta);
            }
            "response.output_item.added" => {
                let name = event.item.and_then(|item| item.name);
                add(&mut delta, None, Channel::ToolCall, name);
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = event.response {
                    delta.usage = response.usage.as_ref().and_then(Counts::usage);
                    delta.finish_reason = response.finish_reason();
                }
                delta.done = true;
            }
            "response.failed" | "response.cancelled" => delta.error = Some(failure(data)?.into()),
            "error" => delta.error = Some(crate::error_message(data).into()),
            _ if event.error.is_some() => {
                delta.error = openai_response::error(data)?.map(Into::into);
            }
            // What opens and closes items, and whatever later versions add.
            _ => {}
        }
        Ok(delta)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let body = openai_response::object(body.trim_ascii())?;
        let mut whole: Response<'e> = serde_json::from_slice(body)?;
        if let Some(error) = openai_response::error(body)? {
            return Ok(Delta { error: Some(error.into()), ..Delta::default() });
        }
        let Some(items) = whole.output.take() else {
            return Err(DecodeError::Field("the response has no output".into()));
        };
        let mut delta = Delta::default();
        for item in items {
            item.tell(&mut delta);
        }
        delta.usage = whole.usage.as_ref().and_then(Counts::usage);
        delta.finish_reason = whole.finish_reason();
        Ok(delta)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let body = fields::object(body)?;
        Ok(Asked {
            stream: fields::flag(&body, "stream")?,
            max_tokens: fields::count(&body, "max_output_tokens")?,
            ignore_eos: fields::flag(&body, "ignore_eos")?,
            ..Asked::plain(fields::model(&body)?, prompt(&body)?, body)
        })
    }

    fn id_prefix(&self) -> &'static str {
        "resp_"
    }

    fn event(&self, reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        written::event(reply, so_far, delta, into);
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        written::whole(reply, delta, into);
    }
}

/// A message as an item of input.
fn message(message: &Message) -> Value {
    let said = if message.role == "assistant" { "output_text" } else { "input_text" };
    let part = if said == "input_text" { input_part } else { output_part };
    let mut message = message.clone();
    message.content = conversation::with_parts(&message.content, part);
    json!(message)
}

fn input_part(part: &Value) -> Option<Value> {
    if let Some(url) = conversation::image_url(part) {
        return Some(json!({ "type": "input_image", "image_url": url, "detail": "auto" }));
    }
    text_part(part, "input_text")
}

fn output_part(part: &Value) -> Option<Value> {
    text_part(part, "output_text")
}

fn text_part(part: &Value, kind: &str) -> Option<Value> {
    let is_text = part.get("type").and_then(Value::as_str) == Some("text");
    is_text.then(|| json!({ "type": kind, "text": part.get("text") }))
}

/// What is asked: a text is one message of a user, for vLLM makes it one too; `instructions` come first.
fn prompt(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    let mut messages = match body.get("input") {
        None => return Err(fields::missing("input")),
        Some(Value::String(text)) => vec![conversation::of_user(text)],
        Some(Value::Array(items)) => {
            items.iter().enumerate().map(item).collect::<Result<_, _>>()?
        }
        Some(other) => {
            return Err(fields::wrong("input", "a string or a list of messages", other));
        }
    };
    match body.get("instructions") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            messages.insert(0, Message { role: "system".into(), ..conversation::of_user(text) });
        }
        Some(other) => return Err(fields::wrong("instructions", "a string", other)),
    }
    Ok(Prompt::Messages(messages))
}

fn item((index, item): (usize, &Value)) -> Result<Message, DecodeError> {
    Message::deserialize(item)
        .map_err(|error| DecodeError::Field(format!("input[{index}]: {error}")))
}

/// The words of a response that failed: they stand inside it.
#[cold]
fn failure(data: &[u8]) -> Result<String, DecodeError> {
    let event: Value = serde_json::from_slice(data)?;
    let told = event.get("response").and_then(crate::error_message::told);
    Ok(told.unwrap_or_else(|| crate::error_message(data)))
}

#[derive(Deserialize)]
struct Event<'e> {
    #[serde(borrow)]
    r#type: Option<Text<'e>>,
    #[serde(borrow)]
    delta: Option<Text<'e>>,
    #[serde(borrow)]
    item: Option<Named<'e>>,
    #[serde(borrow)]
    response: Option<Response<'e>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Named<'e> {
    #[serde(borrow)]
    name: Option<Text<'e>>,
}

#[derive(Deserialize)]
struct Response<'e> {
    #[serde(borrow)]
    status: Option<Text<'e>>,
    #[serde(borrow)]
    incomplete_details: Option<Reason<'e>>,
    #[serde(borrow)]
    output: Option<Vec<Item<'e>>>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Reason<'e> {
    #[serde(borrow)]
    reason: Option<Text<'e>>,
}

impl<'e> Response<'e> {
    /// Why it ended, in the words of chat completions.
    fn finish_reason(self) -> Option<std::borrow::Cow<'e, str>> {
        match self.status?.as_str() {
            "completed" => Some("stop".into()),
            "incomplete" => {
                let reason = Text::some(self.incomplete_details.and_then(|of| of.reason));
                let reason = reason.unwrap_or("incomplete".into());
                Some(if reason == "max_output_tokens" { "length".into() } else { reason })
            }
            _ => None,
        }
    }
}

/// An item of output: a message, reasoning, a call.
#[derive(Deserialize)]
struct Item<'e> {
    #[serde(borrow)]
    r#type: Option<Text<'e>>,
    #[serde(borrow)]
    content: Option<Vec<Part<'e>>>,
    #[serde(borrow)]
    summary: Option<Vec<Part<'e>>>,
    #[serde(borrow)]
    name: Option<Text<'e>>,
    #[serde(borrow)]
    arguments: Option<Text<'e>>,
}

#[derive(Deserialize)]
struct Part<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    #[serde(borrow)]
    refusal: Option<Text<'e>>,
}

impl<'e> Item<'e> {
    fn tell(self, delta: &mut Delta<'e>) {
        let reasons = self.r#type.as_ref().is_some_and(|of| of.is("reasoning"));
        let channel = if reasons { Channel::Reasoning } else { Channel::Content };
        let before = delta.pieces.len();
        for part in self.content.into_iter().flatten() {
            add(delta, None, channel, part.text);
            add(delta, None, Channel::Refusal, part.refusal);
        }
        // Where the reasoning itself is withheld, its summary is what was said.
        if reasons && delta.pieces.len() == before {
            for part in self.summary.into_iter().flatten() {
                add(delta, None, Channel::Reasoning, part.text);
            }
        }
        add(delta, None, Channel::ToolCall, self.name);
        add(delta, None, Channel::ToolCall, self.arguments);
    }
}

#[derive(Deserialize)]
struct Counts {
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u32>,
}

impl Counts {
    fn usage(&self) -> Option<Usage> {
        Some(Usage {
            prompt_tokens: self.input_tokens,
            completion_tokens: self.output_tokens?,
            cached_tokens: self.input_tokens_details.as_ref().and_then(|told| told.cached_tokens),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(event: &str) -> Delta<'_> {
        OpenAiResponses.delta(event.as_bytes()).unwrap()
    }

    #[test]
    fn each_kind_of_output_has_its_channel() {
        for (kind, channel) in [
            ("output_text", Channel::Content),
            ("reasoning_text", Channel::Reasoning),
            ("reasoning_summary_text", Channel::Reasoning),
            ("refusal", Channel::Refusal),
            ("function_call_arguments", Channel::ToolCall),
        ] {
            let event = format!(r#"{{"type":"response.{kind}.delta","delta":"a"}}"#);
            let delta = delta(&event);
            assert_eq!((delta.pieces[0].channel, &*delta.pieces[0].text), (channel, "a"));
        }
    }

    #[test]
    fn a_failed_response_is_an_error_with_the_servers_words() {
        let event = r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"out of memory"}}}"#;
        assert_eq!(delta(event).error.as_deref(), Some("out of memory"));
        let event = r#"{"type":"error","code":"x","message":"no more","sequence_number":3}"#;
        assert_eq!(delta(event).error.as_deref(), Some("no more"));
    }

    #[test]
    fn a_response_ends_by_itself_at_its_limit_or_for_a_reason_of_its_own() {
        let reason = |response: &str| {
            let event = format!(r#"{{"type":"response.completed","response":{response}}}"#);
            let delta = delta(&event);
            assert!(delta.done);
            delta.finish_reason.map(|reason| reason.to_string())
        };
        assert_eq!(reason(r#"{"status":"completed"}"#).as_deref(), Some("stop"));
        let limit =
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#;
        assert_eq!(reason(limit).as_deref(), Some("length"));
        let filter = r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#;
        assert_eq!(reason(filter).as_deref(), Some("content_filter"));
    }

    #[test]
    fn withheld_reasoning_is_told_by_its_summary() {
        let body = r#"{"output":[{"type":"reasoning","summary":[{"text":"a"}]},{"type":"message","content":[{"type":"output_text","text":"b"}]}]}"#;
        let delta = OpenAiResponses.body(body.as_bytes()).unwrap();
        let channels: Vec<_> = delta.pieces.iter().map(|piece| piece.channel).collect();
        assert_eq!(channels, [Channel::Reasoning, Channel::Content]);
    }
}
