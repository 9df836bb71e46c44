//! Lengths that are fixed or drawn: of time, and of outputs.
//!
//! A draw is a pure function of the generator handed in. This file deliberately owns no generator and knows no request.

use std::time::Duration;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, StandardNormal};

/// A length of time, the same each time or drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always this long.
    Constant(Duration),
    /// The normal distribution; draws below zero count as zero.
    Normal {
        /// The mean, before draws below zero are raised.
        mean: Duration,
        /// The standard deviation, likewise.
        deviation: Duration,
    },
    /// The log-normal distribution.
    LogNormal {
        /// The mean of the lengths, not of their logarithms.
        mean: Duration,
        /// The standard deviation of the lengths, not of their logarithms.
        deviation: Duration,
    },
    /// The exponential distribution.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Any length from `low` to `high`, equally likely.
    Uniform {
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
}

impl Delay {
    /// Draws one length. No draw is longer than [`LONGEST`].
    pub fn draw(&self, rng: &mut impl Rng) -> Duration {
        match *self {
            Self::Constant(length) => length,
            Self::Normal { mean, deviation } => {
                let z: f64 = StandardNormal.sample(rng);
                seconds(mean.as_secs_f64() + z * deviation.as_secs_f64())
            }
            Self::LogNormal { mean, deviation } => {
                let z: f64 = StandardNormal.sample(rng);
                seconds(log_normal(mean.as_secs_f64(), deviation.as_secs_f64(), z))
            }
            Self::Exponential { mean } => {
                let gap: f64 = Exp1.sample(rng);
                seconds(gap * mean.as_secs_f64())
            }
            Self::Uniform { low, high } => seconds(
                low.as_secs_f64() + rng.random::<f64>() * (high.saturating_sub(low)).as_secs_f64(),
            ),
        }
    }
}

/// How many tokens an output has when nothing cuts it short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always this many.
    Fixed(u32),
    /// Any number from `low` to `high`, both included, equally likely.
    Uniform {
        /// The fewest.
        low: u32,
        /// The most.
        high: u32,
    },
}

impl Length {
    /// Draws one number of tokens.
    pub fn draw(&self, rng: &mut impl Rng) -> u32 {
        match *self {
            Self::Fixed(tokens) => tokens,
            Self::Uniform { low, high } => rng.random_range(low..=high.max(low)),
        }
    }
}

/// `exp(μ + σz)` with μ and σ such that the mean and the deviation of the outcome are as asked:
/// σ² = ln(1 + deviation²/mean²), μ = ln mean − σ²/2.
pub(crate) fn log_normal(mean: f64, deviation: f64, z: f64) -> f64 {
    if mean == 0.0 {
        return 0.0;
    }
    let variance = (deviation / mean).powi(2).ln_1p();
    (mean.ln() - variance / 2.0 + z * variance.sqrt()).exp()
}

/// Seconds as a length: nothing below zero, nothing above [`LONGEST`].
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(LONGEST, |length| length.min(LONGEST))
}

/// The longest length that a draw gives: a day. The tail of a log-normal distribution knows no bounds.
pub const LONGEST: Duration = Duration::from_secs(86_400);

/// A number of milliseconds, fractions included, as a length. `None` if it is not one, or longer than [`LONGEST`].
pub(crate) fn millis(value: &str) -> Option<Duration> {
    let millis: f64 = value.parse().ok()?;
    Duration::try_from_secs_f64(millis / 1e3).ok().filter(|length| *length <= LONGEST)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const MEAN: Duration = Duration::from_millis(20);
    const DEVIATION: Duration = Duration::from_millis(5);

    /// Mean and standard deviation of many draws, in milliseconds.
    fn moments(delay: Delay) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> =
            (0..100_000).map(|_| delay.draw(&mut rng).as_secs_f64() * 1e3).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        (mean, variance.sqrt())
    }

    #[track_caller]
    fn assert_moments(delay: Delay, mean: f64, deviation: f64) {
        let (was, spread) = moments(delay);
        assert!((was - mean).abs() < 0.1, "mean {was} ms, asked {mean} ms");
        assert!((spread - deviation).abs() < 0.1, "deviation {spread} ms, asked {deviation} ms");
    }

    #[test]
    fn draws_have_the_mean_and_the_deviation_asked_for() {
        assert_moments(Delay::Constant(MEAN), 20.0, 0.0);
        assert_moments(Delay::Normal { mean: MEAN, deviation: DEVIATION }, 20.0, 5.0);
        assert_moments(Delay::LogNormal { mean: MEAN, deviation: DEVIATION }, 20.0, 5.0);
        assert_moments(Delay::Exponential { mean: MEAN }, 20.0, 20.0);
        assert_moments(
            Delay::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(30) },
            20.0,
            20.0 / 12.0_f64.sqrt(),
        );
    }

    #[test]
    fn no_draw_is_below_zero_or_above_a_day() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let wild = Delay::LogNormal { mean: LONGEST, deviation: LONGEST * 100 };
        let wide = Delay::Normal { mean: Duration::ZERO, deviation: MEAN };
        for _ in 0..1000 {
            assert!(wild.draw(&mut rng) <= LONGEST);
            wide.draw(&mut rng);
        }
    }

    #[test]
    fn a_log_normal_of_mean_zero_is_zero() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let delay = Delay::LogNormal { mean: Duration::ZERO, deviation: MEAN };
        assert_eq!(delay.draw(&mut rng), Duration::ZERO);
    }

    #[test]
    fn a_uniform_length_reaches_both_ends() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen: Vec<u32> =
            (0..100).map(|_| Length::Uniform { low: 3, high: 5 }.draw(&mut rng)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [3, 4, 5]);
    }
}
