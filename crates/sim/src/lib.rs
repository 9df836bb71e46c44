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

mod counts;
mod faults;
pub mod fit;
pub mod forecast;
pub mod hardware;
mod model;
mod options;
mod said;
mod server;
mod truth;

pub use faults::{Fault, FaultError, Faults, FaultsError, KINDS, Kind, Rule, Settings, When};
pub use model::{
    Batch, Delay, Deployment, Emission, Engine, Event, Finish, Fleet, Frontend, Generation, Job,
    LONGEST, Length, Lengths, Linear, Lookups, MOST_DRAFTED, Occupancy, Pace, Policy, Roofline,
    Routing, Speculated, Speculation, StepTime, Ticket, Work, chain,
};
pub use options::{
    ApiKey, Certified, Group, KEYS, LoraModule, Options, OptionsError, Serving, keys,
};
pub use said::{Tokens, Words};
pub use server::about::PATHS;
pub use server::running::{Log, Running, spawn, spawn_logging, spawn_with, tell_often};
pub use server::tls::{TlsError, check_certificate};
pub use server::{Server, serve, serve_connection};
pub use truth::{Emitted, Served, Truth};
