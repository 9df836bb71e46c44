//! The flags that say what is asked: the dataset, and each dataset's own settings.
//!
//! All of them stay empty unless given, so that a flag for another dataset than the chosen one can be told of. Their defaults
//! stand in `vllm::datasets`, where they are put into the plan.

use clap::{ArgAction, Args};
use tokometer_workload::dataset::DATASETS;

use crate::dialect::values::{integer, natural, number};

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts")]
pub(in crate::dialect::vllm) struct DatasetFlags {
    #[arg(long, value_name = "NAME", default_value = "random", help = datasets())]
    pub(in crate::dialect::vllm) dataset_name: String,
    /// The dataset's file or folder; for hf a hub's name too
    #[arg(long, value_name = "PATH")]
    pub(in crate::dialect::vllm) dataset_path: Option<String>,
    /// Prompt lengths in tokens: as --random-input-len
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) input_len: Option<u32>,
    /// Output lengths in tokens: as the dataset's own flag
    #[arg(long, value_name = "N", value_parser = integer, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) output_len: Option<i64>,
    /// Send fewer requests where the dataset has fewer prompts, in place of beginning it anew
    #[arg(long)]
    pub(in crate::dialect::vllm) no_oversample: bool,
    /// Keep the order of the file
    #[arg(long)]
    pub(in crate::dialect::vllm) disable_shuffle: bool,
    /// Send prompts to completions without a chat template around them
    #[arg(long)]
    pub(in crate::dialect::vllm) skip_chat_template: bool,
    #[arg(long, hide = true)]
    pub(in crate::dialect::vllm) enable_multimodal_chat: bool,
    #[arg(long, hide = true)]
    pub(in crate::dialect::vllm) no_stream: bool,
    #[arg(long, hide = true)]
    pub(in crate::dialect::vllm) trust_remote_code: bool,
    #[command(flatten)]
    pub(in crate::dialect::vllm) random: RandomFlags,
    #[command(flatten)]
    pub(in crate::dialect::vllm) files: FileFlags,
    #[command(flatten)]
    pub(in crate::dialect::vllm) trace: TraceFlags,
    #[command(flatten)]
    pub(in crate::dialect::vllm) hf: HfFlags,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts that are drawn")]
pub(in crate::dialect::vllm) struct RandomFlags {
    /// random, random-mm, random-rerank: tokens of a prompt, the prefix not counted [default: 1024]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_input_len: Option<u32>,
    /// Tokens of an output [default: 128]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_output_len: Option<u32>,
    /// How far lengths are drawn around those, from 0 to less than 1: 0.3, or '{"input": 0.3, "output": 0.5}' [default: 0]
    #[arg(long, value_name = "R|JSON", allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_range_ratio: Option<String>,
    /// random, random-mm: tokens of a prefix that all prompts share, on top of their length [default: 0]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_prefix_len: Option<u32>,
    /// random, random-rerank: prompts of one request, for embeddings and ranking [default: 1]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_batch_size: Option<u32>,
    /// random-rerank: the model encodes the query and each document by itself
    #[arg(long)]
    pub(in crate::dialect::vllm) no_reranker: bool,
    /// random-mm: images of a request [default: 1]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_mm_base_items_per_request: Option<u32>,
    /// random-mm: how far their number is drawn around that, from 0 to 1 [default: 0]
    #[arg(long, value_name = "R", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) random_mm_num_mm_items_range_ratio: Option<f64>,
    /// random-mm: the most of each kind [default: {"image": 255, "video": 1}]
    #[arg(long, value_name = "JSON")]
    pub(in crate::dialect::vllm) random_mm_limit_mm_per_prompt: Option<String>,
    /// random-mm: sizes and how likely each is: '{(256, 256, 1): 0.5, (720, 1280, 1): 0.5}', as (height, width, frames)
    /// [default: these]
    #[arg(long, value_name = "SIZES")]
    pub(in crate::dialect::vllm) random_mm_bucket_config: Option<String>,
    /// prefix_repetition: tokens of a prefix [default: 256]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) prefix_repetition_prefix_len: Option<u32>,
    /// prefix_repetition: tokens after it [default: 256]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) prefix_repetition_suffix_len: Option<u32>,
    /// prefix_repetition: different prefixes [default: 10]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) prefix_repetition_num_prefixes: Option<u32>,
    /// prefix_repetition: tokens of an output [default: 128]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) prefix_repetition_output_len: Option<u32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts from files")]
pub(in crate::dialect::vllm) struct FileFlags {
    /// sharegpt: tokens of an output [default: as long as the recorded answer]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) sharegpt_output_len: Option<u32>,
    /// custom, custom_image, custom_audio: tokens of an output; -1 for what each row says [default: 256]
    #[arg(long, value_name = "N", value_parser = integer, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) custom_output_len: Option<i64>,
    /// custom_image: send images themselves where a row only names them
    #[arg(long)]
    pub(in crate::dialect::vllm) custom_ensure_client_side_data: bool,
    /// spec_bench: tokens of an output [default: 256]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) spec_bench_output_len: Option<u32>,
    /// spec_bench: only prompts of this category
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) spec_bench_category: Option<String>,
    /// speed_bench: the subset [default: qualitative]
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) speed_bench_dataset_subset: Option<String>,
    /// speed_bench: tokens of an output [default: 4096]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) speed_bench_output_len: Option<u32>,
    /// speed_bench: only prompts of this category
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) speed_bench_category: Option<String>,
    /// sonnet: tokens of a prompt [default: 550]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) sonnet_input_len: Option<u32>,
    /// sonnet: tokens of an output [default: 150]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) sonnet_output_len: Option<u32>,
    /// sonnet: tokens that all prompts share [default: 200]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) sonnet_prefix_len: Option<u32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts of a trace (timed_trace)")]
