//! What a response says, and in which bytes: text, channels, the events of an API, and what faults do to them.
//!
//! Pure and clockless: each piece comes with the moment at which it is due, and whoever asks waits for it.

mod calls;
pub(crate) mod choice;
pub(crate) mod content;
pub(crate) mod english;
pub(crate) mod playback;
pub(crate) mod script;
pub(crate) mod shape;
pub(crate) mod stops;
mod text;
mod words;

pub use text::Tokens;
pub(crate) use text::{Text, Vocabulary};
pub use words::Words;
