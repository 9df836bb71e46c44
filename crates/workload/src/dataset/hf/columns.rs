//! Data sets that no table knows: the column with the prompt is found by its name.
//!
//! vLLM refuses such data sets. Here the first of these columns that a row has is asked: messages, conversations, prompt, question,
//! instruction (with input behind it), text.

use serde_json::Value;
use tokometer_wire::Message;

use super::super::file::{self, kind};
use super::super::length::Fate;
use super::super::rows::Row;
use super::super::sample::{Skip, Wrong};
use super::super::sharegpt::turns;
use super::super::wording::Asked;
use super::known::Context;

/// The column with the prompt.
pub(super) fn find(row: &Row) -> Result<&'static str, String> {
    let there = |name: &&&str| row.get(**name).is_some_and(|value| !value.is_null());
    COLUMNS.iter().find(there).copied().ok_or_else(|| {
        let columns: Vec<&str> = row.keys().map(String::as_str).collect();
        format!("it has none of the columns {}; it has {}", COLUMNS.join(", "), columns.join(", "))
    })
}

/// What that column asks.
pub(super) fn map(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let column = find(row)?;
    let asked = match (column, &row[column]) {
        ("conversations", _) => {
            let (question, _) = turns(row)?;
            Asked::Text(question.to_owned())
        }
        (_, Value::Array(messages)) => match conversation(messages, column)? {
            Some(messages) => Asked::Conversation(messages),
            None => {
                return Err(
                    Skip::Form(format!("field {column} has no message of the user's")).into()
                );
            }
        },
        ("messages", other) => {
            return Err(Wrong::Row(format!("field messages is {}, not a list", kind(other))));
        }
        ("instruction", _) => {
            let instruction = file::field(row, "instruction")?;
            match row.get("input").and_then(Value::as_str).filter(|input| !input.is_empty()) {
                Some(input) => Asked::Text(format!("{instruction}\n\n{input}")),
                None => Asked::Text(instruction.to_owned()),
            }
        }
        _ => Asked::Text(file::field(row, column)?.to_owned()),
    };
    if matches!(&asked, Asked::Text(text) if text.trim().is_empty()) {
        return Err(Skip::Form(format!("field {column} is empty")).into());
    }
    context.wording.word(asked, context.limit())
}

/// The messages up to what the user says last; nothing if the user says nothing.
fn conversation(messages: &[Value], column: &str) -> Result<Option<Vec<Message>>, Wrong> {
    let read = |(number, message): (usize, &Value)| {
        let Value::Object(fields) = message else {
            return Err(format!("it is {}, not an object", kind(message)));
        };
        file::field(fields, "role")
            .and_then(|_| {
                serde_json::from_value(message.clone()).map_err(|error| error.to_string())
            })
            .map_err(|why| format!("message {number} of {column}: {why}"))
    };
    let messages: Result<Vec<Message>, String> = (1..).zip(messages).map(read).collect();
    let mut messages = messages?;
    while messages.last().is_some_and(|last| last.role == "assistant") {
        messages.pop();
    }
    Ok((!messages.is_empty()).then_some(messages))
}

const COLUMNS: [&str; 6] =
    ["messages", "conversations", "prompt", "question", "instruction", "text"];
