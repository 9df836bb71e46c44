//! Replicas behind one address: who gets a request, and what happens next in any of them.
//!
//! Pure and clockless. Moments are lengths of time since an origin of the caller's. Deliberately steps nothing by itself: what happens
//! before a request has a replica is for [`Desk`], and what happens within one is for [`Replica`].

use std::sync::Arc;
use std::time::Duration;

use crate::model::frontend::Desk;
use crate::model::replica::Replica;
use crate::model::{ByTicket, Deployment, Emission, Finish, Routing};

/// One sequence for an engine to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which request of the server this is, and which of its choices: the address of its draws.
    pub request: u64,
    /// Which of the request's choices.
    pub choice: u32,
    /// Tokens of the prompt, at least one.
    pub prompt_tokens: u32,
    /// Tokens to generate, at least one. 0 for a request that only wants its prompt computed (embeddings, scores): it ends with the
    /// emission of no token when that has happened.
    pub output_tokens: u32,
    /// Why no more.
    pub finish: Finish,
    /// Lower goes first, under [`Policy::Priority`](crate::Policy::Priority).
    pub priority: i64,
    /// The chain of hashes of prompt and output, one for each full block ([`chain`](crate::model::chain)). Empty without prefix caching.
    pub chain: Arc<[u64]>,
}

/// Names one job of one fleet. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something that happened in a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job was admitted to a step for the first time.
    Scheduled {
        /// The job.
        ticket: Ticket,
        /// When its first step began.
        at: Duration,
        /// Which replica has it.
        replica: u32,
        /// Tokens of its prompt that were found in the prefix cache.
        cached: u32,
    },
    /// Tokens left the engine. All tokens of a step leave at its end.
    Emitted {
        /// The job.
        ticket: Ticket,
        /// What left, and when.
        emission: Emission,
    },
    /// A job lost its blocks to another one, and will be computed anew.
    Preempted {
        /// The job.
        ticket: Ticket,
        /// When.
        at: Duration,
    },
    /// A step ended.
    Stepped {
        /// Whose.
        replica: u32,
        /// When it began.
        began: Duration,
        /// When it ended.
        at: Duration,
        /// What it computed.
        batch: super::Batch,
        /// What speculation did in it.
        speculated: Speculated,
    },
}

/// What speculation did in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculated {
    /// Drafts that were verified: one for each request that decoded.
    pub drafts: u32,
    /// Tokens of these drafts.
    pub draft_tokens: u32,
    /// Of these, how many were accepted at each position.
    pub accepted: [u32; MOST_DRAFTED],
}

impl Speculated {
    /// Counts a draft of so many tokens, of which so many were accepted.
    pub(super) fn count(&mut self, tokens: u32, accepted: u32) {
        self.drafts += 1;
        self.draft_tokens += tokens;
        self.accepted.iter_mut().take(accepted as usize).for_each(|position| *position += 1);
    }
}

/// The most tokens of a draft.
pub const MOST_DRAFTED: usize = 16;

/// What a replica has to do, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Requests that are in steps.
    pub running: u32,
    /// Requests that wait for a step: those that came, and those that lost their blocks.
    pub waiting: u32,
    /// Blocks in use.
    pub blocks: u32,
    /// Blocks that nobody uses, whether or not something can be found in them. All that requests can have are these and those in use.
    pub free: u32,
}

/// What was asked of a prefix cache since the beginning, as vLLM counts it: once for each request, when it is first admitted. Nothing is
/// asked without prefix caching, nor counted when a request that lost its blocks looks for them again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Requests that asked.
    pub requests: u64,
    /// Tokens of their prompts.
    pub queried: u64,
    /// Of these, how many were found.
    pub hit: u64,
}

/// Replicas behind one address.
#[derive(Clone, Debug)]
pub struct Fleet {
    deployment: Deployment,
    desk: Desk,
    replicas: Vec<Replica>,
    /// Where jobs are that have not ended.
    places: ByTicket<Place>,
    /// The replica that is next: in turn, or among equals.
    turn: usize,
    /// The moment of what was last told of. Nothing is told of an earlier one.
    told: Duration,
}

impl Fleet {
    /// Engines with nothing to do. `seed` is the root of all draws.
    pub fn new(deployment: Deployment, seed: u64) -> Self {
        let replicas = (0..deployment.replicas.get())
            .map(|index| Replica::new(index, &deployment, seed))
            .collect();
        Self {
            desk: Desk::new(deployment.frontend),
            replicas,
            places: ByTicket::default(),
            turn: 0,
            told: Duration::ZERO,
            deployment,
        }
    }

    /// What it was made from.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Whether a request of that size can be computed as a whole: whether one engine's cache holds all its tokens but the last, which is
    /// never computed, and where prompts are not computed in parts, whether one step does.
    pub fn fits(&self, prompt_tokens: u32, output_tokens: u32) -> bool {
        prompt_tokens.max(1).saturating_add(output_tokens.saturating_sub(1))
            <= self.deployment.engine.context()
    }

