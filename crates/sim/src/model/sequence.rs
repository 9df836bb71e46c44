//! One sequence in an engine: how far it is, and what it wants next.
//!
//! Deliberately decides nothing: whether it gets what it wants is for [`Replica`](super::replica::Replica).

use crate::model::speculation::Acceptance;
use crate::model::{Job, Ticket};

/// A job in an engine.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub(super) ticket: Ticket,
    pub(super) job: Job,
    /// When it came to this engine, compared with others.
    pub(super) arrived: i64,
    pub(super) state: State,
    /// Whether it has been in a step before.
    pub(super) begun: bool,
    /// Tokens whose keys and values are in its blocks.
    pub(super) computed: u32,
    /// Tokens that have left.
    pub(super) emitted: u32,
    /// Whether its last step made a token, so that the next continues from it, with a draft if there are drafts.
    pub(super) decoding: bool,
    /// Its blocks, in the order of its tokens.
    pub(super) blocks: Vec<u32>,
    /// How many of them have a name.
    pub(super) named: u32,
    /// Only with speculation.
    pub(super) acceptance: Option<Box<Acceptance>>,
}

/// Where a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits under that turn.
    Waiting(Turn),
    /// It takes part in steps.
    Running,
    /// It has ended, and its place may be had by another.
    Gone,
}

/// Who is next: the least. First the priority, then the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(pub(super) i64, pub(super) i64);

impl Sequence {
    /// Tokens that are known: the prompt's, and those that have left.
    pub(super) const fn known(&self) -> u32 {
        self.job.prompt_tokens + self.emitted
    }

    /// Tokens that are known but not computed. At least one, while it is in an engine.
    pub(super) const fn remaining(&self) -> u32 {
        self.known() - self.computed
    }

    /// Names of its first full blocks, as far as they are known.
    pub(super) fn names(&self, full: u32) -> &[u64] {
        &self.job.chain[..self.job.chain.len().min(full as usize)]
    }

    /// It loses all it has but what it has said.
    pub(super) fn begin_anew(&mut self) {
        self.computed = 0;
        self.named = 0;
        self.decoding = false;
    }
}
