//! The one driver: turns a [`Load`] into exchanges at their moments.
//!
//! Closed loop, open loop and a rate under a cap differ only in what the load holds: a request is sent once it is due *and* a
//! place is free. Each turn of the loop awaits one occurrence, and a synchronous function handles it. Deliberately knows nothing
//! of HTTP: an exchange is whatever a [`Carrier`] makes of an order.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_record::{Offset, Phase};
use tokometer_workload::Ask;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Warmup};
use tokometer_workload::seed::Seed;

use crate::Event;
use crate::exchange::{Carrier, Ended, Order};
use crate::live::{Interrupt, Urgency};
use crate::transport::Connect;

/// What carries the exchanges of one worker thread.
pub(crate) struct Crew<C: Connect> {
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) carrier: Arc<Carrier<C>>,
}

/// A load to drive, and everything that it takes.
pub(crate) struct Drive<'a, C: Connect> {
    pub(crate) load: &'a Load,
    pub(crate) asks: &'a Arc<[Ask]>,
    pub(crate) seed: Seed,
    /// What its requests are, warm-ups excepted.
    pub(crate) phase: Phase,
    /// The index of its first request.
    pub(crate) first: u64,
    pub(crate) crews: &'a [Crew<C>],
    pub(crate) timer: &'a Timer,
    pub(crate) drain: Duration,
    pub(crate) events: &'a Sender<Event>,
    pub(crate) interrupt: &'a Interrupt,
}

/// How a load, or a stretch of it, went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    /// Whether everything it asked for was sent and awaited.
    pub(crate) complete: bool,
    /// When the measured schedule began: as [`Finished::measured_from`](crate::Finished::measured_from).
    pub(crate) measured_from: Offset,
}

/// A stretch of a load that is run to its end before anything follows.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The index of its first request.
    first: u64,
    /// How many requests it has.
    count: u64,
    /// How many of the first only warm the server up.
    warm: u64,
    /// How long after the first measured request nothing more is sent.
    after: Option<Duration>,
}

/// Where a stretch stands.
struct State<'a, C: Connect> {
    drive: &'a Drive<'a, C>,
    stretch: Stretch,
    begun: Offset,
    schedule: Schedule,
    /// When the measured schedule began. `None` until the first measured request of a load without pacing is sent.
    measured_from: Option<Offset>,
    /// Requests sent so far.
    sent: u64,
    in_flight: usize,
    /// How many of them each crew carries.
    carried: Vec<usize>,
    /// When the place became free that the next request takes, in a load without pacing.
    freed: Offset,
    /// Nothing more is sent: time is up, or the user has interrupted.
    halted: bool,
    /// Until when requests in flight are awaited, after an interruption.
    patience: Option<Instant>,
    /// When nothing more is to be sent.
    over: Option<Offset>,
    ended: UnboundedSender<(usize, Ended)>,
}

/// When the requests of a stretch are wanted, counted from its beginning.
enum Schedule {
    /// As soon as a place is free.
    AtOnce,
    /// At these moments.
    Moments(Vec<Duration>),
    /// So many a second, one as long after the other. It takes no memory, however many there are.
    Every(f64),
}

impl Schedule {
    fn of(arrivals: &Arrivals, count: u64, seed: Seed) -> Self {
        if let Arrivals::Constant { rate } = arrivals {
            return Self::Every(*rate);
        }
        arrivals.schedule(count, seed).map_or(Self::AtOnce, Self::Moments)
    }

    /// How long after the beginning the request with this number is wanted, counted from 0. `None` if as soon as it can be.
    fn moment(&self, number: u64) -> Option<Duration> {
        match self {
            Self::AtOnce => None,
            Self::Moments(moments) => Some(moments[number as usize]),
            Self::Every(rate) => {
                let seconds = (number + 1) as f64 / rate;
                Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
            }
        }
    }
}

/// What a turn of the loop awaits.
#[expect(clippy::large_enum_variant, reason = "made, moved once and taken apart at once")]
enum Occurrence {
    Ended(Option<(usize, Ended)>),
    Due,
    Over,
    Interrupted,
    Drained,
}

