//! The events and bodies that the simulator writes, as vLLM writes them: items are opened, filled and closed, and the response
//! itself is told whole at both ends.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::openai_response::{write_error, write_json};
use super::super::{Reply, SoFar};
use crate::{Channel, Delta, Piece, Usage, sse};

/// Appends the events that tell `delta`.
pub(super) fn event(reply: &Reply<'_>, so_far: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
    if so_far.over {
        return;
    }
    let writer = Writer { reply };
    if let Some(message) = &delta.error {
        so_far.over = true;
        let error = json!({ "code": "InternalServerError", "message": message, "param": null });
        return writer.write(so_far, "error", error, into);
    }
    so_far.note(delta);
    if so_far.opens() {
        for name in ["response.created", "response.in_progress"] {
            let response = writer.response(so_far, "in_progress");
            writer.write(so_far, name, json!({ "response": response }), into);
        }
    }
    for piece in &delta.pieces {
        writer.piece(so_far, piece, into);
    }
    if delta.done {
        so_far.over = true;
        writer.close(so_far, into);
        let status = status(so_far.finish_reason.as_deref());
        let response = writer.response(so_far, status);
        writer.write(so_far, "response.completed", json!({ "response": response }), into);
    }
}

/// Appends a whole body.
pub(super) fn whole(reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
    if let Some(message) = &delta.error {
        return write_error(message, into);
    }
    let mut so_far = SoFar::default();
    so_far.note(delta);
    so_far.blocks =
        delta.pieces.iter().map(|piece| (piece.channel, piece.text.to_string())).collect();
    let status = status(delta.finish_reason.as_deref());
    write_json(&Writer { reply }.response(&so_far, status), into);
}

fn status(finish_reason: Option<&str>) -> &'static str {
    match finish_reason {
        None | Some("stop" | "tool_calls") => "completed",
        Some(_) => "incomplete",
    }
}

/// Writes the events of one response.
struct Writer<'a> {
    reply: &'a Reply<'a>,
}

impl Writer<'_> {
    /// Appends one event: these fields, its number and its type.
    fn write(&self, so_far: &mut SoFar, name: &str, mut fields: Value, into: &mut BytesMut) {
        fields["sequence_number"] = so_far.next_number().into();
        fields["type"] = name.into();
        sse::write_named(into, name, |into| write_json(&fields, into));
    }

    /// Appends a piece of output, and before it what closes the item at hand and opens one, where it belongs to another.
    fn piece(&self, so_far: &mut SoFar, piece: &Piece<'_>, into: &mut BytesMut) {
        if !so_far.is_in(piece.channel) {
            self.close(so_far, into);
            so_far.blocks.push((piece.channel, String::new()));
            so_far.block_is_open = true;
            self.open(so_far, piece.channel, into);
        }
        let index = so_far.blocks.len() - 1;
        let item_id = self.item_id(piece.channel, index);
        let sequence_number = so_far.next_number();
        let (content_index, logprobs) = match piece.channel {
            Channel::Content => (Some(0), Some([])),
            Channel::Reasoning | Channel::Refusal => (Some(0), None),
            Channel::ToolCall | Channel::Result => (None, None),
        };
        let name = Names::of(piece.channel).delta;
        let event = DeltaOut {
            content_index,
            delta: &piece.text,
            item_id: &item_id,
            logprobs,
            output_index: index,
            sequence_number,
            r#type: name,
        };
        sse::write_named(into, name, |into| write_json(&event, into));
        so_far.blocks[index].1.push_str(&piece.text);
    }

    fn open(&self, so_far: &mut SoFar, channel: Channel, into: &mut BytesMut) {
        let index = so_far.blocks.len() - 1;
        let item = self.item(channel, index, None);
        let added = json!({ "item": item, "output_index": index });
        self.write(so_far, "response.output_item.added", added, into);
        if let Some(part) = part(channel, "", true) {
            let added = json!({
                "content_index": 0, "item_id": self.item_id(channel, index), "output_index": index, "part": part,
            });
            self.write(so_far, "response.content_part.added", added, into);
        }
    }

    /// Closes the item at hand, if one is open.
    fn close(&self, so_far: &mut SoFar, into: &mut BytesMut) {
        if !std::mem::replace(&mut so_far.block_is_open, false) {
            return;
        }
        let Some((channel, text)) = so_far.blocks.last().cloned() else { return };
        let index = so_far.blocks.len() - 1;
        let item_id = self.item_id(channel, index);
        let names = Names::of(channel);
        let done = match channel {
            Channel::Content => json!({
                "content_index": 0, "item_id": item_id, "logprobs": [], "output_index": index,
            }),
            Channel::Reasoning | Channel::Refusal => {
                json!({ "content_index": 0, "item_id": item_id, "output_index": index })
            }
            Channel::ToolCall | Channel::Result => {
                json!({ "arguments": text, "item_id": item_id, "name": "", "output_index": index })
            }
        };
        self.done(so_far, names, done, &text, into);
        if let Some(part) = part(channel, &text, false) {
            let done = json!({
                "content_index": 0, "item_id": item_id, "output_index": index, "part": part,
            });
            self.write(so_far, "response.content_part.done", done, into);
        }
        let done = json!({ "item": self.item(channel, index, Some(&text)), "output_index": index });
        self.write(so_far, "response.output_item.done", done, into);
    }

    /// Appends what says all of an item's text: the text follows the number, and the type comes last.
    fn done(
        &self,
        so_far: &mut SoFar,
        names: Names,
        mut fields: Value,
        text: &str,
        into: &mut BytesMut,
    ) {
        fields["sequence_number"] = so_far.next_number().into();
        if let Some(name) = names.text {
            fields[name] = text.into();
        }
        fields["type"] = names.done.into();
        sse::write_named(into, names.done, |into| write_json(&fields, into));
    }

    fn item_id(&self, channel: Channel, index: usize) -> String {
        let id = self.reply.id.trim_start_matches("resp_");
        format!("{}_{id}_{index}", Names::of(channel).item)
    }

    /// An item of output: one that begins, or one with all of its text.
    fn item(&self, channel: Channel, index: usize, text: Option<&str>) -> Value {
        let id = self.item_id(channel, index);
        let status = if text.is_some() { "completed" } else { "in_progress" };
        let content: Vec<Value> =
            text.and_then(|text| part(channel, text, false)).into_iter().collect();
        match channel {
            Channel::Content | Channel::Refusal | Channel::Result => json!({
                "id": id, "content": content, "role": "assistant", "status": status,
                "type": "message", "phase": null,
            }),
            Channel::Reasoning => json!({
                "id": id, "summary": [], "type": "reasoning",
                "content": text.is_some().then_some(content),
                "encrypted_content": null, "status": status,
            }),
            // What the model would call it is not known to who simulates it.
            Channel::ToolCall => json!({
                "arguments": text.unwrap_or_default(), "call_id": format!("call_{id}"), "name": "",
                "type": "function_call", "id": id, "status": status,
            }),
        }
    }

    /// The response as it stands. What a request asked is not repeated: vLLM's defaults stand in its place.
    fn response(&self, so_far: &SoFar, status: &str) -> Value {
        let reason = so_far.finish_reason.as_deref().filter(|_| status == "incomplete").map(
            |reason| json!({ "reason": if reason == "length" { "max_output_tokens" } else { reason } }),
        );
        let output: Vec<Value> = match status {
            "in_progress" => Vec::new(),
            _ => so_far
                .blocks
                .iter()
                .enumerate()
                .map(|(index, (channel, text))| self.item(*channel, index, Some(text)))
                .collect(),
        };
        let usage = so_far.usage.filter(|_| status != "in_progress").map(counted);
        json!({
            "id": self.reply.id, "created_at": self.reply.created, "incomplete_details": reason,
            "instructions": null, "metadata": null, "model": self.reply.model, "object": "response",
            "output": output, "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "none",
            "tools": [], "top_p": 1.0, "background": false, "max_output_tokens": null,
            "max_tool_calls": null, "previous_response_id": null, "prompt": null, "reasoning": null,
            "service_tier": "auto", "status": status, "text": null, "top_logprobs": null,
            "truncation": "disabled", "usage": usage, "user": null, "presence_penalty": 0.0,
            "frequency_penalty": 0.0, "kv_transfer_params": null, "ec_transfer_params": null,
            "input_messages": null, "output_messages": null,
        })
    }
}

