//! The page of `--plot-timeline`: a row a request, its wait for the first token and then its gaps, coloured by how long they were.
//!
//! The page holds all it needs and asks no network. Neighbouring gaps of one colour are one bar, so that a run of ten thousand
//! requests stays a page that a browser can show. What it does on the screen stands in `timeline.html`.

use serde_json::{Value, json};
use tokometer_metrics::catalog::{TTFT, generates};
use tokometer_record::Record;

use super::case::Case;
use super::requests::{gaps, in_order, input_len, output_len, value};

/// The page.
pub(super) fn page(case: &Case<'_>) -> String {
    let title = format!("{} – timeline", case.arguments.model_id);
    // Within a script, a `<` could end it.
    let data = data(case).to_string().replace('<', "\\u003c");
    PAGE.replacen("{{title}}", &escaped(&title), 1).replacen("{{data}}", &data, 1)
}

/// What the page shows, times in microseconds: of each request its beginning from the first one's, tokens of prompt and output, and its
/// bars: kind, how many, length, and the longest.
fn data(case: &Case<'_>) -> Value {
    let records = in_order(&case.run);
    let zero = records.iter().map(|record| record.started).min().unwrap_or_default();
    let thresholds = case.arguments.timeline_itl_thresholds;
    let requests = records.iter().map(|record| {
        let bars: Vec<u64> = bars(record, thresholds).iter().flat_map(Bar::numbers).collect();
        let failure =
            record.failure().map(|failure| format!("{}: {}", failure.kind, failure.message));
        let started = micros((record.started - zero).as_secs_f64());
        json!([record.index, started, input_len(record), output_len(record), bars, failure])
    });
    json!({
        "model": case.arguments.model_id,
        "thresholds": thresholds,
        "requests": requests.collect::<Vec<_>>(),
    })
}

/// Neighbouring stretches of a request that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    kind: Kind,
    count: u64,
    /// Microseconds.
    length: u64,
    /// Microseconds: of the longest among them.
    longest: u64,
}

/// What a bar shows. The page knows these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    FirstToken = 0,
    Good = 1,
    Fair = 2,
    Bad = 3,
    /// A response that came as a whole.
    Whole = 4,
    /// All of a request that failed.
    Failed = 5,
}

impl Bar {
    const fn one(kind: Kind, length: u64) -> Self {
        Self { kind, count: 1, length, longest: length }
    }

    const fn numbers(&self) -> [u64; 4] {
        [self.kind as u64, self.count, self.length, self.longest]
    }
}

fn bars(record: &Record, thresholds: [f64; 2]) -> Vec<Bar> {
    let lasting = |to: tokometer_record::Offset| micros((to - record.started).as_secs_f64());
    if !record.succeeded() {
        return vec![Bar::one(Kind::Failed, lasting(record.end))];
    }
    let first = value(&TTFT, record).filter(|_| generates(record));
    let Some(first) = first else {
        return vec![Bar::one(Kind::Whole, lasting(record.last().unwrap_or(record.end)))];
    };
    let mut bars = vec![Bar::one(Kind::FirstToken, micros(first))];
    // Rounding each gap would shift the end by as many halves of a microsecond: the moments are rounded instead.
    let mut at = first;
    for gap in gaps(record) {
        let length = micros(at + gap) - micros(at);
        at += gap;
        let kind = match gap * 1e3 {
            ms if ms < thresholds[0] => Kind::Good,
            ms if ms < thresholds[1] => Kind::Fair,
            _ => Kind::Bad,
        };
        match bars.last_mut() {
            Some(bar) if bar.kind == kind => {
                bar.count += 1;
                bar.length += length;
                bar.longest = bar.longest.max(length);
            }
            _ => bars.push(Bar::one(kind, length)),
        }
    }
    bars
}

fn micros(seconds: f64) -> u64 {
    // A cast of floats saturates: what is negative is 0.
    (seconds * 1e6).round() as u64
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const PAGE: &str = include_str!("timeline.html");

#[cfg(test)]
mod tests {
    use tokometer_record::{
        Channel, Chunk, Connection, Failure, FailureKind, Offset, Outcome, Phase, PromptTokens,
    };

    use super::*;

    fn streamed(moments: &[u64]) -> Record {
        let at = |ms: u64| Offset::from_nanos(ms * 1_000_000);
        Record {
            index: 0,
            phase: Phase::Measured,
            scheduled: at(0),
            started: at(0),
            connection: Connection::Reused,
            connected: None,
            sent: None,
            headers: None,
            chunks: moments
                .iter()
                .map(|&ms| Chunk { at: at(ms), tokens: 1, channel: Channel::Content })
                .collect(),
            end: at(*moments.last().unwrap_or(&0)),
            streamed: true,
            outcome: Outcome::Ok,
            status: Some(200),
            prompt_tokens: PromptTokens::default(),
            output_tokens: None,
            asked_output: None,
            audio: None,
            inputs: None,
            finish_reason: None,
            request_id: String::new(),
            prompt: None,
            output: None,
        }
    }

    fn numbers(record: &Record) -> Vec<[u64; 4]> {
        bars(record, [25.0, 50.0]).iter().map(Bar::numbers).collect()
    }

    #[test]
    fn neighbouring_gaps_of_one_colour_are_one_bar() {
        let record = streamed(&[100, 110, 130, 155, 300, 310]);
        let expected = [
            [0, 1, 100_000, 100_000],
            [1, 2, 30_000, 20_000],
            [2, 1, 25_000, 25_000],
            [3, 1, 145_000, 145_000],
            [1, 1, 10_000, 10_000],
        ];
        assert_eq!(numbers(&record), expected);
    }

    #[test]
    fn failures_and_whole_responses_have_bars_of_their_own() {
        let mut record = streamed(&[100]);
        record.streamed = false;
        assert_eq!(numbers(&record), [[4, 1, 100_000, 100_000]]);
        record.outcome = Outcome::Failed(Failure::new(FailureKind::Reset, "gone"));
        record.end = Offset::from_nanos(7_000_000);
        assert_eq!(numbers(&record), [[5, 1, 7_000, 7_000]]);
    }

    #[test]
    fn the_page_asks_no_network() {
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://") && !PAGE.contains("src="));
        assert_eq!((PAGE.matches("{{title}}").count(), PAGE.matches("{{data}}").count()), (1, 1));
    }
}
