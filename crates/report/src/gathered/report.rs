//! `performance_report.txt`: how many configurations there were, the best of them, and the figures of each, as plain text.
//!
//! In the layout that users of the tool with this form know. A configuration whose client was the limit, or of which more than 1 % of the
//! requests failed, is never called the best without saying so; where its figure is better than the best, that is said too. Deliberately asks no clock: when it was made is an argument.

use std::fmt::Write as _;

use crate::cases::{self, Case};
use crate::number::{count, fixed};

/// The report on these results. `made` is when: `2026-01-02 11:04:37`.
pub fn text(cases: &[Case], made: &str) -> String {
    let sorted = cases::sorted(cases);
    let label = |case: &Case| label(case, cases);
    let mut text = format!("{}\nPerformance Test Report\n{}\n", "=".repeat(WIDE), "=".repeat(WIDE));
    let _ = writeln!(text, "Generated: {made}");
    let _ = writeln!(text, "Test Configurations: {}", cases.len());
    text.push_str(&models(&sorted));
    heading(&mut text, "Best Performance Configurations");
    for best in BEST {
        let _ = writeln!(text, "{}: {}", best.name, best.of(&sorted, &label));
    }
    heading(&mut text, "Detailed Performance Data");
    for (index, case) in sorted.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "Config: {}", label(case));
        for (name, key, digits, unit) in FIGURES {
            let _ = writeln!(text, "  {name}: {}", figure(case, key, *digits, unit));
        }
        let _ = writeln!(text, "  Requests: {}", requests(case));
        if case.client_limited {
            let _ = writeln!(text, "  {LIMITED}");
        }
        if case.is_failing() {
            let _ = writeln!(text, "  {FAILING}");
        }
    }
    text
}

fn heading(text: &mut String, heading: &str) {
    let _ = writeln!(text, "\n{heading}:\n{}", "-".repeat(NARROW));
}

/// The model, where there is one; else a line for each.
fn models(cases: &[&Case]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for case in cases {
        if !case.group.is_empty() && !names.contains(&case.group.as_str()) {
            names.push(&case.group);
        }
    }
    names.iter().map(|name| format!("Model: {name}\n")).collect()
}

/// What a configuration is called: with its model and its source where others have the same load.
fn label(case: &Case, all: &[Case]) -> String {
    let alike = |other: &&Case| other.label() == case.label();
    let same = || all.iter().filter(alike);
    match same().count() {
        0 | 1 => case.label(),
        _ if same().filter(|other| other.group == case.group).count() == 1 => {
            format!("{} ({})", case.label(), case.group)
        }
        _ => format!("{} ({})", case.label(), case.source),
    }
}

fn figure(case: &Case, key: &str, digits: usize, unit: &str) -> String {
    match case.figure(key) {
        Some(value) if digits == 0 => format!("{}{unit}", count(value.round() as u64)),
        Some(value) => format!("{}{unit}", fixed(value, digits)),
        None => NOT_MEASURED.to_owned(),
    }
}

fn requests(case: &Case) -> String {
    let completed = case.figure("completed");
    let Some(completed) = completed.map(|completed| completed as u64) else {
        return NOT_MEASURED.to_owned();
    };
    let failed = case.figure("failed").unwrap_or(0.0) as u64;
    match (case.requests, failed) {
        (Some(asked), 0) => format!("{} of {} completed", count(completed), count(asked as u64)),
        (Some(asked), failed) => format!(
            "{} of {} completed, {} failed",
            count(completed),
            count(asked as u64),
            count(failed)
        ),
        (None, 0) => format!("{} completed", count(completed)),
        (None, failed) => format!("{} completed, {} failed", count(completed), count(failed)),
    }
}

/// What the best is sought of.
struct Best {
    name: &'static str,
    key: &'static str,
    digits: usize,
    unit: &'static str,
    higher: bool,
}

