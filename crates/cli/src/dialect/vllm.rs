//! `vllm bench serve` 0.32 and 0.33: from its flags to the native form, and from a plan to what its reports are told.

pub(crate) mod arguments;
mod backends;
mod config_file;
mod datasets;
mod flags;
mod names;
mod settings;
pub(crate) mod typed;
mod wording;
mod written;

pub(crate) use flags::Flags;
pub(crate) use settings::{flag_of, settings};
pub(crate) use wording::by_flags;

#[cfg(test)]
mod tests;
