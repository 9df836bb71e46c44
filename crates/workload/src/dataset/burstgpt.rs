//! `burstgpt`: lengths, and where asked for moments, of a service's recorded requests, with random text of those lengths.
//!
//! The file is the table of BurstGPT (<https://github.com/HPMLL/BurstGPT>). Of its rows those of GPT-4 that were answered
//! are used. They come in an order drawn by the seed, each once before one comes again, or in the order of their moments, in
//! which case the moments can be kept to; vLLM never looks at them. The text has nothing to do with what was asked of the
//! service.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;

use super::args::args_with_common;
use super::exact::{Exact, Form, MOST_TOKENS, Measured};
use super::order::shuffled;
use super::random_vllm::stretch;
use super::recorded::{self, Rows};
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "burstgpt",
    help: "lengths of BurstGPT's requests, with random text",
    file: Some(super::File { form: FORM, usual: Some("BurstGPT_without_fails_2.csv") }),
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) => Ok(Box::new(BurstGpt::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset burstgpt".to_owned() }),
    },
};

const FORM: &str =
    "BurstGPT's CSV with the columns Timestamp, Model, Request tokens and Response tokens";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    /// Tokens of every answer, in place of what was recorded.
    output_len: Option<u32>,
    /// Whether rows come in the order of their moments, which can then be kept to.
    in_order: bool,
}

/// A recorded request.
#[derive(Clone, Copy, Debug)]
struct Row {
    seconds: f64,
    input: u32,
    output: u32,
}

#[derive(Debug)]
struct BurstGpt {
    exact: Exact,
    rows: Rows<Row>,
    order: Order,
    output: Option<u32>,
}

/// In which order rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Drawn,
    OfFile,
    OfMoments,
}

impl BurstGpt {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let (common, args) = args_with_common::<Args>(spec)?;
        let order = match (args.in_order, common.shuffle) {
            (true, _) => Order::OfMoments,
            (false, true) => Order::Drawn,
            (false, false) => Order::OfFile,
        };
        let (path, file) = recorded::open(&ENTRY, spec)?;
        let mut rows = Table::open(&path, file, order)?.rows()?;
        rows.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let why = "none of its rows is a request to GPT-4 that was answered";
        let rows = Rows::new(path, rows, spec, common.oversample, why)?;
        let exact = Exact::new(ENTRY.name, tokenizer, Form::of(spec), Measured::Alone)?;
        Ok(Self { exact, rows, order, output: args.output_len })
    }
}

/// The table, and where in it the columns are.
struct Table<'a> {
    path: &'a Path,
    reader: Reader<File>,
    model: usize,
    request: usize,
    response: usize,
    /// Only looked at where it matters.
    timestamp: Option<usize>,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path, file: File, order: Order) -> Result<Self, DatasetError> {
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
        let headers = reader.headers().map_err(|error| broken(path, error))?.clone();
        let column = |name: &str| {
            headers
                .iter()
                .position(|header| header.trim_start_matches('\u{feff}') == name)
                .ok_or_else(|| line(path, 1, format!("the column {name} is missing")))
        };
        Ok(Self {
            path,
            model: column(MODEL)?,
            request: column(REQUEST)?,
            response: column(RESPONSE)?,
            timestamp: match order {
                Order::OfMoments => Some(column(TIMESTAMP)?),
                Order::Drawn | Order::OfFile => None,
            },
            reader,
        })
    }

    fn rows(mut self) -> Result<Vec<Row>, DatasetError> {
        let mut rows = Vec::new();
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record).map_err(|error| broken(self.path, error))? {
            if record.get(self.model) != Some(THE_MODEL) {
                continue;
            }
            let at = record.position().map_or(0, csv::Position::line);
            let field = |column: usize, name: &str| {
                let text = record.get(column).unwrap_or_default();
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number
                    .ok_or_else(|| line(self.path, at, format!("{name} is {text:?}, not a number")))
            };
            let tokens = |column: usize, name: &str| {
                let number = field(column, name)?;
                if number.fract() != 0.0 || !(0.0..=f64::from(MOST_TOKENS)).contains(&number) {
                    return Err(line(
                        self.path,
                        at,
                        format!("{name} is {number}, not a number of tokens"),
                    ));
                }
                Ok(number as u32)
            };
            let (input, output) =
                (tokens(self.request, REQUEST)?, tokens(self.response, RESPONSE)?);
            let seconds = match self.timestamp {
                Some(column) => field(column, TIMESTAMP)?,
                None => 0.0,
            };
            if input > 0 && output > 0 {
                rows.push(Row { seconds, input, output });
            }
        }
        Ok(rows)
    }
}

