//! The figures of the service's own side of a point: what was read of several sources, put together.
//!
//! Gauges count while the load was on: from the first start of a measured request to the last end of one. Counters count
//! from the last reading at or before its beginning to the first after its end, step by step. Deliberately nothing is set
//! right here that was heard wrong: what servers say stands as they said it, and [`ServerSide::counted`] tells how far it is
//! of the same requests.

mod beside;
mod caches;
mod each;
mod gpus;
mod growth;
mod heard;
mod levels;
mod lines;
mod moments;
mod same;
mod timings;

use std::collections::BTreeMap;

use tokometer_record::{GpuSignal, Offset, Origin, Remark, Signal, Telemetry, Timing};

use self::growth::Growth;
use self::heard::{Gauged, Hearing, Load, Source};
use crate::Run;

/// What the service said of itself during a point. Every figure is of all servers together unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerSide {
    /// The servers that were recognised (`vllm`), each once, in order.
    pub servers: Vec<String>,
    /// Where readings of metrics came from, and how many from each.
    pub sources: BTreeMap<String, usize>,
    /// Sources that turned out to be another one under another name, each with that other: they count once, under the other.
    pub same: Vec<(String, String)>,
    /// Each source of metrics for itself. Empty unless there are several.
    pub each: Vec<SourceUse>,
    /// Gauges over the point: of running and waiting requests the sum over servers, of the KV cache the fullest server.
    pub levels: BTreeMap<Signal, Level>,
    /// By how much counters grew over the point, resets allowed for.
    pub grown: BTreeMap<Signal, f64>,
    /// Tokens per second over the load, by the counters: from the load's first request to its last end.
    pub throughput: Option<Through>,
    /// The prefix cache during the point.
    pub prefix_cache: Option<Cache>,
    /// An external cache during the point.
    pub external_cache: Option<Cache>,
    /// The multimodal cache during the point: items, not tokens.
    pub multimodal_cache: Option<Cache>,
    /// Speculative decoding during the point. `None` where there was none.
    pub speculation: Option<Speculated>,
    /// What histograms gathered during the point.
    pub timings: BTreeMap<Timing, Spread>,
    /// The server's TTFT, ITL and E2E beside the client's, where both are known and of the same requests: where all of them
    /// were counted alike.
    pub beside: Vec<Beside>,
    /// How many requests the server observed and how many the client did, between the same two readings: of TTFT and E2E.
    /// Empty where counters began anew, and of a log without an end, which then say nothing of how many.
    pub counted: Vec<Counted>,
    /// Between which readings counters grew: the earliest and the latest that was used.
    pub between: Option<(Offset, Offset)>,
    /// How the figures went over time, a moment each reading, from the point's beginning on: of metrics, or where there are
    /// none, of logs. Of a long point several readings make one moment: gauges and rates by their mean, preemptions by their
    /// sum.
    pub moments: Vec<Moment>,
    /// What logs said. `None` without one that was understood.
    pub log: Option<LogSide>,
    /// Each GPU.
    pub gpus: Vec<GpuUse>,
    /// When counters were found to have gone down: a server, or its metrics, began anew. From the last reading before the
    /// load to the first after it.
    pub resets: Vec<Offset>,
    /// Sources whose counters go down and up again: several servers answer there in turn, as behind a load balancer. Their
    /// counters and histograms are left out of every figure.
    pub in_turn: Vec<String>,
    /// What stood in the way of hearing more.
    pub remarks: Vec<Remark>,
}

/// One of several servers during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceUse {
    /// Where its metrics were read.
    pub source: String,
    /// Requests being computed.
    pub running: Option<Level>,
    /// Requests waiting.
    pub waiting: Option<Level>,
    /// Tokens generated per second, as in [`Through`]: over the part of the load in which it was read.
    pub generation: Option<f64>,
    /// Its share of the tokens that all of them generated. `None` where nobody generated any.
    pub share: Option<f64>,
}

/// A gauge over a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The mean over the readings while the load was on.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
    /// When it was greatest, the first time.
    pub max_at: Offset,
    /// The share of the readings in which it was above 0.
    pub above_zero: f64,
    /// How many readings there were while the load was on. 0 of what stays as it is while a server lives (the most requests
    /// that may run, the size of the cache, a GPU's memory) and was read only before or after: it is that of the nearest
    /// reading.
    pub readings: usize,
}

