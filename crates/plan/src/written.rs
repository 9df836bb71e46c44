//! How people write values: `10s`, `500ms`, `none`, `10%`, `[100, 200]`.
//!
//! Each type reads what was typed and writes it back in its plainest form. Errors are left to serde, which knows the line.
//! Deliberately nothing here knows which setting a value belongs to.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time: `500ms`, `10s`, `2m`, `6h`, or a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A time limit: a [`Span`], or `none`. Zero means none, as it does in the tools whose flags are understood here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(pub Option<Duration>);

/// Requests per second, within [`Rate::BOUNDS`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// How fast a point sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as its cap lets it; without a cap all at once. Written `inf`.
    AtOnce,
    /// So many requests per second.
    Rate(Rate),
}

/// How even the gaps between requests are, above zero: the shape of the gamma distribution that they follow. Infinite where all
/// are of the same length.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Burstiness(f64);

/// A number of requests: a count, or a share of the requests asked for (`0.1`, `10%`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many.
    Count(u64),
    /// This share, above 0 and below 1.
    Share(f64),
}

/// A number of tokens: one number, or the least and the most, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between(u32, u32);

impl Rate {
    /// What a rate may be, in words: lower ones are a slip, and higher ones nobody can send at.
    pub const BOUNDS: &str = "from one request a year to 1,000,000 a second";

    /// Requests per second. `None` unless within the bounds.
    pub fn new(per_second: f64) -> Option<Self> {
        (LEAST_RATE..=GREATEST_RATE).contains(&per_second).then_some(Self(per_second))
    }

    /// Requests per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl Pace {
    /// From requests per second. `None` unless infinite, or a [`Rate`].
    pub fn new(per_second: f64) -> Option<Self> {
        match per_second {
            f64::INFINITY => Some(Self::AtOnce),
            finite => Rate::new(finite).map(Self::Rate),
        }
    }
}

impl Burstiness {
    /// From the shape. `None` unless above zero.
    pub fn new(shape: f64) -> Option<Self> {
        (shape > 0.0).then_some(Self(shape))
    }

    /// The shape; infinite where gaps are constant.
    pub const fn shape(self) -> f64 {
        self.0
    }
}

impl Amount {
    /// EvalScope's reading of one number: from 1 on a count, below 1 a share. `None` if negative, or not a number.
    pub fn from_number(number: f64) -> Option<Self> {
        match number {
            n if !n.is_finite() || n < 0.0 => None,
            n if n > 0.0 && n < 1.0 => Some(Self::Share(n)),
            n => Some(Self::Count(n as u64)),
        }
    }

    /// How many of `number` requests this is. A share is at least one.
    pub fn of(self, number: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => ((share * number as f64) as u64).max(1),
        }
    }
}

impl Between {
    /// From `low` to `high`, both included. `None` if they are the wrong way round.
    pub fn new(low: u32, high: u32) -> Option<Self> {
        (low <= high).then_some(Self(low, high))
    }

    /// The least and the most.
    pub const fn bounds(self) -> (u32, u32) {
        (self.0, self.1)
    }
}

/// `inf` as people write it.
fn infinity(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    matches!(text.as_str(), "inf" | "+inf" | ".inf" | "+.inf" | "infinity").then_some(f64::INFINITY)
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unit = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        let number: f64 = number.trim().parse().map_err(|_| SPAN)?;
        let seconds = match unit {
            "us" | "µs" => number / 1e6,
            "ms" => number / 1e3,
            "" | "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(SPAN),
        };
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| SPAN)
    }
}

impl fmt::Display for Span {
    /// The largest unit that leaves a whole number, so that it reads back as the same length to the microsecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            n if n % 1_000 != 0 => write!(f, "{n}us"),
            n if n % 1_000_000 != 0 => write!(f, "{}ms", n / 1_000),
            n if n == 0 || n % 60_000_000 != 0 => write!(f, "{}s", n / 1_000_000),
            n if n % 3_600_000_000 != 0 => write!(f, "{}m", n / 60_000_000),
            n => write!(f, "{}h", n / 3_600_000_000),
        }
    }
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "none" => Ok(Self(None)),
            other => other.parse::<Span>().map(Self::from).map_err(|_| LIMIT),
        }
    }
}

impl From<Span> for Limit {
    fn from(Span(length): Span) -> Self {
        Self((!length.is_zero()).then_some(length))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(length) => Span(length).fmt(f),
        }
    }
}