fn broken(path: &Path, error: csv::Error) -> DatasetError {
    let at = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) => recorded::unreadable(path, error),
        ErrorKind::Utf8 { .. } => line(path, at, "it is not UTF-8".to_owned()),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            line(path, at, format!("it has {len} columns, where the first line has {expected_len}"))
        }
        _ => line(path, at, "it is not CSV".to_owned()),
    }
}

fn line(path: &Path, line: u64, why: String) -> DatasetError {
    DatasetError::Line { path: PathBuf::from(path), line, why, form: FORM }
}

impl Dataset for BurstGpt {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let number = self.rows.number(index)?;
        let count = self.rows.count();
        let place = match self.order {
            Order::Drawn => {
                shuffled(number % count, count, seed.stream("order").at(number / count))
            }
            Order::OfFile | Order::OfMoments => number,
        };
        let row = *self.rows.at(place);
        let length = row.input as usize;
        let drawn = self.exact.drawn(length, seed.stream("prompts").at(number), |rng| {
            stretch(self.exact.plain(), length, number, rng).collect()
        })?;
        Ok(drawn.answered_within(Some(self.output.unwrap_or(row.output))))
    }

    fn len(&self) -> Option<u64> {
        Some(self.rows.count())
    }

    fn available(&self, wanted: u64) -> Result<u64, DatasetError> {
        Ok(self.rows.available(wanted))
    }

    fn moments(&self, count: u64) -> Result<Option<Vec<Duration>>, DatasetError> {
        match self.order {
            Order::OfMoments => self.rows.moments(count, |row| row.seconds).map(Some),
            Order::Drawn | Order::OfFile => Ok(None),
        }
    }
}

