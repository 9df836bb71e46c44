//! What the program finds around itself: variables, files, chance, a clock. And what it was told in secret.
//!
//! A key or a header typed on the command line becomes a variable here, so that the plan can name it and never hold it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use tokometer_plan::Environment;

/// The process's environment with the secrets of its command line laid over it.
#[derive(Default)]
pub(crate) struct Surroundings {
    given: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Surroundings {
    /// Keeps a secret under a variable of its own and says how to refer to it.
    pub(crate) fn keep_secret(&mut self, name: &str, secret: String) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let mut variable = format!("TOKOMETER_{}", name.chars().map(letter).collect::<String>());
        // Names that differ only in signs are different names.
        while self.given.get(&variable).is_some_and(|given| *given != secret) {
            variable.push('_');
        }
        let reference = format!("${{{variable}}}");
        self.given.insert(variable, secret);
        reference
    }

    /// Sets a variable for this run.
    pub(crate) fn set(&mut self, variable: &str, value: String) {
        self.given.insert(variable.to_owned(), value);
    }

    /// Whether the variable holds anything.
    pub(crate) fn has(&self, variable: &str) -> bool {
        self.variable(variable).is_some_and(|value| !value.trim().is_empty())
    }

    /// Variables that were set from the command line: what a plan that was shown needs to run again.
    pub(crate) fn given(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str)
    }

    /// Something to be said once before the run.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What is to be said before the run.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    /// The clock's nanoseconds: differs between any two runs that a person starts. Kept below 2^53, which every reader of JSON
    /// and YAML can hold.
    fn fresh_seed(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (since.as_nanos() as u64) & ((1 << 53) - 1)
    }
}
/// A moment of a steady clock; 0 where there is none.
pub(crate) fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
