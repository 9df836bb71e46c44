//! Timers for loads and servers whose truth is in microseconds.
//!
//! tokio's timer ticks in milliseconds and rounds up, which bends a Poisson process and blurs an emission. On Linux
//! [`Timer::precise`] therefore sleeps on a timer descriptor of the kernel; elsewhere, and wherever tokio's clock is paused
//! ([`Timer::tokio`]), it is tokio's own timer. This crate deliberately knows nothing of loads, requests or servers.

#[cfg(target_os = "linux")]
mod heap;
#[cfg(target_os = "linux")]
mod precise;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Instant;

/// Makes sleeps. Cheap to clone; belongs to the runtime in which it was made.
#[derive(Clone, Debug)]
pub struct Timer(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Tokio,
    #[cfg(target_os = "linux")]
    Precise(precise::Timer),
}

impl Timer {
    /// tokio's own timer: right to the millisecond. Where its clock is paused it is exact for deadlines a whole number of
    /// milliseconds after the runtime's start; others end at the next one.
    pub const fn tokio() -> Self {
        Self(Kind::Tokio)
    }

    /// The most precise timer of this system. To be called inside the runtime that it serves.
    ///
    /// # Errors
    /// If the system grants no timer descriptor.
    #[cfg(target_os = "linux")]
    pub fn precise() -> io::Result<Self> {
        precise::Timer::start().map(|timer| Self(Kind::Precise(timer)))
    }

    /// The most precise timer of this system. To be called inside the runtime that it serves.
    ///
    /// # Errors
    /// Never on this system, which has none better than tokio's.
    #[cfg(not(target_os = "linux"))]
    pub const fn precise() -> io::Result<Self> {
        Ok(Self::tokio())
    }

    /// A sleep that ends at `deadline`, or at once if that has passed.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        match &self.0 {
            Kind::Tokio => Sleep::Tokio(Box::pin(tokio::time::sleep_until(deadline))),
            #[cfg(target_os = "linux")]
            Kind::Precise(timer) => Sleep::Precise(timer.sleep_until(deadline)),
        }
    }
}

/// A sleep of a [`Timer`]. Can be set anew with [`Sleep::reset`] without being made anew.
#[derive(Debug)]
#[must_use = "a sleep does nothing unless awaited"]
pub enum Sleep {
    /// By tokio's timer.
    Tokio(Pin<Box<tokio::time::Sleep>>),
    /// By the kernel's.
    #[cfg(target_os = "linux")]
    Precise(precise::Sleep),
}

impl Sleep {
    /// Sets another deadline.
    pub fn reset(&mut self, deadline: Instant) {
        match self {
            Self::Tokio(sleep) => sleep.as_mut().reset(deadline),
            #[cfg(target_os = "linux")]
            Self::Precise(sleep) => sleep.reset(deadline),
        }
    }

    /// The moment at which it ends.
    pub fn deadline(&self) -> Instant {
        match self {
            Self::Tokio(sleep) => sleep.deadline(),
            #[cfg(target_os = "linux")]
            Self::Precise(sleep) => sleep.deadline(),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            // tokio's own would round a passed deadline up to the next millisecond.
            Self::Tokio(sleep) if sleep.deadline() <= Instant::now() => Poll::Ready(()),
            Self::Tokio(sleep) => sleep.as_mut().poll(cx),
            #[cfg(target_os = "linux")]
            Self::Precise(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn in_virtual_time_a_sleep_ends_at_its_deadline_to_the_millisecond_above() {
        let start = Instant::now();
        Timer::tokio().sleep_until(start + Duration::from_micros(1500)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(2));
    }

    #[tokio::test]
    async fn a_deadline_that_has_passed_ends_at_once() {
        for timer in [Timer::tokio(), Timer::precise().unwrap()] {
            let mut sleep = timer.sleep_until(Instant::now());
            let polled =
                std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut sleep).poll(cx))).await;
            assert_eq!(polled, Poll::Ready(()));
        }
    }

    #[tokio::test]
    async fn a_reset_moves_the_deadline() {
        for timer in [Timer::tokio(), Timer::precise().unwrap()] {
            let later = Instant::now() + Duration::from_millis(3);
            let mut sleep = timer.sleep_until(Instant::now());
            sleep.reset(later);
            assert_eq!(sleep.deadline(), later);
            sleep.await;
            assert!(later <= Instant::now());
        }
    }
}
