//! `--prompt`: the same prompt for every request, in place of a dataset. No length is looked at.

use std::sync::Arc;

use tokometer_wire::Prompt;

use super::length::{as_ids, user};
use super::{Dataset, DatasetError, Drawn, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

/// One prompt.
#[derive(Debug)]
struct Same(Drawn);

/// Takes the text. That `@file` on a command line means a file is for the command line to know.
pub(super) fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let given = spec.prompt.as_deref().unwrap_or_default();
    let text = given.to_owned();
    let (prompt, tokens) = match (spec.apply_chat_template, &tokenizer) {
        (true, tokenizer) => {
            let messages = vec![user(text)];
            let tokens = match tokenizer {
                Some(tokenizer) => tokenizer.count_messages(&messages)?,
                None => None,
            };
            (Prompt::Messages(messages), tokens)
        }
        (false, Some(tokenizer)) => {
            let tokens = tokenizer.count(&text)?;
            (Prompt::Text(text), Some(tokens))
        }
        (false, None) => (Prompt::Text(text), None),
    };
    let drawn = match (spec.tokenize_prompt, tokenizer) {
        (true, Some(tokenizer)) => as_ids(prompt, &*tokenizer)?,
        _ => Drawn::of(prompt, tokens),
    };
    Ok(Box::new(Same(drawn)))
}

impl Dataset for Same {
    fn draw(&self, _index: u64, _seed: Seed) -> Result<Drawn, DatasetError> {
        Ok(self.0.clone())
    }

    fn len(&self) -> Option<u64> {
        Some(1)
    }
}