pub(in crate::dialect::vllm) struct TraceFlags {
    /// Tokens that a hash id stands for [default: 16]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) timed_trace_chunk_hash_size: Option<u32>,
    /// What times a timestamp must be taken to be in seconds: 0.001 for milliseconds [default: 1]
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) timed_trace_sec_multiplier: Option<f64>,
    /// The field of timestamps [default: timestamp]
    #[arg(long, value_name = "FIELD")]
    pub(in crate::dialect::vllm) timed_trace_label_timestamp: Option<String>,
    /// The field of prompt lengths [default: input_length]
    #[arg(long, value_name = "FIELD")]
    pub(in crate::dialect::vllm) timed_trace_label_input_length: Option<String>,
    /// The field of output lengths [default: output_length]
    #[arg(long, value_name = "FIELD")]
    pub(in crate::dialect::vllm) timed_trace_label_output_length: Option<String>,
    /// The field of hash ids [default: hash_ids]
    #[arg(long, value_name = "FIELD")]
    pub(in crate::dialect::vllm) timed_trace_label_hash_ids: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Prompts of a hub's dataset (hf)")]
pub(in crate::dialect::vllm) struct HfFlags {
    /// Its name on the hub, where --dataset-path is a folder
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) hf_name: Option<String>,
    /// Its subset
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) hf_subset: Option<String>,
    /// Its split
    #[arg(long, value_name = "NAME")]
    pub(in crate::dialect::vllm) hf_split: Option<String>,
    /// Tokens of an output [default: the dataset's]
    #[arg(long, value_name = "N", value_parser = natural, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) hf_output_len: Option<u32>,
    /// Blazedit: the least distance of an edit, from 0 to 1 [default: 0]
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) blazedit_min_distance: Option<f64>,
    /// Blazedit: the most [default: 1]
    #[arg(long, value_name = "X", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) blazedit_max_distance: Option<f64>,
    /// Speech: the shortest audio in seconds [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) asr_min_audio_len_sec: Option<f64>,
    /// Speech: the longest audio in seconds [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = number, allow_negative_numbers = true)]
    pub(in crate::dialect::vllm) asr_max_audio_len_sec: Option<f64>,
    /// BFCL: categories, separated by commas
    #[arg(long, value_name = "NAMES", action = ArgAction::Set)]
    pub(in crate::dialect::vllm) bfcl_categories: Option<String>,
}

/// The help of `--dataset-name`.
fn datasets() -> String {
    let known: Vec<_> = DATASETS.iter().map(|entry| entry.name).collect();
    let (theirs, ours): (Vec<_>, Vec<_>) = known.into_iter().partition(|name| is_vllms(name));
    format!("Where prompts come from: {}; of ours {}", theirs.join(", "), ours.join(", "))
}

/// Whether `vllm bench serve` has it, or once had it.
pub(in crate::dialect::vllm) fn is_vllms(name: &str) -> bool {
    VLLMS.contains(&name)
}

const VLLMS: &[&str] = &[
    "sharegpt",
    "burstgpt",
    "random",
    "random-mm",
    "random-rerank",
    "hf",
    "custom",
    "custom_audio",
    "custom_image",
    "prefix_repetition",
    "spec_bench",
    "speed_bench",
    "timed_trace",
    "sonnet",
];
