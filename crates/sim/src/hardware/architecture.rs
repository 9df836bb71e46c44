//! Architectures of models: the shapes from which their weights, their FLOP and their KV cache follow.
//!
//! Known ones by name, others from a model's `config.json`. What they cannot describe is refused: quantized weights, and attention
//! that keeps something else than keys and values. Deliberately reads no weights.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::hardware::PresetError;

/// The shape of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// What it is called: here, or by its makers.
    pub name: String,
    /// The name under which it is published, if it is known.
    pub model: Option<String>,
    /// Layers.
    pub layers: u32,
    /// Numbers by which a token is told between layers.
    pub hidden: u32,
    /// Heads of attention that ask.
    pub heads: u32,
    /// Heads of attention that are asked, and whose keys and values are kept.
    pub kv_heads: u32,
    /// Numbers of one head.
    pub head_dim: u32,
    /// Numbers between the matrices of a feed-forward block; with experts, of one expert's.
    pub intermediate: u32,
    /// Experts, if it has any.
    pub experts: Option<Experts>,
    /// Tokens that it knows.
    pub vocabulary: u32,
    /// Whether the first and the last matrix are one.
    pub tied: bool,
    /// The most tokens that it can attend to.
    pub context: u32,
}

/// The experts of each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub all: u32,
    /// How many a token is sent to.
    pub active: u32,
}

impl Architecture {
    /// The architecture of that name; or of that `config.json`, if it is a path.
    ///
    /// # Errors
    /// If there is none of that name, or the file cannot be read or describes something that is not modelled.
    pub fn named(name: &str) -> Result<Self, PresetError> {
        if let Some(known) = known().find(|known| known.name.eq_ignore_ascii_case(name)) {
            return Ok(known);
        }
        if name.contains(['/', '\\']) || name.ends_with(".json") {
            return Self::read(Path::new(name));
        }
        Err(PresetError::Architecture { name: name.to_owned() })
    }

    /// Parameters outside of experts.
    pub fn shared_parameters(&self) -> f64 {
        let embeddings =
            wide(self.vocabulary) * wide(self.hidden) * if self.tied { 1.0 } else { 2.0 };
        let block = match self.experts {
            // Only the router.
            Some(experts) => wide(self.hidden) * wide(experts.all),
            None => self.feed_forward(),
        };
        let norms = 2.0 * wide(self.hidden);
        embeddings + wide(self.layers) * (self.attention() + block + norms)
    }

    /// Parameters of all experts together.
    pub fn expert_parameters(&self) -> f64 {
        self.experts
            .map_or(0.0, |experts| wide(self.layers) * wide(experts.all) * self.feed_forward())
    }

    /// Parameters.
    pub fn parameters(&self) -> f64 {
        self.shared_parameters() + self.expert_parameters()
    }

    /// The share of the experts that a token is sent to. 0 without experts.
    pub fn expert_share(&self) -> f64 {
        self.experts.map_or(0.0, |experts| wide(experts.active) / wide(experts.all))
    }

    /// Parameters that one token goes through.
    pub fn active_parameters(&self) -> f64 {
        self.shared_parameters() + self.expert_parameters() * self.expert_share()
    }

    /// Bytes of the KV cache for each token, in 16 bits: a key and a value for each head of each layer.
    pub fn kv_bytes_per_token(&self) -> f64 {
        2.0 * wide(self.layers) * wide(self.kv_heads) * wide(self.head_dim) * BYTES
    }

    /// FLOP for each pair of tokens in attention: two matrices, multiplying and adding.
    pub fn flops_per_attention(&self) -> f64 {
        4.0 * wide(self.layers) * wide(self.heads) * wide(self.head_dim)
    }

    /// Queries, keys, values and what brings them together again.
    fn attention(&self) -> f64 {
        2.0 * wide(self.hidden) * wide(self.head_dim) * (wide(self.heads) + wide(self.kv_heads))
    }

    /// The three matrices of a gated feed-forward block.
    fn feed_forward(&self) -> f64 {
        3.0 * wide(self.hidden) * wide(self.intermediate)
    }

    /// Reads a model's `config.json`.
    fn read(path: &Path) -> Result<Self, PresetError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| PresetError::Unreadable {
            what: "the architecture",
            file: file.clone(),
            why: error.to_string(),
        })?;
        let unfit = |why: String| PresetError::Invalid { place: file.clone(), why };
        let whole: Outer = serde_json::from_str(&text).map_err(|error| unfit(error.to_string()))?;
        let parent = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
        let name = parent.map_or_else(|| file.clone(), std::borrow::Cow::into_owned);
        whole.text_config.unwrap_or(whole.config).architecture(name).map_err(unfit)
    }
}

