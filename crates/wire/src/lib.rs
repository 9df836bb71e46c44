//! What is said on the socket: the events of a stream, prompts, and the codec of each API.
//!
//! Everything here is a pure function over bytes. It deliberately knows no socket, no clock and no statistics. The client
//! (`engine`) uses one half of each codec and the simulator (`sim`) the other, so that what one writes the other reads.

pub mod api;
mod beside;
mod delta;
mod error_message;
mod prompt;
pub mod sse;

pub use api::{APIS, Answers, Api, Asked, DecodeError, EncodeError, Tool, ToolChoice, by_name};
pub use beside::{Beside, Head, Likely};
pub use delta::{Channel, Delta, Piece, Usage};
pub use error_message::error_message;
pub use prompt::{Audio, Input, LimitName, Message, Options, Prompt, Request};
