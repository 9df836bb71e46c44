//! Conditions that a candidate may be failed for: `p99_ttft>+5%`. What they say, and whether they are met.
//!
//! A condition is met only where that is sure: the whole interval has to lie beyond the limit, so the end of it that is nearer to the
//! limit is what counts. All conditions at all points share 5 % (Bonferroni), so that a gate with many of them is no likelier to fail
//! by chance. Where nothing can be said for want of requests, that is said, and no condition is met.

use std::fmt;
use std::str::FromStr;

use tokometer_metrics::compare::{Estimate, Interval, LEVEL};

use super::judge::{Doubt, Row};
use super::{Pair, words};

/// What a candidate may be failed for.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As it was typed.
    pub typed: String,
    /// The figure's key.
    pub key: String,
    /// On which side of the limit it is met.
    pub op: Op,
    /// The limit.
    pub limit: Limit,
}

/// On which side of its limit a condition is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// What a figure is held against, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// A change in parts of the baseline's value: 0.05 of `+5%`.
    Part(f64),
    /// A change: `+20ms`.
    Change(f64),
    /// A value of the candidate: `500ms`.
    Value(f64),
}

/// What became of a condition.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The condition.
    pub condition: Condition,
    /// At each point of both sides that has the figure: the point's name, and what was found.
    pub found: Vec<(String, Finding)>,
}

/// What was found of a condition at a point.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It is met: by how much the figure is beyond, and by how much at the least.
    Met {
        /// What was measured, as the limit is expressed.
        measured: f64,
        /// The end of its interval that is nearer to the limit.
        at_least: f64,
    },
    /// It is not met for certain. What was measured lies beyond the limit or not.
    NotMet {
        /// What was measured, as the limit is expressed.
        measured: f64,
        /// The end of its interval that is nearer to the limit.
        at_least: f64,
        /// Whether what was measured lies beyond the limit.
        beyond: bool,
    },
    /// Nothing can be said.
    CannotTell(Doubt),
}

/// A condition that cannot be held against anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongCondition {
    /// What is wrong with it.
    pub what: String,
    /// What to do, if that is known.
    pub hint: Option<String>,
}

impl fmt::Display for WrongCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for WrongCondition {}

