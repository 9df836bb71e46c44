//! What caches found and what drafts brought during a point: by counters, and where a server keeps none by its own reckoning.
//!
//! A server's own reckoning is over a time of its choosing (vLLM's log: the last thousand requests; SGLang: the last step),
//! so it is taken only where nothing was counted, and is marked as such.

use tokometer_record::Signal;

use super::growth::Growth;
use super::heard::{Gauged, Load};
use super::levels::weighted;
use super::{Cache, Speculated};

/// The prefix cache: by its own counters, or else by how many prompt tokens a cache knew, or else by the gauge.
pub(super) fn prefix(growth: &Growth, gauged: &[Gauged], load: Load) -> Option<Cache> {
    let pairs = [
        (Signal::PrefixQueries, Signal::PrefixHits),
        (Signal::PromptTokens, Signal::CachedPromptTokens),
    ];
    cache(growth, &pairs, gauged, load, Signal::PrefixHitRate)
}

/// An external cache.
pub(super) fn external(growth: &Growth, gauged: &[Gauged], load: Load) -> Option<Cache> {
    let pairs = [(Signal::ExternalQueries, Signal::ExternalHits)];
    cache(growth, &pairs, gauged, load, Signal::ExternalHitRate)
}

/// The multimodal cache.
pub(super) fn multimodal(growth: &Growth, gauged: &[Gauged], load: Load) -> Option<Cache> {
    let pairs = [(Signal::MultimodalQueries, Signal::MultimodalHits)];
    cache(growth, &pairs, gauged, load, Signal::MultimodalHitRate)
}

/// By the first pair of counters that the server keeps. `None` where nothing was looked up.
fn cache(
    growth: &Growth,
    pairs: &[(Signal, Signal)],
    gauged: &[Gauged],
    load: Load,
    gauge: Signal,
) -> Option<Cache> {
    let kept = |&(queries, hits): &(Signal, Signal)| {
        Some((growth.of_signal(queries)?, growth.of_signal(hits)?))
    };
    if let Some((queries, hits)) = pairs.iter().find_map(kept) {
        return (queries > 0.0).then_some(Cache { queries, hits, reckoned: None });
    }
    let reckoned = weighted(gauged, load, (gauge, 0.0), &[Signal::Running])?;
    Some(Cache { queries: 0.0, hits: 0.0, reckoned: Some(reckoned) })
}

/// Speculative decoding over `seconds`: by counters, or else by gauges.
pub(super) fn speculation(
    growth: &Growth,
    gauged: &[Gauged],
    load: Load,
    seconds: f64,
) -> Option<Speculated> {
    let counted =
        growth.of_signal(Signal::DraftTokens).zip(growth.of_signal(Signal::AcceptedTokens));
    let Some((drafted, accepted)) = counted else { return reckoned(gauged, gauged, load) };
    if drafted <= 0.0 {
        return None;
    }
    let drafts = growth.of_signal(Signal::Drafts).filter(|&drafts| drafts > 0.0);
    let acceptance_length = match drafts {
        Some(drafts) => 1.0 + accepted / drafts,
        None => length(gauged, load)?,
    };
    let per_second = |tokens: f64| (seconds > 0.0).then(|| tokens / seconds);
    let share = |drafts: f64| growth.positions.iter().map(|tokens| tokens / drafts).collect();
    Some(Speculated {
        acceptance_length,
        acceptance_rate: Some(accepted / drafted),
        accepted_throughput: per_second(accepted),
        drafted_throughput: per_second(drafted),
        by_position: drafts.map_or_else(Vec::new, share),
        reckoned: false,
    })
}

/// Speculative decoding as the server reckons it in gauges, or in lines of its log: throughputs by those that are of the load
/// alone.
pub(super) fn reckoned(
    gauged: &[Gauged],
    of_the_load: &[Gauged],
    load: Load,
) -> Option<Speculated> {
    let mean = |signal| weighted(of_the_load, load, (signal, 0.0), &WEIGHTS[1..]);
    Some(Speculated {
        acceptance_length: length(gauged, load)?,
        acceptance_rate: weighted(gauged, load, (Signal::AcceptanceRate, 0.0), &WEIGHTS),
        accepted_throughput: mean(Signal::AcceptedThroughput),
        drafted_throughput: mean(Signal::DraftedThroughput),
        by_position: Vec::new(),
        reckoned: true,
    })
}

/// A step brings a token at least: less is how a gauge says that nothing was drafted.
fn length(gauged: &[Gauged], load: Load) -> Option<f64> {
    weighted(gauged, load, (Signal::AcceptanceLength, 1.0), &WEIGHTS)
}

