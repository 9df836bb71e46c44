//! A page: its title, its sections, and the one file that they become.
//!
//! Style, script and the library for charts are part of the file: it asks the network for nothing. Deliberately knows nothing of runs.

use super::Shown;
use super::body::Body;
use crate::grid::Tone;
use crate::words::Words;

/// A page in the making.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(super) title: Words,
    pub(super) about: Vec<Words>,
    pub(super) verdict: Option<(Tone, Words)>,
    pub(super) sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) id: String,
    pub(super) heading: Words,
    pub(super) body: Body,
    pub(super) state: State,
}

/// Whether a section can be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It always stands open.
    Fixed,
    /// It can be folded, and is open at first.
    Open,
    /// It can be folded, and is so at first.
    Folded,
}

impl Page {
    /// A page without sections.
    pub(crate) fn new(title: impl Into<Words>) -> Self {
        Self { title: title.into(), about: Vec::new(), verdict: None, sections: Vec::new() }
    }

    /// With one more line under the title.
    #[must_use]
    pub(crate) fn about(mut self, line: impl Into<Words>) -> Self {
        self.about.push(line.into());
        self
    }

    /// With the verdict under the title.
    #[must_use]
    pub(crate) fn verdict(mut self, tone: Tone, words: impl Into<Words>) -> Self {
        self.verdict = Some((tone, words.into()));
        self
    }

    /// With one more section, named by an id that no other has. One without blocks is left out.
    #[must_use]
    pub(crate) fn section(
        self,
        id: impl Into<String>,
        heading: impl Into<Words>,
        body: Body,
    ) -> Self {
        self.with(id.into(), heading.into(), body, State::Fixed)
    }

    /// As [`Self::section`], one that can be folded.
    #[must_use]
    pub(super) fn foldable(
        self,
        id: impl Into<String>,
        heading: impl Into<Words>,
        body: Body,
        state: State,
    ) -> Self {
        self.with(id.into(), heading.into(), body, state)
    }

    /// The page as one file.
    pub(crate) fn written(&self, shown: Shown) -> String {
        super::write::page(self, shown)
    }

    fn with(mut self, id: String, heading: Words, body: Body, state: State) -> Self {
        if !body.is_empty() {
            self.sections.push(Section { id, heading, body, state });
        }
        self
    }
}