impl Best {
    /// The best configuration with its figure, and the better ones that do not count. Where too many failed in all, the best of those,
    /// and that they did.
    fn of(&self, cases: &[&Case], label: &dyn Fn(&Case) -> String) -> String {
        let best = |among: &dyn Fn(&Case) -> bool| {
            let told = cases.iter().filter(|case| among(case));
            let told = told.filter_map(|case| Some((*case, case.figure(self.key)?)));
            // Of equals the first, which is the lightest load.
            told.reduce(|best, other| if self.beats(other.1, best.1) { other } else { best })
        };
        let failed = |case: &Case| {
            let share = (100.0 * case.failed_share().unwrap_or(0.0)).clamp(0.1, 100.0);
            format!("{} % of its requests failed", fixed(share, 1))
        };
        let shown = |(case, value): (&Case, f64)| {
            format!("{} ({} {})", label(case), fixed(value, self.digits), self.unit)
        };
        let limited = best(&|case| case.client_limited);
        let failing = best(&|case| !case.client_limited && case.is_failing());
        let sound = best(&|case| !case.client_limited && !case.is_failing());
        let (mut text, top) = match (sound, failing, limited) {
            (Some(best), ..) => {
                (format!("{}{}", shown(best), self.equals(best, cases, label)), best.1)
            }
            (None, Some(best), _) => {
                (format!("{}, though {}", shown(best), failed(best.0)), best.1)
            }
            (None, None, Some(_)) => {
                return "not told: the client was the limit in every configuration".to_owned();
            }
            (None, None, None) => return NOT_MEASURED.to_owned(),
        };
        let beats = |other: &(&Case, f64)| self.beats(other.1, top);
        if let Some(better) = failing.filter(beats) {
            let _ = write!(text, "; {} is not counted, for {}", shown(better), failed(better.0));
        }
        if let Some(better) = limited.filter(beats) {
            let _ =
                write!(text, "; {} is not counted, for the client was its limit", shown(better));
        }
        text
    }

    /// The others that are as good as the best by the digits that are shown.
    fn equals(
        &self,
        (best, value): (&Case, f64),
        cases: &[&Case],
        label: &dyn Fn(&Case) -> String,
    ) -> String {
        let told = |value: f64| fixed(value, self.digits);
        let is_equal = |case: &&&Case| {
            !std::ptr::eq(**case, best)
                && !case.client_limited
                && !case.is_failing()
                && case.figure(self.key).is_some_and(|other| told(other) == told(value))
        };
        let equals: Vec<String> = cases.iter().filter(is_equal).map(|case| label(case)).collect();
        let named = equals.iter().take(MOST_EQUALS).cloned().collect::<Vec<_>>().join(", ");
        match equals.len().saturating_sub(MOST_EQUALS) {
            _ if equals.is_empty() => String::new(),
            0 => format!("; no worse by these digits: {named}"),
            more => format!("; no worse by these digits: {named} and {more} more"),
        }
    }

    fn beats(&self, value: f64, best: f64) -> bool {
        if self.higher { value > best } else { value < best }
    }
}

const BEST: [Best; 4] = [
    Best {
        name: "Highest Throughput",
        key: "total_token_throughput",
        digits: 1,
        unit: "total tokens/s, prompts included",
        higher: true,
    },
    Best {
        name: "Highest Generation Throughput",
        key: "output_throughput",
        digits: 1,
        unit: "generated tokens/s",
        higher: true,
    },
    Best { name: "Lowest TTFT", key: "mean_ttft_ms", digits: 1, unit: "ms", higher: false },
    Best { name: "Lowest TPOT", key: "mean_tpot_ms", digits: 2, unit: "ms", higher: false },
];

/// What is told of each configuration: its name, key, decimals and unit.
const FIGURES: &[(&str, &str, usize, &str)] = &[
    ("Total Throughput", "total_token_throughput", 1, " tokens/s"),
    ("Generation Throughput", "output_throughput", 1, " tokens/s"),
    ("Request Throughput", "request_throughput", 3, " req/s"),
    ("TTFT", "mean_ttft_ms", 1, " ms"),
    ("P99 TTFT", "p99_ttft_ms", 1, " ms"),
    ("TPOT", "mean_tpot_ms", 2, " ms"),
    ("P99 TPOT", "p99_tpot_ms", 2, " ms"),
    ("ITL", "mean_itl_ms", 2, " ms"),
    ("P99 ITL", "p99_itl_ms", 2, " ms"),
    ("E2E Latency", "mean_e2el_ms", 1, " ms"),
    ("Input Tokens", "total_input_tokens", 0, ""),
    ("Output Tokens", "total_output_tokens", 0, ""),
];

/// So many that are as good as the best are named.
const MOST_EQUALS: usize = 5;

const LIMITED: &str = "Client-limited: these figures are partly the client's own, not the server's";

const FAILING: &str =
    "More than 1 % of its requests failed: latencies are of those that succeeded, and flatter";

const NOT_MEASURED: &str = "not measured";

const WIDE: usize = 60;

const NARROW: usize = 50;
