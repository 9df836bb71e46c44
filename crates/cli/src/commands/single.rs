//! `tokometer single`: one combination of a batch, by flags: a load of random prompts, its result in a folder of its own.
//!
//! It is a run like any other, told on the console as `vllm bench serve` tells it; its folder is laid out as a batch's.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;

use super::aggregate::quoted;
use super::batch::folder::{self, Folder};
use super::batch::useless;
use super::bench::serve::at_hand;
use super::show;
use crate::dialect::llm_benchmark::{self, Config, Origin};
use crate::dialect::values::{count, places};
use crate::dialect::vllm;
use crate::exit::{self, Exit};
use crate::screen::Screen;
use crate::session;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// What `single` takes.
#[derive(Debug, Args)]
#[command(before_help = ABOUT, after_help = format!("{EXAMPLES}\n\n{}", exit::TABLE), args_override_self = true)]
pub(crate) struct Arguments {
    /// The model to name in requests
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The server, with or without /v1; sim://h100-llama-3.1-8b is a simulator
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// Requests
    #[arg(long, value_name = "N", default_value = "100", value_parser = count, allow_negative_numbers = true)]
    num_prompts: NonZeroU64,
    /// The most requests in flight at once
    #[arg(long, value_name = "N", default_value = "10", value_parser = places, allow_negative_numbers = true)]
    max_concurrency: NonZeroU32,
    /// Tokens of a prompt
    #[arg(long, value_name = "N", default_value = "256", value_parser = places, allow_negative_numbers = true)]
    random_input_len: NonZeroU32,
    /// Tokens of an output
    #[arg(long, value_name = "N", default_value = "256", value_parser = places, allow_negative_numbers = true)]
    random_output_len: NonZeroU32,
    /// A tokenizer: a folder, a tokenizer.json, or a model's name on a hub [default: the server's own]
    #[arg(long, value_name = "PATH|NAME")]
    tokenizer: Option<String>,
    /// The folder that holds results; not of llm_benchmark's
    #[arg(long, value_name = "DIR", default_value = "results")]
    results_dir: PathBuf,
    /// Print the plan as YAML, which `tokometer run` runs, and do nothing else; not of llm_benchmark's
    #[arg(long)]
    dry_run: bool,
}

/// Runs the combination.
///
/// # Errors
/// If it cannot be run, or its result not be kept.
pub(crate) fn single(arguments: &Arguments) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    let mut surroundings = Surroundings::default();
    let config = Config {
        tokenizer: arguments.tokenizer.clone(),
        input_output: Some(vec![[arguments.random_input_len, arguments.random_output_len]]),
        concurrency_prompts: Some(vec![(arguments.max_concurrency, arguments.num_prompts)]),
        results_dir: Some(arguments.results_dir.clone()),
        ..Config::new(arguments.model.clone(), arguments.base_url.clone())
    };
    let batch = llm_benchmark::resolve(config, &Origin::Flags, &mut surroundings, &at_hand)?;
    let Some(planned) = batch.planned.into_iter().next() else { return Ok(Exit::Done) };
    let mut resolved = planned.resolved;
    batch.notes.iter().for_each(|note| screen.say(format_args!("note: {note}")));
    if arguments.dry_run {
        return show(&resolved, &surroundings, &screen);
    }
    Folder::check(&arguments.results_dir)?;
    let began = Zoned::now();
    let folder = Folder::create(&batch.config, &began)?;
    let name = format!("single_bench_{}", folder::time(&began));
    resolved.plan.output.dir = folder.runs();
    resolved.plan.output.name = Some(name.clone());
    resolved.plan.output.timestamp = false;
    let ended = session::run(&resolved, &screen).map_err(|trouble| {
        folder.forget();
        trouble.in_words(|text| vllm::by_flags(text, "random", true))
    })?;
    if ended.exit == Exit::Interrupted {
        screen.say("the run was interrupted: there is no result");
        return Ok(ended.exit);
    }
    if let Some(why) = useless(&ended) {
        folder.keep_error(&name, &format!("{name}: {why}\n"))?;
        screen.say(format_args!("there is no result: {why}"));
        return Ok(ended.exit);
    }
    folder.keep_result(&name, &ended.result())?;
    screen.say(format_args!("result saved to {}/{name}.json", folder.path().display()));
    let path = quoted(folder.path());
    screen.say(format_args!(
        "next: tokometer aggregate --dir {path}; tokometer report {path} --html report.html"
    ));
    Ok(ended.exit)
}

const ABOUT: &str = "\
Puts one load of random prompts on a server and keeps its result as vLLM's JSON: \
results/<model>_<time>/single_bench_<time>.json, its log beside it. For several lengths and loads there is tokometer batch.";

pub(crate) const EXAMPLES: &str = "\
Examples:
    tokometer single --model deepseek-ai/DeepSeek-R1 \\
      --base-url http://localhost:8010 --num-prompts 100
    tokometer single --model /path/to/model --base-url http://localhost:8010 \\
      --max-concurrency 16 --random-input-len 512 --random-output-len 512
  No server at all:
    tokometer single --model m --base-url sim://h100-llama-3.1-8b";
