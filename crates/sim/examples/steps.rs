//! How fast the model is by itself: steps, tokens and virtual seconds in a second of one core.
//!
//! ```text
//! cargo run --release -p tokometer-sim --example steps
//! ```

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::Instant;
use tokometer_sim::forecast::{Arrivals, Keep, Request, run_keeping};
use tokometer_sim::{
    Deployment, Engine, Frontend, Linear, Policy, Routing, Speculation, StepTime, chain,
};

fn main() {
    println!(
        "{:<44} {:>9} {:>12} {:>13} {:>12}",
        "", "steps", "µs a step", "tokens/s", "× real time"
    );
    let apart = requests(2_000, |request| request);
    let alike = requests(2_000, |request| request % 20);
    measure("200 running, nothing in common", &deployment(30_000), &apart);
    measure("200 running, 20 prompts over and over", &deployment(30_000), &alike);
    measure("200 running, a cache for half of them", &deployment(13_000), &apart);
    let mut speculative = deployment(30_000);
    speculative.engine.speculation = NonZeroU32::new(3).map(|tokens| Speculation {
        method: "mtp".to_owned(),
        tokens,
        acceptance: vec![0.8, 0.6, 0.4],
    });
    measure("200 running, drafts of three", &speculative, &apart);
}

fn measure(what: &str, deployment: &Deployment, requests: &[Request]) {
    let since = Instant::now();
    let forecast = run_keeping(deployment, requests, &Arrivals::InFlight(200), 1, Keep::Ends);
    let took = since.elapsed().as_secs_f64();
    let tokens: u32 = requests.iter().map(|request| request.output_tokens).sum();
    println!(
        "{what:<44} {:>9} {:>12.2} {:>13.0} {:>12.0}",
        forecast.steps,
        took * 1e6 / forecast.steps as f64,
        f64::from(tokens) / took,
        forecast.end().as_secs_f64() / took,
    );
}

/// Requests of 1,024 tokens in and out, whose prompts are those of a family.
fn requests(count: u32, family: impl Fn(u32) -> u32) -> Vec<Request> {
    let request = |number: u32| {
        let prompt = (0..1024).map(|token| family(number) * 4096 + token);
        let output = (0..1024).map(|token| number * 4096 + 2048 + token);
        let chain: Arc<[u64]> = chain(prompt.chain(output), 16).into();
        Request { prompt_tokens: 1024, output_tokens: 1024, chain }
    };
    (0..count).map(request).collect()
}

fn deployment(blocks: u32) -> Deployment {
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Deployment {
        name: "example".to_owned(),
        engine: Engine {
            max_num_seqs: number(256),
            max_num_batched_tokens: number(8192),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: number(blocks),
            block_size: number(16),
            prefix_caching: true,
            speculation: None,
        },
        step: StepTime::Linear(Linear {
            base: 9e-3,
            per_prefill_token: 17e-6,
            per_decode_token: 6e-6,
            ..Linear::default()
        }),
        frontend: Frontend::default(),
        replicas: NonZeroU32::MIN,
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}
