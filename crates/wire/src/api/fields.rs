//! The fields of a request's body, read by a server, and the words for what cannot be carried or understood.
//!
//! Deliberately knows no API: each reads its own names with these.

use serde_json::{Map, Value};

use super::{DecodeError, EncodeError};
use crate::{Options, Prompt};

/// The error of an API that has no place for `what`.
pub(super) const fn unsupported<T>(
    api: &'static str,
    what: &'static str,
) -> Result<T, EncodeError> {
    Err(EncodeError::Unsupported { api, what })
}

/// What a prompt is called that an API cannot carry.
pub(super) const fn named(prompt: &Prompt) -> &'static str {
    match prompt {
        Prompt::Text(_) => "a single text",
        Prompt::Tokens(_) => "token ids",
        Prompt::Messages(_) => "a conversation",
        Prompt::Batch(_) => "several inputs in one request",
        Prompt::Rerank { .. } => "a query and documents",
        Prompt::Audio(_) => "audio to transcribe",
        Prompt::Body(_) => "a body of its own",
    }
}

/// Refuses the first of these options that is asked for: what cannot be carried must not be left out in silence.
pub(super) fn refuse(
    api: &'static str,
    options: &Options,
    without: &[Setting],
) -> Result<(), EncodeError> {
    match without.iter().find(|setting| setting.is_asked(options)) {
        Some(setting) => unsupported(api, setting.name()),
        None => Ok(()),
    }
}

/// An option that not every API knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    MinTokens,
    MinP,
    PresencePenalty,
    FrequencyPenalty,
    RepetitionPenalty,
    Logprobs,
    Seed,
    Stop,
    StopTokenIds,
    /// More than one.
    Choices,
}

impl Setting {
    const fn is_asked(self, options: &Options) -> bool {
        match self {
            Self::MinTokens => options.min_tokens.is_some(),
            Self::MinP => options.min_p.is_some(),
            Self::PresencePenalty => options.presence_penalty.is_some(),
            Self::FrequencyPenalty => options.frequency_penalty.is_some(),
            Self::RepetitionPenalty => options.repetition_penalty.is_some(),
            Self::Logprobs => matches!(options.logprobs, Some(true)),
            Self::Seed => options.seed.is_some(),
            Self::Stop => !options.stop.is_empty(),
            Self::StopTokenIds => !options.stop_token_ids.is_empty(),
            Self::Choices => matches!(options.n, Some(2..)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MinTokens => "min_tokens",
            Self::MinP => "min_p",
            Self::PresencePenalty => "presence_penalty",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::RepetitionPenalty => "repetition_penalty",
            Self::Logprobs => "logprobs",
            Self::Seed => "seed",
            Self::Stop => "stop strings",
            Self::StopTokenIds => "stop_token_ids",
            Self::Choices => "several choices (n)",
        }
    }
}

/// The error of a field that is not `expected`.
pub(super) fn wrong(name: &str, expected: &str, found: &Value) -> DecodeError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) => {
            return DecodeError::Field(format!("{name}: expected {expected}, got {number}"));
        }
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    DecodeError::Field(format!("{name}: expected {expected}, got {found}"))
}

/// The error of a field that must be there.
pub(super) fn missing(name: &str) -> DecodeError {
    DecodeError::Field(format!("{name}: field required"))
}

/// A body that is a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    Ok(serde_json::from_slice(body)?)
}

/// The model named, if one is. Null is as good as absent.
pub(super) fn model(fields: &Map<String, Value>) -> Result<Option<String>, DecodeError> {
    match fields.get("model") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(model)) => Ok(Some(model.clone())),
        Some(other) => Err(wrong("model", "a string", other)),
    }
}

/// A field that counts something. Null is as good as absent.
pub(super) fn count(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, DecodeError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(wrong(name, "a whole number that is not negative", value)),
        },
    }
}

/// A field that is on or off. Null is as good as off.
pub(super) fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, DecodeError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(wrong(name, "true or false", other)),
    }
}

/// A field that is a string or a list of strings, and is empty where it is absent or null.
pub(super) fn texts(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, DecodeError> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(wrong(name, "a string or a list of strings", other)),
    };
    match fields.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => values.iter().map(text).collect(),
        Some(value) => Ok(vec![text(value)?]),
    }
}

/// A field that is an object, and is empty where it is absent or null.
pub(super) fn nested<'f>(
    fields: &'f Map<String, Value>,
    name: &str,
) -> Result<Option<&'f Map<String, Value>>, DecodeError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(nested)) => Ok(Some(nested)),
        Some(other) => Err(wrong(name, "an object", other)),
    }
}

/// Token ids, the items of the field of that name.
pub(super) fn token_ids(name: &str, ids: &[Value]) -> Result<Vec<u32>, DecodeError> {
    let token = |id: &Value| {
        let token = id.as_u64().and_then(|id| u32::try_from(id).ok());
        token.ok_or_else(|| wrong(name, "token ids", id))
    };
    ids.iter().map(token).collect()
}
