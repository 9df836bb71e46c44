//! `tokometer sim fit`: a preset from measured runs, its errors stated.
//!
//! Here logs are found and read, points chosen, and everything told: the preset on stdout, how well it tells the runs on stderr. What is
//! sought, and how, is the simulator's affair.

mod chosen;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use tokometer_record::RunLog;
use tokometer_sim::Deployment;
use tokometer_sim::fit::{self, Observed, Target, Unidentified};
use tokometer_sim::hardware::{Fit, Preset};

use crate::commands::counted;
use crate::commands::report::runs_below;
use crate::dialect::values::number;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::session::LOG;
use crate::simulator;
use crate::trouble::{Trouble, chain};
use chosen::{Points, Role};
use table::Shown;

/// What `sim fit` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folders of measured runs, or folders with runs below them
    #[arg(value_name = "RUN_DIR", required = true)]
    runs: Vec<PathBuf>,
    /// The points to fit to, by requests in flight or requests a second: 1,4,16 [default: all but those of --holdout]
    #[arg(long, value_name = "N,…", value_parser = number, value_delimiter = ',', allow_negative_numbers = true)]
    points: Vec<f64>,
    /// Points to forecast with what was fitted to the others: 8,32
    #[arg(long, value_name = "N,…", value_parser = number, value_delimiter = ',', allow_negative_numbers = true)]
    holdout: Vec<f64>,
    /// What the preset is of, in one line [default: the model, and where it was measured]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A preset, or a file with one, for the engines' settings and for all that the runs cannot tell
    #[arg(long, value_name = "NAME|FILE")]
    base: Option<String>,
    /// Options of the engines that were measured, as after sim://? in a URL: max_num_seqs=64&max_num_batched_tokens=4096
    #[arg(long, value_name = "KEY=VALUE&…")]
    options: Vec<String>,
}

/// A point of a run.
#[derive(Debug)]
struct Point {
    /// Which of the runs.
    run: usize,
    role: Role,
    observed: Observed,
}

/// Fits, and prints the preset.
///
/// # Errors
/// If a run cannot be read or a point not be fitted.
pub(crate) fn fit(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let points = Points::new(&arguments.points, &arguments.holdout)?;
    let (folders, logs) = read(&arguments.runs, &screen)?;
    let names = names(&folders);
    let points = choose(&points, &logs, &names, &screen)?;
    let begin = arguments.deployment(&points, &screen)?;
    let targets: Vec<Target> = points
        .iter()
        .filter(|point| point.role == Role::Fitted)
        .map(|point| {
            // Percentiles of few requests say little: they are shown, and not fitted to.
            let measured = point.observed.figures;
            let figures = fit::Figures { ttft_p50: None, ttft_p99: None, ..measured };
            Target { load: point.observed.load.clone(), figures }
        })
        .collect();
    let (free, untold) = fit::identified(&targets);
    let fitted = fit::fit(&begin, &free, &targets);
    let shown: Vec<Shown> = points
        .iter()
        .map(|point| Shown {
            name: point.named(&names),
            fitted: point.role == Role::Fitted,
            requests: point.observed.load.requests.len() - point.observed.load.warmup,
            measured: point.observed.figures,
            forecast: point.observed.load.forecast(&fitted.deployment),
        })
        .collect();
    screen.say(table::text(&shown));
    let untold = untold.iter().map(|untold| told(untold, &begin)).collect::<Vec<_>>();
    if !untold.is_empty() {
        screen.say(format!("not identified by these runs:\n  {}", untold.join("\n  ")));
    }
    let about =
        Fit { runs: names, not_told: untold, points: shown.iter().map(Shown::written).collect() };
    screen.print(arguments.preset(&fitted.deployment, &logs, about).to_yaml());
    screen.check()?;
    Ok(Exit::Done)
}

