//! What a run's facts say is wrong, or limits it, in words: the block that heads the text of a point and of a run.
//!
//! Deliberately finds nothing: findings are made in `tokometer-metrics`. Colour only repeats what mark and word say, and where nothing
//! was found there is no block.

use serde_json::{Value, json};
use tokometer_metrics::diagnosis::{self, Evidence, Finding, Severity, Sureness};
use tokometer_metrics::summary::PointSummary;

use crate::grid::{Tone, toned};
use crate::number::{fixed, plural};
use crate::prose::{WIDTH, hanging, quoted};
use crate::{Style, label};

/// The findings of a point, in short. Empty without any.
pub(crate) fn of_point(summary: &PointSummary, style: Style) -> String {
    let told = summary.findings.iter().map(|finding| Told {
        finding,
        what: finding.what.clone(),
        facts: short(&finding.evidence),
    });
    block(told.collect(), "tokometer explain, with the run's folder, tells them all", style)
}

/// The findings of a run whose points are in the order in which they ran, in short: each once, with the points that share it. Empty
/// without any.
pub(crate) fn of_run(points: &[PointSummary], folder: &str, style: Style) -> String {
    let findings = diagnosis::of_run(points);
    let told = findings.iter().map(|finding| Told {
        finding,
        what: placed(finding, points),
        facts: short(&finding.evidence),
    });
    block(told.collect(), &format!("tokometer explain {folder}"), style)
}

/// The findings of a run of one point, whose own text tells them: a sentence each. Empty without any.
pub(crate) fn in_a_word(summary: &PointSummary, folder: &str, style: Style) -> String {
    if summary.findings.is_empty() {
        return String::new();
    }
    let told: String = summary
        .findings
        .iter()
        .map(|finding| {
            let (what, facts) = (finding.what.clone(), Vec::new());
            Told { finding, what, facts }.sentence(style).join("\n") + "\n"
        })
        .collect();
    let more = hanging(
        "  ",
        &format!("Their evidence, and what to do: tokometer explain {folder}"),
        WIDTH,
    );
    heading(summary.findings.len()) + &told + &more.join("\n") + "\n"
}

/// The findings of a run with all of their evidence, that of each point which shares them included. Says so where there are none.
pub(crate) fn in_full(points: &[PointSummary], style: Style) -> String {
    let findings = diagnosis::of_run(points);
    if findings.is_empty() {
        return "Findings: none. Nothing in this run's facts speaks against its figures.\n"
            .to_owned();
    }
    let told: Vec<Told<'_>> = findings
        .iter()
        .map(|finding| Told {
            finding,
            what: placed(finding, points),
            facts: every_fact(finding, points),
        })
        .collect();
    heading(told.len()) + &told.iter().map(|told| told.text(style)).collect::<String>()
}

/// Findings as data.
pub(crate) fn json(findings: &[Finding]) -> Value {
    let evidence = |evidence: &Evidence| json!({ "fact": evidence.fact, "at": evidence.at.map(|at| at.as_secs_f64()) });
    let finding = |finding: &Finding| {
        json!({
            "rule": finding.rule,
            "severity": finding.severity.key(),
            "sureness": finding.sureness.key(),
            "what": finding.what,
            "evidence": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
            "next": finding.next,
            "points": finding.points,
        })
    };
    findings.iter().map(finding).collect()
}

/// A finding as it is told.
#[derive(Debug)]
struct Told<'a> {
    finding: &'a Finding,
    /// What was found, and where.
    what: String,
    /// What it rests on, a line each.
    facts: Vec<String>,
}

impl Told<'_> {
    fn text(&self, style: Style) -> String {
        let mut lines = self.sentence(style);
        for fact in &self.facts {
            lines.extend(hanging("      • ", &quoted(fact, LONGEST), WIDTH));
        }
        lines.extend(hanging("      → ", &quoted(&self.finding.next, LONGEST), WIDTH));
        lines.join("\n") + "\n"
    }

    /// Mark, weight and what was found.
    fn sentence(&self, style: Style) -> Vec<String> {
        let (mark, tone) = dress(self.finding.severity);
        let weight = weight(self.finding);
        let what = quoted(&self.what, LONGEST);
        let mut lines = hanging(&format!("  {mark} "), &format!("{weight} {what}"), WIDTH);
        if let Some(first) = lines.first_mut() {
            *first = first.replacen(&weight, &toned(&weight, tone, style), 1);
        }
        lines
    }
}

/// The worst of the findings, and how the others can be had.
fn block(told: Vec<Told<'_>>, more: &str, style: Style) -> String {
    if told.is_empty() {
        return String::new();
    }
    let mut text = heading(told.len());
    text.extend(told.iter().take(MOST_FINDINGS).map(|told| told.text(style)));
    let left = told.len().saturating_sub(MOST_FINDINGS);
    if left > 0 {
        let others = plural(left as u64, "other", "others");
        text.push_str(&format!("  and {others}: {more}\n"));
    }
    text
}

