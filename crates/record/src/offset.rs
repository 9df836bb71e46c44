//! A moment of a run, in nanoseconds since the run began.
//!
//! Deliberately not a wall-clock time: the wall clock of the run's start stands once, in the log's header.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: nanoseconds since the run began. The difference of two moments is a [`Duration`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(u64);

impl Offset {
    /// The beginning of the run.
    pub const ZERO: Self = Self(0);

    /// The moment that many nanoseconds after the beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment that long after the beginning. Saturates after 584 years.
    pub fn after(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since the beginning.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the beginning.
    pub fn as_secs_f64(self) -> f64 {
        self.since(Self::ZERO).as_secs_f64()
    }

    /// Time from `earlier` to this moment; zero if this moment is not the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for Offset {
    type Output = Duration;

    /// As [`Offset::since`]: never negative.
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl Add<Duration> for Offset {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_of_moments_is_a_length() {
        assert_eq!(Offset::from_nanos(5) - Offset::from_nanos(2), Duration::from_nanos(3));
    }

    #[test]
    fn difference_is_never_negative() {
        assert_eq!(Offset::from_nanos(2) - Offset::from_nanos(5), Duration::ZERO);
    }
}
