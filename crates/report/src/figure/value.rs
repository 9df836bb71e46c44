//! Values written within a figure: beside bars, in cells, at the ends of scales.
//!
//! Three digits suffice there: what is exact stands in the tables. A zero at the end is one of them where not all values beside it are
//! whole numbers: `2.00` beside `2.01`.

use super::axis;

/// These values, which stand beside each other, each with about three digits that count: `12.3`, `1,235`, `1.50M`; without zeros at
/// their ends where all of them are whole numbers.
pub(crate) fn briefs(values: &[f64]) -> Vec<String> {
    let whole = are_whole(values.iter().copied());
    values.iter().map(|value| beside(*value, whole)).collect()
}

/// One value beside others, which are all whole numbers or are not.
pub(crate) fn beside(value: f64, whole: bool) -> String {
    if whole { brief(value) } else { three_digits(value) }
}

/// Whether all values are whole numbers, as far as they are numbers at all.
pub(crate) fn are_whole(values: impl IntoIterator<Item = f64>) -> bool {
    values.into_iter().filter(|value| value.is_finite()).all(|value| value.fract() == 0.0)
}

/// The value with about three digits that count, without needless zeros: `12.3`, `1,235`, `1.5M`.
pub(crate) fn brief(value: f64) -> String {
    let text = three_digits(value);
    let unit = text.find(|sign: char| sign.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit);
    let digits = if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    };
    format!("{digits}{unit}")
}

fn three_digits(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    axis::text(value, 10_f64.powi(power - 2), value.abs())
}

/// What stands where there is no value.
pub(crate) const ABSENT: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_told_and_no_needless_zeros() {
        let told = [12.345, 64.0, 1_234.6, 999.96, 0.012_34, -7.5, 1.5e6, 2e9, 3.2e-7, f64::NAN]
            .map(brief);
        assert_eq!(
            told,
            ["12.3", "64", "1,235", "1,000", "0.0123", "−7.5", "1.5M", "2G", "3.2e−7", "–"]
        );
        assert_eq!(briefs(&[2.000_1, 2.01, f64::NAN, 64.0]), ["2.00", "2.01", "–", "64.0"]);
        assert_eq!(briefs(&[2.0, 64.0, 0.0]), ["2", "64", "0"]);
        assert!(brief(f64::MAX).len() < 12 && brief(f64::MIN_POSITIVE).len() < 12);
    }
}
