//! A table as CSV, and read back.
//!
//! A spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a formula and would run it: such a text, which only a model's
//! name or a user's metadata can be, is written behind an apostrophe. So is one that begins with an apostrophe itself, so that
//! reading gives back what was written.

use ::csv::{ReaderBuilder, StringRecord, WriterBuilder};

use super::cell::Cell;
use super::columns::{self, Column};
use super::{Malformed, Table};

pub(super) fn write(table: &Table) -> String {
    let mut out = WriterBuilder::new().from_writer(Vec::new());
    let english = table.columns.iter().map(|column| guarded(&column.key));
    let chinese = table.columns.iter().map(|column| guarded(&column.chinese));
    // Writing into memory does not fail, and every row has as many cells as there are columns.
    let mut written = out.write_record(english).and_then(|()| out.write_record(chinese));
    for row in &table.rows {
        let cells = row.iter().map(|cell| match cell {
            Cell::Text(text) => guarded(text),
            other => other.to_string(),
        });
        written = written.and_then(|()| out.write_record(cells));
    }
    debug_assert!(written.is_ok(), "every row is as long as the heading");
    let bytes = out.into_inner().unwrap_or_default();
    format!("{MARK}{}", String::from_utf8_lossy(&bytes))
}

/// A table that was read back, and what in it could not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadBack {
    /// The rows that are whole.
    pub table: Table,
    /// The line in which each of them begins, counted from 1.
    pub lines: Vec<u64>,
    /// Rows that were passed over: where, and why.
    pub damaged: Vec<Malformed>,
}

pub(super) fn read(text: &str) -> Result<ReadBack, Malformed> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Malformed {
            line: error.position().map_or(1, |position| lines.of(position)),
            why: format!("not CSV: {error}"),
        })?;
        records.push((record.position().map_or(1, |position| lines.of(position)), record));
    }
    let mut records = records.into_iter().peekable();
    let Some((line, heading)) = records.next() else {
        return Err(Malformed { line: 1, why: "the file is empty".to_owned() });
    };
    let keys = keys(&heading).map_err(|why| Malformed { line, why })?;
    let chinese = records.next_if(|(_, record)| is_heading(&keys, record));
    let named = |(place, key): (usize, &String)| {
        let given = chinese.as_ref().and_then(|(_, names)| names.get(place));
        match given.map(bare) {
            Some(name) if !name.is_empty() => Column { key: key.clone(), chinese: name.to_owned() },
            _ => Column::of(key),
        }
    };
    let all: Vec<Column> = keys.iter().enumerate().map(named).collect();
    let kept: Vec<usize> =
        (0..all.len()).filter(|&place| !columns::is_left_out(&all[place].key)).collect();
    let mut read = ReadBack::default();
    read.table.columns = kept.iter().map(|&place| all[place].clone()).collect();
    for (line, record) in records {
        let row: Result<Vec<Cell>, String> = match record.len() == all.len() {
            true => kept.iter().map(|&place| figure(place, &keys[place], &record[place])).collect(),
            false => Err(format!(
                "the row has {} where the heading has {}",
                fields(record.len()),
                all.len()
            )),
        };
        match row {
            Ok(row) => {
                read.table.rows.push(row);
                read.lines.push(line);
            }
            Err(why) => read.damaged.push(Malformed { line, why }),
        }
    }
    Ok(read)
}

/// Tells the lines of places in a text that come one after the other.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a row that is said to begin there. What ends the row before it may still stand there, and empty lines.
    fn of(&mut self, position: &::csv::Position) -> u64 {
        let said = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        loop {
            match self.text.get(self.at) {
                Some(b'\r') if self.text.get(self.at + 1) == Some(&b'\n') => {}
                Some(b'\r' | b'\n') => self.line += 1,
                _ if self.at >= said => return self.line,
                Some(_) => {}
                None => return self.line,
            }
            self.at += 1;
        }
    }
}

/// The keys that the first row names.
fn keys(heading: &StringRecord) -> Result<Vec<String>, String> {
    let keys: Vec<String> =
        heading.iter().map(|name| bare(name.trim()).trim_end_matches(':').to_owned()).collect();
    if !keys.iter().any(|key| FIGURES.contains(&key.as_str())) {
        let first = keys.first().map_or("", String::as_str);
        let by = SEPARATORS.iter().find(|(separator, _)| {
            first.split(*separator).any(|name| FIGURES.contains(&name.trim()))
        });
        return Err(match by {
            Some((_, name)) => {
                format!(
                    "its fields are separated by {name}, and not by commas: save it as CSV with commas"
                )
            }
            None => format!(
                "no table of results: it has no column {}; its first is {}",
                FIGURES.join(", nor "),
                shortened(first)
            ),
        });
    }
    for (place, key) in keys.iter().enumerate() {
        if keys[..place].contains(key) {
            return Err(format!("two columns are called {}", shortened(key)));
        }
    }
    Ok(keys)
}

