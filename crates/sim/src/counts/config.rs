//! How the KV cache is set up, in the labels of one family: vLLM's `cache_config_info`.

use crate::counts::Cache;
use crate::counts::text::Page;

/// Writes the family: the same for each of the `engines`.
pub(super) fn write(cache: &Cache, max_model_len: u32, engines: &[String], page: &mut Page) {
    let name = "vllm:cache_config_info";
    page.family(name, "gauge", "Information of the LLMEngine CacheConfig");
    let told = Told::of(cache, max_model_len);
    for engine in engines {
        page.sample(name, &told.labels(engine), 1.0);
    }
}

/// What is told, in words.
struct Told {
    prefix_caching: &'static str,
    block_size: String,
    blocks: String,
    size: String,
    /// How many requests of the full context fit at once.
    concurrency: String,
}

impl Told {
    fn of(cache: &Cache, max_model_len: u32) -> Self {
        let context = max_model_len.max(1);
        let a_request = context.div_ceil(cache.block_size.get());
        let concurrency = f64::from(cache.blocks.get()) / f64::from(a_request);
        Self {
            prefix_caching: if cache.prefix_caching { "True" } else { "False" },
            block_size: cache.block_size.to_string(),
            blocks: cache.blocks.to_string(),
            size: ((concurrency * f64::from(context)) as u64).to_string(),
            concurrency: format!("{concurrency:?}"),
        }
    }

    /// What the simulator does not have is what vLLM says where it does not have it either.
    fn labels<'l>(&'l self, engine: &'l str) -> [(&'l str, &'l str); 37] {
        [
            ("_block_size_resolved", "True"),
            ("block_size", &self.block_size),
            ("cache_dtype", "auto"),
            ("cache_hit_alignment_tokens", "None"),
            ("effective_attention_block_size", &self.block_size),
            ("enable_mamba_shared_prefix_checkpoint", "False"),
            ("enable_prefix_caching", self.prefix_caching),
            ("engine", engine),
            ("gpu_memory_utilization", "0.92"),
            ("hash_block_size", "None"),
            ("is_attention_free", "False"),
            ("kv_cache_dtype_skip_layers", "[]"),
            ("kv_cache_layout", "None"),
            ("kv_cache_max_concurrency", &self.concurrency),
            ("kv_cache_memory_bytes", "None"),
            ("kv_cache_size_tokens", &self.size),
            ("kv_offloading_backend", "native"),
            ("kv_offloading_size", "None"),
            ("kv_sharing_fast_prefill", "False"),
            ("mamba_block_size", "None"),
            ("mamba_cache_dtype", "auto"),
            ("mamba_cache_mode", "none"),
            ("mamba_page_size_padded", "None"),
            ("mamba_ssm_cache_dtype", "float32"),
            ("num_cpu_blocks", "None"),
            ("num_gpu_blocks", &self.blocks),
            ("num_gpu_blocks_override", "None"),
            ("prefix_cache_retention_interval", "0"),
            ("prefix_caching_hash_algo", "sha256"),
            ("prefix_match_unit", "None"),
            ("replayssm_buffer_len", "16"),
            ("skip_page_size_padded", "None"),
            ("sliding_window", "None"),
            ("swa_bounded_replay", "True"),
            ("use_kda_recoverssm", "False"),
            ("use_replayssm", "False"),
            ("user_specified_block_size", "False"),
        ]
    }
}
