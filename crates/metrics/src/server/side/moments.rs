//! How the service's figures went over time: a moment each hearing, and never so many that a report of them would be a burden.

use std::collections::BTreeMap;

use tokometer_record::{Offset, Signal};

use super::Moment;
use super::growth::Stand;
use super::heard::{Gauged, Hearing, Source};

/// The figures at each hearing, from `began` on. Counters of the sources in `counting` alone are followed. Above [`MOST`]
/// moments, neighbours become one: gauges and rates by their mean, preemptions by their sum, at the last one's time.
pub(super) fn moments(
    sources: &[Source<'_>],
    hearings: &[Hearing<'_>],
    gauged: &[Gauged],
    counting: &[bool],
    began: Offset,
) -> Vec<Moment> {
    let mut followed: Vec<Followed> = vec![Followed::default(); sources.len()];
    let raw = hearings.iter().zip(gauged).map(|(hearing, gauged)| {
        let mut sum = Sum::default();
        for &(place, reading) in hearing.readings.iter().filter(|(place, _)| counting[*place]) {
            let followed = &mut followed[place];
            let step = followed.stand.step(reading).values;
            if let Some(before) = followed.at.replace(reading.at) {
                let seconds = (reading.at - before).as_secs_f64();
                sum.count(&step);
                for signal in [Signal::PromptTokens, Signal::GenerationTokens] {
                    let tokens = step.get(&signal).filter(|_| seconds > 0.0);
                    if let Some(tokens) = tokens {
                        followed.rates.insert(signal, (reading.at, tokens / seconds));
                    }
                }
            }
        }
        let rate = |signal| {
            let standing = sources.iter().zip(&followed).filter_map(|(source, followed)| {
                let &(at, rate) = followed.rates.get(&signal)?;
                source.stands(at, hearing.at).then_some(rate)
            });
            standing.reduce(|sum, rate| sum + rate)
        };
        let gauge = |signal| gauged.values.get(&signal).copied();
        Sum {
            at: hearing.at.since(began).as_secs_f64(),
            gauges: [
                gauge(Signal::Running),
                gauge(Signal::Waiting),
                gauge(Signal::KvUsage),
                rate(Signal::PromptTokens).or_else(|| gauge(Signal::PromptThroughput)),
                rate(Signal::GenerationTokens).or_else(|| gauge(Signal::GenerationThroughput)),
            ],
            ..sum
        }
    });
    let raw: Vec<Sum> = raw.collect();
    raw.chunks(raw.len().div_ceil(MOST).max(1)).map(Sum::moment).collect()
}

/// A source whose counters are followed.
#[derive(Clone, Debug, Default)]
struct Followed {
    stand: Stand,
    at: Option<Offset>,
    /// Tokens per second as of the last reading.
    rates: BTreeMap<Signal, (Offset, f64)>,
}

/// A moment, before neighbours become one.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    at: f64,
    /// Running, waiting, usage of the KV cache, prompt and generation throughput.
    gauges: [Option<f64>; 5],
    preemptions: Option<f64>,
    /// Queries of the prefix cache, and hits.
    prefix: Option<(f64, f64)>,
}

impl Sum {
    fn count(&mut self, step: &BTreeMap<Signal, f64>) {
        let of = |signal| step.get(&signal).copied();
        self.preemptions = add(self.preemptions, of(Signal::Preemptions));
        let own = of(Signal::PrefixQueries).zip(of(Signal::PrefixHits));
        let prefix = own.or_else(|| of(Signal::PromptTokens).zip(of(Signal::CachedPromptTokens)));
        self.prefix = both(self.prefix, prefix);
    }

    fn moment(sums: &[Self]) -> Moment {
        let mean = |gauge: usize| {
            let values = sums.iter().filter_map(|sum| sum.gauges[gauge]);
            let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
            (n > 0.0).then(|| sum / n)
        };
        let prefix = sums.iter().fold(None, |all, sum| both(all, sum.prefix));
        Moment {
            at: sums.last().map_or(0.0, |sum| sum.at),
            running: mean(0),
            waiting: mean(1),
            kv_usage: mean(2),
            prompt_throughput: mean(3),
            generation_throughput: mean(4),
            preemptions: sums.iter().fold(None, |all, sum| add(all, sum.preemptions)),
            prefix_hit_rate: prefix
                .and_then(|(queries, hits)| (queries > 0.0).then(|| hits / queries)),
        }
    }
}

fn add(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (known, None) | (None, known) => known,
    }
}

