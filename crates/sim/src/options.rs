//! What a simulated server is like, and how that is written in a query: `ttft_ms=200&itl_ms=20`, or `preset=h100-qwen3-8b`.
//!
//! Deliberately only reads: what cannot be meant is refused here, by name, so that a server never starts as something else than
//! what was asked for. Each room below has the keys of one matter.

mod deployment;
mod faults;
mod pace;
mod query;
mod serving;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::faults::{FaultError, Faults};
use crate::hardware::PresetError;
use crate::model::{Delay, Deployment, Length, Lengths, Pace};

pub use serving::{ApiKey, Certified, LoraModule, Serving};

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
    /// What it calls itself where `models` says nothing: the model of its preset.
    pub model: Option<String>,
    /// The key that requests must bear, if any.
    pub api_key: Option<ApiKey>,
    /// The most tokens that prompt and output may have together.
    pub max_model_len: u32,
    /// The root of all draws.
    pub seed: u64,
    /// What it does beyond answering.
    pub serving: Serving,
    /// Engines whose requests share steps. Without them each request goes at the pace of `ttft` and `itl`.
    pub deployment: Option<Deployment>,
    /// What it does wrong.
    pub faults: Faults,
}

/// The keys of one matter.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// Their names, and what they set.
    pub keys: &'static [(&'static str, &'static str)],
}

/// Every key of a query, by what it is about.
pub const KEYS: &[Group] = &[deployment::GROUP, pace::GROUP, serving::GROUP, faults::GROUP];

/// The names of all keys.
pub fn keys() -> impl Iterator<Item = &'static str> + Clone {
    KEYS.iter().flat_map(|group| group.keys).map(|(key, _)| *key)
}

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
    /// A key needs another one.
    #[error("{key} needs {needed} beside it")]
    Without {
        /// The key.
        key: String,
        /// The other.
        needed: &'static str,
    },
    /// A key makes no sense, alone or beside others.
    #[error("{key} {why}")]
    Refused {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// What is named is not there, or does not fit.
    #[error(transparent)]
    Preset(PresetError),
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
            model: None,
            api_key: None,
            max_model_len: 131_072,
            seed: 42,
            serving: Serving::default(),
            deployment: None,
            faults: Faults::default(),
        }
    }
}

impl Options {
    /// Reads the query of a URL, without its question mark. An empty one is [`Options::default`].
    ///
    /// # Errors
    /// If a key is unknown, a value is not what its key takes, or keys contradict each other.
    pub fn from_query(query: &str) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let mut pace = pace::Said::default();
        let mut serving = serving::Said::default();
        let mut deployment = deployment::Said::default();
        for (key, value) in query::pairs(query) {
            if pace::GROUP.has(&key) {
                pace.set(&mut options, &key, &value)?;
            } else if serving::GROUP.has(&key) {
                serving.set(&mut options, &key, &value)?;
            } else if deployment::GROUP.has(&key) {
                deployment.set(&key, &value)?;
            } else if faults::GROUP.has(&key) {
                faults::set(&mut options.faults, &key, &value)?;
            } else {
                return Err(OptionsError::Unknown { key });
            }
        }
        pace.settle(&mut options);
        let length = serving.max_model_len;
        serving.settle(&mut options)?;
        deployment.settle(&mut options, pace.key.as_deref(), length)?;
        Ok(options)
    }

    /// What the server calls itself where a request names no model.
    pub fn name(&self) -> &str {
        self.models.first().or(self.model.as_ref()).map_or("simulated", String::as_str)
    }

    /// The part that says which tokens come when.
    pub fn pace(&self) -> Pace {
        Pace {
            ttft: self.ttft,
            itl: self.itl,
            tokens_per_chunk: self.tokens_per_chunk,
            lengths: self.lengths(),
            seed: self.seed,
        }
    }

    /// How long outputs are.
    pub const fn lengths(&self) -> Lengths {
        Lengths { output: self.output_tokens, context: self.max_model_len }
    }
}

impl Group {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(known, _)| *known == key)
    }
}

fn did_you_mean(key: &str) -> String {
    let nearness = |known: &str| strsim::jaro_winkler(key, known);
    let nearest = keys().max_by(|a, b| nearness(a).total_cmp(&nearness(b)));
    nearest
        .filter(|name| nearness(name) > 0.8)
        .map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

fn key_names() -> String {
    keys().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn no_key_is_in_two_rooms() {
        let mut names: Vec<_> = keys().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn an_unknown_key_is_refused_with_what_was_perhaps_meant_and_the_list() {
        let expected = "the simulator has no option \"tft_ms\" (did you mean ttft_ms?); there are ";
        assert!(error("tft_ms=3").starts_with(expected), "{}", error("tft_ms=3"));
        assert!(error("qqq=3").starts_with("the simulator has no option \"qqq\"; there are "));
        for key in keys() {
            assert!(error("qqq=3").contains(key), "{key}");
        }
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
}
