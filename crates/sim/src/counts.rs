//! What the server counts of itself, as a real one does: the numbers of `/metrics` and of its log lines.
//!
//! Names, labels, buckets and definitions are those of vLLM 0.32. Everything is told moments from outside, as lengths of time since
//! the server's start, and nothing here knows a clock; what the process itself takes is read from the system when a page is asked for.
//!
//! **Hot path**: counting an emission is a handful of relaxed atomic additions, some 30 ns. There are locks where something happens
//! once per HTTP request, or once per step in which a request begins. Deliberately decides nothing: who is told what, and when, is
//! for `server`.

mod config;
mod engine;
mod histogram;
mod http;
mod log;
mod loras;
mod page;
mod process;
mod share;
mod text;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use crate::counts::engine::Engine;
use crate::counts::http::Http;
use crate::counts::loras::Loras;
use crate::model::{Deployment, Occupancy, Speculated};
use crate::options::Options;

pub(crate) use http::Exchange;
pub(crate) use log::{Logger, Speakers, Stamp};
pub(crate) use share::Share;

/// What is said of a server that never changes.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// The name of its model.
    pub(crate) model: String,
    /// The most tokens that prompt and output may have together.
    pub(crate) max_model_len: u32,
    /// How many engines it has, and what they are. `None` where each request goes at a pace of its own: there is no queue then, no
    /// cache and no step, and nothing is said of them.
    pub(crate) fleet: Option<Fleet>,
    /// The most LoRA adapters that run at once (`--max-loras`, of which vLLM makes 1). `None` where there are no adapters.
    pub(crate) loras: Option<NonZeroU32>,
    /// What its log calls what it runs on: `GPU`, `CPU`, …
    pub(crate) device: &'static str,
    /// When it started, since 1970.
    pub(crate) started: Duration,
}

/// What is said of engines that never changes.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) replicas: NonZeroU32,
    pub(crate) cache: Cache,
    /// Tokens of a draft, if there is speculation.
    pub(crate) drafted: Option<NonZeroU32>,
}

/// The KV cache of each engine.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    pub(crate) blocks: NonZeroU32,
    /// Of these, how many requests can have.
    pub(crate) usable_blocks: u32,
    pub(crate) block_size: NonZeroU32,
    pub(crate) prefix_caching: bool,
}

/// One request, when it is begun.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) prompt_tokens: u32,
    /// The limit that it was given.
    pub(crate) max_tokens: Option<u32>,
    /// How many choices. Each is a sequence of its own, with a [`Share`] of its own.
    pub(crate) choices: u32,
    /// The adapter that it asked for.
    pub(crate) lora: Option<Arc<str>>,
    /// When it arrived.
    pub(crate) at: Duration,
}

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Counts {
    about: About,
    engines: Vec<Engine>,
    http: Mutex<Http>,
    loras: Mutex<Loras>,
    /// Sequences that have begun and not ended.
    unfinished: AtomicU32,
    /// Requests that were refused because there were too many of those.
    rejected: AtomicU64,
}

impl About {
    /// What is said of a server with these options that started at `started`, since 1970.
    pub(crate) fn of(options: &Options, started: Duration) -> Self {
        let fleet = options.deployment.as_ref().map(|Deployment { engine, replicas, .. }| Fleet {
            replicas: *replicas,
            cache: Cache {
                blocks: engine.blocks,
                usable_blocks: engine.usable_blocks(),
                block_size: engine.block_size,
                prefix_caching: engine.prefix_caching,
            },
            drafted: engine.speculation.as_ref().map(|speculation| speculation.tokens),
        });
        let adapts = !options.serving.lora_modules.is_empty();
        Self {
            model: options.name().to_owned(),
            max_model_len: options.max_model_len,
            fleet,
            loras: adapts.then_some(NonZeroU32::MIN),
            device: "GPU",
            started,
        }
    }
}

impl Counts {
    /// Nothing has happened yet.
    pub(crate) fn new(about: About) -> Arc<Self> {
        let replicas = about.fleet.as_ref().map_or(1, |fleet| fleet.replicas.get());
        let engines = (0..replicas).map(|_| Engine::new(&about)).collect();
        Arc::new(Self {
            about,
            engines,
            http: Mutex::default(),
            loras: Mutex::default(),
            unfinished: AtomicU32::new(0),
            rejected: AtomicU64::new(0),
        })
    }

    /// Whether a request of so many choices may begin where no more than `most` sequences may run or wait. One that may not is counted.
    pub(crate) fn admits(&self, choices: u32, most: Option<u32>) -> bool {
        let after = self.unfinished.load(Relaxed).saturating_add(choices);
        let admitted = most.is_none_or(|most| after <= most);
        if !admitted {
            self.rejected.fetch_add(1, Relaxed);
        }
        admitted
    }

    /// Counts a request of one choice that is answered from now on. It ends when its share is dropped.
    pub(crate) fn begin(counts: &Arc<Self>, asked: Asked) -> Share {
        Share::first(counts, Asked { choices: 1, ..asked })
    }

    /// Counts a request that is answered from now on: a share for each of its choices. Each ends when it is dropped.
    pub(crate) fn begin_all(counts: &Arc<Self>, asked: Asked) -> SmallVec<[Share; 1]> {
        let first = Share::first(counts, asked);
        let others = first.siblings();
        std::iter::once(first).chain(others).collect()
    }

    /// An engine's step ended at `at`. To be told after the emissions of the step ([`Share::emitted`]), and before those of its next.
    pub(crate) fn stepped(&self, replica: u32, at: Duration, speculated: &Speculated) {
        let Some(engine) = self.engines.get(replica as usize) else { return };
        engine.stepped(speculated);
        if self.about.loras.is_some() {
            lock(&self.loras).note(at);
        }
    }

    /// What each engine has to do and holds from now on. To be told when steps have begun, and when there is nothing left to do: like
    /// vLLM's, its numbers know nothing of requests that came during a step.
    pub(crate) fn occupied(&self, occupancies: &[Occupancy]) {
        for (engine, occupancy) in self.engines.iter().zip(occupancies) {
            engine.occupied(*occupancy);
        }
    }

    /// The prefix caches were emptied: their hit rates begin anew.
    pub(crate) fn cache_reset(&self) {
        for engine in &self.engines {
            engine.cache_reset();
        }
    }

    /// An HTTP request was answered, and the last byte sent at `at`.
    pub(crate) fn http(&self, at: Duration, exchange: &Exchange<'_>) {
        lock(&self.http).count(at, exchange);
    }

    /// The page that Prometheus reads, at `now`.
    pub(crate) fn page(&self, now: Duration) -> String {
        page::page(self, now)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
