//! Errors of the workload in two parts, as troubles are told: what is wrong, and what to do.

use tokometer_workload::dataset::DatasetError;
use tokometer_workload::prepare::PrepareError;
use tokometer_workload::tokenizer::TokenizerError;

use crate::trouble::{Trouble, chain};

/// A dataset that cannot be opened, or has no such prompt.
pub(super) fn dataset(error: &DatasetError) -> Trouble {
    match error {
        DatasetError::Tokenizer(error) => tokenizer(error),
        DatasetError::Line { path, line, why, form } => {
            Trouble::input(format!("{}:{line}: {why}", path.display()))
                .with_hint(format!("the file should be {form}"))
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

/// A request that cannot be made ready.
pub(super) fn prepare(error: &PrepareError) -> Trouble {
    match error {
        PrepareError::Dataset(error) => dataset(error),
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
