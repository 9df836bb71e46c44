//! `tokometer batch`: run a grid of lengths and loads from a YAML file, and gather the results by model and time.
//!
//! Everything is checked before the first load: every combination is a plan, the server answers, its prompts can be made. From there
//! on nothing stops the batch but the user: a combination that fails is kept with its reason, and the next one begins. What a
//! combination is lives in `dialect::llm_benchmark`; how one is run, in `session`.

mod closing;
mod course;
pub(super) mod folder;
mod forecast;
mod gist;

use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;
use serde_json::json;
use tokometer_plan::{Environment, Plan};

use super::bench::serve::at_hand;
use crate::dialect::llm_benchmark::{self, Batch, Origin, by_keys};
use crate::exit::{self, Exit};
use crate::interruption::Interruption;
use crate::screen::Screen;
use crate::session::{self, Unmet};
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;
pub(super) use course::useless;
use folder::Folder;

/// What `batch` takes.
#[derive(Debug, Args)]
#[command(before_help = ABOUT, after_help = format!("{EXAMPLES}\n\n{}", exit::TABLE), args_override_self = true)]
pub(crate) struct Arguments {
    /// The batch; docs/batch.md tells what may stand in it
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
    /// Run only what is missing or failed, into the same folder: the one that is named, else the newest of this batch
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
    /// List the combinations with the names of their files, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the batch.
///
/// # Errors
/// If it cannot be read or begin. What fails on its way is told, and makes the exit code.
pub(crate) fn batch(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let mut surroundings = Surroundings::default();
    let name = arguments.config.display().to_string();
    let text = surroundings.read(&arguments.config).map_err(|error| unreadable(&name, &error))?;
    let config = llm_benchmark::read(&text, &name)?;
    let origin = Origin::File { name: &name, text: &text };
    let mut batch = llm_benchmark::resolve(config, &origin, &mut surroundings, &at_hand)?;
    batch.notes.iter().for_each(|note| screen.say(format_args!("note: {note}")));
    let named = arguments.resume.as_ref().map(Option::as_deref);
    let before = named.map(|named| Folder::of_before(&batch.config, named)).transpose()?;
    if arguments.dry_run {
        screen.print(closing::listed(&batch, before.as_ref()));
        return screen.check().map(|()| Exit::Done);
    }
    let pending = course::pending(&batch, before.as_ref());
    let folder = match (before, pending.is_empty()) {
        (Some(folder), true) => {
            let path = folder.path().display();
            screen.say(format_args!(
                "every combination of {path} has its result: nothing is left to run"
            ));
            folder
        }
        (before, _) => {
            Folder::check(batch.config.results_dir())?;
            let drain = batch.planned[pending[0]].resolved.plan.drain;
            let interruption = Interruption::listen(&screen, drain)?;
            meet(&mut batch, &pending, &interruption, &screen)?;
            let folder = match before {
                Some(folder) => folder,
                None => Folder::create(&batch.config, &Zoned::now())?,
            };
            let course =
                course::Course { batch: &batch, folder: &folder, config: &arguments.config };
            course.run(&pending, &interruption, &screen);
            folder
        }
    };
    let close = closing::Close::of(&batch, &folder);
    screen.print(close.table());
    close.explain(&arguments.config).iter().for_each(|line| screen.say(line));
    screen.check()?;
    Ok(close.exit())
}

/// Looks ahead, once for all of the combinations that are to be run, and takes over what the service says of its deployment.
fn meet(
    batch: &mut Batch,
    pending: &[usize],
    interruption: &Interruption,
    screen: &Screen,
) -> Result<(), Trouble> {
    let plans: Vec<&Plan> =
        pending.iter().map(|&index| &batch.planned[index].resolved.plan).collect();
    let met = session::look_ahead(&plans, interruption, screen);
    let met = met.map_err(|Unmet { of, trouble }| {
        let planned = &batch.planned[pending[of.unwrap_or(0)]];
        let trouble = by_keys(&trouble, &batch.config, Some(&planned.combination));
        match of {
            Some(_) => trouble.at(&planned.combination.name),
            None => trouble,
        }
    })?;
    let told = met.deployment;
    let entries = [
        ("tp", told.tensor_parallel.map(|n| json!(n))),
        ("gpus", told.gpus.map(|n| json!(n))),
        ("data_type", told.data_type.map(|name| json!(name))),
        ("quantization", told.quantization.map(|name| json!(name))),
    ];
    for (name, value) in entries.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        match batch.config.metadata.get(name) {
            Some(own) if *own != value => {
                screen.say(format_args!(
                    "note: metadata.{name} is {own}, and the server says {value}"
                ));
            }
            Some(_) => {}
            None => screen.say(format_args!("{name}: {value}, as the server says")),
        }
        batch.planned.iter_mut().for_each(|planned| planned.tell(name, value.clone()));
    }
    Ok(())
}

fn unreadable(name: &str, error: &std::io::Error) -> Trouble {
    let trouble = Trouble::input(format!("cannot read {name}: {error}"));
    match error.kind() {
        std::io::ErrorKind::NotFound => trouble.with_hint(format!(
            "write one, or name another with --config; {}; tokometer batch --help shows it as a file",
            llm_benchmark::MINIMAL
        )),
        _ => trouble.with_hint("check --config"),
    }
}

const ABOUT: &str = "\
Runs every length with every load, one after the other, and keeps each result as vLLM's JSON in a folder of its own: \
results/<model>_<time>/bench_io<in>x<out>_mc<at once>_np<requests>.json. Each combination is what `vllm bench serve` does with the \
dataset random: its logs, its verdict and whatever else a run has are kept beside it. Everything is checked before any load is sent; \
a combination that fails is kept with its reason, and the batch goes on.";

pub(crate) const EXAMPLES: &str = "\
The smallest config.yaml:
    model: Qwen/Qwen3-32B
    base_url: http://localhost:8000
    input_output:            # tokens of prompts and of outputs
      - [512, 512]
      - [1024, 1024]
    concurrency_prompts:     # the most at once, and requests
      - [1, 10]
      - [4, 40]

Further keys (docs/batch.md tells of each):
    tokenizer, rate_prompts, points, repetitions, order, seed, pause, warmup,
    slo, backend, endpoint, dataset, dataset_path, server_metrics, server_log,
    gpu_metrics, api_key_env, extra_body, metadata, results_dir,
    plan: any setting of docs/plan.md

Examples:
  Run it, then make a table and pictures of it:
    tokometer batch
    tokometer aggregate
    tokometer visualize
  See what would be run:
    tokometer batch --config long.yaml --dry-run
  Go on after Ctrl-C, or run again what failed:
    tokometer batch --config long.yaml --resume
  Without a server: base_url: 'sim://h100-llama-3.1-8b'

A key is never written into a file: export OPENAI_API_KEY=…, or name another
variable with api_key_env.";
