//! One engine: a step begins, its end is known, and at its end tokens leave.
//!
//! The rules are those of vLLM 0.32 (`v1/core/sched/scheduler.py` and `v1/core/kv_cache_manager.py`). A step takes the running requests in
//! their order, each with the tokens it lacks (one for an output, and those of its draft; for a prompt as many as fit), until
//! `max_num_batched_tokens` is spent. One that needs a block when none is free has it from the last of the running ones (from the least urgent
//! one, by priority), which loses all its blocks, and is computed anew later. Only in a step in which nobody lost anything, waiting requests
//! are admitted, in their order and never past the first that cannot be: while there are fewer than `max_num_seqs`, tokens are left,
//! and there are blocks for all tokens that it has. Blocks are named as soon as the step that fills them begins, so that two requests
//! with the same beginning share it even when they begin together.
//!
//! **Hot path**: a step allocates nothing once its vectors have grown, and looks up no name unless a request is admitted or a block is
//! filled. This file deliberately knows no other replica.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rand_distr::{Distribution, StandardNormal};

use crate::model::blocks::Blocks;
use crate::model::fleet::{Event, Job, Lookups, MOST_DRAFTED, Occupancy, Speculated, Ticket};
use crate::model::sequence::{Sequence, State, Turn};
use crate::model::speculation::Acceptance;
use crate::model::{
    Batch, Deployment, Emission, Engine, Policy, Purpose, StepTime, log_normal, rng,
};

/// One engine.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    index: u32,
    engine: Engine,
    /// Tokens of a draft.
    drafted: u32,
    /// The most tokens that one request may have in the cache.
    context: u32,
    cost: StepTime,
    noise: f64,
    seed: u64,
    sequences: Vec<Sequence>,
    /// Places of sequences that are gone.
    vacant: Vec<u32>,
    running: Vec<u32>,
    waiting: BTreeMap<Turn, u32>,
    blocks: Blocks,
    step: Option<Step>,
    /// What the step computes, or the one that is being made.
    parts: Vec<Part>,
    /// Blocks that were found for the request that is being admitted.
    found: Vec<u32>,
    /// Requests that came.
    arrivals: i64,
    /// Less than nought by the number of times that a request lost its blocks.
    returns: i64,
    /// Steps that began.
    steps: u64,
    lookups: Lookups,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    began: Duration,
    ends: Duration,
    batch: Batch,
}

/// What a step computes of one sequence.
#[derive(Clone, Copy, Debug)]
struct Part {
    place: u32,
    ticket: Ticket,
    tokens: u32,
    /// Of these, the draft's.
    drafts: u32,
}

impl Replica {
    /// An engine with nothing to do.
    pub(super) fn new(index: u32, deployment: &Deployment, seed: u64) -> Self {
        let engine = deployment.engine.clone();
        let tokens = engine.speculation.as_ref().map_or(0, |speculation| {
            speculation.tokens.get().min(speculation.acceptance.len() as u32)
        });
        Self {
            index,
            drafted: tokens.min(MOST_DRAFTED as u32),
            context: engine.context(),
            cost: deployment.step.clone(),
            noise: deployment.noise,
            seed,
            sequences: Vec::new(),
            vacant: Vec::new(),
            running: Vec::new(),
            waiting: BTreeMap::new(),
            blocks: Blocks::new(engine.usable_blocks(), engine.block_size.get()),
            step: None,
            parts: Vec::new(),
            found: Vec::new(),
            arrivals: 0,
            returns: 0,
            steps: 0,
            lookups: Lookups::default(),
            engine,
        }
    }

    /// Takes a job that fits, and says where it is.
    pub(super) fn submit(&mut self, ticket: Ticket, job: Job) -> u32 {
        self.arrivals += 1;
        let turn = match self.engine.policy {
            Policy::Fcfs => Turn(0, self.arrivals),
            Policy::Priority => Turn(job.priority, self.arrivals),
        };
        let acceptance = (self.drafted > 0)
            .then(|| Box::new(Acceptance::new(self.seed, job.request, job.choice)));
        let mut sequence = Sequence {
            ticket,
            job,
            arrived: self.arrivals,
            state: State::Waiting(turn),
            begun: false,
            computed: 0,
            emitted: 0,
            decoding: false,
            blocks: Vec::new(),
            named: 0,
            acceptance,
        };
        let place = match self.vacant.pop() {
            None => {
                self.sequences.push(sequence);
                self.sequences.len() as u32 - 1
            }
            Some(place) => {
                let former = &mut self.sequences[place as usize];
                sequence.blocks = std::mem::take(&mut former.blocks);
                *former = sequence;
                place
            }
        };
        self.waiting.insert(turn, place);
        place
    }