fn both(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0 + b.0, a.1 + b.1)),
        (known, None) | (None, known) => known,
    }
}

/// More moments than this are thinned out.
pub(super) const MOST: usize = 600;

#[cfg(test)]
mod tests {
    use tokometer_record::{Origin, Reading};

    use super::*;
    use crate::server::side::testing::reading;

    fn over(readings: &[Reading]) -> Vec<Moment> {
        let sources = Source::all(readings, &[], Origin::Metrics);
        let hearings = Hearing::all(&sources);
        let gauged = Gauged::all(&sources, &hearings);
        moments(&sources, &hearings, &gauged, &vec![true; sources.len()], Offset::ZERO)
    }

    fn at(at: u64, source: &str, tokens: f64, running: f64) -> Reading {
        reading(at, source, &[(Signal::GenerationTokens, tokens), (Signal::Running, running)])
    }

    #[test]
    fn rates_are_since_the_moment_before() {
        let told =
            over(&[at(0, "a", 100.0, 1.0), at(500, "a", 150.0, 2.0), at(1_500, "a", 450.0, 3.0)]);
        let rates: Vec<_> =
            told.iter().map(|m| (m.at, m.running, m.generation_throughput)).collect();
        let expected =
            [(0.0, Some(1.0), None), (0.5, Some(2.0), Some(100.0)), (1.5, Some(3.0), Some(300.0))];
        assert_eq!(rates, expected);
        assert_eq!(told[2].preemptions, None);
    }

    #[test]
    fn rates_of_sources_add_up_though_one_misses_a_turn() {
        let told = over(&[
            at(0, "a", 0.0, 0.0),
            at(10, "b", 0.0, 0.0),
            at(1_000, "a", 100.0, 0.0),
            at(1_010, "b", 50.0, 0.0),
            at(2_000, "a", 300.0, 0.0),
        ]);
        let rates: Vec<_> = told.iter().map(|moment| moment.generation_throughput).collect();
        assert_eq!(rates, [None, Some(150.0), Some(250.0)]);
    }

    #[test]
    fn the_hit_rate_is_that_of_the_moment() {
        let at = |at, queries, hits| {
            reading(
                at,
                "a",
                &[
                    (Signal::PrefixQueries, queries),
                    (Signal::PrefixHits, hits),
                    (Signal::Preemptions, hits),
                ],
            )
        };
        let told = over(&[at(0, 100.0, 90.0), at(500, 140.0, 100.0), at(1_000, 140.0, 100.0)]);
        let rates: Vec<_> = told.iter().map(|m| (m.prefix_hit_rate, m.preemptions)).collect();
        assert_eq!(rates, [(None, None), (Some(0.25), Some(10.0)), (None, Some(0.0))]);
    }

    #[test]
    fn a_server_that_only_reckons_is_believed() {
        let told = over(&[reading(0, "a", &[(Signal::GenerationThroughput, 42.0)])]);
        assert_eq!(told[0].generation_throughput, Some(42.0));
    }

    #[test]
    fn a_long_point_is_thinned_out_and_loses_nothing_that_adds_up() {
        let many: Vec<_> = (0..5_000)
            .map(|i| {
                reading(i * 500, "a", &[(Signal::Preemptions, i as f64), (Signal::Running, 7.0)])
            })
            .collect();
        let told = over(&many);
        assert!(told.len() <= MOST && told.len() > MOST / 2, "{}", told.len());
        assert_eq!(told.iter().filter_map(|moment| moment.preemptions).sum::<f64>(), 4_999.0);
        assert!(told.iter().all(|moment| moment.running == Some(7.0)));
        assert_eq!(told.last().unwrap().at, 2_499.5);
    }
}
