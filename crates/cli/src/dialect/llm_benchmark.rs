//! The batches of FlyAIBox's `llm_benchmark`: its YAML file and its folders, and what a plan can do beside them.
//!
//! That tool drives vLLM's benchmark, and so do combinations here: each is what `vllm bench serve` with its flags would be, with the
//! settings of the native form laid over it. Deliberately nothing is run here, and no folder is touched.

mod config;
mod grid;
mod laid_over;
mod metadata;
mod settings;
mod wording;

pub(crate) use config::{Config, MINIMAL, Order, read};
pub(crate) use grid::{Combination, Shape};
pub(crate) use settings::{Batch, Planned, resolve};
pub(crate) use wording::{Origin, by_keys};

#[cfg(test)]
mod tests;
