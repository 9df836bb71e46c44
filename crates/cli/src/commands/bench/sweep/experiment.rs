//! The folder of an experiment: what is called what in it.
//!
//! The names are vLLM's, so that results of either can be read, resumed and drawn by the other.

use std::path::{Path, PathBuf};

use super::parameters::Combination;

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

/// A text as the name of a file, by vLLM's rule.
pub(crate) fn sanitized(name: &str) -> String {
    let name = name.replace('/', "_").replace("..", "__");
    name.trim_matches('\'').trim_matches('"').to_owned()
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
