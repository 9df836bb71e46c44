//! What is asked: a dataset or a text, its form, and a body to start from.

use std::num::NonZeroU32;
use std::path::Path;

use serde_json::{Map, Value};
use tokometer_workload::dataset::{DATASETS, Entry};

use crate::config;
use crate::endpoint::Kind;
use crate::error::{PlanError, known_words};
use crate::plan::{Dataset, Fit, Prompts, Source, Template, Text};
use crate::secret::refuse_secrets;

use super::fit::utf8;
use crate::environment::Environment;

/// The prompts; `typed` is what the URL, as it was typed, leads to.
pub(super) fn resolve(
    config: config::Prompts,
    typed: Kind,
    environment: &dyn Environment,
    advice: &mut Vec<String>,
) -> Result<Prompts, PlanError> {
    let chat_template = config.chat_template.unwrap_or(typed == Kind::Chat);
    if !chat_template && typed == Kind::Chat && !tokenized(&config) {
        return Err(PlanError::at(
            "prompts.chat_template",
            "a chat endpoint takes conversations only, and applies the chat template itself",
        )
        .with_hint("for prompts without one use a URL that ends in /v1/completions"));
    }
    let tokenize = tokenized(&config);
    let template = template(&config, environment)?;
    if tokenize && template.is_some() {
        return Err(PlanError::at("prompts.template", "does not go with prompts as token ids")
            .with_hint("leave out one of them"));
    }
    let source = match text(&config, environment)? {
        Some(text) => Source::Text(text),
        None => Source::Dataset(dataset(config)?),
    };
    if let Source::Dataset(dataset) = &source {
        advice.extend(without_effect(dataset));
    }
    Ok(Prompts { source, template, chat_template, tokenize })
}

fn tokenized(config: &config::Prompts) -> bool {
    config.tokenize.unwrap_or(false)
}

fn text(
    config: &config::Prompts,
    environment: &dyn Environment,
) -> Result<Option<Text>, PlanError> {
    let text = match (&config.text, &config.text_file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(PlanError::at("prompts.text_file", "stands beside prompts.text")
                .with_hint("leave out one of them"));
        }
        (Some(text), None) => Text { file: None, text: text.clone() },
        (None, Some(file)) => {
            let text = read(file, "prompts.text_file", environment)?;
            Text { file: Some(utf8(file.clone(), "prompts.text_file")?), text }
        }
    };
    if text.text.is_empty() {
        return Err(PlanError::at("prompts.text", "the prompt is empty"));
    }
    if config.prefix_count.is_some_and(|count| count.get() > 1) {
        return Err(PlanError::at(
            "prompts.prefix_count",
            "one text for every request has no prefixes",
        )
        .with_hint("leave it out, or use the dataset random"));
    }
    match &config.dataset {
        None if !config.args.is_empty() => {
            Err(PlanError::at("prompts.args", "one text for every request has no settings")
                .with_hint("leave them out, or name a dataset"))
        }
        None => Ok(Some(text)),
        Some(name) => Err(PlanError::at(
            "prompts.dataset",
            format!("{name} stands beside a text for every request"),
        )
        .with_hint("leave out one of them")),
    }
}

fn template(
    config: &config::Prompts,
    environment: &dyn Environment,
) -> Result<Option<Template>, PlanError> {
    match (&config.template, &config.template_file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(PlanError::at("prompts.template_file", "stands beside prompts.template")
                .with_hint("leave out one of them"))
        }
        (Some(body), None) => {
            refuse_secrets(body, "prompts.template")?;
            Ok(Some(Template { file: None, body: body.clone() }))
        }
        (None, Some(file)) => {
            let setting = "prompts.template_file";
            let text = read(file, setting, environment)?;
            let body = serde_json::from_str::<Map<String, Value>>(&text).map_err(|error| {
                let place = format!("{}:{}:{}", file.display(), error.line(), error.column());
                PlanError::at(setting, format!("{place}: not a JSON object: {error}")).with_hint(
                    "a template is the body of a request: {\"messages\": [], \"top_p\": 0.9}",
                )
            })?;
            Ok(Some(Template { file: Some(utf8(file.clone(), setting)?), body }))
        }
    }
}

