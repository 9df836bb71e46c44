//! Response bodies that wait for their moments.
//!
//! **Hot path**: from an emission's deadline to the write of its bytes. When a sleep ends, the bytes to be written are there
//! already; what follows them is prepared after they have been written. A body that has handed bytes over gives nothing more until
//! they have left, so that each emission is a write of its own and the moment of each is known.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use smallvec::SmallVec;
use tokio::time::Instant;
use tokometer_clock::{Sleep, Timer};

use crate::line::Line;
use crate::playback::{self, Playback, Step};
use crate::truth::Entry;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Reply {
    Whole(Whole),
    Stream(Box<Stream>),
}

/// A body that is there at once.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    /// Whose truth the write completes, and with how many tokens.
    told: Option<(Entry, u32)>,
    line: Arc<Line>,
    ending: Ending,
}

/// How a whole body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Complete,
    /// Half of it is sent, then the connection is reset.
    Reset(Sharing),
    /// That half is sent.
    HalfSent(Sharing),
}

/// A body that comes by and by.
#[derive(Debug)]
pub(crate) struct Stream {
    playback: Playback,
    next: Step,
    sleep: Sleep,
    arrival: Instant,
    entry: Entry,
    line: Arc<Line>,
    sharing: Sharing,
    /// The tokens of what was handed over and is not known to be written.
    departed: Option<SmallVec<[u32; 2]>>,
    ended: bool,
}

/// Who writes to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// This response alone (HTTP/1).
    Alone,
    /// Others too, in an order that the body cannot know (HTTP/2).
    Shared,
}

impl Reply {
    /// A body of no generated output.
    pub(crate) fn plain(bytes: Bytes, line: Arc<Line>) -> Self {
        Self::Whole(Whole { bytes, told: None, line, ending: Ending::Complete })
    }

    /// A response that is not streamed and is due now.
    pub(crate) fn whole(
        whole: playback::Whole,
        mut entry: Entry,
        (line, sharing): (Arc<Line>, Sharing),
    ) -> Self {
        entry.finished(Some(whole.finish));
        let ending = if whole.reset { Ending::Reset(sharing) } else { Ending::Complete };
        Self::Whole(Whole { bytes: whole.bytes, told: Some((entry, whole.tokens)), line, ending })
    }

    /// A response to a request that came at `arrival`.
    pub(crate) fn stream(
        mut playback: Playback,
        timer: &Timer,
        arrival: Instant,
        mut entry: Entry,
        (line, sharing): (Arc<Line>, Sharing),
    ) -> Self {
        entry.expect(playback.chunks_left());
        let next = playback.next();
        let sleep = timer.sleep_until(arrival + next.at());
        let (departed, ended) = (None, false);
        Self::Stream(Box::new(Stream {
            playback,
            next,
            sleep,
            arrival,
            entry,
            line,
            sharing,
            departed,
            ended,
        }))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(whole) => whole.poll(),
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.bytes.is_empty() && whole.ending == Ending::Complete,
            Self::Stream(stream) => stream.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl Whole {
    fn poll(&mut self) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.ending {
            Ending::Complete => {
                let bytes = std::mem::take(&mut self.bytes);
                if let Some((entry, tokens)) = self.told.take() {
                    self.line.depart_whole(entry, tokens);
                }
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Ending::Reset(sharing) => {
                self.ending = Ending::HalfSent(sharing);
                if sharing == Sharing::Alone {
                    self.line.depart();
                }
                let half = self.bytes.split_to(self.bytes.len() / 2);
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            // Whoever drives the connection polls again once the half has landed.
            Ending::HalfSent(Sharing::Alone) if self.line.landed().is_none() => Poll::Pending,
            Ending::HalfSent(sharing) => Poll::Ready(Some(Err(sharing.reset(&self.line)))),
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(tokens) = &self.departed {
            // Whoever drives the connection polls again once this has landed.
            let Some(moment) = self.line.landed() else { return Poll::Pending };
            self.entry.emitted(moment, tokens);
            self.departed = None;
            self.prepare();
        }
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let end = Step::End { at: self.next.at() };
        match std::mem::replace(&mut self.next, end) {
            Step::Write(frame) => {
                self.hand_over(frame.tokens, frame.last);
                Poll::Ready(Some(Ok(Frame::data(frame.bytes))))
            }
            Step::Reset { .. } => Poll::Ready(Some(Err(self.sharing.reset(&self.line)))),
            Step::End { .. } => Poll::Ready(None),
        }
    }

    fn hand_over(&mut self, tokens: SmallVec<[u32; 2]>, last: bool) {
        if last {
            self.ended = true;
            self.entry.finished(self.playback.finish());
        } else if self.sharing == Sharing::Alone {
            self.line.depart();
            self.departed = Some(tokens);
        } else {
            self.entry.emitted(Instant::now(), &tokens);
            self.prepare();
        }
    }

    fn prepare(&mut self) {
        self.next = self.playback.next();
        self.sleep.reset(self.arrival + self.next.at());
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(tokens) = self.departed.take() {
            match self.line.landed() {
                Some(moment) => self.entry.emitted(moment, &tokens),
                None => self.line.forget(),
            }
        }
    }
}

impl Sharing {
    /// An error that makes HTTP give up the response, and the connection too unless others share it.
    pub(crate) fn reset(self, line: &Line) -> io::Error {
        match self {
            Self::Alone => line.reset(),
            Self::Shared => io::ErrorKind::ConnectionReset.into(),
        }
    }
}

impl Step {
    const fn at(&self) -> std::time::Duration {
        match self {
            Self::Write(frame) => frame.at,
            Self::Reset { at } | Self::End { at } => *at,
        }
    }
}
