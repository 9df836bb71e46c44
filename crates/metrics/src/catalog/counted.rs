//! Metrics that the server's own counters tell, read before the load and after it.
//!
//! They are none where the server was restarted in between, does not have the counters, or was not asked for them.

use super::{Metric, Of, Over};
use crate::{Run, ServerCounters, Unit};

/// The share of prompt tokens that the server found in its prefix cache.
pub const PREFIX_CACHE_HIT_RATE: Metric = Metric {
    key: "prefix_cache_hit_rate",
    title: "Prefix-cache hit rate, by the server's counters",
    unit: Unit::Percent,
    definition: "Growth of `vllm:prefix_cache_hits_total` ÷ growth of `vllm:prefix_cache_queries_total` over the load, warm-up and other \
                 clients' requests included.",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).prefix_cache?.hit_rate())),
    named: &[],
};

/// The share of draft tokens that the large model accepted.
pub const SPEC_ACCEPTANCE_RATE: Metric = Metric {
    key: "spec_acceptance_rate",
    title: "Speculation: acceptance rate",
    unit: Unit::Percent,
    definition: "Growth of accepted ÷ growth of draft tokens over the load (`vllm:spec_decode_num_accepted_tokens_total`, \
                 `vllm:spec_decode_num_draft_tokens_total`).",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).speculation?.acceptance_rate())),
    named: &[("vllm", "Acceptance rate (%)")],
};

/// Tokens that one step of the large model brings.
pub const SPEC_ACCEPTANCE_LENGTH: Metric = Metric {
    key: "spec_acceptance_length",
    title: "Speculation: acceptance length",
    unit: Unit::Tokens,
    definition: "1 + growth of accepted tokens ÷ growth of drafts (`vllm:spec_decode_num_drafts_total`).",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).speculation?.acceptance_length())),
    named: &[("vllm", "Acceptance length")],
};

/// Tokens committed per second by a model that works by diffusion.
pub const DIFFUSION_THROUGHPUT: Metric = Metric {
    key: "diffusion_throughput",
    title: "Diffusion: committed throughput",
    unit: Unit::TokensPerSecond,
    definition: "Growth of `vllm:diffusion_num_committed_tokens_total` ÷ `full_duration`.",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).diffusion?.committed_tokens as f64 / run.full_duration()?)),
    named: &[("vllm", "Committed throughput (tok/s)")],
};

/// Denoising steps that a canvas takes.
pub const DIFFUSION_STEPS: Metric = Metric {
    key: "diffusion_steps",
    title: "Diffusion: denoising steps per canvas",
    unit: Unit::Steps,
    definition: "Denoising steps ÷ canvases. A canvas has as many positions as were worked on per step; as many canvases were committed as \
                 fit into the committed tokens, each by one further step that does not denoise.",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).diffusion?.steps_per_canvas)),
    named: &[("vllm", "Denoising steps per canvas")],
};

/// Tokens committed for each denoising step.
pub const DIFFUSION_TOKENS_PER_STEP: Metric = Metric {
    key: "diffusion_tokens_per_step",
    title: "Diffusion: committed tokens per denoising step",
    unit: Unit::Tokens,
    definition: "Committed tokens ÷ denoising steps.",
    over: Over::Measured,
    of: Of::Run(|run| Some(counted(run).diffusion?.committed_per_step)),
    named: &[("vllm", "Committed per denoising step")],
};

fn counted(run: &Run<'_>) -> ServerCounters {
    ServerCounters::between(run.scrapes)
}

#[cfg(test)]
mod tests {
    use tokometer_record::{PointLog, Scrape};

    use super::*;
    use crate::summary::testing::{ms, ok, point_log};

    fn scraped(samples: [(&str, f64, f64); 3]) -> PointLog {
        let mut log = point_log([ok(0, 0, &[1_000, 2_000])]);
        let at = |moment, pick: fn(&(&str, f64, f64)) -> f64| Scrape {
            source: String::new(),
            at: ms(moment),
            samples: samples.iter().map(|sample| (sample.0.to_owned(), pick(sample))).collect(),
        };
        log.scrapes = vec![at(0, |sample| sample.1), at(2_000, |sample| sample.2)];
        log
    }

    #[test]
    fn counters_become_figures() {
        let log = scraped([
            ("vllm:spec_decode_num_drafts_total", 0.0, 10.0),
            ("vllm:spec_decode_num_draft_tokens_total", 0.0, 40.0),
            ("vllm:spec_decode_num_accepted_tokens_total", 0.0, 30.0),
        ]);
        let run = Run::of(&log);
        assert_eq!(SPEC_ACCEPTANCE_RATE.figure(&run), Some(75.0));
        assert_eq!(SPEC_ACCEPTANCE_LENGTH.figure(&run), Some(4.0));
        assert_eq!(PREFIX_CACHE_HIT_RATE.figure(&run), None);
    }

    #[test]
    fn diffusion_is_told_over_the_full_duration() {
        let log = scraped([
            ("vllm:diffusion_num_denoising_steps_total", 0.0, 16.0),
            ("vllm:diffusion_num_canvas_positions_total", 0.0, 512.0),
            ("vllm:diffusion_num_committed_tokens_total", 0.0, 64.0),
        ]);
        let run = Run::of(&log);
        assert_eq!(DIFFUSION_THROUGHPUT.figure(&run), Some(32.0));
        assert_eq!(DIFFUSION_STEPS.figure(&run), Some(7.0));
        assert_eq!(DIFFUSION_TOKENS_PER_STEP.figure(&run), Some(64.0 / 14.0));
    }
}
