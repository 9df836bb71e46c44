//! `tokometer sim plan`: how much load deployments carry within objectives, forecast by the model in virtual time.
//!
//! Here what was typed becomes a question, and what was found is handed out. Trials are [`trial`]'s affair, the search [`study`]'s,
//! tables and figures the report's.

mod objectives;
mod progress;
mod search;
mod spans;
mod study;
mod telling;
mod trial;

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;
use tokometer_report::capacity::{Capacity, Load};
use tokometer_sim::forecast::{Prefixes, Tokens, Workload};
use tokometer_sim::{Deployment, Options, hardware};

use super::serve::flags::Engines;
use super::serve::help::presets;
use crate::commands::check_writable;
use crate::dialect::values::{count, places};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::simulator;
use crate::trouble::Trouble;
use objectives::{Slo, slo};
use progress::Progress;
use spans::{Replicas, Span, rates, replicas, users};
use study::Study;
use trial::{Bench, MOST, Requests, Size};

/// What `sim plan` takes.
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct Arguments {
    #[command(flatten)]
    engines: Engines,
    /// Further options of the engines, as after sim://? in a URL; `tokometer sim --help` lists them
    #[arg(long, value_name = "KEY=VALUE&…", help_heading = "What is deployed")]
    options: Option<String>,
    /// How many engines share the load: a range, both ends included, or a list [default: 1, or --data-parallel-size]
    #[arg(long, value_name = "A..B|A,B,…", value_parser = replicas, allow_negative_numbers = true, help_heading = "What is deployed")]
    replicas: Option<Replicas>,
    /// Requests that arrive in a second, whatever the service does: a range to search in, or a list to choose from [default: 0.1..1000]
    #[arg(long, value_name = "A..B|A,B,…", value_parser = rates, allow_negative_numbers = true, help_heading = "Load", conflicts_with = "concurrency")]
    rate: Option<Span>,
    /// In place of --rate: users who each ask again as soon as they were answered
    #[arg(long, value_name = "A..B|A,B,…", value_parser = users, allow_negative_numbers = true, help_heading = "Load")]
    concurrency: Option<Span>,
    /// How evenly requests arrive: 1 at random (Poisson), less in bursts, more ever more evenly
    #[arg(long, value_name = "SHAPE", default_value = "1", value_parser = burstiness, allow_negative_numbers = true, help_heading = "Load", conflicts_with = "concurrency")]
    burstiness: f64,
    /// What is to be kept to, several with commas or by several flags: ttft, tpot, itl (gaps per token), icl (gaps between chunks) or e2el; its mean, p50, p99, p99.9, … or max; milliseconds, or seconds (0.5s). attainment:99% asks that so many requests keep to all limits at once [default: ttft:p99:500ms,tpot:p99:50ms]
    #[arg(long, value_name = "LATENCY:STATISTIC:LIMIT,…", value_parser = slo, value_delimiter = ',', help_heading = "Load")]
    slo: Vec<Slo>,
    /// Tokens of a prompt: 512, a range 256-1024, mean and deviation 512±128 (or 512+-128), or of a log-normal distribution 512~300 [default: 512]
    #[arg(long, value_name = "TOKENS", allow_hyphen_values = true, help_heading = "Requests")]
    input_tokens: Option<Tokens>,
    /// Tokens of an output, in the same forms [default: 128]
    #[arg(long, value_name = "TOKENS", allow_hyphen_values = true, help_heading = "Requests")]
    output_tokens: Option<Tokens>,
    /// Tokens that a prompt shares with others, before its --input-tokens
    #[arg(long, value_name = "N", value_parser = places, allow_negative_numbers = true, help_heading = "Requests")]
    prefix_tokens: Option<NonZeroU32>,
    /// How many different such beginnings there are [default: 1]
    #[arg(long, value_name = "N", value_parser = places, allow_negative_numbers = true, requires = "prefix_tokens", help_heading = "Requests")]
    prefixes: Option<NonZeroU32>,
    /// Requests of a trial [default: at least 2000 (2500 for a p99), and as many as it takes to last ten times as long as a request]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, help_heading = "Trials", conflicts_with = "duration")]
    requests: Option<NonZeroU64>,
    /// In place of --requests: seconds in which requests arrive
    #[arg(long, value_name = "SECONDS", value_parser = duration, allow_negative_numbers = true, help_heading = "Trials", conflicts_with = "concurrency")]
    duration: Option<f64>,
    /// The share of a trial's requests that is left out at its beginning, and as much at its end: there the engines are not as full
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = edge, allow_negative_numbers = true, help_heading = "Trials")]
    warmup: f64,
    /// How often each search is made, each time with other draws; the least that is found counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), allow_negative_numbers = true, help_heading = "Trials")]
    repetitions: u32,
    /// The root of all draws
    #[arg(
        long,
        value_name = "N",
        default_value_t = 42,
        allow_negative_numbers = true,
        help_heading = "Trials"
    )]
    seed: u64,
    /// A file for the figure, .svg or .png; may be given several times; none for no figure [default: outputs/plan-NAME.svg and .png]
    #[arg(long, value_name = "FILE|none", help_heading = "Output")]
    figure: Vec<PathBuf>,
    /// Print JSON: everything that was asked, found and tried
    #[arg(long, overrides_with = "json", help_heading = "Output")]
    json: bool,
}

