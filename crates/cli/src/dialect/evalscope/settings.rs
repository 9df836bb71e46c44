//! From flags to the native form.
//!
//! Secrets that were typed go no further than the run's environment: the native form refers to them by variables. What a flag
//! means is decided by `tokometer_plan`, and what its errors call a setting is turned back into the flag here.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokometer_plan::config::{self, Config, FitMode, PrefixRole};
use tokometer_plan::{Amount, Between, Rate, Span, known_words, sweep};

use super::flags::{Flags, GenerationFlags, LoadFlags, OutputFlags, PromptFlags, TargetFlags};
use super::later::{check_api, check_dataset};
use crate::dialect::credentials::{API_KEY, headers, hide_parameters, key_beside};
use crate::dialect::json;
use crate::dialect::telemetry;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// The native form of `flags`. Secrets among them are put into `surroundings`.
///
/// # Errors
/// If a flag belongs to a later version, or its value cannot be read.
pub(crate) fn settings(flags: Flags, surroundings: &mut Surroundings) -> Result<Config, Trouble> {
    flags.later.refuse()?;
    for note in flags.idle.notes() {
        surroundings.note(note);
    }
    check_api(&flags.target.api)?;
    if flags.load.open_loop && flags.load.parallel != [NonZeroU32::MIN] {
        surroundings
            .note("--parallel changes nothing with --open-loop, which holds to --rate".into());
    }
    if flags.target.model.as_ref().is_some_and(String::is_empty) {
        surroundings.note("--model is empty: the server is asked for its model".into());
    }
    if flags.prompts.tokenize_prompt && flags.target.tokenizer_path.is_none() {
        return Err(Trouble::input(
            "--tokenize-prompt sends token ids, and no --tokenizer-path says which",
        )
        .with_hint("give the tokenizer of the model: --tokenizer-path PATH"));
    }
    let seed = flags.generation.seed;
    Ok(Config {
        model: flags.target.model.clone(),
        tokenizer: flags.target.tokenizer_path.clone(),
        // The same bits: a seed is a number without a sign here, and one with a sign at the server.
        seed: seed.map(i64::cast_unsigned),
        workers: flags.load.workers,
        telemetry: telemetry::telemetry(flags.telemetry, surroundings)?,
        load: load(flags.load)?,
        prompts: prompts(flags.prompts)?,
        target: target(flags.target, surroundings)?,
        generation: generation(flags.generation)?,
        output: output(flags.output),
    })
}

/// The setting that the flag is for.
pub(crate) fn setting_of(flag: &str) -> Option<&'static str> {
    all().find(|(_, known)| *known == flag).map(|(setting, _)| *setting)
}

/// What the flag is called that the setting of that path came from.
pub(crate) fn flag_of(setting: &str) -> Option<&'static str> {
    let within = |path: &str| {
        setting == path || setting.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    };
    all().find(|(path, _)| within(path)).map(|(_, flag)| *flag)
}

/// Settings by their paths, and their flags.
fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    FLAGS.iter().chain(telemetry::FLAGS)
}

fn target(flags: TargetFlags, surroundings: &mut Surroundings) -> Result<config::Target, Trouble> {
    let headers = headers("--headers", &flags.headers, surroundings)?;
    let api_key_env = match flags.api_key.filter(|key| !key.trim().is_empty()) {
        Some(key) => {
            surroundings.set(API_KEY, key);
            Some(API_KEY.to_owned())
        }
        None => key_beside(&headers, surroundings),
    };
    Ok(config::Target {
        url: Some(hide_parameters(&flags.url, surroundings)),
        api: Some(flags.api),
        api_key_env,
        headers,
        timeouts: config::Timeouts {
            connect: flags.connect_timeout,
            first_byte: flags.first_byte_timeout.or(flags.read_timeout),
            between_chunks: flags.read_timeout,
            total: Some(flags.total_timeout),
        },
        tls: config::Tls { insecure: Some(flags.insecure), ca_cert: flags.ca_cert.map(Into::into) },
        http2: Some(flags.http2),
        proxy: flags.proxy,
        test_connection: Some(!flags.no_test_connection),
        ..config::Target::default()
    })
}

