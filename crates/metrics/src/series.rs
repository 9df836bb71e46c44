//! Tokens over time: when they arrived, and at what rate over the whole run and over parts of it.
//!
//! An output token is booked at the moment its chunk arrived, a prompt token at the moment of the first output, when the server
//! has read the prompt. (EvalScope books both when the request completes, so that its windows jump by whole requests and can
//! show more than the server ever produced.) Only successes count, as in every throughput.

use std::collections::BTreeMap;

use tokometer_record::{Offset, Record};

use crate::Run;
use crate::catalog::generates;
use crate::window::completed;

/// The tokens that had arrived, at the moments at which requests completed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// The first start of a measured request: where the clock of the points begins.
    pub begin: Offset,
    /// Seconds from the beginning to the last completion of a success.
    pub length: f64,
    /// One point for each success, at its completion, in order.
    pub points: Vec<TimelinePoint>,
    /// Tokens per second over the whole length.
    pub overall: Rates,
    /// Tokens per second over the last [`Timeline::LAST_SECONDS`], or the whole length if it is shorter.
    pub last_window: Rates,
    /// Tokens per second without the first [`Timeline::RAMP`] of the length.
    pub steady: Rates,
}

/// The tokens that had arrived by a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimelinePoint {
    /// Seconds since the beginning.
    pub at: f64,
    /// Output tokens.
    pub output: u64,
    /// Prompt tokens that the server had to compute.
    pub new_prompt: u64,
    /// Prompt tokens that the server had cached.
    pub cached_prompt: u64,
}

/// Tokens per second, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Output tokens.
    pub output: f64,
    /// Prompt tokens that the server had to compute.
    pub new_prompt: f64,
    /// Prompt tokens that the server had cached.
    pub cached_prompt: f64,
}

impl Rates {
    /// Prompt tokens, computed or cached.
    pub fn total_prompt(&self) -> f64 {
        self.new_prompt + self.cached_prompt
    }
}

impl Timeline {
    /// The length of the last window, in seconds.
    pub const LAST_SECONDS: f64 = 30.0;
    /// The part of the length that is left out as the ramp.
    pub const RAMP: f64 = 0.2;

    /// The timeline of a run. Empty if nothing succeeded.
    pub fn of(run: &Run<'_>) -> Self {
        let Some((begin, _)) = run.window().span() else { return Self::default() };
        let mut completions: Vec<Offset> = run.successes().filter_map(completed).collect();
        completions.sort_unstable();
        let Some(&last) = completions.last() else { return Self { begin, ..Self::default() } };

        let length = (last - begin).as_secs_f64();
        let tail = begin + (last - begin).saturating_sub(LAST_WINDOW);
        let ramp = begin + (last - begin).mul_f64(Self::RAMP);
        let mut arrived = vec![Tokens::default(); completions.len()];
        let (mut whole, mut until_tail, mut until_ramp) =
            (Tokens::default(), Tokens::default(), Tokens::default());
        for record in run.successes() {
            let mut earlier =
                Earlier { completions: &completions, before: 0, moment: Offset::ZERO };
            arrivals(record, |at, tokens| {
                let point = earlier.than(at);
                // Nothing of a success arrives after its own completion, but a damaged log must not end the report.
                arrived[point.min(completions.len() - 1)].add(tokens);
                whole.add(tokens);
                if at <= tail && begin < tail {
                    until_tail.add(tokens);
                }
                if at <= ramp {
                    until_ramp.add(tokens);
                }
            });
        }
        Self {
            begin,
            length,
            points: points(begin, &completions, &arrived),
            overall: whole.per(length),
            last_window: whole.less(until_tail).per((last - tail).as_secs_f64()),
            steady: whole.less(until_ramp).per((last - ramp).as_secs_f64()),
        }
    }
}

fn points(begin: Offset, completions: &[Offset], arrived: &[Tokens]) -> Vec<TimelinePoint> {
    let mut sum = Tokens::default();
    let points = completions.iter().zip(arrived).map(|(&completion, &tokens)| {
        sum.add(tokens);
        TimelinePoint {
            at: (completion - begin).as_secs_f64(),
            output: sum.output,
            new_prompt: sum.new_prompt,
            cached_prompt: sum.cached_prompt,
        }
    });
    points.collect()
}

/// Tokens by kind.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tokens {
    pub(crate) output: u64,
    pub(crate) new_prompt: u64,
    pub(crate) cached_prompt: u64,
}

