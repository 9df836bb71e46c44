//! Tables of a page: columns with headings that can be explained, cells with a second line.
//!
//! Deliberately no sorting: rows stand in the order in which they are given.

use crate::grid::Tone;
use crate::words::Words;

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// What it tells: read out before the table, and printed above it.
    pub(super) caption: Words,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(super) heading: Words,
    pub(super) about: Option<Definition>,
    pub(super) right: bool,
}

/// What a figure is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Its full name. `None` where that is what stands there.
    pub(super) name: Option<Words>,
    pub(super) text: Words,
}

impl From<Words> for Definition {
    fn from(text: Words) -> Self {
        Self { name: None, text }
    }
}

impl From<(Words, Words)> for Definition {
    fn from((name, text): (Words, Words)) -> Self {
        Self { name: Some(name), text }
    }
}

/// A cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(super) text: Words,
    pub(super) below: Option<Words>,
    pub(super) tone: Tone,
    pub(super) about: Option<Definition>,
    pub(super) link: Option<String>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(caption: impl Into<Words>, columns: Vec<Column>) -> Self {
        Self { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// With one more row. Its first cell names it.
    #[must_use]
    pub(crate) fn row(mut self, cells: Vec<Cell>) -> Self {
        self.rows.push(cells);
        self
    }

    /// With more rows.
    #[must_use]
    pub(crate) fn rows(mut self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// Whether it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Column {
    /// A column of words.
    pub(crate) fn left(heading: impl Into<Words>) -> Self {
        Self { heading: heading.into(), about: None, right: false }
    }

    /// A column of figures.
    pub(crate) fn right(heading: impl Into<Words>) -> Self {
        Self { right: true, ..Self::left(heading) }
    }

    /// With its definition, shown where the heading is pointed at or has the keyboard's focus, and listed at the page's end.
    #[must_use]
    pub(crate) fn about(mut self, definition: impl Into<Definition>) -> Self {
        self.about = Some(definition.into());
        self
    }
}

impl Cell {
    /// A cell with a text.
    pub(crate) fn new(text: impl Into<Words>) -> Self {
        Self { text: text.into(), below: None, tone: Tone::Neutral, about: None, link: None }
    }

    /// A cell for what was not measured.
    pub(crate) fn absent() -> Self {
        Self::new("–")
    }

    /// With a second line, smaller.
    #[must_use]
    pub(crate) fn below(mut self, text: impl Into<Words>) -> Self {
        self.below = Some(text.into());
        self
    }

    /// Shown as good or bad. Its text must say so too.
    #[must_use]
    pub(crate) const fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// With its definition, as of a column.
    #[must_use]
    pub(crate) fn about(mut self, definition: impl Into<Definition>) -> Self {
        self.about = Some(definition.into());
        self
    }

    /// Leading to a section of the page.
    #[must_use]
    pub(crate) fn to(mut self, section: impl Into<String>) -> Self {
        self.link = Some(section.into());
        self
    }
}
