//! Datasets in files: read line by line or element by element, no further than prompts are asked for.
//!
//! What a line means is each dataset's own affair. A bad line is an error that names it, at the moment at which its prompt
//! would be needed; lines beyond the last prompt asked for are not looked at.

mod items;

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

pub(super) use self::items::{Items, Layout, Trouble};
use super::length::{Fate, Passed, Raw, Shape};
use super::sample::in_parallel;
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

/// How one item of a file is read: `None` if there is nothing to ask in it, an error with what is wrong and in which field.
pub(super) type Read = fn(&str) -> Result<Option<Raw>, String>;

/// A dataset in a file.
pub(super) struct Filed {
    path: PathBuf,
    form: &'static str,
    read: Read,
    shape: Shape,
    offset: u64,
    /// Prompts are wanted by several threads, in about the order of the file; whichever comes first reads on.
    state: Mutex<State>,
}

struct State {
    rest: Rest,
    kept: Vec<Drawn>,
    passed: Passed,
}

/// What there is left of the file.
enum Rest {
    /// It may hold more.
    More(Items),
    /// Nothing.
    End,
    /// A bad line.
    Bad(DatasetError),
}

/// Opens the file that `spec` names.
pub(super) fn open(
    entry: &Entry,
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
    layout: Layout,
    read: Read,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let form = entry.file.map_or("a file", |file| file.form);
    let path = path(entry, spec)?;
    let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
    let items = Items::new(file, layout).map_err(|error| unreadable(&path, error))?;
    Ok(Box::new(Filed {
        path,
        form,
        read,
        shape: Shape::new(spec, tokenizer)?,
        offset: spec.offset,
        state: Mutex::new(State {
            rest: Rest::More(items),
            kept: Vec::new(),
            passed: Passed::default(),
        }),
    }))
}

/// The file that `spec` names, or the one of the usual name in the folder that it names.
pub(super) fn path(entry: &Entry, spec: &Spec) -> Result<PathBuf, DatasetError> {
    let wanted = entry.file.unwrap_or(super::File { form: "a file", usual: None });
    let Some(path) = &spec.path else {
        return Err(DatasetError::NoPath { dataset: entry.name, form: wanted.form });
    };
    Ok(match wanted.usual {
        Some(usual) if path.is_dir() => path.join(usual),
        _ => path.clone(),
    })
}

/// The string in a field of an item that is a JSON object.
pub(super) fn field<'a>(item: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match item.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("field {name} is {}, not a string", kind(other))),
        None => Err(format!("field {name} is missing")),
    }
}

/// An item as a JSON object.
pub(super) fn object(item: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(item) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("it is {}, not an object", kind(&other))),
        Err(error) if error.is_eof() && item.trim_start().starts_with('[') => {
            Err("it begins a list, where each line should be an object".to_owned())
        }
        Err(error) => Err(format!("it is not JSON: {}", without_line(&error))),
    }
}

/// What a JSON value is, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What is wrong, without the line inside the item, which would be taken for the file's.
pub(super) fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

/// A whole file of text.
pub(super) fn whole(path: &Path) -> Result<String, DatasetError> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

/// The error for a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> DatasetError {
    DatasetError::Read { path: path.to_owned(), source: Arc::new(error) }
}

impl Dataset for Filed {
    fn draw(&self, index: u64, _seed: Seed) -> Result<Drawn, DatasetError> {
        let wanted = self.offset.saturating_add(index);
        // A thread that panicked meanwhile has left at worst fewer prompts behind.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let known = state.kept.len() as u64;
            if wanted < known {
                return Ok(state.kept[wanted as usize].clone());
            }
            match &state.rest {
                Rest::More(_) => self.read_on(&mut state),
                Rest::Bad(error) => return Err(error.clone()),
                Rest::End if known == 0 => return Err(self.empty(&state.passed)),
                Rest::End => return Ok(state.kept[(wanted % known) as usize].clone()),
            }
        }
    }

    fn len(&self) -> Option<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(state.rest, Rest::End).then_some(state.kept.len() as u64)
    }
}