impl Tokens {
    fn add(&mut self, other: Self) {
        self.output += other.output;
        self.new_prompt += other.new_prompt;
        self.cached_prompt += other.cached_prompt;
    }

    fn less(self, other: Self) -> Self {
        Self {
            output: self.output - other.output,
            new_prompt: self.new_prompt - other.new_prompt,
            cached_prompt: self.cached_prompt - other.cached_prompt,
        }
    }

    fn per(self, seconds: f64) -> Rates {
        if seconds <= 0.0 {
            return Rates::default();
        }
        Rates {
            output: self.output as f64 / seconds,
            new_prompt: self.new_prompt as f64 / seconds,
            cached_prompt: self.cached_prompt as f64 / seconds,
        }
    }
}

/// The most output tokens in any of the whole seconds counted from the earliest start of a success. `None` without a stream.
pub(crate) fn peak_second(run: &Run<'_>) -> Option<f64> {
    let begin = run.successes().map(|record| record.started).min()?;
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    let streams = run.successes().filter(|record| record.streamed && generates(record));
    for record in streams {
        // Of one request many arrive in the same second.
        let (mut second, mut output) = (0, 0);
        arrivals(record, |at, tokens| {
            let this = (at - begin).as_secs();
            if this != second {
                *seconds.entry(second).or_default() += output;
                (second, output) = (this, 0);
            }
            output += tokens.output;
        });
        *seconds.entry(second).or_default() += output;
    }
    seconds.into_values().max().map(|tokens| tokens as f64)
}

/// Output tokens of successes that arrived after `from` and up to `to`.
pub(crate) fn output_between(run: &Run<'_>, from: Offset, to: Offset) -> u64 {
    let mut output = 0;
    for record in run.successes() {
        arrivals(record, |at, tokens| {
            if from < at && at <= to {
                output += tokens.output;
            }
        });
    }
    output
}

/// Tells `book` of every arrival of tokens: the prompt's with the first chunk, and each chunk's own. Where the server did not
/// tell the tokens of each chunk, or they do not add up to the output's count, the count is spread evenly over the chunks.
pub(crate) fn arrivals(record: &Record, mut book: impl FnMut(Offset, Tokens)) {
    let prompt = u64::from(record.prompt_tokens.count().unwrap_or(0));
    let cached = u64::from(record.prompt_tokens.cached.unwrap_or(0)).min(prompt);
    let read = record.first().unwrap_or(record.end);
    book(read, Tokens { output: 0, new_prompt: prompt - cached, cached_prompt: cached });

    let count = record.output_tokens.map_or(0, |tokens| u64::from(tokens.count));
    let told = record.chunks.told() == count;
    for (chunk, even) in record.chunks.iter().zip(spread(count, record.chunks.len() as u64)) {
        let output = if told { u64::from(chunk.tokens) } else { even };
        book(chunk.at, Tokens { output, ..Tokens::default() });
    }
}

/// A count spread evenly over so many, in order: the i-th of n gets ⌊count × (i + 1) ÷ n⌋ − ⌊count × i ÷ n⌋.
fn spread(count: u64, over: u64) -> impl Iterator<Item = u64> {
    let over = over.max(1);
    let (each, rest) = (count / over, count % over);
    let mut carried = 0;
    std::iter::repeat_with(move || {
        carried += rest;
        let whole = u64::from(carried >= over);
        carried -= whole * over;
        each + whole
    })
}

/// Counts completions before a moment, quickly for a moment not much later than the one before.
struct Earlier<'a> {
    /// Ascending.
    completions: &'a [Offset],
    /// How many of them lie before the last moment asked for.
    before: usize,
    moment: Offset,
}

impl Earlier<'_> {
    /// How many lie before this moment.
    fn than(&mut self, moment: Offset) -> usize {
        if moment < self.moment {
            self.before = 0;
        }
        let rest = &self.completions[self.before..];
        let mut reach = 1;
        while rest.get(reach - 1).is_some_and(|&completion| completion < moment) {
            reach *= 2;
        }
        // Half as far all are earlier, and at the whole reach none is.
        let near = &rest[reach / 2..rest.len().min(reach)];
        self.before += reach / 2 + near.partition_point(|&completion| completion < moment);
        self.moment = moment;
        self.before
    }
}

