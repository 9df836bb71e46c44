//! How much values that follow each other depend on each other, and how many they are worth that do not.
//!
//! Requests that start one after the other meet the same queue: a run that happened to meet a long one has many slow requests. Judged
//! by the correlation of neighbours, as if it faded the way it does in an autoregressive sequence of the first order, and by the
//! means of batches of neighbours (Schmeiser, Operations Research 30, 1982: ten to thirty batches; Law and Kelton, Simulation
//! Modeling and Analysis, §9.5.3): the more dependent of the two counts. Deliberately blind to what a run never met.

use std::ops::Range;

/// The dependence of values, in the order in which they came about.
#[derive(Clone, Debug)]
pub(crate) struct Dependence {
    n: f64,
    /// Their variance: divided by n − 1.
    variance: f64,
    /// The correlation of neighbours, 0 where it may well be chance.
    neighbours: f64,
    /// The means of batches of neighbours.
    batches: Vec<f64>,
    /// The correlation of neighbouring batches, 0 where it may well be chance.
    between: f64,
}

impl Dependence {
    /// Of at least two values, all finite.
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let neighbours = correlation(values);
        let neighbours = if neighbours > BY_CHANCE / n.sqrt() { neighbours.min(MOST) } else { 0.0 };
        // Short batches would depend on each other as their values do.
        let number = if neighbours > 0.0 { FEW } else { MANY };
        let batches: Vec<f64> =
            batched(values.len(), number).map(|batch| mean(&values[batch])).collect();
        let between = correlation(&batches);
        let chance = BY_CHANCE / (batches.len() as f64).sqrt();
        let counts = neighbours > 0.0 || between > chance;
        let between = if counts { between.clamp(0.0, MOST) } else { 0.0 };
        Self { n, variance: variance(values), neighbours, batches, between }
    }

    /// The means of the batches.
    pub(crate) fn batches(&self) -> &[f64] {
        &self.batches
    }

    /// The square of the standard error of the mean.
    pub(crate) fn squared_error(&self) -> f64 {
        let of_batches = variance(&self.batches) / self.batches.len() as f64;
        let of_neighbours = self.variance / self.n;
        (of_batches * fading(self.between)).max(of_neighbours * fading(self.neighbours))
    }

    /// How many independent values they are worth by the correlation of neighbours alone, which hundreds of values tell better than
    /// their few batches tell theirs.
    pub(crate) fn worth_by_neighbours(&self) -> f64 {
        self.n / fading(self.neighbours)
    }

    /// How many independent values they are worth at most, by the correlation of neighbours, and where even whole batches follow each
    /// other, by that of batches.
    pub(crate) fn worth_at_most(&self) -> f64 {
        let by_neighbours = self.worth_by_neighbours();
        if self.between > ALIKE {
            by_neighbours.min(self.batches.len() as f64 / fading(self.between))
        } else {
            by_neighbours
        }
    }

    /// How many independent values they are worth.
    pub(crate) fn worth(&self) -> f64 {
        let expected = self.variance * self.batches.len() as f64 / self.n;
        let apart = variance(&self.batches) / expected;
        let by_batches = match apart > FAR_APART || self.neighbours > 0.0 {
            true => self.n / (apart * fading(self.between)),
            false => self.n,
        };
        self.worth_at_most().min(by_batches).min(self.n)
    }
}

/// How many values of a sequence with this correlation of neighbours are worth one: the sum of all correlations, on either side.
fn fading(correlation: f64) -> f64 {
    (1.0 + correlation) / (1.0 - correlation)
}

/// Which of n values are in each of so many batches.
fn batched(n: usize, number: usize) -> impl Iterator<Item = Range<usize>> {
    let number = number.min(n).max(1);
    (0..number).map(move |i| i * n / number..(i + 1) * n / number)
}

/// The correlation of neighbours. That of few values comes out too low, by (1 + 3 r) ÷ n (Marriott and Pope, Biometrika 41, 1954),
/// which is allowed for.
fn correlation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = mean(values);
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    let products: f64 = values.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum();
    // Values that are all the same differ from their mean by its rounding.
    if squares > n * (ROUNDING * middle).powi(2) {
        let found = products / squares;
        found + (1.0 + 3.0 * found) / n
    } else {
        0.0
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Divided by n − 1.
fn variance(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// Standard deviations that a correlation exceeds by chance in one of twenty samples; each is one by the root of how many values.
const BY_CHANCE: f64 = 1.645;

/// What is no greater a part of a mean is its rounding.
const ROUNDING: f64 = 1e-12;

/// A correlation never counts as more.
const MOST: f64 = 0.9999;

/// Batches of values whose neighbours depend on each other …
const FEW: usize = 10;

/// … and of others.
const MANY: usize = 30;

/// Batches whose correlation is above this are too short to be held for independent.
const ALIKE: f64 = 0.5;

/// The means of thirty batches of independent values vary by this much more than they should in fewer than one of twenty samples
/// (chi-squared, 29 degrees of freedom).
const FAR_APART: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::testing::{Draws, sequence};

    #[test]
    fn independent_values_are_worth_themselves() {
        let mut draws = Draws::seeded(1);
        let whole = (0..200)
            .filter(|_| Dependence::of(&sequence(&mut draws, 500, 0.0)).worth() > 499.0)
            .count();
        assert!(whole >= 170, "{whole} of 200");
    }

    #[test]
    fn neighbours_that_depend_on_each_other_are_worth_few() {
        let mut draws = Draws::seeded(2);
        let worth: Vec<f64> =
            (0..50).map(|_| Dependence::of(&sequence(&mut draws, 2_000, 0.9)).worth()).collect();
        // (1 − 0.9) ÷ (1 + 0.9) of 2000 is 105.
        assert!((50.0..=110.0).contains(&mean(&worth)), "{}", mean(&worth));
    }

    #[test]
    fn values_that_are_all_the_same_depend_on_nothing() {
        assert_eq!(correlation(&[2.0; 40]), 0.0);
        assert_eq!(correlation(&[0.019_999_999; 160]), 0.0);
    }

    #[test]
    fn batches_hold_every_value_once() {
        let all: Vec<usize> = batched(47, 10).flatten().collect();
        assert_eq!(all, (0..47).collect::<Vec<_>>());
        assert_eq!(batched(3, 10).count(), 3);
    }
}