const TIMESTAMP: &str = "Timestamp";
const MODEL: &str = "Model";
const REQUEST: &str = "Request tokens";
const RESPONSE: &str = "Response tokens";
const THE_MODEL: &str = "GPT-4";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use tokometer_wire::Prompt;

    use super::*;
    use crate::dataset;
    use crate::fixtures::{file, spec_of, tiny};

    const HEAD: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

    fn table() -> String {
        // Answered by GPT-4 are six, with 11 to 16 tokens each way.
        format!(
            "{HEAD}5,GPT-4,11,21,32,API log\n6.5,ChatGPT,x,y,z,API log\n7,GPT-4,12,22,34,API log\n\
             9,GPT-4,13,23,36,API log\n9,GPT-4,99,0,99,API log\n12.5,GPT-4,14,24,38,API log\n\
             13,GPT-4,15.0,25,40,API log\n15,GPT-4,16,26,42,\"Conversation\nlog\"\n"
        )
    }

    fn spec(path: PathBuf, args: Value) -> Spec {
        Spec { path: Some(path), ..spec_of(ENTRY.name, args) }
    }

    fn open(content: &str, args: Value) -> Result<Box<dyn Dataset>, DatasetError> {
        let (_folder, path) = file(content);
        dataset::open(&spec(path, args), Some(tiny()))
    }

    fn refusal(content: &str, args: Value) -> String {
        let error = open(content, args).unwrap_err();
        match error {
            DatasetError::Line { line, why, .. } => format!("{line}: {why}"),
            other => other.to_string(),
        }
    }

    /// Tokens asked and answered.
    fn lengths(data: &dyn Dataset, index: u64) -> (usize, u32) {
        let drawn = data.draw(index, Seed::new(1)).unwrap();
        let Prompt::Text(text) = drawn.prompt else { panic!("text was asked for") };
        (tiny().encode(&text).unwrap().len(), drawn.max_tokens.unwrap())
    }

    #[test]
    fn answered_requests_to_gpt_4_come_once_each_before_one_comes_again() {
        let data = open(&table(), json!({})).unwrap();
        assert_eq!(data.len(), Some(6));
        let round = |begin: u64| (begin..begin + 6).map(|index| lengths(&*data, index));
        let wanted: BTreeSet<(usize, u32)> = (1..=6).map(|n| (10 + n as usize, 20 + n)).collect();
        assert_eq!(round(0).collect::<BTreeSet<_>>(), wanted);
        assert_eq!(round(6).collect::<BTreeSet<_>>(), wanted);
        assert!(!round(0).eq(round(6)), "every round has an order of its own");
        assert_eq!(data.moments(3).unwrap(), None);
        assert_eq!((data.available(4).unwrap(), data.available(9).unwrap()), (4, 6));
    }

    #[test]
    fn in_order_rows_come_by_their_moments_and_tell_them() {
        let data = open(&table(), json!({ "in_order": true })).unwrap();
        let asked: Vec<usize> = (0..7).map(|index| lengths(&*data, index).0).collect();
        assert_eq!(asked, [11, 12, 13, 14, 15, 16, 11]);
        let millis: Vec<u128> =
            data.moments(8).unwrap().unwrap().iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 2000, 4000, 7500, 8000, 10_000, 12_000, 14_000]);
    }

    #[test]
    fn moments_begin_where_the_rows_do() {
        let (_folder, path) = file(table());
        let spec = Spec { offset: 2, ..spec(path, json!({ "in_order": true })) };
        let data = dataset::open(&spec, Some(tiny())).unwrap();
        assert_eq!(lengths(&*data, 0).0, 13);
        let millis: Vec<u128> =
            data.moments(3).unwrap().unwrap().iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 3500, 4000]);
        assert_eq!(data.available(9).unwrap(), 4);
    }

    #[test]
    fn answers_can_have_a_length_of_their_own_and_files_their_order() {
        let data = open(&table(), json!({ "shuffle": false, "output_len": 3 })).unwrap();
        assert_eq!((lengths(&*data, 0), lengths(&*data, 5)), ((11, 3), (16, 3)));
    }

    #[test]
    fn a_dataset_that_must_not_begin_anew_ends() {
        let data = open(&table(), json!({ "oversample": false })).unwrap();
        drop(data.draw(5, Seed::new(1)).unwrap());
        let error = data.draw(6, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains("has only 6 prompts, and is not to begin anew"), "{error}");
    }

    #[test]
    fn bad_tables_are_refused_with_line_and_column() {
        assert_eq!(
            refusal("Timestamp,Model,Request tokens\n", json!({})),
            "1: the column Response tokens is missing"
        );
        let row = |row: &str| {
            refusal(&format!("{HEAD}1,GPT-4,2,3,5,log\n{row}\n"), json!({ "in_order": true }))
        };
        assert_eq!(row("2,GPT-4,many,3,5,log"), "3: Request tokens is \"many\", not a number");
        assert_eq!(row("2,GPT-4,2,-3,5,log"), "3: Response tokens is -3, not a number of tokens");
        assert_eq!(row("2,GPT-4,2,3.5,5,log"), "3: Response tokens is 3.5, not a number of tokens");
        assert_eq!(
            row("2,GPT-4,4e9,3,5,log"),
            "3: Request tokens is 4000000000, not a number of tokens"
        );
        assert_eq!(row(",GPT-4,2,3,5,log"), "3: Timestamp is \"\", not a number");
        assert_eq!(row("nan,GPT-4,2,3,5,log"), "3: Timestamp is \"nan\", not a number");
        assert_eq!(row("2,GPT-4,2,3"), "3: it has 4 columns, where the first line has 6");
        assert!(refusal(HEAD, json!({})).contains("none of its rows is a request to GPT-4"));
        let named = open(&format!("{HEAD}1,GPT-4,x,3,5,log\n"), json!({})).unwrap_err().to_string();
        assert!(named.contains("data:2: Request tokens") && named.ends_with(FORM), "{named}");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        let mut bytes = format!("{HEAD}1,GPT-4,2,3,5,").into_bytes();
        bytes.extend([0xff, b'\n']);
        let (_folder, path) = file(bytes);
        let error = dataset::open(&spec(path, json!({})), Some(tiny())).unwrap_err().to_string();
        assert!(error.contains("data:2: it is not UTF-8"), "{error}");
    }
}
