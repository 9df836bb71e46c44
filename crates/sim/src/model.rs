//! The model of the inference server: which tokens come when.
//!
//! Pure and clockless: moments are lengths of time since some origin, and whoever asks waits for them. There are two kinds. At a
//! [`Pace`] of its own each request has the latencies that it was given, and none feels another. In a [`Fleet`] requests share steps, as
//! they do on real engines: they queue, they are batched, they hold blocks of the KV cache, they stall each other.
//!
//! Nothing here sleeps, and nothing knows a socket, so a whole run can be had without running it.

mod blocks;
mod chain;
mod cost;
mod delay;
mod deployment;
mod draws;
mod fleet;
mod frontend;
mod pace;
mod replica;
mod sequence;
mod speculation;
mod tickets;

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

pub use chain::chain;
pub use cost::{Batch, Linear, Roofline, StepTime};
pub use delay::{Delay, LONGEST, Length};
pub(crate) use delay::{log_normal, millis};
pub use deployment::{Deployment, Engine, Frontend, Policy, Routing, Speculation};
pub(crate) use draws::{GOLDEN, Purpose, rng, split_mix};
pub use fleet::{Event, Fleet, Job, Lookups, MOST_DRAFTED, Occupancy, Speculated, Ticket};
pub use pace::{Generation, Pace};
pub(crate) use tickets::ByTicket;

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

/// How long outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// How many tokens an output has when nothing cuts it short.
    pub output: Length,
    /// The most tokens that prompt and output may have together.
    pub context: u32,
}

impl Lengths {
    /// How many tokens, at least one, and why no more: a server of this kind would have said `output` tokens if nobody asked
    /// for fewer or more.
    pub fn of(&self, work: &Work, seed: u64) -> (u32, Finish) {
        let mut rng: ChaCha8Rng = rng(seed, Purpose::Length, work.request, work.choice);
        let room = self.context.saturating_sub(work.prompt_tokens);
        let limit = work.max_tokens.unwrap_or(room).min(room).max(1);
        let natural = self.output.draw(&mut rng).max(work.min_tokens).max(1);
        match natural < limit && !work.ignore_eos {
            true => (natural, Finish::Stop),
            false => (limit, Finish::Length),
        }
    }
}

impl Finish {
    /// As APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Stop => "stop",
        }
    }
}
