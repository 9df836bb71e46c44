//! `tokometer bench sweep serve_workload`: from one request at a time to all at once, and levels between.
//!
//! The two ends tell what the server can do; the levels between them are what is looked for. vLLM's serial run is also held to one
//! request per second, so that its lower end is never more than that, whatever the server; here it sends as fast as it is answered.

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokometer_report::compare::Outcome;

use super::design::Sweep;
use super::experiment;
use super::halt::Halt;
use super::measure::Sweeping;
use super::parameters::Combination;
use super::serve;
use crate::exit::Exit;
use crate::trouble::Trouble;

/// What `serve_workload` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sweep: serve::Arguments,
    /// What is varied from one level to the next
    #[arg(long, value_enum, default_value_t = Variable::RequestRate)]
    workload_var: Variable,
    /// How many levels, the two ends included; at least 2
    #[arg(long, value_name = "N", default_value_t = 10)]
    workload_iters: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Variable {
    #[value(name = "request_rate", alias = "request-rate")]
    RequestRate,
    #[value(name = "max_concurrency", alias = "max-concurrency")]
    MaxConcurrency,
}

/// Explores the workloads of every combination.
///
/// # Errors
/// If the command line cannot be run, or a run fails and the sweep is not to go on.
pub(crate) fn serve_workload(arguments: &Arguments) -> Result<Exit, Trouble> {
    let (variable, levels) = (arguments.workload_var, arguments.workload_iters);
    if levels < 2 {
        return Err(Trouble::input(format!("--workload-iters: must be at least 2, not {levels}"))
            .with_hint("the two ends are levels too"));
    }
    let sweep = arguments.sweep.resolve()?;
    for (_, bench) in sweep.pairs() {
        if bench.parameter(variable.key()).is_some() {
            return Err(Trouble::input(format!(
                "--bench-params sets {0}, which --workload-var {0} explores",
                variable.key()
            ))
            .with_hint("leave it out, or sweep it with bench sweep serve"));
        }
    }
    let longest = format!("{}=9999999", variable.key());
    sweep.check_folders(&[Some(&longest)])?;
    serve::run(&sweep, |sweeping, serve, bench| {
        let exploration = Exploration { sweep: &sweep, serve, bench, variable };
        exploration.explore(sweeping, levels)
    })
}

/// The workloads of one combination.
struct Exploration<'a> {
    sweep: &'a Sweep,
    serve: &'a Combination,
    bench: &'a Combination,
    variable: Variable,
}

impl Exploration<'_> {
    fn explore(&self, sweeping: &mut Sweeping<'_>, levels: u32) -> Result<(), Halt> {
        let prompts = self.prompts()?;
        // No rate at either end: one place, or a place for each, is all that holds requests back.
        let end =
            |places: u64| self.bench.with("max_concurrency", places).with("request_rate", "inf");
        let name = |end: &str, places: u64| match self.variable {
            Variable::RequestRate => format!("request_rate={end}"),
            Variable::MaxConcurrency => format!("max_concurrency={places}"),
        };
        let serial = self.level(sweeping, &end(1), &name("serial", 1))?;
        let batch = self.level(sweeping, &end(prompts), &name("batch", prompts))?;
        if self.sweep.dry_run && levels > 2 {
            let key = self.variable.key();
            sweeping.say(&format!(
                "and up to {} levels of {key} between them, which follow from what these reach",
                levels - 2
            ));
        }
        let (Some(serial), Some(batch)) = (serial, batch) else { return Ok(()) };
        let reached = |place: usize| self.variable.reached(&sweeping.measured()[place].runs);
        let (least, most) = (reached(serial), reached(batch));
        let (Some(least), Some(most)) = (least, most) else {
            return Err(Halt::from(Trouble::failed(format!(
                "the results say no {}, so no level between the ends can be told",
                self.variable.made_of()
            ))));
        };
        for value in between(least.ceil(), most.floor(), levels) {
            // The ends of a sweep over concurrency have their folders, and are not measured twice.
            if self.variable == Variable::MaxConcurrency && (value == 1 || value == prompts) {
                continue;
            }
            let bench = self.bench.with(self.variable.key(), value);
            self.level(sweeping, &bench, &format!("{}={value}", self.variable.key()))?;
        }
        sweeping.put_last(batch);
        Ok(())
    }

    fn level(
        &self,
        sweeping: &mut Sweeping<'_>,
        bench: &Combination,
        name: &str,
    ) -> Result<Option<usize>, Halt> {
        let folder = experiment::folder(&self.sweep.experiment, self.serve, self.bench, Some(name));
        sweeping.combination(self.serve, bench, &folder)
    }

    /// How many requests a run has.
    fn prompts(&self) -> Result<u64, Trouble> {
        let (place, prompts) = match self.bench.parameter("num_prompts") {
            Some(Value::String(text)) => ("--bench-params", text.parse().ok()),
            Some(value) => ("--bench-params", value.as_u64()),
            None => match self.sweep.bench.value("num-prompts") {
                Some(text) => ("--bench-cmd", text.parse().ok()),
                None => ("--bench-cmd", Some(PROMPTS)),
            },
        };
        prompts.filter(|&prompts| prompts > 0).ok_or_else(|| {
            Trouble::input(format!("{place}: num_prompts must be a whole number of at least 1"))
        })
    }
}

