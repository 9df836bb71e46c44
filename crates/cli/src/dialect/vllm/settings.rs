//! What the flags of `vllm bench serve` mean in the native form.
//!
//! Rules that concern flags of this dialect stand here; those that any plan must keep stand in `tokometer_plan`. What cannot be
//! honoured is refused by name; what is accepted and changes nothing is noted once.

mod load;
mod output;

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokometer_plan::config::{self, Config};
use tokometer_plan::{Between, Span};

use super::backends::{self, Backend};
use super::datasets;
use super::flags::dataset::DatasetFlags;
use super::flags::{Assignment, Flags, LoadFlags, RequestFlags, TargetFlags};
use crate::dialect::credentials::{headers, hide_parameters, key_beside};
use crate::dialect::json::object;
use crate::dialect::telemetry;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;
use load::{TRACE, load, recorded, requests};
use output::output;

/// The native form of `flags`. Secrets among them are put into `surroundings`, and so is what is to be said once.
///
/// `at_hand` tells of a model's name whether its tokenizer can be had without asking anybody: a folder, or a hub's cache.
///
/// # Errors
/// If a value cannot be read, or flags contradict each other or the backend.
pub(crate) fn settings(
    flags: Flags,
    surroundings: &mut Surroundings,
    at_hand: &dyn Fn(&str) -> bool,
) -> Result<Config, Trouble> {
    let backend = backends::named(&flags.target.backend)?;
    check_dataset(&flags.dataset, backend)?;
    for note in idle(&flags) {
        surroundings.note(note);
    }
    let way = datasets::Way {
        untemplated: backend.completes(),
        recorded: recorded(&flags.load, &flags.dataset.dataset_name)?,
    };
    let told = datasets::told(&flags.dataset, way)?;
    told.idle.iter().for_each(|note| surroundings.note(note.clone()));
    let model = flags.target.model.clone().filter(|model| !model.is_empty());
    let served = flags.target.served_model_name.clone().filter(|name| !name.is_empty());
    let name = served.or_else(|| model.clone());
    let seed = flags.load.seed.cast_unsigned();
    let number = requests(flags.load.num_prompts, &told.args);
    if number != flags.load.num_prompts {
        let prompts = flags.load.num_prompts;
        surroundings.note(format!(
            "--num-prompts {prompts} are {number} requests: one request is a whole batch"
        ));
    }
    Ok(Config {
        tokenizer: tokenizer(&flags.target, at_hand),
        seed: Some(seed),
        workers: flags.own.workers,
        load: load(&flags.load, number, way.recorded, &flags.dataset.dataset_name, surroundings)?,
        generation: generation(&flags, backend, told.max_tokens, surroundings)?,
        output: output(
            &flags,
            backend,
            model.filter(|model| name.as_ref() != Some(model)),
            number,
            surroundings,
        )?,
        prompts: config::Prompts {
            dataset: Some(flags.dataset.dataset_name),
            path: flags.dataset.dataset_path.map(Into::into),
            args: told.args,
            oversample: Some(!flags.dataset.no_oversample),
            ..config::Prompts::default()
        },
        telemetry: telemetry::telemetry(flags.telemetry, surroundings)?,
        target: target(flags.target, &flags.request, &flags.load, backend, surroundings)?,
        model: name,
    })
}

/// What the flag is called that the setting of that path came from; `dataset` is the dataset of the plan.
pub(crate) fn flag_of(setting: &str, dataset: &str) -> Option<&'static str> {
    if let Some(rest) = setting.strip_prefix("prompts.args.") {
        return datasets::flag_of(rest.split('.').next().unwrap_or(rest), dataset);
    }
    let path = setting.strip_prefix("load.points.0").map_or(setting, |rest| match rest {
        "" => "load.points",
        rest => rest.trim_start_matches('.'),
    });
    let within = |known: &str| {
        path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
    };
    FLAGS.iter().chain(telemetry::FLAGS).find(|(known, _)| within(known)).map(|(_, flag)| *flag)
}

fn check_dataset(flags: &DatasetFlags, backend: &Backend) -> Result<(), Trouble> {
    let name = flags.dataset_name.as_str();
    if let (true, Some(path)) = (DRAWN.contains(&name), &flags.dataset_path) {
        return Err(Trouble::input(format!(
            "--dataset-path: {name} draws its prompts and reads no file: {path}"
        ))
        .with_hint(
            "leave it out, or name the file's dataset: --dataset-name sharegpt, custom, hf",
        ));
    }
    let unfit = |wants: &str, hint: &str| {
        Err(Trouble::input(format!(
            "--dataset-name {name} {wants}, which --backend {} does not take",
            backend.name
        ))
        .with_hint(hint.to_owned()))
    };
    match name {
        "timed_trace" if !backend.completes() => {
            unfit("sends token ids", "use --backend vllm or openai")
        }
        "random-mm" if !backend.converses() => unfit("sends images", "use --backend openai-chat"),
        _ => Ok(()),
    }
}

