//! What a sweep is to do: its commands, which combinations of parameters they run in, and where results go.
//!
//! Here is only decided, and nothing run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::experiment;
use super::parameters::Combination;
use super::words::Words;
use crate::trouble::Trouble;

/// A sweep that can be run.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) server: Option<Words>,
    pub(crate) bench: Words,
    pub(crate) after: Option<Words>,
    pub(crate) show_stdout: bool,
    pub(crate) ready_within: Duration,
    pub(crate) grid: Grid,
    pub(crate) experiment: PathBuf,
    pub(crate) runs: u32,
    pub(crate) warmup: u64,
    pub(crate) continue_on_error: bool,
    pub(crate) dry_run: bool,
}

/// Each combination of the server with those of the benchmark that go with it.
pub(crate) type Grid = Vec<(Combination, Vec<Combination>)>;

impl Sweep {
    /// Every combination of both.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Combination, &Combination)> {
        self.grid
            .iter()
            .flat_map(|(serve, benches)| benches.iter().map(move |bench| (serve, bench)))
    }

    /// Refuses folders that two combinations would share, or whose names no file system takes.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn check_folders(&self, workloads: &[Option<&str>]) -> Result<(), Trouble> {
        let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (serve, bench) in self.pairs() {
            for workload in workloads {
                let folder = experiment::folder(&self.experiment, serve, bench, *workload);
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.len() > LONGEST_NAME {
                    return Err(Trouble::input(format!("the folder's name is too long: {name}"))
                        .with_hint("name the combination: {\"NAME\": {…}} instead of [{…}], or \"_benchmark_name\": \"NAME\" in it"));
                }
                if taken.insert(folder, name.clone()).is_some() {
                    return Err(Trouble::input(format!(
                        "two combinations would share the folder {name}"
                    ))
                    .with_hint("leave one out, or give each its \"_benchmark_name\""));
                }
            }
        }
        Ok(())
    }
}

/// The pairs of parameters that must be equal, as `--link-vars` gives them.
///
/// # Errors
/// If one is no pair.
pub(crate) fn links(text: &str) -> Result<Vec<(String, String)>, Trouble> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| match pair.split('=').map(str::trim).collect::<Vec<_>>().as_slice() {
            [serve, bench] if !serve.is_empty() && !bench.is_empty() => {
                Ok(((*serve).to_owned(), (*bench).to_owned()))
            }
            _ => Err(Trouble::input(format!("--link-vars takes A=B,…, not {pair}"))
                .with_hint("A is a parameter of --serve-params, and B of --bench-params")),
        })
        .collect()
}

/// Every pair of combinations in which the linked parameters are equal.
///
/// # Errors
/// If there is none.
pub(crate) fn grid(
    serves: Vec<Combination>,
    benches: &[Combination],
    links: &[(String, String)],
) -> Result<Grid, Trouble> {
    let linked = |serve: &Combination, bench: &Combination| {
        links.iter().all(|(of_serve, of_bench)| {
            match (serve.parameter(of_serve), bench.parameter(of_bench)) {
                (Some(a), Some(b)) => a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a)),
                _ => false,
            }
        })
    };
    let grid: Vec<_> = serves
        .into_iter()
        .map(|serve| {
            let benches: Vec<_> =
                benches.iter().filter(|bench| linked(&serve, bench)).cloned().collect();
            (serve, benches)
        })
        .filter(|(_, benches)| !benches.is_empty())
        .collect();
    match grid.is_empty() {
        true => Err(Trouble::input(
            "--link-vars: in no combination are the linked parameters there and equal",
        )
        .with_hint("look at the names in --serve-params and --bench-params")),
        false => Ok(grid),
    }
}

/// What file systems take.
const LONGEST_NAME: usize = 250;

#[cfg(test)]
mod tests {
    use super::super::parameters;
    use super::*;

    fn read(text: &str) -> Vec<Combination> {
        parameters::read("--x", Some(text)).unwrap()
    }

    fn shape(links_text: &str) -> Option<Vec<(String, Vec<String>)>> {
        let serves = read(r#"[{"seqs": 1}, {"seqs": 2}, {"seqs": 3}]"#);
        let benches = read(r#"[{"n": 1.0}, {"n": 2}, {"m": 2}]"#);
        let grid = grid(serves, &benches, &links(links_text).unwrap()).ok()?;
        let names = |(serve, benches): &(Combination, Vec<Combination>)| {
            (serve.name(), benches.iter().map(Combination::name).collect())
        };
        Some(grid.iter().map(names).collect())
    }

    #[test]
    fn linked_parameters_keep_the_combinations_in_which_they_are_equal() {
        let pair = |a: &str, b: &str| (a.to_owned(), vec![b.to_owned()]);
        assert_eq!(shape("seqs = n"), Some(vec![pair("seqs=1", "n=1.0"), pair("seqs=2", "n=2")]));
        assert_eq!(shape("").map(|grid| grid.len()), Some(3));
        assert_eq!(shape("nothing=n"), None);
    }

    #[test]
    fn links_that_are_no_pairs_are_refused() {
        for text in ["a", "a=b=c", "=b", "a=b,c"] {
            assert!(links(text).is_err(), "{text}");
        }
    }
}
