//! What runs amount to: `summary.json` beside those of a combination, and `summary.csv` over the experiment, a row a run in the columns
//! that vLLM writes, with our own behind them.

use std::path::Path;

use serde_json::Value;
use tokometer_report::compare::{Outcome, over_runs};

use super::experiment::write_json;
use super::parameters::python;
use crate::trouble::Trouble;

/// The runs of a combination.
#[derive(Debug)]
pub(crate) struct Measured {
    /// What it is called.
    pub(crate) name: String,
    /// Its runs, at least one.
    pub(crate) runs: Vec<Outcome>,
    /// How many there were to be.
    pub(crate) wanted: u32,
}

impl Measured {
    /// Its name, with what is missing.
    pub(crate) fn title(&self) -> String {
        match self.is_incomplete() {
            true => format!("{} (incomplete: {} of {})", self.name, self.runs.len(), self.wanted),
            false => self.name.clone(),
        }
    }

    fn is_incomplete(&self) -> bool {
        self.runs.len() < self.wanted as usize
    }

    /// What its runs amount to, for each of their rows.
    fn columns(&self) -> Vec<(String, Value)> {
        let amounts = over_runs(&self.runs).into_iter().map(|(key, of)| (key, Value::from(of)));
        let incomplete = self.is_incomplete().then(|| ("incomplete".to_owned(), Value::from(true)));
        amounts.chain(incomplete).collect()
    }
}

/// Writes the runs of a combination into its folder, each with what they amount to.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_runs(folder: &Path, of: &Measured) -> Result<(), Trouble> {
    let columns = of.columns();
    let records: Vec<Value> = of.runs.iter().map(|run| with_columns(run, &columns)).collect();
    write_json(&folder.join("summary.json"), &Value::Array(records))
}

fn with_columns(run: &Outcome, columns: &[(String, Value)]) -> Value {
    let mut fields = run.fields().clone();
    fields.extend(columns.iter().map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(fields)
}

/// Writes the table of every run.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_csv(experiment: &Path, measured: &[Measured]) -> Result<(), Trouble> {
    let path = experiment.join("summary.csv");
    let cannot = |error: &dyn std::error::Error| {
        Trouble::caused(format!("cannot write {}", path.display()), error)
    };
    let mut columns: Vec<&str> = Vec::new();
    let mut ours: Vec<String> = Vec::new();
    for of in measured {
        for key in of.runs.iter().flat_map(|run| run.fields().keys()) {
            if !columns.contains(&key.as_str()) {
                columns.push(key);
            }
        }
        for (key, _) in of.columns() {
            if !ours.contains(&key) {
                ours.push(key);
            }
        }
    }
    let mut writer = csv::Writer::from_path(&path).map_err(|error| cannot(&error))?;
    // The first column numbers the rows, and has no name: so pandas writes it.
    let header =
        [""].into_iter().chain(columns.iter().copied()).chain(ours.iter().map(String::as_str));
    writer.write_record(header).map_err(|error| cannot(&error))?;
    let mut index = 0_u64;
    for of in measured {
        let amounts = of.columns();
        let amount = |key: &String| {
            let value = amounts.iter().find(|(own, _)| own == key).map(|(_, value)| value);
            value.map_or_else(String::new, cell)
        };
        for run in &of.runs {
            let own =
                columns.iter().map(|key| run.fields().get(*key).map_or_else(String::new, cell));
            let row = [index.to_string()].into_iter().chain(own).chain(ours.iter().map(amount));
            writer.write_record(row).map_err(|error| cannot(&error))?;
            index += 1;
        }
    }
    writer.flush().map_err(|error| cannot(&error))
}

/// A value as pandas writes it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        other => python(other),
    }
}
