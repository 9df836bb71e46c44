//! HTTP connections that are driven by the request that uses them, and the pool in which they wait.
//!
//! An HTTP/1.1 connection has no task of its own: the exchange that holds it polls it, so that writing a request and reading a
//! chunk happen in the very poll that stamps them. An HTTP/2 connection is shared and needs a task. Deliberately without retries:
//! a request that fails on a connection is a failed request.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;
use tokometer_record::{Failure, FailureKind, Offset};

use crate::transport::{Connect, Stamps, Steps};

pub(crate) type Body = Full<Bytes>;
type Http1<S> = http1::Connection<TokioIo<S>, Body>;

/// A connection that an exchange holds.
pub(crate) struct Connection<C: Connect> {
    link: Link<C>,
    pub(crate) stamps: Arc<Stamps>,
}

enum Link<C: Connect> {
    Http1 { sender: http1::SendRequest<Body>, driver: Option<Box<Http1<C::Stream>>> },
    Http2 { sender: http2::SendRequest<Body>, streams: Arc<AtomicUsize> },
}

impl<C: Connect> Connection<C> {
    /// Hands a request over. It is written as the connection is driven.
    pub(crate) fn send(
        &mut self,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>> {
        match &mut self.link {
            Link::Http1 { sender, .. } => Box::pin(sender.send_request(request)),
            Link::Http2 { sender, .. } => Box::pin(sender.send_request(request)),
        }
    }

    /// When the request's last byte was handed to the socket. Unknown over HTTP/2, where streams share writes.
    pub(crate) fn written(&self) -> Option<Offset> {
        match &self.link {
            Link::Http1 { .. } => Some(self.stamps.written()),
            Link::Http2 { .. } => None,
        }
    }

    /// Lets the connection write and read what it can. What becomes of it shows in the response.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Link::Http1 { driver: slot @ Some(_), .. } = &mut self.link
            && let Some(driver) = slot
            && Pin::new(driver).poll(cx).is_ready()
        {
            *slot = None;
        }
    }

    /// Whether it can take another request, as far as can be known without waiting.
    async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(match &self.link {
                Link::Http1 { sender, driver } => driver.is_some() && sender.is_ready(),
                Link::Http2 { sender, .. } => sender.is_ready(),
            })
        })
        .await
    }
}

/// A stream of an HTTP/2 connection is free again.
impl<C: Connect> Drop for Connection<C> {
    fn drop(&mut self) {
        if let Link::Http2 { streams, .. } = &self.link {
            streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The connections of one worker that are open and wait. It has no cap. Its lock is taken at a request's beginning and end only,
/// and by one thread: an exchange and its connection stay on their worker.
pub(crate) struct Pool<C: Connect> {
    connect: C,
    origin: Instant,
    http2: bool,
    idle: Mutex<Vec<Connection<C>>>,
    shared: Mutex<Vec<Shared>>,
}

/// An HTTP/2 connection, of which many exchanges hold a stream.
struct Shared {
    sender: http2::SendRequest<Body>,
    stamps: Arc<Stamps>,
    streams: Arc<AtomicUsize>,
}

impl<C: Connect> Pool<C> {
    pub(crate) fn new(connect: C, origin: Instant, http2: bool) -> Self {
        Self { connect, origin, http2, idle: Mutex::default(), shared: Mutex::default() }
    }

    /// A connection that is open already, the latest used first. One that the server has closed meanwhile is passed over.
    pub(crate) async fn take(&self) -> Option<Connection<C>> {
        if self.http2 {
            return self.share();
        }
        loop {
            let mut connection = locked(&self.idle).pop()?;
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    /// A new connection.
    pub(crate) async fn open(&self) -> Result<(Connection<C>, Steps), Failure> {
        let stamps = Stamps::new(self.origin);
        let (stream, steps) = self.connect.connect(Arc::clone(&stamps)).await?;
        let link = if self.http2 {
            let (sender, driver) = http2::Builder::new(TokioExecutor::new())
                .handshake(TokioIo::new(stream))
                .await
                .map_err(handshake_failure)?;
            // It ends when its last sender is dropped.
            tokio::spawn(driver);
            let streams = Arc::new(AtomicUsize::new(1));
            let shared = Shared {
                sender: sender.clone(),
                stamps: Arc::clone(&stamps),
                streams: Arc::clone(&streams),
            };
            locked(&self.shared).push(shared);
            Link::Http2 { sender, streams }
        } else {
            let (sender, driver) =
                http1::handshake(TokioIo::new(stream)).await.map_err(handshake_failure)?;
            Link::Http1 { sender, driver: Some(Box::new(driver)) }
        };
        Ok((Connection { link, stamps }, steps))
    }

    /// Takes back a connection whose response was read to its end.
    pub(crate) async fn give_back(&self, mut connection: Connection<C>) {
        if !self.http2 && connection.is_usable().await {
            locked(&self.idle).push(connection);
        }
    }

    /// Opens connections until `count` wait, a limited number at once, each within `limit`. Gives up at the first failure: the
    /// requests that then lack a connection will say why.
    pub(crate) async fn fill(self: &Arc<Self>, count: usize, limit: Duration) {
        self.prune().await;
        let count = if self.http2 { count.div_ceil(STREAMS) } else { count };
        let mut missing = count.saturating_sub(self.waiting());
        let mut opening = tokio::task::JoinSet::new();
        while missing > 0 || !opening.is_empty() {
            while missing > 0 && opening.len() < OPENING_AT_ONCE {
                let pool = Arc::clone(self);
                opening.spawn(async move { tokio::time::timeout(limit, pool.open()).await });
                missing -= 1;
            }
            match opening.join_next().await {
                Some(Ok(Ok(Ok(_)))) if self.http2 => {}
                Some(Ok(Ok(Ok((connection, _))))) => locked(&self.idle).push(connection),
                _ => return,
            }
        }
    }

    /// Lets go of every connection that waits.
    pub(crate) fn close_idle(&self) {
        locked(&self.idle).clear();
    }

    /// Lets go of connections that the server has closed since the last load: many do so after a few seconds of silence.
    async fn prune(&self) {
        let waiting = std::mem::take(&mut *locked(&self.idle));
        for mut connection in waiting {
            if connection.is_usable().await {
                locked(&self.idle).push(connection);
            }
        }
        locked(&self.shared).retain(|connection| !connection.sender.is_closed());
    }

    fn waiting(&self) -> usize {
        if self.http2 { locked(&self.shared).len() } else { locked(&self.idle).len() }
    }

    fn share(&self) -> Option<Connection<C>> {
        let mut shared = locked(&self.shared);
        shared.retain(|connection| !connection.sender.is_closed());
        let free = shared
            .iter()
            .find(|connection| connection.streams.load(Ordering::Relaxed) < STREAMS)?;
        free.streams.fetch_add(1, Ordering::Relaxed);
        let link = Link::Http2 { sender: free.sender.clone(), streams: Arc::clone(&free.streams) };
        Some(Connection { link, stamps: Arc::clone(&free.stamps) })
    }
}

fn handshake_failure(error: hyper::Error) -> Failure {
    Failure::new(FailureKind::Connect, format!("HTTP handshake: {error}"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Streams on one HTTP/2 connection before another is opened: what servers commonly allow.
const STREAMS: usize = 100;

/// Connections opened at once before a load: well below the backlog of a listening socket.
const OPENING_AT_ONCE: usize = 64;
