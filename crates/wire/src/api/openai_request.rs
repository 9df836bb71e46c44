//! What the requests of OpenAI's two APIs have in common: the fields of their bodies, written and read.
//!
//! Deliberately knows nothing of prompts: those are what the two differ in.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::fields::{count, flag, model, texts, wrong};
use super::{Asked, DecodeError, ToolChoice};
use crate::{LimitName, Options, Prompt, Request};

/// Which of the two it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Chat,
    Completions,
}

/// The body of a request whose prompt is the field `prompt`.
///
/// What is asked for by several is decided by the later: the template, the options and the prompt, `extra`.
pub(super) fn encode(request: &Request<'_>, prompt: (&str, Value), form: Form) -> Bytes {
    let options = request.options;
    let streamed = stream_wanted(&options.extra).unwrap_or(options.stream);
    let mut body = request.template.cloned().unwrap_or_default();
    if let Some(model) = request.model {
        body.insert("model".into(), model.into());
    }
    body.insert(prompt.0.into(), prompt.1);
    body.extend(settings(options, form));
    if streamed {
        stream_options(&mut body).insert("include_usage".into(), true.into());
    } else {
        body.shift_remove("stream_options");
    }
    finish(body, options)
}

/// The body of a request that came with one of its own.
///
/// What is asked for by several is decided by the later: the template, the options, the body itself, `extra`.
pub(super) fn complete(own: &Map<String, Value>, request: &Request<'_>, form: Form) -> Bytes {
    let options = request.options;
    let streamed =
        stream_wanted(&options.extra).or_else(|| stream_wanted(own)).unwrap_or(options.stream);
    let mut body = own.clone();
    let template = request.template.cloned().unwrap_or_default();
    let model = request.model.map(|model| ("model".to_owned(), model.into()));
    let limited = LIMITS.iter().any(|name| own.contains_key(*name));
    for (name, value) in model.into_iter().chain(settings(options, form)).chain(template) {
        // A limit of the body's own holds, whichever name it bears.
        if !(limited && LIMITS.contains(&name.as_str())) {
            body.entry(name).or_insert(value);
        }
    }
    if streamed {
        stream_options(&mut body).entry("include_usage").or_insert(true.into());
    } else if !own.contains_key("stream_options") {
        body.shift_remove("stream_options");
    }
    finish(body, options)
}

/// What a request asks, its prompt read by `prompt`.
pub(super) fn parse(
    body: &[u8],
    prompt: fn(&Map<String, Value>) -> Result<Prompt, DecodeError>,
) -> Result<Asked, DecodeError> {
    let fields: Map<String, Value> = serde_json::from_slice(body)?;
    let none = Map::new();
    let stream = flag(&fields, "stream")?;
    let stream_options = match fields.get("stream_options") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(options)) if !stream && !options.is_empty() => {
            return Err(DecodeError::Field(
                "stream_options can only be given with stream=true".into(),
            ));
        }
        Some(Value::Object(options)) => options,
        Some(other) => return Err(wrong("stream_options", "an object", other)),
    };
    let model = model(&fields)?;
    let max_tokens = match count(&fields, "max_completion_tokens")? {
        Some(max) => Some(max),
        None => count(&fields, "max_tokens")?,
    };
    Ok(Asked {
        model,
        prompt: prompt(&fields)?,
        stream,
        include_usage: flag(stream_options, "include_usage")?,
        continuous_usage: flag(stream_options, "continuous_usage_stats")?,
        max_tokens,
        min_tokens: count(&fields, "min_tokens")?,
        ignore_eos: flag(&fields, "ignore_eos")?,
        n: count(&fields, "n")?.unwrap_or(1),
        stop: texts(&fields, "stop")?,
        keep_stop: flag(&fields, "include_stop_str_in_output")?,
        logprobs: logprobs(&fields)?,
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        fields,
    })
}

/// How many of the likeliest tokens are asked for at each place, if any are: a chat says in two fields what a completion says in one.
fn logprobs(fields: &Map<String, Value>) -> Result<Option<u32>, DecodeError> {
    let top = |name: &str| match fields.get(name).and_then(Value::as_i64) {
        Some(-1) => Ok(Some(u32::MAX)),
        Some(..-1) => Err(DecodeError::Field(format!("`{name}` must be a positive value or -1."))),
        _ => count(fields, name),
    };
    match fields.get("logprobs") {
        Some(Value::Number(_)) => top("logprobs"),
        _ if flag(fields, "logprobs")? => Ok(Some(top("top_logprobs")?.unwrap_or(0))),
        _ => match top("top_logprobs")? {
            Some(1..) => Err(DecodeError::Field(
                "when using `top_logprobs`, `logprobs` must be set to true.".into(),
            )),
            _ => Ok(None),
        },
    }
}

/// The fields that the options ask for.
fn settings(options: &Options, form: Form) -> impl Iterator<Item = (String, Value)> {
    let list = |empty: bool, values: Value| (!empty).then_some(values);
    let limit = match (form, options.limit) {
        (Form::Chat, LimitName::MaxCompletionTokens) => "max_completion_tokens",
        _ => "max_tokens",
    };
    let (logprobs, top_logprobs) = match form {
        Form::Chat => (options.logprobs.map(Value::from), options.top_logprobs.map(Value::from)),
        // One number says both: how many of the likeliest tokens are told at each place.
        Form::Completions => {
            let wanted = options.logprobs == Some(true);
            (wanted.then(|| options.top_logprobs.unwrap_or(1).into()), None)
        }
    };
    [
        (limit, options.max_tokens.map(Value::from)),
        ("min_tokens", options.min_tokens.map(Value::from)),
        ("temperature", options.temperature.map(Value::from)),
        ("top_p", options.top_p.map(Value::from)),
        ("top_k", options.top_k.map(Value::from)),
        ("min_p", options.min_p.map(Value::from)),
        ("presence_penalty", options.presence_penalty.map(Value::from)),
        ("frequency_penalty", options.frequency_penalty.map(Value::from)),
        ("repetition_penalty", options.repetition_penalty.map(Value::from)),
        ("logprobs", logprobs),
        ("top_logprobs", top_logprobs),
        ("n", options.n.map(Value::from)),
        ("seed", options.seed.map(Value::from)),
        ("stop", list(options.stop.is_empty(), json!(options.stop))),
        ("stop_token_ids", list(options.stop_token_ids.is_empty(), json!(options.stop_token_ids))),
        ("stream", Some(options.stream.into())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

/// Whether these fields say that the response is to be streamed.
fn stream_wanted(fields: &Map<String, Value>) -> Option<bool> {
    fields.get("stream")?.as_bool()
}

/// The body's `stream_options`, those that it has kept.
fn stream_options(body: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let options = body.entry("stream_options").or_insert(Value::Null);
    if !options.is_object() {
        *options = Value::Object(Map::new());
    }
    options.as_object_mut().expect("made an object just above")
}

fn finish(mut body: Map<String, Value>, options: &Options) -> Bytes {
    body.extend(options.extra.clone());
    let mut text = Value::Object(body).to_string();
    // Bodies wait by the hundred thousand for their load: the room into which they grew is given back.
    text.shrink_to_fit();
    text.into()
}

/// What the most tokens to generate are called.
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