/// Flags that were given and steer what this program has not.
fn idle(flags: &Flags) -> Vec<String> {
    let Flags { target, load, request, report, dataset, .. } = flags;
    let notes = [
        (request.use_beam_search, "--use-beam-search", "vllm bench serve reads it nowhere either"),
        (dataset.no_stream, "--no-stream", "datasets are read as far as they are needed"),
        (dataset.trust_remote_code, "--trust-remote-code", "no code of a tokenizer's is run"),
        (
            dataset.enable_multimodal_chat,
            "--enable-multimodal-chat",
            "images and audio always go as parts of messages",
        ),
        (
            matches!(target.tokenizer_mode.as_deref(), Some("auto" | "hf" | "slow")),
            "--tokenizer-mode",
            "every tokenizer is read from its tokenizer.json",
        ),
        (
            load.ramp_up_strategy.is_none() && load.ramp_up_start_rps.is_some(),
            "--ramp-up-start-rps",
            "without --ramp-up-strategy there is no ramp",
        ),
        (
            load.ramp_up_strategy.is_none() && load.ramp_up_end_rps.is_some(),
            "--ramp-up-end-rps",
            "without --ramp-up-strategy there is no ramp",
        ),
        (
            request.lora_modules.is_empty() && request.lora_assignment == Assignment::RoundRobin,
            "--lora-assignment",
            "there are no --lora-modules to assign",
        ),
        (
            report.save_detailed && !report.save_result && !report.append_result,
            "--save-detailed",
            "without --save-result or --append-result no file of its own is saved; the log keeps every request all the same",
        ),
    ];
    let given = notes.into_iter().filter(|(given, ..)| *given);
    given.map(|(_, flag, why)| format!("{flag} changes nothing: {why}")).collect()
}

/// The tokenizer that is named, or else the model's if it can be had without asking anybody. `None`: the server's own.
fn tokenizer(flags: &TargetFlags, at_hand: &dyn Fn(&str) -> bool) -> Option<String> {
    if flags.skip_tokenizer_init {
        return None;
    }
    let named = flags.tokenizer.clone().filter(|name| !name.is_empty());
    named.or_else(|| flags.model.clone().filter(|model| !model.is_empty() && at_hand(model)))
}

fn target(
    flags: TargetFlags,
    request: &RequestFlags,
    load: &LoadFlags,
    backend: &Backend,
    surroundings: &mut Surroundings,
) -> Result<config::Target, Trouble> {
    if let Some(mode) = flags.tokenizer_mode.as_deref()
        && !matches!(mode, "auto" | "hf" | "slow")
    {
        return Err(Trouble::input(format!("--tokenizer-mode {mode} is not in this version"))
            .with_hint("leave it out: tokenizers are read from their tokenizer.json; or --skip-tokenizer-init asks the server's own"));
    }
    let headers = headers("--header", &flags.header, surroundings)?;
    let url = url(&flags, backend)?;
    Ok(config::Target {
        url: Some(hide_parameters(&url, surroundings)),
        api: Some(backend.api()?.name().to_owned()),
        api_key_env: key_beside(&headers, surroundings),
        headers,
        tls: config::Tls { insecure: Some(flags.insecure), ca_cert: None },
        ready_within: (load.ready_check_timeout_sec > 0)
            .then(|| Span(Duration::from_secs(load.ready_check_timeout_sec.into()))),
        profile: load.profile.then_some(true),
        request_id_prefix: request.request_id_prefix.clone().filter(|prefix| !prefix.is_empty()),
        ..config::Target::default()
    })
}

/// The server and the path behind it.
fn url(flags: &TargetFlags, backend: &Backend) -> Result<String, Trouble> {
    let path = backend.path(flags.endpoint.as_deref())?;
    let Some(base) = flags.base_url.as_deref() else {
        let host = flags.host.trim();
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed { format!("[{host}]") } else { host.to_owned() };
        return Ok(format!("http://{host}:{}{path}", flags.port));
    };
    let (front, query) = match base.trim().split_once('?') {
        Some((front, query)) => (front, format!("?{query}")),
        None => (base.trim(), String::new()),
    };
    // `sim://` has no host to cut the slashes off.
    let front = match front.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.trim_end_matches('/')),
        None => front.trim_end_matches('/').to_owned(),
    };
    // vLLM would ask for /v1/v1/…, which no server has.
    let doubled = flags.endpoint.is_none() && front.ends_with("/v1");
    let path = if doubled { path.strip_prefix("/v1").unwrap_or(&path) } else { &path };
    Ok(format!("{front}{path}{query}"))
}