fn load(flags: LoadFlags) -> Result<config::Load, Trouble> {
    let points = match flags.open_loop {
        true => {
            let rates: Option<Vec<Rate>> = flags.rate.iter().copied().map(Rate::new).collect();
            let Some(rates) = rates else {
                return Err(Trouble::input(format!(
                    "--open-loop sends by the schedule of --rate, and every --rate must be {}",
                    Rate::BOUNDS
                ))
                .with_hint("for example --open-loop --rate 5 10 --number 100 200"));
            };
            sweep::open(&rates, &flags.number)?
        }
        false => sweep::closed(&flags.parallel, &flags.number, closed_rate(&flags.rate)?)?,
    };
    let Some(warmup) = Amount::from_number(flags.warmup_num) else {
        return Err(Trouble::input(format!(
            "--warmup-num: {} is no number of requests",
            flags.warmup_num
        ))
        .with_hint("a count such as 10, or a share of --number such as 0.1"));
    };
    let duration = match flags.duration {
        None => None,
        Some(seconds) => {
            Some(std::time::Duration::try_from_secs_f64(seconds).map(Span).map_err(|_| {
                Trouble::input(format!("--duration: {seconds} is no length of time"))
                    .with_hint("seconds above zero, such as 60")
            })?)
        }
    };
    Ok(config::Load {
        points,
        warmup: Some(warmup),
        duration,
        pause: Some(Span(std::time::Duration::from_secs(flags.sleep_interval.into()))),
        ..config::Load::default()
    })
}

/// In a closed loop only the first rate counts, and -1 is none.
fn closed_rate(rates: &[f64]) -> Result<Option<Rate>, Trouble> {
    if rates.len() > 1 {
        return Err(Trouble::input("--rate has several values, which only an open loop sweeps")
            .with_hint("add --open-loop, or leave one --rate to pace every --parallel"));
    }
    match rates.first() {
        None | Some(-1.0) => Ok(None),
        Some(&rate) => Rate::new(rate).map(Some).ok_or_else(|| {
            Trouble::input(format!("--rate: must be {}, not {rate}", Rate::BOUNDS))
                .with_hint("requests per second, or -1 for no pacing")
        }),
    }
}

fn prompts(flags: PromptFlags) -> Result<config::Prompts, Trouble> {
    let chat_template = match (flags.apply_chat_template, flags.no_apply_chat_template) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let (template, template_file) = match flags.query_template.as_deref() {
        None => (None, None),
        Some(text) => match text.strip_prefix('@') {
            Some(file) => (None, Some(file.into())),
            None => (Some(json::object("--query-template", text, TEMPLATE_EXAMPLE)?), None),
        },
    };
    let mut prompts = config::Prompts {
        template,
        template_file,
        chat_template,
        tokenize: Some(flags.tokenize_prompt),
        prefix_count: Some(flags.prefix_count),
        ..config::Prompts::default()
    };
    if let Some(prompt) = flags.prompt {
        match prompt.strip_prefix('@') {
            Some(file) => prompts.text_file = Some(file.into()),
            None => prompts.text = Some(prompt),
        }
        return Ok(prompts);
    }
    check_dataset(&flags.dataset)?;
    check_source(flags.data_source.as_deref())?;
    prompts.dataset = Some(flags.dataset);
    prompts.path = flags.dataset_path.map(Into::into);
    prompts.offset = Some(flags.dataset_offset);
    prompts.min_length = Some(flags.min_prompt_length);
    prompts.max_length = Some(flags.max_prompt_length);
    prompts.prefix_length = Some(flags.prefix_length);
    if let Some(text) = flags.dataset_args {
        prompts.fit = fit(&text)?;
    }
    Ok(prompts)
}

fn check_source(source: Option<&str>) -> Result<(), Trouble> {
    match source {
        None | Some("local") => Ok(()),
        Some("modelscope" | "huggingface") => {
            Err(Trouble::input("--data-source: datasets from hubs are not in this version")
                .with_hint("download the file and give its --dataset-path"))
        }
        Some(other) => Err(Trouble::input(format!("--data-source: there is no source {other}"))
            .with_hint(known_words(other, ["local", "modelscope", "huggingface"]))),
    }
}

/// `--dataset-args` of the text datasets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetArgs {
    target_input_len: Option<std::num::NonZeroU32>,
    input_len_mode: Option<FitMode>,
    prefix_file: Option<std::path::PathBuf>,
    prefix_role: Option<PrefixRole>,
}

fn fit(text: &str) -> Result<config::Fit, Trouble> {
    let object = json::object("--dataset-args", text, DATASET_EXAMPLE)?;
    let known = ["target_input_len", "input_len_mode", "prefix_file", "prefix_role"];
    if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Trouble::input(format!("--dataset-args: unknown key {key}"))
            .with_hint(known_words(key, known)));
    }
    let args: DatasetArgs = serde_json::from_value(Value::Object(object)).map_err(|error| {
        Trouble::input(format!("--dataset-args: {error}")).with_hint(DATASET_EXAMPLE)
    })?;
    Ok(config::Fit {
        length: args.target_input_len,
        mode: args.input_len_mode,
        prefix_file: args.prefix_file,
        prefix_role: args.prefix_role,
    })
}

