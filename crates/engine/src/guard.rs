//! What may end an exchange from outside: a time limit, or the user.
//!
//! One coarse timer a request. It is not set anew with every chunk: when it fires, the moment of the latest sign of life tells
//! whether a limit has really passed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tokometer_record::{Failure, FailureKind, Offset, TimeoutPhase};

use crate::live::{Interrupt, Urgency};
use crate::settings::Timeouts;

type Stopped<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The limits of one exchange.
pub(crate) struct Guard<'a> {
    origin: Instant,
    timeouts: Timeouts,
    begun: Offset,
    phase: TimeoutPhase,
    /// The limit of the phase, and the latest sign of life, from which it counts.
    limit: Option<Duration>,
    alive: Offset,
    sleep: Option<Pin<Box<Sleep>>>,
    interrupt: &'a Interrupt,
    /// Waits for the user to stop everything; made at the first poll, and again after each change of urgency.
    stopped: Option<(Urgency, Stopped<'a>)>,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(origin: Instant, timeouts: Timeouts, interrupt: &'a Interrupt) -> Self {
        let begun = Offset::after(origin.elapsed());
        Self {
            origin,
            timeouts,
            begun,
            phase: TimeoutPhase::Total,
            limit: None,
            alive: begun,
            sleep: None,
            interrupt,
            stopped: None,
        }
    }

    /// A phase begins at `at`.
    pub(crate) fn enter(&mut self, phase: TimeoutPhase, at: Offset) {
        self.phase = phase;
        self.limit = match phase {
            TimeoutPhase::Connect => self.timeouts.connect,
            TimeoutPhase::FirstByte => self.timeouts.first_byte,
            TimeoutPhase::BetweenChunks => self.timeouts.between_chunks,
            TimeoutPhase::Total => None,
        };
        self.alive = at;
        self.set();
    }

    /// The response is complete; its end is awaited only this long.
    pub(crate) fn enter_goodbye(&mut self, at: Offset, patience: Duration) {
        self.limit = Some(patience);
        self.alive = at;
        self.set();
    }

    /// A sign of life.
    pub(crate) const fn alive(&mut self, at: Offset) {
        self.alive = at;
    }

    /// Ready once a limit has passed or the user has stopped everything.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        if self.poll_stopped(cx).is_ready() {
            return Poll::Ready(Failure::new(FailureKind::Cancelled, "the run was stopped"));
        }
        while let Some(sleep) = &mut self.sleep
            && sleep.as_mut().poll(cx).is_ready()
        {
            let now = Offset::after(self.origin.elapsed());
            if let Some(failure) = self.passed(now) {
                return Poll::Ready(failure);
            }
            self.set_at(self.earliest());
        }
        Poll::Pending
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let urgency = self.interrupt.urgency();
        // Once registered, the task is woken by any change; to poll again before one would only cost a lock.
        if self.stopped.as_ref().is_none_or(|(seen, _)| *seen != urgency) {
            let mut stopped: Stopped<'a> = Box::pin(self.interrupt.reached(Urgency::Stop));
            let polled = stopped.as_mut().poll(cx);
            self.stopped = Some((urgency, stopped));
            return polled;
        }
        Poll::Pending
    }

    fn passed(&self, now: Offset) -> Option<Failure> {
        let timeout = |phase, limit: Duration| {
            let words = format!("{} after {limit:?}", FailureKind::Timeout(phase));
            Failure::new(FailureKind::Timeout(phase), words)
        };
        if let Some(limit) = self.timeouts.total
            && now - self.begun >= limit
        {
            return Some(timeout(TimeoutPhase::Total, limit));
        }
        self.limit
            .filter(|limit| now - self.alive >= *limit)
            .map(|limit| timeout(self.phase, limit))
    }

    /// The first moment at which a limit can pass.
    fn earliest(&self) -> Option<Offset> {
        let total = self.timeouts.total.map(|limit| self.begun + limit);
        let phase = self.limit.map(|limit| self.alive + limit);
        total.into_iter().chain(phase).min()
    }

    /// Sets the timer if it would fire too late.
    fn set(&mut self) {
        let Some(earliest) = self.earliest() else { return };
        let deadline = self.instant(earliest);
        if self.sleep.as_ref().is_none_or(|sleep| deadline < sleep.deadline()) {
            self.set_at(Some(earliest));
        }
    }

    fn set_at(&mut self, at: Option<Offset>) {
        let Some(deadline) = at.map(|at| self.instant(at)) else {
            self.sleep = None;
            return;
        };
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            none => *none = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    fn instant(&self, at: Offset) -> Instant {
        self.origin + Duration::from_nanos(at.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts {
            connect: None,
            first_byte: Some(Duration::from_millis(100)),
            between_chunks: Some(Duration::from_millis(30)),
            total: Some(Duration::from_millis(150)),
        }
    }

    fn millis(n: u64) -> Offset {
        Offset::from_nanos(n * 1_000_000)
    }

    async fn fires(guard: &mut Guard<'_>) -> (FailureKind, Duration) {
        let begun = Instant::now();
        let failure = poll_fn(|cx| guard.poll(cx)).await;
        (failure.kind, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_the_phase_fires() {
        let interrupt = Interrupt::default();
        let mut guard = Guard::new(Instant::now(), timeouts(), &interrupt);
        guard.enter(TimeoutPhase::FirstByte, Offset::ZERO);
        let expected = (FailureKind::Timeout(TimeoutPhase::FirstByte), Duration::from_millis(100));
        assert_eq!(fires(&mut guard).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_puts_the_limit_off() {
        let interrupt = Interrupt::default();
        let mut guard = Guard::new(Instant::now(), timeouts(), &interrupt);
        guard.enter(TimeoutPhase::BetweenChunks, Offset::ZERO);
        guard.alive(millis(20));
        let expected =
            (FailureKind::Timeout(TimeoutPhase::BetweenChunks), Duration::from_millis(50));
        assert_eq!(fires(&mut guard).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_total_fires_however_lively_the_exchange() {
        let interrupt = Interrupt::default();
        let mut guard = Guard::new(Instant::now(), timeouts(), &interrupt);
        guard.enter(TimeoutPhase::BetweenChunks, Offset::ZERO);
        guard.alive(millis(149));
        let expected = (FailureKind::Timeout(TimeoutPhase::Total), Duration::from_millis(150));
        assert_eq!(fires(&mut guard).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn draining_stops_nobody_and_stopping_does() {
        let interrupt = Interrupt::default();
        let mut guard = Guard::new(Instant::now(), Timeouts::default(), &interrupt);
        let user = interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            user.raise(Urgency::Drain);
            tokio::time::sleep(Duration::from_millis(10)).await;
            user.raise(Urgency::Stop);
        });
        assert_eq!(fires(&mut guard).await, (FailureKind::Cancelled, Duration::from_millis(20)));
    }
}
