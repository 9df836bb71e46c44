//! What is said when something cannot be done: one line, a hint, and an exit code.
//!
//! Library errors are turned into a [`Trouble`] where it is known what the user was about; nothing else is printed on failure.

use std::error::Error;
use std::fmt;

use tokometer_plan::PlanError;

use crate::exit::Exit;

/// Something cannot be done.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    what: String,
    hint: Option<String>,
    exit: Exit,
}

impl Trouble {
    /// What was typed cannot be run.
    pub(crate) fn input(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit: Exit::Input }
    }

    /// Something could not be had.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit: Exit::Failed }
    }

    /// Something could not be had, for a reason with reasons of its own.
    pub(crate) fn caused(what: impl fmt::Display, cause: &dyn Error) -> Self {
        Self::failed(format!("{what}: {}", chain(cause)))
    }

    #[must_use]
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same in other words, which are found for the problem and for the hint.
    #[must_use]
    pub(crate) fn in_words(self, words: impl Fn(&str) -> String) -> Self {
        Self { what: words(&self.what), hint: self.hint.as_deref().map(words), exit: self.exit }
    }

    /// With the place where it stands: `bench.yaml:3`.
    #[must_use]
    pub(crate) fn at(self, place: &str) -> Self {
        Self { what: format!("{place}: {}", self.what), ..self }
    }

    /// The flag that it is about, if it begins with one.
    pub(crate) fn flag(&self) -> Option<&str> {
        let end = self.what.find([' ', ':', '=']).unwrap_or(self.what.len());
        Some(&self.what[..end]).filter(|word| word.starts_with("--"))
    }

    /// What cannot be done, and why.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whether it says what to do.
    pub(crate) const fn has_hint(&self) -> bool {
        self.hint.is_some()
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", one_line(&self.what))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", one_line(hint)),
            None => Ok(()),
        }
    }
}

impl From<PlanError> for Trouble {
    fn from(error: PlanError) -> Self {
        Self { what: error.to_string(), hint: error.hint().map(str::to_owned), exit: Exit::Input }
    }
}

/// An error and its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

/// Texts of servers and systems may hold line breaks; what is said stays one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_in_one_line_and_a_hint() {
        let trouble = Trouble::input("a\nb").with_hint("do  this");
        assert_eq!(trouble.to_string(), "error: a b\nhint: do this");
    }
}
