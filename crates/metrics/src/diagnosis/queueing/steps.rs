//! What steps of the engine are full of, as far as the server tells.
//!
//! No server tells how many tokens a step may have at most. How full steps are therefore shows only in how even they are.

use tokometer_record::{Signal, Timing};

use super::whose::engines;
use crate::catalog::ICL;
use crate::diagnosis::Facts;
use crate::quantile::Percentile;

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
    /// Most are those of prompts, each of which takes several steps, and all steps take as long: each has as many as it may.
    InParts,
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
        if Parts::of(facts).is_some() {
            return Self::InParts;
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

/// Prompts that are computed in parts.
///
/// A prompt is cut only where a step has no more tokens left for it: a prompt that takes several steps says that each of them was full.
/// What else takes as long as several steps is one long step, with many prompts in it, among short ones: then steps differ, which shows
/// in the gaps between outputs, each a step long; or in outputs that only ever wait for short steps, which are then shorter than all steps
/// are on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    /// Steps that a prompt takes on average, the last one included.
    pub(super) steps: f64,
    /// Seconds that a step takes.
    pub(super) step: f64,
    /// Seconds from the first step of a prompt to its first token.
    pub(super) prefill: f64,
}

impl Parts {
    pub(super) fn of(facts: &Facts<'_>) -> Option<Self> {
        let side = &facts.summary.side;
        let mean = |timing| side.timing(timing).map(|spread| spread.mean);
        let (prefill, tokens) = (mean(Timing::Prefill)?, mean(Timing::StepTokens)?);
        let through = side.throughput?;
        let computed = through.computed.unwrap_or(through.prompt) + through.generation;
        let average = tokens * engines(facts) as f64 / computed;
        let step = even_gap(facts)?;
        if mean(Timing::Itl)? < AS_LONG * average {
            return None;
        }
        let steps = prefill / step;
        if Self::are_whole(facts, steps, tokens) {
            return None;
        }
        // With asynchronous scheduling a prompt that is not cut takes two steps, for it has its turn a step ahead.
        let cut = steps >= STEPS_OF_PARTS || steps >= STEPS_OF_TWO && is_usual_budget(tokens);
        cut.then_some(Self { steps, step, prefill })
    }

    /// Whether prompts are not cut, however long they take. Where requests go in lockstep no output meets the step of their prompts, and
    /// gaps are even although that step is a long one.
    fn are_whole(facts: &Facts<'_>, steps: f64, tokens: f64) -> bool {
        let side = &facts.summary.side;
        let running = side.level(Signal::Running).map_or(0.0, |level| level.max);
        let prompts = side.timing(Timing::PromptLength);
        // A prompt that is cut is computed by steps as full as all are.
        let too_few_steps =
            prompts.is_some_and(|prompts| steps < PART_OF_STEPS * prompts.mean / tokens);
        let fullest = side.timing(Timing::StepTokens).and_then(|tokens| tokens.p99);
        let (least, most) = fullest.unwrap_or((0.0, f64::INFINITY));
        // It ends in a step with another one at most; nor are full steps few.
        let longest = prompts.and_then(|prompts| prompts.p99).map(|(_, longest)| longest);
        let too_many_at_once = longest.is_some_and(|longest| least >= 2.0 * longest + running);
        too_few_steps || too_many_at_once || most < tokens || tokens < LEAST_BUDGET
    }
}

/// The gap between outputs, at its 90th percentile, if gaps are alike. `None` if they are not.
fn even_gap(facts: &Facts<'_>) -> Option<f64> {
    let gaps = facts.summary.distribution(&ICL).filter(|gaps| gaps.bears(Percentile::P90))?;
    let (low, high) = (gaps.nearest_rank(Percentile::P10)?, gaps.nearest_rank(Percentile::P90)?);
    (high > 0.0 && low >= EVEN * high).then_some(high)
}

/// Whether steps are full of a budget as people set it, a power of two, and alike.
pub(super) fn seem_to_use_up_a_budget(facts: &Facts<'_>) -> bool {
    let tokens = facts.summary.side.timing(Timing::StepTokens);
    let large = tokens.filter(|tokens| tokens.mean >= FULL_STEPS_OF_PARTS * SMALLEST_BUDGET);
    large.is_some_and(|tokens| is_usual_budget(tokens.mean)) && even_gap(facts).is_some()
}

/// Whether so many tokens a step are a power of two, or a little less.
fn is_usual_budget(tokens: f64) -> bool {
    let budget = 2.0_f64.powf((tokens / SLIGHTLY_MORE).log2().ceil());
    tokens >= FULL_STEPS_OF_PARTS * budget
}

/// Requests that end in a step, on average over the engine's steps, in all engines together. 0 where that is not told.
pub(super) fn ending_in_a_step(facts: &Facts<'_>) -> f64 {
    let side = &facts.summary.side;
    let steps = side.timing(Timing::StepTokens).map_or(0.0, |tokens| tokens.count);
    match side.growth(Signal::Finished) {
        Some(finished) if steps > 0.0 => finished / steps * engines(facts) as f64,
        _ => 0.0,
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

/// Gaps are alike if nine of ten are longer than this part of the one at the 90th percentile.
const EVEN: f64 = 0.6;

/// Outputs come as far apart as steps are long on average, or nearly.
const AS_LONG: f64 = 0.85;

/// A prompt that begins within a step and takes another one and a half is cut for certain …
const STEPS_OF_PARTS: f64 = 2.5;

/// … and one that takes one and a half is cut half of the time, if nothing else makes it wait.
const STEPS_OF_TWO: f64 = 1.5;

/// A prompt that is cut takes at least this part of the steps that its length makes of steps as full as all are on average.
const PART_OF_STEPS: f64 = 0.5;

/// Tokens: nobody gives steps a budget as small as that.
const LEAST_BUDGET: f64 = 128.0;

/// Means of steps may lie above a budget by what is counted at another step than computed.
const SLIGHTLY_MORE: f64 = 1.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_power_of_two_or_a_little_less() {
        let told = [256.1, 500.0, 7_813.0, 1_987.0, 600.0, 1_500.0, 2_100.0].map(is_usual_budget);
        assert_eq!(told, [true, true, true, true, false, false, false]);
    }
}
