//! Refusals, in vLLM's words: status, body and headers of requests that are not served.
//!
//! The bodies are those of vLLM 0.32, so that a client which reads its errors reads these; APIs that give errors a form of their own
//! put the words into it. Deliberately decides nothing: who is refused is decided where requests are read.

mod python;

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use tokometer_wire::{Api, DecodeError};

use crate::faults::{Fault, Kind};
use crate::server::body::Reply;
use crate::server::line::Line;
use crate::server::response::{JSON, respond};

/// An answer to a request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    body: Value,
    /// After how many seconds to try again.
    retry_after: Option<u32>,
    /// What is wrong in plain words, where the body says it in Python's.
    plain: Option<String>,
}

impl Refusal {
    /// Something is wrong with `parameter`, whose value was `value`.
    pub(crate) fn parameter(message: &str, parameter: &str, value: impl Display) -> Self {
        let message = format!("{message} (parameter={parameter}, value={value})");
        Self::error(StatusCode::BAD_REQUEST, "BadRequestError", &message, parameter.into())
    }

    /// The request asks for what cannot be had.
    pub(crate) fn bad(message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "BadRequestError", message, Value::Null)
    }

    /// The body is not what the endpoint takes: `field` is not as it should be.
    pub(crate) fn field(field: &str, why: &dyn Display) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "Bad Request", &why.to_string(), field.into())
    }

    /// The body is not what the endpoint takes.
    pub(crate) fn unreadable(why: &dyn Display) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "Bad Request", &why.to_string(), Value::Null)
    }

    /// The API could not read the body.
    pub(crate) fn undecoded(error: &DecodeError, body: &[u8]) -> Self {
        match error {
            DecodeError::Json(error) => Self::no_json(error, body),
            DecodeError::Field(why) => match why.split_once(": ") {
                Some((field, "field required")) => {
                    let field = format!("body.{field}");
                    let fields: Map<String, Value> =
                        serde_json::from_slice(body).unwrap_or_default();
                    let message = python::missing(&field, fields.len());
                    Self { plain: Some(why.clone()), ..Self::field(&field, &message) }
                }
                Some((field, _)) if is_name(field) => Self::field(&format!("body.{field}"), why),
                _ => Self::unreadable(why),
            },
        }
    }

    /// The body is not JSON, or none of the right form.
    pub(crate) fn no_json(error: &serde_json::Error, body: &[u8]) -> Self {
        match python::decode_error(error, body) {
            Some((place, message)) => {
                let plain = Some(error.to_string());
                Self { plain, ..Self::field(&format!("body.{place}"), &message) }
            }
            None => Self::unreadable(error),
        }
    }

    /// There is no such model.
    pub(crate) fn unknown_model(name: &str, served: &[String]) -> Self {
        let message =
            format!("The model `{name}` does not exist. Valid aliases: {}.", served.join(", "));
        Self::error(StatusCode::NOT_FOUND, "NotFoundError", &message, "model".into())
    }

    /// The key is missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        Self::with(StatusCode::UNAUTHORIZED, json!({ "error": "Unauthorized" }))
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self::with(StatusCode::NOT_FOUND, json!({ "detail": "Not Found" }))
    }

    /// The path is not asked with this method.
    pub(crate) fn method() -> Self {
        let body = json!({ "detail": "Method Not Allowed" });
        Self::with(StatusCode::METHOD_NOT_ALLOWED, body)
    }

    /// The body is longer than any prompt.
    pub(crate) fn too_large() -> Self {
        let body = json!({ "detail": "Request Entity Too Large" });
        Self::with(StatusCode::PAYLOAD_TOO_LARGE, body)
    }

    /// As many requests as may run or wait do so already.
    pub(crate) fn busy() -> Self {
        let why = "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.";
        Self::error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", why, Value::Null)
    }

    /// The server itself went wrong.
    pub(crate) fn internal(why: &str) -> Self {
        Self::error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", why, Value::Null)
    }

    /// The refusal that a fault gives.
    pub(crate) fn fault(fault: &Fault) -> Self {
        match fault.kind {
            Kind::Status400 => Self::unreadable(&"a fault that was asked for"),
            Kind::Status401 => Self::unauthorized(),
            Kind::Status404 => Self::unknown_model("asked-for", &["none".to_owned()]),
            Kind::Status429 => {
                let why = "Rate limit reached: too many requests";
                let status = StatusCode::TOO_MANY_REQUESTS;
                let refusal = Self::error(status, "RateLimitError", why, Value::Null);
                Self { retry_after: Some(fault.retry_after), ..refusal }
            }
            Kind::Status503 => Self::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableError",
                "The server is overloaded",
                Value::Null,
            ),
            _ => Self::internal("Internal server error"),
        }
    }

    /// The same in the form that an API gives its errors, in plain words where that is no form of vLLM's.
    pub(crate) fn of(mut self, api: &dyn Api) -> Self {
        let word = |name: &str| self.body.get("error")?.get(name)?.as_str();
        let why = self.plain.as_deref().or_else(|| word("message"));
        let own = word("type").zip(why).and_then(|(kind, why)| api.refusal(kind, why));
        self.body = own.unwrap_or(self.body);
        self
    }

    /// The response.
    pub(crate) fn respond(&self, line: Arc<Line>) -> Response<Reply> {
        let reply = Reply::plain(self.bytes(), line);
        let mut response = respond(self.status, JSON, reply);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn bytes(&self) -> Bytes {
        Bytes::from(self.body.to_string())
    }

    fn error(status: StatusCode, kind: &str, message: &str, parameter: Value) -> Self {
        let code = status.as_u16();
        let error = json!({ "message": message, "type": kind, "param": parameter, "code": code });
        Self::with(status, json!({ "error": error }))
    }

    const fn with(status: StatusCode, body: Value) -> Self {
        Self { status, body, retry_after: None, plain: None }
    }
}

