//! Faults as JSON, as the admin API reads and writes them.
//!
//! What is read comes back as it was: a rule that is written and read again is the same rule. Deliberately strict: a field that is
//! misspelt would be a fault that never happens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::{Faults, Kind, Rule, Settings, When};
use crate::model::LONGEST;

/// Why a text holds no faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct FaultsError {
    /// Where: `rules[0].rate`; empty if the text is not JSON.
    pub field: String,
    /// What is wrong there.
    pub why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connections: Option<u32>,
    rules: Vec<WrittenRule>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    faults: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requests: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Faults {
    /// Reads `{"connections": 100, "rules": [{"faults": ["status_503"], "rate": 0.1, "from_ms": 30000}]}`. Of a rule all is optional but
    /// `faults`: `rate`, a share from 0 to 1; `requests`, a list of pairs, the first and the last number each; `from_ms` and
    /// `until_ms`, counted from the server's start; `after`, chunks; `ms`; `tokens`; `retry_after`, seconds.
    ///
    /// # Errors
    /// If it is not JSON, or a field is not known or not what it should be; the error names it.
    pub fn from_json(json: &[u8]) -> Result<Self, FaultsError> {
        let reader = &mut serde_json::Deserializer::from_slice(json);
        let written: Written = serde_path_to_error::deserialize(reader).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." { "the body".to_owned() } else { field };
            FaultsError { field, why: error.into_inner().to_string() }
        })?;
        let rules = written.rules.into_iter().enumerate().map(|(index, rule)| {
            rule.read()
                .map_err(|(name, why)| FaultsError { field: format!("rules[{index}].{name}"), why })
        });
        Ok(Self { connections: written.connections, rules: rules.collect::<Result<_, _>>()? })
    }

    /// The same as JSON.
    pub fn to_json(&self) -> String {
        let rules = self.rules.iter().map(WrittenRule::of).collect();
        let written = Written { connections: self.connections, rules };
        serde_json::to_string(&written).expect("lists, texts and finite numbers are JSON")
    }
}

impl WrittenRule {
    fn of(rule: &Rule) -> Self {
        let Rule { kinds, settings, when } = rule;
        Self {
            faults: kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            rate: when.rate,
            requests: when.requests.iter().map(|range| (*range.start(), *range.end())).collect(),
            from_ms: (!when.from.is_zero()).then(|| in_millis(when.from)),
            until_ms: when.until.map(in_millis),
            after: settings.after,
            ms: settings.length.map(in_millis),
            tokens: settings.tokens,
            retry_after: settings.retry_after,
        }
    }

    fn read(self) -> Result<Rule, (String, String)> {
        let wrong = |name: &str, why: String| (name.to_owned(), why);
        if self.faults.is_empty() {
            return Err(wrong("faults", "names no fault".to_owned()));
        }
        let kinds = self.faults.iter().enumerate().map(|(index, name)| {
            Kind::named(name).map_err(|error| wrong(&format!("faults[{index}]"), error.to_string()))
        });
        let kinds = kinds.collect::<Result<_, _>>()?;
        if let Some(rate) = self.rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
            return Err(wrong("rate", format!("expected a share from 0 to 1, not {rate}")));
        }
        for (index, (first, last)) in self.requests.iter().enumerate() {
            if first > last {
                let why = format!("expected the first number and the last, not {first} and {last}");
                return Err(wrong(&format!("requests[{index}]"), why));
            }
        }
        if self.tokens == Some(0) {
            return Err(wrong("tokens", "expected 1 at least, not 0".to_owned()));
        }
        let length = |name: &str, millis: Option<f64>| match millis.map(of_millis) {
            None => Ok(None),
            Some(Some(length)) => Ok(Some(length)),
            Some(None) => {
                Err(wrong(name, "expected a number of milliseconds, a day at most".to_owned()))
            }
        };
        let (from, until) = (length("from_ms", self.from_ms)?, length("until_ms", self.until_ms)?);
        let from = from.unwrap_or_default();
        if until.is_some_and(|until| until <= from) {
            return Err(wrong("until_ms", "expected a moment after from_ms".to_owned()));
        }
        let settings = Settings {
            after: self.after,
            length: length("ms", self.ms)?,
            tokens: self.tokens,
            retry_after: self.retry_after,
        };
        let requests = self.requests.into_iter().map(|(first, last)| first..=last).collect();
        Ok(Rule { kinds, settings, when: When { rate: self.rate, requests, from, until } })
    }
}

