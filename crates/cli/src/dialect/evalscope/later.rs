//! Flags of `evalscope perf` that are known and not obeyed: those that belong to later versions, and those that tune its insides.
//!
//! The first are refused by name, so that nobody takes a run for what it is not. The second are taken and change nothing, which
//! is said once. Both are tables: a flag that comes to be obeyed loses its line here.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::trouble::Trouble;

/// The flags of later versions that were given.
#[derive(Debug)]
pub(crate) struct Later(Vec<&'static Known>);

/// The flags that were given and change nothing.
#[derive(Debug)]
pub(crate) struct Idle(Vec<&'static Known>);

/// A flag that is known and not obeyed.
#[derive(Debug)]
struct Known {
    flag: &'static str,
    values: Values,
    why: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    None,
    One,
}

impl Later {
    /// # Errors
    /// If any was given: the first, by its name.
    pub(crate) fn refuse(&self) -> Result<(), Trouble> {
        let Some(known) = self.0.first() else { return Ok(()) };
        Err(Trouble::input(format!("--{} is not in this version: {}", known.flag, known.why))
            .with_hint("leave it out, or use evalscope perf for this; docs/differences-from-evalscope.md lists what is to come"))
    }
}

impl Idle {
    /// What to say of those that were given.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|known| format!("--{} changes nothing here: {}", known.flag, known.why))
    }
}

fn augment(command: Command, table: &'static [Known]) -> Command {
    command.args(table.iter().map(|known| {
        let arg = Arg::new(known.flag).long(known.flag).hide(true);
        match known.values {
            Values::None => arg.action(ArgAction::SetTrue),
            Values::One => arg.num_args(1).allow_hyphen_values(true),
        }
    }))
}

fn given(matches: &ArgMatches, table: &'static [Known]) -> Vec<&'static Known> {
    let typed = |known: &&Known| matches.value_source(known.flag) == Some(ValueSource::CommandLine);
    table.iter().filter(typed).collect()
}

/// A set of flags made from a table is read the same way whichever table it is.
macro_rules! from_table {
    ($type:ident, $table:ident) => {
        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                augment(command, $table)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $table)
            }
        }

        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok(Self(given(matches, $table)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

from_table!(Later, LATER);
from_table!(Idle, IDLE);

/// # Errors
/// If `api` is one that `evalscope perf` has and this version has not.
pub(super) fn check_api(api: &str) -> Result<(), Trouble> {
    let why = match api {
        "local" | "local_vllm" => {
            "serving models is left to servers; start one and give its --url".to_owned()
        }
        _ if APIS.contains(&api) => {
            let spoken: Vec<_> = tokometer_wire::APIS.iter().map(|api| api.name()).collect();
            format!("this version speaks openai by the URL, and by name {}", spoken.join(", "))
        }
        _ => match NAMED_OTHERWISE.iter().find(|(theirs, _)| *theirs == api) {
            Some((_, ours)) => format!("--api {ours} speaks it, with the datasets there are"),
            None => return Ok(()),
        },
    };
    Err(Trouble::input(format!("--api {api} is not in this version")).with_hint(why))
}

/// # Errors
/// If `dataset` is one that `evalscope perf` has and this version has not.
pub(super) fn check_dataset(dataset: &str) -> Result<(), Trouble> {
    if !DATASETS.contains(&dataset) {
        return Ok(());
    }
    let names: Vec<_> =
        tokometer_workload::dataset::DATASETS.iter().map(|entry| entry.name).collect();
    Err(Trouble::input(format!("--dataset {dataset} is not in this version"))
        .with_hint(format!("this version has {}", names.join(", "))))
}

const LATER: &[Known] = &[
    later("sla-auto-tune", Values::None, SLA),
    later("sla-variable", Values::One, SLA),
    later("sla-params", Values::One, SLA),
    later("sla-num-runs", Values::One, SLA),
    later("sla-upper-bound", Values::One, SLA),
    later("sla-lower-bound", Values::One, SLA),
    later("sla-fixed-parallel", Values::One, SLA),
    later("sla-number-multiplier", Values::One, SLA),
    later("multi-turn", Values::None, TURNS),
    later("min-turns", Values::One, TURNS),
    later("max-turns", Values::One, TURNS),
    later("multi-turn-args", Values::One, TURNS),
    later("visualizer", Values::One, VISUALIZER),
    later("wandb-api-key", Values::One, VISUALIZER),
    later("swanlab-api-key", Values::One, VISUALIZER),
    later("swanlab-host", Values::One, VISUALIZER),
    later("image-width", Values::One, IMAGES),
    later("image-height", Values::One, IMAGES),
    later("image-format", Values::One, IMAGES),
    later("image-num", Values::One, IMAGES),
    later("image-patch-size", Values::One, IMAGES),
    later("scenario", Values::One, "it has no AgentX scenarios yet"),
    later("enable-pd-metrics", Values::None, "it has no prefill/decode hand-off figures yet"),
    later("enable-progress-tracker", Values::None, "it writes no progress.json yet"),
];

const IDLE: &[Known] = &[
    later("db-commit-interval", Values::One, "records reach the disk several times a second"),
    later(
        "queue-size-multiplier",
        Values::One,
        "there is no queue between load and records to size",
    ),
    later(
        "in-flight-task-multiplier",
        Values::One,
        "requests in flight are limited by --parallel alone",
    ),
    later("num-workers", Values::One, "prompts are prepared on every core"),
    later("port", Values::One, "it is for models that evalscope serves itself"),
    later("attn-implementation", Values::One, "it is for models that evalscope serves itself"),
];

const fn later(flag: &'static str, values: Values, why: &'static str) -> Known {
    Known { flag, values, why }
}

const SLA: &str = "it does not search for the highest load within limits yet";
const TURNS: &str = "it has no conversations of several turns yet";
const VISUALIZER: &str = "it sends figures to no other service yet";
const IMAGES: &str = "it has no prompts with images yet";

const APIS: &[&str] = &["systemone", "autotrust", "dashscope", "custom"];

/// APIs of evalscope's whose figures and datasets are not here, and what speaks them.
const NAMED_OTHERWISE: &[(&str, &str)] = &[
    ("openai_responses", "openai-responses"),
    ("openai_response", "openai-responses"),
    ("responses", "openai-responses"),
    ("openai_embedding", "openai-embeddings"),
    ("embedding", "openai-embeddings"),
    ("openai_rerank", "rerank"),
];

const DATASETS: &[&str] = &[
    "custom_multi_turn",
    "random_embedding",
    "embedding",
    "embed",
    "random_embedding_batch",
    "embedding_batch",
    "flickr8k",
    "kontext_bench",
    "mmmu_multi_image",
    "random_multi_turn",
    "share_gpt_zh_multi_turn",
    "share_gpt_en_multi_turn",
    "open_decisions",
    "random_vl",
    "rerank",
    "random_rerank",
    "speed_benchmark",
    "speed_benchmark_long",
    "swe_smith",
    "trie_agentic_coding",
    "trie_code_qa",
    "trie_office_work",
    "workload_trace",
];