/// What the parts of a channel are called.
#[derive(Clone, Copy)]
struct Names {
    /// What the ids of its items begin with.
    item: &'static str,
    delta: &'static str,
    done: &'static str,
    /// The field that holds all of the text, where it comes after the number.
    text: Option<&'static str>,
}

impl Names {
    const fn of(channel: Channel) -> Self {
        match channel {
            Channel::Content | Channel::Result => Self {
                item: "msg",
                delta: "response.output_text.delta",
                done: "response.output_text.done",
                text: Some("text"),
            },
            Channel::Reasoning => Self {
                item: "rs",
                delta: "response.reasoning_text.delta",
                done: "response.reasoning_text.done",
                text: Some("text"),
            },
            Channel::Refusal => Self {
                item: "msg",
                delta: "response.refusal.delta",
                done: "response.refusal.done",
                text: Some("refusal"),
            },
            Channel::ToolCall => Self {
                item: "fc",
                delta: "response.function_call_arguments.delta",
                done: "response.function_call_arguments.done",
                text: None,
            },
        }
    }
}

/// The only part of an item's content. A call has none.
fn part(channel: Channel, text: &str, opening: bool) -> Option<Value> {
    let logprobs = if opening { json!([]) } else { Value::Null };
    Some(match channel {
        Channel::Content | Channel::Result => json!({
            "annotations": [], "text": text, "type": "output_text", "logprobs": logprobs,
        }),
        Channel::Reasoning => json!({ "text": text, "type": "reasoning_text" }),
        Channel::Refusal => json!({ "refusal": text, "type": "refusal" }),
        Channel::ToolCall => return None,
    })
}

fn counted(usage: Usage) -> Value {
    let input = usage.prompt_tokens.unwrap_or(0);
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens.unwrap_or(0), "cache_write_tokens": 0,
            "input_tokens_per_turn": [], "cached_tokens_per_turn": [],
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {
            "reasoning_tokens": 0, "tool_output_tokens": 0,
            "output_tokens_per_turn": [], "tool_output_tokens_per_turn": [],
        },
        "total_tokens": u64::from(input) + u64::from(usage.completion_tokens),
    })
}

/// A piece of output as an event, in vLLM's order.
#[derive(Serialize)]
struct DeltaOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u32>,
    delta: &'a str,
    item_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
    output_index: usize,
    sequence_number: u32,
    r#type: &'static str,
}
