//! The events and bodies that the simulator writes, as vLLM writes them: blocks are opened, filled and closed.
//!
//! Deliberately without signatures of thinking, which only Anthropic could check.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::openai_response::{Null, write_json};
use super::super::{Reply, SoFar};
use crate::{Channel, Delta, Usage, sse};

/// Appends the events that tell `delta`.
pub(super) fn event(reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
    if so_far.over {
        return;
    }
    if let Some(message) = &delta.error {
        so_far.over = true;
        return sse::write_named(into, "error", |into| write_error(message, into));
    }
    so_far.note(delta);
    if so_far.opens() {
        write_named(into, &Start::new(reply, so_far.usage));
    }
    for piece in &delta.pieces {
        let kind = Kind::of(piece.channel);
        if !so_far.is_in(kind.channel()) {
            close(so_far, into);
            open(so_far, kind, into);
        }
        write_named(into, &BlockDelta::new(kind, &piece.text, last_block(so_far)));
    }
    if delta.done {
        so_far.over = true;
        close(so_far, into);
        if so_far.finish_reason.is_some() || so_far.usage.is_some() {
            write_named(into, &MessageDelta::new(so_far));
        }
        write_named(into, &Stop { r#type: "message_stop", index: None });
    }
}

/// Appends a whole body.
pub(super) fn whole(reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
    if let Some(message) = &delta.error {
        return write_error(message, into);
    }
    let mut content: Vec<Value> = delta
        .pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| whole_block(Kind::of(piece.channel), &piece.text, index))
        .collect();
    if content.is_empty() {
        content.push(json!({ "type": "text", "text": "" }));
    }
    let message = MessageOut {
        id: reply.id,
        r#type: "message",
        role: "assistant",
        content,
        model: reply.model,
        stop_reason: delta.finish_reason.as_deref().map(own_word),
        usage: delta.usage.map(Counted::new),
    };
    write_json(&message, into);
}

/// Anthropic's word for a reason.
fn own_word(reason: &str) -> &str {
    match reason {
        "length" => "max_tokens",
        "stop" => "end_turn",
        "tool_calls" => "tool_use",
        other => other,
    }
}

/// The kinds of blocks.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Thinking,
    ToolUse,
}

impl Kind {
    const fn of(channel: Channel) -> Self {
        match channel {
            Channel::Reasoning => Self::Thinking,
            Channel::ToolCall => Self::ToolUse,
            Channel::Content | Channel::Refusal | Channel::Result => Self::Text,
        }
    }

    const fn channel(self) -> Channel {
        match self {
            Self::Thinking => Channel::Reasoning,
            Self::ToolUse => Channel::ToolCall,
            Self::Text => Channel::Content,
        }
    }
}

