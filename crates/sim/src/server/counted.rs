//! Counts HTTP requests by what answered them, when the last byte of the response has been handed over.
//!
//! Deliberately touches no byte of a response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Method;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::counts::Exchange;
use crate::server::Server;
use crate::server::body::Reply;

/// A request that will be counted when this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    server: Arc<Server>,
    /// The path that answers it, as it is registered.
    handler: String,
    method: Method,
    status: u16,
    began: Instant,
    request_bytes: u64,
    response_bytes: u64,
}

/// A response that is counted when it is over.
#[derive(Debug)]
pub(crate) struct CountedReply {
    reply: Reply,
    _counted: Counted,
}

impl Counted {
    /// A request whose head was read at `began`.
    pub(crate) fn new(
        server: &Arc<Server>,
        (method, path): (&Method, &str),
        began: Instant,
        request_bytes: u64,
    ) -> Self {
        let known = server.knows(path);
        Self {
            server: Arc::clone(server),
            handler: if known { path.to_owned() } else { "none".to_owned() },
            method: method.clone(),
            status: 0,
            began,
            request_bytes,
            response_bytes: 0,
        }
    }

    /// It is answered so.
    pub(crate) fn answered(mut self, status: u16, reply: Reply) -> CountedReply {
        self.status = status;
        self.response_bytes = reply.size_hint().exact().unwrap_or(0);
        CountedReply { reply, _counted: self }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let now = Instant::now();
        self.server.counts.http(
            self.server.since_start(now),
            &Exchange {
                handler: &self.handler,
                method: self.method.as_str(),
                status: self.status,
                took: now.saturating_duration_since(self.began),
                request_bytes: self.request_bytes,
                response_bytes: self.response_bytes,
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