/// Bytes of a weight, and of a number in the KV cache: both have 16 bits.
pub(super) const BYTES: f64 = 2.0;

fn wide(number: u32) -> f64 {
    f64::from(number)
}

/// A `config.json`. Models that also see or hear have the part for text inside.
#[derive(Deserialize)]
struct Outer {
    text_config: Option<Config>,
    #[serde(flatten)]
    config: Config,
}

/// The keys of a `config.json` that matter here, as transformers writes them.
#[derive(Deserialize)]
struct Config {
    num_hidden_layers: Option<u32>,
    hidden_size: Option<u32>,
    num_attention_heads: Option<u32>,
    num_key_value_heads: Option<u32>,
    head_dim: Option<u32>,
    intermediate_size: Option<u32>,
    moe_intermediate_size: Option<u32>,
    #[serde(alias = "num_local_experts")]
    num_experts: Option<u32>,
    num_experts_per_tok: Option<u32>,
    vocab_size: Option<u32>,
    /// Left out where it is the class's default, which for most classes is no.
    #[serde(default)]
    tie_word_embeddings: bool,
    max_position_embeddings: Option<u32>,
    kv_lora_rank: Option<u32>,
    quantization_config: Option<serde_json::Value>,
}

impl Config {
    fn architecture(self, name: String) -> Result<Architecture, String> {
        if self.kv_lora_rank.is_some() {
            return Err("kv_lora_rank: latent attention is not modelled".to_owned());
        }
        if self.quantization_config.is_some() {
            return Err("quantization_config: only weights of 16 bits are modelled".to_owned());
        }
        let (hidden, heads) = (
            needed("hidden_size", self.hidden_size)?,
            needed("num_attention_heads", self.num_attention_heads)?,
        );
        let experts = match self.num_experts {
            None => None,
            Some(all) => {
                let active = needed("num_experts_per_tok", self.num_experts_per_tok)?;
                if active > all {
                    return Err(format!("num_experts_per_tok is {active}, of {all} experts"));
                }
                Some(Experts { all, active })
            }
        };
        let intermediate = match experts {
            Some(_) => self.moe_intermediate_size.or(self.intermediate_size),
            None => self.intermediate_size,
        };
        Ok(Architecture {
            name,
            model: None,
            layers: needed("num_hidden_layers", self.num_hidden_layers)?,
            hidden,
            heads,
            kv_heads: needed("num_key_value_heads", self.num_key_value_heads.or(Some(heads)))?,
            head_dim: needed("head_dim", self.head_dim.or(Some(hidden / heads)))?,
            intermediate: needed("intermediate_size", intermediate)?,
            experts,
            vocabulary: needed("vocab_size", self.vocab_size)?,
            tied: self.tie_word_embeddings,
            context: needed("max_position_embeddings", self.max_position_embeddings)?,
        })
    }
}

fn needed(key: &str, number: Option<u32>) -> Result<u32, String> {
    match number {
        Some(number @ 1..=LARGEST) => Ok(number),
        Some(number) => Err(format!("{key} is {number}, which no model has")),
        None => Err(format!("{key} is missing")),
    }
}

/// The largest number that a `config.json` may hold: some ten times the longest context of today.
const LARGEST: u32 = 100_000_000;

/// The architectures that are known by name.
pub fn known() -> impl Iterator<Item = Architecture> {
    KNOWN.iter().map(|row| {
        let (name, model, [layers, hidden, heads, kv_heads, head_dim, intermediate], experts) =
            (row.0, row.1, row.2, row.3);
        let (vocabulary, tied, context) = row.4;
        Architecture {
            name: name.to_owned(),
            model: Some(model.to_owned()),
            layers,
            hidden,
            heads,
            kv_heads,
            head_dim,
            intermediate,
            experts: experts.map(|(all, active)| Experts { all, active }),
            vocabulary,
            tied,
            context,
        }
    })
}

/// Name and model; layers, hidden, heads, KV heads, head dimension, intermediate; experts and how many are active; vocabulary, whether
/// tied, context. From each model's published `config.json`.
type Row = (&'static str, &'static str, [u32; 6], Option<(u32, u32)>, (u32, bool, u32));

