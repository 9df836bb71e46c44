//! `timed_trace`: recorded requests with their moments, lengths and shared beginnings, as Mooncake's traces have them.
//!
//! A line tells when a request came, how long it was and its answer, and the hashes of the chunks it was made of. Requests
//! with the same hash get the same random ids there, so that a server's prefix cache finds what it found when the trace was
//! recorded. Other than in vLLM, moments are rebased to the first and lines are sorted by them, a last chunk that is cut
//! short begins as the whole one does, and a prompt longer than its hashes tell is filled up with ids of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::args::{args_with_common, wrong};
use super::exact::{Exact, Form, MOST_TOKENS, Measured};
use super::file::{kind, object};
use super::recorded::{self, Rows};
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "timed_trace",
    help: "a recorded trace: moments, lengths and shared beginnings",
    file: Some(super::File { form: FORM, usual: None }),
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) => Ok(Box::new(TimedTrace::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset timed_trace".to_owned() }),
    },
};

const FORM: &str = "JSON objects, one a line, such as {\"timestamp\": 0.5, \"input_length\": 40, \"output_length\": 9, \
                    \"hash_ids\": [1, 2, 3]}";

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    /// Tokens that a hash stands for.
    chunk_hash_size: u32,
    /// Seconds in one unit of the timestamps.
    sec_multiplier: f64,
    label_timestamp: String,
    label_input_length: String,
    label_output_length: String,
    label_hash_ids: String,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            chunk_hash_size: 16,
            sec_multiplier: 1.0,
            label_timestamp: "timestamp".to_owned(),
            label_input_length: "input_length".to_owned(),
            label_output_length: "output_length".to_owned(),
            label_hash_ids: "hash_ids".to_owned(),
        }
    }
}

/// A recorded request.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    seconds: f64,
    input: u32,
    output: u32,
    chunks: Vec<u64>,
}

#[derive(Debug)]
struct TimedTrace {
    exact: Exact,
    rows: Rows<Row>,
    chunk: usize,
}

impl TimedTrace {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let (common, args) = args_with_common::<Args>(spec)?;
        if args.chunk_hash_size == 0 {
            return Err(wrong(spec, "chunk_hash_size", "a chunk has at least 1 token"));
        }
        if !(args.sec_multiplier.is_finite() && args.sec_multiplier > 0.0) {
            let why = format!("{} is not above 0: give the seconds in a unit", args.sec_multiplier);
            return Err(wrong(spec, "sec_multiplier", why));
        }
        let (path, file) = recorded::open(&ENTRY, spec)?;
        let mut rows = rows(&path, file, &args)?;
        rows.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let rows = Rows::new(path, rows, spec, common.oversample, "it has no lines")?;
        // A server that puts a template around them takes no ids, so there they are sent as the text they spell.
        let form = if spec.apply_chat_template { Form::of(spec) } else { Form::Ids };
        let exact = Exact::new(ENTRY.name, tokenizer, form, Measured::Alone)?;
        Ok(Self { exact, rows, chunk: args.chunk_hash_size as usize })
    }

    /// The ids of a row's prompt: its chunks, and from where they end ids of its own.
    fn ids(&self, row: &Row, seed: Seed, own: &mut ChaCha8Rng) -> Vec<u32> {
        let plain = self.exact.plain();
        let any = |rng: &mut ChaCha8Rng| plain[rng.random_range(0..plain.len())];
        let length = row.input as usize;
        let mut ids = Vec::with_capacity(length);
        for chunk in &row.chunks {
            let mut rng = seed.stream("chunks").at(*chunk).rng();
            let left = length - ids.len();
            ids.extend((0..self.chunk.min(left)).map(|_| any(&mut rng)));
        }
        while ids.len() < length {
            ids.push(any(own));
        }
        ids
    }
}

/// The rows of a file, as they stand there.
fn rows(path: &Path, file: File, args: &Args) -> Result<Vec<Row>, DatasetError> {
    let mut rows = Vec::new();
    for (number, text) in (1..).zip(BufReader::new(file).lines()) {
        let text = text.map_err(|error| recorded::unreadable(path, error))?;
        if text.trim().is_empty() {
            continue;
        }
        let row = object(&text).and_then(|line| row(&line, args)).map_err(|why| {
            DatasetError::Line { path: PathBuf::from(path), line: number, why, form: FORM }
        })?;
        rows.push(row);
    }
    Ok(rows)
}