fn generation(
    flags: &Flags,
    backend: &Backend,
    max_tokens: Option<u32>,
    surroundings: &mut Surroundings,
) -> Result<config::Generation, Trouble> {
    let request = &flags.request;
    let mut body = Map::new();
    if ignores_eos(flags, backend, surroundings) {
        body.insert("ignore_eos".into(), json!(true));
    }
    if let Some(arguments) = template_arguments(flags, backend, surroundings)? {
        body.insert("chat_template_kwargs".into(), Value::Object(arguments));
    }
    if let Some(text) = &request.extra_body {
        body.extend(object("--extra-body", text, BODY_EXAMPLE)?);
    }
    if let Some((field, hint)) = RELIED_ON.iter().find(|(field, _)| body.contains_key(*field)) {
        return Err(Trouble::input(format!(
            "--extra-body: {field} would override what this program relies on"
        ))
        .with_hint(*hint));
    }
    // A setting of its own, which the plan insists on.
    let choices = body.shift_remove("n").map(|n| choices(&n)).transpose()?;
    if request.logprobs.is_some() && !backend.completes() {
        surroundings.note("--logprobs changes nothing: it is for --backend vllm and openai".into());
    }
    let logprobs = request.logprobs.filter(|_| backend.completes());
    let lora = (!request.lora_modules.is_empty()).then(|| config::Lora {
        modules: request.lora_modules.clone(),
        assignment: match request.lora_assignment {
            Assignment::Random => config::LoraAssignment::Random,
            Assignment::RoundRobin => config::LoraAssignment::RoundRobin,
        },
    });
    let chat = backend.name == "openai-chat";
    let generation = config::Generation {
        max_tokens: max_tokens.and_then(|tokens| Between::new(tokens, tokens)),
        logprobs: logprobs.map(|_| true),
        top_logprobs: logprobs,
        limit_name: chat.then_some(config::LimitName::MaxCompletionTokens),
        lora,
        n: choices,
        stream: Some(!backend.pools()),
        extra: body,
        ..config::Generation::default()
    };
    sampling(request, backend, generation, surroundings)
}

/// Sampling settings, where the backend samples.
fn sampling(
    flags: &RequestFlags,
    backend: &Backend,
    generation: config::Generation,
    surroundings: &mut Surroundings,
) -> Result<config::Generation, Trouble> {
    let given = [
        ("--temperature", flags.temperature.is_some()),
        ("--top-p", flags.top_p.is_some()),
        ("--top-k", flags.top_k.is_some()),
        ("--min-p", flags.min_p.is_some()),
        ("--frequency-penalty", flags.frequency_penalty.is_some()),
        ("--presence-penalty", flags.presence_penalty.is_some()),
        ("--repetition-penalty", flags.repetition_penalty.is_some()),
    ];
    let first = given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
    match first {
        Some(flag) if backend.pools() => {
            surroundings
                .note(format!("{flag} changes nothing: {} generates nothing", backend.name));
        }
        Some(flag) if !backend.samples() => {
            return Err(Trouble::input(format!(
                "{flag} does not go with --backend {}",
                backend.name
            ))
            .with_hint("leave it out"));
        }
        _ => {}
    }
    if !backend.samples() {
        return Ok(generation);
    }
    Ok(config::Generation {
        temperature: flags.temperature,
        top_p: flags.top_p,
        top_k: flags.top_k,
        min_p: flags.min_p,
        frequency_penalty: flags.frequency_penalty,
        presence_penalty: flags.presence_penalty,
        // vLLM's client always says so to completions, and with it overrules what the model's own settings say.
        repetition_penalty: flags
            .repetition_penalty
            .or_else(|| backend.completes().then_some(NO_PENALTY)),
        ..generation
    })
}

/// Whether the server is asked not to heed the end of the text: always for random prompts and traces, as with vLLM.
fn ignores_eos(flags: &Flags, backend: &Backend, surroundings: &mut Surroundings) -> bool {
    let dataset = flags.dataset.dataset_name.as_str();
    let forced = matches!(dataset, "random" | "random-mm" | TRACE);
    if !backend.ignores_eos() {
        if flags.request.ignore_eos {
            surroundings.note(format!(
                "--ignore-eos changes nothing: --backend {} has no such setting",
                backend.name
            ));
        }
        return false;
    }
    forced || flags.request.ignore_eos
}

