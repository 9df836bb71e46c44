//! How findings tell figures: in units that people read, and no finer than is of use; and what several rules tell in the same words.
//!
//! Deliberately knows no rule: what a figure means is said where it is used.

use tokometer_record::{Offset, Record};

use crate::{Run, ServerSide};

/// A length of time: `1.25 s`, `45 ms`.
pub(super) fn seconds(length: f64) -> String {
    let (value, unit) = if length < 1.0 { (length * 1e3, "ms") } else { (length, "s") };
    format!("{} {unit}", digits(value))
}

/// A part of a whole: `75 %`. What is not all is never told as 100 %.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = 100.0 * part / whole;
    let shown = if part < whole { share.min(99.99) } else { share };
    if 99.0 < shown && shown < 100.0 {
        return format!("{} %", trimmed(format!("{:.2}", (shown * 100.0).floor() / 100.0)));
    }
    format!("{} %", digits(shown))
}

/// A figure that need not be whole: `151`, `3.4`.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(format!("{value:.1}")),
        _ => trimmed(format!("{value:.2}")),
    }
}

/// A part of the requests: `300 of 400 requests (75 %)`.
pub(super) fn of_requests(part: usize, whole: u64) -> String {
    let share = percent(part as f64, whole.max(1) as f64);
    format!("{part} of {} ({share})", plural(whole, "request", "requests"))
}

/// One or the other form of a word: `1 request`, `2 requests`.
pub(super) fn plural(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// What a setting is called on the server that was heard; vLLM's name, said to be that, where it is neither of the two.
pub(super) fn setting(side: &ServerSide, vllm: &str, sglang: &str) -> String {
    let heard = |name: &str| side.servers.iter().any(|server| server == name);
    match (heard("vllm"), heard("sglang")) {
        (true, _) => vllm.to_owned(),
        (false, true) => sglang.to_owned(),
        (false, false) => format!("vLLM: {vllm}"),
    }
}

/// So many requests: `1 request`, `2 requests`.
pub(super) fn requests(number: usize) -> String {
    plural(number as u64, "request", "requests")
}

/// Words of a server or a system, in quotation marks, cut short where they are long.
pub(super) fn quoted(words: &str) -> String {
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

/// How many requests were in flight at a moment, those of the warm-up included; what started just then is.
pub(super) fn in_flight(run: &Run<'_>, at: Offset) -> usize {
    run.all.iter().filter(|record| record.started <= at && at < record.end).count()
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

fn trimmed(number: String) -> String {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        number
    }
}

/// How many characters of foreign words a finding repeats.
const LONGEST_WORDS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_fine_as_they_need_be() {
        let told = [0.0004, 0.045, 0.9, 2.0, 12.34, 600.0].map(seconds);
        assert_eq!(told, ["0.4 ms", "45 ms", "900 ms", "2 s", "12.3 s", "600 s"]);
        assert_eq!([0.0, 3.456, 15.04, 151.4].map(digits), ["0", "3.46", "15", "151"]);
    }

    #[test]
    fn what_is_not_all_is_not_a_hundred_per_cent() {
        assert_eq!(percent(3.0, 4.0), "75 %");
        assert_eq!(percent(99_999.0, 100_000.0), "99.99 %");
        assert_eq!(percent(5.0, 5.0), "100 %");
    }

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

    #[test]
    fn long_words_are_cut_at_a_character() {
        assert_eq!(quoted(&"é".repeat(121)), format!("\"{}…\"", "é".repeat(120)));
        assert_eq!(sentence("lower the load"), "Lower the load.");
    }
}
