//! The results of an experiment as rows to draw from: every run of every `summary.json` below a folder, ours or vLLM's.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokometer_report::compare::applies;

use super::parameters::python;
use crate::trouble::Trouble;

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) fields: Map<String, Value>,
    /// Which of the combinations it is a run of: the number of its `summary.json`.
    pub(crate) combination: usize,
}

/// Reads every run.
///
/// # Errors
/// If there is no experiment, or a file of it cannot be read.
pub(crate) fn read(experiment: &Path) -> Result<Vec<Row>, Trouble> {
    let shown = experiment.display();
    if !experiment.is_dir() {
        return Err(Trouble::input(format!("there is no folder {shown}"))
            .with_hint("give the folder of an experiment: results/NAME"));
    }
    let mut files = Vec::new();
    summaries(experiment, &mut files, DEPTH);
    files.sort();
    let mut rows = Vec::new();
    for (combination, file) in files.iter().enumerate() {
        let refused = |why: String| Trouble::input(format!("{}: {why}", file.display()));
        let text = fs::read_to_string(file)
            .map_err(|error| refused(format!("cannot read it: {error}")))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| refused(format!("not JSON: {error}")))?;
        let Value::Array(runs) = value else {
            return Err(refused("no list of runs, as a sweep leaves it".to_owned()));
        };
        for run in runs {
            let Value::Object(fields) = run else {
                return Err(refused("a run is no JSON object".to_owned()));
            };
            rows.push(Row { fields, combination });
        }
    }
    match rows.is_empty() {
        true => Err(Trouble::input(format!("there are no results of a sweep below {shown}"))
            .with_hint("a combination has a summary.json once one of its runs has ended")),
        false => Ok(rows),
    }
}

/// What lies beside the log of a run is that run's own, and no combination's.
fn summaries(folder: &Path, files: &mut Vec<PathBuf>, depth: u32) {
    if folder.join("run.jsonl").is_file() {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => summaries(&path, files, depth - 1),
            Ok(kind) if kind.is_file() && entry.file_name() == "summary.json" => files.push(path),
            _ => {}
        }
    }
}

impl Row {
    /// The value of a variable as a number, if it applies: `"inf"` and `"nan"` are written as texts in JSON.
    pub(crate) fn number(&self, variable: &str) -> Option<f64> {
        match self.fields.get(variable)? {
            Value::Number(number) => number.as_f64().filter(|_| applies(&self.fields, variable)),
            Value::String(text) if ["inf", "-inf", "nan"].contains(&text.as_str()) => {
                text.parse().ok()
            }
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        }
    }

    /// The value of a variable as it is written, `–` where there is none.
    pub(crate) fn text(&self, variable: &str) -> String {
        self.fields.get(variable).map_or_else(|| "–".to_owned(), python)
    }

    /// `a=1`, `b=2` for these variables.
    pub(crate) fn group(&self, variables: &[String]) -> Vec<String> {
        variables.iter().map(|variable| format!("{variable}={}", self.text(variable))).collect()
    }
}

/// Refuses a variable that no run has.
///
/// # Errors
/// With those that there are.
pub(crate) fn check_variable(flag: &str, variable: &str, rows: &[Row]) -> Result<(), Trouble> {
    if rows.iter().any(|row| row.fields.contains_key(variable)) {
        return Ok(());
    }
    let mut known: Vec<&str> = Vec::new();
    for (key, value) in rows.iter().flat_map(|row| &row.fields) {
        if !value.is_array()
            && !value.is_object()
            && !key.contains("over_runs")
            && !known.contains(&key.as_str())
        {
            known.push(key);
        }
    }
    Err(Trouble::input(format!("{flag}: no run has a {variable}"))
        .with_hint(format!("there are: {}", known.join(", "))))
}

/// The rows of each group, in the order of the groups' values, numbers as numbers.
pub(crate) fn grouped(rows: &[Row], variables: &[String]) -> Vec<(Vec<String>, Vec<Row>)> {
    let mut groups: Vec<(Vec<String>, Vec<Row>)> = Vec::new();
    for row in rows {
        let group = row.group(variables);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, members)) => members.push(row.clone()),
            None => groups.push((group, vec![row.clone()])),
        }
    }
    groups.sort_by(|(a, _), (b, _)| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| by_value(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    groups
}

fn by_value(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.split_once('=').and_then(|(_, value)| value.parse::<f64>().ok());
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// How deep folders are looked into.
const DEPTH: u32 = 8;

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// Rows of one combination each.
    pub(crate) fn rows(values: &[Value]) -> Vec<Row> {
        let row = |(combination, value): (usize, &Value)| {
            let Value::Object(fields) = value else { unreachable!("rows are objects") };
            Row { fields: fields.clone(), combination }
        };
        values.iter().enumerate().map(row).collect()
    }

    #[test]
    fn groups_stand_in_the_order_of_their_numbers() {
        let rows = rows(&[
            json!({"n": 16}),
            json!({"n": 2}),
            json!({"n": "inf"}),
            json!({"n": 2}),
            json!({}),
        ]);
        let groups = grouped(&rows, &["n".to_owned()]);
        let names: Vec<_> =
            groups.iter().map(|(group, rows)| (group[0].as_str(), rows.len())).collect();
        assert_eq!(names, [("n=2", 2), ("n=16", 1), ("n=inf", 1), ("n=–", 1)]);
    }

    #[test]
    fn infinity_is_read_from_its_text_and_names_are_no_numbers() {
        let rows = rows(&[json!({"rate": "inf", "name": "4x", "on": true})]);
        assert_eq!(rows[0].number("rate"), Some(f64::INFINITY));
        assert_eq!((rows[0].number("name"), rows[0].number("on")), (None, Some(1.0)));
    }
}
