//! What a fit finds again of deployments whose coefficients are known. Deliberately nothing measured: that is for runs.

use super::testing::{closed, deployment, frontend, targets};
use super::*;
use crate::model::{Frontend, Linear, StepTime};

fn linear(deployment: &Deployment) -> Linear {
    match &deployment.step {
        StepTime::Linear(linear) => *linear,
        StepTime::Roofline(_) => unreachable!("a fit has coefficients"),
    }
}

#[track_caller]
fn within(share: f64, found: f64, truth: f64) {
    assert!((found / truth - 1.0).abs() <= share, "{found:e} is not within {share} of {truth:e}");
}

/// An engine as `sim fit` begins with: nothing known but its settings.
fn blank() -> Deployment {
    deployment(0.0, 0.0, 0.0)
}

fn truth() -> Deployment {
    Deployment { frontend: frontend(1.5e-3), ..deployment(6e-3, 40e-6, 60e-6) }
}

#[test]
fn finds_the_coefficients_that_made_the_figures() {
    let shapes = [(1, 200, 32), (4, 200, 32), (16, 200, 32), (4, 800, 32)];
    let loads = shapes.map(|(places, prompt, output)| closed(places, 6, prompt, output));
    let targets = targets(&truth(), loads.into());
    let free = [
        Coefficient::Base,
        Coefficient::PrefillToken,
        Coefficient::DecodeToken,
        Coefficient::Request,
    ];
    let fitted = fit(&blank(), &free, &targets);
    let found = linear(&fitted.deployment);
    assert!(fitted.error < 2e-3, "{}", fitted.error);
    within(0.02, found.base, 6e-3);
    within(0.05, found.per_prefill_token, 40e-6);
    within(0.05, found.per_decode_token, 60e-6);
    within(0.10, fitted.deployment.frontend.per_request.as_secs_f64(), 1.5e-3);
    assert_eq!((found.per_context_token, found.per_attention), (0.0, 0.0));
}

#[test]
fn tells_what_contexts_cost_from_what_outputs_cost() {
    let mut truth = truth();
    Coefficient::ContextToken.set(&mut truth, 0.2e-6);
    let shapes = [(1, 200, 32), (16, 200, 32), (16, 1500, 32), (1, 1500, 32)];
    let loads = shapes.map(|(places, prompt, output)| closed(places, 4, prompt, output));
    let targets = targets(&truth, loads.into());
    let (free, _) = identified(&targets);
    assert!(free.contains(&Coefficient::ContextToken) && !free.contains(&Coefficient::Attention));
    let fitted = fit(&blank(), &free, &targets);
    assert!(fitted.error < 0.01, "{}", fitted.error);
    within(0.10, linear(&fitted.deployment).per_context_token, 0.2e-6);
}

#[test]
fn figures_that_are_a_little_off_move_the_answer_a_little() {
    let loads = [1, 4, 16].map(|places| closed(places, 8, 128, 64));
    let mut targets = targets(&truth(), loads.into());
    // Measured figures of one point stray by a few percent, now to one side, now to the other.
    for (target, off) in targets.iter_mut().zip([1.03, 0.96, 1.02]) {
        let figures = &mut target.figures;
        figures.tpot = figures.tpot.map(|tpot| tpot * off);
        figures.throughput = figures.throughput.map(|rate| rate / off);
        figures.ttft = figures.ttft.map(|ttft| ttft / off);
    }
    let (free, _) = identified(&targets);
    let fitted = fit(&blank(), &free, &targets);
    assert!(fitted.error < 0.04, "{}", fitted.error);
    within(0.08, linear(&fitted.deployment).base, 6e-3);
    for places in [8, 32] {
        let load = closed(places, 8, 128, 64);
        let (foretold, true_) = (load.forecast(&fitted.deployment), load.forecast(&truth()));
        within(0.08, foretold.tpot.unwrap(), true_.tpot.unwrap());
        within(0.08, foretold.throughput.unwrap(), true_.throughput.unwrap());
    }
}

#[test]
fn one_length_and_several_loads_tell_four_coefficients() {
    let targets = targets(&truth(), [1, 4, 16].map(|places| closed(places, 4, 128, 64)).into());
    let (free, held) = identified(&targets);
    assert_eq!(
        free,
        [
            Coefficient::Base,
            Coefficient::PrefillToken,
            Coefficient::DecodeToken,
            Coefficient::Request
        ]
    );
    let held: Vec<_> = held.iter().map(|held| held.coefficient).collect();
    assert_eq!(held, [Coefficient::ContextToken, Coefficient::Attention, Coefficient::PromptToken]);
}

#[test]
fn one_load_tells_a_step_and_a_prompt() {
    let targets = targets(&truth(), vec![closed(4, 4, 128, 64)]);
    let (free, _) = identified(&targets);
    assert_eq!(free, [Coefficient::Base, Coefficient::PrefillToken]);
    let fitted = fit(&blank(), &free, &targets);
    assert!(fitted.error < 0.02, "{}", fitted.error);
}

#[test]
fn without_first_tokens_nothing_is_said_of_prompts() {
    let mut targets = targets(&truth(), [1, 4, 16].map(|places| closed(places, 4, 128, 64)).into());
    for target in &mut targets {
        target.figures = Figures { throughput: target.figures.throughput, ..Figures::default() };
    }
    let (free, _) = identified(&targets);
    assert_eq!(free, [Coefficient::Base, Coefficient::DecodeToken]);
    let fitted = fit(&blank(), &free, &targets);
    assert!(fitted.error < 0.03, "{}", fitted.error);
}

#[test]
fn what_is_held_stays_as_it_was() {
    let mut begin = blank();
    begin.frontend = Frontend::default();
    Coefficient::Request.set(&mut begin, 1.5e-3);
    let targets = targets(&truth(), vec![closed(1, 4, 128, 64), closed(8, 4, 128, 64)]);
    let free = [Coefficient::Base, Coefficient::PrefillToken, Coefficient::DecodeToken];
    let fitted = fit(&begin, &free, &targets);
    within(0.0, fitted.deployment.frontend.per_request.as_secs_f64(), 1.5e-3);
    within(0.03, linear(&fitted.deployment).per_prefill_token, 40e-6);
}

#[test]
fn the_same_question_has_the_same_answer() {
    let targets = targets(&truth(), vec![closed(1, 4, 128, 64), closed(8, 4, 128, 64)]);
    let (free, _) = identified(&targets);
    assert_eq!(fit(&blank(), &free, &targets), fit(&blank(), &free, &targets));
}
