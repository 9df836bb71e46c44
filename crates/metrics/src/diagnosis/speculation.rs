//! Speculation that costs more than it brings.
//!
//! Deliberately no estimate of what it costs: only a run without it tells that, and the finding says how to get one.

use tokometer_record::Signal;

use super::figures::{figure, percent, setting};
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::catalog::{SPEC_ACCEPTANCE_LENGTH, SPEC_ACCEPTANCE_RATE};
use crate::server::Speculated;

/// A draft brings hardly more than the one token that a step brings without it. That few of the drafted tokens are accepted is not
/// enough: what is thrown away costs little where the GPU has time to spare, and two tokens a step may well double the throughput.
pub(super) fn speculation_not_paying(facts: &Facts<'_>) -> Option<Finding> {
    let too_few = facts.summary.side.growth(Signal::Drafts).is_some_and(|grown| grown < FEWEST);
    if too_few || !latencies::most_succeeded(facts) {
        return None;
    }
    let told = told(facts)?;
    let (length, rate) = (told.acceptance_length, told.acceptance_rate);
    let wasteful = rate.is_some_and(|rate| rate < LOW) && length < LONG;
    if length >= SHORT && !wasteful {
        return None;
    }
    let (severity, sureness, brings) = match length < NOTHING {
        true => (Severity::Limiting, Sureness::Likely, "brings little"),
        false => (Severity::Notable, Sureness::Possible, "may bring little"),
    };
    let accepted = match rate {
        Some(rate) => format!("{} of the drafted tokens are accepted, and a", percent(rate)),
        None => "a".to_owned(),
    };
    Some(Finding {
        rule: "speculation_not_paying",
        severity,
        sureness,
        what: format!(
            "Speculation {brings}: {accepted} step brings {} tokens instead of 1.",
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
    let compare =
        "only a run without it tells whether it pays: tokometer explain RUN --baseline RUN_WITHOUT";
    let Some((kept, lost)) = worth_drafting(told) else {
        return format!("Try another way of drafting, or turn it off; {compare}.");
    };
    let tokens = setting(
        &facts.summary.side,
        "num_speculative_tokens in --speculative-config",
        "--speculative-num-draft-tokens",
    );
    let of = told.by_position.len();
    format!(
        "Draft {kept} instead of {of} tokens ({tokens}): what comes after brings {} tokens a step; {compare}.",
        figure(lost)
    )
}

/// How many tokens are worth drafting, and how many a step then loses: without the positions at the end that are hardly ever
/// accepted and that bring next to nothing between them. `None` where that is all of them, or none.
fn worth_drafting(told: &Speculated) -> Option<(usize, f64)> {
    let spare = LOSS * told.acceptance_length;
    let (mut kept, mut lost) = (told.by_position.len(), 0.0);
    for &share in told.by_position.iter().rev() {
        if share >= WASTED || lost + share > spare {
            break;
        }
        kept -= 1;
        lost += share;
    }
    (0 < kept && kept < told.by_position.len()).then_some((kept, lost))
}

/// Below this share of accepted tokens, most of what is drafted and verified is thrown away. Engineers who run vLLM read it so.
pub(super) const LOW: f64 = 0.5;

/// From this many tokens a step on, no share of thrown away tokens is held against it.
const LONG: f64 = 2.0;

/// Below this many tokens a step, the gain is at most a half, from which the time of drafting and verifying still goes off.
pub(super) const SHORT: f64 = 1.5;

/// Below this many, that time is likely to take all of it.
const NOTHING: f64 = 1.3;

/// A position of the draft whose token is accepted less often is hardly worth verifying.
const WASTED: f64 = 0.15;

/// Positions may go that bring no more than this share of the tokens of a step between them.
const LOSS: f64 = 0.1;

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
        assert_eq!((finding.severity, finding.sureness), (Severity::Notable, Sureness::Possible));
        assert_eq!(
            finding.what,
            "Speculation may bring little: 20 % of the drafted tokens are accepted, and a step brings 1.4 tokens instead of 1."
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
    fn drafts_of_which_next_to_nothing_is_kept_limit() {
        let finding = found(speculated(1.29, Some(0.06))).unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Limiting, Sureness::Likely));
        assert!(finding.what.starts_with("Speculation brings little: 6 % of"), "{}", finding.what);
    }

    #[test]
    fn half_and_more_is_worth_it() {
        assert_eq!(found(speculated(1.5, Some(0.5))), None);
        assert!(found(speculated(1.5, Some(0.49))).is_some());
        assert!(found(speculated(1.49, Some(0.5))).is_some());
    }

    #[test]
    fn two_tokens_a_step_may_pay_though_most_of_the_draft_is_thrown_away() {
        assert_eq!(found(speculated(2.2, Some(0.239))), None);
        assert_eq!(found(speculated(2.0, Some(0.2))), None);
        assert!(found(speculated(1.99, Some(0.2))).is_some());
    }

    fn next_of(length: f64, by_position: &[f64]) -> String {
        let mut told = speculated(length, Some(0.2)).unwrap();
        told.by_position = by_position.to_vec();
        found(Some(told)).unwrap().next
    }

    #[test]
    fn positions_say_how_many_tokens_are_worth_drafting() {
        let next = next_of(1.97, &[0.6, 0.25, 0.08, 0.03, 0.01]);
        assert!(
            next.starts_with("Draft 2 instead of 5 tokens (vLLM: num_speculative_tokens in --speculative-config): what comes after brings 0.12 tokens a step; "),
            "{next}"
        );
    }

    #[test]
    fn positions_that_bring_something_between_them_are_kept() {
        // Each of the last four is seldom accepted, but together they bring 0.45 of 1.95 tokens: two of them may go.
        let next = next_of(1.95, &[0.5, 0.14, 0.12, 0.1, 0.09]);
        assert!(next.starts_with("Draft 3 instead of 5 tokens"), "{next}");
        let next = next_of(1.9, &[0.5, 0.2, 0.2]);
        assert!(next.starts_with("Try another way of drafting"), "{next}");
        let next = next_of(1.08, &[0.05, 0.03]);
        assert!(next.starts_with("Try another way of drafting"), "{next}");
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
