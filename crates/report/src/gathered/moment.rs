//! Moments as results and runs write them, without a time zone: the wall clock of the place where they were made.

use jiff::civil::DateTime;

/// The moment of `2026-01-02T11:04:37.123+08:00`, of `2026-01-02 11:04:37`, or of `20260102-110437` and `20260102_110437`.
pub(super) fn of(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if let Ok(short) = DateTime::strptime("%Y%m%d-%H%M%S", text.replace('_', "-")) {
        return Some(short);
    }
    let (date, time) = text.split_once(['T', ' '])?;
    // The date's own hyphens come before the time, where one would begin an offset.
    let local = time.split(['+', '-', 'Z', '[']).next()?;
    format!("{date}T{local}").parse().ok()
}

/// The moment that a folder's name ends or begins with: `Qwen3_20260102_110437`, `20260102_110437`.
pub(super) fn in_name(name: &str) -> Option<DateTime> {
    let parts: Vec<&str> = name.split('_').collect();
    parts.windows(2).rev().find_map(|pair| {
        let [date, time] = pair else { return None };
        let digits = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        (digits(date, 8) && digits(time, 6)).then(|| of(&format!("{date}-{time}")))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_moment_is_read() {
        let expected: DateTime = "2026-01-02T11:04:37".parse().unwrap();
        for text in [
            "2026-01-02T11:04:37+08:00",
            "2026-01-02T11:04:37Z",
            "2026-01-02 11:04:37",
            "20260102-110437",
            "20260102_110437",
        ] {
            assert_eq!(of(text), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-02T11:04:37", "20260102"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(in_name("Qwen3_8B_20260102_110437"), Some(expected));
        assert_eq!(in_name("20260102_110437_2"), Some(expected));
        assert_eq!(in_name("Qwen3_20260102"), None);
    }
}
