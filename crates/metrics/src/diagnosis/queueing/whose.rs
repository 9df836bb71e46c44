//! Whose requests are on the server: this client's, or others' as well; and over how many engines they are spread.
//!
//! Deliberately does not ask what becomes of them: counts of what ended are held against each other elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use tokometer_record::{Offset, Record};

use crate::diagnosis::Facts;
use crate::server::Moment;

/// More requests on the server than this client had in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::diagnosis) struct Others {
    /// Requests running and waiting on the server, on average over the readings in which some waited.
    pub(in crate::diagnosis) there: f64,
    /// Requests that this client had in flight, on average at the same moments.
    pub(in crate::diagnosis) own: f64,
}

impl Others {
    /// `None` where the client's requests account for all. Requests that this client gave up may live on at the server: where many
    /// failed, nothing can be said.
    pub(in crate::diagnosis) fn of(facts: &Facts<'_>) -> Option<Self> {
        let counts = &facts.summary.counts;
        let (from, to) = facts.run.window().span()?;
        if counts.broken() as f64 > MOST_FAILED * counts.tried() as f64 {
            return None;
        }
        let began = facts.summary.point.began;
        let at = |moment: &Moment| began + std::time::Duration::from_secs_f64(moment.at.max(0.0));
        let told: Vec<(f64, f64)> = facts
            .summary
            .side
            .moments
            .iter()
            .filter(|moment| from <= at(moment) && at(moment) <= to)
            .filter_map(|moment| {
                let waiting = moment.waiting.filter(|&waiting| waiting > 0.0)?;
                Some((waiting + moment.running?, own(facts, at(moment)) as f64))
            })
            .collect();
        if told.len() < LEAST_READINGS {
            return None;
        }
        let (there, own) = told.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        let n = told.len() as f64;
        let others = Self { there: there / n, own: own / n };
        (others.there > others.own * (1.0 + APART) + FEW).then_some(others)
    }
}

fn own(facts: &Facts<'_>, at: Offset) -> usize {
    let flying = |record: &&&Record| record.started <= at && at < record.end;
    facts.run.all.iter().chain(&facts.run.probes).filter(flying).count()
}

/// Over how many engines vLLM's metrics are added up: 1 where nothing tells.
pub(super) fn engines(facts: &Facts<'_>) -> usize {
    let mut of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let same = &facts.summary.side.same;
    for scrape in
        facts.run.scrapes.iter().filter(|s| same.iter().all(|(name, _)| *name != s.source))
    {
        let running = scrape.samples.keys().filter(|key| key.starts_with(RUNNING));
        of.entry(&scrape.source).or_default().extend(running.map(String::as_str));
    }
    of.values().map(BTreeSet::len).sum::<usize>().max(1)
}

/// vLLM tells it once for each engine.
const RUNNING: &str = "vllm:num_requests_running{";

/// Where more than one request in a hundred failed, some may have been given up by the client alone.
const MOST_FAILED: f64 = 0.01;

/// Fewer readings than this tell nothing of most of the time.
const LEAST_READINGS: usize = 5;

/// A reading is some steps old …
const APART: f64 = 0.1;

/// … in which a few requests come and go.
const FEW: f64 = 2.0;
