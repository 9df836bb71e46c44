//! What steps of the engine are full of, as far as the server tells.
//!
//! No server tells how many tokens a step may have at most. How full steps are therefore shows only in how even they are.

use tokometer_record::{Signal, Timing};

use crate::diagnosis::Facts;

/// What steps are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steps {
    /// Most of their tokens are those of outputs.
    OfOutputs,
    /// Most are those of prompts, and most steps have far fewer than others.
    Uneven,
    /// Most are those of prompts, and nearly all steps have as many as any.
    Full,
    /// The same, of so few tokens that the server could take on more unless it was told otherwise.
    FullAndSmall,
    /// Most are those of prompts; how many a step has is not known.
    OfPrompts,
    /// Nothing is known.
    Untold,
}

impl Steps {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let side = &facts.summary.side;
        let Some(prompts) = prompts_share(facts) else { return Self::Untold };
        if prompts < 0.5 {
            return Self::OfOutputs;
        }
        let tokens = side.timing(Timing::StepTokens);
        let Some((mean, (low, high))) = tokens.and_then(|tokens| Some((tokens.mean, tokens.p99?)))
        else {
            return Self::OfPrompts;
        };
        // A prompt counts as a whole in the step that completes it: where prompts are longer than steps, the fullest tell nothing.
        let in_parts = side.timing(Timing::PromptLength).is_some_and(|prompt| prompt.mean >= mean);
        match mean >= FULL_STEP * low || in_parts && mean >= FULL_STEPS_OF_PARTS * SMALLEST_BUDGET {
            true if high <= SMALL => Self::FullAndSmall,
            true => Self::Full,
            false => Self::Uneven,
        }
    }
}

/// The share of prompts' tokens, without cached ones, in all that were computed: by counters, or by what a log says of throughput.
pub(super) fn prompts_share(facts: &Facts<'_>) -> Option<f64> {
    let side = &facts.summary.side;
    let counted = || {
        let cached = side.growth(Signal::CachedPromptTokens).unwrap_or(0.0);
        Some((side.growth(Signal::PromptTokens)? - cached, side.growth(Signal::GenerationTokens)?))
    };
    let said = || {
        let levels = &side.log.as_ref()?.levels;
        let mean = |signal| levels.get(&signal).map(|level| level.mean);
        Some((mean(Signal::PromptThroughput)?, mean(Signal::GenerationThroughput)?))
    };
    let (prompts, outputs) = counted().or_else(said)?;
    (prompts + outputs > 0.0).then(|| prompts / (prompts + outputs))
}

/// The mean step has at least half of the least that the fullest has (p99): vLLM's buckets are a factor of two apart.
const FULL_STEP: f64 = 0.5;

/// Tokens: the smallest budget that vLLM gives itself (max_num_batched_tokens of 0.32 is 2048 and more) …
const SMALLEST_BUDGET: f64 = 2048.0;

/// … which steps use up on average if they are full.
const FULL_STEPS_OF_PARTS: f64 = 0.9;

/// Tokens: steps of no more than a quarter of that are full only where somebody made the budget small.
const SMALL: f64 = SMALLEST_BUDGET / 4.0;