const KNOWN: &[Row] = &[
    (
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B-Instruct",
        [24, 896, 14, 2, 64, 4864],
        None,
        (151_936, true, 32_768),
    ),
    (
        "qwen2.5-1.5b",
        "Qwen/Qwen2.5-1.5B-Instruct",
        [28, 1536, 12, 2, 128, 8960],
        None,
        (151_936, true, 32_768),
    ),
    (
        "qwen2.5-3b",
        "Qwen/Qwen2.5-3B-Instruct",
        [36, 2048, 16, 2, 128, 11_008],
        None,
        (151_936, true, 32_768),
    ),
    (
        "qwen2.5-7b",
        "Qwen/Qwen2.5-7B-Instruct",
        [28, 3584, 28, 4, 128, 18_944],
        None,
        (152_064, false, 32_768),
    ),
    (
        "qwen2.5-14b",
        "Qwen/Qwen2.5-14B-Instruct",
        [48, 5120, 40, 8, 128, 13_824],
        None,
        (152_064, false, 32_768),
    ),
    (
        "qwen2.5-32b",
        "Qwen/Qwen2.5-32B-Instruct",
        [64, 5120, 40, 8, 128, 27_648],
        None,
        (152_064, false, 32_768),
    ),
    (
        "qwen2.5-72b",
        "Qwen/Qwen2.5-72B-Instruct",
        [80, 8192, 64, 8, 128, 29_568],
        None,
        (152_064, false, 32_768),
    ),
    ("qwen3-0.6b", "Qwen/Qwen3-0.6B", [28, 1024, 16, 8, 128, 3072], None, (151_936, true, 40_960)),
    ("qwen3-1.7b", "Qwen/Qwen3-1.7B", [28, 2048, 16, 8, 128, 6144], None, (151_936, true, 40_960)),
    ("qwen3-4b", "Qwen/Qwen3-4B", [36, 2560, 32, 8, 128, 9728], None, (151_936, true, 40_960)),
    ("qwen3-8b", "Qwen/Qwen3-8B", [36, 4096, 32, 8, 128, 12_288], None, (151_936, false, 40_960)),
    ("qwen3-14b", "Qwen/Qwen3-14B", [40, 5120, 40, 8, 128, 17_408], None, (151_936, false, 40_960)),
    ("qwen3-32b", "Qwen/Qwen3-32B", [64, 5120, 64, 8, 128, 25_600], None, (151_936, false, 40_960)),
    (
        "qwen3-30b-a3b",
        "Qwen/Qwen3-30B-A3B",
        [48, 2048, 32, 4, 128, 768],
        Some((128, 8)),
        (151_936, false, 40_960),
    ),
    (
        "qwen3-235b-a22b",
        "Qwen/Qwen3-235B-A22B",
        [94, 4096, 64, 4, 128, 1536],
        Some((128, 8)),
        (151_936, false, 40_960),
    ),
    (
        "llama-3.1-8b",
        "meta-llama/Llama-3.1-8B-Instruct",
        [32, 4096, 32, 8, 128, 14_336],
        None,
        (128_256, false, 131_072),
    ),
    (
        "llama-3.1-70b",
        "meta-llama/Llama-3.1-70B-Instruct",
        [80, 8192, 64, 8, 128, 28_672],
        None,
        (128_256, false, 131_072),
    ),
    (
        "llama-3.1-405b",
        "meta-llama/Llama-3.1-405B-Instruct",
        [126, 16_384, 128, 8, 128, 53_248],
        None,
        (128_256, false, 131_072),
    ),
    (
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B-Instruct",
        [16, 2048, 32, 8, 64, 8192],
        None,
        (128_256, true, 131_072),
    ),
    (
        "llama-3.2-3b",
        "meta-llama/Llama-3.2-3B-Instruct",
        [28, 3072, 24, 8, 128, 8192],
        None,
        (128_256, true, 131_072),
    ),
    (
        "llama-3.3-70b",
        "meta-llama/Llama-3.3-70B-Instruct",
        [80, 8192, 64, 8, 128, 28_672],
        None,
        (128_256, false, 131_072),
    ),
    (
        "mistral-7b",
        "mistralai/Mistral-7B-Instruct-v0.3",
        [32, 4096, 32, 8, 128, 14_336],
        None,
        (32_768, false, 32_768),
    ),
    (
        "mistral-small-24b",
        "mistralai/Mistral-Small-24B-Instruct-2501",
        [40, 5120, 32, 8, 128, 32_768],
        None,
        (131_072, false, 32_768),
    ),
    (
        "mixtral-8x7b",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        [32, 4096, 32, 8, 128, 14_336],
        Some((8, 2)),
        (32_000, false, 32_768),
    ),
    ("phi-4", "microsoft/phi-4", [40, 5120, 40, 10, 128, 17_920], None, (100_352, false, 16_384)),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Billions of parameters, as models' pages give them.
    const PUBLISHED: &[(&str, f64)] = &[
        ("qwen2.5-0.5b", 0.494),
        ("qwen2.5-1.5b", 1.54),
        ("qwen2.5-3b", 3.09),
        ("qwen2.5-7b", 7.62),
        ("qwen2.5-14b", 14.77),
        ("qwen2.5-32b", 32.76),
        ("qwen2.5-72b", 72.71),
        ("qwen3-0.6b", 0.596),
        ("qwen3-1.7b", 1.72),
        ("qwen3-4b", 4.02),
        ("qwen3-8b", 8.19),
        ("qwen3-14b", 14.77),
        ("qwen3-32b", 32.76),
        ("qwen3-30b-a3b", 30.53),
        ("qwen3-235b-a22b", 235.09),
        ("llama-3.1-8b", 8.03),
        ("llama-3.1-70b", 70.55),
        ("llama-3.1-405b", 405.85),
        ("llama-3.2-1b", 1.236),
        ("llama-3.2-3b", 3.213),
        ("llama-3.3-70b", 70.55),
        ("mistral-7b", 7.248),
        ("mistral-small-24b", 23.57),
        ("mixtral-8x7b", 46.70),
        ("phi-4", 14.66),
    ];

    #[test]
    fn shapes_give_the_published_numbers_of_parameters() {
        let known: Vec<_> = known().collect();
        assert_eq!(known.len(), PUBLISHED.len());
        for (architecture, (name, billions)) in known.iter().zip(PUBLISHED) {
            assert_eq!(architecture.name, *name);
            let ratio = architecture.parameters() / (billions * 1e9);
            assert!((ratio - 1.0).abs() < 0.005, "{name}: {ratio}");
        }
    }

    #[test]
    fn a_token_goes_through_few_of_many_experts() {
        let active = Architecture::named("Qwen3-30B-A3B").unwrap().active_parameters();
        assert!((3.2e9..3.5e9).contains(&active), "{active}");
        let active = Architecture::named("mixtral-8x7b").unwrap().active_parameters();
        assert!((12.7e9..13.1e9).contains(&active), "{active}");
    }

    #[test]
    fn llama_3_8b_keeps_128_kib_a_token() {
        let llama = Architecture::named("llama-3.1-8b").unwrap();
        assert_eq!(llama.kv_bytes_per_token(), 131_072.0);
        assert_eq!(llama.flops_per_attention(), 524_288.0);
    }

    #[test]
    fn a_config_is_read_as_the_table_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let config = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
            "max_position_embeddings": 131072, "num_attention_heads": 32, "num_hidden_layers": 32,
            "num_key_value_heads": 8, "tie_word_embeddings": false, "vocab_size": 128256}"#;
        fs::write(&path, config).unwrap();
        let read = Architecture::named(path.to_str().unwrap()).unwrap();
        let table = Architecture::named("llama-3.1-8b").unwrap();
        let folder_name = folder.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(read, Architecture { name: folder_name.to_owned(), model: None, ..table });
    }

    #[test]
    fn a_config_within_another_and_experts_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let config = r#"{"text_config": {"hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768,
            "num_experts": 128, "num_experts_per_tok": 8, "head_dim": 128, "max_position_embeddings": 40960,
            "num_attention_heads": 32, "num_hidden_layers": 48, "num_key_value_heads": 4, "vocab_size": 151936}}"#;
        fs::write(&path, config).unwrap();
        let read = Architecture::named(path.to_str().unwrap()).unwrap();
        let table = Architecture::named("qwen3-30b-a3b").unwrap();
        assert_eq!(read.parameters(), table.parameters());
    }

    #[test]
    fn a_config_that_is_not_modelled_is_refused_by_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Architecture::named(path.to_str().unwrap()).unwrap_err().to_string()
        };
        for (config, why) in [
            (r#"{"kv_lora_rank": 512}"#, "kv_lora_rank: latent attention is not modelled"),
            (
                r#"{"quantization_config": {}}"#,
                "quantization_config: only weights of 16 bits are modelled",
            ),
            ("{}", "hidden_size is missing"),
            (r#"{"hidden_size": 0}"#, "hidden_size is 0, which no model has"),
            (
                r#"{"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 16}"#,
                "head_dim is 0, which no model has",
            ),
        ] {
            let error = refused(config);
            assert!(error.ends_with(why), "{error}");
            assert!(error.contains("config.json"), "{error}");
        }
        assert!(refused("[").contains("config.json"), "{}", refused("["));
        let missing = Architecture::named("no/such/config.json").unwrap_err().to_string();
        assert!(
            missing.starts_with("cannot read the architecture no/such/config.json: "),
            "{missing}"
        );
    }
}
