//! How much room is left in the KV cache while requests wait, in tokens.
//!
//! Deliberately without blocks: they are of 16 tokens as a rule, which is nothing beside a prompt that is waited for.

use tokometer_record::{Signal, Timing};

use super::readings::Queue;
use super::whose::engines;
use crate::diagnosis::Facts;

/// Room in the cache, and what a request takes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    /// Tokens that are free on average while requests wait, in one engine.
    pub(super) free: f64,
    /// Tokens of a prompt that are not in the prefix cache, on average: without so many free, no request is let in.
    pub(super) prompt: f64,
    /// Tokens of a prompt and its output.
    pub(super) request: f64,
}

impl Room {
    /// `None` where the size of the cache or the length of prompts is not known.
    pub(super) fn of(facts: &Facts<'_>, queue: &Queue) -> Option<Self> {
        let side = &facts.summary.side;
        let cache = side.level(Signal::KvTokens)?.max / engines(facts) as f64;
        let prompts = || facts.run.successes().filter_map(|record| record.prompt_tokens.count());
        let outputs = || facts.run.successes().filter_map(|record| record.output_tokens);
        let mean = |timing| side.timing(timing).map(|spread| spread.mean);
        let prompt = mean(Timing::PromptLength).or_else(|| average(prompts().map(f64::from)))?;
        let output = mean(Timing::OutputLength)
            .or_else(|| average(outputs().map(|output| f64::from(output.count))))
            .unwrap_or(0.0);
        let cached = side.prefix_cache.and_then(|cache| cache.hit_rate()).unwrap_or(0.0);
        let prompt = prompt * (1.0 - cached.clamp(0.0, 1.0));
        Some(Self { free: cache * (1.0 - queue.kv?), prompt, request: prompt + output })
    }

    /// Whether the next request mostly does not fit.
    pub(super) fn is_short(&self) -> bool {
        self.free < self.prompt
    }

    /// Whether one more request has room from its first token to its last.
    pub(super) fn holds_another(&self) -> bool {
        self.free >= self.request
    }
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}