fn last_block(so_far: &SoFar) -> u32 {
    u32::try_from(so_far.blocks.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

fn open(so_far: &mut SoFar, kind: Kind, into: &mut BytesMut) {
    so_far.blocks.push((kind.channel(), String::new()));
    so_far.block_is_open = true;
    let index = last_block(so_far);
    let block = match kind {
        Kind::Text => json!({ "type": "text", "text": "" }),
        Kind::Thinking => json!({ "type": "thinking", "thinking": "" }),
        // What the model would call it is not known to who simulates it.
        Kind::ToolUse => {
            json!({ "type": "tool_use", "id": format!("call-{index}"), "name": "", "input": {} })
        }
    };
    let event = json!({ "type": "content_block_start", "content_block": block, "index": index });
    sse::write_named(into, "content_block_start", |into| write_json(&event, into));
}

fn close(so_far: &mut SoFar, into: &mut BytesMut) {
    if std::mem::replace(&mut so_far.block_is_open, false) {
        write_named(into, &Stop { r#type: "content_block_stop", index: Some(last_block(so_far)) });
    }
}

/// A block of a whole body. Arguments that are no JSON object, as those of the simulator are none, stand as a text.
fn whole_block(kind: Kind, text: &str, index: usize) -> Value {
    match kind {
        Kind::Text => json!({ "type": "text", "text": text }),
        Kind::Thinking => json!({ "type": "thinking", "thinking": text }),
        Kind::ToolUse => {
            json!({ "type": "tool_use", "id": format!("call-{index}"), "name": "", "input": text })
        }
    }
}

/// What is written as an event that bears its type as its name.
trait Named: Serialize {
    fn name(&self) -> &'static str;
}

fn write_named(into: &mut BytesMut, event: &impl Named) {
    sse::write_named(into, event.name(), |into| write_json(event, into));
}

#[derive(Serialize)]
struct Start<'a> {
    r#type: &'static str,
    message: StartMessage<'a>,
}

#[derive(Serialize)]
struct StartMessage<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    content: [Null; 0],
    model: &'a str,
    stop_reason: Null,
    stop_sequence: Null,
    usage: Counted,
}

impl<'a> Start<'a> {
    fn new(reply: &Reply<'a>, usage: Option<Usage>) -> Self {
        let usage = usage.unwrap_or_default();
        let message = StartMessage {
            id: reply.id,
            r#type: "message",
            role: "assistant",
            content: [],
            model: reply.model,
            stop_reason: (),
            stop_sequence: (),
            usage: Counted::new(Usage { completion_tokens: 0, ..usage }),
        };
        Self { r#type: "message_start", message }
    }
}

impl Named for Start<'_> {
    fn name(&self) -> &'static str {
        self.r#type
    }
}

#[derive(Serialize)]
struct BlockDelta<'a> {
    r#type: &'static str,
    delta: SaidOut<'a>,
    index: u32,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "they are the API's own names")]
enum SaidOut<'a> {
    TextDelta { text: &'a str },
    ThinkingDelta { thinking: &'a str },
    InputJsonDelta { partial_json: &'a str },
}

impl<'a> BlockDelta<'a> {
    const fn new(kind: Kind, text: &'a str, index: u32) -> Self {
        let delta = match kind {
            Kind::Text => SaidOut::TextDelta { text },
            Kind::Thinking => SaidOut::ThinkingDelta { thinking: text },
            Kind::ToolUse => SaidOut::InputJsonDelta { partial_json: text },
        };
        Self { r#type: "content_block_delta", delta, index }
    }
}

impl Named for BlockDelta<'_> {
    fn name(&self) -> &'static str {
        self.r#type
    }
}

#[derive(Serialize)]
struct MessageDelta<'a> {
    r#type: &'static str,
    delta: Ending<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counted>,
}

#[derive(Serialize)]
struct Ending<'a> {
    stop_reason: Option<&'a str>,
    stop_sequence: Null,
}

impl<'a> MessageDelta<'a> {
    fn new(so_far: &'a SoFar) -> Self {
        Self {
            r#type: "message_delta",
            delta: Ending {
                stop_reason: so_far.finish_reason.as_deref().map(own_word),
                stop_sequence: (),
            },
            usage: so_far.usage.map(Counted::new),
        }
    }
}

impl Named for MessageDelta<'_> {
    fn name(&self) -> &'static str {
        self.r#type
    }
}

#[derive(Serialize)]
struct Stop {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
}

impl Named for Stop {
    fn name(&self) -> &'static str {
        self.r#type
    }
}

#[derive(Serialize)]
struct MessageOut<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    content: Vec<Value>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counted>,
}

#[derive(Serialize)]
struct Counted {
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u32>,
    output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u32>,
}

impl Counted {
    fn new(usage: Usage) -> Self {
        let cached = usage.cached_tokens;
        Self {
            input_tokens: usage.prompt_tokens.map(|all| all.saturating_sub(cached.unwrap_or(0))),
            output_tokens: usage.completion_tokens,
            cache_read_input_tokens: cached,
        }
    }
}

/// Writes the JSON of an error inside the server.
fn write_error(message: &str, into: &mut BytesMut) {
    let error =
        json!({ "type": "error", "error": { "type": "internal_error", "message": message } });
    write_json(&error, into);
}
