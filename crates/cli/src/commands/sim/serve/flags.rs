//! The flags of `tokometer sim`: vLLM's by vLLM's names, each of them a key of the simulator's.
//!
//! Deliberately checks no value: what a key takes, the simulator knows, and refuses what it does not.

use clap::Args;

/// Flags that are keys.
#[derive(Debug, Default, Args)]
pub(super) struct Flags {
    #[command(flatten)]
    engines: Engines,

    /// The name of the model that it serves; may be given several times; without it every name is served
    #[arg(long, value_name = "NAME", help_heading = SERVING)]
    model: Vec<String>,
    /// The same
    #[arg(long, value_name = "NAME", num_args = 1.., help_heading = SERVING)]
    served_model_name: Vec<String>,
    /// The most tokens that prompt and output may have together [default: the preset's, or 131072]
    #[arg(long, value_name = "TOKENS", help_heading = SERVING)]
    max_model_len: Option<String>,
    /// LoRA adapters that are served beside the model
    #[arg(long, value_name = "NAME=PATH", num_args = 1.., help_heading = SERVING)]
    lora_modules: Vec<String>,
    /// The key that requests must bear
    #[arg(long, value_name = "KEY", help_heading = SERVING)]
    api_key: Option<String>,
    /// The certificate to serve HTTPS with, as PEM
    #[arg(long, value_name = "FILE", help_heading = SERVING)]
    ssl_certfile: Option<String>,
    /// Its private key, if it is not in the same file
    #[arg(long, value_name = "FILE", help_heading = SERVING)]
    ssl_keyfile: Option<String>,
    /// Tokens of an output that nothing cuts short: a number, or a range such as 50-200 [default: 128]
    #[arg(long, value_name = "TOKENS", help_heading = SERVING)]
    output_tokens: Option<String>,
    /// Answer chats with reasoning first
    #[arg(long, value_name = "NAME", help_heading = SERVING)]
    reasoning_parser: Option<String>,
    /// Answer with calls of tools where a request leaves no other choice
    #[arg(long, value_name = "NAME", help_heading = SERVING)]
    tool_call_parser: Option<String>,
    /// And also where it leaves the choice
    #[arg(long, help_heading = SERVING)]
    enable_auto_tool_choice: bool,
    /// Tell in the usage how much of a prompt was cached
    #[arg(long, help_heading = SERVING)]
    enable_prompt_tokens_details: bool,
    /// The most sequences that may run or wait; requests beyond are refused [default: any number]
    #[arg(long, value_name = "N", help_heading = SERVING)]
    max_num_queued_reqs: Option<String>,
    /// Leave out vLLM's log lines, which tell every ten seconds what engines did
    #[arg(long, help_heading = SERVING)]
    disable_log_stats: bool,
    /// Write one log line for all engines together
    #[arg(long, help_heading = SERVING)]
    aggregate_engine_logging: bool,
    /// The root of all draws [default: 42]
    #[arg(long, value_name = "N", help_heading = SERVING)]
    seed: Option<String>,

    /// Mean time to the first token, in milliseconds [default: 100]
    #[arg(long, value_name = "MS", help_heading = PACE)]
    ttft_ms: Option<String>,
    /// Mean time from token to token, in milliseconds [default: 10]
    #[arg(long, value_name = "MS", help_heading = PACE)]
    itl_ms: Option<String>,
    /// Tokens that come together in one chunk
    #[arg(long, value_name = "N", help_heading = PACE)]
    tokens_per_chunk: Option<String>,
}

const DEPLOYMENT: &str = "What is deployed";
const ENGINE: &str = "How each engine is set up (without a preset's or a GPU's, as vLLM has it)";
const SERVING: &str = "What is served, and to whom";
const PACE: &str = "Without engines: a pace of its own for each request";

/// Flags of engines that are keys, here and in `sim plan`.
#[derive(Debug, Default, Args)]
pub(in crate::commands::sim) struct Engines {
    /// What is deployed: a preset of those below --help, or a file that `sim fit` wrote
    #[arg(long, value_name = "NAME|FILE", help_heading = DEPLOYMENT)]
    preset: Option<String>,
    /// In place of --preset: a GPU, with --architecture; steps are estimated
    #[arg(long, value_name = "NAME", help_heading = DEPLOYMENT)]
    gpu: Option<String>,
    /// The model of --gpu: its name below --help, or the path of its config.json
    #[arg(long, value_name = "NAME|FILE", help_heading = DEPLOYMENT)]
    architecture: Option<String>,
    /// GPUs that share each layer, where steps are estimated; -tp for short
    #[arg(long, alias = "tp", value_name = "N", help_heading = DEPLOYMENT)]
    tensor_parallel_size: Option<String>,
    /// Engines that share the requests; -dp for short
    #[arg(long, alias = "dp", value_name = "N", help_heading = DEPLOYMENT)]
    data_parallel_size: Option<String>,
    /// Which engine gets a request: least-requests (as vLLM has it), round-robin, or prefix
    #[arg(long, value_name = "HOW", help_heading = DEPLOYMENT)]
    routing: Option<String>,
    /// The share of the GPUs' memory that is used, where steps are estimated [default: 0.92]
    #[arg(long, value_name = "SHARE", help_heading = DEPLOYMENT)]
    gpu_memory_utilization: Option<String>,
    /// How much steps' times stray: their relative standard deviation, such as 0.05
    #[arg(long, value_name = "SHARE", help_heading = DEPLOYMENT)]
    noise: Option<String>,

