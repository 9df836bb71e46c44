//! Memory: every request of a point is made ready before its load, so that a point of too many or too long ones is refused
//! before the machine has to swap or to kill.
//!
//! An estimate from the first few requests of the largest point. The records of its load come on top, and are not foreseen.

use std::fs;

use tokometer_plan::{Plan, Point};
use tokometer_workload::Ask;

use crate::trouble::Trouble;

/// The point that has the most requests.
pub(crate) fn largest(plan: &Plan) -> Option<&Point> {
    plan.points.iter().max_by_key(|point| point.requests())
}

/// How many requests are enough to tell how much memory the others will take.
pub(crate) const SAMPLE: u64 = 8;

/// Refuses a plan whose largest point would take more memory than is to be had, if each of its requests takes as much as those
/// of `sample` do.
///
/// # Errors
/// If it would.
pub(crate) fn check(plan: &Plan, sample: &[Ask]) -> Result<(), Trouble> {
    match available() {
        Some(available) => check_against(plan, sample, available),
        None => Ok(()),
    }
}

fn check_against(plan: &Plan, sample: &[Ask], available: u64) -> Result<(), Trouble> {
    let Some(requests) = largest(plan).map(Point::requests) else { return Ok(()) };
    let each = sample.iter().map(held).sum::<u64>() / (sample.len() as u64).max(1);
    let needed = u128::from(each) * u128::from(requests);
    let allowed = available / 10 * SHARE_IN_TENTHS;
    if needed <= u128::from(allowed) {
        return Ok(());
    }
    let mebibytes = |bytes: u128| bytes.div_ceil(1 << 20);
    let mut hint = format!(
        "at most {} of them fit: lower --number, or ask shorter prompts",
        allowed / each.max(1)
    );
    if plan.duration.is_some() {
        hint.push_str(
            "; every request is made ready, also those that --duration leaves no time for",
        );
    }
    if plan.output.prompts {
        hint.push_str("; --log-prompts keeps every prompt twice");
    }
    Err(Trouble::input(format!(
        "{requests} requests ready to be sent take about {} MiB of memory, and {} MiB are available",
        mebibytes(needed),
        mebibytes(available.into())
    ))
    .with_hint(hint))
}

/// Bytes that a request takes: its texts, and its place in the lists through which it passes until all are in one.
fn held(ask: &Ask) -> u64 {
    let prompt = ask.prompt.as_ref().map_or(0, String::capacity);
    (ask.body.len() + prompt + ALLOCATION + PLACES * size_of::<Ask>()) as u64
}

/// Bytes that this process could still have. `None` where the system does not say.
fn available() -> Option<u64> {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text))?;
    // A container sees the memory of its host there, and its own limit here: a number, or `max`.
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok());
    Some(limit.map_or(free, |limit: u64| limit.min(free)))
}

fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Of the available memory, how much requests may take.
const SHARE_IN_TENTHS: u64 = 7;

/// What an allocation takes beside its contents, for the body and what shares it.
const ALLOCATION: usize = 64;

/// In how many lists a request has a place at the most, with what they leave unused.
const PLACES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::testing::plan;

    #[test]
    fn the_system_says_what_is_available() {
        let text = "MemTotal:       24689272 kB\nMemAvailable:   18874368 kB\nBuffers: 1 kB\n";
        assert_eq!(of_meminfo(text), Some(18 << 30));
        assert_eq!(of_meminfo("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn a_point_of_too_many_requests_is_refused_with_how_many_fit() {
        let plan = plan("http://h/v1", "[{parallel: 1, number: 10}, {parallel: 1, number: 1000}]");
        let sample = [Ask { body: vec![b'x'; 1 << 20].into(), ..Ask::default() }];
        let each = held(&sample[0]);
        let enough = 1000 * each / 7 * 10 + 100;
        assert!(check_against(&plan, &sample, enough).is_ok());
        let error = check_against(&plan, &sample, enough / 2).unwrap_err().to_string();
        assert!(error.contains("1000 requests ready to be sent take about 1001 MiB"), "{error}");
        assert!(error.contains("at most 500 of them fit"), "{error}");
    }
}