/// Whether a text is the name of a field, and not the beginning of a sentence.
fn is_name(text: &str) -> bool {
    text.chars().all(|char| char.is_ascii_alphanumeric() || "_.[]".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The bodies below are what vLLM 0.32 sent.

    #[test]
    fn an_unknown_model_is_refused_in_vllms_words() {
        let served = ["tiny-qwen".to_owned()];
        assert_eq!(
            Refusal::unknown_model("nope", &served).bytes(),
            r#"{"error":{"message":"The model `nope` does not exist. Valid aliases: tiny-qwen.","type":"NotFoundError","param":"model","code":404}}"#
        );
    }

    #[test]
    fn too_long_an_output_is_refused_in_vllms_words() {
        let message = "max_tokens=9000 cannot be greater than max_model_len=4096. Please request fewer output tokens.";
        assert_eq!(
            Refusal::parameter(message, "max_tokens", 9000).bytes(),
            r#"{"error":{"message":"max_tokens=9000 cannot be greater than max_model_len=4096. Please request fewer output tokens. (parameter=max_tokens, value=9000)","type":"BadRequestError","param":"max_tokens","code":400}}"#
        );
    }

    #[test]
    fn what_is_no_json_is_refused_in_vllms_words() {
        let body = b"{nope";
        let error = serde_json::from_slice::<Map<String, Value>>(body).unwrap_err();
        assert_eq!(
            Refusal::no_json(&error, body).bytes(),
            r#"{"error":{"message":"1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.1', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting property name enclosed in double quotes'}}","type":"Bad Request","param":"body.1","code":400}}"#
        );
    }

    #[test]
    fn a_field_that_is_wrong_is_named_beside_the_message() {
        let refused =
            |why: &str| Refusal::undecoded(&DecodeError::Field(why.into()), br#"{"a":1}"#);
        let named = refused("stop: expected a string or a list of strings, got 3");
        assert_eq!(named.body["error"]["param"], "body.stop");
        let missing = refused("messages: field required").body;
        assert_eq!(missing["error"]["param"], "body.messages");
        assert_eq!(
            missing["error"]["message"],
            "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required', 'input': '<dict of 1 items>'}"
        );
        let unnamed = refused("Invalid value for `tool_choice`: 3! Only named tools");
        assert_eq!(unnamed.body["error"]["param"], Value::Null);
    }
}
