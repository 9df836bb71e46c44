//! Runs a fleet in real time: waits for the moment at which something happens in it next, and hands what left it to the responses.
//!
//! The fleet's time is the model's own: a step begins when the last one ended, not when this thread came to look, so that lateness
//! of the server does not add up. All tokens of a step are handed over together, at its end. In virtual time everything happens at exactly
//! the model's moments.
//!
//! **Hot path**: from the end of a step to the writes of its tokens. Under the lock only what is due is put into its seats; responses
//! are woken after it. The lock is there because a request that arrives must be entered before the next step is decided upon; on the
//! one thread of the server it is never contended. This file deliberately knows no HTTP.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokometer_clock::Timer;

use crate::counts::{Counts, Share};
use crate::model::{ByTicket, Deployment, Emission, Engine, Event, Fleet, Job, Ticket};

/// A fleet, and who waits for what it emits.
#[derive(Debug)]
pub(crate) struct Conductor {
    /// The origin of the fleet's time.
    origin: Instant,
    timer: Timer,
    engine: Engine,
    counts: Arc<Counts>,
    state: Mutex<State>,
    /// Told when something happens in the fleet sooner than was known.
    sooner: Notify,
}

/// Where a response waits for what the fleet emits for one of its choices. Dropping it takes the job out of the fleet.
#[derive(Debug)]
pub(crate) struct Seat {
    conductor: Arc<Conductor>,
    ticket: Ticket,
    ended: bool,
}

/// What became of a job so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// When its first step began.
    pub(crate) scheduled: Option<Instant>,
    /// Tokens of its prompt that the prefix cache had.
    pub(crate) cached: u32,
    pub(crate) preemptions: u32,
}

#[derive(Debug)]
struct State {
    fleet: Fleet,
    /// Where what is emitted waits for whoever asked for it. The fleet has no other jobs, so its tickets are these.
    inboxes: ByTicket<Inbox>,
    /// What the conducting task waits for. `None` while it waits for nothing.
    awaited: Option<Duration>,
    begun: bool,
}

#[derive(Debug, Default)]
struct Inbox {
    emissions: SmallVec<[Emission; 1]>,
    waker: Option<Waker>,
    course: Course,
    /// What the job adds to the counters. It ends with the job.
    share: Option<Share>,
}

impl Conductor {
    /// Engines with nothing to do, whose time begins at `origin`.
    pub(crate) fn new(
        deployment: Deployment,
        seed: u64,
        (origin, timer): (Instant, Timer),
        counts: Arc<Counts>,
    ) -> Arc<Self> {
        let engine = deployment.engine.clone();
        let state = State {
            fleet: Fleet::new(deployment, seed),
            inboxes: ByTicket::default(),
            awaited: None,
            begun: false,
        };
        let (state, sooner) = (Mutex::new(state), Notify::new());
        Arc::new(Self { origin, timer, engine, counts, state, sooner })
    }

    /// Enters a job that arrived at `at`.
    pub(crate) fn submit(self: &Arc<Self>, at: Instant, job: Job, share: Option<Share>) -> Seat {
        let mut state = self.state();
        if !std::mem::replace(&mut state.begun, true) {
            tokio::spawn(conduct(Arc::clone(self)));
        }
        let ticket = state.fleet.submit(at.saturating_duration_since(self.origin), job);
        let kept = state.inboxes.push(Inbox { share, ..Inbox::default() });
        debug_assert_eq!(ticket, kept, "whoever has a job in the fleet has an inbox");
        self.tell_if_sooner(&state);
        Seat { conductor: Arc::clone(self), ticket, ended: false }
    }

    /// Tokens in a block of the KV cache.
    pub(crate) const fn block_size(&self) -> u32 {
        self.engine.block_size.get()
    }

    /// Whether blocks of earlier requests are used again.
    pub(crate) const fn caches_prefixes(&self) -> bool {
        self.engine.prefix_caching
    }

    /// Empties the prefix caches. Whether that could be done: not while requests use them.
    pub(crate) fn reset_prefix_cache(&self) -> bool {
        let reset = self.state().fleet.reset_prefix_cache();
        if reset {
            self.counts.cache_reset();
        }
        reset
    }

