//! The console's text at the end of a point: what was found, vLLM's block, byte for byte but for the values, and behind it what it
//! leaves out.
//!
//! The block is made from the result alone, so that the two cannot differ, and is never coloured. A figure that does not apply is
//! `n/a` there, and not the 0 of the file.

use serde_json::{Map, Value};
use tokometer_metrics::catalog::{CLIENT_QUEUE_TIME, E2E};
use tokometer_metrics::quantile::Percentile;
use tokometer_metrics::slo::Attainment;

use super::beyond::hit_rate;
use super::case::Case;
use super::notes;
use super::result::figures;
use super::spreads::{SPREADS, Spread};
use crate::notes::About;
use crate::number::{ABSENT, count, fixed, plural, share, shortest};
use crate::prose::paragraph;
use crate::{Style, failing, findings, server_side, steady, trust};

/// What was found, and vLLM's block; then the steady part, the service's own side, how objectives were kept to, the prefix cache, why requests failed, what else to know, and the verdict.
pub(super) fn point_text(case: &Case<'_>, style: Style) -> String {
    let result = figures(case);
    let told = |spread: &&Spread| spread.told(case);
    let summary = case.told.summary;
    let mut text = findings::of_point(summary, style);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&block(&result, &SPREADS.iter().filter(told).collect::<Vec<_>>()));
    let behind = [
        steady::beside_the_whole(summary),
        server_side::brief(summary),
        case.attainment.as_ref().map(attainment).unwrap_or_default(),
        queueing(case),
        probes(case),
        prefix_cache(case),
        failing::of_point(case.told.header, summary, style),
        notes(case),
        trust::of_point(summary, style),
    ];
    for part in behind.iter().filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(part);
    }
    text
}

/// The block of a result, with these distributions.
fn block(result: &Map<String, Value>, spreads: &[&Spread]) -> String {
    let mut block = Block { result, text: String::new() };
    block.title(" Serving Benchmark Result ", '=');
    block.whole("Successful requests:", "completed");
    block.whole("Failed requests:", "failed");
    block.whole("Maximum request concurrency:", "max_concurrency");
    if block.number("request_rate").is_some() {
        block.decimal("Request rate configured (RPS):", "request_rate");
    }
    block.decimal("Benchmark duration (s):", "duration");
    block.whole("Total input tokens:", "total_input_tokens");
    block.whole("Total generated tokens:", "total_output_tokens");
    block.decimal("Request throughput (req/s):", "request_throughput");
    block.decimal("Input throughput (inputs/s):", "input_sequence_throughput");
    block.decimal("Request goodput (req/s):", "request_goodput");
    block.decimal("Output token throughput (tok/s):", "output_throughput");
    block.decimal("Peak output token throughput (tok/s):", "max_output_tokens_per_s");
    block.decimal("Peak concurrent requests:", "max_concurrent_requests");
    if block.number("rtfx").is_some_and(|rtfx| rtfx > 0.0) {
        block.decimal("RTFx (Inverse Real-Time Factor):", "rtfx");
    }
    block.decimal("Total token throughput (tok/s):", "total_token_throughput");
    if block.number("probe_median_e2el_ms").is_some() {
        block.title("Probe Requests", '-');
        block.whole("Probe requests completed:", "probe_completed");
        block.whole("Probe requests failed:", "probe_failed");
        block.decimal("Median probe E2EL (ms):", "probe_median_e2el_ms");
        block.decimal("P99 probe E2EL (ms):", "probe_p99_e2el_ms");
        block.decimal("Max probe E2EL (ms):", "probe_max_e2el_ms");
    }
    for spread in spreads {
        block.spread(spread);
    }
    if !block.diffusion() {
        block.speculation();
    }
    block.title("", '=');
    block.text
}

struct Block<'a> {
    result: &'a Map<String, Value>,
    text: String,
}

