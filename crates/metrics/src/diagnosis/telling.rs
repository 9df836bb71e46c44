//! What several rules tell in the same words: shares of the requests, foreign words, and what was in flight.
//!
//! Deliberately knows no rule, and no units: those are in `figures`.

use std::time::Duration;

use tokometer_record::Record;

use super::figures::{count, percent, plural};
use crate::concurrency::counts;
use crate::run::flights;
use crate::{Run, gist};

/// A part of the requests: `300 of 400 requests (75 %)`.
pub(super) fn of_requests(part: usize, whole: u64) -> String {
    let share = percent(part as f64 / whole.max(1) as f64);
    format!("{} of {} ({share})", count(part as u64), plural(whole, "request", "requests"))
}

/// So many requests: `1 request`, `2 requests`.
pub(super) fn requests(number: usize) -> String {
    plural(number as u64, "request", "requests")
}

/// What a server or a system says, in quotation marks, cut short where it is long.
pub(super) fn quoted(words: &str) -> String {
    let words = gist(words);
    match words.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("\"{}…\"", &words[..end]),
        None => format!("\"{words}\""),
    }
}

/// A fragment as a sentence: its first letter large, and a full stop.
pub(super) fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

/// How many requests were in flight with this one as it started, itself and those of the warm-up included. Requests that are sent at once
/// start one after the other: the most that were at once within its first milliseconds, as long as it lived. What has ended by the
/// moment at which another starts is not in flight with that other.
pub(super) fn in_flight(run: &Run<'_>, with: &Record) -> usize {
    let until = (with.started + AT_ONCE).min(with.end);
    let beside = |record: &&Record| record.started <= until && with.started < record.end;
    let beside: Vec<&Record> = run.all.iter().copied().filter(beside).collect();
    let ended = with.end <= with.started;
    let stretches = flights(&beside);
    let met = counts(&stretches, with.started);
    let before_its_end = met.take_while(|&(at, _)| at < until || at == with.started);
    let most = before_its_end.map(|(_, count)| count).max().unwrap_or(0);
    // One that failed in no time at all stood beside those all the same.
    usize::try_from(most).unwrap_or(usize::MAX) + usize::from(ended)
}

/// The record whose end came first.
pub(super) fn first_to_end<'a>(records: &[&'a Record]) -> Option<&'a Record> {
    records.iter().copied().min_by_key(|record| (record.end, record.index))
}

/// The value in the middle, the lower one of two. `None` of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// A client that sends hundreds of requests at once takes some milliseconds for it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// How many characters of foreign words a finding repeats.
const LONGEST_WORDS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::testing::{ok, point_log};
    use tokometer_record::PointLog;

    #[test]
    fn a_part_is_told_with_its_share() {
        assert_eq!(of_requests(300, 400), "300 of 400 requests (75 %)");
        assert_eq!(of_requests(1, 1), "1 of 1 request (100 %)");
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_one() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }

    fn with(log: &PointLog, place: usize) -> usize {
        in_flight(&Run::of(log), &log.records[place])
    }

    #[test]
    fn what_starts_at_once_is_in_flight_together() {
        let log = point_log([ok(0, 0, &[100]), ok(1, 3, &[90]), ok(2, 4, &[80]), ok(3, 6, &[70])]);
        assert_eq!([with(&log, 0), with(&log, 3)], [3, 4]);
    }

    #[test]
    fn who_takes_a_place_that_became_free_is_no_further_one() {
        // Four places; whoever fails after a millisecond is followed at that very moment.
        let log = point_log((0..20).map(|index| {
            let at = index / 4;
            ok(index, at, &[at + 1])
        }));
        for place in 0..20 {
            assert_eq!(with(&log, place), 4, "{place}");
        }
        // One that holds its place all the time sees one other at a time.
        let mut holder = vec![ok(0, 0, &[100])];
        holder.extend((1..20).map(|index| ok(index, index - 1, &[index])));
        let log = point_log(holder);
        assert_eq!([with(&log, 0), with(&log, 7)], [2, 2]);
    }

    #[test]
    fn who_failed_in_no_time_counts_itself() {
        let mut log = point_log([ok(0, 0, &[100]), ok(1, 10, &[20])]);
        log.records[1].end = log.records[1].started;
        assert_eq!(with(&log, 1), 2);
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        assert_eq!(quoted(&"é".repeat(121)), format!("\"{}…\"", "é".repeat(120)));
        assert_eq!(sentence("lower the load"), "Lower the load.");
    }
}
