//! From what was typed to a plan that cannot be wrong.
//!
//! [`config::Config`] is exactly what was typed, in YAML or by the flags of a dialect. [`resolve()`] holds its settings
//! against each other and makes a [`Plan`], which needs no further check. This crate deliberately opens no connection and
//! reads no dataset; what it needs of the world it asks of an [`Environment`].

pub mod config;
mod endpoint;
mod environment;
mod error;
mod plan;
mod resolve;
mod secret;
pub mod sweep;
mod url;
mod written;
mod yaml;

pub use config::json_schema;
pub use environment::Environment;
pub use error::{PlanError, did_you_mean, known_words};
pub use plan::{
    Dataset, Fit, Generation, Key, Output, OwnMetrics, Pacing, Plan, Point, Prompts, Proxy, Ramp,
    Reporting, Save, Source, Spoken, Target, Telemetry, Template, Text, Timeouts, Vllm,
};
pub use resolve::{Resolved, load, resolve};
pub use secret::{Filled, is_secret_field, names_a_secret};
pub use url::{Scheme, Url};
pub use written::{Amount, Between, Burstiness, Limit, Pace, Rate, Span};
pub use yaml::{Document, from_yaml, locate, read_yaml};
