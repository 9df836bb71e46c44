//! Errors of the workload in two parts, as troubles are told: what is wrong, and what to do.

use std::path::PathBuf;

use tokometer_plan::{Plan, Reporting, Source};
use tokometer_workload::dataset::DatasetError;
use tokometer_workload::prepare::PrepareError;
use tokometer_workload::tokenizer::TokenizerError;

use crate::trouble::{Trouble, chain};

/// A dataset that cannot be opened, or has no such prompt.
pub(super) fn dataset(error: &DatasetError, plan: &Plan) -> Trouble {
    match error {
        DatasetError::Tokenizer(error) => tokenizer(error),
        DatasetError::Line { path, line, why, form } => {
            Trouble::input(format!("{}:{line}: {why}", path.display()))
                .with_hint(format!("the file should be {form}"))
        }
        DatasetError::Row { path, row, why, form } => {
            Trouble::input(format!("{}, row {row}: {why}", path.display()))
                .with_hint(format!("the file should be {form}"))
        }
        DatasetError::Read { path, .. } if prefix_file(plan) == Some(path) => {
            Trouble::input(chain(error)).with_hint("check prefix_file in --dataset-args")
        }
        // The dataset names the flag in its reason, and tells how many tokens the template takes.
        DatasetError::Setting { why, .. } if why.contains("--max-prompt-length") => {
            Trouble::input(chain(error)).with_hint(
                "raise --max-prompt-length: the prompt needs at least one token more than the chat template takes",
            )
        }
        DatasetError::Read { .. } => Trouble::input(chain(error)).with_hint("check --dataset-path"),
        DatasetError::NoPath { form, .. } => {
            Trouble::input(chain(error)).with_hint(format!("give --dataset-path {form}"))
        }
        DatasetError::Empty { .. } => Trouble::input(chain(error)).with_hint(match &plan.report {
            Reporting::Evalscope => {
                "give another file, or other lengths: --min-prompt-length, --max-prompt-length"
            }
            Reporting::Vllm(_) => {
                "look whether the file is this dataset's, and whether a split, subset or category leaves any of it"
            }
        }),
        _ => Trouble::input(chain(error)),
    }
}

/// The file that fills prompts up.
fn prefix_file(plan: &Plan) -> Option<&PathBuf> {
    match &plan.prompts.source {
        Source::Dataset(dataset) => dataset.fit.as_ref()?.prefix_file.as_ref(),
        Source::Text(_) => None,
    }
}

/// A request that cannot be made ready.
pub(super) fn prepare(error: &PrepareError, plan: &Plan) -> Trouble {
    match error {
        PrepareError::Dataset(error) => dataset(error, plan),
        PrepareError::Tokenizer(error) => tokenizer(error),
        PrepareError::Encode { .. } => Trouble::input(format!(
            "the dataset {} does not fit: {}",
            plan.dataset_name(),
            chain(error)
        ))
        .with_hint(fitting(plan)),
        PrepareError::Stopped => Trouble::failed(chain(error)),
        PrepareError::TooMany { .. } => {
            Trouble::input(chain(error)).with_hint("lower --number, or add memory")
        }
    }
}

/// What would fit the API, or the prompts.
fn fitting(plan: &Plan) -> &'static str {
    let bench = matches!(plan.report, Reporting::Vllm(_));
    match (plan.target.api.0.name(), plan.dataset_name(), bench) {
        ("rerank", _, true) => "rank what --dataset-name random-rerank draws",
        ("rerank", _, false) => "rank what --dataset random-rerank draws",
        ("openai-audio", _, true) => "give files of sound: --dataset-name custom_audio, or hf",
        ("openai-audio", _, false) => "give files of sound: --dataset custom_audio, or hf",
        (_, "random-rerank", true) => "use --backend vllm-rerank",
        (_, "random-rerank", false) => "use --api rerank",
        (_, "custom_audio" | "custom_image", true) => {
            "use --backend openai-chat, or openai-audio for sound"
        }
        (_, "custom_audio" | "custom_image", false) => {
            "use a URL that ends in /v1/chat/completions"
        }
        (_, "random", true) => {
            "ask one prompt a request, --random-batch-size 1, or use --backend openai-embeddings"
        }
        (_, _, true) => "use another --backend, or another --dataset-name",
        (_, _, false) => "use the URL of an endpoint that takes such prompts",
    }
}

/// A tokenizer that cannot be had, or cannot do its work.
pub(super) fn tokenizer(error: &TokenizerError) -> Trouble {
    match error {
        TokenizerError::NoSuchPath { path } => {
            Trouble::input(format!("there is no tokenizer at {}", path.display())).with_hint(
                "give --tokenizer-path a folder with a tokenizer.json, such a file, or a hub's name such as \
                 Qwen/Qwen2.5-0.5B-Instruct",
            )
        }
        TokenizerError::NoTokenizerFile { folder, found } => {
            Trouble::input(format!("{} has no tokenizer.json{found}", folder.display())).with_hint(
                "give a folder that has one; transformers writes it with \
                 AutoTokenizer.from_pretrained(…).save_pretrained(…)",
            )
        }
        TokenizerError::Hub { name, tried, hint } => {
            Trouble::input(format!("cannot get the tokenizer {name}: {}", tried.join("; "))).with_hint(*hint)
        }
        TokenizerError::Service { .. } => Trouble::failed(chain(error))
            .with_hint("give a tokenizer of your own: --tokenizer-path"),
        _ => Trouble::input(chain(error)).with_hint("check --tokenizer-path"),
    }
}
