//! Prompts and outputs of another length than was asked for.
//!
//! Deliberately blames nobody for sure: a difference may be the template's, the tokenizer's or the server's doing. Which tokenizer
//! measured the prompts stands in the run's header, and not here.

use tokometer_record::Record;

use super::figures::{count, figure, percent, plural};
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::LengthCheck;

/// The server counts other lengths of prompts than were meant.
pub(super) fn prompt_length(facts: &Facts<'_>) -> Option<Finding> {
    let check = &facts.summary.prompt_check;
    let told = Told::of(facts, check, |record| {
        Some((record.prompt_tokens.local?, record.prompt_tokens.server?))
    })?;
    let results = facts.summary.counts.results > 0;
    let next = match (check.same_everywhere(), results) {
        (true, true) => {
            "It is the same difference everywhere: likely the server puts special tokens around its input that the tokenizer here does not."
        }
        (true, false) => {
            "It is the same difference everywhere: likely the server's chat template is not that of the tokenizer here. Name the model's own."
        }
        (false, _) => {
            "The difference varies: likely the server's tokenizer is another than the one here. Name the one that belongs to the model."
        }
    };
    Some(Finding {
        rule: "prompt_length",
        severity: told.severity().max(Severity::Misleading),
        // That they differ is certain, why is not.
        sureness: Sureness::Likely,
        what: format!("The server counts other prompt lengths than meant in {}.", told.differing),
        evidence: told.evidence,
        next: next.to_owned(),
        points: vec![facts.summary.point.index],
    })
}

/// Outputs are not as long as was asked for.
pub(super) fn output_length(facts: &Facts<'_>) -> Option<Finding> {
    let check = &facts.summary.output_check;
    let mut told =
        Told::of(facts, check, |record| Some((record.asked_output?, record.output_tokens?.count)))?;
    let short = |record: &&Record| {
        record.asked_output > record.output_tokens.map(|tokens| tokens.count)
            && record.finish_reason.as_deref() == Some("length")
    };
    let cut = facts.run.successes().filter(short).count() as u64;
    let (sureness, next) = if check.stopped > 0 {
        told.evidence.push(Evidence::new(format!(
            "{} ended with the finish reason stop: the model's own doing",
            plural(check.stopped, "shorter one", "shorter ones")
        )));
        (
            Sureness::Certain,
            "Have the server ignore the end of sequence (ignore_eos) to fix the length of outputs, or leave them to the model and compare runs by tokens, not by requests.",
        )
    } else if cut > 0 {
        told.evidence.push(Evidence::new(format!(
            "{} ended with the finish reason length: cut by the server",
            plural(cut, "shorter one", "shorter ones")
        )));
        (
            Sureness::Likely,
            "Ask for less, or give the server a longer context (vLLM: --max-model-len): prompt and output together likely exceed it.",
        )
    } else {
        (
            Sureness::Certain,
            "Check that the server honours the limits on output length (max_tokens, min_tokens, ignore_eos).",
        )
    };
    Some(Finding {
        rule: "output_length",
        severity: told.severity(),
        sureness,
        what: format!("Outputs are not as long as asked for in {}.", told.differing),
        evidence: told.evidence,
        next: next.to_owned(),
        points: vec![facts.summary.point.index],
    })
}

/// What there is to tell of lengths that differ.
struct Told {
    differing: String,
    evidence: Vec<Evidence>,
    /// By which share the mean is off.
    off: f64,
}

impl Told {
    /// `lengths` tells what was expected and what came about. `None` if nothing differs.
    fn of(
        facts: &Facts<'_>,
        check: &LengthCheck,
        lengths: impl Fn(&Record) -> Option<(u32, u32)>,
    ) -> Option<Self> {
        let example = check.examples.first().filter(|_| latencies::most_succeeded(facts))?;
        let all = facts.run.successes().filter_map(lengths);
        let (expected, actual) = all.fold((0_u64, 0_u64), |(expected, actual), of| {
            (expected + u64::from(of.0), actual + u64::from(of.1))
        });
        let off = (actual as f64 - expected as f64).abs() / (expected as f64).max(1.0);
        let mean = |sum: u64| figure(sum as f64 / check.compared.max(1) as f64);
        let evidence = vec![
            Evidence::new(format!(
                "{} tokens on average instead of {}: off by {}",
                mean(actual),
                mean(expected),
                percent(off)
            )),
            Evidence::new(format!(
                "request {}: {} instead of {}",
                example.index,
                tokens(example.actual),
                count(example.expected.into())
            )),
        ];
        Some(Self { differing: differing(check), evidence, off })
    }

    /// Not worth more than a word below a hundredth; beyond a tenth what was measured is not what was asked for.
    fn severity(&self) -> Severity {
        match self.off {
            off if off > OTHER_LOAD => Severity::Invalid,
            off if off >= VISIBLE => Severity::Misleading,
            _ => Severity::Notable,
        }
    }
}

fn tokens(length: u32) -> String {
    plural(length.into(), "token", "tokens")
}

/// `3 of 20 requests: +9 tokens`.
fn differing(check: &LengthCheck) -> String {
    let signed = |difference: i64| {
        format!("{}{}", if difference < 0 { "−" } else { "+" }, count(difference.unsigned_abs()))
    };
    let range = match check.least == check.greatest {
        true => signed(check.least),
        false => format!("{} to {}", signed(check.least), signed(check.greatest)),
    };
    let one = check.least == check.greatest && check.least.abs() == 1;
    format!(
        "{} of {}: {range} {}",
        count(check.differing),
        plural(check.compared, "request", "requests"),
        if one { "token" } else { "tokens" }
    )
}

