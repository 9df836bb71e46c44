//! The folder of an experiment: what is called what in it, and how it gets there.
//!
//! The names are vLLM's, so that results of either can be read, resumed and drawn by the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::parameters::Combination;
use crate::trouble::Trouble;

/// The folder of a combination: `SERVE--NAME-BENCH--NAME`, and what belongs to its workload behind it. The experiment's own where
/// nothing is varied.
pub(crate) fn folder(
    experiment: &Path,
    serve: &Combination,
    bench: &Combination,
    workload: Option<&str>,
) -> PathBuf {
    let mut parts = Vec::new();
    if !serve.is_empty() {
        parts.push(format!("SERVE--{}", serve.name()));
    }
    if !bench.is_empty() {
        parts.push(format!("BENCH--{}", bench.name()));
    }
    parts.extend(workload.map(|workload| format!("WL--{workload}")));
    match parts.is_empty() {
        true => experiment.to_owned(),
        false => experiment.join(sanitized(&parts.join("-"))),
    }
}

/// The result of a run.
pub(crate) fn run_file(folder: &Path, run: u32) -> PathBuf {
    folder.join(format!("run={run}.json"))
}

/// The log of a server.
pub(crate) fn server_log(experiment: &Path, serve: &Combination) -> PathBuf {
    match serve.is_empty() {
        true => experiment.join("server.log"),
        false => experiment.join(sanitized(&format!("SERVE--{}.log", serve.name()))),
    }
}

/// What tells why a server's combinations were not measured.
pub(crate) fn server_failure(experiment: &Path, serve: &Combination) -> PathBuf {
    let name = if serve.is_empty() { "default".to_owned() } else { serve.name() };
    experiment.join(sanitized(&format!("SERVE-{name}-failure.json")))
}

/// Where this program's own benchmarks keep their logs. It stands beside the experiment and not within: what looks for every
/// `summary.json` below an experiment, as vLLM does, takes it for a combination's.
pub(crate) fn logs(experiment: &Path) -> PathBuf {
    let name = experiment.file_name().unwrap_or_default().to_string_lossy();
    experiment.with_file_name(format!("{name}.outputs"))
}

/// Where it is kept by which command a result was made, so that no other one is resumed with it.
pub(crate) fn command_file(experiment: &Path, run: &Path) -> PathBuf {
    let within = run.strip_prefix(experiment).unwrap_or(run);
    logs(experiment).join("commands").join(within).with_extension("txt")
}

/// A text as the name of a file, by vLLM's rule.
pub(crate) fn sanitized(name: &str) -> String {
    let name = name.replace('/', "_").replace("..", "__");
    name.trim_matches('\'').trim_matches('"').to_owned()
}

/// Takes what a run has left out of the way: it is no result.
pub(crate) fn set_aside(file: &Path) {
    drop(fs::rename(file, file.with_extension("partial.json")));
}

/// Makes the folder of a file.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn create_parent(file: &Path) -> Result<(), Trouble> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| unwritable("create", folder, &error))
}

/// Writes JSON as vLLM does, four blanks deep; whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), Trouble> {
    let cannot = |error: std::io::Error| unwritable("write", path, &error);
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(value, &mut serializer).map_err(|error| cannot(error.into()))?;
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&part)?;
        file.write_all(&text)?;
        file.write_all(b"\n")?;
        fs::rename(&part, path)
    };
    write().map_err(cannot)
}

/// Results have nowhere to go.
fn unwritable(what: &str, path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::caused(format!("cannot {what} {}", path.display()), error)
        .with_hint("give -o a folder that can be written to, on a disk that has room")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::sweep::parameters;

    fn one(text: &str) -> Combination {
        parameters::read("--x", Some(text)).unwrap().remove(0)
    }

    #[test]
    fn folders_are_named_as_vllm_names_them() {
        let (serve, bench) = (one(r#"[{"tp": 2}]"#), one(r#"{"small": {"n": 1}}"#));
        let none = Combination::default();
        let name = |serve, bench, workload| {
            folder(Path::new("e"), serve, bench, workload).display().to_string()
        };
        assert_eq!(name(&serve, &bench, None), "e/SERVE--tp=2-BENCH--small");
        assert_eq!(
            name(&none, &bench, Some("max_concurrency=4")),
            "e/BENCH--small-WL--max_concurrency=4"
        );
        assert_eq!(name(&none, &none, None), "e");
    }

    #[test]
    fn no_name_leads_out_of_the_experiment() {
        assert_eq!(
            sanitized("BENCH--dataset_path=../../x/y.json"),
            "BENCH--dataset_path=______x_y.json"
        );
    }
}