/// Tokens per second: the growth of counters over the load ÷ its length. The counters are read every half second or so, and
/// the length is the load's, so that idle time between load and readings does not dilute it; where the first reading came
/// after the load's beginning, or the last one before its end, it is the length between these. A server that counts no
/// tokens (TGI) is taken by its histograms of the lengths of requests that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Through {
    /// Prompt tokens taken up, cached ones included.
    pub prompt: f64,
    /// Of those, tokens computed. `None` where the server does not tell cached ones apart.
    pub computed: Option<f64>,
    /// Tokens generated.
    pub generation: f64,
}

/// A cache during a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cache {
    /// What was looked up: tokens, of a multimodal cache items.
    pub queries: f64,
    /// What was found.
    pub hits: f64,
    /// The share of hits by the server's own reckoning, over a time of its choosing, where it counts neither queries nor
    /// hits (both are 0 then): the mean over the readings while the load was on, weighted by the requests that ran.
    pub reckoned: Option<f64>,
}

impl Cache {
    /// Hits ÷ queries, or else what the server reckons. `None` where nothing was looked up.
    pub fn hit_rate(&self) -> Option<f64> {
        if self.queries > 0.0 { Some(self.hits / self.queries) } else { self.reckoned }
    }
}

/// Speculative decoding during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Speculated {
    /// Tokens that one step with a draft brings: 1 + accepted ÷ drafts. Between 1 and the draft's length + 1.
    pub acceptance_length: f64,
    /// Accepted ÷ drafted tokens. `None` where the server tells only the length.
    pub acceptance_rate: Option<f64>,
    /// Accepted tokens per second.
    pub accepted_throughput: Option<f64>,
    /// Drafted tokens per second.
    pub drafted_throughput: Option<f64>,
    /// For each position of a draft, the share of drafts whose token there was accepted.
    pub by_position: Vec<f64>,
    /// Whether the server reckoned it, over times of its choosing, in gauges or lines of its log, and counted nothing.
    pub reckoned: bool,
}

/// What a histogram gathered during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many observations.
    pub count: f64,
    /// Their mean, exact.
    pub mean: f64,
    /// Between which bounds of the histogram the median lies. The upper one is infinite for the last bucket. `None` without
    /// buckets.
    pub p50: Option<(f64, f64)>,
    /// The same of the 99th percentile.
    pub p99: Option<(f64, f64)>,
}

impl Spread {
    /// Whether it counts as many observations as another, so that the two are of the same requests: they differ by no more than 2, or by
    /// no more than 2 % of the other's.
    pub fn is_of_as_many_as(&self, other: &Self) -> bool {
        let apart = (self.count - other.count).abs();
        apart <= 2.0 || apart <= 0.02 * other.count
    }
}

/// One latency by the server and by the client: means over the point, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Which.
    pub timing: Timing,
    /// The server's.
    pub server: f64,
    /// The client's, of the same definition as far as there is one.
    pub client: f64,
    /// By which of the catalog's metrics the client's is defined: `ttft`, `icl`, `itl`, `e2e`.
    pub metric: &'static str,
}

/// How many observations of one kind the server and the client made between the same two readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// Of which.
    pub timing: Timing,
    /// By the server's histogram.
    pub server: f64,
    /// By the client: warm-up, probes and failures that came so far included.
    pub client: f64,
}

impl Counted {
    /// Whether both counted alike: they differ by no more than 2, or by no more than 2 % of the client's.
    pub fn agrees(&self) -> bool {
        let apart = (self.server - self.client).abs();
        apart <= 2.0 || apart <= 0.02 * self.client
    }
}

impl Beside {
    /// Client − server: the network, what stands before the server, and the client.
    pub fn difference(&self) -> f64 {
        self.client - self.server
    }
}

/// The figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Seconds since the point began.
    pub at: f64,
    /// Requests being computed.
    pub running: Option<f64>,
    /// Requests waiting.
    pub waiting: Option<f64>,
    /// The share of the KV cache in use.
    pub kv_usage: Option<f64>,
    /// Prompt tokens per second since the moment before.
    pub prompt_throughput: Option<f64>,
    /// Tokens generated per second since the moment before.
    pub generation_throughput: Option<f64>,
    /// Preemptions since the moment before.
    pub preemptions: Option<f64>,
    /// The prefix cache's share of hits since the moment before. `None` where nothing was looked up.
    pub prefix_hit_rate: Option<f64>,
}

