//! vLLM's lines: how its engine does, and what speculation brings.
//!
//! Both are written every ten seconds unless the server was told otherwise; throughputs are over the time since the line
//! before, hit rates over the last thousand requests, and everything else is of the moment. An engine that has nothing to
//! do falls silent.

use std::collections::BTreeMap;

use tokometer_record::Signal;

use super::LogLine;
use super::fields::{Unit, Unreadable, fields, figure};

/// What one of vLLM's lines says. `None` if it is none.
pub(super) fn read(line: &str) -> Option<Result<LogLine, Unreadable>> {
    if let Some(at) = beginning(line, ENGINE) {
        return Some(engine(&line[..at], &line[at..]));
    }
    beginning(line, SPECULATION).map(|at| speculation(&line[at + SPECULATION.len()..]))
}

/// Where a line's own words begin: at its start, or behind what ends a word.
fn beginning(line: &str, words: &str) -> Option<usize> {
    let apart = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric());
    line.match_indices(words).map(|(at, _)| at).find(|&at| apart(&line[..at]))
}

/// `Engine 000: Avg prompt throughput: 0.6 tokens/s, …`
fn engine(head: &str, text: &str) -> Result<LogLine, Unreadable> {
    let mut values = BTreeMap::new();
    for field in fields(text) {
        let Some((signal, unit)) = field.key.and_then(of_engine) else { continue };
        if let Some(value) = figure(field.value, unit)? {
            // Before V1 a second line of usage spoke of the host's memory; the first is the device's.
            values.entry(signal).or_insert(value);
        }
    }
    let whole = [Signal::Running, Signal::Waiting].iter().all(|signal| values.contains_key(signal));
    if !whole {
        return Err(Unreadable);
    }
    Ok(LogLine { server: NAME, engine: engine_of(head), values, accepted_by_position: Vec::new() })
}

fn of_engine(key: &str) -> Option<(Signal, Unit)> {
    Some(match key {
        "Avg prompt throughput" => (Signal::PromptThroughput, Unit::TokensPerSecond),
        "Avg generation throughput" => (Signal::GenerationThroughput, Unit::TokensPerSecond),
        "Running" => (Signal::Running, Unit::Requests),
        // Before V1: Pending.
        "Waiting" | "Pending" => (Signal::Waiting, Unit::Requests),
        "Deferred" => (Signal::WaitingDeferred, Unit::Requests),
        "Prefix cache hit rate" => (Signal::PrefixHitRate, Unit::Percent),
        "External prefix cache hit rate" => (Signal::ExternalHitRate, Unit::Percent),
        "MM cache hit rate" => (Signal::MultimodalHitRate, Unit::Percent),
        // Whatever the device is called: GPU, CPU, TPU, …
        _ if key.ends_with("KV cache usage") => (Signal::KvUsage, Unit::Percent),
        _ => return None,
    })
}

/// The engine that a head names: `Engine 000: `. None in `2 Engines Aggregated: `, which speaks of all, and before V1.
fn engine_of(head: &str) -> Option<String> {
    let number = head.strip_suffix(": ")?.rsplit_once("Engine ")?.1;
    let named = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    named.then(|| number.to_owned())
}

/// `SpecDecoding metrics: Mean acceptance length: 4.80, …`, without its head. The shares by position are a list within
/// the list.
fn speculation(text: &str) -> Result<LogLine, Unreadable> {
    let mut values = BTreeMap::new();
    let (mut by_position, mut in_list) = (Vec::new(), false);
    for field in fields(text) {
        in_list = field.key.map_or(in_list, |key| key == BY_POSITION);
        if in_list {
            // No position at all is an empty list.
            if !field.value.is_empty() {
                by_position.push(figure(field.value, Unit::Plain)?);
            }
        } else if let Some((signal, unit)) = field.key.and_then(of_speculation) {
            values.extend(figure(field.value, unit)?.map(|value| (signal, value)));
        }
    }
    if values.is_empty() {
        return Err(Unreadable);
    }
    // A position that was never reached has no share, and then the list would have another meaning from there on.
    let accepted_by_position = by_position.into_iter().collect::<Option<_>>().unwrap_or_default();
    Ok(LogLine { server: NAME, engine: None, values, accepted_by_position })
}