impl Block<'_> {
    fn number(&self, key: &str) -> Option<f64> {
        self.result.get(key)?.as_f64()
    }

    fn title(&mut self, title: &str, filled: char) {
        let rest = WIDTH.saturating_sub(title.chars().count());
        let left = rest / 2;
        let fill = |n| filled.to_string().repeat(n);
        self.text.push_str(&format!("{}{title}{}\n", fill(left), fill(rest - left)));
    }

    fn row(&mut self, label: &str, value: &str) {
        self.text.push_str(&format!("{label:<40} {value:<10}\n"));
    }

    /// A row of a count, if the result has it.
    fn whole(&mut self, label: &str, key: &str) {
        if let Some(value) = self.result.get(key).and_then(Value::as_u64) {
            self.row(label, &value.to_string());
        }
    }

    /// A row of a figure with two decimals, if the result has it.
    fn decimal(&mut self, label: &str, key: &str) {
        let Some(value) = self.number(key) else { return };
        let absent = self.result.get("not_applicable").and_then(Value::as_array);
        let applies = !absent.is_some_and(|keys| keys.iter().any(|absent| absent == key));
        let shown = if applies { format!("{value:.2}") } else { ABSENT.to_owned() };
        self.row(label, &shown);
    }

    fn spread(&mut self, spread: &Spread) {
        let Spread { name, label, heading, .. } = spread;
        self.title(heading, '-');
        self.decimal(&format!("Mean {label} (ms):"), &format!("mean_{name}_ms"));
        self.decimal(&format!("Median {label} (ms):"), &format!("median_{name}_ms"));
        let behind = format!("_{name}_ms");
        let percentiles: Vec<(String, String)> = self
            .result
            .keys()
            .filter_map(|key| {
                let p = key.strip_prefix('p')?.strip_suffix(&behind)?;
                p.parse::<f64>().ok()?;
                Some((format!("P{p} {label} (ms):"), key.clone()))
            })
            .collect();
        for (label, key) in percentiles {
            self.decimal(&label, &key);
        }
    }

    /// Whether the result has anything of it.
    fn diffusion(&mut self) -> bool {
        let has = self.number("diffusion_committed_tokens").is_some();
        if has {
            self.title("Diffusion Decoding", '-');
            self.decimal("Committed throughput (tok/s):", "diffusion_committed_throughput");
            self.decimal("Denoising steps per canvas:", "diffusion_steps_per_canvas");
            self.decimal("Committed per denoising step:", "diffusion_committed_per_step");
            self.whole("Committed tokens:", "diffusion_committed_tokens");
            self.whole("Denoising steps:", "diffusion_denoising_steps");
            self.whole("Canvas positions evaluated:", "diffusion_canvas_positions");
        }
        has
    }

    fn speculation(&mut self) {
        if self.number("spec_decode_draft_tokens").is_none() {
            return;
        }
        self.title("Speculative Decoding", '-');
        self.decimal("Acceptance rate (%):", "spec_decode_acceptance_rate");
        self.decimal("Acceptance length:", "spec_decode_acceptance_length");
        self.whole("Drafts:", "spec_decode_num_drafts");
        self.whole("Draft tokens:", "spec_decode_draft_tokens");
        self.whole("Accepted tokens:", "spec_decode_accepted_tokens");
        let rates = self.result.get("spec_decode_per_position_acceptance_rates");
        let rates = rates.and_then(Value::as_array).filter(|rates| !rates.is_empty());
        let Some(rates) = rates else { return };
        self.text.push_str("Per-position acceptance (%):\n");
        for (position, rate) in rates.iter().filter_map(Value::as_f64).enumerate() {
            self.row(&format!("  Position {position}:"), &format!("{:.2}", rate * 100.0));
        }
    }
}

fn attainment(of: &Attainment) -> String {
    let each: Vec<String> = of
        .each
        .iter()
        .map(|(objective, kept)| {
            let limit = shortest(objective.at_most * 1e3, 3);
            format!("{} ≤ {limit} ms by {}", objective.target.name(), share(*kept, of.sent))
        })
        .collect();
    let text = format!(
        "{} of {} sent met every objective ({}): {}.",
        count(of.good),
        plural(of.sent, "request", "requests"),
        share(of.good, of.sent),
        each.join(", ")
    );
    paragraph("SLO attainment: ", &text)
}

