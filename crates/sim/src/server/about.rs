//! The endpoints beside those of the APIs: what the server is, how it is, and what its caches hold.
//!
//! They answer with vLLM's fields. Deliberately free of moments: none of them is ever timed.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokometer_wire::{Message, Prompt, by_name};

use crate::server::Server;
use crate::server::admin;
use crate::server::body::Reply;
use crate::server::line::Line;
use crate::server::prompt::encode_chat;
use crate::server::refusal::Refusal;
use crate::server::response::{JSON, respond, succeed};

/// The paths beside those of the APIs, and what is there, for help texts.
pub const PATHS: &[(&str, &str)] = &[
    ("/v1/models", "the models that are served, and their LoRA adapters"),
    ("/v1/messages/count_tokens", "how many tokens a request of Anthropic's messages has"),
    ("/health", "an empty success"),
    ("/ping", "an empty success"),
    ("/version", "the simulator's version"),
    ("/load", "how many requests are being answered"),
    ("/server_info", "how the server is set up, as text or, with config_format=json, as JSON"),
    ("/metrics", "tokens and requests so far, as Prometheus reads them, with vLLM's names"),
    ("/tokenize", "the tokens of a text or a conversation"),
    ("/detokenize", "the text of tokens"),
    ("/reset_prefix_cache", "empties the prefix caches; no success while requests use them"),
    ("/reset_mm_cache", "an empty success; there is no such cache"),
    ("/reset_encoder_cache", "an empty success; there is no such cache"),
    ("/start_profile", "an empty success; nothing is profiled"),
    ("/stop_profile", "an empty success; nothing is profiled"),
    ("/admin/faults", "what goes wrong: GET tells it, POST replaces it"),
];

/// What an endpoint says.
#[derive(Debug)]
pub(crate) enum Told {
    /// Nothing but success.
    Nothing,
    Json(Value),
    /// JSON that is written already.
    Text(String),
}

/// What a request of `/tokenize` says: a text, or a conversation.
#[derive(Deserialize)]
struct Tokenize {
    model: Option<String>,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
    #[serde(default)]
    return_token_strs: Option<bool>,
}

/// What a request of `/detokenize` says.
#[derive(Deserialize)]
struct Detokenize {
    model: Option<String>,
    tokens: Vec<u32>,
}