/// What logs said during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogSide {
    /// Lines that were understood.
    pub lines: usize,
    /// Gauges over those lines, engines added up where each has a line of its own. A throughput is a mean over the time from
    /// the line before: lines whose time reaches back before the load are left out of it.
    pub levels: BTreeMap<Signal, Level>,
    /// Seconds that a throughput in a line usually is the mean of. `None` of a single line, or without any.
    pub every: Option<f64>,
    /// The most requests that the client had in flight at once during the point.
    pub in_flight: Option<u64>,
    /// The last acceptance by position that was said.
    pub by_position: Vec<f64>,
}

/// A GPU during a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuUse {
    /// Where it was read.
    pub source: String,
    /// Which one.
    pub id: String,
    /// Its model, where that is told.
    pub name: String,
    /// Its figures over the point.
    pub levels: BTreeMap<GpuSignal, Level>,
    /// How many readings of it there were while the load was on.
    pub readings: usize,
    /// The last XID error that it told of. `None` without any.
    pub xid: Option<Xid>,
}

/// An XID error of a GPU. What tells of it keeps the last one, however long ago it was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Xid {
    /// Its code.
    pub code: f64,
    /// Whether it was not there before the load: it came during the point.
    pub during: bool,
}

impl ServerSide {
    /// What was heard during the point.
    pub fn of(run: &Run<'_>) -> Self {
        let Telemetry { readings, gpus, remarks } = run.telemetry;
        let remarks = remarks.clone();
        if readings.is_empty() && gpus.is_empty() {
            return Self { remarks, ..Self::default() };
        }
        let load = Load::of(run);
        let heard = Heard::of(run, Origin::Metrics);
        let logged = Heard::of(run, Origin::Log);

        let mut servers: Vec<String> = Vec::new();
        for reading in readings.iter().filter(|reading| !reading.server.is_empty()) {
            if !servers.contains(&reading.server) {
                servers.push(reading.server.clone());
            }
        }
        let (turning, counting): (Vec<&Source<'_>>, Vec<&Source<'_>>) =
            heard.sources.iter().partition(|source| growth::in_turn(source));
        let growth = Growth::of(counting.iter().copied(), load);
        let seconds = counted_seconds(&growth, load);
        let (counted, beside) = if turning.is_empty() {
            beside::compare(run, &growth, &servers)
        } else {
            (Vec::new(), Vec::new())
        };
        let speculation = caches::speculation(&growth, &heard.gauged, load, seconds);
        let told = if heard.sources.is_empty() { &logged } else { &heard };
        let counts = |source: &Source<'_>| counting.iter().any(|c| std::ptr::eq(*c, source));
        let counts: Vec<bool> = told.sources.iter().map(counts).collect();
        let each = match heard.sources.is_empty() {
            true => Vec::new(),
            false => each::each(&heard.sources, &counts, load),
        };
        Self {
            each,
            sources: heard.sources.iter().map(|s| (s.name.to_owned(), s.readings.len())).collect(),
            levels: levels::levels(&heard.gauged, load),
            throughput: throughput(&growth, seconds),
            prefix_cache: caches::prefix(&growth, &heard.gauged, load),
            external_cache: caches::external(&growth, &heard.gauged, load),
            multimodal_cache: caches::multimodal(&growth, &heard.gauged, load),
            speculation: speculation.or_else(|| logged.speculation(load)),
            timings: timings::spreads(&counting, &growth, load),
            beside,
            counted,
            between: growth.between,
            moments: moments::moments(
                &told.sources,
                &told.hearings,
                &told.gauged,
                &counts,
                run.point.began,
            ),
            log: logged.side(run, load),
            same: heard.same,
            gpus: gpus::gpus(gpus, load),
            in_turn: turning.iter().map(|source| source.name.to_owned()).collect(),
            grown: growth.grown,
            resets: growth.resets,
            remarks,
            servers,
        }
    }

    /// Whether a server's metrics were read during the point at all.
    pub fn was_heard(&self) -> bool {
        !self.sources.is_empty()
    }

    /// A gauge over the point: by metrics, or where these do not tell it, by logs.
    pub fn level(&self, signal: Signal) -> Option<&Level> {
        self.levels.get(&signal).or_else(|| self.log.as_ref()?.levels.get(&signal))
    }

    /// By how much a counter grew over the point.
    pub fn growth(&self, signal: Signal) -> Option<f64> {
        self.grown.get(&signal).copied()
    }

