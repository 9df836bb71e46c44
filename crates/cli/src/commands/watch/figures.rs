//! What is known of a watched service at a moment: its gauges, what its counters tell of the last seconds, and how it went before.
//!
//! `tokometer-metrics` has figures of the same names over a point of a run, from its log and once it is over. These are over the last
//! seconds of a service that goes on, and are made anew with every reading; nothing of it is kept but what a panel shows. Pure: who
//! listens, and who draws, is elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokometer_record::{Gpu, Offset, Origin, Reading, Remark, RemarkKind, Signal};
use tokometer_telemetry::watch::Heard;

use super::growth::{Growth, Window};
use super::turns::{Step, Turns};
pub(super) use super::view::{Seen, Tick, View, Whose};

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

/// Where each server's counters stood, to tell later what came since.
pub(super) type Marks = BTreeMap<String, Mark>;

/// Where a server's counters stood.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    grown: Growth,
    /// How many readings there had been.
    readings: usize,
    /// How often its page had been read, whatever stood there.
    answers: usize,
}

/// A page of metrics that is read again and again.
#[derive(Debug, Default)]
struct Source {
    last: Option<Reading>,
    /// Samples of a page whose server is not known, and when they were read.
    unknown: Option<(Offset, usize)>,
    /// How many readings there were.
    readings: usize,
    /// How often its page was read, whatever stood there.
    answers: usize,
    /// Whether several servers answer in turn.
    turns: Turns,
    grown: Growth,
    /// `grown` at the moments of the last readings, far enough back for the window.
    kept: VecDeque<(Offset, Growth)>,
    /// What stands in the way now.
    trouble: Option<Remark>,
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

