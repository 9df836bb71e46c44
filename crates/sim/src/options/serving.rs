//! Keys of what a server serves and to whom: models and their names, the key, lengths, seed, and what it does beyond answering.
//!
//! Deliberately says nothing of time: that is for `pace` and `deployment`.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::options::query::{number, share, switch, tokens, wrong};
use crate::options::{Group, Options, OptionsError};

/// The keys.
pub(super) const GROUP: Group = Group {
    title: "What is served, and to whom",
    keys: &[
        ("model", "a model that is served; may be given several times; without it every name is"),
        ("served_model_name", "the same, by vLLM's name for it"),
        ("api_key", "the key that requests must bear"),
        ("max_model_len", "the most tokens that prompt and output may have together"),
        (
            "output_tokens",
            "tokens of an output that nothing cuts short: a number, or a range such as 50-200",
        ),
        ("seed", "the root of all draws"),
        (
            "lora_modules",
            "LoRA adapters, as name=path with commas between them; may be given several times",
        ),
        ("ssl_certfile", "a file with the certificate to serve HTTPS with, as PEM"),
        (
            "ssl_keyfile",
            "the file with its private key; without it the key is in the certificate's file",
        ),
        (
            "reasoning_parser",
            "answer chats with reasoning first, half of the tokens unless reasoning_share says otherwise; the name changes nothing",
        ),
        ("reasoning_share", "the share of an output that is reasoning, from 0 to 1"),
        (
            "tool_call_parser",
            "answer with calls of tools where a request leaves no other choice; the name changes nothing",
        ),
        ("enable_auto_tool_choice", "and also where it leaves the choice: true or false"),
        (
            "enable_prompt_tokens_details",
            "tell in the usage how much of a prompt was cached: true or false",
        ),
        (
            "max_num_queued_reqs",
            "the most requests that run or wait at once: further ones are refused with status 503",
        ),
        ("log_stats", "write vLLM's periodic log lines to stderr: true or false"),
        ("aggregate_engine_logging", "and one for all engines together: true or false"),
    ],
};

/// What a server does beyond answering: whatever has no place in the model of its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Serving {
    /// Whether usage tells how many tokens of the prompt were in the prefix cache (vLLM's flag of that name).
    pub enable_prompt_tokens_details: bool,
    /// The most sequences that run or wait at once, over all engines; further requests are refused with status 503 (vLLM's flag of that
    /// name). `None` for no limit.
    pub max_num_queued_reqs: Option<u32>,
    /// The adapters that are served beside the models.
    pub lora_modules: Vec<LoraModule>,
    /// The certificate to serve HTTPS with. Without one it is HTTP.
    pub certified: Option<Certified>,
    /// The share of a chat's output that is reasoning.
    pub reasoning_share: f64,
    /// Whether tools are called where a request leaves no other choice.
    pub calls_tools: bool,
    /// Whether they are called too where it leaves the choice.
    pub calls_tools_by_itself: bool,
    /// Whether what engines do is told on stderr every ten seconds, as vLLM does unless `--disable-log-stats` is given.
    pub log_stats: bool,
    /// Whether it is told of all engines together.
    pub aggregate_engine_logging: bool,
}

/// A LoRA adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoraModule {
    /// The name by which requests ask for it.
    pub name: String,
    /// Where it lies. Nothing is ever read from there.
    pub path: String,
}

/// The files of a certificate and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A key, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// What was said of serving, as far as others have to know whether it was said at all.
#[derive(Default)]
pub(super) struct Said {
    /// `max_model_len`, if it was given.
    pub(super) max_model_len: Option<NonZeroU32>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    reasons: bool,
    reasoning_share: Option<f64>,
}

impl Said {
    /// Takes one of [`GROUP`]'s keys.
    pub(super) fn set(
        &mut self,
        options: &mut Options,
        key: &str,
        value: &str,
    ) -> Result<(), OptionsError> {
        match key {
            "model" | "served_model_name" => {
                options.models.extend(value.split(',').map(str::to_owned));
            }
            "api_key" => options.api_key = Some(ApiKey(value.to_owned())),
            "max_model_len" => {
                let length: NonZeroU32 = number(key, value)?;
                options.max_model_len = length.get();
                self.max_model_len = Some(length);
            }
            "output_tokens" => options.output_tokens = tokens(key, value)?,
            "enable_prompt_tokens_details" => {
                options.serving.enable_prompt_tokens_details = switch(key, value)?;
            }
            "max_num_queued_reqs" => {
                options.serving.max_num_queued_reqs = Some(number(key, value)?);
            }
            "log_stats" => options.serving.log_stats = switch(key, value)?,
            "aggregate_engine_logging" => {
                options.serving.aggregate_engine_logging = switch(key, value)?;
            }
            "seed" => options.seed = number(key, value)?,
            "lora_modules" => {
                for module in value.split(',') {
                    options.serving.lora_modules.push(lora(key, module)?);
                }
            }
            "ssl_certfile" => self.certificate = Some(path(key, value)?),
            "ssl_keyfile" => self.key = Some(path(key, value)?),
            "reasoning_parser" => self.reasons = !value.is_empty(),
            "reasoning_share" => self.reasoning_share = Some(share(key, value)?),
            "tool_call_parser" => options.serving.calls_tools = !value.is_empty(),
            "enable_auto_tool_choice" => {
                options.serving.calls_tools_by_itself = switch(key, value)?;
            }
            _ => return Err(OptionsError::Unknown { key: key.to_owned() }),
        }
        Ok(())
    }