impl<C: Connect> Drive<'_, C> {
    /// Drives the load to its end.
    pub(crate) async fn run(&self) -> Driven {
        let (count, warm, after) =
            (self.load.stop.requests, self.load.warmup, self.load.stop.after);
        match warm {
            Warmup::None | Warmup::Leading(_) => {
                let leading = warm.requests();
                self.stretch(Stretch {
                    first: self.first,
                    count: leading + count,
                    warm: leading,
                    after,
                })
                .await
            }
            Warmup::Separate(n) => {
                let warmup = Stretch { first: self.first, count: n, warm: n, after: None };
                let measured = Stretch { first: self.first + n, count, warm: 0, after };
                let warmed = self.stretch(warmup).await;
                if !warmed.complete {
                    return warmed;
                }
                self.stretch(measured).await
            }
        }
    }

    /// Opens the connections that the load will want at once, so that no request has to wait for one.
    pub(crate) async fn open_connections(&self) {
        let wanted = match (self.load.in_flight, self.load.arrivals.peak_rate()) {
            (Some(cap), _) => {
                (cap.get() as u64).min(self.load.stop.requests + self.load.warmup.requests())
            }
            // How many an open loop needs depends on the server; a second's worth lets it begin without a handshake.
            (None, Some(rate)) => {
                (rate.ceil() as u64).min(self.load.stop.requests).min(OPEN_LOOP_HEAD_START)
            }
            (None, None) => self.load.stop.requests.min(OPEN_LOOP_HEAD_START),
        };
        let share = usize::try_from(wanted).unwrap_or(usize::MAX).div_ceil(self.crews.len());
        let filling: Vec<_> = self
            .crews
            .iter()
            .map(|crew| {
                let pool = Arc::clone(&crew.carrier.pool);
                let limit = crew.carrier.terms.timeouts.connect.unwrap_or(CONNECTS_WITHIN);
                crew.runtime.spawn(async move { pool.fill(share, limit).await })
            })
            .collect();
        for mut filled in filling {
            // A pool that could not be filled shows in the requests, which then open connections themselves.
            tokio::select! {
                _ = &mut filled => {}
                () = self.interrupt.reached(Urgency::Drain) => filled.abort(),
            }
        }
    }

    async fn stretch(&self, stretch: Stretch) -> Driven {
        let (ended, mut endings) = unbounded_channel();
        let begun = self.now();
        let schedule =
            Schedule::of(&self.load.arrivals, stretch.count, self.seed.at(stretch.first));
        let measured_from = match stretch.warm.checked_sub(1) {
            None => Some(begun),
            Some(last) => schedule.moment(last).map(|at| begun + at),
        };
        // An open loop is measured by its schedule, a closed one from its first request on.
        let by_schedule = measured_from.filter(|_| self.load.in_flight.is_none());
        let mut state = State {
            drive: self,
            stretch,
            begun,
            schedule,
            measured_from,
            sent: 0,
            in_flight: 0,
            carried: vec![0; self.crews.len()],
            freed: begun,
            halted: false,
            patience: None,
            over: stretch.after.and_then(|after| Some(by_schedule? + after)),
            ended,
        };
        loop {
            let is_behind = state.send_due();
            if state.is_finished() {
                let any = state.sent > stretch.warm;
                let measured_from = state.measured_from.filter(|_| any).unwrap_or(begun);
                return Driven { complete: state.patience.is_none(), measured_from };
            }
            if is_behind {
                // What was sent comes first to its turn, and all endings are heard, however far behind the schedule is.
                tokio::task::yield_now().await;
                while let Ok(ended) = endings.try_recv() {
                    state.handle(Occurrence::Ended(Some(ended)));
                }
            }
            let occurrence = state.next(&mut endings).await;
            state.handle(occurrence);
        }
    }

    fn now(&self) -> Offset {
        self.crews[0].carrier.now()
    }

    fn instant(&self, at: Offset) -> Instant {
        self.crews[0].carrier.origin + Duration::from_nanos(at.as_nanos())
    }
}

