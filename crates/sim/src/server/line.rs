//! The socket under a connection, watched: when its bytes were read, and when what a response handed over was written.
//!
//! A body hands bytes to HTTP, which writes them a little later. What counts as an emission is the write, so the body says that
//! bytes have departed, the watched socket notes the moment right before the write that takes them, and the body learns it when it
//! is next polled. Under HTTP/1 a connection serves one response at a time, so one flight is enough, and until it has landed the
//! body hands over nothing more: each emission is a write of its own.
//!
//! All of this happens in the one task that drives the connection. The fields are atomic only because bodies must be `Send`, so
//! relaxed ordering is enough. This file deliberately knows nothing of HTTP.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::truth::Entry;

/// What the socket and the responses of one connection tell each other.
#[derive(Debug)]
pub(crate) struct Line {
    opened: Instant,
    /// Nanoseconds from `opened` to the arrival of the bytes that were read last.
    read: AtomicU64,
    /// Nanoseconds from `opened` to the last write that took a flight.
    written: AtomicU64,
    flight: AtomicU8,
    /// Whether to reset the connection when it is dropped.
    reset: AtomicBool,
    /// A response that was handed over whole and whose body is gone: its truth, and its tokens. Locked once or twice a response.
    whole: Mutex<Option<(Entry, Instant, u32)>>,
    has_whole: AtomicBool,
}

/// Nothing has been handed over.
const GROUNDED: u8 = 0;
/// Bytes have been handed over and not yet been written.
const DEPARTED: u8 = 1;
/// They have been written, and the body has yet to learn it.
const LANDED: u8 = 2;

impl Line {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            flight: AtomicU8::new(GROUNDED),
            reset: AtomicBool::new(false),
            whole: Mutex::default(),
            has_whole: AtomicBool::new(false),
        })
    }

    /// When the bytes arrived that were last read from the socket.
    pub(crate) fn last_read(&self) -> Instant {
        self.opened + Duration::from_nanos(self.read.load(Relaxed))
    }

    /// Says that bytes are handed over, to be written next.
    pub(crate) fn depart(&self) {
        self.flight.store(DEPARTED, Relaxed);
    }

    /// The moment of the write that took what departed last. `None` while it is under way.
    pub(crate) fn landed(&self) -> Option<Instant> {
        if self.flight.load(Relaxed) != LANDED {
            return None;
        }
        self.flight.store(GROUNDED, Relaxed);
        Some(self.opened + Duration::from_nanos(self.written.load(Relaxed)))
    }

    /// Says that nobody waits any more for what departed last.
    pub(crate) fn forget(&self) {
        self.flight.store(GROUNDED, Relaxed);
    }

    /// Whether something has landed that its body does not know of yet.
    pub(crate) fn has_news(&self) -> bool {
        self.flight.load(Relaxed) == LANDED
    }

    /// Hands over a whole response that is due: `tokens` are emitted with the next write, and then the entry is complete.
    pub(crate) fn depart_whole(&self, entry: Entry, due: Instant, tokens: u32) {
        *self.whole() = Some((entry, due, tokens));
        self.has_whole.store(true, Relaxed);
    }

    /// Has the connection reset, not closed, when it is dropped. Gives back an error that makes HTTP drop it.
    pub(crate) fn reset(&self) -> io::Error {
        self.reset.store(true, Relaxed);
        io::ErrorKind::ConnectionReset.into()
    }

    /// Notes a read of bytes that had lain in the socket for `age`.
    fn was_read(&self, age: Duration) {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        self.read.store(self.since_opened().saturating_sub(age), Relaxed);
    }

    fn awaits_write(&self) -> bool {
        self.flight.load(Relaxed) == DEPARTED || self.has_whole.load(Relaxed)
    }

    /// Notes that a write that began `at`, in nanoseconds since `opened`, took everything there was.
    fn was_written(&self, at: u64) {
        if self.flight.load(Relaxed) == DEPARTED {
            self.written.store(at, Relaxed);
            self.flight.store(LANDED, Relaxed);
        }
        if self.has_whole.swap(false, Relaxed)
            && let Some((mut entry, due, tokens)) = self.whole().take()
        {
            entry.emitted(self.opened + Duration::from_nanos(at), due, &[tokens]);
        }
    }

    fn since_opened(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn whole(&self) -> MutexGuard<'_, Option<(Entry, Instant, u32)>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that tells its [`Line`] what it does.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    line: Arc<Line>,
    ways: Ways<S>,
}

