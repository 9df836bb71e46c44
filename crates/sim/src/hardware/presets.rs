//! The presets that come with the program, and those in files.
//!
//! Deliberately interprets nothing: that is for [`preset`](super::preset).

use std::fs;

use crate::hardware::{Preset, PresetError};

/// The presets that come with the program: their names, and the files that they are.
pub const PRESETS: &[(&str, &str)] = &[
    ("a100-qwen2.5-0.5b", include_str!("presets/a100-qwen2.5-0.5b.yaml")),
    ("c500x2-qwen3-32b", include_str!("presets/c500x2-qwen3-32b.yaml")),
    ("h100-llama-3.1-8b", include_str!("presets/h100-llama-3.1-8b.yaml")),
    ("a100-llama-3.1-8b", include_str!("presets/a100-llama-3.1-8b.yaml")),
    ("h100x4-llama-3.3-70b", include_str!("presets/h100x4-llama-3.3-70b.yaml")),
    ("h100-qwen3-8b", include_str!("presets/h100-qwen3-8b.yaml")),
    ("h100-qwen3-32b", include_str!("presets/h100-qwen3-32b.yaml")),
    ("h100-qwen3-30b-a3b", include_str!("presets/h100-qwen3-30b-a3b.yaml")),
    ("h200x2-llama-3.3-70b", include_str!("presets/h200x2-llama-3.3-70b.yaml")),
    ("a100-qwen2.5-7b", include_str!("presets/a100-qwen2.5-7b.yaml")),
    ("l40s-llama-3.1-8b", include_str!("presets/l40s-llama-3.1-8b.yaml")),
    ("l4-qwen3-4b", include_str!("presets/l4-qwen3-4b.yaml")),
    ("rtx-4090-qwen3-8b", include_str!("presets/rtx-4090-qwen3-8b.yaml")),
    ("mi300x-llama-3.3-70b", include_str!("presets/mi300x-llama-3.3-70b.yaml")),
];

/// The names of [`PRESETS`].
pub(super) fn names() -> impl Iterator<Item = String> {
    PRESETS.iter().map(|(name, _)| (*name).to_owned())
}

/// The preset of that name, or in the file of that name.
///
/// # Errors
/// If there is none, or the file cannot be read or is none.
pub fn named(name: &str) -> Result<Preset, PresetError> {
    if let Some((name, text)) = PRESETS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Preset::from_yaml(text, name);
    }
    if !is_file(name) {
        return Err(PresetError::Unknown { name: name.to_owned() });
    }
    let text = fs::read_to_string(name).map_err(|error| PresetError::Unreadable {
        what: "the preset",
        file: name.to_owned(),
        why: error.to_string(),
    })?;
    Preset::from_yaml(&text, name)
}

/// Whether a name that is no preset's is a file's: it has a folder, or ends as YAML does.
pub fn is_file(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Batch;

    #[test]
    fn every_preset_deploys_and_is_written_as_it_is_read() {
        for (name, _) in PRESETS {
            let preset = named(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = Preset::from_yaml(&preset.to_yaml(), name).unwrap();
            assert_eq!(again, preset, "{name}");
            let deployed = preset.deployed(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(deployed.deployment.name, *name);
            assert!(deployed.model.is_some() && deployed.max_model_len.is_some(), "{name}");
            assert!(!preset.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn steps_of_every_preset_grow_with_what_is_in_them() {
        for (name, _) in PRESETS {
            let deployment = named(name).unwrap().deployed(name).unwrap().deployment;
            let of = |prefill_tokens: u32, decode_tokens: u32, context: u64| {
                let batch = Batch {
                    requests: decode_tokens + 1,
                    prefill_tokens,
                    prefill_attention: u64::from(prefill_tokens) * u64::from(prefill_tokens) / 2,
                    decode_tokens,
                    decode_context: context,
                };
                deployment.step.of(&batch).as_secs_f64()
            };
            let one = of(0, 1, 100);
            // A token on a GPU takes a millisecond at the very least, and a second at the very most.
            assert!((1e-3..1.0).contains(&one), "{name}: {one}");
            assert!(of(2048, 1, 100) > 1.5 * one, "{name}: {} {one}", of(2048, 1, 100));
            assert!(of(0, 256, 256_000) > one, "{name}");
        }
    }
}