fn read(path: &Path, setting: &str, environment: &dyn Environment) -> Result<String, PlanError> {
    environment
        .read(path)
        .map_err(|error| PlanError::at(setting, format!("cannot read {}: {error}", path.display())))
}

fn dataset(config: config::Prompts) -> Result<Dataset, PlanError> {
    let names = || DATASETS.iter().map(|entry| entry.name);
    let Some(name) = config.dataset else {
        return Err(PlanError::at("prompts.dataset", "nothing says what to ask").with_hint(
            format!("name a dataset ({}) or a text", names().collect::<Vec<_>>().join(", ")),
        ));
    };
    let Some(entry) = DATASETS.iter().find(|entry| entry.name == name) else {
        return Err(PlanError::at("prompts.dataset", format!("there is no dataset {name}"))
            .with_hint(known_words(&name, names())));
    };
    if let (Some(file), None) = (&entry.file, &config.path) {
        let problem = format!("the dataset {name} is read from a file, and none is given");
        return Err(PlanError::at("prompts.path", problem).with_hint(format!("give {}", file.form)));
    }
    let dataset = Dataset {
        path: config.path.map(|path| utf8(path, "prompts.path")).transpose()?,
        args: config.args,
        oversample: config.oversample.unwrap_or(true),
        offset: config.offset.unwrap_or(0),
        min_length: config.min_length.unwrap_or(0),
        max_length: config.max_length.unwrap_or(MAX_LENGTH),
        prefix_length: config.prefix_length.unwrap_or(0),
        prefix_count: config.prefix_count.map_or(1, NonZeroU32::get),
        fit: fit(config.fit, entry)?,
        name,
    };
    if dataset.min_length > dataset.max_length {
        let (min, max) = (dataset.min_length, dataset.max_length);
        return Err(PlanError::at(
            "prompts.min_length",
            format!("no prompt is at least {min} and at most {max} long"),
        )
        .with_hint("raise the maximum or lower the minimum"));
    }
    if dataset.prefix_count > 1 && dataset.name != "random" {
        return Err(PlanError::at("prompts.prefix_count", "only the dataset random has prefixes"));
    }
    if dataset.prefix_count > 1 && dataset.prefix_length == 0 {
        return Err(PlanError::at(
            "prompts.prefix_count",
            "prefixes without a length are all the same",
        )
        .with_hint("give the prefixes a length as well"));
    }
    Ok(dataset)
}

/// What was given and changes nothing.
fn without_effect(dataset: &Dataset) -> impl Iterator<Item = String> {
    let name = &dataset.name;
    let random = name == "random";
    let path = dataset.path.as_ref().filter(|_| random);
    let path = path.map(|path| {
        format!("the dataset {name} reads no file: {} changes nothing", path.display())
    });
    let prefix = (!random && dataset.prefix_length > 0).then(|| {
        format!("only the dataset random has prefixes: their length changes nothing for {name}")
    });
    path.into_iter().chain(prefix)
}

fn fit(config: config::Fit, entry: &Entry) -> Result<Option<Fit>, PlanError> {
    let Some(length) = config.length else {
        return match config == config::Fit::default() {
            true => Ok(None),
            false => Err(PlanError::at(
                "prompts.fit",
                "says how prompts are fitted, but not to which length",
            )
            .with_hint("give the length as well")),
        };
    };
    if !entry.length_control {
        return Err(PlanError::at(
            "prompts.fit",
            format!("the prompts of {} are not fitted to a length", entry.name),
        )
        .with_hint("give the shortest and the longest length of its prompts"));
    }
    let mode = config.mode.unwrap_or_default();
    if config.prefix_file.is_some() && mode == config::FitMode::Drop {
        return Err(PlanError::at(
            "prompts.fit.prefix_file",
            "has nothing to fill up where shorter prompts are dropped",
        )
        .with_hint("let shorter prompts stay: cap instead of drop"));
    }
    Ok(Some(Fit {
        length: length.get(),
        mode,
        prefix_file: config
            .prefix_file
            .map(|path| utf8(path, "prompts.fit.prefix_file"))
            .transpose()?,
        prefix_role: config.prefix_role.unwrap_or_default(),
    }))
}

const MAX_LENGTH: u32 = 131_072;
