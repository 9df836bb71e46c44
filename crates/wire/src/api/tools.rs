//! The tools that a chat may call, as OpenAI's requests describe them: for the server that is to answer with a call.
//!
//! Deliberately no schema is checked here: whoever makes up arguments reads of it what it understands.

use serde_json::{Map, Value};

use super::DecodeError;

/// A function that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments; null where none is given.
    pub parameters: Value,
}

/// Whether a tool is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// None is.
    #[default]
    None,
    /// If the model thinks fit.
    Auto,
    /// One of them is.
    Required,
    /// The one of that name is.
    Named(String),
}

/// The tools of a request, and which of them is to be called. The words of what is wrong are vLLM's.
pub(super) fn read(fields: &Map<String, Value>) -> Result<(Vec<Tool>, ToolChoice), DecodeError> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let tools = match given("tools") {
        None => Vec::new(),
        Some(Value::Array(tools)) if tools.is_empty() => {
            return refuse(
                "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.",
            );
        }
        Some(Value::Array(tools)) => {
            tools.iter().enumerate().map(tool).collect::<Result<_, _>>()?
        }
        Some(other) => return Err(super::fields::wrong("tools", "a list", other)),
    };
    let choice = match given("tool_choice") {
        None if tools.is_empty() => ToolChoice::None,
        None => ToolChoice::Auto,
        Some(Value::String(choice)) if choice == "none" => ToolChoice::None,
        Some(_) if tools.is_empty() => {
            return refuse("When using `tool_choice`, `tools` must be set.");
        }
        Some(Value::String(choice)) if choice == "auto" => ToolChoice::Auto,
        Some(Value::String(choice)) if choice == "required" => ToolChoice::Required,
        Some(Value::Object(choice)) => ToolChoice::Named(named(choice, &tools)?),
        Some(other) => {
            let other = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return refuse(&format!(
                "Invalid value for `tool_choice`: {other}! Only named tools, \"none\", \"auto\" or \"required\" are supported."
            ));
        }
    };
    Ok((tools, choice))
}

fn tool((index, tool): (usize, &Value)) -> Result<Tool, DecodeError> {
    let function = tool.get("function").unwrap_or(&Value::Null);
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(super::fields::missing(&format!("tools.{index}.function.name")));
    };
    let parameters = function.get("parameters").cloned().unwrap_or_default();
    Ok(Tool { name: name.to_owned(), parameters })
}

fn named(choice: &Map<String, Value>, tools: &[Tool]) -> Result<String, DecodeError> {
    let usage =
        "Correct usage: `{\"type\": \"function\", \"function\": {\"name\": \"my_function\"}}`";
    let Some(name) = choice.get("function").and_then(|function| function.get("name")?.as_str())
    else {
        return refuse(&format!("Expected field `name` in `function` in `tool_choice`! {usage}"));
    };
    match tools.iter().any(|tool| tool.name == name) {
        true => Ok(name.to_owned()),
        false => refuse(
            "The tool specified in `tool_choice` does not match any of the specified `tools`",
        ),
    }
}

fn refuse<T>(why: &str) -> Result<T, DecodeError> {
    Err(DecodeError::Field(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choice(fields: Value) -> Result<ToolChoice, String> {
        let fields = fields.as_object().unwrap().clone();
        read(&fields).map(|(_, choice)| choice).map_err(|error| error.to_string())
    }

    #[test]
    fn a_choice_is_none_without_tools_and_auto_with_them_unless_it_is_named() {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let with = |choice: Value| json!({ "tools": tools, "tool_choice": choice });
        assert_eq!(choice(json!({})), Ok(ToolChoice::None));
        assert_eq!(choice(json!({ "tools": tools })), Ok(ToolChoice::Auto));
        assert_eq!(choice(with(json!("none"))), Ok(ToolChoice::None));
        assert_eq!(choice(with(json!("required"))), Ok(ToolChoice::Required));
        let named = json!({ "type": "function", "function": { "name": "f" } });
        assert_eq!(choice(with(named)), Ok(ToolChoice::Named("f".into())));
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let refused = |fields| choice(fields).unwrap_err();
        assert_eq!(
            refused(json!({ "tool_choice": "auto" })),
            "When using `tool_choice`, `tools` must be set."
        );
        let other = json!({ "function": { "name": "g" } });
        assert!(
            refused(json!({ "tools": tools, "tool_choice": other }))
                .starts_with("The tool specified")
        );
        assert!(
            refused(json!({ "tools": tools, "tool_choice": {} }))
                .starts_with("Expected field `name`")
        );
        assert!(
            refused(json!({ "tools": tools, "tool_choice": 3 }))
                .starts_with("Invalid value for `tool_choice`: 3!")
        );
        assert!(refused(json!({ "tools": [] })).starts_with("`tools` must not be an empty array."));
        assert_eq!(refused(json!({ "tools": [{}] })), "tools.0.function.name: field required");
    }
}
