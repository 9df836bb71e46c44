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
        num_prompts: told.num_prompts.unwrap_or(point.number).get(),
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

fn ramp_up(pacing: Pacing) -> Option<RampUp> {
    let Pacing::Ramp(Ramp { shape, from, to, .. }) = pacing else { return None };
    let strategy = match shape {
        RampShape::Linear => Strategy::Linear,
        RampShape::Exponential => Strategy::Exponential,
    };
    Some(RampUp { strategy, start_rps: from, end_rps: to })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokometer_plan::{Reporting, from_yaml, resolve};

    use super::*;
    use crate::surroundings::Surroundings;

    fn told(points: &str, report: &str) -> Vec<Value> {
        let yaml = format!(
            "model: m\ntarget: {{url: 'http://h/v1/embeddings'}}\nload: {{points: {points}}}\nprompts: {{dataset: random}}\n\
             output: {{vllm: {report}}}\n"
        );
        let config = from_yaml(&yaml, "plan.yaml").unwrap();
        let plan = resolve(config, &Surroundings::default()).unwrap().plan;
        let Reporting::Vllm(told) = &plan.report else { panic!("reports are vLLM's") };
        plan.points.iter().map(|point| of_point(&plan, told, point, "m")).collect()
    }

    #[test]
    fn each_point_has_arguments_of_its_own() {
        let told = told("[{parallel: 1, number: 10}, {parallel: 8, rate: 2.5, number: 80}]", "{}");
        let of = |key: &str| told.iter().map(|point| point[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("max_concurrency"), [json!(1), json!(8)]);
        assert_eq!(of("request_rate"), [Value::Null, json!(2.5)]);
        assert_eq!(of("num_prompts"), [json!(10), json!(80)]);
    }

    #[test]
    fn prompts_are_counted_as_they_were_asked_for() {
        let told = told("[{parallel: 1, number: 125}]", "{num_prompts: 1000}");
        assert_eq!(told[0]["num_prompts"], 1000);
    }

    #[test]
    fn a_ramp_keeps_its_broken_rates() {
        let ramp = "{shape: exponential, from: 0.4, to: 2.5}";
        let told = told(&format!("[{{ramp: {ramp}, number: 10}}]"), "{}");
        let expected = json!({ "strategy": "exponential", "start_rps": 0.4, "end_rps": 2.5 });
        assert_eq!(told[0]["ramp_up"], expected);
    }
}
