//! The length of prompts made of real text: passing over those that are too short or too long, or fitting them to a target.
//!
//! What passes is measured as the server will measure it; what is fitted is measured by its bare content, as EvalScope does,
//! so that the template comes on top. This module knows prompts, not files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokometer_wire::{Message, Prompt};

use super::{DatasetError, Drawn, Spec};
use crate::lengths::{converge, cut};
use crate::tokenizer::{Tokenizer, TokenizerError, length};

/// Fits prompts to a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LengthControl {
    /// Tokens wanted, without the chat template. Longer prompts are cut.
    pub target: u32,
    /// What becomes of shorter prompts.
    pub mode: InputLengthMode,
    /// Real text that goes before every prompt to fill it up to the target.
    pub prefix: Option<LongPrefix>,
}

/// What becomes of prompts shorter than the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputLengthMode {
    /// They stay as they are.
    #[default]
    Cap,
    /// They are passed over.
    Drop,
}

/// A text that fills prompts up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongPrefix {
    /// The file it is in. A shorter text is used over and over.
    pub file: PathBuf,
    /// Where it goes.
    pub role: PrefixRole,
}

/// Where the text that fills prompts up goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrefixRole {
    /// Into a system message of its own. Where prompts are plain text, before the text.
    #[default]
    System,
    /// Before the first message's text.
    User,
}

impl LengthControl {
    /// Reads EvalScope's `--dataset-args`: `target_input_len`, `input_len_mode`, `prefix_file`, `prefix_role`. `None` if they
    /// set no target.
    ///
    /// # Errors
    /// If a key is unknown, has a wrong value, or contradicts another.
    pub fn from_arguments(arguments: &Map<String, Value>) -> Result<Option<Self>, DatasetError> {
        let wrong = |why: String| DatasetError::Arguments { why };
        let given: Arguments = serde_json::from_value(Value::Object(arguments.clone()))
            .map_err(|error| wrong(error.to_string()))?;
        let mode = given.input_len_mode.unwrap_or_default();
        match (given.target_input_len, &given.prefix_file) {
            (Some(0), _) => Err(wrong("target_input_len must be above 0".to_owned())),
            (None, Some(_)) => Err(wrong("prefix_file needs a target_input_len".to_owned())),
            (Some(_), Some(_)) if mode == InputLengthMode::Drop => Err(wrong(
                "prefix_file fills short prompts up, which input_len_mode drop passes over: use cap".to_owned(),
            )),
            (None, None) => Ok(None),
            (Some(target), _) => {
                let role = given.prefix_role.unwrap_or_default();
                let prefix = given.prefix_file.map(|file| LongPrefix { file, role });
                Ok(Some(Self { target, mode, prefix }))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    target_input_len: Option<u32>,
    input_len_mode: Option<InputLengthMode>,
    prefix_file: Option<PathBuf>,
    prefix_role: Option<PrefixRole>,
}

/// What a file says, before its length is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// A text to be asked.
    Text(String),
    /// A conversation that ends with the user's words.
    Conversation(Vec<Message>),
    /// A prompt that is sent as it is.
    Ready(Prompt),
}

/// What became of a prompt.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It is used.
    Kept(Drawn),
    /// It is passed over for its length: tokens, or characters.
    Passed(u32),
}

/// What was passed over for its length.
#[derive(Debug, Default)]
pub(super) struct Passed {
    count: u64,
    shortest: Option<u32>,
    longest: Option<u32>,
}

impl Passed {
    pub(super) fn note(&mut self, length: u32) {
        self.count += 1;
        self.shortest = Some(self.shortest.map_or(length, |shortest| shortest.min(length)));
        self.longest = Some(self.longest.map_or(length, |longest| longest.max(length)));
    }

    /// How many there were, and how long. `None` if nothing was passed over.
    pub(super) fn told(&self) -> Option<String> {
        let (shortest, longest) = (self.shortest?, self.longest?);
        Some(format!(
            "all {} prompts were passed over for their length, which is {shortest} to {longest}",
            self.count
        ))
    }
}

/// What prompts must be like.
#[derive(Debug)]
pub(super) struct Shape {
    tokenizer: Option<Arc<dyn Tokenizer>>,
    shortest: u32,
    longest: u32,
    fit: Option<Fit>,
    chat: bool,
    ids: bool,
}

#[derive(Debug)]
struct Fit {
    target: usize,
    mode: InputLengthMode,
    /// The prefix's ids, not empty, and where it goes.
    prefix: Option<(Vec<u32>, PrefixRole)>,
}

impl Shape {
    /// What lengths are counted in.
    pub(super) fn unit(&self) -> &'static str {
        if self.tokenizer.is_some() { "tokens" } else { "characters" }
    }

