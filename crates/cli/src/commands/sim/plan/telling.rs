//! What was asked, in words for people and in values for machines, and what must be known of what was found.
//!
//! Deliberately tells no figure that was found: those are the report's.

use serde_json::{Value, json};
use tokometer_report::capacity::{Load, Row, Trial};
use tokometer_sim::hardware::{FitPoint, Preset};

use super::super::serve::described;

use super::Arguments;
use super::objectives::limits;
use super::spans::{STEP, Span};
use super::study::Findings;
use super::trial::{Bench, LONG, Size};

/// What was modelled and how, as it is shown.
pub(super) fn facts(
    arguments: &Arguments,
    bench: &Bench,
    span: &Span,
) -> Vec<(&'static str, String)> {
    let or_default = |text: String, given: bool| if given { text } else { text + " (default)" };
    let mut facts = vec![("Engines", described(&bench.deployment))];
    let workload = &bench.workload;
    let lengths = format!("{} tokens in, {} out", workload.input, workload.output);
    let lengths =
        or_default(lengths, arguments.input_tokens.is_some() || arguments.output_tokens.is_some());
    let shared = workload.prefixes.map(|shared| {
        let tokens = shared.tokens;
        match shared.kinds.get() {
            1 => format!(", behind a beginning of {tokens} tokens that all share"),
            kinds => format!(", behind one of {kinds} beginnings of {tokens} tokens"),
        }
    });
    facts.push(("Requests", lengths + &shared.unwrap_or_default()));
    let loads = match (span, bench.load) {
        (Span::List(all), load) => {
            let all: Vec<String> = all.iter().map(f64::to_string).collect();
            format!("{} {}", all.join(", "), load.unit())
        }
        (Span::Range(low, high), Load::Rate) => {
            format!("{low} to {high} req/s, sought to {} %", STEP * 100.0)
        }
        (Span::Range(low, high), Load::Users) => {
            format!("{low} to {high} users, sought to {} % or one user", STEP * 100.0)
        }
    };
    let given = arguments.rate.is_some() || arguments.concurrency.is_some();
    facts.push(("Load", or_default(loads, given) + &arrival(bench)));
    let objectives: Vec<String> = bench.told.iter().map(ToString::to_string).collect();
    facts.push(("Objectives", or_default(objectives.join(", "), !arguments.slo.is_empty())));
    facts.push(("Trials", trials(arguments, bench)));
    facts
}

fn arrival(bench: &Bench) -> String {
    match (bench.load, bench.burstiness) {
        (Load::Users, _) => ", each asking again as soon as it was answered".to_owned(),
        (Load::Rate, 1.0) => ", arriving at random (Poisson)".to_owned(),
        (Load::Rate, burstiness) => format!(", arriving with burstiness {burstiness}"),
    }
}

fn trials(arguments: &Arguments, bench: &Bench) -> String {
    let size = match bench.size {
        Size::AtLeast(least) => {
            format!("{least} requests or more, for {LONG} times as long as a request takes")
        }
        Size::Requests(count) => format!("{count} requests"),
        Size::Seconds(seconds) => format!("{seconds} s of arrivals"),
    };
    format!(
        "{size}; the first and last {} % left out; {} (seed {})",
        bench.edge * 100.0,
        match arguments.repetitions {
            1 => "once".to_owned(),
            times => format!("{times} times with other draws"),
        },
        bench.seed
    )
}

/// The same for machines.
pub(super) fn asked(arguments: &Arguments, bench: &Bench, span: &Span) -> Value {
    let deployment = &bench.deployment;
    let engine = &deployment.engine;
    let (low, high) = span.ends();
    json!({
        "deployment": {
            "name": deployment.name,
            "max_num_seqs": engine.max_num_seqs,
            "max_num_batched_tokens": engine.max_num_batched_tokens,
            "num_gpu_blocks": engine.blocks,
            "block_size": engine.block_size,
            "chunked_prefill": engine.chunked_prefill,
            "prefix_caching": engine.prefix_caching,
            "speculative_tokens": engine.speculation.as_ref().map(|speculation| speculation.tokens),
            "noise": deployment.noise,
        },
        "replicas": arguments.replicas.as_ref().map(|replicas| &replicas.0),
        "load": match span {
            Span::Range(..) => json!({ "from": low, "to": high, "step": STEP }),
            Span::List(all) => json!(all),
        },
        "burstiness": bench.burstiness,
        "input_tokens": bench.workload.input.to_string(),
        "output_tokens": bench.workload.output.to_string(),
        "prefix_tokens": bench.workload.prefixes.map_or(0, |prefixes| prefixes.tokens.get()),
        "prefixes": bench.workload.prefixes.map_or(0, |prefixes| prefixes.kinds.get()),
        "requests": match bench.size {
            Size::AtLeast(least) => json!({ "at_least": least }),
            Size::Requests(count) => json!(count),
            Size::Seconds(seconds) => json!({ "seconds": seconds }),
        },
        "left_out_at_either_end": bench.edge,
        "repetitions": arguments.repetitions,
        "seed": bench.seed,
    })
}