/// What only some kinds of socket can do.
#[derive(Debug)]
pub(crate) struct Ways<S> {
    /// Has the socket reset its connection when it is closed.
    pub(crate) arm_reset: fn(&S),
    /// Reads, and tells for how long the bytes had lain there.
    pub(crate) read: fn(&mut S, &mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<Duration>>,
}

impl<S: AsyncRead + Unpin> Ways<S> {
    /// Those of a pipe: it cannot be reset, and its bytes are read as soon as they arrive.
    pub(crate) fn of_a_pipe() -> Self {
        let read = |socket: &mut S, cx: &mut Context<'_>, into: &mut ReadBuf<'_>| {
            Pin::new(socket).poll_read(cx, into).map_ok(|()| Duration::ZERO)
        };
        Self { arm_reset: |_| (), read }
    }
}

impl<S> Watched<S> {
    pub(crate) const fn new(socket: S, line: Arc<Line>, ways: Ways<S>) -> Self {
        Self { socket, line, ways }
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.line.reset.load(Relaxed) {
            (self.ways.arm_reset)(&self.socket);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let watched = self.get_mut();
        let age = ready!((watched.ways.read)(&mut watched.socket, cx, into))?;
        if into.filled().len() > before {
            watched.line.was_read(age);
        }
        Poll::Ready(Ok(()))
    }
}

/// Never vectored: HTTP then gathers a chunk's frame and bytes in one buffer, which for small chunks is cheaper.
impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.line.awaits_write() {
            return Pin::new(&mut self.socket).poll_write(cx, bytes);
        }
        let at = self.line.since_opened();
        let taken = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        if taken == bytes.len() {
            self.line.was_written(at);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::advance;

    use super::*;
    use crate::truth::{Served, Truth};

    const MILLI: Duration = Duration::from_millis(1);

    fn watched() -> (Arc<Line>, Watched<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(4);
        let line = Line::new();
        (line.clone(), Watched::new(near, line, Ways::of_a_pipe()), far)
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_stamped_when_it_brings_bytes() {
        let (line, mut near, mut far) = watched();
        let start = Instant::now();
        advance(3 * MILLI).await;
        far.write_all(b"ab").await.unwrap();
        near.read_u8().await.unwrap();
        assert_eq!(line.last_read(), start + 3 * MILLI);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_lands_with_the_write_that_takes_all_of_it() {
        let (line, mut near, mut far) = watched();
        let start = Instant::now();
        line.depart();
        let write = tokio::spawn(async move { near.write_all(b"123456").await });
        tokio::task::yield_now().await;
        assert_eq!(line.landed(), None, "the pipe takes four bytes");
        advance(5 * MILLI).await;
        far.read_exact(&mut [0; 6]).await.unwrap();
        write.await.unwrap().unwrap();
        assert!(line.has_news());
        assert_eq!(line.landed(), Some(start + 5 * MILLI));
        assert!(!line.has_news());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_not_taken_for_a_flight_that_has_not_departed() {
        let (line, mut near, _far) = watched();
        near.write_all(b"1").await.unwrap();
        assert_eq!(line.landed(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_response_is_complete_once_it_is_written() {
        let (line, mut near, _far) = watched();
        let truth = Truth::memory(Instant::now());
        line.depart_whole(truth.entry(Served::default()), Instant::now(), 7);
        assert!(truth.served().is_empty());
        advance(2 * MILLI).await;
        near.write_all(b"1").await.unwrap();
        let emissions = truth.served()[0].emissions.clone();
        assert_eq!((emissions[0].at, emissions[0].tokens), (2_000_000, 7));
    }
}