fn row(line: &Map<String, Value>, args: &Args) -> Result<Row, String> {
    let seconds = match field(line, &args.label_timestamp, "label_timestamp")? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = seconds.map(|at| at * args.sec_multiplier).filter(|at| at.is_finite());
    let Some(seconds) = seconds else {
        return Err(format!("field {} is not a number", args.label_timestamp));
    };
    let chunks = match line.get(&args.label_hash_ids) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(ids)) => {
            let ids = ids.iter().map(chunk).collect::<Option<_>>();
            ids.ok_or_else(|| {
                format!("field {} holds more than numbers and strings", args.label_hash_ids)
            })?
        }
        Some(other) => {
            return Err(format!("field {} is {}, not a list", args.label_hash_ids, kind(other)));
        }
    };
    Ok(Row {
        seconds,
        input: tokens(line, &args.label_input_length, "label_input_length")?,
        output: tokens(line, &args.label_output_length, "label_output_length")?,
        chunks,
    })
}

/// A number of tokens, above zero.
fn tokens(line: &Map<String, Value>, name: &str, setting: &str) -> Result<u32, String> {
    let value = field(line, name, setting)?;
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| (1..=MOST_TOKENS).contains(number)) {
        Some(number) => Ok(number),
        None => Err(format!(
            "field {name} is {value}, not a number of tokens above 0 and up to {MOST_TOKENS}"
        )),
    }
}

fn field<'a>(line: &'a Map<String, Value>, name: &str, setting: &str) -> Result<&'a Value, String> {
    line.get(name).ok_or_else(|| {
        let there: Vec<&str> = line.keys().map(String::as_str).collect();
        format!(
            "field {name} is missing among {}; prompts.args.{setting} names another",
            there.join(", ")
        )
    })
}

/// The address of a chunk's ids.
fn chunk(id: &Value) -> Option<u64> {
    match id {
        Value::Number(number) => {
            number.as_u64().or_else(|| number.as_i64().map(i64::cast_unsigned))
        }
        Value::String(text) => Some(Seed::new(0).stream(text).number()),
        _ => None,
    }
}