fn of_millis(millis: f64) -> Option<Duration> {
    // By whole nanoseconds, so that what was written reads back as it was.
    let length = Duration::try_from_secs_f64(millis / 1e3).ok()?;
    let nanos = (millis * 1e6).round();
    (length <= LONGEST).then(|| Duration::from_nanos(nanos as u64))
}

fn in_millis(length: Duration) -> f64 {
    length.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::faults::KINDS;

    fn error(json: &str) -> String {
        Faults::from_json(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_rule_is_read_with_all_that_can_be_said_of_it() {
        let json = r#"{"connections":9,"rules":[{"faults":["status_503","crlf"],"rate":0.1,"requests":[[3,3],[7,9]],"from_ms":1000.0,"until_ms":2000.5,"after":3,"ms":50.0,"tokens":2,"retry_after":7}]}"#;
        let faults = Faults::from_json(json.as_bytes()).unwrap();
        let rule = &faults.rules[0];
        assert_eq!(faults.connections, Some(9));
        assert_eq!(rule.kinds, [Kind::Status503, Kind::Crlf]);
        assert_eq!(rule.when.requests, [3..=3, 7..=9]);
        assert_eq!(rule.when.until, Some(Duration::from_micros(2_000_500)));
        assert_eq!(rule.settings.length, Some(Duration::from_millis(50)));
        assert_eq!(faults.to_json(), json);
    }

    #[test]
    fn nothing_wrong_is_written_as_no_rules() {
        assert_eq!(Faults::default().to_json(), r#"{"rules":[]}"#);
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_name_of_its_field() {
        let cases = [
            (
                r#"{"rules":[{"faults":["rset"]}]}"#,
                "rules[0].faults[0]: no fault is called \"rset\"",
            ),
            (r#"{"rules":[{"faults":[]}]}"#, "rules[0].faults: names no fault"),
            (r#"{"rules":[{"faults":["reset"],"rate":2}]}"#, "rules[0].rate: expected a share"),
            (
                r#"{"rules":[{"faults":["reset"],"rate":"a"}]}"#,
                "rules[0].rate: invalid type: string",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"requests":[[3,2]]}]}"#,
                "rules[0].requests[0]: expected the first",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"requests":[3]}]}"#,
                "rules[0].requests[0]: invalid type",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"ms":-1}]}"#,
                "rules[0].ms: expected a number of milliseconds",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"ms":1e300}]}"#,
                "rules[0].ms: expected a number of milliseconds",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"tokens":0}]}"#,
                "rules[0].tokens: expected 1 at least",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"from_ms":5,"until_ms":5}]}"#,
                "rules[0].until_ms: expected a moment",
            ),
            (
                r#"{"rules":[{"faults":["reset"],"rates":1}]}"#,
                "rules[0].rates: unknown field `rates`",
            ),
            (r#"{"rule":[]}"#, "rule: unknown field `rule`"),
            ("{}", "the body: missing field `rules`"),
            ("[", "the body: "),
        ];
        for (json, expected) in cases {
            assert!(error(json).starts_with(expected), "{json} gave {}", error(json));
        }
    }

    fn rules() -> impl Strategy<Value = Rule> {
        let kinds = prop::collection::vec((0..KINDS.len()).prop_map(|index| KINDS[index].0), 1..4);
        let length = || (0_u64..86_400_000_000).prop_map(Duration::from_micros);
        let range = (0_u64..1000, 0_u64..1000).prop_map(|(first, more)| first..=first + more);
        let when = (
            prop::option::of((0_u32..=1000).prop_map(|share| f64::from(share) / 1e3)),
            prop::collection::vec(range, 0..3),
            length(),
            prop::option::of(1_u64..86_400),
        );
        let settings = (
            prop::option::of(any::<u32>()),
            prop::option::of(length()),
            prop::option::of(1_u32..),
            prop::option::of(any::<u32>()),
        );
        (kinds, when, settings).prop_map(|(kinds, (rate, requests, from, more), settings)| {
            let (after, length, tokens, retry_after) = settings;
            let from = from / 2;
            let until = more.map(|more| from + Duration::from_micros(more));
            Rule {
                kinds,
                settings: Settings { after, length, tokens, retry_after },
                when: When { rate, requests, from, until },
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(
            rules in prop::collection::vec(rules(), 0..4),
            connections in prop::option::of(any::<u32>()),
        ) {
            let faults = Faults { rules, connections };
            prop_assert_eq!(Faults::from_json(faults.to_json().as_bytes()), Ok(faults));
        }
    }
}
