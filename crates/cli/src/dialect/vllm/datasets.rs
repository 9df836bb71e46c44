//! The flags of each dataset, as the settings that the dataset itself knows: `prompts.args` of a plan.
//!
//! vLLM's defaults are spelt out, so that a plan says how long its prompts are. Whether values go together is left to the
//! datasets; only what the flags' own form demands is checked here.

use serde_json::{Map, Value, json};

use super::flags::dataset::{DatasetFlags, is_vllms};
use super::written;
use crate::dialect::json::object;
use crate::trouble::Trouble;

/// What a dataset is told, and the flags that were given and tell it nothing.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// `prompts.args`.
    pub(super) args: Map<String, Value>,
    /// The most tokens of an output, where the dataset itself cannot be told.
    pub(super) max_tokens: Option<u32>,
    /// Flags without effect, each with why.
    pub(super) idle: Vec<String>,
}

/// Where prompts go, as far as it concerns a dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Whether no server puts a chat template around them, so that vLLM's client does.
    pub(super) untemplated: bool,
    /// Whether they are sent at the moments that were recorded.
    pub(super) recorded: bool,
}

/// What the chosen dataset is told.
///
/// # Errors
/// If a value has not the form that its flag wants.
pub(super) fn told(flags: &DatasetFlags, way: Way) -> Result<Told, Trouble> {
    let name = flags.dataset_name.as_str();
    let mut args = defaults(name);
    let mut idle = Vec::new();
    if way.untemplated
        && (name == "custom" || (flags.skip_chat_template && TEMPLATED.contains(&name)))
    {
        args.insert("chat_template".into(), json!(!flags.skip_chat_template));
    } else if flags.skip_chat_template {
        idle.push(match TEMPLATED.contains(&name) {
            true => "--skip-chat-template changes nothing: the server applies its own".into(),
            false => {
                format!("--skip-chat-template changes nothing: the prompts of {name} get none")
            }
        });
    }
    if way.recorded && name == "burstgpt" {
        args.insert("in_order".into(), json!(true));
    }
    for (flag, value) in given(flags)? {
        let row = SETTINGS.iter().find(|row| row.flag == flag);
        match row {
            Some(row) if row.datasets.contains(&name) => {
                args.insert(row.setting.into(), value);
            }
            Some(row) => idle.push(format!(
                "{flag} changes nothing: it is for --dataset-name {}",
                row.datasets.join(", ")
            )),
            None => {}
        }
    }
    if flags.disable_shuffle {
        match SHUFFLED.contains(&name) {
            true => drop(args.insert("shuffle".into(), json!(false))),
            false => idle.push(
                "--disable-shuffle changes nothing: prompts that are drawn have no order".into(),
            ),
        }
    }
    if let Some(length) = flags.input_len {
        match args.get_mut("input_len") {
            Some(slot) => *slot = json!(length),
            None => idle.push(format!("--input-len changes nothing: {name} has its own lengths")),
        }
    }
    let mut max_tokens = None;
    if let Some(length) = flags.output_len {
        if takes_output_len(name) {
            args.insert("output_len".into(), json!(output_len(length, name)?));
        } else if is_vllms(name) {
            idle.push(format!("--output-len changes nothing: {name} has its own lengths"));
        } else {
            max_tokens = u32::try_from(output_len(length, name)?).ok();
        }
    }
    Ok(Told { args, max_tokens, idle })
}

/// -1 leaves lengths to the rows of a custom dataset.
fn output_len(length: i64, dataset: &str) -> Result<i64, Trouble> {
    let least = if dataset.starts_with("custom") { -1 } else { 1 };
    match least <= length && length != 0 && length <= i64::from(u32::MAX) {
        true => Ok(length),
        false => Err(Trouble::input(format!("--output-len: {length} is no number of tokens"))
            .with_hint("at least 1")),
    }
}

/// What the flag is called that a setting of the dataset came from.
pub(super) fn flag_of(setting: &str, dataset: &str) -> Option<&'static str> {
    let own = SETTINGS
        .iter()
        .find(|row| row.setting == setting && row.datasets.contains(&dataset))
        .map(|row| row.flag);
    own.or(match setting {
        "shuffle" => Some("--disable-shuffle"),
        "oversample" => Some("--no-oversample"),
        "chat_template" => Some("--skip-chat-template"),
        "output_len" => Some("--output-len"),
        _ => None,
    })
}

fn takes_output_len(name: &str) -> bool {
    SETTINGS.iter().any(|row| row.setting == "output_len" && row.datasets.contains(&name))
}

