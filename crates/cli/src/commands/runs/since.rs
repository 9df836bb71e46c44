//! From when on: a date, a moment, or how long ago.

use jiff::ToSpan as _;
use jiff::civil::DateTime;

/// The moment that a word stands for: `2026-01-02`, `2026-01-02T11:04`, `7d`, `12h`, `30m`.
///
/// # Errors
/// If it stands for none.
pub(super) fn moment(word: &str, now: DateTime) -> Result<DateTime, String> {
    let ago = || {
        let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
        let number: i64 = number.parse().ok().filter(|number| (0..=MOST).contains(number))?;
        let span = match unit {
            "w" => (7 * number).days(),
            "d" => number.days(),
            "h" => number.hours(),
            "m" => number.minutes(),
            _ => return None,
        };
        now.checked_sub(span).ok()
    };
    ago().or_else(|| word.replace(' ', "T").parse().ok()).ok_or_else(|| {
        "takes a date (2026-01-02), a moment (2026-01-02T11:04), or how long ago (7d, 12h, 30m)"
            .to_owned()
    })
}

/// The most of a unit that is taken: beyond it everything is meant.
const MOST: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_a_moment_and_a_time_ago_are_understood() {
        let now: DateTime = "2026-01-09T12:00:00".parse().unwrap();
        for (word, expected) in [
            ("2026-01-02", "2026-01-02T00:00:00"),
            ("2026-01-02T11:04", "2026-01-02T11:04:00"),
            ("2026-01-02 11:04:05", "2026-01-02T11:04:05"),
            ("7d", "2026-01-02T12:00:00"),
            ("1w", "2026-01-02T12:00:00"),
            ("12h", "2026-01-09T00:00:00"),
            ("30m", "2026-01-09T11:30:00"),
        ] {
            assert_eq!(moment(word, now), Ok(expected.parse().unwrap()), "{word}");
        }
        for word in ["", "yesterday", "7", "-7d", "99999999d", "d", "é"] {
            assert!(moment(word, now).is_err(), "{word}");
        }
    }
}
