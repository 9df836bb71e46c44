//! Prompts made of ids, exactly as long as asked: what all datasets of random text share.
//!
//! Text that is decoded from ids does not promise to encode to as many, so it is fitted, and tried with other words where it
//! will not come out right; never is it sent wrong. Which ids a prompt begins with is each dataset's own affair.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokometer_wire::{Input, Prompt};

use super::args::wrong;
use super::length::user;
use super::once::Once;
use super::{DatasetError, Drawn, Spec};
use crate::lengths::{Fitted, converge, stable_words};
use crate::seed::Seed;
use crate::tokenizer::{Tokenizer, TokenizerError, length as count_of};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A message of the user.
    Chat,
    /// A text.
    Text,
    /// Token ids.
    Ids,
}

impl Form {
    /// What `spec` asks for.
    pub(super) const fn of(spec: &Spec) -> Self {
        match (spec.tokenize_prompt, spec.apply_chat_template) {
            (true, _) => Self::Ids,
            (false, true) => Self::Chat,
            (false, false) => Self::Text,
        }
    }
}

/// Where a text is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// Inside what the server puts around it, where its ends may merge with that: the length is the server's count.
    Served,
    /// By itself: the chat template and special tokens come on top of the length, as vLLM has it.
    Alone,
}

/// Makes texts and ids of an exact length.
#[derive(Debug)]
pub(super) struct Exact {
    tokenizer: Arc<dyn Tokenizer>,
    form: Form,
    measured: Measured,
    /// Tokens that the server puts around the text.
    overhead: u32,
    /// Ids that stay one token each wherever they stand.
    stable: Vec<u32>,
    /// Ids that several texts begin with.
    shared: Once<Arc<[u32]>>,
}

impl Exact {
    /// For the dataset of that name.
    pub(super) fn new(
        dataset: &'static str,
        tokenizer: Arc<dyn Tokenizer>,
        form: Form,
        measured: Measured,
    ) -> Result<Self, DatasetError> {
        if tokenizer.plain().is_empty() {
            let why = format!("the tokenizer {} has no plain tokens", tokenizer.label());
            return Err(DatasetError::Setting { dataset, why });
        }
        let stable = if form == Form::Ids { Vec::new() } else { stable_words(&*tokenizer)? };
        let overhead = overhead(&*tokenizer, form)?;
        Ok(Self { tokenizer, form, measured, overhead, stable, shared: Once::default() })
    }

    /// The ids to choose from.
    pub(super) fn plain(&self) -> &[u32] {
        self.tokenizer.plain()
    }

    /// Tokens that the server puts around what is sent: its chat template, or special tokens.
    pub(super) const fn overhead(&self) -> u32 {
        self.overhead
    }

    /// Special tokens that a server puts around a plain text.
    pub(super) fn special(&self) -> Result<u32, DatasetError> {
        Ok(overhead(&*self.tokenizer, Form::Text)?)
    }

    /// A prompt of `length` tokens that begins with the ids of `begin`, which draws from the address.
    pub(super) fn drawn(
        &self,
        length: usize,
        address: Seed,
        begin: impl Fn(&mut ChaCha8Rng) -> Vec<u32>,
    ) -> Result<Drawn, DatasetError> {
        let prompt = match (self.input(length, address, begin)?, self.form) {
            (Input::Tokens(ids), _) => Prompt::Tokens(ids),
            (Input::Text(text), Form::Chat) => Prompt::Messages(vec![user(text)]),
            (Input::Text(text), Form::Text | Form::Ids) => Prompt::Text(text),
        };
        let tokens = match (self.measured, &prompt) {
            (Measured::Served, _) => u32::try_from(length + self.overhead as usize).ok(),
            (Measured::Alone, Prompt::Messages(messages)) => {
                self.tokenizer.count_messages(messages)?
            }
            (Measured::Alone, Prompt::Text(text)) => Some(self.tokenizer.count(text)?),
            (Measured::Alone, _) => u32::try_from(length).ok(),
        };
        Ok(Drawn::of(prompt, tokens))
    }

    /// One input of so many tokens: ids where ids are sent, else a text.
    pub(super) fn input(
        &self,
        length: usize,
        address: Seed,
        begin: impl Fn(&mut ChaCha8Rng) -> Vec<u32>,
    ) -> Result<Input, DatasetError> {
        match self.form {
            Form::Ids => {
                let mut ids = begin(&mut address.at(0).rng());
                ids.truncate(length);
                Ok(Input::Tokens(ids))
            }
            Form::Chat | Form::Text => Ok(Input::Text(self.text(length, address, begin)?)),
        }
    }

    /// Refuses requests of more than [`MOST_TOKENS`], `tokens` at most, that the setting `field` asks for.
    pub(super) fn check(spec: &Spec, field: &str, tokens: u64) -> Result<(), DatasetError> {
        match tokens <= u64::from(MOST_TOKENS) {
            true => Ok(()),
            false => Err(wrong(
                spec,
                field,
                format!(
                    "requests of {tokens} tokens are asked for, and at most {MOST_TOKENS} can be made"
                ),
            )),
        }
    }

