//! Datasets: where prompts come from.
//!
//! A dataset gives the prompt of an index; what it gives is a pure function of its files, the seed and the index. A new one is
//! its file and its line in [`DATASETS`]. Files are read as far as prompts are asked for. Nothing is downloaded but what `hf` is asked for
//! by name: a dataset that EvalScope would fetch says which file to give instead.

mod args;
mod burstgpt;
mod custom;
mod custom_audio;
mod custom_image;
mod exact;
mod file;
mod hf;
mod length;
mod line_by_line;
mod longalpaca;
mod media;
mod once;
mod openqa;
mod order;
mod prefix_repetition;
mod prompt;
mod random;
mod random_mm;
mod random_rerank;
mod random_vllm;
mod recorded;
mod rows;
mod sample;
mod share_gpt;
mod sharegpt;
mod skipped;
mod sonnet;
mod spec_bench;
mod speed_bench;
mod timed_trace;
mod wording;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokometer_wire::Prompt;

use crate::seed::Seed;
use crate::tokenizer::{Hub, Tokenizer, TokenizerError};

pub use length::{InputLengthMode, LengthControl, LongPrefix, PrefixRole};

/// Which prompts are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The dataset's name, one of [`DATASETS`].
    pub name: String,
    /// Its file, or a folder that has the file under its usual name.
    pub path: Option<PathBuf>,
    /// Where to begin: prompts of a file are passed over, the vocabulary of `random` is shifted.
    pub offset: u64,
    /// The shortest prompt, chat template included. In tokens, or in characters where there is no tokenizer.
    pub min_prompt_length: u32,
    /// The longest prompt, counted likewise.
    pub max_prompt_length: u32,
    /// Tokens of a prefix that `random` prompts share, on top of their length.
    pub prefix_length: u32,
    /// How many different prefixes there are, used in turn.
    pub prefix_count: u32,
    /// Fits the prompts of real text to a length, instead of passing over those of another.
    pub length: Option<LengthControl>,
    /// One prompt for every request, in place of a dataset: the text, or `@` and a file.
    pub prompt: Option<String>,
    /// Whether prompts go to a chat endpoint, which puts its template around them.
    pub apply_chat_template: bool,
    /// Whether to send token ids in place of text.
    pub tokenize_prompt: bool,
    /// Settings of the dataset's own, as `prompts.args` of a plan holds them. Each dataset reads them into a type of its own
    /// and refuses what it does not know.
    pub args: Map<String, Value>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            name: "openqa".to_owned(),
            path: None,
            offset: 0,
            min_prompt_length: 0,
            max_prompt_length: 131_072,
            prefix_length: 0,
            prefix_count: 1,
            length: None,
            prompt: None,
            apply_chat_template: true,
            tokenize_prompt: false,
            args: Map::new(),
        }
    }
}

/// A prompt as a dataset gives it, and what the dataset asks for beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The prompt.
    pub prompt: Prompt,
    /// Its tokens as the server will count them, if they had to be counted to draw it.
    pub tokens: Option<u32>,
    /// The most tokens that the answer may have, where the dataset knows it. The load's own setting wins over it.
    pub max_tokens: Option<u32>,
    /// Further fields of this request's body (tools, for example), merged last.
    pub extra: Map<String, Value>,
    /// How long the prompt's audio plays, if it has any.
    pub audio: Option<Duration>,
}

impl Drawn {
    /// A prompt of so many tokens, where they were counted.
    pub fn of(prompt: Prompt, tokens: Option<u32>) -> Self {
        Self { prompt, tokens, max_tokens: None, extra: Map::new(), audio: None }
    }

    /// With an answer of at most so many tokens.
    #[must_use]
    pub fn answered_within(self, max_tokens: Option<u32>) -> Self {
        Self { max_tokens, ..self }
    }
}

/// Gives prompts by index.
pub trait Dataset: Send + Sync + Debug {
    /// The prompt of the request with this index. Beyond its end a dataset begins anew.
    ///
    /// # Errors
    /// If the dataset is empty, the file is not what it should be up to where this prompt is, or no text of the wanted
    /// length can be made.
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError>;

    /// The prompt of the request with this index, by itself.
    ///
    /// # Errors
    /// As for [`Dataset::draw`].
    fn prompt(&self, index: u64, seed: Seed) -> Result<Prompt, DatasetError> {
        self.draw(index, seed).map(|drawn| drawn.prompt)
    }

    /// How many different prompts there are, once that is known: `None` for endless datasets, and for files that were not
    /// read to their end.
    fn len(&self) -> Option<u64>;

    /// How many of the first `wanted` prompts there are before the dataset begins anew: `wanted` where it has enough. Reads a
    /// file as far as that takes.
    ///
    /// # Errors
    /// As for [`Dataset::draw`].
    fn available(&self, wanted: u64) -> Result<u64, DatasetError> {
        Ok(wanted)
    }

    /// The moments at which the first `count` requests were sent when the dataset was recorded, rebased so that the first is
    /// at zero, never going back. `None` if it tells none.
    ///
    /// # Errors
    /// As for [`Dataset::draw`].
    fn moments(&self, count: u64) -> Result<Option<Vec<Duration>>, DatasetError> {
        let _ = count;
        Ok(None)
    }

