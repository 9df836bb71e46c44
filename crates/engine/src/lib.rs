//! Makes the load happen: connections, exchanges, and the one driver of every load.
//!
//! The caller is synchronous: it starts an [`Engine`], hands it loads, and receives what happened as [`Event`]s over a channel.
//! Everything asynchronous lives behind that. This crate deliberately computes no figure and writes no file.
//!
//! **The hot path** is `exchange`: from the moment before a request's first byte is written to the moment at which a chunk's
//! bytes are read. On it there is no logging, no lock, no tokenizer, and no parsing ahead of a stamp.

#[cfg(test)]
mod against_sim;
mod connection;
mod drive;
mod exchange;
mod failures;
mod guard;
mod live;
mod observer;
mod probe;
mod probes;
mod reading;
mod repeats;
mod settings;
mod tls;
mod transport;
mod worker;

pub use failures::redacted;
pub use live::{Interrupt, Live, Urgency};
pub use settings::{Proxy, Settings, SettingsError, Target, Timeouts, Tls};

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::time::Instant;
use tokometer_record::{ClientUse, Failure, FailureKind, Offset, Phase, Pulse, Record};
use tokometer_workload::Ask;
use tokometer_workload::load::Load;
use tokometer_workload::seed::Seed;

use crate::connection::Pool;
use crate::drive::{Crew, Drive, Driven};
use crate::exchange::{Carrier, Order, Terms};
use crate::observer::Observer;
use crate::probes::Probes;
use crate::transport::Network;
use crate::worker::Worker;

/// Carries loads to one target. Its threads end when it is dropped.
pub struct Engine {
    workers: Vec<Worker>,
    network: Network,
    terms: Arc<Terms>,
    settings: Settings,
    live: Arc<Live>,
    origin: Instant,
    /// Connections are kept from one load to the next.
    pools: Vec<Arc<Pool<Network>>>,
}

/// What an engine tells while a load runs.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "events are handled one at a time, never kept in bulk"
)]
pub enum Event {
    /// A request ended.
    Ended {
        /// What happened.
        record: Record,
        /// What it said, where the server told no usage and the tokens are still to be counted, or where
        /// [`Settings::keep_output`] asks for it.
        output: Option<String>,
    },
    /// The client's own state, once a second.
    Pulse(Pulse),
}

/// A load to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// How much is asked, and when.
    pub load: &'a Load,
    /// What is asked.
    pub asks: &'a Arc<[Ask]>,
    /// What the arrivals are drawn from.
    pub seed: Seed,
    /// What feels the service's pulse meanwhile.
    pub probe: Option<Probe>,
}

/// A small request sent at a steady rate beside a load, whatever the load and the service do.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Requests per second, above zero.
    pub rate: f64,
    /// The request.
    pub ask: Ask,
}

/// How a load ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// Whether everything asked for was sent and awaited.
    pub complete: bool,
    /// When the schedule of the measured requests began, and none of the warm-up's: before the first gap, where arrivals are
    /// paced; otherwise with the first measured request. Where the load ended before that, when it began.
    pub measured_from: Offset,
    /// What this process used meanwhile.
    pub client: ClientUse,
}