/// What a preset's figures rest on, and how far they were off where that is known.
pub(super) fn source(preset: &Preset) -> Vec<String> {
    let described = preset.description.trim().trim_end_matches('.');
    let estimate = format!(
        "These are estimates, by a model of {described}; {}. Measure at the load that is found here before you rely on it.",
        off(preset)
    );
    let from = preset.source.trim();
    let source = (!from.is_empty()).then(|| format!("Source of the preset: {from}"));
    std::iter::once(estimate).chain(source).collect()
}

/// How far the preset is off at most: at the points that it was not fitted to, or at those that it was.
fn off(preset: &Preset) -> String {
    let points = preset.fit.as_ref().map_or(&[][..], |fit| &fit.points);
    let unseen = points.iter().any(|point| !point.fitted);
    let worst = |error: fn(&FitPoint) -> Option<f64>| {
        let counted = points.iter().filter(|point| point.fitted != unseen);
        counted.filter_map(error).map(f64::abs).reduce(f64::max)
    };
    let figures = [
        ("throughput", worst(|point| point.throughput_error_percent)),
        ("TPOT", worst(|point| point.tpot_error_percent)),
        ("TTFT", worst(|point| point.ttft_error_percent)),
    ];
    let figures =
        figures.iter().filter_map(|(name, off)| Some(format!("{name} by {:.0} %", (*off)?)));
    let figures: Vec<String> = figures.collect();
    match (figures.is_empty(), unseen) {
        (true, _) => "how far it is off is not known".to_owned(),
        (false, true) => {
            format!(
                "at points that it was not fitted to it was off at most: {}",
                figures.join(", ")
            )
        }
        (false, false) => {
            format!(
                "at the points that it was fitted to it was off at most: {}",
                figures.join(", ")
            )
        }
    }
}

/// What must be known of what was found.
pub(super) fn notes(bench: &Bench, findings: &Findings, source: Vec<String>) -> Vec<String> {
    let mut notes = source;
    notes.push(
        "A load is within an objective if every repetition kept to it; what follows the dots is what the luckiest repetition carried. \
         Percentiles are vLLM's, by linear interpolation."
            .to_owned(),
    );
    if bench.load == Load::Rate {
        notes.push(
            "Where ever more requests wait (\"throughput\"), there is no steady state, and no objective counts as kept.".to_owned(),
        );
    }
    if bench.objectives.iter().any(|slo| matches!(slo, super::objectives::Slo::Attainment { .. })) {
        let limits = limits(&bench.objectives);
        let limits: Vec<String> =
            limits.iter().map(|one| format!("{} ≤ {} ms", one.target, one.at_most * 1e3)).collect();
        notes.push(format!(
            "Attainment is the share of requests that each keep to {}.",
            limits.join(" and ")
        ));
    }
    let wavers = |row: &Row| row.all.wavers || row.each.iter().any(|most| most.wavers);
    if findings.rows.iter().any(wavers) {
        notes.push(
            "~ The limit is blurred: a trial beyond it kept to the objective, or one before it did not. More --requests sharpen it."
                .to_owned(),
        );
    }
    let short = |trial: &&Trial| trial.short && !trial.saturated && trial.failed == 0;
    let short = findings.trials.iter().filter(short).count();
    if short > 0 {
        notes.push(format!(
            "{short} of {} trials were shorter than {LONG} times as long as a request takes: what they show is not a steady state yet. \
             Give more --requests.",
            findings.trials.len()
        ));
    }
    notes
}
