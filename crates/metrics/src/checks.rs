//! Whether lengths are what they were meant to be, and who counted them.
//!
//! Deliberately blames nobody: a difference may be the template's, the tokenizer's or the server's doing.

use std::collections::BTreeMap;

use tokometer_record::{Record, TokenSource};

use crate::catalog::generates;

/// Lengths that were expected against lengths that came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LengthCheck {
    /// How many requests could be compared.
    pub compared: u64,
    /// In how many of them the two lengths differ.
    pub differing: u64,
    /// The least of actual − expected over those that differ.
    pub least: i64,
    /// The greatest of actual − expected over those that differ.
    pub greatest: i64,
    /// How many of the shorter ones the server ended of its own accord, with the finish reason `stop`.
    pub stopped: u64,
    /// The first few that differ, at most [`LengthCheck::EXAMPLES`].
    pub examples: Vec<LengthExample>,
}

/// One request whose length was not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthExample {
    /// Which request of the point.
    pub index: u64,
    /// The length that was expected, in tokens.
    pub expected: u32,
    /// The length that came about, in tokens.
    pub actual: u32,
}

impl LengthCheck {
    /// Whether all that were compared differ by the same number of tokens.
    pub const fn same_everywhere(&self) -> bool {
        self.differing > 0 && self.differing == self.compared && self.least == self.greatest
    }

    /// How many examples are kept.
    pub const EXAMPLES: usize = 3;

    /// Compares the prompts' lengths by this program's count (expected) with the server's (actual).
    pub fn prompts<'a>(successes: impl Iterator<Item = &'a Record>) -> Self {
        Self::of(successes, |record| {
            Some((record.prompt_tokens.local?, record.prompt_tokens.server?))
        })
    }

    /// Compares the outputs' lengths that were asked for with those that the server counted.
    pub fn outputs<'a>(successes: impl Iterator<Item = &'a Record>) -> Self {
        Self::of(successes, |record| {
            let tokens = record.output_tokens?;
            let counted_by_server =
                matches!(tokens.source, TokenSource::Usage | TokenSource::ChunkUsage);
            counted_by_server.then_some((record.asked_output?, tokens.count))
        })
    }

    fn of<'a>(
        records: impl Iterator<Item = &'a Record>,
        lengths: impl Fn(&Record) -> Option<(u32, u32)>,
    ) -> Self {
        let mut check = Self::default();
        for record in records {
            let Some((expected, actual)) = lengths(record) else { continue };
            let difference = i64::from(actual) - i64::from(expected);
            check.compared += 1;
            if difference == 0 {
                continue;
            }
            let first = check.differing == 0;
            check.least = if first { difference } else { check.least.min(difference) };
            check.greatest = if first { difference } else { check.greatest.max(difference) };
            check.differing += 1;
            if check.examples.len() < Self::EXAMPLES {
                check.examples.push(LengthExample { index: record.index, expected, actual });
            }
            let stopped = record.finish_reason.as_deref() == Some("stop");
            check.stopped += u64::from(difference < 0 && stopped);
        }
        check
    }
}

/// Who counted the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSources {
    /// Successes by who counted their output.
    pub output: BTreeMap<TokenSource, u64>,
    /// Successes whose output nobody could count.
    pub output_uncounted: u64,
    /// Successes whose prompt the server counted.
    pub prompt_server: u64,
    /// Of those, successes whose prompt it counted as none at all, although nothing says that it is empty.
    pub prompt_zero: u64,
    /// Successes whose prompt only this program counted.
    pub prompt_local: u64,
    /// Successes whose prompt nobody counted.
    pub prompt_uncounted: u64,
}

impl TokenSources {
    /// Who counted the tokens of these requests.
    pub fn of<'a>(successes: impl Iterator<Item = &'a Record>) -> Self {
        let mut sources = Self::default();
        for record in successes {
            match record.output_tokens {
                // A request for a result has no output to count.
                _ if !generates(record) => {}
                Some(tokens) => *sources.output.entry(tokens.source).or_default() += 1,
                None => sources.output_uncounted += 1,
            }
            match (record.prompt_tokens.server, record.prompt_tokens.local) {
                (Some(counted), local) => {
                    sources.prompt_server += 1;
                    sources.prompt_zero += u64::from(counted == 0 && local != Some(0));
                }
                (None, Some(_)) => sources.prompt_local += 1,
                (None, None) => sources.prompt_uncounted += 1,
            }
        }
        sources
    }

    /// Whether outputs were counted in more than one way, or some not at all.
    pub fn mixed(&self) -> bool {
        self.output.len() + usize::from(self.output_uncounted > 0) > 1
    }

    /// Whether any output was counted by anyone but the server.
    pub fn estimated(&self) -> bool {
        let told =
            |source: &TokenSource| matches!(source, TokenSource::Usage | TokenSource::ChunkUsage);
        !self.output.keys().all(told)
    }
}

#[cfg(test)]
mod tests {
    use tokometer_record::{Channel, OutputTokens};

    use super::*;
    use crate::summary::testing::ok;

    fn with_prompt(index: u64, local: u32, server: Option<u32>) -> Record {
        let mut record = ok(index, 0, &[10]);
        record.prompt_tokens.local = Some(local);
        record.prompt_tokens.server = server;
        record
    }

    #[test]
    fn prompts_that_the_server_counts_otherwise_are_told() {
        let records = [
            with_prompt(0, 100, Some(100)),
            with_prompt(1, 100, Some(109)),
            with_prompt(2, 100, None),
        ];
        let check = LengthCheck::prompts(records.iter());
        assert_eq!((check.compared, check.differing), (2, 1));
        assert_eq!((check.least, check.greatest), (9, 9));
        assert!(!check.same_everywhere());
        assert_eq!(check.examples, [LengthExample { index: 1, expected: 100, actual: 109 }]);
    }

    #[test]
    fn outputs_that_stopped_early_are_told_apart() {
        let mut short = ok(0, 0, &[10, 20]);
        short.asked_output = Some(64);
        short.finish_reason = Some("stop".into());
        let check = LengthCheck::outputs([short].iter());
        assert_eq!((check.differing, check.stopped), (1, 1));
        assert_eq!((check.least, check.greatest), (-62, -62));
    }

    #[test]
    fn an_estimated_count_proves_nothing() {
        let mut record = ok(0, 0, &[10, 20]);
        record.asked_output = Some(64);
        record.output_tokens = Some(OutputTokens { count: 2, source: TokenSource::LocalTokenizer });
        assert_eq!(LengthCheck::outputs([record].iter()).compared, 0);
    }

    #[test]
    fn a_result_is_no_output_that_nobody_counted() {
        let mut result = ok(0, 0, &[10]);
        result.chunks.edit(|chunks| chunks[0].channel = Channel::Result);
        result.output_tokens = None;
        let sources = TokenSources::of([&result].into_iter());
        assert_eq!(
            (sources.output_uncounted, sources.prompt_server + sources.prompt_local),
            (0, 1)
        );
        assert!(!sources.mixed() && !sources.estimated());
    }

    #[test]
    fn two_sources_are_mixed_and_one_is_not() {
        let told = ok(0, 0, &[10]);
        let mut uncounted = told.clone();
        uncounted.output_tokens = None;
        assert!(!TokenSources::of([&told, &told].into_iter()).mixed());
        assert!(TokenSources::of([&told, &uncounted].into_iter()).mixed());
        assert!(!TokenSources::of([&told].into_iter()).estimated());
    }
}
