//! `tokometer bench sweep serve`: every combination of parameters, one after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Zoned;
use tokometer_report::compare::overview;

use super::experiment;
use super::measure::{Measured, Sweeping};
use super::parameters::{self, Combination};
use super::words::Words;
use super::{Halt, summary};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What a sweep takes.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// The command that starts the server (`vllm serve …`). Without it, a server that runs already is measured
    #[arg(long, value_name = "COMMAND")]
    serve_cmd: Option<String>,
    /// The command that benchmarks it (`tokometer bench serve …`, `vllm bench serve …`)
    #[arg(long, value_name = "COMMAND")]
    bench_cmd: String,
    /// A command to run after each benchmark, instead of clearing the server's caches
    #[arg(long, value_name = "COMMAND")]
    after_bench_cmd: Option<String>,
    /// Show what the commands print, instead of keeping it in log files
    #[arg(long)]
    show_stdout: bool,
    /// Seconds within which the server must be ready
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    server_ready_timeout: u64,
    /// Parameters of the server's command: JSON, or a file of it
    #[arg(long, value_name = "FILE|JSON")]
    serve_params: Option<String>,
    /// Parameters of the benchmark's command: JSON, or a file of it
    #[arg(long, value_name = "FILE|JSON")]
    bench_params: Option<String>,
    /// Only combinations in which a server's parameter equals a benchmark's: max_num_seqs=max_concurrency,…
    #[arg(long, value_name = "A=B,…", default_value = "")]
    link_vars: String,
    /// The folder of all experiments
    #[arg(short, long, value_name = "FOLDER", default_value = "results")]
    output_dir: PathBuf,
    /// The name of this experiment, and of its folder; without it, the time of day
    #[arg(short, long, value_name = "NAME")]
    experiment_name: Option<String>,
    /// Runs of each combination
    #[arg(long, value_name = "N", default_value_t = 3)]
    num_runs: u32,
    /// Prompts of one run before those that count; it goes to warmup.json
    #[arg(long, value_name = "N", default_value_t = 0)]
    warmup_num_prompts: u64,
    /// Note a failed run or server, and go on
    #[arg(long)]
    continue_on_error: bool,
    /// Print the commands, and run none
    #[arg(long)]
    dry_run: bool,
    /// Go on with an experiment: run what has no result yet
    #[arg(long)]
    resume: bool,
}

/// A sweep that can be run.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) server: Option<Words>,
    pub(crate) bench: Words,
    pub(crate) after: Option<Words>,
    pub(crate) show_stdout: bool,
    pub(crate) ready_within: Duration,
    /// Each combination of the server with those of the benchmark that go with it.
    pub(crate) grid: Vec<(Combination, Vec<Combination>)>,
    pub(crate) experiment: PathBuf,
    pub(crate) runs: u32,
    pub(crate) warmup: u64,
    pub(crate) continue_on_error: bool,
    pub(crate) dry_run: bool,
}

/// Runs every combination.
///
/// # Errors
/// If the command line cannot be run, or a run fails and the sweep is not to go on.
pub(crate) fn serve(arguments: &Arguments) -> Result<Exit, Trouble> {
    let sweep = arguments.resolve()?;
    check_folders(&sweep, &[None])?;
    run(&sweep, |sweeping, serve, bench| {
        let folder = experiment::folder(&sweep.experiment, serve, bench, None);
        Ok(sweeping.combination(serve, bench, &folder)?.into_iter().collect())
    })
}

