//! Requests that do not feel each other: each goes at a pace of its own, by a time to the first token and a gap between tokens.
//!
//! The simplest server there is, and the one to test a client with: what a request's moments are can be said without running anything.
//! Nothing here sleeps. A server whose requests do feel each other is a [`Fleet`](crate::model::Fleet).

use std::num::NonZeroU32;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::model::draws::{Purpose, rng};
use crate::model::{Delay, Emission, Finish, Lengths, Work};

/// How a server generates whose requests do not feel each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From a request's arrival to its first token.
    pub ttft: Delay,
    /// From one token to the next.
    pub itl: Delay,
    /// Tokens that come together. A chunk comes with the last of its tokens; those of the first chunk come together at `ttft`.
    pub tokens_per_chunk: NonZeroU32,
    /// How long outputs are.
    pub lengths: Lengths,
    /// The root of all draws.
    pub seed: u64,
}

/// The tokens of one sequence, in order of time: an iterator over emissions, never empty.
#[derive(Clone, Debug)]
pub struct Generation {
    pace: Pace,
    gaps: ChaCha8Rng,
    next_at: Duration,
    left: u32,
    finish: Finish,
}

impl Pace {
    /// Begins to generate.
    pub fn generate(&self, work: &Work) -> Generation {
        self.generate_exactly(work, self.lengths.of(work, self.seed))
    }

    /// Begins to generate that many tokens, at least one, which end for that reason.
    pub fn generate_exactly(&self, work: &Work, (left, finish): (u32, Finish)) -> Generation {
        let rng = |purpose| rng(self.seed, purpose, work.request, work.choice);
        Generation {
            pace: self.clone(),
            gaps: rng(Purpose::Gaps),
            next_at: self.ttft.draw(&mut rng(Purpose::Ttft)),
            left,
            finish,
        }
    }
}

impl Generation {
    /// Tokens that are still to come.
    pub const fn tokens_left(&self) -> u32 {
        self.left
    }
}

impl Iterator for Generation {
    type Item = Emission;

    fn next(&mut self) -> Option<Emission> {
        if self.left == 0 {
            return None;
        }
        let (at, tokens) = (self.next_at, self.left.min(self.pace.tokens_per_chunk.get()));
        self.left -= tokens;
        let following = self.left.min(self.pace.tokens_per_chunk.get());
        self.next_at +=
            (0..following).map(|_| self.pace.itl.draw(&mut self.gaps)).sum::<Duration>();
        Some(Emission { at, tokens, finish: (self.left == 0).then_some(self.finish) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = self.left.div_ceil(self.pace.tokens_per_chunk.get()) as usize;
        (chunks, Some(chunks))
    }
}

impl ExactSizeIterator for Generation {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Length;

    const MILLI: Duration = Duration::from_millis(1);

    fn pace() -> Pace {
        Pace {
            ttft: Delay::Constant(200 * MILLI),
            itl: Delay::Constant(20 * MILLI),
            tokens_per_chunk: NonZeroU32::MIN,
            lengths: Lengths { output: Length::Fixed(5), context: 1000 },
            seed: 42,
        }
    }

    fn emissions(pace: &Pace, work: Work) -> Vec<(Duration, u32)> {
        pace.generate(&work).map(|emission| (emission.at, emission.tokens)).collect()
    }

    #[track_caller]
    fn assert_length(work: Work, tokens: usize, finish: Finish) {
        let all: Vec<Emission> = pace().generate(&work).collect();
        assert_eq!((all.len(), all.last().unwrap().finish), (tokens, Some(finish)));
        assert!(all[..tokens - 1].iter().all(|emission| emission.finish.is_none()));
    }

    #[test]
    fn moments_are_the_arrival_plus_ttft_plus_the_sum_of_gaps() {
        let moments = [200, 220, 240, 260, 280].map(|millis| (MILLI * millis, 1));
        assert_eq!(emissions(&pace(), Work::default()), moments);
    }

    #[test]
    fn a_chunk_comes_with_its_last_token_and_the_first_at_ttft() {
        let pace = Pace { tokens_per_chunk: NonZeroU32::new(2).unwrap(), ..pace() };
        let chunks = [(200 * MILLI, 2), (240 * MILLI, 2), (260 * MILLI, 1)];
        assert_eq!(emissions(&pace, Work::default()), chunks);
    }

    #[test]
    fn an_output_ends_by_itself_or_at_the_limit() {
        let work = Work::default();
        assert_length(work, 5, Finish::Stop);
        assert_length(Work { max_tokens: Some(3), ..work }, 3, Finish::Length);
        assert_length(Work { max_tokens: Some(5), ..work }, 5, Finish::Length);
        assert_length(Work { max_tokens: Some(9), ..work }, 5, Finish::Stop);
        assert_length(Work { max_tokens: Some(9), min_tokens: 7, ..work }, 7, Finish::Stop);
        assert_length(Work { max_tokens: Some(9), min_tokens: 9, ..work }, 9, Finish::Length);
        assert_length(Work { max_tokens: Some(9), ignore_eos: true, ..work }, 9, Finish::Length);
        assert_length(Work { prompt_tokens: 997, ..work }, 3, Finish::Length);
        assert_length(Work { prompt_tokens: 2000, ..work }, 1, Finish::Length);
    }

    #[test]
    fn the_same_request_is_the_same_and_another_differs() {
        let pace = Pace { itl: Delay::Exponential { mean: 20 * MILLI }, ..pace() };
        let of = |request, choice| emissions(&pace, Work { request, choice, ..Work::default() });
        assert_eq!(of(7, 0), of(7, 0));
        assert_ne!(of(7, 0), of(8, 0));
        assert_ne!(of(7, 0), of(7, 1));
    }

    #[test]
    fn a_longer_output_begins_like_a_shorter_one() {
        let pace = Pace { itl: Delay::Exponential { mean: 20 * MILLI }, ..pace() };
        let of = |max_tokens| {
            let work = Work { max_tokens: Some(max_tokens), ignore_eos: true, ..Work::default() };
            emissions(&pace, work)
        };
        assert_eq!(of(10)[..4], of(4));
    }
}
