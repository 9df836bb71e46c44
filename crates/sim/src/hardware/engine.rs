//! Settings of engines, with vLLM's names and meanings, and what vLLM refuses to start with.
//!
//! Deliberately knows no hardware: how many blocks fit is asked of whoever knows.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::hardware::PresetError;
use crate::model::{Engine, MOST_DRAFTED, Policy, Routing, Speculation};

/// How engines are set up. What is left out is as vLLM has it, for the GPU if one is named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// The most requests in a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_num_seqs: Option<NonZeroU32>,
    /// The most tokens in a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_num_batched_tokens: Option<NonZeroU32>,
    /// Blocks of the KV cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_gpu_blocks: Option<NonZeroU32>,
    /// Tokens of a block; 16 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_size: Option<NonZeroU32>,
    /// Whether blocks with the same beginning are used again; yes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_prefix_caching: Option<bool>,
    /// Whether prompts may be computed in parts; yes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_chunked_prefill: Option<bool>,
    /// Who goes first: `fcfs` or `priority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling_policy: Option<SchedulingPolicy>,
    /// Speculative decoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speculative_config: Option<SpeculativeConfig>,
    /// The chance of each position of a draft to be accepted, given that all before it were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Vec<f64>>,
    /// Engines that share the requests; 1 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_parallel_size: Option<NonZeroU32>,
    /// Which of them a request goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<RoutingPolicy>,
    /// The relative standard deviation of a step's time; none if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
}

/// [`Policy`], as vLLM writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchedulingPolicy {
    /// Who came first.
    Fcfs,
    /// Who has the lower priority.
    Priority,
}

/// [`Routing`], as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoutingPolicy {
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest requests.
    LeastRequests,
    /// The one that has most of the prompt in its cache.
    Prefix,
}

/// vLLM's `--speculative-config`, as far as it means something here: how drafts are made and with which model is only told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeculativeConfig {
    /// How drafts are made; what vLLM takes: `mtp`, `eagle`, `ngram`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Tokens of a draft.
    pub num_speculative_tokens: NonZeroU32,
    /// The model that drafts. Only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// GPUs that draft. Only told: what drafting takes is part of a step's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_tensor_parallel_size: Option<NonZeroU32>,
    /// The longest run of tokens that `ngram` looks up. Only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_lookup_max: Option<NonZeroU32>,
    /// The shortest. Only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_lookup_min: Option<NonZeroU32>,
}

impl EngineSettings {
    /// The engine that is meant. `limits` are the usual most requests and most tokens in a step, and `blocks` says how many blocks of
    /// that size fit with those limits, where nothing is said of them.
    pub(super) fn resolved(
        &self,
        limits: (u32, u32),
        max_model_len: Option<NonZeroU32>,
        blocks: impl Fn(NonZeroU32, (u32, u32)) -> Result<NonZeroU32, PresetError>,
    ) -> Result<Engine, PresetError> {
        let chunked_prefill = self.enable_chunked_prefill.unwrap_or(true);
        let (max_num_seqs, max_num_batched_tokens) =
            self.limits(limits, max_model_len, chunked_prefill)?;
        let block_size = self.block_size.unwrap_or(BLOCK_SIZE);
        let blocks = match self.num_gpu_blocks {
            Some(blocks) => blocks,
            None => blocks(block_size, (max_num_seqs.get(), max_num_batched_tokens.get()))?,
        };
        if blocks.get() < 2 {
            return Err(PresetError::refused(
                "num_gpu_blocks",
                "is 1, and vLLM keeps one for itself: take at least 2".into(),
            ));
        }
        Ok(Engine {
            max_num_seqs,
            max_num_batched_tokens,
            chunked_prefill,
            policy: match self.scheduling_policy {
                None | Some(SchedulingPolicy::Fcfs) => Policy::Fcfs,
                Some(SchedulingPolicy::Priority) => Policy::Priority,
            },
            blocks,
            block_size,
            prefix_caching: self.prefix_caching(),
            speculation: self.speculation()?,
        })
    }

    /// The most requests and the most tokens in a step. As in vLLM, what is not said makes way for what is.
    fn limits(
        &self,
        (usual_seqs, usual_tokens): (u32, u32),
        max_model_len: Option<NonZeroU32>,
        chunked_prefill: bool,
    ) -> Result<(NonZeroU32, NonZeroU32), PresetError> {
        let whole = max_model_len.filter(|_| !chunked_prefill);
        let tokens = self
            .max_num_batched_tokens
            .or_else(|| NonZeroU32::new(usual_tokens.max(whole.map_or(0, NonZeroU32::get))));
        let tokens = tokens.unwrap_or(NonZeroU32::MIN);
        let seqs = self.max_num_seqs.or_else(|| NonZeroU32::new(usual_seqs.min(tokens.get())));
        let seqs = seqs.unwrap_or(NonZeroU32::MIN);
        if tokens < seqs {
            return Err(PresetError::refused(
                "max_num_batched_tokens",
                format!(
                    "is {tokens}, less than max_num_seqs, {seqs}: a step has a token for each request at least"
                ),
            ));
        }
        match whole {
            Some(whole) if tokens < whole => Err(PresetError::refused(
                "max_num_batched_tokens",
                format!(
                    "is {tokens}, less than max_model_len, {whole}: without enable_chunked_prefill a step has to take a whole prompt"
                ),
            )),
            _ => Ok((seqs, tokens)),
        }
    }

