//! From what was typed to a plan: defaults applied, settings held against each other, variables looked up.
//!
//! Here, and in the files below, every rule stands that concerns more than one setting. No connection is opened and no dataset
//! is read; the only files touched are those whose contents are part of the plan (a prompt, a template), through [`Environment`].

mod fit;
mod load;
mod prompts;
mod report;
mod target;
mod telemetry;

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use tokometer_wire::{LimitName, Options};
use tokometer_workload::seed::Seed;

use crate::config::{self, Config};
use crate::endpoint::{self, Form};
use crate::environment::Environment;
use crate::error::PlanError;
use crate::plan::{Generation, Output, Plan};
use crate::secret::refuse_secrets;
use crate::written::{Between, Span};
use crate::yaml;
use fit::{to_usize, utf8};

/// A plan, and what its maker should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The plan.
    pub plan: Plan,
    /// What was changed or looks unwise, one sentence each.
    pub advice: Vec<String>,
}

/// Makes the plan that `config` describes.
///
/// # Errors
/// If a setting is missing, contradicts another one, or refers to a variable or file that is not there.
pub fn resolve(config: Config, environment: &dyn Environment) -> Result<Resolved, PlanError> {
    let mut advice = Vec::new();
    let seed = Seed::new(config.seed.unwrap_or_else(|| environment.fresh_seed()));
    let form = match config.prompts.tokenize {
        Some(true) => Form::TokenIds,
        _ => Form::Words,
    };
    let (mut target, typed) = target::resolve(config.target, form, environment, &mut advice)?;
    endpoint::turn(&mut target.url, target.api.0, config.generation.stream.unwrap_or(true));
    let telemetry = telemetry::resolve(config.telemetry, &target, environment)?;
    let offset = config.prompts.offset.unwrap_or(0);
    let points = load::points(&config.load, seed, offset)?;
    let prompts = prompts::resolve(config.prompts, typed, environment, &mut advice)?;
    advice.extend(points.iter().filter_map(load::partial_warmup).next());
    let report = report::resolve(config.output.vllm.clone(), &target, points.len())?;
    let plan = Plan {
        model: config.model.filter(|model| !model.is_empty()),
        tokenizer: config.tokenizer,
        seed,
        workers: config.workers.map(to_usize),
        target,
        telemetry,
        points,
        warmup: config.load.warmup.unwrap_or(load::NO_WARMUP),
        warmup_apart: config.load.warmup_apart.unwrap_or(false),
        duration: config.load.duration.map(|Span(length)| length),
        pause: config.load.pause.map_or(PAUSE, |Span(length)| length),
        drain: config.load.drain.map_or(DRAIN, |Span(length)| length),
        probe_rate: config.load.probe_rate,
        prompts,
        generation: generation(config.generation)?,
        output: output(config.output)?,
        report,
    };
    Ok(Resolved { plan, advice })
}

/// Reads the plan `text` and resolves it; `file` is what errors call it.
///
/// # Errors
/// As [`yaml::from_yaml`] and [`resolve`], with the line and the column.
pub fn load(text: &str, file: &str, environment: &dyn Environment) -> Result<Resolved, PlanError> {
    let config = yaml::from_yaml(text, file)?;
    resolve(config, environment).map_err(|error| yaml::locate(error, text, file))
}