/// Forecasts, and prints what carries which load.
///
/// # Errors
/// If what was asked for cannot be forecast, or the figure cannot be written.
pub(crate) fn plan(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let options = arguments.deployed()?;
    let deployment = arguments.deployment(&options)?;
    let figures = arguments.figures(&deployment.name)?;
    let (load, span) = arguments.load();
    let replicas = match &arguments.replicas {
        Some(replicas) => replicas.0.clone(),
        None => vec![deployment.replicas.get()],
    };
    let bench = arguments.bench(deployment, load)?;
    fits(&bench, options.max_model_len)?;
    let progress = Progress::new(&screen, replicas.len() as u64 * u64::from(arguments.repetitions));
    let study = Study {
        bench: &bench,
        replicas: &replicas,
        ladder: span.ladder(load),
        span: &span,
        repetitions: arguments.repetitions,
        threads: thread::available_parallelism().map_or(1, usize::from),
        progress: &progress,
    };
    let findings = study.run();
    progress.done();
    let notes = telling::notes(&bench, &findings, arguments.source());
    let capacity = Capacity {
        deployment: bench.deployment.name.clone(),
        facts: telling::facts(arguments, &bench, &span),
        asked: telling::asked(arguments, &bench, &span),
        load,
        objectives: bench.told.clone(),
        rows: findings.rows,
        needs: findings.needs,
        course: findings.course,
        notes,
        trials: findings.trials,
    };
    match arguments.json {
        true => screen.print(format!("{:#}\n", capacity.json())),
        false => screen.print(capacity.text(Screen::style())),
    }
    screen.check()?;
    let figure = capacity.figure(DPI);
    for path in &figures {
        figure.save(path).map_err(|error| {
            Trouble::failed(format!("--figure: cannot write {}: {error}", path.display()))
        })?;
        screen.say(format!("figure: {}", path.display()));
    }
    Ok(Exit::Done)
}

impl Arguments {
    /// What is deployed, as the simulator reads it.
    fn deployed(&self) -> Result<Options, Trouble> {
        simulator::options_of_flags(&self.engines.pairs(), self.options.as_deref())
    }

    fn deployment(&self, options: &Options) -> Result<Deployment, Trouble> {
        options.deployment.clone().ok_or_else(|| {
            Trouble::input("--preset is missing: there are no engines to plan with").with_hint(
                "name one of those that tokometer sim --help lists, as in --preset h100-llama-3.1-8b; tokometer sim fit makes one of \
                 measured runs",
            )
        })
    }

    fn load(&self) -> (Load, Span) {
        match (&self.concurrency, &self.rate) {
            (Some(users), _) => (Load::Users, users.clone()),
            (None, Some(rate)) => (Load::Rate, rate.clone()),
            (None, None) => (Load::Rate, DEFAULT_RATES),
        }
    }

