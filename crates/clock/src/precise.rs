//! Sleeps over one timer descriptor of the kernel.
//!
//! A sleep enters the heap when it is polled before its end. The descriptor is armed for the earliest deadline; when it fires, one
//! task wakes every sleep that is due and arms it anew. A sleep that is moved to a later moment leaves its entry where it is until
//! that fires, so that moving a timeout at every read costs nothing.
//!
//! The heap stands behind a lock because a runtime may have several threads; on the runtimes of tokometer, which have one, it
//! is never contended. No waker is woken or dropped under the lock: either may run code that wants it.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::heap::{Heap, Key};

#[derive(Clone, Debug)]
pub(crate) struct Timer(Arc<Handle>);

/// What timers and sleeps hold. With the last of them the waking task ends.
#[derive(Debug)]
struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    descriptor: AsyncFd<OwnedFd>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    heap: Heap,
    /// The deadline for which the descriptor is armed.
    armed: Option<Instant>,
    /// Whether nobody can sleep any more.
    closed: bool,
}

impl Timer {
    pub(crate) fn start() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; what it asks for holds: an OwnedFd stays open"
        )]
        let descriptor = AsyncFd::new(descriptor)?;
        let shared = Arc::new(Shared { descriptor, state: Mutex::default() });
        tokio::spawn(serve(shared.clone()));
        Ok(Self(Arc::new(Handle(shared))))
    }

    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep { timer: self.clone(), deadline, seat: None }
    }
}

/// Wakes sleeps until nobody holds the timer any more.
async fn serve(shared: Arc<Shared>) {
    let mut due = Vec::new();
    while let Ok(mut ready) = shared.descriptor.readable().await {
        // The descriptor is never read: arming it anew also takes back what it had to tell.
        ready.clear_ready();
        if shared.state().closed {
            return;
        }
        shared.fire(&mut due);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what is due and arms the descriptor for what is next.
    fn fire(&self, due: &mut Vec<Waker>) {
        let mut state = self.state();
        let now = Instant::now();
        state.heap.take_due(now, due);
        state.armed = None;
        if let Some(next) = state.heap.first() {
            self.arm(&mut state, next, now);
        }
        drop(state);
        due.drain(..).for_each(Waker::wake);
    }

    fn arm(&self, state: &mut State, deadline: Instant, now: Instant) {
        state.armed = Some(deadline);
        self.set(deadline.saturating_duration_since(now).max(SHORTEST));
    }

    fn set(&self, ahead: Duration) {
        let value = Timespec::try_from(ahead).unwrap_or(FARTHEST);
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::empty(), &once)
            .expect("a timer descriptor takes any positive length");
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.set(SHORTEST);
    }
}

#[derive(Debug)]
pub struct Sleep {
    timer: Timer,
    deadline: Instant,
    /// Its seat in the heap, taken when it first has to wait.
    seat: Option<Seat>,
}

#[derive(Debug)]
struct Seat {
    key: Key,
    /// When it will be woken, and who; it may have been woken since.
    wake_at: Instant,
    waker: Waker,
}

impl Sleep {
    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sees to it that `waker` is woken at the deadline or before.
    fn enter(&mut self, now: Instant, waker: &Waker) {
        let Self { timer, deadline, seat } = self;
        let woken_in_time = |seat: &Seat| {
            now < seat.wake_at && seat.wake_at <= *deadline && seat.waker.will_wake(waker)
        };
        if seat.as_ref().is_some_and(woken_in_time) {
            return;
        }
        let shared = &timer.0.0;
        let mut state = shared.state();
        let key = seat.as_ref().map_or_else(|| state.heap.sit(), |seat| seat.key);
        let old = state.heap.wait(key, *deadline, waker);
        if state.armed.is_none_or(|armed| *deadline < armed) {
            shared.arm(&mut state, *deadline, now);
        }
        drop(state);
        drop(old);
        match seat {
            Some(seat) if seat.waker.will_wake(waker) => seat.wake_at = *deadline,
            _ => *seat = Some(Seat { key, wake_at: *deadline, waker: waker.clone() }),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if self.deadline <= now {
            return Poll::Ready(());
        }
        self.enter(now, cx.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            let waker = self.timer.0.0.state().heap.leave(seat.key);
            drop(waker);
        }
    }
}

/// A descriptor armed with zero is disarmed, so the shortest length is one nanosecond.
const SHORTEST: Duration = Duration::from_nanos(1);

/// A length that no sleep reaches: some 31 years.
const FARTHEST: Timespec = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;
    use tokio::task::yield_now;
    use tokio::time::sleep;

