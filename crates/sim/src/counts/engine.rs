//! What one engine has done so far.
//!
//! Deliberately knows no request: what one adds, and when, is for [`Share`](super::Share).

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::counts::histogram::{Histogram, one_two_five};
use crate::counts::{About, lock};
use crate::model::{MOST_DRAFTED, Occupancy, Speculated};

/// How a request ended, by the names of vLLM's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Stop,
    Length,
    Abort,
    Error,
}

impl Ended {
    /// vLLM's reasons in its order. Nothing simulated ends by `repetition`.
    pub(super) const NAMES: [&'static str; 5] = ["stop", "length", "abort", "error", "repetition"];
}

/// The counters of one engine. The server's tasks run on one thread, and atomics are what they can share.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) now: Now,
    pub(super) totals: Totals,
    pub(super) prefixes: Mutex<Prefixes>,
    pub(super) prompt: Histogram,
    pub(super) generation: Histogram,
    pub(super) iteration: Histogram,
    pub(super) longest_generation: Histogram,
    pub(super) choices: Histogram,
    pub(super) max_tokens: Histogram,
    pub(super) first_token: Histogram,
    pub(super) inter_token: Histogram,
    pub(super) per_output_token: Histogram,
    pub(super) end_to_end: Histogram,
    pub(super) queue: Histogram,
    pub(super) inference: Histogram,
    pub(super) prefill: Histogram,
    pub(super) decode: Histogram,
    pub(super) preempted: Histogram,
    pub(super) computed: Histogram,
    /// Tokens of the step that is being told of.
    step: AtomicU64,
    /// Blocks that requests can have.
    blocks: u32,
}

/// How things stand.
#[derive(Debug, Default)]
pub(super) struct Now {
    pub(super) running: AtomicU32,
    pub(super) waiting: AtomicU32,
    pub(super) blocks: AtomicU32,
}

/// What only grows.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) cache_queried: AtomicU64,
    pub(super) cache_hit: AtomicU64,
    pub(super) preemptions: AtomicU64,
    /// Tokens of prompts that were computed.
    pub(super) prompt_computed: AtomicU64,
    /// Tokens of prompts that were found in the prefix cache.
    pub(super) prompt_cached: AtomicU64,
    pub(super) generated: AtomicU64,
    pub(super) ended: [AtomicU64; Ended::NAMES.len()],
    pub(super) drafts: AtomicU64,
    pub(super) draft_tokens: AtomicU64,
    pub(super) accepted: [AtomicU64; MOST_DRAFTED],
}

/// What the last requests found in the prefix cache, as vLLM's log tells it.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// For each step that admitted any: requests, tokens asked for, tokens found.
    steps: VecDeque<[u64; 3]>,
    total: [u64; 3],
    /// Of the step that is being told of.
    step: [u64; 3],
}

impl Engine {
    pub(super) fn new(about: &About) -> Self {
        let tokens = || Histogram::of_numbers(one_two_five(about.max_model_len));
        let latency = || Histogram::of_times(REQUEST_LATENCY);
        Self {
            now: Now::default(),
            totals: Totals::default(),
            prefixes: Mutex::default(),
            prompt: tokens(),
            generation: tokens(),
            iteration: Histogram::of_numbers(ITERATION_TOKENS),
            longest_generation: tokens(),
            choices: Histogram::of_numbers(CHOICES),
            max_tokens: tokens(),
            first_token: Histogram::of_times(FIRST_TOKEN),
            inter_token: Histogram::of_times(INTER_TOKEN),
            per_output_token: Histogram::of_times(INTER_TOKEN),
            end_to_end: latency(),
            queue: latency(),
            inference: latency(),
            prefill: latency(),
            decode: latency(),
            preempted: Histogram::of_numbers(PREEMPTIONS),
            computed: tokens(),
            step: AtomicU64::new(0),
            blocks: about.fleet.as_ref().map_or(0, |fleet| fleet.cache.usable_blocks),
        }
    }

    /// A request was admitted to a step, and asked the prefix cache for that many tokens, of which it had some.
    pub(super) fn queried(&self, tokens: u32, hits: u32) {
        self.totals.cache_queried.fetch_add(tokens.into(), Relaxed);
        self.totals.cache_hit.fetch_add(hits.into(), Relaxed);
        lock(&self.prefixes).query(tokens, hits);
    }

    /// The first tokens of a request left the engine: with that, its prompt counts.
    pub(super) fn prefilled(&self, computed: u32, cached: u32) {
        self.totals.prompt_computed.fetch_add(computed.into(), Relaxed);
        self.totals.prompt_cached.fetch_add(cached.into(), Relaxed);
        self.step.fetch_add(computed.into(), Relaxed);
    }

    pub(super) fn generated(&self, tokens: u32) {
        self.totals.generated.fetch_add(tokens.into(), Relaxed);
        self.step.fetch_add(tokens.into(), Relaxed);
    }

    pub(super) fn stepped(&self, speculated: &Speculated) {
        // A step from which nothing came is none of vLLM's iterations: the tokens of a prompt that is computed in parts all count
        // in the step of its last part.
        match self.step.swap(0, Relaxed) {
            0 => {}
            tokens => self.iteration.observe(tokens),
        }
        lock(&self.prefixes).end_step();
        if speculated.drafts == 0 {
            return;
        }
        self.totals.drafts.fetch_add(speculated.drafts.into(), Relaxed);
        self.totals.draft_tokens.fetch_add(speculated.draft_tokens.into(), Relaxed);
        for (total, accepted) in self.totals.accepted.iter().zip(speculated.accepted) {
            total.fetch_add(accepted.into(), Relaxed);
        }
    }

    pub(super) fn occupied(&self, occupancy: Occupancy) {
        self.now.running.store(occupancy.running, Relaxed);
        self.now.waiting.store(occupancy.waiting, Relaxed);
        self.now.blocks.store(occupancy.blocks, Relaxed);
    }

    /// The share of its blocks that are in use. vLLM keeps one block for padding, and does not count it.
    pub(super) fn cache_usage(&self) -> f64 {
        match self.blocks {
            0 => 0.0,
            blocks => f64::from(self.now.blocks.load(Relaxed)) / f64::from(blocks),
        }
    }

    pub(super) fn cache_reset(&self) {
        *lock(&self.prefixes) = Prefixes::default();
    }
}

impl Prefixes {
    /// Requests, tokens asked for, tokens found.
    pub(super) const fn total(&self) -> [u64; 3] {
        self.total
    }

    fn query(&mut self, tokens: u32, hits: u32) {
        add(&mut self.step, [1, tokens.into(), hits.into()]);
    }

    /// vLLM looks back over the last thousand requests, by whole steps, and never forgets the last of these.
    fn end_step(&mut self) {
        let step = std::mem::take(&mut self.step);
        if step[0] == 0 {
            return;
        }
        self.steps.push_back(step);
        add(&mut self.total, step);
        while self.steps.len() > 1
            && self.total[0] > REMEMBERED
            && let Some(oldest) = self.steps.pop_front()
        {
            for (total, part) in self.total.iter_mut().zip(oldest) {
                *total -= part;
            }
        }
    }
}

fn add(total: &mut [u64; 3], part: [u64; 3]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// Requests over which the log's hit rate is taken.
const REMEMBERED: u64 = 1000;

// Bounds of vLLM's buckets (`vllm/v1/metrics/buckets.py`).

const REQUEST_LATENCY: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];

const INTER_TOKEN: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];

const ITERATION_TOKENS: &[f64] =
    &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];

const CHOICES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0];

const PREEMPTIONS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0];