/// Answers a request of one of [`PATHS`], `/metrics` excepted.
///
/// # Errors
/// If there is no such path, or it cannot be asked so.
pub(crate) fn answer(
    server: &Server,
    (method, path, query): (&Method, &str, Option<&str>),
    body: &[u8],
) -> Result<Told, Refusal> {
    match (method, path) {
        (&Method::GET, "/health" | "/ping")
        | (&Method::POST, "/ping" | "/start_profile" | "/stop_profile")
        | (&Method::POST, "/reset_mm_cache" | "/reset_encoder_cache") => Ok(Told::Nothing),
        (&Method::POST, "/reset_prefix_cache") => {
            Ok(Told::Json(json!({ "success": server.reset_prefix_cache() })))
        }
        (&Method::GET, "/v1/models") => Ok(Told::Json(models(server))),
        (&Method::GET, "/version") => Ok(Told::Json(version())),
        (&Method::GET, "/load") => Ok(Told::Json(json!({ "server_load": server.load() }))),
        (&Method::GET, "/server_info") => info(server, query.unwrap_or_default()),
        (&Method::POST, "/tokenize") => tokenize(server, body),
        (&Method::POST, "/detokenize") => detokenize(server, body),
        (&Method::POST, "/v1/messages/count_tokens") => count_tokens(server, body),
        (&Method::GET, "/admin/faults") => Ok(Told::Text(server.faults().to_json())),
        (&Method::POST, "/admin/faults") => admin::replace(server, body),
        (_, path) if PATHS.iter().any(|(known, _)| *known == path) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

impl Told {
    /// The response.
    pub(crate) fn respond(self, line: Arc<Line>) -> Response<Reply> {
        let text = match self {
            Self::Nothing => return succeed(Reply::plain(Bytes::new(), line)),
            Self::Json(value) => value.to_string(),
            Self::Text(text) => text,
        };
        respond(StatusCode::OK, JSON, Reply::plain(text.into(), line))
    }
}

fn models(server: &Server) -> Value {
    let permission = json!([{
        "id": "modelperm-simulated", "object": "model_permission", "created": server.started,
        "allow_create_engine": false, "allow_sampling": true, "allow_logprobs": true,
        "allow_search_indices": false, "allow_view": true, "allow_fine_tuning": false,
        "organization": "*", "group": null, "is_blocking": false,
    }]);
    let card = |name: &str, root: &str, parent: Option<&str>, longest: Option<u32>| {
        json!({
            "id": name, "object": "model", "created": server.started, "owned_by": "vllm", "root": root,
            "parent": parent, "max_model_len": longest, "permission": permission,
        })
    };
    let longest = Some(server.options.max_model_len);
    let served = match server.options.models.as_slice() {
        [] => vec![server.name()],
        names => names.iter().map(String::as_str).collect(),
    };
    let bases = served.iter().map(|name| card(name, name, None, longest));
    let adapters = server.options.serving.lora_modules.iter();
    let adapters = adapters.map(|lora| card(&lora.name, &lora.path, Some(server.name()), None));
    let cards: Vec<Value> = bases.chain(adapters).collect();
    json!({ "object": "list", "data": cards })
}

fn version() -> Value {
    json!({ "version": concat!("tokometer-sim ", env!("CARGO_PKG_VERSION")) })
}

/// How the server is set up, under vLLM's three keys. There is no environment to tell of.
fn info(server: &Server, query: &str) -> Result<Told, Refusal> {
    let format = query.split('&').find_map(|pair| pair.strip_prefix("config_format="));
    let options = &server.options;
    let mut config = json!({
        "model_config": {
            "model": server.name(), "served_model_name": options.models,
            "max_model_len": options.max_model_len, "seed": options.seed,
        },
        "lora_config": options.serving.lora_modules.iter().map(|lora| &lora.name).collect::<Vec<_>>(),
    });
    if let Some(deployment) = &options.deployment {
        let engine = &deployment.engine;
        config["scheduler_config"] = json!({
            "max_num_seqs": engine.max_num_seqs,
            "max_num_batched_tokens": engine.max_num_batched_tokens,
        });
        config["cache_config"] = json!({
            "block_size": engine.block_size, "num_gpu_blocks": engine.blocks,
            "enable_prefix_caching": engine.prefix_caching,
        });
        config["parallel_config"] = json!({ "data_parallel_size": deployment.replicas });
    }
    let config = match format {
        None | Some("text") => Value::from(config.to_string()),
        Some("json") => config,
        Some(other) => {
            let why = format!("expected text or json, not {other:?}");
            return Err(Refusal::field("query.config_format", &why));
        }
    };
    let system = json!({ "os": std::env::consts::OS, "arch": std::env::consts::ARCH });
    Ok(Told::Json(json!({ "vllm_config": config, "vllm_env": {}, "system_env": system })))
}

fn tokenize(server: &Server, body: &[u8]) -> Result<Told, Refusal> {
    let asked: Tokenize = read(body)?;
    server.check_model(asked.model.as_deref())?;
    let tokens = match (asked.prompt, asked.messages) {
        (Some(text), _) => server.tokens.encode(&text),
        (None, Some(messages)) => encode_chat(server, &messages),
        (None, None) => return Err(Refusal::unreadable(&"either prompt or messages is required")),
    };
    let text = |id: &u32| server.tokens.decode(&[*id]);
    let texts = asked.return_token_strs == Some(true);
    let texts = texts.then(|| tokens.iter().map(text).collect::<Vec<_>>());
    let (count, limit) = (tokens.len(), server.options.max_model_len);
    Ok(Told::Json(json!({
        "count": count, "max_model_len": limit, "tokens": tokens, "token_strs": texts,
    })))
}

fn detokenize(server: &Server, body: &[u8]) -> Result<Told, Refusal> {
    let asked: Detokenize = read(body)?;
    server.check_model(asked.model.as_deref())?;
    Ok(Told::Json(json!({ "prompt": server.tokens.decode(&asked.tokens) })))
}

fn count_tokens(server: &Server, body: &[u8]) -> Result<Told, Refusal> {
    let api = by_name("anthropic-messages").ok_or_else(Refusal::not_found)?;
    let counted = || {
        let mut fields: Map<String, Value> = read(body)?;
        // It is asked like a request of messages that need not say how much it wants.
        fields.entry("max_tokens").or_insert(1.into());
        let whole = Value::Object(fields).to_string();
        let asked = api.parse(whole.as_bytes());
        let asked = asked.map_err(|error| Refusal::undecoded(&error, whole.as_bytes()))?;
        server.check_model(asked.model.as_deref())?;
        match asked.prompt {
            Prompt::Messages(messages) => Ok(encode_chat(server, &messages).len()),
            _ => Err(Refusal::unreadable(&"messages: expected a conversation")),
        }
    };
    let count = counted().map_err(|refusal: Refusal| refusal.of(api))?;
    let context = json!({ "original_input_tokens": count });
    Ok(Told::Json(json!({ "input_tokens": count, "context_management": context })))
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::no_json(&error, body))
}