    /// The most requests in a step
    #[arg(long, value_name = "N", help_heading = ENGINE)]
    max_num_seqs: Option<String>,
    /// The most tokens in a step
    #[arg(long, value_name = "N", help_heading = ENGINE)]
    max_num_batched_tokens: Option<String>,
    /// Blocks of the KV cache
    #[arg(long, visible_alias = "num-gpu-blocks-override", value_name = "N", help_heading = ENGINE)]
    num_gpu_blocks: Option<String>,
    /// Tokens of a block
    #[arg(long, value_name = "TOKENS", help_heading = ENGINE)]
    block_size: Option<String>,
    /// Use blocks with the same beginning again; so it is, unless the preset says otherwise
    #[arg(long, overrides_with = "no_enable_prefix_caching", help_heading = ENGINE)]
    enable_prefix_caching: bool,
    /// Compute every prompt anew
    #[arg(long, help_heading = ENGINE)]
    no_enable_prefix_caching: bool,
    /// Compute long prompts in parts; so it is, unless the preset says otherwise
    #[arg(long, overrides_with = "no_enable_chunked_prefill", help_heading = ENGINE)]
    enable_chunked_prefill: bool,
    /// Compute every prompt in one step
    #[arg(long, help_heading = ENGINE)]
    no_enable_chunked_prefill: bool,
    /// Who goes first: fcfs, or priority
    #[arg(long, value_name = "HOW", help_heading = ENGINE)]
    scheduling_policy: Option<String>,
    /// Speculative decoding: '{"method":"mtp","num_speculative_tokens":2}'
    #[arg(long, value_name = "JSON", help_heading = ENGINE)]
    speculative_config: Option<String>,
    /// How often each token of a draft is kept, given that those before it were: 0.85,0.7
    #[arg(long, value_name = "SHARE,…", help_heading = ENGINE)]
    acceptance: Option<String>,
}

impl Engines {
    /// The keys that were given, and their values.
    pub(in crate::commands::sim) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let single = [
            ("preset", &self.preset),
            ("gpu", &self.gpu),
            ("architecture", &self.architecture),
            ("tensor_parallel_size", &self.tensor_parallel_size),
            ("data_parallel_size", &self.data_parallel_size),
            ("routing", &self.routing),
            ("gpu_memory_utilization", &self.gpu_memory_utilization),
            ("noise", &self.noise),
            ("max_num_seqs", &self.max_num_seqs),
            ("max_num_batched_tokens", &self.max_num_batched_tokens),
            ("num_gpu_blocks", &self.num_gpu_blocks),
            ("block_size", &self.block_size),
            ("scheduling_policy", &self.scheduling_policy),
            ("speculative_config", &self.speculative_config),
            ("acceptance", &self.acceptance),
        ];
        let switches = [
            ("enable_prefix_caching", self.enable_prefix_caching),
            ("no_enable_prefix_caching", self.no_enable_prefix_caching),
            ("enable_chunked_prefill", self.enable_chunked_prefill),
            ("no_enable_chunked_prefill", self.no_enable_chunked_prefill),
        ];
        let single = single.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
        let switches = switches.into_iter().filter(|(_, on)| *on).map(|(key, _)| (key, "true"));
        single.chain(switches).collect()
    }

    /// The preset, if one was named.
    pub(in crate::commands::sim) fn preset(&self) -> Option<&str> {
        self.preset.as_deref()
    }
}