    /// Reads the settings, and the prefix's file.
    pub(super) fn new(
        spec: &Spec,
        tokenizer: Option<Arc<dyn Tokenizer>>,
    ) -> Result<Self, DatasetError> {
        let fit = match (&spec.length, &tokenizer) {
            (Some(control), Some(tokenizer)) => Some(Fit {
                target: control.target as usize,
                mode: control.mode,
                prefix: match &control.prefix {
                    Some(prefix) => Some((prefix_ids(&prefix.file, &**tokenizer)?, prefix.role)),
                    None => None,
                },
            }),
            _ => None,
        };
        Ok(Self {
            tokenizer,
            shortest: spec.min_prompt_length,
            longest: spec.max_prompt_length,
            fit,
            chat: spec.apply_chat_template,
            ids: spec.tokenize_prompt,
        })
    }

    /// Whether prompts are fitted to a length.
    pub(super) fn fits(&self) -> bool {
        self.fit.is_some()
    }

    /// Gives a prompt its form and length, or passes over it.
    pub(super) fn apply(&self, raw: Raw) -> Result<Fate, TokenizerError> {
        let fate = match raw {
            Raw::Text(text) => self.text(text)?,
            Raw::Conversation(messages) => self.conversation(messages)?,
            Raw::Ready(prompt) => Fate::Kept(Drawn::of(prompt, None)),
        };
        match (fate, self.ids, &self.tokenizer) {
            (Fate::Kept(drawn), true, Some(tokenizer)) => {
                as_ids(drawn.prompt, &**tokenizer).map(Fate::Kept)
            }
            (fate, ..) => Ok(fate),
        }
    }

    fn text(&self, text: String) -> Result<Fate, TokenizerError> {
        let (text, tokens) = match self.fitted(text)? {
            Ok(fitted) => fitted,
            Err(length) => return Ok(Fate::Passed(length)),
        };
        let messages = vec![user(text)];
        let (messages, tokens) = match self.prefix() {
            Some((tokenizer, fit, prefix, role)) => {
                (self.filled(messages, tokenizer, fit, prefix, role)?, None)
            }
            None => (messages, tokens),
        };
        let prompt = match (self.chat, messages.as_slice()) {
            (false, [Message { content: Value::String(text), .. }]) => Prompt::Text(text.clone()),
            _ => Prompt::Messages(messages),
        };
        Ok(Fate::Kept(Drawn::of(prompt, tokens)))
    }

    /// With a prefix, the conversation as a whole is filled up, or passed over if it is too long: cutting it would change
    /// what is measured. Without one, only the user's last words are looked at.
    fn conversation(&self, mut messages: Vec<Message>) -> Result<Fate, TokenizerError> {
        if let Some((tokenizer, fit, prefix, role)) = self.prefix() {
            let whole = content_length(&messages, tokenizer)?;
            if whole > fit.target {
                return Ok(Fate::Passed(u32::try_from(whole).unwrap_or(u32::MAX)));
            }
            let messages = self.filled(messages, tokenizer, fit, prefix, role)?;
            return Ok(Fate::Kept(Drawn::of(Prompt::Messages(messages), None)));
        }
        if let Some(Value::String(last)) = messages.last_mut().map(|last| &mut last.content) {
            match self.fitted(std::mem::take(last))? {
                Ok((text, _)) => *last = text,
                Err(length) => return Ok(Fate::Passed(length)),
            }
        }
        Ok(Fate::Kept(Drawn::of(Prompt::Messages(messages), None)))
    }

    /// The text, cut if it is to be, and its tokens as the server counts them if they were counted; or the length for which
    /// it is passed over.
    fn fitted(&self, text: String) -> Result<Result<(String, Option<u32>), u32>, TokenizerError> {
        if let (Some(fit), Some(tokenizer)) = (&self.fit, &self.tokenizer) {
            let cut = cut(&**tokenizer, &text, fit.target)?;
            return Ok(match fit.mode {
                InputLengthMode::Drop if !cut.exact => Err(length(&cut.ids)),
                _ => Ok((cut.text, None)),
            });
        }
        let within = |length: u32| self.shortest <= length && length <= self.longest;
        let Some(tokenizer) = &self.tokenizer else {
            let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            return Ok(if within(characters) { Ok((text, None)) } else { Err(characters) });
        };
        let at_most = text.len() as u64 * TOKENS_PER_BYTE + TEMPLATE_AT_MOST;
        if self.shortest == 0 && at_most <= u64::from(self.longest) {
            return Ok(Ok((text, None)));
        }
        let tokens = match self.chat {
            true => tokenizer.count_messages(&[user(text.clone())])?,
            false => None,
        };
        let tokens = match tokens {
            Some(tokens) => tokens,
            None => tokenizer.count(&text)?,
        };
        Ok(if within(tokens) { Ok((text, Some(tokens))) } else { Err(tokens) })
    }

