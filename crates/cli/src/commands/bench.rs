//! `tokometer bench`: the commands of `vllm bench`, and a comparison of results.
//!
//! Those that measure vLLM from the inside are refused by name: there is no engine in here to measure.

pub(crate) mod compare;
pub(crate) mod serve;
pub(crate) mod sweep;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::dialect::vllm;
use crate::exit::{self, Exit};
use crate::trouble::Trouble;

/// The commands of `bench`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put load on a server, by the flags of `vllm bench serve`
    #[command(args_override_self = true, before_help = SERVE, after_help = format!("{SERVE_EXAMPLES}\n\n{}", exit::TABLE))]
    Serve(Box<vllm::Flags>),
    /// Benchmarks over a grid of parameters, and figures of what came out
    Sweep(sweep::Arguments),
    /// Two results, or two sets of runs, side by side: what differs, and how sure that is
    Compare(compare::Arguments),
    #[command(hide = true, disable_help_flag = true)]
    Latency(Inside),
    #[command(hide = true, disable_help_flag = true)]
    Throughput(Inside),
    #[command(hide = true, disable_help_flag = true)]
    Startup(Inside),
    #[command(hide = true, disable_help_flag = true)]
    MmProcessor(Inside),
}

/// Whatever a refused command is given.
#[derive(Debug, Args)]
pub(crate) struct Inside {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _given: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
/// If it cannot be run, or is one of those that are refused.
pub(crate) fn bench(command: Command) -> Result<Exit, Trouble> {
    match command {
        Command::Serve(flags) => serve::serve(*flags),
        Command::Sweep(arguments) => sweep::sweep(&arguments),
        Command::Compare(arguments) => compare::compare_results(&arguments),
        Command::Latency(_) => {
            Err(inside("latency", "serve --max-concurrency 1 measures one request at a time"))
        }
        Command::Throughput(_) => Err(inside(
            "throughput",
            "serve without --request-rate and --max-concurrency sends everything at once",
        )),
        Command::Startup(_) => {
            Err(inside("startup", "bench sweep serve starts servers and waits for them"))
        }
        Command::MmProcessor(_) => Err(inside(
            "mm-processor",
            "serve --dataset-name random-mm measures a server with images",
        )),
    }
}

/// Measuring vLLM from the inside is left to vLLM.
fn inside(command: &str, instead: &str) -> Trouble {
    Trouble::input(format!(
        "bench {command} measures vLLM inside its own process, and this program measures servers from outside"
    ))
    .with_hint(format!("use vllm bench {command}; tokometer bench {instead}"))
}

const SERVE: &str = "\
Puts load on an inference server and reports as vllm bench serve does: its console block, its result file, its metrics. The \
flags are those of vLLM 0.32 and 0.33. `_` may stand for `-`, names may be shortened as long as they are clear, and of a flag \
that is given twice the last one counts. Everything is checked before any load is sent.";

pub(crate) const SERVE_EXAMPLES: &str = "\
Examples:
  Prompts of 100 random tokens, answers of 100, at most 50 at a time:
    tokometer bench serve --backend openai-chat --model NAME \\
      --port 8801 --dataset-name random \\
      --random-input-len 100 --random-output-len 100 \\
      --max-concurrency 50 --num-prompts 500
  A conversation set at 10 requests a second, in bursts, with limits kept:
    tokometer bench serve --model NAME --dataset-name sharegpt \\
      --dataset-path sharegpt.json --request-rate 10 --burstiness 0.5 \\
      --goodput ttft:500 tpot:50 --save-result --result-dir results
  How much is too much: from 1 to 50 requests a second:
    tokometer bench serve … --ramp-up-strategy linear \\
      --ramp-up-start-rps 1 --ramp-up-end-rps 50
  The same flags from a file:
    tokometer bench serve --config bench.yaml --num-prompts 100
  No server at all:
    tokometer bench serve --base-url 'sim://?ttft_ms=200&itl_ms=20' \\
      --max-concurrency 10 --num-prompts 100";
