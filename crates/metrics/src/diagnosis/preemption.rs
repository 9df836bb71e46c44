//! Requests that lose their place and their cache, and are computed anew.

use tokometer_record::Signal;

use super::figures::{figure, percent, setting};
use super::{Evidence, Facts, Finding, Severity, Sureness};

/// The server takes on more than its KV cache holds, and computes a good part of it twice.
pub(super) fn preemption_thrash(facts: &Facts<'_>) -> Option<Finding> {
    let side = &facts.summary.side;
    let preemptions = side.growth(Signal::Preemptions).filter(|&n| n >= LEAST)?;
    let ended = side.growth(Signal::Finished).filter(|&n| n > 0.0);
    let requests = ended.unwrap_or(facts.run.all.len() as f64);
    if preemptions < OF_REQUESTS * requests {
        return None;
    }
    Some(Finding {
        rule: "preemption_thrash",
        severity: Severity::Limiting,
        sureness: Sureness::Certain,
        what: format!(
            "The KV cache is too small for what runs: requests lost their place {} times in {} requests, and were computed anew.",
            figure(preemptions),
            figure(requests)
        ),
        evidence: evidence(facts, preemptions, requests),
        next: format!(
            "Give the cache more room ({}), or let fewer requests run at once ({}) so that those which run \
             keep their place.",
            setting(
                side,
                "a larger --gpu-memory-utilization, --kv-cache-dtype fp8, more GPUs",
                "a larger --mem-fraction-static, --kv-cache-dtype fp8_e5m2, more GPUs"
            ),
            setting(side, "--max-num-seqs", "--max-running-requests")
        ),
        points: vec![facts.summary.point.index],
    })
}

fn evidence(facts: &Facts<'_>, preemptions: f64, requests: f64) -> Vec<Evidence> {
    let side = &facts.summary.side;
    let fact = format!(
        "preemptions: {}, {} for each request that ended",
        figure(preemptions),
        figure(preemptions / requests)
    );
    let first = side.moments.iter().find(|moment| moment.preemptions > Some(0.0));
    let began = facts.summary.point.began;
    let mut evidence = vec![match first {
        Some(first) => {
            let at = began + std::time::Duration::from_secs_f64(first.at.max(0.0));
            Evidence::at(format!("{fact}; first seen here"), at)
        }
        None => Evidence::new(fact),
    }];
    evidence.extend(side.level(Signal::KvUsage).map(|level| {
        let fact = format!(
            "KV cache: {} in use on average, {} at most",
            percent(level.mean),
            percent(level.max)
        );
        Evidence::at(fact, level.max_at)
    }));
    evidence.extend(side.level(Signal::Waiting).filter(|level| level.max > 0.0).map(|level| {
        Evidence::at(
            format!("waiting: {} on average, {} at most", figure(level.mean), figure(level.max)),
            level.max_at,
        )
    }));
    evidence
}

/// Where one request in twenty is computed twice, the server is past what its cache carries; a few are how vLLM finds its limit.
const OF_REQUESTS: f64 = 0.05;

/// Fewer may be of one moment.
const LEAST: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSide;
    use crate::diagnosis::testing::{finding, second, silent};
    use crate::server::{Level, Moment};
    use crate::summary::testing::{ok, point_log};

    fn preempting(preemptions: f64, finished: f64) -> ServerSide {
        let mut side = ServerSide::default();
        side.grown.insert(Signal::Preemptions, preemptions);
        side.grown.insert(Signal::Finished, finished);
        side
    }

    #[test]
    fn requests_that_lose_their_place_are_told_with_the_moment() {
        let mut side = preempting(120.0, 400.0);
        let level =
            Level { mean: 0.96, max: 1.0, max_at: second(4.0), above_zero: 1.0, readings: 20 };
        side.levels.insert(Signal::KvUsage, level);
        let moment = |at, preemptions| Moment { at, preemptions, ..Moment::default() };
        side.moments = vec![moment(1.0, Some(0.0)), moment(1.5, Some(12.0))];
        let found = finding(preemption_thrash, &point_log([ok(0, 0, &[10])]), side);
        assert_eq!(
            found.what,
            "The KV cache is too small for what runs: requests lost their place 120 times in 400 requests, and were computed anew."
        );
        assert_eq!(found.evidence[0].at, Some(second(1.5)));
        assert_eq!(found.evidence[1].fact, "KV cache: 96 % in use on average, 100 % at most");
    }

    #[test]
    fn a_few_preemptions_are_how_a_server_finds_its_limit() {
        let log = point_log((0..400).map(|i| ok(i, i, &[i + 10])));
        silent(preemption_thrash, &log, preempting(19.0, 400.0));
        finding(preemption_thrash, &log, preempting(20.0, 400.0));
        silent(preemption_thrash, &log, preempting(4.0, 10.0));
        silent(preemption_thrash, &log, ServerSide::default());
    }
}
