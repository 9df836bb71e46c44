//! How an answer is to be said: what a request, the server's options and faults wish for, and what the server has not been set up for.
//!
//! Deliberately says nothing itself: that is for `said`.

use std::num::NonZeroU32;

use serde_json::Value;
use tokometer_wire::{Api, Asked, ToolChoice};

use crate::faults::{Given, Kind};
use crate::options::Serving;
use crate::said::script::{Calling, Manner};
use crate::said::stops::Stops;
use crate::server::refusal::Refusal;

/// The manner in which a request is answered.
///
/// # Errors
/// If a tool is to be called and the server has not been set up to.
pub(crate) fn manner(
    asked: &Asked,
    api: &dyn Api,
    serving: &Serving,
    given: &Given,
) -> Result<Manner, Refusal> {
    let calling = if given.has(Kind::ToolCall) { Calling::Words } else { calling(asked, serving)? };
    let reasoning = match () {
        () if given.has(Kind::Reasoning) => 0.5,
        () if !thinks(asked) => 0.0,
        () => serving.reasoning_share,
    };
    Ok(Manner {
        stops: Stops { strings: asked.stop.clone(), kept: asked.keep_stop },
        min_tokens: asked.min_tokens.unwrap_or(0),
        logprobs: asked.logprobs,
        reasoning,
        calling,
        tokens_per_chunk: given.get(Kind::Coalesce).and_then(|fault| NonZeroU32::new(fault.tokens)),
        // Of the APIs that have stop strings, OpenAI's write a chunk even if it says nothing, and their ids have a beginning.
        holds_back: !api.id_prefix().is_empty(),
    })
}

/// Which tool is called. The words of refusals are vLLM's.
fn calling(asked: &Asked, serving: &Serving) -> Result<Calling, Refusal> {
    let refuse = |choice: &str| {
        let message = format!("tool_choice={choice} requires --tool-call-parser to be set");
        Err(Refusal::bad(&message))
    };
    let forced = match &asked.tool_choice {
        ToolChoice::None => return Ok(Calling::No),
        ToolChoice::Auto if serving.calls_tools_by_itself => false,
        ToolChoice::Auto if serving.calls_tools => return Ok(Calling::No),
        ToolChoice::Auto => {
            return Err(Refusal::bad(
                "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
            ));
        }
        ToolChoice::Required if !serving.calls_tools => return refuse("\"required\""),
        ToolChoice::Named(name) if !serving.calls_tools => {
            return refuse(&format!("function \"{name}\""));
        }
        ToolChoice::Required | ToolChoice::Named(_) => true,
    };
    let wanted = match &asked.tool_choice {
        ToolChoice::Named(name) => Some(name),
        _ => None,
    };
    let tools = asked.tools.iter().filter(|tool| wanted.is_none_or(|name| *name == tool.name));
    let functions = tools.map(|tool| (tool.name.clone(), tool.parameters.clone())).collect();
    Ok(Calling::One { functions, named: wanted.is_some(), forced })
}

/// Whether a request lets the model reason.
fn thinks(asked: &Asked) -> bool {
    let template = asked.fields.get("chat_template_kwargs");
    let switch = template.and_then(|arguments| arguments.get("enable_thinking"));
    switch.and_then(Value::as_bool).unwrap_or(true)
        && asked.fields.get("reasoning_effort").and_then(Value::as_str) != Some("none")
}
