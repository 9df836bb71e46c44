//! How long a step takes, by what is in it.
//!
//! Deliberately knows no hardware: a roofline is given its numbers.

use std::time::Duration;

/// What one step of an engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Requests in it.
    pub requests: u32,
    /// Tokens of prompts (and, after a preemption, of outputs computed anew).
    pub prefill_tokens: u32,
    /// Σ over those tokens of how many tokens each attends to: the size of the prompts' attention.
    pub prefill_attention: u64,
    /// Tokens of outputs: one for each request that decodes, and those of its draft.
    pub decode_tokens: u32,
    /// Σ over the requests that decode of the tokens in their KV cache: what a step reads of it.
    pub decode_context: u64,
}

/// How long a step takes.
#[derive(Clone, Debug, PartialEq)]
pub enum StepTime {
    /// By coefficients, fitted to measurements.
    Linear(Linear),
    /// By what hardware can do and what a model asks of it, where nothing was measured.
    Roofline(Roofline),
}

/// `base + per_prefill_token·P + per_decode_token·D + per_context_token·C + per_attention·A`, with the fields of [`Batch`]. Seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Linear {
    /// Seconds of each step (β₀, with what the CPU does between steps).
    pub base: f64,
    /// Seconds for each token of a prompt (β₁).
    pub per_prefill_token: f64,
    /// Seconds for each token of an output (β₂).
    pub per_decode_token: f64,
    /// Seconds for each token of the KV cache that is read for decoding (γ).
    pub per_context_token: f64,
    /// Seconds for each pair of tokens in a prompt's attention.
    pub per_attention: f64,
}

/// A roofline: a step takes as long as the slower of computing and of moving bytes, and an overhead.
///
/// ```text
/// computing = (token·P + attention·A) / prefill + (token·D + attention·C) / decode
/// moving    = (weights + experts·touched + kv·(P + D + C)) / bytes
/// step      = max(computing, moving) + overhead
/// ```
///
/// with the fields of [`Batch`]. Prompts and outputs of a step go through the model together, so the weights are read once. The KV
/// cache is read for each decoding request and written for each token; what prompts read of it is taken to be hidden behind their
/// computing. All numbers are of the GPUs of one engine together, after what they do not reach of their peaks. The form is BLIS's
/// (inference-sim), and so are its usual efficiencies and overheads but one; `hardware` says which.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Roofline {
    /// FLOP in a second while prompts are computed: peak × efficiency.
    pub prefill_flops: f64,
    /// FLOP in a second while outputs are computed: peak × efficiency.
    pub decode_flops: f64,
    /// Bytes in a second from memory: bandwidth × efficiency.
    pub bandwidth: f64,
    /// FLOP for each token: two for each parameter that it goes through, one multiplication and one addition.
    pub flops_per_token: f64,
    /// FLOP for each pair of tokens in attention: 4 × layers × heads × head dimension, for the scores and for their weighted sum.
    pub flops_per_attention: f64,
    /// Bytes of the weights that every step reads.
    pub weight_bytes: f64,
    /// Bytes of the weights of all experts, of which a step reads those that its tokens are sent to. 0 without experts.
    pub expert_bytes: f64,
    /// The share of the experts that one token is sent to.
    pub expert_share: f64,
    /// Bytes of the KV cache for each token.
    pub kv_bytes_per_token: f64,
    /// Seconds of each step beside computing and moving: launching kernels, and bringing the GPUs' parts together.
    pub overhead: f64,
}

impl StepTime {
    /// How long a step takes that computes `batch`.
    pub fn of(&self, batch: &Batch) -> Duration {
        let seconds = match self {
            Self::Linear(linear) => linear.seconds(batch),
            Self::Roofline(roofline) => roofline.seconds(batch),
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(SHORTEST).max(SHORTEST)
    }
}

impl Linear {
    fn seconds(&self, batch: &Batch) -> f64 {
        self.base
            + self.per_prefill_token * f64::from(batch.prefill_tokens)
            + self.per_decode_token * f64::from(batch.decode_tokens)
            + self.per_context_token * batch.decode_context as f64
            + self.per_attention * batch.prefill_attention as f64
    }
}

impl Roofline {
    fn seconds(&self, batch: &Batch) -> f64 {
        let (prefill, decode) = (f64::from(batch.prefill_tokens), f64::from(batch.decode_tokens));
        let (attention, context) = (batch.prefill_attention as f64, batch.decode_context as f64);
        let flops =
            |tokens, pairs| self.flops_per_token * tokens + self.flops_per_attention * pairs;
        let computing = flops(prefill, attention) / self.prefill_flops
            + flops(decode, context) / self.decode_flops;
        let bytes = self.weight_bytes
            + self.expert_bytes * self.touched(prefill + decode)
            + self.kv_bytes_per_token * (prefill + decode + context);
        computing.max(bytes / self.bandwidth) + self.overhead
    }

    /// The share of the experts to which any of `tokens` is sent, if each is sent to some at random. An estimate: real routers are
    /// less even, and touch fewer.
    fn touched(&self, tokens: f64) -> f64 {
        1.0 - (1.0 - self.expert_share).powf(tokens)
    }
}

/// No step is shorter, or time would stand still.
const SHORTEST: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(step: &StepTime, batch: &Batch) -> u128 {
        step.of(batch).as_micros()
    }

    #[test]
    fn coefficients_add_up() {
        let linear = Linear {
            base: 1e-3,
            per_prefill_token: 1e-5,
            per_decode_token: 1e-6,
            per_context_token: 1e-8,
            per_attention: 1e-9,
        };
        let batch = Batch {
            requests: 3,
            prefill_tokens: 100,
            prefill_attention: 5_000,
            decode_tokens: 2,
            decode_context: 300,
        };
        // 1000 + 1000 + 2 + 3 + 5 microseconds.
        assert_eq!(micros(&StepTime::Linear(linear), &batch), 2010);
    }

    #[test]
    fn a_roofline_is_the_slower_of_computing_and_moving() {
        let roofline = Roofline {
            prefill_flops: 1e12,
            decode_flops: 1e11,
            bandwidth: 1e9,
            flops_per_token: 1e9,
            flops_per_attention: 1e3,
            weight_bytes: 1e7,
            kv_bytes_per_token: 1e3,
            overhead: 1e-3,
            ..Roofline::default()
        };
        let step = StepTime::Roofline(roofline);
        // 10 MB of weights take 10 ms, 1001 tokens of the cache 1.001 ms; one token's FLOP take 10.00001 ms.
        let decode =
            Batch { requests: 1, decode_tokens: 1, decode_context: 1000, ..Batch::default() };
        assert_eq!(micros(&step, &decode), 12_001);
        // 100 tokens take 100 ms, 5050 pairs 5 microseconds; moving takes 10.1 ms.
        let prefill =
            Batch { requests: 1, prefill_tokens: 100, prefill_attention: 5050, ..Batch::default() };
        assert_eq!(micros(&step, &prefill), 101_005);
    }

    #[test]
    fn the_more_tokens_the_more_experts() {
        let experts = Roofline { expert_share: 0.25, ..Roofline::default() };
        assert_eq!(experts.touched(0.0), 0.0);
        assert_eq!(experts.touched(1.0), 0.25);
        assert_eq!(experts.touched(2.0), 0.4375);
        assert!(experts.touched(100.0) > 0.999);
    }

    #[test]
    fn no_step_takes_no_time() {
        let nothing = StepTime::Linear(Linear::default());
        assert_eq!(nothing.of(&Batch::default()), SHORTEST);
    }
}
