//! `summary.csv`: a row a run, in the columns that vLLM writes, and behind them what the runs of its combination amount to.

use std::path::Path;

use serde_json::Value;
use tokometer_report::compare::over_runs;

use super::measure::Measured;
use super::parameters::python;
use crate::trouble::Trouble;

/// Writes the table of every run.
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
        for (key, _) in over_runs(&of.runs) {
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
        let amounts = over_runs(&of.runs);
        let amount = |key: &String| {
            let value = amounts.iter().find(|(own, _)| own == key).map(|(_, value)| *value);
            value.map_or_else(String::new, |value| value.to_string())
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