impl Filed {
    /// Reads some items further.
    fn read_on(&self, state: &mut State) {
        let Rest::More(mut items) = mem::replace(&mut state.rest, Rest::End) else { return };
        let mut batch = Vec::with_capacity(AT_ONCE);
        let mut rest = None;
        while rest.is_none() && batch.len() < AT_ONCE {
            match items.next() {
                Ok(Some(item)) => batch.push(item),
                Ok(None) => rest = Some(Rest::End),
                Err((line, Trouble::Form(why))) => rest = Some(Rest::Bad(self.bad(line, why))),
                Err((_, Trouble::Io(error))) => {
                    rest = Some(Rest::Bad(unreadable(&self.path, error)));
                }
            }
        }
        for fate in in_parallel(batch, |item| self.fate(&item)) {
            match fate {
                Ok(None) => {}
                Ok(Some(Fate::Kept(drawn))) => state.kept.push(drawn),
                Ok(Some(Fate::Passed(length))) => state.passed.note(length),
                Err(error) => {
                    state.rest = Rest::Bad(error);
                    return;
                }
            }
        }
        state.rest = rest.unwrap_or(Rest::More(items));
    }

    fn fate(&self, (line, text): &(u64, String)) -> Result<Option<Fate>, DatasetError> {
        let Some(raw) = (self.read)(text).map_err(|why| self.bad(*line, why))? else {
            return Ok(None);
        };
        if matches!(raw, Raw::Ready(_)) && self.shape.fits() {
            let why =
                "target_input_len applies to plain text only, and this line is JSON".to_owned();
            return Err(self.bad(*line, why));
        }
        Ok(Some(self.shape.apply(raw)?))
    }

    fn bad(&self, line: u64, why: String) -> DatasetError {
        DatasetError::Line { path: self.path.clone(), line, why, form: self.form }
    }

    fn empty(&self, passed: &Passed) -> DatasetError {
        let why = match passed.told() {
            Some(told) => format!(
                "{told} {}; change --min-prompt-length, --max-prompt-length or target_input_len",
                self.shape.unit()
            ),
            None => format!("it should be {}", self.form),
        };
        DatasetError::Empty { path: self.path.clone(), why }
    }
}