    /// Takes in what was heard. What is to be said of it, where lines are all that is shown.
    pub(super) fn hear(&mut self, heard: Heard) -> Option<Remark> {
        match heard {
            Heard::Reading(reading) => match reading.origin {
                Origin::Metrics => return self.metrics(reading),
                Origin::Log => self.log(reading),
            },
            Heard::Scrape(scrape) => {
                let source = self.source(&scrape.source);
                source.answers += 1;
                if source.last.is_none() {
                    source.readings += 1;
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
            Heard::Remark(remark) => return Some(self.remark(remark)),
        }
        None
    }

    fn metrics(&mut self, reading: Reading) -> Option<Remark> {
        let (at, source) = (reading.at, reading.source.clone());
        let was_in_turn = self.source(&source).turns.are_taken();
        let step = self.source(&source).read(reading);
        let detail = match (was_in_turn, self.source(&source).turns.are_taken(), step) {
            (false, true, _) => {
                // It was no restart that was taken for one.
                self.remarks
                    .retain(|remark| (&remark.source, remark.kind) != (&source, RemarkKind::Reset));
                IN_TURN
            }
            (false, false, Step::Down) => ANEW,
            _ => return None,
        };
        Some(self.remark(Remark { at, source, kind: RemarkKind::Reset, detail: detail.into() }))
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

    fn remark(&mut self, remark: Remark) -> Remark {
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
        self.remarks.push_front(remark.clone());
        self.remarks.truncate(REMARKS);
        remark
    }

    /// Puts the figures of this moment behind those of the moments before.
    pub(super) fn tick(&mut self, now: Offset) {
        let view = self.view(now);
        let heard = view.servers.iter().any(|seen| !seen.stale);
        let level = |signal| view.levels.get(&signal).copied().filter(|_| heard);
        let gpu = view.busiest_gpu();
        self.history.push_back(Tick {
            running: level(Signal::Running),
            waiting: level(Signal::Waiting),
            kv_usage: level(Signal::KvUsage),
            generation: view.generation(&view.step).filter(|_| heard),
            gpu,
        });
        self.ticked += 1;
        while self.history.len() > ticks(self.every) {
            self.history.pop_front();
        }
    }

    /// Begins the averages anew. Who answers is to be found out again, too.
    pub(super) fn reset(&mut self, now: Offset) {
        for source in self.sources.values_mut().filter(|source| source.turns.are_taken()) {
            source.turns = Turns::default();
            source.kept.clear();
        }
        self.mark = self.marks();
        self.mark_at = now;
    }

    /// Where the counters stand.
    pub(super) fn marks(&self) -> Marks {
        let mark = |source: &Source| Mark {
            grown: source.grown.clone(),
            readings: source.readings,
            answers: source.answers,
        };
        self.sources.iter().map(|(shown, source)| (shown.clone(), mark(source))).collect()
    }

    /// What the counters grew by since then.
    pub(super) fn since(&self, marks: &Marks) -> Window {
        let none = Growth::default();
        let before = |shown: &String| marks.get(shown).map_or(&none, |mark| &mark.grown);
        self.window(self.sources.iter().map(|(shown, source)| source.grown.since(before(shown))))
    }

    /// Whether an answer is still to come, of a server that gives any.
    pub(super) fn awaits(&self, marks: &Marks) -> bool {
        let had = |shown: &String| marks.get(shown).map_or(0, |mark| mark.answers);
        self.sources
            .iter()
            .any(|(shown, source)| source.trouble.is_none() && source.answers == had(shown))
    }

    /// What is known now.
    pub(super) fn view(&self, now: Offset) -> View {
        let patience = patience(self.every);
        self.view_of(now, |_, source| source.age(now).is_none_or(|age| age > patience))
    }

    /// What was heard since then. All that was not read since is stale.
    pub(super) fn view_since(&self, now: Offset, marks: &Marks) -> View {
        let had = |shown: &str| marks.get(shown).map_or(0, |mark| mark.readings);
        self.view_of(now, |shown, source| source.readings == had(shown))
    }

    fn view_of(&self, now: Offset, is_stale: impl Fn(&str, &Source) -> bool) -> View {
        let seen = |shown: &String| {
            let source = self.sources.get(shown)?;
            Some(source.seen(shown, now, is_stale(shown, source)))
        };
        let servers: Vec<Seen> = self.asked.iter().filter_map(seen).collect();
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
            in_turn: self.is_in_turn(),
            step: self.window(counted.iter().map(|source| source.step())),
            recent: self.window(counted.iter().map(|source| source.recent())),
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

    /// What these grew by together. Nothing, where one of them is of several servers: a sum without it would be of fewer than asked.
    fn window(&self, growths: impl Iterator<Item = Growth>) -> Window {
        let mut window = Window::default();
        if !self.is_in_turn() {
            growths.for_each(|growth| window.add(&growth));
        }
        window
    }

    fn is_in_turn(&self) -> bool {
        self.sources.values().any(|source| source.turns.are_taken())
    }
}

impl Source {
    /// Takes in a reading. What lies between it and the one before.
    fn read(&mut self, reading: Reading) -> Step {
        let before = self.last.as_ref().filter(|before| before.at < reading.at);
        let step = before.map_or(Step::On, |before| self.turns.step(before, &reading));
        let goes_on = match before {
            Some(before) => step == Step::On && self.grown.add_step(before, &reading),
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
        self.readings += 1;
        self.answers += 1;
        self.last = Some(reading);
        step
    }

    /// How long ago its page was read.
    fn age(&self, now: Offset) -> Option<Duration> {
        let read = self.last.as_ref().map(|reading| reading.at);
        read.or(self.unknown.map(|(at, _)| at)).map(|at| now - at)
    }

    fn seen(&self, shown: &str, now: Offset, stale: bool) -> Seen {
        let whose = match (&self.last, self.unknown) {
            (Some(reading), _) => Whose::Known(reading.server.clone()),
            (None, Some((_, samples))) => Whose::Unknown(samples),
            (None, None) => Whose::Unread,
        };
        Seen {
            shown: shown.to_owned(),
            whose,
            age: self.age(now),
            stale,
            in_turn: self.turns.are_taken(),
            trouble: self.trouble.as_ref().map(|remark| remark.detail.clone()),
        }
    }

    fn recent(&self) -> Growth {
        self.kept.front().map(|(_, then)| self.grown.since(then)).unwrap_or_default()
    }

    fn step(&self) -> Growth {
        let before = self.kept.iter().rev().nth(1);
        before.map(|(_, then)| self.grown.since(then)).unwrap_or_default()
    }
}

/// After this long without a reading, the last one is no longer of now.
pub(super) fn patience(every: Duration) -> Duration {
    every.saturating_mul(3).max(PATIENCE)
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

const ANEW: &str = "its counters went down: the server, or its metrics, began anew";

const IN_TURN: &str =
    "several servers answer here in turn: no rates can be told; watch each at its own address";

/// How many remarks are remembered.
const REMARKS: usize = 5;

#[cfg(test)]
pub(super) mod testing;

#[cfg(test)]
mod tests;