impl<C: Connect> State<'_, C> {
    /// When the next request is wanted. `None` if there is none to send, or no place for it.
    fn next_due(&self) -> Option<Offset> {
        let place = self.drive.load.in_flight.is_none_or(|cap| self.in_flight < cap.get());
        if self.halted || !place || self.sent >= self.stretch.count {
            return None;
        }
        let untaken = self.drive.load.in_flight.is_none_or(|cap| self.sent < cap.get() as u64);
        Some(match self.schedule.moment(self.sent) {
            Some(moment) => self.begun + moment,
            // Every place is free at the beginning.
            None if untaken => self.begun,
            None => self.freed,
        })
    }

    /// Sends the requests that are due and have a place, but only so many in a row. Whether that was not all of them.
    fn send_due(&mut self) -> bool {
        for _ in 0..MOST_IN_A_ROW {
            let Some(scheduled) = self.next_due() else { return false };
            let now = self.drive.now();
            if scheduled > now || self.over.is_some_and(|over| now >= over) {
                return false;
            }
            self.send(scheduled, now);
        }
        true
    }

    fn send(&mut self, scheduled: Offset, now: Offset) {
        let phase = if self.sent < self.stretch.warm { Phase::Warmup } else { self.drive.phase };
        if phase != Phase::Warmup && self.over.is_none() {
            self.over = self.stretch.after.map(|after| now + after);
        }
        if phase != Phase::Warmup {
            self.measured_from.get_or_insert(now);
        }
        let order = Order { index: self.stretch.first + self.sent, phase, scheduled };
        let number = self.least_busy();
        let crew = &self.drive.crews[number];
        let (carrier, ended) = (Arc::clone(&crew.carrier), self.ended.clone());
        let (asks, interrupt) = (Arc::clone(self.drive.asks), self.drive.interrupt.clone());
        crew.runtime.spawn(async move {
            let ask = &asks[(order.index % asks.len() as u64) as usize];
            // The receiver outlives every exchange: a stretch ends only when none is in flight.
            let _ = ended.send((number, carrier.exchange(order, ask, &interrupt).await));
        });
        self.carried[number] += 1;
        self.sent += 1;
        self.in_flight += 1;
    }

    /// The crew to take the next request: so none ever carries more than its share of the places, and the connections that it
    /// opened beforehand suffice.
    fn least_busy(&self) -> usize {
        (0..self.carried.len()).min_by_key(|crew| self.carried[*crew]).unwrap_or(0)
    }

    fn is_finished(&self) -> bool {
        self.in_flight == 0 && (self.halted || self.sent >= self.stretch.count)
    }

    async fn next(&self, endings: &mut UnboundedReceiver<(usize, Ended)>) -> Occurrence {
        let timer = self.drive.timer;
        let due = self.next_due().map(|at| timer.sleep_until(self.drive.instant(at)));
        let over =
            self.over.filter(|_| !self.halted).map(|at| timer.sleep_until(self.drive.instant(at)));
        let stopping = self.drive.interrupt.urgency() >= Urgency::Stop;
        let drained = self.patience.filter(|_| !stopping).map(|until| timer.sleep_until(until));
        tokio::select! {
            biased;
            () = self.drive.interrupt.reached(Urgency::Drain), if self.patience.is_none() => Occurrence::Interrupted,
            ended = endings.recv() => Occurrence::Ended(ended),
            () = maybe(over) => Occurrence::Over,
            () = maybe(due) => Occurrence::Due,
            () = maybe(drained) => Occurrence::Drained,
        }
    }

    fn handle(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Ended(Some((crew, (record, output)))) => {
                self.in_flight -= 1;
                self.carried[crew] -= 1;
                self.freed = record.end;
                // Nobody listens any more only if the caller has gone; the load then ends as the user wanted it.
                let _ = self.drive.events.send(Event::Ended { record, output });
            }
            Occurrence::Ended(None) | Occurrence::Due => {}
            Occurrence::Over => self.halted = true,
            Occurrence::Interrupted => {
                self.halted = true;
                self.patience = Some(Instant::now() + self.drive.drain);
            }
            Occurrence::Drained => self.drive.interrupt.raise(Urgency::Stop),
        }
    }
}

async fn maybe(sleep: Option<tokometer_clock::Sleep>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// How many requests are sent in a row before anything else is heard.
const MOST_IN_A_ROW: usize = 128;

/// How long one of the connections opened beforehand may take, where the user set no limit.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

/// The most connections that an open loop opens beforehand.
const OPEN_LOOP_HEAD_START: u64 = 512;
