//! `tokometer bench sweep`: benchmarks over a grid of parameters, and figures of what came out.
//!
//! The commands, flags, folders and files are those of `vllm bench sweep`; docs/sweep.md says where this one differs. It measures
//! nothing itself: each run is a process of its own, by whatever command it was given.

mod child;
mod design;
mod experiment;
mod halt;
mod measure;
mod origin;
mod parameters;
mod pareto;
mod plot;
mod results;
mod secrets;
mod serve;
mod server;
mod signals;
mod summary;
mod words;
mod workload;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::trouble::Trouble;

/// What `bench sweep` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a benchmark for every combination of parameters, several times each
    #[command(args_override_self = true)]
    Serve(Box<serve::Arguments>),
    /// Explore the way from one request at a time to all at once
    #[command(name = "serve_workload", alias = "serve-workload", args_override_self = true)]
    ServeWorkload(Box<workload::Arguments>),
    /// Draw curves of a sweep's results
    #[command(args_override_self = true)]
    Plot(Box<plot::Arguments>),
    /// Draw throughput per user against throughput per GPU, with the Pareto frontier
    #[command(name = "plot_pareto", alias = "plot-pareto", args_override_self = true)]
    PlotPareto(Box<pareto::Arguments>),
    /// Not here: it times the start of vLLM, by vLLM's own insides
    #[command(hide = true, disable_help_flag = true)]
    Startup {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        _rest: Vec<OsString>,
    },
}

/// Does what was asked.
///
/// # Errors
/// If the command line cannot be run, or what it needs cannot be had.
pub(crate) fn sweep(arguments: &Arguments) -> Result<Exit, Trouble> {
    match &arguments.what {
        What::Serve(arguments) => serve::serve(arguments),
        What::ServeWorkload(arguments) => workload::serve_workload(arguments),
        What::Plot(arguments) => plot::plot(arguments),
        What::PlotPareto(arguments) => pareto::plot_pareto(arguments),
        What::Startup { .. } => Err(Trouble::input(
            "bench sweep startup times how vLLM itself starts, from within; tokometer measures servers from outside",
        )
        .with_hint("use vllm bench sweep startup for it")),
    }
}
