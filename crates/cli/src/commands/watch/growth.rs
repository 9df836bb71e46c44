//! By how much servers' counters grew over a length of time, and the figures that follow from it.
//!
//! A step between two readings in which any counter of a server went down is left out as a whole, growth and seconds alike: the
//! server, or its metrics, began anew, and what lies between is not known. Deliberately nothing here knows which length of time is
//! looked at, or how a figure is shown.

use std::collections::BTreeMap;

use tokometer_record::{Reading, Signal, Timing};

use super::turns::{goes_on, stand};

/// By how much one server's counters grew.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Growth {
    /// Over how many seconds that is known.
    pub(super) seconds: f64,
    counters: BTreeMap<Signal, f64>,
    accepted_by_position: Vec<f64>,
    timings: BTreeMap<Timing, Observed>,
}

/// What a histogram gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Observed {
    sum: f64,
    count: f64,
}

impl Growth {
    /// Adds what lies between two readings of the server. Whether it could: not where a counter went down.
    pub(super) fn add_step(&mut self, before: &Reading, after: &Reading) -> bool {
        if !goes_on(&stand(before), &stand(after)) {
            return false;
        }
        self.seconds += (after.at - before.at).as_secs_f64();
        for (signal, value) in after.values.iter().filter(|(signal, _)| signal.is_counter()) {
            if let Some(earlier) = before.values.get(signal) {
                *self.counters.entry(*signal).or_default() += value - earlier;
            }
        }
        for (timing, now) in &after.timings {
            let earlier = before.timings.get(timing).filter(|_| now.sum.is_finite());
            if let Some(earlier) = earlier {
                let observed = self.timings.entry(*timing).or_default();
                observed.sum += now.sum - earlier.sum;
                observed.count += now.count - earlier.count;
            }
        }
        let steps: Vec<f64> = zipped(&after.accepted_by_position, &before.accepted_by_position)
            .map(|(now, earlier)| now - earlier)
            .collect();
        self.accepted_by_position =
            zipped(&self.accepted_by_position, &steps).map(|(sum, step)| sum + step).collect();
        true
    }

    /// What of it came after `earlier`, which is the same server's.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let counters = self.counters.iter().map(|(signal, value)| {
            (*signal, value - earlier.counters.get(signal).copied().unwrap_or_default())
        });
        let timings = self.timings.iter().map(|(timing, now)| {
            let before = earlier.timings.get(timing).copied().unwrap_or_default();
            (*timing, Observed { sum: now.sum - before.sum, count: now.count - before.count })
        });
        let positions = zipped(&self.accepted_by_position, &earlier.accepted_by_position);
        Self {
            seconds: self.seconds - earlier.seconds,
            counters: counters.collect(),
            accepted_by_position: positions.map(|(now, before)| now - before).collect(),
            timings: timings.collect(),
        }
    }
}

/// Both lists side by side, the shorter one filled up with zeros.
fn zipped(one: &[f64], other: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let at = |list: &[f64], index| list.get(index).copied().unwrap_or_default();
    (0..one.len().max(other.len())).map(move |index| (at(one, index), at(other, index)))
}

/// What several servers' counters grew by over one length of time, and the figures that follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Window {
    /// Its length in seconds: the longest of any server's.
    pub(super) seconds: f64,
    sum: Growth,
    per_second: BTreeMap<Signal, f64>,
}

/// What speculation brought during a window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Speculation {
    /// Tokens that a step with a draft brought: 1 + accepted ÷ drafts.
    pub(super) length: f64,
    /// The most that it can bring: 1 + drafted ÷ drafts.
    pub(super) at_most: Option<f64>,
    /// Accepted ÷ drafted tokens.
    pub(super) rate: Option<f64>,
    /// Accepted tokens per second.
    pub(super) accepted: Option<f64>,
    /// Drafted tokens per second.
    pub(super) drafted: Option<f64>,
    /// For each position of a draft, the share of drafts whose token there was accepted.
    pub(super) by_position: Vec<f64>,
}

impl Window {
    /// Adds another server's growth over the same length of time.
    pub(super) fn add(&mut self, growth: &Growth) {
        self.seconds = self.seconds.max(growth.seconds);
        self.sum.seconds += growth.seconds;
        for (signal, value) in &growth.counters {
            *self.sum.counters.entry(*signal).or_default() += value;
            if growth.seconds > 0.0 {
                *self.per_second.entry(*signal).or_default() += value / growth.seconds;
            }
        }
        for (timing, observed) in &growth.timings {
            let sum = self.sum.timings.entry(*timing).or_default();
            sum.sum += observed.sum;
            sum.count += observed.count;
        }
        let positions = zipped(&self.sum.accepted_by_position, &growth.accepted_by_position);
        self.sum.accepted_by_position = positions.map(|(sum, more)| sum + more).collect();
    }

