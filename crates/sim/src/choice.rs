//! One choice of a response under way: what is generated next, and on which channel it is said.
//!
//! Deliberately writes nothing: that is for `playback`.

use tokometer_wire::Channel;

use crate::faults::{Given, Kind};
use crate::model::{Emission, Generation, Model, Work};
use crate::text::Text;

/// A choice that is being generated.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) generation: Generation,
    pub(crate) next: Option<Emission>,
    /// Tokens that it will have.
    total: u32,
    pub(crate) text: Text,
}

impl Choice {
    /// Begins to generate it.
    pub(crate) fn new(model: &Model, work: Work) -> Self {
        let mut generation = model.generate(&work);
        let total = generation.tokens_left();
        let next = generation.next();
        let text = Text::new(model.seed, work.request, work.choice);
        Self { index: work.choice, generation, next, total, text }
    }

    /// The channel of an emission: content, unless a fault says otherwise.
    pub(crate) fn channel(&self, given: &Given, emission: Emission) -> Channel {
        let before = self.total - self.generation.tokens_left() - emission.tokens;
        if given.has(Kind::Reasoning) && before < self.total / 2 {
            Channel::Reasoning
        } else if given.has(Kind::ToolCall) {
            Channel::ToolCall
        } else {
            Channel::Content
        }
    }
}
