//! What is known of a watched service at a moment: its gauges, what its counters tell of the last seconds, and how it went before.
//!
//! `tokometer-metrics` has figures of the same names over a point of a run, from its log and once it is over. These are over the last
//! seconds of a service that goes on, and are made anew with every reading; nothing of it is kept but what a panel shows. Pure: who
//! listens, and who draws, is elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokometer_record::{Gpu, GpuSignal, Offset, Origin, Reading, Remark, RemarkKind, Signal};
use tokometer_telemetry::watch::Heard;

use super::growth::{Growth, Window};

/// Everything that was heard, as far as it matters still.
#[derive(Debug)]
pub(super) struct Watched {
    every: Duration,
    sources: BTreeMap<String, Source>,
    /// The addresses that were asked for, in their order.
    asked: Vec<String>,
    logs: BTreeMap<(String, Option<String>), LogSaid>,
    gpus: BTreeMap<(String, String), GpuSeen>,
    remarks: VecDeque<Remark>,
    history: VecDeque<Tick>,
    /// How many ticks there were, those forgotten included.
    ticked: usize,
    /// Where the averages begin.
    mark: Marks,
    mark_at: Offset,
}

/// Where each server's counters stood, to tell later what they grew by.
pub(super) type Marks = BTreeMap<String, Growth>;

/// A page of metrics that is read again and again.
#[derive(Debug, Default)]
struct Source {
    last: Option<Reading>,
    /// Samples of a page whose server is not known, and when they were read.
    unknown: Option<(Offset, usize)>,
    grown: Growth,
    /// `grown` at the moments of the last readings, far enough back for the window.
    kept: VecDeque<(Offset, Growth)>,
    /// What stands in the way now.
    trouble: Option<Remark>,
}

/// What is known at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// The moment.
    pub(super) at: Offset,
    /// Each page of metrics that is read.
    pub(super) servers: Vec<Seen>,
    /// Gauges: of running and waiting requests the sum over servers, of the KV cache the fullest server's.
    pub(super) levels: BTreeMap<Signal, f64>,
    /// Between the last two readings.
    pub(super) step: Window,
    /// Over the last ten seconds, or as long as there were readings.
    pub(super) recent: Window,
    /// Since the averages began.
    pub(super) whole: Window,
    /// How long ago that was.
    pub(super) whole_for: Duration,
    /// How it went, oldest first, a tick each interval.
    pub(super) history: Vec<Tick>,
    /// How many ticks there were, those forgotten included.
    pub(super) ticked: usize,
    /// How long a tick is.
    pub(super) every: Duration,
    /// The last that logs said.
    pub(super) logs: Vec<LogSaid>,
    /// The last that GPUs said.
    pub(super) gpus: Vec<GpuSeen>,
    /// The last remarks, newest first.
    pub(super) remarks: Vec<Remark>,
}

/// A page of metrics at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Its address.
    pub(super) shown: String,
    /// Whose page it is.
    pub(super) whose: Whose,
    /// How long ago it was read. `None` if never.
    pub(super) age: Option<Duration>,
    /// Whether that is too long ago for its figures to be of now.
    pub(super) stale: bool,
    /// What stands in the way, in words.
    pub(super) trouble: Option<String>,
}

/// Whose page of metrics it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It has not been read.
    Unread,
    /// A server's that is known.
    Known(String),
    /// Some other's, with so many samples.
    Unknown(usize),
}

/// The figures that are drawn over time. `None` where nothing was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tick {
    pub(super) running: Option<f64>,
    pub(super) waiting: Option<f64>,
    /// A share.
    pub(super) kv_usage: Option<f64>,
    /// Tokens per second.
    pub(super) generation: Option<f64>,
    /// Of the busiest GPU, a share.
    pub(super) gpu: Option<f64>,
}

/// What a log said last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogSaid {
    /// Its path.
    pub(super) source: String,
    /// The engine that it speaks of.
    pub(super) engine: Option<String>,
    /// When it said the last of it.
    pub(super) at: Offset,
    values: BTreeMap<Signal, (Offset, f64)>,
    by_position: (Offset, Vec<f64>),
}

/// What a GPU said last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GpuSeen {
    /// When.
    pub(super) at: Offset,
    /// What.
    pub(super) gpu: Gpu,
}

