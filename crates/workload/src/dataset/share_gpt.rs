//! `share_gpt_zh` and `share_gpt_en`: conversations of people with a model, up to what the user said last.
//!
//! What the model said at the very end is left out, for that is what is asked for. Without a prefix, lengths are those of the
//! user's last words.

use serde_json::Value;
use tokometer_wire::Message;

use super::file::{self, Layout, kind};
use super::length::{Raw, message};
use super::{Entry, File};

pub(super) const ENTRY_ZH: Entry = Entry {
    name: "share_gpt_zh",
    help: "conversations in Chinese (swift/sharegpt's common_zh_70k.jsonl)",
    file: Some(File { form: FORM, usual: Some("common_zh_70k.jsonl") }),
    needs_tokenizer: false,
    length_control: true,
    takes_args: false,
    open: |spec, tokenizer| file::open(&ENTRY_ZH, spec, tokenizer, Layout::Lines, read),
};

pub(super) const ENTRY_EN: Entry = Entry {
    name: "share_gpt_en",
    help: "conversations in English (swift/sharegpt's common_en_70k.jsonl)",
    file: Some(File { form: FORM, usual: Some("common_en_70k.jsonl") }),
    needs_tokenizer: false,
    length_control: true,
    takes_args: false,
    open: |spec, tokenizer| file::open(&ENTRY_EN, spec, tokenizer, Layout::Lines, read),
};

fn read(line: &str) -> Result<Option<Raw>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let item = file::object(line)?;
    let turns = match item.get("conversation") {
        Some(Value::Array(turns)) => turns,
        Some(other) => return Err(format!("field conversation is {}, not a list", kind(other))),
        None => return Err("field conversation is missing".to_owned()),
    };
    if turns.is_empty() {
        return Err("field conversation is an empty list".to_owned());
    }
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len() * 2);
    for (number, turn) in (1..).zip(turns) {
        let place = |why| format!("turn {number}: {why}");
        if let Value::Object(fields) = turn
            && !fields.contains_key("human")
        {
            return Err(place("field human is missing".to_owned()));
        }
        let human = said(turn, "human").map_err(place)?;
        let assistant = said(turn, "assistant").map_err(place)?;
        if human.is_empty() {
            continue;
        }
        messages.push(message("user", human.to_owned()));
        if !assistant.is_empty() {
            messages.push(message("assistant", assistant.to_owned()));
        }
    }
    messages.pop_if(|last| last.role == "assistant");
    Ok((!messages.is_empty()).then_some(Raw::Conversation(messages)))
}

/// What one side said in a turn: nothing, if the field is missing.
fn said<'a>(turn: &'a Value, side: &str) -> Result<&'a str, String> {
    let Value::Object(turn) = turn else {
        return Err(format!("it is {}, not an object", kind(turn)));
    };
    match turn.get(side) {
        None | Some(Value::Null) => Ok(""),
        Some(_) => file::field(turn, side).map(str::trim),
    }
}

const FORM: &str = r#"JSON lines such as {"conversation": [{"human": "…", "assistant": "…"}, …]}, as in swift/sharegpt"#;