impl FromStr for Amount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let number: Option<f64> = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(|percent: f64| percent / 100.0),
            None => text.parse().ok(),
        };
        match number.and_then(Self::from_number) {
            // "100%" is not one request.
            Some(Self::Count(count)) if text.ends_with('%') && count > 0 => Err(AMOUNT),
            amount => amount.ok_or(AMOUNT),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl Serialize for Pace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtOnce => serializer.serialize_str("inf"),
            Self::Rate(rate) => rate.serialize(serializer),
        }
    }
}

impl Serialize for Burstiness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            f64::INFINITY => serializer.serialize_str("inf"),
            shape => serializer.serialize_f64(shape),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Count(count) => serializer.serialize_u64(count),
            Self::Share(share) => serializer.serialize_f64(share),
        }
    }
}

impl Serialize for Between {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self(low, high) if low == high => serializer.serialize_u32(low),
            Self(low, high) => [low, high].serialize(serializer),
        }
    }
}

/// Reads a number or a text by the same rule, and says what was expected where neither fits.
struct Written<T> {
    expected: &'static str,
    number: fn(f64) -> Option<T>,
    text: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let invalid = || E::invalid_value(de::Unexpected::Unsigned(number), &self.expected);
        (self.number)(number as f64).ok_or_else(invalid)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let invalid = || E::invalid_value(de::Unexpected::Signed(number), &self.expected);
        (self.number)(number as f64).ok_or_else(invalid)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        let invalid = || E::invalid_value(de::Unexpected::Float(number), &self.expected);
        (self.number)(number).ok_or_else(invalid)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        let invalid = || E::invalid_value(de::Unexpected::Str(text), &self.expected);
        (self.text)(text).ok_or_else(invalid)
    }
}

fn seconds(number: f64) -> Option<Span> {
    Duration::try_from_secs_f64(number).ok().map(Span)
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written { expected: SPAN, number: seconds, text: |text| text.parse().ok() };
        deserializer.deserialize_any(written)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |number| seconds(number).map(Self::from);
        let written = Written { expected: LIMIT, number, text: |text| text.parse().ok() };
        deserializer.deserialize_any(written)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written { expected: RATE, number: Self::new, text: |_| None };
        deserializer.deserialize_any(written)
    }
}

impl<'de> Deserialize<'de> for Pace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |text: &str| infinity(text).and_then(Self::new);
        deserializer.deserialize_any(Written { expected: PACE, number: Self::new, text })
    }
}

impl<'de> Deserialize<'de> for Burstiness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |text: &str| infinity(text).and_then(Self::new);
        deserializer.deserialize_any(Written { expected: BURSTINESS, number: Self::new, text })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Self::from_number;
        let written = Written { expected: AMOUNT, number, text: |text| text.parse().ok() };
        deserializer.deserialize_any(written)
    }
}

impl<'de> Deserialize<'de> for Between {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounds;

        impl<'de> Visitor<'de> for Bounds {
            type Value = Between;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(BETWEEN)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Between, E> {
                let number = u32::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
                Ok(Between(number, number))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Between, E> {
                let unsigned = u64::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                self.visit_u64(unsigned)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Between, A::Error> {
                let mut bounds = Vec::with_capacity(2);
                while let Some(bound) = seq.next_element::<u32>()? {
                    bounds.push(bound);
                }
                match bounds[..] {
                    [low, high] => Between::new(low, high).ok_or_else(|| {
                        de::Error::custom(format!("[{low}, {high}] has the larger number first"))
                    }),
                    _ => Err(de::Error::invalid_length(bounds.len(), &self)),
                }
            }
        }

        deserializer.deserialize_any(Bounds)
    }
}

/// Names a type in the schema and gives it there as one of these forms.
macro_rules! schema {
    ($type:ident, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(
    Span,
    "Span",
    json_schema!({
        "description": SPAN,
        "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": SPAN_PATTERN },
        ],
    })
);
schema!(
    Limit,
    "Limit",
    json_schema!({
        "description": LIMIT,
        "anyOf": [
            { "const": "none" },
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": SPAN_PATTERN },
        ],
    })
);
schema!(
    Rate,
    "Rate",
    json_schema!({
        "description": RATE,
        "type": "number",
        "minimum": LEAST_RATE,
        "maximum": GREATEST_RATE,
    })
);
schema!(
    Pace,
    "Pace",
    json_schema!({
        "description": PACE,
        "anyOf": [
            { "type": "number", "minimum": LEAST_RATE, "maximum": GREATEST_RATE },
            { "const": "inf" },
        ],
    })
);
schema!(
    Burstiness,
    "Burstiness",
    json_schema!({
        "description": BURSTINESS,
        "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "const": "inf" }],
    })
);
schema!(
    Amount,
    "Amount",
    json_schema!({
        "description": AMOUNT,
        "anyOf": [
            { "type": "number", "minimum": 0 },
            { "type": "string", "pattern": r"^\s*[0-9.]+\s*%?\s*$" },
        ],
    })
);
schema!(
    Between,
    "Between",
    json_schema!({
        "description": BETWEEN,
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": u32::MAX },
            {
                "type": "array",
                "items": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                "minItems": 2,
                "maxItems": 2,
            },
        ],
    })
);

