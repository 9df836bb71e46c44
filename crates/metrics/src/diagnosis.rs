//! What a run's facts say is wrong, or limits it: findings, each by a rule of its own, with its evidence and what to do next.
//!
//! Pure: a rule looks at figures that are already made, and has nothing to say where its evidence is missing. Deliberately no rule
//! guesses: what is only likely is called so.

mod agreement;
mod cache;
mod client;
mod connections;
mod failures;
mod lengths;
mod preemption;
mod queueing;
mod refusals;
mod sample;
mod saturation;
mod shift;
mod speculation;
mod spread;
mod stalls;
mod timeouts;
mod warm_up;

mod attribution;
mod cap;
mod figures;
mod finding;
mod latencies;
mod reference;
mod telling;
#[cfg(test)]
mod testing;

pub use finding::{Evidence, Finding, Severity, Sureness};
pub use reference::markdown;

use crate::Run;
use crate::summary::PointSummary;

/// What a rule of one point may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The point's requests and readings.
    pub run: &'a Run<'a>,
    /// Its figures. Its own findings are empty, being made here.
    pub summary: &'a PointSummary,
}

/// A rule over one point.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its stable name: `client_limited`.
    pub key: &'static str,
    /// What it looks for, in a few words, for the reference.
    pub about: &'static str,
    /// The rule.
    pub find: fn(&Facts<'_>) -> Option<Finding>,
}

/// A rule over the points of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct SweepRule {
    /// Its stable name: `knee`.
    pub key: &'static str,
    /// What it looks for, in a few words, for the reference.
    pub about: &'static str,
    /// The rule. Points are in the order in which they ran.
    pub find: fn(&[PointSummary]) -> Option<Finding>,
}

/// Every rule over one point.
pub const RULES: &[Rule] = &[
    Rule {
        key: "client_limited",
        about: "the client did not keep up",
        find: client::client_limited,
    },
    Rule {
        key: "descriptors",
        about: "the client ran out of file descriptors",
        find: client::descriptors,
    },
    Rule {
        key: "server_restarted",
        about: "the server, or what counts for it, began anew during the load",
        find: agreement::server_restarted,
    },
    Rule {
        key: "client_timeouts",
        about: "requests passed a time limit of the client's",
        find: timeouts::client_timeouts,
    },
    Rule {
        key: "gateway_timeouts",
        about: "requests passed a time limit of something before the server",
        find: timeouts::gateway_timeouts,
    },
    Rule {
        key: "server_refuses",
        about: "the service refuses load beyond a cap or a rate of its own",
        find: refusals::server_refuses,
    },
    Rule {
        key: "connection_limit",
        about: "something between client and server lets only so many connections through",
        find: connections::connection_limit,
    },
    Rule {
        key: "failures",
        about: "requests fail for another reason, told by kind with the server's words",
        find: failures::failures,
    },
    Rule {
        key: "preemption_thrash",
        about: "requests lose their place in the KV cache and are computed anew",
        find: preemption::preemption_thrash,
    },
    Rule {
        key: "queueing_by_max_num_seqs",
        about: "requests wait because as many run as are allowed to",
        find: queueing::queueing_by_max_num_seqs,
    },
    Rule {
        key: "queueing_by_kv_space",
        about: "requests wait for room in the KV cache",
        find: queueing::queueing_by_kv_space,
    },
    Rule {
        key: "queueing_by_token_budget",
        about: "requests wait because steps are full of prompts",
        find: queueing::queueing_by_token_budget,
    },
    Rule {
        key: "queueing",
        about: "requests wait on the server, for what is not known",
        find: queueing::queueing,
    },
    Rule {
        key: "server_disagrees",
        about: "the server's account of the load differs from the client's",
        find: agreement::server_disagrees,
    },
    Rule {
        key: "prefill_stalls",
        about: "outputs stand still while prompts of other requests are computed",
        find: stalls::prefill_stalls,
    },
    Rule {
        key: "stream_stalls",
        about: "outputs stand still in the middle, and no other request's prompt is why",
        find: stalls::stream_stalls,
    },
    Rule {
        key: "speculation_not_paying",
        about: "few of the drafted tokens are accepted",
        find: speculation::speculation_not_paying,
    },
    Rule {
        key: "output_length",
        about: "outputs are of another length than asked for",
        find: lengths::output_length,
    },
    Rule {
        key: "prompt_length",
        about: "the server counts other lengths of prompts than meant",
        find: lengths::prompt_length,
    },
    Rule {
        key: "prefix_cache",
        about: "prompt tokens came from a cache and not from computing",
        find: cache::prefix_cache,
    },
    Rule {
        key: "warm_up",
        about: "the first measured requests found a server that was not warm",
        find: warm_up::warm_up,
    },
    Rule {
        key: "latency_shift",
        about: "latencies rose, or fell, at a moment in mid-run and stayed there",
        find: shift::latency_shift,
    },
    Rule {
        key: "bimodal_latencies",
        about: "latencies have two modes that nothing known of the requests explains",
        find: spread::bimodal_latencies,
    },
    Rule {
        key: "noisy_latencies",
        about: "latencies vary strongly and nothing known of the requests explains it",
        find: spread::noisy_latencies,
    },
    Rule {
        key: "too_few_requests",
        about: "there are too few requests for the percentiles shown",
        find: sample::too_few_requests,
    },
];