/// What the server's chat template is given, for the datasets whose prompts vLLM's client puts into it.
fn template_arguments(
    flags: &Flags,
    backend: &Backend,
    surroundings: &mut Surroundings,
) -> Result<Option<Map<String, Value>>, Trouble> {
    let Some(text) = &flags.request.chat_template_kwargs else { return Ok(None) };
    let flag = "--chat-template-kwargs";
    let arguments = object(flag, text, TEMPLATE_EXAMPLE)?;
    let templated = matches!(flags.dataset.dataset_name.as_str(), "custom" | "speed_bench");
    if !templated || flags.dataset.skip_chat_template {
        surroundings.note(format!("{flag} changes nothing: it is for custom and speed_bench, whose prompts get a chat template"));
        return Ok(None);
    }
    match backend.name {
        "openai-chat" => Ok(Some(arguments)),
        _ => Err(Trouble::input(format!(
            "{flag} is not in this version for --backend {}",
            backend.name
        ))
        .with_hint("with --backend openai-chat the server applies its template with them")),
    }
}

fn choices(value: &Value) -> Result<NonZeroU32, Trouble> {
    let count = value.as_u64().and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
    count.ok_or_else(|| {
        Trouble::input(format!("--extra-body: n must be a whole number of at least 1, not {value}"))
            .with_hint(BODY_EXAMPLE)
    })
}

const NO_PENALTY: f64 = 1.0;
/// Fields of a body that are not left to the flag, and what there is instead.
const RELIED_ON: &[(&str, &str)] = &[
    (
        "stream",
        "leave it out: what generates is always streamed here, for latencies are taken from the stream",
    ),
    ("max_tokens", "give --output-len, or the -output-len of the dataset"),
];
const DRAWN: &[&str] = &["random", "random-mm", "random-rerank", "prefix_repetition"];
const BODY_EXAMPLE: &str = "for example --extra-body '{\"top_k\": 20}'";
const TEMPLATE_EXAMPLE: &str = "for example --chat-template-kwargs '{\"enable_thinking\": false}'";

/// Settings by their paths, the longer ones first, and their flags. Those of the one point stand without `load.points.0`.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("model", "--model"),
    ("tokenizer", "--tokenizer"),
    ("seed", "--seed"),
    ("workers", "--workers"),
    ("target.url", "--base-url"),
    ("target.api_key_env", "--header"),
    ("target.api", "--backend"),
    ("target.headers", "--header"),
    ("target.tls.insecure", "--insecure"),
    ("target.ready_within", "--ready-check-timeout-sec"),
    ("target.profile", "--profile"),
    ("target.request_id_prefix", "--request-id-prefix"),
    ("load.points", "--num-prompts"),
    ("parallel", "--max-concurrency"),
    ("rate", "--request-rate"),
    ("burstiness", "--burstiness"),
    ("ramp.from", "--ramp-up-start-rps"),
    ("ramp.to", "--ramp-up-end-rps"),
    ("ramp", "--ramp-up-strategy"),
    ("recorded", "--self-timed"),
    ("number", "--num-prompts"),
    ("load.warmup", "--num-warmups"),
    ("load.probe_rate", "--probe-request-rate"),
    ("prompts.dataset", "--dataset-name"),
    ("prompts.path", "--dataset-path"),
    ("prompts.oversample", "--no-oversample"),
    ("generation.max_tokens", "--output-len"),
    ("generation.temperature", "--temperature"),
    ("generation.top_p", "--top-p"),
    ("generation.top_k", "--top-k"),
    ("generation.min_p", "--min-p"),
    ("generation.frequency_penalty", "--frequency-penalty"),
    ("generation.presence_penalty", "--presence-penalty"),
    ("generation.repetition_penalty", "--repetition-penalty"),
    ("generation.logprobs", "--logprobs"),
    ("generation.top_logprobs", "--logprobs"),
    ("generation.lora", "--lora-modules"),
    ("generation.n", "--extra-body"),
    ("generation.extra", "--extra-body"),
    ("output.dir", "--outputs-dir"),
    ("output.vllm.label", "--label"),
    ("output.vllm.metadata", "--metadata"),
    ("output.vllm.percentile_metrics", "--percentile-metrics"),
    ("output.vllm.percentiles", "--metric-percentiles"),
    ("output.vllm.goodput", "--goodput"),
    ("output.vllm.save.dir", "--result-dir"),
    ("output.vllm.save.filename", "--result-filename"),
    ("output.vllm.timeline_itl_thresholds", "--timeline-itl-thresholds"),
];