    /// Tokens of one input where it is not put into a chat template.
    pub(super) fn count(&self, input: &Input) -> Result<u32, DatasetError> {
        match input {
            Input::Text(text) => Ok(self.tokenizer.count(text)?),
            Input::Tokens(ids) => Ok(count_of(ids)),
        }
    }

    /// Exactly so many ids that a server reads out of the text they spell, so that texts may begin with them. Where ids are
    /// sent, any will do. Texts that begin with the same ids ask for them anew, so they are kept.
    pub(super) fn ids(&self, length: usize, address: Seed) -> Result<Arc<[u32]>, DatasetError> {
        let most = MOST_SHARED / length.max(1);
        self.shared.at(address.at(length as u64), most, || Ok(self.fitted(length, address)?.into()))
    }

    fn fitted(&self, length: usize, address: Seed) -> Result<Vec<u32>, DatasetError> {
        let plain = self.plain();
        let any = |rng: &mut ChaCha8Rng| -> Vec<u32> {
            (0..length).map(|_| plain[rng.random_range(0..plain.len())]).collect()
        };
        match self.input(length, address, any)? {
            Input::Tokens(ids) => Ok(ids),
            Input::Text(text) if text.is_empty() => Ok(Vec::new()),
            Input::Text(text) => Ok(self.tokenizer.encode(&text)?),
        }
    }

    /// A text of `length` tokens that begins with the ids of `begin`, which draws from the address.
    pub(super) fn text(
        &self,
        length: usize,
        address: Seed,
        begin: impl Fn(&mut ChaCha8Rng) -> Vec<u32>,
    ) -> Result<String, DatasetError> {
        if length == 0 {
            return Ok(String::new());
        }
        let goal = length + self.around();
        for attempt in 0..ATTEMPTS {
            let mut rng = address.at(attempt).rng();
            let ids = begin(&mut rng);
            let fitted = self.try_fit(ids, goal, self.tokenizer.plain(), &mut rng)?;
            if self.is_good(&fitted) {
                return Ok(fitted.text);
            }
            if self.stable.is_empty() {
                continue;
            }
            // What would not settle is most often the end, so it makes room for words that stay as they are.
            let mut ids = fitted.ids;
            ids.truncate(length.saturating_sub(TAIL << attempt));
            let fitted = self.try_fit(ids, goal, &self.stable, &mut rng)?;
            if self.is_good(&fitted) {
                return Ok(fitted.text);
            }
        }
        Err(DatasetError::Length { tokens: goal, tokenizer: self.tokenizer.label() })
    }

    fn try_fit(
        &self,
        ids: Vec<u32>,
        goal: usize,
        fill: &[u32],
        rng: &mut ChaCha8Rng,
    ) -> Result<Fitted, TokenizerError> {
        let fill = |count: usize| {
            (0..count).map(|_| fill[rng.random_range(0..fill.len())]).collect::<Vec<_>>()
        };
        converge(&*self.tokenizer, ids, goal, self.around(), |text| self.measure(text), fill)
    }

    fn measure(&self, text: &str) -> Result<usize, TokenizerError> {
        if self.measured == Measured::Alone {
            return self.tokenizer.encode(text).map(|ids| ids.len());
        }
        let count = match self.form {
            Form::Chat => self.tokenizer.count_messages(&[user(text.to_owned())])?,
            Form::Text | Form::Ids => None,
        };
        let count = match count {
            Some(count) => count,
            None => self.tokenizer.count(text)?,
        };
        Ok(count as usize)
    }

    /// Tokens that are measured beside the text's own.
    const fn around(&self) -> usize {
        match self.measured {
            Measured::Served => self.overhead as usize,
            Measured::Alone => 0,
        }
    }

    fn is_good(&self, fitted: &Fitted) -> bool {
        fitted.exact && !fitted.ids.iter().any(|id| self.tokenizer.is_special(*id))
    }
}

/// Tokens that the server puts around a prompt's own.
fn overhead(tokenizer: &dyn Tokenizer, form: Form) -> Result<u32, TokenizerError> {
    match form {
        Form::Ids => Ok(0),
        // Where messages cannot be counted, the server's own count will tell.
        Form::Chat => Ok(tokenizer.count_messages(&[user(String::new())])?.unwrap_or(0)),
        Form::Text => {
            let bare = count_of(&tokenizer.encode(SOME_WORD)?);
            Ok(tokenizer.count(SOME_WORD)?.saturating_sub(bare))
        }
    }
}

/// Tokens of the longest request that is made. No model reads as many, and no machine should be asked to hold more.
pub(super) const MOST_TOKENS: u32 = 1 << 26;
/// Ids that are kept for texts to begin with: 64 MiB of them. A server's prefix cache is of that order at the most.
const MOST_SHARED: usize = 1 << 24;
const ATTEMPTS: u64 = 8;
/// How many ids at the end make room for stable words, doubled with each attempt.
const TAIL: usize = 8;
const SOME_WORD: &str = "hello";