/// A response to a request that is not part of a load.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Engine {
    /// Starts the worker threads and the run's clock.
    ///
    /// # Errors
    /// If a thread or a timer cannot be had, a header cannot be sent, or the TLS settings name a file that cannot be read.
    pub fn start(settings: Settings) -> Result<Self, SettingsError> {
        let network = Network::new(&settings)?;
        let terms = Arc::new(Terms::new(&settings)?);
        let workers: Vec<_> =
            (0..settings.workers.get()).map(Worker::start).collect::<Result<_, _>>()?;
        let origin = Instant::now();
        let pools = workers
            .iter()
            .map(|_| Arc::new(Pool::new(network.clone(), origin, settings.http2)))
            .collect();
        Ok(Self { workers, network, terms, settings, live: Arc::default(), origin, pools })
    }

    /// The moment now, by the run's clock.
    pub fn now(&self) -> Offset {
        Offset::after(self.origin.elapsed())
    }

    /// Counters of the load that runs, for a progress display.
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Runs a load to its end: opens connections beforehand, sends, awaits. Its requests are used in order, and over again if
    /// there are fewer than the load wants. Blocks; every event has been sent into `events` when it returns.
    ///
    /// # Panics
    /// If there is nothing to ask, or a worker has died.
    pub fn run(&self, job: &Job<'_>, events: &Sender<Event>, interrupt: &Interrupt) -> Finished {
        assert!(!job.asks.is_empty(), "a load needs something to ask");
        self.live.reset();
        let seed = job.seed;
        let name = format!("{:016x}-", seed.number());
        let crews: Vec<_> = self.crews(&name);
        let probes = job.probe.as_ref().map(|probe| self.probes(probe, seed, &name, events));
        let (load, asks, events, interrupt) =
            (job.load.clone(), Arc::clone(job.asks), events.clone(), interrupt.clone());
        let (timer, drain) = (self.workers[0].timer.clone(), self.settings.drain);
        let watched: Vec<_> = self.workers.iter().map(Worker::watched).collect();
        let (live, origin) = (Arc::clone(&self.live), self.origin);
        self.block_on(async move {
            let drive = Drive {
                load: &load,
                asks: &asks,
                seed,
                phase: Phase::Measured,
                first: 0,
                crews: &crews,
                timer: &timer,
                drain,
                events: &events,
                interrupt: &interrupt,
            };
            drive.open_connections().await;
            let observer = Observer::start(watched, origin, &live, &events);
            let probing = probes.map(|probes| probes.start(&interrupt));
            let Driven { complete, measured_from } = drive.run().await;
            if let Some(probing) = probing {
                probing.end().await;
            }
            if load.in_flight.is_none() {
                // An open loop opens as many as its worst moment took. Reports want descriptors too.
                crews.iter().for_each(|crew| crew.carrier.pool.close_idle());
            }
            Finished { complete, measured_from, client: observer.finish().await }
        })
    }

    /// One GET of `path` below the target's root, outside any load, under the settings' timeouts and credentials.
    ///
    /// # Errors
    /// What would fail a request, with its kind.
    pub fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask_once(hyper::Method::GET, path, &[])
    }

    /// One POST of JSON to `path` below the target's root, outside any load.
    ///
    /// # Errors
    /// What would fail a request, with its kind.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.ask_once(hyper::Method::POST, path, body)
    }

    /// One request to the target's own endpoint, recorded as a load's would be: a test of the connection. Its connection is
    /// kept for the load.
    pub fn try_one(&self, ask: &Ask, interrupt: &Interrupt) -> Record {
        let carrier = self.carrier(0, "test-");
        let (ask, interrupt) = (ask.clone(), interrupt.clone());
        self.block_on(async move {
            let order = Order { index: 0, phase: Phase::Warmup, scheduled: carrier.now() };
            carrier.exchange(order, &ask, &interrupt).await.0
        })
    }

    fn ask_once(&self, method: hyper::Method, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        let path = format!("{}{path}", self.settings.target.root);
        let uri = self
            .settings
            .uri(&path)
            .map_err(|error| Failure::new(FailureKind::Protocol, format!("{path}: {error}")))?;
        let request = self.terms.sibling(uri, method, body);
        let (network, timeouts, http2) =
            (self.network.clone(), self.settings.timeouts, self.settings.http2);
        let terms = Arc::clone(&self.terms);
        let origin = self.origin;
        self.block_on(async move {
            let pool = Pool::new(network, origin, http2);
            probe::ask(&pool, request, timeouts)
                .await
                .map_err(|failure| failures::presentable(failure, &terms.secrets))
        })
    }

    /// Side probes: an open loop of its own, over connections of its own, on the last worker.
    fn probes(
        &self,
        probe: &Probe,
        seed: Seed,
        load: &str,
        events: &Sender<Event>,
    ) -> Probes<Network> {
        let number = self.workers.len() - 1;
        let worker = &self.workers[number];
        let pool = Pool::new(self.network.clone(), self.origin, self.settings.http2);
        let carrier = Carrier {
            pool: Arc::new(pool),
            // Spectators of the load do not see them.
            live: Arc::default(),
            ..self.carrier(number, &format!("{load}probe-"))
        };
        Probes {
            crew: Crew { runtime: worker.runtime.clone(), carrier: Arc::new(carrier) },
            rate: probe.rate,
            ask: probe.ask.clone(),
            seed: seed.stream("probes"),
            timer: worker.timer.clone(),
            drain: self.settings.drain,
            events: events.clone(),
        }
    }

    fn crews(&self, load: &str) -> Vec<Crew<Network>> {
        let runtimes = self.workers.iter().map(|worker| worker.runtime.clone());
        runtimes
            .enumerate()
            .map(|(number, runtime)| Crew {
                runtime,
                carrier: Arc::new(self.carrier(number, load)),
            })
            .collect()
    }

    fn carrier(&self, number: usize, load: &str) -> Carrier<Network> {
        Carrier {
            pool: Arc::clone(&self.pools[number]),
            terms: Arc::clone(&self.terms),
            live: Arc::clone(&self.live),
            origin: self.origin,
            request_id_prefix: format!("{}{load}", self.settings.request_id_prefix),
        }
    }

    /// Runs `future` on the first worker and waits for it.
    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (tell, told) = channel();
        self.workers[0].runtime.spawn(async move {
            // The caller waits below for as long as it takes.
            let _ = tell.send(future.await);
        });
        told.recv().expect("a worker lives as long as its engine")
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}
