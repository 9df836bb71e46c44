//! What a simulated server is like, and how that is written in a query: `ttft_ms=200&itl_ms=20`.
//!
//! Deliberately only reads: what cannot be meant is refused here, by name, so that a server never starts as something else than
//! what was asked for.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::delay::{Delay, Length, millis};
use crate::faults::{self, FaultError, Faults, Rule, When};
use crate::model::Model;

/// What a simulated server is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// From a request's arrival to its first token.
    pub ttft: Delay,
    /// From one token to the next.
    pub itl: Delay,
    /// Tokens that come together in one chunk.
    pub tokens_per_chunk: NonZeroU32,
    /// How many tokens an output has when nothing cuts it short.
    pub output_tokens: Length,
    /// The models that it serves, the first being its own name. With none it answers to every name.
    pub models: Vec<String>,
    /// The key that requests must bear, if any.
    pub api_key: Option<ApiKey>,
    /// The most tokens that prompt and output may have together.
    pub max_model_len: u32,
    /// The root of all draws.
    pub seed: u64,
    /// What it does wrong.
    pub faults: Faults,
}

/// A key, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Every key of a query: its name and what it sets.
pub const KEYS: &[(&str, &str)] = &[
    ("ttft_ms", "mean time to the first token, in milliseconds"),
    ("ttft_dist", "its distribution: constant, normal, lognormal, exponential or uniform"),
    ("ttft_spread_ms", "its standard deviation; for uniform, how far it strays to either side"),
    ("itl_ms", "mean time from token to token, in milliseconds"),
    ("itl_dist", "its distribution"),
    ("itl_spread_ms", "its standard deviation; for uniform, how far it strays to either side"),
    ("tokens_per_chunk", "tokens that come together in one chunk"),
    (
        "output_tokens",
        "tokens of an output that nothing cuts short: a number, or a range such as 50-200",
    ),
    ("model", "a model that is served; may be given several times; without it every name is"),
    ("api_key", "the key that requests must bear"),
    ("max_model_len", "the most tokens that prompt and output may have together"),
    ("seed", "the root of all draws"),
    ("fault", "faults with commas between them; may be given several times"),
    ("fault_rate", "the share of requests that get the faults named just before"),
    ("fault_requests", "the numbers of the requests that get them, from 0: 3,7-9"),
    ("fault_after", "how many chunks come before them"),
    ("fault_ms", "how long they last, in milliseconds"),
];

/// Why a query makes no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// There is no such key.
    #[error("the simulator has no option {key:?}{}; there are {}", did_you_mean(key), key_names())]
    Unknown {
        /// The key.
        key: String,
    },
    /// A value is not what the key takes.
    #[error("{key} takes {wanted}, not {value:?}")]
    Value {
        /// The key.
        key: String,
        /// What it takes.
        wanted: &'static str,
        /// What it was given. Never a secret.
        value: String,
    },
    /// A key stands without the one that it belongs to.
    #[error("{key} says something of a fault: put fault=… before it")]
    WithoutFault {
        /// The key.
        key: String,
    },
    /// A fault is not one.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttft: Delay::Constant(Duration::from_millis(100)),
            itl: Delay::Constant(Duration::from_millis(10)),
            tokens_per_chunk: NonZeroU32::MIN,
            output_tokens: Length::Fixed(128),
            models: Vec::new(),
            api_key: None,
            max_model_len: 131_072,
            seed: 42,
            faults: Faults::default(),
        }
    }
}

impl Options {
    /// Reads the query of a URL, without its question mark. An empty one is [`Options::default`].
    ///
    /// # Errors
    /// If a key is unknown or a value is not what its key takes.
    pub fn from_query(query: &str) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let (mut ttft, mut itl) = (Spread::default(), Spread::default());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key), decode(value));
            match key.as_str() {
                "ttft_ms" => ttft.mean = Some(length(&key, &value)?),
                "ttft_dist" => ttft.form = Some(form(&key, &value)?),
                "ttft_spread_ms" => ttft.spread = Some(length(&key, &value)?),
                "itl_ms" => itl.mean = Some(length(&key, &value)?),
                "itl_dist" => itl.form = Some(form(&key, &value)?),
                "itl_spread_ms" => itl.spread = Some(length(&key, &value)?),
                "tokens_per_chunk" => options.tokens_per_chunk = number(&key, &value)?,
                "output_tokens" => options.output_tokens = tokens(&key, &value)?,
                "model" => options.models.extend(value.split(',').map(str::to_owned)),
                "api_key" => options.api_key = Some(ApiKey(value)),
                "max_model_len" => {
                    options.max_model_len = number::<NonZeroU32>(&key, &value)?.get()
                }
                "seed" => options.seed = number(&key, &value)?,
                "fault" => {
                    let faults = faults::parse(&value)?;
                    options.faults.rules.push(Rule { faults, when: When::Always });
                }
                key if key.starts_with("fault_") => options.faults.set(key, &value)?,
                _ => return Err(OptionsError::Unknown { key }),
            }
        }
        options.ttft = ttft.over(options.ttft);
        options.itl = itl.over(options.itl);
        Ok(options)
    }

    /// The part that says which tokens come when.
    pub fn model(&self) -> Model {
        Model {
            ttft: self.ttft,
            itl: self.itl,
            tokens_per_chunk: self.tokens_per_chunk,
            output: self.output_tokens,
            context: self.max_model_len,
            seed: self.seed,
        }
    }
}

