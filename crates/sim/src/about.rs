//! The endpoints beside those of the APIs: what the server is, what it counted, and the switches that do nothing here.
//!
//! They answer with vLLM's fields. Deliberately free of moments: none of them is ever timed.

use serde::Deserialize;
use serde_json::{Value, json};
use tokometer_wire::Message;

use crate::refusal::Refusal;
use crate::server::Server;

/// The paths beside those of the APIs, and what is there, for help texts.
pub const PATHS: &[(&str, &str)] = &[
    ("/v1/models", "the models that are served"),
    ("/health", "an empty success"),
    ("/version", "the simulator's version"),
    ("/metrics", "tokens and requests so far, as Prometheus reads them, with vLLM's names"),
    ("/tokenize", "the tokens of a text or a conversation"),
    ("/detokenize", "the text of tokens"),
    ("/reset_prefix_cache", "a success; there is no cache"),
    ("/reset_mm_cache", "a success; there is no cache"),
    ("/reset_encoder_cache", "a success; there is no cache"),
    ("/start_profile", "a success; nothing is profiled"),
    ("/stop_profile", "a success; nothing is profiled"),
];

/// What a request of `/tokenize` says: a text, or a conversation.
#[derive(Deserialize)]
struct Tokenize {
    model: Option<String>,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
}

/// What a request of `/detokenize` says.
#[derive(Deserialize)]
struct Detokenize {
    model: Option<String>,
    tokens: Vec<u32>,
}

/// `/v1/models`.
pub(crate) fn models(server: &Server) -> Value {
    let permission = json!([{
        "id": "modelperm-simulated", "object": "model_permission", "created": server.started,
        "allow_create_engine": false, "allow_sampling": true, "allow_logprobs": true,
        "allow_search_indices": false, "allow_view": true, "allow_fine_tuning": false,
        "organization": "*", "group": null, "is_blocking": false,
    }]);
    let card = |name: &str| {
        json!({
            "id": name, "object": "model", "created": server.started, "owned_by": "vllm", "root": name,
            "parent": null, "max_model_len": server.options.max_model_len, "permission": permission,
        })
    };
    let served = &server.options.models;
    let cards: Vec<Value> = match served.as_slice() {
        [] => vec![card(server.name())],
        names => names.iter().map(|name| card(name)).collect(),
    };
    json!({ "object": "list", "data": cards })
}

/// `/reset_prefix_cache` and its like: there is no cache, so that every request finds it as good as reset.
pub(crate) fn reset() -> Value {
    json!({ "success": true })
}

/// `/version`.
pub(crate) fn version() -> Value {
    json!({ "version": concat!("tokometer-sim ", env!("CARGO_PKG_VERSION")) })
}

/// `/tokenize`.
pub(crate) fn tokenize(server: &Server, body: &[u8]) -> Result<Value, Refusal> {
    let asked: Tokenize =
        serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    server.check_model(asked.model.as_deref())?;
    let tokens = match (asked.prompt, asked.messages) {
        (Some(text), _) => server.tokens.encode(&text),
        (None, Some(messages)) => server.encode_chat(&messages),
        (None, None) => return Err(Refusal::unreadable(&"either prompt or messages is required")),
    };
    let (count, limit) = (tokens.len(), server.options.max_model_len);
    Ok(json!({ "count": count, "max_model_len": limit, "tokens": tokens, "token_strs": null }))
}

/// `/detokenize`.
pub(crate) fn detokenize(server: &Server, body: &[u8]) -> Result<Value, Refusal> {
    let asked: Detokenize =
        serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error))?;
    server.check_model(asked.model.as_deref())?;
    Ok(json!({ "prompt": server.tokens.decode(&asked.tokens) }))
}