    /// By how much a counter grew. `None` if no server tells it, or no time has passed.
    pub(super) fn grown(&self, signal: Signal) -> Option<f64> {
        self.sum.counters.get(&signal).copied().filter(|_| self.seconds > 0.0)
    }

    /// Whether a server tells a counter.
    pub(super) fn counts(&self, signal: Signal) -> bool {
        self.sum.counters.contains_key(&signal)
    }

    /// How much a counter grew per second.
    pub(super) fn per_second(&self, signal: Signal) -> Option<f64> {
        self.per_second.get(&signal).copied()
    }

    /// The growth of one counter by that of another. `None` where the other did not grow.
    pub(super) fn share(&self, part: Signal, whole: Signal) -> Option<f64> {
        let whole = self.grown(whole).filter(|whole| *whole > 0.0)?;
        Some(self.grown(part)? / whole)
    }

    /// The share of prompt tokens that were found in the prefix cache, of those looked up; where that is not told, of all prompt tokens.
    pub(super) fn prefix_hits(&self) -> Option<f64> {
        match self.grown(Signal::PrefixQueries) {
            Some(_) => self.share(Signal::PrefixHits, Signal::PrefixQueries),
            None => self.share(Signal::CachedPromptTokens, Signal::PromptTokens),
        }
    }

    /// The mean of what a histogram gathered. `None` where it gathered nothing.
    pub(super) fn mean(&self, timing: Timing) -> Option<f64> {
        let observed = self.sum.timings.get(&timing).filter(|observed| observed.count > 0.0)?;
        Some(observed.sum / observed.count)
    }