fn generation(flags: GenerationFlags) -> Result<config::Generation, Trouble> {
    let max_tokens = match flags.max_tokens[..] {
        [] => None,
        [low, high] => Some(Between::new(low, high).ok_or_else(|| {
            Trouble::input(format!("--max-tokens: {low} is above {high}"))
                .with_hint("the least comes first")
        })?),
        [one] => Between::new(one, one),
        _ => return Err(Trouble::input("--max-tokens takes one value or two")),
    };
    let extra = match flags.extra_args {
        Some(text) => json::object("--extra-args", &text, EXTRA_EXAMPLE)?,
        None => Map::new(),
    };
    Ok(config::Generation {
        max_tokens,
        default_max_tokens: max_tokens.is_none().then_some(MAX_TOKENS),
        min_tokens: flags.min_tokens,
        temperature: Some(flags.temperature),
        top_p: flags.top_p,
        top_k: flags.top_k,
        frequency_penalty: flags.frequency_penalty,
        repetition_penalty: flags.repetition_penalty,
        logprobs: flags.logprobs.then_some(true),
        n: flags.n_choices,
        seed: flags.seed,
        stop: flags.stop,
        stop_token_ids: flags.stop_token_ids,
        stream: Some(!flags.no_stream),
        extra,
        ..config::Generation::default()
    })
}

fn output(flags: OutputFlags) -> config::Output {
    config::Output {
        dir: Some(flags.outputs_dir.into()),
        name: flags.name,
        alias: flags.alias,
        timestamp: Some(!flags.no_timestamp),
        log_every: flags.log_every_n_query.max(1).try_into().ok(),
        prompts: Some(flags.log_prompts),
        outputs: Some(flags.log_outputs),
        debug: Some(flags.debug),
        vllm: None,
    }
}

/// The most tokens of an answer, where nobody says otherwise.
const MAX_TOKENS: NonZeroU32 = NonZeroU32::new(2048).expect("2048 is above 0");
const EXTRA_EXAMPLE: &str = "for example --extra-args '{\"ignore_eos\": true}'";
const DATASET_EXAMPLE: &str =
    "for example --dataset-args '{\"target_input_len\": 2048, \"input_len_mode\": \"cap\"}'";
const TEMPLATE_EXAMPLE: &str =
    "for example --query-template '{\"top_p\": 0.9}' or --query-template @body.json";

/// Settings by their paths, the longer ones first, and their flags.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("model", "--model"),
    ("tokenizer", "--tokenizer-path"),
    ("seed", "--seed"),
    ("workers", "--workers"),
    ("target.url", "--url"),
    ("target.api", "--api"),
    ("target.api_key_env", "--api-key"),
    ("target.headers", "--headers"),
    ("target.timeouts.connect", "--connect-timeout"),
    ("target.timeouts.first_byte", "--first-byte-timeout"),
    ("target.timeouts.between_chunks", "--read-timeout"),
    ("target.timeouts.total", "--total-timeout"),
    ("target.tls.insecure", "--insecure"),
    ("target.tls.ca_cert", "--ca-cert"),
    ("target.http2", "--http2"),
    ("target.proxy", "--proxy"),
    ("load.points", "--parallel"),
    ("load.warmup", "--warmup-num"),
    ("load.duration", "--duration"),
    ("load.pause", "--sleep-interval"),
    ("prompts.dataset", "--dataset"),
    ("prompts.path", "--dataset-path"),
    ("prompts.offset", "--dataset-offset"),
    ("prompts.min_length", "--min-prompt-length"),
    ("prompts.max_length", "--max-prompt-length"),
    ("prompts.prefix_length", "--prefix-length"),
    ("prompts.prefix_count", "--prefix-count"),
    ("prompts.fit", "--dataset-args"),
    ("prompts.text_file", "--prompt"),
    ("prompts.text", "--prompt"),
    ("prompts.template_file", "--query-template"),
    ("prompts.template", "--query-template"),
    ("prompts.chat_template", "--no-apply-chat-template"),
    ("prompts.tokenize", "--tokenize-prompt"),
    ("generation.max_tokens", "--max-tokens"),
    ("generation.default_max_tokens", "--max-tokens"),
    ("generation.min_tokens", "--min-tokens"),
    ("generation.temperature", "--temperature"),
    ("generation.top_p", "--top-p"),
    ("generation.top_k", "--top-k"),
    ("generation.frequency_penalty", "--frequency-penalty"),
    ("generation.repetition_penalty", "--repetition-penalty"),
    ("generation.n", "--n-choices"),
    ("generation.extra", "--extra-args"),
    ("output.dir", "--outputs-dir"),
    ("output.name", "--name"),
];