impl Faults {
    /// Sets something of the rule that was added last.
    fn set(&mut self, key: &str, value: &str) -> Result<(), OptionsError> {
        if !KEYS.iter().any(|(known, _)| *known == key) {
            return Err(OptionsError::Unknown { key: key.to_owned() });
        }
        let without = || OptionsError::WithoutFault { key: key.to_owned() };
        let rule = self.rules.last_mut().ok_or_else(without)?;
        match key {
            "fault_rate" => rule.when = When::Rate(share(key, value)?),
            "fault_requests" => rule.when = When::Requests(numbers(key, value)?),
            "fault_after" => faults::set_after(&mut rule.faults, value)?,
            _ => faults::set_length(&mut rule.faults, value)?,
        }
        Ok(())
    }
}

impl ApiKey {
    /// Whether `key` is this one.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.0 == key
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What a query says of a delay.
#[derive(Default)]
struct Spread {
    mean: Option<Duration>,
    form: Option<Form>,
    spread: Option<Duration>,
}

#[derive(Clone, Copy)]
enum Form {
    Constant,
    Normal,
    LogNormal,
    Exponential,
    Uniform,
}

impl Spread {
    /// The delay that is meant, where `default` is what it is when nothing is said. A spread without a form means normal.
    fn over(&self, default: Delay) -> Delay {
        let Delay::Constant(usual) = default else { return default };
        let mean = self.mean.unwrap_or(usual);
        let deviation = self.spread.unwrap_or(mean / 10);
        let form = self.form.unwrap_or(match self.spread {
            Some(_) => Form::Normal,
            None => Form::Constant,
        });
        match form {
            Form::Constant => Delay::Constant(mean),
            Form::Normal => Delay::Normal { mean, deviation },
            Form::LogNormal => Delay::LogNormal { mean, deviation },
            Form::Exponential => Delay::Exponential { mean },
            Form::Uniform => {
                Delay::Uniform { low: mean.saturating_sub(deviation), high: mean + deviation }
            }
        }
    }
}

fn wrong(key: &str, wanted: &'static str, value: &str) -> OptionsError {
    OptionsError::Value { key: key.to_owned(), wanted, value: value.to_owned() }
}

fn length(key: &str, value: &str) -> Result<Duration, OptionsError> {
    millis(value).ok_or_else(|| wrong(key, "a number of milliseconds, a day at most", value))
}

fn form(key: &str, value: &str) -> Result<Form, OptionsError> {
    Ok(match value {
        "constant" => Form::Constant,
        "normal" => Form::Normal,
        "lognormal" => Form::LogNormal,
        "exponential" => Form::Exponential,
        "uniform" => Form::Uniform,
        _ => return Err(wrong(key, "constant, normal, lognormal, exponential or uniform", value)),
    })
}

fn number<N: std::str::FromStr>(key: &str, value: &str) -> Result<N, OptionsError> {
    value.parse().map_err(|_| wrong(key, "a whole number in its range", value))
}

fn tokens(key: &str, value: &str) -> Result<Length, OptionsError> {
    let refuse = || wrong(key, "a number of tokens, or a range such as 50-200", value);
    let range = range(value).ok_or_else(refuse)?;
    let (low, high) = (u32::try_from(*range.start()), u32::try_from(*range.end()));
    let (Ok(low @ 1..), Ok(high)) = (low, high) else { return Err(refuse()) };
    Ok(if low == high { Length::Fixed(low) } else { Length::Uniform { low, high } })
}

fn share(key: &str, value: &str) -> Result<f64, OptionsError> {
    let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| wrong(key, "a share from 0 to 1", value))
}

fn numbers(key: &str, value: &str) -> Result<Vec<RangeInclusive<u64>>, OptionsError> {
    let ranges: Option<Vec<_>> = value.split(',').map(range).collect();
    ranges.ok_or_else(|| wrong(key, "numbers and ranges with commas between them: 3,7-9", value))
}

