//! How much is asked, and when: a rate, a ramp, the moments of a trace, a cap.

use std::num::NonZeroU64;

use serde_json::{Map, Value};
use tokometer_plan::config::{self, RampShape};
use tokometer_plan::{Amount, Burstiness, Pace, Rate};

use super::super::flags::{LoadFlags, RampUp};
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// The load of the run's one point, of so many requests.
///
/// # Errors
/// If its flags contradict each other, or a rate is none.
pub(super) fn load(
    flags: &LoadFlags,
    requests: NonZeroU64,
    recorded: bool,
    dataset: &str,
    surroundings: &mut Surroundings,
) -> Result<config::Load, Trouble> {
    let Some(burstiness) = Burstiness::new(flags.burstiness) else {
        return Err(Trouble::input(format!(
            "--burstiness: must be above 0, not {}",
            flags.burstiness
        ))
        .with_hint("1 is a Poisson process, below it requests come in bursts"));
    };
    let Some(pace) = Pace::new(flags.request_rate) else {
        return Err(Trouble::input(format!(
            "--request-rate: must be {}, or inf, not {}",
            Rate::BOUNDS,
            flags.request_rate
        ))
        .with_hint("requests per second, or inf for all at once"));
    };
    let ramp = flags.ramp_up_strategy.map(|shape| ramp(shape, flags)).transpose()?;
    if recorded && ramp.is_some() {
        return Err(Trouble::input(format!(
            "--ramp-up-strategy stands beside the recorded moments at which {dataset} is sent"
        ))
        .with_hint("add --no-self-timed, or leave out the ramp"));
    }
    if recorded && pace != Pace::AtOnce {
        surroundings.note(format!(
            "--request-rate changes nothing: {dataset} is sent at its recorded moments; --no-self-timed sends it by the rate"
        ));
    }
    let paced = !recorded && (ramp.is_some() || pace != Pace::AtOnce);
    if !paced && flags.burstiness != POISSON {
        surroundings.note("--burstiness changes nothing: no rate paces the requests".into());
    }
    let point = config::Point {
        parallel: flags.max_concurrency,
        rate: (!recorded && ramp.is_none()).then_some(pace),
        burstiness: (paced && flags.burstiness != POISSON).then_some(burstiness),
        ramp,
        recorded: recorded.then_some(true),
        number: requests,
    };
    Ok(config::Load {
        points: vec![point],
        warmup: (flags.num_warmups > 0).then_some(Amount::Count(flags.num_warmups)),
        warmup_apart: Some(true),
        probe_rate: probes(flags.probe_request_rate)?,
        ..config::Load::default()
    })
}

/// How many requests so many prompts make, where a dataset puts several into one. Without a reranker the query is one of them.
pub(super) fn requests(prompts: NonZeroU64, args: &Map<String, Value>) -> NonZeroU64 {
    let batch = args.get("batch_size").and_then(Value::as_u64).unwrap_or(1);
    let query = u64::from(args.get("reranker") == Some(&Value::Bool(false)));
    let documents = batch.saturating_sub(query).max(1);
    let requests = prompts.get().saturating_sub(query).div_ceil(documents);
    NonZeroU64::new(requests).unwrap_or(NonZeroU64::MIN)
}

/// Whether requests are sent at the moments that the dataset recorded.
///
/// # Errors
/// If the dataset recorded none, and a flag says whether to.
pub(super) fn recorded(flags: &LoadFlags, dataset: &str) -> Result<bool, Trouble> {
    let flag = match (flags.self_timed, flags.no_self_timed) {
        (true, _) => "--self-timed",
        (_, true) => "--no-self-timed",
        _ => return Ok(dataset == TRACE),
    };
    match TIMED.contains(&dataset) {
        true => Ok(flags.self_timed),
        false => Err(Trouble::input(format!(
            "{flag} is for datasets that tell when requests were sent, and {dataset} does not"
        ))
        .with_hint(format!("leave it out, or use --dataset-name {}", TIMED.join(" or ")))),
    }
}

fn ramp(shape: RampUp, flags: &LoadFlags) -> Result<config::Ramp, Trouble> {
    let wrong = |what: &str, hint: &str| Err(Trouble::input(what).with_hint(hint));
    if flags.request_rate != f64::INFINITY {
        return wrong(
            "--request-rate stands beside --ramp-up-strategy, which says the rate",
            "leave one of them out",
        );
    }
    let (Some(from), Some(to)) = (flags.ramp_up_start_rps, flags.ramp_up_end_rps) else {
        return wrong(
            "--ramp-up-strategy goes from --ramp-up-start-rps to --ramp-up-end-rps, and one of them is missing",
            "for example --ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 50",
        );
    };
    if from > to {
        return wrong(
            &format!("--ramp-up-start-rps: {from} is above --ramp-up-end-rps {to}"),
            "a ramp goes up here; a plan may have one that goes down (docs/plan.md)",
        );
    }
    if shape == RampUp::Exponential && from == 0 {
        return wrong(
            "--ramp-up-start-rps: an exponential ramp never leaves 0",
            "begin at 1, or use --ramp-up-strategy linear",
        );
    }
    if to == 0 {
        return wrong("--ramp-up-end-rps: a ramp from 0 to 0 sends nothing", "end above 0");
    }
    let shape = match shape {
        RampUp::Linear => RampShape::Linear,
        RampUp::Exponential => RampShape::Exponential,
    };
    Ok(config::Ramp { shape, from: from.into(), to: to.into() })
}

fn probes(rate: f64) -> Result<Option<Rate>, Trouble> {
    if rate == 0.0 {
        return Ok(None);
    }
    Rate::new(rate).map(Some).ok_or_else(|| {
        Trouble::input(format!("--probe-request-rate: must be {}, not {rate}", Rate::BOUNDS))
            .with_hint("requests per second, such as 2, or 0 for none")
    })
}

const POISSON: f64 = 1.0;
pub(super) const TRACE: &str = "timed_trace";
const TIMED: &[&str] = &[TRACE, "burstgpt"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(prompts: u64, args: Value) -> u64 {
        let Value::Object(args) = args else { panic!("{args} is no object") };
        requests(NonZeroU64::new(prompts).unwrap(), &args).get()
    }

    #[test]
    fn prompts_are_requests_where_each_bears_one() {
        assert_eq!(of(1_000, json!({})), 1_000);
        assert_eq!(of(1_000, json!({ "batch_size": 1 })), 1_000);
        assert_eq!(of(1_000, json!({ "batch_size": 1, "reranker": true })), 1_000);
    }

    #[test]
    fn a_batch_is_one_request_and_so_is_what_is_left_over() {
        assert_eq!(of(1_000, json!({ "batch_size": 8 })), 125);
        assert_eq!(of(1_001, json!({ "batch_size": 8 })), 126);
        assert_eq!(of(3, json!({ "batch_size": 8, "reranker": true })), 1);
    }

    #[test]
    fn without_a_reranker_the_query_is_one_of_the_prompts_and_of_each_batch() {
        // 999 documents, 7 beside the query in each batch of 8.
        assert_eq!(of(1_000, json!({ "batch_size": 8, "reranker": false })), 143);
        assert_eq!(of(8, json!({ "batch_size": 8, "reranker": false })), 1);
        assert_eq!(of(9, json!({ "batch_size": 8, "reranker": false })), 2);
    }

    #[test]
    fn no_batch_size_is_too_odd_to_make_a_request() {
        assert_eq!(of(1, json!({ "reranker": false })), 1);
        assert_eq!(of(5, json!({ "batch_size": 0 })), 5);
    }
}
