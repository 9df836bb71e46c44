//! The model of the inference server: which tokens come when.
//!
//! Pure and clockless. A request's work goes in, and what comes out is a [`Generation`]: emissions at moments counted from the
//! request's arrival. Nothing here sleeps, and nothing knows a socket, so the whole schedule of a run can be had without running it.
//!
//! In this first form requests do not feel each other. Whoever writes emissions only ever asks for the next one, so that a step
//! loop, in which they do, can take this file's place.

use std::num::NonZeroU32;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::delay::{Delay, Length};

/// How a server generates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// From a request's arrival to its first token.
    pub ttft: Delay,
    /// From one token to the next.
    pub itl: Delay,
    /// Tokens that come together. A chunk comes with the last of its tokens; those of the first chunk come together at `ttft`.
    pub tokens_per_chunk: NonZeroU32,
    /// How many tokens an output has when nothing cuts it short.
    pub output: Length,
    /// The most tokens that prompt and output may have together.
    pub context: u32,
    /// The root of all draws.
    pub seed: u64,
}

/// One sequence to generate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Which request of the server this is: the address of its draws.
    pub request: u64,
    /// Which of the request's choices.
    pub choice: u32,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// The most tokens to generate.
    pub max_tokens: Option<u32>,
    /// The fewest tokens to generate.
    pub min_tokens: u32,
    /// Whether to go on to `max_tokens` whatever comes.
    pub ignore_eos: bool,
}

/// The tokens of one sequence, in order of time: an iterator over emissions, never empty.
#[derive(Clone, Debug)]
pub struct Generation {
    model: Model,
    gaps: ChaCha8Rng,
    next_at: Duration,
    left: u32,
    finish: Finish,
}

/// Tokens that leave the server together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emission {
    /// The moment, counted from the request's arrival.
    pub at: Duration,
    /// How many.
    pub tokens: u32,
    /// Why nothing follows. `None` where something does.
    pub finish: Option<Finish>,
}

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It reached `max_tokens`, or the context was full.
    Length,
    /// The model had said everything.
    Stop,
}

/// What a draw is for. Draws for one purpose leave the others as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Ttft,
    Gaps,
    Length,
    Text,
    Fault,
    Name,
}

impl Model {
    /// Begins to generate.
    pub fn generate(&self, work: &Work) -> Generation {
        let rng = |purpose| rng(self.seed, purpose, work.request, work.choice);
        let (left, finish) = self.length(work, &mut rng(Purpose::Length));
        Generation {
            model: self.clone(),
            gaps: rng(Purpose::Gaps),
            next_at: self.ttft.draw(&mut rng(Purpose::Ttft)),
            left,
            finish,
        }
    }

    /// How many tokens, at least one, and why no more: a server of this model would have said `output` tokens if nobody asked
    /// for fewer or more.
    fn length(&self, work: &Work, rng: &mut ChaCha8Rng) -> (u32, Finish) {
        let room = self.context.saturating_sub(work.prompt_tokens);
        let limit = work.max_tokens.unwrap_or(room).min(room).max(1);
        let natural = self.output.draw(rng).max(work.min_tokens).max(1);
        match natural < limit && !work.ignore_eos {
            true => (natural, Finish::Stop),
            false => (limit, Finish::Length),
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
        let (at, tokens) = (self.next_at, self.left.min(self.model.tokens_per_chunk.get()));
        self.left -= tokens;
        let following = self.left.min(self.model.tokens_per_chunk.get());
        self.next_at +=
            (0..following).map(|_| self.model.itl.draw(&mut self.gaps)).sum::<Duration>();
        Some(Emission { at, tokens, finish: (self.left == 0).then_some(self.finish) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = self.left.div_ceil(self.model.tokens_per_chunk.get()) as usize;
        (chunks, Some(chunks))
    }
}

impl ExactSizeIterator for Generation {}

impl Finish {
    /// As APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Stop => "stop",
        }
    }
}

/// The generator for one purpose of one choice of one request.
pub(crate) fn rng(seed: u64, purpose: Purpose, request: u64, choice: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ u64::from(choice).rotate_right(16));
    rng.set_stream(request.wrapping_mul(PURPOSES).wrapping_add(purpose as u64));
    rng
}

/// How many purposes there may be.
const PURPOSES: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn model() -> Model {
        Model {
            ttft: Delay::Constant(200 * MILLI),
            itl: Delay::Constant(20 * MILLI),
            tokens_per_chunk: NonZeroU32::MIN,
            output: Length::Fixed(5),
            context: 1000,
            seed: 42,
        }
    }

    fn emissions(model: &Model, work: Work) -> Vec<(Duration, u32)> {
        model.generate(&work).map(|emission| (emission.at, emission.tokens)).collect()
    }

    #[track_caller]
    fn assert_length(work: Work, tokens: usize, finish: Finish) {
        let all: Vec<Emission> = model().generate(&work).collect();
        assert_eq!((all.len(), all.last().unwrap().finish), (tokens, Some(finish)));
        assert!(all[..tokens - 1].iter().all(|emission| emission.finish.is_none()));
    }

    #[test]
    fn moments_are_the_arrival_plus_ttft_plus_the_sum_of_gaps() {
        let moments = [200, 220, 240, 260, 280].map(|millis| (MILLI * millis, 1));
        assert_eq!(emissions(&model(), Work::default()), moments);
    }

    #[test]
    fn a_chunk_comes_with_its_last_token_and_the_first_at_ttft() {
        let model = Model { tokens_per_chunk: NonZeroU32::new(2).unwrap(), ..model() };
        let chunks = [(200 * MILLI, 2), (240 * MILLI, 2), (260 * MILLI, 1)];
        assert_eq!(emissions(&model, Work::default()), chunks);
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
        let model = Model { itl: Delay::Exponential { mean: 20 * MILLI }, ..model() };
        let of = |request, choice| emissions(&model, Work { request, choice, ..Work::default() });
        assert_eq!(of(7, 0), of(7, 0));
        assert_ne!(of(7, 0), of(8, 0));
        assert_ne!(of(7, 0), of(7, 1));
    }

    #[test]
    fn a_longer_output_begins_like_a_shorter_one() {
        let model = Model { itl: Delay::Exponential { mean: 20 * MILLI }, ..model() };
        let of = |max_tokens| {
            let work = Work { max_tokens: Some(max_tokens), ignore_eos: true, ..Work::default() };
            emissions(&model, work)
        };
        assert_eq!(of(10)[..4], of(4));
    }
}
