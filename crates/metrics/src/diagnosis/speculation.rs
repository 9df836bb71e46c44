//! Speculation that costs more than it brings.
//!
//! Deliberately no estimate of what it costs: only a run without it tells that, and the finding says how to get one.

use tokometer_record::Signal;

use super::figures::{figure, percent, setting};
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::catalog::{SPEC_ACCEPTANCE_LENGTH, SPEC_ACCEPTANCE_RATE};
use crate::server::Speculated;

/// Few of the drafted tokens are accepted, or a draft brings hardly more than the one token that a step brings without it.
pub(super) fn speculation_not_paying(facts: &Facts<'_>) -> Option<Finding> {
    let too_few = facts.summary.side.growth(Signal::Drafts).is_some_and(|grown| grown < FEWEST);
    if too_few || !latencies::most_succeeded(facts) {
        return None;
    }
    let told = told(facts)?;
    let (length, rate) = (told.acceptance_length, told.acceptance_rate);
    let short = length < SHORT;
    if !short && rate.is_none_or(|rate| rate >= LOW) {
        return None;
    }
    let accepted = match rate {
        Some(rate) => format!("{} of the drafted tokens are accepted, and a", percent(rate)),
        None => "a".to_owned(),
    };
    Some(Finding {
        rule: "speculation_not_paying",
        severity: Severity::Limiting,
        // Long drafts may pay although most of their tokens are thrown away, as long as the GPU has time to spare.
        sureness: if short { Sureness::Likely } else { Sureness::Possible },
        what: format!(
            "Speculation brings little: {accepted} step brings {} tokens instead of 1.",
            figure(length)
        ),
        evidence: evidence(&told),
        next: next(facts, &told),
        points: vec![facts.summary.point.index],
    })
}

/// What the service said of speculation, by its readings, or by the pages before and after the load.
fn told(facts: &Facts<'_>) -> Option<Speculated> {
    let summary = facts.summary;
    summary.side.speculation.clone().or_else(|| {
        Some(Speculated {
            acceptance_length: summary.figure(&SPEC_ACCEPTANCE_LENGTH)?,
            acceptance_rate: summary.figure(&SPEC_ACCEPTANCE_RATE).map(|percent| percent / 100.0),
            ..Speculated::default()
        })
    })
}

fn evidence(told: &Speculated) -> Vec<Evidence> {
    let overall = match told.acceptance_rate {
        Some(rate) => format!("acceptance rate: {}", percent(rate)),
        None => "acceptance rate: not told".to_owned(),
    };
    let length = format!("{overall}; acceptance length: {} tokens", figure(told.acceptance_length));
    let positions: Vec<String> = told.by_position.iter().map(|&share| percent(share)).collect();
    let positions = (!positions.is_empty())
        .then(|| format!("accepted by position of the draft: {}", positions.join(", ")));
    let throughput =
        told.drafted_throughput.zip(told.accepted_throughput).map(|(drafted, accepted)| {
            format!("{} tok/s drafted, {} tok/s accepted", figure(drafted), figure(accepted))
        });
    [Some(length), positions, throughput].into_iter().flatten().map(Evidence::new).collect()
}

fn next(facts: &Facts<'_>, told: &Speculated) -> String {
    let tokens = setting(
        &facts.summary.side,
        "num_speculative_tokens in --speculative-config",
        "--speculative-num-draft-tokens",
    );
    // Positions from which on most tokens are thrown away.
    let worth = told.by_position.iter().take_while(|&&share| share >= LOW).count();
    let fewer = match worth {
        0 => format!("Draft fewer tokens ({tokens})"),
        worth if worth < told.by_position.len() => {
            format!("Draft {worth} instead of {} tokens ({tokens})", told.by_position.len())
        }
        _ => format!("Draft fewer tokens ({tokens})"),
    };
    format!(
        "{fewer}, try another way of drafting, or turn it off and compare: tokometer explain RUN --baseline RUN_WITHOUT."
    )
}

/// Below this share of accepted tokens, most of what is drafted and verified is thrown away. Engineers who run vLLM read it so.
pub(super) const LOW: f64 = 0.5;

/// Below this many tokens a step, the gain is at most a half, from which the time of drafting and verifying still goes off.
pub(super) const SHORT: f64 = 1.5;

/// Fewer drafts say too little.
pub(super) const FEWEST: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use crate::summary::summarize;
    use crate::summary::testing::{ok, point_log};

    fn found(speculation: Option<Speculated>) -> Option<Finding> {
        let log = point_log([ok(0, 0, &[10, 20])]);
        let mut summary = summarize(&log);
        summary.side.speculation = speculation;
        speculation_not_paying(&Facts { run: &Run::of(&log), summary: &summary })
    }

    fn speculated(length: f64, rate: Option<f64>) -> Option<Speculated> {
        Some(Speculated {
            acceptance_length: length,
            acceptance_rate: rate,
            accepted_throughput: Some(40.0),
            drafted_throughput: Some(400.0),
            by_position: vec![0.3, 0.1],
            ..Speculated::default()
        })
    }

    #[test]
    fn drafts_that_are_mostly_thrown_away_are_told() {
        let finding = found(speculated(1.4, Some(0.2))).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Limiting, Sureness::Likely));
        assert_eq!(
            finding.what,
            "Speculation brings little: 20 % of the drafted tokens are accepted, and a step brings 1.4 tokens instead of 1."
        );
        let facts: Vec<&str> = finding.evidence.iter().map(|e| e.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "acceptance rate: 20 %; acceptance length: 1.4 tokens",
                "accepted by position of the draft: 30 %, 10 %",
                "400 tok/s drafted, 40 tok/s accepted"
            ]
        );
    }

    #[test]
    fn half_and_more_is_worth_it() {
        assert_eq!(found(speculated(1.5, Some(0.5))), None);
        assert!(found(speculated(1.5, Some(0.49))).is_some());
        assert!(found(speculated(1.49, Some(0.5))).is_some());
    }

    #[test]
    fn long_drafts_may_pay_though_most_of_them_is_thrown_away() {
        let finding = found(speculated(3.4, Some(0.3))).unwrap();
        assert_eq!(finding.sureness, Sureness::Possible);
    }

    #[test]
    fn positions_say_how_many_tokens_are_worth_drafting() {
        let mut told = speculated(2.9, Some(0.4)).unwrap();
        told.by_position = vec![0.9, 0.6, 0.3, 0.1];
        let next = found(Some(told)).unwrap().next;
        assert!(next.starts_with("Draft 2 instead of 4 tokens (vLLM: num_speculative"), "{next}");
    }

    #[test]
    fn a_server_that_tells_only_the_length_is_judged_by_it() {
        assert_eq!(found(speculated(2.0, None)), None);
        let what = found(speculated(1.2, None)).unwrap().what;
        assert_eq!(what, "Speculation brings little: a step brings 1.2 tokens instead of 1.");
    }

    #[test]
    fn without_speculation_there_is_nothing_to_say() {
        assert_eq!(found(None), None);
    }
}
