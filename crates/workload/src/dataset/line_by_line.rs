//! `line_by_line`: each line is a prompt, a conversation or a whole request.
//!
//! A line that is JSON is one of the latter two, and sent as it is: no length is looked at. Any other line is plain text.

use serde_json::Value;
use tokometer_wire::{Message, Prompt};

use super::file::{self, Layout, kind};
use super::length::Raw;
use super::{Entry, File};

pub(super) const ENTRY: Entry = Entry {
    name: "line_by_line",
    help: "one request a line: plain text, a JSON list of messages, or a complete JSON body",
    file: Some(File {
        form: r#"lines of plain text, of messages such as [{"role": "user", "content": "…"}], or of bodies such as {"messages": […]}"#,
        usual: None,
    }),
    needs_tokenizer: false,
    length_control: true,
    takes_args: false,
    open: |spec, tokenizer| file::open(&ENTRY, spec, tokenizer, Layout::Lines, read),
};

fn read(line: &str) -> Result<Option<Raw>, String> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let raw = match serde_json::from_str(line) {
        Ok(Value::Array(messages)) => {
            if messages.is_empty() {
                return Err("its list of messages is empty".to_owned());
            }
            let messages: Result<Vec<Message>, String> = (1..)
                .zip(&messages)
                .map(|(number, message)| read_message(number, message))
                .collect();
            Raw::Ready(Prompt::Messages(messages?))
        }
        Ok(Value::Object(body)) => {
            if !["messages", "prompt", "input"].iter().any(|field| body.contains_key(*field)) {
                return Err("its body has neither a field messages nor a field prompt".to_owned());
            }
            Raw::Ready(Prompt::Body(body))
        }
        Ok(Value::String(text)) => Raw::Text(text),
        // A number by itself, or a word that happens to be one of JSON's, is a text like any other.
        _ => Raw::Text(line.to_owned()),
    };
    Ok(Some(raw))
}

fn read_message(number: usize, message: &Value) -> Result<Message, String> {
    let Value::Object(fields) = message else {
        return Err(format!("message {number} is {}, not an object", kind(message)));
    };
    file::field(fields, "role").map_err(|why| format!("message {number}: {why}"))?;
    if !fields.contains_key("content") {
        return Err(format!("message {number}: field content is missing"));
    }
    serde_json::from_value(message.clone()).map_err(|error| format!("message {number}: {error}"))
}
