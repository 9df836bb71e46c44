//! How much of a draft the model agrees with.
//!
//! Deliberately makes no drafts and knows no time: what a draft costs is part of the step that verifies it.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use crate::model::{Purpose, rng};

/// The draws of one output. Each position has one, whichever drafts it was in: the n-th draw is for the n-th token, from nought.
#[derive(Clone, Debug)]
pub(super) struct Acceptance {
    rng: ChaCha8Rng,
    drawn: u32,
}

impl Acceptance {
    /// For one choice of one request.
    pub(super) fn new(seed: u64, request: u64, choice: u32) -> Self {
        Self { rng: rng(seed, Purpose::Acceptance, request, choice), drawn: 0 }
    }

    /// How many tokens of a draft are accepted, the first of which would be the output's token at `position`.
    ///
    /// The chance of each is the one given that all before it were accepted. The first that is not ends it. Positions never go back:
    /// the token after the accepted ones is the model's own, and the next draft begins behind it.
    pub(super) fn of(&mut self, position: u32, chances: &[f64]) -> u32 {
        while self.drawn < position {
            self.rng.next_u64();
            self.drawn += 1;
        }
        let mut accepted = 0;
        for chance in chances {
            self.drawn += 1;
            if self.rng.random::<f64>() >= *chance {
                break;
            }
            accepted += 1;
        }
        accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_accepted_and_what_is_impossible_is_not() {
        let mut acceptance = Acceptance::new(1, 2, 0);
        assert_eq!(acceptance.of(0, &[1.0, 1.0, 1.0]), 3);
        assert_eq!(acceptance.of(4, &[1.0, 0.0, 1.0]), 1);
        assert_eq!(acceptance.of(6, &[]), 0);
    }

    #[test]
    fn a_positions_draw_does_not_depend_on_the_drafts_before_it() {
        let many = |mut acceptance: Acceptance| -> Vec<u32> {
            (30..200).step_by(5).map(|position| acceptance.of(position, &[0.5; 4])).collect()
        };
        let fresh = Acceptance::new(1, 2, 0);
        let mut used = fresh.clone();
        let mut position = 0;
        while position < 26 {
            position += 1 + used.of(position, &[0.7, 0.6, 0.5]);
        }
        assert_eq!(many(fresh), many(used));
    }

    #[test]
    fn on_average_a_step_gives_one_token_and_the_sum_of_the_products_of_chances() {
        // 1 + 0.85 + 0.85·0.7 + 0.85·0.7·0.5 + 0.85·0.7·0.5·0.3 = 2.83175
        let chances = [0.85, 0.7, 0.5, 0.3];
        let (steps, mut tokens) = (40_000_u32, 0_u32);
        for request in 0..40 {
            let (mut acceptance, mut position) = (Acceptance::new(7, request, 0), 0);
            for _ in 0..steps / 40 {
                let emitted = 1 + acceptance.of(position, &chances);
                position += emitted;
                tokens += emitted;
            }
        }
        let mean = f64::from(tokens) / f64::from(steps);
        // The variance of one step is 1.87: three standard errors of the mean are 0.0205.
        assert!((mean - 2.83175).abs() < 0.0205, "{mean}");
    }
}
