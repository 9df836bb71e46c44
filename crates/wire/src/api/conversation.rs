//! Conversations between the forms that APIs give them: messages as chat completions have them, and as others do.
//!
//! Deliberately changes no words: only the names around them.

use serde_json::{Value, json};

use crate::{Message, Prompt};

/// The text of a conversation that is one text alone.
pub(super) fn only_text(messages: &[Message]) -> Option<&str> {
    match messages {
        [Message { content: Value::String(text), .. }] => Some(text),
        _ => None,
    }
}

/// One message of a user.
pub(super) fn of_user(text: &str) -> Message {
    Message { role: "user".into(), content: text.into(), more: serde_json::Map::new() }
}

/// The messages of a prompt, if it is a text or a conversation.
pub(super) fn messages(prompt: &Prompt) -> Option<Vec<Message>> {
    match prompt {
        Prompt::Text(text) => Some(vec![of_user(text)]),
        Prompt::Messages(messages) => Some(messages.clone()),
        _ => None,
    }
}

/// The text of a message's content: all of its parts that are text, one after the other.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

/// The content with each part that is an object put into another form by `part`; a text stays as it is.
pub(super) fn with_parts(content: &Value, part: fn(&Value) -> Option<Value>) -> Value {
    match content {
        Value::Array(parts) => {
            parts.iter().map(|of| part(of).unwrap_or_else(|| of.clone())).collect()
        }
        other => other.clone(),
    }
}

/// The URL of a part that is an image, as chat completions have it.
pub(super) fn image_url(part: &Value) -> Option<&str> {
    match part.get("image_url")? {
        Value::String(url) => Some(url),
        image => image.get("url")?.as_str(),
    }
}

/// The form that Anthropic's messages give to an image: a data URL is taken apart.
pub(super) fn image_source(url: &str) -> Value {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, data)) => {
            json!({ "type": "base64", "media_type": media_type, "data": data })
        }
        None => json!({ "type": "url", "url": url }),
    }
}
