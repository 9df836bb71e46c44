//! Counts HTTP requests by what answered them, when the last byte of the response has been handed over.
//!
//! Deliberately touches no byte of a response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Method, Request};
use tokio::time::Instant;

use crate::counts::Exchange;
use crate::server::Server;
use crate::server::body::Reply;

/// A request that is to be counted once it is answered. One that never is, because a fault broke its connection or the client left, is
/// not.
#[derive(Debug)]
pub(crate) struct Counted {
    server: Arc<Server>,
    /// The path that answers it, as it is registered.
    handler: String,
    method: Method,
    began: Instant,
    request_bytes: u64,
}

/// A response that is counted when it is over.
#[derive(Debug)]
pub(crate) struct CountedReply {
    reply: Reply,
    counted: Option<Answered>,
}

#[derive(Debug)]
struct Answered {
    counted: Counted,
    status: u16,
    response_bytes: u64,
}

impl Counted {
    /// A request whose head was read at `began`.
    pub(crate) fn new(server: &Arc<Server>, request: &Request<Incoming>, began: Instant) -> Self {
        let path = request.uri().path();
        let handler = if server.knows(path) { path } else { "none" };
        Self {
            server: Arc::clone(server),
            handler: handler.to_owned(),
            method: request.method().clone(),
            began,
            request_bytes: request.body().size_hint().exact().unwrap_or(0),
        }
    }

    /// It is answered so.
    pub(crate) fn answered(self, status: u16, reply: Reply) -> CountedReply {
        let response_bytes = reply.size_hint().exact().unwrap_or(0);
        CountedReply { reply, counted: Some(Answered { counted: self, status, response_bytes }) }
    }
}

impl CountedReply {
    /// A response that is not counted.
    pub(crate) const fn uncounted(reply: Reply) -> Self {
        Self { reply, counted: None }
    }
}

impl Drop for CountedReply {
    fn drop(&mut self) {
        let Some(Answered { counted, status, response_bytes }) = self.counted.take() else {
            return;
        };
        let now = Instant::now();
        counted.server.counts.http(
            counted.server.since_start(now),
            &Exchange {
                handler: &counted.handler,
                method: counted.method.as_str(),
                status,
                took: now.saturating_duration_since(counted.began),
                request_bytes: counted.request_bytes,
                response_bytes,
            },
        );
    }
}

impl Body for CountedReply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.get_mut().reply).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}