impl Dataset for TimedTrace {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let number = self.rows.number(index)?;
        let row = self.rows.at(number);
        let address = seed.stream("prompts").at(number);
        let drawn =
            self.exact.drawn(row.input as usize, address, |own| self.ids(row, seed, own))?;
        Ok(drawn.answered_within(Some(row.output)))
    }

    fn len(&self) -> Option<u64> {
        Some(self.rows.count())
    }

    fn available(&self, wanted: u64) -> Result<u64, DatasetError> {
        Ok(self.rows.available(wanted))
    }

    fn moments(&self, count: u64) -> Result<Option<Vec<Duration>>, DatasetError> {
        self.rows.moments(count, |row| row.seconds).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokometer_wire::Prompt;

    use super::*;
    use crate::dataset;
    use crate::fixtures::{file, spec_of, tiny};

    const TRACE: &str = r#"
{"timestamp": 27.5, "input_length": 10, "output_length": 5, "hash_ids": [1, 2, 3]}
{"timestamp": 20, "input_length": 12, "output_length": 6, "hash_ids": [1, 2, "four"], "more": 1}
{"timestamp": "21.5", "input_length": 14, "output_length": 7, "hash_ids": [1]}

{"timestamp": 30, "input_length": 4, "output_length": 8}
"#;

    fn spec(path: PathBuf, args: Value) -> Spec {
        Spec { path: Some(path), ..spec_of(ENTRY.name, args) }
    }

    fn open(content: &str, args: Value) -> Result<Box<dyn Dataset>, DatasetError> {
        let (_folder, path) = file(content);
        dataset::open(&spec(path, args), Some(tiny()))
    }

    fn chunked() -> Box<dyn Dataset> {
        open(TRACE, json!({ "chunk_hash_size": 4 })).unwrap()
    }

    fn ids(data: &dyn Dataset, index: u64) -> Vec<u32> {
        match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Tokens(ids) => ids,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(content: &str) -> String {
        match open(content, json!({})).unwrap_err() {
            DatasetError::Line { line, why, .. } => format!("{line}: {why}"),
            other => other.to_string(),
        }
    }

    #[test]
    fn rows_come_by_their_moments_which_begin_at_zero() {
        let data = chunked();
        let answers: Vec<u32> = (0..4)
            .map(|index| data.draw(index, Seed::new(1)).unwrap().max_tokens.unwrap())
            .collect();
        assert_eq!(answers, [6, 7, 5, 8]);
        let millis = |data: &dyn Dataset, count| {
            let moments = data.moments(count).unwrap().unwrap();
            moments.iter().map(Duration::as_millis).collect::<Vec<_>>()
        };
        assert_eq!(millis(&*data, 4), [0, 1500, 7500, 10_000]);
        let faster = open(TRACE, json!({ "sec_multiplier": 0.001 })).unwrap();
        assert_eq!(millis(&*faster, 4), [0, 1, 7, 10]);
        assert_eq!(data.available(9).unwrap(), 4);
    }

    #[test]
    fn the_same_hash_gives_the_same_ids_and_another_others() {
        let data = chunked();
        let (full, short, cut) = (ids(&*data, 0), ids(&*data, 1), ids(&*data, 2));
        assert_eq!([full.len(), short.len(), cut.len()], [12, 14, 10]);
        assert_eq!(full[..8], cut[..8], "both begin with the chunks 1 and 2");
        assert_eq!(full[..4], short[..4], "both begin with the chunk 1");
        assert_ne!(full[8..10], cut[8..10], "\"four\" is not 3");
        assert_ne!(full[4..8], short[4..8], "what no hash tells is the prompt's own");
        assert_ne!(full[..4], full[4..8]);
        assert_eq!(data.draw(1, Seed::new(1)).unwrap().tokens, Some(14));
    }

    #[test]
    fn another_seed_gives_other_ids_that_are_shared_alike() {
        let data = chunked();
        let of = |index, seed| match data.prompt(index, Seed::new(seed)).unwrap() {
            Prompt::Tokens(ids) => ids,
            other => panic!("{other:?}"),
        };
        assert_ne!(of(0, 1)[..8], of(0, 2)[..8]);
        assert_eq!(of(0, 2)[..8], of(2, 2)[..8]);
    }

    #[test]
    fn a_cut_chunk_begins_as_the_whole_one() {
        let lines = r#"{"timestamp": 0, "input_length": 8, "output_length": 1, "hash_ids": [7]}
{"timestamp": 1, "input_length": 5, "output_length": 1, "hash_ids": [7, 8]}"#;
        let data = open(lines, json!({ "chunk_hash_size": 8 })).unwrap();
        assert_eq!(ids(&*data, 0)[..5], ids(&*data, 1)[..]);
    }

    #[test]
    fn chat_servers_get_the_text_of_the_ids() {
        let (_folder, path) = file(TRACE);
        let spec =
            Spec { apply_chat_template: true, ..spec(path, json!({ "chunk_hash_size": 4 })) };
        let data = dataset::open(&spec, Some(tiny())).unwrap();
        for (index, length) in [12, 14, 10, 4].into_iter().enumerate() {
            let Prompt::Messages(said) = data.prompt(index as u64, Seed::new(1)).unwrap() else {
                panic!("messages were asked for")
            };
            let text = said[0].content.as_str().unwrap();
            assert_eq!(tiny().encode(text).unwrap().len(), length);
        }
    }

    #[test]
    fn fields_may_have_other_names() {
        let args = json!({
            "label_timestamp": "at", "label_input_length": "in", "label_output_length": "out", "label_hash_ids": "ids",
        });
        let data = open(r#"{"at": 3, "in": 20, "out": 2, "ids": [5, 6]}"#, args).unwrap();
        assert_eq!(ids(&*data, 0).len(), 20);
    }

    #[test]
    fn bad_lines_are_refused_with_line_and_field() {
        assert_eq!(
            refusal("{\"ts\": 1, \"input_length\": 1}"),
            "1: field timestamp is missing among ts, input_length; prompts.args.label_timestamp names another"
        );
        let with = |field: &str, value: Value| {
            let mut line =
                json!({ "timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [] });
            line[field] = value;
            refusal(&format!("\n{line}"))
        };
        assert_eq!(with("timestamp", json!("soon")), "2: field timestamp is not a number");
        assert_eq!(with("timestamp", json!("NaN")), "2: field timestamp is not a number");
        assert_eq!(
            with("input_length", json!(-1)),
            "2: field input_length is -1, not a number of tokens above 0 and up to 67108864"
        );
        assert_eq!(
            with("output_length", json!(0)),
            "2: field output_length is 0, not a number of tokens above 0 and up to 67108864"
        );
        assert_eq!(with("hash_ids", json!(3)), "2: field hash_ids is a number, not a list");
        assert_eq!(
            with("hash_ids", json!([1.5])),
            "2: field hash_ids holds more than numbers and strings"
        );
        assert!(refusal("[1]").starts_with("1: it is a list, not an object"));
        assert!(refusal("{").starts_with("1: it is not JSON"));
        assert!(refusal("\n").contains("gives no prompt: it has no lines"));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let refusal = |args| open(TRACE, args).unwrap_err().to_string();
        assert!(refusal(json!({ "chunk_hash_size": 0 })).contains("prompts.args.chunk_hash_size"));
        assert!(refusal(json!({ "sec_multiplier": 0 })).contains("prompts.args.sec_multiplier"));
        assert!(refusal(json!({ "label": "x" })).contains("prompts.args.label of"));
    }

    #[test]
    fn a_trace_that_must_not_begin_anew_ends() {
        let data = open(TRACE, json!({ "oversample": false })).unwrap();
        assert!(data.draw(4, Seed::new(1)).is_err());
        assert!(data.moments(5).is_err());
        assert_eq!(chunked().moments(5).unwrap().unwrap().len(), 5);
    }
}
