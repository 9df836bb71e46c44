//! Rates that change in time: from one to another, linearly or exponentially, over a number of requests.
//!
//! The rate follows the time and not the requests' numbers. vLLM's follows the numbers, and so is 31.5 a second where a ramp
//! from 10 to 100 should be at 55. What happens between the moments, and the drawing of them, is not known here.

use std::time::Duration;

use super::moment;

/// A rate that changes in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// How it changes.
    pub shape: Shape,
    /// Requests per second at the beginning. Above zero; a linear ramp may begin at zero.
    pub from: f64,
    /// Requests per second at the end. Above zero; a linear ramp may end at zero if it did not begin there.
    pub to: f64,
    /// How evenly requests come, as in [`super::Arrivals::Gamma`].
    pub burstiness: f64,
}

/// How a rate changes in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By the same number of requests per second, every second.
    Linear,
    /// By the same factor, every second.
    Exponential,
}

impl Ramp {
    /// Requests per second after this fraction of its time, from 0 to 1.
    pub fn rate_at(&self, fraction: f64) -> f64 {
        let fraction = fraction.clamp(0.0, 1.0);
        match self.shape {
            Shape::Linear => self.from + (self.to - self.from) * fraction,
            Shape::Exponential => self.from * (self.to / self.from).powf(fraction),
        }
    }

    /// Requests per second over the whole time: half the sum of both ends if linear, else `(to − from) / ln(to / from)`.
    pub fn mean(&self) -> f64 {
        match self.shape {
            Shape::Linear => f64::midpoint(self.from, self.to),
            Shape::Exponential => {
                let growth = self.growth();
                if growth == 0.0 { self.from } else { self.from * growth / growth.ln_1p() }
            }
        }
    }

    /// Requests per second at its higher end.
    pub const fn peak(&self) -> f64 {
        self.from.max(self.to)
    }

    /// How long `count` requests take from its beginning to its end: the last falls at exactly that moment.
    pub fn duration(&self, count: u64) -> Duration {
        moment(count as f64 / self.mean())
    }

    /// The fraction of its time after which `share` of its requests have come: the inverse of the rate's integral.
    pub(super) fn time_of(&self, share: f64) -> f64 {
        let fraction = match self.shape {
            Shape::Linear => {
                // from·u + (to − from)·u²/2 = share·(from + to)/2, solved for u without taking the difference of near
                // equals.
                let area = share * f64::midpoint(self.from, self.to);
                let root = (self.from.powi(2) + 2.0 * (self.to - self.from) * area).max(0.0).sqrt();
                if area == 0.0 { 0.0 } else { 2.0 * area / (self.from + root) }
            }
            Shape::Exponential => {
                let growth = self.growth();
                if growth == 0.0 { share } else { (share * growth).ln_1p() / growth.ln_1p() }
            }
        };
        fraction.clamp(0.0, 1.0)
    }