const SPAN: &str = "a length of time such as 500ms, 10s, 2m or 6h, or a number of seconds";
const LIMIT: &str = "a length of time such as 500ms, 10s, 2m or 6h, a number of seconds, or none";
const PACE: &str = "a number of requests per second, from one a year (3.2e-8) to 1,000,000, or inf";
const BURSTINESS: &str = "a number above zero, or inf";
const RATE: &str = "a number of requests per second, from one a year (3.2e-8) to 1,000,000";
const AMOUNT: &str = "a number of requests, or a share of them such as 0.1 or 10%";
const BETWEEN: &str = "a number of tokens, or [least, most]";
/// One request a year.
const LEAST_RATE: f64 = 1.0 / (365.0 * 24.0 * 3600.0);
/// One request a microsecond.
const GREATEST_RATE: f64 = 1e6;
const SPAN_PATTERN: &str = r"^\s*[0-9.]+\s*(us|µs|ms|s|m|min|h)?\s*$";

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Option<Duration> {
        text.parse::<Span>().ok().map(|span| span.0)
    }

    #[test]
    fn a_length_of_time_is_read_in_every_unit() {
        assert_eq!(span("250us"), Some(Duration::from_micros(250)));
        assert_eq!(span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(span("1.5 s"), Some(Duration::from_millis(1500)));
        assert_eq!(span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(span("6h"), Some(Duration::from_secs(21_600)));
        assert_eq!(span("10"), Some(Duration::from_secs(10)));
    }

    #[test]
    fn what_is_not_a_length_of_time_is_refused() {
        for text in ["", "s", "10 days", "-1s", "nan", "inf", "1e400", "1s2"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn a_length_of_time_reads_back_as_it_was_written() {
        for micros in [0, 1, 999, 1_000, 1_500_000, 60_000_000, 90_000_000, 21_600_000_000_u64] {
            let length = Duration::from_micros(micros);
            assert_eq!(span(&Span(length).to_string()), Some(length));
        }
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert_eq!("0".parse(), Ok(Limit(None)));
        assert_eq!("none".parse(), Ok(Limit(None)));
        assert_eq!("3s".parse(), Ok(Limit(Some(Duration::from_secs(3)))));
    }

    #[test]
    fn a_rate_is_one_that_can_be_waited_for_and_sent_at() {
        for rate in [3.2e-8, 0.5, 1e6] {
            assert_eq!(Rate::new(rate).map(Rate::per_second), Some(rate));
        }
        for rate in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-20, 3e-8, 1.1e6, 1e10] {
            assert_eq!(Rate::new(rate), None, "{rate}");
        }
        assert_eq!(Pace::new(f64::INFINITY), Some(Pace::AtOnce));
        assert_eq!(Pace::new(1e10), None);
    }

    #[test]
    fn below_one_an_amount_is_a_share_of_at_least_one() {
        assert_eq!(Amount::from_number(0.1).map(|share| share.of(50)), Some(5));
        assert_eq!(Amount::from_number(0.1).map(|share| share.of(3)), Some(1));
        assert_eq!(Amount::from_number(7.9).map(|count| count.of(3)), Some(7));
        assert_eq!("10%".parse::<Amount>().map(|share| share.of(50)), Ok(5));
        assert!("100%".parse::<Amount>().is_err());
        assert_eq!(Amount::from_number(-1.0), None);
    }
}
