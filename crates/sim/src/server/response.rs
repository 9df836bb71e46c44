//! The heads of responses. Deliberately says nothing of what is in them.

use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER, VARY};
use hyper::{Response, StatusCode};

use crate::server::body::Reply;

/// A response with the headers that uvicorn sends.
pub(crate) fn respond(
    status: StatusCode,
    content_type: HeaderValue,
    reply: Reply,
) -> Response<Reply> {
    let mut response = succeed(reply);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A success that says nothing of what is in it.
pub(crate) fn succeed(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    response.headers_mut().insert(SERVER, HeaderValue::from_static("uvicorn"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    response
}

/// The type of bodies that are JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The type of `/metrics`.
pub(crate) const METRICS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The type of streams.
pub(crate) const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
