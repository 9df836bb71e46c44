//! `tokometer demo`: a sweep against the embedded simulator, in half a minute and without anything else.

use std::path::PathBuf;

use clap::Args;
use tokometer_plan::load;

use crate::exit::Exit;
use crate::screen::Screen;
use crate::session;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// What `demo` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder that holds runs
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    outputs_dir: PathBuf,
}

/// Runs the demonstration.
///
/// # Errors
/// If it cannot be run.
pub(crate) fn demo(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let mut resolved = load(PLAN, "the demonstration's plan", &Surroundings::default())?;
    resolved.plan.output.dir.clone_from(&arguments.outputs_dir);
    screen.say(
        "A sweep at 1, 10 and 50 concurrent requests against the embedded simulator: about 15 seconds.\n",
    );
    let ended = session::run(&resolved, &screen)?;
    screen.say(format!(
        "\nThis was a simulator whose truth is known: a TTFT of 150 ms, give or take, and then 10 ms per token.\n\
         The run is kept in {folder}; its reports can be made again: tokometer report {folder}\n\n\
         Now a server of your own:\n  \
         tokometer perf --url http://127.0.0.1:8000/v1/chat/completions --model NAME \\\n    \
         --dataset random --min-prompt-length 1024 --max-prompt-length 1024 --max-tokens 256 \\\n    \
         --parallel 1 10 50 --number 10 50 200\n\
         tokometer perf --help shows everything else.",
        folder = ended.folder.display()
    ));
    // That this machine was too busy is shown, and is no failure of a demonstration.
    Ok(if ended.exit == Exit::ClientLimited { Exit::Done } else { ended.exit })
}

const PLAN: &str = include_str!("demo.yaml");
