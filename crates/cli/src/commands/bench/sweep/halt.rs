//! Why a sweep does not go on.

use crate::trouble::Trouble;

/// Why a sweep does not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Something went wrong.
    Trouble(Trouble),
    /// Somebody wants it to end.
    Interrupted,
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