/// If lengths are off by more than this share on average, the load was another than the one that was asked for: throughput goes with
/// them, and so does what latencies are of.
pub(super) const OTHER_LOAD: f64 = 0.1;

/// Below this share no other figure shows it: run-to-run noise is greater.
pub(super) const VISIBLE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log};

    fn found(
        rule: fn(&Facts<'_>) -> Option<Finding>,
        records: impl IntoIterator<Item = Record>,
    ) -> Option<Finding> {
        let log = point_log(records);
        let mut summary = summarize(&log);
        summary.findings.clear();
        rule(&Facts { run: &Run::of(&log), summary: &summary })
    }

    fn prompt(index: u64, meant: u32, counted: u32) -> Record {
        let mut record = ok(index, 0, &[10, 20]);
        (record.prompt_tokens.local, record.prompt_tokens.server) = (Some(meant), Some(counted));
        record
    }

    fn output(index: u64, asked: u32, came: u32, reason: &str) -> Record {
        let mut record = ok(index, 0, &[10, 20]);
        record.asked_output = Some(asked);
        record.output_tokens = record
            .output_tokens
            .map(|tokens| tokometer_record::OutputTokens { count: came, ..tokens });
        record.finish_reason = Some(reason.into());
        record
    }

    #[test]
    fn a_prompt_of_another_length_is_told() {
        let finding = found(prompt_length, (0..20).map(|i| prompt(i, 100, 109))).unwrap();
        assert_eq!(
            finding.what,
            "The server counts other prompt lengths than meant in 20 of 20 requests: +9 tokens."
        );
        assert_eq!(finding.severity, Severity::Misleading);
        assert!(finding.next.contains("chat template"), "{}", finding.next);
        assert_eq!(finding.evidence[0].fact, "109 tokens on average instead of 100: off by 9 %");
        assert_eq!(finding.evidence[1].fact, "request 0: 109 tokens instead of 100");
    }

    #[test]
    fn differences_that_vary_are_another_tokenizer_s() {
        let finding = found(prompt_length, (0..4).map(|i| prompt(i, 100, 120 + i as u32)));
        let finding = finding.unwrap();
        // A prompt's length is the workload's affair, and never as grave as a run of another load.
        assert_eq!(finding.severity, Severity::Misleading);
        assert!(finding.what.ends_with("4 of 4 requests: +20 to +23 tokens."), "{}", finding.what);
        assert!(finding.next.contains("tokenizer is another"), "{}", finding.next);
    }

    #[test]
    fn a_token_in_a_thousand_is_good_to_know() {
        let finding = found(prompt_length, (0..4).map(|i| prompt(i, 1_000, 1_001))).unwrap();
        assert_eq!(finding.severity, Severity::Notable);
        assert!(finding.what.ends_with("+1 token."), "{}", finding.what);
    }

    #[test]
    fn lengths_as_asked_for_are_nothing_to_tell() {
        assert_eq!(found(prompt_length, (0..4).map(|i| prompt(i, 100, 100))), None);
        assert_eq!(found(output_length, (0..4).map(|i| output(i, 64, 64, "length"))), None);
    }

    #[test]
    fn lengths_that_nobody_asked_for_or_counted_are_not_compared() {
        let mut uncounted = prompt(0, 100, 109);
        uncounted.prompt_tokens.server = None;
        assert_eq!(found(prompt_length, [uncounted]), None);
        assert_eq!(found(output_length, [ok(0, 0, &[10])]), None);
    }

    #[test]
    fn outputs_that_end_of_their_own_accord_are_told_with_what_fixes_them() {
        let short = (0..4).map(|i| output(i, 64, 30, "stop"));
        let finding =
            found(output_length, short.chain((4..8).map(|i| output(i, 64, 64, "length"))));
        let finding = finding.unwrap();
        assert_eq!((finding.severity, finding.sureness), (Severity::Invalid, Sureness::Certain));
        assert!(finding.what.ends_with("in 4 of 8 requests: −34 tokens."), "{}", finding.what);
        assert!(finding.next.contains("ignore_eos"), "{}", finding.next);
    }

    #[test]
    fn a_mean_that_is_off_by_a_tenth_is_still_the_load_that_was_asked_for() {
        let severity =
            |came| found(output_length, [output(0, 100, came, "length")]).unwrap().severity;
        assert_eq!([severity(90), severity(89)], [Severity::Misleading, Severity::Invalid]);
    }

    #[test]
    fn outputs_that_the_server_cut_point_to_its_context() {
        let finding = found(output_length, [output(0, 100, 60, "length")]).unwrap();
        assert!(finding.next.contains("--max-model-len"), "{}", finding.next);
        let finding = found(output_length, [output(0, 100, 160, "stop")]).unwrap();
        assert!(finding.next.starts_with("Check that the server honours"), "{}", finding.next);
    }

    #[test]
    fn a_run_that_failed_has_other_worries_than_lengths() {
        let failing = (1..4).map(|i| ok(i, 0, &[]).failing_at(4));
        assert_eq!(found(prompt_length, failing.chain([prompt(0, 100, 109)])), None);
    }
}
