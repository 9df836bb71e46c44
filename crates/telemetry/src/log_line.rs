//! Lines of servers' logs that tell figures.
//!
//! Read by their keys, not by their places: fields come and go from version to version, and one that is not known costs
//! nothing. What stands before a line (a time, a process, colours, a container's name) is of no matter. Deliberately
//! nothing is added up here: a line says what it says.

mod fields;
mod sglang;
mod vllm;

use std::borrow::Cow;
use std::collections::BTreeMap;

use tokometer_record::{Offset, Origin, Reading, Signal};

use fields::Unreadable;

/// What a line of a log says.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// The server whose form it has: `vllm`, `sglang`.
    pub server: &'static str,
    /// The engine that it speaks of, where it names one.
    pub engine: Option<String>,
    /// Its figures: gauges alone, shares between 0 and 1. What a line counts since the line before it (vLLM's
    /// preemptions, and its accepted and drafted tokens) is no counter in the sense of [`Signal`], and is left out.
    pub values: BTreeMap<Signal, f64>,
    /// For each position of a draft, the share of drafts whose token there was accepted.
    pub accepted_by_position: Vec<f64>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It tells figures.
    Figures(LogLine),
    /// It begins like one that does, and a figure in it that is known cannot be read, or one that is never left out is
    /// not there.
    Garbled,
    /// It speaks of something else.
    Other,
}

/// What a line of a log says, whichever server wrote it.
pub fn read(line: &str) -> Heard {
    let line = without_colours(line);
    match vllm::read(&line).or_else(|| sglang::read(&line)) {
        Some(Ok(figures)) => Heard::Figures(figures),
        Some(Err(Unreadable)) => Heard::Garbled,
        None => Heard::Other,
    }
}

impl LogLine {
    /// The line as a reading of this log at this moment.
    pub fn reading(self, source: &str, at: Offset) -> Reading {
        Reading {
            at,
            origin: Origin::Log,
            source: source.to_owned(),
            server: self.server.to_owned(),
            engine: self.engine,
            values: self.values,
            accepted_by_position: self.accepted_by_position,
            timings: BTreeMap::new(),
        }
    }
}

/// The line without the sequences by which a terminal is told colours (ECMA-48's CSI: `ESC [`, parameters, and a last
/// byte from `@` to `~`).
fn without_colours(line: &str) -> Cow<'_, str> {
    if !line.contains(ESCAPE) {
        return Cow::Borrowed(line);
    }
    let mut pieces = line.split(ESCAPE);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.strip_prefix('[').map_or(piece, |sequence| {
            let end = sequence.find(|c: char| ('@'..='~').contains(&c));
            end.map_or("", |end| &sequence[end + 1..])
        });
        plain.push_str(rest);
    }
    Cow::Owned(plain)
}

const ESCAPE: char = '\x1b';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokometer_record::Signal::*;

    use super::*;

    const CAPTURED: &str = include_str!("testdata/vllm-engine.log");

    fn figures(line: &str) -> LogLine {
        match read(line) {
            Heard::Figures(figures) => figures,
            other => panic!("{other:?}: {line}"),
        }
    }

    #[test]
    fn every_line_of_a_real_log_is_read() {
        let lines: Vec<_> = CAPTURED.lines().map(figures).collect();
        assert_eq!(lines.len(), 15);
        assert!(lines.iter().all(|line| line.server == "vllm"));
        let running: Vec<_> = lines.iter().filter_map(|line| line.values.get(&Running)).collect();
        let expected = [0, 0, 16, 16, 16, 16, 16, 16, 16, 0, 0, 1, 0].map(f64::from);
        assert_eq!(running, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_real_engine_line_has_the_values_it_shows() {
        let line = figures(CAPTURED.lines().nth(4).unwrap());
        assert_eq!(line.engine.as_deref(), Some("000"));
        let expected = [
            (Running, 16.0),
            (Waiting, 0.0),
            (KvUsage, 0.0),
            (PromptThroughput, 172.7),
            (GenerationThroughput, 103.8),
            (PrefixHitRate, 0.0),
        ];
        assert_eq!(line.values, expected.into());
        assert_eq!(line.accepted_by_position, Vec::<f64>::new());
    }

    #[test]
    fn a_real_line_of_speculation_has_the_values_it_shows() {
        let line = figures(CAPTURED.lines().nth(12).unwrap());
        assert_eq!(line.engine, None);
        let expected = [
            (AcceptanceLength, 4.8),
            (AcceptedThroughput, 8.92),
            (DraftedThroughput, 8.92),
            (AcceptanceRate, 1.0),
        ];
        assert_eq!(line.values, expected.into());
        assert_eq!(line.accepted_by_position, [1.0, 1.0, 0.902, 0.902]);
    }

    #[test]
    fn colours_are_of_no_matter() {
        let plain = "INFO Engine 001: Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 tokens/s, Running: 3 reqs, \
                     Waiting: 4 reqs, GPU KV cache usage: 5.0%";
        let coloured = format!("\x1b[0;36m(APIServer pid=1)\x1b[0;0m \x1b[32m{plain}\x1b[0m");
        assert_eq!(read(&coloured), read(plain));
        assert_eq!(figures(plain).values.get(&KvUsage), Some(&0.05));
    }

    #[test]
    fn lines_of_something_else_are_other() {
        for line in [
            "",
            "INFO started",
            "INFO 127.0.0.1 - \"POST /v1/completions HTTP/1.1\" 200 OK",
            "\x1b[",
            "\x1b",
        ] {
            assert_eq!(read(line), Heard::Other, "{line}");
        }
    }

    /// Something between nothing and a line that is nearly right.
    fn nearly() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "Engine 000: ",
            "2 Engines Aggregated: ",
            "Avg prompt throughput: ",
            "SpecDecoding metrics: ",
            "Decode batch, #",
            "Prefill batch. #",
            "running-req: ",
            "Running: ",
            "Per-position acceptance rate: ",
            "GPU KV cache usage: ",
            "1.5",
            "nan",
            "%",
            " tokens/s",
            " reqs",
            ", ",
            "\x1b[0m",
            "\u{e9}",
            "[DP",
        ]);
        prop::collection::vec(prop_oneof![words.prop_map(str::to_owned), ".{0,4}"], 0..16)
            .prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in nearly()) {
            read(&line);
        }

        #[test]
        fn what_is_read_is_finite(line in nearly()) {
            if let Heard::Figures(figures) = read(&line) {
                prop_assert!(figures.values.values().chain(&figures.accepted_by_position).all(|value| value.is_finite()));
            }
        }
    }
}