/// Reads `7` or `7-9`.
fn range(value: &str) -> Option<RangeInclusive<u64>> {
    let (low, high) = value.split_once('-').unwrap_or((value, value));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
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

fn did_you_mean(key: &str) -> String {
    let nearness = |known: &str| strsim::jaro_winkler(key, known);
    let names = KEYS.iter().map(|(name, _)| *name);
    let nearest = names.max_by(|a, b| nearness(a).total_cmp(&nearness(b)));
    nearest
        .filter(|name| nearness(name) > 0.8)
        .map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

fn key_names() -> String {
    KEYS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Kind;

    const MILLI: Duration = Duration::from_millis(1);

    fn error(query: &str) -> String {
        Options::from_query(query).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_query_is_the_default() {
        assert_eq!(Options::from_query("").unwrap(), Options::default());
    }

    #[test]
    fn every_option_can_be_set() {
        let query = "ttft_ms=200&itl_ms=0.25&tokens_per_chunk=4&output_tokens=50-200&model=a%2Fb&model=c&api_key=k\
                     &max_model_len=4096&seed=7";
        let options = Options::from_query(query).unwrap();
        assert_eq!(options.ttft, Delay::Constant(200 * MILLI));
        assert_eq!(options.itl, Delay::Constant(MILLI / 4));
        assert_eq!(options.tokens_per_chunk.get(), 4);
        assert_eq!(options.output_tokens, Length::Uniform { low: 50, high: 200 });
        assert_eq!(options.models, ["a/b", "c"]);
        assert!(options.api_key.unwrap().is("k"));
        assert_eq!((options.max_model_len, options.seed), (4096, 7));
    }

    #[test]
    fn distributions_have_a_mean_and_a_spread() {
        let ttft = |query| Options::from_query(query).unwrap().ttft;
        let (mean, deviation) = (100 * MILLI, 20 * MILLI);
        assert_eq!(ttft("ttft_spread_ms=20"), Delay::Normal { mean, deviation });
        assert_eq!(
            ttft("ttft_dist=lognormal&ttft_spread_ms=20"),
            Delay::LogNormal { mean, deviation }
        );
        assert_eq!(ttft("ttft_dist=exponential"), Delay::Exponential { mean });
        let uniform = Delay::Uniform { low: 80 * MILLI, high: 120 * MILLI };
        assert_eq!(ttft("ttft_dist=uniform&ttft_spread_ms=20"), uniform);
    }

    #[test]
    fn settings_of_a_fault_belong_to_the_fault_before_them() {
        let query = "fault=reset,crlf&fault_rate=0.1&fault=stall_between&fault_requests=3,7-9&fault_after=2&fault_ms=50";
        let rules = Options::from_query(query).unwrap().faults.rules;
        assert_eq!(rules[0].when, When::Rate(0.1));
        assert_eq!(rules[0].faults.len(), 2);
        assert_eq!(rules[1].when, When::Requests(vec![3..=3, 7..=9]));
        let stall = rules[1].faults[0];
        assert_eq!((stall.kind, stall.after, stall.length), (Kind::StallBetween, 2, 50 * MILLI));
    }

    #[test]
    fn an_unknown_key_is_refused_with_what_was_perhaps_meant_and_the_list() {
        let expected = "the simulator has no option \"tft_ms\" (did you mean ttft_ms?); there are ttft_ms, ttft_dist, \
                        ttft_spread_ms, itl_ms,";
        assert!(error("tft_ms=3").starts_with(expected), "{}", error("tft_ms=3"));
        assert!(
            error("qqq=3").starts_with("the simulator has no option \"qqq\"; there are ttft_ms")
        );
        assert!(
            error("fault=reset&fault_x=3").starts_with("the simulator has no option \"fault_x\"")
        );
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_refused() {
        assert_eq!(
            error("ttft_ms=-1"),
            "ttft_ms takes a number of milliseconds, a day at most, not \"-1\""
        );
        assert_eq!(
            error("itl_ms=NaN"),
            "itl_ms takes a number of milliseconds, a day at most, not \"NaN\""
        );
        assert_eq!(
            error("tokens_per_chunk=0"),
            "tokens_per_chunk takes a whole number in its range, not \"0\""
        );
        assert_eq!(
            error("output_tokens=9-3"),
            "output_tokens takes a number of tokens, or a range such as 50-200, not \"9-3\""
        );
        assert_eq!(
            error("fault=reset&fault_rate=2"),
            "fault_rate takes a share from 0 to 1, not \"2\""
        );
        assert_eq!(
            error("fault_rate=0.5"),
            "fault_rate says something of a fault: put fault=… before it"
        );
        assert!(error("fault=rset").starts_with("no fault is called \"rset\""));
    }

    #[test]
    fn a_key_is_never_shown() {
        let options = Options::from_query("api_key=sk-secret").unwrap();
        assert!(!format!("{options:?}").contains("sk-secret"));
    }

    #[test]
    fn escapes_are_taken_out_and_what_is_none_is_left() {
        assert_eq!(decode("a%2Fb+c%zz%"), "a/b c%zz%");
    }
}
