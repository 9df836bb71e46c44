//! What a GPU and an architecture make together: how long steps take, and how many blocks of KV cache fit.
//!
//! An estimate where nothing was measured. Deliberately knows no network between GPUs beyond a fixed time for each layer, and no
//! weights or caches of fewer than 16 bits.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::hardware::PresetError;
use crate::hardware::architecture::{Architecture, BYTES};
use crate::hardware::gpu::{GPUS, Gpu, gpu};
use crate::model::Roofline;

/// Which GPU, which architecture, and what is reached of the peaks. What is left out has the usual value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// A GPU of [`GPUS`].
    pub gpu: String,
    /// An architecture by name, or the path of a model's `config.json`.
    pub architecture: String,
    /// GPUs that share each layer (`--tensor-parallel-size`); 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor_parallel_size: Option<NonZeroU32>,
    /// The share of the GPUs' memory that is used (`--gpu-memory-utilization`); vLLM's 0.92 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_utilization: Option<f64>,
    /// The share of the peak FLOP that prompts reach; [`PREFILL_MFU`] if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefill_mfu: Option<f64>,
    /// The share of the peak FLOP that outputs reach; [`DECODE_MFU`] if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode_mfu: Option<f64>,
    /// The share of the memory's bandwidth that is reached; [`BANDWIDTH_EFFICIENCY`] if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_efficiency: Option<f64>,
}

/// What of the peak FLOP the matrices of prompts reach. BLIS's `mfuPrefill`.
pub const PREFILL_MFU: f64 = 0.65;

/// What of the peak FLOP the matrices of outputs reach. BLIS has 0.12 (`mfuDecode`), and with it a step of 256 outputs of Llama-3.1-8B
/// on an H100 would take 35 ms; by the coefficients that BLIS fitted to vLLM it takes 10.6 ms, and those of Llama-3.3-70B on four H100
/// grow by 67 µs with each output, which is 0.53 of the peak.
pub const DECODE_MFU: f64 = 0.5;

/// What of the memory's bandwidth is reached. BLIS's `BwEffConstant`.
pub const BANDWIDTH_EFFICIENCY: f64 = 0.72;

/// Seconds of each step beside its layers. BLIS's `TOverheadMicros`.
pub const STEP_OVERHEAD: f64 = 500e-6;

/// Seconds of each step for each layer. BLIS's `perLayerOverhead`.
pub const LAYER_OVERHEAD: f64 = 20e-6;

/// Seconds of each step for each layer whose parts several GPUs bring together. BLIS's `allReduceLatency`.
pub const ALL_REDUCE: f64 = 20e-6;

/// A GPU and an architecture that are known and can be put together.
#[derive(Clone)]
pub(super) struct Pairing {
    pub(super) gpu: &'static Gpu,
    pub(super) architecture: Architecture,
    gpus: NonZeroU32,
    utilization: f64,
    efficiencies: [f64; 3],
}

impl Estimate {
    /// Looks up what is named.
    pub(super) fn pairing(&self) -> Result<Pairing, PresetError> {
        let gpu = gpu(&self.gpu).ok_or_else(|| PresetError::Gpu { name: self.gpu.clone() })?;
        let architecture = Architecture::named(&self.architecture)?;
        let gpus = self.tensor_parallel_size.unwrap_or(NonZeroU32::MIN);
        if architecture.heads % gpus != 0 {
            return Err(PresetError::refused(
                "tensor_parallel_size",
                format!(
                    "is {gpus}, but {} has {} heads of attention: they have to be shared evenly",
                    architecture.name, architecture.heads
                ),
            ));
        }
        let share = |key, given: Option<f64>, usual| match given.unwrap_or(usual) {
            share if 0.0 < share && share <= 1.0 => Ok(share),
            other => Err(PresetError::refused(
                key,
                format!("takes a share above 0 and up to 1, not {other}"),
            )),
        };
        Ok(Pairing {
            utilization: share("gpu_memory_utilization", self.gpu_memory_utilization, UTILIZATION)?,
            efficiencies: [
                share("prefill_mfu", self.prefill_mfu, PREFILL_MFU)?,
                share("decode_mfu", self.decode_mfu, DECODE_MFU)?,
                share("bandwidth_efficiency", self.bandwidth_efficiency, BANDWIDTH_EFFICIENCY)?,
            ],
            gpu,
            architecture,
            gpus,
        })
    }
}

