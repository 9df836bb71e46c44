//! Coefficients as presets have them: in the units of their names, with the digits that a fit can tell.

use super::coefficient::linear;
use crate::hardware::{
    Coefficients, EngineSettings, FrontendTimes, RoutingPolicy, SchedulingPolicy,
    SpeculativeConfig, Step,
};
use crate::model::{Deployment, Policy, Routing};

/// The times of a deployment for a [`Preset`](crate::hardware::Preset).
pub fn written(deployment: &Deployment) -> (Step, FrontendTimes) {
    let Coefficients {
        base_us,
        per_prefill_token_us,
        per_decode_token_us,
        per_context_token_ns,
        per_attention_ns,
    } = Coefficients::of(&linear(&deployment.step));
    let FrontendTimes { per_request_us, per_prompt_token_us } =
        FrontendTimes::of(&deployment.frontend);
    let step = Step::Coefficients(Coefficients {
        base_us: significant(base_us),
        per_prefill_token_us: significant(per_prefill_token_us),
        per_decode_token_us: significant(per_decode_token_us),
        per_context_token_ns: significant(per_context_token_ns),
        per_attention_ns: significant(per_attention_ns),
    });
    let frontend = FrontendTimes {
        per_request_us: significant(per_request_us),
        per_prompt_token_us: significant(per_prompt_token_us),
    };
    (step, frontend)
}

/// The settings of a deployment's engines for a [`Preset`](crate::hardware::Preset): what steps hang on always, and else only what is not
/// as usual.
pub fn settings(deployment: &Deployment) -> EngineSettings {
    let engine = &deployment.engine;
    let speculation = engine.speculation.as_ref();
    EngineSettings {
        max_num_seqs: Some(engine.max_num_seqs),
        max_num_batched_tokens: Some(engine.max_num_batched_tokens),
        num_gpu_blocks: Some(engine.blocks),
        block_size: Some(engine.block_size),
        enable_prefix_caching: (!engine.prefix_caching).then_some(false),
        enable_chunked_prefill: (!engine.chunked_prefill).then_some(false),
        scheduling_policy: match engine.policy {
            Policy::Fcfs => None,
            Policy::Priority => Some(SchedulingPolicy::Priority),
        },
        speculative_config: speculation.map(|speculation| SpeculativeConfig {
            method: Some(speculation.method.clone()),
            num_speculative_tokens: speculation.tokens,
            model: None,
            draft_tensor_parallel_size: None,
            prompt_lookup_max: None,
            prompt_lookup_min: None,
        }),
        acceptance: speculation.map(|speculation| speculation.acceptance.clone()),
        data_parallel_size: (deployment.replicas.get() > 1).then_some(deployment.replicas),
        routing: (deployment.replicas.get() > 1).then_some(match deployment.routing {
            Routing::RoundRobin => RoutingPolicy::RoundRobin,
            Routing::LeastRequests => RoutingPolicy::LeastRequests,
            Routing::Prefix => RoutingPolicy::Prefix,
        }),
        noise: (deployment.noise > 0.0).then_some(deployment.noise),
    }
}

/// The number with four significant digits, and no more of them when it is written out.
pub(super) fn significant(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::testing::{deployment, frontend};

    #[test]
    fn four_digits_are_kept_and_written_plainly() {
        assert_eq!(significant(1_951.174_372).to_string(), "1951");
        assert_eq!(significant(0.000_056_043_7).to_string(), "0.00005604");
        assert_eq!((significant(0.0), significant(-2.0)), (0.0, -2.0));
    }

    #[test]
    fn settings_deploy_what_they_were_written_of() {
        let mut deployment = deployment(1e-3, 1e-6, 1e-6);
        deployment.replicas = std::num::NonZeroU32::new(3).unwrap();
        (deployment.routing, deployment.noise) = (Routing::Prefix, 0.25);
        (deployment.engine.policy, deployment.engine.prefix_caching) = (Policy::Priority, true);
        let (step, frontend) = written(&deployment);
        let preset = crate::hardware::Preset {
            description: "test".into(),
            source: String::new(),
            model: None,
            max_model_len: None,
            step,
            frontend,
            engine: settings(&deployment),
            fit: None,
        };
        assert_eq!(preset.deployed("test").unwrap().deployment, deployment);
    }

    #[test]
    fn times_are_written_in_the_units_of_their_names() {
        let deployment =
            Deployment { frontend: frontend(1.8254e-3), ..deployment(1.951e-3, 17.41e-6, 36e-6) };
        let (step, frontend) = written(&deployment);
        let coefficients = Coefficients {
            base_us: 1951.0,
            per_prefill_token_us: 17.41,
            per_decode_token_us: 36.0,
            ..Coefficients::default()
        };
        assert_eq!(step, Step::Coefficients(coefficients));
        assert_eq!(frontend, FrontendTimes { per_request_us: 1825.0, per_prompt_token_us: 0.0 });
    }
}
