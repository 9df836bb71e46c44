//! The servers whose metrics are understood, a table each: which of their names is which figure of ours.
//!
//! A page is recognised by the names that it has; where several servers speak on one page, as behind a proxy, the first of
//! [`SERVERS`] is heard. Only what a server tells is kept: a figure that is no number, infinite, or below zero (some say -1
//! for "unknown") was not told. Deliberately without judgement, and without a memory: counters are told as they stand.

mod figure;
mod sglang;
mod tgi;
mod triton;
mod trtllm;
mod vllm;

use std::collections::BTreeMap;

use tokometer_record::{Histogram, Offset, Origin, Reading, Signal, Timing};

use crate::prometheus::{Page, Sample, histogram};
use figure::Figure;

/// Which histograms of a page are kept with their buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of them: before and after a load.
    Whole,
    /// None: sums and counts alone, in between.
    Brief,
}

/// What a page of metrics says, in words that all servers share. `None` if it is none of a server that is known, or tells
/// nothing yet.
pub fn reading(page: &str, source: &str, at: Offset, detail: Detail) -> Option<Reading> {
    let page = Page::read(page);
    SERVERS.iter().find_map(|server| {
        let view = View { page: &page, server };
        let (values, timings) = (view.values(), view.timings(detail));
        (!values.is_empty() || !timings.is_empty()).then(|| Reading {
            at,
            origin: Origin::Metrics,
            source: source.to_owned(),
            server: server.name.to_owned(),
            engine: None,
            values,
            accepted_by_position: view.accepted_by_position(),
            timings,
        })
    })
}

/// The servers that are known, in the order in which a page is asked whose it is.
const SERVERS: [&Server; 5] =
    [&vllm::VLLM, &sglang::SGLANG, &tgi::TGI, &trtllm::TRTLLM, &triton::TRITON];

/// What a server calls its metrics. Names stand without prefix, and those of counters without `_total`, which some writers
/// append.
struct Server {
    /// What it is called in a [`Reading`].
    name: &'static str,
    /// What its names begin with, in any of these ways.
    prefixes: &'static [&'static str],
    /// Labels that tell apart who says a thing, and not what it is said of: ranks that compute one request together. Series
    /// that differ in nothing else are not added up.
    repeated: &'static [&'static str],
    /// Gauges and counters. Where one signal stands in several lines, the first that the page tells counts.
    signals: &'static [(Signal, Figure)],
    /// The counter of accepted tokens by their position in a draft, and the label that tells the position.
    accepted: Option<(&'static str, &'static str)>,
    /// Histograms, in seconds or tokens: of these names, the first that the page has.
    timings: &'static [(Timing, &'static [&'static str])],
}

/// A page, seen through a server's table.
struct View<'v, 'p> {
    page: &'v Page<'p>,
    server: &'static Server,
}

impl<'v, 'p> View<'v, 'p> {
    fn values(&self) -> BTreeMap<Signal, f64> {
        let mut values = BTreeMap::new();
        for (signal, figure) in self.server.signals {
            if !values.contains_key(signal) {
                let value = figure.read(self, *signal).filter(|value| value.is_finite());
                values.extend(value.map(|value| (*signal, value)));
            }
        }
        values
    }

    fn timings(&self, detail: Detail) -> BTreeMap<Timing, Histogram> {
        let read = |name: &str| {
            let name_of = |prefix: &&str| format!("{prefix}{name}");
            let mut names = self.server.prefixes.iter().map(name_of);
            names.find_map(|name| histogram(self.page, &name, self.server.repeated, detail))
        };
        let timings = self.server.timings.iter();
        timings
            .filter_map(|(timing, names)| {
                Some((*timing, names.iter().find_map(|name| read(name))?))
            })
            .collect()
    }

    fn accepted_by_position(&self) -> Vec<f64> {
        let mut accepted = Vec::new();
        let Some((name, label)) = self.server.accepted else { return accepted };
        for sample in self.counters(name).iter().filter(|sample| is_told(sample.value)) {
            let position = sample.label(label).and_then(|position| position.parse::<usize>().ok());
            let Some(position) = position.filter(|position| *position < LONGEST_DRAFT) else {
                continue;
            };
            accepted.resize(accepted.len().max(position + 1), 0.0);
            accepted[position] += sample.value;
        }
        if accepted.iter().all(|tokens| tokens.is_finite()) { accepted } else { Vec::new() }
    }

    /// The samples of a figure of this kind that the server calls so.
    fn series(&self, signal: Signal, name: &str) -> &'v [Sample<'p>] {
        if signal.is_counter() { self.counters(name) } else { self.named(name, "") }
    }

    fn counters(&self, name: &str) -> &'v [Sample<'p>] {
        let with_ending = self.named(name, "_total");
        if with_ending.is_empty() { self.named(name, "") } else { with_ending }
    }

    fn named(&self, name: &str, ending: &str) -> &'v [Sample<'p>] {
        let page = self.page;
        let samples = |prefix: &&str| page.named(&format!("{prefix}{name}{ending}"));
        let mut told = self.server.prefixes.iter().map(samples);
        told.find(|samples| !samples.is_empty()).unwrap_or_default()
    }
}

/// Whether a number tells something. None of our figures is below zero.
fn is_told(value: f64) -> bool {
    value.is_finite() && 0.0 <= value
}

/// Positions from here on are none of a draft: a label can hold any number, and each below it costs memory.
const LONGEST_DRAFT: usize = 256;

#[cfg(test)]
mod tests;
