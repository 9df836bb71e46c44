//! What is said beside the output, as OpenAI's two APIs write it. Field for field as vLLM 0.32 has it.
//!
//! Deliberately only written: reading skips these fields.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::{Beside, Delta, Likely};

/// What is said beside the output of that choice.
#[inline]
pub(super) fn of<'d>(delta: &'d Delta<'_>, choice: u32) -> Option<&'d Beside> {
    delta.beside.iter().find(|beside| beside.choice == choice)
}

/// Why a choice of a whole body ended.
pub(super) fn finish_reason<'d>(
    beside: Option<&'d Beside>,
    delta: &'d Delta<'_>,
) -> Option<&'d str> {
    beside.and_then(|beside| beside.finish_reason).or(delta.finish_reason.as_deref())
}

/// The log probabilities of a chat's tokens.
#[derive(Serialize)]
pub(super) struct OfChat<'d> {
    content: Vec<OfToken<'d>>,
}

#[derive(Serialize)]
struct OfToken<'d> {
    #[serde(flatten)]
    own: Told<'d>,
    top_logprobs: Vec<Told<'d>>,
}

#[derive(Serialize)]
struct Told<'d> {
    token: &'d str,
    logprob: f64,
    bytes: &'d [u8],
}

impl<'d> OfChat<'d> {
    /// Those that are told beside a choice's output, if any are.
    pub(super) fn of(beside: &'d Beside) -> Option<Self> {
        let content = beside.logprobs.as_ref()?.iter().map(OfToken::new).collect();
        Some(Self { content })
    }
}

impl<'d> OfToken<'d> {
    fn new(likely: &'d Likely) -> Self {
        let told = |token: &'d str, logprob: f32| Told {
            token,
            logprob: logprob.into(),
            bytes: token.as_bytes(),
        };
        let top = likely.top.iter().map(|(token, logprob)| told(token, *logprob));
        Self { own: told(&likely.token, likely.logprob), top_logprobs: top.collect() }
    }
}

/// The log probabilities of a completion's tokens.
#[derive(Serialize)]
pub(super) struct OfCompletion<'d> {
    text_offset: Vec<usize>,
    token_logprobs: Vec<f64>,
    tokens: Vec<&'d str>,
    top_logprobs: Vec<Top<'d>>,
}

/// The likeliest tokens at a place: an object whose keys are the tokens.
struct Top<'d>(&'d Likely);

impl<'d> OfCompletion<'d> {
    /// Those that are told beside a choice's output, if any are.
    pub(super) fn of(beside: &'d Beside) -> Option<Self> {
        let tokens = beside.logprobs.as_ref()?;
        let offsets = tokens.iter().scan(beside.offset, |offset, likely| {
            let own = *offset;
            *offset += likely.token.chars().count();
            Some(own)
        });
        Some(Self {
            text_offset: offsets.collect(),
            token_logprobs: tokens.iter().map(|likely| likely.logprob.into()).collect(),
            tokens: tokens.iter().map(|likely| likely.token.as_str()).collect(),
            top_logprobs: tokens.iter().map(Top).collect(),
        })
    }
}

impl Serialize for Top<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A completion tells of the token that was said in any case.
        let own = [(self.0.token.clone(), self.0.logprob)];
        let top = if self.0.top.is_empty() { &own[..] } else { &self.0.top };
        let mut map = serializer.serialize_map(Some(top.len()))?;
        for (token, logprob) in top {
            map.serialize_entry(token, &f64::from(*logprob))?;
        }
        map.end()
    }
}