/// Every run in these folders, and what its log holds.
fn read(given: &[PathBuf], screen: &Screen) -> Result<(Vec<PathBuf>, Vec<RunLog>), Trouble> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for given in given {
        for folder in runs_below(given)? {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    let mut logs: Vec<RunLog> = Vec::with_capacity(folders.len());
    for folder in &folders {
        let log = tokometer_record::read(&folder.join(LOG))
            .map_err(|error| Trouble::input(chain(&error)))?;
        if let Some(first) = logs.first()
            && first.header.model != log.header.model
        {
            return Err(Trouble::input(format!(
                "{} measured {}, and {} measured {}",
                folders[0].display(),
                first.header.model,
                folder.display(),
                log.header.model
            ))
            .with_hint("fit a preset to runs of one model on one server"));
        }
        if log.end.is_none() {
            screen.say(format!(
                "note: the log in {} has no end: the run was killed, or still goes on",
                folder.display()
            ));
        }
        if !log.damaged.is_empty() {
            screen.say(format!(
                "note: {} lines of the log in {} cannot be read: what stood there is missing",
                log.damaged.len(),
                folder.display()
            ));
        }
        logs.push(log);
    }
    Ok((folders, logs))
}

/// A name for each run: the last of its folders, and the one above it where two would be called the same.
fn names(folders: &[PathBuf]) -> Vec<String> {
    let last = |folder: &Path, count: usize| {
        let parts: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
        parts[parts.len().saturating_sub(count)..].join("/")
    };
    let same = |count: usize| {
        let mut names: Vec<String> = folders.iter().map(|folder| last(folder, count)).collect();
        names.sort();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    let count = (1..=DEPTH).find(|count| !same(*count)).unwrap_or(DEPTH);
    folders.iter().map(|folder| last(folder, count)).collect()
}

/// The points that are fitted to or held out, with what is to be said of them.
fn choose(
    points: &Points,
    logs: &[RunLog],
    names: &[String],
    screen: &Screen,
) -> Result<Vec<Point>, Trouble> {
    let mut chosen = Vec::new();
    let mut places = Vec::new();
    let mut passed = Vec::new();
    for (run, log) in logs.iter().enumerate() {
        for point in &log.points {
            let place = fit::Place::of(&point.point);
            places.push(place);
            let Some(role) = points.role(place) else { continue };
            match Observed::of(point) {
                Ok(observed) => chosen.push(Point { run, role, observed }),
                Err(why) => passed.push(format!("point {} of {} {why}", place, names[run])),
            }
        }
    }
    points.check(&places)?;
    for passed in &passed {
        screen.say(format!("warning: {passed}"));
    }
    for point in &chosen {
        for remark in &point.observed.remarks {
            screen.say(format!("warning: point {}: {remark}", point.named(names)));
        }
    }
    if chosen.iter().any(|point| point.role == Role::Fitted) {
        return Ok(chosen);
    }
    if !chosen.is_empty() {
        return Err(Trouble::input("--holdout leaves no point to fit to")
            .with_hint("hold out fewer points than the runs have"));
    }
    let none = || "the runs have no point to fit to".to_owned();
    Err(Trouble::input(passed.into_iter().next().unwrap_or_else(none))
        .with_hint("give a run with requests that succeeded"))
}

impl Point {
    fn named(&self, names: &[String]) -> String {
        let place = self.observed.place;
        match names {
            [_] => place.to_string(),
            _ => format!("{place} in {}", names[self.run]),
        }
    }
}

impl Arguments {
    /// What the search begins with: the engines' settings as far as anybody said them, and the coefficients of the base.
    fn deployment(&self, points: &[Point], screen: &Screen) -> Result<Deployment, Trouble> {
        let mut query = vec![match &self.base {
            Some(base) => format!("preset={}", simulator::escaped(base)),
            // Any will do: this one is always sought.
            None => "base_us=1".to_owned(),
        }];
        let cache = points.iter().find_map(|point| point.observed.cache);
        if let Some((size, blocks)) = cache {
            query.push(format!("block_size={size}&num_gpu_blocks={blocks}"));
        }
        query.extend(self.options.iter().cloned());
        let options = simulator::options(&query.join("&"), &[])?;
        let mut deployment = options
            .deployment
            .ok_or_else(|| Trouble::input("--options says of no engines how they are set up"))?;
        if self.base.is_none() {
            deployment.name = "the measured engines".into();
            let engine = &deployment.engine;
            let said = |key: &str| self.options.iter().any(|given| given.contains(key));
            let mut taken = Vec::new();
            for (key, number) in [
                ("max_num_seqs", engine.max_num_seqs),
                ("max_num_batched_tokens", engine.max_num_batched_tokens),
            ] {
                if !said(key) {
                    taken.push(format!("{key} {number}"));
                }
            }
            if cache.is_none() && !said("num_gpu_blocks") {
                taken.push(format!("{} blocks of {}", engine.blocks, engine.block_size));
            }
            if !taken.is_empty() {
                screen.say(format!(
                    "note: runs do not tell how engines are set up; taken as usual: {}. Say with --options what was otherwise",
                    taken.join(", ")
                ));
            }
        }
        Ok(deployment)
    }

    fn preset(&self, deployment: &Deployment, logs: &[RunLog], about: Fit) -> Preset {
        let header = logs.first().map(|log| &log.header);
        let model = header.map(|header| header.model.clone()).filter(|model| !model.is_empty());
        let began = header.and_then(|header| header.began.split('T').next()).unwrap_or_default();
        let measured = model.as_deref().unwrap_or("a server");
        let (step, frontend) = fit::written(deployment);
        Preset {
            description: self
                .name
                .clone()
                .unwrap_or_else(|| format!("{measured}, as it was measured on {began}")),
            source: format!(
                "tokometer {} sim fit, from {} of measured runs",
                env!("CARGO_PKG_VERSION"),
                counted(about.points.iter().filter(|point| point.fitted).count(), "point")
            ),
            model,
            max_model_len: None,
            step,
            frontend,
            engine: fit::settings(deployment),
            fit: Some(about),
        }
    }
}

/// A coefficient that was held, where it was, and why.
fn told(untold: &Unidentified, begin: &Deployment) -> String {
    let Unidentified { coefficient, why } = untold;
    let held = coefficient.of(begin);
    let held = match held > 0.0 {
        true => format!("held at {} µs, as in the base", held * 1e6),
        false => "held at 0".to_owned(),
    };
    format!("{}, {held}: {why}", coefficient.name())
}

/// How many folders a run's name has at most.
const DEPTH: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_by_as_many_folders_as_tell_them_apart() {
        let named = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(named(&["out/20260102_110437/qwen"]), ["qwen"]);
        assert_eq!(named(&["out/a/qwen", "out/b/qwen"]), ["a/qwen", "b/qwen"]);
        assert_eq!(named(&["a", "b"]), ["a", "b"]);
    }
}
