//! SGLang's lines: one for a batch that was prefilled, and one for every so many steps of decoding.
//!
//! The requests that a prefill line calls running are those that decode beside it: the new ones (`#new-seq`) are not
//! among them.

use std::collections::BTreeMap;

use tokometer_record::Signal;

use super::LogLine;
use super::fields::{Unit, Unreadable, fields, figure};

/// What one of SGLang's lines says. `None` if it is none.
pub(super) fn read(line: &str) -> Option<Result<LogLine, Unreadable>> {
    let (at, words) = BATCHES.iter().find_map(|words| Some((line.find(words)?, *words)))?;
    let text = behind_head(&line[at + words.len()..])?;
    Some(batch(&line[..at], text))
}

/// What follows `Decode batch`: a comma, or in older versions a full stop, and before it perhaps the number of the step.
fn behind_head(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(" [").map_or(Some(rest), |step| Some(step.split_once(']')?.1))?;
    let text = rest.strip_prefix([',', '.'])?.trim_start();
    text.starts_with('#').then_some(text)
}

fn batch(head: &str, text: &str) -> Result<LogLine, Unreadable> {
    let mut values = BTreeMap::new();
    let mut usage: Option<f64> = None;
    let (mut computed, mut cached) = (None, None);
    for field in fields(text) {
        let Some((what, unit)) = field.key.and_then(of_batch) else { continue };
        let Some(value) = figure(field.value, unit)? else { continue };
        match what {
            What::Figure(signal) => {
                values.insert(signal, value);
            }
            // A model with several pools of tokens is as full as its fullest.
            What::Usage => usage = Some(usage.map_or(value, |other| other.max(value))),
            What::Computed => computed = Some(value),
            What::Cached => cached = Some(value),
        }
    }
    if !values.contains_key(&Signal::Waiting) {
        return Err(Unreadable);
    }
    values.extend(usage.map(|usage| (Signal::KvUsage, usage)));
    if let Some(rate) = hit_rate(computed, cached) {
        values.entry(Signal::PrefixHitRate).or_insert(rate);
    }
    Ok(LogLine { server: NAME, engine: replica_of(head), values, accepted_by_position: Vec::new() })
}

/// SGLang's own definition of its hit rate, over the one batch: cached ÷ (cached + computed) tokens.
fn hit_rate(computed: Option<f64>, cached: Option<f64>) -> Option<f64> {
    let (computed, cached) = (computed?, cached?);
    (computed + cached > 0.0).then(|| cached / (computed + cached))
}

enum What {
    Figure(Signal),
    /// The share of a pool of tokens that is in use.
    Usage,
    /// Prompt tokens that the batch computed.
    Computed,
    /// Prompt tokens that the cache knew.
    Cached,
}

fn of_batch(key: &str) -> Option<(What, Unit)> {
    let figure = |signal| (What::Figure(signal), Unit::Plain);
    Some(match key {
        "#running-req" => figure(Signal::Running),
        "#queue-req" => figure(Signal::Waiting),
        "gen throughput (token/s)" => figure(Signal::GenerationThroughput),
        "input throughput (token/s)" => figure(Signal::PromptThroughput),
        "accept len" => figure(Signal::AcceptanceLength),
        "accept rate" => figure(Signal::AcceptanceRate),
        "token usage" | "full token usage" | "swa token usage" => (What::Usage, Unit::Plain),
        "#new-token" => (What::Computed, Unit::Plain),
        "#cached-token" => (What::Cached, Unit::Plain),
        // Older versions told it themselves.
        "cache hit rate" => (What::Figure(Signal::PrefixHitRate), Unit::Percent),
        _ => return None,
    })
}

/// The replica that a head names: `DP1` in `[2025-08-01 12:00:00 DP1 TP0] `.
fn replica_of(head: &str) -> Option<String> {
    let (inside, _) = head.rsplit_once('[')?.1.split_once(']')?;
    let numbered = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let replica =
        inside.split_whitespace().find(|word| word.strip_prefix("DP").is_some_and(numbered));
    replica.map(str::to_owned)
}