impl Watched {
    /// Nothing yet, of pages at these addresses that are read every so often.
    pub(super) fn new(asked: Vec<String>, every: Duration) -> Self {
        Self {
            every,
            sources: asked.iter().map(|shown| (shown.clone(), Source::default())).collect(),
            asked,
            logs: BTreeMap::new(),
            gpus: BTreeMap::new(),
            remarks: VecDeque::new(),
            history: VecDeque::new(),
            ticked: 0,
            mark: Marks::new(),
            mark_at: Offset::ZERO,
        }
    }

    /// How long from one reading to the next.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Reading(reading) => match reading.origin {
                Origin::Metrics => self.metrics(reading),
                Origin::Log => self.log(reading),
            },
            Heard::Scrape(scrape) => {
                let source = self.source(&scrape.source);
                if source.last.is_none() {
                    source.unknown = Some((scrape.at, scrape.samples.len()));
                    source.trouble = None;
                }
            }
            Heard::Gpus(reading) => {
                for gpu in reading.gpus {
                    let key = (reading.source.clone(), gpu.id.clone());
                    self.gpus.insert(key, GpuSeen { at: reading.at, gpu });
                }
            }
            Heard::Remark(remark) => self.remark(remark),
        }
    }

    fn metrics(&mut self, reading: Reading) {
        let (at, source) = (reading.at, reading.source.clone());
        if !self.source(&source).read(reading) {
            let detail = "its counters went down: the server, or its metrics, began anew".into();
            self.remark(Remark { at, source, kind: RemarkKind::Reset, detail });
        }
    }

    /// Only pages that were asked for have a place of their own; an address that was not is taken in as one more.
    fn source(&mut self, shown: &str) -> &mut Source {
        if !self.sources.contains_key(shown) {
            self.asked.push(shown.to_owned());
        }
        self.sources.entry(shown.to_owned()).or_default()
    }

    fn log(&mut self, reading: Reading) {
        let key = (reading.source.clone(), reading.engine.clone());
        let said = self.logs.entry(key).or_insert_with(|| LogSaid {
            source: reading.source,
            engine: reading.engine,
            at: reading.at,
            values: BTreeMap::new(),
            by_position: (reading.at, Vec::new()),
        });
        said.at = reading.at;
        said.values.extend(
            reading.values.into_iter().map(|(signal, value)| (signal, (reading.at, value))),
        );
        if !reading.accepted_by_position.is_empty() {
            said.by_position = (reading.at, reading.accepted_by_position);
        }
    }

    fn remark(&mut self, remark: Remark) {
        if let Some(source) = self.sources.get_mut(&remark.source) {
            source.trouble = match remark.kind {
                RemarkKind::Unreachable | RemarkKind::NoMetrics => Some(remark.clone()),
                RemarkKind::Recovered => None,
                _ => source.trouble.take(),
            };
        }
        // What is said again and again is told once, with the moment at which it was last said.
        self.remarks.retain(|earlier| {
            (&earlier.source, &earlier.detail) != (&remark.source, &remark.detail)
        });
        self.remarks.push_front(remark);
        self.remarks.truncate(REMARKS);
    }

    /// Puts the figures of this moment behind those of the moments before.
    pub(super) fn tick(&mut self, now: Offset) {
        let view = self.view(now);
        let heard = view.servers.iter().any(|seen| !seen.stale);
        let level = |signal| view.levels.get(&signal).copied().filter(|_| heard);
        let busy = |seen: &GpuSeen| seen.gpu.values.get(&GpuSignal::Utilization).copied();
        let fresh = self.gpus.values().filter(|seen| now - seen.at <= self.patience());
        self.history.push_back(Tick {
            running: level(Signal::Running),
            waiting: level(Signal::Waiting),
            kv_usage: level(Signal::KvUsage),
            generation: view.generation(&view.step).filter(|_| heard),
            gpu: fresh.filter_map(busy).reduce(f64::max),
        });
        self.ticked += 1;
        while self.history.len() > ticks(self.every) {
            self.history.pop_front();
        }
    }

    /// Begins the averages anew.
    pub(super) fn reset(&mut self, now: Offset) {
        self.mark = self.marks();
        self.mark_at = now;
    }

    /// Where the counters stand.
    pub(super) fn marks(&self) -> Marks {
        self.sources.iter().map(|(shown, source)| (shown.clone(), source.grown.clone())).collect()
    }

    /// What the counters grew by since then.
    pub(super) fn since(&self, marks: &Marks) -> Window {
        let none = Growth::default();
        let grown = self
            .sources
            .iter()
            .map(|(shown, source)| source.grown.since(marks.get(shown).unwrap_or(&none)));
        window(grown)
    }

    /// What is known now.
    pub(super) fn view(&self, now: Offset) -> View {
        let servers: Vec<Seen> =
            self.asked.iter().filter_map(|shown| self.seen(shown, now)).collect();
        let fresh = |shown: &String| servers.iter().any(|seen| seen.shown == *shown && !seen.stale);
        // Where nobody answers any more, the last that was said stands, and is told to be old.
        let nobody = servers.iter().all(|seen| seen.stale);
        let counted: Vec<&Source> = self
            .sources
            .iter()
            .filter(|(shown, _)| nobody || fresh(shown))
            .map(|(_, source)| source)
            .collect();
        View {
            at: now,
            servers,
            levels: levels(counted.iter().filter_map(|source| source.last.as_ref())),
            step: window(counted.iter().map(|source| source.step())),
            recent: window(counted.iter().map(|source| source.recent())),
            whole: self.since(&self.mark),
            whole_for: now - self.mark_at,
            history: self.history.iter().copied().collect(),
            ticked: self.ticked,
            every: self.every,
            logs: self.logs.values().cloned().collect(),
            gpus: self.gpus.values().cloned().collect(),
            remarks: self.remarks.iter().cloned().collect(),
        }
    }

    fn seen(&self, shown: &str, now: Offset) -> Option<Seen> {
        let source = self.sources.get(shown)?;
        let (whose, at) = match (&source.last, source.unknown) {
            (Some(reading), _) => (Whose::Known(reading.server.clone()), Some(reading.at)),
            (None, Some((at, samples))) => (Whose::Unknown(samples), Some(at)),
            (None, None) => (Whose::Unread, None),
        };
        let age = at.map(|at| now - at);
        Some(Seen {
            shown: shown.to_owned(),
            whose,
            age,
            stale: age.is_none_or(|age| age > self.patience()),
            trouble: source.trouble.as_ref().map(|remark| remark.detail.clone()),
        })
    }

    /// After this long without a reading, the last one is no longer of now.
    fn patience(&self) -> Duration {
        (self.every * 3).max(PATIENCE)
    }
}