/// Every rule over a sweep.
pub const SWEEP_RULES: &[SweepRule] = &[
    SweepRule {
        key: "failures_begin",
        about: "the load at which requests begin to fail",
        find: failures::failures_begin,
    },
    SweepRule {
        key: "past_knee",
        about: "the highest loads bring hardly more throughput, or less",
        find: saturation::past_knee,
    },
    SweepRule {
        key: "knee",
        about: "the load from which on throughput does not grow",
        find: saturation::knee,
    },
    SweepRule {
        key: "not_saturated",
        about: "throughput still grows at the highest load",
        find: saturation::not_saturated,
    },
];

/// The findings of one point, the worst first.
pub fn of_point(facts: &Facts<'_>) -> Vec<Finding> {
    sorted(RULES.iter().filter_map(|rule| (rule.find)(facts)).collect())
}

/// The findings of a run, the worst first: those over its points together, and each of its points' own, one a rule. Where several points
/// share one, it speaks of the point where it is worst, which stands first in [`Finding::points`].
pub fn of_run(points: &[PointSummary]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        SWEEP_RULES.iter().filter_map(|rule| (rule.find)(points)).collect();
    for found in points.iter().flat_map(|point| &point.findings) {
        match findings.iter_mut().find(|known| known.rule == found.rule) {
            Some(known) => share(known, found),
            None => findings.push(found.clone()),
        }
    }
    sorted(findings)
}

/// Has `known` speak of the points of `found` too, in the words of whichever is the worse. What limits a service is worse at a
/// later point, where the load is greater as a rule.
fn share(known: &mut Finding, found: &Finding) {
    let weight = |finding: &Finding| (finding.severity, finding.sureness);
    let later_is_worse = known.severity.grows_with_load();
    let worse = weight(found) < weight(known) || (weight(found) == weight(known) && later_is_worse);
    let (mut first, mut others) = (known.points.clone(), found.points.clone());
    if worse {
        (first, others) = (others, first);
        *known = Finding { points: Vec::new(), ..found.clone() };
    }
    let mut rest = first.split_off(first.len().min(1));
    rest.append(&mut others);
    rest.sort_unstable();
    first.append(&mut rest);
    known.points = first;
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.severity, finding.sureness));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(point: usize, severity: Severity) -> Finding {
        Finding {
            rule: "rule",
            severity,
            sureness: Sureness::Certain,
            what: format!("At {point}."),
            evidence: vec![Evidence::new("a fact")],
            next: "Look.".into(),
            points: vec![point],
        }
    }

    fn shared(severities: &[Severity]) -> (String, Vec<usize>) {
        let mut each =
            severities.iter().enumerate().map(|(point, &severity)| found(point, severity));
        let mut known = each.next().unwrap();
        each.for_each(|finding| share(&mut known, &finding));
        (known.what, known.points)
    }

    #[test]
    fn a_finding_that_points_share_speaks_of_the_worst() {
        use Severity::{Failing, Limiting, Notable};
        assert_eq!(shared(&[Notable, Failing, Notable]), ("At 1.".into(), vec![1, 0, 2]));
        assert_eq!(shared(&[Limiting, Limiting, Limiting]), ("At 2.".into(), vec![2, 0, 1]));
        assert_eq!(shared(&[Notable, Notable]), ("At 0.".into(), vec![0, 1]));
    }
}
