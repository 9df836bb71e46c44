//! The engine against the simulator, in virtual time, over pipes: every moment that the client records must be the server's own,
//! to the nanosecond. What is compared is not the configuration but the simulator's ground truth.

mod diagnosed;
mod endings;
mod loads;
mod proxy;

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_record::{
    Connection, Failure, FailureKind, Offset, Phase, Record, TimeoutPhase, TokenSource,
};
use tokometer_sim::{Served, Server, Truth, Words};
use tokometer_wire::{Api, Options, Prompt, Request};
use tokometer_workload::Ask;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

use crate::Event;
use crate::connection::Pool;
use crate::drive::{Crew, Drive, Driven};
use crate::exchange::{Carrier, Terms};
use crate::live::{Interrupt, Live, Urgency};
use crate::probes::Probes;
use crate::settings::{Settings, Target, Timeouts, Tls};
use crate::transport::{Connect, Stamped, Stamps, Steps};
use proxy::Proxy;

/// Pipes to a simulator in the same process.
#[derive(Clone)]
struct Pipes {
    server: Arc<Server>,
    door: Door,
    /// The connections that a proxy still lets through.
    places: Arc<Semaphore>,
}

/// What becomes of an attempt to connect.
#[derive(Clone, Copy)]
enum Door {
    Open,
    Shut,
    /// Nobody answers.
    Silent,
    /// A proxy stands before the server.
    Proxy(Proxy),
}

impl Pipes {
    fn new(server: Arc<Server>, door: Door) -> Self {
        let places = match door {
            Door::Proxy(proxy) => proxy.connections,
            Door::Open | Door::Shut | Door::Silent => 0,
        };
        Self { server, door, places: Arc::new(Semaphore::new(places)) }
    }
}

impl Connect for Pipes {
    type Stream = Stamped<DuplexStream>;