    /// Puts together what keys say together.
    pub(super) fn settle(self, options: &mut Options) -> Result<(), OptionsError> {
        let without = |key: &str, needed| OptionsError::Without { key: key.to_owned(), needed };
        let serving = &mut options.serving;
        let usual = if self.reasons { REASONING } else { 0.0 };
        serving.reasoning_share = self.reasoning_share.unwrap_or(usual);
        serving.certified = match (self.certificate, self.key) {
            (None, None) => None,
            (None, Some(_)) => return Err(without("ssl_keyfile", "ssl_certfile")),
            (Some(certificate), key) => {
                let key = key.unwrap_or_else(|| certificate.clone());
                Some(Certified { certificate, key })
            }
        };
        if serving.calls_tools_by_itself && !serving.calls_tools {
            return Err(without("enable_auto_tool_choice", "tool_call_parser"));
        }
        for (index, lora) in serving.lora_modules.iter().enumerate() {
            let before = serving.lora_modules[..index].iter().map(|other| &other.name);
            if options.models.iter().chain(before).any(|name| *name == lora.name) {
                let wanted = "a name that is not served already";
                return Err(wrong("lora_modules", wanted, &lora.name));
            }
        }
        Ok(())
    }
}

fn lora(key: &str, value: &str) -> Result<LoraModule, OptionsError> {
    match value.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok(LoraModule { name: name.to_owned(), path: path.to_owned() })
        }
        _ => Err(wrong(key, "name=path", value)),
    }
}

fn path(key: &str, value: &str) -> Result<PathBuf, OptionsError> {
    match value {
        "" => Err(wrong(key, "the name of a file", value)),
        path => Ok(path.into()),
    }
}

/// The share of an output that is reasoning where a parser for it is named and nothing else is said.
const REASONING: f64 = 0.5;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let options = Options::from_query("api_key=sk-secret").unwrap();
        assert!(!format!("{options:?}").contains("sk-secret"));
        assert!(options.api_key.unwrap().is("sk-secret"));
    }

    #[test]
    fn what_keys_say_together_is_put_together() {
        let serving = |query| Options::from_query(query).map(|options| options.serving);
        let served = serving("lora_modules=a%3D/a,b%3D/b&reasoning_parser=qwen3").unwrap();
        let names: Vec<_> =
            served.lora_modules.iter().map(|lora| (&*lora.name, &*lora.path)).collect();
        assert_eq!(names, [("a", "/a"), ("b", "/b")]);
        assert_eq!(served.reasoning_share, REASONING);
        let logged = serving("log_stats&aggregate_engine_logging").unwrap();
        assert!(logged.log_stats && logged.aggregate_engine_logging && !served.log_stats);
        assert_eq!(serving("max_num_queued_reqs=0").unwrap().max_num_queued_reqs, Some(0));
        assert_eq!(serving("reasoning_share=0.2").unwrap().reasoning_share, 0.2);
        let certified = serving("ssl_certfile=c.pem").unwrap().certified.unwrap();
        assert_eq!(certified.key, certified.certificate);
        let error = |query| serving(query).unwrap_err().to_string();
        assert_eq!(error("ssl_keyfile=k"), "ssl_keyfile needs ssl_certfile beside it");
        assert_eq!(
            error("enable_auto_tool_choice"),
            "enable_auto_tool_choice needs tool_call_parser beside it"
        );
        assert_eq!(error("lora_modules=a"), "lora_modules takes name=path, not \"a\"");
        assert_eq!(
            error("model=a&lora_modules=a%3Dp"),
            "lora_modules takes a name that is not served already, not \"a\""
        );
    }

    #[test]
    fn a_served_name_is_a_model() {
        let options = Options::from_query("served_model_name=a,b&model=c").unwrap();
        assert_eq!(options.models, ["a", "b", "c"]);
    }
}
