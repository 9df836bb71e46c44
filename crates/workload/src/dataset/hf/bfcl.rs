//! The Berkeley Function Calling Leaderboard, version 3: questions with the tools that may be called.
//!
//! There is a file a category, and rows come from them in turn. The functions' schemas are in a dialect of their own, which is put
//! into JSON Schema. Of questions of several turns only the first is asked.

use serde_json::{Map, Value, json};
use tokometer_wire::Message;

use super::super::file::kind;
use super::super::length::Fate;
use super::super::rows::Row;
use super::super::sample::{Skip, Wrong};
use super::super::wording::Asked;
use super::known::Context;

/// The files of the categories, or of the usual ones.
pub(super) fn files(categories: &[String]) -> Vec<String> {
    let file = |category: &str| format!("BFCL_v3_{category}.json");
    let named: Vec<&str> =
        categories.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let named = if named.is_empty() { USUAL.to_vec() } else { named };
    named.into_iter().map(file).collect()
}

/// The first turn, and its tools.
pub(super) fn map(row: &Row, context: &Context<'_>) -> Result<Fate, Wrong> {
    let first = match row.get("question") {
        Some(Value::Array(turns)) => match turns.first() {
            Some(Value::Array(first)) if !first.is_empty() => first,
            _ => {
                return Err(Skip::Form(
                    "field question has no message in its first turn".to_owned(),
                )
                .into());
            }
        },
        Some(other) => {
            return Err(Wrong::Row(format!("field question is {}, not a list", kind(other))));
        }
        None => return Err(Wrong::Row("field question is missing".to_owned())),
    };
    let functions: &[Value] = match row.get("function") {
        Some(Value::Array(functions)) if functions.is_empty() => {
            return Err(Skip::Form("field function is an empty list".to_owned()).into());
        }
        Some(Value::Array(functions)) => functions,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        Some(other) => {
            let why = format!("field function is {}, neither an object nor a list", kind(other));
            return Err(Wrong::Row(why));
        }
        None => return Err(Wrong::Row("field function is missing".to_owned())),
    };
    let messages: Result<Vec<Message>, String> = first
        .iter()
        .map(|message| {
            serde_json::from_value(message.clone())
                .map_err(|error| format!("field question: a message of its first turn: {error}"))
        })
        .collect();
    let fate = context.wording.word(Asked::Conversation(messages?), context.limit())?;
    let Fate::Kept(mut drawn) = fate else { return Ok(fate) };
    let tools = functions
        .iter()
        .map(|function| json!({ "type": "function", "function": schema(function) }))
        .collect();
    // What the tools add to the prompt is the server's template's affair, so the tokens are not known here.
    drawn.tokens = None;
    drawn.extra = Map::from_iter([
        ("tools".to_owned(), Value::Array(tools)),
        ("tool_choice".to_owned(), "auto".into()),
    ]);
    Ok(Fate::Kept(drawn))
}

/// The schema with its types named as JSON Schema names them.
fn schema(node: &Value) -> Value {
    match node {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), schema(value))).collect();
            if let Some(Value::String(kind)) = fields.get_mut("type")
                && let Some((_, known)) = TYPES.iter().find(|(own, _)| own == kind)
            {
                *kind = (*known).to_owned();
            }
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(schema).collect(),
        other => other.clone(),
    }
}

const USUAL: [&str; 3] = ["simple", "live_simple", "multiple"];
const TYPES: [(&str, &str); 4] =
    [("dict", "object"), ("float", "number"), ("tuple", "array"), ("any", "string")];
