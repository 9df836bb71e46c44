//! Deployments and loads for the tests of this room.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Figures, Load, Target};
use crate::forecast::{Arrivals, Request};
use crate::model::{Deployment, Engine, Frontend, Linear, Policy, Routing, StepTime};

/// One engine with room for all, whose steps take `base`, and so much more for each token of a prompt and of an output. Seconds.
pub(super) fn deployment(base: f64, prefill: f64, decode: f64) -> Deployment {
    let number = |n| NonZeroU32::new(n).unwrap();
    Deployment {
        name: "test".into(),
        engine: Engine {
            max_num_seqs: number(256),
            max_num_batched_tokens: number(2048),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: number(100_000),
            block_size: number(16),
            prefix_caching: false,
            speculation: None,
        },
        step: StepTime::Linear(Linear {
            base,
            per_prefill_token: prefill,
            per_decode_token: decode,
            ..Linear::default()
        }),
        frontend: Frontend::default(),
        replicas: number(1),
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}

/// A frontend of so many seconds a request, and none for its tokens.
pub(super) fn frontend(per_request: f64) -> Frontend {
    Frontend { per_request: Duration::from_secs_f64(per_request), per_prompt_token: Duration::ZERO }
}

/// `turns` requests for each of `places`, all alike.
pub(super) fn closed(places: usize, turns: usize, prompt_tokens: u32, output_tokens: u32) -> Load {
    let request = Request { prompt_tokens, output_tokens, chain: [].into() };
    let requests = vec![request; places * turns];
    Load { requests, arrivals: Arrivals::InFlight(places), warmup: 0 }
}

/// What `deployment` shows under each load.
pub(super) fn targets(deployment: &Deployment, loads: Vec<Load>) -> Vec<Target> {
    let target = |load: Load| {
        let figures: Figures = load.forecast(deployment);
        Target { load, figures }
    };
    loads.into_iter().map(target).collect()
}