const LAST_WINDOW: std::time::Duration =
    std::time::Duration::from_secs(Timeline::LAST_SECONDS as u64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokometer_record::{FailureKind, OutputTokens, TokenSource};

    use super::*;
    use crate::summary::testing::{failed, ok, point_log};

    fn timeline(records: impl IntoIterator<Item = Record>) -> Timeline {
        Timeline::of(&Run::of(&point_log(records)))
    }

    #[test]
    fn tokens_are_booked_when_their_chunks_arrive() {
        // One token at 100 and 900 ms; the other request completes at 500 ms, when only one of them is there.
        let of = timeline([ok(0, 0, &[100, 900]), ok(1, 0, &[500])]);
        let outputs: Vec<_> = of.points.iter().map(|point| (point.at, point.output)).collect();
        assert_eq!(outputs, [(0.5, 2), (0.9, 3)]);
        assert_eq!(of.points.iter().map(|point| point.new_prompt).collect::<Vec<_>>(), [20, 20]);
    }

    #[test]
    fn the_steady_rate_leaves_out_the_first_fifth() {
        // 11 tokens, one each 100 ms from 0 to 1 s; by 200 ms three of them are there.
        let of = timeline([ok(0, 0, &[0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])]);
        assert_eq!(of.overall.output, 11.0);
        assert_eq!(of.steady.output, 10.0);
        assert_eq!(of.last_window, of.overall);
    }

    #[test]
    fn the_last_window_is_thirty_seconds() {
        let of = timeline([ok(0, 0, &[10_000, 20_000, 30_000, 40_000])]);
        assert_eq!(of.overall.output, 0.1);
        assert_eq!(of.last_window.output, 0.1);
        assert_eq!(of.last_window.new_prompt, 0.0);
        assert_eq!(of.overall.new_prompt, 0.25);
    }

    #[test]
    fn cached_prompt_tokens_are_told_apart_and_never_exceed_the_prompt() {
        let mut record = ok(0, 0, &[1000]);
        record.prompt_tokens.cached = Some(4);
        let of = timeline([record.clone()]);
        assert_eq!((of.overall.new_prompt, of.overall.cached_prompt), (6.0, 4.0));
        assert_eq!(of.overall.total_prompt(), 10.0);
        record.prompt_tokens.cached = Some(99);
        assert_eq!(timeline([record]).overall.cached_prompt, 10.0);
    }

    #[test]
    fn nothing_succeeded_nothing_flowed() {
        let of = timeline([failed(0, FailureKind::Reset, "gone")]);
        assert_eq!(
            (of.points.len(), of.overall, of.steady),
            (0, Rates::default(), Rates::default())
        );
    }

    proptest! {
        #[test]
        fn a_count_is_spread_evenly(count in 0_u64..1_000_000, over in 1_u64..50) {
            let even = |i: u64| count * (i + 1) / over - count * i / over;
            let spread: Vec<u64> = spread(count, over).take(over as usize).collect();
            prop_assert_eq!(spread, (0..over).map(even).collect::<Vec<_>>());
        }

        #[test]
        fn what_is_earlier_is_counted_wherever_it_was_counted_before(
            mut completions in prop::collection::vec(0_u64..100, 0..60),
            moments in prop::collection::vec(0_u64..110, 0..60),
        ) {
            completions.sort_unstable();
            let completions: Vec<Offset> = completions.into_iter().map(Offset::from_nanos).collect();
            let mut earlier = Earlier { completions: &completions, before: 0, moment: Offset::ZERO };
            for moment in moments.into_iter().map(Offset::from_nanos) {
                let counted = completions.iter().filter(|&&completion| completion < moment).count();
                prop_assert_eq!(earlier.than(moment), counted);
            }
        }

        #[test]
        fn every_token_is_booked_once(
            gaps in prop::collection::vec(prop::collection::vec(0_u64..40_000, 1..6), 1..6),
            counts in prop::collection::vec(0_u32..50, 6),
        ) {
            let records: Vec<_> = (0..).zip(gaps).zip(&counts).map(|((index, gaps), &count)| {
                let at: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
                let mut record = ok(index, 0, &at);
                record.output_tokens = Some(OutputTokens { count, source: TokenSource::Usage });
                record
            }).collect();
            let expected: u64 = counts.iter().take(records.len()).map(|&count| u64::from(count)).sum();
            let of = timeline(records);
            prop_assert_eq!(of.points.last().unwrap().output, expected);
            prop_assert!(of.points.is_sorted_by_key(|point| point.output));
            let rates = [of.overall, of.last_window, of.steady];
            prop_assert!(rates.iter().all(|rates| rates.output.is_finite() && rates.output >= 0.0));
        }
    }
}
