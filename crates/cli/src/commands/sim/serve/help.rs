//! What stands below `tokometer sim --help`: examples, presets, hardware, endpoints, options and faults.
//!
//! All of it is read from where it is defined, so that it is never out of date.

use tokometer_sim::hardware::architecture::known;
use tokometer_sim::hardware::gpu::GPUS;
use tokometer_sim::hardware::{PRESETS, named};
use tokometer_sim::{KEYS, KINDS, PATHS, keys};
use tokometer_wire::APIS;

/// The text.
pub(in crate::commands::sim) fn text() -> String {
    let apis = APIS.iter().map(|api| (api.path(), api.name()));
    let width = keys().map(str::len).max().unwrap_or_default();
    let groups = KEYS
        .iter()
        .map(|group| format!(" {}:\n{}", group.title, lines(group.keys.iter().copied(), width)));
    let gpus: Vec<_> = GPUS.iter().map(|gpu| gpu.name).collect();
    let architectures: Vec<_> = known().map(|known| known.name).collect();
    format!(
        "{EXAMPLES}\n\nPresets:\n{}\n\nGPUs:\n{}\n\nArchitectures:\n{}\n\nEndpoints:\n{}\n\nOptions, here and in sim:// URLs:\n{}\n\n\
         Faults, for fault=:\n{}",
        presets(),
        filled(&gpus),
        filled(&architectures),
        table(apis.chain(PATHS.iter().copied())),
        groups.collect::<Vec<_>>().join("\n"),
        table(KINDS.iter().map(|(_, name, help)| (*name, *help))),
    )
}

/// Every preset and what it is.
pub(in crate::commands::sim) fn presets() -> String {
    let presets = PRESETS.iter().map(|(name, _)| {
        let description = named(name).map(|preset| preset.description);
        (*name, description.unwrap_or_default())
    });
    let presets: Vec<_> = presets.collect();
    table(presets.iter().map(|(name, description)| (*name, description.as_str())))
}

fn table<'t>(rows: impl Iterator<Item = (&'t str, &'t str)> + Clone) -> String {
    let width = rows.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines(rows, width)
}

fn lines<'t>(rows: impl Iterator<Item = (&'t str, &'t str)>, width: usize) -> String {
    rows.map(|(name, help)| format!("  {name:width$}  {help}")).collect::<Vec<_>>().join("\n")
}

/// Words with commas between them, in lines of a terminal.
fn filled(words: &[impl AsRef<str>]) -> String {
    let mut lines = vec![String::from(" ")];
    for (index, word) in words.iter().enumerate() {
        let comma = if index + 1 < words.len() { "," } else { "" };
        let word = format!(" {}{comma}", word.as_ref());
        match lines.last_mut() {
            Some(line) if line.len() + word.len() <= WIDTH => line.push_str(&word),
            _ => lines.push(format!(" {word}")),
        }
    }
    lines.join("\n")
}

const WIDTH: usize = 100;

/// Lines that are to be typed.
pub(super) const EXAMPLES: &str = "\
Examples:
  A server like vLLM on an H100, with its queue, its batches and its KV cache:
    tokometer sim --preset h100-llama-3.1-8b --max-num-seqs 64
  Four such engines, requests going to where their beginning is cached:
    tokometer sim --preset h100-llama-3.1-8b -dp 4 --routing prefix
  Hardware of which no preset is known, estimated from data sheets:
    tokometer sim --gpu h200 --architecture qwen3-32b -tp 2
  Speculative decoding with drafts of two tokens:
    tokometer sim --preset h100-qwen3-8b --acceptance 0.85,0.6 \\
      --speculative-config '{\"method\":\"mtp\",\"num_speculative_tokens\":2}'
  Steps that are known exactly, for tests: 10 ms, and 10 µs for each token
  of a prompt:
    tokometer sim --max-num-seqs 8 \\
      --options 'base_us=10000&per_prefill_token_us=10'
  The same without a server of its own, in any command that takes a URL:
    tokometer perf --url 'sim://h100-llama-3.1-8b?max_num_seqs=64' …";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_fit_a_terminal() {
        for line in EXAMPLES.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn everything_that_can_be_named_is_told() {
        let text = text();
        let names = PRESETS.iter().map(|(name, _)| *name).chain(GPUS.iter().map(|gpu| gpu.name));
        for name in names.chain(keys()).chain(KINDS.iter().map(|(_, name, _)| *name)) {
            assert!(text.contains(&format!(" {name}")), "{name}");
        }
        for architecture in known() {
            assert!(text.contains(&architecture.name), "{}", architecture.name);
        }
    }
}
