//! How well a fitted preset tells what it was fitted to, and what it was not.
//!
//! Only written down and read back: nothing is computed from it.

use serde::{Deserialize, Serialize};

/// What a preset was fitted to, and its errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The runs, by the names of their folders.
    pub runs: Vec<String>,
    /// Coefficients that the runs could not tell, and what they would have needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_told: Vec<String>,
    /// What the preset forecasts for each point, against what was measured.
    pub points: Vec<FitPoint>,
}

/// One point: how far the forecast is from the measurement, in percent of the measurement. Left out where there was none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitPoint {
    /// Which: the run, and its load.
    pub point: String,
    /// Whether it was fitted to. One that was not shows what the preset is worth.
    pub fitted: bool,
    /// Output tokens in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_error_percent: Option<f64>,
    /// Mean time per output token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_error_percent: Option<f64>,
    /// Mean time to first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_error_percent: Option<f64>,
}