/// Every flag of a dataset's that was given, with its value.
fn given(flags: &DatasetFlags) -> Result<Vec<(&'static str, Value)>, Trouble> {
    let DatasetFlags { random, files, trace, hf, .. } = flags;
    let text = |value: &Option<String>| value.as_ref().map(|text| json!(text));
    let yes = |value: bool| value.then_some(json!(true));
    let ratio = random.random_range_ratio.as_deref().map(written::range_ratio).transpose()?;
    let limits = random
        .random_mm_limit_mm_per_prompt
        .as_deref()
        .map(|text| object("--random-mm-limit-mm-per-prompt", text, LIMITS_EXAMPLE))
        .transpose()?;
    let buckets = random.random_mm_bucket_config.as_deref().map(written::buckets).transpose()?;
    let categories = hf.bfcl_categories.as_deref().map(|text| json!(written::list(text)));
    let number = |value: Option<u32>| value.map(Value::from);
    let real = |value: Option<f64>| value.filter(|value| value.is_finite()).map(Value::from);
    let values = [
        ("--random-input-len", number(random.random_input_len)),
        ("--random-output-len", number(random.random_output_len)),
        ("--random-range-ratio", ratio),
        ("--random-prefix-len", number(random.random_prefix_len)),
        ("--random-batch-size", number(random.random_batch_size)),
        ("--no-reranker", random.no_reranker.then_some(json!(false))),
        ("--random-mm-base-items-per-request", number(random.random_mm_base_items_per_request)),
        ("--random-mm-num-mm-items-range-ratio", real(random.random_mm_num_mm_items_range_ratio)),
        ("--random-mm-limit-mm-per-prompt", limits.map(Value::Object)),
        ("--random-mm-bucket-config", buckets),
        ("--prefix-repetition-prefix-len", number(random.prefix_repetition_prefix_len)),
        ("--prefix-repetition-suffix-len", number(random.prefix_repetition_suffix_len)),
        ("--prefix-repetition-num-prefixes", number(random.prefix_repetition_num_prefixes)),
        ("--prefix-repetition-output-len", number(random.prefix_repetition_output_len)),
        ("--sharegpt-output-len", number(files.sharegpt_output_len)),
        ("--custom-output-len", files.custom_output_len.map(Value::from)),
        ("--custom-ensure-client-side-data", yes(files.custom_ensure_client_side_data)),
        ("--spec-bench-output-len", number(files.spec_bench_output_len)),
        ("--spec-bench-category", text(&files.spec_bench_category)),
        ("--speed-bench-dataset-subset", text(&files.speed_bench_dataset_subset)),
        ("--speed-bench-output-len", number(files.speed_bench_output_len)),
        ("--speed-bench-category", text(&files.speed_bench_category)),
        ("--sonnet-input-len", number(files.sonnet_input_len)),
        ("--sonnet-output-len", number(files.sonnet_output_len)),
        ("--sonnet-prefix-len", number(files.sonnet_prefix_len)),
        ("--timed-trace-chunk-hash-size", number(trace.timed_trace_chunk_hash_size)),
        ("--timed-trace-sec-multiplier", real(trace.timed_trace_sec_multiplier)),
        ("--timed-trace-label-timestamp", text(&trace.timed_trace_label_timestamp)),
        ("--timed-trace-label-input-length", text(&trace.timed_trace_label_input_length)),
        ("--timed-trace-label-output-length", text(&trace.timed_trace_label_output_length)),
        ("--timed-trace-label-hash-ids", text(&trace.timed_trace_label_hash_ids)),
        ("--hf-name", text(&hf.hf_name)),
        ("--hf-subset", text(&hf.hf_subset)),
        ("--hf-split", text(&hf.hf_split)),
        ("--hf-output-len", number(hf.hf_output_len)),
        ("--blazedit-min-distance", real(hf.blazedit_min_distance)),
        ("--blazedit-max-distance", real(hf.blazedit_max_distance)),
        ("--asr-min-audio-len-sec", real(hf.asr_min_audio_len_sec)),
        ("--asr-max-audio-len-sec", real(hf.asr_max_audio_len_sec)),
        ("--bfcl-categories", categories),
    ];
    Ok(values.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect())
}

/// vLLM's defaults of the dataset's settings.
fn defaults(dataset: &str) -> Map<String, Value> {
    let settings = match dataset {
        "random" => json!({
            "input_len": 1024, "output_len": 128, "range_ratio": 0.0, "prefix_len": 0, "batch_size": 1,
        }),
        "random-rerank" => json!({
            "input_len": 1024, "range_ratio": 0.0, "batch_size": 1, "reranker": true,
        }),
        "random-mm" => json!({
            "input_len": 1024, "output_len": 128, "range_ratio": 0.0, "prefix_len": 0,
            "base_items_per_request": 1,
            "num_mm_items_range_ratio": 0.0,
            "limit_mm_per_prompt": { "image": 255, "video": 1 },
            "bucket_config": [
                written::bucket(256, 256, 1, 0.5),
                written::bucket(720, 1280, 1, 0.5),
            ],
        }),
        "prefix_repetition" => json!({
            "prefix_len": 256, "suffix_len": 256, "num_prefixes": 10, "output_len": 128,
        }),
        "timed_trace" => json!({
            "chunk_hash_size": 16, "sec_multiplier": 1.0,
            "label_timestamp": "timestamp", "label_input_length": "input_length",
            "label_output_length": "output_length", "label_hash_ids": "hash_ids",
        }),
        "custom" | "custom_image" | "custom_audio" | "spec_bench" => json!({ "output_len": 256 }),
        "speed_bench" => json!({ "subset": "qualitative", "output_len": 4096 }),
        "sonnet" => json!({ "input_len": 550, "output_len": 150, "prefix_len": 200 }),
        _ => json!({}),
    };
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

/// A flag, and the setting that it is of some datasets.
struct Row {
    flag: &'static str,
    setting: &'static str,
    datasets: &'static [&'static str],
}