    /// Whether it is known to have no prompts.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

/// A dataset that plans can name.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub help: &'static str,
    /// The file it reads, `None` if it needs none.
    pub file: Option<File>,
    /// Whether it cannot do without a tokenizer.
    pub needs_tokenizer: bool,
    /// Whether [`Spec::length`] applies to it.
    pub length_control: bool,
    /// Whether it has settings of its own, [`Spec::args`].
    pub takes_args: bool,
    open: Open,
}

type Open = fn(&Spec, Option<Arc<dyn Tokenizer>>) -> Result<Box<dyn Dataset>, DatasetError>;

/// The file that a dataset reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// What is in it, with an example.
    pub form: &'static str,
    /// Its usual name, under which it is looked for in a folder.
    pub usual: Option<&'static str>,
}

/// Every dataset, in the order in which help texts list them.
pub const DATASETS: &[Entry] = &[
    random::ENTRY,
    random_mm::ENTRY,
    random_rerank::ENTRY,
    prefix_repetition::ENTRY,
    burstgpt::ENTRY,
    timed_trace::ENTRY,
    openqa::ENTRY,
    longalpaca::ENTRY,
    line_by_line::ENTRY,
    custom::ENTRY,
    sharegpt::ENTRY,
    sonnet::ENTRY,
    custom_image::ENTRY,
    custom_audio::ENTRY,
    spec_bench::ENTRY,
    speed_bench::ENTRY,
    hf::ENTRY,
    share_gpt::ENTRY_ZH,
    share_gpt::ENTRY_EN,
];

/// Opens what `spec` describes: its one prompt if it has one, else its dataset.
///
/// # Errors
/// If there is no dataset of that name, it lacks its file or its tokenizer, or settings contradict each other.
pub fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    open_from(spec, tokenizer, &Hub::from_env())
}

/// As [`open`], where what a dataset fetches by name or address comes by way of this hub.
///
/// # Errors
/// As for [`open`].
pub fn open_from(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
    hub: &Hub,
) -> Result<Box<dyn Dataset>, DatasetError> {
    if spec.tokenize_prompt && tokenizer.is_none() {
        return Err(DatasetError::NoTokenizer { what: "--tokenize-prompt".to_owned() });
    }
    if spec.prompt.is_some() {
        return prompt::open(spec, tokenizer);
    }
    let Some(entry) = DATASETS.iter().find(|entry| entry.name == spec.name) else {
        let known: Vec<&str> = DATASETS.iter().map(|entry| entry.name).collect();
        return Err(DatasetError::Unknown { name: spec.name.clone(), known: known.join(", ") });
    };
    check(spec, entry, tokenizer.is_some())?;
    match entry.name {
        "hf" => hf::open(spec, tokenizer, hub),
        "custom_image" => custom_image::open(spec, tokenizer, hub),
        _ => (entry.open)(spec, tokenizer),
    }
}

/// Whether the settings go together, and with this dataset.
fn check(spec: &Spec, entry: &Entry, has_tokenizer: bool) -> Result<(), DatasetError> {
    let setting = |why: String| Err(DatasetError::Setting { dataset: entry.name, why });
    if entry.needs_tokenizer && !has_tokenizer {
        return Err(DatasetError::NoTokenizer { what: format!("--dataset {}", entry.name) });
    }
    if spec.min_prompt_length > spec.max_prompt_length {
        return setting(format!(
            "--min-prompt-length {} is above --max-prompt-length {}",
            spec.min_prompt_length, spec.max_prompt_length
        ));
    }
    if spec.length.is_some() {
        if !entry.length_control {
            return setting("target_input_len does not apply to it".to_owned());
        }
        if !has_tokenizer {
            return Err(DatasetError::NoTokenizer { what: "target_input_len".to_owned() });
        }
    }
    if let (false, Some(name)) = (entry.takes_args, spec.args.keys().next()) {
        return Err(args::wrong(spec, name, "this dataset has no settings of its own"));
    }
    match spec.prefix_count {
        0 => setting("--prefix-count must be at least 1".to_owned()),
        1 => Ok(()),
        _ if entry.name != random::ENTRY.name => {
            setting("--prefix-count above 1 is for --dataset random".to_owned())
        }
        _ if spec.prefix_length == 0 => {
            setting("--prefix-count above 1 needs a --prefix-length".to_owned())
        }
        _ => Ok(()),
    }
}