    async fn connect(&self, stamps: Arc<Stamps>) -> Result<(Self::Stream, Steps), Failure> {
        match self.door {
            Door::Open => {}
            Door::Shut => return Err(Failure::new(FailureKind::ConnectRefused, "shut")),
            Door::Silent => std::future::pending().await,
            Door::Proxy(proxy) => {
                let client = proxy.receive(&self.server, &self.places)?;
                return Ok((Stamped::new(client, stamps), Steps::default()));
            }
        }
        let (client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(tokometer_sim::serve_connection(Arc::clone(&self.server), server));
        Ok((Stamped::new(client, stamps), Steps::default()))
    }
}

/// What to do, and what happened.
struct Scene {
    api: &'static dyn Api,
    query: &'static str,
    load: Load,
    timeouts: Timeouts,
    stream: bool,
    door: Door,
    interrupt: Interrupt,
    /// Probes per second, where there are any.
    probe_rate: Option<f64>,
}

struct Outcome {
    records: Vec<Record>,
    truth: HashMap<String, Served>,
    complete: bool,
    measured_from: Offset,
    /// When nothing was under way any more.
    over: Offset,
    live: Arc<Live>,
}

fn closed(in_flight: usize, requests: u64) -> Load {
    Load {
        arrivals: Arrivals::AtOnce,
        in_flight: NonZeroUsize::new(in_flight),
        stop: Stop { requests, after: None },
        warmup: Warmup::None,
    }
}

fn open(rate: f64, requests: u64) -> Load {
    Load { arrivals: Arrivals::Poisson { rate }, in_flight: None, ..closed(1, requests) }
}

fn scene(query: &'static str, load: Load) -> Scene {
    Scene {
        api: tokometer_wire::by_name("openai-chat").unwrap(),
        query,
        load,
        timeouts: Timeouts::default(),
        stream: true,
        door: Door::Open,
        interrupt: Interrupt::default(),
        probe_rate: None,
    }
}

fn asks(api: &dyn Api, stream: bool) -> Arc<[Ask]> {
    let mut options = Options { max_tokens: Some(5), stream, ..Options::default() };
    options.extra.insert("ignore_eos".into(), true.into());
    let prompt = Prompt::Text("hello there".into());
    let request = Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
    let body = api.request(&request).unwrap();
    Arc::new([Ask { body, prompt_tokens: Some(2), asked_output: Some(5), ..Ask::default() }])
}

/// What stays the same for every request of a scene.
fn settings(api: &'static dyn Api, stream: bool, timeouts: Timeouts) -> Settings {
    Settings {
        target: Target::parse(&format!("http://sim{}", api.path()), api).unwrap(),
        api,
        stream,
        headers: Vec::new(),
        secrets: Vec::new(),
        timeouts,
        tls: Tls::default(),
        http2: false,
        proxy: None,
        workers: NonZeroUsize::MIN,
        keep_output: false,
        keep_prompt: false,
        request_id_prefix: "test-".into(),
        drain: Duration::from_millis(50),
    }
}

impl Scene {
    async fn run(self) -> Outcome {
        // Nothing but whole milliseconds is exact with tokio's timer, so the clock begins at one.
        let origin = Instant::now();
        let truth = Truth::memory(origin);
        let options = tokometer_sim::Options::from_query(self.query).unwrap();
        let server = Server::new(options, Arc::new(Words), Timer::tokio(), truth.clone());
        let settings = settings(self.api, self.stream, self.timeouts);
        let live = Arc::<Live>::default();
        let pipes = Pipes::new(server, self.door);
        let carrier = Carrier {
            pool: Arc::new(Pool::new(pipes.clone(), origin, false)),
            terms: Arc::new(Terms::new(&settings).unwrap()),
            live: Arc::clone(&live),
            origin,
            request_id_prefix: settings.request_id_prefix.clone(),
        };
        let crews =
            [Crew { runtime: tokio::runtime::Handle::current(), carrier: Arc::new(carrier) }];
        let (events, happened) = channel();
        let probes = self.probe_rate.map(|rate| Probes {
            crew: Crew {
                runtime: tokio::runtime::Handle::current(),
                carrier: Arc::new(Carrier {
                    pool: Arc::new(Pool::new(pipes, origin, false)),
                    terms: Arc::clone(&crews[0].carrier.terms),
                    live: Arc::default(),
                    origin,
                    request_id_prefix: "test-probe-".into(),
                }),
            },
            rate,
            ask: asks(self.api, self.stream)[0].clone(),
            seed: Seed::new(42),
            timer: Timer::tokio(),
            drain: Duration::from_secs(1),
            events: events.clone(),
        });
        let drive = Drive {
            load: &self.load,
            asks: &asks(self.api, self.stream),
            seed: Seed::new(42),
            phase: Phase::Measured,
            first: 0,
            crews: &crews,
            timer: &Timer::tokio(),
            drain: settings.drain,
            events: &events,
            interrupt: &self.interrupt,
        };
        drive.open_connections().await;
        let probing = probes.map(|probes| probes.start(&self.interrupt));
        let Driven { complete, measured_from } = drive.run().await;
        if let Some(probing) = probing {
            probing.end().await;
        }
        let over = Offset::after(origin.elapsed());
        // The server hands its truth over as its connections end.
        drop(crews);
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(events);
        let records = records_of(&happened);
        let truth =
            truth.served().into_iter().map(|served| (served.request_id.clone(), served)).collect();
        Outcome { records, truth, complete, measured_from, over, live }
    }
}

/// The requests that ended, in order.
fn records_of(happened: &Receiver<Event>) -> Vec<Record> {
    let ended = |event| match event {
        Event::Ended { record, .. } => Some(record),
        Event::Pulse(_) => None,
    };
    let mut records: Vec<Record> = happened.iter().filter_map(ended).collect();
    records.sort_by_key(|record| record.index);
    records
}

impl Outcome {
    /// Every chunk's moment is the moment at which the server wrote it, and every request arrived when it was sent. A request that
    /// succeeded has every chunk that the server wrote; one that failed may lack the last ones.
    fn assert_moments_are_the_servers(&self) {
        for record in &self.records {
            let served = &self.truth[&record.request_id];
            let read: Vec<u64> = record.chunks.iter().map(|chunk| chunk.at.as_nanos()).collect();
            let written: Vec<u64> = served
                .emissions
                .iter()
                .filter(|emitted| emitted.tokens > 0)
                .map(|emitted| emitted.at)
                .collect();
            if record.succeeded() {
                assert_eq!(read, written, "request {}", record.index);
                let expected = if record.streamed { 5 } else { 1 };
                assert_eq!(read.len(), expected, "request {}", record.index);
            } else {
                assert!(written.starts_with(&read), "{}: {read:?} of {written:?}", record.index);
            }
            assert_eq!(record.sent.unwrap().as_nanos(), served.arrival, "request {}", record.index);
        }
    }

    fn assert_all_succeeded(&self) {
        assert!(self.kinds().iter().all(Option::is_none), "{:?}", self.kinds());
    }

    fn kinds(&self) -> Vec<Option<FailureKind>> {
        self.records.iter().map(|record| record.failure().map(|failure| failure.kind)).collect()
    }
}

fn millis(n: u64) -> Offset {
    Offset::from_nanos(n * 1_000_000)
}