    /// A job leaves, and its blocks are free. A step that has begun goes on as long as it would have.
    pub(super) fn abort(&mut self, place: u32, ticket: Ticket) {
        let sequence = &mut self.sequences[place as usize];
        if sequence.ticket != ticket {
            return;
        }
        match sequence.state {
            State::Gone => return,
            State::Waiting(turn) => {
                self.waiting.remove(&turn);
            }
            State::Running => self.running.retain(|held| *held != place),
        }
        self.leave(place);
    }

    /// When the step that is under way ends.
    pub(super) fn ends(&self) -> Option<Duration> {
        self.step.map(|step| step.ends)
    }

    /// Whether a step could begin.
    pub(super) fn is_ready(&self) -> bool {
        self.step.is_none() && !(self.running.is_empty() && self.waiting.is_empty())
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        Occupancy {
            running: self.running.len() as u32,
            waiting: self.waiting.len() as u32,
            blocks: self.blocks.used(),
            free: self.blocks.free(),
        }
    }

    pub(super) const fn lookups(&self) -> Lookups {
        self.lookups
    }

    /// Blocks of the beginning of `chain` that are in the prefix cache.
    pub(super) fn cached(&self, chain: &[u64]) -> usize {
        match self.engine.prefix_caching {
            false => 0,
            true => self.blocks.found(chain).count(),
        }
    }

    pub(super) fn reset_prefix_cache(&mut self) -> bool {
        self.blocks.forget_all()
    }

    /// A step begins at `at`, if there is anything to compute.
    pub(super) fn begin(&mut self, at: Duration, told: &mut dyn FnMut(Event)) {
        debug_assert!(self.step.is_none(), "a step begins when the last one has ended");
        // Where the only one who could go on lost its blocks, the step is empty, takes no time, and another follows.
        while self.schedule(at, told).is_break() && self.parts.is_empty() {}
        if self.parts.is_empty() {
            return;
        }
        let batch = self.batch();
        let length = self.cost.of(&batch);
        let length = match self.noise > 0.0 {
            false => length,
            true => self.disturbed(length),
        };
        self.steps += 1;
        self.step = Some(Step { began: at, ends: at.saturating_add(length), batch });
    }

    /// The step that is under way ends.
    pub(super) fn end(&mut self, told: &mut dyn FnMut(Event)) {
        let Some(Step { began, ends: at, batch }) = self.step.take() else { return };
        let mut speculated = Speculated::default();
        let mut gone = false;
        let mut parts = std::mem::take(&mut self.parts);
        for part in parts.drain(..) {
            let sequence = &mut self.sequences[part.place as usize];
            // Another has its place, or nobody, where it left while it was computed.
            if sequence.ticket != part.ticket || sequence.state != State::Running {
                continue;
            }
            sequence.computed += part.tokens - part.drafts;
            if sequence.remaining() > 0 {
                continue;
            }
            let accepted = match (&mut sequence.acceptance, &self.engine.speculation) {
                (Some(acceptance), Some(speculation)) if part.drafts > 0 => {
                    let chances = &speculation.acceptance[..part.drafts as usize];
                    let accepted = acceptance.of(sequence.emitted, chances);
                    speculated.count(part.drafts, accepted);
                    accepted
                }
                _ => 0,
            };
            // The keys and values of accepted tokens stay where they are; those of the others are written over.
            sequence.computed += accepted;
            sequence.decoding = true;
            let left = sequence.job.output_tokens - sequence.emitted;
            let tokens = (1 + accepted).min(left);
            sequence.emitted += tokens;
            let finish = (tokens == left).then_some(sequence.job.finish);
            if finish.is_some() {
                self.leave(part.place);
                gone = true;
            }
            let emission = Emission { at, tokens, finish };
            told(Event::Emitted { ticket: part.ticket, emission });
        }
        self.parts = parts;
        if gone {
            let Self { running, sequences, .. } = self;
            running.retain(|place| sequences[*place as usize].state == State::Running);
        }
        told(Event::Stepped { replica: self.index, began, at, batch, speculated });
    }

