//! Figures as they are shown to a glance: three digits or so, and a unit.

use std::time::Duration;

/// A number of requests, tokens or the like.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        HUGE.. => rounded(value, 0),
        100.0.. => format!("{value:.0}"),
        _ if value.fract().abs() < 1e-9 => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A share, in per cent.
pub(super) fn share(value: f64) -> String {
    format!("{} %", rounded(value * 100.0, 1))
}

/// A length of time that is measured in seconds.
pub(super) fn seconds(value: f64) -> String {
    match value {
        100.0.. => format!("{} s", rounded(value, 0)),
        10.0.. => format!("{value:.1} s"),
        1.0.. => format!("{value:.2} s"),
        0.1.. => format!("{:.0} ms", value * 1e3),
        0.01.. => format!("{:.1} ms", value * 1e3),
        _ => format!("{:.2} ms", value * 1e3),
    }
}

/// How long ago something was, or how long it took: `0.4 s`, `12 s`, `3:12`, `1:03:12`.
pub(super) fn span(length: Duration) -> String {
    let whole = length.as_secs();
    match whole {
        0..10 => format!("{:.1} s", length.as_secs_f64()),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// Bytes, in binary units of memory.
pub(super) fn gibibytes(bytes: f64) -> String {
    rounded(bytes / f64::from(1 << 30), 1)
}

/// So many digits behind the point; with an exponent where those before it would be too many to be read.
pub(super) fn rounded(value: f64, digits: usize) -> String {
    match value.abs() {
        HUGE.. => format!("{value:.2e}"),
        _ => format!("{value:.digits$}"),
    }
}

/// The text, cut to so many characters, and with a sign that it was. Widths are those of a terminal's cells only for text of narrow
/// characters, which all but paths and servers' words are.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// From here on figures have an exponent: more than servers count, unless something is amiss.
const HUGE: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_or_so() {
        let told: Vec<_> = [0.0, 7.0, 2.512, 42.25, 1234.56].map(number).into();
        assert_eq!(told, ["0", "7", "2.51", "42.2", "1235"]);
        let told: Vec<_> = [0.000_42, 0.0213, 0.312, 2.31, 64.0, 640.0].map(seconds).into();
        assert_eq!(told, ["0.42 ms", "21.3 ms", "312 ms", "2.31 s", "64.0 s", "640 s"]);
        assert_eq!(share(0.8337), "83.4 %");
    }

    #[test]
    fn what_no_server_can_mean_stays_short() {
        assert_eq!(number(999_999_999_999.0), "999999999999");
        let told =
            [number(1e300), share(1e300), seconds(1e300), gibibytes(1e300), rounded(-1e12, 1)];
        assert_eq!(told, ["1.00e300", "1.00e302 %", "1.00e300 s", "9.31e290", "-1.00e12"]);
        assert_eq!(number(f64::INFINITY), "inf");
    }

    #[test]
    fn spans_are_told_by_the_clock_from_a_minute_on() {
        let told: Vec<_> =
            [400, 12_900, 192_000, 3_792_000].map(|ms| span(Duration::from_millis(ms))).into();
        assert_eq!(told, ["0.4 s", "12 s", "3:12", "1:03:12"]);
    }

    #[test]
    fn what_is_cut_shows_it() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcdef", 0), "…");
    }
}