/// What a reckoning of drafts weighs by: the drafts of its time, or else the requests that ran.
const WEIGHTS: [Signal; 2] = [Signal::DraftedThroughput, Signal::Running];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::ms;

    const LOAD: Load = Load {
        begin: tokometer_record::Offset::ZERO,
        end: tokometer_record::Offset::from_nanos(2_000_000_000),
    };

    fn grown(values: &[(Signal, f64)]) -> Growth {
        Growth { grown: values.iter().copied().collect(), ..Growth::default() }
    }

    fn gauged(values: &[(Signal, f64)]) -> Vec<Gauged> {
        vec![Gauged { at: ms(500), values: values.iter().copied().collect() }]
    }

    #[test]
    fn a_cache_is_told_by_the_best_that_the_server_keeps() {
        let own = [(Signal::PrefixQueries, 100.0), (Signal::PrefixHits, 25.0)];
        let tokens = [(Signal::PromptTokens, 200.0), (Signal::CachedPromptTokens, 20.0)];
        let gauge = gauged(&[(Signal::PrefixHitRate, 0.7)]);
        let both = grown(&[own, tokens].concat());
        let rate =
            |growth: &Growth| prefix(growth, &gauge, LOAD).and_then(|cache| cache.hit_rate());
        assert_eq!(rate(&both), Some(0.25));
        assert_eq!(rate(&grown(&tokens)), Some(0.1));
        assert_eq!(rate(&Growth::default()), Some(0.7));
        assert_eq!(prefix(&Growth::default(), &gauge, LOAD).unwrap().queries, 0.0);
    }

    #[test]
    fn a_cache_that_was_asked_nothing_says_nothing() {
        let idle = grown(&[(Signal::ExternalQueries, 0.0), (Signal::ExternalHits, 0.0)]);
        assert_eq!(external(&idle, &gauged(&[(Signal::ExternalHitRate, 0.5)]), LOAD), None);
        assert_eq!(multimodal(&Growth::default(), &[], LOAD), None);
    }

    #[test]
    fn speculation_is_counted_where_it_is_counted() {
        // What the captured vLLM 0.32 had counted: 75 drafts of 288 tokens, all of them accepted.
        let mut growth = grown(&[
            (Signal::Drafts, 75.0),
            (Signal::DraftTokens, 288.0),
            (Signal::AcceptedTokens, 288.0),
        ]);
        growth.positions = vec![75.0, 75.0, 69.0, 69.0];
        let told =
            speculation(&growth, &gauged(&[(Signal::AcceptanceLength, 9.0)]), LOAD, 2.0).unwrap();
        assert_eq!(told.acceptance_length, 4.84);
        assert_eq!((told.acceptance_rate, told.accepted_throughput), (Some(1.0), Some(144.0)));
        assert_eq!(told.by_position, [1.0, 1.0, 0.92, 0.92]);
        assert!(!told.reckoned);
    }

    #[test]
    fn a_gauge_tells_of_speculation_where_nothing_is_counted() {
        let told =
            speculation(&Growth::default(), &gauged(&[(Signal::AcceptanceLength, 2.5)]), LOAD, 2.0);
        let told = told.unwrap();
        assert_eq!(
            (told.acceptance_length, told.acceptance_rate, told.reckoned),
            (2.5, None, true)
        );
        let idle = gauged(&[(Signal::AcceptanceLength, 0.0)]);
        assert_eq!(speculation(&Growth::default(), &idle, LOAD, 2.0), None);
    }

    #[test]
    fn without_drafts_there_was_no_speculation() {
        let none = grown(&[
            (Signal::Drafts, 0.0),
            (Signal::DraftTokens, 0.0),
            (Signal::AcceptedTokens, 0.0),
        ]);
        assert_eq!(
            speculation(&none, &gauged(&[(Signal::AcceptanceLength, 2.5)]), LOAD, 2.0),
            None
        );
    }

    #[test]
    fn the_length_is_the_gauge_s_where_drafts_are_not_counted() {
        let growth = grown(&[(Signal::DraftTokens, 30.0), (Signal::AcceptedTokens, 12.0)]);
        let told =
            speculation(&growth, &gauged(&[(Signal::AcceptanceLength, 2.2)]), LOAD, 2.0).unwrap();
        assert_eq!((told.acceptance_length, told.acceptance_rate), (2.2, Some(0.4)));
        assert_eq!(told.by_position, [0.0; 0]);
    }
}
