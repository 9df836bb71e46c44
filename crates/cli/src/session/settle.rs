//! What only the dataset knows of a plan: how many prompts it has where none may be used twice, and when they were sent where a load is to
//! follow its recording.
//!
//! Deliberately changes nothing that the plan has said: it fills in what the plan has left to the dataset.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::time::Duration;

use tokometer_plan::{Pacing, Plan, Point, Reporting, Source, Vllm};
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::dataset::Dataset;

use super::explain;
use super::measure::Measure;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// The plan with its points settled, and the model's `root` where the server named the model.
///
/// # Errors
/// If the dataset cannot be read, has too few prompts, or tells no moments where moments are wanted.
pub(super) fn settle<'a>(
    plan: &'a Plan,
    measure: &Measure,
    root: Option<String>,
    screen: &Screen,
) -> Result<Cow<'a, Plan>, Trouble> {
    let mut plan = Cow::Borrowed(plan);
    // vLLM's reports call a model that was not named by what the server made it from.
    if let (Reporting::Vllm(report), Some(root)) = (&plan.report, root)
        && report.model_id.is_none()
    {
        let report = Vllm { model_id: Some(root), ..(**report).clone() };
        plan.to_mut().report = Reporting::Vllm(Box::new(report));
    }
    let settled = points(&plan, measure, screen)?;
    if let Some(points) = settled {
        plan.to_mut().points = points;
    }
    Ok(plan)
}

/// The points, if the dataset has anything to say of them.
fn points(plan: &Plan, measure: &Measure, screen: &Screen) -> Result<Option<Vec<Point>>, Trouble> {
    let once = matches!(&plan.prompts.source, Source::Dataset(dataset) if !dataset.oversample);
    let recorded = |point: &Point| point.pacing == Pacing::Recorded;
    if !once && !plan.points.iter().any(recorded) {
        return Ok(None);
    }
    let mut settled = plan.points.clone();
    for point in &mut settled {
        let unreadable = |error| explain::dataset(&error, plan);
        let dataset = measure.prompts(plan, point.offset).map_err(unreadable)?;
        if once {
            let available = dataset.available(point.requests()).map_err(unreadable)?;
            limit(point, available, plan, screen)?;
        }
        if recorded(point) {
            point.load.arrivals = Arrivals::Trace(moments(point, &*dataset, plan)?.into());
        }
    }
    Ok(Some(settled))
}

/// Asks no more than the dataset has.
fn limit(point: &mut Point, available: u64, plan: &Plan, screen: &Screen) -> Result<(), Trouble> {
    if available >= point.requests() {
        return Ok(());
    }
    let number = available.saturating_sub(point.load.warmup.requests());
    let Some(number) = NonZeroU64::new(number) else {
        let name = plan.dataset_name();
        return Err(Trouble::input(format!(
            "the dataset {name} has {available} prompts, which leaves none to measure"
        ))
        .with_hint("let it begin anew, or give a dataset with more"));
    };
    screen.say(format!(
        "note: {} has {available} prompts, and none is asked twice: {number} requests in place of {}",
        plan.dataset_name(),
        point.number
    ));
    point.number = number;
    point.load.stop.requests = number.get();
    Ok(())
}

/// When the measured requests were sent, from the first of them on.
fn moments(point: &Point, dataset: &dyn Dataset, plan: &Plan) -> Result<Vec<Duration>, Trouble> {
    let warm = usize::try_from(point.load.warmup.requests()).unwrap_or(usize::MAX);
    let moments = dataset.moments(point.requests());
    let moments = moments.map_err(|error| explain::dataset(&error, plan))?;
    let measured = moments.as_deref().and_then(|moments| moments.get(warm..)).unwrap_or_default();
    let Some(first) = measured.first() else {
        let name = plan.dataset_name();
        return Err(Trouble::input(format!(
            "the dataset {name} does not tell when its requests were sent"
        ))
        .with_hint("give a rate, or a dataset that does: timed_trace, burstgpt"));
    };
    Ok(measured.iter().map(|at| at.saturating_sub(*first)).collect())
}
