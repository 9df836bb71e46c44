//! Errors of the workload in two parts, as troubles are told: what is wrong, and what to do.

use std::path::PathBuf;

use tokometer_plan::{Plan, Source};
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
        DatasetError::Empty { .. } => Trouble::input(chain(error)).with_hint(
            "give another file, or other lengths: --min-prompt-length, --max-prompt-length",
        ),
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
        PrepareError::Encode { .. } => Trouble::input(chain(error))
            .with_hint("use the URL of an endpoint that takes such prompts"),
        PrepareError::Stopped => Trouble::failed(chain(error)),
        PrepareError::TooMany { .. } => {
            Trouble::input(chain(error)).with_hint("lower --number, or add memory")
        }
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
            Trouble::failed(format!("cannot get the tokenizer {name}: {}", tried.join("; "))).with_hint(*hint)
        }
        TokenizerError::Service { .. } => Trouble::failed(chain(error))
            .with_hint("give a tokenizer of your own: --tokenizer-path"),
        _ => Trouble::input(chain(error)).with_hint("check --tokenizer-path"),
    }
}
