//! Orders drawn by a seed, of which any place can be had without the others.
//!
//! A shuffled list would have to be kept for every seed and found by every thread; a permutation that is computed place by
//! place needs neither. It is no cipher: it only spreads.

use crate::seed::Seed;

/// What stands at `position` when the numbers below `count` are shuffled by the seed. Every number stands at one position.
/// `position` is below `count`.
pub(super) fn shuffled(position: u64, count: u64, seed: Seed) -> u64 {
    // A Feistel network over the next even number of bits, walked on until it is back among the numbers below `count`:
    // Black, Rogaway: Ciphers with arbitrary finite domains, 2002.
    let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut number = position;
    loop {
        let (mut left, mut right) = (number >> half, number & mask);
        for round in 0..ROUNDS {
            let mixed = seed.at(round).at(right).number() & mask;
            (left, right) = (right, left ^ mixed);
        }
        number = (left << half) | right;
        if number < count {
            return number;
        }
    }
}

const ROUNDS: u64 = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_stands_anywhere_equally_often() {
        let mut times = [0_u32; 10];
        for seed in 0..10_000 {
            times[shuffled(3, 10, Seed::new(seed)) as usize] += 1;
        }
        // Chi-squared with 9 degrees of freedom; 27.9 is its 0.1 % point.
        let chi: f64 = times.iter().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 27.9, "{times:?}");
    }

    #[test]
    fn neighbours_do_not_stay_neighbours() {
        let order: Vec<u64> = (0..1000).map(|at| shuffled(at, 1000, Seed::new(7))).collect();
        let kept = order.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
        assert!(kept < 10, "{kept} neighbours of 1,000 stay together");
    }

    proptest! {
        #[test]
        fn every_number_stands_at_one_position(count in 1..600_u64, seed: u64) {
            let mut order: Vec<u64> =
                (0..count).map(|at| shuffled(at, count, Seed::new(seed))).collect();
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..count));
        }
    }
}