/// Why a dataset could not be opened, or has no such prompt.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no dataset of that name.
    #[error("there is no dataset {name}; there are {known}")]
    Unknown {
        /// As given.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A dataset of files was given none.
    #[error("--dataset {dataset} needs --dataset-path, for nothing is downloaded: give {form}")]
    NoPath {
        /// The dataset.
        dataset: &'static str,
        /// What the file should hold.
        form: &'static str,
    },
    /// Something that counts tokens was given no tokenizer.
    #[error(
        "{what} needs a tokenizer: give --tokenizer-path a folder with a tokenizer.json, or a hub's name"
    )]
    NoTokenizer {
        /// What needs it.
        what: String,
    },
    /// Settings contradict each other or the dataset.
    #[error("--dataset {dataset} cannot be used so: {why}")]
    Setting {
        /// The dataset.
        dataset: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The arguments of the dataset are not what they should be.
    #[error("--dataset-args is not usable: {why}")]
    Arguments {
        /// What is wrong.
        why: String,
    },
    /// A setting of the dataset's own is not what it should be.
    #[error("prompts.args.{field} of the dataset {dataset}: {why}")]
    Argument {
        /// The dataset.
        dataset: String,
        /// The setting, `range_ratio.input` for one inside another.
        field: String,
        /// What is wrong.
        why: String,
    },
    /// A prompt beyond the dataset's end was wanted, and it is not to begin anew.
    #[error(
        "{path} has only {available} prompts, and is not to begin anew: ask for fewer, or allow oversample"
    )]
    Exhausted {
        /// The file.
        path: PathBuf,
        /// How many there are.
        available: u64,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: Arc<std::io::Error>,
    },
    /// A line of a file is not what it should be.
    #[error("{path}:{line}: {why}; the file should be {form}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, with the field's name.
        why: String,
        /// What the file should hold.
        form: &'static str,
    },
    /// A row of a file is not what it should be.
    #[error("{path}, row {row}: {why}; the file should be {form}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: u64,
        /// What is wrong, with the column's name.
        why: String,
        /// What the file should hold.
        form: &'static str,
    },
    /// A hub does not have the data set, or cannot be reached.
    #[error("cannot get the data set {name}: {}; {hint}", tried.join("; "))]
    Hub {
        /// Its name.
        name: String,
        /// For each place that was asked, what it said.
        tried: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// The file has no prompts, or none of the wanted length.
    #[error("{path} gives no prompt: {why}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// How that comes.
        why: String,
    },
    /// No text of the wanted length was found.
    #[error(
        "no random text of exactly {tokens} tokens was found with the tokenizer {tokenizer}; use --tokenize-prompt, which \
         sends ids and no text"
    )]
    Length {
        /// The length wanted, template included.
        tokens: usize,
        /// The tokenizer.
        tokenizer: String,
    },
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::tiny;

    fn refusal(spec: &Spec, tokenizer: Option<Arc<dyn Tokenizer>>) -> String {
        open(spec, tokenizer).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_dataset_is_refused_with_those_there_are() {
        let error = refusal(&Spec { name: "openqs".to_owned(), ..Spec::default() }, None);
        let known = error.strip_prefix("there is no dataset openqs; there are ").unwrap();
        assert!(known.split(", ").eq(DATASETS.iter().map(|entry| entry.name)), "{known}");
    }

    #[test]
    fn random_prompts_need_a_tokenizer() {
        let error = refusal(&Spec { name: "random".to_owned(), ..Spec::default() }, None);
        assert!(error.starts_with("--dataset random needs a tokenizer:"), "{error}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let refused = |spec| refusal(&spec, Some(tiny()));
        let random = || Spec { name: "random".to_owned(), ..Spec::default() };
        assert!(
            refused(Spec { min_prompt_length: 9, max_prompt_length: 8, ..random() })
                .contains("9 is above --max-prompt-length 8")
        );
        assert!(refused(Spec { prefix_count: 2, ..random() }).contains("needs a --prefix-length"));
        assert!(refused(Spec { prefix_count: 0, ..random() }).contains("at least 1"));
        assert!(
            refused(Spec { prefix_count: 2, ..Spec::default() })
                .contains("is for --dataset random")
        );
        let length = Some(LengthControl { target: 9, mode: InputLengthMode::Cap, prefix: None });
        assert!(refused(Spec { length, ..random() }).contains("target_input_len does not apply"));
    }

    #[test]
    fn one_prompt_takes_the_place_of_a_dataset() {
        let spec =
            Spec { prompt: Some("hi".to_owned()), apply_chat_template: false, ..Spec::default() };
        let drawn = open(&spec, Some(tiny())).unwrap().draw(7, Seed::new(1)).unwrap();
        assert_eq!(
            drawn,
            Drawn::of(Prompt::Text("hi".to_owned()), Some(tiny().count("hi").unwrap()))
        );
    }

    #[test]
    fn one_prompt_is_taken_as_it_is_whatever_it_begins_with() {
        let spec = Spec {
            prompt: Some("@everyone: hello".to_owned()),
            apply_chat_template: false,
            ..Spec::default()
        };
        assert_eq!(
            open(&spec, None).unwrap().prompt(0, Seed::new(1)).unwrap(),
            Prompt::Text("@everyone: hello".to_owned())
        );
    }

    #[test]
    fn every_dataset_of_files_says_what_file_it_reads() {
        for entry in DATASETS {
            let spec = Spec { name: entry.name.to_owned(), ..Spec::default() };
            match entry.file {
                Some(file) => {
                    assert!(refusal(&spec, Some(tiny())).ends_with(file.form), "{}", entry.name);
                }
                None => drop(open(&spec, Some(tiny())).unwrap()),
            }
        }
    }
}