    /// A request arrives at `at`, after all that were submitted before it. One that arrived before what has already been told of takes part
    /// in the next step that begins.
    ///
    /// One that does not [fit](Self::fits) is cut to what does, and ends with [`Finish::Length`], as one does that reaches the end of a
    /// model's context. Where not even its prompt fits, it ends without a token when it is ready.
    pub fn submit(&mut self, at: Duration, mut job: Job) -> Ticket {
        job.prompt_tokens = job.prompt_tokens.max(1);
        if !self.fits(job.prompt_tokens, job.output_tokens) {
            let room = self.deployment.engine.context().saturating_sub(job.prompt_tokens);
            (job.output_tokens, job.finish) = (room.saturating_add(1), Finish::Length);
        }
        let ticket = self.places.push(Place::Desk);
        self.desk.take(at, ticket, job);
        ticket
    }

    /// Nobody waits any more for that job: it leaves its engine, and its blocks are free. One that has ended is ignored.
    ///
    /// A step that is computing it goes on as long as it would have.
    pub fn abort(&mut self, ticket: Ticket) {
        match self.places.take(ticket) {
            None => {}
            Some(Place::Desk) => self.desk.give_up(ticket),
            Some(Place::Replica { replica, place }) => {
                self.replicas[replica as usize].abort(place, ticket);
            }
        }
    }

    /// The moment at which something happens next. `None` while there is nothing to do.
    pub fn next(&self) -> Option<Duration> {
        let ends = self.replicas.iter().filter_map(Replica::ends);
        self.desk.next().into_iter().chain(ends).min().map(|at| at.max(self.told))
    }

    /// Tells everything that happens up to and including `now`, in order of time.
    pub fn advance(&mut self, now: Duration, told: &mut dyn FnMut(Event)) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            self.told = at;
            self.happen(at, told);
        }
    }

    /// What each replica has to do.
    pub fn occupancy(&self) -> Vec<Occupancy> {
        self.replicas.iter().map(Replica::occupancy).collect()
    }

    /// What was asked of each replica's prefix cache.
    pub fn lookups(&self) -> Vec<Lookups> {
        self.replicas.iter().map(Replica::lookups).collect()
    }

    /// Forgets what the prefix caches hold: in each replica of which no block is in use. Whether that was so in all of them.
    pub fn reset_prefix_cache(&mut self) -> bool {
        let emptied = self.replicas.iter_mut().map(Replica::reset_prefix_cache);
        emptied.filter(|emptied| !emptied).count() == 0
    }

    /// What happens at one moment: steps end, requests find their replicas, steps begin.
    fn happen(&mut self, at: Duration, told: &mut dyn FnMut(Event)) {
        let Self { replicas, places, .. } = self;
        for replica in replicas.iter_mut().filter(|replica| replica.ends() == Some(at)) {
            replica.end(&mut |event| {
                if let Event::Emitted { ticket, emission: Emission { finish: Some(_), .. } } = event
                {
                    places.take(ticket);
                }
                told(event);
            });
        }
        while let Some((ticket, job)) = self.desk.ready(at) {
            self.hand_over(at, ticket, job, told);
        }
        for replica in self.replicas.iter_mut().filter(|replica| replica.is_ready()) {
            replica.begin(at, told);
        }
    }

    fn hand_over(&mut self, at: Duration, ticket: Ticket, job: Job, told: &mut dyn FnMut(Event)) {
        if job.prompt_tokens > self.deployment.engine.context() {
            self.places.take(ticket);
            let emission = Emission { at, tokens: 0, finish: Some(Finish::Length) };
            return told(Event::Emitted { ticket, emission });
        }
        let replica = self.route(&job);
        let place = self.replicas[replica].submit(ticket, job);
        if let Some(kept) = self.places.of(ticket) {
            *kept = Place::Replica { replica: replica as u32, place };
        }
    }

    /// Who gets a request. Among equals it is the next in turn.
    fn route(&mut self, job: &Job) -> usize {
        let (count, first) = (self.replicas.len(), self.turn);
        self.turn = (first + 1) % count;
        let order = (0..count).map(|step| (first + step) % count);
        let load = |index: usize| load(&self.replicas[index].occupancy());
        let chosen = match self.deployment.routing {
            Routing::RoundRobin => None,
            Routing::LeastRequests => order.min_by(|a, b| load(*a).total_cmp(&load(*b))),
            Routing::Prefix => order
                .map(|index| (index, self.replicas[index].cached(&job.chain)))
                .min_by(|(a, had), (b, has)| has.cmp(had).then(load(*a).total_cmp(&load(*b))))
                .map(|(index, _)| index),
        };
        chosen.unwrap_or(first)
    }
}

/// How much a replica has to do, as vLLM's balancer reckons it (`DPLBAsyncMPClient`): its requests, and where some wait and the cache is more
/// than half full, up to three times those that wait. vLLM knows the other engines as they were up to 100 ms ago; here they are known as
/// they are.
fn load(occupancy: &Occupancy) -> f64 {
    let Occupancy { running, waiting, blocks, free } = *occupancy;
    let usage = f64::from(blocks) / f64::from((blocks + free).max(1));
    f64::from(running) + f64::from(waiting) * (1.0 + 6.0 * (usage - 0.5).max(0.0))
}

/// Where a job is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At the frontend.
    Desk,
    Replica {
        replica: u32,
        place: u32,
    },
}
