//! What a stream was told before the event that is written next.
//!
//! Most events of most APIs stand for themselves. Some number themselves, open and close blocks, or repeat all that was said:
//! those are written with this. Deliberately holds only what some API needs, and the OpenAI chat's hot path touches none of it.

use crate::{Channel, Delta, Usage};

/// What the events of one response have told so far. New for each response; only codecs look into it.
#[derive(Debug, Default)]
pub struct SoFar {
    /// How many numbered events there were.
    pub(super) events: u32,
    /// Whether the opening was sent.
    pub(super) opened: bool,
    /// Whether the end, or an error, was sent.
    pub(super) over: bool,
    /// The blocks of output: a run of one kind each, with its text.
    pub(super) blocks: Vec<(Channel, String)>,
    /// Whether the last block is still open.
    pub(super) block_is_open: bool,
    pub(super) finish_reason: Option<String>,
    pub(super) usage: Option<Usage>,
}

impl SoFar {
    /// Notes what waits for a later event to bear it: usage, and the first finish reason.
    pub(super) fn note(&mut self, delta: &Delta<'_>) {
        self.usage = delta.usage.or(self.usage);
        if let (None, Some(reason)) = (&self.finish_reason, &delta.finish_reason) {
            self.finish_reason = Some(reason.clone().into_owned());
        }
    }

    /// The number of the event that is written now.
    pub(super) const fn next_number(&mut self) -> u32 {
        self.events += 1;
        self.events - 1
    }

    /// Whether this is the first time that anything is opened.
    pub(super) const fn opens(&mut self) -> bool {
        !std::mem::replace(&mut self.opened, true)
    }

    /// Whether the last block is open and of this kind.
    pub(super) fn is_in(&self, channel: Channel) -> bool {
        self.block_is_open && self.blocks.last().is_some_and(|(last, _)| *last == channel)
    }
}