    /// Decides what the next step computes. Broken off if somebody lost its blocks.
    fn schedule(&mut self, at: Duration, told: &mut dyn FnMut(Event)) -> ControlFlow<()> {
        let mut budget = self.engine.max_num_batched_tokens.get();
        self.go_on(&mut budget, at, told)?;
        while budget > 0 && self.running.len() < self.engine.max_num_seqs.get() as usize {
            let Some((&turn, &place)) = self.waiting.first_key_value() else { break };
            let Some(part) = self.admit(place, budget) else { break };
            self.waiting.remove(&turn);
            self.running.push(place);
            budget -= part.tokens;
            self.parts.push(part);
            self.tell_if_first(place, at, told);
        }
        ControlFlow::Continue(())
    }

    /// Gives the running requests their parts of a step. Broken off if somebody lost its blocks.
    fn go_on(
        &mut self,
        budget: &mut u32,
        at: Duration,
        told: &mut dyn FnMut(Event),
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let mut index = 0;
        while index < self.running.len() && *budget > 0 {
            let place = self.running[index];
            let (part, lacking) = self.wanted(place, *budget);
            while lacking > self.blocks.free() {
                flow = ControlFlow::Break(());
                let victim = self.victim();
                let loser = self.running.remove(victim);
                self.preempt(loser, at, told);
                if loser == place {
                    // Nobody behind it is given anything either, as in vLLM.
                    return flow;
                }
                // By priority, the victim may stand before this one, and have its part already.
                if victim < index {
                    index -= 1;
                }
                if let Some(given) = self.parts.iter().position(|part| part.place == loser) {
                    *budget += self.parts.remove(given).tokens;
                }
            }
            self.blocks.take(lacking, &mut self.sequences[place as usize].blocks);
            self.name_filled(place, part.tokens);
            *budget -= part.tokens;
            self.parts.push(part);
            index += 1;
        }
        flow
    }

    /// What a running request would compute with a budget of so many tokens, and how many blocks it lacks for it.
    fn wanted(&self, place: u32, budget: u32) -> (Part, u32) {
        let sequence = &self.sequences[place as usize];
        let remaining = sequence.remaining();
        // A draft goes no further than the cache could hold, as vLLM's goes no further than its context.
        let room = self.context.saturating_sub(sequence.known());
        let drafts = if sequence.decoding { self.drafted.min(room) } else { 0 };
        let tokens = (remaining + drafts).min(budget);
        let drafts = tokens.saturating_sub(remaining);
        // After a rejected draft it has more than it needs.
        let lacking = self.blocks.lacking(sequence.computed + tokens, &sequence.blocks);
        (Part { place, ticket: sequence.ticket, tokens, drafts }, lacking)
    }

    /// Where among the running ones stands the one that loses its blocks next.
    fn victim(&self) -> usize {
        let last = self.running.len() - 1;
        match self.engine.policy {
            Policy::Fcfs => last,
            Policy::Priority => (0..=last)
                .max_by_key(|index| {
                    let sequence = &self.sequences[self.running[*index] as usize];
                    (sequence.job.priority, sequence.arrived)
                })
                .unwrap_or(last),
        }
    }

    /// A request that is no longer among the running ones loses its blocks, and waits before all others of its urgency.
    fn preempt(&mut self, place: u32, at: Duration, told: &mut dyn FnMut(Event)) {
        self.returns -= 1;
        let sequence = &mut self.sequences[place as usize];
        self.blocks.give_back(&mut sequence.blocks);
        sequence.begin_anew();
        let turn = match self.engine.policy {
            Policy::Fcfs => Turn(0, self.returns),
            Policy::Priority => Turn(sequence.job.priority, sequence.arrived),
        };
        sequence.state = State::Waiting(turn);
        self.waiting.insert(turn, place);
        told(Event::Preempted { ticket: sequence.ticket, at });
    }