/// Runs `each` pair of combinations, with the server kept from one to the next, and writes and shows what came out.
pub(crate) fn run<F>(sweep: &Sweep, mut each: F) -> Result<Exit, Trouble>
where
    F: FnMut(&mut Sweeping<'_>, &Combination, &Combination) -> Result<Vec<Measured>, Halt>,
{
    let screen = Screen::new();
    let mut sweeping = Sweeping::new(sweep, &screen)?;
    let mut measured = Vec::new();
    let halted = sweep.grid.iter().try_for_each(|(serve, benches)| {
        for bench in benches {
            match each(&mut sweeping, serve, bench) {
                Ok(more) => measured.extend(more),
                Err(Halt::Trouble(trouble))
                    if sweeping.server_failed() && sweep.continue_on_error =>
                {
                    sweeping.note_server_failure(serve, &trouble)?;
                    break;
                }
                Err(halt) => return Err(halt),
            }
        }
        sweeping.stop_server();
        Ok(())
    });
    sweeping.stop_server();
    if sweep.dry_run {
        screen.print(format!("results would go to {}\n", sweep.experiment.display()));
        return halted.map(|()| Exit::Done).map_err(|halt| trouble(halt, sweep));
    }
    if !measured.is_empty() {
        summary::write_csv(&sweep.experiment, &measured)?;
        let rows: Vec<_> = measured.into_iter().map(|of| (of.name, of.runs)).collect();
        screen.print(overview(&rows));
        if rows.iter().any(|(_, runs)| runs.len() > 1) {
            screen.say(
                "each figure is the mean over the runs ± half of its 95 % confidence interval",
            );
        }
    }
    match halted {
        Err(Halt::Interrupted) => {
            screen.say(format!("interrupted: {}", how_to_resume(sweep)));
            return Ok(Exit::Interrupted);
        }
        Err(halt) => return Err(trouble(halt, sweep)),
        Ok(()) => {}
    }
    screen.say(format!("results are in {}", sweep.experiment.display()));
    screen.check()?;
    sweeping.exit()
}

fn trouble(halt: Halt, sweep: &Sweep) -> Trouble {
    match halt {
        Halt::Trouble(trouble) if trouble.has_hint() || trouble.exit() == Exit::Input => trouble,
        Halt::Trouble(trouble) => trouble.with_hint(how_to_resume(sweep)),
        Halt::Interrupted => Trouble::failed("interrupted"),
    }
}

fn how_to_resume(sweep: &Sweep) -> String {
    let name = sweep.experiment.file_name().unwrap_or_default().to_string_lossy();
    format!("what has ended is kept; the same command with -e {name} --resume does the rest")
}

/// Refuses folders that two combinations would share, or whose names no file system takes.
pub(crate) fn check_folders(sweep: &Sweep, workloads: &[Option<&str>]) -> Result<(), Trouble> {
    let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (serve, bench) in sweep.pairs() {
        for workload in workloads {
            let folder = experiment::folder(&sweep.experiment, serve, bench, *workload);
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

impl Sweep {
    /// Every combination of both.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Combination, &Combination)> {
        self.grid
            .iter()
            .flat_map(|(serve, benches)| benches.iter().map(move |bench| (serve, bench)))
    }
}

impl Arguments {
    /// # Errors
    /// If it cannot be run.
    pub(crate) fn resolve(&self) -> Result<Sweep, Trouble> {
        if self.num_runs == 0 {
            return Err(Trouble::input("--num-runs: must be at least 1"));
        }
        let server =
            self.serve_cmd.as_deref().map(|text| Words::split("--serve-cmd", text)).transpose()?;
        if server.is_none() && self.serve_params.is_some() {
            return Err(Trouble::input(
                "--serve-params needs --serve-cmd: a server that runs already cannot be given parameters",
            ));
        }
        let bench = Words::split("--bench-cmd", &self.bench_cmd)?;
        let after = self
            .after_bench_cmd
            .as_deref()
            .map(|text| Words::split("--after-bench-cmd", text))
            .transpose()?;
        let serves = parameters::read("--serve-params", self.serve_params.as_deref())?;
        let benches = parameters::read("--bench-params", self.bench_params.as_deref())?;
        let links = links(&self.link_vars)?;
        let grid = grid(serves, &benches, &links)?;
        let name = self
            .experiment_name
            .clone()
            .unwrap_or_else(|| Zoned::now().strftime("%Y%m%d_%H%M%S").to_string());
        let experiment = self.output_dir.join(&name);
        check_experiment(&experiment, self.resume)?;
        Ok(Sweep {
            server,
            bench,
            after,
            show_stdout: self.show_stdout,
            ready_within: Duration::from_secs(self.server_ready_timeout),
            grid,
            experiment,
            runs: self.num_runs,
            warmup: self.warmup_num_prompts,
            continue_on_error: self.continue_on_error,
            dry_run: self.dry_run,
        })
    }
}

fn check_experiment(experiment: &Path, resume: bool) -> Result<(), Trouble> {
    let holds = fs::read_dir(experiment).is_ok_and(|mut entries| entries.next().is_some());
    let shown = experiment.display();
    match (resume, holds || experiment.is_file()) {
        (true, false) => {
            Err(Trouble::input(format!("--resume: there is no experiment at {shown}"))
                .with_hint("give the -e and -o of the one that is to go on"))
        }
        (false, true) => Err(Trouble::input(format!("there is an experiment at {shown} already"))
            .with_hint("--resume goes on with it; another -e begins a new one")),
        _ => Ok(()),
    }
}

/// The pairs of parameters that must be equal.
fn links(text: &str) -> Result<Vec<(String, String)>, Trouble> {
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

fn grid(
    serves: Vec<Combination>,
    benches: &[Combination],
    links: &[(String, String)],
) -> Result<Vec<(Combination, Vec<Combination>)>, Trouble> {
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
