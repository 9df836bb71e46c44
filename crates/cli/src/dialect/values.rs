//! Values of flags, read by themselves, and refused in words that follow the flag's name.
//!
//! Deliberately nothing here knows which flag a value belongs to.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use tokometer_plan::Limit;

/// Why a value does not fit: what follows the flag's name, with what stands between.
#[derive(Debug)]
pub(crate) struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// A whole number from `least` on that its type can hold.
fn whole<T: TryFrom<i128>>(text: &str, least: i128) -> Result<T, Unfit> {
    let Ok(number) = text.trim().parse::<i128>() else {
        return Err(Unfit(format!(" takes a whole number, not {text}")));
    };
    if number < least {
        return Err(Unfit(format!(": must be at least {least}, not {number}")));
    }
    T::try_from(number).map_err(|_| Unfit(format!(" is out of range: {number}")))
}

/// A count of at least 1.
pub(crate) fn count(text: &str) -> Result<NonZeroU64, Unfit> {
    let number = whole::<u64>(text, 1)?;
    NonZeroU64::new(number).ok_or_else(|| Unfit(": must be at least 1".into()))
}

/// A smaller count of at least 1.
pub(crate) fn places(text: &str) -> Result<NonZeroU32, Unfit> {
    let number = whole::<u32>(text, 1)?;
    NonZeroU32::new(number).ok_or_else(|| Unfit(": must be at least 1".into()))
}

/// A number of tokens, characters or seconds.
pub(crate) fn natural(text: &str) -> Result<u32, Unfit> {
    whole(text, 0)
}

/// A place in a dataset, or a number of requests that may be none.
pub(crate) fn long_natural(text: &str) -> Result<u64, Unfit> {
    whole(text, 0)
}

/// A port.
pub(crate) fn port(text: &str) -> Result<u16, Unfit> {
    whole(text, 0)
}

/// A whole number of either sign.
pub(crate) fn integer(text: &str) -> Result<i64, Unfit> {
    whole(text, i128::MIN)
}

/// A number of any kind.
pub(crate) fn number(text: &str) -> Result<f64, Unfit> {
    text.trim().parse().map_err(|_| Unfit(format!(" takes a number, not {text}")))
}

/// A time limit.
pub(crate) fn limit(text: &str) -> Result<Limit, Unfit> {
    text.parse().map_err(|form| Unfit(format!(" takes {form}, not {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let said = |error: Unfit| error.to_string();
        assert_eq!(said(count("-1").unwrap_err()), ": must be at least 1, not -1");
        assert_eq!(said(places("0").unwrap_err()), ": must be at least 1, not 0");
        assert_eq!(said(natural("-5").unwrap_err()), ": must be at least 0, not -5");
        assert_eq!(said(natural("4.5").unwrap_err()), " takes a whole number, not 4.5");
        assert_eq!(said(port("70000").unwrap_err()), " is out of range: 70000");
        assert_eq!(said(number("abc").unwrap_err()), " takes a number, not abc");
        assert!(said(limit("-1").unwrap_err()).ends_with("or none, not -1"));
    }

    #[test]
    fn what_fits_is_read() {
        assert_eq!(count("18446744073709551615").unwrap().get(), u64::MAX);
        assert_eq!(integer("-7").unwrap(), -7);
        assert_eq!(long_natural("0").unwrap(), 0);
    }
}
