//! What is found in runs whose truth is known: the engine drives a load against the simulator in virtual time, the simulator's page of
//! metrics is read beside it, and rules look at the log that comes of it. Each cause must be found, and only it.
//!
//! This file makes logs of [`Case`]s; what is found in them stands in the rooms below, one for each theme. Deliberately without the
//! program's own watch, which has threads and therefore no virtual time: readings are made of the same pages by the same readers.

use std::collections::HashMap;

use tokometer_metrics::diagnosis;
use tokometer_metrics::summary::summarize;
use tokometer_record::{
    ClientUse, Origin, Point, PointEnd, PointLog, Pulse, Reading, Scrape, Signal, Telemetry, Timing,
};
use tokometer_sim::{Log, Tokens as _};
use tokometer_telemetry::log_line;
use tokometer_telemetry::server::{Detail, reading};

use super::*;
use crate::probe;

mod exact;
mod failures;
mod healthy;
mod latencies;
mod lengths;
mod queueing;
mod riddle;
mod sweeps;

/// A load, against what it goes, and what is asked.
#[derive(Clone)]
struct Case {
    /// The simulator's options: `base_us=20000&max_num_seqs=64`. Whole milliseconds are exact.
    query: String,
    load: Load,
    asks: Asks,
    timeouts: Timeouts,
    door: Door,
    /// How long from one look at the page of metrics to the next. `None`: nothing is looked at.
    scraped: Option<Duration>,
    /// How long from one line of the server's log to the next. `None`: its log is not heard.
    logged: Option<Duration>,
    /// What the client is said to have used.
    client: ClientUse,
}

/// What is asked, in tokens.
#[derive(Clone)]
struct Asks {
    /// The lengths of prompts, in turn. Each prompt has exactly so many tokens on the server.
    prompts: Vec<u32>,
    /// The lengths of outputs, in turn.
    outputs: Vec<u32>,
    /// How many of a prompt's first tokens all prompts share.
    shared: u32,
    /// How many different prompts there are; over again from the first if there are more requests. `None`: as many as requests.
    distinct: Option<usize>,
    /// Whether requests insist on their length (`ignore_eos`). Otherwise outputs end as the server likes; it was asked for all the same.
    insisted: bool,
    /// By how much this program's own count of a prompt differs from the server's: 1.0 for not at all.
    miscounted: f64,
}

/// What happened: the log, and the truth by request ids.
struct Observed {
    log: PointLog,
    truth: HashMap<String, Served>,
}

/// A load of 100 tokens a prompt and 20 an output that goes straight to the server, without time limits, by a client in good health.
fn case(query: &str, load: Load) -> Case {
    Case {
        query: query.to_owned(),
        load,
        asks: Asks {
            prompts: vec![100],
            outputs: vec![20],
            shared: 0,
            distinct: None,
            insisted: true,
            miscounted: 1.0,
        },
        timeouts: Timeouts::default(),
        door: Door::Open,
        scraped: Some(Duration::from_millis(500)),
        logged: None,
        client: ClientUse {
            cpu_user: 10_000_000,
            cpu_system: 10_000_000,
            peak_memory: 50 << 20,
            workers: 1,
            loop_lag_p99: 100_000,
            loop_lag_max: 300_000,
            loop_lag_probes: 1_000,
        },
    }
}

impl Case {
    /// Prompts of these lengths, in turn.
    fn prompts(mut self, tokens: &[u32]) -> Self {
        self.asks.prompts = tokens.to_vec();
        self
    }

    /// Outputs of these lengths, in turn.
    fn outputs(mut self, tokens: &[u32]) -> Self {
        self.asks.outputs = tokens.to_vec();
        self
    }

    /// Prompts that begin with the same tokens.
    fn sharing(mut self, tokens: u32) -> Self {
        self.asks.shared = tokens;
        self
    }

    /// Only so many different prompts, over and over.
    fn distinct(mut self, prompts: usize) -> Self {
        self.asks.distinct = Some(prompts);
        self
    }

    /// Outputs that end as the server likes, though their length was asked for.
    fn not_insisting(mut self) -> Self {
        self.asks.insisted = false;
        self
    }

    /// A client whose own count of prompts is so many times the server's.
    fn miscounting(mut self, factor: f64) -> Self {
        self.asks.miscounted = factor;
        self
    }

    fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    fn door(mut self, door: Door) -> Self {
        self.door = door;
        self
    }

    /// The page of metrics is looked at this often.
    fn scraped(mut self, every: Duration) -> Self {
        self.scraped = Some(every);
        self
    }

    /// Nobody looks at the page of metrics.
    fn unscraped(mut self) -> Self {
        self.scraped = None;
        self
    }

    /// The server's log is heard, with a line this often.
    fn logged(mut self, every: Duration) -> Self {
        self.logged = Some(every);
        self
    }

    /// A client whose event loop was late by so much at the 99th percentile.
    fn lagging(mut self, lag: Duration) -> Self {
        self.client.loop_lag_p99 = lag.as_nanos() as u64;
        self.client.loop_lag_max = 2 * self.client.loop_lag_p99;
        self
    }

