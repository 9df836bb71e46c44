//! Messages whose content is a list of parts: their texts for the chat template, and what else they hold for the count.
//!
//! Deliberately looks into no image: how many tokens one takes is a model's own affair, and here it is the same for each.

use serde_json::Value;
use tokometer_wire::Message;

/// The tokens that an image, a video or a sound takes in a prompt.
pub(crate) const PICTURE: usize = 256;

/// The messages with their contents as one string each: text parts are joined by newlines, as vLLM does, and others left out.
pub(crate) fn flattened(messages: &[Message]) -> Vec<Message> {
    messages.iter().map(plain).collect()
}

/// How many parts of these messages are images, videos or sounds.
pub(crate) fn pictures(messages: &[Message]) -> usize {
    let parts = messages.iter().filter_map(|message| message.content.as_array()).flatten();
    parts.filter(|part| is_picture(part)).count()
}

fn plain(message: &Message) -> Message {
    let Value::Array(parts) = &message.content else { return message.clone() };
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
        .collect();
    let (role, more) = (message.role.clone(), message.more.clone());
    Message { role, content: texts.join("\n").into(), more }
}

/// By the kind that a part names: `image_url`, `image`, `input_image`, `video_url`, `input_audio`, …
fn is_picture(part: &Value) -> bool {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    ["image", "video", "audio"].iter().any(|medium| kind.contains(medium))
}
