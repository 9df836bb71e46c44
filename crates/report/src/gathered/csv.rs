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

pub(super) fn read(text: &str) -> Result<Table, Malformed> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Malformed {
            line: error.position().map_or(1, ::csv::Position::line),
            why: format!("not CSV: {error}"),
        })?;
        records.push(record);
    }
    let mut records = records.into_iter().peekable();
    let Some(heading) = records.next() else {
        return Err(Malformed { line: 1, why: "the file is empty".to_owned() });
    };
    let keys = keys(&heading)?;
    let chinese = records.next_if(|record| is_heading(&keys, record));
    let named = |(place, key): (usize, &String)| {
        let given = chinese.as_ref().and_then(|names| names.get(place));
        match given.map(bare) {
            Some(name) if !name.is_empty() => Column { key: key.clone(), chinese: name.to_owned() },
            _ => Column::of(key),
        }
    };
    let all: Vec<Column> = keys.iter().enumerate().map(named).collect();
    let kept: Vec<usize> =
        (0..all.len()).filter(|&place| !columns::is_left_out(&all[place].key)).collect();
    let mut rows = Vec::new();
    for record in records {
        if record.len() != all.len() {
            return Err(Malformed {
                line: line(&record),
                why: format!(
                    "the row has {} where the heading has {}",
                    fields(record.len()),
                    all.len()
                ),
            });
        }
        rows.push(kept.iter().map(|&place| cell(&all[place].key, &record[place])).collect());
    }
    let columns = kept.iter().map(|&place| all[place].clone()).collect();
    Ok(Table { columns, rows })
}

/// The keys that the first row names.
fn keys(heading: &StringRecord) -> Result<Vec<String>, Malformed> {
    let keys: Vec<String> =
        heading.iter().map(|name| bare(name.trim()).trim_end_matches(':').to_owned()).collect();
    let wrong = |why: String| Err(Malformed { line: line(heading), why });
    if !keys.iter().any(|key| FIGURES.contains(&key.as_str())) {
        return wrong(format!(
            "no table of results: it has no column {}; its first is {:?}",
            FIGURES.join(", nor "),
            keys.first().map_or("", String::as_str)
        ));
    }
    for (place, key) in keys.iter().enumerate() {
        if keys[..place].contains(key) {
            return wrong(format!("two columns are called {key:?}"));
        }
    }
    Ok(keys)
}

/// Whether a row names columns and holds no figures: the Chinese one.
fn is_heading(keys: &[String], record: &StringRecord) -> bool {
    let mut cells = keys.iter().zip(record);
    cells.any(|(key, text)| {
        FIGURES.contains(&key.as_str()) && cell(key, text).number().is_none() && !text.is_empty()
    })
}

fn cell(key: &str, text: &str) -> Cell {
    match is_guarded(text) {
        true => Cell::Text(bare(text).to_owned()),
        false => Cell::of_text(text, columns::kind(key)),
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

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(1, ::csv::Position::line)
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
        assert_eq!(read(&text).unwrap(), table);
    }

    #[test]
    fn tables_with_one_heading_or_two_with_a_mark_or_without_are_read() {
        let expected = read("date,output_throughput\n日期,输出吞吐量\nd,1.5\n").unwrap();
        assert_eq!(expected.rows, [[Cell::Text("d".into()), Cell::Number(1.5)]]);
        for text in [
            "\u{feff}date,output_throughput\r\n日期,输出吞吐量\r\nd,1.5\r\n",
            "date,output_throughput\nd,1.5",
            "\"date\",\"output_throughput\"\n\"d\",\"1.5\"\n\n",
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_other_tools_own_table_is_read_without_its_lists() {
        let text = "date,num_prompts,request_rate,request_goodput:,output_throughput,ttfts,input_len,filename\n\
            日期,提示数量,请求速率,request_goodput:,输出吞吐量,ttfts,输入长度,文件名\n\
            20250728-145302,10,inf,,22.9,\"[0.1, 0.2]\",512,bench_io512x512_mc1_np10.json\n";
        let table = read(text).unwrap();
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
            refused("date,mean_ttft_ms\n日期,平均首令牌时间(ms)\nd,1\nd\n"),
            "line 4: the row has 1 field where the heading has 2"
        );
        assert_eq!(
            refused("mean_ttft_ms,mean_ttft_ms\n1,2\n"),
            "line 1: two columns are called \"mean_ttft_ms\""
        );
        assert!(refused("{\"completed\": 1}").starts_with("line 1: no table of results"));
    }

    #[test]
    fn a_row_of_words_under_figures_is_a_heading_only_once() {
        let table = read("mean_ttft_ms,date\n平均,日期\n坏,d\n").unwrap();
        assert_eq!(table.rows, [[Cell::Text("坏".into()), Cell::Text("d".into())]]);
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
            let read = read(&write(&table));
            prop_assert_eq!(read.as_ref(), Ok(&table));
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