    /// By how much the rate grows, as a part of what it was.
    fn growth(&self) -> f64 {
        (self.to - self.from) / self.from
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Arrivals;
    use super::*;
    use crate::seed::Seed;

    fn ramp(shape: Shape, from: f64, to: f64) -> Ramp {
        Ramp { shape, from, to, burstiness: 1.0 }
    }

    fn moments(ramp: Ramp, count: u64) -> Vec<f64> {
        let moments = Arrivals::Ramp(ramp).schedule(count, Seed::new(42)).unwrap();
        moments.iter().map(Duration::as_secs_f64).collect()
    }

    /// Requests within a tenth of the time around this fraction of it, and how many there should be.
    fn around(ramp: Ramp, moments: &[f64], fraction: f64) -> (f64, f64) {
        let whole = *moments.last().unwrap();
        let (begin, end) = ((fraction - 0.05).max(0.0), (fraction + 0.05).min(1.0));
        let found = moments.iter().filter(|at| (begin * whole..end * whole).contains(*at)).count();
        // Simpson's rule: exact for a line, and for these exponentials to a hundredth of a percent.
        let middle = 4.0 * ramp.rate_at(f64::midpoint(begin, end));
        let rate = (ramp.rate_at(begin) + middle + ramp.rate_at(end)) / 6.0;
        (found as f64, rate * (end - begin) * whole)
    }

    const RAMPS: [(Shape, f64, f64); 7] = [
        (Shape::Linear, 10.0, 100.0),
        (Shape::Linear, 0.0, 50.0),
        (Shape::Linear, 80.0, 20.0),
        (Shape::Linear, 40.0, 0.0),
        (Shape::Exponential, 10.0, 100.0),
        (Shape::Exponential, 90.0, 30.0),
        (Shape::Exponential, 25.0, 25.0),
    ];

    #[test]
    fn the_rate_is_hit_at_every_quarter_of_the_time() {
        for (shape, from, to) in RAMPS {
            let even = Ramp { burstiness: f64::INFINITY, ..ramp(shape, from, to) };
            let moments = moments(even, 20_000);
            for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
                let (found, wanted) = around(even, &moments, quarter);
                let off = (found - wanted).abs();
                assert!(off <= 2.0, "{found} for {wanted} at {quarter} of {even:?}");
            }
        }
    }

    #[test]
    fn drawn_gaps_hit_it_as_far_as_chance_lets_them() {
        for (shape, from, to) in RAMPS {
            for burstiness in [0.25, 1.0, 4.0] {
                let drawn = Ramp { burstiness, ..ramp(shape, from, to) };
                let moments = moments(drawn, 20_000);
                for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
                    let (found, wanted) = around(drawn, &moments, quarter);
                    // A count's variance is its mean over the burstiness; 3.29 deviations are 0.1 %.
                    let bound = 3.29 * (wanted / burstiness).sqrt() + 2.0;
                    assert!(
                        (found - wanted).abs() < bound,
                        "{found} for {wanted} ± {bound} at {quarter} of {drawn:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn half_way_a_linear_ramp_has_its_mean_rate() {
        let linear = ramp(Shape::Linear, 10.0, 100.0);
        assert_eq!(linear.rate_at(0.5), 55.0);
        assert_eq!(linear.mean(), 55.0);
        assert_eq!(linear.duration(110), Duration::from_secs(2));
        let exponential = ramp(Shape::Exponential, 10.0, 100.0);
        assert!((exponential.rate_at(0.5) - 1000.0_f64.sqrt()).abs() < 1e-9);
        assert!((exponential.mean() - 90.0 / 10.0_f64.ln()).abs() < 1e-9);
        assert_eq!((linear.peak(), ramp(Shape::Linear, 8.0, 2.0).peak()), (100.0, 8.0));
    }

    proptest! {
        #[test]
        fn time_and_share_are_inverse(
            shape in prop_oneof![Just(Shape::Linear), Just(Shape::Exponential)],
            from in 0.1..1000.0_f64,
            to in prop_oneof![0.1..1000.0_f64, Just(1.0)],
            share in 0.0..=1.0_f64,
        ) {
            let it = ramp(shape, from, to);
            let time = it.time_of(share);
            prop_assert!((0.0..=1.0).contains(&time));
            // The rate's integral up to that time, by Simpson's rule over short steps.
            let step = time / 200.0;
            let area: f64 = (0..200)
                .map(|n| {
                    let at = f64::from(n) * step;
                    let inner = it.rate_at(at) + 4.0 * it.rate_at(at + step / 2.0);
                    (inner + it.rate_at(at + step)) / 6.0 * step
                })
                .sum();
            prop_assert!((area / it.mean() - share).abs() < 1e-6, "{} for {}", area / it.mean(), share);
            prop_assert_eq!(it.time_of(0.0), 0.0);
            prop_assert!((it.time_of(1.0) - 1.0).abs() < 1e-9);
        }
    }
}