    fn speculation(&self) -> Result<Option<Speculation>, PresetError> {
        let Some(config) = &self.speculative_config else {
            return match self.acceptance {
                None => Ok(None),
                Some(_) => Err(PresetError::refused(
                    "acceptance",
                    "needs speculative_config beside it, which says how long drafts are".into(),
                )),
            };
        };
        let tokens = config.num_speculative_tokens;
        if tokens.get() as usize > MOST_DRAFTED {
            return Err(PresetError::refused(
                "speculative_config",
                format!(
                    "num_speculative_tokens is {tokens}, and {MOST_DRAFTED} is the most that is simulated"
                ),
            ));
        }
        let Some(acceptance) = &self.acceptance else {
            return Err(PresetError::refused(
                "speculative_config",
                "needs acceptance beside it: acceptance=0.8,0.6 says how often each token of a draft is kept".into(),
            ));
        };
        if acceptance.len() != tokens.get() as usize {
            return Err(PresetError::refused(
                "acceptance",
                format!(
                    "has {} shares, but a draft has {tokens} tokens: give one for each",
                    acceptance.len()
                ),
            ));
        }
        if let Some(share) = acceptance.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Err(PresetError::refused(
                "acceptance",
                format!("takes shares from 0 to 1, not {share}"),
            ));
        }
        let method = config.method.clone().unwrap_or_else(|| "draft_model".to_owned());
        Ok(Some(Speculation { method, tokens, acceptance: acceptance.clone() }))
    }

    /// Which engine a request goes to.
    pub(super) fn routing(&self) -> Result<Routing, PresetError> {
        match self.routing {
            None | Some(RoutingPolicy::LeastRequests) => Ok(Routing::LeastRequests),
            Some(RoutingPolicy::RoundRobin) => Ok(Routing::RoundRobin),
            Some(RoutingPolicy::Prefix) if self.prefix_caching() => Ok(Routing::Prefix),
            Some(RoutingPolicy::Prefix) => Err(PresetError::refused(
                "routing",
                "is prefix, but without enable_prefix_caching no engine has anything to route by"
                    .into(),
            )),
        }
    }

    /// How much steps' times stray.
    pub(super) fn noise(&self) -> Result<f64, PresetError> {
        match self.noise.unwrap_or(0.0) {
            noise if (0.0..=1.0).contains(&noise) => Ok(noise),
            other => Err(PresetError::refused(
                "noise",
                format!("takes a share from 0 to 1, not {other}"),
            )),
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    fn prefix_caching(&self) -> bool {
        self.enable_prefix_caching.unwrap_or(true)
    }
}

/// Tokens of a block where nothing is said, as in vLLM.
const BLOCK_SIZE: NonZeroU32 = NonZeroU32::new(16).expect("not 0");

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: NonZeroU32 = NonZeroU32::new(1000).unwrap();

    fn resolved(settings: &EngineSettings, max_model_len: u32) -> Result<Engine, String> {
        let longest = NonZeroU32::new(max_model_len);
        let engine = settings.resolved((256, 2048), longest, |_, _| Ok(BLOCKS));
        engine.map_err(|error| error.to_string())
    }

    fn settings(yaml: &str) -> EngineSettings {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn what_is_not_said_makes_way_for_what_is() {
        let engine = resolved(&settings("max_num_batched_tokens: 64"), 4096).unwrap();
        assert_eq!((engine.max_num_seqs.get(), engine.max_num_batched_tokens.get()), (64, 64));
        let engine = resolved(&settings("enable_chunked_prefill: false"), 40_960).unwrap();
        assert_eq!(engine.max_num_batched_tokens.get(), 40_960);
    }

    #[test]
    fn what_vllm_does_not_start_with_is_refused() {
        for (yaml, why) in [
            (
                "{max_num_batched_tokens: 64, max_num_seqs: 65}",
                "max_num_batched_tokens is 64, less than max_num_seqs, 65: a step has a token for each request at least",
            ),
            (
                "{max_num_batched_tokens: 1000, enable_chunked_prefill: false}",
                "max_num_batched_tokens is 1000, less than max_model_len, 4096: without enable_chunked_prefill a step has to take a \
                 whole prompt",
            ),
            (
                "num_gpu_blocks: 1",
                "num_gpu_blocks is 1, and vLLM keeps one for itself: take at least 2",
            ),
            (
                "acceptance: [0.5]",
                "acceptance needs speculative_config beside it, which says how long drafts are",
            ),
            (
                "{speculative_config: {num_speculative_tokens: 2}, acceptance: [0.5]}",
                "acceptance has 1 shares, but a draft has 2 tokens: give one for each",
            ),
            (
                "{speculative_config: {num_speculative_tokens: 1}, acceptance: [1.5]}",
                "acceptance takes shares from 0 to 1, not 1.5",
            ),
            (
                "speculative_config: {num_speculative_tokens: 1}",
                "speculative_config needs acceptance beside it: acceptance=0.8,0.6 says how often each token of a draft is kept",
            ),
            (
                "{speculative_config: {num_speculative_tokens: 17}}",
                "speculative_config num_speculative_tokens is 17, and 16 is the most that is simulated",
            ),
        ] {
            assert_eq!(resolved(&settings(yaml), 4096).unwrap_err(), why);
        }
    }

    #[test]
    fn routing_by_prefixes_needs_prefixes() {
        let error =
            settings("{routing: prefix, enable_prefix_caching: false}").routing().unwrap_err();
        assert!(error.to_string().starts_with("routing is prefix, but without"), "{error}");
        assert_eq!(settings("routing: prefix").routing(), Ok(Routing::Prefix));
        assert_eq!(settings("{}").routing(), Ok(Routing::LeastRequests));
    }

    #[test]
    fn noise_is_a_share() {
        assert!(settings("noise: 1.5").noise().is_err());
        assert_eq!(settings("noise: 0.1").noise(), Ok(0.1));
    }
}
