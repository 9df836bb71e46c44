//! How the service is deployed, as far as it tells: over how many GPUs, and in which precision it computes.
//!
//! vLLM tells it at two places: `GET /server_info`, which is there in its development mode (`VLLM_SERVER_DEV_MODE=1`), and in
//! `system_fingerprint` of its answers, `vllm-0.32.0-tp4-pp2-1a2b3c4d`. Its page of metrics says nothing of it. Nothing is guessed: a
//! fingerprint without any `tp`, `pp`, `dp` and `ep` is that of one GPU, or of any number where the server was told to keep them to
//! itself (`--fingerprint-mode hash`), and so tells nothing.

use serde_json::{Value, json};
use tokometer_engine::{Answer, Engine};
use tokometer_plan::Plan;

/// How a service is deployed. What it does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// GPUs that share each layer.
    pub(crate) tensor_parallel: Option<u64>,
    /// GPUs of the whole deployment: tensor × pipeline × data parallel.
    pub(crate) gpus: Option<u64>,
    /// The precision that it computes in: `bfloat16`.
    pub(crate) data_type: Option<String>,
    /// How its weights are quantized: `awq`.
    pub(crate) quantization: Option<String>,
}

/// Asks the service, which serves that model. Whatever goes wrong, it has told nothing.
pub(super) fn ask(engine: &Engine, plan: &Plan, model: &str) -> Deployment {
    let told = engine.get("/server_info?config_format=json").ok().and_then(|answer| body(&answer));
    let told = told.as_ref().map(by_server_info).unwrap_or_default();
    match told.tensor_parallel {
        Some(_) => told,
        // A user who wants no request but those of the load gets none.
        None if !plan.target.test_connection => told,
        None => {
            let fingerprint = signed(engine, plan, model).as_deref().and_then(by_fingerprint);
            let by_fingerprint = fingerprint.unwrap_or_default();
            Deployment {
                tensor_parallel: by_fingerprint.tensor_parallel,
                gpus: by_fingerprint.gpus,
                ..told
            }
        }
    }
}

fn by_server_info(told: &Value) -> Deployment {
    let of = |config: &str, key: &str| told.pointer(&format!("/vllm_config/{config}/{key}"));
    let parallel = |kind: &str| of("parallel_config", &format!("{kind}_parallel_size"))?.as_u64();
    let tensor_parallel = parallel("tensor");
    let gpus = tensor_parallel
        .and_then(|tensor| Some(tensor * parallel("pipeline")? * parallel("data")?))
        .filter(|gpus| *gpus > 0);
    let word = |key: &str| of("model_config", key)?.as_str().and_then(name);
    Deployment {
        tensor_parallel,
        gpus,
        data_type: word("dtype"),
        quantization: word("quantization"),
    }
}

/// A name of a precision without torch's prefix; nothing else is taken over from a server.
fn name(told: &str) -> Option<String> {
    let name = told.strip_prefix("torch.").unwrap_or(told);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (!name.is_empty() && name.len() <= LONGEST && name.chars().all(plain)).then(|| name.to_owned())
}

/// What the parts of vLLM's fingerprint tell.
fn by_fingerprint(fingerprint: &str) -> Option<Deployment> {
    let mut parts = fingerprint.split('-');
    if parts.next() != Some("vllm") {
        return None;
    }
    let parts: Vec<&str> = parts.skip(1).collect();
    let (hash, parts) = parts.split_last()?;
    let is_hash =
        *hash == "nohash" || (hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit()));
    // Without any part it may be one GPU, or a server that keeps it to itself.
    if !is_hash || parts.is_empty() {
        return None;
    }
    let mut sizes = [("tp", 1), ("pp", 1), ("dp", 1)];
    for part in parts.iter().filter(|part| **part != "ep") {
        let (_, size) = sizes.iter_mut().find(|(kind, _)| part.starts_with(kind))?;
        *size = part[2..].parse::<u64>().ok().filter(|size| *size > 1)?;
    }
    let gpus = sizes.iter().map(|(_, size)| size).product();
    Some(Deployment {
        tensor_parallel: Some(sizes[0].1),
        gpus: Some(gpus),
        ..Deployment::default()
    })
}

/// The fingerprint on an answer of one token.
fn signed(engine: &Engine, plan: &Plan, model: &str) -> Option<String> {
    let api = plan.target.api.0;
    let asked = match api.name() {
        "openai-completions" => json!({ "model": model, "prompt": "Hi", "max_tokens": 1 }),
        "openai-chat" => json!({
            "model": model, "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 1,
        }),
        _ => return None,
    };
    let answer = engine.post(api.path(), asked.to_string().as_bytes()).ok()?;
    Some(body(&answer)?.get("system_fingerprint")?.as_str()?.to_owned())
}

fn body(answer: &Answer) -> Option<Value> {
    (200..300).contains(&answer.status).then(|| serde_json::from_slice(&answer.body).ok())?
}

/// Characters of the longest name of a precision that is believed to be one.
const LONGEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fingerprint: &str) -> Option<(u64, u64)> {
        let told = by_fingerprint(fingerprint)?;
        Some((told.tensor_parallel?, told.gpus?))
    }

    /// The fingerprints are those that vLLM 0.32.0's own function made of such configurations.
    #[test]
    fn a_fingerprint_tells_what_stands_in_it() {
        assert_eq!(told("vllm-0.32.0-tp4-01234567"), Some((4, 4)));
        assert_eq!(told("vllm-0.32.0-tp4-pp2-dp2-01234567"), Some((4, 16)));
        assert_eq!(told("vllm-0.32.0-tp2-ep-01234567"), Some((2, 2)));
        assert_eq!(told("vllm-0.32.0-dp2-nohash"), Some((1, 2)));
    }

    #[test]
    fn a_fingerprint_without_parts_or_of_another_server_tells_nothing() {
        for silent in [
            "vllm-0.32.0-01234567",
            "vllm",
            "vllm-0.32.0",
            "fp_44709d6fcb",
            "tokometer-0.1.0",
            "vllm-0.32.0-tp4",
            "vllm-0.32.0-tpx-01234567",
            "vllm-0.32.0-tp0-01234567",
            "my-own-tp4-words",
            "",
        ] {
            assert_eq!(told(silent), None, "{silent}");
        }
    }

    #[test]
    fn the_development_servers_own_words_are_believed() {
        let info = json!({ "vllm_config": {
            "parallel_config": {
                "tensor_parallel_size": 8, "pipeline_parallel_size": 1, "data_parallel_size": 2,
            },
            "model_config": { "dtype": "torch.bfloat16", "quantization": null },
        }});
        let told = by_server_info(&info);
        assert_eq!((told.tensor_parallel, told.gpus), (Some(8), Some(16)));
        assert_eq!((told.data_type.as_deref(), told.quantization), (Some("bfloat16"), None));
    }

    #[test]
    fn what_is_no_size_and_no_name_tells_nothing() {
        for info in [
            json!(null),
            json!({ "vllm_config": "VllmConfig(…)" }),
            json!({ "vllm_config": { "parallel_config": { "tensor_parallel_size": "8" } } }),
            json!({ "vllm_config": { "model_config": { "dtype": "a b\nc" } } }),
        ] {
            assert_eq!(by_server_info(&info), Deployment::default(), "{info}");
        }
    }
}
