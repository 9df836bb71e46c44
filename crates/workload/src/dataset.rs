//! Datasets: where prompts come from.
//!
//! A dataset gives the prompt of an index; what it gives is a pure function of its files, the seed and the index. A new one is
//! its file and its line in [`DATASETS`]. Files are read as far as prompts are asked for, and nothing is ever downloaded: a
//! dataset that EvalScope would fetch says which file to give instead.

mod custom;
mod file;
mod length;
mod line_by_line;
mod longalpaca;
mod openqa;
mod prompt;
mod random;
mod share_gpt;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use tokometer_wire::Prompt;

use crate::seed::Seed;
use crate::tokenizer::{Tokenizer, TokenizerError};

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
        }
    }
}

/// A prompt as a dataset gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The prompt.
    pub prompt: Prompt,
    /// Its tokens as the server will count them, if they had to be counted to draw it.
    pub tokens: Option<u32>,
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
    openqa::ENTRY,
    longalpaca::ENTRY,
    line_by_line::ENTRY,
    custom::ENTRY,
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
    (entry.open)(spec, tokenizer)
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
        assert_eq!(
            refusal(&Spec { name: "openqs".to_owned(), ..Spec::default() }, None),
            "there is no dataset openqs; there are random, openqa, longalpaca, line_by_line, custom, share_gpt_zh, \
             share_gpt_en"
        );
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
            Drawn {
                prompt: Prompt::Text("hi".to_owned()),
                tokens: Some(tiny().count("hi").unwrap())
            }
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
                Some(file) => assert!(refusal(&spec, None).ends_with(file.form), "{}", entry.name),
                None => drop(open(&spec, Some(tiny())).unwrap()),
            }
        }
    }
}
