//! What the log says of the run and of each point: enough to make every report from it, and no secret.

use std::collections::BTreeMap;
use std::{fs, thread};

use tokometer_plan::{Plan, Reporting};
use tokometer_record::{Header, Offset, VERSION};

use super::folder::Folder;
use super::scene::Scene;
use crate::dialect::{evalscope, vllm};

/// The header of a run's log.
pub(super) fn of(scene: &Scene<'_>, folder: &Folder) -> Header {
    let Scene { plan, model, measure, service, served_by, .. } = scene;
    let path = folder.path().display().to_string();
    let (dialect, api, arguments) = match &plan.report {
        Reporting::Evalscope => {
            ("evalscope", "openai".into(), evalscope::arguments::of_run(plan, model, &path))
        }
        Reporting::Vllm(report) => {
            ("vllm", report.backend.clone(), vllm::arguments::of_run(plan, report, model))
        }
    };
    Header {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").into(),
        began: service.began.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
        dialect: dialect.into(),
        name: folder.name(),
        alias: plan.output.alias.clone(),
        model: model.clone(),
        api,
        url: plan.target.url.to_string(),
        dataset: plan.dataset_name().into(),
        tokenizer: measure.label(),
        tokens_estimated: measure.estimates(),
        arguments,
        plan: plan.to_yaml(),
        environment: environment(served_by.clone()),
    }
}

/// Where the load comes from, and which program it goes to: what changes a client's speed, and no more of the machine than that.
fn environment(served_by: Option<String>) -> BTreeMap<String, String> {
    let kernel = |name: &str| {
        let told = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
        Some(told.trim().to_owned()).filter(|told| !told.is_empty())
    };
    let processors = thread::available_parallelism().ok().map(|count| count.to_string());
    let told = [
        ("host", kernel("hostname")),
        ("system", Some(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH))),
        ("kernel", kernel("osrelease")),
        ("processors", processors),
        ("server_version", served_by),
    ];
    told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The settings of a point in its dialect's terms.
pub(super) fn arguments(
    plan: &Plan,
    point: &tokometer_plan::Point,
    model: &str,
    folder: &str,
) -> serde_json::Value {
    match &plan.report {
        Reporting::Evalscope => evalscope::arguments::of_point(plan, point, model, folder),
        Reporting::Vllm(report) => vllm::arguments::of_point(plan, report, point, model),
    }
}

/// The line that opens a point.
pub(super) fn point(
    index: usize,
    point: &tokometer_plan::Point,
    name: String,
    began: Offset,
    arguments: serde_json::Value,
) -> tokometer_record::Point {
    tokometer_record::Point {
        index,
        name,
        began,
        requests: point.number.get(),
        warmup: point.load.warmup.requests(),
        concurrency: point.parallel.map(std::num::NonZeroUsize::get),
        rate: point.load.arrivals.rate(),
        open_loop: point.parallel.is_none(),
        duration: point.load.stop.after.map(|length| length.as_secs_f64()),
        seed: point.seed.number(),
        arguments,
    }
}