    /// Sends the load, and what happened.
    async fn run(&self) -> Observed {
        let origin = Instant::now();
        let truth = Truth::memory(origin);
        let options = tokometer_sim::Options::from_query(&self.query).unwrap();
        let server = Server::new(options, Arc::new(Words), Timer::tokio(), truth.clone());
        let api = tokometer_wire::by_name("openai-completions").unwrap();
        let terms = Arc::new(Terms::new(&settings(api, true, self.timeouts)).unwrap());
        let live = Arc::<Live>::default();
        let carrier = |door| Carrier {
            pool: Arc::new(Pool::new(Pipes::new(Arc::clone(&server), door), origin, false)),
            terms: Arc::clone(&terms),
            live: Arc::clone(&live),
            origin,
            request_id_prefix: "test-".into(),
        };
        let beside = Arc::new(Beside {
            carrier: carrier(Door::Open),
            server: Arc::clone(&server),
            heard: std::sync::Mutex::default(),
        });
        let crews = [Crew {
            runtime: tokio::runtime::Handle::current(),
            carrier: Arc::new(carrier(self.door)),
        }];
        let (events, happened) = channel();
        let asks = self.asks.all(api, self.load.stop.requests + self.load.warmup.requests());
        let drive = Drive {
            load: &self.load,
            asks: &asks,
            seed: Seed::new(42),
            phase: Phase::Measured,
            first: 0,
            crews: &crews,
            timer: &Timer::tokio(),
            drain: Duration::from_millis(50),
            events: &events,
            interrupt: &Interrupt::default(),
        };
        if self.scraped.is_some() {
            beside.scrape(Detail::Whole).await;
        }
        let mut listening = Beside::listen(&beside, self.scraped, self.logged);
        drive.open_connections().await;
        let driven = drive.run().await;
        listening.shutdown().await;
        let at = Offset::after(origin.elapsed());
        if self.scraped.is_some() {
            beside.scrape(Detail::Whole).await;
        }
        // The server hands its truth over as its connections end.
        drop(crews);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(events);
        let records = records_of(&happened);
        let Heard { readings, scrapes, pulses } =
            std::mem::take(&mut *beside.heard.lock().unwrap());
        let end = PointEnd {
            index: 0,
            at,
            complete: driven.complete,
            measured_from: Some(driven.measured_from),
            client: self.client,
        };
        let telemetry = Telemetry { readings, ..Telemetry::default() };
        let log =
            PointLog { point: self.point(), records, pulses, scrapes, telemetry, end: Some(end) };
        let truth = truth.served().into_iter();
        Observed { log, truth: truth.map(|served| (served.request_id.clone(), served)).collect() }
    }

    fn point(&self) -> Point {
        Point {
            index: 0,
            name: "point".into(),
            began: Offset::ZERO,
            requests: self.load.stop.requests,
            warmup: self.load.warmup.requests(),
            concurrency: self.load.in_flight.map(NonZeroUsize::get),
            rate: self.load.arrivals.rate(),
            open_loop: self.load.in_flight.is_none(),
            duration: self.load.stop.after.map(|after| after.as_secs_f64()),
            seed: 42,
            arguments: serde_json::Value::Null,
        }
    }
}

impl Asks {
    fn all(&self, api: &dyn Api, requests: u64) -> Arc<[Ask]> {
        let distinct = self.distinct.unwrap_or(requests as usize);
        let turns = self.prompts.len() * self.outputs.len();
        // As many as it takes for both the prompts and the lengths to begin anew.
        (0..distinct.max(turns)).map(|number| self.one(api, number % distinct, number)).collect()
    }

    fn one(&self, api: &dyn Api, prompt: usize, number: usize) -> Ask {
        let tokens = self.prompts[prompt % self.prompts.len()];
        let output = self.outputs[number % self.outputs.len()];
        let text = Words.decode(&self.prompt(prompt, tokens));
        let mut options = Options { max_tokens: Some(output), stream: true, ..Options::default() };
        if self.insisted {
            options.extra.insert("ignore_eos".into(), true.into());
        }
        let prompt = Prompt::Text(text);
        let request =
            Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
        Ask {
            body: api.request(&request).unwrap(),
            prompt_tokens: Some((f64::from(tokens) * self.miscounted).round() as u32),
            asked_output: Some(output),
            ..Ask::default()
        }
    }

    /// Tokens of the prompt of that number: those that all share, then its number in digits, then anything.
    fn prompt(&self, number: usize, tokens: u32) -> Vec<u32> {
        let word = |number: usize| FIRST_WORD + (number % WORDS) as u32;
        (0..tokens as usize)
            .map(|place| match place.checked_sub(self.shared as usize) {
                None => word(place * 7),
                Some(0) => word(number),
                Some(1) => word(number / WORDS),
                Some(2) => word(number / WORDS / WORDS),
                Some(place) => word(number * 31 + place * 17),
            })
            .collect()
    }
}

