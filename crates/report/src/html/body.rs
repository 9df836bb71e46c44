//! What the sections of a page are made of: paragraphs, tables, figures, findings, listings.
//!
//! A body is a value and knows no markup: how each block is written is the room of `write`.

use tokometer_metrics::diagnosis::{Severity, Sureness};

use super::table::{Cell, Table};
use crate::figure::Figure;
use crate::grid::Tone;
use crate::words::Words;

/// Blocks, one below the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(pub(super) Vec<Block>);

/// A block.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Paragraph(Words),
    Note(Tone, Words),
    List(Vec<Words>),
    Facts(Vec<(Cell, Cell)>),
    Table(Table),
    Figure(Pictured),
    Findings(Vec<Found>),
    Code(String),
    Part { heading: Words, body: Body },
    Folded { heading: Words, body: Body, printed: bool },
}

/// A figure with what stands about it.
#[derive(Clone, Debug)]
pub(super) struct Pictured {
    pub(super) title: Words,
    pub(super) about: Words,
    pub(super) figure: Figure,
}

/// A finding as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// How much it weighs.
    pub(crate) severity: Severity,
    /// How sure it is.
    pub(crate) sureness: Sureness,
    /// A few words on what was found, where there are any.
    pub(crate) title: Option<Words>,
    /// What was found, with its figures.
    pub(crate) what: Words,
    /// The facts it rests on.
    pub(crate) evidence: Vec<Words>,
    /// What to do next.
    pub(crate) next: Words,
    /// What to do next in general, where `next` has no Chinese form: shown above it to those who read Chinese.
    pub(crate) general: Option<Words>,
    /// The points it is about: what each is called and the section that tells of it.
    pub(crate) at: Vec<(Words, String)>,
    /// What the same rule found in other runs: what each run is called, and its sentence.
    pub(crate) others: Vec<(Words, Words)>,
}

impl Body {
    /// A body without blocks.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether it has no block.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A paragraph.
    #[must_use]
    pub(crate) fn paragraph(self, text: impl Into<Words>) -> Self {
        self.with(Block::Paragraph(text.into()))
    }

    /// A paragraph that stands out.
    #[must_use]
    pub(crate) fn note(self, tone: Tone, text: impl Into<Words>) -> Self {
        self.with(Block::Note(tone, text.into()))
    }

    /// A list of sentences.
    #[must_use]
    pub(crate) fn list(self, items: Vec<Words>) -> Self {
        if items.is_empty() { self } else { self.with(Block::List(items)) }
    }

    /// Names and what they are: settings, counts. The cell of a name may have a definition.
    #[must_use]
    pub(crate) fn facts(self, facts: Vec<(Cell, Cell)>) -> Self {
        if facts.is_empty() { self } else { self.with(Block::Facts(facts)) }
    }

    /// A table. One without rows is left out.
    #[must_use]
    pub(crate) fn table(self, table: Table) -> Self {
        if table.is_empty() { self } else { self.with(Block::Table(table)) }
    }

    /// A figure under its title, with a sentence on how it is read.
    #[must_use]
    pub(crate) fn figure(
        self,
        title: impl Into<Words>,
        about: impl Into<Words>,
        figure: Figure,
    ) -> Self {
        self.with(Block::Figure(Pictured { title: title.into(), about: about.into(), figure }))
    }

    /// Findings, in the order in which they are given.
    #[must_use]
    pub(crate) fn findings(self, findings: Vec<Found>) -> Self {
        if findings.is_empty() { self } else { self.with(Block::Findings(findings)) }
    }

    /// A listing, as it stands.
    #[must_use]
    pub(crate) fn code(self, text: impl Into<String>) -> Self {
        self.with(Block::Code(text.into()))
    }

    /// A part under a heading of its own. One without blocks is left out.
    #[must_use]
    pub(crate) fn part(self, heading: impl Into<Words>, body: Self) -> Self {
        if body.is_empty() {
            return self;
        }
        self.with(Block::Part { heading: heading.into(), body })
    }

    /// A part that is shown when it is asked for, and in print. One without blocks is left out.
    #[must_use]
    pub(crate) fn folded(self, heading: impl Into<Words>, body: Self) -> Self {
        if body.is_empty() {
            return self;
        }
        self.with(Block::Folded { heading: heading.into(), body, printed: true })
    }

    /// As [`Self::folded`], and left out in print: what is too long for paper and stands elsewhere in short.
    #[must_use]
    pub(crate) fn raw(self, heading: impl Into<Words>, body: Self) -> Self {
        if body.is_empty() {
            return self;
        }
        self.with(Block::Folded { heading: heading.into(), body, printed: false })
    }

    /// With the blocks of another below its own.
    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn with(mut self, block: Block) -> Self {
        self.0.push(block);
        self
    }
}
