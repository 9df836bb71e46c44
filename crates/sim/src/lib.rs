//! An inference server to practise on, whose truth is known to the nanosecond.
//!
//! It needs no GPU and no model: it sends words at moments that a [`Model`] gives it, over the APIs of `wire`, and writes down when
//! it really sent them ([`Truth`]). Faults can be given to it, as real servers have them ([`Faults`]). What a client reports can so be
//! compared with what happened.
//!
//! [`model`](Model) and `playback` are pure; only `server` and what stands below it knows a clock, and only tokio's. In virtual time,
//! over a pipe ([`serve_connection`]), every emission happens at exactly the model's moment. Over TCP ([`spawn`]) it happens within
//! tens of microseconds of it, unless more is asked of the one core than it has.
//!
//! Prompts are counted by the tokenizer that it is given. An image, a video or a sound in a message takes 256 tokens, whatever its size:
//! a real server's models differ in this, and a fixed number shows in the figures without pretending to be any of them.
//!
//! This crate deliberately measures nothing: figures come from the client's records.

mod about;
mod body;
mod choice;
mod content;
mod delay;
mod english;
mod faults;
mod generate;
mod line;
mod model;
mod options;
mod playback;
mod refusal;
mod response;
mod running;
mod server;
mod shape;
mod socket;
mod tally;
mod text;
mod truth;
mod words;

pub use about::PATHS;
pub use delay::{Delay, LONGEST, Length};
pub use faults::{Fault, FaultError, Faults, KINDS, Kind, Rule, When};
pub use model::{Emission, Finish, Generation, Model, Work};
pub use options::{ApiKey, KEYS, Options, OptionsError};
pub use running::{Running, spawn, spawn_with};
pub use server::{Server, serve, serve_connection};
pub use text::Tokens;
pub use truth::{Emitted, Served, Truth};
pub use words::Words;