    fn tell_if_sooner(&self, state: &State) {
        let next = state.fleet.next();
        if next.is_some_and(|next| state.awaited.is_none_or(|awaited| next < awaited)) {
            self.sooner.notify_one();
        }
    }

    /// Lets everything happen that is due, and wakes whoever has been given something. What happens next. `woken` is empty before and
    /// after.
    fn advance(&self, now: Duration, woken: &mut Vec<Waker>) -> Option<Duration> {
        let mut state = self.state();
        let State { fleet, inboxes, .. } = &mut *state;
        let mut stepped = false;
        fleet.advance(now, &mut |event| {
            // One step ended, or one began where none had been.
            stepped |= matches!(event, Event::Stepped { .. } | Event::Scheduled { .. });
            self.happened(inboxes, woken, &event);
        });
        if stepped {
            self.counts.occupied(&fleet.occupancy());
        }
        let next = fleet.next();
        state.awaited = next;
        drop(state);
        woken.drain(..).for_each(Waker::wake);
        next
    }

    fn happened(&self, inboxes: &mut ByTicket<Inbox>, woken: &mut Vec<Waker>, event: &Event) {
        match *event {
            Event::Emitted { ticket, emission } => {
                if let Some(inbox) = inboxes.of(ticket) {
                    inbox.count(&emission);
                    inbox.emissions.push(emission);
                    woken.extend(inbox.waker.take());
                }
            }
            Event::Scheduled { ticket, at, replica, cached } => {
                if let Some(inbox) = inboxes.of(ticket) {
                    let scheduled = Some(self.origin + at);
                    inbox.course = Course { scheduled, cached, ..inbox.course };
                    if let Some(share) = &mut inbox.share {
                        share.scheduled(at, replica, cached);
                    }
                }
            }
            Event::Preempted { ticket, .. } => {
                if let Some(inbox) = inboxes.of(ticket) {
                    inbox.course.preemptions += 1;
                    if let Some(share) = &mut inbox.share {
                        share.preempted();
                    }
                }
            }
            Event::Stepped { replica, at, speculated, .. } => {
                self.counts.stepped(replica, at, &speculated);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the fleet's time pass, for as long as the runtime lives.
async fn conduct(conductor: Arc<Conductor>) {
    let mut sleep = pin!(conductor.timer.sleep_until(conductor.origin));
    let mut woken = Vec::new();
    let mut next = conductor.advance(Duration::ZERO, &mut woken);
    loop {
        match next {
            None => conductor.sooner.notified().await,
            Some(at) => {
                sleep.as_mut().reset(conductor.origin + at);
                tokio::select! {
                    biased;
                    () = &mut sleep => {}
                    () = conductor.sooner.notified() => {}
                }
            }
        }
        next = conductor.advance(conductor.origin.elapsed(), &mut woken);
    }
}

impl Seat {
    /// What the fleet emitted next for this job, with its moment, and what became of the job so far.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<(Instant, Emission, Course)> {
        let mut state = self.conductor.state();
        let Some(inbox) = state.inboxes.of(self.ticket) else { return Poll::Pending };
        if inbox.emissions.is_empty() {
            match &inbox.waker {
                Some(held) if held.will_wake(cx.waker()) => {}
                _ => inbox.waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        let emission = inbox.emissions.remove(0);
        self.ended |= emission.finish.is_some();
        Poll::Ready((self.conductor.origin + emission.at, emission, inbox.course))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.conductor.state();
        if !self.ended {
            state.fleet.abort(self.ticket);
            // Where something is still to happen, the end of a step will tell.
            if state.fleet.next().is_none() {
                self.conductor.counts.occupied(&state.fleet.occupancy());
            }
        }
        let inbox = state.inboxes.take(self.ticket);
        drop(state);
        // A waker may run foreign code when it is dropped, so not under the lock.
        drop(inbox);
    }
}

impl Inbox {
    /// Counts what was emitted. The last of it ends what is counted, whether anybody has heard it yet or not.
    fn count(&mut self, emission: &Emission) {
        let Some(share) = &mut self.share else { return };
        share.emitted(emission.at, emission.tokens);
        if emission.finish.is_some() {
            share.finished(emission.finish);
            self.share = None;
        }
    }
}
