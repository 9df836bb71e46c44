//! What is known of a watched service at one moment, ready to be shown.
//!
//! Made by [`Watched`](super::figures::Watched), and never changed: whoever shows it picks from it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokometer_record::{GpuSignal, Offset, Remark, Signal};

use super::figures::{GpuSeen, LogSaid, patience};
use super::growth::Window;

/// What is known at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// The moment.
    pub(super) at: Offset,
    /// Each page of metrics that is read.
    pub(super) servers: Vec<Seen>,
    /// Gauges: of running and waiting requests the sum over servers, of the KV cache the fullest server's.
    pub(super) levels: BTreeMap<Signal, f64>,
    /// Whether several servers answer in turn at some address: then there are no rates, for they would be of nobody.
    pub(super) in_turn: bool,
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
    /// Whether several servers answer there in turn.
    pub(super) in_turn: bool,
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
        self.level(gauge).filter(|_| !self.in_turn && !window.counts(counter))
    }

    /// Whether nothing of it is of now.
    pub(super) fn is_old(&self) -> bool {
        self.servers.iter().all(|seen| seen.stale)
    }

    /// How busy the busiest GPU is, a share, of those that were heard of lately.
    pub(super) fn busiest_gpu(&self) -> Option<f64> {
        let fresh = self.gpus.iter().filter(|seen| self.at - seen.at <= patience(self.every));
        let busy = fresh.filter_map(|seen| seen.gpu.values.get(&GpuSignal::Utilization));
        busy.copied().reduce(f64::max)
    }
}
