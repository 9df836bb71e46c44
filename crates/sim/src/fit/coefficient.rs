//! The coefficients of a deployment that can be fitted: which of them a set of loads can tell, and where to begin to seek them.
//!
//! Deliberately simulates nothing: all of this is arithmetic over what was measured.

use std::time::Duration;

use super::Target;
use crate::model::{Deployment, Linear, StepTime};

/// A coefficient of a [`Deployment`]. All are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coefficient {
    /// [`Linear::base`].
    Base,
    /// [`Linear::per_prefill_token`].
    PrefillToken,
    /// [`Linear::per_decode_token`].
    DecodeToken,
    /// [`Linear::per_context_token`].
    ContextToken,
    /// [`Linear::per_attention`].
    Attention,
    /// [`Frontend::per_request`](crate::Frontend::per_request).
    Request,
    /// [`Frontend::per_prompt_token`](crate::Frontend::per_prompt_token).
    PromptToken,
}

/// A coefficient that the loads cannot tell from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unidentified {
    /// Which.
    pub coefficient: Coefficient,
    /// Why not, and what would tell it.
    pub why: &'static str,
}

impl Coefficient {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Base,
        Self::PrefillToken,
        Self::DecodeToken,
        Self::ContextToken,
        Self::Attention,
        Self::Request,
        Self::PromptToken,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::PrefillToken => "per_prefill_token",
            Self::DecodeToken => "per_decode_token",
            Self::ContextToken => "per_context_token",
            Self::Attention => "per_attention",
            Self::Request => "frontend.per_request",
            Self::PromptToken => "frontend.per_prompt_token",
        }
    }

    /// What it is in `deployment`, in seconds. 0 where the time of its steps has no such coefficient.
    pub fn of(self, deployment: &Deployment) -> f64 {
        let linear = linear(&deployment.step);
        match self {
            Self::Base => linear.base,
            Self::PrefillToken => linear.per_prefill_token,
            Self::DecodeToken => linear.per_decode_token,
            Self::ContextToken => linear.per_context_token,
            Self::Attention => linear.per_attention,
            Self::Request => deployment.frontend.per_request.as_secs_f64(),
            Self::PromptToken => deployment.frontend.per_prompt_token.as_secs_f64(),
        }
    }

    /// Makes it `seconds`. Steps whose time had no coefficients have some from now on.
    pub fn set(self, deployment: &mut Deployment, seconds: f64) {
        let mut linear = linear(&deployment.step);
        let length = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        match self {
            Self::Base => linear.base = seconds,
            Self::PrefillToken => linear.per_prefill_token = seconds,
            Self::DecodeToken => linear.per_decode_token = seconds,
            Self::ContextToken => linear.per_context_token = seconds,
            Self::Attention => linear.per_attention = seconds,
            Self::Request => deployment.frontend.per_request = length,
            Self::PromptToken => deployment.frontend.per_prompt_token = length,
        }
        deployment.step = StepTime::Linear(linear);
    }
}

/// The coefficients of a step's time; all 0 where it has none.
pub(super) fn linear(step: &StepTime) -> Linear {
    match step {
        StepTime::Linear(linear) => *linear,
        StepTime::Roofline(_) => Linear::default(),
    }
}

/// Which coefficients `targets` can tell, and which they cannot.
pub fn identified(targets: &[Target]) -> (Vec<Coefficient>, Vec<Unidentified>) {
    let seen = Seen::of(targets);
    let mut told = Vec::new();
    let mut untold = Vec::new();
    for coefficient in Coefficient::ALL {
        match seen.hinders(coefficient) {
            None => told.push(coefficient),
            Some(why) => untold.push(Unidentified { coefficient, why }),
        }
    }
    (told, untold)
}

/// How much the loads differ.
struct Seen {
    /// Whether the first token of any request was seen.
    first_tokens: bool,
    /// The most requests in flight of a load over the fewest of one.
    in_flight: f64,
    /// The same of the mean prompts …
    prompts: f64,
    /// … and of the mean contexts.
    contexts: f64,
    /// How many lengths of prompts there are that differ.
    lengths: usize,
}

impl Seen {
    fn of(targets: &[Target]) -> Self {
        let over = |value: &dyn Fn(&Target) -> f64| {
            let values: Vec<f64> = targets.iter().map(value).collect();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            if least > 0.0 && least.is_finite() { most / least } else { 1.0 }
        };
        let mut lengths: Vec<f64> =
            targets.iter().map(|target| target.load.shape().0).filter(|n| *n > 0.0).collect();
        lengths.sort_by(f64::total_cmp);
        lengths.dedup_by(|next, kept| *next < *kept * DIFFERENT);
        Self {
            first_tokens: targets.iter().any(|target| target.figures.ttft.is_some()),
            in_flight: over(&|target| target.load.in_flight(&target.figures)),
            prompts: over(&|target| target.load.shape().0),
            contexts: over(&|target| {
                let (prompt, output) = target.load.shape();
                prompt + output / 2.0
            }),
            lengths: lengths.len(),
        }
    }