impl Pairing {
    /// How long steps take.
    pub(super) fn step(&self) -> Roofline {
        let model = &self.architecture;
        let gpus = f64::from(self.gpus.get());
        let [prefill, decode, bandwidth] = self.efficiencies;
        let for_each_layer = LAYER_OVERHEAD + if self.gpus.get() > 1 { ALL_REDUCE } else { 0.0 };
        Roofline {
            prefill_flops: self.gpu.flops * prefill * gpus,
            decode_flops: self.gpu.flops * decode * gpus,
            bandwidth: self.gpu.bandwidth * bandwidth * gpus,
            flops_per_token: 2.0 * model.active_parameters(),
            flops_per_attention: model.flops_per_attention(),
            weight_bytes: model.shared_parameters() * BYTES,
            expert_bytes: model.expert_parameters() * BYTES,
            expert_share: model.expert_share(),
            kv_bytes_per_token: self.kv_bytes_per_token(),
            overhead: STEP_OVERHEAD + f64::from(model.layers) * for_each_layer,
        }
    }

    /// The most requests and the most tokens in a step where nothing is said, as vLLM 0.32's API server has them by the GPU's memory.
    pub(super) fn usual_limits(&self) -> (u32, u32) {
        let gibibytes = self.gpu.memory / GIB;
        match gibibytes {
            160.0.. => (1024, 16_384),
            70.0.. if !self.gpu.name.starts_with("a100") => (1024, 8192),
            _ => (256, 2048),
        }
    }

    /// Blocks of the KV cache: what the weights and an estimate of everything else leave of the memory.
    ///
    /// # Errors
    /// If nothing is left, or less than one request of `max_model_len` tokens takes.
    pub(super) fn blocks(
        &self,
        block_size: NonZeroU32,
        (max_num_seqs, max_num_batched_tokens): (u32, u32),
        max_model_len: u32,
    ) -> Result<NonZeroU32, PresetError> {
        let limits = (max_num_seqs, max_num_batched_tokens);
        let room = self.room(limits);
        let blocks = (room.left / self.block_bytes(block_size)).floor();
        let tokens = blocks * f64::from(block_size.get());
        let refused = |why, instead| {
            Err(PresetError::DoesNotFit {
                what: self.name(),
                why,
                instead: self.or_more(instead, limits, max_model_len),
            })
        };
        if blocks < 2.0 {
            let why = format!(
                "its weights take {:.1} GiB and its work {:.1} GiB, and {:.1} GiB may be used",
                room.weights / GIB,
                room.reserve / GIB,
                room.usable / GIB
            );
            return refused(why, None);
        }
        if tokens < f64::from(max_model_len) {
            let why = format!(
                "{:.1} GiB are left for the KV cache, which hold {tokens} tokens, and max_model_len is {max_model_len}",
                room.left / GIB
            );
            return refused(why, Some(format!("max_model_len={tokens}")));
        }
        NonZeroU32::new(blocks.min(f64::from(u32::MAX)) as u32).ok_or_else(|| {
            PresetError::refused("block_size", format!("is {block_size}: not one block fits"))
        })
    }

    /// What is deployed, in words.
    pub(super) fn name(&self) -> String {
        format!("{} on {}", self.architecture.name, self.cards())
    }

    fn cards(&self) -> String {
        match self.gpus.get() {
            1 => self.gpu.name.to_owned(),
            several => format!("{several} x {}", self.gpu.name),
        }
    }

    /// Bytes of the KV cache for each token, on all GPUs together: with more GPUs than heads, heads are kept several times.
    fn kv_bytes_per_token(&self) -> f64 {
        let copies = f64::from(self.gpus.get()) / f64::from(self.architecture.kv_heads);
        self.architecture.kv_bytes_per_token() * copies.max(1.0)
    }

    /// Bytes that are neither weights nor KV cache, on all GPUs together: a gibibyte each for CUDA and its graphs, the numbers between
    /// layers for a whole step (four of the hidden size, three of the widest), and the scores of every token of the vocabulary for
    /// each request (in 32 bits, and once more in 16). An estimate: vLLM measures it when it starts.
    fn reserve(&self, max_num_seqs: u32, max_num_batched_tokens: u32) -> f64 {
        let model = &self.architecture;
        let active = model.experts.map_or(1, |experts| experts.active);
        let widest = f64::from(model.intermediate) * f64::from(active);
        let between = 4.0 * f64::from(model.hidden) + 3.0 * widest;
        let scores = f64::from(max_num_seqs) * f64::from(model.vocabulary) * 6.0;
        f64::from(self.gpus.get()) * GIB
            + f64::from(max_num_batched_tokens) * between * BYTES
            + scores
    }

