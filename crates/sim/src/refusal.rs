//! Refusals, in vLLM's words: status, body and headers of requests that are not served.
//!
//! The bodies are those of vLLM 0.32, so that a client which reads its errors reads these; APIs that give errors a form of their own
//! put the words into it. Deliberately decides nothing: who is
//! refused is decided where requests are read.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokometer_wire::Api;

use crate::body::Reply;
use crate::line::Line;
use crate::response::{JSON, respond};

/// An answer to a request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    body: Value,
}

impl Refusal {
    /// Something is wrong with `parameter`, whose value was `value`.
    pub(crate) fn parameter(message: &str, parameter: &str, value: u64) -> Self {
        let message = format!("{message} (parameter={parameter}, value={value})");
        Self::error(StatusCode::BAD_REQUEST, "BadRequestError", &message, parameter.into())
    }

    /// The body is not what the endpoint takes.
    pub(crate) fn unreadable(why: &dyn Display) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "Bad Request", &why.to_string(), Value::Null)
    }

    /// There is no such model.
    pub(crate) fn unknown_model(name: &str, served: &[String]) -> Self {
        let message =
            format!("The model `{name}` does not exist. Valid aliases: {}.", served.join(", "));
        Self::error(StatusCode::NOT_FOUND, "NotFoundError", &message, "model".into())
    }

    /// The key is missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, body: json!({ "error": "Unauthorized" }) }
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, body: json!({ "detail": "Not Found" }) }
    }

    /// The path is not asked with this method.
    pub(crate) fn method() -> Self {
        let body = json!({ "detail": "Method Not Allowed" });
        Self { status: StatusCode::METHOD_NOT_ALLOWED, body }
    }

    /// The body is longer than any prompt.
    pub(crate) fn too_large() -> Self {
        let body = json!({ "detail": "Request Entity Too Large" });
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, body }
    }

    /// The server itself went wrong.
    pub(crate) fn internal(why: &str) -> Self {
        Self::error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", why, Value::Null)
    }

    /// The refusal that a fault of that status gives.
    pub(crate) fn fault(status: u16) -> Self {
        match status {
            400 => Self::unreadable(&"a fault that was asked for"),
            401 => Self::unauthorized(),
            404 => Self::unknown_model("asked-for", &["none".to_owned()]),
            429 => Self::error(
                StatusCode::TOO_MANY_REQUESTS,
                "RateLimitError",
                "Rate limit reached: too many requests",
                Value::Null,
            ),
            503 => Self::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableError",
                "The server is overloaded",
                Value::Null,
            ),
            _ => Self::internal("Internal server error"),
        }
    }

    /// The same in the form that an API gives its errors.
    pub(crate) fn of(mut self, api: &dyn Api) -> Self {
        let word = |name: &str| self.body.get("error")?.get(name)?.as_str();
        let own = word("type").zip(word("message")).and_then(|(kind, why)| api.refusal(kind, why));
        self.body = own.unwrap_or(self.body);
        self
    }

    /// The response.
    pub(crate) fn respond(&self, line: Arc<Line>) -> Response<Reply> {
        let reply = Reply::plain(self.bytes(), line);
        let mut response = respond(self.status, JSON, reply);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn bytes(&self) -> Bytes {
        Bytes::from(self.body.to_string())
    }

    fn error(status: StatusCode, kind: &str, message: &str, parameter: Value) -> Self {
        let code = status.as_u16();
        let error = json!({ "message": message, "type": kind, "param": parameter, "code": code });
        Self { status, body: json!({ "error": error }) }
    }
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
}