/// Whether a row names columns and holds no figures: the Chinese one.
fn is_heading(keys: &[String], record: &StringRecord) -> bool {
    let cells = || keys.iter().zip(record).filter(|(key, _)| is_figure(key));
    let is_number = |(key, text): (&String, &str)| cell(key, text).number().is_some();
    cells().any(|(key, text)| FIGURES.contains(&key.as_str()) && !text.is_empty())
        && !cells().any(is_number)
}

/// Whether only a number may stand in a column.
fn is_figure(key: &str) -> bool {
    COUNTS.contains(&key) || crate::compare::figure(key).is_some()
}

/// What stands in a place, counted from 0, of a column with this key.
fn figure(place: usize, key: &str, text: &str) -> Result<Cell, String> {
    match cell(key, text) {
        Cell::Text(_)
            if is_figure(key) && ABSENT.contains(&text.trim().to_lowercase().as_str()) =>
        {
            Ok(Cell::Empty)
        }
        Cell::Text(_) | Cell::Truth(_) if is_figure(key) => {
            let shown = shortened(text);
            Err(format!("column {} ({key}) has {shown}, where a number belongs", place + 1))
        }
        cell => Ok(cell),
    }
}

fn cell(key: &str, text: &str) -> Cell {
    match is_guarded(text) {
        true => Cell::Text(bare(text).to_owned()),
        false => Cell::of_text(text, columns::kind(key)),
    }
}

/// A text in quotation marks, and of a long one its beginning.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A text as it may stand in a spreadsheet.
fn guarded(text: &str) -> String {
    match text.starts_with(RISKY) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn is_guarded(text: &str) -> bool {
    text.strip_prefix('\'').is_some_and(|rest| rest.starts_with(RISKY))
}

fn bare(text: &str) -> &str {
    if is_guarded(text) { &text[1..] } else { text }
}

fn fields(number: usize) -> String {
    format!("{number} field{}", if number == 1 { "" } else { "s" })
}

const MARK: char = '\u{feff}';

/// What a formula begins with, in the letters of either width; what separates cells; and the guard itself.
const RISKY: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\''];

/// Without one of these columns there is nothing to draw or compare.
const FIGURES: [&str; 4] =
    ["output_throughput", "total_token_throughput", "request_throughput", "mean_ttft_ms"];

/// Further columns in which only a number may stand.
const COUNTS: [&str; 5] = ["num_prompts", "input_len", "output_len", "completed", "failed"];

/// How programs write that there is no number.
const ABSENT: [&str; 6] = ["nan", "null", "none", "n/a", "na", "-"];

/// What other programs put between fields.
const SEPARATORS: [(char, &str); 2] = [(';', "semicolons"), ('\t', "tabulators")];