    /// What the memory of all GPUs is for.
    fn room(&self, (max_num_seqs, max_num_batched_tokens): (u32, u32)) -> Room {
        let usable = self.gpu.memory * self.utilization * f64::from(self.gpus.get());
        let weights = self.architecture.parameters() * BYTES;
        let reserve = self.reserve(max_num_seqs, max_num_batched_tokens);
        Room { usable, weights, reserve, left: usable - weights - reserve }
    }

    fn block_bytes(&self, block_size: NonZeroU32) -> f64 {
        self.kv_bytes_per_token() * f64::from(block_size.get())
    }

    /// What would do in place of this: `first`, if there is something, as few more GPUs as can be, or the next larger GPU that can.
    fn or_more(&self, first: Option<String>, limits: (u32, u32), max_model_len: u32) -> String {
        let holds = |other: &Self| {
            other.room(limits).left > other.kv_bytes_per_token() * f64::from(max_model_len)
        };
        let more = (self.gpus.get() + 1..=MOST_GPUS).filter_map(NonZeroU32::new);
        let more = more
            .filter(|gpus| self.architecture.heads % *gpus == 0)
            .find(|gpus| holds(&Self { gpus: *gpus, ..self.clone() }))
            .map(|gpus| format!("tensor_parallel_size={gpus}"));
        let larger = GPUS.iter().filter(|gpu| holds(&Self { gpu, ..self.clone() }));
        let larger = larger
            .min_by(|a, b| a.memory.total_cmp(&b.memory))
            .map(|gpu| format!("gpu={}", gpu.name));
        let ways: Vec<_> = first.into_iter().chain(more).chain(larger).collect();
        match ways.is_empty() {
            true => "a smaller architecture".to_owned(),
            false => ways.join(", or "),
        }
    }
}

/// What the memory is for, in bytes.
struct Room {
    usable: f64,
    weights: f64,
    reserve: f64,
    left: f64,
}

const GIB: f64 = (1_u64 << 30) as f64;

/// vLLM's own share of the memory, since 0.32.
const UTILIZATION: f64 = 0.92;

