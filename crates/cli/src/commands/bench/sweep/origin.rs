//! By which commands a result was made: kept beside the experiment, so that `--resume` takes no result of another load for one of this.
//!
//! Deliberately the commands alone: what changed in a file that they name is not noticed.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tokometer_report::compare::Outcome;

use super::design::Sweep;
use super::experiment::{self, create_parent};
use super::parameters::{Combination, python};
use super::words::Words;
use crate::trouble::Trouble;

/// Keeps what made the result of a run.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep(
    sweep: &Sweep,
    serve: &Combination,
    bench: &Combination,
    run: &Path,
) -> Result<(), Trouble> {
    let path = experiment::command_file(&sweep.experiment, run);
    create_parent(&path)?;
    fs::write(&path, commands(sweep, serve, bench))
        .map_err(|error| Trouble::caused(format!("cannot write {}", path.display()), &error))
}

/// Refuses a result that other commands have made: two loads have no mean.
///
/// # Errors
/// If they have.
pub(crate) fn check(
    sweep: &Sweep,
    serve: &Combination,
    bench: &Combination,
    run: &Path,
    outcome: &Outcome,
) -> Result<(), Trouble> {
    let now = commands(sweep, serve, bench);
    let differ = match fs::read_to_string(experiment::command_file(&sweep.experiment, run)) {
        Ok(was) => (was != now).then(|| {
            let line = |text: String| text.replace('\n', ", against ");
            (line(was), line(now))
        }),
        // vLLM's, or an experiment that was moved.
        Err(_) => otherwise(&bench.applied_to(&sweep.bench), outcome),
    };
    match differ {
        None => Ok(()),
        Some((was, now)) => Err(Trouble::input(format!(
            "--resume: {} was made by another command: {was}",
            run.display()
        ))
        .with_hint(format!(
            "now it is: {now}; another -e begins a new experiment, and a run whose file is removed is made anew"
        ))),
    }
}

/// The commands as they may be shown, without what says where the server is: that changes no load.
fn commands(sweep: &Sweep, serve: &Combination, bench: &Combination) -> String {
    let server = sweep.server.as_ref().map(|server| serve.applied_to(server));
    let bench = bench.applied_to(&sweep.bench);
    let shown = [Some(bench), server].into_iter().flatten().map(|mut words| {
        PLACES.iter().for_each(|flag| words.set(flag, &Value::Null));
        words.shown()
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// A setting that a result tells of and a command asks otherwise: what it was, and is.
fn otherwise(words: &Words, outcome: &Outcome) -> Option<(String, String)> {
    SETTINGS.iter().find_map(|flag| {
        let now = words.value(flag)?;
        let was = outcome.field(&flag.replace('-', "_")).filter(|was| !was.is_null())?;
        let was = python(was);
        let (a, b) = (was.parse::<f64>().ok()?, now.parse::<f64>().ok()?);
        (a != b).then(|| (format!("--{flag} {was}"), format!("--{flag} {now}")))
    })
}

/// Flags that say where the server is, and how a benchmark is looked on.
const PLACES: [&str; 5] = ["host", "port", "base-url", "outputs-dir", "disable-tqdm"];

/// Flags that stand in every result.
const SETTINGS: [&str; 3] = ["num-prompts", "max-concurrency", "request-rate"];
