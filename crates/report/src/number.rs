//! Figures as text.
//!
//! Deliberately takes figures in the unit in which they are printed: whoever calls has converted them.

pub use tokometer_metrics::counted::count;
pub(crate) use tokometer_metrics::counted::plural;

/// A figure that is not there.
pub(crate) const ABSENT: &str = "n/a";

/// Rounded to `digits` decimals as Python's `round` does: to the nearest, exact ties to even.
pub(crate) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

/// With at most `digits` decimals, ties rounded up, needless zeros left out: `10.5`, `200`.
pub(crate) fn shortest(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

/// With exactly `digits` decimals, ties rounded up: `29.793`.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    let unit = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
    // What is a tie in decimals lies just beside it in binary: a millionth of the last digit brings it back.
    let nearest = (value * unit + 0.5 + 1e-6).floor() / unit;
    format!("{:.digits$}", if nearest == 0.0 { 0.0 } else { nearest })
}

/// As [`shortest`], but with fewer decimals the larger the figure is, so that below a million it takes six characters at most.
pub(crate) fn compact(value: f64, digits: usize) -> String {
    let whole_digits = format!("{:.0}", value.abs().trunc()).len();
    shortest(value, digits.min(5_usize.saturating_sub(whole_digits)))
}

/// A share in per cent with one decimal, which is 0 or 100 only if the share is: `99.9%` for 9,999 of 10,000.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return ABSENT.to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    let shown = match part {
        0 => 0.0,
        part if part == whole => 100.0,
        _ => percent.clamp(0.1, 99.9),
    };
    format!("{}%", fixed(shown, 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounding_for_files_is_python_s() {
        let round = |value, digits| rounded(value, digits);
        assert_eq!(
            [round(0.25, 1), round(2.675, 2), round(1.00005, 4), round(-1.0, 4)],
            [0.2, 2.67, 1.0001, -1.0]
        );
    }

    #[test]
    fn rounding_for_people_takes_decimal_ties_upwards() {
        // What evalscope's format_metric_value gives.
        let shown =
            [(12.5, 0), (1.005, 2), (10.165, 2), (90.0, 1), (0.0, 3), (-0.0004, 2), (0.26, 3)]
                .map(|(value, digits)| shortest(value, digits));
        assert_eq!(shown, ["13", "1.01", "10.17", "90", "0", "0", "0.26"]);
    }

    #[test]
    fn fixed_keeps_its_decimals() {
        assert_eq!(fixed(29.793, 3), "29.793");
        assert_eq!(fixed(100.0, 1), "100.0");
    }

    #[test]
    fn zeros_before_the_point_stay() {
        assert_eq!(shortest(1000.0, 0), "1000");
        assert_eq!(shortest(1000.0, 2), "1000");
    }

    #[test]
    fn compact_drops_decimals_before_it_grows() {
        let shown =
            [0.26149, 12.345678, 999.987, 1_234.56, 12_345.6, 123_456.7].map(|v| compact(v, 3));
        assert_eq!(shown, ["0.261", "12.346", "999.99", "1234.6", "12346", "123457"]);
    }

    #[test]
    fn counts_are_grouped() {
        let shown = [0, 999, 1_000, 197_632, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "197,632", "1,234,567"]);
    }

    #[test]
    fn a_share_is_whole_only_if_nothing_is_missing() {
        let shown = [(10, 10), (9_999, 10_000), (101, 400), (1, 10_000), (0, 5), (0, 0)]
            .map(|(part, whole)| share(part, whole));
        assert_eq!(shown, ["100.0%", "99.9%", "25.3%", "0.1%", "0.0%", "n/a"]);
    }

    proptest! {
        #[test]
        fn compact_fits_six_characters(value in 0.0_f64..999_999.0, digits in 0_usize..4) {
            prop_assert!(compact(value, digits).len() <= 6);
        }

        #[test]
        fn what_is_shown_is_near(value in 0.0_f64..1e9, digits in 0_usize..5) {
            let unit = 10_f64.powi(-(digits as i32));
            prop_assert!((shortest(value, digits).parse::<f64>().unwrap() - value).abs() <= unit * 0.51);
        }
    }
}