impl Source {
    /// Takes in a reading. Whether it goes on from the one before.
    fn read(&mut self, reading: Reading) -> bool {
        let goes_on = match self.last.as_ref().filter(|before| before.at < reading.at) {
            Some(before) => self.grown.add_step(before, &reading),
            None => true,
        };
        if !goes_on {
            // What was before it began anew is not of now, however recent.
            self.kept.clear();
        }
        self.kept.push_back((reading.at, self.grown.clone()));
        // The window reaches back to the last reading that is old enough, give or take what readings are late.
        let begin = reading.at - Offset::after(RECENT - SLACK);
        while self.kept.get(1).is_some_and(|(at, _)| *at <= Offset::after(begin)) {
            self.kept.pop_front();
        }
        (self.trouble, self.unknown) = (None, None);
        self.last = Some(reading);
        goes_on
    }

    fn recent(&self) -> Growth {
        self.kept.front().map(|(_, then)| self.grown.since(then)).unwrap_or_default()
    }

    fn step(&self) -> Growth {
        let before = self.kept.iter().rev().nth(1);
        before.map(|(_, then)| self.grown.since(then)).unwrap_or_default()
    }
}

fn window(growths: impl Iterator<Item = Growth>) -> Window {
    let mut window = Window::default();
    growths.for_each(|growth| window.add(&growth));
    window
}

/// The gauges of several servers as one: numbers of requests, tokens and throughputs added up, of the KV cache the fullest, of other
/// shares and lengths the mean.
fn levels<'r>(readings: impl Iterator<Item = &'r Reading>) -> BTreeMap<Signal, f64> {
    let mut told: BTreeMap<Signal, Vec<f64>> = BTreeMap::new();
    for (signal, value) in readings.flat_map(|reading| &reading.values) {
        if !signal.is_counter() && value.is_finite() {
            told.entry(*signal).or_default().push(*value);
        }
    }
    let one = |(signal, values): (Signal, Vec<f64>)| {
        let sum: f64 = values.iter().sum();
        let value = match signal {
            Signal::KvUsage => values.iter().copied().fold(0.0, f64::max),
            Signal::PrefixHitRate
            | Signal::ExternalHitRate
            | Signal::MultimodalHitRate
            | Signal::AcceptanceLength
            | Signal::AcceptanceRate => sum / values.len() as f64,
            _ => sum,
        };
        (signal, value)
    };
    told.into_iter().map(one).collect()
}

