//! The command lines of other tools: their flags become the native form, and nothing else.
//!
//! What a tool prints and writes is the concern of `tokometer_report`; neither half touches the engine.

pub(crate) mod credentials;
pub(crate) mod evalscope;
mod json;
pub(crate) mod llm_benchmark;
mod telemetry;
pub(crate) mod values;
pub(crate) mod vllm;
pub(crate) mod wording;
