//! The documents' figures, as they are printed there, and what is known of the setup behind them.

use tokometer_sim::fit::Coefficient;

use super::Figure::{self, MeanTpot, MeanTtft, MedianItl, MedianTtft, P99Itl, P99Ttft, Throughput};

/// What one or several documents measured of one deployment.
pub(super) struct Document {
    pub(super) title: &'static str,
    /// What must be known of it.
    pub(super) note: &'static str,
    /// The preset that stands for the deployment.
    pub(super) preset: &'static str,
    pub(super) rows: &'static [Row],
    /// The coefficients that its figures can tell.
    pub(super) free: &'static [Coefficient],
    /// Those that they cannot, but data sheets can, in seconds.
    pub(super) held: &'static [(Coefficient, f64)],
}

/// One load, and what was measured under it.
pub(super) struct Row {
    pub(super) load: &'static str,
    /// Requests in flight.
    pub(super) parallel: usize,
    /// Requests that were sent.
    pub(super) number: usize,
    /// Of those, how many were served. The others were refused at once.
    pub(super) served: usize,
    /// Tokens of each prompt.
    pub(super) prompt_tokens: u32,
    /// Tokens of each output.
    pub(super) output_tokens: u32,
    /// In seconds, or tokens a second.
    pub(super) figures: &'static [(Figure, f64)],
    /// Whether it is only shown: another tool's figures of a load that stands here already.
    pub(super) shown_only: bool,
}

/// All of them.
pub(super) const DOCUMENTS: &[Document] = &[
    Document {
        title: "Qwen2.5-0.5B on one A100",
        note: "Two documents five months and several releases of vLLM apart, one set of coefficients.",
        preset: "a100-qwen2.5-0.5b",
        rows: &[
            Row {
                load: "200 (EvalScope's quick start)",
                prompt_tokens: 1083,
                figures: &[
                    (Throughput, 6501.61),
                    (MeanTpot, 0.029),
                    (MeanTtft, 1.3071),
                    (MedianTtft, 0.9366),
                    (P99Ttft, 3.8955),
                    (MedianItl, 0.0263),
                    (P99Itl, 0.1761),
                ],
                ..served(200, 400, 1024)
            },
            Row {
                load: "50 (vllm bench)",
                figures: &[
                    (Throughput, 9802.05),
                    (MeanTpot, 4.73e-3),
                    (MeanTtft, 33.14e-3),
                    (MedianTtft, 23.82e-3),
                    (P99Ttft, 97.82e-3),
                    (MedianItl, 4.58e-3),
                    (P99Itl, 7.57e-3),
                ],
                ..served(50, 500, 100)
            },
            Row {
                load: "50 (evalscope perf, the same server)",
                figures: &[
                    (Throughput, 8757.5),
                    (MeanTpot, 4.9e-3),
                    (MeanTtft, 64.1e-3),
                    (MedianTtft, 64.5e-3),
                    (P99Ttft, 109.3e-3),
                    (MedianItl, 4.5e-3),
                    (P99Itl, 13.0e-3),
                ],
                shown_only: true,
                ..served(50, 500, 100)
            },
        ],
        free: &[
            Coefficient::PrefillToken,
            Coefficient::DecodeToken,
            Coefficient::ContextToken,
            Coefficient::Request,
        ],
        // Two loads do not tell three coefficients of a decoding step. By the roofline: 0.99 GB of weights at 0.72 of 2039 GB/s, 20 µs for
        // each of 24 layers, and 500 µs.
        held: &[(Coefficient::Base, 1.65e-3)],
    },
    Document {
        title: "Qwen3-32B on two MetaX C500",
        note: "Most requests of each burst were refused at once: throughput × latency leaves room for one wave of those that succeeded.",
        preset: "c500x2-qwen3-32b",
        rows: &[
            wave(
                "1",
                1,
                10,
                10,
                &[(Throughput, 34.37), (MeanTpot, 0.029), (MeanTtft, 0.218), (P99Ttft, 0.263)],
            ),
            wave(
                "10",
                10,
                20,
                6,
                &[(Throughput, 190.25), (MeanTpot, 0.031), (MeanTtft, 0.802), (P99Ttft, 1.105)],
            ),
            wave(
                "50",
                50,
                100,
                30,
                &[(Throughput, 695.76), (MeanTpot, 0.040), (MeanTtft, 2.924), (P99Ttft, 5.178)],
            ),
            wave(
                "100",
                100,
                200,
                46,
                &[(Throughput, 875.21), (MeanTpot, 0.048), (MeanTtft, 4.329), (P99Ttft, 7.973)],
            ),
            wave(
                "200",
                200,
                400,
                101,
                &[(Throughput, 1312.22), (MeanTpot, 0.067), (MeanTtft, 9.231), (P99Ttft, 17.634)],
            ),
        ],
        free: &[
            Coefficient::Base,
            Coefficient::PrefillToken,
            Coefficient::DecodeToken,
            Coefficient::Request,
        ],
        // All contexts are as long. By data sheets: 2 × 64 layers × 8 heads × 128 numbers of 2 bytes a token, at 0.72 of twice 1.8 TB/s.
        held: &[(Coefficient::ContextToken, 101e-9)],
    },
];

/// A load of which every request was served, its prompts as long as its outputs.
const fn served(parallel: usize, number: usize, tokens: u32) -> Row {
    Row {
        load: "",
        parallel,
        number,
        served: number,
        prompt_tokens: tokens,
        output_tokens: tokens,
        figures: &[],
        shown_only: false,
    }
}

/// 1024 tokens in and out, of which so many requests were served.
const fn wave(
    load: &'static str,
    parallel: usize,
    number: usize,
    served: usize,
    figures: &'static [(Figure, f64)],
) -> Row {
    Row {
        load,
        parallel,
        number,
        served,
        prompt_tokens: 1024,
        output_tokens: 1024,
        figures,
        shown_only: false,
    }
}