    /// What a histogram gathered.
    pub fn timing(&self, timing: Timing) -> Option<&Spread> {
        self.timings.get(&timing)
    }
}

/// What was heard of one origin.
struct Heard<'a> {
    /// Each server once.
    sources: Vec<Source<'a>>,
    /// Names that are left out, each with the one under which its server counts.
    same: Vec<(String, String)>,
    hearings: Vec<Hearing<'a>>,
    /// As many as hearings.
    gauged: Vec<Gauged>,
}

impl<'a> Heard<'a> {
    fn of(run: &Run<'a>, origin: Origin) -> Self {
        let mut sources = Source::all(&run.telemetry.readings, &run.telemetry.remarks, origin);
        let mut same = Vec::new();
        if origin == Origin::Metrics {
            for (place, other) in same::same(&sources).into_iter().rev() {
                let named = sources.remove(place).name;
                same.push((named.to_owned(), sources[other].name.to_owned()));
            }
            same.reverse();
        }
        let hearings = Hearing::all(&sources);
        let gauged = Gauged::all(&sources, &hearings);
        Self { sources, same, hearings, gauged }
    }

    /// The last acceptance by position that was said.
    fn by_position(&self) -> Vec<f64> {
        let said = self.hearings.iter().rev().flat_map(|hearing| hearing.readings.iter().rev());
        let mut positions = said.map(|(_, reading)| &reading.accepted_by_position);
        positions.find(|positions| !positions.is_empty()).cloned().unwrap_or_default()
    }

    /// Speculation by lines of a log.
    fn speculation(&self, load: Load) -> Option<Speculated> {
        let reckoned = caches::reckoned(&self.gauged, &lines::of_the_load(self, load), load)?;
        Some(Speculated { by_position: self.by_position(), ..reckoned })
    }

    fn side(&self, run: &Run<'_>, load: Load) -> Option<LogSide> {
        let lines = self.sources.iter().map(|source| source.readings.len()).sum();
        let levels = levels::levels(&lines::of_the_load(self, load), load);
        // What was in flight when the program was killed left no record, but was seen by the pulses.
        let pulses = run.pulses.iter().map(|pulse| pulse.in_flight).max();
        (lines > 0).then(|| LogSide {
            lines,
            levels,
            every: lines::every(self).map(|every| every.as_secs_f64()),
            in_flight: run.peak_concurrency().max(pulses),
            by_position: self.by_position(),
        })
    }
}

/// How much of the load lies between the readings of counters: all of it, unless they began late or ended early.
fn counted_seconds(growth: &Growth, load: Load) -> f64 {
    let Some((from, to)) = growth.between else { return 0.0 };
    (to.min(load.end) - from.max(load.begin)).as_secs_f64()
}

/// By the counters of tokens, or where a server keeps none, by its histograms of the lengths of requests that ended.
fn throughput(growth: &Growth, seconds: f64) -> Option<Through> {
    let ended = |timing| growth.timings.get(&timing).map(|observed| observed.sum);
    let tokens = |signal, timing| growth.of_signal(signal).or_else(|| ended(timing));
    let prompt = tokens(Signal::PromptTokens, Timing::PromptLength)?;
    let generation = tokens(Signal::GenerationTokens, Timing::OutputLength)?;
    let cached = growth.of_signal(Signal::CachedPromptTokens);
    (seconds > 0.0).then(|| Through {
        prompt: prompt / seconds,
        computed: cached.map(|cached| (prompt - cached).max(0.0) / seconds),
        generation: generation / seconds,
    })
}

#[cfg(test)]
mod testing {
    //! Readings by hand.

    use tokometer_record::Reading;

    use super::*;
    use crate::summary::testing::ms;

    /// What a source's metrics said at a moment in milliseconds.
    pub(super) fn reading(at: u64, source: &str, values: &[(Signal, f64)]) -> Reading {
        Reading {
            at: ms(at),
            origin: Origin::Metrics,
            source: source.to_owned(),
            server: "vllm".to_owned(),
            engine: None,
            values: values.iter().copied().collect(),
            accepted_by_position: Vec::new(),
            timings: BTreeMap::new(),
        }
    }

    /// What these readings are, heard.
    pub(super) fn metrics(readings: impl IntoIterator<Item = Reading>) -> Telemetry {
        Telemetry { readings: readings.into_iter().collect(), ..Telemetry::default() }
    }
}

#[cfg(test)]
mod tests;
