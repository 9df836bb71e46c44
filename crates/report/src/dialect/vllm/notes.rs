//! What else a reader of this dialect's reports must know: the notes of every report, but those of figures that it does not show.
//!
//! Deliberately makes no note of its own.

use super::case::Case;
use super::spreads::ITL;
use crate::notes::{self, About, Note};

/// The notes of a point. Of the ITL only where it is shown.
pub(super) fn of(case: &Case<'_>) -> Vec<Note> {
    let mut notes = notes::of(case.told.header, case.told.summary);
    if !ITL.told(case) {
        notes.retain(|note| note.about != About::TokensPerChunk);
    }
    notes
}