    /// The first part of a waiting request, if it can have one of at most `budget` tokens.
    fn admit(&mut self, place: u32, budget: u32) -> Option<Part> {
        let Self { engine, blocks, sequences, found, lookups, .. } = self;
        let sequence = &mut sequences[place as usize];
        let known = sequence.known();
        found.clear();
        if engine.prefix_caching {
            // The last token is always computed: what follows it is not in the cache.
            found.extend(blocks.found(sequence.names(blocks.filled(known - 1))));
        }
        let hits = found.len() as u32;
        let cached = hits * engine.block_size.get();
        let remaining = known - cached;
        let tokens = match engine.chunked_prefill {
            true => remaining.min(budget),
            false => Some(remaining).filter(|remaining| *remaining <= budget)?,
        };
        // Found blocks that nobody uses are among the free ones until they are shared.
        let unused = found.iter().filter(|block| blocks.is_free(**block)).count() as u32;
        if blocks.holding(known) - hits + unused > blocks.free() {
            return None;
        }
        found.iter().for_each(|block| blocks.share(*block));
        sequence.blocks.append(found);
        blocks.take(blocks.holding(cached + tokens) - hits, &mut sequence.blocks);
        (sequence.computed, sequence.named, sequence.state) = (cached, hits, State::Running);
        if engine.prefix_caching && !sequence.begun {
            lookups.requests += 1;
            lookups.queried += u64::from(known);
            lookups.hit += u64::from(cached);
        }
        let ticket = sequence.ticket;
        self.name_filled(place, tokens);
        Some(Part { place, ticket, tokens, drafts: 0 })
    }

    fn tell_if_first(&mut self, place: u32, at: Duration, told: &mut dyn FnMut(Event)) {
        let sequence = &mut self.sequences[place as usize];
        if !std::mem::replace(&mut sequence.begun, true) {
            let (ticket, cached) = (sequence.ticket, sequence.computed);
            told(Event::Scheduled { ticket, at, replica: self.index, cached });
        }
    }

    /// Names the blocks that so many more tokens fill. A draft's tokens are not known yet, and fill nothing.
    fn name_filled(&mut self, place: u32, tokens: u32) {
        let Self { engine, blocks, sequences, .. } = self;
        if !engine.prefix_caching {
            return;
        }
        let sequence = &mut sequences[place as usize];
        let known = (sequence.computed + tokens).min(sequence.known());
        let named = sequence.named as usize;
        if u64::from(known) < (named as u64 + 1) * u64::from(engine.block_size.get()) {
            return;
        }
        let full = blocks.filled(known);
        let Some(names) = sequence.names(full).get(named..) else { return };
        for (block, name) in sequence.blocks[named..].iter().zip(names) {
            blocks.name(*block, *name);
        }
        sequence.named += names.len() as u32;
    }

    fn batch(&self) -> Batch {
        let mut batch = Batch { requests: self.parts.len() as u32, ..Batch::default() };
        for part in &self.parts {
            let sequence = &self.sequences[part.place as usize];
            let (computed, tokens) = (u64::from(sequence.computed), u64::from(part.tokens));
            if sequence.decoding {
                batch.decode_tokens += part.tokens;
                batch.decode_context += computed + tokens;
            } else {
                batch.prefill_tokens += part.tokens;
                batch.prefill_attention += tokens * computed + tokens * (tokens + 1) / 2;
            }
        }
        batch
    }

    /// Drawn from the log-normal distribution of that mean and of the relative deviation `noise`.
    fn disturbed(&self, length: Duration) -> Duration {
        let z: f64 =
            StandardNormal.sample(&mut rng(self.seed, Purpose::StepNoise, self.steps, self.index));
        let seconds = length.as_secs_f64();
        Duration::try_from_secs_f64(log_normal(seconds, seconds * self.noise, z)).unwrap_or(length)
    }

    /// A sequence that is neither running nor waiting leaves its blocks and its place.
    fn leave(&mut self, place: u32) {
        let sequence = &mut self.sequences[place as usize];
        self.blocks.give_back(&mut sequence.blocks);
        sequence.state = State::Gone;
        sequence.job.chain = Arc::default();
        sequence.acceptance = None;
        self.vacant.push(place);
    }
}
