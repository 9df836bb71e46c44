//! What one sequence adds to the counters: a request, or one of its choices.
//!
//! The intervals are those of vLLM's `v1/metrics/stats.py`. A request's arrival begins its latency and its time to the first token; its
//! queueing ends where its first step begins; prefill goes from there to the first token, decode from there to the last, and inference
//! is both. Between tokens counts the time from one emission to the next, however many tokens are in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::counts::engine::{Ended, Engine};
use crate::counts::{Asked, Counts, lock};
use crate::model::Finish;

/// What one sequence adds. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    family: Arc<Family>,
    replica: u32,
    /// When its first step began.
    scheduled: Option<Duration>,
    cached: u32,
    preemptions: u32,
    /// The first emission and the last.
    emitted: Option<(Duration, Duration)>,
    tokens: u32,
    finished: Option<Ended>,
}

/// What the choices of one request have in common.
#[derive(Debug)]
struct Family {
    counts: Arc<Counts>,
    asked: Asked,
    /// Choices that ended by themselves.
    complete: AtomicU32,
    /// The tokens of the longest of these.
    longest: AtomicU32,
}

impl Share {
    pub(super) fn first(counts: &Arc<Counts>, asked: Asked) -> Self {
        let (complete, longest) = (AtomicU32::new(0), AtomicU32::new(0));
        Self::of(Arc::new(Family { counts: Arc::clone(counts), asked, complete, longest }))
    }

    /// The shares of the request's other choices.
    pub(super) fn siblings(&self) -> impl Iterator<Item = Self> + use<> {
        let family = Arc::clone(&self.family);
        (1..family.asked.choices).map(move |_| Self::of(Arc::clone(&family)))
    }

    fn of(family: Arc<Family>) -> Self {
        let counts = &family.counts;
        counts.unfinished.fetch_add(1, Relaxed);
        let paced = counts.about.fleet.is_none();
        if paced && let Some(engine) = counts.engines.first() {
            engine.now.running.fetch_add(1, Relaxed);
        }
        if let Some(name) = &family.asked.lora {
            let mut loras = lock(&counts.loras);
            loras.begun(name);
            if paced {
                loras.scheduled(name);
            }
        }
        Self {
            scheduled: paced.then_some(family.asked.at),
            family,
            replica: 0,
            cached: 0,
            preemptions: 0,
            emitted: None,
            tokens: 0,
            finished: None,
        }
    }

    /// Its first step begins at `at`, in that replica, which found `cached` tokens of its prompt.
    pub(crate) fn scheduled(&mut self, at: Duration, replica: u32, cached: u32) {
        (self.scheduled, self.replica, self.cached) = (Some(at), replica, cached);
        let counts = &self.family.counts;
        let caching = counts.about.fleet.as_ref().is_some_and(|fleet| fleet.cache.prefix_caching);
        if caching && let Some(engine) = self.engine() {
            engine.queried(self.family.asked.prompt_tokens, cached);
        }
        if let Some(name) = &self.family.asked.lora {
            lock(&counts.loras).scheduled(name);
        }
    }

    /// It lost its blocks, and waits again.
    pub(crate) fn preempted(&mut self) {
        self.preemptions += 1;
        if let Some(engine) = self.engine() {
            engine.totals.preemptions.fetch_add(1, Relaxed);
        }
    }

    /// Tokens left the engine at `at`, all together. No tokens at all are an emission too: a result has none.
    pub(crate) fn emitted(&mut self, at: Duration, tokens: u32) {
        let before = self.emitted;
        self.emitted = Some((before.map_or(at, |(first, _)| first), at));
        self.tokens = self.tokens.saturating_add(tokens);
        let Some(engine) = self.engine() else { return };
        engine.generated(tokens);
        match before {
            Some((_, last)) => engine.inter_token.observe_time(at.saturating_sub(last)),
            None => {
                let computed = self.family.asked.prompt_tokens.saturating_sub(self.cached);
                engine.prefilled(computed, self.cached);
                engine.first_token.observe_time(at.saturating_sub(self.family.asked.at));
            }
        }
    }

    /// Notes that it is complete; `None` if an error ended it.
    pub(crate) const fn finished(&mut self, finish: Option<Finish>) {
        self.finished = Some(match finish {
            Some(Finish::Stop) => Ended::Stop,
            Some(Finish::Length) => Ended::Length,
            None => Ended::Error,
        });
    }

    fn engine(&self) -> Option<&Engine> {
        self.family.counts.engines.get(self.replica as usize)
    }

    /// What is counted of a sequence that ended by itself.
    fn observe(&self, engine: &Engine, (first, last): (Duration, Duration)) {
        let asked = &self.family.asked;
        let scheduled = self.scheduled.unwrap_or(first);
        let decode = last.saturating_sub(first);
        engine.end_to_end.observe_time(last.saturating_sub(asked.at));
        engine.queue.observe_time(scheduled.saturating_sub(asked.at));
        engine.prefill.observe_time(first.saturating_sub(scheduled));
        engine.inference.observe_time(last.saturating_sub(scheduled));
        engine.decode.observe_time(decode);
        // The first token is not counted: prefill made it.
        let following = self.tokens.saturating_sub(1);
        engine.per_output_token.observe_time(decode.checked_div(following).unwrap_or_default());
        engine.preempted.observe(self.preemptions.into());
        engine.computed.observe(asked.prompt_tokens.saturating_sub(self.cached).into());
        engine.prompt.observe(asked.prompt_tokens.into());
        engine.generation.observe(self.tokens.into());
        if let Some(most) = asked.max_tokens {
            engine.max_tokens.observe(most.into());
        }
        self.family.completed(engine, self.tokens);
    }
}

impl Family {
    /// One more choice is complete. With the last of them, the request counts.
    fn completed(&self, engine: &Engine, tokens: u32) {
        let longest = self.longest.fetch_max(tokens, Relaxed).max(tokens);
        if self.complete.fetch_add(1, Relaxed) + 1 == self.asked.choices {
            engine.longest_generation.observe(longest.into());
            engine.choices.observe(self.asked.choices.into());
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let counts = &self.family.counts;
        counts.unfinished.fetch_sub(1, Relaxed);
        if let Some(name) = &self.family.asked.lora {
            lock(&counts.loras).ended(name, self.scheduled.is_some());
        }
        let Some(engine) = self.engine() else { return };
        if counts.about.fleet.is_none() {
            engine.now.running.fetch_sub(1, Relaxed);
        }
        // A response that never left was complete for nobody.
        let ended = match (self.finished, self.emitted) {
            (Some(ended @ (Ended::Stop | Ended::Length)), Some(_)) => ended,
            (Some(Ended::Error), _) => Ended::Error,
            _ => Ended::Abort,
        };
        engine.totals.ended[ended as usize].fetch_add(1, Relaxed);
        if ended != Ended::Abort
            && let Some(emissions) = self.emitted
        {
            self.observe(engine, emissions);
        }
    }
}
