//! How much is asked, and when: the one description that covers closed loop, open loop and a rate under a cap.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::arrivals::Arrivals;

/// A load. Closed loop: no pacing and a cap. Open loop: pacing and no cap. Both together: a rate under concurrency.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// When requests are wanted.
    pub arrivals: Arrivals,
    /// The most requests in flight at once. `None`: as many as the schedule makes.
    pub in_flight: Option<NonZeroUsize>,
    /// When to stop sending.
    pub stop: Stop,
    /// How many of the first requests only warm the server up.
    pub warmup: Warmup,
}

/// When to stop sending: at whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// After this many measured requests.
    pub requests: u64,
    /// This long after the first measured request is sent; in open loop, after the measured schedule begins. Requests in flight are
    /// awaited.
    pub after: Option<Duration>,
}

/// How the warm-up stands to the measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warmup {
    /// There is none.
    #[default]
    None,
    /// The first n requests of the same stream, without a barrier behind them.
    Leading(u64),
    /// n requests of their own, awaited before the measurement begins.
    Separate(u64),
}

impl Warmup {
    /// How many requests it takes.
    pub const fn requests(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Leading(n) | Self::Separate(n) => n,
        }
    }
}