impl FromStr for Condition {
    type Err = WrongCondition;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let typed = typed.trim();
        let wrong = |what: String, hint: &str| {
            Err(WrongCondition {
                what,
                hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
            })
        };
        let Some(at) = typed.find(['>', '<']) else {
            return wrong(format!("{typed:?} has neither > nor <"), FORMS);
        };
        let op = if typed[at..].starts_with('>') { Op::Above } else { Op::Below };
        let (name, value) = (typed[..at].trim(), typed[at + 1..].trim());
        let Some(figure) = words::typed_figure(name) else {
            let meant = words::nearest(name).map(|meant| format!("did you mean {meant}? "));
            let hint = format!("{}{FIGURES}", meant.unwrap_or_default());
            return wrong(format!("there is no figure {name:?}"), &hint);
        };
        match limit(value, words::unit(&figure.key)) {
            Ok(limit) => Ok(Self { typed: typed.to_owned(), key: figure.key, op, limit }),
            Err(why) => wrong(format!("{typed:?}: {why}"), FORMS),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// The limit of a figure that is told in `unit`.
fn limit(value: &str, unit: &str) -> Result<Limit, String> {
    let value = value.replace('−', "-");
    let (sign, rest) = match value.chars().next() {
        Some(sign @ ('+' | '-')) => (Some(if sign == '-' { -1.0 } else { 1.0 }), &value[1..]),
        _ => (None, value.as_str()),
    };
    let end = number_end(rest);
    let number = rest[..end].parse::<f64>().ok().filter(|number| number.is_finite());
    let Some(number) = number else { return Err(format!("{value:?} is no number with a unit")) };
    let given = rest[end..].trim().to_ascii_lowercase();
    match (given.as_str(), sign) {
        ("%", Some(sign)) => Ok(Limit::Part(sign * number / 100.0)),
        ("%", None) if unit == "%" => Ok(Limit::Value(number)),
        // A share is told between 0 and 1.
        ("%", None) if unit.is_empty() => Ok(Limit::Value(number / 100.0)),
        ("%", None) => {
            Err(format!("{number} % of what? write +{number}% for a change against the baseline"))
        }
        (given, sign) => {
            let scale = scale(given, unit)?;
            Ok(match sign {
                Some(sign) => Limit::Change(sign * number * scale),
                None => Limit::Value(number * scale),
            })
        }
    }
}

/// Where a number ends that may have an exponent: `1.5`, `1e3`, `2E-3`.
fn number_end(text: &str) -> usize {
    let digits_from = |from: usize, also: &[char]| {
        let digit = |c: char| c.is_ascii_digit() || also.contains(&c);
        text[from..].find(|c| !digit(c)).map_or(text.len(), |at| from + at)
    };
    let mantissa = digits_from(0, &['.']);
    let Some(rest) = text[mantissa..].strip_prefix(['e', 'E']) else { return mantissa };
    let sign = usize::from(rest.starts_with(['+', '-']));
    let digits = mantissa + 1 + sign;
    let end = digits_from(digits, &[]);
    if end > digits { end } else { mantissa }
}

/// By what a number in the given unit is multiplied to be in the figure's.
fn scale(given: &str, unit: &str) -> Result<f64, String> {
    match (given, unit) {
        (given, unit) if given == unit => Ok(1.0),
        ("s", "ms") => Ok(1e3),
        ("us" | "µs", "ms") => Ok(1e-3),
        ("ms", "s") => Ok(1e-3),
        ("/s", "req/s" | "tok/s") | ("rps", "req/s") => Ok(1.0),
        ("", "ms") => Err("a length of time needs its unit: ms or s".to_owned()),
        ("", _) => Ok(1.0),
        (given, "") => Err(format!("{given:?} is no unit of this figure: it has none")),
        (given, unit) => Err(format!("{given:?} is no unit of this figure: it is in {unit}")),
    }
}

/// What became of the conditions.
///
/// # Errors
/// If a condition is on a figure that no pair has.
pub(super) fn checked(
    conditions: &[Condition],
    pairs: &[Pair],
) -> Result<Vec<Checked>, WrongCondition> {
    let rows = |condition: &Condition| {
        let key = condition.key.clone();
        pairs.iter().filter_map(move |pair| {
            Some((pair.name.clone(), pair.rows.iter().find(|row| row.figure.key == key)?))
        })
    };
    if let Some(absent) = conditions.iter().find(|c| !pairs.is_empty() && rows(c).next().is_none())
    {
        let mut there: Vec<&str> =
            pairs.iter().flat_map(|pair| &pair.rows).map(|row| row.figure.key.as_str()).collect();
        there.sort_unstable();
        there.dedup();
        return Err(WrongCondition {
            what: format!(
                "{:?}: no point of both sides has {}",
                absent.typed,
                words::called(&absent.key)
            ),
            hint: Some(format!("there are {}", there.join(", "))),
        });
    }
    let judged =
        conditions.iter().flat_map(&rows).filter(|(_, row)| row.difference.is_some()).count();
    let level = 1.0 - (1.0 - LEVEL) / judged.max(1) as f64;
    let checked = conditions.iter().map(|condition| Checked {
        condition: condition.clone(),
        found: rows(condition).map(|(name, row)| (name, finding(condition, row, level))).collect(),
    });
    Ok(checked.collect())
}

fn finding(condition: &Condition, row: &Row, level: f64) -> Finding {
    let (estimate, limit): (Option<Estimate>, f64) = match condition.limit {
        Limit::Part(part) => (row.relative, part),
        Limit::Change(change) => (row.difference, change),
        Limit::Value(value) => (row.candidate, value),
    };
    let doubt = row.basis.err().unwrap_or(Doubt::NearNothing);
    let Some(estimate) = estimate else { return Finding::CannotTell(doubt) };
    let Some(Interval { low, high }) = estimate.interval(level) else {
        return Finding::CannotTell(doubt);
    };
    let (measured, at_least) = match condition.op {
        Op::Above => (estimate.value, low),
        Op::Below => (estimate.value, high),
    };
    let beyond = |value: f64| match condition.op {
        Op::Above => value > limit,
        Op::Below => value < limit,
    };
    match (beyond(at_least), row.basis) {
        (true, _) => Finding::Met { measured, at_least },
        (false, Err(doubt)) => Finding::CannotTell(doubt),
        (false, Ok(_)) => Finding::NotMet { measured, at_least, beyond: beyond(measured) },
    }
}

impl Checked {
    /// Whether it is met at any point.
    pub fn is_met(&self) -> bool {
        self.found.iter().any(|(_, finding)| matches!(finding, Finding::Met { .. }))
    }

    /// Whether nothing can be said at some point.
    pub fn is_in_doubt(&self) -> bool {
        self.found.iter().any(|(_, finding)| matches!(finding, Finding::CannotTell(_)))
    }

    /// What was found at each point, in words: `at 16 in flight: P99 TTFT +12.1 %, at the least +7.0 %`.
    pub fn told(&self) -> Vec<(Standing, String)> {
        let figure = words::called(&self.condition.key);
        let value = |value: f64| match self.condition.limit {
            Limit::Part(_) => words::percent(value),
            Limit::Change(_) => {
                format!("{} {}", words::signed(value, 3), words::unit(&self.condition.key))
                    .trim_end()
                    .to_owned()
            }
            Limit::Value(_) => words::valued(&self.condition.key, value),
        };
        let end = if self.condition.op == Op::Above { "at the least" } else { "at the most" };
        self.found
            .iter()
            .map(|(point, finding)| match finding {
                Finding::Met { measured, at_least } => (
                    Standing::Met,
                    format!(
                        "at {point}: {figure} {}, {end} {}",
                        value(*measured),
                        value(*at_least)
                    ),
                ),
                Finding::NotMet { measured, at_least, beyond: true } => (
                    Standing::Open,
                    format!(
                        "at {point}: {figure} {}, but {end} {}: not certain",
                        value(*measured),
                        value(*at_least)
                    ),
                ),
                Finding::NotMet { measured, .. } => {
                    (Standing::NotMet, format!("at {point}: {figure} {}", value(*measured)))
                }
                Finding::CannotTell(doubt) => {
                    (Standing::Unknown, format!("at {point}: {figure}: {}", doubt.words()))
                }
            })
            .collect()
    }
}

/// How a condition stands at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is met.
    Met,
    /// What was measured lies beyond the limit, but not for certain.
    Open,
    /// It is not met.
    NotMet,
    /// Nothing can be said.
    Unknown,
}

impl Standing {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "failed",
            Self::Open => "not certain",
            Self::NotMet => "passed",
            Self::Unknown => "cannot tell",
        }
    }
}