    fn prefix(&self) -> Option<(&dyn Tokenizer, &Fit, &[u32], PrefixRole)> {
        let (tokenizer, fit) = (self.tokenizer.as_deref()?, self.fit.as_ref()?);
        let (ids, role) = fit.prefix.as_ref()?;
        Some((tokenizer, fit, ids, *role))
    }

    /// The messages with as much of the prefix before them as makes them reach the target.
    fn filled(
        &self,
        mut messages: Vec<Message>,
        tokenizer: &dyn Tokenizer,
        fit: &Fit,
        prefix: &[u32],
        role: PrefixRole,
    ) -> Result<Vec<Message>, TokenizerError> {
        let own = content_length(&messages, tokenizer)?;
        let Some(budget) = fit.target.checked_sub(own).filter(|budget| *budget > 0) else {
            return Ok(messages);
        };
        let mut over_and_over = prefix.iter().copied().cycle();
        let begin: Vec<u32> = over_and_over.by_ref().take(budget).collect();
        let more = |count: usize| over_and_over.by_ref().take(count).collect();
        let tokens = |text: &str| tokenizer.encode(text).map(|ids| ids.len());
        if role == PrefixRole::System && self.chat {
            let apart = |prefix: &str| Ok(tokens(prefix)? + own);
            let fitted = converge(tokenizer, begin, fit.target, own, apart, more)?;
            messages.insert(0, message("system", fitted.text));
            return Ok(messages);
        }
        let Some(Value::String(first)) = messages.first_mut().map(|first| &mut first.content)
        else {
            return Ok(messages);
        };
        let rest = own - tokens(first)?;
        // Tokens may merge where the prefix meets the text, so the two are measured together.
        let joined = |prefix: &str| Ok(tokens(&format!("{prefix}{first}"))? + rest);
        let fitted = converge(tokenizer, begin, fit.target, own, joined, more)?;
        first.insert_str(0, &fitted.text);
        Ok(messages)
    }
}

/// The prompt as ids: the template around messages, nothing around text. A complete body stays what it is.
pub(super) fn as_ids(prompt: Prompt, tokenizer: &dyn Tokenizer) -> Result<Drawn, TokenizerError> {
    let ids = match &prompt {
        Prompt::Text(text) => tokenizer.encode(text)?,
        Prompt::Messages(messages) => {
            let rendered = match tokenizer.template() {
                Some(template) => template.render(messages, true)?,
                None => None,
            };
            let Some(rendered) = rendered else {
                let why = "--tokenize-prompt needs a chat template for messages, and there is none"
                    .to_owned();
                return Err(TokenizerError::Codec { action: "encode", why });
            };
            tokenizer.encode(&rendered)?
        }
        Prompt::Tokens(_)
        | Prompt::Body(_)
        | Prompt::Batch(_)
        | Prompt::Rerank { .. }
        | Prompt::Audio(_) => return Ok(Drawn::of(prompt, None)),
    };
    let tokens = Some(length(&ids));
    Ok(Drawn::of(Prompt::Tokens(ids), tokens))
}

/// A message of the user.
pub(super) fn user(text: String) -> Message {
    message("user", text)
}

pub(super) fn message(role: &str, text: String) -> Message {
    Message { role: role.to_owned(), content: Value::String(text), more: Map::new() }
}

fn content_length(
    messages: &[Message],
    tokenizer: &dyn Tokenizer,
) -> Result<usize, TokenizerError> {
    let contents = messages.iter().filter_map(|message| message.content.as_str());
    contents.map(|content| tokenizer.encode(content).map(|ids| ids.len())).sum()
}

fn prefix_ids(file: &Path, tokenizer: &dyn Tokenizer) -> Result<Vec<u32>, DatasetError> {
    let text = super::file::whole(file)?;
    let ids = tokenizer.encode(&text)?;
    if ids.is_empty() {
        let why = "the prefix_file is empty".to_owned();
        return Err(DatasetError::Empty { path: file.to_owned(), why });
    }
    Ok(ids)
}

