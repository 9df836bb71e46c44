//! What engines run on: GPUs, architectures of models, and presets that join them with measured coefficients.
//!
//! Here names become the numbers of a [`Deployment`]. Deliberately simulates nothing.

pub mod architecture;
mod engine;
mod fitted;
pub mod gpu;
mod preset;
mod presets;
mod roofline;

use crate::model::Deployment;

pub use engine::{EngineSettings, RoutingPolicy, SchedulingPolicy, SpeculativeConfig};
pub use fitted::{Fit, FitPoint};
pub use preset::{Coefficients, Deployed, FrontendTimes, Preset, Step};
pub use presets::{PRESETS, is_file, named};
pub use roofline::{
    ALL_REDUCE, BANDWIDTH_EFFICIENCY, DECODE_MFU, Estimate, LAYER_OVERHEAD, PREFILL_MFU,
    STEP_OVERHEAD,
};

/// Why a name or a file makes no deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// There is no such preset.
    #[error("no preset is called {name:?}; {}", nearest(name, presets::names()))]
    Unknown {
        /// The name.
        name: String,
    },
    /// There is no such GPU.
    #[error("no GPU is called {name:?}; {}", nearest(name, gpu::GPUS.iter().map(|gpu| gpu.name.to_owned())))]
    Gpu {
        /// The name.
        name: String,
    },
    /// There is no such architecture.
    #[error(
        "no architecture is called {name:?}; {}, or give the path of a model's config.json",
        nearest(name, architecture::known().map(|known| known.name))
    )]
    Architecture {
        /// The name.
        name: String,
    },
    /// A file cannot be read.
    #[error("cannot read {what} {file}: {why}")]
    Unreadable {
        /// What it was to hold.
        what: &'static str,
        /// Its name.
        file: String,
        /// The system's words.
        why: String,
    },
    /// A file does not hold what it should.
    #[error("{place}: {why}")]
    Invalid {
        /// The file, and the line and column where they are known.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// A model does not fit its GPUs.
    #[error("{what} does not fit: {why}; {instead} would")]
    DoesNotFit {
        /// The model and the GPUs.
        what: String,
        /// What takes how much.
        why: String,
        /// What would fit.
        instead: String,
    },
    /// A setting makes no sense, alone or beside others.
    #[error("{key} {why}")]
    Refused {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// The deployment of the preset of that name, or in that file.
///
/// # Errors
/// If there is none, or it makes no sense.
pub fn preset(name: &str) -> Result<Deployment, PresetError> {
    Ok(named(name)?.deployed(name)?.deployment)
}

impl PresetError {
    pub(crate) const fn refused(key: &'static str, why: String) -> Self {
        Self::Refused { key, why }
    }
}

/// The names that are like `name`, the most alike first; all of them where none is.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let word = name.to_lowercase();
    let mut alike: Vec<(f64, String)> =
        known.map(|known| (strsim::jaro_winkler(&word, &known), known)).collect();
    let near = alike.iter().filter(|(likeness, _)| *likeness > ALIKE).count();
    match near {
        0 => {
            let all: Vec<_> = alike.into_iter().map(|(_, known)| known).collect();
            format!("there are {}", all.join(", "))
        }
        _ => {
            alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let few: Vec<_> =
                alike.into_iter().take(near.min(FEW)).map(|(_, known)| known).collect();
            format!("did you mean {}?", few.join(", or "))
        }
    }
}

/// The Jaro-Winkler likeness from which a name may have been meant.
const ALIKE: f64 = 0.8;

/// How many names may have been meant.
const FEW: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_preset_is_refused_with_the_names_that_are_like_it() {
        let error = preset("h100-llama-8b").unwrap_err().to_string();
        assert!(
            error.starts_with(
                "no preset is called \"h100-llama-8b\"; did you mean h100-llama-3.1-8b, or "
            ),
            "{error}"
        );
        let error = preset("zzz").unwrap_err().to_string();
        for name in presets::names() {
            assert!(error.contains(&name), "{error}");
        }
    }

    #[test]
    fn a_preset_in_a_file_is_read_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.yaml");
        let path = path.to_str().unwrap();
        let missing = preset(path).unwrap_err().to_string();
        assert!(missing.starts_with(&format!("cannot read the preset {path}: ")), "{missing}");
        let text = "description: mine\nstep: {coefficients: {base_us: 5000}}\n";
        std::fs::write(path, text).unwrap();
        assert_eq!(preset(path).unwrap().name, path);
    }
}
