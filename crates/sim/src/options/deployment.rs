//! Keys of engines: what is deployed, and how it is set up, with vLLM's names.
//!
//! All of them change one [`Preset`]: the one that is named, or an empty one. Deliberately computes nothing: names become numbers in
//! [`crate::hardware`].

use std::num::NonZeroU32;

use crate::hardware::{
    Coefficients, EngineSettings, Estimate, FrontendTimes, Preset, PresetError, RoutingPolicy,
    SchedulingPolicy, Step, named,
};
use crate::options::query::{amount, number, share, switch, wrong};
use crate::options::{Group, Options, OptionsError};

/// The keys.
pub(super) const GROUP: Group = Group {
    title: "Engines, whose requests share steps",
    keys: &[
        ("preset", "a deployment by name, or a file of `sim fit`; in a URL also sim://NAME"),
        ("gpu", "in place of a preset: steps estimated for this GPU …"),
        ("architecture", "… and this model: a name, or the path of a config.json"),
        ("tensor_parallel_size", "GPUs that share each layer, for estimated steps"),
        (
            "gpu_memory_utilization",
            "the share of the GPUs' memory that is used, for estimated steps",
        ),
        ("prefill_mfu", "the share of the peak FLOP that prompts reach, for estimated steps"),
        ("decode_mfu", "the share of the peak FLOP that outputs reach, for estimated steps"),
        ("bandwidth_efficiency", "the share of the bandwidth that is reached, for estimated steps"),
        ("base_us", "in place of a preset: microseconds of each step, and with it these four"),
        ("per_prefill_token_us", "microseconds for each token of a prompt"),
        ("per_decode_token_us", "microseconds for each token of an output"),
        ("per_context_token_ns", "nanoseconds for each token in the KV cache that decoding reads"),
        ("per_attention_ns", "nanoseconds for each pair of tokens in a prompt's attention"),
        ("per_request_us", "microseconds of the frontend for each request"),
        ("per_prompt_token_us", "microseconds of the frontend for each token of a prompt"),
        ("max_num_seqs", "the most requests in a step"),
        ("max_num_batched_tokens", "the most tokens in a step"),
        ("num_gpu_blocks", "blocks of the KV cache"),
        ("num_gpu_blocks_override", "the same, by vLLM's name for it"),
        ("block_size", "tokens of a block"),
        ("enable_prefix_caching", "use blocks with the same beginning again: true or false"),
        ("no_enable_prefix_caching", "compute every prompt anew"),
        ("enable_chunked_prefill", "compute long prompts in parts: true or false"),
        ("no_enable_chunked_prefill", "compute every prompt in one step"),
        ("scheduling_policy", "who goes first: fcfs or priority"),
        (
            "speculative_config",
            "speculative decoding, as vLLM's JSON: method, num_speculative_tokens, …",
        ),
        ("acceptance", "how often each token of a draft is kept, given those before it: 0.85,0.7"),
        ("data_parallel_size", "engines that share the requests"),
        ("routing", "which of them gets a request: least-requests, round-robin or prefix"),
        ("noise", "the relative standard deviation of steps' times, from 0 to 1"),
    ],
};

/// What was said of engines.
#[derive(Default)]
pub(super) struct Said {
    preset: Option<String>,
    gpu: Option<String>,
    architecture: Option<String>,
    estimate: Estimate,
    base: Option<f64>,
    coefficients: [Option<f64>; 4],
    frontend: [Option<f64>; 2],
    engine: EngineSettings,
    /// The first key of each kind, for refusals.
    first: Option<&'static str>,
    of_estimates: Option<&'static str>,
    of_coefficients: Option<&'static str>,
}

