//! What keys and values of a query look like: escapes, numbers, lengths of time, shares, ranges.
//!
//! Deliberately knows no key: rooms name theirs, and what they take.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{Length, millis};
use crate::options::OptionsError;

/// Says that `key` does not take `value`.
pub(super) fn wrong(key: &str, wanted: &'static str, value: &str) -> OptionsError {
    OptionsError::Value { key: key.to_owned(), wanted, value: value.to_owned() }
}

/// A length of time in milliseconds.
pub(super) fn length(key: &str, value: &str) -> Result<Duration, OptionsError> {
    millis(value).ok_or_else(|| wrong(key, "a number of milliseconds, a day at most", value))
}

/// A whole number, in the range of its type.
pub(super) fn number<N: FromStr>(key: &str, value: &str) -> Result<N, OptionsError> {
    value.parse().map_err(|_| wrong(key, "a whole number in its range", value))
}

/// A number that is not negative and not endless.
pub(super) fn amount(key: &str, value: &str) -> Result<f64, OptionsError> {
    let amount = value.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| wrong(key, "a number from 0 on", value))
}

/// A number of tokens, or a range of them.
pub(super) fn tokens(key: &str, value: &str) -> Result<Length, OptionsError> {
    let refuse = || wrong(key, "a number of tokens, or a range such as 50-200", value);
    let range = range(value).ok_or_else(refuse)?;
    let (low, high) = (u32::try_from(*range.start()), u32::try_from(*range.end()));
    let (Ok(low @ 1..), Ok(high)) = (low, high) else { return Err(refuse()) };
    Ok(if low == high { Length::Fixed(low) } else { Length::Uniform { low, high } })
}

/// A share of the whole.
pub(super) fn share(key: &str, value: &str) -> Result<f64, OptionsError> {
    let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| wrong(key, "a share from 0 to 1", value))
}

/// Numbers and ranges of numbers.
pub(super) fn numbers(key: &str, value: &str) -> Result<Vec<RangeInclusive<u64>>, OptionsError> {
    let ranges: Option<Vec<_>> = value.split(',').map(range).collect();
    ranges.ok_or_else(|| wrong(key, "numbers and ranges with commas between them: 3,7-9", value))
}

/// A switch. A key without a value turns it on, as a flag does.
pub(super) fn switch(key: &str, value: &str) -> Result<bool, OptionsError> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong(key, "true or false", value)),
    }
}

/// Reads `7` or `7-9`.
fn range(value: &str) -> Option<RangeInclusive<u64>> {
    let (low, high) = value.split_once('-').unwrap_or((value, value));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
}

/// The keys and values of a query, without escapes, in order.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    })
}

/// Takes out the escapes of a query: `%2F`, and `+` for a space.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| hex(after.get(..2)?)).flatten();
        bytes.push(match (escaped, first) {
            (Some(byte), _) => byte,
            (None, b'+') => b' ',
            (None, other) => *other,
        });
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out_and_what_is_none_is_left() {
        assert_eq!(decode("a%2Fb+c%zz%"), "a/b c%zz%");
    }

    #[test]
    fn a_switch_without_a_value_is_on() {
        assert_eq!(switch("k", ""), Ok(true));
        assert_eq!(switch("k", "false"), Ok(false));
        assert_eq!(
            switch("k", "maybe").unwrap_err().to_string(),
            "k takes true or false, not \"maybe\""
        );
    }

    #[test]
    fn an_amount_is_neither_negative_nor_endless() {
        assert_eq!(amount("k", "0.5"), Ok(0.5));
        for value in ["-1", "inf", "NaN", "", "ten"] {
            assert!(amount("k", value).is_err(), "{value}");
        }
    }
}