    fn bench(&self, deployment: Deployment, load: Load) -> Result<Bench, Trouble> {
        let objectives = match self.slo.is_empty() {
            true => DEFAULT_OBJECTIVES.map(slo).into_iter().filter_map(Result::ok).collect(),
            false => self.slo.clone(),
        };
        check_objectives(&objectives)?;
        let needs = objectives.iter().map(Slo::needs).max().unwrap_or_default();
        let counted = 1.0 - 2.0 * self.warmup;
        let size = match (self.requests, self.duration) {
            (Some(count), _) => {
                let count = count.get();
                let measured = (count as f64 * counted).floor() as u64;
                if measured < needs.max(1) {
                    let least = (needs.max(1) as f64 / counted).ceil();
                    return Err(Trouble::input(format!(
                        "--requests: of {count} requests {measured} count, and the statistic takes {needs}"
                    ))
                    .with_hint(format!("give at least {least}, better ten times as many")));
                }
                if count > MOST as u64 {
                    return Err(Trouble::input(format!(
                        "--requests: must be at most {MOST}, not {count}"
                    )));
                }
                Size::Requests(count as usize)
            }
            (None, Some(seconds)) => Size::Seconds(seconds),
            (None, None) => {
                let for_statistic = (BEYOND * needs as f64 / counted).ceil() as usize;
                Size::AtLeast(FEWEST.max(for_statistic).min(MOST))
            }
        };
        let prefixes = self
            .prefix_tokens
            .map(|tokens| Prefixes { tokens, kinds: self.prefixes.unwrap_or(NonZeroU32::MIN) });
        Ok(Bench {
            deployment,
            workload: Workload {
                input: self.input_tokens.unwrap_or(Tokens::Fixed(512)),
                output: self.output_tokens.unwrap_or(Tokens::Fixed(128)),
                prefixes,
            },
            load,
            burstiness: self.burstiness,
            told: objectives.iter().map(Slo::told).collect(),
            objectives,
            size,
            edge: self.warmup,
            seed: self.seed,
            requests: Requests::default(),
        })
    }

    /// What the deployment's figures rest on.
    fn source(&self) -> Vec<String> {
        self.engines.preset().and_then(|name| hardware::named(name).ok()).map_or_else(
            || {
                vec![
                    "These are estimates, by a model of engines that are described by flags; how far it is off is not known. Measure at \
                     the load that is found here before you rely on it."
                        .to_owned(),
                ]
            },
            |preset| telling::source(&preset),
        )
    }

    /// Where the figure goes, which can be written there.
    fn figures(&self, name: &str) -> Result<Vec<PathBuf>, Trouble> {
        if self.figure.iter().any(|path| path.as_os_str() == "none") {
            return Ok(Vec::new());
        }
        if self.figure.is_empty() {
            let folder = Path::new("outputs");
            fs::create_dir_all(folder).map_err(|error| {
                Trouble::failed(format!("cannot make the folder outputs for the figure: {error}"))
                    .with_hint("name another place with --figure FILE, or --figure none")
            })?;
            let plain = |letter: char| {
                if letter.is_alphanumeric() || ".-_".contains(letter) { letter } else { '_' }
            };
            let name: String = name.chars().map(plain).collect();
            return Ok(["svg", "png"]
                .map(|form| folder.join(format!("plan-{name}.{form}")))
                .to_vec());
        }
        for path in &self.figure {
            let form = path.extension().unwrap_or_default();
            if !["svg", "png"].iter().any(|known| form.eq_ignore_ascii_case(known)) {
                return Err(Trouble::input(format!(
                    "--figure: {} is neither .svg nor .png",
                    path.display()
                ))
                .with_hint("end its name with the form that it is to have"));
            }
            check_writable("--figure", path)?;
        }
        Ok(self.figure.clone())
    }
}