/// What a rate under a cap keeps out of the latencies, where it is worth a word and was not asked for.
fn queueing(case: &Case<'_>) -> String {
    let summary = case.told.summary;
    let asked =
        SPREADS.iter().any(|spread| spread.name == "client_queue_time" && spread.asked(case));
    let paced_under_a_cap = summary.point.rate.is_some() && summary.point.concurrency.is_some();
    let waits = summary.distribution(&CLIENT_QUEUE_TIME).zip(summary.mean(&E2E));
    let Some((wait, latency)) = waits.filter(|_| paced_under_a_cap && !asked) else {
        return String::new();
    };
    if wait.mean < QUEUE_OF_LATENCY * latency {
        return String::new();
    }
    let ms = |seconds: f64| shortest(seconds * 1e3, 2);
    let p99 = wait.linear(Percentile::P99).unwrap_or(wait.max);
    let text = format!(
        "requests waited {} ms on average ({} ms at p99) after their scheduled moment for a place under the cap. The latencies above \
         leave that out: ask for client_queue_time and e2el_including_client_queue with --percentile-metrics.",
        ms(wait.mean),
        ms(p99)
    );
    paragraph("Client-side queueing: ", &text)
}

/// Probes of which none came back: the block has no rows for them.
fn probes(case: &Case<'_>) -> String {
    let counts = case.told.summary.counts;
    if counts.probes == 0 || counts.probes_failed < counts.probes {
        return String::new();
    }
    let probes = plural(counts.probes, "probe", "probes");
    paragraph("Probes: ", &format!("all of {probes} failed, so there is no latency of theirs."))
}

/// The share of prompt tokens that a cache knew, where the service's own side does not tell it.
fn prefix_cache(case: &Case<'_>) -> String {
    let summary = case.told.summary;
    match hit_rate(summary).filter(|_| summary.side.prefix_cache.is_none()) {
        Some(rate) => {
            paragraph("Prefix-cache hits: ", &format!("{} % of the prompt tokens.", fixed(rate, 1)))
        }
        None => String::new(),
    }
}

fn notes(case: &Case<'_>) -> String {
    let notes = notes::of(case);
    let told_above = |about| about == About::Streaming && case.pooling();
    let notes = notes.iter().filter(|note| !told_above(note.about));
    notes.map(|note| paragraph("• ", &note.text)).collect()
}

const WIDTH: usize = 50;

/// Waiting that is this part of the latency on average is worth a word.
const QUEUE_OF_LATENCY: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    /// What vLLM 0.32's client wrote, and what it printed of it.
    const FILE: &str = include_str!("../../../tests/inputs/vllm-0.32-bench.json");
    const PRINTED: &str = include_str!("../../../tests/inputs/vllm-0.32-console.txt");

    #[test]
    fn the_values_of_vllm_s_own_file_give_its_own_block() {
        let result: Map<String, Value> = serde_json::from_str(FILE).unwrap();
        let told: Vec<&Spread> = SPREADS.iter().take(4).collect();
        assert_eq!(block(&result, &told), PRINTED);
    }

    #[test]
    fn diffusion_takes_the_place_of_speculation() {
        let result = serde_json::json!({
            "completed": 1,
            "diffusion_committed_throughput": 32.0,
            "diffusion_steps_per_canvas": 7.0,
            "diffusion_committed_per_step": 4.571,
            "diffusion_committed_tokens": 64,
            "diffusion_denoising_steps": 14,
            "diffusion_canvas_positions": 512,
            "spec_decode_draft_tokens": 5,
        });
        insta::assert_snapshot!(block(result.as_object().unwrap(), &[]).replace(' ', "·"), @"
        ============·Serving·Benchmark·Result·============
        Successful·requests:·····················1·········
        ----------------Diffusion·Decoding----------------
        Committed·throughput·(tok/s):············32.00·····
        Denoising·steps·per·canvas:··············7.00······
        Committed·per·denoising·step:············4.57······
        Committed·tokens:························64········
        Denoising·steps:·························14········
        Canvas·positions·evaluated:··············512·······
        ==================================================
        ");
    }

    #[test]
    fn a_heading_stands_in_the_middle_as_python_puts_it() {
        let mut block = Block { result: &Map::new(), text: String::new() };
        block.title("Inter-token Latency", '-');
        assert_eq!(block.text, "---------------Inter-token Latency----------------\n");
    }
}