impl Variable {
    const fn key(self) -> &'static str {
        match self {
            Self::RequestRate => "request_rate",
            Self::MaxConcurrency => "max_concurrency",
        }
    }

    /// What it is estimated from.
    const fn made_of(self) -> &'static str {
        match self {
            Self::RequestRate => "request_throughput",
            Self::MaxConcurrency => "request_throughput and mean_e2el_ms",
        }
    }

    /// What the runs reached of it, on average: the rate at which requests ended, or by Little's law how many were in the server.
    fn reached(self, runs: &[Outcome]) -> Option<f64> {
        let of = |run: &Outcome| {
            let rate = run.number("request_throughput")?;
            match self {
                Self::RequestRate => Some(rate),
                Self::MaxConcurrency => Some(rate * run.number("mean_e2el_ms")? / 1e3),
            }
        };
        let values: Option<Vec<f64>> = runs.iter().map(of).collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// The levels between the ends: `numpy.linspace(least, most, levels)` without its ends, rounded, each once, ascending.
fn between(least: f64, most: f64, levels: u32) -> Vec<u64> {
    let step = (most - least) / f64::from(levels.max(2) - 1);
    let inner = 1..levels.saturating_sub(1);
    let mut values: Vec<u64> = inner
        .map(|index| (least + step * f64::from(index)).round_ties_even())
        .filter(|&value| value >= 1.0)
        .map(|value| value as u64)
        .collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// How many prompts `bench serve` sends where it is not told.
const PROMPTS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_numpy_s_without_the_ends() {
        // sorted(set(map(round, numpy.linspace(2, 30, 10)[1:-1])))
        assert_eq!(between(2.0, 30.0, 10), [5, 8, 11, 14, 18, 21, 24, 27]);
        assert_eq!(between(1.0, 3.0, 10), [1, 2, 3]);
        assert_eq!(between(1.0, 9.0, 2), [0_u64; 0]);
        assert_eq!(between(5.0, 4.0, 4), [4, 5]);
        assert_eq!(between(1.0, 0.0, 5), [1]);
    }

    #[test]
    fn concurrency_is_by_little_s_law() {
        let run = json!({"completed": 1, "duration": 1.0, "request_throughput": 8.0, "mean_e2el_ms": 500.0});
        let runs = [Outcome::of(run, "x").unwrap()];
        assert_eq!(Variable::MaxConcurrency.reached(&runs), Some(4.0));
        assert_eq!(Variable::RequestRate.reached(&runs), Some(8.0));
    }
}
