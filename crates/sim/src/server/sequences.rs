//! The sequences that answer a request, one for each choice: how long each will be, and where its tokens come from.
//!
//! At a pace of its own a sequence can be asked ahead. In a fleet it becomes a job, and a seat at which its tokens are waited for.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;
use tokometer_wire::Asked;

use crate::counts::{self, Counts};
use crate::model::{Finish, Job, Pace, Work, chain};
use crate::said::Text;
use crate::said::choice::{Choice, Source};
use crate::said::script::{Address, Manner, Script, Span};
use crate::server::Server;
use crate::server::conductor::{Conductor, Seat};
use crate::server::prompt::Measured;

/// Which request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// Which of the server's, counted from 0.
    pub(crate) number: u64,
    /// When it arrived, and was not stalled any more.
    pub(crate) arrival: Instant,
    /// Whether tokens are generated for it. Otherwise only its prompt is computed.
    pub(crate) generates: bool,
}

/// One sequence to begin.
struct Sequence {
    work: Work,
    tokens: u32,
    finish: Finish,
    text: Text,
}

/// Begins all that a request asks for.
pub(crate) fn start(
    server: &Server,
    asked: &Asked,
    prompt: &Measured,
    (order, counted): (&Order, counts::Asked),
    manner: &Manner,
) -> (Vec<Choice>, SmallVec<[Seat; 1]>) {
    let mut seats = SmallVec::new();
    let mut shares = match &server.conductor {
        Some(_) => Counts::begin_all(&server.counts, counted),
        None => SmallVec::new(),
    };
    let choices = (0..asked.n).map(|choice| {
        let work = Work {
            request: order.number,
            choice,
            prompt_tokens: prompt.tokens,
            max_tokens: asked.max_tokens,
            min_tokens: asked.min_tokens.unwrap_or(0),
            ignore_eos: asked.ignore_eos,
        };
        let seed = server.options.seed;
        let (tokens, finish) = server.pace.lengths.of(&work, seed);
        let text = Text::new(seed, order.number, choice);
        let room = server.options.max_model_len.saturating_sub(prompt.tokens);
        let limit = asked.max_tokens.unwrap_or(room).min(room).max(1);
        let (script, (tokens, finish)) = Script::new(
            (&server.vocabulary, server.tokens.as_ref()),
            text.clone(),
            manner,
            Address { seed, request: order.number, choice },
            Span { tokens, finish, limit },
        );
        let tokens_per_chunk = manner.tokens_per_chunk.unwrap_or(server.options.tokens_per_chunk);
        let sequence = Sequence { work, tokens, finish, text };
        let source = match &server.conductor {
            None => {
                let length = (sequence.tokens, sequence.finish);
                let pace = Pace { tokens_per_chunk, ..server.pace.clone() };
                Source::Own(Box::new(pace.generate_exactly(&sequence.work, length)))
            }
            Some(conductor) => {
                let job = job(server, asked, &prompt.ids, sequence, order.generates);
                seats.push(conductor.submit(order.arrival, job, shares.pop()));
                Source::told(tokens_per_chunk.get())
            }
        };
        Choice::new(choice, source, tokens, script)
    });
    let choices = choices.collect();
    (choices, seats)
}

fn job(server: &Server, asked: &Asked, prompt: &[u32], sequence: Sequence, generates: bool) -> Job {
    let Sequence { work, tokens, finish, text } = sequence;
    let block_size = server.conductor.as_deref().map_or(1, Conductor::block_size);
    let caches = server.caches_prefixes() && !prompt.is_empty();
    let chain = match caches {
        false => Arc::default(),
        true => {
            let output = server.vocabulary.ids(text).take(tokens as usize);
            chain(prompt.iter().copied().chain(output), block_size).into()
        }
    };
    Job {
        request: work.request,
        choice: work.choice,
        prompt_tokens: work.prompt_tokens.max(1),
        output_tokens: if generates { tokens } else { 0 },
        finish,
        priority: asked.fields.get("priority").and_then(serde_json::Value::as_i64).unwrap_or(0),
        chain,
    }
}