/// The most GPUs that are proposed.
const MOST_GPUS: u32 = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Batch, Linear, StepTime};

    fn estimate(gpu: &str, architecture: &str, gpus: u32) -> Estimate {
        Estimate {
            gpu: gpu.into(),
            architecture: architecture.into(),
            tensor_parallel_size: NonZeroU32::new(gpus),
            ..Estimate::default()
        }
    }

    fn pairing(gpu: &str, architecture: &str, gpus: u32) -> Pairing {
        estimate(gpu, architecture, gpus).pairing().unwrap()
    }

    fn seconds(step: &StepTime, decode_tokens: u32, context: u64) -> f64 {
        let batch = Batch {
            requests: decode_tokens,
            decode_tokens,
            decode_context: context,
            ..Batch::default()
        };
        step.of(&batch).as_secs_f64()
    }

    const SIXTEEN: NonZeroU32 = NonZeroU32::new(16).unwrap();

    #[test]
    fn one_output_of_llama_8b_on_an_h100_takes_as_long_as_reading_its_weights() {
        let step = StepTime::Roofline(pairing("h100", "llama-3.1-8b", 1).step());
        // 8.03e9 parameters of 2 bytes at 0.72 of 3.35 TB/s are 6.66 ms; 32 layers of 20 µs and 500 µs are 1.14 ms.
        let expected = 8.030e9 * 2.0 / (0.72 * 3.35e12) + 500e-6 + 32.0 * 20e-6;
        assert!((seconds(&step, 1, 0) / expected - 1.0).abs() < 1e-3);
        assert!((expected - 7.80e-3).abs() < 0.01e-3);
        // A context of 8192 tokens is 1 GiB more to read: 0.45 ms.
        let longer = seconds(&step, 1, 8192) - seconds(&step, 1, 0);
        assert!((longer - 1_073_741_824.0 / (0.72 * 3.35e12)).abs() < 1e-6, "{longer}");
    }

    #[test]
    fn a_prompt_takes_as_long_as_computing_it() {
        let step = StepTime::Roofline(pairing("h100", "llama-3.1-8b", 1).step());
        let batch = Batch {
            requests: 1,
            prefill_tokens: 8192,
            prefill_attention: 8192 * 8193 / 2,
            ..Batch::default()
        };
        // 2 · 8.03e9 · 8192 = 1.316e14 FLOP and 524288 · 33.6e6 = 1.76e13, at 0.65 of 989.4e12: 231.9 ms, and 1.14 ms.
        let expected = Duration::from_micros(233_050);
        assert!(
            step.of(&batch).abs_diff(expected) < Duration::from_millis(1),
            "{:?}",
            step.of(&batch)
        );
    }

    #[test]
    fn the_estimate_is_near_what_blis_fitted_to_measurements() {
        let estimate = StepTime::Roofline(pairing("h100", "llama-3.1-8b", 1).step());
        let fitted = StepTime::Linear(Linear {
            base: 5752.7e-6 + 3357.4e-6,
            per_decode_token: 6.0e-6,
            ..Linear::default()
        });
        for requests in [1, 16, 64, 256] {
            let ratio = seconds(&estimate, requests, 0) / seconds(&fitted, requests, 0);
            assert!((0.75..1.1).contains(&ratio), "{requests}: {ratio}");
        }
    }

    #[test]
    fn gpus_together_read_their_shares_at_once_and_bring_them_together() {
        let [one, two] = [1, 2].map(|gpus| pairing("h100", "llama-3.1-8b", gpus).step());
        assert_eq!(two.bandwidth, 2.0 * one.bandwidth);
        assert!((two.overhead - one.overhead - 32.0 * ALL_REDUCE).abs() < 1e-12);
        // Sixteen GPUs and eight heads: each head is kept twice.
        let many = pairing("h100", "llama-3.1-8b", 16).step();
        assert_eq!(many.kv_bytes_per_token, 2.0 * one.kv_bytes_per_token);
    }

    #[test]
    fn what_weights_leave_is_for_the_cache() {
        let limits = (1024, 8192);
        let blocks = pairing("h100", "llama-3.1-8b", 1).blocks(SIXTEEN, limits, 131_072).unwrap();
        // 73.6 GiB − 14.96 − 1 − 0.91 − 0.73 GiB at 2 MiB a block.
        assert!((28_500..28_750).contains(&blocks.get()), "{blocks}");
        let two = pairing("h100", "llama-3.1-8b", 2).blocks(SIXTEEN, limits, 131_072).unwrap();
        assert!(two.get() > 2 * blocks.get(), "the weights are there once");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = |gpu, architecture, len| {
            let pairing = pairing(gpu, architecture, 1);
            let limits = pairing.usual_limits();
            pairing.blocks(SIXTEEN, limits, len).unwrap_err().to_string()
        };
        assert_eq!(
            refused("h100", "llama-3.3-70b", 8192),
            "llama-3.3-70b on h100 does not fit: its weights take 131.4 GiB and its work 3.5 GiB, and 73.6 GiB may be used; \
             tensor_parallel_size=2, or gpu=b200 would"
        );
        let error = refused("h100", "qwen3-32b", 40_960);
        assert!(error.contains("max_model_len is 40960; max_model_len="), "{error}");
    }

    #[test]
    fn what_is_not_known_or_makes_no_sense_is_refused_by_name() {
        let error = |estimate: Estimate| estimate.pairing().err().unwrap().to_string();
        assert!(error(estimate("h1000", "qwen3-8b", 1)).starts_with("no GPU is called \"h1000\""));
        assert!(
            error(estimate("h100", "qwen9", 1)).starts_with("no architecture is called \"qwen9\"")
        );
        assert_eq!(
            error(estimate("h100", "qwen2.5-7b", 8)),
            "tensor_parallel_size is 8, but qwen2.5-7b has 28 heads of attention: they have to be shared evenly"
        );
        let greedy =
            Estimate { gpu_memory_utilization: Some(1.5), ..estimate("h100", "qwen3-8b", 1) };
        assert_eq!(
            error(greedy),
            "gpu_memory_utilization takes a share above 0 and up to 1, not 1.5"
        );
    }

    #[test]
    fn limits_are_usual_for_the_memory() {
        let limits = |gpu| pairing(gpu, "qwen3-0.6b", 1).usual_limits();
        assert_eq!(limits("h100"), (1024, 8192));
        assert_eq!(limits("a100-80"), (256, 2048));
        assert_eq!(limits("mi300x"), (1024, 16_384));
        assert_eq!(limits("l4"), (256, 2048));
    }
}
