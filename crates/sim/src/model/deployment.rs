//! What is deployed: engines, their settings, and how long their steps take. Plain data, with vLLM's names and meanings.
//!
//! Deliberately knows no hardware by name: a preset, or a GPU and an architecture, become these numbers in `hardware`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::StepTime;

/// Engines that serve one model behind one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// What it is called: the preset's name, or what it was made from.
    pub name: String,
    /// How each engine is set up.
    pub engine: Engine,
    /// How long a step takes.
    pub step: StepTime,
    /// What the server does with a request before an engine has it.
    pub frontend: Frontend,
    /// How many engines there are (`--data-parallel-size`).
    pub replicas: NonZeroU32,
    /// Which of them a request goes to.
    pub routing: Routing,
    /// The relative standard deviation of a step's time around what [`StepTime`] says. 0 for none.
    pub noise: f64,
}

/// How one engine is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// The most requests in one step (`--max-num-seqs`).
    pub max_num_seqs: NonZeroU32,
    /// The most tokens in one step (`--max-num-batched-tokens`).
    pub max_num_batched_tokens: NonZeroU32,
    /// Whether a prompt may be computed in parts, over several steps (`--enable-chunked-prefill`).
    pub chunked_prefill: bool,
    /// Who goes first (`--scheduling-policy`).
    pub policy: Policy,
    /// Blocks of the KV cache (`--num-gpu-blocks-override`).
    pub blocks: NonZeroU32,
    /// Tokens in a block (`--block-size`).
    pub block_size: NonZeroU32,
    /// Whether blocks of earlier requests with the same beginning are used again (`--enable-prefix-caching`).
    pub prefix_caching: bool,
    /// Speculative decoding, if any (`--speculative-config`).
    pub speculation: Option<Speculation>,
}

impl Engine {
    /// Blocks that requests can have: all but one, which vLLM keeps as a stand-in for blocks that are not there.
    pub const fn usable_blocks(&self) -> u32 {
        self.blocks.get() - 1
    }

    /// The most tokens of one request, prompt and output, that can ever be computed: what the whole cache holds; and where prompts are
    /// not computed in parts, what one step does. The last token of an output is not among them.
    pub const fn context(&self) -> u32 {
        let held = self.usable_blocks().saturating_mul(self.block_size.get());
        let step = self.max_num_batched_tokens.get();
        if self.chunked_prefill || held < step { held } else { step }
    }
}

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Who came first.
    #[default]
    Fcfs,
    /// Who has the lower `priority`; among equals, who came first.
    Priority,
}

/// Speculative decoding: a draft of some tokens, of which the model keeps the first ones that it agrees with.
#[derive(Clone, Debug, PartialEq)]
pub struct Speculation {
    /// How drafts are made, as vLLM names it: `mtp`, `eagle`, `ngram`, … Only told, never acted upon.
    pub method: String,
    /// Tokens of a draft.
    pub tokens: NonZeroU32,
    /// The chance of each position to be accepted, given that all before it were. As many as there are `tokens`.
    pub acceptance: Vec<f64>,
}

/// What the server does with a request before an engine has it: HTTP, the chat template, the tokenizer.
///
/// One process does it, one request after the other, as vLLM's API server does: requests that come together wait for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frontend {
    /// For each request.
    pub per_request: Duration,
    /// For each token of its prompt.
    pub per_prompt_token: Duration,
}

/// Which replica a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one that has most of the prompt in its prefix cache; where that is equal, the one with the fewest requests.
    Prefix,
    /// The one with the fewest requests, as vLLM's own balancer does.
    LeastRequests,
}