impl Flags {
    /// The keys that were given, and their values.
    pub(super) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let single = [
            ("max_model_len", &self.max_model_len),
            ("api_key", &self.api_key),
            ("ssl_certfile", &self.ssl_certfile),
            ("ssl_keyfile", &self.ssl_keyfile),
            ("output_tokens", &self.output_tokens),
            ("reasoning_parser", &self.reasoning_parser),
            ("tool_call_parser", &self.tool_call_parser),
            ("max_num_queued_reqs", &self.max_num_queued_reqs),
            ("seed", &self.seed),
            ("ttft_ms", &self.ttft_ms),
            ("itl_ms", &self.itl_ms),
            ("tokens_per_chunk", &self.tokens_per_chunk),
        ];
        let switches = [
            ("enable_auto_tool_choice", self.enable_auto_tool_choice),
            ("enable_prompt_tokens_details", self.enable_prompt_tokens_details),
            ("log_stats", !self.disable_log_stats),
            ("aggregate_engine_logging", self.aggregate_engine_logging),
        ];
        let several = [
            ("model", &self.model),
            ("served_model_name", &self.served_model_name),
            ("lora_modules", &self.lora_modules),
        ];
        let single = single.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
        let switches = switches.into_iter().filter(|(_, on)| *on).map(|(key, _)| (key, "true"));
        let several = several
            .into_iter()
            .flat_map(|(key, values)| values.iter().map(move |value| (key, value.as_str())));
        self.engines.pairs().into_iter().chain(single).chain(switches).chain(several).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    /// A value that the flag takes, in the company that it needs.
    fn company(key: &str) -> &'static str {
        match key {
            "architecture" | "gpu" | "tensor_parallel_size" | "gpu_memory_utilization" => {
                "--gpu=h100 --architecture=qwen3-8b --tensor-parallel-size=2 --gpu-memory-utilization=0.9"
            }
            "preset" => "--preset=h100-qwen3-8b",
            "speculative_config" | "acceptance" => {
                "--preset=h100-qwen3-8b --speculative-config={\"num_speculative_tokens\":2} --acceptance=0.5,0.5"
            }
            "data_parallel_size" => "--preset=h100-qwen3-8b --data-parallel-size=2",
            "routing" => "--preset=h100-qwen3-8b --routing=prefix",
            "noise" => "--preset=h100-qwen3-8b --noise=0.1",
            "max_num_seqs" => "--preset=h100-qwen3-8b --max-num-seqs=8",
            "max_num_batched_tokens" => "--preset=h100-qwen3-8b --max-num-batched-tokens=4096",
            "num_gpu_blocks" => "--preset=h100-qwen3-8b --num-gpu-blocks-override=100",
            "block_size" => "--preset=h100-qwen3-8b --block-size=32",
            "enable_prefix_caching" => "--preset=h100-qwen3-8b --enable-prefix-caching",
            "no_enable_prefix_caching" => "--preset=h100-qwen3-8b --no-enable-prefix-caching",
            "enable_chunked_prefill" => "--preset=h100-qwen3-8b --enable-chunked-prefill",
            "no_enable_chunked_prefill" => "--preset=h100-qwen3-8b --no-enable-chunked-prefill",
            "scheduling_policy" => "--preset=h100-qwen3-8b --scheduling-policy=priority",
            "model" => "--model=a --model=b",
            "served_model_name" => "--served-model-name a b",
            "max_model_len" => "--max-model-len=100",
            "lora_modules" => "--lora-modules a=x b=y",
            "api_key" => "--api-key=k",
            "ssl_certfile" | "ssl_keyfile" => "--ssl-certfile=c --ssl-keyfile=k",
            "output_tokens" => "--output-tokens=5-9",
            "reasoning_parser" => "--reasoning-parser=qwen3",
            "tool_call_parser" | "enable_auto_tool_choice" => {
                "--tool-call-parser=hermes --enable-auto-tool-choice"
            }
            "aggregate_engine_logging" => "--aggregate-engine-logging",
            "enable_prompt_tokens_details" => "--enable-prompt-tokens-details",
            "max_num_queued_reqs" => "--max-num-queued-reqs=16",
            "seed" => "--seed=5",
            "ttft_ms" => "--ttft-ms=5",
            "itl_ms" => "--itl-ms=5",
            "tokens_per_chunk" => "--tokens-per-chunk=5",
            other => panic!("{other} has no example here"),
        }
    }

    #[test]
    fn every_flag_is_a_key_that_the_simulator_takes() {
        let command = Line::command();
        let flags: Vec<_> = command.get_arguments().map(|flag| flag.get_id().to_string()).collect();
        let others = ["help", "disable_log_stats"];
        for key in flags.iter().filter(|id| !others.contains(&id.as_str())) {
            let words = ["sim"].into_iter().chain(company(key).split(' '));
            let flags = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).flags;
            assert!(flags.pairs().iter().any(|(given, _)| given == key), "{key} is not handed on");
            let query: Vec<_> = flags
                .pairs()
                .iter()
                .map(|(key, value)| format!("{key}={}", crate::simulator::escaped(value)))
                .collect();
            let options = tokometer_sim::Options::from_query(&query.join("&"));
            assert!(options.is_ok(), "{key}: {options:?}");
        }
    }

    #[test]
    fn of_opposite_flags_the_last_counts() {
        let words = ["sim", "--no-enable-prefix-caching", "--enable-prefix-caching"];
        let flags = Line::try_parse_from(words).unwrap().flags;
        assert_eq!(flags.pairs(), [("enable_prefix_caching", "true"), ("log_stats", "true")]);
    }

    #[test]
    fn log_lines_can_be_left_out() {
        let flags = Line::try_parse_from(["sim", "--disable-log-stats"]).unwrap().flags;
        assert!(flags.pairs().is_empty());
    }
}