/// Characters of a foreign text that are repeated.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn what_a_spreadsheet_would_run_stands_behind_an_apostrophe() {
        let result = json!({
            "model_id": "=cmd|'/c calc'!A1",
            "label": "-5",
            "completed": 1,
            "output_throughput": -1.5,
            "=key": "@SUM(A1)",
            "note": "＋1",
        });
        let table = Table::of(vec![result.as_object().unwrap().clone()]);
        let text = write(&table);
        assert!(text.contains("'=cmd|'/c calc'!A1,"), "{text}");
        assert!(
            text.contains("'@SUM(A1)") && text.contains("'=key") && text.contains("'＋1"),
            "{text}"
        );
        // A number below 0 is no formula, and a label that looks like one is a text.
        assert!(text.contains(",-1.5,") && text.contains(",'-5,"), "{text}");
        assert_eq!(read(&text).unwrap().table, table);
    }

    #[test]
    fn tables_with_one_heading_or_two_with_a_mark_or_without_are_read() {
        let expected = read("date,output_throughput\n日期,输出吞吐量\nd,1.5\n").unwrap();
        assert_eq!(expected.table.rows, [[Cell::Text("d".into()), Cell::Number(1.5)]]);
        for text in [
            "\u{feff}date,output_throughput\r\n日期,输出吞吐量\r\nd,1.5\r\n",
            "date,output_throughput\nd,1.5",
            "\"date\",\"output_throughput\"\n\"d\",\"1.5\"\n\n",
        ] {
            assert_eq!(read(text).unwrap().table, expected.table, "{text:?}");
        }
    }

    #[test]
    fn the_other_tools_own_table_is_read_without_its_lists() {
        let text = "date,num_prompts,request_rate,request_goodput:,output_throughput,ttfts,input_len,filename\n\
            日期,提示数量,请求速率,request_goodput:,输出吞吐量,ttfts,输入长度,文件名\n\
            20250728-145302,10,inf,,22.9,\"[0.1, 0.2]\",512,bench_io512x512_mc1_np10.json\n";
        let table = read(text).unwrap().table;
        let keys: Vec<&str> = table.columns.iter().map(|column| column.key.as_str()).collect();
        let expected = [
            "date",
            "num_prompts",
            "request_rate",
            "request_goodput",
            "output_throughput",
            "input_len",
            "filename",
        ];
        assert_eq!(keys, expected);
        assert_eq!(table.rows[0][2], Cell::Number(f64::INFINITY));
        assert_eq!(table.rows[0][3], Cell::Empty);
        assert_eq!(table.rows[0][5], Cell::Integer(512));
    }

    #[test]
    fn what_is_no_table_of_results_is_refused_with_its_line() {
        assert_eq!(refused(""), "line 1: the file is empty");
        assert_eq!(
            refused("name,age\nx,3\n"),
            "line 1: no table of results: it has no column output_throughput, nor total_token_throughput, nor request_throughput, \
             nor mean_ttft_ms; its first is \"name\""
        );
        assert_eq!(
            refused("date;mean_ttft_ms;x\r\nd;1;2\r\n"),
            "line 1: its fields are separated by semicolons, and not by commas: save it as CSV with commas"
        );
        assert!(refused(&"x".repeat(500)).len() < 250);
        assert_eq!(
            refused("mean_ttft_ms,mean_ttft_ms\n1,2\n"),
            "line 1: two columns are called \"mean_ttft_ms\""
        );
        assert!(refused("{\"completed\": 1}").starts_with("line 1: no table of results"));
    }

    fn damaged(text: &str) -> Vec<String> {
        read(text).unwrap().damaged.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_row_that_is_not_whole_is_named_and_the_others_are_read() {
        let text = "date,mean_ttft_ms\n日期,平均首令牌时间(ms)\nd,1\nd\nd,fast\nd,\nd,2\n";
        assert_eq!(
            damaged(text),
            [
                "line 4: the row has 1 field where the heading has 2",
                "line 5: column 2 (mean_ttft_ms) has \"fast\", where a number belongs",
            ]
        );
        let read = read(text).unwrap();
        assert_eq!((read.table.rows.len(), read.lines), (3, vec![3, 6, 7]));
    }

    #[test]
    fn lines_are_those_of_an_editor_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text =
                ["\u{feff}mean_ttft_ms,label", "平均,标签", "1,\"a", "b\"", "", "x,b", "y,c"]
                    .join(end);
            let lines: Vec<u64> =
                read(&text).unwrap().damaged.iter().map(|damaged| damaged.line).collect();
            assert_eq!(lines, [6, 7], "{end:?}");
        }
    }

    #[test]
    fn a_figure_that_is_written_as_none_is_none() {
        let read = read("mean_ttft_ms,p99_ttft_ms,request_rate\n1,NaN,inf\n2,null,1\n").unwrap();
        assert_eq!(read.damaged, []);
        assert!(read.table.rows.iter().all(|row| row[1] == Cell::Empty));
    }

    #[test]
    fn a_row_of_words_under_figures_is_a_heading_only_once() {
        let text = "mean_ttft_ms,date\n平均,日期\n坏,d\n";
        assert_eq!(
            damaged(text),
            ["line 3: column 1 (mean_ttft_ms) has \"坏\", where a number belongs"]
        );
        // Beside a number it is no heading at all.
        let text = "mean_ttft_ms,p99_ttft_ms\nfast,12\n";
        assert_eq!(damaged(text).len(), 1);
        assert_eq!(
            read(text).unwrap().table.columns[0].chinese,
            Column::of("mean_ttft_ms").chinese
        );
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,12}",
            "[=+\\-@'\t\r\n＝＠,;\"\\\\ 0-9a-z]{0,8}",
            "[\u{4e00}-\u{4eff},\"\n]{0,6}",
            any::<String>(),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no others", |number| number.is_finite())
                .prop_map(Value::from),
            text().prop_map(Value::from),
        ]
    }

    fn result() -> impl Strategy<Value = Map<String, Value>> {
        let key = prop_oneof![
            "[a-z_.]{1,10}",
            "[=+@'\",\n\u{4e00}-\u{4e0f}]{1,4}",
            Just("model_id".to_owned())
        ];
        let fields = prop::collection::vec((key, value()), 0..8);
        (any::<f64>().prop_filter("finite", |number| number.is_finite()), fields).prop_map(
            |(figure, fields)| {
                let keys = fields.into_iter().filter(|(key, _)| {
                    // As they stand in the first row, where blanks at the edges and a colon at the end have no meaning.
                    key.trim() == key && !key.ends_with(':') && !columns::is_left_out(key)
                });
                Map::from_iter(keys.chain([("mean_ttft_ms".to_owned(), json!(figure))]))
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(results in prop::collection::vec(result(), 1..4)) {
            let table = Table::of(results);
            let read = read(&write(&table)).unwrap();
            prop_assert_eq!(read.damaged, vec![]);
            prop_assert_eq!(read.table, table);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            drop(read(&text));
            drop(read(&format!("date,mean_ttft_ms\n{text}")));
        }

        #[test]
        fn no_cell_begins_a_formula(text in text()) {
            let result = Map::from_iter([("mean_ttft_ms".to_owned(), json!(1.0)), ("model_id".to_owned(), json!(text))]);
            let written = write(&Table::of(vec![result]));
            let row = ::csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_bytes())
                .into_records().nth(2).unwrap().unwrap();
            let risky = row.iter().find(|cell| cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err()));
            prop_assert_eq!(risky, None);
        }
    }
}