fn heading(findings: usize) -> String {
    match findings {
        1 => "Findings:\n".to_owned(),
        _ => "Findings, the worst first:\n".to_owned(),
    }
}

/// What was found, and at which points. A rule over the whole sweep says so itself.
fn placed(finding: &Finding, points: &[PointSummary]) -> String {
    let of_sweep = diagnosis::SWEEP_RULES.iter().any(|rule| rule.key == finding.rule);
    let mut at = finding.points.iter().filter_map(|&index| point(points, index));
    let Some(first) = at.next().filter(|_| points.len() > 1 && !of_sweep) else {
        return finding.what.clone();
    };
    let others: Vec<String> = at.map(|other| label::of(&other.point)).collect();
    let first = label::capital(&first.point);
    match others.len() {
        0 => format!("{first}: {}", finding.what),
        several if several > 1 && several + 1 == points.len() => {
            format!("{first}: {} (Likewise at every other point.)", finding.what)
        }
        _ => format!("{first}: {} (Likewise at {}.)", finding.what, others.join(", ")),
    }
}

fn point(points: &[PointSummary], index: usize) -> Option<&PointSummary> {
    points.iter().find(|summary| summary.point.index == index)
}

/// The first few facts.
fn short(evidence: &[Evidence]) -> Vec<String> {
    evidence.iter().take(MOST_FACTS).map(fact).collect()
}

/// All facts: where several points share the finding, those of each, with what was found there; of many points those of the first, of
/// the one where it is worst, and of the last.
fn every_fact(finding: &Finding, points: &[PointSummary]) -> Vec<String> {
    let own: Vec<(&PointSummary, &Finding)> = points
        .iter()
        .filter_map(|summary| {
            let found = summary.findings.iter().find(|found| found.rule == finding.rule)?;
            Some((summary, found))
        })
        .collect();
    if own.len() < 2 {
        return finding.evidence.iter().map(fact).collect();
    }
    let worst = finding.points.first();
    let is_told = |place: usize, index: usize| {
        own.len() <= MOST_POINTS || place == 0 || place + 1 == own.len() || worst == Some(&index)
    };
    let told: Vec<_> = own
        .iter()
        .enumerate()
        .filter(|(place, (summary, _))| is_told(*place, summary.point.index))
        .map(|(_, told)| told)
        .collect();
    let mut facts = Vec::new();
    if told.len() < own.len() {
        facts.push(format!(
            "so at {} points; told are the first, the last, and the one where it is worst",
            own.len()
        ));
    }
    for (summary, found) in told {
        let at = label::capital(&summary.point);
        let told = found.evidence.iter().map(|evidence| format!("{at}: {}", fact(evidence)));
        facts.extend(told);
    }
    facts
}

fn fact(evidence: &Evidence) -> String {
    match evidence.at {
        Some(at) => format!("{} (at {} s)", evidence.fact, fixed(at.as_secs_f64(), 1)),
        None => evidence.fact.clone(),
    }
}

/// `failing:`, `limiting, likely:`.
fn weight(finding: &Finding) -> String {
    let severity = finding.severity.key();
    match finding.sureness {
        Sureness::Certain => format!("{severity}:"),
        unsure => format!("{severity}, {}:", unsure.key()),
    }
}

pub(crate) const fn dress(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Invalid | Severity::Failing => ("✗", Tone::Poor),
        Severity::Limiting => ("▲", Tone::Fair),
        Severity::Misleading => ("!", Tone::Fair),
        Severity::Notable => ("·", Tone::Neutral),
    }
}

/// So many findings are told in short.
const MOST_FINDINGS: usize = 6;

/// And so many facts of each.
const MOST_FACTS: usize = 3;

/// The facts of so many points are told, and of more those of three.
const MOST_POINTS: usize = 3;

/// The longest sentence, in characters: facts may quote a server.
const LONGEST: usize = 1_000;

#[cfg(test)]
mod tests {
    use tokometer_metrics::summary::summarize;
    use tokometer_record::{Offset, Point, PointLog};

    use super::*;

    fn found(rule: &'static str, severity: Severity, sureness: Sureness) -> Finding {
        Finding {
            rule,
            severity,
            sureness,
            what: "Requests wait for a place among those that run.".into(),
            evidence: vec![
                Evidence::new("running requests: 24 at most, and no more in 93 % of the readings"),
                Evidence::at("waiting requests: 151 on average, 168 at most", second(12)),
                Evidence::new("KV cache: 31 % in use at most"),
                Evidence::new("a fourth fact"),
            ],
            next: "Raise --max-num-seqs, or lower the load.".into(),
            points: vec![0],
        }
    }

    fn second(second: u64) -> Offset {
        Offset::from_nanos(second * 1_000_000_000)
    }

    fn summary(index: usize, places: usize, findings: Vec<Finding>) -> PointSummary {
        let point = Point { index, concurrency: Some(places), ..Point::default() };
        let mut summary = summarize(&PointLog::begun(point));
        summary.findings = findings;
        summary
    }

