//! What stands in one place of a table.
//!
//! A word that is a number is one, wherever it was read: vLLM keeps its users' metadata as texts (`"tp": "2"`), and a CSV knows no
//! types at all. Deliberately rounds nothing.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Value, json};

/// What stands in one place of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing: not measured, not told, or not applicable.
    #[default]
    Empty,
    /// True or false.
    Truth(bool),
    /// A whole number.
    Integer(i64),
    /// A number, of which infinity is one (`request_rate`).
    Number(f64),
    /// A text that is not empty.
    Text(String),
}

impl Cell {
    /// What a JSON value holds. `None` for lists and objects.
    pub(super) fn of_json(value: &Value, kind: Kind) -> Option<Self> {
        let cell = match value {
            Value::Null => Self::Empty,
            Value::Bool(truth) => Self::Truth(*truth),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(number)) => Self::Number(number),
                (None, None) => Self::Empty,
            },
            Value::String(text) => Self::of_text(text, kind),
            Value::Array(_) | Value::Object(_) => return None,
        };
        Some(match (cell, kind) {
            // A name that somebody wrote as a number is a name.
            (Self::Truth(_) | Self::Integer(_) | Self::Number(_), Kind::Words) => {
                Self::Text(value.to_string())
            }
            (cell, _) => cell,
        })
    }

    /// What a text stands for.
    pub(super) fn of_text(text: &str, kind: Kind) -> Self {
        match text {
            "" => Self::Empty,
            _ if kind == Kind::Words => Self::Text(text.to_owned()),
            "true" | "True" => Self::Truth(true),
            "false" | "False" => Self::Truth(false),
            "inf" => Self::Number(f64::INFINITY),
            _ => number(text).unwrap_or_else(|| Self::Text(text.to_owned())),
        }
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The number, if it is one.
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(whole) => Some(*whole as f64),
            Self::Number(number) => Some(*number),
            Self::Empty | Self::Truth(_) | Self::Text(_) => None,
        }
    }

    /// As JSON, which has no infinity: `"inf"`, as vLLM writes it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Truth(truth) => json!(truth),
            Self::Integer(whole) => json!(whole),
            Self::Number(number) if number.is_finite() => json!(number),
            Self::Number(_) => json!(self.to_string()),
            Self::Text(text) => json!(text),
        }
    }
}

/// As in a CSV: a number in full, and in a form that tells whole ones from others.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Integer(whole) => write!(f, "{whole}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words alone, also where they look like numbers: a model called `7`.
    Words,
    /// Whatever it looks like.
    Any,
}

/// The number that a text is, if it is written as one: neither `007` nor `0x1f`, which are names.
fn number(text: &str) -> Option<Cell> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let named = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let exponent = digits.starts_with("0e") || digits.starts_with("0E");
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || (named && !exponent) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Cell::Integer(whole));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Cell::Number)
}

/// Texts as people count: `mc4` before `mc16`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (first, second) = (left.chars().next(), right.chars().next());
        let (Some(first), Some(second)) = (first, second) else {
            // One of them ended. Where they count the same, the bytes decide, so that the order is total.
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (x, rest_of_left) = digits(left);
            let (y, rest_of_right) = digits(right);
            (left, right) = (rest_of_left, rest_of_right);
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            left = &left[first.len_utf8()..];
            right = &right[second.len_utf8()..];
            first.cmp(&second)
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that a text begins with, without leading zeros, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_a_number_is_one_and_names_stay_names() {
        let read = |text: &str| Cell::of_text(text, Kind::Any);
        for (text, expected) in [
            ("2", Cell::Integer(2)),
            ("-3", Cell::Integer(-3)),
            ("2.0", Cell::Number(2.0)),
            ("0.5", Cell::Number(0.5)),
            ("1e-7", Cell::Number(1e-7)),
            ("0e0", Cell::Number(0.0)),
            ("inf", Cell::Number(f64::INFINITY)),
            ("True", Cell::Truth(true)),
            ("", Cell::Empty),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in ["007", "0x1f", "nan", "infinity", "1,5", " 1", "4x", "-", "9e999", "+1"] {
            assert_eq!(read(text), Cell::Text(text.to_owned()), "{text}");
        }
        assert_eq!(Cell::of_text("7", Kind::Words), Cell::Text("7".to_owned()));
    }

    #[test]
    fn texts_are_counted_and_not_spelt() {
        let mut names = ["mc16", "mc4", "mc004", "mc", "mc4_2", "批16", "批4"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["mc", "mc004", "mc4", "mc4_2", "mc16", "批4", "批16"]);
    }

    #[test]
    fn infinity_is_written_as_vllm_writes_it() {
        assert_eq!(Cell::Number(f64::INFINITY).to_json(), json!("inf"));
        assert_eq!(Cell::Number(12.0).to_string(), "12.0");
    }
}