    /// Why that coefficient cannot be told from others. `None` if it can.
    fn hinders(&self, coefficient: Coefficient) -> Option<&'static str> {
        let one_load = self.in_flight < DIFFERENT;
        let first = (!self.first_tokens).then_some("no first token was seen; stream the outputs");
        match coefficient {
            Coefficient::Base => None,
            Coefficient::PrefillToken => first,
            Coefficient::DecodeToken => one_load.then_some(
                "all points have about as many requests in flight; add one with more or fewer",
            ),
            Coefficient::ContextToken => (one_load || self.contexts < DIFFERENT).then_some(
                "all contexts are about as long, so it is part of per_decode_token; add a point with longer ones",
            ),
            Coefficient::Attention => (self.lengths < LENGTHS || self.prompts < FAR).then_some(
                "it is part of per_prefill_token; add points with prompts of three lengths, far apart",
            ),
            Coefficient::Request => first.or((one_load && self.prompts < DIFFERENT).then_some(
                "with one load and one length of prompts it is part of per_prefill_token",
            )),
            Coefficient::PromptToken => first.or((one_load || self.prompts < DIFFERENT).then_some(
                "with one length of prompts it is part of frontend.per_request; add a point with longer ones",
            )),
        }
    }
}

/// Where to begin to seek `coefficient`: by what the lightest and the heaviest load showed, each figure taken to have one cause.
pub(super) fn estimate(coefficient: Coefficient, targets: &[Target]) -> f64 {
    let guess = Guess::of(targets);
    let seconds = match coefficient {
        Coefficient::Base => guess.base,
        Coefficient::PrefillToken => guess.prefill,
        Coefficient::DecodeToken => guess.decode,
        Coefficient::ContextToken => guess.decode / guess.context / 2.0,
        Coefficient::Attention => guess.prefill / guess.prompt / 10.0,
        Coefficient::Request => guess.first * 0.2,
        Coefficient::PromptToken => guess.first * 0.1 / guess.prompt,
    };
    if seconds.is_finite() { seconds.clamp(LEAST, MOST) } else { LEAST }
}

struct Guess {
    base: f64,
    prefill: f64,
    decode: f64,
    /// What a solitary request's first token takes longer than any other.
    first: f64,
    prompt: f64,
    context: f64,
}

impl Guess {
    fn of(targets: &[Target]) -> Self {
        let mut by_load: Vec<(f64, &Target)> =
            targets.iter().map(|target| (target.load.in_flight(&target.figures), target)).collect();
        by_load.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some(&(few, light)), Some(&(many, heavy))) = (by_load.first(), by_load.last()) else {
            return Self {
                base: LEAST,
                prefill: LEAST,
                decode: LEAST,
                first: LEAST,
                prompt: 1.0,
                context: 1.0,
            };
        };
        let (gap, wide) = (step(light, few), step(heavy, many));
        let slope = ((wide - gap) / (many - few).max(1.0)).max(gap * 1e-3);
        let (prompt, output) = light.load.shape();
        let ttft = light.figures.ttft.unwrap_or(gap);
        // Requests that come together wait for each other, the more of them the longer.
        let first = (ttft - gap).max(ttft * 0.1) / few.max(1.0).sqrt();
        // Every prompt stalls each other request once in the time of an output: part of the slope is that.
        let prefill = (first * 0.7 / prompt).min(slope * 0.7 * output / prompt);
        Self {
            base: (gap - slope * few).max(gap * 0.3),
            prefill,
            decode: (slope - prefill * prompt / output).max(slope * 0.2),
            first,
            prompt,
            context: prompt + output / 2.0,
        }
    }
}

/// About how long a step took: the time per output token, or else what the throughput leaves for it.
fn step(target: &Target, in_flight: f64) -> f64 {
    let by_throughput = target.figures.throughput.map(|rate| in_flight / rate);
    target.figures.tpot.or(by_throughput).unwrap_or(LEAST)
}

/// No coefficient is sought below this: a picosecond. What ends there is nothing.
pub(super) const LEAST: f64 = 1e-12;

/// No coefficient is sought above this.
pub(super) const MOST: f64 = 60.0;

/// By what factor two loads must differ at least to count as two.
const DIFFERENT: f64 = 1.4;

/// By what factor prompts must differ for the square of their length to show.
const FAR: f64 = 4.0;

/// In how many lengths they must come for that.
const LENGTHS: usize = 3;
