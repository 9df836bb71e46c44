//! The form that figures have in logs: `key: value unit, key: value unit, …`.
//!
//! Deliberately no knowledge of any key: which is which figure is for the servers' own rooms to say.

/// A figure that is known stands there and cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What stands between two commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'l> {
    /// What stands before the colon. `None` where there is none: a further value of the field before it.
    pub key: Option<&'l str>,
    /// What stands behind it.
    pub value: &'l str,
}

/// The fields of a line, in its order. What parts them is a comma with a space: a comma alone is part of a value, which
/// no figure has.
pub(super) fn fields(text: &str) -> impl Iterator<Item = Field<'_>> {
    let pieces = text.trim_end().trim_end_matches(',').split(", ");
    pieces.filter(|piece| !piece.is_empty()).map(|piece| match piece.split_once(':') {
        Some((key, value)) => Field { key: Some(key.trim()), value: value.trim() },
        None => Field { key: None, value: piece.trim() },
    })
}

/// What a figure is counted in, and how that is written behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// `%`: read as a share.
    Percent,
    /// ` tokens/s`.
    TokensPerSecond,
    /// ` reqs`.
    Requests,
    /// Nothing.
    Plain,
}

/// A figure, and what it is worth: `None` if it says that there was nothing to measure (`nan`). Behind the unit anything
/// may follow, as the end of a line in JSON does; behind a plain figure nothing that could belong to it.
pub(super) fn figure(value: &str, unit: Unit) -> Result<Option<f64>, Unreadable> {
    let (number, rest) = number(value)?;
    let finite = number.is_finite().then_some(number);
    let suffix = match unit {
        Unit::Percent => "%",
        Unit::TokensPerSecond => "tokens/s",
        Unit::Requests => "req",
        Unit::Plain => {
            let ends =
                |next: char| !next.is_alphanumeric() && !['.', ',', '%', '_'].contains(&next);
            return if rest.is_empty() || rest.starts_with(ends) {
                Ok(finite)
            } else {
                Err(Unreadable)
            };
        }
    };
    if !rest.trim_start().starts_with(suffix) {
        return Err(Unreadable);
    }
    Ok(if unit == Unit::Percent { finite.map(|number| number / 100.0) } else { finite })
}

/// The number that a text begins with, and what follows it. Figures in logs are never negative, and have no exponent.
fn number(text: &str) -> Result<(f64, &str), Unreadable> {
    for word in ["nan", "inf"] {
        if let Some(rest) = text.strip_prefix(word) {
            return Ok((f64::NAN, rest));
        }
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Ok((number.parse().map_err(|_| Unreadable)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_in_its_unit() {
        assert_eq!(figure("12.5%", Unit::Percent), Ok(Some(0.125)));
        assert_eq!(figure("0.6 tokens/s", Unit::TokensPerSecond), Ok(Some(0.6)));
        assert_eq!(figure("1 reqs", Unit::Requests), Ok(Some(1.0)));
        assert_eq!(figure("3", Unit::Plain), Ok(Some(3.0)));
    }

    #[test]
    fn a_figure_that_lost_its_end_is_none() {
        assert_eq!(figure("12.5", Unit::Percent), Err(Unreadable));
        assert_eq!(figure("0.6 tok", Unit::TokensPerSecond), Err(Unreadable));
        assert_eq!(figure("", Unit::Plain), Err(Unreadable));
        assert_eq!(figure(".", Unit::Plain), Err(Unreadable));
        assert_eq!(figure("1.2.3", Unit::Plain), Err(Unreadable));
        assert_eq!(figure("-1", Unit::Plain), Err(Unreadable));
    }

    #[test]
    fn a_decimal_comma_is_never_read() {
        assert_eq!(figure("0,6 tokens/s", Unit::TokensPerSecond), Err(Unreadable));
        assert_eq!(figure("0,6%", Unit::Percent), Err(Unreadable));
        assert_eq!(figure("0,6", Unit::Plain), Err(Unreadable));
    }

    #[test]
    fn what_was_not_measured_is_not_unreadable() {
        assert_eq!(figure("nan%", Unit::Percent), Ok(None));
        assert_eq!(figure("inf", Unit::Plain), Ok(None));
    }

    #[test]
    fn a_comma_at_the_end_begins_no_field() {
        let both: Vec<_> = fields("a: 1, b, ").map(|field| (field.key, field.value)).collect();
        assert_eq!(both, [(Some("a"), "1"), (None, "b")]);
    }
}