const NAME: &str = "sglang";
const BATCHES: [&str; 2] = ["Decode batch", "Prefill batch"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokometer_record::Signal::*;

    use super::super::{Heard, read};
    use super::*;

    fn figures(line: &str) -> LogLine {
        match read(line) {
            Heard::Figures(figures) => figures,
            other => panic!("{other:?}: {line}"),
        }
    }

    #[test]
    fn a_decode_line_is_read_with_all_its_fields() {
        let line = figures(
            "[2025-08-01 12:00:00 DP1 TP0] Decode batch, #running-req: 12, #token: 3456, token usage: 0.25, accept len: 2.50, accept rate: 0.62, \
             pre-allocated usage: 0.10, #prealloc-req: 0, #transfer-req: 0, #retracted-req: 0, cuda graph: True, \
             gen throughput (token/s): 1234.56, #queue-req: 7",
        );
        let expected = [
            (Running, 12.0),
            (Waiting, 7.0),
            (KvUsage, 0.25),
            (AcceptanceLength, 2.5),
            (AcceptanceRate, 0.62),
            (GenerationThroughput, 1234.56),
        ];
        assert_eq!(line.values, expected.into());
        assert_eq!((line.server, line.engine.as_deref()), ("sglang", Some("DP1")));
    }

    #[test]
    fn a_prefill_line_is_read_with_all_its_fields() {
        let line = figures(
            "[2025-08-01 12:00:00 TP0] Prefill batch [17], #new-seq: 2, #new-token: 300, #cached-token: 100, token usage: 0.05, #running-req: 3, \
             #queue-req: 4, #pending-token: 0, cuda graph: False, input throughput (token/s): 99.50, fwd occupancy: 12.00%",
        );
        let expected = [
            (Running, 3.0),
            (Waiting, 4.0),
            (KvUsage, 0.05),
            (PrefixHitRate, 0.25),
            (PromptThroughput, 99.5),
        ];
        assert_eq!(line.values, expected.into());
        assert_eq!(line.engine, None);
    }

    #[test]
    fn older_lines_with_a_full_stop_and_a_comma_at_the_end_are_read() {
        let line = figures(
            "Prefill batch. #new-seq: 1, #new-token: 0, #cached-token: 0, cache hit rate: 12.50%, token usage: 0.01, #running-req: 0, #queue-req: 3, ",
        );
        assert_eq!(line.values.get(&PrefixHitRate), Some(&0.125));
        assert_eq!(line.values.get(&Waiting), Some(&3.0));
    }

    #[test]
    fn a_model_with_two_pools_is_as_full_as_the_fuller_one() {
        let line = figures(
            "Decode batch, #running-req: 1, #full token: 10, full token usage: 0.10, #swa token: 5, swa token usage: 0.75, cuda graph: True, \
             gen throughput (token/s): 1.00, #queue-req: 0, ",
        );
        assert_eq!(line.values.get(&KvUsage), Some(&0.75));
    }

    #[test]
    fn half_written_lines_are_garbled() {
        for line in [
            "Decode batch, #run",
            "Decode batch, #running-req: 12, #token: 3456, token usage: 0.2",
            "Decode batch, #running-req: x, #queue-req: 0",
            "Decode batch, #running-req: 1, gen throughput (token/s): 12,5, #queue-req: 0",
        ] {
            assert_eq!(read(line), Heard::Garbled, "{line}");
        }
    }

    #[test]
    fn talk_of_batches_is_other() {
        for line in
            ["Prefill batch size is 8", "Decode batch", "Decode batch, done", "Decode batch [3"]
        {
            assert_eq!(read(line), Heard::Other, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_line_that_was_written_is_read(
            running in 0..5_000_u32, waiting in 0..5_000_u32, usage in 0..=100_u32, throughput in 0..900_000_u32,
        ) {
            let hundredth = |part: u32| format!("{:.2}", f64::from(part) / 100.0);
            let line = figures(&format!(
                "Decode batch, #running-req: {running}, #token: 1, token usage: {}, cuda graph: True, gen throughput (token/s): {}, #queue-req: {waiting}",
                hundredth(usage), hundredth(throughput),
            ));
            let told = |signal| (line.values[&signal] * 100.0).round();
            prop_assert_eq!(told(Running), f64::from(running) * 100.0);
            prop_assert_eq!(told(Waiting), f64::from(waiting) * 100.0);
            prop_assert_eq!(told(KvUsage), f64::from(usage));
            prop_assert_eq!(told(GenerationThroughput), f64::from(throughput));
        }
    }
}
