//! `cargo xtask tidy`: the rules of this repository that no compiler checks.
//!
//! Each rule is a pure function from texts to [`Problem`]s, in a file of its own; here they are given the files and their
//! findings are printed. Deliberately mends nothing: each problem says how.

mod imports;
mod places;
mod sources;

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::{Failed, docs};

/// Something that a rule forbids, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
    mend: String,
}

impl Problem {
    pub(crate) fn new(
        path: &str,
        line: usize,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), line, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.what, self.mend)
    }
}

/// Checks every rule and prints what is found.
pub(crate) fn run(root: &Path) -> Result<(), Failed> {
    let files = files(root)?;
    let mut problems = imports::check(root, &files)?;
    problems.extend(docs::outdated(root));
    for file in &files {
        problems.extend(places::check(file));
        problems.extend(sources::check(file));
    }
    problems.sort();
    problems.dedup();
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("tidy: {} files, no problems", files.len());
            Ok(())
        }
        1 => Err("tidy: 1 problem".into()),
        count => Err(format!("tidy: {count} problems").into()),
    }
}

/// A text file of the repository.
pub(crate) struct File {
    /// From the repository's root, with slashes.
    path: String,
    text: String,
}

/// The text files that git tracks or would track.
fn files(root: &Path) -> Result<Vec<File>, Failed> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(listing).output();
    let output = output.map_err(|error| format!("cannot run git to list the files: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "git cannot list the files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into());
    }
    let mut files = Vec::new();
    for path in String::from_utf8(output.stdout)?.split_terminator('\0') {
        match std::fs::read(root.join(path)) {
            Ok(bytes) => {
                // What is not text has no lines to speak of.
                let text = String::from_utf8(bytes);
                files.extend(text.map(|text| File { path: path.into(), text }));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {path}: {error}").into()),
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files.dedup_by(|one, other| one.path == other.path);
    Ok(files)
}

/// The lines of a text, counted from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_place_what_is_wrong_and_how_to_mend_it() {
        let problem = Problem::new("crates/a/src/lib.rs", 3, "is wrong", "mend it");
        assert_eq!(problem.to_string(), "crates/a/src/lib.rs:3: is wrong: mend it");
    }
}
