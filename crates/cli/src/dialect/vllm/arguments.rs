//! A plan in the words of `vllm bench serve`: what its reports tell of what was asked for.
//!
//! It is made from the plan and not from the flags, so that a plan that was run natively has it too.

use serde_json::Value;
use tokometer_plan::config::RampShape;
use tokometer_plan::{Burstiness, Pacing, Plan, Point, Ramp, Rate, Vllm};
use tokometer_report::dialect::vllm::{Arguments, RampUp, Strategy};
use tokometer_wire::Answers;

/// The arguments of a run that reports by `told`. `model` is the name that requests call it by. A sweep's are those of its first
/// point.
pub(crate) fn of_run(plan: &Plan, told: &Vllm, model: &str) -> Value {
    match plan.points.first() {
        Some(point) => of_point(plan, told, point, model),
        None => Value::Null,
    }
}

/// The arguments of one point.
pub(crate) fn of_point(plan: &Plan, told: &Vllm, point: &Point, model: &str) -> Value {
    let model_id = told.model_id.clone().unwrap_or_else(|| model.to_owned());
    let tokenizer = || plan.tokenizer.clone().unwrap_or_else(|| model_id.clone());
    Arguments {
        endpoint_type: told.backend.clone(),
        backend: told.backend.clone(),
        label: told.label.clone(),
        tokenizer_id: told.tokenizer_id.then(tokenizer),
        num_prompts: point.number.get(),
        metadata: told.metadata.clone(),
        request_rate: point.rate().map(Rate::per_second),
        burstiness: burstiness(point.pacing),
        max_concurrency: point.parallel.map(|places| places.get() as u64),
        ramp_up: ramp_up(point.pacing),
        percentile_metrics: told.percentile_metrics.clone(),
        metric_percentiles: told.percentiles.clone(),
        goodput: told.goodput.clone(),
        save_result: told.save.is_some(),
        save_detailed: told.detailed,
        append_result: told.save.as_ref().is_some_and(|save| save.append),
        result_dir: told.save.as_ref().and_then(|save| save.dir.clone()),
        result_filename: told.save.as_ref().and_then(|save| save.filename.clone()),
        pytorch_format: told.pytorch_format,
        plot_timeline: told.plot_timeline,
        timeline_itl_thresholds: told.timeline_itl_thresholds,
        plot_dataset_stats: told.plot_dataset_stats,
        pooling: plan.target.api.0.answers() == Answers::Result,
        probe_request_rate: plan.probe_rate.map_or(0.0, Rate::per_second),
        model_id,
    }
    .to_value()
}

fn burstiness(pacing: Pacing) -> f64 {
    match pacing {
        Pacing::Rate { burstiness, .. } | Pacing::Ramp(Ramp { burstiness, .. }) => {
            burstiness.map_or(1.0, Burstiness::shape)
        }
        Pacing::AtOnce | Pacing::Recorded => 1.0,
    }
}

/// Its bounds are whole numbers there, as vLLM takes them.
fn ramp_up(pacing: Pacing) -> Option<RampUp> {
    let Pacing::Ramp(Ramp { shape, from, to, .. }) = pacing else { return None };
    let strategy = match shape {
        RampShape::Linear => Strategy::Linear,
        RampShape::Exponential => Strategy::Exponential,
    };
    Some(RampUp { strategy, start_rps: from.round() as u64, end_rps: to.round() as u64 })
}