fn generation(config: config::Generation) -> Result<Generation, PlanError> {
    let finite = |name: &str, number: Option<f64>| match number {
        Some(number) if !number.is_finite() => {
            Err(PlanError::at(format!("generation.{name}"), "is not a finite number"))
        }
        number => Ok(number),
    };
    let least = match config.max_tokens.map(Between::bounds) {
        Some((low, _)) => Some(low),
        None => config.default_max_tokens.map(NonZeroU32::get),
    };
    if let (Some(min), Some(low)) = (config.min_tokens, least)
        && min > low
    {
        return Err(PlanError::at(
            "generation.min_tokens",
            format!("a request of at most {low} tokens cannot have at least {min}"),
        )
        .with_hint("raise max_tokens or lower min_tokens"));
    }
    for field in ["stream", "max_tokens", "n"] {
        if config.extra.contains_key(field) {
            return Err(PlanError::at(
                format!("generation.extra.{field}"),
                "would override a setting that this program relies on",
            )
            .with_hint(format!("{field} has a setting of its own")));
        }
    }
    refuse_secrets(&config.extra, "generation.extra")?;
    let options = Options {
        max_tokens: None,
        min_tokens: config.min_tokens,
        temperature: finite("temperature", config.temperature)?,
        top_p: finite("top_p", config.top_p)?,
        top_k: config.top_k,
        min_p: finite("min_p", config.min_p)?,
        presence_penalty: finite("presence_penalty", config.presence_penalty)?,
        frequency_penalty: finite("frequency_penalty", config.frequency_penalty)?,
        repetition_penalty: finite("repetition_penalty", config.repetition_penalty)?,
        logprobs: config.logprobs,
        top_logprobs: config.top_logprobs,
        limit: match config.limit_name {
            None | Some(config::LimitName::MaxTokens) => LimitName::MaxTokens,
            Some(config::LimitName::MaxCompletionTokens) => LimitName::MaxCompletionTokens,
        },
        n: config.n.map(NonZeroU32::get),
        seed: config.seed,
        stop: config.stop,
        stop_token_ids: config.stop_token_ids,
        stream: config.stream.unwrap_or(true),
        extra: config.extra,
    };
    if config.top_logprobs.is_some() && config.logprobs != Some(true) {
        return Err(PlanError::at("generation.top_logprobs", "goes with log-probabilities only")
            .with_hint("add logprobs: true"));
    }
    if let Some(lora) = &config.lora
        && (lora.modules.is_empty() || lora.modules.iter().any(String::is_empty))
    {
        return Err(PlanError::at("generation.lora.modules", "names no adapter")
            .with_hint("for example {modules: [lora-a, lora-b], assignment: round_robin}"));
    }
    Ok(Generation {
        max_tokens: config.max_tokens,
        default_max_tokens: config.default_max_tokens,
        lora: config.lora,
        options,
    })
}

fn output(config: config::Output) -> Result<Output, PlanError> {
    Ok(Output {
        dir: utf8(config.dir.unwrap_or_else(|| OUTPUTS.into()), "output.dir")?,
        name: config.name.filter(|name| !name.is_empty()),
        alias: config.alias,
        timestamp: config.timestamp.unwrap_or(true),
        log_every: config.log_every.unwrap_or(LOG_EVERY),
        prompts: config.prompts.unwrap_or(false),
        outputs: config.outputs.unwrap_or(false),
        debug: config.debug.unwrap_or(false),
    })
}