    use super::*;

    impl Timer {
        /// How many sleeps stand in the heap.
        fn waiting(&self) -> usize {
            self.0.0.state().heap.len()
        }
    }

    const MILLI: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn no_sleep_ends_early_and_most_end_within_half_a_millisecond() {
        let timer = Timer::start().unwrap();
        let mut medians = Vec::new();
        // A machine that is busy with something else gets another chance.
        for _ in 0..10 {
            let mut late = Vec::new();
            for i in 0..100 {
                let deadline = Instant::now() + MILLI + Duration::from_micros(7 * i);
                timer.sleep_until(deadline).await;
                late.push(Instant::now().checked_duration_since(deadline).expect("not early"));
            }
            late.sort_unstable();
            medians.push(late[50]);
            // tokio's timer, which ticks in milliseconds and rounds up, has a median near one.
            if late[50] < MILLI / 2 {
                return;
            }
        }
        panic!("median lateness, round by round: {medians:?}");
    }

    #[tokio::test]
    async fn sleeps_end_in_order_of_their_deadlines() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for i in [5, 1, 9, 3, 7] {
            let (sleep, tell) =
                (timer.sleep_until(start + 5 * MILLI + MILLI * i / 4), tell.clone());
            tokio::spawn(async move {
                sleep.await;
                tell.send(i).unwrap();
            });
        }
        drop(tell);
        let mut order = Vec::new();
        while let Some(i) = told.recv().await {
            order.push(i);
        }
        assert_eq!(order, [1, 3, 5, 7, 9]);
    }

    #[tokio::test]
    async fn a_sleep_that_is_dropped_leaves_nothing_in_the_heap() {
        let timer = Timer::start().unwrap();
        for _ in 0..1000 {
            let limit = timer.sleep_until(Instant::now() + Duration::from_secs(600));
            tokio::select! {
                biased;
                () = limit => panic!("ten minutes have not passed"),
                () = yield_now() => {}
            }
        }
        assert_eq!(timer.waiting(), 0);
    }

    #[tokio::test]
    async fn a_sleep_that_is_reset_stands_in_the_heap_once_and_ends_at_its_new_deadline() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        let mut sleep = timer.sleep_until(start + Duration::from_secs(600));
        for millis in [500, 700, 3, 4, 5] {
            sleep.reset(start + MILLI * millis);
            tokio::select! {
                biased;
                () = &mut sleep => {}
                () = yield_now() => {}
            }
        }
        assert!(timer.waiting() <= 1);
        sleep.await;
        assert!(start + 5 * MILLI <= Instant::now() && Instant::now() < start + 500 * MILLI);
    }

    #[tokio::test]
    async fn the_waking_task_ends_with_the_last_holder() {
        let alive = || Handle::current().metrics().num_alive_tasks();
        let timer = Timer::start().unwrap();
        let sleep = timer.sleep_until(Instant::now() + Duration::from_secs(600));
        assert_eq!(alive(), 1);
        drop(timer);
        sleep.timer.clone().sleep_until(Instant::now() + MILLI).await;
        assert_eq!(alive(), 1, "a sleep holds the timer too");
        drop(sleep);
        let patience = Instant::now() + Duration::from_secs(20);
        while alive() > 0 {
            assert!(Instant::now() < patience, "the waking task did not end");
            sleep_a_tick().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sleeps_of_several_threads_all_end() {
        let timer = Timer::start().unwrap();
        let sleepers = (0..200_u32).map(|i| {
            let timer = timer.clone();
            tokio::spawn(async move {
                for k in 0..20 {
                    timer
                        .sleep_until(Instant::now() + Duration::from_micros(u64::from(i + k)))
                        .await;
                }
            })
        });
        for sleeper in sleepers.collect::<Vec<_>>() {
            sleeper.await.unwrap();
        }
        assert_eq!(timer.waiting(), 0);
    }

    /// Lets the runtime look at its descriptors.
    async fn sleep_a_tick() {
        sleep(MILLI).await;
    }
}
