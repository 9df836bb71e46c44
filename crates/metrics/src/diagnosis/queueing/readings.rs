//! A queue as readings show it: how many wait, how many run meanwhile, and how full the cache is then.
//!
//! Deliberately does not say for what is waited.

use tokometer_record::{Offset, Signal};

use crate::diagnosis::Facts;
use crate::server::{Level, Moment};

/// A queue as readings show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The share of readings in which requests waited.
    pub(super) share: f64,
    /// How many readings there were.
    pub(super) readings: usize,
    /// Requests waiting, over the readings in which any did.
    pub(super) waiting_mean: f64,
    /// The most.
    pub(super) waiting_max: f64,
    /// When.
    pub(super) waiting_max_at: Offset,
    /// Requests running, over the same readings.
    pub(super) running_mean: f64,
    /// The most.
    pub(super) running_max: f64,
    /// The share of those readings in which exactly as many ran as ever did. `None` where only means are kept.
    pub(super) at_most: Option<f64>,
    /// The KV cache in use over those readings.
    pub(super) kv: Option<f64>,
    /// The most of it that was in use at any time.
    pub(super) kv_max: Option<f64>,
    /// The share of those readings in which it was full.
    pub(super) kv_full: f64,
}

impl Queue {
    /// Whether the cache has too little room now and then, and is mostly in use: what ends in a step gives its room back before the
    /// step is read.
    pub(super) fn is_nearly_out_of_room(&self) -> bool {
        self.kv_max >= Some(FULL) && self.kv >= Some(NEARLY_FULL)
    }

    /// Whether as many ran all the time as ever did, but for the places of those that ended in the step that was read, so many of
    /// which were not yet taken again.
    pub(super) fn is_at_most(&self, ending: f64) -> bool {
        self.running_mean + ending >= NEARLY * self.running_max
    }

    /// Whether as many ran all the time as ever did.
    pub(super) fn is_constant(&self) -> bool {
        self.running_mean >= CONSTANT * self.running_max
    }
}

/// By the readings of metrics while the load was on.
pub(super) fn by_moments(facts: &Facts<'_>) -> Option<Queue> {
    let (from, to) = facts.run.window().span()?;
    let began = facts.summary.point.began;
    let at = |moment: &Moment| began + std::time::Duration::from_secs_f64(moment.at.max(0.0));
    let moments: Vec<&Moment> = facts
        .summary
        .side
        .moments
        .iter()
        .filter(|moment| moment.waiting.is_some() && from <= at(moment) && at(moment) <= to)
        .collect();
    let queued: Vec<&Moment> =
        moments.iter().copied().filter(|moment| moment.waiting > Some(0.0)).collect();
    let longest =
        queued.iter().copied().reduce(|a, b| if b.waiting > a.waiting { b } else { a })?;
    let mean = |of: fn(&Moment) -> Option<f64>| {
        let values: Vec<f64> = queued.iter().filter_map(|moment| of(moment)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let running_max = moments.iter().filter_map(|moment| moment.running).fold(0.0, f64::max);
    let share = |holds: &dyn Fn(&Moment) -> bool| {
        queued.iter().filter(|moment| holds(moment)).count() as f64 / queued.len() as f64
    };
    Some(Queue {
        share: queued.len() as f64 / moments.len() as f64,
        readings: moments.len(),
        waiting_mean: mean(|moment| moment.waiting)?,
        waiting_max: longest.waiting?,
        waiting_max_at: at(longest),
        running_mean: mean(|moment| moment.running).unwrap_or(0.0),
        running_max,
        at_most: Some(share(&|moment| moment.running >= Some(running_max))),
        kv: mean(|moment| moment.kv_usage),
        kv_max: moments.iter().filter_map(|moment| moment.kv_usage).reduce(f64::max),
        kv_full: share(&|moment| moment.kv_usage >= Some(FULL)),
    })
}

/// By the lines of a log, of which only means and maxima are kept.
pub(super) fn by_log(facts: &Facts<'_>) -> Option<Queue> {
    let levels = &facts.summary.side.log.as_ref()?.levels;
    let waiting: &Level = levels.get(&Signal::Waiting)?;
    let running = levels.get(&Signal::Running).copied().unwrap_or_default();
    let cache = levels.get(&Signal::KvUsage);
    let kv = cache.map(|level| level.mean);
    let all_or_nothing = |holds: bool| f64::from(u8::from(holds));
    Some(Queue {
        share: waiting.above_zero,
        readings: waiting.readings,
        waiting_mean: waiting.mean,
        waiting_max: waiting.max,
        waiting_max_at: waiting.max_at,
        running_mean: running.mean,
        running_max: running.max,
        at_most: None,
        kv,
        kv_max: cache.map(|level| level.max),
        kv_full: all_or_nothing(kv >= Some(FULL)),
    })
}

/// From here on vLLM's cache is as good as full: it admits a request only if its whole prompt has room, and a prompt takes some per cent.
const FULL: f64 = 0.9;

/// A cache that is this full on average and full at times is what is waited for, if nothing else shows.
const NEARLY_FULL: f64 = 0.7;

/// As many as ever run, give or take what a reading misses.
pub(super) const NEARLY: f64 = 0.95;

/// Not even those that end in a step are missing: no other limit keeps requests to one number.
const CONSTANT: f64 = 0.995;