impl Said {
    /// Takes one of [`GROUP`]'s keys.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), OptionsError> {
        let known = GROUP.keys.iter().map(|(known, _)| *known).find(|known| *known == key);
        let Some(known) = known else { return Err(OptionsError::Unknown { key: key.to_owned() }) };
        self.first.get_or_insert(known);
        match key {
            "preset" => self.set_preset(value)?,
            "gpu"
            | "architecture"
            | "tensor_parallel_size"
            | "gpu_memory_utilization"
            | "prefill_mfu"
            | "decode_mfu"
            | "bandwidth_efficiency" => {
                self.of_estimates.get_or_insert(known);
                self.set_estimate(key, value)?;
            }
            "base_us"
            | "per_prefill_token_us"
            | "per_decode_token_us"
            | "per_context_token_ns"
            | "per_attention_ns" => {
                self.of_coefficients.get_or_insert(known);
                self.set_coefficient(key, amount(key, value)?);
            }
            "per_request_us" => self.frontend[0] = Some(amount(key, value)?),
            "per_prompt_token_us" => self.frontend[1] = Some(amount(key, value)?),
            _ => self.set_engine(key, value)?,
        }
        Ok(())
    }

    fn set_preset(&mut self, value: &str) -> Result<(), OptionsError> {
        match &self.preset {
            Some(before) if before != value => {
                Err(refused("preset", format!("is said twice: {before} and {value}")))
            }
            _ => {
                self.preset = Some(value.to_owned());
                Ok(())
            }
        }
    }

    fn set_estimate(&mut self, key: &str, value: &str) -> Result<(), OptionsError> {
        match key {
            "gpu" => self.gpu = Some(value.to_owned()),
            "architecture" => self.architecture = Some(value.to_owned()),
            "tensor_parallel_size" => {
                self.estimate.tensor_parallel_size = Some(number(key, value)?)
            }
            "gpu_memory_utilization" => {
                self.estimate.gpu_memory_utilization = Some(share(key, value)?);
            }
            "prefill_mfu" => self.estimate.prefill_mfu = Some(share(key, value)?),
            "decode_mfu" => self.estimate.decode_mfu = Some(share(key, value)?),
            _ => self.estimate.bandwidth_efficiency = Some(share(key, value)?),
        }
        Ok(())
    }

    fn set_coefficient(&mut self, key: &str, value: f64) {
        let [prefill, decode, context, attention] = &mut self.coefficients;
        let place = match key {
            "base_us" => &mut self.base,
            "per_prefill_token_us" => prefill,
            "per_decode_token_us" => decode,
            "per_context_token_ns" => context,
            _ => attention,
        };
        *place = Some(value);
    }

    fn set_engine(&mut self, key: &str, value: &str) -> Result<(), OptionsError> {
        let engine = &mut self.engine;
        match key {
            "max_num_seqs" => engine.max_num_seqs = Some(number(key, value)?),
            "max_num_batched_tokens" => engine.max_num_batched_tokens = Some(number(key, value)?),
            "num_gpu_blocks" | "num_gpu_blocks_override" => {
                engine.num_gpu_blocks = Some(number(key, value)?);
            }
            "block_size" => engine.block_size = Some(number(key, value)?),
            "enable_prefix_caching" => engine.enable_prefix_caching = Some(switch(key, value)?),
            "no_enable_prefix_caching" => engine.enable_prefix_caching = Some(!switch(key, value)?),
            "enable_chunked_prefill" => engine.enable_chunked_prefill = Some(switch(key, value)?),
            "no_enable_chunked_prefill" => {
                engine.enable_chunked_prefill = Some(!switch(key, value)?);
            }
            "scheduling_policy" => {
                engine.scheduling_policy = Some(match value {
                    "fcfs" => SchedulingPolicy::Fcfs,
                    "priority" => SchedulingPolicy::Priority,
                    _ => return Err(wrong(key, "fcfs or priority", value)),
                });
            }
            "speculative_config" => {
                let config = serde_json::from_str(value);
                let config =
                    config.map_err(|error| refused("speculative_config", in_json(&error)))?;
                engine.speculative_config = Some(config);
            }
            "acceptance" => {
                let shares = value.split(',').map(|value| share(key, value.trim()));
                engine.acceptance = Some(shares.collect::<Result<_, _>>()?);
            }
            "data_parallel_size" => engine.data_parallel_size = Some(number(key, value)?),
            "routing" => {
                engine.routing = Some(match value {
                    "least-requests" => RoutingPolicy::LeastRequests,
                    "round-robin" => RoutingPolicy::RoundRobin,
                    "prefix" => RoutingPolicy::Prefix,
                    _ => return Err(wrong(key, "least-requests, round-robin or prefix", value)),
                });
            }
            _ => engine.noise = Some(share(key, value)?),
        }
        Ok(())
    }

    /// Makes a deployment of it, if one was asked for. `pace` is a key of a server without engines that was given, and `length` the
    /// context's, if it was.
    pub(super) fn settle(
        self,
        options: &mut Options,
        pace: Option<&str>,
        length: Option<NonZeroU32>,
    ) -> Result<(), OptionsError> {
        let Some(first) = self.first else { return Ok(()) };
        let (mut preset, name) = self.begin(first)?;
        if let Some(pace) = pace {
            let why = format!(
                "is the pace of a server without engines, and {first} asks for some: leave one of them out"
            );
            return Err(OptionsError::Refused { key: pace.to_owned(), why });
        }
        self.change_step(&mut preset)?;
        self.change_engine(&mut preset);
        let [request, prompt_token] = self.frontend;
        let times = &mut preset.frontend;
        *times = FrontendTimes {
            per_request_us: request.unwrap_or(times.per_request_us),
            per_prompt_token_us: prompt_token.unwrap_or(times.per_prompt_token_us),
        };
        preset.max_model_len = length.or(preset.max_model_len);
        let deployed = preset.deployed(&name)?;
        options.model = deployed.model;
        if let Some(length) = deployed.max_model_len {
            options.max_model_len = length.get();
        }
        let holds = deployed.deployment.engine.context();
        if options.max_model_len > holds {
            // vLLM does not start with a context that its cache cannot hold.
            if let Some(length) = length {
                let why = format!(
                    "is {length}, and the KV cache, or a step where prompts are not computed in parts, holds {holds} tokens: lower it, or \
                     raise num_gpu_blocks"
                );
                return Err(OptionsError::Refused { key: "max_model_len".to_owned(), why });
            }
            options.max_model_len = holds;
        }
        options.deployment = Some(deployed.deployment);
        Ok(())
    }

    /// The preset that the other keys change, and its name.
    fn begin(&self, first: &str) -> Result<(Preset, String), OptionsError> {
        if let Some(name) = &self.preset {
            return Ok((named(name)?, name.clone()));
        }
        let (step, name) = match (self.of_estimates, self.of_coefficients) {
            (Some(estimate), Some(coefficient)) => {
                return Err(refused(
                    coefficient,
                    format!(
                        "is a coefficient, and {estimate} asks for an estimate: leave one of them out"
                    ),
                ));
            }
            (Some(_), None) => {
                let needs =
                    |key: &str, needed| OptionsError::Without { key: key.to_owned(), needed };
                let gpu = self.gpu.clone().ok_or_else(|| needs(first, "gpu"))?;
                let architecture = self.architecture.clone();
                let architecture = architecture.ok_or_else(|| needs("gpu", "architecture"))?;
                // The name is the pairing's.
                (Step::Roofline(Estimate { gpu, architecture, ..Estimate::default() }), "")
            }
            (None, _) if self.base.is_some() => {
                (Step::Coefficients(Coefficients::default()), "coefficients")
            }
            (None, _) => {
                let needed = "preset=NAME, gpu=… and architecture=…, or base_us=…";
                return Err(OptionsError::Without { key: first.to_owned(), needed });
            }
        };
        let preset = Preset {
            description: String::new(),
            source: String::new(),
            model: None,
            max_model_len: None,
            step,
            frontend: FrontendTimes::default(),
            engine: EngineSettings::default(),
            fit: None,
        };
        Ok((preset, name.to_owned()))
    }

    fn change_step(&self, preset: &mut Preset) -> Result<(), OptionsError> {
        match &mut preset.step {
            Step::Coefficients(coefficients) => {
                if let Some(key) = self.of_estimates {
                    let why = "does not go with coefficients, which are of one model on one set of GPUs: take an estimated preset, or \
                               gpu=… and architecture=…";
                    return Err(refused(key, why.to_owned()));
                }
                let [prefill, decode, context, attention] = self.coefficients;
                let over = |place: &mut f64, given: Option<f64>| *place = given.unwrap_or(*place);
                over(&mut coefficients.base_us, self.base);
                over(&mut coefficients.per_prefill_token_us, prefill);
                over(&mut coefficients.per_decode_token_us, decode);
                over(&mut coefficients.per_context_token_ns, context);
                over(&mut coefficients.per_attention_ns, attention);
            }
            Step::Roofline(estimate) => {
                if let Some(key) = self.of_coefficients {
                    let why = "is a coefficient, and the steps of this preset are estimated: leave it out, or the preset";
                    return Err(refused(key, why.to_owned()));
                }
                let other_model = self.architecture.is_some();
                *estimate = Estimate {
                    gpu: self.gpu.clone().unwrap_or_else(|| estimate.gpu.clone()),
                    architecture: self
                        .architecture
                        .clone()
                        .unwrap_or_else(|| estimate.architecture.clone()),
                    tensor_parallel_size: self
                        .estimate
                        .tensor_parallel_size
                        .or(estimate.tensor_parallel_size),
                    gpu_memory_utilization: self
                        .estimate
                        .gpu_memory_utilization
                        .or(estimate.gpu_memory_utilization),
                    prefill_mfu: self.estimate.prefill_mfu.or(estimate.prefill_mfu),
                    decode_mfu: self.estimate.decode_mfu.or(estimate.decode_mfu),
                    bandwidth_efficiency: self
                        .estimate
                        .bandwidth_efficiency
                        .or(estimate.bandwidth_efficiency),
                };
                if other_model {
                    preset.model = None;
                    preset.max_model_len = None;
                }
            }
        }
        Ok(())
    }

    /// What was said stands before what the preset says. What the preset says makes way where the two do not go together, as vLLM's own
    /// defaults do.
    fn change_engine(&self, preset: &mut Preset) {
        let (said, preset) = (&self.engine, &mut preset.engine);
        if let (Some(tokens), Some(seqs)) = (said.max_num_batched_tokens, preset.max_num_seqs) {
            preset.max_num_seqs = Some(seqs.min(tokens));
        }
        if said.enable_chunked_prefill == Some(false) {
            preset.max_num_batched_tokens = None;
        }
        if said.speculative_config.is_some() {
            preset.acceptance = None;
        }
        *preset = EngineSettings {
            max_num_seqs: said.max_num_seqs.or(preset.max_num_seqs),
            max_num_batched_tokens: said.max_num_batched_tokens.or(preset.max_num_batched_tokens),
            num_gpu_blocks: said.num_gpu_blocks.or(preset.num_gpu_blocks),
            block_size: said.block_size.or(preset.block_size),
            enable_prefix_caching: said.enable_prefix_caching.or(preset.enable_prefix_caching),
            enable_chunked_prefill: said.enable_chunked_prefill.or(preset.enable_chunked_prefill),
            scheduling_policy: said.scheduling_policy.or(preset.scheduling_policy),
            speculative_config: said
                .speculative_config
                .clone()
                .or_else(|| preset.speculative_config.clone()),
            acceptance: said.acceptance.clone().or_else(|| preset.acceptance.clone()),
            data_parallel_size: said.data_parallel_size.or(preset.data_parallel_size),
            routing: said.routing.or(preset.routing),
            noise: said.noise.or(preset.noise),
        };
    }
}

fn refused(key: &str, why: String) -> OptionsError {
    OptionsError::Refused { key: key.to_owned(), why }
}

/// What is wrong with some JSON, without the line, of which there is only one.
fn in_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let problem = text.split(" at line 1 column").next().unwrap_or_default();
    format!(
        "is not what vLLM takes, such as {{\"method\":\"mtp\",\"num_speculative_tokens\":2}}: {problem}"
    )
}

impl From<PresetError> for OptionsError {
    fn from(error: PresetError) -> Self {
        match error {
            PresetError::Refused { key, why } => refused(key, why),
            other => Self::Preset(other),
        }
    }
}

#[cfg(test)]
mod tests;