const PAUSE: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(30);
const LOG_EVERY: NonZeroU64 = NonZeroU64::new(100).expect("a hundred is not zero");
const OUTPUTS: &str = "outputs";

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use tokometer_workload::arrivals::{self, Arrivals};
    use tokometer_workload::load::Warmup;

    use super::*;
    use crate::environment::testing::Fixed;
    use crate::plan::{Pacing, Proxy, Ramp, Reporting};
    use crate::written::{Amount, Burstiness, Limit, Pace, Rate};

    fn environment() -> Fixed {
        Fixed::with([("KEY", "s3cret"), ("TOKEN", "t0ken")])
            .and_file("prompt.txt", "Tell me.\n")
            .and_file("body.json", "{\"top_p\": 0.9}")
            .and_file("broken.json", "{\"top_p\": }")
    }

    const SMALLEST: &str = "\
target: {url: 'http://127.0.0.1:8000/v1/chat/completions'}
load: {points: [{parallel: 1, number: 10}]}
prompts: {dataset: random}
";

    /// The smallest plan with lines of `changes` put in their sections' places.
    fn plan_of(changes: &str) -> Result<Resolved, PlanError> {
        let mut whole: Value = serde_saphyr::from_str(SMALLEST).unwrap();
        let changes: Value = serde_saphyr::from_str(changes).unwrap();
        for (section, values) in changes.as_object().unwrap() {
            match values {
                Value::Object(values) => {
                    for (key, value) in values {
                        whole[section][key] = value.clone();
                    }
                }
                value => whole[section] = value.clone(),
            }
        }
        resolve(serde_json::from_value(whole).unwrap(), &environment())
    }

    fn refused(changes: &str) -> String {
        let error = plan_of(changes).unwrap_err();
        match error.hint() {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn every_default_is_spelt_out_in_the_plan() {
        let resolved = load(SMALLEST, "plan.yaml", &environment()).unwrap();
        insta::assert_snapshot!(resolved.plan.to_yaml(), @"
        seed: 7
        target:
          url: http://127.0.0.1:8000/v1/chat/completions
          api: openai-chat
          timeouts:
            connect: none
            first_byte: none
            between_chunks: none
            total: 6h
          tls:
            insecure: false
          http2: false
          test_connection: true
          ready_within: 0s
          profile: false
        telemetry:
          own_metrics: if_there
          nvidia_smi: true
          every: 500ms
        load:
          points:
            - parallel: 1
              number: 10
          warmup: 0
          warmup_apart: false
          pause: 5s
          drain: 30s
        prompts:
          dataset: random
          oversample: true
          offset: 0
          min_length: 0
          max_length: 131072
          prefix_length: 0
          prefix_count: 1
          chat_template: true
          tokenize: false
        generation:
          stream: true
        output:
          dir: outputs
          timestamp: true
          log_every: 100
          prompts: false
          outputs: false
          debug: false
        ");
        assert_eq!(resolved.advice, [""; 0]);
    }

    #[test]
    fn a_path_without_an_endpoint_is_completed_and_said() {
        let completed = |url: &str| {
            let resolved = plan_of(&format!("target: {{url: '{url}'}}")).unwrap();
            (resolved.plan.target.url.to_string(), resolved.advice.len())
        };
        assert_eq!(completed("http://h:1/v1"), ("http://h:1/v1/chat/completions".into(), 1));
        assert_eq!(completed("http://h:1"), ("http://h:1/chat/completions".into(), 1));
        assert_eq!(completed("http://h/a/?v=1"), ("http://h/a/chat/completions?v=1".into(), 1));
        assert_eq!(completed("http://h/v1/completions"), ("http://h/v1/completions".into(), 0));
        assert_eq!(completed("sim://?itl_ms=5"), ("sim://?itl_ms=5".into(), 0));
    }

    #[test]
    fn the_url_chooses_the_api_unless_one_is_named() {
        let api = |changes: &str| plan_of(changes).unwrap().plan.target.api.0.name();
        assert_eq!(api("target: {url: 'http://h/v1/completions'}"), "openai-completions");
        assert_eq!(api("target: {url: 'http://h/v1/chat/completions/'}"), "openai-chat");
        assert_eq!(
            api("target: {url: 'http://h/v1', api: openai-completions}"),
            "openai-completions"
        );
        insta::assert_snapshot!(refused("target: {url: 'http://h/v1/completions', api: openai-chat}"), @"
        target.url: http://h/v1/completions is an endpoint of openai-completions, not of openai-chat
        hint: end it in /v1/chat/completions
        ");
        assert!(refused("target: {url: 'http://h/v1/systemone'}").starts_with(
            "target.url: this version does not speak the API behind /systemone\nhint: it speaks chat/completions, completions"
        ));
        insta::assert_snapshot!(refused("target: {api: openai-chatt}"), @"
        target.api: there is no API openai-chatt
        hint: did you mean openai-chat?
        ");
    }

    #[test]
    fn an_api_with_two_endpoints_is_asked_at_the_one_that_answers_as_is_wanted() {
        let url = |changes: &str| plan_of(changes).unwrap().plan.target.url.to_string();
        let whole = "generation: {stream: false}";
        let at = |path: &str| format!("target: {{url: 'http://h{path}', api: tgi-generate}}");
        assert_eq!(url(&at("/generate_stream")), "http://h/generate_stream");
        assert_eq!(url(&at("/generate")), "http://h/generate_stream");
        assert_eq!(url(&format!("{{{}, {whole}}}", at("/generate_stream"))), "http://h/generate");
        assert_eq!(url(&at("")), "http://h/generate_stream");
        assert_eq!(
            url("target: {url: 'http://h', api: openai-embeddings}"),
            "http://h/v1/embeddings"
        );
    }

    #[test]
    fn token_ids_turn_a_chat_url_to_completions() {
        let resolved = plan_of("prompts: {tokenize: true}").unwrap();
        assert_eq!(resolved.plan.target.url.to_string(), "http://127.0.0.1:8000/v1/completions");
        assert_eq!(resolved.plan.target.api.0.name(), "openai-completions");
        assert!(resolved.plan.prompts.chat_template, "decided before the URL was turned");
        let resolved = plan_of("{target: {url: 'sim://'}, prompts: {tokenize: true}}").unwrap();
        assert_eq!(resolved.plan.target.url.to_string(), "sim:///v1/completions");
    }

    #[test]
    fn a_point_with_both_limits_is_a_rate_under_a_cap() {
        let resolved = plan_of("load: {points: [{parallel: 4, rate: 2.5, number: 10}]}").unwrap();
        let load = &resolved.plan.points[0].load;
        assert_eq!(load.arrivals, Arrivals::Poisson { rate: 2.5 });
        assert_eq!(load.in_flight, NonZeroUsize::new(4));
    }

    #[test]
    fn a_warm_up_leads_a_closed_loop_and_precedes_an_open_one() {
        let load =
            "load: {warmup: 10%, points: [{parallel: 2, number: 50}, {rate: 5, number: 20}]}";
        let resolved = plan_of(load).unwrap();
        let warmups: Vec<_> = resolved.plan.points.iter().map(|p| p.load.warmup).collect();
        assert_eq!(warmups, [Warmup::Leading(5), Warmup::Separate(2)]);
    }

    #[test]
    fn a_warm_up_smaller_than_the_concurrency_is_advised_against() {
        let resolved = plan_of("load: {warmup: 3, points: [{parallel: 8, number: 50}]}").unwrap();
        insta::assert_snapshot!(resolved.advice[0], @"a warm-up of 3 leaves 5 of 8 places to begin cold with measured requests; one of 8 covers them all");
    }

    #[test]
    fn points_have_seeds_of_their_own_and_begin_where_the_last_one_ended() {
        let load = "load: {points: [{parallel: 1, number: 10}, {parallel: 1, number: 10}]}";
        let points = plan_of(load).unwrap().plan.points;
        assert_ne!(points[0].seed, points[1].seed);
        assert_eq!([points[0].offset, points[1].offset], [0, 10]);
    }

    fn one_point(point: &str) -> crate::Point {
        let resolved = plan_of(&format!("load: {{points: [{point}]}}")).unwrap();
        resolved.plan.points.into_iter().next().unwrap()
    }

    #[test]
    fn every_pacing_becomes_its_arrivals() {
        let arrivals = |point: &str| one_point(point).load.arrivals;
        assert_eq!(arrivals("{rate: inf, number: 5}"), Arrivals::AtOnce);
        assert_eq!(arrivals("{rate: inf, parallel: 2, number: 5}"), Arrivals::AtOnce);
        assert_eq!(
            arrivals("{rate: 5, burstiness: 1, number: 5}"),
            Arrivals::Poisson { rate: 5.0 }
        );
        assert_eq!(
            arrivals("{rate: 5, burstiness: 0.5, number: 5}"),
            Arrivals::Gamma { rate: 5.0, burstiness: 0.5 }
        );
        assert_eq!(
            arrivals("{rate: 5, burstiness: inf, number: 5}"),
            Arrivals::Constant { rate: 5.0 }
        );
        let ramp = "{ramp: {shape: exponential, from: 1, to: 50}, burstiness: 2, number: 5}";
        let exponential = arrivals::Ramp {
            shape: arrivals::Shape::Exponential,
            from: 1.0,
            to: 50.0,
            burstiness: 2.0,
        };
        assert_eq!(arrivals(ramp), Arrivals::Ramp(exponential));
        let recorded = one_point("{recorded: true, number: 5}");
        assert_eq!((recorded.pacing, recorded.load.arrivals), (Pacing::Recorded, Arrivals::AtOnce));
    }

    #[test]
    fn without_cap_and_rate_all_requests_are_in_flight_at_once() {
        let at_once = |point: &str| one_point(point).at_once();
        assert_eq!(at_once("{rate: inf, number: 500}"), Some(500));
        assert_eq!(at_once("{parallel: 7, number: 500}"), Some(7));
        assert_eq!(at_once("{rate: 9, number: 500}"), None);
        assert_eq!(one_point("{rate: inf, number: 500}").load.in_flight, None);
    }

    #[test]
    fn a_ramp_may_fall_and_begin_at_zero() {
        let ramp = |from, to| Ramp { shape: config::RampShape::Linear, from, to, burstiness: None };
        let pacing = |point: &str| one_point(point).pacing;
        assert_eq!(
            pacing("{ramp: {shape: linear, from: 9, to: 1}, number: 5}"),
            Pacing::Ramp(ramp(9.0, 1.0))
        );
        assert_eq!(
            pacing("{ramp: {shape: linear, from: 0, to: 1}, parallel: 3, number: 5}"),
            Pacing::Ramp(ramp(0.0, 1.0))
        );
    }

    #[test]
    fn a_warm_up_apart_is_awaited_in_closed_loop_too() {
        let warmup = |changes: &str| plan_of(changes).unwrap().plan.points[0].load.warmup;
        assert_eq!(warmup("load: {warmup: 3}"), Warmup::Leading(3));
        assert_eq!(warmup("load: {warmup: 3, warmup_apart: true}"), Warmup::Separate(3));
    }

    #[test]
    fn pacing_that_contradicts_itself_is_refused() {
        let refused = |point: &str| refused(&format!("load: {{points: [{point}]}}"));
        insta::assert_snapshot!(refused("{rate: 5, ramp: {shape: linear, from: 1, to: 2}, number: 5}"), @"
        load.points.0.ramp: stands beside a rate
        hint: leave out one of them
        ");
        insta::assert_snapshot!(refused("{rate: 5, recorded: true, number: 5}"), @"
        load.points.0.recorded: stands beside a rate, and the dataset's moments are one
        hint: leave out one of them
        ");
        insta::assert_snapshot!(refused("{parallel: 5, burstiness: 2, number: 5}"), @"
        load.points.0.burstiness: shapes the gaps of a rate, and there is none
        hint: give a rate as well, or leave it out
        ");
        insta::assert_snapshot!(refused("{ramp: {shape: exponential, from: 0, to: 2}, number: 5}"), @"
        load.points.0.ramp.from: an exponential ramp never reaches zero, nor leaves it
        hint: give a small rate such as 0.1, or a linear ramp
        ");
        insta::assert_snapshot!(refused("{ramp: {shape: linear, from: 0, to: 0}, number: 5}"), @"
        load.points.0.ramp.to: a ramp from zero to zero sends nothing
        hint: for example {shape: linear, from: 1, to: 50}
        ");
        insta::assert_snapshot!(refused("{ramp: {shape: linear, from: -1, to: 2}, number: 5}"), @"
        load.points.0.ramp.from: must be a number of requests per second, not negative
        hint: for example {shape: linear, from: 1, to: 50}
        ");
    }

    #[test]
    fn reports_in_vllms_manner_have_its_defaults() {
        let plan = plan_of("output: {vllm: {}}").unwrap().plan;
        let Reporting::Vllm(told) = plan.report else { panic!("not vLLM's") };
        assert_eq!(told.percentile_metrics, ["ttft", "tpot", "itl"]);
        assert_eq!((told.percentiles, told.timeline_itl_thresholds), (vec![99.0], [25.0, 50.0]));
        assert_eq!((told.backend.as_str(), told.tokenizer_id), ("openai-chat", true));
        assert_eq!(plan_of("{}").unwrap().plan.report, Reporting::Evalscope);
    }

    #[test]
    fn what_reports_cannot_show_is_refused() {
        let refused = |told: &str| refused(&format!("output: {{vllm: {told}}}"));
        insta::assert_snapshot!(refused("{percentile_metrics: [ttft, latency]}"), @"
        output.vllm.percentile_metrics: there is no metric latency
        hint: there are ttft, tpot, itl, e2el, client_queue_time, e2el_including_client_queue
        ");
        insta::assert_snapshot!(refused("{percentiles: [50, 101]}"), @"
        output.vllm.percentiles: 101 is no percentile: they go from 0 to 100
        hint: for example 50, 90 and 99
        ");
        insta::assert_snapshot!(refused("{goodput: {itl: 5}}"), @"
        output.vllm.goodput.itl: itl is no metric of goodput
        hint: a request is judged by ttft, tpot, e2el
        ");
        insta::assert_snapshot!(refused("{goodput: {ttf: 5}}"), @"
        output.vllm.goodput.ttf: ttf is no metric of goodput
        hint: did you mean ttft? there are ttft, tpot, e2el
        ");
        insta::assert_snapshot!(refused("{goodput: {ttft: -5}}"), @"
        output.vllm.goodput.ttft: must be a number of milliseconds, not negative
        hint: for example ttft: 500
        ");
        insta::assert_snapshot!(refused("{metadata: {tp: [1]}}"), @"output.vllm.metadata.tp: must be a text, a number, true or false");
        insta::assert_snapshot!(refused("{metadata: {hub_token: s3cret}}"), @"
        output.vllm.metadata.hub_token: hub_token is what secrets are called, and results show it to all
        hint: leave it out; if it is no secret, give it another name
        ");
        insta::assert_snapshot!(refused("{timeline_itl_thresholds: [50, 25]}"), @"
        output.vllm.timeline_itl_thresholds: must be two numbers of milliseconds, the smaller one first
        hint: for example [25, 50]
        ");
    }

    #[test]
    fn what_one_point_is_called_does_not_do_for_several() {
        let two = "load: {points: [{parallel: 1, number: 2}, {parallel: 2, number: 4}]}";
        let with = |told: &str| format!("{two}\noutput: {{vllm: {told}}}");
        insta::assert_snapshot!(refused(&with("{save: {filename: r.json}}")), @"
        output.vllm.save.filename: r.json would hold the last of 2 points alone
        hint: add append: true for all of them in one file, or leave the name out for a file each
        ");
        insta::assert_snapshot!(refused(&with("{num_prompts: 9}")), @"
        output.vllm.num_prompts: is one number for 2 points
        hint: leave it out: each point then tells its own number of requests
        ");
        for told in ["{save: {}}", "{save: {filename: r.json, append: true}}"] {
            plan_of(&with(told)).unwrap();
        }
        plan_of("output: {vllm: {save: {filename: r.json}, num_prompts: 9}}").unwrap();
    }

    #[test]
    fn secrets_are_sent_and_never_shown() {
        let changes =
            "target: {api_key_env: KEY, headers: {X-Auth-Token: '${TOKEN}', X-Team: blue}}";
        let plan = plan_of(changes).unwrap().plan;
        assert_eq!(plan.target.key.as_ref().unwrap().secret.expose(), "s3cret");
        assert_eq!(plan.target.headers[0].1.expose(), "t0ken");
        let shown = format!("{plan:?}{}", plan.to_yaml());
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn everything_secret_is_known_to_whoever_repeats_a_servers_words() {
        let changes = "target: {url: 'http://h/v1?sig=${KEY}', headers: {Authorization: 'Bearer ${TOKEN}', X-Team: blue}}";
        let secrets = plan_of(changes).unwrap().plan.target.secrets();
        assert_eq!(secrets, ["Bearer t0ken", "s3cret", "t0ken"]);
        let secrets = plan_of("target: {api_key_env: KEY}").unwrap().plan.target.secrets();
        assert_eq!(secrets, ["s3cret"]);
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        insta::assert_snapshot!(refused("load: {points: []}"), @"
        load.points: there is no point to run
        hint: for example - {parallel: 10, number: 100}
        ");
        insta::assert_snapshot!(refused("load: {points: [{number: 5}]}"), @"
        load.points.0: has neither parallel nor rate, so nothing limits it
        hint: parallel: 10 for ten requests at a time, rate: 5 for five a second, rate: inf for all at once
        ");
        insta::assert_snapshot!(refused("load: {duration: 0}"), @"
        load.duration: a run of no length sends nothing
        hint: leave it out to be limited by the number of requests alone
        ");
        insta::assert_snapshot!(refused("prompts: {dataset: randon}"), @"
        prompts.dataset: there is no dataset randon
        hint: did you mean random?
        ");
        insta::assert_snapshot!(refused("prompts: {dataset: openqa}"), @r#"
        prompts.path: the dataset openqa is read from a file, and none is given
        hint: give JSON lines such as {"question": "…"}, for example open_qa.jsonl of HC3-Chinese
        "#);
        insta::assert_snapshot!(refused("prompts: {text: hello}"), @"
        prompts.dataset: random stands beside a text for every request
        hint: leave out one of them
        ");
        insta::assert_snapshot!(refused("prompts: {min_length: 9, max_length: 3}"), @"
        prompts.min_length: no prompt is at least 9 and at most 3 long
        hint: raise the maximum or lower the minimum
        ");
        insta::assert_snapshot!(refused("prompts: {prefix_count: 3}"), @"
        prompts.prefix_count: prefixes without a length are all the same
        hint: give the prefixes a length as well
        ");
        insta::assert_snapshot!(refused("prompts: {chat_template: false}"), @"
        prompts.chat_template: a chat endpoint takes conversations only, and applies the chat template itself
        hint: for prompts without one use a URL that ends in /v1/completions
        ");
        insta::assert_snapshot!(refused("prompts: {fit: {mode: drop}}"), @"
        prompts.fit: says how prompts are fitted, but not to which length
        hint: give the length as well
        ");
        insta::assert_snapshot!(refused("prompts: {template_file: broken.json}"), @r#"
        prompts.template_file: broken.json:1:11: not a JSON object: expected value at line 1 column 11
        hint: a template is the body of a request: {"messages": [], "top_p": 0.9}
        "#);
        insta::assert_snapshot!(refused("prompts: {template_file: nowhere.json}"), @"prompts.template_file: cannot read nowhere.json: no such file");
        insta::assert_snapshot!(refused("generation: {min_tokens: 9, max_tokens: [5, 20]}"), @"
        generation.min_tokens: a request of at most 5 tokens cannot have at least 9
        hint: raise max_tokens or lower min_tokens
        ");
        insta::assert_snapshot!(refused("generation: {extra: {stream: false}}"), @"
        generation.extra.stream: would override a setting that this program relies on
        hint: stream has a setting of its own
        ");
        insta::assert_snapshot!(refused("target: {api_key_env: sk-123}"), @"
        target.api_key_env: holds the name of an environment variable, not the key itself
        hint: export OPENAI_API_KEY=… and write api_key_env: OPENAI_API_KEY
        ");
        insta::assert_snapshot!(refused("target: {api_key_env: NOWHERE}"), @"
        target.api_key_env: the environment variable NOWHERE is not set
        hint: set it first: export NOWHERE=…
        ");
        insta::assert_snapshot!(refused("target: {headers: {Authorization: s3cret}}"), @"
        target.headers.Authorization: holds a secret in plain sight
        hint: name an environment variable instead: Authorization: ${VARIABLE}
        ");
        insta::assert_snapshot!(refused("target: {headers: {'X Team': blue}}"), @"
        target.headers.X Team: not a name that a header can have
        hint: names are made of letters, digits and -
        ");
        insta::assert_snapshot!(refused("target: {headers: {X-Team: \"a\\nb\"}}"), @"target.headers.X-Team: holds a line break or another control character, which no header can");
        insta::assert_snapshot!(refused("target: {proxy: 'http://h'}"), @"
        target.proxy: the proxy's port is missing
        hint: for example http://127.0.0.1:3128
        ");
        insta::assert_snapshot!(refused("target: {proxy: 'http://me:s3cret@h:3128'}"), @"
        target.proxy: a proxy that wants a user name and a password is not in this version
        hint: leave them out, or go through a proxy that wants none
        ");
        insta::assert_snapshot!(
            refused("target: {api_key_env: KEY, headers: {Authorization: 'x ${TOKEN}'}}"),
            @"
        target.headers: Authorization is given twice: here, and by the key
        hint: leave one of them out
        "
        );
    }

    #[test]
    fn what_is_wrong_in_a_file_is_shown_with_line_and_column() {
        let text = "target:\n  url: http://h/v1\nload:\n  points:\n    - {number: 5}\n";
        let error = load(text, "plan.yaml", &environment()).unwrap_err();
        insta::assert_snapshot!(error, @"plan.yaml:5:7: load.points.0: has neither parallel nor rate, so nothing limits it");
    }

    #[test]
    fn an_empty_model_is_no_model() {
        assert_eq!(plan_of("model: ''").unwrap().plan.model, None);
    }

    #[test]
    fn a_proxy_is_read_with_its_port() {
        let proxy = |url: &str| {
            plan_of(&format!("target: {{proxy: '{url}'}}")).unwrap().plan.target.proxy.unwrap()
        };
        assert_eq!(proxy("http://p:3128/"), Proxy { host: "p".into(), port: 3128 });
        assert_eq!(proxy("http://[::1]:3128"), Proxy { host: "::1".into(), port: 3128 });
    }

    /// Any text that YAML can hold, awkward ones included.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{1,12}",
            "\\PC{1,12}",
            Just("no".to_owned()),
            Just("1e3".to_owned()),
            Just("a: b\n- c #d\t\"'\u{85}\u{feff}".to_owned()),
            Just("null".to_owned()),
            Just("  lead and trail \n\n".to_owned()),
        ]
    }

    fn extra() -> impl Strategy<Value = Map<String, Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z]{5,9}_", value, 0..4)
            .prop_map(|map| map.into_iter().collect())
    }

    prop_compose! {
        fn generation()(
            max in prop::option::of((1..5000_u32, 0..5000_u32)),
            default in prop::option::of(any::<u32>()),
            temperature in prop::option::of(0.0..2.0_f64),
            top_k in prop::option::of(any::<i64>()),
            seed in prop::option::of(any::<i64>()),
            stop in prop::collection::vec(text(), 0..3),
            ids in prop::collection::vec(any::<u32>(), 0..3),
            stream in prop::option::of(any::<bool>()),
            extra in extra(),
        ) -> config::Generation {
            config::Generation {
                max_tokens: max.and_then(|(low, more)| Between::new(low, low + more)),
                default_max_tokens: default.and_then(NonZeroU32::new),
                temperature, top_k, seed, stop, stop_token_ids: ids, stream, extra,
                ..config::Generation::default()
            }
        }
    }

    prop_compose! {
        fn point()(
            kind in 0..8_u8,
            parallel in 1..9999_u32,
            rate in 0.001..1e6_f64,
            burstiness in prop::option::of(prop_oneof![0.01..50.0_f64, Just(f64::INFINITY)]),
            to in 0.0..1e6_f64,
            number in 1..u64::MAX / 8,
        ) -> config::Point {
            let linear = config::Ramp { shape: config::RampShape::Linear, from: rate, to };
            let paced = !matches!(kind, 0 | 3 | 6);
            config::Point {
                parallel: NonZeroU32::new(parallel).filter(|_| matches!(kind, 0 | 2 | 5 | 7)),
                rate: match kind {
                    1 | 2 => Rate::new(rate).map(Pace::Rate),
                    3 => Some(Pace::AtOnce),
                    _ => None,
                },
                burstiness: burstiness.filter(|_| paced).and_then(Burstiness::new),
                ramp: matches!(kind, 4 | 5 | 7).then_some(linear),
                recorded: (kind == 6).then_some(true),
                number: number.try_into().unwrap(),
            }
        }
    }

    prop_compose! {
        fn load_config()(
            points in prop::collection::vec(point(), 1..4),
            apart in any::<bool>(),
            probes in prop::option::of(0.001..1e3_f64),
            warmup in prop::option::of(prop_oneof![0.0..1.0_f64, (1..99_u32).prop_map(f64::from)]),
            duration in prop::option::of(1..10_u64.pow(9)),
            pause in prop::option::of(0..10_u64.pow(9)),
        ) -> config::Load {
            let micros = |micros| Span(Duration::from_micros(micros));
            config::Load {
                points,
                warmup_apart: Some(apart),
                probe_rate: probes.and_then(Rate::new),
                warmup: warmup.and_then(Amount::from_number),
                duration: duration.map(micros),
                pause: pause.map(micros),
                ..config::Load::default()
            }
        }
    }

    prop_compose! {
        fn config()(
            load in load_config(),
            generation in generation(),
            model in prop::option::of(text()),
            seed in prop::option::of(any::<u64>()),
            url in prop_oneof![
                Just("http://h:8000/v1/chat/completions"),
                Just("https://[::1]/base?api-version=1&key=${TOKEN}"),
                Just("sim://?ttft_ms=200"),
                Just("http://h/v1/completions"),
            ],
            header in text(),
            prompt in prop::option::of(text()),
            tokenize in any::<bool>(),
            dir in text(),
            name in prop::option::of(text()),
            seconds in prop::option::of(0..100_u64),
        ) -> Config {
            let header = header.replace("${", "").replace(char::is_control, "");
            Config {
                model, seed, load, generation,
                target: config::Target {
                    url: Some(url.into()),
                    api_key_env: Some("KEY".into()),
                    headers: [("X-Team".to_owned(), header)].into(),
                    timeouts: config::Timeouts {
                        connect: seconds.map(|s| Limit::from(Span(Duration::from_secs(s)))),
                        ..config::Timeouts::default()
                    },
                    ..config::Target::default()
                },
                prompts: config::Prompts {
                    dataset: prompt.is_none().then(|| "random".to_owned()),
                    text: prompt,
                    tokenize: Some(tokenize),
                    ..config::Prompts::default()
                },
                output: config::Output { dir: Some(dir.into()), name, ..config::Output::default() },
                ..Config::default()
            }
        }
    }

    proptest! {
        #[test]
        fn a_plan_written_and_read_back_is_the_same_plan(config in config()) {
            let plan = resolve(config, &environment()).unwrap().plan;
            let yaml = plan.to_yaml();
            let again = load(&yaml, "again", &environment()).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
            prop_assert_eq!(again.plan, plan, "{}", yaml);
            prop_assert_eq!(again.advice.iter().filter(|advice| !advice.contains("warm-up")).count(), 0);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            drop(load(&text, "any", &environment()));
        }
    }

    #[test]
    fn the_published_schema_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.schema.json");
        let schema = serde_json::to_string_pretty(&crate::json_schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == schema,
            "run this test with UPDATE_SCHEMA=1 to renew docs/plan.schema.json"
        );
    }

    #[test]
    fn every_setting_is_documented() {
        let documented = include_str!("../../../docs/plan.md");
        let schema = crate::json_schema();
        let mut settings = Vec::new();
        collect(&schema, &schema, "", &mut settings);
        assert!(settings.len() > 50, "{settings:?}");
        for setting in settings {
            assert!(documented.contains(&format!("| `{setting}` |")), "{setting}");
        }
    }

    #[test]
    fn every_dataset_and_every_api_is_documented() {
        let documented = include_str!("../../../docs/plan.md");
        for api in tokometer_wire::APIS {
            assert!(documented.contains(&format!("| `{}` |", api.name())), "{}", api.name());
        }
        for dataset in tokometer_workload::dataset::DATASETS {
            assert!(documented.contains(&format!("`{}`", dataset.name)), "{}", dataset.name);
        }
    }

    /// The paths of all settings of a schema that are not sections themselves.
    fn collect(root: &Value, schema: &Value, path: &str, settings: &mut Vec<String>) {
        let of = schema["$ref"].as_str().and_then(|name| root.pointer(&name[1..]));
        if let Some(items) = schema.get("items").filter(|items| items.get("$ref").is_some()) {
            settings.push(path.to_owned());
            return collect(root, items, &format!("{path}[]"), settings);
        }
        match of.unwrap_or(schema).get("properties").and_then(Value::as_object) {
            Some(properties) => {
                for (name, schema) in properties {
                    let dot = if path.is_empty() { "" } else { "." };
                    collect(root, schema, &format!("{path}{dot}{name}"), settings);
                }
            }
            None => settings.push(path.to_owned()),
        }
    }

    #[test]
    fn a_template_is_read_from_its_file() {
        let plan = plan_of("prompts: {template_file: body.json}").unwrap().plan;
        assert_eq!(Value::Object(plan.prompts.template.unwrap().body), json!({ "top_p": 0.9 }));
    }
}