impl View {
    /// How a figure went, as so many columns at most, oldest first, each over the same number of ticks, of which `one` makes
    /// one figure. While that number stays, a column whose ticks are over does not change any more.
    pub(super) fn columns(
        &self,
        columns: usize,
        of: impl Fn(&Tick) -> Option<f64>,
        one: impl Fn(&[f64]) -> f64,
    ) -> Vec<Option<f64>> {
        let width = self.history.len().div_ceil(columns.max(1)).max(1);
        let first = self.ticked - self.history.len().min(self.ticked);
        let mut columns_of: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (index, tick) in self.history.iter().enumerate() {
            columns_of.entry((first + index) / width).or_default().extend(of(tick));
        }
        let drawn = columns_of.len().saturating_sub(columns);
        let made = columns_of.into_values().skip(drawn);
        made.map(|values| (!values.is_empty()).then(|| one(&values))).collect()
    }

    /// A gauge.
    pub(super) fn level(&self, signal: Signal) -> Option<f64> {
        self.levels.get(&signal).copied()
    }

    /// Tokens generated per second during a window, by the counter; where there is none, the server's own figure of now.
    pub(super) fn generation(&self, window: &Window) -> Option<f64> {
        let counted = window.per_second(Signal::GenerationTokens);
        counted.or_else(|| self.own(window, Signal::GenerationTokens, Signal::GenerationThroughput))
    }

    /// Prompt tokens taken up per second during a window, cached ones included; where they are not counted, the server's own figure.
    pub(super) fn prompt(&self, window: &Window) -> Option<f64> {
        let counted = window.per_second(Signal::PromptTokens);
        counted.or_else(|| self.own(window, Signal::PromptTokens, Signal::PromptThroughput))
    }

    /// Prompt tokens per second during a window that no cache had. `None` where cached ones are not told apart.
    pub(super) fn computed(&self, window: &Window) -> Option<f64> {
        let cached = window.per_second(Signal::CachedPromptTokens)?;
        Some((window.per_second(Signal::PromptTokens)? - cached).max(0.0))
    }

    /// The server's own figure, where it has no counter from which the same follows.
    pub(super) fn own(&self, window: &Window, counter: Signal, gauge: Signal) -> Option<f64> {
        self.level(gauge).filter(|_| window.grown(counter).is_none())
    }
}

/// How many ticks of that length the history holds.
fn ticks(every: Duration) -> usize {
    (HISTORY.as_secs_f64() / every.as_secs_f64().max(1e-3)).ceil() as usize
}

impl LogSaid {
    /// A figure of the log, unless it was said long before the last one.
    pub(super) fn value(&self, signal: Signal) -> Option<f64> {
        let (at, value) = self.values.get(&signal)?;
        (self.at - *at <= TOGETHER).then_some(*value)
    }

    /// For each position of a draft, the share of drafts whose token there was accepted. Empty where nothing was said of it.
    pub(super) fn by_position(&self) -> &[f64] {
        let (at, shares) = &self.by_position;
        if self.at - *at <= TOGETHER { shares } else { &[] }
    }
}

/// The length of the window that "recent" means.
const RECENT: Duration = Duration::from_secs(10);

/// By how much the window may be shorter, lest a reading that came a moment late makes it longer by a whole interval.
const SLACK: Duration = Duration::from_millis(500);

/// How far back it is drawn how it went.
const HISTORY: Duration = Duration::from_secs(300);

/// How long a reading is of now at the least.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far lines of a log may lie apart and still tell of the same time: vLLM's are ten seconds apart, and two by two.
const TOGETHER: Duration = Duration::from_secs(15);

/// How many remarks are remembered.
const REMARKS: usize = 5;

#[cfg(test)]
pub(super) mod testing;

#[cfg(test)]
mod tests;
