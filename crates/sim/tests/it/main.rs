//! The simulator as a client sees it: what it says, when, and how it goes wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod answers;
mod apis;
mod client;
mod endpoints;
mod faults;
mod fleet;
mod limits;
mod model;
mod moments;
mod sockets;
mod tls;