/// Refuses objectives that cannot be told apart, and an attainment of nothing.
fn check_objectives(all: &[Slo]) -> Result<(), Trouble> {
    let keys: Vec<String> = all.iter().map(|slo| slo.told().key).collect();
    for (place, key) in keys.iter().enumerate() {
        if keys[..place].contains(key) {
            return Err(Trouble::input(format!("--slo: {key} has two limits"))
                .with_hint("give each statistic of a latency once"));
        }
    }
    let attains = all.iter().any(|slo| matches!(slo, Slo::Attainment { .. }));
    match attains && objectives::limits(all).is_empty() {
        true => Err(Trouble::input("--slo: attainment needs limits for requests to keep to")
            .with_hint("add ttft, tpot or e2el: --slo ttft:500ms,tpot:50ms,attainment:99%")),
        false => Ok(()),
    }
}

/// Refuses requests that no engine has room for: `max_model_len` is never more than that.
fn fits(bench: &Bench, max_model_len: u32) -> Result<(), Trouble> {
    let longest = bench.longest();
    if longest <= u64::from(max_model_len) {
        return Ok(());
    }
    let (of, hint) = match max_model_len < bench.deployment.engine.context() {
        true => ("max_model_len is", "give shorter ones, or a greater --options max_model_len=…"),
        false => (
            "an engine has room for",
            "give shorter ones, or engines with more blocks and tokens in a step",
        ),
    };
    Err(Trouble::input(format!(
        "--input-tokens and --output-tokens: the longest request has {longest} tokens, and {of} {max_model_len}"
    ))
    .with_hint(hint))
}

/// What stands below `--help`.
fn help() -> String {
    format!("{ABOUT}\n\n{EXAMPLES}\n\nPresets:\n{}", presets())
}

fn burstiness(text: &str) -> Result<f64, String> {
    let shape: Option<f64> = text.trim().parse().ok();
    let shape = shape.filter(|shape| (0.01..=1e6).contains(shape));
    shape.ok_or_else(|| "takes a number from 0.01 to 1000000".to_owned())
}

fn duration(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.trim().trim_end_matches('s').parse().ok();
    let seconds = seconds.filter(|seconds| (1.0..=1e6).contains(seconds));
    seconds.ok_or_else(|| "takes a number of seconds, at least 1".to_owned())
}

fn edge(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.trim().trim_end_matches('%').trim().parse().ok();
    let percent = percent.filter(|percent| (0.0..=40.0).contains(percent));
    percent.map(|percent| percent / 100.0).ok_or_else(|| "takes per cent, from 0 to 40".to_owned())
}

/// The rates among which the most is sought where nobody said.
const DEFAULT_RATES: Span = Span::Range(0.1, 1000.0);

/// The objectives where nobody said.
const DEFAULT_OBJECTIVES: [&str; 2] = ["ttft:p99:500ms", "tpot:p99:50ms"];

/// The fewest requests of a trial where nobody said.
const FEWEST: usize = 2_000;

/// How many times as many requests count as a percentile needs to be more than the greatest value: so many lie beyond it.
const BEYOND: f64 = 20.0;

/// Pixels per inch of the figure.
const DPI: u32 = 200;

const ABOUT: &str = "\
For each number of replicas it searches, in virtual time, for the most load that keeps to every objective, and prints which \
replicas a load needs. A load that makes requests pile up keeps to none. All of it is an estimate by the simulator's model.";

const EXAMPLES: &str = "\
Examples:
  How much do 1 to 16 GPUs carry, with prompts as people write them?
    tokometer sim plan --preset h100-llama-3.1-8b --replicas 1..16 \\
      --rate 1..1000 --input-tokens 512~300 --output-tokens 128~100 \\
      --slo ttft:p99:500ms,tpot:p99:50ms
  How many users can one GPU have, of whom 99 % feel no delay?
    tokometer sim plan --preset h100-qwen3-8b --concurrency 1..500 \\
      --slo ttft:500ms,tpot:30ms,attainment:99%
  Is it enough for 40 requests a second that share a long beginning?
    tokometer sim plan --gpu l40s --architecture qwen3-8b --replicas 1..8 \\
      --rate 40 --prefix-tokens 2000 --input-tokens 200";