    fn queueing(points: &[usize]) -> Finding {
        let points = points.to_vec();
        Finding { points, ..found("queueing", Severity::Limiting, Sureness::Certain) }
    }

    #[test]
    fn a_point_s_finding_is_told_with_its_weight_three_facts_and_what_to_do() {
        let findings = vec![
            found("failures", Severity::Failing, Sureness::Certain),
            found("queueing", Severity::Limiting, Sureness::Likely),
        ];
        insta::assert_snapshot!(of_point(&summary(0, 8, findings), Style::Plain), @"
        Findings, the worst first:
          ✗ failing: Requests wait for a place among those that run.
              • running requests: 24 at most, and no more in 93 % of the readings
              • waiting requests: 151 on average, 168 at most (at 12.0 s)
              • KV cache: 31 % in use at most
              → Raise --max-num-seqs, or lower the load.
          ▲ limiting, likely: Requests wait for a place among those that run.
              • running requests: 24 at most, and no more in 93 % of the readings
              • waiting requests: 151 on average, 168 at most (at 12.0 s)
              • KV cache: 31 % in use at most
              → Raise --max-num-seqs, or lower the load.
        ");
    }

    #[test]
    fn without_findings_there_is_no_block() {
        let well = summary(0, 8, Vec::new());
        assert_eq!(of_point(&well, Style::Plain), "");
        assert_eq!(of_run(std::slice::from_ref(&well), "outputs/run", Style::Plain), "");
        assert!(in_full(&[well], Style::Plain).starts_with("Findings: none."));
    }

    #[test]
    fn the_eighth_finding_is_counted_and_not_told() {
        let findings = vec![queueing(&[0]); 8];
        let text = of_point(&summary(0, 8, findings), Style::Plain);
        assert_eq!(text.matches("▲ limiting").count(), 6);
        assert!(
            text.ends_with(
                "  and 2 others: tokometer explain, with the run's folder, tells them all\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn points_that_share_a_finding_are_named_with_it() {
        let points = [
            summary(0, 8, Vec::new()),
            summary(1, 50, vec![queueing(&[1])]),
            summary(2, 200, vec![queueing(&[2])]),
        ];
        let text = of_run(&points, "outputs/run", Style::Plain);
        let told = "limiting: Concurrency 200: Requests wait for a place among those that run. (Likewise at\n    concurrency 50.)";
        assert!(text.contains(told), "{text}");
        let full = in_full(&points, Style::Plain);
        for told in ["• Concurrency 50: a fourth fact", "• Concurrency 200: a fourth fact"] {
            assert!(full.contains(told), "{full}");
        }
    }

    #[test]
    fn of_many_points_the_first_the_worst_and_the_last_are_told() {
        let mut points: Vec<_> =
            (0..5).map(|i| summary(i, 10 * (i + 1), vec![queueing(&[i])])).collect();
        points[2].findings[0].severity = Severity::Failing;
        let full = in_full(&points, Style::Plain);
        assert!(full.contains("• so at 5 points; told are the first"), "{full}");
        let told = |places: usize| full.contains(&format!("• Concurrency {places}: a fourth fact"));
        assert_eq!([10, 20, 30, 40, 50].map(told), [true, false, true, false, true]);
    }

    #[test]
    fn the_findings_of_a_single_point_are_not_told_twice() {
        let only = summary(0, 8, vec![found("failures", Severity::Failing, Sureness::Likely)]);
        insta::assert_snapshot!(in_a_word(&only, "outputs/run", Style::Plain), @"
        Findings:
          ✗ failing, likely: Requests wait for a place among those that run.
          Their evidence, and what to do: tokometer explain outputs/run
        ");
        assert_eq!(in_a_word(&summary(0, 8, Vec::new()), "outputs/run", Style::Plain), "");
    }

    #[test]
    fn colour_changes_neither_words_nor_lines() {
        let point = summary(0, 8, vec![found("failures", Severity::Failing, Sureness::Likely)]);
        let coloured = of_point(&point, Style::Colour);
        assert!(coloured.contains("✗ \u{1b}[31mfailing, likely:\u{1b}[0m Requests"), "{coloured}");
        let bare = coloured.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, of_point(&point, Style::Plain));
    }

    #[test]
    fn a_server_s_words_in_a_fact_cannot_steer_the_terminal() {
        let mut finding = queueing(&[0]);
        finding.evidence = vec![Evidence::new("it said \u{1b}[2Jbusy")];
        assert!(!of_point(&summary(0, 8, vec![finding]), Style::Plain).contains('\u{1b}'));
    }

    #[test]
    fn data_has_every_fact_with_its_moment() {
        let value = json(&[found("queueing", Severity::Limiting, Sureness::Likely)]);
        assert_eq!(value[0]["severity"], "limiting");
        assert_eq!(value[0]["sureness"], "likely");
        assert_eq!(value[0]["evidence"].as_array().unwrap().len(), 4);
        assert_eq!(value[0]["evidence"][1]["at"], 12.0);
        assert!(value[0]["evidence"][0]["at"].is_null());
    }
}
