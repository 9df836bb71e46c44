//! `tokometer bench sweep serve`: every combination of parameters, one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Zoned;
use tokometer_report::compare::overview;

use super::design::{self, Sweep};
use super::experiment;
use super::halt::Halt;
use super::measure::{Sweeping, command};
use super::parameters::{self, Combination};
use super::summary;
use super::words::Words;
use crate::command_line::{self, Command};
use crate::commands::bench;
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

/// Runs every combination.
///
/// # Errors
/// If the command line cannot be run, or a run fails and the sweep is not to go on.
pub(crate) fn serve(arguments: &Arguments) -> Result<Exit, Trouble> {
    let sweep = arguments.resolve()?;
    sweep.check_folders(&[None])?;
    run(&sweep, |sweeping, serve, bench| {
        let folder = experiment::folder(&sweep.experiment, serve, bench, None);
        sweeping.combination(serve, bench, &folder).map(drop)
    })
}

/// Runs `each` pair of combinations, with the server kept from one to the next, and writes and shows what came out.
pub(crate) fn run<F>(sweep: &Sweep, mut each: F) -> Result<Exit, Trouble>
where
    F: FnMut(&mut Sweeping<'_>, &Combination, &Combination) -> Result<(), Halt>,
{
    check_commands(sweep)?;
    let screen = Screen::new();
    let mut sweeping = Sweeping::new(sweep, &screen)?;
    let halted = sweep.grid.iter().try_for_each(|(serve, benches)| {
        for bench in benches {
            match each(&mut sweeping, serve, bench) {
                Ok(()) => {}
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
    let measured = sweeping.measured();
    if !measured.is_empty() {
        summary::write_csv(&sweep.experiment, measured)?;
        let rows: Vec<_> = measured.iter().map(|of| (of.title(), of.runs.as_slice())).collect();
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

/// Refuses a command line of this very program's that it cannot read, or not run: of each combination, before anything is started.
fn check_commands(sweep: &Sweep) -> Result<(), Trouble> {
    if sweep.bench.program() != env!("CARGO_PKG_NAME") || !sweep.bench.runs_our_benchmark() {
        return Ok(());
    }
    for (serve, bench) in sweep.pairs() {
        let folder = experiment::folder(&sweep.experiment, serve, bench, None);
        let words = command(sweep, bench, &experiment::run_file(&folder, 0));
        let fits = match command_line::parse(words.words()) {
            Ok(Command::Bench(bench::Command::Serve(flags))) => bench::serve::check(*flags),
            Ok(_) => Ok(()),
            Err(Ok(_)) => Err(Trouble::input("it asks for help or a version")),
            Err(Err(trouble)) => Err(trouble),
        };
        fits.map_err(|trouble| match bench.is_empty() {
            true => trouble.at("--bench-cmd"),
            false => trouble.at(&format!("--bench-params: {}", bench.name())),
        })?;
    }
    Ok(())
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
        let links = design::links(&self.link_vars)?;
        let grid = design::grid(serves, &benches, &links)?;
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