    /// What speculation brought. `None` where no draft was written.
    pub(super) fn speculation(&self) -> Option<Speculation> {
        let drafts = self.grown(Signal::Drafts).filter(|drafts| *drafts > 0.0)?;
        let positions = self.sum.accepted_by_position.iter();
        Some(Speculation {
            length: 1.0 + self.grown(Signal::AcceptedTokens)? / drafts,
            at_most: self.grown(Signal::DraftTokens).map(|drafted| 1.0 + drafted / drafts),
            rate: self.share(Signal::AcceptedTokens, Signal::DraftTokens),
            accepted: self.per_second(Signal::AcceptedTokens),
            drafted: self.per_second(Signal::DraftTokens),
            by_position: positions.map(|accepted| accepted / drafts).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokometer_record::{Histogram, Offset, Origin};

    use super::*;

    fn reading(seconds: u64, values: &[(Signal, f64)]) -> Reading {
        Reading {
            at: Offset::after(Duration::from_secs(seconds)),
            origin: Origin::Metrics,
            source: "a".into(),
            server: "vllm".into(),
            engine: None,
            values: values.iter().copied().collect(),
            accepted_by_position: Vec::new(),
            timings: BTreeMap::new(),
        }
    }

    fn growth(readings: &[Reading]) -> Growth {
        let mut growth = Growth::default();
        for pair in readings.windows(2) {
            growth.add_step(&pair[0], &pair[1]);
        }
        growth
    }

    fn window(growths: &[Growth]) -> Window {
        let mut window = Window::default();
        growths.iter().for_each(|growth| window.add(growth));
        window
    }

    const TOKENS: Signal = Signal::GenerationTokens;

    #[test]
    fn growth_is_what_lies_between_the_readings() {
        let grown = growth(&[
            reading(0, &[(TOKENS, 100.0)]),
            reading(1, &[(TOKENS, 150.0)]),
            reading(4, &[(TOKENS, 400.0)]),
        ]);
        let window = window(&[grown]);
        assert_eq!(window.grown(TOKENS), Some(300.0));
        assert_eq!(window.per_second(TOKENS), Some(75.0));
        assert_eq!(window.grown(Signal::Preemptions), None, "nobody tells it");
    }

    #[test]
    fn a_step_in_which_a_counter_went_down_is_left_out_with_its_seconds() {
        let grown = growth(&[
            reading(0, &[(TOKENS, 1000.0), (Signal::PromptTokens, 5.0)]),
            reading(1, &[(TOKENS, 1100.0), (Signal::PromptTokens, 5.0)]),
            // It began anew, and has more prompt tokens already than before.
            reading(9, &[(TOKENS, 20.0), (Signal::PromptTokens, 50.0)]),
            reading(10, &[(TOKENS, 120.0), (Signal::PromptTokens, 60.0)]),
        ]);
        let window = window(&[grown]);
        assert_eq!(window.seconds, 2.0);
        assert_eq!(window.per_second(TOKENS), Some(100.0));
        assert_eq!(window.grown(Signal::PromptTokens), Some(10.0));
    }

    #[test]
    fn a_histogram_that_went_down_tells_a_reset_too() {
        let histogram = |sum, count| Histogram { sum, count, buckets: Vec::new() };
        let with = |seconds, sum, count| Reading {
            timings: BTreeMap::from([(Timing::Ttft, histogram(sum, count))]),
            ..reading(seconds, &[])
        };
        let mut growth = Growth::default();
        assert!(growth.add_step(&with(0, 4.0, 8.0), &with(1, 5.0, 10.0)));
        assert!(!growth.add_step(&with(1, 5.0, 10.0), &with(2, 0.1, 1.0)));
        assert_eq!(window(&[growth]).mean(Timing::Ttft), Some(0.5));
    }

    #[test]
    fn a_sum_that_rounding_makes_smaller_tells_no_reset() {
        let histogram = |sum, count| Histogram { sum, count, buckets: Vec::new() };
        let with = |seconds, sum, count| Reading {
            timings: BTreeMap::from([(Timing::Ttft, histogram(sum, count))]),
            ..reading(seconds, &[])
        };
        let mut growth = Growth::default();
        assert!(growth.add_step(&with(0, 5.000_000_1, 10.0), &with(1, 5.0, 10.0)));
        assert!(growth.add_step(&with(1, 5.0, 10.0), &with(2, 6.0, 12.0)));
        assert!((window(&[growth]).mean(Timing::Ttft).unwrap() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn where_no_time_passed_nothing_is_told() {
        let grown = growth(&[reading(0, &[(TOKENS, 1.0)]), reading(1, &[(TOKENS, 5.0)])]);
        let nothing = window(&[grown.since(&grown)]);
        assert_eq!((nothing.grown(TOKENS), nothing.per_second(TOKENS)), (None, None));
        assert!(nothing.counts(TOKENS));
    }

    #[test]
    fn gauges_may_go_down() {
        let running = |seconds, running| reading(seconds, &[(Signal::Running, running)]);
        assert!(Growth::default().add_step(&running(0, 5.0), &running(1, 0.0)));
    }

    #[test]
    fn servers_are_added_up_each_by_its_own_seconds() {
        let one = growth(&[reading(0, &[(TOKENS, 0.0)]), reading(2, &[(TOKENS, 200.0)])]);
        let other = growth(&[reading(0, &[(TOKENS, 0.0)]), reading(1, &[(TOKENS, 50.0)])]);
        let window = window(&[one, other]);
        assert_eq!(window.per_second(TOKENS), Some(150.0));
        assert_eq!(window.grown(TOKENS), Some(250.0));
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        let hits = |seconds, queries, hits| {
            reading(seconds, &[(Signal::PrefixQueries, queries), (Signal::PrefixHits, hits)])
        };
        let idle = window(&[growth(&[hits(0, 10.0, 5.0), hits(1, 10.0, 5.0)])]);
        assert_eq!(idle.prefix_hits(), None);
        let busy = window(&[growth(&[hits(0, 10.0, 5.0), hits(1, 110.0, 30.0)])]);
        assert_eq!(busy.prefix_hits(), Some(0.25));
    }

    #[test]
    fn prefix_hits_are_those_of_prompts_where_queries_are_not_told() {
        let cached = |seconds, prompt, cached| {
            reading(
                seconds,
                &[(Signal::PromptTokens, prompt), (Signal::CachedPromptTokens, cached)],
            )
        };
        let window = window(&[growth(&[cached(0, 0.0, 0.0), cached(1, 80.0, 20.0)])]);
        assert_eq!(window.prefix_hits(), Some(0.25));
    }

    #[test]
    fn speculation_follows_from_drafts_and_what_of_them_was_accepted() {
        let with = |seconds, drafts: f64, accepted: f64, positions: [f64; 2]| Reading {
            accepted_by_position: positions.to_vec(),
            ..reading(
                seconds,
                &[
                    (Signal::Drafts, drafts),
                    (Signal::DraftTokens, drafts * 2.0),
                    (Signal::AcceptedTokens, accepted),
                ],
            )
        };
        let grown =
            growth(&[with(0, 100.0, 50.0, [30.0, 20.0]), with(2, 200.0, 170.0, [110.0, 60.0])]);
        let speculation = window(&[grown]).speculation().unwrap();
        assert_eq!(
            speculation,
            Speculation {
                length: 2.2,
                at_most: Some(3.0),
                rate: Some(0.6),
                accepted: Some(60.0),
                drafted: Some(100.0),
                by_position: vec![0.8, 0.4],
            }
        );
    }

    #[test]
    fn since_tells_the_part_that_came_later() {
        let readings: Vec<_> =
            (0..5).map(|second| reading(second, &[(TOKENS, (second * second) as f64)])).collect();
        let later = growth(&readings).since(&growth(&readings[..3]));
        assert_eq!(later, growth(&readings[2..]));
    }
}