const FORMS: &str = "write a figure, > or <, and a change (+5%, -3%, +20ms) or a limit (500ms): p99_ttft>+5%, output_throughput<-3%, p99_e2el>2s";

const FIGURES: &str = "figures are mean_, median_ or pN_ with ttft, tpot, itl or e2el, and output_throughput, request_throughput, total_token_throughput, success_rate";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(typed: &str) -> (String, Op, Limit) {
        let condition: Condition = typed.parse().unwrap();
        (condition.key, condition.op, condition.limit)
    }

    fn refused(typed: &str) -> String {
        let wrong = typed.parse::<Condition>().unwrap_err();
        format!("{wrong} | {}", wrong.hint.as_deref().unwrap_or_default())
    }

    #[test]
    fn changes_and_limits_are_read() {
        for (typed, key, op, limit) in [
            ("p99_ttft>+5%", "p99_ttft_ms", Op::Above, Limit::Part(0.05)),
            (" mean_tpot_ms > +5% ", "mean_tpot_ms", Op::Above, Limit::Part(0.05)),
            ("output_throughput<-3%", "output_throughput", Op::Below, Limit::Part(-0.03)),
            ("output_throughput<−3%", "output_throughput", Op::Below, Limit::Part(-0.03)),
            ("p99_ttft>+20ms", "p99_ttft_ms", Op::Above, Limit::Change(20.0)),
            ("p99_e2el>2s", "p99_e2el_ms", Op::Above, Limit::Value(2_000.0)),
            ("median_itl > 0.5 ms", "median_itl_ms", Op::Above, Limit::Value(0.5)),
            ("p99.9_ttft>1s", "p99.9_ttft_ms", Op::Above, Limit::Value(1_000.0)),
            ("slo_attainment<95%", "slo_attainment", Op::Below, Limit::Value(0.95)),
            ("success_rate<99%", "success_rate", Op::Below, Limit::Value(99.0)),
            ("p99_ttft>+1e3%", "p99_ttft_ms", Op::Above, Limit::Part(10.0)),
            ("p99_ttft>+2.5E-1%", "p99_ttft_ms", Op::Above, Limit::Part(0.0025)),
            ("p99_ttft>1e3ms", "p99_ttft_ms", Op::Above, Limit::Value(1_000.0)),
            ("request_throughput<5", "request_throughput", Op::Below, Limit::Value(5.0)),
            ("output_throughput<1000tok/s", "output_throughput", Op::Below, Limit::Value(1_000.0)),
        ] {
            assert_eq!(read(typed), (key.to_owned(), op, limit), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_may_be() {
        for (typed, part) in [
            ("p99_ttft", "has neither > nor <"),
            ("p99_tfft>+5%", "there is no figure \"p99_tfft\" | did you mean p99_ttft?"),
            ("p99_ttft>5%", "5 % of what? write +5%"),
            ("p99_ttft>500", "a length of time needs its unit"),
            ("p99_ttft>500tok/s", "is no unit of this figure: it is in ms"),
            ("p99_ttft>+x%", "is no number"),
            (">+5%", "there is no figure \"\""),
            ("p99_ttft>+1e%", "\"e%\" is no unit of this figure: it is in ms"),
            ("p99_ttft>+1e999%", "is no number"),
            ("p99_ttft>", "is no number"),
            ("p99_ttft>=+5%", "is no number"),
        ] {
            assert!(refused(typed).contains(part), "{typed}: {}", refused(typed));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_refused(typed in "\\PC{0,24}") {
            drop(typed.parse::<Condition>());
        }

        #[test]
        fn what_is_written_is_read(
            percent in -500_i32..500, name in prop::sample::select(vec!["p99_ttft", "mean_tpot_ms", "output_throughput", "p99.9_e2el"]),
            above in any::<bool>(),
        ) {
            let typed = format!("{name}{}{percent:+}%", if above { '>' } else { '<' });
            let condition: Condition = typed.parse().unwrap();
            prop_assert_eq!(condition.limit, Limit::Part(f64::from(percent) / 100.0));
            prop_assert_eq!(condition.op == Op::Above, above);
            prop_assert_eq!(condition.to_string(), typed);
        }
    }
}