fn of_speculation(key: &str) -> Option<(Signal, Unit)> {
    Some(match key {
        "Mean acceptance length" => (Signal::AcceptanceLength, Unit::Plain),
        "Accepted throughput" => (Signal::AcceptedThroughput, Unit::TokensPerSecond),
        "Drafted throughput" => (Signal::DraftedThroughput, Unit::TokensPerSecond),
        // Before 0.10: without Avg.
        "Avg Draft acceptance rate" | "Draft acceptance rate" => {
            (Signal::AcceptanceRate, Unit::Percent)
        }
        _ => return None,
    })
}

const NAME: &str = "vllm";
const ENGINE: &str = "Avg prompt throughput: ";
const SPECULATION: &str = "SpecDecoding metrics: ";
const BY_POSITION: &str = "Per-position acceptance rate";

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::option::of;
    use proptest::prelude::*;
    use tokometer_record::Signal::*;

    use super::super::{Heard, read};
    use super::*;

    const LINE: &str = "Avg prompt throughput: 1.5 tokens/s, Avg generation throughput: 2.5 tokens/s, Running: 3 reqs, Waiting: 4 reqs";

    fn figures(line: &str) -> LogLine {
        match read(line) {
            Heard::Figures(figures) => figures,
            other => panic!("{other:?}: {line}"),
        }
    }

    #[test]
    fn all_optional_fields_are_read_and_others_tolerated() {
        let line = format!(
            "Engine 003: {LINE}, Deferred: 1 reqs, KV fetch: 1 waiting to start, 2 in progress, 3 completed waiting, Preemptions: 7, \
             XPU KV cache usage: 98.7%, Prefix cache hit rate: 12.5%, Corrupted: 0 reqs, External prefix cache hit rate: 50.0%, \
             MM cache hit rate: 75.0%, Of tomorrow: maybe"
        );
        let line = figures(&line);
        let expected = [
            (PromptThroughput, 1.5),
            (GenerationThroughput, 2.5),
            (Running, 3.0),
            (Waiting, 4.0),
            (WaitingDeferred, 1.0),
            (KvUsage, 0.987),
            (PrefixHitRate, 0.125),
            (ExternalHitRate, 0.5),
            (MultimodalHitRate, 0.75),
        ];
        assert_eq!(line.values, expected.into());
        assert_eq!(line.engine.as_deref(), Some("003"));
    }

    #[test]
    fn only_a_head_of_one_engine_names_one() {
        let engine = |head: &str| figures(&format!("{head}{LINE}")).engine;
        assert_eq!(engine(""), None);
        assert_eq!(engine("INFO [loggers.py:1] 2 Engines Aggregated: "), None);
        assert_eq!(engine("vllm-1  | (APIServer pid=1) INFO Engine 012: ").as_deref(), Some("012"));
    }

    #[test]
    fn a_line_from_before_v1_is_read() {
        let line = figures(
            "INFO 01-01 00:00:00 metrics.py:345] Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: 9.9 tokens/s, \
             Running: 1 reqs, Swapped: 0 reqs, Pending: 2 reqs, GPU KV cache usage: 25.0%, CPU KV cache usage: 0.0%.",
        );
        assert_eq!(line.values.get(&Waiting), Some(&2.0));
        assert_eq!(line.values.get(&KvUsage), Some(&0.25));
    }

    #[test]
    fn a_line_inside_json_is_read() {
        let line = figures(&format!(
            r#"{{"level": "INFO", "message": "Engine 000: {LINE}, GPU KV cache usage: 5.0%"}}"#
        ));
        assert_eq!(line.values.get(&KvUsage), Some(&0.05));
        assert_eq!(line.engine.as_deref(), Some("000"));
    }

    #[test]
    fn half_written_lines_are_garbled() {
        for line in [
            "Engine 000: Avg prompt throughput: 0.6 tok",
            "Engine 000: Avg prompt throughput: 0.6 tokens/s, Avg gener",
            "Engine 000: Avg prompt throughput: 0,6 tokens/s, Avg generation throughput: 1,0 tokens/s, Running: 0 reqs, Waiting: 0 reqs",
            "Avg prompt throughput: 1.5 tokens/s, Avg generation throughput: 2.5 tokens/s, Running: 3 reqs, Waiting: 4 reqs, GPU KV cache usage: 1",
            "SpecDecoding metrics: Mean acc",
            "SpecDecoding metrics: Mean acceptance length: 4.80, Per-position acceptance rate: 1.000, 0.9x",
        ] {
            assert_eq!(read(line), Heard::Garbled, "{line}");
        }
    }

    #[test]
    fn speculation_without_a_draft_has_a_length_alone() {
        let line = figures(
            "SpecDecoding metrics: Mean acceptance length: 1.00, Per-position acceptance rate: , Avg Draft acceptance rate: nan%",
        );
        assert_eq!(line.values, [(AcceptanceLength, 1.0)].into());
        assert_eq!(line.accepted_by_position, Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn a_line_that_was_written_is_read(
            (prompt, generation, running, waiting, usage) in (0..90_000_u32, 0..90_000_u32, 0..5_000_u32, 0..5_000_u32, 0..=1_000_u32),
            (deferred, prefix, external, multimodal) in (of(1..99_u32), of(0..=1_000_u32), of(0..=1_000_u32), of(0..=1_000_u32)),
            device in "[A-Z]{2,4}",
        ) {
            let tenth = |tenths: u32| format!("{:.1}", f64::from(tenths) / 10.0);
            let mut line = format!(
                "INFO Engine 000: Avg prompt throughput: {} tokens/s, Avg generation throughput: {} tokens/s, Running: {running} reqs, Waiting: {waiting} reqs",
                tenth(prompt), tenth(generation),
            );
            if let Some(deferred) = deferred {
                write!(line, ", Deferred: {deferred} reqs").unwrap();
            }
            write!(line, ", {device} KV cache usage: {}%", tenth(usage)).unwrap();
            let rates = [("Prefix", prefix), ("External prefix", external), ("MM", multimodal)];
            for (name, rate) in rates {
                if let Some(rate) = rate {
                    write!(line, ", {name} cache hit rate: {}%", tenth(rate)).unwrap();
                }
            }
            let read = figures(&line).values;
            let told = |signal| read.get(&signal).map(|value: &f64| (value * 1e6).round());
            let share = |tenths: u32| f64::from(tenths) * 1e3;
            prop_assert_eq!(told(PromptThroughput), Some(f64::from(prompt) * 1e5));
            prop_assert_eq!(told(GenerationThroughput), Some(f64::from(generation) * 1e5));
            prop_assert_eq!(told(Running), Some(f64::from(running) * 1e6));
            prop_assert_eq!(told(Waiting), Some(f64::from(waiting) * 1e6));
            prop_assert_eq!(told(KvUsage), Some(share(usage)));
            prop_assert_eq!(told(WaitingDeferred), deferred.map(|count| f64::from(count) * 1e6));
            prop_assert_eq!(told(PrefixHitRate), prefix.map(share));
            prop_assert_eq!(told(ExternalHitRate), external.map(share));
            prop_assert_eq!(told(MultimodalHitRate), multimodal.map(share));
        }

        #[test]
        fn shares_by_position_that_were_written_are_read(
            length in 100..900_u32, positions in prop::collection::vec(0..=1_000_u32, 0..8), rate in 0..=1_000_u32,
        ) {
            let thousandth = |part: &u32| format!("{:.3}", f64::from(*part) / 1e3);
            let list = positions.iter().map(thousandth).collect::<Vec<_>>().join(", ");
            let line = figures(&format!(
                "SpecDecoding metrics: Mean acceptance length: {:.2}, Accepted throughput: 1.00 tokens/s, Drafted throughput: 2.00 tokens/s, \
                 Accepted: 10 tokens, Drafted: 20 tokens, Per-position acceptance rate: {list}, Avg Draft acceptance rate: {:.1}%",
                f64::from(length) / 100.0, f64::from(rate) / 10.0,
            ));
            let read: Vec<_> = line.accepted_by_position.iter().map(thousandths).collect();
            prop_assert_eq!(read, positions);
            prop_assert_eq!(thousandths(&line.values[&AcceptanceRate]), rate);
            prop_assert_eq!(thousandths(&line.values[&AcceptanceLength]), length * 10);
        }
    }

    fn thousandths(value: &f64) -> u32 {
        (value * 1e3).round() as u32
    }
}
