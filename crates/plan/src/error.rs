//! Why a plan cannot be: where, what, and what to do about it.
//!
//! Settings are named by their path in the native form (`load.points.1.rate`). A dialect that read them from flags says what
//! the flag is called, with [`PlanError::with_place`].

use std::fmt;

/// Why a plan cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    place: Option<String>,
    setting: Option<String>,
    problem: String,
    hint: Option<String>,
}

impl PlanError {
    /// Something is wrong with the whole.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { place: None, setting: None, problem: problem.into(), hint: None }
    }

    /// Something is wrong with the setting of this path.
    pub fn at(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: Some(setting.into()), ..Self::new(problem) }
    }

    /// With advice on what to do.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With the place where the user wrote it: a flag, or a file with line and column.
    #[must_use]
    pub fn with_place(self, place: impl Into<String>) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    /// The path of the setting in the native form, if it is about one.
    pub fn setting(&self) -> Option<&str> {
        self.setting.as_deref()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place.as_ref().or(self.setting.as_ref()) {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for PlanError {}

/// The candidate that `word` was probably meant to be. `None` if none is near.
pub fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word = word.to_lowercase();
    let likeness = |candidate: &&str| strsim::jaro_winkler(&word, candidate);
    let nearest = candidates.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    // Of short words many are alike that share no more than some letters.
    let is_near = match likeness(&nearest) {
        likeness if likeness >= VERY_NEAR => true,
        likeness => {
            likeness >= NEAR && strsim::normalized_damerau_levenshtein(&word, nearest) >= HALF
        }
    };
    is_near.then_some(nearest)
}

/// Advice for a word that is none of `known`: the one that was meant, or all of them.
pub fn known_words<'c>(word: &str, known: impl IntoIterator<Item = &'c str> + Clone) -> String {
    match did_you_mean(word, known.clone()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("known: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The Jaro-Winkler likeness from which a word is taken for a misspelling; the one that clap uses.
const NEAR: f64 = 0.7;

/// The one from which nothing else is asked.
const VERY_NEAR: f64 = 0.85;

/// The share of a word that must be right, below that.
const HALF: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        assert_eq!(did_you_mean("paralel", ["number", "parallel", "rate"]), Some("parallel"));
    }

    #[test]
    fn a_word_like_no_other_finds_none() {
        assert_eq!(did_you_mean("zzz", ["number", "parallel", "rate"]), None);
        assert_eq!(did_you_mean("nope", ["openqa", "openai", "random"]), None);
    }

    #[test]
    fn an_error_names_its_place_first() {
        let error = PlanError::at("load.points.1.rate", "must be above zero");
        assert_eq!(error.to_string(), "load.points.1.rate: must be above zero");
        assert_eq!(error.with_place("--rate").to_string(), "--rate: must be above zero");
    }
}
