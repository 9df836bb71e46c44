//! From what a row asks to what is sent: as a conversation where the endpoint is a chat, as text where it completes text.
//!
//! Where an endpoint puts no template around prompts, the tokenizer's template can be put around them here. A chat endpoint does
//! that itself, and then it is never done here, for a template around a template is no prompt that a user sends.

use std::sync::Arc;

use serde_json::Value;
use tokometer_wire::{Message, Prompt};

use super::length::{Fate, Raw, Shape, user};
use super::media::{Sound, text_part};
use super::sample::{Skip, Wrong};
use super::{DatasetError, Drawn, Spec, args};
use crate::tokenizer::Tokenizer;

/// What a row asks.
#[derive(Debug)]
pub(super) enum Asked {
    /// A text.
    Text(String),
    /// A conversation, up to what the user says last.
    Conversation(Vec<Message>),
    /// Content parts of one message, images among them.
    Parts(Vec<Value>),
    /// A sound, and what is said about it in a chat.
    Sound(Sound, String),
}

/// Whether the tokenizer's template is put around text on an endpoint that puts none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// It must be.
    Insist,
    /// It is, if there is one.
    IfThere,
    /// It is not.
    Leave,
}

impl Template {
    /// What a setting says, or else `usual`.
    pub(super) const fn of(given: Option<bool>, usual: Self) -> Self {
        match given {
            Some(true) => Self::Insist,
            Some(false) => Self::Leave,
            None => usual,
        }
    }
}

/// How what rows ask is worded.
#[derive(Debug)]
pub(super) struct Wording {
    tokenizer: Option<Arc<dyn Tokenizer>>,
    shape: Shape,
    chat: bool,
    template: Template,
}

impl Wording {
    /// What the settings say.
    pub(super) fn new(
        spec: &Spec,
        tokenizer: Option<Arc<dyn Tokenizer>>,
        template: Template,
    ) -> Result<Self, DatasetError> {
        let there = tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.template().is_some());
        if template == Template::Insist && !spec.apply_chat_template && !there {
            let why = match &tokenizer {
                None => "it needs a tokenizer: give --tokenizer-path".to_owned(),
                Some(tokenizer) => {
                    format!("the tokenizer {} has no chat template: give false", tokenizer.label())
                }
            };
            return Err(args::wrong(spec, "chat_template", why));
        }
        let template = match template {
            Template::IfThere if !there => Template::Leave,
            other => other,
        };
        let shape = Shape::new(spec, tokenizer.clone())?;
        Ok(Self { tokenizer, shape, chat: spec.apply_chat_template, template })
    }

    /// Whether prompts go to a chat endpoint.
    pub(super) const fn chat(&self) -> bool {
        self.chat
    }

    /// What counts tokens. Datasets that call this need a tokenizer, which is seen to before they are opened.
    pub(super) fn counts(&self, text: &str) -> Result<u32, Wrong> {
        match &self.tokenizer {
            Some(tokenizer) => Ok(tokenizer.count(text)?),
            None => {
                let what = "the length of answers".to_owned();
                Err(Wrong::Other(DatasetError::NoTokenizer { what }))
            }
        }
    }

    /// Tokens of a conversation in the words of the tokenizer's template; without one, of its bare texts.
    pub(super) fn counts_of(&self, messages: &[Message]) -> Result<u32, Wrong> {
        let counted = match &self.tokenizer {
            Some(tokenizer) => tokenizer.count_messages(messages)?,
            None => None,
        };
        if let Some(tokens) = counted {
            return Ok(tokens);
        }
        let texts: Vec<&str> =
            messages.iter().filter_map(|message| message.content.as_str()).collect();
        self.counts(&texts.join("\n"))
    }

    /// The prompt, or its length if that is not wanted.
    pub(super) fn word(&self, asked: Asked, limit: Option<u32>) -> Result<Fate, Wrong> {
        let fate = match asked {
            Asked::Text(text) if self.chat || self.template == Template::Leave => {
                self.shape.apply(Raw::Text(text))?
            }
            Asked::Text(text) => {
                let written = self.written(&[user(text)])?;
                self.shape.apply(Raw::Text(written))?
            }
            Asked::Conversation(messages) if self.chat => {
                self.shape.apply(Raw::Conversation(messages))?
            }
            Asked::Conversation(messages) => {
                let written = self.written(&messages)?;
                self.shape.apply(Raw::Text(written))?
            }
            Asked::Parts(parts) => Fate::Kept(Drawn::of(message_of(parts), None)),
            Asked::Sound(sound, text) => Fate::Kept(self.sound(sound, &text)),
        };
        Ok(match fate {
            Fate::Kept(drawn) => Fate::Kept(drawn.answered_within(limit)),
            passed @ Fate::Passed(_) => passed,
        })
    }

    fn sound(&self, sound: Sound, text: &str) -> Drawn {
        let audio = Some(sound.plays);
        let prompt = match self.chat {
            true if text.is_empty() => message_of(vec![sound.part()]),
            true => message_of(vec![text_part(text), sound.part()]),
            false => Prompt::Audio(sound.upload()),
        };
        Drawn { audio, ..Drawn::of(prompt, None) }
    }

    /// The conversation in the words of the tokenizer's template.
    fn written(&self, messages: &[Message]) -> Result<String, Wrong> {
        let template = self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.template());
        let rendered = match template {
            Some(template) => template.render(messages, true)?,
            None => None,
        };
        rendered.ok_or_else(|| {
            let why = "a conversation needs a chat endpoint, or a tokenizer with a chat template";
            Wrong::Row(why.to_owned())
        })
    }
}

/// The user's one message, of content parts.
fn message_of(parts: Vec<Value>) -> Prompt {
    let content = Value::Array(parts);
    Prompt::Messages(vec![Message {
        role: "user".to_owned(),
        content,
        more: serde_json::Map::new(),
    }])
}

/// Whether prompt and answer are of the lengths that vLLM's benchmarks keep: at least 4 tokens each, and no more than these. The
/// answer's own least length is not looked at where the user chose it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) prompt: u32,
    pub(super) total: u32,
}

impl Limits {
    /// Those of ShareGPT, and of most others.
    pub(super) const USUAL: Self = Self { prompt: 1024, total: 2048 };

    /// Passes over a row that does not keep to them. A chosen length of the answer may be as short as it likes.
    pub(super) fn keep(self, prompt: u32, answer: u32, chosen: bool) -> Result<(), Skip> {
        let Self { prompt: longest, total } = self;
        let kept = LEAST <= prompt
            && (chosen || LEAST <= answer)
            && prompt <= longest
            && prompt.saturating_add(answer) <= total;
        if kept {
            return Ok(());
        }
        Err(Skip::Bounds(format!(
            "the prompt has {prompt} tokens and the answer {answer}, where {LEAST} is the least for each, {longest} the most \
             for the prompt and {total} for both"
        )))
    }
}

const LEAST: u32 = 4;
