//! Response bodies that wait for their moments.
//!
//! **Hot path**: from an emission's deadline to the write of its bytes. When a sleep ends, the bytes to be written are there
//! already; what follows them is prepared after they have been written. A body that has handed bytes over gives nothing more until
//! they have left, so that each emission is a write of its own and the moment of each is known.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use smallvec::SmallVec;
use tokio::time::Instant;
use tokometer_clock::{Sleep, Timer};

use crate::model::Emission;
use crate::said::playback::{self, Playback, Step};
use crate::server::conductor::{Course, Seat};
use crate::server::line::Line;
use crate::truth::Entry;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Reply {
    Whole(Box<Whole>),
    Stream(Box<Stream>),
}

/// A body that is there at once.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    /// Whose truth the write completes, and with how many tokens.
    told: Option<(Entry, Instant, u32)>,
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
    under_way: UnderWay,
    next: Step,
    sleep: Sleep,
    entry: Entry,
    line: Arc<Line>,
    sharing: Sharing,
    /// When what was handed over and is not known to be written was due, and its tokens.
    departed: Option<(Instant, SmallVec<[u32; 2]>)>,
    ended: bool,
}

/// A response under way, and where it hears what is emitted for it.
#[derive(Debug)]
pub(crate) struct UnderWay {
    pub(crate) playback: Playback,
    /// When the request arrived.
    pub(crate) arrival: Instant,
    /// One for each choice, where requests share steps.
    pub(crate) seats: SmallVec<[Seat; 1]>,
    /// Whether the usage tells how much of the prompt was cached.
    pub(crate) tells_cached: bool,
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
        Self::Whole(Box::new(Whole { bytes, told: None, line, ending: Ending::Complete }))
    }

    /// A response that is not streamed and is due now.
    pub(crate) fn whole(
        whole: playback::Whole,
        due: Instant,
        mut entry: Entry,
        (line, sharing): (Arc<Line>, Sharing),
    ) -> Self {
        entry.finished(Some(whole.finish));
        let ending = if whole.reset { Ending::Reset(sharing) } else { Ending::Complete };
        Self::Whole(Box::new(Whole {
            bytes: whole.bytes,
            told: Some((entry, due, whole.tokens)),
            line,
            ending,
        }))
    }

    /// A response that is streamed.
    pub(crate) fn stream(
        mut under_way: UnderWay,
        timer: &Timer,
        mut entry: Entry,
        (line, sharing): (Arc<Line>, Sharing),
    ) -> Self {
        entry.expect(under_way.playback.chunks_left());
        let next = under_way.playback.next();
        let sleep = timer.sleep_until(under_way.arrival + next.at());
        let (departed, ended) = (None, false);
        Self::Stream(Box::new(Stream {
            under_way,
            next,
            sleep,
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
                if let Some((entry, due, tokens)) = self.told.take() {
                    self.line.depart_whole(entry, due, tokens);
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
        if let Some((due, tokens)) = &self.departed {
            // Whoever drives the connection polls again once this has landed.
            let Some(moment) = self.line.landed() else { return Poll::Pending };
            self.entry.emitted(moment, *due, tokens);
            self.departed = None;
            self.prepare();
        }
        while self.next == Step::Wait {
            ready!(self.under_way.poll_told(cx, &mut self.entry));
            self.prepare();
        }
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let end = Step::End { at: self.next.at() };
        match std::mem::replace(&mut self.next, end) {
            Step::Write(frame) => {
                self.hand_over(frame.at, frame.tokens, frame.last);
                Poll::Ready(Some(Ok(Frame::data(frame.bytes))))
            }
            Step::Reset { .. } => Poll::Ready(Some(Err(self.sharing.reset(&self.line)))),
            Step::End { .. } | Step::Wait => Poll::Ready(None),
        }
    }

    fn hand_over(&mut self, at: Duration, tokens: SmallVec<[u32; 2]>, last: bool) {
        let due = self.under_way.arrival + at;
        if last {
            self.ended = true;
            self.entry.finished(self.under_way.playback.finish());
        } else if self.sharing == Sharing::Alone {
            self.line.depart();
            self.departed = Some((due, tokens));
        } else {
            self.entry.emitted(Instant::now(), due, &tokens);
            self.prepare();
        }
    }

    fn prepare(&mut self) {
        self.next = self.under_way.playback.next();
        self.sleep.reset(self.under_way.arrival + self.next.at());
    }
}

impl UnderWay {
    /// Takes in what has been emitted for the choices that wait for it. Pending while there is nothing.
    pub(crate) fn poll_told(&mut self, cx: &Context<'_>, entry: &mut Entry) -> Poll<()> {
        let mut told = false;
        for choice in 0..self.seats.len() {
            while self.playback.waits_for(choice)
                && let Poll::Ready(heard) = self.seats[choice].poll_next(cx)
            {
                self.hear(choice, heard, entry);
                told = true;
            }
        }
        if told { Poll::Ready(()) } else { Poll::Pending }
    }

    fn hear(
        &mut self,
        choice: usize,
        (moment, emission, course): (Instant, Emission, Course),
        entry: &mut Entry,
    ) {
        let at = moment.saturating_duration_since(self.arrival);
        self.playback.told(choice, Emission { at, ..emission });
        entry.went(&course);
        if self.tells_cached {
            self.playback.cached(course.cached);
        }
    }

    /// Waits until everything has been emitted, and gives back the whole response.
    pub(crate) async fn whole(mut self, entry: &mut Entry) -> playback::Whole {
        let choices = self.seats.len();
        std::future::poll_fn(|cx| {
            while let Some(choice) = (0..choices).find(|choice| !self.playback.knows_all(*choice)) {
                let heard = ready!(self.seats[choice].poll_next(cx));
                self.hear(choice, heard, entry);
            }
            Poll::Ready(())
        })
        .await;
        self.playback.whole()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some((due, tokens)) = self.departed.take() {
            match self.line.landed() {
                Some(moment) => self.entry.emitted(moment, due, &tokens),
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
    const fn at(&self) -> Duration {
        match self {
            Self::Write(frame) => frame.at,
            Self::Wait => Duration::ZERO,
            Self::Reset { at } | Self::End { at } => *at,
        }
    }
}