const fn row(flag: &'static str, setting: &'static str, datasets: &'static [&'static str]) -> Row {
    Row { flag, setting, datasets }
}

const RANDOM: &[&str] = &["random", "random-mm", "random-rerank"];
const PLAIN_AND_MM: &[&str] = &["random", "random-mm"];
const BATCHED: &[&str] = &["random", "random-rerank"];
const RERANK: &[&str] = &["random-rerank"];
const MM: &[&str] = &["random-mm"];
const PREFIXES: &[&str] = &["prefix_repetition"];
const CUSTOM: &[&str] = &["custom", "custom_image", "custom_audio"];
const TRACE: &[&str] = &["timed_trace"];
const HF: &[&str] = &["hf"];

const SETTINGS: &[Row] = &[
    row("--random-input-len", "input_len", RANDOM),
    row("--random-output-len", "output_len", PLAIN_AND_MM),
    row("--random-range-ratio", "range_ratio", RANDOM),
    row("--random-prefix-len", "prefix_len", PLAIN_AND_MM),
    row("--random-batch-size", "batch_size", BATCHED),
    row("--no-reranker", "reranker", RERANK),
    row("--random-mm-base-items-per-request", "base_items_per_request", MM),
    row("--random-mm-num-mm-items-range-ratio", "num_mm_items_range_ratio", MM),
    row("--random-mm-limit-mm-per-prompt", "limit_mm_per_prompt", MM),
    row("--random-mm-bucket-config", "bucket_config", MM),
    row("--prefix-repetition-prefix-len", "prefix_len", PREFIXES),
    row("--prefix-repetition-suffix-len", "suffix_len", PREFIXES),
    row("--prefix-repetition-num-prefixes", "num_prefixes", PREFIXES),
    row("--prefix-repetition-output-len", "output_len", PREFIXES),
    row("--sharegpt-output-len", "output_len", &["sharegpt"]),
    row("--custom-output-len", "output_len", CUSTOM),
    row("--custom-ensure-client-side-data", "ensure_client_side_data", &["custom_image"]),
    row("--spec-bench-output-len", "output_len", &["spec_bench"]),
    row("--spec-bench-category", "category", &["spec_bench"]),
    row("--speed-bench-dataset-subset", "subset", &["speed_bench"]),
    row("--speed-bench-output-len", "output_len", &["speed_bench"]),
    row("--speed-bench-category", "category", &["speed_bench"]),
    row("--sonnet-input-len", "input_len", &["sonnet"]),
    row("--sonnet-output-len", "output_len", &["sonnet"]),
    row("--sonnet-prefix-len", "prefix_len", &["sonnet"]),
    row("--timed-trace-chunk-hash-size", "chunk_hash_size", TRACE),
    row("--timed-trace-sec-multiplier", "sec_multiplier", TRACE),
    row("--timed-trace-label-timestamp", "label_timestamp", TRACE),
    row("--timed-trace-label-input-length", "label_input_length", TRACE),
    row("--timed-trace-label-output-length", "label_output_length", TRACE),
    row("--timed-trace-label-hash-ids", "label_hash_ids", TRACE),
    row("--hf-name", "name", HF),
    row("--hf-subset", "subset", HF),
    row("--hf-split", "split", HF),
    row("--hf-output-len", "output_len", HF),
    row("--blazedit-min-distance", "blazedit_min_distance", HF),
    row("--blazedit-max-distance", "blazedit_max_distance", HF),
    row("--asr-min-audio-len-sec", "asr_min_audio_len_sec", HF),
    row("--asr-max-audio-len-sec", "asr_max_audio_len_sec", HF),
    row("--bfcl-categories", "bfcl_categories", HF),
    row("--output-len", "output_len", &["burstgpt"]),
    row("--self-timed", "in_order", &["burstgpt"]),
];

/// Datasets around whose prompts vLLM's client puts the tokenizer's chat template where no server does.
const TEMPLATED: &[&str] = &["custom", "spec_bench", "speed_bench", "hf", "sonnet"];

/// Datasets whose prompts come in an order drawn by the seed.
const SHUFFLED: &[&str] = &[
    "sharegpt",
    "burstgpt",
    "sonnet",
    "custom",
    "custom_image",
    "custom_audio",
    "spec_bench",
    "speed_bench",
    "prefix_repetition",
    "hf",
];

const LIMITS_EXAMPLE: &str =
    "for example --random-mm-limit-mm-per-prompt '{\"image\": 3, \"video\": 0}'";