/// Who looks at the service beside the load.
struct Beside {
    carrier: Carrier<Pipes>,
    server: Arc<Server>,
    /// Several tasks tell here, all on one thread.
    heard: std::sync::Mutex<Heard>,
}

/// What was heard, in order.
#[derive(Default)]
struct Heard {
    readings: Vec<Reading>,
    scrapes: Vec<Scrape>,
    pulses: Vec<Pulse>,
}

impl Beside {
    /// Listens until what this gives is shut down or dropped.
    fn listen(
        beside: &Arc<Self>,
        scraped: Option<Duration>,
        logged: Option<Duration>,
    ) -> tokio::task::JoinSet<()> {
        let mut listening = tokio::task::JoinSet::new();
        let own = Arc::clone(beside);
        listening.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                own.pulse();
            }
        });
        if let Some(every) = scraped {
            let own = Arc::clone(beside);
            listening.spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    own.scrape(Detail::Brief).await;
                }
            });
        }
        if let Some(every) = logged {
            let (own, time) = (Arc::clone(beside), || "11-22 10:27:23".to_owned());
            let line = Box::new(move |line: &str| own.hear(line));
            let log = Log { every, together: false, time: Box::new(time), line };
            listening.spawn(tokometer_sim::tell_often(Arc::clone(&beside.server), log));
        }
        listening
    }

    /// Looks at the page of metrics.
    async fn scrape(&self, detail: Detail) {
        let terms = &self.carrier.terms;
        let request = terms.sibling("/metrics".parse().unwrap(), hyper::Method::GET, &[]);
        let answer = probe::ask(&self.carrier.pool, request, Timeouts::default()).await.unwrap();
        let page = String::from_utf8(answer.body).unwrap();
        let at = self.carrier.now();
        let mut heard = self.heard.lock().unwrap();
        if detail == Detail::Whole {
            heard.scrapes.extend(tokometer_telemetry::scrape(&page, METRICS, at));
        }
        heard.readings.extend(reading(&page, METRICS, at, detail));
    }

    /// Hears a line of the log.
    fn hear(&self, line: &str) {
        if let log_line::Heard::Figures(figures) = log_line::read(line) {
            let reading = figures.reading("sim.log", self.carrier.now());
            self.heard.lock().unwrap().readings.push(reading);
        }
    }

    /// The client's own state, as its watch would have it.
    fn pulse(&self) {
        let (at, in_flight) = (self.carrier.now(), self.carrier.live.in_flight());
        let cpu = at.as_nanos() / 100;
        self.heard.lock().unwrap().pulses.push(Pulse { at, in_flight, loop_lag: 200_000, cpu });
    }
}

/// The log of a case.
async fn observe(case: &Case) -> PointLog {
    case.run().await.log
}

/// The logs of a sweep, each point against a server of its own.
async fn observe_all(cases: &[Case]) -> Vec<PointLog> {
    let mut logs = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let mut log = observe(case).await;
        log.point.index = index;
        log.end.as_mut().unwrap().index = index;
        logs.push(log);
    }
    logs
}

/// The rules that find something in a point, the worst finding first.
fn found(log: &PointLog) -> Vec<&'static str> {
    summarize(log).findings.iter().map(|finding| finding.rule).collect()
}

/// These rules find something in the log of a case, and no other.
async fn assert_found(case: &Case, rules: &[&str]) -> PointLog {
    let log = observe(case).await;
    assert_eq!(found(&log), rules, "{}: {:#?}", case.query, summarize(&log).findings);
    log
}

/// The rules that find something in a sweep, the worst finding first.
fn found_in_sweep(logs: &[PointLog]) -> Vec<&'static str> {
    let points: Vec<_> = logs.iter().map(summarize).collect();
    diagnosis::of_run(&points).iter().map(|finding| finding.rule).collect()
}

/// What the server said, in order.
fn readings(log: &PointLog) -> impl DoubleEndedIterator<Item = &Reading> {
    log.telemetry.readings.iter()
}

/// The first and the last page of metrics that were read.
fn ends(log: &PointLog) -> (&Reading, &Reading) {
    let mut pages = readings(log).filter(|reading| reading.origin == Origin::Metrics);
    let first = pages.next().unwrap();
    (first, pages.next_back().unwrap())
}

/// By how much a counter grew over the load.
fn growth(log: &PointLog, signal: Signal) -> f64 {
    let (before, after) = ends(log);
    after.values[&signal] - before.values[&signal]
}

/// What a histogram's sum and count grew by over the load.
fn growth_of(log: &PointLog, timing: Timing) -> (f64, f64) {
    let (before, after) = ends(log);
    let (before, after) = (&before.timings[&timing], &after.timings[&timing]);
    (after.sum - before.sum, after.count - before.count)
}

/// Where the simulator's page of metrics is said to be.
const METRICS: &str = "http://sim/metrics";

/// The token of the first word that the simulator's own tokenizer knows …
const FIRST_WORD: u32 = 256;

/// … and how many of its words prompts are made of.
const WORDS: usize = 128;