impl fmt::Debug for Filed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filed")
            .field("path", &self.path)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// Items that are looked at together.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokometer_wire::Prompt;

    use super::super::{self as dataset, DATASETS};
    use super::*;
    use crate::fixtures::{file, tiny};

    fn spec(name: &str, path: &Path) -> Spec {
        Spec { name: name.to_owned(), path: Some(path.to_owned()), ..Spec::default() }
    }

    fn text(data: &dyn Dataset, index: u64) -> String {
        match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Messages(messages) => messages[0].content.as_str().unwrap().to_owned(),
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    fn error(name: &str, content: &str) -> String {
        let (_folder, path) = file(content);
        let opened = dataset::open(&spec(name, &path), None);
        let error = opened.and_then(|data| data.draw(0, Seed::new(1))).unwrap_err().to_string();
        error.replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn prompts_come_in_the_files_order_and_begin_anew() {
        let (_folder, path) = file("a\nb\n\n  c  \r\n");
        let data = dataset::open(&spec("custom", &path), None).unwrap();
        assert_eq!(data.len(), None);
        assert_eq!([0, 1, 2, 3, 7].map(|index| text(&*data, index)), ["a", "b", "c", "a", "b"]);
        assert_eq!(data.len(), Some(3));
    }

    #[test]
    fn an_offset_passes_over_prompts() {
        let (_folder, path) = file("a\nb\nc");
        let data = dataset::open(&Spec { offset: 5, ..spec("custom", &path) }, None).unwrap();
        assert_eq!([0, 1].map(|index| text(&*data, index)), ["c", "a"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let (_folder, path) = file("\u{feff}a");
        assert_eq!(text(&*dataset::open(&spec("custom", &path), None).unwrap(), 0), "a");
    }

    #[test]
    fn a_bad_line_is_named_when_its_prompt_is_wanted() {
        let (_folder, path) = file("{\"question\": \"a\"}\n\n{\"question\": 3}\n");
        let data = dataset::open(&spec("openqa", &path), None).unwrap();
        assert_eq!(text(&*data, 0), "a");
        let error = data.prompt(1, Seed::new(1)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "{}:3: field question is a number, not a string; the file should be JSON lines such as \
                 {{\"question\": \"…\"}}, for example open_qa.jsonl of HC3-Chinese",
                path.display()
            )
        );
        assert_eq!(text(&*data, 0), "a");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        let told =
            |name, content| error(name, content).split("; the file").next().unwrap().to_owned();
        assert_eq!(
            told("openqa", "{"),
            "FILE:1: it is not JSON: EOF while parsing an object at column 1"
        );
        assert_eq!(told("openqa", "[]"), "FILE:1: it is a list, not an object");
        assert_eq!(
            told("openqa", "[\n{\"question\": \"a\"}\n]\n"),
            "FILE:1: it begins a list, where each line should be an object"
        );
        assert_eq!(told("openqa", "{}"), "FILE:1: field question is missing");
        assert_eq!(told("longalpaca", "[\n{}]"), "FILE:2: field instruction is missing");
        assert_eq!(
            told("longalpaca", "[{\"instruction\": \"a\"} {}]"),
            "FILE:1: it is not JSON: trailing characters at column 22"
        );
        assert_eq!(told("longalpaca", "["), "FILE:1: the file ends inside its list");
        assert_eq!(told("line_by_line", "[]"), "FILE:1: its list of messages is empty");
        assert_eq!(
            told("line_by_line", "[{\"role\": \"user\"}]"),
            "FILE:1: message 1: field content is missing"
        );
        assert_eq!(told("line_by_line", "[1]"), "FILE:1: message 1 is a number, not an object");
        assert_eq!(
            told("line_by_line", "{\"temperature\": 1}"),
            "FILE:1: its body has neither a field messages nor a field prompt"
        );
        assert_eq!(told("share_gpt_zh", "{}"), "FILE:1: field conversation is missing");
        assert_eq!(
            told("share_gpt_en", "{\"conversation\": [{\"human\": 1}]}"),
            "FILE:1: turn 1: field human is a number, not a string"
        );
        assert_eq!(
            told("custom", ""),
            "FILE gives no prompt: it should be plain text with one prompt a line, or a .jsonl file of objects such as {\"prompt\": \"…\", \"output_tokens\": 100}"
        );
    }

    #[test]
    fn a_file_that_is_not_text_is_named() {
        let (_folder, path) = file(b"a\n\xff\n");
        let data = dataset::open(&spec("custom", &path), None).unwrap();
        let error = data.prompt(1, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains(":2: it is not UTF-8"), "{error}");
    }

    #[test]
    fn a_list_may_lie_in_lines_of_its_own_or_not() {
        let first = r#"{"instruction": " a, ]\"[ ", "input": [1, {"x": "}"}]}"#;
        let second = r#"{"instruction": "b"}"#;
        for content in [
            format!("[{first},{second}]"),
            format!(" [\n {first}\n ,\n{second}\n]\n"),
            format!("{first}\n{second}\n"),
        ] {
            let (_folder, path) = file(content);
            let data = dataset::open(&spec("longalpaca", &path), None).unwrap();
            assert_eq!([0, 1, 2].map(|index| text(&*data, index)), ["a, ]\"[", "b", "a, ]\"["]);
        }
    }

    #[test]
    fn a_conversation_ends_with_the_user() {
        let (_folder, path) = file(
            r#"{"conversation": [{"human": " a ", "assistant": "b"}, {"human": "", "assistant": "x"}, {"human": "c", "assistant": "d"}]}"#,
        );
        let data = dataset::open(&spec("share_gpt_zh", &path), None).unwrap();
        let Prompt::Messages(messages) = data.prompt(0, Seed::new(1)).unwrap() else {
            panic!("messages were expected")
        };
        let said: Vec<(&str, &str)> =
            messages.iter().map(|m| (m.role.as_str(), m.content.as_str().unwrap())).collect();
        assert_eq!(said, [("user", "a"), ("assistant", "b"), ("user", "c")]);
    }

    #[test]
    fn a_line_is_text_or_messages_or_a_body() {
        let (_folder, path) = file(
            "text\n[{\"role\": \"user\", \"content\": \"m\"}]\n{\"prompt\": \"p\", \"n\": 2}\n12\n\"q\"\n",
        );
        let data = dataset::open(
            &Spec { apply_chat_template: false, ..spec("line_by_line", &path) },
            None,
        )
        .unwrap();
        let prompt = |index| data.prompt(index, Seed::new(1)).unwrap();
        assert_eq!(prompt(0), Prompt::Text("text".to_owned()));
        assert!(matches!(prompt(1), Prompt::Messages(messages) if messages[0].content == "m"));
        assert!(matches!(prompt(2), Prompt::Body(body) if body["n"] == 2));
        assert_eq!([prompt(3), prompt(4)], ["12", "q"].map(|text| Prompt::Text(text.to_owned())));
    }

    #[test]
    fn a_folder_has_the_file_under_its_usual_name() {
        let (folder, path) = file("");
        std::fs::rename(path, folder.path().join("open_qa.jsonl")).unwrap();
        std::fs::write(folder.path().join("open_qa.jsonl"), r#"{"question": "a"}"#).unwrap();
        assert_eq!(text(&*dataset::open(&spec("openqa", folder.path()), None).unwrap(), 0), "a");
    }

    #[test]
    fn a_dataset_that_would_be_downloaded_says_what_to_give() {
        let without = Spec { name: "longalpaca".to_owned(), ..Spec::default() };
        assert_eq!(
            dataset::open(&without, None).unwrap_err().to_string(),
            "--dataset longalpaca needs --dataset-path, for nothing is downloaded: give a JSON list such as \
             [{\"instruction\": \"…\"}, …], for example LongAlpaca-12k.json"
        );
    }

    #[test]
    fn more_lines_than_are_looked_at_together_keep_their_order() {
        let lines: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
        let (_folder, path) = file(lines.join("\n"));
        let data =
            dataset::open(&Spec { min_prompt_length: 1, ..spec("custom", &path) }, Some(tiny()))
                .unwrap();
        for index in [299, 0, 64, 128, 300] {
            assert_eq!(text(&*data, index), format!("line {}", index % 300));
        }
    }

    fn in_files() -> Vec<&'static str> {
        let in_files = DATASETS.iter().filter(|entry| entry.file.is_some());
        in_files.map(|entry| entry.name).collect()
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused_and_never_panics(
            content in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                r#"([\[\]{},:"\n a]|\{"question": ?|"instruction"|"conversation"|"conversations"|"value"|"prompt"|"turns"|"messages"|"audio"|"human"|"role"|"content"|null|1e9|\\u00){0,40}"#
                    .prop_map(String::into_bytes),
            ],
            name in prop_oneof![Just("data"), Just("data.jsonl"), Just("data.json"), Just("data.csv"), Just("data.parquet")],
            dataset in proptest::sample::select(in_files()),
            with_tokenizer: bool,
            ids: bool,
        ) {
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let tokenizer = (with_tokenizer || ids).then(tiny);
            let spec = Spec { tokenize_prompt: ids, min_prompt_length: 1, ..spec(dataset, &path) };
            if let Ok(data) = dataset::open(&spec, tokenizer) {
                for index in [0, 1, 100] {
                    drop(data.draw(index, Seed::new(1)));
                }
            }
        }

        #[test]
        fn the_elements_of_any_list_are_found(texts in proptest::collection::vec(".{0,20}", 1..20), spaces in "[ \n\t]{0,3}") {
            let elements: Vec<String> = texts
                .iter()
                .map(|text| serde_json::json!({ "instruction": format!("x{text}x"), "more": [text] }).to_string())
                .collect();
            let (_folder, path) = file(format!("{spaces}[{spaces}{}{spaces}]", elements.join(&format!("{spaces},{spaces}"))));
            let data = dataset::open(&spec("longalpaca", &path), None).unwrap();
            for (index, expected) in (0..).zip(&texts) {
                prop_assert_eq!(text(&*data, index), format!("x{expected}x"));
            }
        }
    }
}
