//! Values as a plan holds them.
//!
//! Deliberately no rule that concerns more than one of them.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use crate::error::PlanError;

/// A path that can be written into a plan.
pub(super) fn utf8(path: PathBuf, setting: &str) -> Result<PathBuf, PlanError> {
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(PlanError::at(setting, format!("{} is not a path in UTF-8", path.display()))),
    }
}

/// The same number, for counting in memory.
pub(super) fn to_usize(number: NonZeroU32) -> NonZeroUsize {
    NonZeroUsize::try_from(number).unwrap_or(NonZeroUsize::MAX)
}