/// No byte makes more tokens than this, even where a normalizer expands characters.
const TOKENS_PER_BYTE: u64 = 4;
/// No chat template adds more tokens to one message than this.
const TEMPLATE_AT_MOST: u64 = 16_384;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{self as dataset, Dataset};
    use super::*;
    use crate::fixtures::{file, tiny};
    use crate::seed::Seed;

    const LINES: &str =
        "one\none two three four five six seven eight nine ten\none two three four five\n";

    fn open(content: &str, spec: Spec, tokenizer: Option<Arc<dyn Tokenizer>>) -> Box<dyn Dataset> {
        let (folder, path) = file(content);
        let opened = dataset::open(&Spec { path: Some(path), ..spec }, tokenizer).unwrap();
        // Read to its end while the file is there.
        drop(opened.draw(1000, Seed::new(1)));
        drop(folder);
        opened
    }

    fn lines() -> Spec {
        Spec { name: "line_by_line".to_owned(), apply_chat_template: false, ..Spec::default() }
    }

    fn texts(data: &dyn Dataset) -> Vec<String> {
        let count = data.len().unwrap();
        let text = |index| match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        };
        (0..count).map(text).collect()
    }

    fn messages(data: &dyn Dataset, index: u64) -> Vec<(String, String)> {
        match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Messages(messages) => messages
                .into_iter()
                .map(|message| (message.role, message.content.as_str().unwrap().to_owned()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn control(target: u32, mode: InputLengthMode) -> LengthControl {
        LengthControl { target, mode, prefix: None }
    }

    #[test]
    fn without_a_tokenizer_lengths_are_characters() {
        let spec = Spec { min_prompt_length: 4, max_prompt_length: 30, ..lines() };
        assert_eq!(texts(&*open(LINES, spec, None)), ["one two three four five"]);
    }

    #[test]
    fn with_a_tokenizer_lengths_are_tokens_as_the_server_counts_them() {
        let tiny = tiny();
        let tokens = tiny.count("one two three four five").unwrap();
        let spec = Spec { min_prompt_length: tokens, max_prompt_length: tokens, ..lines() };
        assert_eq!(
            texts(&*open(LINES, spec.clone(), Some(Arc::clone(&tiny)))),
            ["one two three four five"]
        );

        let around = tiny.count_messages(&[user(String::new())]).unwrap().unwrap();
        let chat = Spec {
            apply_chat_template: true,
            min_prompt_length: tokens + around,
            max_prompt_length: tokens + around,
            ..spec
        };
        let data = open(LINES, chat, Some(tiny));
        assert_eq!(
            messages(&*data, 0),
            [("user".to_owned(), "one two three four five".to_owned())]
        );
        assert_eq!(data.draw(0, Seed::new(1)).unwrap().tokens, Some(tokens + around));
    }

    #[test]
    fn a_filter_that_lets_nothing_through_says_what_there_was() {
        let (_folder, path) = file(LINES);
        let spec = Spec { path: Some(path.clone()), min_prompt_length: 1000, ..lines() };
        let error =
            dataset::open(&spec, None).unwrap().draw(0, Seed::new(1)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "{} gives no prompt: all 3 prompts were passed over for their length, which is 3 to 48 characters; change \
                 --min-prompt-length, --max-prompt-length or target_input_len",
                path.display()
            )
        );
    }

    #[test]
    fn capped_prompts_are_cut_and_short_ones_stay() {
        let tiny = tiny();
        let spec = Spec { length: Some(control(4, InputLengthMode::Cap)), ..lines() };
        let texts = texts(&*open(LINES, spec, Some(Arc::clone(&tiny))));
        assert_eq!(texts[0], "one");
        assert_eq!(tiny.encode(&texts[1]).unwrap().len(), 4);
        assert!("one two three four five".starts_with(&texts[2]));
    }

    #[test]
    fn short_prompts_are_dropped_if_asked() {
        let tiny = tiny();
        let spec = Spec { length: Some(control(4, InputLengthMode::Drop)), ..lines() };
        let texts = texts(&*open(LINES, spec, Some(Arc::clone(&tiny))));
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|text| tiny.encode(text).unwrap().len() == 4));
    }

    fn with_prefix(role: PrefixRole, target: u32) -> (tempfile::TempDir, Spec) {
        let (folder, path) = file("The water runs over the stone and the people look on. ");
        let prefix = LongPrefix { file: path, role };
        let length = LengthControl { target, mode: InputLengthMode::Cap, prefix: Some(prefix) };
        (folder, Spec { length: Some(length), ..lines() })
    }

    #[test]
    fn a_prefix_fills_up_to_the_target_in_a_message_of_its_own() {
        let tiny = tiny();
        let (_folder, spec) = with_prefix(PrefixRole::System, 90);
        let data = open(LINES, Spec { apply_chat_template: true, ..spec }, Some(Arc::clone(&tiny)));
        for index in 0..3 {
            let said = messages(&*data, index);
            assert_eq!([&said[0].0, &said[1].0], ["system", "user"]);
            let tokens: usize = said.iter().map(|(_, text)| tiny.encode(text).unwrap().len()).sum();
            assert_eq!(tokens, 90);
        }
    }

    #[test]
    fn a_prefix_before_the_text_is_measured_together_with_it() {
        let tiny = tiny();
        for role in [PrefixRole::User, PrefixRole::System] {
            let (_folder, spec) = with_prefix(role, 57);
            for text in texts(&*open(LINES, spec, Some(Arc::clone(&tiny)))) {
                assert_eq!(tiny.encode(&text).unwrap().len(), 57, "{text}");
            }
        }
    }

    #[test]
    fn a_conversation_beyond_the_target_is_passed_over_and_a_shorter_one_filled_up() {
        let tiny = tiny();
        let (_folder, spec) = with_prefix(PrefixRole::User, 30);
        let long = json!({ "conversation": [{ "human": "one ".repeat(40), "assistant": "a" }, { "human": "b" }] });
        let short = json!({ "conversation": [{ "human": "one", "assistant": "two" }, { "human": "three" }] });
        let spec = Spec { name: "share_gpt_en".to_owned(), ..spec };
        let data = open(&format!("{long}\n{short}\n"), spec, Some(Arc::clone(&tiny)));
        assert_eq!(data.len(), Some(1));
        let said = messages(&*data, 0);
        assert!(said[0].1.ends_with("one") && said[0].1.len() > 3, "{said:?}");
        let tokens: usize = said.iter().map(|(_, text)| tiny.encode(text).unwrap().len()).sum();
        assert_eq!(tokens, 30);
    }

    #[test]
    fn a_line_of_json_cannot_be_fitted() {
        let (_folder, path) = file("{\"prompt\": \"a\"}");
        let length = Some(control(4, InputLengthMode::Cap));
        let spec = Spec { path: Some(path), length, ..lines() };
        let error = dataset::open(&spec, Some(tiny())).unwrap().draw(0, Seed::new(1)).unwrap_err();
        assert!(
            error.to_string().contains(":1: target_input_len applies to plain text only"),
            "{error}"
        );
    }

    #[test]
    fn prompts_can_be_sent_as_ids() {
        let tiny = tiny();
        let spec = Spec { tokenize_prompt: true, ..lines() };
        let data = open(LINES, spec.clone(), Some(Arc::clone(&tiny)));
        assert_eq!(
            data.prompt(0, Seed::new(1)).unwrap(),
            Prompt::Tokens(tiny.encode("one").unwrap())
        );

        let data = open(LINES, Spec { apply_chat_template: true, ..spec }, Some(Arc::clone(&tiny)));
        let Prompt::Tokens(ids) = data.prompt(0, Seed::new(1)).unwrap() else {
            panic!("ids were asked for")
        };
        let whole = tiny.count_messages(&[user("one".to_owned())]).unwrap().unwrap();
        assert_eq!(ids.len() as u32, whole);
    }

    fn arguments(given: Value) -> Result<Option<LengthControl>, String> {
        LengthControl::from_arguments(given.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_those_of_evalscope() {
        assert_eq!(arguments(json!({})), Ok(None));
        assert_eq!(
            arguments(json!({ "target_input_len": 9, "input_len_mode": "drop" })),
            Ok(Some(control(9, InputLengthMode::Drop)))
        );
        let prefix = Some(LongPrefix { file: "book.txt".into(), role: PrefixRole::User });
        assert_eq!(
            arguments(
                json!({ "target_input_len": 9, "prefix_file": "book.txt", "prefix_role": "user" })
            ),
            Ok(Some(LengthControl { prefix, ..control(9, InputLengthMode::Cap) }))
        );
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let refusal = |given| arguments(given).unwrap_err();
        assert!(refusal(json!({ "target_len": 9 })).contains("unknown field `target_len`"));
        assert!(refusal(json!({ "target_input_len": -1 })).contains("-1"));
        assert!(refusal(json!({ "target_input_len": 0 })).contains("above 0"));
        assert!(refusal(json!({ "prefix_file": "x" })).contains("needs a target_input_len"));
        assert!(
            refusal(json!({ "target_input_len": 9, "prefix_file": "x", "input_len_mode": "drop" }))
                .contains("use cap")
        );
    }
}
